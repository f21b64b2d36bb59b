//! Operators: a closed set of plain data structs, made from one table, plus [`CustomOp`] for what is not known and
//! [`Call`] for functions of the model.
//!
//! Every struct holds the attributes of the *newest* ONNX form of the operator (the reference semantics); a frontend
//! lifts older forms, a backend lowers to the opset of the file. Operators that share one rule of inference share a file.
//! What an operator computes stands in `edgesmith-exec`, in the file of the same name.

#![allow(clippy::unnecessary_wraps, reason = "rules of inference have one signature, also those that cannot fail")]

mod checks;
mod custom;
mod elements;
mod elementwise;
pub mod geometry;
mod join;
mod macros;
mod properties;
#[cfg(test)]
mod rule_test;
mod signature;
mod slicing;

pub use custom::{Call, CustomOp, FunctionKey};
pub use signature::{Arity, Formal, Signature};

pub(crate) use macros::operator;

use crate::attribute::{Attribute, AttributeError, AttributeReader};
use crate::infer::{InferCx, InferError};
use crate::{Dim, Name};

/// What every typed operator is: a named set of attributes with a signature.
pub trait Operator: Sized + Clone + PartialEq + Eq + std::hash::Hash + std::fmt::Debug + Into<Op> + 'static {
    /// The kind in the table.
    const KIND: OpKind;
    /// The name in ONNX.
    const NAME: &'static str;
    /// Operands, results and regions.
    const SIGNATURE: Signature;
    /// Reads the attributes; anything left over is the caller's business.
    fn decode(attributes: &mut AttributeReader) -> Result<Self, AttributeError>;
    /// The attributes that differ from their defaults, and the required ones, in the specification's order.
    fn encode(&self) -> Vec<(&'static str, Attribute)>;
    /// The operator, if it is of this kind.
    fn cast(op: &Op) -> Option<&Self>;
    /// Types (and where possible contents) of the results from those of the operands.
    fn infer(&self, cx: &mut InferCx<'_>) -> Result<(), InferError>;
    /// Multiply-accumulates of one run; unknown where a needed dim is.
    fn macs(&self, cx: &InferCx<'_>) -> Dim;
}

macro_rules! ops {
    ($($name:ident: $module:ident,)*) => {
        /// The kind of an operator, for sets, filters and tables.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[non_exhaustive]
        pub enum OpKind {
            $(#[doc = concat!("[`", stringify!($name), "`].")] $name,)*
            /// [`Call`].
            Call,
            /// [`CustomOp`].
            Custom,
        }

        /// An operator with its attributes.
        #[derive(Clone, PartialEq, Eq, Hash, Debug)]
        #[non_exhaustive]
        pub enum Op {
            $(#[doc = concat!("See [`", stringify!($name), "`].")] $name($name),)*
            /// A call of a function of the model; its region, where there is one, is the body made for this call.
            Call(Box<Call>),
            /// An operator that is not known: carried unchanged, never looked into.
            Custom(Box<CustomOp>),
        }

        $(impl From<$name> for Op { fn from(op: $name) -> Self { Op::$name(op) } })*

        impl OpKind {
            /// Every kind, in alphabetical order of the operators, then `Call` and `Custom`.
            pub const ALL: &'static [OpKind] = &[$(OpKind::$name,)* OpKind::Call, OpKind::Custom];
            /// The name of the operator; `Call` and `Custom` have none of their own.
            pub fn name(self) -> &'static str {
                match self { $(OpKind::$name => <$name as Operator>::NAME,)* OpKind::Call => "Call", OpKind::Custom => "Custom" }
            }
            /// The typed operator of ONNX's name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $(stringify!($name) => Some(OpKind::$name),)* _ => None }
            }
            /// Operands, results and regions. `Call` and `Custom` take anything.
            pub fn signature(self) -> Signature {
                match self { $(OpKind::$name => <$name as Operator>::SIGNATURE,)* OpKind::Call | OpKind::Custom => Signature::ANY }
            }
            /// Reads a typed operator from its attributes; every attribute must be known.
            /// `None` for `Call` and `Custom`, which are not made this way.
            pub fn decode(self, attributes: Vec<(Name, Attribute)>) -> Option<Result<Op, AttributeError>> {
                let mut reader = AttributeReader::new(attributes);
                let op = match self {
                    $(OpKind::$name => <$name as Operator>::decode(&mut reader).map(Op::from),)*
                    OpKind::Call | OpKind::Custom => return None,
                };
                Some(op.and_then(|op| reader.finish().map(|()| op)))
            }
        }

        impl Op {
            /// The kind of the operator.
            pub fn kind(&self) -> OpKind {
                match self { $(Op::$name(_) => OpKind::$name,)* Op::Call(_) => OpKind::Call, Op::Custom(_) => OpKind::Custom }
            }
            /// The attributes of a typed operator (regions excluded); empty for `Call` and `Custom`, which hold their own.
            pub fn encode(&self) -> Vec<(&'static str, Attribute)> {
                match self { $(Op::$name(op) => op.encode(),)* Op::Call(_) | Op::Custom(_) => Vec::new() }
            }
            pub(crate) fn infer(&self, cx: &mut InferCx<'_>) -> Result<(), InferError> {
                match self { $(Op::$name(op) => op.infer(cx),)* Op::Call(_) => cx.results_from_region(0), Op::Custom(_) => Ok(()) }
            }
            pub(crate) fn macs(&self, cx: &InferCx<'_>) -> Dim {
                match self { $(Op::$name(op) => op.macs(cx),)* Op::Call(_) | Op::Custom(_) => Dim::Known(0) }
            }
        }
    };
}

impl Op {
    /// The operator as a typed struct, if it is of that kind.
    pub fn cast<K: Operator>(&self) -> Option<&K> {
        K::cast(self)
    }
    /// The domain that the operator belongs to; empty for ai.onnx.
    pub fn domain(&self) -> &str {
        match self {
            Op::Custom(op) => &op.domain,
            Op::Call(call) => &call.function.domain,
            _ => "",
        }
    }
    /// The name of the operator as the file has it.
    pub fn name(&self) -> &str {
        match self {
            Op::Custom(op) => &op.name,
            Op::Call(call) => &call.function.name,
            Op::LegacySoftmax(op) => op.kind.text(),
            _ => self.kind().name(),
        }
    }
}

impl std::fmt::Display for OpKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

mod activation;
mod attention;
mod binary;
mod cast;
mod control;
mod conv;
mod cumulative;
mod gather;
mod movement;
mod normalization;
mod pool;
mod product;
mod quantized;
mod random;
mod recurrent;
mod reduce;
mod search;
mod select;
mod sequence;
mod shape;
mod signal;
mod softmax;
mod unary;
mod variadic;
mod vision;

pub use activation::*;
pub use attention::*;
pub use binary::*;
pub use cast::*;
pub use control::*;
pub use conv::*;
pub use cumulative::*;
pub use gather::*;
pub use movement::*;
pub use normalization::*;
pub use pool::*;
pub use product::*;
pub use quantized::*;
pub use random::*;
pub use recurrent::*;
pub use reduce::*;
pub use search::*;
pub use select::*;
pub use sequence::*;
pub use shape::*;
pub use signal::*;
pub use softmax::*;
pub use unary::*;
pub use variadic::*;
pub use vision::*;

ops! {
    Abs: unary,
    Acos: unary,
    Acosh: unary,
    Add: binary,
    AffineGrid: vision,
    And: binary,
    ArgMax: search,
    ArgMin: search,
    Asin: unary,
    Asinh: unary,
    Atan: unary,
    Atanh: unary,
    Attention: attention,
    AveragePool: pool,
    BatchNormalization: normalization,
    Bernoulli: random,
    BitCast: cast,
    BitShift: binary,
    BitwiseAnd: binary,
    BitwiseNot: unary,
    BitwiseOr: binary,
    BitwiseXor: binary,
    BlackmanWindow: signal,
    Cast: cast,
    CastLike: cast,
    Ceil: unary,
    Celu: activation,
    CenterCropPad: movement,
    Clip: select,
    Col2Im: movement,
    Compress: search,
    Concat: movement,
    ConcatFromSequence: sequence,
    ConstantOfShape: shape,
    Conv: conv,
    ConvInteger: quantized,
    ConvTranspose: conv,
    Cos: unary,
    Cosh: unary,
    CumProd: cumulative,
    CumSum: cumulative,
    DFT: signal,
    DeformConv: conv,
    DepthToSpace: movement,
    DequantizeLinear: quantized,
    Det: product,
    Div: binary,
    Dropout: random,
    DynamicQuantizeLinear: quantized,
    Einsum: product,
    Elu: activation,
    Equal: binary,
    Erf: unary,
    Exp: unary,
    Expand: shape,
    EyeLike: shape,
    Flatten: shape,
    Floor: unary,
    GRU: recurrent,
    Gather: gather,
    GatherElements: gather,
    GatherND: gather,
    Gelu: activation,
    Gemm: product,
    GlobalAveragePool: pool,
    GlobalLpPool: pool,
    GlobalMaxPool: pool,
    Greater: binary,
    GreaterOrEqual: binary,
    GridSample: vision,
    GroupNormalization: normalization,
    HammingWindow: signal,
    HannWindow: signal,
    HardSigmoid: activation,
    HardSwish: activation,
    Hardmax: softmax,
    Identity: movement,
    If: control,
    InstanceNormalization: normalization,
    IsInf: unary,
    IsNaN: unary,
    LRN: normalization,
    LSTM: recurrent,
    LayerNormalization: normalization,
    LeakyRelu: activation,
    LegacySoftmax: softmax,
    Less: binary,
    LessOrEqual: binary,
    Log: unary,
    LogSoftmax: softmax,
    Loop: control,
    LpNormalization: normalization,
    LpPool: pool,
    MatMul: product,
    MatMulInteger: quantized,
    Max: variadic,
    MaxPool: pool,
    MaxUnpool: pool,
    Mean: variadic,
    MeanVarianceNormalization: normalization,
    MelWeightMatrix: signal,
    Min: variadic,
    Mish: activation,
    Mod: binary,
    Mul: binary,
    Multinomial: random,
    Neg: unary,
    NonMaxSuppression: search,
    NonZero: search,
    Not: unary,
    OneHot: movement,
    Optional: sequence,
    OptionalGetElement: sequence,
    OptionalHasElement: sequence,
    Or: binary,
    PRelu: activation,
    Pad: movement,
    Pow: binary,
    QLinearConv: quantized,
    QLinearMatMul: quantized,
    QuantizeLinear: quantized,
    RMSNormalization: normalization,
    RNN: recurrent,
    RandomNormal: random,
    RandomNormalLike: random,
    RandomUniform: random,
    RandomUniformLike: random,
    Range: shape,
    Reciprocal: unary,
    ReduceL1: reduce,
    ReduceL2: reduce,
    ReduceLogSum: reduce,
    ReduceLogSumExp: reduce,
    ReduceMax: reduce,
    ReduceMean: reduce,
    ReduceMin: reduce,
    ReduceProd: reduce,
    ReduceSum: reduce,
    ReduceSumSquare: reduce,
    Relu: activation,
    Reshape: shape,
    Resize: vision,
    ReverseSequence: movement,
    RoiAlign: vision,
    RotaryEmbedding: attention,
    Round: unary,
    STFT: signal,
    Scan: control,
    ScatterElements: gather,
    ScatterND: gather,
    Selu: activation,
    SequenceAt: sequence,
    SequenceConstruct: sequence,
    SequenceEmpty: sequence,
    SequenceErase: sequence,
    SequenceInsert: sequence,
    SequenceLength: sequence,
    Shape: shape,
    Shrink: activation,
    Sigmoid: activation,
    Sign: unary,
    Sin: unary,
    Sinh: unary,
    Size: shape,
    Slice: movement,
    Softmax: softmax,
    Softplus: activation,
    Softsign: activation,
    SpaceToDepth: movement,
    Split: movement,
    SplitToSequence: sequence,
    Sqrt: unary,
    Squeeze: shape,
    Sub: binary,
    Sum: variadic,
    Swish: activation,
    Tan: unary,
    Tanh: unary,
    TensorScatter: gather,
    ThresholdedRelu: activation,
    Tile: shape,
    TopK: search,
    Transpose: movement,
    Trilu: movement,
    Unique: search,
    Unsqueeze: shape,
    Where: select,
    Xor: binary,
}
