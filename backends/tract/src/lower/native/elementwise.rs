//! Unary, binary, variadic, comparison, logic, selection and conversion operators.

use edgesmith_ir::{DType, Op};
use tract_core::internal::*;
use tract_core::ops::binary::TypedBinOp;
use tract_core::ops::element_wise::ElementWiseOp;
use tract_core::ops::{logic, math};

use super::super::part::{Native, Part, one};
use crate::tensor::datum_type;

/// Abs, Neg, Exp and their like.
pub(crate) fn unary(op: &Op, p: &mut Part) -> Native {
    let x = p.input(0)?;
    let datum = p.datum(x)?;
    let float = datum.is_float();
    let wire: ElementWiseOp = match op {
        Op::Abs(_) if datum.is_unsigned() => return one(x),
        Op::Abs(_) => math::abs(),
        Op::Neg(_) => math::neg(),
        Op::Sign(_) => math::sign(),
        Op::Ceil(_) | Op::Floor(_) | Op::Round(_) if !float => return one(x),
        Op::Ceil(_) => math::ceil(),
        Op::Floor(_) => math::floor(),
        Op::Round(_) if datum == DatumType::F64 => return one(round_to_even(p, x)?),
        Op::Round(_) => math::round_half_to_even(),
        Op::BitwiseNot(_) => logic::bitnot(),
        Op::Not(_) => logic::not(),
        _ if !float => return Ok(None),
        Op::Acos(_) => math::acos(),
        Op::Acosh(_) => math::acosh(),
        Op::Asin(_) => math::asin(),
        Op::Asinh(_) => math::asinh(),
        Op::Atan(_) => math::atan(),
        Op::Atanh(_) => math::atanh(),
        Op::Cos(_) => math::cos(),
        Op::Cosh(_) => math::cosh(),
        Op::Erf(_) if datum == DatumType::F64 => return Ok(None),
        Op::Erf(_) => math::erf(),
        Op::Exp(_) => math::exp(),
        Op::Log(_) => math::ln(),
        Op::Reciprocal(_) => math::recip(),
        Op::Sin(_) => math::sin(),
        Op::Sinh(_) => math::sinh(),
        Op::Sqrt(_) => math::sqrt(),
        Op::Tan(_) => math::tan(),
        Op::Tanh(_) => {
            let y = p.op(math::tanh(), &[x])?;
            return one(p.put_back_nan(x, y)?);
        }
        Op::IsNaN(_) => {
            let equal = p.op(TypedBinOp(logic::comp_eq(), None), &[x, x])?;
            return one(p.op(logic::not(), &[equal])?);
        }
        Op::IsInf(op) => {
            let mut found = None;
            for (wanted, value) in [(op.detect_positive, f64::INFINITY), (op.detect_negative, f64::NEG_INFINITY)] {
                if wanted {
                    let here = p.with(TypedBinOp(logic::comp_eq(), None), x, value)?;
                    found = Some(match found {
                        Some(before) => p.binary(logic::or(), before, here)?,
                        None => here,
                    });
                }
            }
            return match found {
                Some(found) => one(found),
                // Neither sign is asked for: nothing is infinite.
                None => {
                    let equal = p.op(TypedBinOp(logic::comp_eq(), None), &[x, x])?;
                    let different = p.op(logic::not(), &[equal])?;
                    one(p.binary(logic::and(), equal, different)?)
                }
            };
        }
        _ => return Ok(None),
    };
    one(p.op(wire, &[x])?)
}

/// The nearest whole number, ties to even, from floor and comparisons: tract rounds f64 no other way.
fn round_to_even(p: &mut Part, x: OutletId) -> TractResult<OutletId> {
    let below = p.op(math::floor(), &[x])?;
    let rest = p.op(math::sub(), &[x, below])?;
    let above = p.with(math::add(), below, 1.0)?;
    let half = p.with(math::mul(), below, 0.5)?;
    let half_floor = p.op(math::floor(), &[half])?;
    let even = p.op(TypedBinOp(logic::comp_eq(), None), &[half, half_floor])?;
    let tie = p.select(even, below, above)?;
    let up = p.with(TypedBinOp(logic::comp_gt(), None), rest, 0.5)?;
    let at_half = p.with(TypedBinOp(logic::comp_eq(), None), rest, 0.5)?;
    let nearest = p.select(up, above, below)?;
    let rounded = p.select(at_half, tie, nearest)?;
    // Infinities and NaN have no rest: they stay as they are.
    let same = p.op(TypedBinOp(logic::comp_eq(), None), &[x, below])?;
    p.select(same, x, rounded)
}

/// Arithmetic, comparison, logic and bits of two operands.
pub(crate) fn binary(op: &Op, p: &mut Part) -> Native {
    let (a, b) = (p.input(0)?, p.input(1)?);
    let datum = p.datum(a)?;
    let compare = |op| TypedBinOp(op, None);
    let wire = match op {
        Op::Add(_) => math::add(),
        Op::Sub(_) => math::sub(),
        Op::Mul(_) => math::mul(),
        Op::Div(_) => math::div(),
        Op::Equal(_) => compare(logic::comp_eq()),
        Op::Greater(_) => compare(logic::comp_gt()),
        Op::GreaterOrEqual(_) => compare(logic::comp_gte()),
        Op::Less(_) => compare(logic::comp_lt()),
        Op::LessOrEqual(_) => compare(logic::comp_lte()),
        Op::And(_) => logic::and(),
        Op::Or(_) => logic::or(),
        Op::Xor(_) => logic::xor(),
        Op::BitwiseAnd(_) => logic::bitand(),
        Op::BitwiseOr(_) => logic::bitor(),
        Op::BitwiseXor(_) => logic::bitxor(),
        // tract keeps only the low bits of the shift, where ONNX shifts everything out.
        Op::BitShift(_) => bail!("tract shifts wrongly by negative amounts and by the width or more"),
        Op::Mod(op) => return one(modulo(p, a, b, op.fmod)?),
        Op::Pow(_) => return power(p, a, b, datum),
        _ => return Ok(None),
    };
    one(p.binary(wire, a, b)?)
}

/// tract's remainder has the sign of the dividend; without `fmod` ONNX wants that of the divisor.
fn modulo(p: &mut Part, a: OutletId, b: OutletId, fmod: bool) -> TractResult<OutletId> {
    let rest = p.binary(math::rem(), a, b)?;
    let datum = p.datum(a)?;
    if fmod || datum.is_unsigned() {
        return Ok(rest);
    }
    ensure!(!datum.is_float(), "Mod of floats without fmod");
    let less = || TypedBinOp(logic::comp_lt(), None);
    let rest_negative = p.with(less(), rest, 0.0)?;
    let divisor_negative = p.with(less(), b, 0.0)?;
    let signs_differ = p.binary(logic::xor(), rest_negative, divisor_negative)?;
    let zero = p.with(TypedBinOp(logic::comp_eq(), None), rest, 0.0)?;
    let not_zero = p.op(logic::not(), &[zero])?;
    let fix = p.binary(logic::and(), signs_differ, not_zero)?;
    let fixed = p.binary(math::add(), rest, b)?;
    p.select(fix, fixed, rest)
}

/// The result has the type of the base. A float power of an integer goes through f64, which does not hold 64 bits.
fn power(p: &mut Part, a: OutletId, b: OutletId, datum: DatumType) -> Native {
    if datum.is_float() {
        let exponent = p.cast(b, datum)?;
        return one(p.binary(math::pow(), a, exponent)?);
    }
    if p.datum(b)?.is_integer() {
        return whole_power(p, a, b, datum);
    }
    if matches!(datum, DatumType::I64 | DatumType::U64) {
        return Ok(None);
    }
    one(float_power(p, a, b, datum)?)
}

fn float_power(p: &mut Part, a: OutletId, b: OutletId, datum: DatumType) -> TractResult<OutletId> {
    let (base, exponent) = (p.cast(a, DatumType::F64)?, p.cast(b, DatumType::F64)?);
    let power = p.binary(math::pow(), base, exponent)?;
    p.cast(power, datum)
}

/// Integer powers in i64, whose low bits are those of every narrower type. tract takes the low 32 bits of an exponent for
/// it and reads negative ones as huge, so exponents of 64 bits must be known, and negative ones go through f64.
fn whole_power(p: &mut Part, a: OutletId, b: OutletId, datum: DatumType) -> Native {
    let known = p.constant_ints(b)?;
    if known.is_none() && matches!(p.datum(b)?, DatumType::I64 | DatumType::U64) {
        return Ok(None);
    }
    if known.iter().flatten().any(|exponent| *exponent > i64::from(u32::MAX)) {
        return Ok(None);
    }
    let (base, exponent) = (p.cast(a, DatumType::I64)?, p.cast(b, DatumType::I64)?);
    let not_negative = p.with(math::max(), exponent, 0.0)?;
    let power = p.binary(math::pow(), base, not_negative)?;
    let power = p.cast(power, datum)?;
    if known.is_some_and(|exponents| exponents.iter().all(|exponent| *exponent >= 0)) {
        return one(power);
    }
    // What zero to a negative power gives is open: zero, as the evaluator has it.
    let quotient = float_power(p, a, b, datum)?;
    let [a, quotient] = p.even([a, quotient])?;
    let base_is_zero = p.with(TypedBinOp(logic::comp_eq(), None), a, 0.0)?;
    let zero = p.scalar_like(0.0, quotient)?;
    let quotient = p.select(base_is_zero, zero, quotient)?;
    let negative = p.with(TypedBinOp(logic::comp_lt(), None), exponent, 0.0)?;
    one(p.select(negative, quotient, power)?)
}

/// Max, Min, Sum and Mean of any number of operands.
pub(crate) fn variadic(op: &Op, p: &mut Part) -> Native {
    let operands = p.present();
    let Some((first, rest)) = operands.split_first() else { return Ok(None) };
    let float = p.datum(*first)?.is_float();
    let mut so_far = *first;
    for next in rest {
        so_far = match op {
            Op::Sum(_) | Op::Mean(_) => p.binary(math::add(), so_far, *next)?,
            Op::Max(_) => extremum(p, math::max(), so_far, *next, float)?,
            Op::Min(_) => extremum(p, math::min(), so_far, *next, float)?,
            _ => return Ok(None),
        };
    }
    if matches!(op, Op::Mean(_)) {
        so_far = p.with(math::div(), so_far, operands.len() as f64)?;
    }
    one(so_far)
}

/// tract drops a NaN where ONNX keeps it: a NaN on either side is put back.
fn extremum(p: &mut Part, op: TypedBinOp, a: OutletId, b: OutletId, float: bool) -> TractResult<OutletId> {
    let [a, b] = p.even([a, b])?;
    let mut found = p.binary(op, a, b)?;
    if float {
        for side in [a, b] {
            if p.fact(side)?.konst.is_some() {
                continue;
            }
            let number = p.op(TypedBinOp(logic::comp_eq(), None), &[side, side])?;
            found = p.select(number, found, side)?;
        }
    }
    Ok(found)
}

/// Where and Clip.
pub(crate) fn select(op: &Op, p: &mut Part) -> Native {
    match op {
        Op::Where(_) => {
            let (condition, a, b) = (p.input(0)?, p.input(1)?, p.input(2)?);
            one(p.select(condition, a, b)?)
        }
        Op::Clip(_) => {
            let x = p.input(0)?;
            let mut y = x;
            for (slot, wire) in [(1, math::max()), (2, math::min())] {
                if let Some(bound) = p.maybe(slot) {
                    y = p.binary(wire, y, bound)?;
                }
            }
            one(p.put_back_nan(x, y)?)
        }
        _ => Ok(None),
    }
}

/// Cast and CastLike; `target` is the element type that the IR inferred for the result.
pub(crate) fn convert(op: &Op, p: &mut Part) -> Native {
    let x = p.input(0)?;
    match op {
        Op::Cast(op) => {
            let Some(to) = datum_type(op.to) else { return Ok(None) };
            let x = if matches!(op.to, DType::F16) && p.datum(x)? != DatumType::Bool {
                // The engine computes on in f32, but a conversion rounds where the model says so.
                p.cast(x, DatumType::F16)?
            } else {
                x
            };
            one(p.cast(x, to)?)
        }
        Op::CastLike(_) => {
            let like = p.input(1)?;
            let to = p.datum(like)?;
            one(p.cast(x, to)?)
        }
        _ => Ok(None),
    }
}
