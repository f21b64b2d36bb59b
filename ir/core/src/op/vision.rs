//! Operators: vision.

use super::operator;
use crate::F32;
use crate::attribute::attribute_enum;

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
    }
}

operator! {
    /// Samples the input at the positions of a grid.
    GridSample {
        operands { x: one, grid: one }
        results { y: one }
        attributes { align_corners: bool [false], mode: GridMode [GridMode::Linear], padding_mode: GridPadding [GridPadding::Zeros] }
        regions {  }
    }
}

operator! {
    /// Resamples axes by scales or to sizes.
    Resize {
        operands { x: one, roi: maybe, scales: maybe, sizes: maybe }
        results { y: one }
        attributes { antialias: bool [false], axes: Vec<i64>, coordinate_transformation_mode: CoordinateTransform [CoordinateTransform::HalfPixel], cubic_coeff_a: F32 [F32(-0.75)], exclude_outside: bool [false], extrapolation_value: F32 [F32(0.0)], keep_aspect_ratio_policy: AspectPolicy [AspectPolicy::Stretch], mode: ResizeMode [ResizeMode::Nearest], nearest_mode: NearestMode [NearestMode::RoundPreferFloor] }
        regions {  }
    }
}

operator! {
    /// Pools regions of interest by bilinear sampling.
    RoiAlign {
        operands { x: one, rois: one, batch_indices: one }
        results { y: one }
        attributes { coordinate_transformation_mode: RoiTransform [RoiTransform::HalfPixel], mode: RoiMode [RoiMode::Average], output_height: i64 [1], output_width: i64 [1], sampling_ratio: i64 [0], spatial_scale: F32 [F32(1.0)] }
        regions {  }
    }
}
