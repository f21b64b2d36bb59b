//! Makes one transpose of two.

use edgesmith_ir::op::Transpose;
use edgesmith_ir::{OpId, OpKind};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

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

pub(crate) fn permutation(transpose: &Transpose, rank: usize) -> Match<Vec<usize>> {
    if transpose.perm.is_empty() {
        return Ok((0..rank).rev().collect());
    }
    let perm: Vec<usize> =
        transpose.perm.iter().filter_map(|axis| usize::try_from(*axis).ok()).filter(|axis| *axis < rank).collect();
    if perm.len() == rank { Ok(perm) } else { Err(Miss::NoMatch) }
}
