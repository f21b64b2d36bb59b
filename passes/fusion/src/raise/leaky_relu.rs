//! LeakyRelu and PRelu from their formulas.

use edgesmith_ir::op::{
    Add, Clip, Greater, GreaterOrEqual, LeakyRelu, Less, LessOrEqual, Max, Min, Mul, Neg, PRelu, Relu, Sub, Where,
};
use edgesmith_ir::{F32, OpId, OpKind, Tensor, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName, Wire};

use super::pattern::{
    Product, either, is_single_or_half, made_by, positive_part_of, product, result, same_rank, saves, scalar, since,
};

/// `max(x, 0) + a · min(x, 0)`, `relu(x) − a · relu(−x)`, `x > 0 ? x : a · x`, and `max(x, a · x)` with `0 < a ≤ 1`. One
/// slope makes a LeakyRelu, several a PRelu.
pub(crate) struct RaiseLeakyRelu;

impl Rewrite for RaiseLeakyRelu {
    const NAME: RuleName = "raise-leaky-relu";
    const SUMMARY: &'static str = "the formulas of a rectifier with a slope into LeakyRelu or PRelu";
    const ROOTS: &'static [OpKind] = &[OpKind::Add, OpKind::Sub, OpKind::Where, OpKind::Max];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../../manual/raise-leaky-relu.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        since(cx, 6)?;
        let old = result(cx, root)?;
        let found = if let Ok(add) = cx.op::<Add>(root) {
            either(add.a(), add.b()).into_iter().find_map(|(positive, negative)| parts(cx, positive, negative, 1.0))
        } else if let Ok(sub) = cx.op::<Sub>(root) {
            parts(cx, sub.a(), sub.b(), -1.0)
        } else if let Ok(choice) = cx.op::<Where>(root) {
            chosen(cx, choice.condition(), choice.x(), choice.y())
        } else {
            larger(cx, cx.op::<Max>(root)?.data_0())
        };
        let Leak { x, sign, slope } = found.ok_or(Miss::NoMatch)?;
        is_single_or_half(cx, x)?;
        if let Some(slope) = slope {
            several(cx, old, x, sign, slope)
        } else {
            same_rank(cx, old, x)?;
            saves(cx, old, &[x], 1)?;
            let mut patch = Patch::new(cx);
            let leaky = patch.insert(LeakyRelu { alpha: F32(sign as f32) }, [Some(x.into())]);
            patch.redefine(old, leaky);
            Ok(patch)
        }
    }
}

/// A PRelu: the slope must broadcast to x.
fn several(cx: &Cx<'_>, old: ValueId, x: ValueId, sign: f64, slope: ValueId) -> Match<Patch> {
    since(cx, 7)?;
    if !cx.same_dims(old, x) || cx.dtype(slope) != cx.dtype(x) {
        return Err(Miss::NoMatch);
    }
    saves(cx, old, &[x, slope], 1)?;
    let mut patch = Patch::new(cx);
    let slope: Wire = match cx.constant(slope) {
        _ if sign == 1.0 => slope.into(),
        Some(tensor) => {
            let values: Vec<f64> = tensor.to_f64().ok_or(Miss::NoMatch)?.into_iter().map(|a| a * sign).collect();
            let signed = Tensor::from_f64(tensor.dtype(), tensor.shape(), &values).ok_or(Miss::NoMatch)?;
            patch.constant_like(slope, signed)
        }
        None => return Err(Miss::NoMatch),
    };
    let rectified = patch.insert(PRelu {}, [Some(x.into()), Some(slope)]);
    patch.redefine(old, rectified);
    Ok(patch)
}

/// `x` where positive, else `sign · slope · x`.
struct Leak {
    x: ValueId,
    sign: f64,
    slope: Option<ValueId>,
}

/// `positive + sign · negative`.
fn parts(cx: &Cx<'_>, positive: ValueId, negative: ValueId, sign: f64) -> Option<Leak> {
    let x = positive_part_of(cx, positive)?;
    let Product { constant, factors } = product(cx, negative);
    let leak = |part: ValueId, slope: Option<ValueId>| {
        let (of, factor) = negative_part_of(cx, part)?;
        (of == x).then_some(Leak { x, sign: sign * constant * factor, slope })
    };
    match *factors.as_slice() {
        [part] => leak(part, None),
        [a, b] => either(a, b).into_iter().find_map(|(part, slope)| leak(part, Some(slope))),
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
