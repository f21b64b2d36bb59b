//! Gelu from its formula, exact or by tanh.

use edgesmith_ir::op::{Add, Erf, Gelu, GeluApproximation, Tanh};
use edgesmith_ir::{DType, OpId, OpKind, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

use super::pattern::{about, is_single_or_half, made_by, polynomial, product, result, same_rank, saves, scalar, since};

/// `x · ½ (1 + erf(x / √2))`, and `x · ½ (1 + tanh(√(2/π) (x + 0.044715 x³)))`.
pub(crate) struct RaiseGelu;

impl Rewrite for RaiseGelu {
    const NAME: RuleName = "raise-gelu";
    const SUMMARY: &'static str = "the formulas of Gelu, by erf and by tanh, into Gelu";
    const ROOTS: &'static [OpKind] = &[OpKind::Mul, OpKind::Div];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../../manual/raise-gelu.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        since(cx, 20)?;
        let old = result(cx, root)?;
        let whole = product(cx, old);
        let [a, b] = *whole.factors.as_slice() else { return Err(Miss::NoMatch) };
        let found = [(a, b), (b, a)].into_iter().find_map(|(x, phi)| Some((x, bell(cx, x, phi, whole.constant)?)));
        let (x, approximate) = found.ok_or(Miss::NoMatch)?;
        is_single_or_half(cx, x)?;
        same_rank(cx, old, x)?;
        saves(cx, old, &[x], 1)?;
        let mut patch = Patch::new(cx);
        let gelu = patch.insert(Gelu { approximate }, [Some(x.into())]);
        patch.redefine(old, gelu);
        Ok(patch)
    }
}

/// Which approximation of the normal distribution `constant · phi` is at x.
fn bell(cx: &Cx<'_>, x: ValueId, phi: ValueId, constant: f64) -> Option<GeluApproximation> {
    let add = made_by::<Add>(cx, phi)?;
    let (curve, shift) = match (scalar(cx, add.a()), scalar(cx, add.b())) {
        (None, Some(shift)) => (add.a(), shift),
        (Some(shift), None) => (add.b(), shift),
        _ => return None,
    };
    let dtype = cx.dtype(x);
    let curve = product(cx, curve);
    let [function] = *curve.factors.as_slice() else { return None };
    if !about(dtype, constant * curve.constant, 0.5) || !about(dtype, constant * shift, 0.5) {
        return None;
    }
    if let Some(erf) = made_by::<Erf>(cx, function) {
        return is_exact(dtype, &polynomial(cx, erf.input(), x)?).then_some(GeluApproximation::None);
    }
    let tanh = made_by::<Tanh>(cx, function)?;
    is_cubic(dtype, &polynomial(cx, tanh.input(), x)?).then_some(GeluApproximation::Tanh)
}

fn is_exact(dtype: Option<DType>, coefficients: &[f64; 4]) -> bool {
    let [constant, linear, square, cube] = *coefficients;
    (constant, square, cube) == (0.0, 0.0, 0.0) && about(dtype, linear, std::f64::consts::FRAC_1_SQRT_2)
}

fn is_cubic(dtype: Option<DType>, coefficients: &[f64; 4]) -> bool {
    // √(2/π)
    const SCALE: f64 = std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2;
    let [constant, linear, square, cube] = *coefficients;
    (constant, square) == (0.0, 0.0) && about(dtype, linear, SCALE) && about(dtype, cube, SCALE * 0.044_715)
}
