//! Evaluation: shape.

use super::{EvalCx, Evaluated};
use edgesmith_ir::op::{ConstantOfShape, EyeLike, Flatten, Range, Reshape, Shape};

pub(super) fn constant_of_shape(op: &ConstantOfShape, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn expand(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn eye_like(op: &EyeLike, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn flatten(op: &Flatten, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn range(op: &Range, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn reshape(op: &Reshape, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn shape(op: &Shape, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn size(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn squeeze(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn tile(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn unsqueeze(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}
