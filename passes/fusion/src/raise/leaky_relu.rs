//! LeakyRelu from its formulas.

use edgesmith_ir::op::{
    Add, Clip, Greater, GreaterOrEqual, LeakyRelu, Less, LessOrEqual, Max, Min, Mul, Neg, Relu, Sub, Where,
};
use edgesmith_ir::{F32, OpId, OpKind, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

use super::pattern::{
    Product, either, is_single_or_half, made_by, positive_part_of, product, result, same_rank, saves, scalar, since,
};

/// `max(x, 0) + a · min(x, 0)`, `relu(x) − a · relu(−x)`, `x > 0 ? x : a · x`, and `max(x, a · x)` with `0 < a ≤ 1`.
pub(crate) struct RaiseLeakyRelu;

impl Rewrite for RaiseLeakyRelu {
    const NAME: RuleName = "raise-leaky-relu";
    const SUMMARY: &'static str = "the formulas of a rectifier with one slope into LeakyRelu";
    const ROOTS: &'static [OpKind] = &[OpKind::Add, OpKind::Sub, OpKind::Where, OpKind::Max];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../../manual/raise-leaky-relu.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        since(cx, 6)?;
        let old = result(cx, root)?;
        let Leak { x, sign, slope: None } = leak(cx, root).ok_or(Miss::NoMatch)? else { return Err(Miss::NoMatch) };
        is_single_or_half(cx, x)?;
        same_rank(cx, old, x)?;
        saves(cx, old, &[x], 1)?;
        let mut patch = Patch::new(cx);
        let leaky = patch.insert(LeakyRelu { alpha: F32(sign as f32) }, [Some(x.into())]);
        patch.redefine(old, leaky);
        Ok(patch)
    }
}

/// The rectifier that ends in this operator.
pub(super) fn leak(cx: &Cx<'_>, root: OpId) -> Option<Leak> {
    if let Ok(add) = cx.op::<Add>(root) {
        either(add.a(), add.b()).into_iter().find_map(|(positive, negative)| parts(cx, positive, negative, 1.0))
    } else if let Ok(sub) = cx.op::<Sub>(root) {
        parts(cx, sub.a(), sub.b(), -1.0)
    } else if let Ok(choice) = cx.op::<Where>(root) {
        chosen(cx, choice.condition(), choice.x(), choice.y())
    } else {
        larger(cx, cx.op::<Max>(root).ok()?.data_0())
    }
}

/// `x` where positive, else `sign · slope · x`.
pub(super) struct Leak {
    pub x: ValueId,
    pub sign: f64,
    /// Several slopes, where there is more than one.
    pub slope: Option<ValueId>,
}

/// `positive + sign · negative`.
fn parts(cx: &Cx<'_>, positive: ValueId, negative: ValueId, sign: f64) -> Option<Leak> {
    let x = positive_part_of(cx, positive)?;
    let Product { constant, factors } = product(cx, negative);
    let leak = |part: ValueId, slope: Option<ValueId>| {
        let (of, factor) = negative_part_of(cx, part)?;
        (of == x && constant.is_finite()).then_some(Leak { x, sign: sign * constant * factor, slope })
    };
    match *factors.as_slice() {
        [part] => leak(part, None),
        // An infinite slope makes no number of the zero above zero.
        [a, b] => {
            let finite = |slope: ValueId| cx.constant(slope)?.to_f64().filter(|a| a.iter().all(|a| a.is_finite()));
            either(a, b).into_iter().find_map(|(part, slope)| finite(slope).and_then(|_| leak(part, Some(slope))))
        }
        _ => None,
    }
}

/// `x` and a factor: the value is the factor times `min(x, 0)`.
fn negative_part_of(cx: &Cx<'_>, value: ValueId) -> Option<(ValueId, f64)> {
    if let Some(relu) = made_by::<Relu>(cx, value) {
        return made_by::<Neg>(cx, relu.x()).map(|neg| (neg.x(), -1.0));
    }
    if let Some(clip) = made_by::<Clip>(cx, value) {
        let to_zero = clip.max().is_some_and(|max| scalar(cx, max) == Some(0.0)) && clip.min().is_none();
        return to_zero.then(|| (clip.input(), 1.0));
    }
    let min = made_by::<Min>(cx, value)?;
    let [Some(a), Some(b)] = *min.data_0() else { return None };
    either(a, b).into_iter().find_map(|(x, zero)| (scalar(cx, zero) == Some(0.0)).then_some((x, 1.0)))
}

/// `x > 0 ? x : slope · x`.
fn chosen(cx: &Cx<'_>, condition: ValueId, yes: ValueId, no: ValueId) -> Option<Leak> {
    // At zero both sides are zero, so it does not matter where it belongs.
    let (compared, positive) = if let Some(op) = made_by::<Greater>(cx, condition) {
        ((op.a(), op.b()), true)
    } else if let Some(op) = made_by::<GreaterOrEqual>(cx, condition) {
        ((op.a(), op.b()), true)
    } else if let Some(op) = made_by::<Less>(cx, condition) {
        ((op.a(), op.b()), false)
    } else {
        let op = made_by::<LessOrEqual>(cx, condition)?;
        ((op.a(), op.b()), false)
    };
    let (x, leaking) = if positive { (yes, no) } else { (no, yes) };
    (compared.0 == x && scalar(cx, compared.1) == Some(0.0)).then_some(())?;
    scaled(cx, x, leaking)
}

/// `max(x, slope · x)`.
fn larger(cx: &Cx<'_>, operands: &[Option<ValueId>]) -> Option<Leak> {
    let [Some(a), Some(b)] = *operands else { return None };
    either(a, b).into_iter().find_map(|(x, leaking)| {
        let leak = scaled(cx, x, leaking)?;
        // A slope of zero makes NaN of infinity, one above one turns the sides around.
        (leak.slope.is_none() && leak.sign > 0.0 && leak.sign <= 1.0).then_some(leak)
    })
}

/// `slope · x`.
fn scaled(cx: &Cx<'_>, x: ValueId, value: ValueId) -> Option<Leak> {
    let mul = made_by::<Mul>(cx, value)?;
    let slope = either(mul.a(), mul.b()).into_iter().find_map(|(a, slope)| (a == x).then_some(slope))?;
    match scalar(cx, slope) {
        Some(slope) => Some(Leak { x, sign: slope, slope: None }),
        None => Some(Leak { x, sign: 1.0, slope: Some(slope) }),
    }
}
