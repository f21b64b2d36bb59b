//! Operators: conv.

use super::operator;
use crate::attribute::attribute_enum;

attribute_enum! {
    /// The values of the attribute.
    AutoPad { /// `NOTSET`.
        NotSet = "NOTSET", /// `SAME_UPPER`.
        SameUpper = "SAME_UPPER", /// `SAME_LOWER`.
        SameLower = "SAME_LOWER", /// `VALID`.
        Valid = "VALID", }
}

operator! {
    /// Convolution (cross-correlation) over the spatial axes, with groups, dilations and strides.
    Conv {
        operands { x: one, weight: one, bias: maybe }
        results { y: one }
        attributes { auto_pad: AutoPad [AutoPad::NotSet], dilations: Vec<i64>, group: i64 [1], kernel_shape: Vec<i64>, pads: Vec<i64>, strides: Vec<i64> }
        regions {  }
    }
}

operator! {
    /// Transposed convolution.
    ConvTranspose {
        operands { x: one, weight: one, bias: maybe }
        results { y: one }
        attributes { auto_pad: AutoPad [AutoPad::NotSet], dilations: Vec<i64>, group: i64 [1], kernel_shape: Vec<i64>, output_padding: Vec<i64>, output_shape: Vec<i64>, pads: Vec<i64>, strides: Vec<i64> }
        regions {  }
    }
}

operator! {
    /// Convolution at learned offsets from the regular grid.
    DeformConv {
        operands { x: one, weight: one, offset: one, bias: maybe, mask: maybe }
        results { y: one }
        attributes { dilations: Vec<i64>, group: i64 [1], kernel_shape: Vec<i64>, offset_group: i64 [1], pads: Vec<i64>, strides: Vec<i64> }
        regions {  }
    }
}
