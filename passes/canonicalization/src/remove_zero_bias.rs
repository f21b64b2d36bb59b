//! Removes a bias of nothing but zeros, also one that is made at run time.

use edgesmith_ir::{Op, OpId, OpKind};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

use crate::uniform::every_element;

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
        if !every_element(cx, bias, |x| x == 0.0) {
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
