//! Evaluation: search.

use super::{EvalCx, Evaluated};
use edgesmith_ir::op::{ArgMax, ArgMin, Compress, NonMaxSuppression, TopK, Unique};

pub(super) fn arg_max(op: &ArgMax, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn arg_min(op: &ArgMin, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn compress(op: &Compress, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn non_max_suppression(op: &NonMaxSuppression, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn non_zero(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn top_k(op: &TopK, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn unique(op: &Unique, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}
