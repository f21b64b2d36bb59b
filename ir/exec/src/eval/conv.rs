//! Evaluation: conv.

use super::{EvalCx, Evaluated};
use edgesmith_ir::op::{Conv, ConvTranspose, DeformConv};

pub(super) fn conv(op: &Conv, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn conv_transpose(op: &ConvTranspose, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn deform_conv(op: &DeformConv, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}
