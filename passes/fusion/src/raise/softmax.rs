//! Softmax from its formula.

use edgesmith_ir::op::{Div, Exp, Mul, Reciprocal, ReduceMax, ReduceSum, Softmax, Sub};
use edgesmith_ir::{DType, OpId, OpKind, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

use super::pattern::{either, made_by, reduced_axes, result, saves};

/// `exp(x − max(x)) / Σ exp(x − max(x))` along the last axis. Without the maximum the two differ where the exponential overflows.
pub(crate) struct RaiseSoftmax;

impl Rewrite for RaiseSoftmax {
    const NAME: RuleName = "raise-softmax";
    const SUMMARY: &'static str = "exponentials of what is left of the maximum, over their sum, into Softmax";
    const ROOTS: &'static [OpKind] = &[OpKind::Div, OpKind::Mul];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../../manual/raise-softmax.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let old = result(cx, root)?;
        let (exp, sum) = quotient(cx, root).ok_or(Miss::NoMatch)?;
        let (x, axis) = exponentials(cx, exp, sum).ok_or(Miss::NoMatch)?;
        on_last_axis(cx, x, axis)?;
        saves(cx, old, &[x], 1)?;
        let mut patch = Patch::new(cx);
        let softmax = patch.insert(Softmax { axis: -1 }, [Some(x.into())]);
        patch.redefine(old, softmax);
        Ok(patch)
    }
}

/// Numerator and sum.
fn quotient(cx: &Cx<'_>, root: OpId) -> Option<(ValueId, ValueId)> {
    if let Ok(div) = cx.op::<Div>(root) {
        return Some((div.a(), div.b()));
    }
    let mul = cx.op::<Mul>(root).ok()?;
    either(mul.a(), mul.b()).into_iter().find_map(|(a, b)| Some((a, made_by::<Reciprocal>(cx, b)?.x())))
}

/// `x` and the axis, where `exp` is `exp(x − max(x))` and `sum` its sum.
fn exponentials(cx: &Cx<'_>, exp: ValueId, sum: ValueId) -> Option<(ValueId, usize)> {
    let sum = made_by::<ReduceSum>(cx, sum).filter(|sum| sum.keepdims && sum.data() == exp)?;
    let [axis] = *reduced_axes(cx, sum.data(), sum.axes(), sum.noop_with_empty_axes)?.as_slice() else { return None };
    let x = below_maximum(cx, made_by::<Exp>(cx, exp)?.input(), axis)?;
    Some((x, axis))
}

/// `x` of `x − max(x)` along an axis.
pub(super) fn below_maximum(cx: &Cx<'_>, value: ValueId, axis: usize) -> Option<ValueId> {
    let sub = made_by::<Sub>(cx, value)?;
    let max = made_by::<ReduceMax>(cx, sub.b()).filter(|max| max.keepdims && max.data() == sub.a())?;
    let axes = reduced_axes(cx, max.data(), max.axes(), max.noop_with_empty_axes)?;
    (axes == [axis]).then(|| sub.a())
}

/// Only along the last axis: before opset 13 Softmax knows no other, and ONNX Runtime transposes for another, which was
/// measured 4 times slower than the formula.
pub(super) fn on_last_axis(cx: &Cx<'_>, x: ValueId, axis: usize) -> Match<()> {
    let last = cx.dims(x).is_some_and(|dims| dims.len() == axis + 1);
    let floats = matches!(cx.dtype(x), Some(DType::F32 | DType::F16 | DType::F64));
    if floats && last { Ok(()) } else { Err(Miss::NoMatch) }
}
