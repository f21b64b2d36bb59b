//! Removes operators that give back what they get.

use edgesmith_ir::op::{Concat, Pad, PadMode, Split, Tile, Transpose};
use edgesmith_ir::{Op, OpData, OpId, OpKind, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

/// An operator whose result is its first operand, element for element and in the same shape.
pub(crate) struct RemoveNoOp;

impl Rewrite for RemoveNoOp {
    const NAME: RuleName = "remove-no-op";
    const SUMMARY: &'static str = "Identity, inference Dropout, and Cast, Reshape, Expand, Slice, Pad, Tile, Concat, Split, Transpose that change nothing";
    const ROOTS: &'static [OpKind] = &[
        OpKind::Cast,
        OpKind::Concat,
        OpKind::Dropout,
        OpKind::Expand,
        OpKind::Flatten,
        OpKind::Identity,
        OpKind::Max,
        OpKind::Mean,
        OpKind::Min,
        OpKind::Pad,
        OpKind::Reshape,
        OpKind::Slice,
        OpKind::Split,
        OpKind::Squeeze,
        OpKind::Sum,
        OpKind::Tile,
        OpKind::Transpose,
        OpKind::Unsqueeze,
    ];
    const FIDELITY: Fidelity = Fidelity::Exact;
    const MANUAL: &'static str = include_str!("../manual/remove-no-op.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let data = cx.graph().op(root);
        let (Some(input), Some(output)) = (data.operand(0), data.result(0)) else { return Err(Miss::NoMatch) };
        if !is_no_op(cx, data, input, output) || data.results().iter().skip(1).any(Option::is_some) {
            return Err(Miss::NoMatch);
        }
        let mut patch = Patch::new(cx);
        patch.redefine(output, input);
        Ok(patch)
    }
}

fn is_no_op(cx: &Cx<'_>, data: &OpData, input: ValueId, output: ValueId) -> bool {
    match data.op() {
        Op::Identity(_) => true,
        Op::Dropout(_) => data.operand(2).is_none_or(|mode| cx.ints(mode).is_some_and(|mode| mode == [0])),
        Op::Cast(cast) => cx.dtype(input) == Some(cast.to),
        // With one element type and surely equal dims, elements in the same order are the same tensor.
        Op::Reshape(_) | Op::Flatten(_) | Op::Squeeze(_) | Op::Unsqueeze(_) | Op::Expand(_) | Op::Slice(_) => {
            let forward = !matches!(data.op(), Op::Slice(_)) || has_positive_steps(cx, data);
            forward && (cx.same_dims(input, output) || matches!(data.op(), Op::Slice(_)) && takes_all(cx, data))
        }
        Op::Pad(Pad { mode: PadMode::Constant | PadMode::Reflect | PadMode::Edge | PadMode::Wrap }) => {
            data.operand(1).and_then(|pads| cx.ints(pads)).is_some_and(|pads| pads.iter().all(|pad| *pad == 0))
        }
        Op::Tile(Tile {}) => {
            data.operand(1).and_then(|repeats| cx.ints(repeats)).is_some_and(|r| r.iter().all(|n| *n == 1))
        }
        Op::Concat(Concat { .. }) | Op::Sum(_) | Op::Max(_) | Op::Min(_) | Op::Mean(_) => data.operands().len() == 1,
        Op::Split(Split { .. }) => data.results().len() == 1 && cx.same_dims(input, output),
        Op::Transpose(Transpose { perm }) => match (perm.is_empty(), cx.dims(input)) {
            (false, _) => perm.iter().enumerate().all(|(axis, from)| axis as i64 == *from),
            (true, Some(dims)) => dims.len() <= 1,
            (true, None) => false,
        },
        _ => false,
    }
}

/// Whether a slice runs from the first element to the end of every axis, however long: the specification's way to say the end
/// is the largest integer.
fn takes_all(cx: &Cx<'_>, data: &OpData) -> bool {
    let ints = |slot| data.operand(slot).and_then(|value| cx.ints(value));
    let (Some(starts), Some(ends)) = (ints(1), ints(2)) else { return false };
    let ones = data.operand(4).is_none() || ints(4).is_some_and(|steps| steps.iter().all(|step| *step == 1));
    ones && starts.iter().all(|start| *start == 0)
        && ends.iter().all(|end| *end == i64::MAX || *end == i64::from(i32::MAX))
}

fn has_positive_steps(cx: &Cx<'_>, data: &OpData) -> bool {
    match data.operand(4) {
        None => true,
        Some(steps) => cx.ints(steps).is_some_and(|steps| steps.iter().all(|step| *step > 0)),
    }
}
