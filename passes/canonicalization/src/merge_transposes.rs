//! Makes one transpose of two, or of one and a reshape that is one.

use edgesmith_ir::op::Transpose;
use edgesmith_ir::{Dim, OpId, OpKind};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

use crate::merge_reshapes::REGROUPING;

/// `Transpose(Transpose(x))`: the permutations compose.
pub(crate) struct MergeTransposes;

impl Rewrite for MergeTransposes {
    const NAME: RuleName = "merge-transposes";
    const SUMMARY: &'static str = "two transposes in a row become one";
    const ROOTS: &'static [OpKind] = &[OpKind::Transpose];
    const FIDELITY: Fidelity = Fidelity::Exact;
    const MANUAL: &'static str = include_str!("../manual/merge-transposes.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let outer = cx.op::<Transpose>(root)?;
        let inner = cx.producer::<Transpose>(outer.data())?;
        let rank = cx.dims(inner.data()).ok_or(Miss::NoMatch)?.len();
        let (first, second) = (permutation(&inner, rank)?, permutation(&outer, rank)?);
        let perm = second.iter().map(|axis| first[*axis] as i64).collect();
        let mut patch = Patch::new(cx);
        let result = patch.insert(Transpose { perm }, [Some(inner.data().into())]);
        patch.redefine(outer.transposed(), result);
        Ok(patch)
    }
}

/// `Reshape(Transpose(x))`, or the other way round, where the reshape only moves axes of one index.
pub(crate) struct MergeReshapeIntoTranspose;

impl Rewrite for MergeReshapeIntoTranspose {
    const NAME: RuleName = "merge-reshape-into-transpose";
    const SUMMARY: &'static str = "a Reshape that only moves axes of one index goes into the Transpose beside it";
    const ROOTS: &'static [OpKind] = &[OpKind::Reshape, OpKind::Transpose];
    const FIDELITY: Fidelity = Fidelity::Exact;
    const MANUAL: &'static str = include_str!("../manual/merge-reshape-into-transpose.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let outer = cx.graph().op(root);
        let (Some(middle), Some(output)) = (outer.operand(0), outer.result(0)) else { return Err(Miss::NoMatch) };
        let inner = cx.graph().producer(middle).ok_or(Miss::NoMatch)?;
        let kinds = [inner, root].map(|op| cx.graph().op(op).op().kind());
        let transposes = kinds.iter().filter(|kind| **kind == OpKind::Transpose).count();
        if transposes != 1 || !kinds.iter().any(|kind| REGROUPING.contains(kind)) || !cx.single_use(middle) {
            return Err(Miss::NoMatch);
        }
        cx.look_at(inner);
        let input = cx.graph().op(inner).operand(0).ok_or(Miss::NoMatch)?;
        let (first, second) = (order_of(cx, inner)?, order_of(cx, root)?);
        let perm = second.iter().map(|axis| first[*axis] as i64).collect();
        let mut patch = Patch::new(cx);
        let result = patch.insert(Transpose { perm }, [Some(input.into())]);
        patch.redefine(output, result);
        Ok(patch)
    }
}

/// The order in which a transpose, or a reshape that does no more than one, has the axes of its input.
fn order_of(cx: &Cx<'_>, op: OpId) -> Match<Vec<usize>> {
    let data = cx.graph().op(op);
    let dims = |value| cx.dims(value).ok_or(Miss::NoMatch);
    let from = dims(data.operand(0).ok_or(Miss::NoMatch)?)?;
    match cx.op::<Transpose>(op) {
        Ok(transpose) => permutation(&transpose, from.len()),
        Err(_) => units_moved(from, dims(data.result(0).ok_or(Miss::NoMatch)?)?).ok_or(Miss::NoMatch),
    }
}

/// The axes of `from` in the order of `to`, where only axes of one index are elsewhere.
fn units_moved(from: &[Dim], to: &[Dim]) -> Option<Vec<usize>> {
    let (mut long, mut units): (Vec<usize>, Vec<usize>) = (0..from.len()).rev().partition(|axis| !from[*axis].is(1));
    let order =
        to.iter().map(|dim| if dim.is(1) { units.pop() } else { long.pop().filter(|axis| from[*axis].same(dim)) });
    let order: Vec<usize> = order.collect::<Option<_>>()?;
    (order.len() == from.len()).then_some(order)
}

pub(crate) fn permutation(transpose: &Transpose, rank: usize) -> Match<Vec<usize>> {
    if transpose.perm.is_empty() {
        return Ok((0..rank).rev().collect());
    }
    let perm: Vec<usize> =
        transpose.perm.iter().filter_map(|axis| usize::try_from(*axis).ok()).filter(|axis| *axis < rank).collect();
    if perm.len() == rank { Ok(perm) } else { Err(Miss::NoMatch) }
}

/// Where each axis of before is now, when axis `perm[i]` becomes axis `i`.
pub(crate) fn inverse(perm: &[usize]) -> Vec<usize> {
    let mut places = vec![0; perm.len()];
    for (place, axis) in perm.iter().enumerate() {
        places[*axis] = place;
    }
    places
}
