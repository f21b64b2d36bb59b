//! Makes one concatenation of several along the same axis.

use edgesmith_ir::op::Concat;
use edgesmith_ir::{InferCx, OpId, OpKind, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName, Wire};

/// `Concat(Concat(a, b), c)` where nobody else reads the inner one.
pub(crate) struct MergeConcats;

impl Rewrite for MergeConcats {
    const NAME: RuleName = "merge-concats";
    const SUMMARY: &'static str = "concatenations of concatenations along the same axis become one";
    const ROOTS: &'static [OpKind] = &[OpKind::Concat];
    const FIDELITY: Fidelity = Fidelity::Exact;
    const MANUAL: &'static str = include_str!("../manual/merge-concats.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let outer = cx.op::<Concat>(root)?;
        let output = outer.data.result(0).ok_or(Miss::NoMatch)?;
        let rank = cx.dims(output).ok_or(Miss::NoMatch)?.len();
        let same_axis = |value: ValueId| {
            let inner = cx.producer::<Concat>(value).ok()?;
            (cx.single_use(value) && InferCx::axis(inner.axis, rank).ok() == InferCx::axis(outer.axis, rank).ok())
                .then(|| inner.data.operands())
        };
        let mut parts: Vec<Option<Wire>> = Vec::new();
        for value in outer.data.operands() {
            match value.and_then(same_axis) {
                Some(inner) => parts.extend(inner.iter().map(|part| part.map(Wire::from))),
                None => parts.push(value.map(Wire::from)),
            }
        }
        if parts.len() == outer.data.operands().len() {
            return Err(Miss::NoMatch);
        }
        let mut patch = Patch::new(cx);
        let merged = patch.insert((*outer).clone(), parts);
        patch.redefine(output, merged);
        Ok(patch)
    }
}
