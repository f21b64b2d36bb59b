//! Operators: vision.

use super::checks;
use super::geometry::{check_count, scaled_dim};
use super::operator;
use crate::attribute::attribute_enum;
use crate::infer::{InferCx, InferError};
use crate::{Dim, Dims, F32, Item, Shape};

attribute_enum! {
    /// The values of the attribute.
    GridMode { /// `linear`.
        Linear = "linear", /// `nearest`.
        Nearest = "nearest", /// `cubic`.
        Cubic = "cubic", }
}

attribute_enum! {
    /// The values of the attribute.
    GridPadding { /// `zeros`.
        Zeros = "zeros", /// `border`.
        Border = "border", /// `reflection`.
        Reflection = "reflection", }
}

attribute_enum! {
    /// The values of the attribute.
    CoordinateTransform { /// `half_pixel`.
        HalfPixel = "half_pixel", /// `half_pixel_symmetric`.
        HalfPixelSymmetric = "half_pixel_symmetric", /// `pytorch_half_pixel`.
        PytorchHalfPixel = "pytorch_half_pixel", /// `align_corners`.
        AlignCorners = "align_corners", /// `asymmetric`.
        Asymmetric = "asymmetric", /// `tf_crop_and_resize`.
        TfCropAndResize = "tf_crop_and_resize", /// `tf_half_pixel_for_nn`.
        TfHalfPixelForNn = "tf_half_pixel_for_nn", }
}

attribute_enum! {
    /// The values of the attribute.
    AspectPolicy { /// `stretch`.
        Stretch = "stretch", /// `not_larger`.
        NotLarger = "not_larger", /// `not_smaller`.
        NotSmaller = "not_smaller", }
}

attribute_enum! {
    /// The values of the attribute.
    ResizeMode { /// `nearest`.
        Nearest = "nearest", /// `linear`.
        Linear = "linear", /// `cubic`.
        Cubic = "cubic", }
}

attribute_enum! {
    /// The values of the attribute.
    NearestMode { /// `round_prefer_floor`.
        RoundPreferFloor = "round_prefer_floor", /// `round_prefer_ceil`.
        RoundPreferCeil = "round_prefer_ceil", /// `floor`.
        Floor = "floor", /// `ceil`.
        Ceil = "ceil", }
}

attribute_enum! {
    /// The values of the attribute.
    RoiTransform { /// `half_pixel`.
        HalfPixel = "half_pixel", /// `output_half_pixel`.
        OutputHalfPixel = "output_half_pixel", }
}

attribute_enum! {
    /// The values of the attribute.
    RoiMode { /// `avg`.
        Average = "avg", /// `max`.
        Max = "max", }
}

operator! {
    /// Sampling grid of an affine transform, for GridSample.
    AffineGrid {
        operands { theta: one, size: one }
        results { grid: one }
        attributes { align_corners: bool [false] }
        regions {  }
        infer: affine_grid;
        macs: |_: &AffineGrid, cx: &InferCx<'_>| {
            // Each coordinate is the product of a row of theta with a position.
            let row = cx.dims(0).and_then(<[Dim]>::last).cloned().unwrap_or_default();
            checks::result_elements(cx, 0).mul(&row)
        };
    }
}

operator! {
    /// Samples the input at the positions of a grid.
    GridSample {
        operands { x: one, grid: one }
        results { y: one }
        attributes { align_corners: bool [false], mode: GridMode [GridMode::Linear], padding_mode: GridPadding [GridPadding::Zeros] }
        regions {  }
        infer: grid_sample;
    }
}

operator! {
    /// Resamples axes by scales or to sizes.
    Resize {
        operands { x: one, roi: maybe, scales: maybe, sizes: maybe }
        results { y: one }
        attributes { antialias: bool [false], axes: Vec<i64>, coordinate_transformation_mode: CoordinateTransform [CoordinateTransform::HalfPixel], cubic_coeff_a: F32 [F32(-0.75)], exclude_outside: bool [false], extrapolation_value: F32 [F32(0.0)], keep_aspect_ratio_policy: AspectPolicy [AspectPolicy::Stretch], mode: ResizeMode [ResizeMode::Nearest], nearest_mode: NearestMode [NearestMode::RoundPreferFloor] }
        regions {  }
        infer: resize;
    }
}

operator! {
    /// Pools regions of interest by bilinear sampling.
    RoiAlign {
        operands { x: one, rois: one, batch_indices: one }
        results { y: one }
        attributes { coordinate_transformation_mode: RoiTransform [RoiTransform::HalfPixel], mode: RoiMode [RoiMode::Average], output_height: i64 [1], output_width: i64 [1], sampling_ratio: i64 [0], spatial_scale: F32 [F32(1.0)] }
        regions {  }
        infer: roi_align;
    }
}

/// The grid has the batch and spatial axes of `size` and a coordinate per spatial axis.
fn affine_grid(_: &AffineGrid, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let theta = checks::dims_of_rank(cx, 0, 3, "theta")?;
    let size = cx.contents(1).map(|contents| contents.dims());
    let length = match (&size, cx.dims(1)) {
        (Some(size), _) => Some(size.len() as i64),
        (None, Some([length])) => length.known(),
        _ => None,
    };
    if let Some(length) = length.filter(|length| !(4..=5).contains(length)) {
        return Err(InferError::new(format!("size must have 4 or 5 elements, not {length}")));
    }
    let coordinates = length.map_or(Dim::Unknown, |length| Dim::Known(length - 2));
    let mut batch = size.as_ref().map_or(Dim::Unknown, |size| size[0].clone());
    let mut spatial = coordinates.clone();
    if let Some(theta) = &theta {
        batch = cx.equal(&batch, &theta[0], "the batches of size and theta")?;
        spatial = cx.equal(&coordinates, &theta[1], "the spatial axes of size and the rows of theta")?;
        cx.equal(&theta[1].add(&Dim::Known(1)), &theta[2], "the rows of theta plus one and its columns")?;
    }
    let shape = match spatial.known().and_then(|n| usize::try_from(n).ok()) {
        Some(axes) if axes == 2 || axes == 3 => {
            let extent = |axis: usize| match &size {
                Some(size) if !size[axis + 2].is_unknown() => size[axis + 2].clone(),
                _ => cx.fresh(0, axis + 1),
            };
            let extents: Vec<Dim> = (0..axes).map(extent).collect();
            Shape::of([batch].into_iter().chain(extents).chain([spatial]))
        }
        _ => Shape::Unranked,
    };
    cx.set_tensor(0, cx.dtype(0), shape);
    Ok(())
}

fn grid_sample(_: &GridSample, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let (x, grid) = (checks::dims(cx, 0), checks::dims(cx, 1));
    let Some(rank) = x.as_ref().or(grid.as_ref()).map(smallvec::SmallVec::len) else {
        cx.set_tensor(0, cx.dtype(0), Shape::Unranked);
        return Ok(());
    };
    if rank < 3 {
        return Err(checks::wrong_rank("x", "3 or more", rank));
    }
    let unknown: Dims = smallvec::smallvec![Dim::Unknown; rank];
    let (x, grid) = (x.unwrap_or_else(|| unknown.clone()), grid.unwrap_or(unknown));
    if grid.len() != rank {
        return Err(InferError::new(format!("x has rank {rank}, but the grid has rank {}", grid.len())));
    }
    let batch = cx.equal(&x[0], &grid[0], "the batches of x and the grid")?;
    cx.equal(&Dim::from(rank - 2), &grid[rank - 1], "the spatial axes of x and the coordinates of the grid")?;
    let places = grid[1..rank - 1].iter().cloned();
    let shape = Shape::of([batch, x[1].clone()].into_iter().chain(places));
    cx.set_tensor(0, cx.dtype(0), shape);
    Ok(())
}

fn resize(op: &Resize, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let Some(x) = checks::dims(cx, 0) else {
        cx.set_tensor(0, cx.dtype(0), Shape::Unranked);
        return Ok(());
    };
    let axes = op.target_axes(x.len())?;
    let mut dims = x.clone();
    // An operand with no elements stands for an absent one, as in the forms before opset 13.
    let present = |slot: usize| cx.has(slot) && !matches!(cx.dims(slot), Some([Dim::Known(0)]));
    match (present(2), present(3)) {
        (true, false) => {
            let scales = scales(cx, axes.len())?;
            for (axis, scale) in axes.iter().zip(&scales) {
                dims[*axis] = match scale {
                    Some(scale) if *scale == 1.0 => x[*axis].clone(),
                    // With a region of interest the text multiplies by its extent as well, and engines do not.
                    Some(_) if op.coordinate_transformation_mode == CoordinateTransform::TfCropAndResize => {
                        Dim::Unknown
                    }
                    Some(scale) => scaled_dim(&x[*axis], *scale)?,
                    None => Dim::Unknown,
                };
            }
        }
        (false, true) => {
            let sizes = match cx.contents(3) {
                Some(contents) => contents.dims(),
                None => vec![Dim::Unknown; axes.len()],
            };
            check_count("sizes", sizes.len(), axes.len())?;
            let numbers = |dims: &[Dim]| -> Option<Vec<i64>> { dims.iter().map(Dim::known).collect() };
            let kept: Vec<Dim> = axes.iter().map(|axis| x[*axis].clone()).collect();
            if op.keep_aspect_ratio_policy == AspectPolicy::Stretch {
                for (axis, size) in axes.iter().zip(sizes) {
                    dims[*axis] = size;
                }
            } else if let (Some(_), Some(sizes)) = (numbers(&kept), numbers(&sizes)) {
                // The other axes do not matter; any number stands for those that are not known.
                let input: Vec<i64> = x.iter().map(|dim| dim.known().unwrap_or(1)).collect();
                let resized = op.resized_axes(&input, None, Some(&sizes))?;
                for axis in &axes {
                    dims[*axis] = Dim::Known(resized[*axis].output);
                }
            } else {
                for axis in &axes {
                    dims[*axis] = Dim::Unknown;
                }
            }
        }
        (true, true) => return Err(InferError::new("only one of scales and sizes may be given")),
        (false, false) => return Err(InferError::new("one of scales and sizes must be given")),
    }
    for axis in axes {
        if dims[axis].is_unknown() {
            dims[axis] = cx.fresh(0, axis);
        }
    }
    cx.set_tensor(0, cx.dtype(0), Shape::Ranked(dims));
    Ok(())
}

/// The scale of each target axis, where known.
fn scales(cx: &InferCx<'_>, axes: usize) -> Result<Vec<Option<f64>>, InferError> {
    let scales = match cx.contents(2) {
        Some(contents) => contents
            .items()
            .iter()
            .map(|item| match item {
                Item::Float(scale) => Some(*scale),
                _ => None,
            })
            .collect(),
        None => vec![None; axes],
    };
    check_count("scales", scales.len(), axes)?;
    Ok(scales)
}

fn roi_align(op: &RoiAlign, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let channels = checks::dims_of_rank(cx, 0, 4, "x")?.map_or(Dim::Unknown, |dims| dims[1].clone());
    let mut count = Dim::Unknown;
    if let Some(rois) = checks::dims_of_rank(cx, 1, 2, "rois")? {
        cx.equal(&rois[1], &Dim::Known(4), "the second dim of rois")?;
        count = rois[0].clone();
    }
    let count = checks::vector_of(cx, 2, &count, "batch_indices")?;
    for (size, name) in [(op.output_height, "output_height"), (op.output_width, "output_width")] {
        if size < 1 {
            return Err(InferError::new(format!("attribute '{name}' is {size}; it must be at least 1")));
        }
    }
    let shape = Shape::of([count, channels, Dim::Known(op.output_height), Dim::Known(op.output_width)]);
    cx.set_tensor(0, cx.dtype(0), shape);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contents::Contents;
    use crate::infer::Fact;
    use crate::op::rule_test::{floats, given, infer, ints, macs, ty};

    fn sizes(items: &[Dim]) -> Fact {
        let contents = Contents::new(items.iter().cloned().map(Item::from).collect());
        Fact { contents, ..Fact::of_type(ty(&format!("int64[{}]", items.len()))) }
    }

    #[test]
    fn infers_grids() {
        let op = AffineGrid { align_corners: false };
        for (theta, size, want) in [
            ("float[N,2,3]", ints(&[4, 3, 8, 9]), "float[4,8,9,2]"),
            ("float[N,3,4]", ints(&[4, 3, 7, 8, 9]), "float[4,7,8,9,3]"),
            ("float[N,2,3]", "int64[4]".into(), "float[N,`?r0.1`,`?r0.2`,2]"),
            ("float[..]", "int64[?]".into(), "float[..]"),
            (
                "float[N,3,4]",
                ints(&[4, 3, 8, 9]),
                "the spatial axes of size and the rows of theta: 2 and 3 must be equal",
            ),
            ("float[N,2,3]", ints(&[4, 3, 8]), "size must have 4 or 5 elements, not 3"),
        ] {
            assert_eq!(infer(&op, [theta.into(), size]), want);
        }
        let symbols = sizes(&[Dim::symbol("N"), Dim::Known(3), Dim::symbol("H"), Dim::Known(9)]);
        assert_eq!(infer(&op, given!["float[N,2,3]", symbols.clone()]), "float[N,H,9,2]");
        assert_eq!(macs(&op, given!["float[N,2,3]", symbols]), "54*H*N");
    }

    #[test]
    fn infers_samples() {
        let op = GridSample { align_corners: false, mode: GridMode::Linear, padding_mode: GridPadding::Zeros };
        for (x, grid, want) in [
            ("float[N,3,8,8]", "float[N,H,W,2]", "float[N,3,H,W]"),
            ("float[N,3,8,8,8]", "float[1,5,6,7,3]", "float[1,3,5,6,7]"),
            ("float[..]", "float[N,H,W,2]", "float[N,?,H,W]"),
            ("float[..]", "float[..]", "float[..]"),
            (
                "float[N,3,8,8]",
                "float[N,H,W,3]",
                "the spatial axes of x and the coordinates of the grid: 2 and 3 must be equal",
            ),
            ("float[N,3,8,8]", "float[N,H,2]", "x has rank 4, but the grid has rank 3"),
        ] {
            assert_eq!(infer(&op, given![x, grid]), want);
        }
    }

    fn resize() -> Resize {
        Resize {
            antialias: false,
            axes: vec![],
            coordinate_transformation_mode: CoordinateTransform::HalfPixel,
            cubic_coeff_a: F32(-0.75),
            exclude_outside: false,
            extrapolation_value: F32(0.0),
            keep_aspect_ratio_policy: AspectPolicy::Stretch,
            mode: ResizeMode::Nearest,
            nearest_mode: NearestMode::RoundPreferFloor,
        }
    }

    #[test]
    fn infers_resizes_by_scales() {
        let x = "float[N,3,H,10]";
        let spatial = Resize { axes: vec![-2, -1], ..resize() };
        let crop = Resize { coordinate_transformation_mode: CoordinateTransform::TfCropAndResize, ..resize() };
        for (op, scales, want) in [
            (&resize(), floats(&[1.0, 1.0, 2.0, 0.25]), "float[N,3,2*H,2]"),
            (&resize(), floats(&[1.0, 1.0, 0.5, 1.5]), "float[N,3,floor(H/2),15]"),
            // No expression; and one where engines disagree.
            (&resize(), floats(&[1.0, 1.0, 0.3, 0.7]), "float[N,3,`?r0.2`,`?r0.3`]"),
            (&spatial, floats(&[2.0, 2.0]), "float[N,3,2*H,20]"),
            (&spatial, "float[2]".into(), "float[N,3,`?r0.2`,`?r0.3`]"),
            (&crop, floats(&[1.0, 1.0, 2.0, 2.0]), "float[N,3,`?r0.2`,`?r0.3`]"),
            (&resize(), floats(&[2.0, 2.0]), "scales has 2 elements for 4 axes"),
            (&spatial, floats(&[2.0, 0.0]), "scales must be positive, as 0 is not"),
        ] {
            assert_eq!(infer(op, [x.into(), "-".into(), scales]), want);
        }
    }

    #[test]
    fn infers_resizes_to_sizes() {
        let x = "float[N,3,8,10]";
        let spatial = Resize { axes: vec![2, 3], ..resize() };
        let keep = Resize { keep_aspect_ratio_policy: AspectPolicy::NotLarger, ..spatial.clone() };
        let target = || given!["-", "-", ints(&[1, 3, 16, 5])].into_iter();
        assert_eq!(infer(&resize(), given![x].into_iter().chain(target())), "float[1,3,16,5]");
        let symbols = sizes(&[Dim::symbol("H"), Dim::Unknown]);
        assert_eq!(infer(&spatial, given![x, "-", "-", symbols]), "float[N,3,H,`?r0.3`]");
        assert_eq!(infer(&keep, given![x, "-", "-", ints(&[16, 15])]), "float[N,3,12,15]");
        assert_eq!(infer(&keep, given!["float[N,3,H,8]", "-", "-", ints(&[16, 15])]), "float[N,3,`?r0.2`,`?r0.3`]");
        assert_eq!(infer(&spatial, given![x, "-", floats(&[]), ints(&[4, 5])]), "float[N,3,4,5]");
        assert_eq!(infer(&spatial, given![x]), "one of scales and sizes must be given");
        assert_eq!(
            infer(&spatial, given![x, "-", floats(&[2.0, 2.0]), ints(&[4, 5])]),
            "only one of scales and sizes may be given"
        );
        assert_eq!(infer(&spatial, given!["float[..]", "-", "-", ints(&[4, 5])]), "float[..]");
    }

    #[test]
    fn infers_regions() {
        let op = RoiAlign {
            coordinate_transformation_mode: RoiTransform::HalfPixel,
            mode: RoiMode::Average,
            output_height: 7,
            output_width: 6,
            sampling_ratio: 2,
            spatial_scale: F32(1.0),
        };
        for (x, rois, indices, want) in [
            ("float[N,256,H,W]", "float[R,4]", "int64[R]", "float[R,256,7,6]"),
            ("float[..]", "float[?,4]", "int64[9]", "float[9,?,7,6]"),
            ("float[N,256,H]", "float[R,4]", "int64[R]", "x must have rank 4, not 3"),
            ("float[N,256,H,W]", "float[R,5]", "int64[R]", "the second dim of rois: 5 and 4 must be equal"),
            ("float[N,256,H,W]", "float[3,4]", "int64[2]", "the elements of batch_indices: 3 and 2 must be equal"),
        ] {
            assert_eq!(infer(&op, given![x, rois, indices]), want);
        }
    }
}
