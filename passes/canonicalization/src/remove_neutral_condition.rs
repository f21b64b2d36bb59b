//! Removes logic with a neutral constant, and a Where whose condition is known.

use edgesmith_ir::op::Where;
use edgesmith_ir::{OpId, OpKind, Tensor, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

use crate::remove_neutral_operand::give_back;

/// `x and true`, `x or false`, `x xor false`, and `Where` with a condition that is the same everywhere.
pub(crate) struct RemoveNeutralCondition;

impl Rewrite for RemoveNeutralCondition {
    const NAME: RuleName = "remove-neutral-condition";
    const SUMMARY: &'static str = "And with true, Or and Xor with false, Where with a condition that is known";
    const ROOTS: &'static [OpKind] = &[OpKind::And, OpKind::Or, OpKind::Xor, OpKind::Where];
    const FIDELITY: Fidelity = Fidelity::Exact;
    const MANUAL: &'static str = include_str!("../manual/remove-neutral-condition.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let data = cx.graph().op(root);
        let output = data.result(0).ok_or(Miss::NoMatch)?;
        let value = if let Ok(choice) = cx.op::<Where>(root) {
            match known_everywhere(cx, choice.condition()).ok_or(Miss::NoMatch)? {
                true => choice.x(),
                false => choice.y(),
            }
        } else {
            let (Some(a), Some(b)) = (data.operand(0), data.operand(1)) else { return Err(Miss::NoMatch) };
            let neutral = Some(data.op().kind() == OpKind::And);
            if known_everywhere(cx, b) == neutral {
                a
            } else if known_everywhere(cx, a) == neutral {
                b
            } else {
                return Err(Miss::NoMatch);
            }
        };
        give_back(cx, output, value)
    }
}

/// Whether a condition is true, or false, at every element.
fn known_everywhere(cx: &Cx<'_>, value: ValueId) -> Option<bool> {
    let bits = match cx.constant(value) {
        Some(tensor) if tensor.len() <= 1 << 20 => Tensor::to_ints(tensor)?,
        Some(_) => return None,
        None => cx.ints(value)?,
    };
    let first = *bits.first()? != 0;
    bits.iter().all(|bit| (*bit != 0) == first).then_some(first)
}
