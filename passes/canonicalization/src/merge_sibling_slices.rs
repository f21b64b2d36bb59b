//! Cuts a tensor once, instead of once for every piece.

use edgesmith_ir::op::{Slice, Split};
use edgesmith_ir::{Dim, OpId, OpKind, Tensor, User, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName, Wire};

use crate::merge_slices::Cut;

/// Slices of one tensor that cover an axis from end to end are one Split.
pub(crate) struct MergeSiblingSlices;

impl Rewrite for MergeSiblingSlices {
    const NAME: RuleName = "merge-sibling-slices";
    const SUMMARY: &'static str = "slices that cover an axis of one tensor piece by piece become one Split";
    const ROOTS: &'static [OpKind] = &[OpKind::Slice];
    const FIDELITY: Fidelity = Fidelity::Exact;
    const MANUAL: &'static str = include_str!("../manual/merge-sibling-slices.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let first = Piece::of(cx, root)?;
        // The piece at the front speaks for all.
        if first.start != 0 || first.end == first.extent {
            return Err(Miss::NoMatch);
        }
        let mut pieces = vec![first];
        let mut slices = siblings(cx, root);
        while pieces.last().is_some_and(|last| last.end < last.extent) {
            let (axis, end) = (pieces[0].axis, pieces[pieces.len() - 1].end);
            let next = slices.iter().position(|slice| slice.axis == axis && slice.start == end).ok_or(Miss::NoMatch)?;
            pieces.push(slices.swap_remove(next));
        }
        let mut patch = Patch::new(cx);
        let sizes: Vec<i64> = pieces.iter().map(|piece| piece.end - piece.start).collect();
        let sizes = patch.constant(Tensor::from_ints(&sizes));
        let split = Split { axis: pieces[0].axis as i64, num_outputs: None };
        let input: ValueId = pieces[0].input;
        let op = patch.insert_many(root, split, [Some(input.into()), Some(sizes)], pieces.len());
        for (slot, piece) in pieces.iter().enumerate() {
            patch.redefine(piece.output, Wire::Result { op, slot });
        }
        Ok(patch)
    }
}

/// A slice of one axis of known length, without steps.
struct Piece {
    input: ValueId,
    output: ValueId,
    axis: usize,
    start: i64,
    end: i64,
    extent: i64,
}

impl Piece {
    fn of(cx: &Cx<'_>, op: OpId) -> Match<Self> {
        let slice = cx.op::<Slice>(op)?;
        let dims = cx.dims(slice.data()).ok_or(Miss::NoMatch)?;
        let cuts = Cut::all_of(cx, dims.len(), slice)?;
        let [Cut { axis, start, end, step: 1 }] = *cuts.as_slice() else { return Err(Miss::NoMatch) };
        let extent = dims.get(axis).and_then(Dim::known).ok_or(Miss::NoMatch)?;
        let place = |n: i64| (if n < 0 { n.saturating_add(extent) } else { n }).clamp(0, extent);
        let (start, end) = (place(start), place(end));
        if start >= end {
            return Err(Miss::NoMatch);
        }
        Ok(Self { input: slice.data(), output: slice.output(), axis, start, end, extent })
    }
}

/// The other slices of the same tensor.
fn siblings(cx: &Cx<'_>, root: OpId) -> Vec<Piece> {
    /// A tensor that more read is looked at in vain at every one of them.
    const READERS: usize = 64;
    let graph = cx.graph();
    let Some(input) = graph.op(root).operand(0) else { return Vec::new() };
    let uses = graph.value(input).uses();
    if uses.len() > READERS {
        return Vec::new();
    }
    uses.iter()
        .filter_map(|u| match u.user {
            User::Op(op) if op != root && graph.op(op).op().kind() == OpKind::Slice => Piece::of(cx, op).ok(),
            _ => None,
        })
        .filter(|piece| piece.input == input)
        .collect()
}
