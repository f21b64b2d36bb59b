//! Removes arithmetic with a neutral constant.

use edgesmith_ir::{OpId, OpKind, Tensor, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

/// x · 1, x / 1, x − 0, x ^ 1: exact, signs of zero included.
pub(crate) struct RemoveNeutralOperand;

/// x + 0: equal but for the sign of a zero, so it counts as rounding.
pub(crate) struct RemoveZeroAddend;

impl Rewrite for RemoveNeutralOperand {
    const NAME: RuleName = "remove-neutral-operand";
    const SUMMARY: &'static str = "multiplication and division by one, subtraction of zero, power of one";
    const ROOTS: &'static [OpKind] = &[OpKind::Mul, OpKind::Div, OpKind::Sub, OpKind::Pow];
    const FIDELITY: Fidelity = Fidelity::Exact;
    const MANUAL: &'static str = include_str!("../manual/remove-neutral-operand.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let neutral = if cx.graph().op(root).op().kind() == OpKind::Sub { 0.0 } else { 1.0 };
        let commutes = cx.graph().op(root).op().kind() == OpKind::Mul;
        forward(cx, root, neutral, commutes)
    }
}

impl Rewrite for RemoveZeroAddend {
    const NAME: RuleName = "remove-zero-addend";
    const SUMMARY: &'static str = "addition of zero (which changes the sign of a negative zero)";
    const ROOTS: &'static [OpKind] = &[OpKind::Add];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../manual/remove-zero-addend.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        forward(cx, root, 0.0, true)
    }
}

fn forward(cx: &Cx<'_>, root: OpId, neutral: f64, commutes: bool) -> Match<Patch> {
    let data = cx.graph().op(root);
    let (Some(a), Some(b), Some(output)) = (data.operand(0), data.operand(1), data.result(0)) else {
        return Err(Miss::NoMatch);
    };
    let value = if is_all(cx.constant(b), neutral) {
        a
    } else if commutes && is_all(cx.constant(a), neutral) {
        b
    } else {
        return Err(Miss::NoMatch);
    };
    give_back(cx, output, value)
}

/// Lets an operand take the place of the result, where broadcasting with what goes has added no axes and repeated no elements.
pub(crate) fn give_back(cx: &Cx<'_>, output: ValueId, operand: ValueId) -> Match<Patch> {
    if cx.dtype(operand) != cx.dtype(output) || !cx.same_dims(operand, output) {
        return Err(Miss::NoMatch);
    }
    let mut patch = Patch::new(cx);
    patch.redefine(output, operand);
    Ok(patch)
}

/// Whether every element is this number; +0 and -0 are different numbers here.
fn is_all(tensor: Option<&Tensor>, number: f64) -> bool {
    // Larger constants are weights; nobody writes an all-ones weight to say nothing.
    tensor
        .filter(|tensor| !tensor.is_empty() && tensor.len() <= 1 << 16)
        .and_then(Tensor::to_f64)
        .is_some_and(|elements| elements.iter().all(|x| x.to_bits() == number.to_bits()))
}
