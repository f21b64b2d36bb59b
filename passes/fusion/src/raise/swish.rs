//! Swish from its formula.

use edgesmith_ir::op::{Sigmoid, Swish};
use edgesmith_ir::{F32, OpId, OpKind, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

use super::pattern::{either, is_single_or_half, made_by, polynomial, product, result, same_rank, saves, since};

/// `x · sigmoid(α x)`.
pub(crate) struct RaiseSwish;

impl Rewrite for RaiseSwish {
    const NAME: RuleName = "raise-swish";
    const SUMMARY: &'static str = "x times the Sigmoid of x, scaled or not, into Swish";
    const ROOTS: &'static [OpKind] = &[OpKind::Mul];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../../manual/raise-swish.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        since(cx, 24)?;
        let old = result(cx, root)?;
        let whole = product(cx, old);
        let [a, b] = *whole.factors.as_slice() else { return Err(Miss::NoMatch) };
        if whole.constant != 1.0 {
            return Err(Miss::NoMatch);
        }
        let (x, alpha) =
            either(a, b).into_iter().find_map(|(x, gate)| Some((x, scale(cx, x, gate)?))).ok_or(Miss::NoMatch)?;
        is_single_or_half(cx, x)?;
        same_rank(cx, old, x)?;
        saves(cx, old, &[x], 1)?;
        let mut patch = Patch::new(cx);
        let swish = patch.insert(Swish { alpha: F32(alpha as f32) }, [Some(x.into())]);
        patch.redefine(old, swish);
        Ok(patch)
    }
}

/// `α` of `sigmoid(α x)`.
fn scale(cx: &Cx<'_>, x: ValueId, gate: ValueId) -> Option<f64> {
    let sigmoid = made_by::<Sigmoid>(cx, gate)?;
    let [constant, alpha, square, cube] = polynomial(cx, sigmoid.x(), x)?;
    ((constant, square, cube) == (0.0, 0.0, 0.0)).then_some(alpha)
}
