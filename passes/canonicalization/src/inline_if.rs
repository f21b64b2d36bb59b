//! Takes the branch of an If whose condition is known.

use edgesmith_ir::op::If;
use edgesmith_ir::{OpId, OpKind};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName, Wire};

/// The operators of the branch that is always taken move out; the other branch goes.
pub(crate) struct InlineIf;

impl Rewrite for InlineIf {
    const NAME: RuleName = "inline-if";
    const SUMMARY: &'static str = "an If with a known condition becomes the branch that it takes";
    const ROOTS: &'static [OpKind] = &[OpKind::If];
    const FIDELITY: Fidelity = Fidelity::Exact;
    const MANUAL: &'static str = include_str!("../manual/inline-if.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let branch = cx.op::<If>(root)?;
        let condition = cx.ints(branch.condition()).filter(|c| c.len() == 1).ok_or(Miss::NoMatch)?;
        // Regions in the order of the signature: else_branch, then_branch.
        let region = usize::from(condition[0] != 0);
        let inputs = branch
            .data
            .captures()
            .iter()
            .map(|v| v.map(Wire::from))
            .collect::<Option<Vec<_>>>()
            .ok_or(Miss::NoMatch)?;
        let mut patch = Patch::new(cx);
        patch.inline_region(root, region, inputs, branch.data.results().to_vec());
        Ok(patch)
    }
}
