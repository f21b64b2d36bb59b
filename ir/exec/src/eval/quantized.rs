//! Quantisation: rounding half to even, saturation, integer products that are exact before they are scaled.

use edgesmith_ir::op::{ConvInteger, DequantizeLinear, QLinearConv, QuantizeLinear};
use edgesmith_ir::{DType, Tensor};

use super::conv::Convolution;
use super::cx::one;
use super::dense::{Dense, Numbers, answer, invalid, round_to, rounded, shape_of, spread, unsupported};
use super::layout::{extents, strides};
use super::number;
use super::product::StackedProduct;
use super::{EvalCx, EvalError, Evaluated};

/// Which scale belongs to which element.
enum Granularity {
    Tensor,
    /// Elements that share an index on the axis: distance of its steps, its extent.
    Axis(usize, usize),
    /// Blocks along an axis: distance of its steps, its extent, elements of a block, blocks.
    Block(usize, usize, usize, usize),
}

impl Granularity {
    fn of(cx: &EvalCx<'_>, scale: &[usize], x: &[usize], axis: i64, block_size: i64) -> Result<Self, EvalError> {
        let mismatch = || invalid(format!("a scale of shape {scale:?} does not fit the shape {x:?} on axis {axis}"));
        if scale.is_empty() || (scale == [1] && block_size == 0) {
            return Ok(Granularity::Tensor);
        }
        let axis = cx.axis(axis, x.len())?;
        let (stride, extent) = (strides(x)[axis], x[axis]);
        if block_size == 0 {
            return if scale == [extent] { Ok(Granularity::Axis(stride, extent)) } else { Err(mismatch()) };
        }
        let size = usize::try_from(block_size).map_err(|_| invalid("block_size is negative"))?;
        let mut blocks = x.to_vec();
        blocks[axis] = extent.div_ceil(size);
        if scale == blocks { Ok(Granularity::Block(stride, extent, size, blocks[axis])) } else { Err(mismatch()) }
    }
    /// The index of the scale of an element.
    fn scale(&self, element: usize) -> usize {
        match *self {
            Granularity::Tensor => 0,
            Granularity::Axis(stride, extent) => element / stride % extent,
            Granularity::Block(stride, extent, size, blocks) => {
                let (outer, along, inner) = (element / stride / extent, element / stride % extent, element % stride);
                (outer * blocks + along / size) * stride + inner
            }
        }
    }
}

/// Integers of an integer type that holds at most 16 bits, saturated.
fn saturated(dtype: DType, shape: &[usize], data: impl Iterator<Item = f64>) -> Result<Tensor, EvalError> {
    // `as` saturates.
    match dtype {
        DType::U8 => number::tensor(shape, data.map(|x| x as u8).collect()),
        DType::I8 => number::tensor(shape, data.map(|x| x as i8).collect()),
        DType::U16 => number::tensor(shape, data.map(|x| x as u16).collect()),
        DType::I16 => number::tensor(shape, data.map(|x| x as i16).collect()),
        DType::U4 | DType::U2 => packed(dtype, shape, data, 0.0),
        DType::I4 | DType::I2 => packed(dtype, shape, data, -f64::from(1_u8 << (dtype.bits() - 1))),
        other => Err(unsupported(format!("quantisation to {other}"))),
    }
}

/// Saturated integers of less than a byte from `least` on, the first in the low bits.
fn packed(dtype: DType, shape: &[usize], data: impl Iterator<Item = f64>, least: f64) -> Result<Tensor, EvalError> {
    let (bits, data) = (dtype.bits(), data.collect::<Vec<f64>>());
    let (mask, greatest) = ((1_u8 << bits) - 1, least + f64::from((1_u8 << bits) - 1));
    let byte = |elements: &[f64]| {
        elements.iter().rev().fold(0, |byte: u8, x| byte << bits | (x.clamp(least, greatest) as i8 as u8 & mask))
    };
    let bytes: Vec<u8> = data.chunks(8 / bits as usize).map(byte).collect();
    Ok(Tensor::dense(dtype, extents(shape), bytes.into())?)
}

/// Whether elements are integers that can be dequantised: those of one to four bytes, or of a part of a byte.
fn is_quantised(dtype: DType) -> bool {
    dtype.is_integer() || matches!(dtype, DType::U4 | DType::I4 | DType::U2 | DType::I2)
}

/// The element type with ONNX's number; `None` for 0, which means absent.
fn chosen(number: i64) -> Result<Option<DType>, EvalError> {
    if number == 0 {
        return Ok(None);
    }
    let dtype = i32::try_from(number).ok().and_then(DType::from_onnx);
    dtype.map(Some).ok_or_else(|| invalid(format!("there is no element type {number}")))
}

/// `saturate(round(x / scale) + zero point)`: the quotient in the type of the scale, rounded half to even before the
/// zero point is added.
pub(super) fn quantize_linear(op: &QuantizeLinear, cx: &EvalCx<'_>) -> Evaluated {
    let (x, scale, zero_point) = (cx.tensor(0)?, cx.floats(1)?, cx.maybe_tensor(2)?);
    let dtype = match (zero_point, chosen(op.output_dtype)?) {
        (Some(zero_point), _) => zero_point.dtype(),
        (None, Some(dtype)) => dtype,
        (None, None) => DType::U8,
    };
    let shape = shape_of(x);
    cx.allow(dtype, &shape)?;
    let precision = chosen(op.precision)?.unwrap_or(scale.dtype);
    let granularity = Granularity::of(cx, &scale.shape, &shape, op.axis, op.block_size)?;
    let zeros = zero_points(zero_point, &scale)?;
    let mut x = Numbers::of(x)?.all();
    for (element, value) in x.iter_mut().enumerate() {
        let group = granularity.scale(element);
        let quotient = round_to(precision, round_to(precision, *value) / round_to(precision, scale.data[group]));
        *value = if quotient.is_nan() { nan_value(cx)? } else { quotient.round_ties_even() + zeros[group] };
    }
    one(saturated(dtype, &shape, x.into_iter())?)
}

/// What stands for NaN where an answer must be given: the least value, as ONNX Runtime has it.
fn nan_value(cx: &EvalCx<'_>) -> Result<f64, EvalError> {
    cx.open("the quantised value of NaN")?;
    Ok(f64::NEG_INFINITY)
}

/// Zero points, one for each scale.
fn zero_points(zero_point: Option<&Tensor>, scale: &Dense) -> Result<Vec<f64>, EvalError> {
    let Some(zero_point) = zero_point else { return Ok(vec![0.0; scale.data.len()]) };
    let zeros = Dense::numbers(zero_point)?;
    if zeros.data.len() == scale.data.len() {
        Ok(zeros.data)
    } else {
        Err(invalid(format!("{} zero points for {} scales", zeros.data.len(), scale.data.len())))
    }
}

/// `(x - zero point) * scale`, rounded once.
pub(super) fn dequantize_linear(op: &DequantizeLinear, cx: &EvalCx<'_>) -> Evaluated {
    let (x, scale) = (cx.tensor(0)?, cx.floats(1)?);
    if !is_quantised(x.dtype()) {
        return Err(unsupported(format!("dequantisation of {}", x.dtype())));
    }
    let (dtype, shape) = (chosen(op.output_dtype)?.unwrap_or(scale.dtype), shape_of(x));
    cx.allow(dtype, &shape)?;
    let granularity = Granularity::of(cx, &scale.shape, &shape, op.axis, op.block_size)?;
    let zeros = zero_points(cx.maybe_tensor(2)?, &scale)?;
    let mut x = Numbers::of(x)?.all();
    for (element, value) in x.iter_mut().enumerate() {
        let group = granularity.scale(element);
        *value = (*value - zeros[group]) * scale.data[group];
    }
    one(rounded(dtype, &shape, &x)?)
}

/// Quantises to uint8 with the range of the data, zero included.
pub(super) fn dynamic_quantize_linear(cx: &EvalCx<'_>) -> Evaluated {
    let x = cx.floats(0)?;
    cx.allow_all(&[(DType::U8, &x.shape), (x.dtype, &[]), (DType::U8, &[])])?;
    let (low, high) = x.data.iter().fold((0.0_f64, 0.0_f64), |(low, high), value| (low.min(*value), high.max(*value)));
    // Each step is one operator of the type of the data. Nothing but zeros gives a scale of 0 by the formula, which
    // nobody can divide by; 1 is what ONNX Runtime takes.
    let range = round_to(x.dtype, high - low);
    let scale = if range == 0.0 { 1.0 } else { round_to(x.dtype, range / 255.0) };
    let zero = round_to(x.dtype, -round_to(x.dtype, low / scale)).clamp(0.0, 255.0).round_ties_even();
    let quantised = |value: &f64| {
        let quotient = round_to(x.dtype, value / scale);
        if quotient.is_nan() { nan_value(cx) } else { Ok(quotient.round_ties_even() + zero) }
    };
    let quantised = x.data.iter().map(quantised).collect::<Result<Vec<f64>, _>>()?.into_iter();
    answer([
        Some(saturated(DType::U8, &x.shape, quantised)?),
        Some(rounded(x.dtype, &[], &[scale])?),
        Some(saturated(DType::U8, &[], std::iter::once(zero))?),
    ])
}

/// Parameters of the rows of a left operand or the columns of a right one, broadcast to `target`. A vector belongs to
/// the last axis but one of the left operand, to the last axis of the right one.
fn per_line(parameter: &Dense, left: bool, target: &[usize]) -> Result<Vec<f64>, EvalError> {
    let own = match parameter.shape.as_slice() {
        [1] => vec![],
        [count] if left => vec![*count, 1],
        other => other.to_vec(),
    };
    Ok(spread(&own, target)?.into_iter().map(|place| parameter.data[place]).collect())
}

/// An operand of integers less its zero points.
fn centered(cx: &EvalCx<'_>, slot: usize, zero_slot: usize, left: bool) -> Result<Dense, EvalError> {
    let mut x = Dense::numbers(cx.tensor(slot)?)?;
    if let Some(zero_point) = cx.maybe_tensor(zero_slot)? {
        for (value, zero) in x.data.iter_mut().zip(per_line(&Dense::numbers(zero_point)?, left, &x.shape)?) {
            *value -= zero;
        }
    }
    Ok(x)
}

/// An int32 sum that has run over wraps.
fn wrapped_i32(shape: &[usize], sums: &[f64]) -> Result<Tensor, EvalError> {
    number::tensor(shape, sums.iter().map(|sum| *sum as i64 as i32).collect())
}

/// Matrix product of integers less their zero points.
pub(super) fn matmul_integer(cx: &EvalCx<'_>) -> Evaluated {
    let (a, b) = (centered(cx, 0, 2, true)?, centered(cx, 1, 3, false)?);
    let product = StackedProduct::of(&a.shape, &b.shape)?;
    cx.allow(DType::I32, &product.shape)?;
    let sums = product.floats(&Numbers::Wide(a.data), &Numbers::Wide(b.data));
    one(wrapped_i32(&product.shape, &sums)?)
}

/// Sums scaled and quantised: `saturate(round(sum * factor) + zero point)`.
fn requantized(
    dtype: DType,
    shape: &[usize],
    sums: &[f64],
    factor: impl Fn(usize) -> f64,
    zero: f64,
) -> Result<Tensor, EvalError> {
    let values = sums.iter().enumerate().map(|(element, sum)| (sum * factor(element)).round_ties_even() + zero);
    saturated(dtype, shape, values)
}

/// Matrix product of quantised tensors.
pub(super) fn qlinear_matmul(cx: &EvalCx<'_>) -> Evaluated {
    let (a, b) = (centered(cx, 0, 2, true)?, centered(cx, 3, 5, false)?);
    let (a_scale, b_scale) = (cx.floats(1)?, cx.floats(4)?);
    let (y_scale, y_zero, dtype) = (cx.scalar(6)?, cx.scalar(7)?, cx.tensor(7)?.dtype());
    let product = StackedProduct::of(&a.shape, &b.shape)?;
    cx.allow(dtype, &product.shape)?;
    let a_factors = per_line(&a_scale, true, &product.shape)?;
    let b_factors = per_line(&b_scale, false, &product.shape)?;
    let sums = product.floats(&Numbers::Wide(a.data), &Numbers::Wide(b.data));
    let factor = |element: usize| a_factors[element] * b_factors[element] / y_scale;
    one(requantized(dtype, &product.shape, &sums, factor, y_zero)?)
}

/// Input and weights of a convolution less their zero points; those of the weights may differ by filter.
fn centered_convolution(cx: &EvalCx<'_>, x: [usize; 2], weight: [usize; 2]) -> Result<(Dense, Dense), EvalError> {
    let (mut input, mut weights) = (Dense::numbers(cx.tensor(x[0])?)?, Dense::numbers(cx.tensor(weight[0])?)?);
    if cx.maybe_tensor(x[1])?.is_some() {
        let zero = cx.scalar(x[1])?;
        input.data.iter_mut().for_each(|value| *value -= zero);
    }
    if let Some(zeros) = cx.maybe_tensor(weight[1])? {
        let zeros = Dense::numbers(zeros)?;
        let filters = weights.shape.first().copied().unwrap_or(1).max(1);
        let size = (weights.data.len() / filters).max(1);
        if zeros.data.len() != 1 && zeros.data.len() != filters {
            return Err(invalid(format!("{} zero points for {filters} filters", zeros.data.len())));
        }
        for (filter, values) in weights.data.chunks_mut(size).enumerate() {
            let zero = zeros.data[if zeros.data.len() == 1 { 0 } else { filter }];
            values.iter_mut().for_each(|value| *value -= zero);
        }
    }
    Ok((input, weights))
}

/// Convolution of integers less their zero points; padding counts as true zero.
pub(super) fn conv_integer(op: &ConvInteger, cx: &EvalCx<'_>) -> Evaluated {
    let (x, weight) = centered_convolution(cx, [0, 2], [1, 3])?;
    let plan = Convolution::of(&x.shape, &weight.shape, op.group, &op.kernel_shape, |n, k| op.windows(n, k))?;
    let shape = plan.shape();
    cx.allow(DType::I32, &shape)?;
    one(wrapped_i32(&shape, &plan.run(&x.data, &weight.data, None))?)
}

/// Convolution of quantised tensors; the bias is in units of the product of the scales of input and weights.
pub(super) fn qlinear_conv(op: &QLinearConv, cx: &EvalCx<'_>) -> Evaluated {
    let (x, weight) = centered_convolution(cx, [0, 2], [3, 5])?;
    let plan = Convolution::of(&x.shape, &weight.shape, op.group, &op.kernel_shape, |n, k| op.windows(n, k))?;
    let (shape, positions) = (plan.shape(), plan.positions().max(1));
    let (x_scale, y_scale, y_zero) = (cx.scalar(1)?, cx.scalar(6)?, cx.scalar(7)?);
    let (weight_scale, dtype) = (cx.floats(4)?, cx.tensor(7)?.dtype());
    cx.allow(dtype, &shape)?;
    let filters = shape[1];
    let bias = cx.maybe_tensor(8)?.map(Dense::numbers).transpose()?;
    for (what, count) in [("scales", weight_scale.data.len()), ("biases", bias.as_ref().map_or(1, |b| b.data.len()))] {
        if count != filters && (count != 1 || (what == "biases" && bias.is_some())) {
            return Err(invalid(format!("{count} {what} for {filters} filters")));
        }
    }
    let sums = plan.run(&x.data, &weight.data, bias.as_ref().map(|bias| bias.data.as_slice()));
    let factor = |element: usize| {
        let filter = if weight_scale.data.len() == 1 { 0 } else { element / positions % filters };
        x_scale * weight_scale.data[filter] / y_scale
    };
    one(requantized(dtype, &shape, &sums, factor, y_zero)?)
}
