//! Normalisation: statistics, scale and bias in f64, rounded once. A `stash_type` therefore changes only the type of
//! the statistics that are results themselves.

use edgesmith_ir::DType;
use edgesmith_ir::op::{
    BatchNormalization, GroupNormalization, InstanceNormalization, LRN, LayerNormalization, LpNormalization,
    MeanVarianceNormalization, RMSNormalization,
};

use super::cx::one;
use super::dense::{Dense, answer, invalid, rounded, spread};
use super::layout::strides;
use super::{EvalCx, EvalError, Evaluated};

/// Mean and population variance; zero for nothing.
fn moments(values: impl Iterator<Item = f64> + Clone, count: usize) -> (f64, f64) {
    let count = count.max(1) as f64;
    let mean = values.clone().sum::<f64>() / count;
    (mean, values.map(|x| (x - mean) * (x - mean)).sum::<f64>() / count)
}

/// Batch, channels and elements per channel; a vector is one channel.
fn channels(x: &Dense) -> (usize, usize, usize) {
    match x.shape.as_slice() {
        [] => (1, 1, 1),
        [batch] => (*batch, 1, 1),
        [batch, channels, rest @ ..] => (*batch, *channels, rest.iter().product()),
    }
}

/// Values for each channel.
fn per_channel(cx: &EvalCx<'_>, slot: usize, channels: usize) -> Result<Dense, EvalError> {
    let values = cx.floats(slot)?;
    if values.data.len() == channels {
        Ok(values)
    } else {
        Err(invalid(format!("operand {slot} has {} values for {channels} channels", values.data.len())))
    }
}

/// `(x - mean) / sqrt(variance + epsilon) * scale + bias` per channel; in training mode with the statistics of the data
/// at hand, which also move the running ones.
pub(super) fn batch_normalization(op: &BatchNormalization, cx: &EvalCx<'_>) -> Evaluated {
    let mut x = cx.floats(0)?;
    let (batch, count, inner) = channels(&x);
    let (scale, bias) = (per_channel(cx, 1, count)?, per_channel(cx, 2, count)?);
    let (mut mean, mut variance) = (per_channel(cx, 3, count)?, per_channel(cx, 4, count)?);
    cx.allow(x.dtype, &x.shape)?;
    let (epsilon, momentum) = (f64::from(op.epsilon.0), f64::from(op.momentum.0));
    for channel in 0..count {
        let starts = (0..batch).map(|n| (n * count + channel) * inner);
        let (mut center, mut spread) = (mean.data[channel], variance.data[channel]);
        if op.training_mode {
            let values = starts.clone().flat_map(|start| x.data[start..start + inner].iter().copied());
            (center, spread) = moments(values, batch * inner);
            mean.data[channel] = mean.data[channel] * momentum + center * (1.0 - momentum);
            variance.data[channel] = variance.data[channel] * momentum + spread * (1.0 - momentum);
        }
        let deviation = (spread + epsilon).sqrt();
        for start in starts {
            for value in &mut x.data[start..start + inner] {
                *value = (*value - center) / deviation * scale.data[channel] + bias.data[channel];
            }
        }
    }
    let y = rounded(x.dtype, &x.shape, &x.data)?;
    if !op.training_mode {
        return one(y);
    }
    let running = |x: &Dense| rounded(x.dtype, &x.shape, &x.data).map(Some);
    answer([Some(y), running(&mean)?, running(&variance)?])
}

/// Normalises consecutive runs of `size` elements, then scales and shifts by channel.
fn normalize_runs(cx: &EvalCx<'_>, groups: Option<usize>, epsilon: f32) -> Evaluated {
    let mut x = cx.floats(0)?;
    let (_, count, inner) = channels(&x);
    let (scale, bias) = (per_channel(cx, 1, count)?, per_channel(cx, 2, count)?);
    cx.allow(x.dtype, &x.shape)?;
    let groups = groups.unwrap_or(count);
    if groups == 0 || count % groups != 0 {
        return Err(invalid(format!("{count} channels do not fall into {groups} groups")));
    }
    let size = count / groups * inner;
    if size > 0 {
        for (run, values) in x.data.chunks_mut(size).enumerate() {
            let (mean, variance) = moments(values.iter().copied(), size);
            let deviation = (variance + f64::from(epsilon)).sqrt();
            for (offset, value) in values.iter_mut().enumerate() {
                let channel = (run * size + offset) / inner % count;
                *value = (*value - mean) / deviation * scale.data[channel] + bias.data[channel];
            }
        }
    }
    one(rounded(x.dtype, &x.shape, &x.data)?)
}

/// Normalisation over groups of channels.
pub(super) fn group_normalization(op: &GroupNormalization, cx: &EvalCx<'_>) -> Evaluated {
    let groups = usize::try_from(op.num_groups).map_err(|_| invalid("num_groups is negative"))?;
    normalize_runs(cx, Some(groups), op.epsilon.0)
}

/// Normalisation of each channel of each sample.
pub(super) fn instance_normalization(op: &InstanceNormalization, cx: &EvalCx<'_>) -> Evaluated {
    normalize_runs(cx, None, op.epsilon.0)
}

/// `x / (bias + alpha / size * sum of squares)^beta`, the sum over a window of channels.
pub(super) fn lrn(op: &LRN, cx: &EvalCx<'_>) -> Evaluated {
    let x = cx.floats(0)?;
    cx.allow(x.dtype, &x.shape)?;
    let (batch, count, inner) = channels(&x);
    let size =
        usize::try_from(op.size).ok().filter(|size| *size > 0).ok_or_else(|| invalid("size must be positive"))?;
    let (before, after) = ((size - 1) / 2, size / 2);
    let (alpha, beta, bias) = (f64::from(op.alpha.0) / size as f64, f64::from(op.beta.0), f64::from(op.bias.0));
    let mut out = vec![0.0; x.data.len()];
    for n in 0..batch {
        let plane = &x.data[n * count * inner..(n + 1) * count * inner];
        for channel in 0..count {
            let window = channel.saturating_sub(before)..(channel + after + 1).min(count);
            for i in 0..inner {
                let squares: f64 = window.clone().map(|c| plane[c * inner + i]).map(|x| x * x).sum();
                let place = channel * inner + i;
                out[n * count * inner + place] = plane[place] / libm::pow(bias + alpha * squares, beta);
            }
        }
    }
    one(rounded(x.dtype, &x.shape, &out)?)
}

fn stash(stash_type: i64) -> Result<DType, EvalError> {
    i32::try_from(stash_type)
        .ok()
        .and_then(DType::from_onnx)
        .filter(|dtype| dtype.is_float())
        .ok_or_else(|| invalid(format!("stash_type {stash_type} is no float type")))
}

/// Normalises each run over the axes from `axis` on, then applies scale and bias, which are broadcast to the input.
/// Returns the results and, for each run, what `normalize` returns.
fn normalize_tail<S>(
    cx: &EvalCx<'_>,
    axis: i64,
    mut normalize: impl FnMut(&mut [f64]) -> S,
) -> Result<(Dense, Vec<usize>, Vec<S>), EvalError> {
    let mut x = cx.floats(0)?;
    let (scale, bias) = (cx.floats(1)?, cx.maybe_floats(2)?);
    cx.allow(x.dtype, &x.shape)?;
    let axis = cx.axis(axis, x.rank())?;
    let mut reduced = x.shape.clone();
    reduced[axis..].fill(1);
    let size: usize = x.shape[axis..].iter().product();
    let statistics = if size == 0 { Vec::new() } else { x.data.chunks_mut(size).map(&mut normalize).collect() };
    for (value, place) in x.data.iter_mut().zip(spread(&scale.shape, &x.shape)?) {
        *value *= scale.data[place];
    }
    if let Some(bias) = bias {
        for (value, place) in x.data.iter_mut().zip(spread(&bias.shape, &x.shape)?) {
            *value += bias.data[place];
        }
    }
    Ok((x, reduced, statistics))
}

/// Normalisation over the axes from `axis` on; also the mean and the inverse deviation.
pub(super) fn layer_normalization(op: &LayerNormalization, cx: &EvalCx<'_>) -> Evaluated {
    let stash = stash(op.stash_type)?;
    let epsilon = f64::from(op.epsilon.0);
    let (y, reduced, statistics) = normalize_tail(cx, op.axis, |values| {
        let (mean, variance) = moments(values.iter().copied(), values.len());
        let inverse = 1.0 / (variance + epsilon).sqrt();
        for value in values {
            *value = (*value - mean) * inverse;
        }
        (mean, inverse)
    })?;
    let (means, inverses): (Vec<f64>, Vec<f64>) = statistics.into_iter().unzip();
    let statistic =
        |slot: usize, values: &[f64]| (cx.wants(slot)).then(|| rounded(stash, &reduced, values)).transpose();
    let y = rounded(y.dtype, &y.shape, &y.data)?;
    answer([Some(y), statistic(1, &means)?, statistic(2, &inverses)?])
}

/// Division by the root of the mean square over the axes from `axis` on.
pub(super) fn rms_normalization(op: &RMSNormalization, cx: &EvalCx<'_>) -> Evaluated {
    let epsilon = f64::from(op.epsilon.0);
    let (y, _, _) = normalize_tail(cx, op.axis, |values| {
        let root = (values.iter().map(|x| x * x).sum::<f64>() / values.len() as f64 + epsilon).sqrt();
        for value in values {
            *value /= root;
        }
    })?;
    one(rounded(y.dtype, &y.shape, &y.data)?)
}

/// Division by the L1 or L2 norm along an axis; nothing but zeros stays zero.
pub(super) fn lp_normalization(op: &LpNormalization, cx: &EvalCx<'_>) -> Evaluated {
    let mut x = cx.floats(0)?;
    cx.allow(x.dtype, &x.shape)?;
    let axis = cx.axis(op.axis, x.rank())?;
    let (stride, extent) = (strides(&x.shape)[axis], x.shape[axis]);
    for first in 0..x.data.len() {
        if first / stride % extent != 0 {
            continue;
        }
        let places = (0..extent).map(|i| first + i * stride);
        let norm = match op.p {
            1 => places.clone().map(|place| x.data[place].abs()).sum::<f64>(),
            2 => places.clone().map(|place| x.data[place] * x.data[place]).sum::<f64>().sqrt(),
            other => return Err(invalid(format!("p must be 1 or 2, not {other}"))),
        };
        for place in places {
            x.data[place] = if norm == 0.0 { 0.0 } else { x.data[place] / norm };
        }
    }
    one(rounded(x.dtype, &x.shape, &x.data)?)
}

/// What keeps the division of [`MeanVarianceNormalization`] finite, added to the deviation.
const DEVIATION_FLOOR: f64 = 1e-9;

/// `(x - mean) / deviation` over the given axes (0, 2 and 3 where none are given).
pub(super) fn mean_variance_normalization(op: &MeanVarianceNormalization, cx: &EvalCx<'_>) -> Evaluated {
    let mut x = cx.floats(0)?;
    cx.allow(x.dtype, &x.shape)?;
    let axes: &[i64] = if op.axes.is_empty() { &[0, 2, 3] } else { &op.axes };
    let mut kept = x.shape.clone();
    for axis in axes {
        kept[cx.axis(*axis, x.rank())?] = 1;
    }
    let group = spread(&kept, &x.shape)?;
    let groups: usize = kept.iter().product();
    let count = x.data.len() as f64 / groups.max(1) as f64;
    let mean_of = |values: &dyn Fn(usize) -> f64| {
        let mut sums = vec![0.0; groups];
        for (i, group) in group.iter().enumerate() {
            sums[*group] += values(i);
        }
        sums.iter().map(|sum| sum / count).collect::<Vec<f64>>()
    };
    let means = mean_of(&|i| x.data[i]);
    let variances = mean_of(&|i| (x.data[i] - means[group[i]]) * (x.data[i] - means[group[i]]));
    for (value, group) in x.data.iter_mut().zip(&group) {
        *value = (*value - means[*group]) / (variances[*group].sqrt() + DEVIATION_FLOOR);
    }
    one(rounded(x.dtype, &x.shape, &x.data)?)
}
