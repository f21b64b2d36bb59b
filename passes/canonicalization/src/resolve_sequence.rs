//! Reads tensors from where they were before they went into a sequence.

use edgesmith_ir::op::{
    Concat, ConcatFromSequence, Gather, SequenceConstruct, SequenceEmpty, SequenceErase, SequenceInsert, Slice,
    SplitToSequence, Unsqueeze,
};
use edgesmith_ir::{Dim, InferCx, Op, OpId, OpKind, Tensor, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName, Wire};

/// An element, the length or the concatenation of a sequence whose elements are known.
pub(crate) struct ResolveSequence;

/// A longer sequence stays one: it is looked at whole for each of its readers.
const MOST_ELEMENTS: usize = 256;

impl Rewrite for ResolveSequence {
    const NAME: RuleName = "resolve-sequence";
    const SUMMARY: &'static str = "elements of known sequences are read directly, pieces of a tensor by slices";
    const ROOTS: &'static [OpKind] = &[OpKind::SequenceAt, OpKind::SequenceLength, OpKind::ConcatFromSequence];
    const FIDELITY: Fidelity = Fidelity::Exact;
    const MANUAL: &'static str = include_str!("../manual/resolve-sequence.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let data = cx.graph().op(root);
        let (Some(sequence), Some(output)) = (data.operand(0), data.result(0)) else { return Err(Miss::NoMatch) };
        let Known { elements, goes } = Known::of(cx, sequence)?;
        let mut patch = Patch::new(cx);
        let result = match data.op() {
            Op::SequenceAt(_) => {
                let position = data.operand(1).ok_or(Miss::NoMatch)?;
                let position = place(cx, position, elements.len())?.filter(|at| *at < elements.len());
                let Some(position) = position else {
                    return cx.reject(root, format!("the sequence has {} elements", elements.len()));
                };
                elements[position].wire(&mut patch)
            }
            Op::SequenceLength(_) => patch.constant(Tensor::scalar(elements.len() as i64)),
            Op::ConcatFromSequence(ConcatFromSequence { axis, new_axis }) => {
                let new = elements.iter().map(|element| usize::from(*new_axis) + element.operators()).sum::<usize>();
                if elements.is_empty() || new > goes {
                    return Err(Miss::NoMatch);
                }
                let at = new_axis.then(|| patch.constant(Tensor::from_ints(&[*axis])));
                let parts: Vec<Option<Wire>> = elements
                    .iter()
                    .map(|element| {
                        let part = element.wire(&mut patch);
                        Some(at.map_or(part, |at| patch.insert(Unsqueeze {}, [Some(part), Some(at)])))
                    })
                    .collect();
                patch.insert(Concat { axis: *axis }, parts)
            }
            _ => return Err(Miss::NoMatch),
        };
        patch.redefine(output, result);
        Ok(patch)
    }
}

/// A sequence whose elements are known.
struct Known {
    elements: Vec<Element>,
    /// How many operators nobody needs any more once the reader at hand reads the elements instead.
    goes: usize,
}

/// A change of a sequence, at a position; at the end where there is none.
enum Change {
    Insert(ValueId, Option<ValueId>),
    Erase(Option<ValueId>),
}

impl Known {
    fn of(cx: &Cx<'_>, sequence: ValueId) -> Match<Self> {
        let (mut at, mut changes, mut goes, mut alone) = (sequence, Vec::new(), 0, true);
        let mut elements = loop {
            let op = cx.graph().producer(at).ok_or(Miss::NoMatch)?;
            cx.look_at(op);
            alone &= cx.single_use(at);
            goes += usize::from(alone);
            if changes.len() > MOST_ELEMENTS {
                return Err(Miss::NoMatch);
            }
            if let Ok(insert) = cx.op::<SequenceInsert>(op) {
                changes.push(Change::Insert(insert.tensor(), insert.position()));
                at = insert.input_sequence();
            } else if let Ok(erase) = cx.op::<SequenceErase>(op) {
                changes.push(Change::Erase(erase.position()));
                at = erase.input_sequence();
            } else {
                break first(cx, op)?;
            }
        };
        for change in changes.iter().rev() {
            let count = elements.len();
            match change {
                Change::Insert(value, position) => {
                    let place = position.map_or(Ok(Some(count)), |position| place(cx, position, count))?;
                    elements.insert(place.ok_or(Miss::NoMatch)?, Element::Whole(*value));
                }
                Change::Erase(position) => {
                    let last = count.checked_sub(1);
                    let place = position.map_or(Ok(last), |position| place(cx, position, count))?;
                    elements.remove(place.filter(|place| *place < count).ok_or(Miss::NoMatch)?);
                }
            }
        }
        if elements.len() > MOST_ELEMENTS { Err(Miss::NoMatch) } else { Ok(Self { elements, goes }) }
    }
}

/// What a sequence starts with.
fn first(cx: &Cx<'_>, op: OpId) -> Match<Vec<Element>> {
    if cx.op::<SequenceEmpty>(op).is_ok() {
        return Ok(Vec::new());
    }
    if cx.op::<SequenceConstruct>(op).is_ok() {
        let operands = cx.graph().op(op).operands().iter();
        return operands.map(|operand| operand.map(Element::Whole).ok_or(Miss::NoMatch)).collect();
    }
    let split = cx.op::<SplitToSequence>(op)?;
    let dims = cx.dims(split.input()).ok_or(Miss::NoMatch)?;
    let axis = InferCx::axis(split.axis, dims.len()).map_err(|_| Miss::NoMatch)?;
    let extent = dims.get(axis).and_then(Dim::known).ok_or(Miss::NoMatch)?;
    let sizes = sizes(cx, split.split(), extent).ok_or(Miss::NoMatch)?;
    let mut end = 0;
    let pieces = sizes.into_iter().map(|size| {
        end += size;
        Element::Piece {
            of: split.input(),
            axis: axis as i64,
            start: end - size,
            end,
            drops_axis: split.split().is_none() && !split.keepdims,
        }
    });
    Ok(pieces.collect())
}

/// How long the pieces of an axis are.
fn sizes(cx: &Cx<'_>, split: Option<ValueId>, extent: i64) -> Option<Vec<i64>> {
    let most = MOST_ELEMENTS as i64;
    let Some(split) = split else { return (extent <= most).then(|| vec![1; extent as usize]) };
    let given = cx.ints(split)?;
    if cx.dims(split)?.len() == 1 {
        let covers =
            given.iter().all(|size| *size >= 0) && given.iter().copied().reduce(i64::saturating_add)? == extent;
        return covers.then_some(given);
    }
    let size = *given.first().filter(|size| **size > 0)?;
    let count = extent / size + i64::from(extent % size > 0);
    (count <= most).then(|| (0..count).map(|at| size.min(extent - at * size)).collect())
}

/// Where a position points to in a sequence of so many elements, from 0 to `count`; negative ones count from the end.
fn place(cx: &Cx<'_>, position: ValueId, count: usize) -> Match<Option<usize>> {
    let position = *cx.ints(position).ok_or(Miss::NoMatch)?.first().ok_or(Miss::NoMatch)?;
    let place = if position < 0 { position.saturating_add(count as i64) } else { position };
    Ok(usize::try_from(place).ok().filter(|place| *place <= count))
}

/// What a sequence holds.
enum Element {
    Whole(ValueId),
    /// A part of a tensor along an axis.
    Piece {
        of: ValueId,
        axis: i64,
        start: i64,
        end: i64,
        drops_axis: bool,
    },
}

impl Element {
    /// How many operators it takes to read it.
    fn operators(&self) -> usize {
        usize::from(matches!(self, Self::Piece { .. }))
    }

    fn wire(&self, patch: &mut Patch) -> Wire {
        match *self {
            Self::Whole(value) => value.into(),
            Self::Piece { of, axis, start, drops_axis: true, .. } => {
                let index = patch.constant(Tensor::scalar(start));
                patch.insert(Gather { axis }, [Some(of.into()), Some(index)])
            }
            Self::Piece { of, axis, start, end, .. } => {
                let bounds = [start, end, axis].map(|bound| Some(patch.constant(Tensor::from_ints(&[bound]))));
                patch.insert(Slice {}, [Some(of.into())].into_iter().chain(bounds))
            }
        }
    }
}
