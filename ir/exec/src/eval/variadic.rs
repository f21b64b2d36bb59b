//! Evaluation: variadic.

use super::{EvalCx, Evaluated};

pub(super) fn max(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn mean(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn min(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn sum(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}
