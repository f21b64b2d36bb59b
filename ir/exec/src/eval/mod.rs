//! The reference evaluator: every typed operator by the specification, in plain loops.
//!
//! Data movement, integers and IEEE elementwise operators are exact; transcendental functions, reductions and products
//! are computed in f64 and rounded once. One file per family of operators, named as in `edgesmith_ir::op`; what they
//! share stands in `cx` (operands and results), `layout` (extents, strides, broadcasting), `number` (the types
//! computed in), `stored` (the types stored), `map` (elementwise loops), `dense` (elements widened to f64) and `gemm` (products in f64). Operators with regions are run by the reference engine.

use edgesmith_ir::Op;

use crate::Value;

mod cx;
mod dense;
mod gemm;
mod layout;
mod map;
mod number;
mod stored;

mod activation;
mod attention;
mod binary;
mod cast;
mod conv;
mod cumulative;
mod gather;
mod movement;
mod normalization;
mod padding;
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
mod suppression;
mod unary;
mod variadic;
mod vision;

pub(crate) use cx::{EvalCx, Evaluated};
pub(crate) use movement::{densify, empty, slice_at, stack, transposed};
pub(crate) use number::{Cell, by_dtype};
pub(crate) use stored::cut;

/// Why an operator cannot be evaluated on these operands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// The evaluator does not compute this operator (or this element type); nothing is wrong with the model.
    #[error("not evaluated: {0}")]
    Unsupported(String),
    /// The specification leaves the result open (a cast out of range, the mean of nothing): never folded.
    #[error("the specification leaves this open: {0}")]
    Undefined(String),
    /// The operands do not fit the operator: index out of range, division by zero, shapes that do not match.
    #[error("{0}")]
    Invalid(String),
    /// The result would be larger than the caller allows.
    #[error("the result needs {bytes} bytes, more than the {limit} allowed")]
    TooLarge {
        /// Bytes needed.
        bytes: u64,
        /// Bytes allowed.
        limit: u64,
    },
}

/// What the caller allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EvalOptions {
    /// Bound on the bytes of the results together, and of each operand that has to be expanded.
    pub limit_bytes: u64,
    /// Whether a result that the specification leaves open is an error ([`EvalError::Undefined`]), as folding needs, or
    /// is chosen as the operator's documentation in this crate says (mostly ONNX Runtime's choice), as a run needs.
    pub strict: bool,
}

impl EvalOptions {
    /// For folding: nothing that the specification leaves open, and at most `limit_bytes` of results.
    pub fn folding(limit_bytes: u64) -> Self {
        Self { limit_bytes, strict: true }
    }
    /// For running a model: a value wherever there can be one.
    pub fn running(limit_bytes: u64) -> Self {
        Self { limit_bytes, strict: false }
    }
}

/// Evaluates one operator without regions on the values of its operands. `wanted` says which results are wanted; the
/// answer has as many entries, `None` for those that are not wanted. An operator with as many results as are asked for
/// (Split) takes their number from it.
pub fn evaluate_op(
    op: &Op,
    operands: &[Option<Value>],
    wanted: &[bool],
    options: &EvalOptions,
) -> Result<Vec<Option<Value>>, EvalError> {
    let cx = EvalCx::new(op.name(), operands, wanted, options);
    let mut results = dispatch(op, &cx)?;
    results.truncate(wanted.len());
    for (index, result) in results.iter_mut().enumerate() {
        if !wanted[index] {
            *result = None;
        }
    }
    if let Some(missing) = (results.len()..wanted.len()).find(|index| wanted[*index]) {
        return Err(EvalError::Invalid(format!("{} has no result {missing}", op.name())));
    }
    results.resize(wanted.len(), None);
    Ok(results)
}

/// One arm for every typed operator; the enum is non-exhaustive outside its crate, so a test watches the last arm.
fn dispatch(op: &Op, cx: &EvalCx<'_>) -> Evaluated {
    match op {
        Op::Abs(_) => unary::abs(cx),
        Op::Acos(_) => unary::acos(cx),
        Op::Acosh(_) => unary::acosh(cx),
        Op::Add(_) => binary::add(cx),
        Op::AffineGrid(op) => vision::affine_grid(op, cx),
        Op::And(_) => binary::and(cx),
        Op::ArgMax(op) => search::arg_max(op, cx),
        Op::ArgMin(op) => search::arg_min(op, cx),
        Op::Asin(_) => unary::asin(cx),
        Op::Asinh(_) => unary::asinh(cx),
        Op::Atan(_) => unary::atan(cx),
        Op::Atanh(_) => unary::atanh(cx),
        Op::Attention(op) => attention::attention(op, cx),
        Op::AveragePool(op) => pool::average_pool(op, cx),
        Op::BatchNormalization(op) => normalization::batch_normalization(op, cx),
        Op::Bernoulli(op) => random::bernoulli(op, cx),
        Op::BitCast(op) => cast::bit_cast(op, cx),
        Op::BitShift(op) => binary::bit_shift(op, cx),
        Op::BitwiseAnd(_) => binary::bitwise_and(cx),
        Op::BitwiseNot(_) => unary::bitwise_not(cx),
        Op::BitwiseOr(_) => binary::bitwise_or(cx),
        Op::BitwiseXor(_) => binary::bitwise_xor(cx),
        Op::BlackmanWindow(op) => signal::blackman_window(op, cx),
        Op::Cast(op) => cast::cast(op, cx),
        Op::CastLike(op) => cast::cast_like(op, cx),
        Op::Ceil(_) => unary::ceil(cx),
        Op::Celu(op) => activation::celu(op, cx),
        Op::CenterCropPad(op) => movement::center_crop_pad(op, cx),
        Op::Clip(_) => select::clip(cx),
        Op::Col2Im(op) => movement::col2im(op, cx),
        Op::Compress(op) => search::compress(op, cx),
        Op::Concat(op) => movement::concat(op, cx),
        Op::ConcatFromSequence(op) => sequence::concat_from_sequence(op, cx),
        Op::ConstantOfShape(op) => shape::constant_of_shape(op, cx),
        Op::Conv(op) => conv::conv(op, cx),
        Op::ConvInteger(op) => quantized::conv_integer(op, cx),
        Op::ConvTranspose(op) => conv::conv_transpose(op, cx),
        Op::Cos(_) => unary::cos(cx),
        Op::Cosh(_) => unary::cosh(cx),
        Op::CumProd(op) => cumulative::cum_prod(op, cx),
        Op::CumSum(op) => cumulative::cum_sum(op, cx),
        Op::DFT(op) => signal::dft(op, cx),
        Op::DeformConv(op) => conv::deform_conv(op, cx),
        Op::DepthToSpace(op) => movement::depth_to_space(op, cx),
        Op::DequantizeLinear(op) => quantized::dequantize_linear(op, cx),
        Op::Det(_) => product::det(cx),
        Op::Div(_) => binary::div(cx),
        Op::Dropout(op) => random::dropout(op, cx),
        Op::DynamicQuantizeLinear(_) => quantized::dynamic_quantize_linear(cx),
        Op::Einsum(op) => product::einsum(op, cx),
        Op::Elu(op) => activation::elu(op, cx),
        Op::Equal(_) => binary::equal(cx),
        Op::Erf(_) => unary::erf(cx),
        Op::Exp(_) => unary::exp(cx),
        Op::Expand(_) => shape::expand(cx),
        Op::EyeLike(op) => shape::eye_like(op, cx),
        Op::Flatten(op) => shape::flatten(op, cx),
        Op::Floor(_) => unary::floor(cx),
        Op::GRU(op) => recurrent::gru(op, cx),
        Op::Gather(op) => gather::gather(op, cx),
        Op::GatherElements(op) => gather::gather_elements(op, cx),
        Op::GatherND(op) => gather::gather_nd(op, cx),
        Op::Gelu(op) => activation::gelu(op, cx),
        Op::Gemm(op) => product::gemm(op, cx),
        Op::GlobalAveragePool(_) => pool::global_average_pool(cx),
        Op::GlobalLpPool(op) => pool::global_lp_pool(op, cx),
        Op::GlobalMaxPool(_) => pool::global_max_pool(cx),
        Op::Greater(_) => binary::greater(cx),
        Op::GreaterOrEqual(_) => binary::greater_or_equal(cx),
        Op::GridSample(op) => vision::grid_sample(op, cx),
        Op::GroupNormalization(op) => normalization::group_normalization(op, cx),
        Op::HammingWindow(op) => signal::hamming_window(op, cx),
        Op::HannWindow(op) => signal::hann_window(op, cx),
        Op::HardSigmoid(op) => activation::hard_sigmoid(op, cx),
        Op::HardSwish(_) => activation::hard_swish(cx),
        Op::Hardmax(op) => softmax::hardmax(op, cx),
        Op::Identity(_) => movement::identity(cx),
        Op::InstanceNormalization(op) => normalization::instance_normalization(op, cx),
        Op::IsInf(op) => unary::is_inf(op, cx),
        Op::IsNaN(_) => unary::is_nan(cx),
        Op::LRN(op) => normalization::lrn(op, cx),
        Op::LSTM(op) => recurrent::lstm(op, cx),
        Op::LayerNormalization(op) => normalization::layer_normalization(op, cx),
        Op::LeakyRelu(op) => activation::leaky_relu(op, cx),
        Op::LegacySoftmax(op) => softmax::legacy_softmax(op, cx),
        Op::Less(_) => binary::less(cx),
        Op::LessOrEqual(_) => binary::less_or_equal(cx),
        Op::Log(_) => unary::log(cx),
        Op::LogSoftmax(op) => softmax::log_softmax(op, cx),
        Op::LpNormalization(op) => normalization::lp_normalization(op, cx),
        Op::LpPool(op) => pool::lp_pool(op, cx),
        Op::MatMul(_) => product::matmul(cx),
        Op::MatMulInteger(_) => quantized::matmul_integer(cx),
        Op::Max(_) => variadic::max(cx),
        Op::MaxPool(op) => pool::max_pool(op, cx),
        Op::MaxUnpool(op) => pool::max_unpool(op, cx),
        Op::Mean(_) => variadic::mean(cx),
        Op::MeanVarianceNormalization(op) => normalization::mean_variance_normalization(op, cx),
        Op::MelWeightMatrix(op) => signal::mel_weight_matrix(op, cx),
        Op::Min(_) => variadic::min(cx),
        Op::Mish(_) => activation::mish(cx),
        Op::Mod(op) => binary::modulo(op, cx),
        Op::Mul(_) => binary::mul(cx),
        Op::Multinomial(op) => random::multinomial(op, cx),
        Op::Neg(_) => unary::neg(cx),
        Op::NonMaxSuppression(op) => search::non_max_suppression(op, cx),
        Op::NonZero(_) => search::non_zero(cx),
        Op::Not(_) => unary::not(cx),
        Op::OneHot(op) => movement::one_hot(op, cx),
        Op::Optional(op) => sequence::optional(op, cx),
        Op::OptionalGetElement(_) => sequence::optional_get_element(cx),
        Op::OptionalHasElement(_) => sequence::optional_has_element(cx),
        Op::Or(_) => binary::or(cx),
        Op::PRelu(_) => activation::prelu(cx),
        Op::Pad(op) => movement::pad(op, cx),
        Op::Pow(_) => binary::pow(cx),
        Op::QLinearConv(op) => quantized::qlinear_conv(op, cx),
        Op::QLinearMatMul(_) => quantized::qlinear_matmul(cx),
        Op::QuantizeLinear(op) => quantized::quantize_linear(op, cx),
        Op::RMSNormalization(op) => normalization::rms_normalization(op, cx),
        Op::RNN(op) => recurrent::rnn(op, cx),
        Op::RandomNormal(op) => random::random_normal(op, cx),
        Op::RandomNormalLike(op) => random::random_normal_like(op, cx),
        Op::RandomUniform(op) => random::random_uniform(op, cx),
        Op::RandomUniformLike(op) => random::random_uniform_like(op, cx),
        Op::Range(op) => shape::range(op, cx),
        Op::Reciprocal(_) => unary::reciprocal(cx),
        Op::ReduceL1(op) => reduce::reduce_l1(op, cx),
        Op::ReduceL2(op) => reduce::reduce_l2(op, cx),
        Op::ReduceLogSum(op) => reduce::reduce_log_sum(op, cx),
        Op::ReduceLogSumExp(op) => reduce::reduce_log_sum_exp(op, cx),
        Op::ReduceMax(op) => reduce::reduce_max(op, cx),
        Op::ReduceMean(op) => reduce::reduce_mean(op, cx),
        Op::ReduceMin(op) => reduce::reduce_min(op, cx),
        Op::ReduceProd(op) => reduce::reduce_prod(op, cx),
        Op::ReduceSum(op) => reduce::reduce_sum(op, cx),
        Op::ReduceSumSquare(op) => reduce::reduce_sum_square(op, cx),
        Op::Relu(_) => activation::relu(cx),
        Op::Reshape(op) => shape::reshape(op, cx),
        Op::Resize(op) => vision::resize(op, cx),
        Op::ReverseSequence(op) => movement::reverse_sequence(op, cx),
        Op::RoiAlign(op) => vision::roi_align(op, cx),
        Op::RotaryEmbedding(op) => attention::rotary_embedding(op, cx),
        Op::Round(_) => unary::round(cx),
        Op::STFT(op) => signal::stft(op, cx),
        Op::ScatterElements(op) => gather::scatter_elements(op, cx),
        Op::ScatterND(op) => gather::scatter_nd(op, cx),
        Op::Selu(op) => activation::selu(op, cx),
        Op::SequenceAt(_) => sequence::sequence_at(cx),
        Op::SequenceConstruct(_) => sequence::sequence_construct(cx),
        Op::SequenceEmpty(op) => sequence::sequence_empty(op, cx),
        Op::SequenceErase(_) => sequence::sequence_erase(cx),
        Op::SequenceInsert(_) => sequence::sequence_insert(cx),
        Op::SequenceLength(_) => sequence::sequence_length(cx),
        Op::Shape(op) => shape::shape(op, cx),
        Op::Shrink(op) => activation::shrink(op, cx),
        Op::Sigmoid(_) => activation::sigmoid(cx),
        Op::Sign(_) => unary::sign(cx),
        Op::Sin(_) => unary::sin(cx),
        Op::Sinh(_) => unary::sinh(cx),
        Op::Size(_) => shape::size(cx),
        Op::Slice(_) => movement::slice(cx),
        Op::Softmax(op) => softmax::softmax(op, cx),
        Op::Softplus(_) => activation::softplus(cx),
        Op::Softsign(_) => activation::softsign(cx),
        Op::SpaceToDepth(op) => movement::space_to_depth(op, cx),
        Op::Split(op) => movement::split(op, cx),
        Op::SplitToSequence(op) => sequence::split_to_sequence(op, cx),
        Op::Sqrt(_) => unary::sqrt(cx),
        Op::Squeeze(_) => shape::squeeze(cx),
        Op::Sub(_) => binary::sub(cx),
        Op::Sum(_) => variadic::sum(cx),
        Op::Swish(op) => activation::swish(op, cx),
        Op::Tan(_) => unary::tan(cx),
        Op::Tanh(_) => unary::tanh(cx),
        Op::TensorScatter(op) => gather::tensor_scatter(op, cx),
        Op::ThresholdedRelu(op) => activation::thresholded_relu(op, cx),
        Op::Tile(_) => shape::tile(cx),
        Op::TopK(op) => search::top_k(op, cx),
        Op::Transpose(op) => movement::transpose(op, cx),
        Op::Trilu(op) => movement::trilu(op, cx),
        Op::Unique(op) => search::unique(op, cx),
        Op::Unsqueeze(_) => shape::unsqueeze(cx),
        Op::Where(_) => select::r#where(cx),
        Op::Xor(_) => binary::xor(cx),
        Op::If(_) | Op::Loop(_) | Op::Scan(_) | Op::Call(_) => {
            cx.unsupported("operators with regions are run by the engine")
        }
        Op::Custom(_) => cx.unsupported("the operator is not known"),
        _ => cx.unsupported(NO_ARM),
    }
}

const NO_ARM: &str = "the evaluator has no arm for the operator";
