//! Makes one slice of two that cut different axes.

use edgesmith_ir::op::Slice;
use edgesmith_ir::{OpId, OpKind, Tensor, ValueId, View};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

/// `Slice(Slice(x))` where no axis is cut twice: one Slice over all of their axes.
pub(crate) struct MergeSlices;

impl Rewrite for MergeSlices {
    const NAME: RuleName = "merge-slices";
    const SUMMARY: &'static str = "two slices of different axes in a row become one";
    const ROOTS: &'static [OpKind] = &[OpKind::Slice];
    const FIDELITY: Fidelity = Fidelity::Exact;
    const MANUAL: &'static str = include_str!("../manual/merge-slices.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let outer = cx.op::<Slice>(root)?;
        let inner = cx.producer::<Slice>(outer.data())?;
        if !cx.single_use(outer.data()) {
            return Err(Miss::NoMatch);
        }
        let rank = cx.dims(inner.data()).ok_or(Miss::NoMatch)?.len();
        let mut cuts = Cut::all_of(cx, rank, inner)?;
        let second = Cut::all_of(cx, rank, outer)?;
        if second.iter().any(|cut| cuts.iter().any(|other| other.axis == cut.axis)) {
            return Err(Miss::NoMatch);
        }
        cuts.extend(second);
        let column = |pick: fn(&Cut) -> i64| Tensor::from_ints(&cuts.iter().map(pick).collect::<Vec<_>>());
        let mut patch = Patch::new(cx);
        let mut operands = vec![Some(inner.data().into())];
        operands.push(Some(patch.constant(column(|cut| cut.start))));
        operands.push(Some(patch.constant(column(|cut| cut.end))));
        operands.push(Some(patch.constant(column(|cut| cut.axis as i64))));
        if cuts.iter().any(|cut| cut.step != 1) {
            operands.push(Some(patch.constant(column(|cut| cut.step))));
        }
        let result = patch.insert((*outer).clone(), operands);
        patch.redefine(outer.output(), result);
        Ok(patch)
    }
}

/// What a slice does to one axis, as it is written: `start` and `end` may count from the end or lie beyond it.
pub(crate) struct Cut {
    pub(crate) axis: usize,
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) step: i64,
}

impl Cut {
    /// Of every axis that the slice names; its operands must be constant.
    pub(crate) fn all_of(cx: &Cx<'_>, rank: usize, slice: View<'_, Slice>) -> Match<Vec<Self>> {
        let ints = |value: ValueId| cx.constant(value).and_then(Tensor::to_ints).ok_or(Miss::NoMatch);
        let (starts, ends) = (ints(slice.starts())?, ints(slice.ends())?);
        let axes = slice.axes().map_or_else(|| Ok((0..starts.len() as i64).collect()), ints)?;
        let steps = slice.steps().map_or_else(|| Ok(vec![1; starts.len()]), ints)?;
        if ends.len() != starts.len() || axes.len() != starts.len() || steps.len() != starts.len() {
            return Err(Miss::NoMatch);
        }
        (0..starts.len())
            .map(|index| {
                let axis = if axes[index] < 0 { axes[index] + rank as i64 } else { axes[index] };
                let axis = usize::try_from(axis).map_err(|_| Miss::NoMatch)?;
                Ok(Self { axis, start: starts[index], end: ends[index], step: steps[index] })
            })
            .collect()
    }
}
