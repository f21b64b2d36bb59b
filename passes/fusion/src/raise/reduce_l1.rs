//! ReduceL1 from a sum of magnitudes.

use edgesmith_ir::op::{Abs, ReduceL1, ReduceSum};
use edgesmith_ir::{OpId, OpKind};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

use super::pattern::{is_single_or_half, made_by, reduced_axes, saves};

/// `Σ |x|`.
pub(crate) struct RaiseReduceL1;

impl Rewrite for RaiseReduceL1 {
    const NAME: RuleName = "raise-reduce-l1";
    const SUMMARY: &'static str = "ReduceSum of magnitudes into ReduceL1";
    const ROOTS: &'static [OpKind] = &[OpKind::ReduceSum];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../../manual/raise-reduce-l1.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let reduce = cx.op::<ReduceSum>(root)?;
        let axes = reduce.axes();
        let x = made_by::<Abs>(cx, reduce.data()).ok_or(Miss::NoMatch)?.x();
        is_single_or_half(cx, x)?;
        // Before opset 18 the axes are an attribute there.
        reduced_axes(cx, x, axes, reduce.noop_with_empty_axes).ok_or(Miss::NoMatch)?;
        saves(cx, reduce.reduced(), &[x], 1)?;
        let mut patch = Patch::new(cx);
        let op = ReduceL1 { keepdims: reduce.keepdims, noop_with_empty_axes: reduce.noop_with_empty_axes };
        let sum = patch.insert(op, [Some(x.into()), axes.map(Into::into)]);
        patch.redefine(reduce.reduced(), sum);
        Ok(patch)
    }
}
