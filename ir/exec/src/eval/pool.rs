//! Pooling over windows or over whole planes, and the way back of MaxPool.

use edgesmith_ir::infer::InferError;
use edgesmith_ir::op::geometry::Window;
use edgesmith_ir::op::{AveragePool, GlobalLpPool, LpPool, MaxPool, MaxUnpool};
use edgesmith_ir::{DType, Tensor};

use super::cx::one;
use super::dense::{Dense, Numbers, answer, invalid, rounded, shape_of, step, unsupported};
use super::number;
use super::stored::cut;
use super::{EvalCx, EvalError, Evaluated};

/// The windows of a pooling over planes of one input.
struct Pooling {
    windows: Vec<Window>,
    /// Batch times channels.
    planes: usize,
    /// Elements of one plane.
    plane: usize,
    /// Windows of one plane.
    positions: usize,
    /// Extents of the result.
    shape: Vec<usize>,
}

fn signed(extents: &[usize]) -> Vec<i64> {
    extents.iter().map(|extent| *extent as i64).collect()
}

/// Batch times channels, and the spatial extents.
fn planes(shape: &[usize]) -> Result<(usize, &[usize]), EvalError> {
    match shape {
        [batch, channels, spatial @ ..] => Ok((batch * channels, spatial)),
        _ => Err(invalid(format!("a batch and channels are needed, not shape {shape:?}"))),
    }
}

impl Pooling {
    fn of(
        x: &[usize],
        kernel: &[i64],
        windows: impl FnOnce(&[i64], &[i64]) -> Result<Vec<Window>, InferError>,
    ) -> Result<Self, EvalError> {
        let (planes, spatial) = planes(x)?;
        let windows = windows(&signed(spatial), kernel).map_err(|error| invalid(error.to_string()))?;
        let mut shape = x[..2].to_vec();
        shape.extend(windows.iter().map(|window| window.output as usize));
        Ok(Self { planes, plane: spatial.iter().product(), positions: shape[2..].iter().product(), shape, windows })
    }

    /// Calls `visit` for each window with its position, the cells inside the input in row-major order, and the number
    /// of taps that meet the input or its explicit padding.
    fn visit(&self, mut visit: impl FnMut(usize, &[usize], usize)) {
        if self.positions == 0 {
            return;
        }
        let outputs: Vec<usize> = self.shape[2..].to_vec();
        let mut index = vec![0; outputs.len()];
        let mut cells = Vec::new();
        for position in 0..self.positions {
            let mut padded = 1;
            cells.clear();
            cells.push(0);
            for (window, place) in self.windows.iter().zip(&index) {
                let first = *place as i64 * window.stride - window.begin;
                let places = (0..window.kernel).map(|tap| first + tap * window.dilation);
                padded *= places.clone().filter(|x| (-window.begin..window.input + window.end).contains(x)).count();
                let inside: Vec<usize> = places.filter(|x| (0..window.input).contains(x)).map(|x| x as usize).collect();
                cells = cells
                    .iter()
                    .flat_map(|cell| inside.iter().map(move |x| cell * window.input as usize + x))
                    .collect();
            }
            visit(position, &cells, padded);
            step(&mut index, &outputs);
        }
    }

    /// One number for each window of each plane.
    fn map(&self, x: &[f64], mut reduce: impl FnMut(&mut dyn Iterator<Item = f64>, usize) -> f64) -> Vec<f64> {
        let mut out = vec![0.0; self.planes * self.positions];
        self.visit(|position, cells, padded| {
            for plane in 0..self.planes {
                let values = &x[plane * self.plane..];
                out[plane * self.positions + position] = reduce(&mut cells.iter().map(|cell| values[*cell]), padded);
            }
        });
        out
    }
}

/// Mean over windows. The divisor counts the cells inside the input, or also those of the explicit padding, never those
/// that `ceil_mode` alone adds.
pub(super) fn average_pool(op: &AveragePool, cx: &EvalCx<'_>) -> Evaluated {
    let x = cx.floats(0)?;
    let pooling = Pooling::of(&x.shape, &op.kernel_shape, |n, k| op.windows(n, k))?;
    cx.allow(x.dtype, &pooling.shape)?;
    let out = pooling.map(&x.data, |cells, padded| {
        let (count, sum) = cells.fold((0_usize, 0.0), |(count, sum), value| (count + 1, sum + value));
        sum / if op.count_include_pad { padded } else { count } as f64
    });
    one(rounded(x.dtype, &pooling.shape, &out)?)
}

fn power(x: f64, p: i64) -> f64 {
    match p {
        1 => x.abs(),
        2 => x * x,
        _ => libm::pow(x.abs(), p as f64),
    }
}

fn root(x: f64, p: i64) -> f64 {
    match p {
        1 => x,
        2 => x.sqrt(),
        _ => libm::pow(x, 1.0 / p as f64),
    }
}

/// Lp norm over windows.
pub(super) fn lp_pool(op: &LpPool, cx: &EvalCx<'_>) -> Evaluated {
    let x = cx.floats(0)?;
    let pooling = Pooling::of(&x.shape, &op.kernel_shape, |n, k| op.windows(n, k))?;
    cx.allow(x.dtype, &pooling.shape)?;
    let out = pooling.map(&x.data, |cells, _| root(cells.map(|value| power(value, op.p)).sum(), op.p));
    one(rounded(x.dtype, &pooling.shape, &out)?)
}

/// The maximum and its place among the values; NaN never wins.
fn maximum(values: impl Iterator<Item = f64>) -> Option<(usize, f64)> {
    values
        .enumerate()
        .filter(|(_, value)| !value.is_nan())
        .reduce(|best, next| if next.1 > best.1 { next } else { best })
}

/// The least finite number of a type.
fn lowest(dtype: DType) -> f64 {
    match dtype {
        DType::F16 => half::f16::MIN.to_f64(),
        DType::BF16 => half::bf16::MIN.to_f64(),
        DType::F32 => f64::from(f32::MIN),
        DType::F64 => f64::MIN,
        DType::I8 => f64::from(i8::MIN),
        _ => 0.0,
    }
}

/// Values that MaxPool takes, back in their type.
fn narrowed(dtype: DType, shape: &[usize], data: &[f64]) -> Result<Tensor, EvalError> {
    if dtype.is_float() {
        rounded(dtype, shape, data)
    } else {
        cut(dtype, shape, data.iter().map(|x| *x as i64).collect())
    }
}

/// Maximum over windows, and where it was in the flattened input. A window of nothing or of NaN alone gives the least
/// finite number, as ONNX Runtime does.
pub(super) fn max_pool(op: &MaxPool, cx: &EvalCx<'_>) -> Evaluated {
    let tensor = cx.tensor(0)?;
    let dtype = tensor.dtype();
    if !dtype.is_float() && !matches!(dtype, DType::I8 | DType::U8) {
        return Err(unsupported(format!("MaxPool of {dtype}")));
    }
    let shape = shape_of(tensor);
    let pooling = Pooling::of(&shape, &op.kernel_shape, |n, k| op.windows(n, k))?;
    let with_indices = cx.wants(1);
    let results = [(dtype, pooling.shape.as_slice()), (DType::I64, pooling.shape.as_slice())];
    cx.allow_all(&results[..if with_indices { 2 } else { 1 }])?;
    let (values, spatial) = (Numbers::of(tensor)?, &shape[2..]);
    let mut out = vec![lowest(dtype); pooling.planes * pooling.positions];
    let mut indices = vec![0_i64; if with_indices { out.len() } else { 0 }];
    pooling.visit(|position, cells, _| {
        for plane in 0..pooling.planes {
            let base = plane * pooling.plane;
            let Some((place, value)) = maximum(cells.iter().map(|cell| values.get(base + cell))) else { continue };
            out[plane * pooling.positions + position] = value;
            if with_indices {
                let cell = if op.storage_order { column_major(cells[place], spatial) } else { cells[place] };
                indices[plane * pooling.positions + position] = (base + cell) as i64;
            }
        }
    });
    let y = narrowed(dtype, &pooling.shape, &out)?;
    let indices = with_indices.then(|| number::tensor(&pooling.shape, indices)).transpose()?;
    answer([Some(y), indices])
}

/// The same cell of a plane, counted with the first axis running fastest.
fn column_major(mut cell: usize, spatial: &[usize]) -> usize {
    spatial.iter().rev().fold(0, |place, extent| {
        let along = cell % extent;
        cell /= extent;
        // Horner from the last axis: what was gathered so far counts steps of this extent.
        place * extent + along
    })
}

/// One number for each plane; the spatial extents become 1.
fn whole_planes(cx: &EvalCx<'_>, reduce: impl Fn(&[f64]) -> f64) -> Evaluated {
    let x = cx.floats(0)?;
    let (count, spatial) = planes(&x.shape)?;
    let mut shape = x.shape.clone();
    shape[2..].fill(1);
    cx.allow(x.dtype, &shape)?;
    let size: usize = spatial.iter().product();
    let out: Vec<f64> = (0..count).map(|plane| reduce(&x.data[plane * size..(plane + 1) * size])).collect();
    one(rounded(x.dtype, &shape, &out)?)
}

/// Mean of each plane.
pub(super) fn global_average_pool(cx: &EvalCx<'_>) -> Evaluated {
    whole_planes(cx, |values| values.iter().sum::<f64>() / values.len() as f64)
}

/// Maximum of each plane.
pub(super) fn global_max_pool(cx: &EvalCx<'_>) -> Evaluated {
    let dtype = cx.tensor(0)?.dtype();
    whole_planes(cx, |values| maximum(values.iter().copied()).map_or(lowest(dtype), |best| best.1))
}

/// Lp norm of each plane.
pub(super) fn global_lp_pool(op: &GlobalLpPool, cx: &EvalCx<'_>) -> Evaluated {
    whole_planes(cx, |values| root(values.iter().map(|value| power(*value, op.p)).sum(), op.p))
}

/// Puts values at their indices, zeros elsewhere. Indices address the size from which the pooling would have come, also
/// where `output_shape` gives a larger one; that plane then lies at the origin.
pub(super) fn max_unpool(op: &MaxUnpool, cx: &EvalCx<'_>) -> Evaluated {
    let x = cx.floats(0)?;
    let indices = cx.ints(1)?;
    let (_, spatial) = planes(&x.shape)?;
    let axes = op.window_axes().map_err(|error| invalid(error.to_string()))?;
    if axes.len() != spatial.len() || op.kernel_shape.len() != spatial.len() || indices.len() != x.data.len() {
        return Err(invalid("kernel_shape, indices and input do not fit each other"));
    }
    let mut pooled = x.shape[..2].to_vec();
    for (axis, (extent, kernel)) in axes.iter().zip(spatial.iter().zip(&op.kernel_shape)) {
        let window = axis.place(*extent as i64, *kernel).map_err(|error| invalid(error.to_string()))?;
        pooled.push(window.output as usize);
    }
    let shape = match cx.maybe_ints(2)? {
        None => pooled.clone(),
        Some(shape) => {
            let shape: Option<Vec<usize>> = shape.iter().map(|extent| usize::try_from(*extent).ok()).collect();
            shape.filter(|shape| shape.len() == pooled.len()).ok_or_else(|| invalid("output_shape has another rank"))?
        }
    };
    cx.allow(x.dtype, &shape)?;
    let mut out = Dense { dtype: x.dtype, data: vec![0.0; shape.iter().product()], shape };
    for (value, index) in x.data.iter().zip(&indices) {
        let count: usize = pooled.iter().product();
        let mut rest = usize::try_from(*index).ok().filter(|index| *index < count);
        let (mut place, mut stride) = (0, 1);
        for (extent, to) in pooled.iter().zip(&out.shape).rev() {
            let Some(index) = rest else { break };
            place += index % extent * stride;
            stride *= to;
            rest = (index % extent < *to).then_some(index / extent);
        }
        if rest.is_none() {
            return Err(invalid(format!("index {index} lies outside the output")));
        }
        out.data[place] = *value;
    }
    one(rounded(out.dtype, &out.shape, &out.data)?)
}
