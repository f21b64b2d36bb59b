//! Quantised operators, computed as the text says: integers in int32, scales in f32.
//!
//! tract's own quantised types carry their scale in the type and change what other operators mean; they are not used.

use edgesmith_ir::op::geometry::{Granularity, granularity};
use edgesmith_ir::{DType, Dim, Op};
use tract_core::internal::*;
use tract_core::ops::binary::TypedBinOp;
use tract_core::ops::nn::Reducer;
use tract_core::ops::{logic, math};

use super::super::part::{Native, Part, one};
use super::super::quantize::Quantize;
use super::product::mat_mul;
use crate::tensor::datum_type;

/// QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear, MatMulInteger and QLinearMatMul.
pub(crate) fn lower(op: &Op, p: &mut Part) -> Native {
    match op {
        Op::QuantizeLinear(op) => {
            let x = p.input(0)?;
            let to = match p.maybe(2) {
                Some(zero) => p.datum(zero)?,
                None => match output_type(op.output_dtype) {
                    Some(datum) => datum,
                    None => return Ok(None),
                },
            };
            if !is_narrow(to) {
                return Ok(None);
            }
            let x = p.cast(x, DatumType::F32)?;
            let scale = spread(p, 1, x, op.axis, op.block_size)?;
            let scale = p.cast(scale, DatumType::F32)?;
            let zero = match p.maybe(2) {
                Some(_) => {
                    let zero = spread(p, 2, x, op.axis, op.block_size)?;
                    p.cast(zero, DatumType::F32)?
                }
                None => p.scalar_like(0.0, x)?,
            };
            one(p.op(Quantize { to }, &[x, scale, zero])?)
        }
        Op::DequantizeLinear(op) => {
            let x = p.input(0)?;
            if p.datum(x)?.is_float() {
                return Ok(None);
            }
            // The difference in int32: a float would lose the low bits of an int32 value.
            let mut whole = p.cast(x, DatumType::I32)?;
            if p.maybe(2).is_some() {
                let zero = spread(p, 2, x, op.axis, op.block_size)?;
                let zero = p.cast(zero, DatumType::I32)?;
                whole = p.op(math::sub(), &[whole, zero])?;
            }
            let scale = spread(p, 1, x, op.axis, op.block_size)?;
            let datum = p.datum(scale)?;
            let whole = p.cast(whole, datum)?;
            one(p.op(math::mul(), &[whole, scale])?)
        }
        Op::DynamicQuantizeLinear(_) => dynamic(p),
        Op::MatMulInteger(_) => {
            let a = centred(p, 0, 2, true)?;
            let b = centred(p, 1, 3, false)?;
            one(mat_mul(p, a, b)?)
        }
        Op::QLinearMatMul(_) => {
            let a = centred(p, 0, 2, true)?;
            let b = centred(p, 3, 5, false)?;
            let zero = p.input(7)?;
            let to = p.datum(zero)?;
            if !is_narrow(to) {
                return Ok(None);
            }
            let product = mat_mul(p, a, b)?;
            let product = p.cast(product, DatumType::F32)?;
            let a_scale = row_or_column(p, 1, true)?;
            let b_scale = row_or_column(p, 4, false)?;
            let scaled = p.binary(math::mul(), product, a_scale)?;
            let scaled = p.binary(math::mul(), scaled, b_scale)?;
            let zero = row_or_column(p, 7, true)?;
            let zero = p.cast(zero, DatumType::F32)?;
            let y_scale = row_or_column(p, 6, true)?;
            let [scaled, y_scale, zero] = p.even([scaled, y_scale, zero])?;
            one(p.op(Quantize { to }, &[scaled, y_scale, zero])?)
        }
        _ => Ok(None),
    }
}

fn output_type(number: i64) -> Option<DatumType> {
    if number == 0 {
        return Some(DatumType::U8);
    }
    datum_type(DType::from_onnx(i32::try_from(number).ok()?)?)
}

/// Whether values are quantised to this integer type.
fn is_narrow(datum: DatumType) -> bool {
    matches!(datum, DatumType::U8 | DatumType::I8 | DatumType::U16 | DatumType::I16)
}

/// A scale or zero point at the rank of `x`: one for all, one per index of an axis, or one per block of an axis.
fn spread(p: &mut Part, slot: usize, x: OutletId, axis: i64, block: i64) -> TractResult<OutletId> {
    let parameter = p.input(slot)?;
    let dims = |shape: &[usize]| -> Vec<Dim> { shape.iter().map(|n| Dim::Known(*n as i64)).collect() };
    let (own, shape) = (p.shape(parameter)?, p.shape(x)?);
    match granularity(&dims(&shape), &dims(&own), axis, block)? {
        Granularity::PerTensor => {
            let axes: Vec<usize> = (0..own.len()).collect();
            let scalar = p.drop_axes(parameter, &axes)?;
            p.to_rank(scalar, shape.len())
        }
        Granularity::PerAxis(axis) => p.along(parameter, axis, shape.len()),
        Granularity::Blocked { axis, block } => {
            let indices: Vec<i64> = (0..shape[axis] as i64).map(|at| at / block).collect();
            p.pick(parameter, axis, &indices)
        }
    }
}

/// A factor of an integer product in int32 without its zero point.
fn centred(p: &mut Part, slot: usize, zero: usize, left: bool) -> TractResult<OutletId> {
    let factor = p.input(slot)?;
    let factor = p.cast(factor, DatumType::I32)?;
    if p.maybe(zero).is_none() {
        return Ok(factor);
    }
    let zero = row_or_column(p, zero, left)?;
    let zero = p.cast(zero, DatumType::I32)?;
    p.binary(math::sub(), factor, zero)
}

/// A parameter of a factor: a scalar, a vector of rows of the left factor or of columns of the right, or in full shape.
fn row_or_column(p: &mut Part, slot: usize, left: bool) -> TractResult<OutletId> {
    let parameter = p.input(slot)?;
    let shape = p.shape(parameter)?;
    match shape.as_slice() {
        [1] => p.drop_axes(parameter, &[0]),
        [_] if left => p.op(AxisOp::Add(1), &[parameter]),
        _ => Ok(parameter),
    }
}

/// uint8 with the range of the data at hand, zero included.
fn dynamic(p: &mut Part) -> Native {
    let x = p.input(0)?;
    let rank = p.rank(x)?;
    let axes: Vec<usize> = (0..rank).collect();
    let largest = p.reduce(x, &axes, Reducer::Max)?;
    let largest = p.with(math::max(), largest, 0.0)?;
    let smallest = p.reduce(x, &axes, Reducer::Min)?;
    let smallest = p.with(math::min(), smallest, 0.0)?;
    let range = p.op(math::sub(), &[largest, smallest])?;
    let step = p.with(math::div(), range, 255.0)?;
    // All elements zero: any scale will do.
    let nothing = p.with(TypedBinOp(logic::comp_eq(), None), range, 0.0)?;
    let unit = p.scalar_like(1.0, step)?;
    let scale = p.select(nothing, unit, step)?;
    // The zero point is what a zero offset of the smallest element quantises to.
    let lowest = p.op(math::neg(), &[smallest])?;
    let none = p.scalar_like(0.0, x)?;
    let zero_byte = p.op(Quantize { to: DatumType::U8 }, &[lowest, scale, none])?;
    let zero = p.cast(zero_byte, DatumType::F32)?;
    let y = p.op(Quantize { to: DatumType::U8 }, &[x, scale, zero])?;
    let (scale, zero) = (p.drop_axes(scale, &axes)?, p.drop_axes(zero_byte, &axes)?);
    Ok(Some(tvec!(y, scale, zero)))
}
