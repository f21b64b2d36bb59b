//! Evaluation: reduce.

use super::{EvalCx, Evaluated};
use edgesmith_ir::op::{
    ReduceL1, ReduceL2, ReduceLogSum, ReduceLogSumExp, ReduceMax, ReduceMean, ReduceMin, ReduceProd, ReduceSum,
    ReduceSumSquare,
};

pub(super) fn reduce_l1(op: &ReduceL1, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn reduce_l2(op: &ReduceL2, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn reduce_log_sum(op: &ReduceLogSum, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn reduce_log_sum_exp(op: &ReduceLogSumExp, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn reduce_max(op: &ReduceMax, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn reduce_mean(op: &ReduceMean, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn reduce_min(op: &ReduceMin, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn reduce_prod(op: &ReduceProd, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn reduce_sum(op: &ReduceSum, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn reduce_sum_square(op: &ReduceSumSquare, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}
