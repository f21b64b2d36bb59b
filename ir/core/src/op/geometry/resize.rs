//! Sizes and scales of Resize.

use crate::Dim;
use crate::infer::{InferCx, InferError};
use crate::op::{AspectPolicy, Resize};

/// What one axis of a Resize does.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ResizedAxis {
    /// Elements of the input.
    pub input: i64,
    /// Elements of the output.
    pub output: i64,
    /// The scale of the coordinate formulas: the one given; with sizes output over input, or under a policy that keeps
    /// the aspect ratio the scale common to all axes (the node tests and ONNX Runtime agree on that). 1 on axes that
    /// the operator leaves alone.
    pub scale: f64,
}

impl Resize {
    /// For each entry of `scales`, `sizes` and `roi`, the axis that it belongs to.
    /// Errors: an axis outside the rank, or named twice.
    pub fn target_axes(&self, rank: usize) -> Result<Vec<usize>, InferError> {
        if self.axes.is_empty() {
            return Ok((0..rank).collect());
        }
        let axes = self.axes.iter().map(|axis| InferCx::axis(*axis, rank)).collect::<Result<Vec<_>, _>>()?;
        match axes.iter().enumerate().find(|(place, axis)| axes[..*place].contains(axis)) {
            Some((_, axis)) => Err(InferError::new(format!("attribute 'axes' names axis {axis} twice"))),
            None => Ok(axes),
        }
    }

    /// Every axis in numbers. One of `scales` and `sizes` must be given, with an entry per target axis.
    ///
    /// Errors: both or none given, a wrong number of entries, scales that are not positive, negative sizes.
    pub fn resized_axes(
        &self,
        input: &[i64],
        scales: Option<&[f64]>,
        sizes: Option<&[i64]>,
    ) -> Result<Vec<ResizedAxis>, InferError> {
        let axes = self.target_axes(input.len())?;
        let mut resized: Vec<ResizedAxis> =
            input.iter().map(|n| ResizedAxis { input: *n, output: *n, scale: 1.0 }).collect();
        match (scales, sizes) {
            (Some(scales), None) => {
                check_count("scales", scales.len(), axes.len())?;
                for (axis, scale) in axes.iter().zip(scales) {
                    resized[*axis].output = scaled_extent(input[*axis], *scale)?;
                    resized[*axis].scale = *scale;
                }
            }
            (None, Some(sizes)) => {
                check_count("sizes", sizes.len(), axes.len())?;
                if let Some(size) = sizes.iter().find(|size| **size < 0) {
                    return Err(InferError::new(format!("sizes must not be negative, as {size} is")));
                }
                let ratios = axes.iter().zip(sizes).map(|(axis, size)| *size as f64 / input[*axis] as f64);
                let common = match self.keep_aspect_ratio_policy {
                    AspectPolicy::Stretch => None,
                    AspectPolicy::NotLarger => ratios.reduce(f64::min),
                    AspectPolicy::NotSmaller => ratios.reduce(f64::max),
                };
                for (axis, size) in axes.iter().zip(sizes) {
                    let n = input[*axis];
                    let (output, scale) = match common {
                        None => (*size, *size as f64 / n as f64),
                        // Half rounds up.
                        Some(scale) => ((scale * n as f64 + 0.5).floor() as i64, scale),
                    };
                    resized[*axis] = ResizedAxis { input: n, output, scale };
                }
            }
            _ => return Err(InferError::new("exactly one of scales and sizes must be given")),
        }
        Ok(resized)
    }
}

/// `floor(n * scale)`, the product exact as the text has it. Errors: the scale is not a positive number.
pub fn scaled_extent(n: i64, scale: f64) -> Result<i64, InferError> {
    if !(scale > 0.0 && scale.is_finite()) {
        return Err(InferError::new(format!("scales must be positive, as {scale} is not")));
    }
    // A binary32 scale times a size below 2^29 is exact in binary64.
    Ok((n as f64 * scale).floor() as i64)
}

/// [`scaled_extent`] of a symbolic size; unknown where it has no expression, and where engines disagree because they
/// multiply in binary32 (10 elements times 0.7: ONNX Runtime makes 7, the text 6).
pub fn scaled_dim(n: &Dim, scale: f64) -> Result<Dim, InferError> {
    let probe = scaled_extent(n.known().unwrap_or(1), scale)?;
    if let Dim::Known(n) = n {
        let in_single = (*n as f32 * scale as f32).floor() as i64;
        return Ok(if in_single == probe { Dim::Known(probe) } else { Dim::Unknown });
    }
    // Scales that exporters use are whole or have a small power of two below: 2, 1.5, 0.25.
    let divisor = [1_i64, 2, 4, 8, 16, 32].into_iter().find(|divisor| {
        let times = scale * *divisor as f64;
        times.fract() == 0.0 && times < 4096.0
    });
    Ok(match divisor {
        Some(divisor) => n.mul(&Dim::Known((scale * divisor as f64) as i64)).floor_div(&Dim::Known(divisor)),
        None => Dim::Unknown,
    })
}

/// An error unless there is one entry per axis.
pub(in crate::op) fn check_count(name: &str, found: usize, axes: usize) -> Result<(), InferError> {
    if found == axes {
        return Ok(());
    }
    Err(InferError::new(format!("{name} has {found} elements for {axes} axes")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::F32;
    use crate::op::{CoordinateTransform, NearestMode, ResizeMode};

    fn resize(axes: &[i64], policy: AspectPolicy) -> Resize {
        Resize {
            antialias: false,
            axes: axes.to_vec(),
            coordinate_transformation_mode: CoordinateTransform::HalfPixel,
            cubic_coeff_a: F32(-0.75),
            exclude_outside: false,
            extrapolation_value: F32(0.0),
            keep_aspect_ratio_policy: policy,
            mode: ResizeMode::Nearest,
            nearest_mode: NearestMode::RoundPreferFloor,
        }
    }

    #[test]
    fn resizes_by_scales_and_sizes() {
        let op = resize(&[-1, 2], AspectPolicy::Stretch);
        let axes = op.resized_axes(&[1, 3, 10, 4], Some(&[0.5, f64::from(0.7_f32)]), None).unwrap();
        let outputs: Vec<i64> = axes.iter().map(|axis| axis.output).collect();
        assert_eq!(outputs, [1, 3, 6, 2]);
        let axes = op.resized_axes(&[1, 3, 10, 4], None, Some(&[6, 5])).unwrap();
        assert_eq!(axes[2], ResizedAxis { input: 10, output: 5, scale: 0.5 });
        assert_eq!(axes[3], ResizedAxis { input: 4, output: 6, scale: 1.5 });
    }

    /// Figures from ONNX Runtime 1.31 and the reference of onnx 1.23.
    #[test]
    fn keeps_the_aspect_ratio() {
        for (policy, sizes, want) in [
            (AspectPolicy::NotLarger, [7, 9], (7, 5)),
            (AspectPolicy::NotLarger, [3, 5], (3, 2)),
            (AspectPolicy::NotLarger, [2, 13], (2, 2)),
            (AspectPolicy::NotSmaller, [7, 9], (12, 9)),
            (AspectPolicy::NotSmaller, [2, 13], (17, 13)),
        ] {
            let axes = resize(&[2, 3], policy).resized_axes(&[1, 1, 4, 3], None, Some(&sizes)).unwrap();
            assert_eq!((axes[2].output, axes[3].output), want, "{policy:?} {sizes:?}");
            assert_eq!(axes[2].scale, axes[3].scale);
        }
    }

    #[test]
    fn scales_symbols() {
        let height = Dim::symbol("H");
        for (scale, want) in
            [(1.0, "H"), (2.0, "2*H"), (0.5, "floor(H/2)"), (1.5, "H + floor(H/2)"), (0.3, "?"), (1e9, "?")]
        {
            let text = scaled_dim(&height, scale).unwrap().to_string();
            assert_eq!(text.replace(['(', ')'], ""), want.replace(['(', ')'], ""), "{scale}");
        }
        assert_eq!(scaled_dim(&Dim::Known(10), f64::from(0.7_f32)).unwrap(), Dim::Unknown);
        assert_eq!(scaled_dim(&Dim::Known(10), f64::from(0.75_f32)).unwrap(), Dim::Known(7));
        assert_eq!(scaled_dim(&height, -1.0).unwrap_err().message, "scales must be positive, as -1 is not");
    }

    #[test]
    fn refuses_what_is_no_resize() {
        let op = resize(&[2, -2], AspectPolicy::Stretch);
        let error = |op: &Resize, scales: Option<&[f64]>, sizes: Option<&[i64]>| {
            op.resized_axes(&[1, 1, 4, 4], scales, sizes).unwrap_err().message
        };
        assert_eq!(error(&op, Some(&[1.0, 1.0]), None), "attribute 'axes' names axis 2 twice");
        let op = resize(&[], AspectPolicy::Stretch);
        assert_eq!(error(&op, Some(&[1.0, 1.0]), None), "scales has 2 elements for 4 axes");
        assert_eq!(error(&op, None, Some(&[1, 1, -4, 4])), "sizes must not be negative, as -4 is");
        assert_eq!(error(&op, None, None), "exactly one of scales and sizes must be given");
    }
}
