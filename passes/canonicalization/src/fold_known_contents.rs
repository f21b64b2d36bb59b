//! Replaces integers that type inference knows although their operands are not constant: sizes of static axes, and what
//! is computed from them, also under a dynamic batch.

use edgesmith_ir::{DType, Item, OpId, OpKind, Tensor, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};
use smallvec::SmallVec;

/// `Shape(x)` where every dim is a number, and the arithmetic behind it.
pub(crate) struct FoldKnownContents;

impl Rewrite for FoldKnownContents {
    const NAME: RuleName = "fold-known-contents";
    const SUMMARY: &'static str = "integers that follow from static dims, such as Shape and the arithmetic behind it";
    const ROOTS: &'static [OpKind] = &[];
    const FIDELITY: Fidelity = Fidelity::Exact;
    const MANUAL: &'static str = include_str!("../manual/fold-known-contents.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let data = cx.graph().op(root);
        if data.op().is_random() || data.results().iter().flatten().count() == 0 {
            return Err(Miss::NoMatch);
        }
        let mut patch = Patch::new(cx);
        for result in data.results().iter().flatten() {
            let constant = patch.constant(known(cx, *result).ok_or(Miss::NoMatch)?);
            patch.redefine(*result, constant);
        }
        Ok(patch)
    }
}

fn known(cx: &Cx<'_>, value: ValueId) -> Option<Tensor> {
    let row = cx.graph().value(value);
    let items = row.contents()?.items();
    let ty = row.ty().as_tensor()?;
    let extents: SmallVec<[u64; 4]> = ty.shape.extents()?;
    let ints: Vec<i64> = items.iter().map(Item::int).collect::<Option<_>>()?;
    if edgesmith_ir::element_count(&extents).ok()? != ints.len() as u64 {
        return None;
    }
    match ty.dtype {
        DType::I64 => Tensor::from_vec(extents, ints).ok(),
        DType::I32 => {
            Tensor::from_vec(extents, ints.iter().map(|n| i32::try_from(*n).ok()).collect::<Option<Vec<i32>>>()?).ok()
        }
        DType::Bool => Tensor::from_bools(extents, &ints.iter().map(|n| *n != 0).collect::<Vec<bool>>()).ok(),
        _ => None,
    }
}
