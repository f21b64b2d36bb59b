//! Lets a reduction keep or drop its axes itself, instead of a reshape behind it.

use edgesmith_ir::op::{
    GlobalAveragePool, ReduceL1, ReduceL2, ReduceLogSum, ReduceLogSumExp, ReduceMax, ReduceMean, ReduceMin, ReduceProd,
    ReduceSum, ReduceSumSquare,
};
use edgesmith_ir::{Dim, InferCx, Op, OpId, OpKind, Tensor, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

use crate::merge_reshapes::REGROUPING;

/// `Squeeze(ReduceMean(x, keepdims=1))` and its kin: the reduction drops the axes, or keeps them.
pub(crate) struct MergeReductionAxes;

/// `Flatten(GlobalAveragePool(x))`: a mean over the spatial axes that drops them.
pub(crate) struct MergeGlobalPoolAxes;

impl Rewrite for MergeReductionAxes {
    const NAME: RuleName = "merge-reduction-axes";
    const SUMMARY: &'static str = "a reshape that only drops or restores the axes of the reduction before it";
    const ROOTS: &'static [OpKind] = REGROUPING;
    const FIDELITY: Fidelity = Fidelity::Exact;
    const MANUAL: &'static str = include_str!("../manual/merge-reduction-axes.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let (reduction, output) = reduction_behind(cx, root)?;
        let data = cx.graph().op(reduction);
        let forms = Forms::of(data.op()).ok_or(Miss::NoMatch)?;
        let input = data.operand(0).ok_or(Miss::NoMatch)?;
        let rank = cx.dims(input).ok_or(Miss::NoMatch)?.len();
        let axes = match data.operand(1) {
            Some(axes) => {
                let axes = cx.ints(axes).ok_or(Miss::NoMatch)?;
                InferCx::axes(&axes, rank).map_err(|_| Miss::NoMatch)?.to_vec()
            }
            // No axes: all of them, or none where the operator says so.
            None if forms.nothing_without_axes => return Err(Miss::NoMatch),
            None => (0..rank).collect(),
        };
        if axes.is_empty() {
            return Err(Miss::NoMatch);
        }
        let op = if gives(cx, input, &axes, output, false) {
            forms.dropping
        } else if gives(cx, input, &axes, output, true) {
            forms.keeping
        } else {
            return Err(Miss::NoMatch);
        };
        let mut patch = Patch::new(cx);
        let operands = [Some(input.into()), data.operand(1).map(Into::into)];
        let result = patch.insert_like(reduction, op, operands);
        patch.redefine(output, result);
        Ok(patch)
    }
}

impl Rewrite for MergeGlobalPoolAxes {
    const NAME: RuleName = "merge-global-pool-axes";
    const SUMMARY: &'static str = "global average pooling and the reshape that drops its axes become one mean";
    const ROOTS: &'static [OpKind] = REGROUPING;
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../manual/merge-global-pool-axes.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let (pool, output) = reduction_behind(cx, root)?;
        let input = cx.op::<GlobalAveragePool>(pool)?.x();
        let rank = cx.dims(input).ok_or(Miss::NoMatch)?.len();
        let axes: Vec<usize> = (2..rank).collect();
        if axes.is_empty() || !gives(cx, input, &axes, output, false) {
            return Err(Miss::NoMatch);
        }
        let mut patch = Patch::new(cx);
        let axes = patch.constant(Tensor::from_ints(&axes.iter().map(|axis| *axis as i64).collect::<Vec<_>>()));
        let mean = ReduceMean { keepdims: false, noop_with_empty_axes: false };
        let result = patch.insert_like(pool, mean, [Some(input.into()), Some(axes)]);
        patch.redefine(output, result);
        Ok(patch)
    }
}

/// The operator that makes what the root regroups, where nobody else reads it; and what the root makes.
fn reduction_behind(cx: &Cx<'_>, root: OpId) -> Match<(OpId, ValueId)> {
    let data = cx.graph().op(root);
    let (Some(middle), Some(output)) = (data.operand(0), data.result(0)) else { return Err(Miss::NoMatch) };
    let producer = cx.graph().producer(middle).ok_or(Miss::NoMatch)?;
    if !cx.single_use(middle) {
        return Err(Miss::NoMatch);
    }
    cx.look_at(producer);
    Ok((producer, output))
}

/// Whether reducing these axes gives surely the dims of `output`.
fn gives(cx: &Cx<'_>, input: ValueId, axes: &[usize], output: ValueId, keepdims: bool) -> bool {
    let (Some(from), Some(to)) = (cx.dims(input), cx.dims(output)) else { return false };
    let left: Vec<Dim> = from
        .iter()
        .enumerate()
        .filter(|(axis, _)| keepdims || !axes.contains(axis))
        .map(|(axis, dim)| if axes.contains(&axis) { Dim::Known(1) } else { dim.clone() })
        .collect();
    left.len() == to.len() && left.iter().zip(to).all(|(a, b)| a.same(b))
}

/// A reduction that drops its axes, and the same one that keeps them.
pub(crate) struct Forms {
    pub dropping: Op,
    pub keeping: Op,
    /// Whether it does nothing where no axes are given, instead of reducing all.
    nothing_without_axes: bool,
}

impl Forms {
    /// `None` for what is no reduction.
    pub fn of(op: &Op) -> Option<Self> {
        macro_rules! forms {
            ($($kind:ident),*) => {
                match op {
                    $(Op::$kind(op) => Some(Self {
                        dropping: $kind { keepdims: false, ..op.clone() }.into(),
                        keeping: $kind { keepdims: true, ..op.clone() }.into(),
                        nothing_without_axes: op.noop_with_empty_axes,
                    }),)*
                    _ => None,
                }
            };
        }
        forms!(
            ReduceL1,
            ReduceL2,
            ReduceLogSum,
            ReduceLogSumExp,
            ReduceMax,
            ReduceMean,
            ReduceMin,
            ReduceProd,
            ReduceSum,
            ReduceSumSquare
        )
    }
}
