//! Reads what a reduction drops from the other side of a transpose.

use edgesmith_ir::op::Transpose;
use edgesmith_ir::{InferCx, OpId, OpKind, Tensor};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

use crate::merge_reduction_axes::Forms;
use crate::merge_transposes::{inverse, permutation};

/// `ReduceMean(Transpose(x))` without the reduced axes: the axes that are left come in the same order.
pub(crate) struct FoldTransposeIntoReduction;

impl Rewrite for FoldTransposeIntoReduction {
    const NAME: RuleName = "fold-transpose-into-reduction";
    const SUMMARY: &'static str = "a transpose before a reduction that drops the axes which it moves";
    const ROOTS: &'static [OpKind] = &[
        OpKind::ReduceL1,
        OpKind::ReduceL2,
        OpKind::ReduceLogSum,
        OpKind::ReduceLogSumExp,
        OpKind::ReduceMax,
        OpKind::ReduceMean,
        OpKind::ReduceMin,
        OpKind::ReduceProd,
        OpKind::ReduceSum,
        OpKind::ReduceSumSquare,
    ];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../../manual/fold-transpose-into-reduction.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let data = cx.graph().op(root);
        let (Some(input), Some(output)) = (data.operand(0), data.result(0)) else { return Err(Miss::NoMatch) };
        let transpose = cx.producer::<Transpose>(input)?;
        let rank = cx.dims(transpose.data()).ok_or(Miss::NoMatch)?.len();
        // Reading `x` where `Transpose(x)` was is reading the transpose with its axes put back.
        let perm = permutation(&transpose, rank)?;
        let axes = dropped_axes(cx, root, &inverse(&perm)).ok_or(Miss::NoMatch)?;
        let mut patch = Patch::new(cx);
        let axes = patch.constant(Tensor::from_ints(&axes));
        let result = patch.insert(data.op().clone(), [Some(transpose.data().into()), Some(axes)]);
        patch.redefine(output, result);
        Ok(patch)
    }
}

/// The axes to reduce so that the result stays as it is, when axis `perm[i]` of the input becomes axis `i`; `None` where no axes
/// do, or this is no reduction that drops its axes.
fn dropped_axes(cx: &Cx<'_>, reduction: OpId, perm: &[usize]) -> Option<Vec<i64>> {
    let data = cx.graph().op(reduction);
    if Forms::of(data.op()).is_none_or(|forms| forms.dropping != *data.op()) {
        return None;
    }
    let axes = InferCx::axes(&cx.ints(data.operand(1)?)?, perm.len()).ok().filter(|axes| !axes.is_empty())?;
    let (dropped, left): (Vec<usize>, Vec<usize>) = (0..perm.len()).partition(|place| axes.contains(&perm[*place]));
    left.is_sorted_by_key(|place| perm[*place]).then(|| dropped.iter().map(|axis| *axis as i64).collect())
}

/// Whether an operator makes the same of a value, without one operator more, when axis `perm[i]` of the value becomes axis `i`.
pub(super) fn drops_what_moves(cx: &Cx<'_>, reduction: OpId, perm: &[usize]) -> bool {
    dropped_axes(cx, reduction, perm).is_some()
}
