//! Unary, activation, softmax, binary, variadic, select, cast, cumulative.

use edgesmith_ir::DType;
use half::{bf16, f16};

use crate::kit::*;

const NAN: f32 = f32::NAN;
const INF: f32 = f32::INFINITY;

#[test]
fn unary_edges() {
    gives("Abs", &[], &[t(&[2], &[i8::MIN, -3])], &t(&[2], &[i8::MIN, 3]));
    gives("Neg", &[], &[t(&[2], &[i32::MIN, 3])], &t(&[2], &[i32::MIN, -3]));
    gives("Neg", &[], &[row(&[0.0])], &row(&[-0.0]));
    gives("Sign", &[], &[row(&[NAN, -0.0, 3.0, -INF])], &row(&[NAN, 0.0, 1.0, -1.0]));
    gives("Round", &[], &[row(&[0.5, 1.5, 2.5, -0.5, -1.5])], &row(&[0.0, 2.0, 2.0, -0.0, -2.0]));
    gives("Floor", &[], &[row(&[-1.5, 1.5])], &row(&[-2.0, 1.0]));
    gives("Reciprocal", &[], &[row(&[0.0, 4.0])], &row(&[INF, 0.25]));
    gives("Sqrt", &[], &[row(&[-1.0, 9.0])], &row(&[NAN, 3.0]));
    gives("IsInf", &[("detect_negative", int(0))], &[row(&[INF, -INF, NAN])], &b(&[3], &[1, 0, 0]));
    gives("IsNaN", &[], &[t(&[2], &[f16::NAN, f16::INFINITY])], &b(&[2], &[1, 0]));
    gives("Not", &[], &[b(&[2], &[1, 0])], &b(&[2], &[0, 1]));
    gives("BitwiseNot", &[], &[t(&[1], &[5_u8])], &t(&[1], &[250_u8]));
    // One rounding of the exact value.
    gives("Exp", &[], &[row(&[1.0])], &row(&[std::f32::consts::E]));
    gives("Erf", &[], &[row(&[0.5])], &row(&[0.520_499_9]));
}

#[test]
fn activation_edges() {
    gives("Relu", &[], &[row(&[NAN, -0.0, -1.0, 2.0])], &row(&[NAN, -0.0, 0.0, 2.0]));
    gives("LeakyRelu", &[("alpha", float(0.5))], &[row(&[-2.0, NAN, 2.0])], &row(&[-1.0, NAN, 2.0]));
    gives(
        "PRelu",
        &[],
        &[f(&[2, 2], &[-1.0, -1.0, 1.0, -2.0]), row(&[0.5, 3.0])],
        &f(&[2, 2], &[-0.5, -3.0, 1.0, -6.0]),
    );
    gives("ThresholdedRelu", &[("alpha", float(1.0))], &[row(&[1.0, 1.5])], &row(&[0.0, 1.5]));
    let shrink = [("lambd", float(1.0)), ("bias", float(0.5))];
    gives("Shrink", &shrink, &[row(&[-2.0, -1.0, 1.0, 2.0])], &row(&[-1.5, 0.0, 0.0, 1.5]));
    gives("HardSigmoid", &[], &[row(&[0.0, 10.0, -10.0, NAN])], &row(&[0.5, 1.0, 0.0, NAN]));
    gives("HardSwish", &[], &[row(&[-4.0, 0.0, 4.0])], &row(&[-0.0, 0.0, 4.0]));
    gives("Softplus", &[], &[row(&[1000.0, -1000.0])], &row(&[1000.0, 0.0]));
    gives("Mish", &[], &[row(&[100.0])], &row(&[100.0]));
    gives("Sigmoid", &[], &[row(&[-1000.0, 0.0, 1000.0])], &row(&[0.0, 0.5, 1.0]));
    near("Celu", &[("alpha", float(2.0))], &[row(&[-2.0, 3.0])], &row(&[-1.264_241_1, 3.0]));
    near("Elu", &[("alpha", float(2.0))], &[row(&[-1.0, 3.0])], &row(&[-1.264_241_1, 3.0]));
    near("Gelu", &[], &[row(&[1.0, -1.0])], &row(&[0.841_344_7, -0.158_655_26]));
    near("Gelu", &[("approximate", text("tanh"))], &[row(&[1.0])], &row(&[0.841_192]));
    near("Swish", &[("alpha", float(2.0))], &[row(&[1.0])], &row(&[0.880_797_1]));
}

#[test]
fn softmax_old_and_new() {
    let x = f(&[2, 2, 2], &[1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    gives("Softmax", &[("axis", int(1))], &[x.clone()], &f(&[2, 2, 2], &[0.5; 8]));
    let legacy = |kind| [("kind", text(kind)), ("axis", int(1))];
    gives("LegacySoftmax", &legacy("Softmax"), &[x.clone()], &f(&[2, 2, 2], &[0.25; 8]));
    gives("LegacySoftmax", &legacy("Hardmax"), &[x], &f(&[2, 2, 2], &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]));
    gives("Softmax", &[], &[row(&[1000.0, 1000.0])], &row(&[0.5, 0.5]));
    gives("Softmax", &[], &[row(&[-INF, -INF])], &row(&[NAN, NAN]));
    gives("Softmax", &[], &[f(&[2, 0], &[])], &f(&[2, 0], &[]));
    gives("Hardmax", &[], &[row(&[1.0, 3.0, 3.0])], &row(&[0.0, 1.0, 0.0]));
    near("LogSoftmax", &[], &[row(&[0.0, 0.0])], &row(&[-std::f32::consts::LN_2; 2]));
}

#[test]
fn integers_wrap_when_running_and_zero_divisors_are_errors() {
    open("Add", &[], &[t(&[1], &[i32::MAX]), t(&[1], &[1])], &t(&[1], &[i32::MIN]));
    open("Sub", &[], &[t(&[1], &[1_u8]), t(&[1], &[2_u8])], &t(&[1], &[255_u8]));
    open("Mul", &[], &[t(&[1], &[200_u8]), t(&[1], &[2_u8])], &t(&[1], &[144_u8]));
    open("Div", &[], &[ints(&[-7, 7, i64::MIN]), ints(&[2, -2, -1])], &ints(&[-3, -3, i64::MIN]));
    gives("Div", &[], &[ints(&[-7, 7]), ints(&[2, -2])], &ints(&[-3, -3]));
    invalid("Div", &[], &[ints(&[1]), ints(&[0])]);
    invalid("Mod", &[], &[ints(&[1]), ints(&[0])]);
    // Nothing is divided.
    gives("Div", &[], &[i(&[0], &[]), i(&[], &[0])], &i(&[0], &[]));
    gives("Div", &[], &[row(&[1.0, -1.0, 0.0]), f(&[], &[0.0])], &row(&[INF, -INF, NAN]));
    invalid("Add", &[], &[row(&[1.0]), ints(&[1])]);
    invalid("Add", &[], &[row(&[1.0, 2.0]), row(&[1.0, 2.0, 3.0])]);
}

#[test]
fn halves_are_rounded_once_per_operator() {
    let half = |x: f32| t(&[1], &[f16::from_f32(x)]);
    gives("Add", &[], &[half(2048.0), half(1.0)], &half(2048.0));
    gives("Add", &[], &[half(2048.0), half(3.0)], &half(2052.0));
    gives("Mul", &[], &[half(300.0), half(300.0)], &half(INF));
    let brain = |x: f32| t(&[1], &[bf16::from_f32(x)]);
    gives("Add", &[], &[brain(256.0), brain(1.0)], &brain(256.0));
}

#[test]
fn broadcasting_both_ways() {
    gives(
        "Sub",
        &[],
        &[f(&[2, 1], &[1.0, 2.0]), row(&[1.0, 2.0, 3.0])],
        &f(&[2, 3], &[0.0, -1.0, -2.0, 1.0, 0.0, -1.0]),
    );
    gives(
        "Add",
        &[],
        &[f(&[2, 1, 2], &[1.0, 2.0, 3.0, 4.0]), f(&[2, 1], &[10.0, 20.0])],
        &f(&[2, 2, 2], &[11.0, 12.0, 21.0, 22.0, 13.0, 14.0, 23.0, 24.0]),
    );
    gives("Mul", &[], &[f(&[1], &[2.0]), f(&[0], &[])], &f(&[0], &[]));
    gives("Add", &[], &[f(&[], &[1.0]), f(&[], &[2.0])], &f(&[], &[3.0]));
}

#[test]
fn remainders() {
    gives("Mod", &[], &[ints(&[-7, 7, -7]), ints(&[3, -3, -3])], &ints(&[2, -2, -1]));
    gives("Mod", &[("fmod", int(1))], &[ints(&[-7, 7]), ints(&[3, -3])], &ints(&[-1, 1]));
    gives("Mod", &[("fmod", int(1))], &[row(&[-7.5, 7.5]), row(&[2.0, -2.0])], &row(&[-1.5, 1.5]));
    gives("Mod", &[], &[row(&[-7.5, 7.5, -1.0, 4.0]), row(&[2.0, -2.0, INF, -2.0])], &row(&[0.5, -0.5, INF, -0.0]));
}

#[test]
fn powers() {
    gives("Pow", &[], &[t(&[1], &[9_i32]), row(&[0.5])], &t(&[1], &[3_i32]));
    gives("Pow", &[], &[t(&[1], &[10_i32]), t(&[1], &[10_i32])], &t(&[1], &[1_410_065_408_i32]));
    gives("Pow", &[], &[t(&[3], &[2_i32, -1, 1]), t(&[1], &[-3_i32])], &t(&[3], &[0_i32, -1, 1]));
    gives("Pow", &[], &[row(&[0.0, NAN, 3.0, -2.0]), row(&[0.0, 0.0, 2.0, 3.0])], &row(&[1.0, 1.0, 9.0, -8.0]));
    gives("Pow", &[], &[row(&[3.0, -4.0]), f(&[], &[2.0])], &row(&[9.0, 16.0]));
    open("Pow", &[], &[t(&[1], &[0_i32]), t(&[1], &[-1_i32])], &t(&[1], &[0_i32]));
    open("Pow", &[], &[t(&[1], &[10_i32]), row(&[10.0])], &t(&[1], &[i32::MAX]));
}

#[test]
fn bits_and_truths() {
    let shift = |direction| [("direction", text(direction))];
    gives("BitShift", &shift("LEFT"), &[t(&[3], &[1_u8, 255, 1]), t(&[3], &[7_u8, 1, 8])], &t(&[3], &[128_u8, 254, 0]));
    gives(
        "BitShift",
        &shift("RIGHT"),
        &[t(&[4], &[-8_i32, -8, 8, -8]), t(&[4], &[1, 40, 40, -1])],
        &t(&[4], &[-4_i32, -1, 0, -1]),
    );
    gives("BitwiseXor", &[], &[t(&[1], &[6_i16]), t(&[1], &[3_i16])], &t(&[1], &[5_i16]));
    gives("Xor", &[], &[b(&[2], &[1, 0]), b(&[1], &[1])], &b(&[2], &[0, 1]));
    gives("Equal", &[], &[row(&[NAN, 0.0]), row(&[NAN, -0.0])], &b(&[2], &[0, 1]));
    gives("Equal", &[], &[s(&[2], &["a", "b"]), s(&[1], &["b"])], &b(&[2], &[0, 1]));
    gives("Equal", &[], &[b(&[2], &[1, 0]), b(&[2], &[1, 1])], &b(&[2], &[1, 0]));
    gives("LessOrEqual", &[], &[row(&[NAN, 1.0]), row(&[1.0, 1.0])], &b(&[2], &[0, 1]));
    gives("Greater", &[], &[t(&[1], &[u64::MAX]), t(&[1], &[1_u64])], &b(&[1], &[1]));
}

#[test]
fn variadic_operators() {
    gives("Max", &[], &[row(&[NAN, 1.0]), row(&[1.0, NAN])], &row(&[NAN, NAN]));
    gives("Min", &[], &[t(&[2], &[3_i16, 1]), t(&[1], &[2_i16])], &t(&[2], &[2_i16, 1]));
    gives("Sum", &[], &[row(&[-0.0])], &row(&[-0.0]));
    gives("Sum", &[], &[row(&[1e8]), row(&[1.0]), row(&[-1e8])], &row(&[1.0]));
    gives("Mean", &[], &[f(&[2, 1], &[0.0, 3.0]), row(&[1.0, 2.0])], &f(&[2, 2], &[0.5, 1.0, 2.0, 2.5]));
}

#[test]
fn clip_and_where() {
    let one = |x| Some(f(&[], &[x]));
    let clip = |operands: &[Option<_>]| folded("Clip", &[], operands).unwrap();
    assert_eq!(clip(&[Some(row(&[0.0, 5.0])), one(3.0), one(1.0)]), row(&[1.0, 1.0]));
    assert_eq!(clip(&[Some(row(&[-INF, 5.0])), None, one(1.0)]), row(&[-INF, 1.0]));
    assert_eq!(clip(&[Some(row(&[0.5])), one(NAN), Some(row(&[1.0]))]), row(&[0.5]));
    gives("Clip", &[], &[row(&[NAN]), f(&[], &[0.0]), f(&[], &[1.0])], &row(&[NAN]));
    gives("Where", &[], &[b(&[2, 1], &[1, 0]), row(&[1.0, 2.0]), f(&[], &[NAN])], &f(&[2, 2], &[1.0, 2.0, NAN, NAN]));
    gives("Where", &[], &[b(&[2], &[1, 0]), s(&[1], &["x"]), s(&[1], &["y"])], &s(&[2], &["x", "y"]));
}

fn to(dtype: DType) -> [(&'static str, edgesmith_ir::Attribute); 1] {
    [("to", int(i64::from(dtype.onnx())))]
}

#[test]
fn casts_between_numbers() {
    gives("Cast", &to(DType::I32), &[row(&[-1.9, 1.9])], &t(&[2], &[-1_i32, 1]));
    gives("Cast", &to(DType::I8), &[ints(&[200, -129])], &t(&[2], &[-56_i8, 127]));
    gives("Cast", &to(DType::Bool), &[row(&[0.0, NAN, 1e-45, -0.0])], &b(&[4], &[0, 1, 1, 0]));
    gives("Cast", &to(DType::F32), &[b(&[2], &[1, 0])], &row(&[1.0, 0.0]));
    gives(
        "Cast",
        &to(DType::F16),
        &[row(&[65519.0, 65520.0, -0.0])],
        &t(&[3], &[f16::MAX, f16::INFINITY, f16::NEG_ZERO]),
    );
    // Through f32 this would be a tie and go to even.
    let x = 1.0 + 2f64.powi(-11) + 2f64.powi(-40);
    gives("Cast", &to(DType::F16), &[t(&[1], &[x])], &t(&[1], &[f16::from_bits(0x3C01)]));
    // 2^24 + 1 is a tie in f32; a float of 53 bits in between must not decide.
    gives(
        "Cast",
        &to(DType::F32),
        &[ints(&[(1 << 24) + 1, (1 << 60) + (1 << 36) + 1])],
        &row(&[16_777_216.0, 1_152_921_642_045_800_448.0]),
    );
    gives("Cast", &to(DType::U64), &[ints(&[-1])], &t(&[1], &[u64::MAX]));
}

#[test]
fn casts_out_of_range_are_open() {
    open("Cast", &to(DType::I32), &[row(&[3e9, NAN, -INF])], &t(&[3], &[i32::MIN; 3]));
    open("Cast", &to(DType::U8), &[row(&[300.7, -1.0, NAN])], &t(&[3], &[44_u8, 255, 0]));
    open("Cast", &to(DType::U32), &[t(&[2], &[-1.0_f64, 5e9])], &t(&[2], &[u32::MAX, 705_032_704]));
    open("Cast", &to(DType::I64), &[t(&[1], &[9_223_372_036_854_775_808.0_f64])], &ints(&[i64::MIN]));
    // Truncation comes first: these are in range.
    gives("Cast", &to(DType::U8), &[row(&[255.9, -0.9])], &t(&[2], &[255_u8, 0]));
}

#[test]
fn casts_of_strings() {
    gives("Cast", &to(DType::F32), &[s(&[4], &["1.5", " -INF", "nan", "1e3"])], &row(&[1.5, -INF, NAN, 1000.0]));
    gives("Cast", &to(DType::I64), &[s(&[2], &["-7", "9007199254740993"])], &ints(&[-7, 9_007_199_254_740_993]));
    open("Cast", &to(DType::I64), &[s(&[1], &["2.7"])], &ints(&[2]));
    open("Cast", &to(DType::String), &[row(&[1.0, 0.1, INF])], &s(&[3], &["1", "0.1", "INF"]));
    invalid("Cast", &to(DType::F32), &[s(&[1], &["one"])]);
}

#[test]
fn other_casts() {
    gives("CastLike", &[], &[ints(&[3]), f(&[0], &[])], &row(&[3.0]));
    gives("BitCast", &to(DType::I32), &[row(&[1.0])], &t(&[1], &[0x3F80_0000_i32]));
    invalid("BitCast", &to(DType::I64), &[row(&[1.0])]);
}

#[test]
fn cumulative_directions() {
    let axis = i(&[], &[0]);
    let both = [("exclusive", int(1)), ("reverse", int(1))];
    gives("CumSum", &[], &[row(&[1.0, 2.0, 3.0]), axis.clone()], &row(&[1.0, 3.0, 6.0]));
    gives("CumSum", &both, &[row(&[1.0, 2.0, 3.0]), ints(&[-1])], &row(&[5.0, 3.0, 0.0]));
    gives("CumSum", &[], &[f(&[2, 2], &[1.0, 2.0, 3.0, 4.0]), axis.clone()], &f(&[2, 2], &[1.0, 2.0, 4.0, 6.0]));
    gives("CumSum", &[], &[t(&[2], &[i32::MAX, 1]), axis.clone()], &t(&[2], &[i32::MAX, i32::MIN]));
    gives("CumProd", &[("exclusive", int(1))], &[row(&[2.0, 3.0, 4.0]), axis], &row(&[1.0, 2.0, 6.0]));
}

#[test]
fn dropout_copies_in_inference() {
    let x = row(&[1.0, 2.0]);
    let results = strict("Dropout", &[], &[x.clone()], 2).unwrap();
    assert_eq!(results, [x.clone(), b(&[2], &[1, 1])]);
    let training = ran("Dropout", &[], &[x.clone(), f(&[], &[0.5]), b(&[], &[1])]);
    assert!(matches!(training, Err(edgesmith_exec::EvalError::Unsupported(_))));
    assert_eq!(ran("Dropout", &[], &[x.clone(), f(&[], &[0.0]), b(&[], &[1])]).unwrap(), x);
}
