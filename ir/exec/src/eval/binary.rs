//! Evaluation of operators of two operands with broadcasting.

use std::cmp::Ordering;

use bytes::Bytes;
use edgesmith_ir::op::{BitShift, Mod, ShiftDirection};
use edgesmith_ir::{DType, Tensor};

use super::cx::one;
use super::dense::Numbers;
use super::layout::{Dims, broadcast, dims};
use super::map::{map2, map3};
use super::number::{Cell, Integer, Number, bools, by_dtype, tensor, truths};
use super::stored::{from_f64, integers, is_number, limits};
use super::{EvalCx, EvalError, Evaluated};

/// The two operands, of one element type, and the shape they broadcast to.
struct Pair<'a> {
    a: &'a Tensor,
    b: &'a Tensor,
    a_dims: Dims,
    b_dims: Dims,
    out: Dims,
}

impl<'a> Pair<'a> {
    fn of_one_type(cx: &EvalCx<'a>) -> Result<Self, EvalError> {
        let pair = Self::new(cx)?;
        if pair.a.dtype() != pair.b.dtype() {
            return Err(cx.error(format!("operands of different types, {} and {}", pair.a.dtype(), pair.b.dtype())));
        }
        Ok(pair)
    }
    fn new(cx: &EvalCx<'a>) -> Result<Self, EvalError> {
        let (a, b) = (cx.tensor(0)?, cx.tensor(1)?);
        let (a_dims, b_dims) = (dims(a), dims(b));
        let out = broadcast(&[&a_dims, &b_dims]).map_err(|error| cx.error(error))?;
        cx.allow(a.dtype(), &out)?;
        Ok(Self { a, b, a_dims, b_dims, out })
    }
    fn map<T: Number, C>(&self, f: impl Fn(T, T) -> C) -> Result<Vec<C>, EvalError> {
        Ok(map2((&T::read(self.a)?, &self.a_dims), (&T::read(self.b)?, &self.b_dims), &self.out, f))
    }
    /// Loops for f32 are compiled for the function; those of the other types call it.
    fn compute<T: Number>(&self, f: fn(T, T) -> T) -> Evaluated {
        one(T::write(self.a.dtype(), &self.out, self.map::<T, T>(f)?)?)
    }
    fn truths(&self, f: fn(u8, u8) -> u8) -> Evaluated {
        one(bools(&self.out, map2((&truths(self.a)?, &self.a_dims), (&truths(self.b)?, &self.b_dims), &self.out, f))?)
    }
}

macro_rules! arithmetic {
    ($cx:expr, $T:ident: $class:ident => $f:expr) => {{
        let pair = Pair::of_one_type($cx)?;
        by_dtype!(pair.a.dtype(), $T: $class => pair.compute::<$T>($f), else Err($cx.wrong_dtype(pair.a.dtype())))
    }};
}

/// [`arithmetic`] with loops of its own for f32.
macro_rules! fast_arithmetic {
    ($cx:expr, $T:ident => $f:expr) => {{
        let pair = Pair::of_one_type($cx)?;
        if pair.a.dtype() == DType::F32 {
            type $T = f32;
            return one(tensor::<f32>(&pair.out, pair.map::<f32, f32>($f)?)?);
        }
        arithmetic!($cx, $T: number => $f)
    }};
}

/// Whether an integer leaves the range of its type is left open by the specification: asked only where that matters.
fn note_overflow(cx: &EvalCx<'_>, exact: fn(i128, i128) -> i128) -> Result<(), EvalError> {
    if !cx.strict() {
        return Ok(());
    }
    let pair = Pair::of_one_type(cx)?;
    let dtype = pair.a.dtype();
    if !dtype.is_integer() {
        return Ok(());
    }
    let (least, most) = limits(dtype);
    let (a, b) = (integers(pair.a)?, integers(pair.b)?);
    let results = map2((&a, &pair.a_dims), (&b, &pair.b_dims), &pair.out, exact);
    match results.iter().all(|x| (least..=most).contains(x)) {
        true => Ok(()),
        false => cx.open("an integer outside the range of its type"),
    }
}

pub(super) fn add(cx: &EvalCx<'_>) -> Evaluated {
    note_overflow(cx, |x, y| x + y)?;
    fast_arithmetic!(cx, T => T::plus)
}

pub(super) fn sub(cx: &EvalCx<'_>) -> Evaluated {
    note_overflow(cx, |x, y| x - y)?;
    fast_arithmetic!(cx, T => T::minus)
}

pub(super) fn mul(cx: &EvalCx<'_>) -> Evaluated {
    note_overflow(cx, |x, y| x * y)?;
    fast_arithmetic!(cx, T => T::times)
}

/// Fails when an integer divisor that is used holds a zero.
fn refuse_zero_divisor(cx: &EvalCx<'_>, pair: &Pair<'_>) -> Result<(), EvalError> {
    let zero = by_dtype!(pair.b.dtype(), T: integer => T::read(pair.b)?.contains(&0), else false);
    if zero && !pair.out.contains(&0) { Err(cx.error("division of an integer by zero")) } else { Ok(()) }
}

pub(super) fn div(cx: &EvalCx<'_>) -> Evaluated {
    refuse_zero_divisor(cx, &Pair::of_one_type(cx)?)?;
    note_overflow(cx, |x, y| x.checked_div(y).unwrap_or(0))?;
    fast_arithmetic!(cx, T => T::over)
}

/// The remainder with the divisor's sign, as Python's `%`: of a zero too, and a divisor of infinity takes a dividend of
/// the other sign to infinity.
fn floor_mod<T: Number>(x: T, y: T) -> T {
    let rest = x.remainder(y);
    if rest == T::ZERO {
        return if T::FLOAT { T::narrow(rest.wide().copysign(y.wide())) } else { rest };
    }
    if (rest < T::ZERO) == (y < T::ZERO) || rest.nan() || y.nan() { rest } else { rest.plus(y) }
}

pub(super) fn modulo(op: &Mod, cx: &EvalCx<'_>) -> Evaluated {
    refuse_zero_divisor(cx, &Pair::of_one_type(cx)?)?;
    if op.fmod { arithmetic!(cx, T: number => T::remainder) } else { arithmetic!(cx, T: number => floor_mod) }
}

/// The result has the type of the base. An integer base with an integer exponent wraps; a negative exponent gives the
/// truncated quotient (0 unless the base is 1 or -1). What is open (zero to a negative power, a result that a
/// float exponent takes out of the integer's range): zero and the nearest integer.
pub(super) fn pow(cx: &EvalCx<'_>) -> Evaluated {
    let pair = Pair::new(cx)?;
    let (base, exponent) = (pair.a.dtype(), pair.b.dtype());
    if base.is_integer() && exponent.is_integer() {
        let exponents = integers(pair.b)?;
        return by_dtype!(base, T: integer => {
            let bases = T::read(pair.a)?;
            if exponents.iter().any(|e| *e < 0) && bases.contains(&0) {
                cx.open("zero to a negative power")?;
            }
            let powers = map2((&bases, &pair.a_dims), (&exponents, &pair.b_dims), &pair.out, integer_power::<T>);
            one(T::write(base, &pair.out, powers)?)
        }, else Err(cx.wrong_dtype(base)));
    }
    let exponents = pair.b.to_f64().ok_or_else(|| cx.wrong_dtype(exponent))?;
    if !is_number(base) {
        return Err(cx.wrong_dtype(base));
    }
    let bases = Numbers::of(pair.a)?.all();
    // Squares are by far the most frequent power.
    let result: Vec<f64> = match exponents.as_slice() {
        [two] if *two == 2.0 && pair.a_dims == pair.out => bases.iter().map(|x| x * x).collect(),
        _ => map2((&bases, &pair.a_dims), (&exponents, &pair.b_dims), &pair.out, libm::pow),
    };
    if base.is_integer() {
        let (least, most) = limits(base);
        if result.iter().any(|x| !(least as f64 - 1.0 < *x && *x < most as f64 + 1.0)) {
            cx.open("a power outside the integer's range")?;
        }
    }
    one(from_f64(base, &pair.out, result)?)
}

fn integer_power<T: Integer>(base: T, exponent: i128) -> T {
    if exponent < 0 {
        let minus_one = T::ZERO.minus(T::ONE);
        return if base == T::ONE || (base == minus_one && base < T::ZERO && exponent % 2 == 0) {
            T::ONE
        } else if base == minus_one && base < T::ZERO {
            base
        } else {
            T::ZERO
        };
    }
    let (mut result, mut square, mut left) = (T::ONE, base, exponent as u128);
    while left > 0 {
        if left & 1 == 1 {
            result = result.times(square);
        }
        square = square.times(square);
        left >>= 1;
    }
    result
}

pub(super) fn bitwise_and(cx: &EvalCx<'_>) -> Evaluated {
    arithmetic!(cx, T: integer => |x, y| x & y)
}

pub(super) fn bitwise_or(cx: &EvalCx<'_>) -> Evaluated {
    arithmetic!(cx, T: integer => |x, y| x | y)
}

pub(super) fn bitwise_xor(cx: &EvalCx<'_>) -> Evaluated {
    arithmetic!(cx, T: integer => |x, y| x ^ y)
}

/// A shift by the width or more, or by a negative count, moves every bit out: zero, or -1 for a negative value to the
/// right.
pub(super) fn bit_shift(op: &BitShift, cx: &EvalCx<'_>) -> Evaluated {
    match op.direction {
        ShiftDirection::Left => arithmetic!(cx, T: integer => T::shift_left),
        ShiftDirection::Right => arithmetic!(cx, T: integer => T::shift_right),
    }
}

pub(super) fn and(cx: &EvalCx<'_>) -> Evaluated {
    Pair::of_one_type(cx)?.truths(|a, b| a & b)
}

pub(super) fn or(cx: &EvalCx<'_>) -> Evaluated {
    Pair::of_one_type(cx)?.truths(|a, b| a | b)
}

pub(super) fn xor(cx: &EvalCx<'_>) -> Evaluated {
    Pair::of_one_type(cx)?.truths(|a, b| a ^ b)
}

/// How each pair compares, encoded for one table look-up per operator: less, equal, greater, unordered.
fn orders(cx: &EvalCx<'_>, pair: &Pair<'_>) -> Result<Vec<u8>, EvalError> {
    by_dtype!(pair.a.dtype(), T: number => {
        pair.map::<T, u8>(|x, y| match x.partial_cmp(&y) {
            Some(Ordering::Less) => 0,
            Some(Ordering::Equal) => 1,
            Some(Ordering::Greater) => 2,
            None => 3,
        })
    }, else Err(cx.wrong_dtype(pair.a.dtype())))
}

/// Where the order is one of those that `accepted` marks (less, equal, greater).
fn comparison(cx: &EvalCx<'_>, accepted: [bool; 3]) -> Evaluated {
    let pair = Pair::of_one_type(cx)?;
    let table = accepted.map(u8::from);
    let mut found = orders(cx, &pair)?;
    for order in &mut found {
        *order = table.get(usize::from(*order)).copied().unwrap_or(0);
    }
    one(bools(&pair.out, found)?)
}

pub(super) fn equal(cx: &EvalCx<'_>) -> Evaluated {
    let pair = Pair::of_one_type(cx)?;
    match pair.a.dtype() {
        DType::Bool => pair.truths(|a, b| u8::from(a == b)),
        DType::String => {
            let (a, b) = (Bytes::cells(pair.a)?, Bytes::cells(pair.b)?);
            let unit = [()];
            let equal =
                map3((&unit, &[]), (&a, &pair.a_dims), (&b, &pair.b_dims), &pair.out, |(), a, b| u8::from(a == b));
            one(bools(&pair.out, equal)?)
        }
        _ => comparison(cx, [false, true, false]),
    }
}

pub(super) fn greater(cx: &EvalCx<'_>) -> Evaluated {
    comparison(cx, [false, false, true])
}

pub(super) fn greater_or_equal(cx: &EvalCx<'_>) -> Evaluated {
    comparison(cx, [false, true, true])
}

pub(super) fn less(cx: &EvalCx<'_>) -> Evaluated {
    comparison(cx, [true, false, false])
}

pub(super) fn less_or_equal(cx: &EvalCx<'_>) -> Evaluated {
    comparison(cx, [true, true, false])
}
