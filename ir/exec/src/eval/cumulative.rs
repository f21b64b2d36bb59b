//! Evaluation: cumulative.

use super::{EvalCx, Evaluated};
use edgesmith_ir::op::{CumProd, CumSum};

pub(super) fn cum_prod(op: &CumProd, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn cum_sum(op: &CumSum, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}
