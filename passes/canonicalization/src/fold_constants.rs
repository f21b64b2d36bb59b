//! Replaces operators whose operands are all constants by their value.

use edgesmith_exec::{EvalOptions, Value, evaluate_op};
use edgesmith_ir::{Def, Op, OpId, OpKind, Tensor, User, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

/// A folded constant may be this large even if nothing dies for it.
pub(crate) const FREE_BYTES: u64 = 1024;

/// Folds operators whose results are exact: data movement, integers, comparisons, IEEE elementwise arithmetic.
pub(crate) struct FoldConstants;

/// Folds operators that round: transcendental functions, reductions, products.
pub(crate) struct FoldRoundedConstants;

impl Rewrite for FoldConstants {
    const NAME: RuleName = "fold-constants";
    const SUMMARY: &'static str = "operators on constants that compute exactly, where the file does not grow";
    const ROOTS: &'static [OpKind] = &[];
    const FIDELITY: Fidelity = Fidelity::Exact;
    const MANUAL: &'static str = include_str!("../manual/fold-constants.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        fold(cx, root, Precision::Exact)
    }
}

impl Rewrite for FoldRoundedConstants {
    const NAME: RuleName = "fold-rounded-constants";
    const SUMMARY: &'static str = "operators on constants that round, where the file does not grow";
    const ROOTS: &'static [OpKind] = &[];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../manual/fold-rounded-constants.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        fold(cx, root, Precision::Rounded)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Precision {
    Exact,
    Rounded,
    Never,
}

/// How precisely the evaluator computes an operator, by its kind and the element type of its first operand.
pub(crate) fn precision(op: &Op, float: bool) -> Precision {
    use OpKind as K;
    match op.kind() {
        // Folding these would undo what somebody did on purpose: smaller storage of weights.
        K::DequantizeLinear | K::QuantizeLinear | K::DynamicQuantizeLinear => Precision::Never,
        K::If | K::Loop | K::Scan | K::Call | K::Custom => Precision::Never,
        K::Dropout => Precision::Exact,
        _ if op.is_random() => Precision::Never,
        // An identity of a constant is removed, not folded: no copy.
        K::Identity => Precision::Never,
        K::Abs
        | K::Add
        | K::And
        | K::BitCast
        | K::BitShift
        | K::BitwiseAnd
        | K::BitwiseNot
        | K::BitwiseOr
        | K::BitwiseXor
        | K::Cast
        | K::CastLike
        | K::Ceil
        | K::CenterCropPad
        | K::Clip
        | K::Compress
        | K::Concat
        | K::ConstantOfShape
        | K::DepthToSpace
        | K::Div
        | K::Equal
        | K::Expand
        | K::EyeLike
        | K::Flatten
        | K::Floor
        | K::Gather
        | K::GatherElements
        | K::GatherND
        | K::Greater
        | K::GreaterOrEqual
        | K::IsInf
        | K::IsNaN
        | K::Less
        | K::LessOrEqual
        | K::Max
        | K::Min
        | K::Mul
        | K::Neg
        | K::NonZero
        | K::Not
        | K::OneHot
        | K::Or
        | K::Pad
        | K::Range
        | K::Reciprocal
        | K::Relu
        | K::Reshape
        | K::ReverseSequence
        | K::Round
        | K::ScatterElements
        | K::ScatterND
        | K::Shape
        | K::Sign
        | K::Size
        | K::Slice
        | K::SpaceToDepth
        | K::Split
        | K::Sqrt
        | K::Squeeze
        | K::Sub
        | K::Tile
        | K::Transpose
        | K::Trilu
        | K::Unsqueeze
        | K::Where
        | K::Xor => Precision::Exact,
        _ if float => Precision::Rounded,
        _ => Precision::Exact,
    }
}

fn fold(cx: &Cx<'_>, root: OpId, wanted: Precision) -> Match<Patch> {
    let graph = cx.graph();
    let data = graph.op(root);
    let is_float = data.formals().iter().flatten().any(|v| cx.dtype(*v).is_some_and(edgesmith_ir::DType::is_float));
    if !data.regions().is_empty() || precision(data.op(), is_float) != wanted {
        return Err(Miss::NoMatch);
    }
    let mut operands: Vec<Option<Value>> = Vec::with_capacity(data.operands().len());
    let mut freed = 0;
    for (slot, operand) in data.operands().iter().enumerate() {
        let Some(value) = operand else {
            operands.push(None);
            continue;
        };
        let Some(tensor) = cx.constant(*value) else { return Err(Miss::NoMatch) };
        if dies_with(cx, *value, root) && !data.operands()[..slot].contains(operand) {
            freed += tensor.byte_len();
        }
        operands.push(Some(Value::Tensor(tensor.clone())));
    }
    if matches!(data.op(), Op::Dropout(dropout) if !is_inference(cx, dropout, data.operand(2))) {
        return Err(Miss::NoMatch);
    }
    let limit = freed.max(FREE_BYTES);
    // The types tell the size of most results; asking first saves computing what is thrown away.
    let known: u64 = data.results().iter().flatten().filter_map(|v| bytes_of(cx, *v)).sum();
    if known > limit {
        return too_large(cx, root, known, freed);
    }
    let results: Vec<bool> = data.results().iter().map(Option::is_some).collect();
    let Ok(values) = evaluate_op(data.op(), &operands, &results, &EvalOptions::folding(limit.max(1 << 20))) else {
        // Not computed, or left open by the specification: it stays for run time.
        return Err(Miss::NoMatch);
    };
    let tensors: Vec<Option<Tensor>> = values.into_iter().map(|v| v.and_then(|v| v.as_tensor().cloned())).collect();
    let bytes: u64 = tensors.iter().flatten().map(Tensor::byte_len).sum();
    if bytes > limit {
        return too_large(cx, root, bytes, freed);
    }
    let mut patch = Patch::new(cx);
    for (result, tensor) in data.results().iter().zip(tensors) {
        match (result, tensor) {
            (Some(result), Some(tensor)) => {
                let constant = patch.constant(tensor);
                patch.redefine(*result, constant);
            }
            (Some(_), None) => return Err(Miss::NoMatch),
            (None, _) => {}
        }
    }
    Ok(patch)
}

fn too_large(cx: &Cx<'_>, root: OpId, bytes: u64, freed: u64) -> Match<Patch> {
    cx.reject(root, format!("its value takes {bytes} bytes, more than the {freed} that would be freed"))
}

pub(crate) fn bytes_of(cx: &Cx<'_>, value: ValueId) -> Option<u64> {
    let tensor = cx.ty(value).as_tensor()?;
    tensor.dtype.byte_len(tensor.shape.elements().extent()?)
}

/// Whether a constant goes when this operator goes: nobody else reads it here, and no other graph holds its tensor.
fn dies_with(cx: &Cx<'_>, value: ValueId, op: OpId) -> bool {
    let row = cx.graph().value(value);
    !row.is_pinned() && matches!(row.def(), Def::Constant(_)) && row.uses().iter().all(|u| u.user == User::Op(op))
}

pub(crate) fn is_inference(cx: &Cx<'_>, _dropout: &edgesmith_ir::op::Dropout, training_mode: Option<ValueId>) -> bool {
    match training_mode {
        None => true,
        Some(mode) => cx.ints(mode).is_some_and(|mode| mode == [0]),
    }
}
