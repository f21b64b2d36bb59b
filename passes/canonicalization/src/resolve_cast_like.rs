//! Makes a CastLike whose target type is known a Cast, so that the second operand need not be computed.

use edgesmith_ir::op::{Cast, CastLike};
use edgesmith_ir::{OpId, OpKind};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

/// `CastLike(x, y)` is `Cast(x)` to the element type of y.
pub(crate) struct ResolveCastLike;

impl Rewrite for ResolveCastLike {
    const NAME: RuleName = "resolve-cast-like";
    const SUMMARY: &'static str = "CastLike with a known element type becomes Cast";
    const ROOTS: &'static [OpKind] = &[OpKind::CastLike];
    const FIDELITY: Fidelity = Fidelity::Exact;
    const MANUAL: &'static str = include_str!("../manual/resolve-cast-like.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let cast = cx.op::<CastLike>(root)?;
        let to = cx.dtype(cast.target_type()).ok_or(Miss::NoMatch)?;
        let mut patch = Patch::new(cx);
        let op = Cast { to, saturate: cast.saturate, round_mode: cast.round_mode.clone() };
        let result = patch.insert(op, [Some(cast.input().into())]);
        patch.redefine(cast.output(), result);
        Ok(patch)
    }
}
