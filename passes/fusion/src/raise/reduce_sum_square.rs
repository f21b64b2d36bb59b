//! ReduceSumSquare from a sum of squares.

use edgesmith_ir::op::{ReduceSum, ReduceSumSquare};
use edgesmith_ir::{OpId, OpKind};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

use super::pattern::{is_single_or_half, reduced_axes, same_rank, saves, square_of};

/// `Σ x²`.
pub(crate) struct RaiseReduceSumSquare;

impl Rewrite for RaiseReduceSumSquare {
    const NAME: RuleName = "raise-reduce-sum-square";
    const SUMMARY: &'static str = "ReduceSum of squares into ReduceSumSquare";
    const ROOTS: &'static [OpKind] = &[OpKind::ReduceSum];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../../manual/raise-reduce-sum-square.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let reduce = cx.op::<ReduceSum>(root)?;
        let (squares, axes) = (reduce.data(), reduce.axes());
        let x = square_of(cx, squares).ok_or(Miss::NoMatch)?;
        is_single_or_half(cx, x)?;
        same_rank(cx, squares, x)?;
        // Before opset 18 the axes are an attribute there.
        reduced_axes(cx, x, axes, reduce.noop_with_empty_axes).ok_or(Miss::NoMatch)?;
        saves(cx, reduce.reduced(), &[x], 1)?;
        let mut patch = Patch::new(cx);
        let op = ReduceSumSquare { keepdims: reduce.keepdims, noop_with_empty_axes: reduce.noop_with_empty_axes };
        let sum = patch.insert(op, [Some(x.into()), axes.map(Into::into)]);
        patch.redefine(reduce.reduced(), sum);
        Ok(patch)
    }
}
