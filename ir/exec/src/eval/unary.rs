//! Evaluation: unary.

use super::{EvalCx, Evaluated};
use edgesmith_ir::op::IsInf;

pub(super) fn abs(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn acos(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn acosh(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn asin(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn asinh(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn atan(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn atanh(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn bitwise_not(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn ceil(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn cos(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn cosh(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn erf(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn exp(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn floor(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn is_inf(op: &IsInf, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn is_nan(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn log(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn neg(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn not(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn reciprocal(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn round(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn sign(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn sin(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn sinh(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn sqrt(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn tan(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn tanh(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}
