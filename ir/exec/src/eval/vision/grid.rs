//! GridSample and the grids that it reads.

use edgesmith_ir::op::{AffineGrid, GridMode, GridPadding, GridSample};

use super::super::cx::one;
use super::super::dense::{invalid, rounded, step};
use super::super::{EvalCx, Evaluated};
use super::cubic_weights;

/// How places on one axis of the input are found.
struct Axis {
    extent: usize,
    padding: GridPadding,
    mode: GridMode,
    align_corners: bool,
}

/// The coefficient of cubic interpolation.
const CUBIC: f64 = -0.75;

impl Axis {
    /// The place of a coordinate between -1 and 1.
    fn place(&self, coordinate: f64) -> f64 {
        let n = self.extent as f64;
        let place = if self.align_corners {
            (coordinate + 1.0) / 2.0 * (n - 1.0)
        } else {
            ((coordinate + 1.0) * n - 1.0) / 2.0
        };
        let place = if self.mode == GridMode::Nearest { place.round_ties_even() } else { place };
        // Padding with the border is a matter of the elements alone; a reflected place has reflected elements.
        if self.padding == GridPadding::Reflection { self.brought_in(place) } else { place }
    }
    /// Where the input begins and ends.
    fn borders(&self) -> (f64, f64) {
        let n = self.extent as f64;
        if self.align_corners { (0.0, n - 1.0) } else { (-0.5, n - 0.5) }
    }
    /// A place outside, by the padding mode; zeros leave it where it is.
    fn brought_in(&self, place: f64) -> f64 {
        match self.padding {
            GridPadding::Zeros => place,
            GridPadding::Border => place.clamp(0.0, self.extent as f64 - 1.0),
            GridPadding::Reflection => {
                let (low, high) = self.borders();
                let range = high - low;
                if range <= 0.0 {
                    return low;
                }
                // Back and forth between the borders: a period of twice the range.
                let along = (place - low).rem_euclid(2.0 * range);
                low + if along <= range { along } else { 2.0 * range - along }
            }
        }
    }
    /// The element at a whole place; `None` reads as zero.
    fn element(&self, place: f64) -> Option<usize> {
        let last = self.extent as f64 - 1.0;
        let inside = if (0.0..=last).contains(&place) { place } else { self.brought_in(place).trunc() };
        (0.0..=last).contains(&inside).then_some(inside as usize)
    }
    /// Elements and weights for a coordinate.
    fn taps(&self, coordinate: f64) -> Vec<(usize, f64)> {
        let place = self.place(coordinate);
        let (floor, fraction) = (place.floor(), place - place.floor());
        let (first, weights) = match self.mode {
            GridMode::Nearest => (place, vec![1.0]),
            GridMode::Linear => (floor, vec![1.0 - fraction, fraction]),
            GridMode::Cubic => (floor - 1.0, cubic_weights(fraction, CUBIC).to_vec()),
        };
        let taps = weights.into_iter().enumerate().filter(|(_, weight)| *weight != 0.0);
        taps.filter_map(|(i, weight)| Some((self.element(first + i as f64)?, weight))).collect()
    }
}

/// Samples the input at the places of a grid `[batch, extents of the result.., axes]`, coordinates of the last axis first.
pub(in super::super) fn grid_sample(op: &GridSample, cx: &EvalCx<'_>) -> Evaluated {
    let (x, grid) = (cx.floats(0)?, cx.floats(1)?);
    let ([batch, channels, spatial @ ..], [grid_batch, extents @ .., axes]) = (&x.shape[..], &grid.shape[..]) else {
        return Err(invalid("input and grid need a batch and spatial axes"));
    };
    if batch != grid_batch || *axes != spatial.len() || extents.len() != spatial.len() {
        return Err(invalid(format!("a grid of shape {:?} does not fit an input of shape {:?}", grid.shape, x.shape)));
    }
    let shape = [&[*batch, *channels], extents].concat();
    let total = cx.allow(x.dtype, &shape)?;
    if spatial.contains(&0) && total > 0 {
        return Err(invalid("nothing cannot be sampled"));
    }
    if grid.data.iter().any(|coordinate| coordinate.is_nan()) {
        cx.open("sampling at NaN")?;
    }
    let axis = |extent: &usize| Axis {
        extent: *extent,
        padding: op.padding_mode,
        mode: op.mode,
        align_corners: op.align_corners,
    };
    let axes: Vec<Axis> = spatial.iter().map(axis).collect();
    let (plane, points): (usize, usize) = (spatial.iter().product(), extents.iter().product());
    let mut out = vec![0.0; total];
    for n in 0..*batch {
        for point in 0..points {
            let coordinates = &grid.data[(n * points + point) * axes.len()..][..axes.len()];
            let mut taps = vec![(0, 1.0)];
            for (axis, coordinate) in axes.iter().zip(coordinates.iter().rev()) {
                let own = axis.taps(*coordinate);
                taps = taps
                    .iter()
                    .flat_map(|(at, weight)| own.iter().map(move |(i, w)| (at * axis.extent + i, weight * w)))
                    .collect();
            }
            for channel in 0..*channels {
                let values = &x.data[(n * channels + channel) * plane..][..plane];
                out[(n * channels + channel) * points + point] = taps.iter().map(|(at, w)| w * values[*at]).sum();
            }
        }
    }
    one(rounded(x.dtype, &shape, &out)?)
}

/// The grid of an affine transform: matrices applied to the places of the result's elements, last axis first.
pub(in super::super) fn affine_grid(op: &AffineGrid, cx: &EvalCx<'_>) -> Evaluated {
    let (theta, size) = (cx.floats(0)?, cx.ints(1)?);
    let size: Option<Vec<usize>> = size.iter().map(|extent| usize::try_from(*extent).ok()).collect();
    let Some([batch, _, spatial @ ..]) = size.as_deref() else {
        return Err(invalid("the size must be a batch, channels and spatial extents"));
    };
    let rank = spatial.len();
    if theta.shape != [*batch, rank, rank + 1] || rank == 0 {
        return Err(invalid(format!("matrices {:?} do not fit {rank} spatial axes", theta.shape)));
    }
    let shape = [&[*batch], spatial, &[rank]].concat();
    let mut out = Vec::with_capacity(cx.allow(theta.dtype, &shape)?);
    if op.align_corners && spatial.contains(&1) {
        cx.open("the corners of an axis of one element")?;
    }
    let coordinate = |index: usize, extent: usize| match (op.align_corners, extent) {
        // One element has no two corners; the reference puts it on the first.
        (true, 1) => -1.0,
        (true, _) => 2.0 * index as f64 / (extent - 1) as f64 - 1.0,
        (false, _) => (2 * index + 1) as f64 / extent as f64 - 1.0,
    };
    if !shape.contains(&0) {
        for n in 0..*batch {
            let mut index = vec![0; rank];
            loop {
                let place: Vec<f64> = index.iter().zip(spatial).map(|(i, extent)| coordinate(*i, *extent)).collect();
                for row in theta.data[n * rank * (rank + 1)..][..rank * (rank + 1)].chunks(rank + 1) {
                    out.push(place.iter().rev().zip(row).map(|(x, factor)| x * factor).sum::<f64>() + row[rank]);
                }
                if !step(&mut index, spatial) {
                    break;
                }
            }
        }
    }
    one(rounded(theta.dtype, &shape, &out)?)
}
