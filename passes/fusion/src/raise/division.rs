//! Div from the product with a reciprocal.

use edgesmith_ir::op::{Div, Mul, Reciprocal};
use edgesmith_ir::{OpId, OpKind, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

use super::pattern::{either, made_by, scalar};

/// `x · (1 / y) = x / y`, rounded once instead of twice.
pub(crate) struct RaiseDivision;

impl Rewrite for RaiseDivision {
    const NAME: RuleName = "raise-division";
    const SUMMARY: &'static str = "a product with a Reciprocal, or with one divided by a value, into Div";
    const ROOTS: &'static [OpKind] = &[OpKind::Mul];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../../manual/raise-division.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let mul = cx.op::<Mul>(root)?;
        let found = either(mul.b(), mul.a()).into_iter().find_map(|(y, x)| Some((x, inverted(cx, y)?)));
        let (x, y) = found.ok_or(Miss::NoMatch)?;
        let mut patch = Patch::new(cx);
        let quotient = patch.insert(Div {}, [Some(x.into()), Some(y.into())]);
        patch.redefine(mul.c(), quotient);
        Ok(patch)
    }
}

/// What a value that nothing else reads is the reciprocal of.
fn inverted(cx: &Cx<'_>, value: ValueId) -> Option<ValueId> {
    if !cx.single_use(value) {
        return None;
    }
    if let Some(reciprocal) = made_by::<Reciprocal>(cx, value) {
        return Some(reciprocal.x());
    }
    let quotient = made_by::<Div>(cx, value)?;
    let (one, y) = (quotient.a(), quotient.b());
    let no_new_axes = cx.dims(one)?.is_empty() || cx.dims(one)?.len() <= cx.dims(y)?.len();
    (scalar(cx, one) == Some(1.0) && no_new_axes).then_some(y)
}
