//! Operators: quantized.

use super::AutoPad;
use super::operator;

operator! {
    /// Convolution of 8-bit integers with zero points, accumulated in int32.
    ConvInteger {
        operands { x: one, weight: one, x_zero_point: maybe, weight_zero_point: maybe }
        results { y: one }
        attributes { auto_pad: AutoPad [AutoPad::NotSet], dilations: Vec<i64>, group: i64 [1], kernel_shape: Vec<i64>, pads: Vec<i64>, strides: Vec<i64> }
        regions {  }
    }
}

operator! {
    /// `(x - zero point) * scale`, per tensor, per axis or in blocks.
    DequantizeLinear {
        operands { x: one, x_scale: one, x_zero_point: maybe }
        results { y: one }
        attributes { axis: i64 [1], block_size: i64 [0], output_dtype: i64 [0] }
        regions {  }
    }
}

operator! {
    /// Quantises to uint8 with scale and zero point of the data at hand.
    DynamicQuantizeLinear {
        operands { x: one }
        results { y: one, y_scale: one, y_zero_point: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Matrix product of 8-bit integers with zero points, accumulated in int32.
    MatMulInteger {
        operands { a: one, b: one, a_zero_point: maybe, b_zero_point: maybe }
        results { y: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Convolution of quantised tensors with a quantised result.
    QLinearConv {
        operands { x: one, x_scale: one, x_zero_point: one, weight: one, weight_scale: one, weight_zero_point: one, y_scale: one, y_zero_point: one, bias: maybe }
        results { y: one }
        attributes { auto_pad: AutoPad [AutoPad::NotSet], dilations: Vec<i64>, group: i64 [1], kernel_shape: Vec<i64>, pads: Vec<i64>, strides: Vec<i64> }
        regions {  }
    }
}

operator! {
    /// Matrix product of quantised tensors with a quantised result.
    QLinearMatMul {
        operands { a: one, a_scale: one, a_zero_point: one, b: one, b_scale: one, b_zero_point: one, y_scale: one, y_zero_point: one }
        results { y: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// `saturate(round(x / scale) + zero point)`, ties to even; per tensor, per axis or in blocks.
    QuantizeLinear {
        operands { x: one, y_scale: one, y_zero_point: maybe }
        results { y: one }
        attributes { axis: i64 [1], block_size: i64 [0], output_dtype: i64 [0], precision: i64 [0], saturate: bool [true] }
        regions {  }
    }
}
