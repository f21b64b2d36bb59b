//! Fourier transforms, windows and the mel matrix, in f64.

mod fourier;

use edgesmith_ir::op::{BlackmanWindow, DFT, HammingWindow, HannWindow, MelWeightMatrix, STFT};
use edgesmith_ir::{DType, Tensor};
use fourier::{Complex, Transform};

use super::cx::one;
use super::dense::{invalid, rounded};
use super::layout::around;
use super::stored::cut;
use super::{EvalCx, EvalError, Evaluated};

fn positive(what: &str, x: i64) -> Result<usize, EvalError> {
    usize::try_from(x).ok().filter(|x| *x > 0).ok_or_else(|| invalid(format!("{what} is {x}")))
}

/// The discrete Fourier transform along an axis; the last axis holds the real part, or both parts.
pub(super) fn dft(op: &DFT, cx: &EvalCx<'_>) -> Evaluated {
    let x = cx.floats(0)?;
    let Some(parts @ (1 | 2)) = x.shape.last().copied() else {
        return Err(invalid(format!("the last axis of {:?} must hold one or two parts", x.shape)));
    };
    let axis = cx.axis(cx.maybe_int(2)?.unwrap_or(-2), x.rank())?;
    if axis + 1 == x.rank() {
        return Err(invalid("the axis of the parts is not transformed"));
    }
    let real_result = op.inverse && op.onesided;
    let extent = x.shape[axis];
    let length = match cx.maybe_int(1)? {
        Some(length) => positive("dft_length", length)?,
        None if real_result => positive("the length", 2 * (extent as i64 - 1))?,
        None => positive("the length", extent as i64)?,
    };
    let kept = if op.onesided && !op.inverse { length / 2 + 1 } else { length };
    let result_parts = if real_result { 1 } else { 2 };
    let mut shape = x.shape.clone();
    shape[axis] = kept;
    shape[x.rank() - 1] = result_parts;
    let total = cx.allow(x.dtype, &shape)?;
    let transform = Transform::new(length, op.inverse);
    let (outer, _, inner) = around(&x.shape[..x.rank() - 1], axis);
    let mut out = vec![0.0; total];
    for (before, after) in (0..outer).flat_map(|before| (0..inner).map(move |after| (before, after))) {
        let element = |i: usize| -> Complex {
            let place = ((before * extent + i) * inner + after) * parts;
            (x.data[place], if parts == 2 { x.data[place + 1] } else { 0.0 })
        };
        let mut line: Vec<Complex> = (0..length).map(|i| if i < extent { element(i) } else { (0.0, 0.0) }).collect();
        if real_result {
            // The upper half mirrors the lower one; what has no partner is real.
            for i in 0..length {
                let mirror = (length - i) % length;
                if i == mirror {
                    line[i].1 = 0.0;
                } else if i > mirror {
                    line[i] = (line[mirror].0, -line[mirror].1);
                }
            }
        }
        for (k, value) in transform.run(&line).into_iter().take(kept).enumerate() {
            let place = ((before * kept + k) * inner + after) * result_parts;
            out[place] = value.0;
            if result_parts == 2 {
                out[place + 1] = value.1;
            }
        }
    }
    one(rounded(x.dtype, &shape, &out)?)
}

/// Fourier transforms of windows of a signal, as many as fit without padding.
pub(super) fn stft(op: &STFT, cx: &EvalCx<'_>) -> Evaluated {
    let (x, window) = (cx.floats(0)?, cx.maybe_floats(2)?);
    let (batch, samples, parts) = match *x.shape.as_slice() {
        [batch, samples] => (batch, samples, 1),
        [batch, samples, parts @ (1 | 2)] => (batch, samples, parts),
        _ => return Err(invalid(format!("a batch of signals is needed, not shape {:?}", x.shape))),
    };
    let step = positive("frame_step", cx.maybe_int(1)?.unwrap_or(0))?;
    let given = cx.maybe_int(3)?.map(|length| positive("frame_length", length)).transpose()?;
    let length = match (given, window.as_ref().map(|window| window.data.len())) {
        (Some(length), None) | (None, Some(length)) => length,
        (Some(length), Some(window)) if length == window => length,
        (length, window) => return Err(invalid(format!("frame_length {length:?} and a window of {window:?}"))),
    };
    if length > samples || length == 0 {
        return Err(invalid(format!("frames of {length} of {samples} samples")));
    }
    let frames = (samples - length) / step + 1;
    let kept = if op.onesided { length / 2 + 1 } else { length };
    let shape = [batch, frames, kept, 2];
    let mut out = Vec::with_capacity(cx.allow(x.dtype, &shape)?);
    let transform = Transform::new(length, false);
    for (n, frame) in (0..batch).flat_map(|n| (0..frames).map(move |frame| (n, frame))) {
        let line: Vec<Complex> = (0..length)
            .map(|i| {
                let place = (n * samples + frame * step + i) * parts;
                let weight = window.as_ref().map_or(1.0, |window| window.data[i]);
                (x.data[place] * weight, if parts == 2 { x.data[place + 1] * weight } else { 0.0 })
            })
            .collect();
        out.extend(transform.run(&line).into_iter().take(kept).flat_map(|value| [value.0, value.1]));
    }
    one(rounded(x.dtype, &shape, &out)?)
}

/// Numbers as any numeric type; integers are cut toward zero.
fn numeric(dtype: DType, shape: &[usize], data: &[f64]) -> Result<Tensor, EvalError> {
    if dtype.is_integer() {
        cut(dtype, shape, data.iter().map(|x| *x as i64).collect())
    } else {
        rounded(dtype, shape, data)
    }
}

/// A window that is a sum of cosines: `terms[k] * cos(2 pi k n / N)`. A periodic one leaves out the last point of the
/// symmetric one that is longer by one.
fn cosine_window(cx: &EvalCx<'_>, dtype: DType, periodic: bool, terms: &[f64]) -> Evaluated {
    let size = cx.maybe_int(0)?.and_then(|size| usize::try_from(size).ok());
    let size = size.ok_or_else(|| invalid("the size of a window must be a number from 0 on"))?;
    cx.allow(dtype, &[size])?;
    let period = if periodic { size } else { size.saturating_sub(1) };
    if period == 0 && size > 0 {
        // The formula divides zero by zero, and so do engines.
        cx.open("a symmetric window of one point")?;
        return one(numeric(dtype, &[size], &[f64::NAN])?);
    }
    let point = |n: usize| {
        let term = |(k, term): (usize, &f64)| {
            term * libm::cos(std::f64::consts::TAU * (k * n % period) as f64 / period as f64)
        };
        terms.iter().enumerate().map(term).sum()
    };
    one(numeric(dtype, &[size], &(0..size).map(point).collect::<Vec<f64>>())?)
}

/// Hann window.
pub(super) fn hann_window(op: &HannWindow, cx: &EvalCx<'_>) -> Evaluated {
    cosine_window(cx, op.output_datatype, op.periodic, &[0.5, -0.5])
}

/// Hamming window, with the coefficients 25/46 and 21/46.
pub(super) fn hamming_window(op: &HammingWindow, cx: &EvalCx<'_>) -> Evaluated {
    cosine_window(cx, op.output_datatype, op.periodic, &[25.0 / 46.0, -21.0 / 46.0])
}

/// Blackman window.
pub(super) fn blackman_window(op: &BlackmanWindow, cx: &EvalCx<'_>) -> Evaluated {
    cosine_window(cx, op.output_datatype, op.periodic, &[0.42, -0.5, 0.08])
}

/// Triangles over the bins of a spectrum, at equal distances on the mel scale; their corners are whole bins.
pub(super) fn mel_weight_matrix(op: &MelWeightMatrix, cx: &EvalCx<'_>) -> Evaluated {
    let whole = |slot: usize| positive("a size", cx.maybe_int(slot)?.unwrap_or(0));
    let (bands, length, rate) = (whole(0)?, whole(1)?, whole(2)?);
    let (low, high) = (cx.scalar(3)?, cx.scalar(4)?);
    let bins = length / 2 + 1;
    let mut out = vec![0.0; cx.allow(op.output_datatype, &[bins, bands])?];
    let scale = 2595.0 / std::f64::consts::LN_10;
    let mel = |hertz: f64| scale * libm::log1p(hertz / 700.0);
    let distance = (mel(high) - mel(low)) / (bands + 2) as f64;
    let corners: Vec<f64> = (0..bands + 2)
        .map(|band| {
            let hertz = 700.0 * libm::expm1((mel(low) + band as f64 * distance) / scale);
            ((length + 1) as f64 * hertz / rate as f64).floor()
        })
        .collect();
    if corners.iter().any(|corner| !(0.0..bins as f64).contains(corner)) {
        return Err(invalid(format!("the edges {low} and {high} Hz lie outside the spectrum")));
    }
    for band in 0..bands {
        let [left, center, right] = [0, 1, 2].map(|k| corners[band + k] as usize);
        if left == center {
            out[center * bands + band] = 1.0;
        }
        for bin in left..=center {
            if left < center {
                out[bin * bands + band] = (bin - left) as f64 / (center - left) as f64;
            }
        }
        for bin in center..right {
            out[bin * bands + band] = (right - bin) as f64 / (right - center) as f64;
        }
    }
    one(numeric(op.output_datatype, &[bins, bands], &out)?)
}
