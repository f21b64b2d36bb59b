//! Convolutions and poolings.
//!
//! Where the windows lie is computed by the IR's own geometry, so that tract's reading of `auto_pad`, `ceil_mode` and
//! `output_shape` (some of it wrong) is never asked: tract gets explicit padding that makes exactly the windows there
//! are.

use edgesmith_ir::Op;
use edgesmith_ir::op::ConvTranspose;
use edgesmith_ir::op::geometry::Window;
use tract_core::internal::*;
use tract_core::ops::binary::TypedBinOp;
use tract_core::ops::cnn::{Conv, Deconv, KernelFormat, MaxPool, PaddingSpec, PoolSpec, SumPool};
use tract_core::ops::nn::{DataFormat, Reducer};
use tract_core::ops::{logic, math};

use super::super::part::{Native, Part, one};

/// Conv, ConvTranspose, the poolings over windows and those over everything.
pub(crate) fn lower(op: &Op, p: &mut Part) -> Native {
    let x = p.input(0)?;
    if !p.datum(x)?.is_float() && !matches!(op, Op::MaxPool(_)) {
        return Ok(None);
    }
    match op {
        Op::Conv(conv) => {
            if p.datum(x)? != DatumType::F32 {
                return Ok(None);
            }
            let kernel = p.shape(p.input(1)?)?;
            let windows = conv.windows(&spatial(p, x)?, &ints(&kernel[2..]))?;
            convolution(p, x, &windows, conv.group)
        }
        Op::ConvTranspose(conv) => transposed(conv, p, x),
        Op::AveragePool(pool) => {
            let windows = pool.windows(&spatial(p, x)?, &pool.kernel_shape)?;
            average(p, x, &windows, pool.count_include_pad)
        }
        Op::LpPool(pool) => {
            let windows = pool.windows(&spatial(p, x)?, &pool.kernel_shape)?;
            let size = p.op(math::abs(), &[x])?;
            let powers = p.with(math::pow(), size, pool.p as f64)?;
            let sums = sum_pool(p, powers, &windows)?;
            one(p.with(math::pow(), sums, 1.0 / pool.p as f64)?)
        }
        Op::MaxPool(pool) => {
            let windows = pool.windows(&spatial(p, x)?, &pool.kernel_shape)?;
            max_pool(p, x, &windows, pool.storage_order)
        }
        Op::GlobalAveragePool(_) => {
            let axes = spatial_axes(p, x)?;
            one(p.mean(x, &axes)?)
        }
        Op::GlobalMaxPool(_) => {
            let axes = spatial_axes(p, x)?;
            let y = p.reduce(x, &axes, Reducer::Max)?;
            if !p.exact {
                return one(y);
            }
            let above = p.with(TypedBinOp(logic::comp_gt(), None), x, f64::NEG_INFINITY)?;
            let nothing = p.op(logic::not(), &[above])?;
            let nothing = p.reduce(nothing, &axes, Reducer::All)?;
            let least = p.scalar_like(f64::NEG_INFINITY, y)?;
            one(p.select(nothing, least, y)?)
        }
        Op::GlobalLpPool(pool) => {
            let axes = spatial_axes(p, x)?;
            let size = p.op(math::abs(), &[x])?;
            let powers = p.with(math::pow(), size, pool.p as f64)?;
            let sum = p.reduce(powers, &axes, Reducer::Sum)?;
            one(p.with(math::pow(), sum, 1.0 / pool.p as f64)?)
        }
        _ => Ok(None),
    }
}

fn ints(extents: &[usize]) -> Vec<i64> {
    extents.iter().map(|n| *n as i64).collect()
}

/// The spatial extents of a value `[batch, channels, ...]`.
fn spatial(p: &Part, x: OutletId) -> TractResult<Vec<i64>> {
    let shape = p.shape(x)?;
    ensure!(shape.len() >= 2, "rank {} has no channels", shape.len());
    Ok(ints(&shape[2..]))
}

fn spatial_axes(p: &Part, x: OutletId) -> TractResult<Vec<usize>> {
    Ok((2..p.rank(x)?).collect())
}

/// The last element that a window reads, counted from the first element of the input, plus one.
fn reach(window: &Window) -> i64 {
    (window.output - 1) * window.stride + (window.kernel - 1) * window.dilation + 1 - window.begin
}

/// Crops what negative padding removes, and returns the padding that remains: before and after each axis, so that
/// exactly the windows there are fit.
fn fit(p: &mut Part, mut x: OutletId, windows: &[Window]) -> TractResult<(OutletId, TVec<usize>, TVec<usize>)> {
    let (mut before, mut after) = (tvec!(), tvec!());
    for (index, window) in windows.iter().enumerate() {
        ensure!(window.output > 0, "a result without elements");
        let from = (-window.begin).max(0);
        let end = reach(window) - window.input;
        // Elements that no window reads may stay while they are fewer than a stride.
        let crop = if end <= -window.stride { -end } else { 0 };
        if from > 0 || crop > 0 {
            x = p.slice(x, 2 + index, from as usize, (window.input - crop) as usize)?;
        }
        before.push(window.begin.max(0) as usize);
        after.push(end.max(0) as usize);
    }
    Ok((x, before, after))
}

fn pool_spec(windows: &[Window], padding: PaddingSpec, input_channels: usize, output_channels: usize) -> PoolSpec {
    PoolSpec {
        data_format: DataFormat::NCHW,
        kernel_shape: windows.iter().map(|w| w.kernel as usize).collect(),
        padding,
        dilations: Some(windows.iter().map(|w| w.dilation as usize).collect()),
        strides: Some(windows.iter().map(|w| w.stride as usize).collect()),
        input_channels,
        output_channels,
    }
}

/// tract wants a bias always: a vector, or a scalar where there is one channel.
fn bias(p: &mut Part, slot: usize, channels: usize) -> TractResult<OutletId> {
    match p.maybe(slot) {
        Some(bias) if channels == 1 => p.drop_axes(bias, &[0]),
        Some(bias) => Ok(bias),
        None => {
            let zero = Tensor::zero_scalar_dt(DatumType::F32)?;
            p.constant(zero)
        }
    }
}

fn convolution(p: &mut Part, x: OutletId, windows: &[Window], group: i64) -> Native {
    let weight = p.input(1)?;
    let kernel = p.shape(weight)?;
    let group = usize::try_from(group)?;
    let (x, before, after) = fit(p, x, windows)?;
    let padding = PaddingSpec::Explicit(before, after);
    let pool_spec = pool_spec(windows, padding, kernel[1] * group, kernel[0]);
    let bias = bias(p, 2, kernel[0])?;
    let conv = Conv { pool_spec, kernel_fmt: KernelFormat::OIHW, group, q_params: None };
    one(p.op(conv, &[x, weight, bias])?)
}

fn transposed(op: &ConvTranspose, p: &mut Part, x: OutletId) -> Native {
    if p.datum(x)? != DatumType::F32 {
        return Ok(None);
    }
    let weight = p.input(1)?;
    let kernel = p.shape(weight)?;
    let group = usize::try_from(op.group)?;
    let windows = op.windows(&spatial(p, x)?, &ints(&kernel[2..]))?;
    let (mut before, mut after, mut adjustments) = (tvec!(), tvec!(), tvec!());
    for window in &windows {
        ensure!(window.begin >= 0, "negative padding before a transposed convolution");
        before.push(window.begin as usize);
        after.push(window.end.max(0) as usize);
        adjustments.push((-window.end).max(0) as usize);
    }
    // ONNX has [inputs, outputs / group, ...]; tract wants [outputs, inputs / group, ...], each group's outputs together.
    let (inputs, outputs) = (kernel[0], kernel[1]);
    let dim = |n: usize| n.to_dim();
    let weight = p.axes(
        weight,
        [
            AxisOp::Reshape(0, tvec!(dim(inputs)), tvec!(dim(group), dim(inputs / group))),
            AxisOp::Move(1, 2),
            AxisOp::Reshape(0, tvec!(dim(group), dim(outputs)), tvec!(dim(group * outputs))),
        ],
    )?;
    let bias = bias(p, 2, outputs * group)?;
    let pool_spec = PoolSpec {
        data_format: DataFormat::NCHW,
        kernel_shape: windows.iter().map(|w| w.kernel as usize).collect(),
        padding: PaddingSpec::Explicit(before, after),
        dilations: Some(windows.iter().map(|w| w.dilation as usize).collect()),
        strides: Some(windows.iter().map(|w| w.stride as usize).collect()),
        input_channels: inputs,
        output_channels: outputs * group,
    };
    let deconv = Deconv { pool_spec, kernel_format: KernelFormat::OIHW, adjustments, group };
    one(p.op(deconv, &[x, weight, bias])?)
}

fn sum_pool(p: &mut Part, x: OutletId, windows: &[Window]) -> TractResult<OutletId> {
    let channels = p.shape(x)?[1];
    let (x, before, after) = fit(p, x, windows)?;
    let pool_spec = pool_spec(windows, PaddingSpec::Explicit(before, after), channels, channels);
    p.op(SumPool { pool_spec, count_include_pad: false, normalize: false }, &[x])
}

/// Sums over windows, divided by how many elements each window counts.
fn average(p: &mut Part, x: OutletId, windows: &[Window], count_pads: bool) -> Native {
    let sums = sum_pool(p, x, windows)?;
    let counts: Vec<Vec<f64>> = windows.iter().map(|window| counts(window, count_pads)).collect();
    if let Some(same) = uniform(&counts) {
        return one(p.with(math::mul(), sums, 1.0 / same)?);
    }
    let mut shape = vec![1, 1];
    let mut products = vec![1.0];
    for counts in &counts {
        shape.push(counts.len());
        products = products.iter().flat_map(|so_far| counts.iter().map(move |count| so_far * count)).collect();
    }
    let datum = p.datum(x)?;
    let products = p.float_constant(&shape, &products, datum)?;
    one(p.op(math::div(), &[sums, products])?)
}

/// How many taps of each window of an axis count: those inside the input, or inside the padded input.
fn counts(window: &Window, count_pads: bool) -> Vec<f64> {
    let (low, high) = if count_pads { (-window.begin, window.input + window.end.max(0)) } else { (0, window.input) };
    (0..window.output)
        .map(|o| {
            let start = o * window.stride - window.begin;
            (0..window.kernel).filter(|k| (low..high).contains(&(start + k * window.dilation))).count() as f64
        })
        .collect()
}

fn uniform(counts: &[Vec<f64>]) -> Option<f64> {
    let mut product = 1.0;
    for axis in counts {
        let first = axis.first()?;
        if axis.iter().any(|count| count != first) {
            return None;
        }
        product *= first;
    }
    Some(product)
}

/// The second result, where wanted, holds positions in the whole tensor; tract counts them inside one channel.
/// The largest elements of windows, where tract starts from the least finite number: minus infinity is put back where
/// a window has nothing above it.
fn put_back_unbounded(p: &mut Part, x: OutletId, y: OutletId, pool_spec: PoolSpec) -> TractResult<OutletId> {
    let above = || TypedBinOp(logic::comp_gt(), None);
    let mark = p.with(above(), x, f64::NEG_INFINITY)?;
    let mark = p.cast(mark, DatumType::F32)?;
    let mark = p.op(MaxPool { pool_spec, with_index_outputs: None }, &[mark])?;
    let bounded = p.with(above(), mark, 0.5)?;
    let least = p.scalar_like(f64::NEG_INFINITY, y)?;
    p.select(bounded, y, least)
}

fn max_pool(p: &mut Part, x: OutletId, windows: &[Window], column_major: bool) -> Native {
    let shape = p.shape(x)?;
    let with_indices = p.wants(1);
    let cropped = windows.iter().any(|w| w.begin < 0 || w.end < 0);
    if with_indices && (cropped || (column_major && windows.len() != 2)) {
        return Ok(None);
    }
    let (x, before, after) = fit(p, x, windows)?;
    let padding = PaddingSpec::ExplicitOnnxPool(before, after, false);
    let pool_spec = pool_spec(windows, padding, shape[1], shape[1]);
    if !with_indices {
        let y = p.op(MaxPool { pool_spec: pool_spec.clone(), with_index_outputs: None }, &[x])?;
        return one(if p.exact && p.datum(x)?.is_float() { put_back_unbounded(p, x, y, pool_spec)? } else { y });
    }
    let pooled = p.ops(MaxPool { pool_spec, with_index_outputs: Some(DatumType::I64) }, &[x])?;
    let mut place = pooled[1];
    if let (true, [height, width]) = (column_major, &shape[2..]) {
        let row = p.with(math::div(), place, *width as f64)?;
        let column = p.with(math::rem(), place, *width as f64)?;
        let column = p.with(math::mul(), column, *height as f64)?;
        place = p.op(math::add(), &[row, column])?;
    }
    let plane: usize = shape[2..].iter().product();
    let starts: Vec<i64> = (0..shape[0] * shape[1]).map(|channel| (channel * plane) as i64).collect();
    let mut starts_shape = vec![1; shape.len()];
    starts_shape[..2].copy_from_slice(&shape[..2]);
    let starts = p.int_constant(&starts_shape, &starts)?;
    let indices = p.op(math::add(), &[place, starts])?;
    Ok(Some(tvec!(pooled[0], indices)))
}
