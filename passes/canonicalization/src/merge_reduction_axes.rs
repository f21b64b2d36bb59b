//! Lets a reduction keep or drop its axes itself, instead of a reshape behind it.

use edgesmith_ir::op::{
    GlobalAveragePool, ReduceL1, ReduceL2, ReduceLogSum, ReduceLogSumExp, ReduceMax, ReduceMean, ReduceMin, ReduceProd,
    ReduceSum, ReduceSumSquare,
};
use edgesmith_ir::{Dim, Op, OpId, OpKind, Tensor, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

/// `Squeeze(ReduceMean(x, keepdims=1))` and its kin: the reduction drops the axes, or keeps them.
pub(crate) struct MergeReductionAxes;

/// `Flatten(GlobalAveragePool(x))`: a mean over the spatial axes that drops them.
pub(crate) struct MergeGlobalPoolAxes;

const REGROUPING: &[OpKind] = &[OpKind::Reshape, OpKind::Flatten, OpKind::Squeeze, OpKind::Unsqueeze];

impl Rewrite for MergeReductionAxes {
    const NAME: RuleName = "merge-reduction-axes";
    const SUMMARY: &'static str = "a reshape that only drops or restores the axes of the reduction before it";
    const ROOTS: &'static [OpKind] = REGROUPING;
    const FIDELITY: Fidelity = Fidelity::Exact;
    const MANUAL: &'static str = include_str!("../manual/merge-reduction-axes.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let (reduction, output) = reduction_behind(cx, root)?;
        let data = cx.graph().op(reduction);
        let (dropping, keeping) = (with_keepdims(data.op(), false), with_keepdims(data.op(), true));
        let (Some(dropping), Some(keeping)) = (dropping, keeping) else { return Err(Miss::NoMatch) };
        let input = data.operand(0).ok_or(Miss::NoMatch)?;
        let rank = cx.dims(input).ok_or(Miss::NoMatch)?.len();
        let axes = match data.operand(1) {
            Some(axes) => reduced_axes(&cx.ints(axes).ok_or(Miss::NoMatch)?, rank)?,
            // No axes: all of them, or none where the operator says so.
            None if reduces_nothing_without_axes(data.op()) => return Err(Miss::NoMatch),
            None => (0..rank).collect(),
        };
        if axes.is_empty() {
            return Err(Miss::NoMatch);
        }
        let op = if gives(cx, input, &axes, output, false) {
            dropping
        } else if gives(cx, input, &axes, output, true) {
            keeping
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

fn reduced_axes(axes: &[i64], rank: usize) -> Match<Vec<usize>> {
    axes.iter()
        .map(|axis| {
            let axis = if *axis < 0 { axis + rank as i64 } else { *axis };
            usize::try_from(axis).ok().filter(|axis| *axis < rank).ok_or(Miss::NoMatch)
        })
        .collect()
}

fn reduces_nothing_without_axes(op: &Op) -> bool {
    macro_rules! flag {
        ($($kind:ident),*) => { match op { $(Op::$kind(op) => op.noop_with_empty_axes,)* _ => true } };
    }
    flag!(
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

/// The same reduction, with or without its axes; `None` for what is not one.
fn with_keepdims(op: &Op, keepdims: bool) -> Option<Op> {
    macro_rules! with {
        ($($kind:ident),*) => {
            match op {
                $(Op::$kind(op) => Some(Op::from($kind { keepdims, noop_with_empty_axes: op.noop_with_empty_axes })),)*
                _ => None,
            }
        };
    }
    with!(
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
