//! Evaluation: softmax.

use super::{EvalCx, Evaluated};
use edgesmith_ir::op::{Hardmax, LegacySoftmax, LogSoftmax, Softmax};

pub(super) fn hardmax(op: &Hardmax, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn legacy_softmax(op: &LegacySoftmax, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn log_softmax(op: &LogSoftmax, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn softmax(op: &Softmax, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}
