//! Mish from its formula.

use edgesmith_ir::op::{Mish, Softplus, Tanh};
use edgesmith_ir::{OpId, OpKind, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

use super::pattern::{
    either, is_single_or_half, log_one_plus_exp_of, made_by, product, result, same_rank, saves, since,
};

/// `x · tanh(softplus(x))`. Where the softplus is written as `log(1 + exp(x))`, its overflow ends in `tanh(∞) = 1`, which is
/// what Mish has there.
pub(crate) struct RaiseMish;

impl Rewrite for RaiseMish {
    const NAME: RuleName = "raise-mish";
    const SUMMARY: &'static str = "x times the Tanh of its Softplus into Mish";
    const ROOTS: &'static [OpKind] = &[OpKind::Mul];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../../manual/raise-mish.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        since(cx, 18)?;
        let old = result(cx, root)?;
        let whole = product(cx, old);
        let [a, b] = *whole.factors.as_slice() else { return Err(Miss::NoMatch) };
        let (x, _) = either(a, b).into_iter().find(|(x, gate)| is_gate(cx, *x, *gate)).ok_or(Miss::NoMatch)?;
        if whole.constant != 1.0 {
            return Err(Miss::NoMatch);
        }
        is_single_or_half(cx, x)?;
        same_rank(cx, old, x)?;
        saves(cx, old, &[x], 1)?;
        let mut patch = Patch::new(cx);
        let mish = patch.insert(Mish {}, [Some(x.into())]);
        patch.redefine(old, mish);
        Ok(patch)
    }
}

fn is_gate(cx: &Cx<'_>, x: ValueId, gate: ValueId) -> bool {
    let Some(tanh) = made_by::<Tanh>(cx, gate) else { return false };
    match made_by::<Softplus>(cx, tanh.input()) {
        Some(softplus) => softplus.x() == x,
        None => log_one_plus_exp_of(cx, tanh.input()) == Some(x),
    }
}
