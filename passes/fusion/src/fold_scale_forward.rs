//! Folds scale and shift per channel, and BatchNormalization, into the convolution or matrix product behind them.

use edgesmith_ir::op::BatchNormalization;
use edgesmith_ir::{OpId, OpKind, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

use crate::affine::{Affine, ByConstant};
use crate::sink::Sink;
use crate::weights::is_shared;

/// conv(s · x + t, w) + b: the columns of w absorb s, b absorbs what w makes of t.
pub(crate) struct FoldScaleForward;

impl Rewrite for FoldScaleForward {
    const NAME: RuleName = "fold-scale-forward";
    const SUMMARY: &'static str =
        "Mul, Div, Add, Sub or BatchNormalization per channel into the convolution or matrix product behind them";
    const ROOTS: &'static [OpKind] = &[OpKind::Conv, OpKind::ConvTranspose, OpKind::Gemm, OpKind::MatMul];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../manual/fold-scale-forward.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let data = cx.graph().op(root);
        let before = data.operand(0).and_then(|input| cx.graph().producer(input)).ok_or(Miss::NoMatch)?;
        let kind = cx.graph().op(before).op().kind();
        if !matches!(kind, OpKind::Mul | OpKind::Div | OpKind::Add | OpKind::Sub | OpKind::BatchNormalization) {
            return Err(Miss::NoMatch);
        }
        let sink = Sink::of(cx, root)?;
        if !cx.single_use(sink.input) {
            return Err(Miss::NoMatch);
        }
        let (source, affine) = if kind == OpKind::BatchNormalization {
            let norm = cx.op::<BatchNormalization>(before)?;
            if sink.axis != 1 {
                return Err(Miss::NoMatch);
            }
            (norm.x(), Affine::of_batch_norm(cx, norm)?)
        } else {
            let by = ByConstant::of(cx, before)?;
            (by.value, by.affine(sink.rank, sink.axis, sink.channels)?)
        };
        // A constant may have repeated the one channel that there was.
        if !cx.same_dims(source, sink.input) || ends_an_idiom(cx, source) {
            return Err(Miss::NoMatch);
        }
        if affine.shifts() && sink.pads() {
            return cx.reject(root, "it pads with zeros, which what is added before it would have to reach");
        }
        if is_shared(cx, sink.weight, sink.weight_tensor) {
            return cx.reject(root, "its weight is shared; folding would store it twice");
        }
        sink.fold(cx, source, &affine)
    }
}

/// Whether scaling and shifting this value ends a product or quotient of activations: x · (1 + erf(x / √2)) · 0.5, the
/// scale and bias of a normalisation written out, x · clip(x + 3, 0, 6) / 6. Runtimes have one kernel for the whole of each,
/// which is lost with the last step.
pub(crate) fn ends_an_idiom(cx: &Cx<'_>, value: ValueId) -> bool {
    let mut value = value;
    for _ in 0..3 {
        let Some(op) = cx.graph().producer(value) else { return false };
        if let Ok(by) = ByConstant::of(cx, op) {
            value = by.value;
            continue;
        }
        let is_product = matches!(cx.graph().op(op).op().kind(), OpKind::Mul | OpKind::Div);
        return is_product && !is_gated(cx, op);
    }
    false
}

/// Whether a product is that of a value and a gate, as SiLU and squeeze-and-excitation have one: no factor belongs to those.
fn is_gated(cx: &Cx<'_>, product: OpId) -> bool {
    cx.graph().op(product).operands().iter().flatten().any(|operand| {
        let mut producer = cx.graph().producer(*operand);
        // Of squeeze-and-excitation it comes in the shape of what it gates.
        while let Some(op) = producer
            && matches!(cx.graph().op(op).op().kind(), OpKind::Reshape | OpKind::Unsqueeze)
        {
            cx.look_at(op);
            producer = cx.graph().op(op).operand(0).and_then(|value| cx.graph().producer(value));
        }
        producer.is_some_and(|op| {
            matches!(cx.graph().op(op).op().kind(), OpKind::Sigmoid | OpKind::HardSigmoid | OpKind::Tanh)
        })
    })
}
