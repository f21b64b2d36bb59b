//! Evaluation: select.

use super::{EvalCx, Evaluated};

pub(super) fn clip(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn where_(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}
