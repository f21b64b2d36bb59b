//! Normalisations, composed of means and elementary operators.

use edgesmith_ir::Op;
use tract_core::internal::*;
use tract_core::ops::math;
use tract_core::ops::nn::Reducer;

use super::super::part::{Native, Part, axis_of, one};

/// All normalisations.
pub(crate) fn lower(op: &Op, p: &mut Part) -> Native {
    let x = p.input(0)?;
    let rank = p.rank(x)?;
    if !p.datum(x)?.is_float() {
        return Ok(None);
    }
    match op {
        Op::BatchNormalization(op) => {
            let [scale, bias, mean, variance] = [p.input(1)?, p.input(2)?, p.input(3)?, p.input(4)?];
            if op.training_mode {
                return batch_training(p, x, [scale, bias, mean, variance], op.epsilon.0.into(), op.momentum.0.into());
            }
            ensure!(rank >= 1, "a scalar has no channels");
            // One product and one sum per element; what they need per channel is computed once where it is constant.
            let factor = inverse_deviation(p, variance, op.epsilon.0.into())?;
            let factor = p.op(math::mul(), &[scale, factor])?;
            let moved = p.op(math::mul(), &[mean, factor])?;
            let shift = p.op(math::sub(), &[bias, moved])?;
            one(per_channel(p, x, factor, shift)?)
        }
        Op::LayerNormalization(op) => {
            let axis = axis_of(op.axis, rank)?;
            let axes: Vec<usize> = (axis..rank).collect();
            let (normal, mean, inverse) = normalize(p, x, &axes, op.epsilon.0.into())?;
            let scale = p.input(1)?;
            let mut y = p.binary(math::mul(), normal, scale)?;
            if let Some(bias) = p.maybe(2) {
                y = p.binary(math::add(), y, bias)?;
            }
            Ok(Some(tvec!(y, mean, inverse)))
        }
        Op::RMSNormalization(op) => {
            let axes: Vec<usize> = (axis_of(op.axis, rank)?..rank).collect();
            let square = p.op(math::mul(), &[x, x])?;
            let mean = p.mean(square, &axes)?;
            let factor = inverse_deviation(p, mean, op.epsilon.0.into())?;
            let normal = p.op(math::mul(), &[x, factor])?;
            let scale = p.input(1)?;
            one(p.binary(math::mul(), normal, scale)?)
        }
        Op::InstanceNormalization(op) => {
            ensure!(rank >= 2, "rank {rank} has no channels");
            let axes: Vec<usize> = (2..rank).collect();
            let (normal, _, _) = normalize(p, x, &axes, op.epsilon.0.into())?;
            let (scale, bias) = (p.input(1)?, p.input(2)?);
            one(per_channel(p, normal, scale, bias)?)
        }
        Op::GroupNormalization(op) => {
            let shape = p.shape(x)?;
            let groups = usize::try_from(op.num_groups)?;
            ensure!(rank >= 2 && groups > 0 && shape[1].is_multiple_of(groups), "{groups} groups of {shape:?}");
            let rest: usize = shape[1..].iter().product::<usize>() / groups;
            let flat = p.reshape(x, &[shape[0], groups, rest])?;
            let (normal, _, _) = normalize(p, flat, &[2], op.epsilon.0.into())?;
            let normal = p.reshape(normal, &shape)?;
            let (scale, bias) = (p.input(1)?, p.input(2)?);
            one(per_channel(p, normal, scale, bias)?)
        }
        Op::MeanVarianceNormalization(op) => {
            let given: &[i64] = if op.axes.is_empty() { &[0, 2, 3] } else { &op.axes };
            let axes = given.iter().map(|axis| axis_of(*axis, rank)).collect::<TractResult<Vec<_>>>()?;
            let mean = p.mean(x, &axes)?;
            let centred = p.op(math::sub(), &[x, mean])?;
            let square = p.op(math::mul(), &[centred, centred])?;
            let variance = p.mean(square, &axes)?;
            let deviation = p.op(math::sqrt(), &[variance])?;
            let divisor = p.with(math::add(), deviation, 1e-9)?;
            one(p.op(math::div(), &[centred, divisor])?)
        }
        Op::LpNormalization(op) => {
            let axis = axis_of(op.axis, rank)?;
            let norm = if op.p == 1 {
                let size = p.op(math::abs(), &[x])?;
                p.reduce(size, &[axis], Reducer::Sum)?
            } else {
                let square = p.op(math::mul(), &[x, x])?;
                let sum = p.reduce(square, &[axis], Reducer::Sum)?;
                p.op(math::sqrt(), &[sum])?
            };
            // A row of zeros stays one.
            let zero =
                p.with(tract_core::ops::binary::TypedBinOp(tract_core::ops::logic::comp_eq(), None), norm, 0.0)?;
            let unit = p.scalar_like(1.0, norm)?;
            let divisor = p.select(zero, unit, norm)?;
            one(p.op(math::div(), &[x, divisor])?)
        }
        Op::LRN(op) => {
            let size = usize::try_from(op.size)?;
            ensure!(rank >= 2 && size > 0, "rank {rank} and {size} channels");
            one(local_response(p, x, size, op.alpha.0.into(), op.beta.0.into(), op.bias.0.into())?)
        }
        _ => Ok(None),
    }
}

fn inverse_deviation(p: &mut Part, variance: OutletId, epsilon: f64) -> TractResult<OutletId> {
    let raised = p.with(math::add(), variance, epsilon)?;
    p.op(math::rsqrt(), &[raised])
}

/// `(x - mean) / sqrt(variance + epsilon)` over axes, with the mean and the inverse deviation.
fn normalize(p: &mut Part, x: OutletId, axes: &[usize], epsilon: f64) -> TractResult<(OutletId, OutletId, OutletId)> {
    let mean = p.mean(x, axes)?;
    let centred = p.op(math::sub(), &[x, mean])?;
    let variance = if p.datum(x)? == DatumType::F32 {
        p.reduce(centred, axes, Reducer::MeanOfSquares)?
    } else {
        let square = p.op(math::mul(), &[centred, centred])?;
        p.mean(square, axes)?
    };
    let inverse = inverse_deviation(p, variance, epsilon)?;
    let normal = p.op(math::mul(), &[centred, inverse])?;
    Ok((normal, mean, inverse))
}

/// `x * factor + shift` with vectors along axis 1.
fn per_channel(p: &mut Part, x: OutletId, factor: OutletId, shift: OutletId) -> TractResult<OutletId> {
    let rank = p.rank(x)?;
    let axis = usize::from(rank > 1);
    let (factor, shift) = (p.along(factor, axis, rank)?, p.along(shift, axis, rank)?);
    let scaled = p.op(math::mul(), &[x, factor])?;
    p.op(math::add(), &[scaled, shift])
}

/// Statistics of the batch at hand; the running ones move toward them.
fn batch_training(p: &mut Part, x: OutletId, parameters: [OutletId; 4], epsilon: f64, momentum: f64) -> Native {
    let [scale, bias, running_mean, running_variance] = parameters;
    let rank = p.rank(x)?;
    let axes: Vec<usize> = (0..rank).filter(|axis| *axis != 1).collect();
    let mean = p.mean(x, &axes)?;
    let centred = p.op(math::sub(), &[x, mean])?;
    let square = p.op(math::mul(), &[centred, centred])?;
    let variance = p.mean(square, &axes)?;
    let inverse = inverse_deviation(p, variance, epsilon)?;
    let normal = p.op(math::mul(), &[centred, inverse])?;
    let y = per_channel(p, normal, scale, bias)?;
    let mut outlets = tvec!(y);
    for (running, now) in [(running_mean, mean), (running_variance, variance)] {
        let now = p.drop_axes(now, &axes)?;
        let kept = p.with(math::mul(), running, momentum)?;
        let new = p.with(math::mul(), now, 1.0 - momentum)?;
        outlets.push(p.op(math::add(), &[kept, new])?);
    }
    Ok(Some(outlets))
}

/// `x / (bias + alpha / size * sum of squares over a window of channels) ^ beta`.
fn local_response(p: &mut Part, x: OutletId, size: usize, alpha: f64, beta: f64, bias: f64) -> TractResult<OutletId> {
    let channels = p.shape(x)?[1];
    let square = p.op(math::mul(), &[x, x])?;
    let before = (size - 1) / 2;
    let mut pads = vec![(0, 0); p.rank(x)?];
    pads[1] = (before, size - 1 - before);
    let zero = Tensor::zero_scalar_dt(p.datum(x)?)?;
    let mode = tract_core::ops::array::PadMode::Constant(Arc::new(zero));
    let padded = p.op(tract_core::ops::array::Pad { pads, mode }, &[square])?;
    let mut sum = p.slice(padded, 1, 0, channels)?;
    for shift in 1..size {
        let slice = p.slice(padded, 1, shift, shift + channels)?;
        sum = p.op(math::add(), &[sum, slice])?;
    }
    let scaled = p.with(math::mul(), sum, alpha / size as f64)?;
    let raised = p.with(math::add(), scaled, bias)?;
    let divisor = p.with(math::pow(), raised, beta)?;
    p.op(math::div(), &[x, divisor])
}
