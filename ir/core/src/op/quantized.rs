//! Operators: quantized.

use super::AutoPad;
use super::checks::{self, dtype_of_number};
use super::conv::{Operands, convolution, convolution_macs};
use super::geometry::granularity;
use super::operator;
use super::product::{matrix_product, matrix_product_macs};
use crate::infer::{InferCx, InferError};
use crate::{DType, Shape};

operator! {
    /// Convolution of 8-bit integers with zero points, accumulated in int32.
    ConvInteger {
        operands { x: one, weight: one, x_zero_point: maybe, weight_zero_point: maybe }
        results { y: one }
        attributes { auto_pad: AutoPad [AutoPad::NotSet], dilations: Vec<i64>, group: i64 [1], kernel_shape: Vec<i64>, pads: Vec<i64>, strides: Vec<i64> }
        regions {  }
        infer: |op: &ConvInteger, cx: &mut InferCx<'_>| {
            let slots = Operands { x: 0, weight: 1, bias: ABSENT };
            let shape = convolution(cx, &slots, op.group, &op.kernel_shape, |rank| op.window_axes(rank))?;
            cx.set_tensor(0, Some(DType::I32), shape);
            Ok(())
        };
        macs: |_: &ConvInteger, cx: &InferCx<'_>| convolution_macs(cx, 1);
    }
}

operator! {
    /// `(x - zero point) * scale`, per tensor, per axis or in blocks.
    DequantizeLinear {
        operands { x: one, x_scale: one, x_zero_point: maybe }
        results { y: one }
        attributes { axis: i64 [1], block_size: i64 [0], output_dtype: i64 [0] }
        regions {  }
        infer: dequantize;
    }
}

operator! {
    /// Quantises to uint8 with scale and zero point of the data at hand.
    DynamicQuantizeLinear {
        operands { x: one }
        results { y: one, y_scale: one, y_zero_point: one }
        attributes {  }
        regions {  }
        infer: |_: &DynamicQuantizeLinear, cx: &mut InferCx<'_>| {
            cx.set_tensor(0, Some(DType::U8), cx.shape(0).clone());
            cx.set_tensor(1, Some(DType::F32), Shape::scalar());
            cx.set_tensor(2, Some(DType::U8), Shape::scalar());
            Ok(())
        };
    }
}

operator! {
    /// Matrix product of 8-bit integers with zero points, accumulated in int32.
    MatMulInteger {
        operands { a: one, b: one, a_zero_point: maybe, b_zero_point: maybe }
        results { y: one }
        attributes {  }
        regions {  }
        infer: |_: &MatMulInteger, cx: &mut InferCx<'_>| {
            let shape = matrix_product(cx, 0, 1)?;
            cx.set_tensor(0, Some(DType::I32), shape);
            Ok(())
        };
        macs: |_: &MatMulInteger, cx: &InferCx<'_>| matrix_product_macs(cx, 0, 1);
    }
}

operator! {
    /// Convolution of quantised tensors with a quantised result.
    QLinearConv {
        operands { x: one, x_scale: one, x_zero_point: one, weight: one, weight_scale: one, weight_zero_point: one, y_scale: one, y_zero_point: one, bias: maybe }
        results { y: one }
        attributes { auto_pad: AutoPad [AutoPad::NotSet], dilations: Vec<i64>, group: i64 [1], kernel_shape: Vec<i64>, pads: Vec<i64>, strides: Vec<i64> }
        regions {  }
        infer: |op: &QLinearConv, cx: &mut InferCx<'_>| {
            let slots = Operands { x: 0, weight: 3, bias: 8 };
            let shape = convolution(cx, &slots, op.group, &op.kernel_shape, |rank| op.window_axes(rank))?;
            cx.set_tensor(0, cx.dtype(7), shape);
            Ok(())
        };
        macs: |_: &QLinearConv, cx: &InferCx<'_>| convolution_macs(cx, 3);
    }
}

operator! {
    /// Matrix product of quantised tensors with a quantised result.
    QLinearMatMul {
        operands { a: one, a_scale: one, a_zero_point: one, b: one, b_scale: one, b_zero_point: one, y_scale: one, y_zero_point: one }
        results { y: one }
        attributes {  }
        regions {  }
        infer: |_: &QLinearMatMul, cx: &mut InferCx<'_>| {
            let shape = matrix_product(cx, 0, 3)?;
            cx.set_tensor(0, cx.dtype(7), shape);
            Ok(())
        };
        macs: |_: &QLinearMatMul, cx: &InferCx<'_>| matrix_product_macs(cx, 0, 3);
    }
}

operator! {
    /// `saturate(round(x / scale) + zero point)`, ties to even; per tensor, per axis or in blocks.
    QuantizeLinear {
        operands { x: one, y_scale: one, y_zero_point: maybe }
        results { y: one }
        attributes { axis: i64 [1], block_size: i64 [0], output_dtype: i64 [0], precision: i64 [0], saturate: bool [true] }
        regions {  }
        infer: quantize;
    }
}

/// The slot of an operand that an operator does not have.
const ABSENT: usize = usize::MAX;

/// The scale fits x, and the zero point fits the scale.
fn check_scale(cx: &mut InferCx<'_>, axis: i64, block_size: i64) -> Result<(), InferError> {
    if let (Some(x), Some(scale)) = (cx.dims(0), cx.dims(1)) {
        granularity(x, scale, axis, block_size)?;
    }
    if let (Some(scale), Some(zero_point)) = (checks::dims(cx, 1), checks::dims(cx, 2)) {
        // One element may be a scalar or a vector.
        let one = |dims: &[crate::Dim]| dims.iter().all(|dim| dim.known().is_none_or(|n| n == 1));
        if scale.len() != zero_point.len() && !(one(&scale) && one(&zero_point)) {
            return Err(InferError::new(format!(
                "the zero point of shape {} must have the shape of the scale, {}",
                cx.shape(2),
                cx.shape(1)
            )));
        }
        for (axis, (a, b)) in scale.iter().zip(&zero_point).enumerate() {
            cx.equal(a, b, &format!("axis {axis} of the scale and of the zero point"))?;
        }
    }
    Ok(())
}

fn quantize(op: &QuantizeLinear, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    check_scale(cx, op.axis, op.block_size)?;
    let asked = match op.output_dtype {
        0 => None,
        number => Some(dtype_of_number(number, "output_dtype")?),
    };
    let dtype = match (asked, cx.has(2), cx.dtype(2)) {
        (Some(asked), _, Some(zero_point)) if asked != zero_point => {
            return Err(InferError::new(format!(
                "attribute 'output_dtype' says {asked}, but the zero point is {zero_point}"
            )));
        }
        (Some(asked), ..) => Some(asked),
        (None, true, zero_point) => zero_point,
        (None, false, _) => Some(DType::U8),
    };
    cx.set_tensor(0, dtype, cx.shape(0).clone());
    Ok(())
}

fn dequantize(op: &DequantizeLinear, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    check_scale(cx, op.axis, op.block_size)?;
    if let (Some(x), Some(zero_point)) = (cx.dtype(0), cx.dtype(2))
        && x != zero_point
    {
        return Err(InferError::new(format!("x is {x}, but its zero point is {zero_point}")));
    }
    let dtype = match op.output_dtype {
        0 => cx.dtype(1),
        number => Some(dtype_of_number(number, "output_dtype")?),
    };
    cx.set_tensor(0, dtype, cx.shape(0).clone());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::rule_test::{given, infer, macs};

    fn quantize(axis: i64, block_size: i64, output_dtype: i64) -> QuantizeLinear {
        QuantizeLinear { axis, block_size, output_dtype, precision: 0, saturate: true }
    }

    #[test]
    fn infers_quantize() {
        let x = "float[N,8,H]";
        for (op, scale, zero_point, want) in [
            (quantize(1, 0, 0), "float[]", "-", "uint8[N,8,H]"),
            (quantize(1, 0, 0), "float[]", "int8[]", "int8[N,8,H]"),
            (quantize(1, 0, 0), "float[1]", "int8[]", "int8[N,8,H]"),
            (quantize(1, 0, 0), "float[]", "int8[Z]", "int8[N,8,H]"),
            (quantize(1, 0, 0), "float[8]", "int8[8]", "int8[N,8,H]"),
            (quantize(1, 0, 21), "float[8]", "-", "uint4[N,8,H]"),
            (quantize(1, 3, 22), "float[N,3,H]", "-", "int4[N,8,H]"),
            (quantize(1, 0, 0), "float[]", "?", "?"),
            (quantize(1, 0, 2), "float[]", "int8[]", "attribute 'output_dtype' says uint8, but the zero point is int8"),
            (quantize(1, 0, 0), "float[7]", "-", "the scale has 7 elements, but axis 1 of x has 8"),
            (
                quantize(1, 0, 0),
                "float[8]",
                "int8[]",
                "the zero point of shape [] must have the shape of the scale, [8]",
            ),
            (quantize(1, 0, 99), "float[8]", "-", "attribute 'output_dtype' is 99, which is no element type"),
        ] {
            assert_eq!(infer(&op, given![x, scale, zero_point]), want, "{op:?} {scale} {zero_point}");
        }
    }

    #[test]
    fn infers_dequantize() {
        let op = DequantizeLinear { axis: 1, block_size: 0, output_dtype: 0 };
        let double = DequantizeLinear { output_dtype: 11, ..op.clone() };
        for (op, x, scale, zero_point, want) in [
            (&op, "int8[N,8]", "float[]", "-", "float[N,8]"),
            (&op, "uint8[N,8]", "float16[8]", "uint8[8]", "float16[N,8]"),
            (&double, "int32[N,8]", "float[]", "-", "double[N,8]"),
            (&op, "?", "float[]", "-", "float[..]"),
            (&op, "uint8[N,8]", "float[]", "int8[]", "x is uint8, but its zero point is int8"),
        ] {
            assert_eq!(infer(op, given![x, scale, zero_point]), want);
        }
        assert_eq!(infer(&DynamicQuantizeLinear {}, given!["float[N,8]"]), "uint8[N,8] float[] uint8[]");
    }

    #[test]
    fn infers_products() {
        let conv = ConvInteger {
            auto_pad: AutoPad::NotSet,
            dilations: vec![],
            group: 1,
            kernel_shape: vec![],
            pads: vec![],
            strides: vec![],
        };
        let operands = ["uint8[N,3,8,8]", "int8[4,3,3,3]", "uint8[]", "int8[4]"];
        assert_eq!(infer(&conv, operands.map(Into::into)), "int32[N,4,6,6]");
        assert_eq!(macs(&conv, operands.map(Into::into)), "3888*N");
        let conv = QLinearConv {
            auto_pad: AutoPad::NotSet,
            dilations: vec![],
            group: 1,
            kernel_shape: vec![],
            pads: vec![1, 1],
            strides: vec![],
        };
        let (scale, zero) = ("float[]", "uint8[]");
        let qconv = |bias| given!["uint8[N,3,8]", scale, zero, "int8[4,3,3]", scale, "int8[]", scale, "int8[]", bias];
        assert_eq!(infer(&conv, qconv("int32[4]")), "int8[N,4,8]");
        assert_eq!(infer(&conv, qconv("int32[3]")), "the elements of the bias: 4 and 3 must be equal");
        assert_eq!(macs(&conv, qconv("-")), "288*N");
        assert_eq!(infer(&MatMulInteger {}, given!["uint8[N,3]", "int8[3,4]"]), "int32[N,4]");
        assert_eq!(macs(&MatMulInteger {}, given!["uint8[N,3]", "int8[3,4]"]), "12*N");
        let product = || given!["uint8[N,3]", scale, zero, "int8[3,4]", scale, "int8[]", scale, "uint8[]"];
        assert_eq!(infer(&QLinearMatMul {}, product()), "uint8[N,4]");
        assert_eq!(macs(&QLinearMatMul {}, product()), "12*N");
    }
}
