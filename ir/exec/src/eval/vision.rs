//! Evaluation: vision.

use super::{EvalCx, Evaluated};
use edgesmith_ir::op::{AffineGrid, GridSample, Resize, RoiAlign};

pub(super) fn affine_grid(op: &AffineGrid, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn grid_sample(op: &GridSample, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn resize(op: &Resize, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn roi_align(op: &RoiAlign, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}
