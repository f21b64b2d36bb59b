//! ReduceL2 from the root of a sum of squares.

use edgesmith_ir::op::{ReduceL2, ReduceSum, ReduceSumSquare};
use edgesmith_ir::{OpId, OpKind, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

use super::pattern::{is_single_or_half, made_by, reduced_axes, result, root_of, same_rank, saves, square_of};

/// `√(Σ x²)`.
pub(crate) struct RaiseReduceL2;

impl Rewrite for RaiseReduceL2 {
    const NAME: RuleName = "raise-reduce-l2";
    const SUMMARY: &'static str = "the root of a sum of squares into ReduceL2";
    const ROOTS: &'static [OpKind] = &[OpKind::Sqrt, OpKind::Pow];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../../manual/raise-reduce-l2.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let old = result(cx, root)?;
        let sum = root_of(cx, old).ok_or(Miss::NoMatch)?;
        let Squares { x, axes, keepdims, noop } = squares(cx, sum).ok_or(Miss::NoMatch)?;
        is_single_or_half(cx, x)?;
        same_rank(cx, old, sum)?;
        // Before opset 18 the axes are an attribute there.
        reduced_axes(cx, x, axes, noop).ok_or(Miss::NoMatch)?;
        saves(cx, old, &[x], 1)?;
        let mut patch = Patch::new(cx);
        let op = ReduceL2 { keepdims, noop_with_empty_axes: noop };
        let norm = patch.insert(op, [Some(x.into()), axes.map(Into::into)]);
        patch.redefine(old, norm);
        Ok(patch)
    }
}

/// A sum of squares over axes.
struct Squares {
    x: ValueId,
    axes: Option<ValueId>,
    keepdims: bool,
    noop: bool,
}

fn squares(cx: &Cx<'_>, sum: ValueId) -> Option<Squares> {
    if let Some(sum) = made_by::<ReduceSumSquare>(cx, sum) {
        return Some(Squares {
            x: sum.data(),
            axes: sum.axes(),
            keepdims: sum.keepdims,
            noop: sum.noop_with_empty_axes,
        });
    }
    let sum = made_by::<ReduceSum>(cx, sum)?;
    let x = square_of(cx, sum.data())?;
    Some(Squares { x, axes: sum.axes(), keepdims: sum.keepdims, noop: sum.noop_with_empty_axes })
}
