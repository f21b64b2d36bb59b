//! Fourier transforms, as products with constant matrices of sines and cosines.

use edgesmith_ir::Op;
use tract_core::internal::*;
use tract_core::ops::math;

use super::super::part::{Native, Part, axis_of, one};
use super::product::mat_mul;

/// Elements of one such matrix; larger transforms are refused.
const LIMIT: usize = 1 << 22;

/// DFT and STFT.
pub(crate) fn lower(op: &Op, p: &mut Part) -> Native {
    let x = p.input(0)?;
    if !p.datum(x)?.is_float() {
        return Ok(None);
    }
    match op {
        Op::DFT(op) => {
            let rank = p.rank(x)?;
            ensure!(rank >= 2, "rank {rank} has no axis for the parts of complex numbers");
            let axis = match p.maybe(2) {
                Some(_) => single(p, 2, "axis")?,
                None => -2,
            };
            let axis = axis_of(axis, rank)?;
            ensure!(axis + 1 < rank, "a transform along the parts of complex numbers");
            let given = match p.maybe(1) {
                Some(_) => Some(single(p, 1, "length")?),
                None => None,
            };
            transform(p, x, axis, given, op.inverse, op.onesided)
        }
        Op::STFT(op) => short_time(p, x, op.onesided),
        _ => Ok(None),
    }
}

fn single(p: &Part, slot: usize, what: &str) -> TractResult<i64> {
    match p.need_ints(slot, what)?.as_slice() {
        [only] => Ok(*only),
        _ => bail!("its {what} is no single number"),
    }
}

/// Cosines and sines of `2 pi k t / length`, `[samples, bins]`.
fn matrices(p: &mut Part, samples: usize, bins: usize, length: usize, datum: DatumType) -> TractResult<[OutletId; 2]> {
    ensure!(samples * bins <= LIMIT, "a transform of {samples} samples to {bins} bins is too large for a matrix");
    let angles: Vec<f64> = (0..samples)
        .flat_map(|t| (0..bins).map(move |k| (t * k % length) as f64 * std::f64::consts::TAU / length as f64))
        .collect();
    let cos: Vec<f64> = angles.iter().map(|angle| angle.cos()).collect();
    let sin: Vec<f64> = angles.iter().map(|angle| angle.sin()).collect();
    Ok([p.float_constant(&[samples, bins], &cos, datum)?, p.float_constant(&[samples, bins], &sin, datum)?])
}

fn transform(p: &mut Part, x: OutletId, axis: usize, length: Option<i64>, inverse: bool, onesided: bool) -> Native {
    let shape = p.shape(x)?;
    let (rank, parts) = (shape.len(), shape[shape.len() - 1]);
    ensure!(parts == 1 || parts == 2, "{parts} parts of a complex number");
    if inverse && onesided {
        return Ok(None);
    }
    let length = match length {
        Some(length) => usize::try_from(length)?,
        None => shape[axis],
    };
    ensure!(length > 0, "a transform of nothing");
    // Samples beyond the length are cut, missing ones are zero, so that they add nothing.
    let samples = shape[axis].min(length);
    let cut = if samples < shape[axis] { p.slice(x, axis, 0, samples)? } else { x };
    // [..., parts, samples]: the axis of the transform last.
    let mut order: Vec<usize> = (0..rank).filter(|at| *at != axis).collect();
    order.push(axis);
    let moved = p.transpose(cut, &order)?;
    let part_of = |p: &mut Part, at: usize| -> TractResult<OutletId> {
        let part = p.slice(moved, rank - 2, at, at + 1)?;
        p.drop_axes(part, &[rank - 2])
    };
    let real = part_of(p, 0)?;
    let imaginary = if parts == 2 { Some(part_of(p, 1)?) } else { None };
    let bins = if onesided { length / 2 + 1 } else { length };
    let [re, im] = spectrum(p, real, imaginary, length, bins, inverse)?;
    let last = p.rank(re)?;
    let (re, im) = (p.op(AxisOp::Add(last), &[re])?, p.op(AxisOp::Add(last), &[im])?);
    let joined = p.concat(&[re, im], last)?;
    // [..., bins, parts] with the bins behind all other axes: back to their place.
    let mut back: Vec<usize> = (0..rank - 2).collect();
    back.insert(axis, rank - 2);
    back.push(rank - 1);
    one(p.transpose(joined, &back)?)
}

/// Real and imaginary parts of the transform along the last axis.
fn spectrum(
    p: &mut Part,
    real: OutletId,
    imaginary: Option<OutletId>,
    length: usize,
    bins: usize,
    inverse: bool,
) -> TractResult<[OutletId; 2]> {
    let datum = p.datum(real)?;
    let samples = p.shape(real)?.last().copied().unwrap_or(1);
    let [cos, sin] = matrices(p, samples, bins, length, datum)?;
    let mut re = mat_mul(p, real, cos)?;
    let mut im = mat_mul(p, real, sin)?;
    // e^(-i a) = cos a - i sin a; the inverse turns the other way.
    if !inverse {
        im = p.op(math::neg(), &[im])?;
    }
    if let Some(imaginary) = imaginary {
        let (across, along) = (mat_mul(p, imaginary, sin)?, mat_mul(p, imaginary, cos)?);
        re = p.op(if inverse { math::sub() } else { math::add() }, &[re, across])?;
        im = p.op(math::add(), &[im, along])?;
    }
    if inverse {
        re = p.with(math::div(), re, length as f64)?;
        im = p.with(math::div(), im, length as f64)?;
    }
    Ok([re, im])
}

/// Transforms of windows that step along the signal.
fn short_time(p: &mut Part, signal: OutletId, onesided: bool) -> Native {
    let step = usize::try_from(single(p, 1, "frame step")?)?;
    let shape = p.shape(signal)?;
    let parts = if shape.len() == 3 { shape[2] } else { 1 };
    ensure!((2..=3).contains(&shape.len()) && (parts == 1 || parts == 2), "a signal of shape {shape:?}");
    if onesided && parts == 2 {
        return Ok(None);
    }
    let window = p.maybe(2);
    let length = match (p.maybe(3), window) {
        (Some(_), _) => usize::try_from(single(p, 3, "frame length")?)?,
        (None, Some(window)) => p.shape(window)?.iter().product(),
        (None, None) => bail!("neither a window nor a frame length"),
    };
    ensure!(step > 0 && length > 0 && length <= shape[1], "frames of {length} every {step} of {} samples", shape[1]);
    let frames = (shape[1] - length) / step + 1;
    let indices: Vec<i64> =
        (0..frames).flat_map(|frame| (0..length).map(move |at| (frame * step + at) as i64)).collect();
    let mut sides = Vec::new();
    for part in 0..parts {
        let side = if shape.len() == 3 {
            let side = p.slice(signal, 2, part, part + 1)?;
            p.drop_axes(side, &[2])?
        } else {
            signal
        };
        let picked = p.pick(side, 1, &indices)?;
        let framed = p.reshape(picked, &[shape[0], frames, length])?;
        sides.push(match window {
            Some(window) => p.binary(math::mul(), framed, window)?,
            None => framed,
        });
    }
    let bins = if onesided { length / 2 + 1 } else { length };
    let [re, im] = spectrum(p, sides[0], sides.get(1).copied(), length, bins, false)?;
    let (re, im) = (p.op(AxisOp::Add(3), &[re])?, p.op(AxisOp::Add(3), &[im])?);
    one(p.concat(&[re, im], 3)?)
}
