//! ReduceMean from a sum over a count.

use edgesmith_ir::op::{ReduceMean, ReduceSum};
use edgesmith_ir::{Dim, OpId, OpKind};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

use super::pattern::{about, is_single_or_half, made_by, product, reduced_axes, result, same_rank, saves};

/// `Σ x / n`, where n is how many elements are summed.
pub(crate) struct RaiseReduceMean;

impl Rewrite for RaiseReduceMean {
    const NAME: RuleName = "raise-reduce-mean";
    const SUMMARY: &'static str = "ReduceSum over the number of summed elements into ReduceMean";
    const ROOTS: &'static [OpKind] = &[OpKind::Div, OpKind::Mul];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../../manual/raise-reduce-mean.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let old = result(cx, root)?;
        let whole = product(cx, old);
        let [sum] = *whole.factors.as_slice() else { return Err(Miss::NoMatch) };
        let Some(reduce) = made_by::<ReduceSum>(cx, sum) else { return Err(Miss::NoMatch) };
        let (x, axes) = (reduce.data(), reduce.axes());
        let reduced = reduced_axes(cx, x, axes, reduce.noop_with_empty_axes).ok_or(Miss::NoMatch)?;
        let dims = cx.dims(x).ok_or(Miss::NoMatch)?;
        let extents: Option<Vec<i64>> = reduced.iter().map(|axis| Dim::known(&dims[*axis])).collect();
        let count: f64 = extents.ok_or(Miss::NoMatch)?.iter().map(|extent| *extent as f64).product();
        if count == 0.0 || !about(cx.dtype(x), whole.constant * count, 1.0) {
            return Err(Miss::NoMatch);
        }
        is_single_or_half(cx, x)?;
        same_rank(cx, old, sum)?;
        saves(cx, old, &[x], 1)?;
        let mut patch = Patch::new(cx);
        let op = ReduceMean { keepdims: reduce.keepdims, noop_with_empty_axes: false };
        let mean = patch.insert(op, [Some(x.into()), axes.map(Into::into)]);
        patch.redefine(old, mean);
        Ok(patch)
    }
}
