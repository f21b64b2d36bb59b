//! Evaluation: gather.

use super::{EvalCx, Evaluated};
use edgesmith_ir::op::{Gather, GatherElements, GatherND, ScatterElements, ScatterND, TensorScatter};

pub(super) fn gather(op: &Gather, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn gather_elements(op: &GatherElements, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn gather_nd(op: &GatherND, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn scatter_elements(op: &ScatterElements, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn scatter_nd(op: &ScatterND, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn tensor_scatter(op: &TensorScatter, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}
