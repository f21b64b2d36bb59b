//! Makes one concatenation of several along the same axis, and none of one that puts together what was split.

use edgesmith_ir::op::{Concat, Split};
use edgesmith_ir::{InferCx, OpId, OpKind, User, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName, Wire};

/// `Concat(Concat(a, b), c)`, to any depth, where nobody else reads the inner ones.
pub(crate) struct MergeConcats;

impl Rewrite for MergeConcats {
    const NAME: RuleName = "merge-concats";
    const SUMMARY: &'static str = "concatenations of concatenations along the same axis become one";
    const ROOTS: &'static [OpKind] = &[OpKind::Concat];
    const FIDELITY: Fidelity = Fidelity::Exact;
    const MANUAL: &'static str = include_str!("../manual/merge-concats.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let output = cx.op::<Concat>(root)?.data.result(0).ok_or(Miss::NoMatch)?;
        let axis = axis_of(cx, root).ok_or(Miss::NoMatch)?;
        let part_of = |value: ValueId| {
            let inner = cx.graph().producer(value)?;
            (cx.single_use(value) && axis_of(cx, inner) == Some(axis)).then_some(inner)
        };
        // The outermost takes all in at once: one by one, a chain would be copied again at each of its links.
        let reader = cx.graph().value(output).uses().first().and_then(|reading| match reading.user {
            User::Op(op) => axis_of(cx, op),
            User::Output => None,
        });
        if reader == Some(axis) && cx.single_use(output) {
            return Err(Miss::NoMatch);
        }
        let (mut parts, mut merges): (Vec<Option<Wire>>, bool) = (Vec::new(), false);
        let mut rest: Vec<Option<ValueId>> = cx.graph().op(root).operands().iter().rev().copied().collect();
        while let Some(value) = rest.pop() {
            match value.and_then(part_of) {
                Some(inner) => {
                    merges = true;
                    cx.look_at(inner);
                    rest.extend(cx.graph().op(inner).operands().iter().rev());
                }
                None => parts.push(value.map(Wire::from)),
            }
        }
        if !merges {
            return Err(Miss::NoMatch);
        }
        let mut patch = Patch::new(cx);
        let merged = patch.insert(Concat { axis: axis as i64 }, parts);
        patch.redefine(output, merged);
        Ok(patch)
    }
}

/// `Concat(a, Split(x).., b)`: the pieces of a Split, all of them and in order, are what was split.
pub(crate) struct MergeSplitIntoConcat;

impl Rewrite for MergeSplitIntoConcat {
    const NAME: RuleName = "merge-split-into-concat";
    const SUMMARY: &'static str = "a concatenation of all pieces of a Split, in order, takes what was split";
    const ROOTS: &'static [OpKind] = &[OpKind::Concat];
    const FIDELITY: Fidelity = Fidelity::Exact;
    const MANUAL: &'static str = include_str!("../manual/merge-split-into-concat.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let output = cx.op::<Concat>(root)?.data.result(0).ok_or(Miss::NoMatch)?;
        let axis = axis_of(cx, root).ok_or(Miss::NoMatch)?;
        let mut rest = cx.graph().op(root).operands();
        let (mut parts, mut merges): (Vec<Option<Wire>>, bool) = (Vec::new(), false);
        while let [part, others @ ..] = rest {
            match part.and_then(|part| split_before(cx, part, axis)).filter(|(_, pieces)| rest.starts_with(pieces)) {
                Some((input, pieces)) => {
                    merges = true;
                    parts.push(Some(input.into()));
                    rest = &rest[pieces.len()..];
                }
                None => {
                    parts.push(part.map(Wire::from));
                    rest = others;
                }
            }
        }
        if !merges {
            return Err(Miss::NoMatch);
        }
        let mut patch = Patch::new(cx);
        let result = match parts.as_slice() {
            [Some(one)] => *one,
            _ => patch.insert(Concat { axis: axis as i64 }, parts),
        };
        patch.redefine(output, result);
        Ok(patch)
    }
}

/// The input and the pieces of a Split along this axis that the value is the first piece of.
fn split_before<'m>(cx: &Cx<'m>, value: ValueId, axis: usize) -> Option<(ValueId, &'m [Option<ValueId>])> {
    let split = cx.producer::<Split>(value).ok()?;
    let input = split.data.operand(0)?;
    let along = InferCx::axis(split.axis, cx.dims(input)?.len()).ok()?;
    (along == axis && split.data.result(0) == Some(value)).then(|| (input, split.data.results()))
}

/// The axis of a concatenation.
fn axis_of(cx: &Cx<'_>, op: OpId) -> Option<usize> {
    let concat = cx.graph().view::<Concat>(op)?;
    let rank = cx.dims(concat.data.result(0)?)?.len();
    InferCx::axis(concat.axis, rank).ok()
}
