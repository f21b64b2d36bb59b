//! What the engine can run: one row for every operator.
//!
//! A row names the native lowering (built from tract-core by hand), the hybrid one (tract-onnx's own builder, feature
//! `wide`), or says why there is neither and what would help. Rows are by kind; what depends on attributes or element
//! types is found while lowering, and is an error there, never a wrong answer.

use edgesmith_exec::Obstacle;
use edgesmith_ir::{DType, Def, GraphId, Model, Op, OpId, OpKind, ValueType};

use crate::lower::native::{self, NativeFn};
use crate::tensor::datum_type;

/// How one kind of operator is run.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    /// The native lowering, tried first.
    pub(crate) native: Option<NativeFn>,
    /// The operator set whose form of the node tract-onnx's builder is given.
    pub(crate) hybrid: Option<i64>,
    /// Whether the walk over the graph handles the operator itself: regions, sequences, and what is known before a run.
    pub(crate) structural: bool,
    /// Why an operator that no route covers is refused, and what helps.
    pub(crate) remedy: &'static str,
}

/// How the engine runs a kind of operator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Route {
    /// Built from tract-core operators here.
    Native,
    /// Built by tract-onnx (feature `wide`).
    Hybrid,
    /// Taken apart while lowering: control flow, functions, sequences, shapes.
    Structural,
    /// Not run, unless its operands are constant and the reference evaluator folds it.
    Refused,
}

const FOLD: &str = "tract has no such operator; it runs only where its operands are constant";

fn native(lower: NativeFn) -> Row {
    Row {
        native: Some(lower),
        hybrid: None,
        structural: false,
        remedy: "its attributes or element types are not covered",
    }
}
fn either(lower: NativeFn, opset: i64) -> Row {
    Row { hybrid: Some(opset), ..native(lower) }
}
fn hybrid(opset: i64) -> Row {
    Row {
        native: None,
        hybrid: Some(opset),
        structural: false,
        remedy: "it needs the feature `wide`, and attributes that tract-onnx knows",
    }
}
fn structural(remedy: &'static str) -> Row {
    Row { native: None, hybrid: None, structural: true, remedy }
}
fn refused(remedy: &'static str) -> Row {
    Row { native: None, hybrid: None, structural: false, remedy }
}

/// The row of a kind; `None` for a kind that this crate was not told of, which a test forbids.
pub(crate) fn row(kind: OpKind) -> Option<Row> {
    use OpKind as K;
    Some(match kind {
        K::Abs
        | K::Acos
        | K::Acosh
        | K::Asin
        | K::Asinh
        | K::Atan
        | K::Atanh
        | K::BitwiseNot
        | K::Ceil
        | K::Cos
        | K::Cosh
        | K::Erf
        | K::Exp
        | K::Floor
        | K::IsInf
        | K::IsNaN
        | K::Log
        | K::Neg
        | K::Not
        | K::Reciprocal
        | K::Round
        | K::Sign
        | K::Sin
        | K::Sinh
        | K::Sqrt
        | K::Tan
        | K::Tanh => native(native::elementwise::unary),
        K::Add
        | K::And
        | K::BitShift
        | K::BitwiseAnd
        | K::BitwiseOr
        | K::BitwiseXor
        | K::Div
        | K::Equal
        | K::Greater
        | K::GreaterOrEqual
        | K::Less
        | K::LessOrEqual
        | K::Mod
        | K::Mul
        | K::Or
        | K::Pow
        | K::Sub
        | K::Xor => native(native::elementwise::binary),
        K::Max | K::Mean | K::Min | K::Sum => native(native::elementwise::variadic),
        K::Where | K::Clip => native(native::elementwise::select),
        K::Cast | K::CastLike => native(native::elementwise::convert),
        K::Celu
        | K::Elu
        | K::Gelu
        | K::HardSigmoid
        | K::HardSwish
        | K::LeakyRelu
        | K::Mish
        | K::PRelu
        | K::Relu
        | K::Selu
        | K::Shrink
        | K::Sigmoid
        | K::Softplus
        | K::Softsign
        | K::Swish
        | K::ThresholdedRelu => native(native::activation::lower),
        K::AveragePool
        | K::Conv
        | K::ConvTranspose
        | K::GlobalAveragePool
        | K::GlobalLpPool
        | K::GlobalMaxPool
        | K::LpPool
        | K::MaxPool => native(native::window::lower),
        K::Einsum | K::Gemm | K::MatMul => native(native::product::lower),
        K::ReduceL1
        | K::ReduceL2
        | K::ReduceLogSum
        | K::ReduceLogSumExp
        | K::ReduceMax
        | K::ReduceMean
        | K::ReduceMin
        | K::ReduceProd
        | K::ReduceSum
        | K::ReduceSumSquare => native(native::reduce::reduce),
        K::ArgMax | K::ArgMin => native(native::reduce::arg),
        K::CumProd | K::CumSum => native(native::reduce::cumulative),
        K::Hardmax | K::LegacySoftmax | K::LogSoftmax | K::Softmax => native(native::reduce::softmax),
        K::BatchNormalization
        | K::GroupNormalization
        | K::InstanceNormalization
        | K::LRN
        | K::LayerNormalization
        | K::LpNormalization
        | K::MeanVarianceNormalization
        | K::RMSNormalization => native(native::normalization::lower),
        K::CenterCropPad
        | K::Concat
        | K::DepthToSpace
        | K::OneHot
        | K::Pad
        | K::ReverseSequence
        | K::Slice
        | K::SpaceToDepth
        | K::Split
        | K::Transpose
        | K::Trilu => native(native::movement::lower),
        K::Expand | K::EyeLike | K::Flatten | K::Reshape | K::Squeeze | K::Tile | K::Unsqueeze => {
            native(native::movement::shape)
        }
        K::Gather | K::GatherElements | K::GatherND | K::ScatterElements | K::ScatterND | K::TensorScatter => {
            native(native::gather::lower)
        }
        K::TopK => native(native::gather::search),
        K::Compress => either(native::gather::search, 18),
        K::AffineGrid | K::GridSample | K::Resize => native(native::vision::lower),
        K::Attention | K::RotaryEmbedding => native(native::attention::lower),
        K::DFT | K::STFT => native(native::signal::lower),
        K::DequantizeLinear | K::DynamicQuantizeLinear | K::MatMulInteger | K::QLinearMatMul | K::QuantizeLinear => {
            native(native::quantized::lower)
        }
        K::ConvInteger | K::GRU | K::LSTM | K::NonMaxSuppression | K::NonZero | K::QLinearConv | K::RNN => hybrid(18),
        K::Multinomial | K::RandomNormal | K::RandomNormalLike | K::RandomUniform | K::RandomUniformLike => hybrid(18),
        K::Call => structural("the function has no body in the model"),
        K::Dropout => structural("it drops at random, in training mode; turn training mode off"),
        K::Identity => structural("it copies what tract cannot hold"),
        K::If => structural("both branches must give equal types and shapes, or the condition be constant"),
        K::Loop => structural("its trip count and condition must be known before the run"),
        K::Scan => structural("its body must keep the shapes of its states"),
        K::Shape | K::Size => Row { hybrid: Some(18), ..structural("the shape is known in the run only") },
        K::ConcatFromSequence
        | K::SequenceAt
        | K::SequenceConstruct
        | K::SequenceEmpty
        | K::SequenceErase
        | K::SequenceInsert
        | K::SequenceLength
        | K::SplitToSequence => structural("positions and lengths of sequences must be known before the run"),
        K::Optional | K::OptionalGetElement | K::OptionalHasElement => {
            structural("whether an optional is empty must be known before the run")
        }
        K::BlackmanWindow | K::ConstantOfShape | K::HammingWindow | K::HannWindow | K::MelWeightMatrix | K::Range => {
            structural("its size is known in the run only")
        }
        K::Bernoulli => refused("tract draws no such random numbers; compare RandomUniform with the probabilities"),
        K::BitCast | K::Col2Im | K::DeformConv | K::Det | K::MaxUnpool | K::RoiAlign | K::Unique => refused(FOLD),
        K::Custom => refused("the operator is not of the standard; replace it by standard operators"),
        _ => return None,
    })
}

/// How the engine runs a kind of operator. Rows are by kind; whether a certain operator runs is for
/// [`Engine::check`](edgesmith_exec::Engine::check) to say.
pub fn route(kind: OpKind) -> Route {
    match row(kind) {
        Some(row) if row.native.is_some() => Route::Native,
        Some(row) if row.structural => Route::Structural,
        Some(row) if row.hybrid.is_some() && cfg!(feature = "wide") => Route::Hybrid,
        _ => Route::Refused,
    }
}

/// Everything in a graph (and below it) that no route covers, as far as kinds and element types tell; with the
/// `evaluator`, operators that it computes are no obstacle.
pub(crate) fn obstacles(model: &Model, graph: GraphId, evaluator: bool) -> Vec<Obstacle> {
    let mut found = Vec::new();
    let mut stack = vec![graph];
    while let Some(id) = stack.pop() {
        let g = model.graph(id);
        // What the evaluator folds needs no route: values that follow from constants alone.
        let mut settled = vec![false; g.value_rows()];
        let Ok(order) = g.topological() else { continue };
        for (value, row) in g.values() {
            use edgesmith_ir::id::EntityId;
            let whole = row.contents().is_some_and(|contents| contents.ints().is_some());
            settled[value.index()] = whole || matches!(row.def(), Def::Constant(_));
        }
        for op in order {
            use edgesmith_ir::id::EntityId;
            let data = g.op(op);
            stack.extend(data.regions().iter().copied());
            let folds = !data.op().is_random()
                && data.regions().is_empty()
                && data.operands().iter().flatten().all(|value| settled[value.index()]);
            let known = data.results().iter().flatten().all(|value| settled[value.index()]);
            if folds || known {
                for value in data.results().iter().flatten() {
                    settled[value.index()] = true;
                }
                continue;
            }
            if let Some(reason) = obstacle(model, id, op, evaluator) {
                found.push(Obstacle { graph: id, op, label: crate::lower::label(model, id, op), reason });
            }
        }
    }
    found.sort_by_key(|obstacle| (obstacle.graph, obstacle.op));
    found
}

fn obstacle(model: &Model, graph: GraphId, op: OpId, evaluator: bool) -> Option<String> {
    let g = model.graph(graph);
    let data = g.op(op);
    let kind = data.op().kind();
    let borrows = evaluator && !data.op().is_random();
    if route(kind) == Route::Refused && !borrows {
        let remedy = row(kind).map_or("this engine does not know the operator", |row| row.remedy);
        return Some(remedy.to_owned());
    }
    if matches!(data.op(), Op::Call(_)) && data.regions().is_empty() {
        return Some("the function has no body in the model".to_owned());
    }
    for value in data.operands().iter().chain(data.results()).flatten() {
        let row = g.value(*value);
        let dtype: Option<DType> = match row.ty() {
            ValueType::Tensor(ty) if !matches!(row.def(), Def::Constant(_)) => Some(ty.dtype),
            ValueType::SparseTensor(_) => return Some("tract has no sparse tensors; make them dense first".to_owned()),
            _ => None,
        };
        if let Some(dtype) = dtype
            && datum_type(dtype).is_none()
        {
            return Some(format!("tract has no element type {dtype}"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operator_has_a_row_with_a_route_or_a_remedy() {
        for kind in OpKind::ALL {
            let row = row(*kind).unwrap_or_else(|| panic!("{kind} has no row"));
            assert!(!row.remedy.is_empty(), "{kind} has no remedy");
        }
    }

    /// A hybrid row without a builder would refuse everything.
    #[cfg(feature = "wide")]
    #[test]
    fn every_hybrid_row_has_a_builder() {
        for kind in OpKind::ALL {
            if row(*kind).is_some_and(|row| row.hybrid.is_some()) {
                assert!(crate::lower::has_builder(kind.name()), "tract-onnx has no {kind}");
            }
        }
    }

    #[test]
    fn routes_follow_the_rows() {
        assert_eq!(route(OpKind::Conv), Route::Native);
        assert_eq!(route(OpKind::If), Route::Structural);
        assert_eq!(route(OpKind::DeformConv), Route::Refused);
        assert_eq!(route(OpKind::LSTM), if cfg!(feature = "wide") { Route::Hybrid } else { Route::Refused });
    }
}
