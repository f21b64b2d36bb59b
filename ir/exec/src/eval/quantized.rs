//! Evaluation: quantized.

use super::{EvalCx, Evaluated};
use edgesmith_ir::op::{ConvInteger, DequantizeLinear, QLinearConv, QuantizeLinear};

pub(super) fn conv_integer(op: &ConvInteger, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn dequantize_linear(op: &DequantizeLinear, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn dynamic_quantize_linear(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn matmul_integer(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn qlinear_conv(op: &QLinearConv, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn qlinear_matmul(cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported("the operator")
}

pub(super) fn quantize_linear(op: &QuantizeLinear, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}
