//! Folds multiplication, division, addition and subtraction by constants per channel into the operator before them.

use edgesmith_ir::op::{Add, Div, Mul, Sub};
use edgesmith_ir::{OpId, OpKind, Operator, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

use crate::affine::{Affine, per_channel};
use crate::target::Target;

/// conv(x, w) + b, times and plus constants per output channel: w and b absorb both.
pub(crate) struct FoldAffine;

impl Rewrite for FoldAffine {
    const NAME: RuleName = "fold-affine";
    const SUMMARY: &'static str =
        "Mul, Div, Add or Sub of constants per channel into the convolution or matrix product before them";
    const ROOTS: &'static [OpKind] = &[OpKind::Mul, OpKind::Div, OpKind::Add, OpKind::Sub];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../manual/fold-affine.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let data = cx.graph().op(root);
        let (Some(a), Some(b), Some(old)) = (data.operand(0), data.operand(1), data.result(0)) else {
            return Err(Miss::NoMatch);
        };
        // The constant may stand on either side; only one side may be constant, or folding does it.
        let (value, constant, constant_first) = match (cx.constant(a), cx.constant(b)) {
            (None, Some(constant)) => (a, constant, false),
            (Some(constant), None) => (b, constant, true),
            _ => return Err(Miss::NoMatch),
        };
        if !is_target(cx, value) || !constant.dtype().is_float() {
            return Err(Miss::NoMatch);
        }
        let target = Target::producing(cx, value)?;
        let Some(c) = per_channel(constant, target.rank, target.channels) else { return Err(Miss::NoMatch) };
        let n = target.channels;
        let kind = data.op().kind();
        let affine = match (kind, constant_first) {
            (Mul::KIND, _) => Affine { scale: c, shift: vec![0.0; n] },
            (Div::KIND, false) if c.iter().all(|x| *x != 0.0) => {
                Affine { scale: c.iter().map(|x| 1.0 / x).collect(), shift: vec![0.0; n] }
            }
            (Add::KIND, _) => Affine { scale: vec![1.0; n], shift: c },
            (Sub::KIND, false) => Affine { scale: vec![1.0; n], shift: c.iter().map(|x| -x).collect() },
            (Sub::KIND, true) => Affine { scale: vec![-1.0; n], shift: c },
            _ => return Err(Miss::NoMatch),
        };
        target.fold(cx, &affine, old)
    }
}

/// Whether the producer is a kind that takes weights; asked first so that every other Add stays silent.
fn is_target(cx: &Cx<'_>, value: ValueId) -> bool {
    let kind = cx.graph().producer(value).map(|op| cx.graph().op(op).op().kind());
    matches!(kind, Some(OpKind::Conv | OpKind::ConvTranspose | OpKind::Gemm))
}
