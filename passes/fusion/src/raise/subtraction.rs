//! Sub from the sum with a negation.

use edgesmith_ir::op::{Add, Neg, Sub};
use edgesmith_ir::{OpId, OpKind};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

use super::pattern::{either, made_by, result};

/// `x + (−y) = x − y`, and `x − (−y) = x + y`, bit by bit.
pub(crate) struct RaiseSubtraction;

impl Rewrite for RaiseSubtraction {
    const NAME: RuleName = "raise-subtraction";
    const SUMMARY: &'static str = "a sum or difference with a negation into a difference or sum";
    const ROOTS: &'static [OpKind] = &[OpKind::Add, OpKind::Sub];
    const FIDELITY: Fidelity = Fidelity::Exact;
    const MANUAL: &'static str = include_str!("../../manual/raise-subtraction.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let old = result(cx, root)?;
        if !cx.dtype(old).is_some_and(edgesmith_ir::DType::is_float) {
            return Err(Miss::NoMatch);
        }
        // The negation must die, or there is one operator as before.
        let negated = |value| made_by::<Neg>(cx, value).filter(|_| cx.single_use(value)).map(|neg| neg.x());
        let mut patch;
        let raised = if let Ok(add) = cx.op::<Add>(root) {
            let found = either(add.b(), add.a()).into_iter().find_map(|(y, x)| Some((x, negated(y)?)));
            let (x, y) = found.ok_or(Miss::NoMatch)?;
            patch = Patch::new(cx);
            patch.insert(Sub {}, [Some(x.into()), Some(y.into())])
        } else {
            let sub = cx.op::<Sub>(root)?;
            let y = negated(sub.b()).ok_or(Miss::NoMatch)?;
            patch = Patch::new(cx);
            patch.insert(Add {}, [Some(sub.a().into()), Some(y.into())])
        };
        patch.redefine(old, raised);
        Ok(patch)
    }
}
