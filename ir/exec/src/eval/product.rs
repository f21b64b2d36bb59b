//! Evaluation: product.

use super::{EvalCx, Evaluated};
use edgesmith_ir::op::{Einsum, Gemm};

pub(super) fn det(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn einsum(op: &Einsum, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn gemm(op: &Gemm, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn matmul(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}
