//! Resize, GridSample and AffineGrid.

use edgesmith_ir::Op;
use edgesmith_ir::op::geometry::ResizedAxis;
use edgesmith_ir::op::{CoordinateTransform, GridMode, GridPadding, NearestMode, Resize, ResizeMode};
use tract_core::internal::*;
use tract_core::ops::math;
use tract_core::ops::nn::{GridSample, InterpolationMode, PaddingMode};

use super::super::part::{Native, Part, one};
use super::product::mat_mul;

/// Resize, GridSample and AffineGrid.
pub(crate) fn lower(op: &Op, p: &mut Part) -> Native {
    let x = p.input(0)?;
    match op {
        Op::Resize(op) => resize(op, p, x),
        Op::GridSample(op) => {
            let (mode, padding) = (op.mode, op.padding_mode);
            // tract takes a border for every tap of the cubic kernel, not for the coordinate alone.
            if p.datum(x)? != DatumType::F32 || (mode == GridMode::Cubic && padding == GridPadding::Border) {
                return Ok(None);
            }
            let mode = match mode {
                GridMode::Linear => InterpolationMode::Bilinear,
                GridMode::Nearest => InterpolationMode::Nearest,
                GridMode::Cubic => InterpolationMode::Bicubic,
            };
            let padding_mode = match padding {
                GridPadding::Zeros => PaddingMode::Zeros,
                GridPadding::Border => PaddingMode::Border,
                GridPadding::Reflection => PaddingMode::Reflection,
            };
            let grid = p.input(1)?;
            one(p.op(GridSample { mode, padding_mode, align_corners: op.align_corners }, &[x, grid])?)
        }
        Op::AffineGrid(op) => affine_grid(p, x, op.align_corners),
        _ => Ok(None),
    }
}

/// `theta [N, d, d + 1]` applied to the places of a regular grid, the last axis of the volume first.
fn affine_grid(p: &mut Part, theta: OutletId, align_corners: bool) -> Native {
    let size = p.need_ints(1, "size")?;
    let extents: Vec<usize> = size.iter().skip(2).map(|n| usize::try_from(*n)).collect::<Result<_, _>>()?;
    let count: usize = extents.iter().product();
    let columns = extents.len() + 1;
    let mut places = vec![1.0; count * columns];
    for (at, row) in places.chunks_mut(columns).enumerate() {
        let mut rest = at;
        for (axis, extent) in extents.iter().enumerate().rev() {
            let (place, n) = ((rest % extent) as f64, *extent as f64);
            rest /= extent;
            row[extents.len() - 1 - axis] = match (align_corners, *extent) {
                (true, 1) => 0.0,
                (true, _) => -1.0 + 2.0 * place / (n - 1.0),
                (false, _) => (2.0 * place + 1.0) / n - 1.0,
            };
        }
    }
    let datum = p.datum(theta)?;
    let places = p.float_constant(&[1, count, columns], &places, datum)?;
    let transform = p.transpose(theta, &[0, 2, 1])?;
    let grid = mat_mul(p, places, transform)?;
    let mut shape = vec![p.shape(theta)?[0]];
    shape.extend(&extents);
    shape.push(extents.len());
    one(p.reshape(grid, &shape)?)
}

/// The taps of one axis: for every place of the output, weights of elements of the input.
struct Taps {
    /// One list per tap: an index for every place.
    indices: Vec<Vec<i64>>,
    /// One list per tap: a weight for every place.
    weights: Vec<Vec<f64>>,
    /// Places outside the region, which take the extrapolation value.
    outside: Vec<bool>,
}

/// Resizing is separable: each axis is a few gathers with constant indices, weighted and summed.
fn resize(op: &Resize, p: &mut Part, x: OutletId) -> Native {
    let shape = p.shape(x)?;
    let input: Vec<i64> = shape.iter().map(|n| *n as i64).collect();
    let scales = match p.maybe(2) {
        Some(outlet) if p.dims(outlet)?.first() != Some(&0.to_dim()) => {
            Some(p.floats(2)?.context("its scales are not known before the run")?)
        }
        _ => None,
    };
    let sizes = match p.maybe(3) {
        Some(outlet) if p.dims(outlet)?.first() != Some(&0.to_dim()) => Some(p.need_ints(3, "sizes")?),
        _ => None,
    };
    let axes = op.resized_axes(&input, scales.as_deref(), sizes.as_deref())?;
    let targets = op.target_axes(input.len())?;
    let crop = op.coordinate_transformation_mode == CoordinateTransform::TfCropAndResize;
    let regions = if crop { Some(p.floats(1)?.context("its region is not known before the run")?) } else { None };
    let float = p.datum(x)?.is_float();
    if !float && op.mode != ResizeMode::Nearest {
        return Ok(None);
    }
    let mut y = x;
    let mut outside: Option<OutletId> = None;
    for (axis, resized) in axes.iter().enumerate() {
        let place = targets.iter().position(|target| *target == axis);
        let region = match (&regions, place) {
            (Some(regions), Some(place)) => {
                let bound = |at: usize| regions.get(at).copied().context("the region has too few bounds");
                Some((bound(place)?, bound(place + targets.len())?))
            }
            (Some(_), None) => Some((0.0, 1.0)),
            (None, _) => None,
        };
        ensure!(resized.output > 0 && resized.input > 0, "a result without elements");
        let taps = taps(op, resized, region);
        y = apply(p, y, axis, &taps)?;
        if taps.outside.contains(&true) {
            let mut mask_shape = vec![1; axes.len()];
            mask_shape[axis] = taps.outside.len();
            let mask = Tensor::from_shape(&mask_shape, &taps.outside)?;
            let mask = p.constant(mask)?;
            outside = Some(match outside {
                Some(before) => p.op(tract_core::ops::logic::or(), &[before, mask])?,
                None => mask,
            });
        }
    }
    if let Some(outside) = outside {
        let value = p.scalar_like(op.extrapolation_value.0.into(), y)?;
        y = p.select(outside, value, y)?;
    }
    one(y)
}

/// Where a place of the output lies on the axis of the input.
fn origin(op: &Resize, axis: &ResizedAxis, place: f64, region: Option<(f64, f64)>) -> f64 {
    let (n, scale) = (axis.input as f64, axis.scale);
    // What the scale makes of the size, perhaps no whole number.
    let exact = scale * n;
    match op.coordinate_transformation_mode {
        CoordinateTransform::HalfPixel => (place + 0.5) / scale - 0.5,
        CoordinateTransform::HalfPixelSymmetric => {
            let offset = n / 2.0 * (1.0 - axis.output as f64 / exact);
            offset + (place + 0.5) / scale - 0.5
        }
        CoordinateTransform::PytorchHalfPixel if exact == 1.0 => -0.5,
        CoordinateTransform::PytorchHalfPixel => (place + 0.5) / scale - 0.5,
        CoordinateTransform::AlignCorners if exact == 1.0 => 0.0,
        CoordinateTransform::AlignCorners => place * (n - 1.0) / (exact - 1.0),
        CoordinateTransform::Asymmetric => place / scale,
        CoordinateTransform::TfHalfPixelForNn => (place + 0.5) / scale,
        CoordinateTransform::TfCropAndResize => {
            let (start, end) = region.unwrap_or((0.0, 1.0));
            let inside = if exact == 1.0 {
                (end - start) * (n - 1.0) / 2.0
            } else {
                place * (end - start) * (n - 1.0) / (exact - 1.0)
            };
            inside + start * (n - 1.0)
        }
    }
}

fn taps(op: &Resize, axis: &ResizedAxis, region: Option<(f64, f64)>) -> Taps {
    let mut all = Taps { indices: Vec::new(), weights: Vec::new(), outside: Vec::new() };
    let untouched = axis.scale == 1.0 && axis.input == axis.output && region.is_none_or(|region| region == (0.0, 1.0));
    for place in 0..axis.output {
        let x = if untouched { place as f64 } else { origin(op, axis, place as f64, region) };
        all.outside.push(region.is_some() && (x < 0.0 || x > (axis.input - 1) as f64));
        // A whole coordinate counts as the right end of the interval before it.
        let whole = x.floor() == x;
        let left = if whole { x as i64 - 1 } else { x.floor() as i64 };
        let ratio = if whole { 1.0 } else { x - x.floor() };
        let mut weights = weights(op, ratio, axis.scale);
        let first = left + 1 - weights.len() as i64 / 2;
        if op.exclude_outside {
            for (tap, weight) in weights.iter_mut().enumerate() {
                if !(0..axis.input).contains(&(first + tap as i64)) {
                    *weight = 0.0;
                }
            }
            let sum: f64 = weights.iter().sum();
            weights.iter_mut().for_each(|weight| *weight /= sum);
        }
        if all.indices.is_empty() {
            all.indices = vec![Vec::new(); weights.len()];
            all.weights = vec![Vec::new(); weights.len()];
        }
        for (tap, weight) in weights.into_iter().enumerate() {
            all.indices[tap].push((first + tap as i64).clamp(0, axis.input - 1));
            all.weights[tap].push(weight);
        }
    }
    all.simplify()
}

impl Taps {
    /// Where every place reads one element only, one tap is enough.
    fn simplify(self) -> Self {
        let places = self.outside.len();
        let mut only = Vec::with_capacity(places);
        for place in 0..places {
            let mut reads = (0..self.weights.len()).filter(|tap| self.weights[*tap][place] != 0.0);
            match (reads.next(), reads.next()) {
                (Some(tap), None) if self.weights[tap][place] == 1.0 => only.push(self.indices[tap][place]),
                _ => return self,
            }
        }
        Self { indices: vec![only], weights: vec![vec![1.0; places]], outside: self.outside }
    }
}

/// Weights of an even number of taps around an interval, by the position in it (0 excluded, 1 included).
fn weights(op: &Resize, ratio: f64, scale: f64) -> Vec<f64> {
    let shrink = if op.antialias { scale.min(1.0) } else { 1.0 };
    match op.mode {
        ResizeMode::Nearest => {
            let right = ratio == 1.0
                || match op.nearest_mode {
                    NearestMode::RoundPreferFloor => ratio > 0.5,
                    NearestMode::RoundPreferCeil => ratio >= 0.5,
                    NearestMode::Floor => false,
                    NearestMode::Ceil => true,
                };
            if right { vec![0.0, 1.0] } else { vec![1.0, 0.0] }
        }
        ResizeMode::Linear => {
            let start = (-1.0 / shrink).floor() as i64 + 1;
            normalized((start..2 - start).map(|tap| (1.0 - ((tap as f64 - ratio) * shrink).abs()).clamp(0.0, 1.0)))
        }
        ResizeMode::Cubic => {
            let start = (-2.0 / shrink).floor() as i64 + 1;
            let a = f64::from(op.cubic_coeff_a.0);
            let raw = (start..2 - start).map(|tap| cubic((shrink * (tap as f64 - ratio)).abs(), a));
            if op.antialias { normalized(raw) } else { raw.collect() }
        }
    }
}

fn normalized(weights: impl Iterator<Item = f64>) -> Vec<f64> {
    let weights: Vec<f64> = weights.collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

/// Keys' cubic kernel.
fn cubic(x: f64, a: f64) -> f64 {
    if x <= 1.0 {
        ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a
    } else {
        0.0
    }
}

fn apply(p: &mut Part, x: OutletId, axis: usize, taps: &Taps) -> TractResult<OutletId> {
    if let [only] = taps.indices.as_slice() {
        return pick_or_repeat(p, x, axis, only);
    }
    let (datum, rank) = (p.datum(x)?, p.rank(x)?);
    let mut sum = None;
    for (indices, weights) in taps.indices.iter().zip(&taps.weights) {
        if weights.iter().all(|weight| *weight == 0.0) {
            continue;
        }
        let picked = p.pick(x, axis, indices)?;
        let mut shape = vec![1; rank];
        shape[axis] = weights.len();
        let weights = p.float_constant(&shape, weights, datum)?;
        let term = p.op(math::mul(), &[picked, weights])?;
        sum = Some(match sum {
            Some(sum) => p.op(math::add(), &[sum, term])?,
            None => term,
        });
    }
    sum.context("an axis without taps")
}

/// A gather; where every element is only repeated, a broadcast, which is much faster on inner axes.
fn pick_or_repeat(p: &mut Part, x: OutletId, axis: usize, indices: &[i64]) -> TractResult<OutletId> {
    let shape = p.shape(x)?;
    let extent = shape[axis];
    if indices.iter().enumerate().all(|(place, index)| place as i64 == *index) && indices.len() == extent {
        return Ok(x);
    }
    let times = indices.len() / extent.max(1);
    let repeats = times * extent == indices.len()
        && indices.iter().enumerate().all(|(place, index)| (place / times.max(1)) as i64 == *index);
    if !repeats {
        return p.pick(x, axis, indices);
    }
    let wide = p.op(AxisOp::Add(axis + 1), &[x])?;
    let mut to: Vec<usize> = shape.to_vec();
    to.insert(axis + 1, times);
    let repeated = p.broadcast_to(wide, &to)?;
    let mut to = shape.to_vec();
    to[axis] = indices.len();
    p.reshape(repeated, &to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cubic_weights_sum_to_one() {
        for step in 1..=10 {
            let ratio = f64::from(step) / 10.0;
            let sum: f64 = [-1.0, 0.0, 1.0, 2.0].iter().map(|tap: &f64| cubic((tap - ratio).abs(), -0.75)).sum();
            assert!((sum - 1.0).abs() < 1e-12, "{ratio}: {sum}");
        }
    }
}
