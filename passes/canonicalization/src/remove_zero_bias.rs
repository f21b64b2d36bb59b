//! Removes a bias of nothing but zeros, also one that is written as an expanded scalar.

use edgesmith_ir::op::Expand;
use edgesmith_ir::{Op, OpId, OpKind, Tensor, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

/// `Conv(x, w, 0)` is `Conv(x, w)`, and `Gemm(a, b, 0)` is `Gemm(a, b)`, but for the sign of a zero.
pub(crate) struct RemoveZeroBias;

impl Rewrite for RemoveZeroBias {
    const NAME: RuleName = "remove-zero-bias";
    const SUMMARY: &'static str = "a bias of zeros of Conv, ConvTranspose or Gemm";
    const ROOTS: &'static [OpKind] = &[OpKind::Conv, OpKind::ConvTranspose, OpKind::Gemm];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../manual/remove-zero-bias.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let data = cx.graph().op(root);
        let (Some(a), Some(b), Some(bias), Some(output)) =
            (data.operand(0), data.operand(1), data.operand(2), data.result(0))
        else {
            return Err(Miss::NoMatch);
        };
        if !is_zero(cx, bias) {
            return Err(Miss::NoMatch);
        }
        if data.op().kind() == OpKind::Gemm && (1..11).contains(&cx.opset()) {
            return cx.reject(root, format!("a Gemm of opset {} must have a bias", cx.opset()));
        }
        let mut patch = Patch::new(cx);
        let op: Op = data.op().clone();
        let result = patch.insert(op, [Some(a.into()), Some(b.into())]);
        patch.redefine(output, result);
        Ok(patch)
    }
}

fn is_zero(cx: &Cx<'_>, bias: ValueId) -> bool {
    let zeros = |tensor: &Tensor| tensor.to_f64().is_some_and(|v| v.iter().all(|x| *x == 0.0));
    if let Some(tensor) = cx.constant(bias) {
        return zeros(tensor);
    }
    cx.producer::<Expand>(bias).is_ok_and(|expand| cx.constant(expand.input()).is_some_and(zeros))
}
