//! Evaluation: pool.

use super::{EvalCx, Evaluated};
use edgesmith_ir::op::{AveragePool, GlobalLpPool, LpPool, MaxPool, MaxUnpool};

pub(super) fn average_pool(op: &AveragePool, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn global_average_pool(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn global_lp_pool(op: &GlobalLpPool, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn global_max_pool(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn lp_pool(op: &LpPool, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn max_pool(op: &MaxPool, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn max_unpool(op: &MaxUnpool, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}
