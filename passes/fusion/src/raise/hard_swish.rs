//! HardSwish from its formula.

use edgesmith_ir::op::{HardSigmoid, HardSwish, Mul};
use edgesmith_ir::{F32, OpId, OpKind, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

use super::hard_sigmoid::clipped_from_zero;
use super::pattern::{about, either, is_single_or_half, made_by, polynomial, product, result, same_rank, saves, since};

/// `x · clip(x + 3, 0, 6) / 6`, whose second factor may be a HardSigmoid already.
pub(crate) struct RaiseHardSwish;

impl Rewrite for RaiseHardSwish {
    const NAME: RuleName = "raise-hard-swish";
    const SUMMARY: &'static str = "x times its HardSigmoid into HardSwish";
    const ROOTS: &'static [OpKind] = &[OpKind::Mul, OpKind::Div];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../../manual/raise-hard-swish.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let old = result(cx, root)?;
        let whole = product(cx, old);
        let [a, b] = *whole.factors.as_slice() else { return Err(Miss::NoMatch) };
        let is_swish = |x: ValueId, gate: ValueId| {
            let Some((slope, offset, height)) = ramp(cx, x, gate) else { return false };
            let dtype = cx.dtype(x);
            let unit = about(dtype, whole.constant * height, 1.0);
            unit && about(dtype, slope, 1.0 / 6.0) && about(dtype, offset, 0.5)
        };
        let (x, _) = either(a, b).into_iter().find(|(x, gate)| is_swish(*x, *gate)).ok_or(Miss::NoMatch)?;
        is_single_or_half(cx, x)?;
        same_rank(cx, old, x)?;
        let mut patch;
        let swish = if since(cx, 14).is_ok() {
            saves(cx, old, &[x], 1)?;
            patch = Patch::new(cx);
            patch.insert(HardSwish {}, [Some(x.into())])
        } else {
            // Its decomposition is the shortest that older opsets have.
            since(cx, 6)?;
            saves(cx, old, &[x], 2)?;
            patch = Patch::new(cx);
            let gate = patch.insert(HardSigmoid { alpha: F32(1.0 / 6.0), beta: F32(0.5) }, [Some(x.into())]);
            patch.insert(Mul {}, [Some(x.into()), Some(gate)])
        };
        patch.redefine(old, swish);
        Ok(patch)
    }
}

/// Slope, offset and height of `height · clip(slope · x + offset, 0, 1)`.
fn ramp(cx: &Cx<'_>, x: ValueId, gate: ValueId) -> Option<(f64, f64, f64)> {
    if let Some(hard) = made_by::<HardSigmoid>(cx, gate) {
        return (hard.x() == x).then(|| (f64::from(hard.alpha.0), f64::from(hard.beta.0), 1.0));
    }
    let (line, height) = clipped_from_zero(cx, gate)?;
    let [offset, slope, square, cube] = polynomial(cx, line, x)?;
    ((square, cube) == (0.0, 0.0)).then(|| (slope / height, offset / height, height))
}
