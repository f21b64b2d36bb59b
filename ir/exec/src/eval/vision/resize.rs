//! Resize: one axis after another, each as a weighted sum of a few elements; nearest moves elements only.

use edgesmith_ir::op::geometry::ResizedAxis;
use edgesmith_ir::op::{CoordinateTransform, NearestMode, Resize, ResizeMode};
use edgesmith_ir::{DType, Tensor};

use super::super::cx::one;
use super::super::dense::{Dense, invalid, rounded, shape_of};
use super::super::layout::around;
use super::super::number::{Cell, by_dtype};
use super::super::stored::from_f64;
use super::super::{EvalCx, EvalError, Evaluated};
use super::{cubic, cubic_weights};

/// Where an output element lies on the axis of the input.
#[derive(Clone, Copy)]
enum Place {
    At(f64),
    /// Outside the region of interest's image: the extrapolation value.
    Outside,
}

/// One axis that is resampled.
struct Sampling<'a> {
    op: &'a Resize,
    axis: ResizedAxis,
    /// The part of the input that is resampled, in units of its last element.
    roi: (f64, f64),
}

impl Sampling<'_> {
    /// The length of the output, fractional where a scale makes it so. With aligned corners the node tests want that;
    /// ONNX Runtime takes the whole length, as everybody does for regions.
    fn length(&self) -> f64 {
        let exact = self.axis.scale * self.axis.input as f64;
        if (exact - self.axis.output as f64).abs() < 1e-9 * exact { self.axis.output as f64 } else { exact }
    }

    /// A place of the output in units of the input. Where sizes are given the quotient is rounded once, so that ties
    /// between two elements stay ties.
    fn unscaled(&self, x: f64) -> f64 {
        let (input, output) = (self.axis.input as f64, self.axis.output as f64);
        if self.axis.scale == output / input { x * input / output } else { x / self.axis.scale }
    }

    fn place(&self, index: usize) -> Place {
        let (x, n) = (index as f64, self.axis.input as f64);
        let half_pixel = self.unscaled(x + 0.5) - 0.5;
        Place::At(match self.op.coordinate_transformation_mode {
            CoordinateTransform::HalfPixel => half_pixel,
            // The centre of the output lies on the centre of the input.
            CoordinateTransform::HalfPixelSymmetric => {
                n / 2.0 - 0.5 + (x + 0.5 - self.axis.output as f64 / 2.0) / self.axis.scale
            }
            CoordinateTransform::PytorchHalfPixel if self.axis.output == 1 => 0.0,
            CoordinateTransform::PytorchHalfPixel => half_pixel,
            CoordinateTransform::AlignCorners if self.length() == 1.0 => 0.0,
            CoordinateTransform::AlignCorners => x * (n - 1.0) / (self.length() - 1.0),
            CoordinateTransform::Asymmetric => self.unscaled(x),
            CoordinateTransform::TfHalfPixelForNn => self.unscaled(x + 0.5),
            CoordinateTransform::TfCropAndResize => {
                let ((start, end), last) = (self.roi, self.axis.output as f64 - 1.0);
                let place = if last > 0.0 {
                    start * (n - 1.0) + x * (end - start) * (n - 1.0) / last
                } else {
                    0.5 * (start + end) * (n - 1.0)
                };
                // Compared in binary32, in which regions come: 1 less 0.2 plus 0.2 is 1 there.
                if !(0.0..=n as f32 - 1.0).contains(&(place as f32)) {
                    return Place::Outside;
                }
                place
            }
        })
    }

    /// Whether the axis comes out as it went in.
    fn is_identity(&self) -> bool {
        let whole =
            self.op.coordinate_transformation_mode != CoordinateTransform::TfCropAndResize || self.roi == (0.0, 1.0);
        self.axis.input == self.axis.output && self.axis.scale == 1.0 && whole
    }

    fn inside(&self, index: f64) -> usize {
        index.clamp(0.0, (self.axis.input - 1) as f64) as usize
    }

    /// The nearest element; `None` outside.
    fn nearest(&self, index: usize) -> Option<usize> {
        let Place::At(x) = self.place(index) else { return None };
        Some(self.inside(match self.op.nearest_mode {
            NearestMode::RoundPreferFloor => (x - 0.5).ceil(),
            NearestMode::RoundPreferCeil => (x + 0.5).floor(),
            NearestMode::Floor => x.floor(),
            NearestMode::Ceil => x.ceil(),
        }))
    }

    /// Elements and their weights; `None` outside.
    fn weights(&self, index: usize) -> Option<Vec<(usize, f64)>> {
        let Place::At(x) = self.place(index) else { return None };
        let (floor, fraction) = (x.floor(), x - x.floor());
        let a = f64::from(self.op.cubic_coeff_a.0);
        let cubic_mode = self.op.mode == ResizeMode::Cubic;
        // Where the filter is stretched, over more elements.
        let shrink = if self.op.antialias { self.axis.scale.min(1.0) } else { 1.0 };
        let (first, mut weights) = if shrink < 1.0 {
            let reach = if cubic_mode { 2.0 } else { 1.0 };
            let start = (-reach / shrink).floor() + 1.0;
            let weight = |i: usize| {
                let distance = (start + i as f64 - fraction) * shrink;
                if cubic_mode { cubic(distance, a) } else { (1.0 - distance.abs()).max(0.0) }
            };
            let weights: Vec<f64> = (0..(2.0 - 2.0 * start) as usize).map(weight).collect();
            (floor + start, normalised(weights))
        } else if cubic_mode {
            (floor - 1.0, cubic_weights(fraction, a).to_vec())
        } else {
            (floor, vec![1.0 - fraction, fraction])
        };
        if self.op.exclude_outside {
            for (i, weight) in weights.iter_mut().enumerate() {
                if !(0.0..self.axis.input as f64).contains(&(first + i as f64)) {
                    *weight = 0.0;
                }
            }
            weights = normalised(weights);
        }
        let taps = weights.into_iter().enumerate().filter(|(_, weight)| *weight != 0.0);
        Some(taps.map(|(i, weight)| (self.inside(first + i as f64), weight)).collect())
    }
}

fn normalised(mut weights: Vec<f64>) -> Vec<f64> {
    let sum: f64 = weights.iter().sum();
    if sum != 0.0 {
        weights.iter_mut().for_each(|weight| *weight /= sum);
    }
    weights
}

/// The axes to resample, and the shape of the result.
fn plan<'a>(op: &'a Resize, cx: &EvalCx<'_>, dims: &[usize]) -> Result<(Vec<Sampling<'a>>, Vec<usize>), EvalError> {
    let misfit = |error: edgesmith_ir::infer::InferError| invalid(error.to_string());
    let rank = dims.len();
    // Older files pass empty tensors for what they do not give.
    let floats = |slot: usize| -> Result<Option<Vec<f64>>, EvalError> {
        Ok(cx.maybe_floats(slot)?.map(|values| values.data).filter(|values| !values.is_empty()))
    };
    let (roi, scales) = (floats(1)?, floats(2)?);
    let sizes = cx.maybe_ints(3)?.filter(|sizes| !sizes.is_empty() || rank == 0);
    let input: Vec<i64> = dims.iter().map(|extent| *extent as i64).collect();
    let axes = op.resized_axes(&input, scales.as_deref(), sizes.as_deref()).map_err(misfit)?;
    let targets = op.target_axes(rank).map_err(misfit)?;
    let mut rois = vec![(0.0, 1.0); rank];
    if op.coordinate_transformation_mode == CoordinateTransform::TfCropAndResize {
        let roi = roi.filter(|roi| roi.len() == 2 * targets.len());
        let roi = roi.ok_or_else(|| invalid("the region of interest needs a start and an end for each axis"))?;
        for (slot, axis) in targets.iter().enumerate() {
            rois[*axis] = (roi[slot], roi[targets.len() + slot]);
        }
    }
    let shape: Vec<usize> = axes.iter().map(|axis| axis.output as usize).collect();
    if dims.contains(&0) && !shape.contains(&0) {
        return Err(invalid("nothing cannot be resized to something"));
    }
    Ok((axes.into_iter().zip(rois).map(|(axis, roi)| Sampling { op, axis, roi }).collect(), shape))
}

/// The extrapolation value as an element of a type.
fn extrapolation(op: &Resize, dtype: DType) -> Result<Tensor, EvalError> {
    let value = f64::from(op.extrapolation_value.0);
    from_f64(dtype, &[], vec![value]).map_err(|_| EvalError::Unsupported(format!("extrapolation of {dtype}")))
}

/// Moves the nearest elements; `fill` gives the element for places outside.
fn nearest<T: Cell>(
    tensor: &Tensor,
    samplings: &[Sampling<'_>],
    shape: &[usize],
    fill: impl Fn() -> Result<T, EvalError>,
) -> Result<Tensor, EvalError> {
    let mut dims = shape_of(tensor);
    let mut cells = T::cells(tensor)?.into_owned();
    for (axis, sampling) in samplings.iter().enumerate().filter(|(_, sampling)| !sampling.is_identity()) {
        let (outer, extent, inner) = around(&dims, axis);
        let picks: Vec<Option<usize>> = (0..shape[axis]).map(|index| sampling.nearest(index)).collect();
        let outside = if picks.contains(&None) { Some(fill()?) } else { None };
        let mut next = Vec::with_capacity(outer * picks.len() * inner);
        for before in 0..outer {
            for pick in &picks {
                match (pick, &outside) {
                    (Some(pick), _) => next.extend_from_slice(&cells[(before * extent + pick) * inner..][..inner]),
                    (None, Some(fill)) => next.extend(std::iter::repeat_n(fill.clone(), inner)),
                    (None, None) => {}
                }
            }
        }
        (cells, dims[axis]) = (next, picks.len());
    }
    T::tensor(tensor.dtype(), shape, cells)
}

/// Weighted sums along one axis after another.
fn interpolated(op: &Resize, mut x: Dense, samplings: &[Sampling<'_>]) -> Dense {
    for (axis, sampling) in samplings.iter().enumerate().filter(|(_, sampling)| !sampling.is_identity()) {
        let (outer, extent, inner) = around(&x.shape, axis);
        let count = sampling.axis.output as usize;
        let taps: Vec<Option<Vec<(usize, f64)>>> = (0..count).map(|index| sampling.weights(index)).collect();
        let mut next = vec![0.0; outer * count * inner];
        for (line, sums) in next.chunks_mut(inner.max(1)).enumerate() {
            let (before, index) = (line / count, line % count);
            let Some(taps) = &taps[index] else {
                sums.fill(f64::from(op.extrapolation_value.0));
                continue;
            };
            for (tap, weight) in taps {
                let values = &x.data[(before * extent + tap) * inner..][..inner];
                sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += weight * value);
            }
        }
        x.shape[axis] = count;
        x.data = next;
    }
    x
}

/// Resamples axes by scales or to sizes. Integers are interpolated in f64 and rounded half to even.
pub(in super::super) fn resize(op: &Resize, cx: &EvalCx<'_>) -> Evaluated {
    let tensor = cx.tensor(0)?;
    let (samplings, shape) = plan(op, cx, &shape_of(tensor))?;
    let dtype = tensor.dtype();
    cx.allow(dtype, &shape)?;
    if shape.contains(&0) {
        return one(
            by_dtype!(dtype, T: cell => T::tensor(dtype, &shape, Vec::new())?, else return cx.unsupported("packed elements")),
        );
    }
    if op.mode == ResizeMode::Nearest {
        return one(by_dtype!(dtype, T: cell => nearest::<T>(tensor, &samplings, &shape, || {
            Ok(T::cells(&extrapolation(op, dtype)?)?[0].clone())
        })?, else return cx.unsupported("packed elements")));
    }
    let resized = interpolated(op, Dense::numbers(tensor)?, &samplings);
    one(if dtype.is_float() {
        rounded(dtype, &shape, &resized.data)?
    } else {
        let whole = resized.data.iter().map(|x| x.round_ties_even()).collect();
        from_f64(dtype, &shape, whole).map_err(|_| cx.wrong_dtype(dtype))?
    })
}
