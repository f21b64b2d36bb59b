//! HardSigmoid from a clipped line.

use edgesmith_ir::op::{Clip, HardSigmoid};
use edgesmith_ir::{F32, OpId, OpKind, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

use super::pattern::{
    Linear, about, is_single_or_half, linear, made_by, product, result, same_rank, saves, scalar, since,
};

/// `clip(x + 3, 0, 6) / 6` and its kin: `clip(a x + b, 0, h) / h = clip(a/h x + b/h, 0, 1)`.
pub(crate) struct RaiseHardSigmoid;

impl Rewrite for RaiseHardSigmoid {
    const NAME: RuleName = "raise-hard-sigmoid";
    const SUMMARY: &'static str = "a line clipped to between 0 and 1 into HardSigmoid";
    const ROOTS: &'static [OpKind] = &[OpKind::Mul, OpKind::Div, OpKind::Clip];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../../manual/raise-hard-sigmoid.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        since(cx, 6)?;
        let old = result(cx, root)?;
        let whole = product(cx, old);
        let [clipped] = *whole.factors.as_slice() else { return Err(Miss::NoMatch) };
        let (clip, height) = clipped_from_zero(cx, clipped).ok_or(Miss::NoMatch)?;
        if !about(cx.dtype(old), whole.constant * height, 1.0) {
            return Err(Miss::NoMatch);
        }
        let Linear { x, slope, offset } = linear(cx, clip);
        is_single_or_half(cx, x)?;
        same_rank(cx, old, x)?;
        saves(cx, old, &[x], 1)?;
        let mut patch = Patch::new(cx);
        let op = HardSigmoid { alpha: F32((slope / height) as f32), beta: F32((offset / height) as f32) };
        let raised = patch.insert(op, [Some(x.into())]);
        patch.redefine(old, raised);
        Ok(patch)
    }
}

/// What is clipped to between zero and a height, and the height.
pub(super) fn clipped_from_zero(cx: &Cx<'_>, value: ValueId) -> Option<(ValueId, f64)> {
    let clip = made_by::<Clip>(cx, value)?;
    let (least, height) = (scalar(cx, clip.min()?)?, scalar(cx, clip.max()?)?);
    (least == 0.0 && height > 0.0 && height.is_finite()).then(|| (clip.input(), height))
}
