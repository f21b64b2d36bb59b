//! Takes a function of the model apart where that lets other rules see what it computes with.

use edgesmith_ir::{Op, OpId, OpKind};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName, Wire};

/// A call becomes the body of its function.
pub(crate) struct InlineFunction;

/// Bodies of so many operators take no more room in a file than their calls, roughly.
const SMALL: usize = 8;

impl Rewrite for InlineFunction {
    const NAME: RuleName = "inline-function";
    const SUMMARY: &'static str =
        "a call of a function of the model with constant operands, or of a small one, becomes the body";
    const ROOTS: &'static [OpKind] = &[OpKind::Call];
    const FIDELITY: Fidelity = Fidelity::Exact;
    const MANUAL: &'static str = include_str!("../manual/inline-function.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let data = cx.graph().op(root);
        let (Op::Call(call), Some(body)) = (data.op(), data.regions().first()) else { return Err(Miss::NoMatch) };
        // An operator from outside stays what it is.
        if cx.model().functions.get(&call.function).is_some_and(|function| function.sealed) {
            return Err(Miss::NoMatch);
        }
        let knows = data.operands().iter().flatten().any(|value| cx.contents(*value).is_some());
        let has_weights = data.operands().iter().flatten().any(|value| cx.constant(*value).is_some());
        if !knows && !has_weights && cx.model().graph(*body).ops().nth(SMALL).is_some() {
            return Err(Miss::NoMatch);
        }
        // Absent operands are no inputs of the body.
        let inputs = data.operands().iter().flatten().map(|value| Wire::from(*value)).collect();
        let mut patch = Patch::new(cx);
        patch.inline_region(root, 0, inputs, data.results().to_vec());
        Ok(patch)
    }
}
