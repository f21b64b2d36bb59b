//! Evaluation: binary.

use super::{EvalCx, Evaluated};
use edgesmith_ir::op::{BitShift, Mod};

pub(super) fn add(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn and(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn bit_shift(op: &BitShift, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn bitwise_and(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn bitwise_or(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn bitwise_xor(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn div(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn equal(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn greater(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn greater_or_equal(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn less(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn less_or_equal(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn modulo(op: &Mod, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn mul(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn or(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn pow(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn sub(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn xor(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}
