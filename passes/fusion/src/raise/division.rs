//! Div from the product with a reciprocal.

use edgesmith_ir::op::{Div, Mul, Reciprocal};
use edgesmith_ir::{OpId, OpKind};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

use super::pattern::{either, made_by};

/// `x · (1 / y) = x / y`, rounded once instead of twice.
pub(crate) struct RaiseDivision;

impl Rewrite for RaiseDivision {
    const NAME: RuleName = "raise-division";
    const SUMMARY: &'static str = "a product with a Reciprocal into Div";
    const ROOTS: &'static [OpKind] = &[OpKind::Mul];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../../manual/raise-division.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let mul = cx.op::<Mul>(root)?;
        let inverted = |value| made_by::<Reciprocal>(cx, value).filter(|_| cx.single_use(value)).map(|op| op.x());
        let found = either(mul.b(), mul.a()).into_iter().find_map(|(y, x)| Some((x, inverted(y)?)));
        let (x, y) = found.ok_or(Miss::NoMatch)?;
        let mut patch = Patch::new(cx);
        let quotient = patch.insert(Div {}, [Some(x.into()), Some(y.into())]);
        patch.redefine(mul.c(), quotient);
        Ok(patch)
    }
}
