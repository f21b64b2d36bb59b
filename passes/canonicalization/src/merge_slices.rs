//! Makes one slice of two that cut different axes.

use edgesmith_ir::op::{Slice, Split};
use edgesmith_ir::{InferCx, OpId, OpKind, Tensor, User, ValueId, View};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

/// `Slice(Slice(x))` where no axis is cut twice: one Slice over all of their axes. Where all that read a Split are slices of other
/// axes, they cut the pieces out themselves.
pub(crate) struct MergeSlices;

/// A Split into more pieces is looked at in vain at every one of them.
const MOST_PIECES: usize = 64;

impl Rewrite for MergeSlices {
    const NAME: RuleName = "merge-slices";
    const SUMMARY: &'static str =
        "two slices of different axes in a row, or a Split and the slices of its pieces, cut once";
    const ROOTS: &'static [OpKind] = &[OpKind::Slice];
    const FIDELITY: Fidelity = Fidelity::Exact;
    const MANUAL: &'static str = include_str!("../manual/merge-slices.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let outer = cx.op::<Slice>(root)?;
        let (input, first) = before(cx, outer)?;
        let rank = cx.dims(input).ok_or(Miss::NoMatch)?.len();
        let cuts = both(first, Cut::all_of(cx, rank, outer)?).ok_or(Miss::NoMatch)?;
        let column = |pick: fn(&Cut) -> i64| Tensor::from_ints(&cuts.iter().map(pick).collect::<Vec<_>>());
        let mut patch = Patch::new(cx);
        let mut operands = vec![Some(input.into())];
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

/// What was cut before a slice, and of which value.
fn before(cx: &Cx<'_>, outer: View<'_, Slice>) -> Match<(ValueId, Vec<Cut>)> {
    if let Ok(inner) = cx.producer::<Slice>(outer.data()) {
        let rank = cx.dims(inner.data()).ok_or(Miss::NoMatch)?.len();
        return if cx.single_use(outer.data()) {
            Ok((inner.data(), Cut::all_of(cx, rank, inner)?))
        } else {
            Err(Miss::NoMatch)
        };
    }
    let split = cx.producer::<Split>(outer.data())?;
    let input = split.data.operand(0).ok_or(Miss::NoMatch)?;
    let rank = cx.dims(input).ok_or(Miss::NoMatch)?.len();
    let axis = InferCx::axis(split.axis, rank).map_err(|_| Miss::NoMatch)?;
    if split.data.results().len() > MOST_PIECES {
        return Err(Miss::NoMatch);
    }
    let (mut start, mut own) = (0, None);
    for piece in split.data.results() {
        // What nobody wants has no type, and so no length.
        let piece = piece.ok_or(Miss::NoMatch)?;
        let length = cx.dims(piece).and_then(|dims| dims.get(axis)?.known()).ok_or(Miss::NoMatch)?;
        let cut = || Cut { axis, start, end: start + length, step: 1 };
        let sliced = |user: User| match user {
            User::Op(op) => {
                let slice = cx.op::<Slice>(op).ok().filter(|slice| slice.data() == piece);
                slice.and_then(|slice| both(vec![cut()], Cut::all_of(cx, rank, slice).ok()?)).is_some()
            }
            User::Output => false,
        };
        if !cx.graph().value(piece).uses().iter().all(|reading| sliced(reading.user)) {
            return Err(Miss::NoMatch);
        }
        if piece == outer.data() {
            own = Some(cut());
        }
        start += length;
    }
    Ok((input, vec![own.ok_or(Miss::NoMatch)?]))
}

/// The cuts of two slices in a row; `None` where both cut an axis.
fn both(mut first: Vec<Cut>, second: Vec<Cut>) -> Option<Vec<Cut>> {
    let apart = second.iter().all(|cut| first.iter().all(|other| other.axis != cut.axis));
    first.extend(second);
    apart.then_some(first)
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
