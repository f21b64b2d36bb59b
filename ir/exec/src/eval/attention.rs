//! Evaluation: attention.

use super::{EvalCx, Evaluated};
use edgesmith_ir::op::{Attention, RotaryEmbedding};

pub(super) fn attention(op: &Attention, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn rotary_embedding(op: &RotaryEmbedding, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}
