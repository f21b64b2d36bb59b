//! What the raising rules look with: constants within the precision of their type, products, polynomials, and whether a
//! pattern stands alone.

use edgesmith_ir::op::{Add, Clip, Div, Exp, Log, Max, Mul, Neg, Pow, Reciprocal, Relu, Sqrt, Sub};
use edgesmith_ir::{DType, OpId, Operator, User, ValueId, View};
use edgesmith_rewrite::{Cx, Match, Miss};
use smallvec::SmallVec;

/// For models that no file said an opset of; the ONNX backend writes them at this one.
const DEFAULT_OPSET: i64 = 17;
/// No pattern is larger.
const MOST_OPERATORS: usize = 24;
/// The highest power of a polynomial.
const DEGREE: usize = 3;

/// Whether the model's opset has what came with this one; else the rule is silent.
pub(super) fn since(cx: &Cx<'_>, opset: i64) -> Match<()> {
    let own = if cx.opset() == 0 { DEFAULT_OPSET } else { cx.opset() };
    if own >= opset { Ok(()) } else { Err(Miss::NoMatch) }
}

/// Whether a value has one of the element types that every runtime computes activations and normalisation in.
pub(super) fn is_single_or_half(cx: &Cx<'_>, value: ValueId) -> Match<()> {
    if matches!(cx.dtype(value), Some(DType::F32 | DType::F16)) { Ok(()) } else { Err(Miss::NoMatch) }
}

/// The only element of a float constant, whatever its rank.
pub(super) fn scalar(cx: &Cx<'_>, value: ValueId) -> Option<f64> {
    let tensor = cx.constant(value).filter(|tensor| tensor.len() == 1 && tensor.dtype().is_float())?;
    tensor.to_f64()?.first().copied()
}

/// Whether a constant of this element type, or a product of two, is meant to be a number.
pub(super) fn about(dtype: Option<DType>, found: f64, wanted: f64) -> bool {
    let precision = match dtype {
        Some(DType::F16) => 2e-3,
        Some(DType::BF16) => 1.6e-2,
        _ => 2e-6,
    };
    (found - wanted).abs() <= precision * wanted.abs()
}

/// Whether both have the same known rank: one-element constants then broadcast to nothing new.
pub(super) fn same_rank(cx: &Cx<'_>, a: ValueId, b: ValueId) -> Match<()> {
    match (cx.dims(a), cx.dims(b)) {
        (Some(a), Some(b)) if a.len() == b.len() => Ok(()),
        _ => Err(Miss::NoMatch),
    }
}

/// The producer of a value as this kind, without a word where it is another.
pub(super) fn made_by<'m, K: Operator>(cx: &Cx<'m>, value: ValueId) -> Option<View<'m, K>> {
    cx.producer::<K>(value).ok()
}

/// The only reader of a value that is no output, if it is of this kind.
pub(super) fn read_by<'m, K: Operator>(cx: &Cx<'m>, value: ValueId) -> Option<View<'m, K>> {
    match cx.graph().value(value).uses() {
        [only] if cx.single_use(value) => match only.user {
            User::Op(op) => cx.op::<K>(op).ok(),
            User::Output => None,
        },
        _ => None,
    }
}

/// Both orders of two operands.
pub(super) fn either(a: ValueId, b: ValueId) -> [(ValueId, ValueId); 2] {
    [(a, b), (b, a)]
}

/// The result of an operator that has one.
pub(super) fn result(cx: &Cx<'_>, op: OpId) -> Match<ValueId> {
    cx.graph().op(op).result(0).ok_or(Miss::NoMatch)
}

/// Whether taking away everything between `leaves` and `result` and putting in `added` operators leaves fewer. Refuses where
/// something else reads what lies between.
pub(super) fn saves(cx: &Cx<'_>, result: ValueId, leaves: &[ValueId], added: usize) -> Match<()> {
    let graph = cx.graph();
    let mut ops: SmallVec<[OpId; MOST_OPERATORS]> = SmallVec::new();
    let mut open: SmallVec<[ValueId; 16]> = smallvec::smallvec![result];
    while let Some(value) = open.pop() {
        let Some(op) = graph.producer(value).filter(|op| !leaves.contains(&value) && !ops.contains(op)) else {
            continue;
        };
        if ops.len() == MOST_OPERATORS || !graph.op(op).regions().is_empty() {
            return Err(Miss::NoMatch);
        }
        ops.push(op);
        open.extend(graph.op(op).operands().iter().flatten().copied());
    }
    if ops.len() <= added {
        return Err(Miss::NoMatch);
    }
    for op in &ops {
        cx.look_at(*op);
        for value in graph.op(*op).results().iter().flatten().filter(|value| **value != result) {
            let inside = |user: User| matches!(user, User::Op(reader) if ops.contains(&reader));
            if !graph.value(*value).uses().iter().all(|u| inside(u.user)) {
                return cx.reject(
                    cx.root(),
                    format!("'{}' inside of the pattern is also read elsewhere", graph.value(*value).name()),
                );
            }
        }
    }
    Ok(())
}

/// A product: what constants it has, multiplied, and the other factors from left to right.
pub(super) struct Product {
    pub constant: f64,
    pub factors: SmallVec<[ValueId; 4]>,
}

/// A value taken apart into factors, through products, quotients by constants and negations that nothing else reads.
pub(super) fn product(cx: &Cx<'_>, value: ValueId) -> Product {
    let mut found = Product { constant: 1.0, factors: SmallVec::new() };
    let mut open: SmallVec<[ValueId; 8]> = smallvec::smallvec![value];
    let mut budget = 8_usize;
    while let Some(next) = open.pop() {
        if let Some(constant) = scalar(cx, next) {
            found.constant *= constant;
            continue;
        }
        if (next == value || cx.single_use(next)) && budget > 0 {
            budget -= 1;
            if let Some(mul) = made_by::<Mul>(cx, next) {
                open.extend([mul.b(), mul.a()]);
                continue;
            }
            if let Some(neg) = made_by::<Neg>(cx, next) {
                found.constant = -found.constant;
                open.push(neg.x());
                continue;
            }
            if let Some(div) = made_by::<Div>(cx, next)
                && let Some(divisor) = scalar(cx, div.b()).filter(|divisor| *divisor != 0.0)
            {
                found.constant /= divisor;
                open.push(div.a());
                continue;
            }
        }
        found.factors.push(next);
    }
    found
}

/// The coefficients of a value as a polynomial in `x`, from that of 1 up.
pub(super) fn polynomial(cx: &Cx<'_>, value: ValueId, x: ValueId) -> Option<[f64; DEGREE + 1]> {
    let mut budget = 12;
    powers(cx, value, x, &mut budget)
}

fn powers(cx: &Cx<'_>, value: ValueId, x: ValueId, budget: &mut usize) -> Option<[f64; DEGREE + 1]> {
    let mut found = [0.0; DEGREE + 1];
    if value == x {
        found[1] = 1.0;
        return Some(found);
    }
    if let Some(constant) = scalar(cx, value) {
        found[0] = constant;
        return Some(found);
    }
    *budget = budget.checked_sub(1)?;
    if let Some(op) = made_by::<Add>(cx, value) {
        let (a, b) = (powers(cx, op.a(), x, budget)?, powers(cx, op.b(), x, budget)?);
        return Some(std::array::from_fn(|k| a[k] + b[k]));
    }
    if let Some(op) = made_by::<Sub>(cx, value) {
        let (a, b) = (powers(cx, op.a(), x, budget)?, powers(cx, op.b(), x, budget)?);
        return Some(std::array::from_fn(|k| a[k] - b[k]));
    }
    if let Some(op) = made_by::<Mul>(cx, value) {
        return times(&powers(cx, op.a(), x, budget)?, &powers(cx, op.b(), x, budget)?);
    }
    if let Some(op) = made_by::<Div>(cx, value) {
        let (a, divisor) = (powers(cx, op.a(), x, budget)?, scalar(cx, op.b())?);
        return (divisor != 0.0).then(|| a.map(|coefficient| coefficient / divisor));
    }
    if let Some(op) = made_by::<Neg>(cx, value) {
        return powers(cx, op.x(), x, budget).map(|a| a.map(|coefficient| -coefficient));
    }
    if let Some(op) = made_by::<Pow>(cx, value) {
        let (a, exponent) = (powers(cx, op.x(), x, budget)?, exponent(cx, op.y())?);
        let square = times(&a, &a)?;
        return if exponent == 2.0 {
            Some(square)
        } else if exponent == 3.0 {
            times(&square, &a)
        } else {
            None
        };
    }
    None
}

fn times(a: &[f64; DEGREE + 1], b: &[f64; DEGREE + 1]) -> Option<[f64; DEGREE + 1]> {
    let mut found = [0.0; DEGREE + 1];
    for (i, a) in a.iter().enumerate().filter(|(_, a)| **a != 0.0) {
        for (k, b) in b.iter().enumerate().filter(|(_, b)| **b != 0.0) {
            *found.get_mut(i + k)? += a * b;
        }
    }
    Some(found)
}

/// The exponent of a power; integers are exponents too.
fn exponent(cx: &Cx<'_>, value: ValueId) -> Option<f64> {
    let tensor = cx.constant(value).filter(|tensor| tensor.len() == 1)?;
    tensor.to_f64()?.first().copied()
}

/// `slope · x + offset`, with `x` what stands behind all additions and multiplications of constants that nothing else reads.
pub(super) struct Linear {
    pub x: ValueId,
    pub slope: f64,
    pub offset: f64,
}

/// A value as a linear function of what it is made of.
pub(super) fn linear(cx: &Cx<'_>, value: ValueId) -> Linear {
    let mut found = Linear { x: value, slope: 1.0, offset: 0.0 };
    for _ in 0..4 {
        if !cx.single_use(found.x) {
            break;
        }
        let Some((x, slope, offset)) = linear_step(cx, found.x) else { break };
        found = Linear { x, offset: found.slope * offset + found.offset, slope: found.slope * slope };
    }
    found
}

fn linear_step(cx: &Cx<'_>, value: ValueId) -> Option<(ValueId, f64, f64)> {
    let split = |a: ValueId, b: ValueId| match (scalar(cx, a), scalar(cx, b)) {
        (None, Some(constant)) => Some((a, constant)),
        (Some(constant), None) => Some((b, constant)),
        _ => None,
    };
    if let Some(op) = made_by::<Add>(cx, value) {
        return split(op.a(), op.b()).map(|(x, constant)| (x, 1.0, constant));
    }
    if let Some(op) = made_by::<Mul>(cx, value) {
        return split(op.a(), op.b()).map(|(x, constant)| (x, constant, 0.0));
    }
    if let Some(op) = made_by::<Sub>(cx, value) {
        return match (scalar(cx, op.a()), scalar(cx, op.b())) {
            (None, Some(constant)) => Some((op.a(), 1.0, -constant)),
            (Some(constant), None) => Some((op.b(), -1.0, constant)),
            _ => None,
        };
    }
    if let Some(op) = made_by::<Div>(cx, value) {
        let divisor = scalar(cx, op.b()).filter(|divisor| *divisor != 0.0 && scalar(cx, op.a()).is_none())?;
        return Some((op.a(), 1.0 / divisor, 0.0));
    }
    made_by::<Neg>(cx, value).map(|op| (op.x(), -1.0, 0.0))
}

/// What a value is the square of: `x · x`, `x²`.
pub(super) fn square_of(cx: &Cx<'_>, value: ValueId) -> Option<ValueId> {
    if let Some(mul) = made_by::<Mul>(cx, value) {
        return (mul.a() == mul.b()).then(|| mul.a());
    }
    made_by::<Pow>(cx, value).filter(|pow| exponent(cx, pow.y()) == Some(2.0)).map(|pow| pow.x())
}

/// What a value is the root of: `√x`, `x^½`.
pub(super) fn root_of(cx: &Cx<'_>, value: ValueId) -> Option<ValueId> {
    if let Some(sqrt) = made_by::<Sqrt>(cx, value) {
        return Some(sqrt.x());
    }
    made_by::<Pow>(cx, value).filter(|pow| exponent(cx, pow.y()) == Some(0.5)).map(|pow| pow.x())
}

/// What a value is the inverse root of: `1 / √x`, `x^-½`.
pub(super) fn inverse_root_of(cx: &Cx<'_>, value: ValueId) -> Option<ValueId> {
    if let Some(pow) = made_by::<Pow>(cx, value) {
        return (exponent(cx, pow.y()) == Some(-0.5)).then(|| pow.x());
    }
    if let Some(reciprocal) = made_by::<Reciprocal>(cx, value) {
        return root_of(cx, reciprocal.x());
    }
    let div = made_by::<Div>(cx, value)?;
    (scalar(cx, div.a()) == Some(1.0)).then(|| root_of(cx, div.b())).flatten()
}

/// `x` and `c` of `x + c` with a constant `c`.
pub(super) fn plus_constant(cx: &Cx<'_>, value: ValueId) -> Option<(ValueId, f64)> {
    let add = made_by::<Add>(cx, value)?;
    either(add.a(), add.b()).into_iter().find_map(|(x, c)| scalar(cx, c).map(|c| (x, c)))
}

/// `x` of `max(x, 0)`, however it is written.
pub(super) fn positive_part_of(cx: &Cx<'_>, value: ValueId) -> Option<ValueId> {
    if let Some(relu) = made_by::<Relu>(cx, value) {
        return Some(relu.x());
    }
    if let Some(clip) = made_by::<Clip>(cx, value) {
        let from_zero = clip.min().is_some_and(|min| scalar(cx, min) == Some(0.0)) && clip.max().is_none();
        return from_zero.then(|| clip.input());
    }
    let max = made_by::<Max>(cx, value)?;
    let [Some(a), Some(b)] = *max.data_0() else { return None };
    either(a, b).into_iter().find_map(|(x, zero)| (scalar(cx, zero) == Some(0.0)).then_some(x))
}

/// `x` of `log(1 + exp(x))`.
pub(super) fn log_one_plus_exp_of(cx: &Cx<'_>, value: ValueId) -> Option<ValueId> {
    let log = made_by::<Log>(cx, value)?;
    let (exp, one) = plus_constant(cx, log.input())?;
    let exp = made_by::<Exp>(cx, exp)?;
    (one == 1.0).then(|| exp.input())
}

/// The axes of a reduction in ascending order; all of them where none are given.
pub(super) fn reduced_axes(cx: &Cx<'_>, data: ValueId, axes: Option<ValueId>, noop: bool) -> Option<Vec<usize>> {
    let rank = cx.dims(data)?.len();
    let given = match axes {
        Some(axes) => cx.constant(axes)?.to_ints()?,
        None => Vec::new(),
    };
    if given.is_empty() {
        return (!noop).then(|| (0..rank).collect());
    }
    let count = rank as i64;
    let axis =
        |axis: &i64| usize::try_from(if *axis < 0 { axis + count } else { *axis }).ok().filter(|axis| *axis < rank);
    let mut found: Vec<usize> = given.iter().map(axis).collect::<Option<_>>()?;
    found.sort_unstable();
    found.windows(2).all(|pair| pair[0] != pair[1]).then_some(found)
}
