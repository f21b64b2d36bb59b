//! RoiAlign.

use edgesmith_ir::op::{RoiAlign, RoiMode, RoiTransform};

use super::super::cx::one;
use super::super::dense::{invalid, round_to, rounded};
use super::super::{EvalCx, Evaluated};

/// The bins of one side of a region.
struct Side {
    start: f64,
    bin: f64,
    samples: usize,
    extent: usize,
}

impl Side {
    /// The place of a sample of a bin.
    fn place(&self, bin: usize, sample: usize) -> f64 {
        self.start + bin as f64 * self.bin + (sample as f64 + 0.5) * self.bin / self.samples as f64
    }
    /// The two elements around a place with their weights; `None` when it lies more than one element outside.
    fn neighbours(&self, place: f64) -> Option<[(usize, f64); 2]> {
        if !(-1.0..=self.extent as f64).contains(&place) {
            return None;
        }
        let place = place.max(0.0);
        let low = place as usize;
        if low + 1 >= self.extent {
            let last = self.extent - 1;
            return Some([(last, 1.0), (last, 0.0)]);
        }
        let fraction = place - low as f64;
        Some([(low, 1.0 - fraction), (low + 1, fraction)])
    }
}

/// Pools regions of interest by bilinear sampling. The maximum is taken over the weighted corners of all samples, not
/// over interpolated values: the node tests, the reference and ONNX Runtime agree on that.
pub(in super::super) fn roi_align(op: &RoiAlign, cx: &EvalCx<'_>) -> Evaluated {
    let (x, rois, batches) = (cx.floats(0)?, cx.floats(1)?, cx.ints(2)?);
    let [batch, channels, height, width] = *x.shape.as_slice() else {
        return Err(invalid(format!("an image batch is needed, not shape {:?}", x.shape)));
    };
    if rois.shape != [batches.len(), 4] || height == 0 || width == 0 {
        return Err(invalid(format!("regions {:?} for {} batch indices", rois.shape, batches.len())));
    }
    let size = |x: i64| usize::try_from(x).ok().filter(|x| *x > 0).ok_or_else(|| invalid(format!("a size of {x}")));
    let (rows, columns) = (size(op.output_height)?, size(op.output_width)?);
    let shape = [batches.len(), channels, rows, columns];
    let mut out = vec![0.0; cx.allow(x.dtype, &shape)?];
    // How many samples a bin has hangs on these figures: they are rounded as engines round them.
    let narrow = |x: f64| round_to(rois.dtype, x);
    let offset = if op.coordinate_transformation_mode == RoiTransform::HalfPixel { 0.5 } else { 0.0 };
    let side = |from: f64, to: f64, bins: usize, extent: usize| {
        let scaled = |x: f64| narrow(narrow(x * f64::from(op.spatial_scale.0)) - offset);
        let start = scaled(from);
        let length = narrow(scaled(to) - start);
        let length = if offset == 0.0 { length.max(1.0) } else { length };
        let bin = narrow(length / bins as f64);
        let samples =
            usize::try_from(op.sampling_ratio).ok().filter(|n| *n > 0).unwrap_or(bin.ceil().max(0.0) as usize);
        Side { start, bin, samples, extent }
    };
    for (region, at) in batches.iter().enumerate() {
        let at = usize::try_from(*at).ok().filter(|at| *at < batch);
        let at = at.ok_or_else(|| invalid(format!("batch index {} of {batch}", batches[region])))?;
        let corners = &rois.data[4 * region..][..4];
        let horizontal = side(corners[0], corners[2], columns, width);
        let vertical = side(corners[1], corners[3], rows, height);
        for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
            let mut samples: Vec<[(usize, f64); 4]> = Vec::new();
            for (i, j) in (0..vertical.samples).flat_map(|i| (0..horizontal.samples).map(move |j| (i, j))) {
                let places = (vertical.place(row, i), horizontal.place(column, j));
                let around = vertical.neighbours(places.0).zip(horizontal.neighbours(places.1));
                samples.push(around.map_or([(0, 0.0); 4], |(ys, xs)| {
                    [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(y, x)| (ys[y].0 * width + xs[x].0, ys[y].1 * xs[x].1))
                }));
            }
            for channel in 0..channels {
                let plane = &x.data[(at * channels + channel) * height * width..][..height * width];
                let parts =
                    samples.iter().flatten().map(|(i, weight)| if *weight == 0.0 { 0.0 } else { weight * plane[*i] });
                let pooled = match op.mode {
                    RoiMode::Average => parts.sum::<f64>() / samples.len().max(1) as f64,
                    RoiMode::Max => parts.reduce(f64::max).unwrap_or(0.0),
                };
                out[((region * channels + channel) * rows + row) * columns + column] = pooled;
            }
        }
    }
    one(rounded(x.dtype, &shape, &out)?)
}
