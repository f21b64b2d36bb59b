//! Evaluation: cast.

use super::{EvalCx, Evaluated};
use edgesmith_ir::op::{BitCast, Cast, CastLike};

pub(super) fn bit_cast(op: &BitCast, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn cast(op: &Cast, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn cast_like(op: &CastLike, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}
