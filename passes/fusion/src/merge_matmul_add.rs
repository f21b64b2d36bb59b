//! Makes one Gemm of a product of matrices and what is added to it.

use edgesmith_ir::op::{Add, Gemm, MatMul};
use edgesmith_ir::{DType, F32, OpId, OpKind, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

/// `a · b + c` of matrices is what Gemm computes, where c broadcasts to the product and not the other way round.
pub(crate) struct MergeMatmulAdd;

impl Rewrite for MergeMatmulAdd {
    const NAME: RuleName = "merge-matmul-add";
    const SUMMARY: &'static str = "MatMul of matrices and Add become one Gemm";
    const ROOTS: &'static [OpKind] = &[OpKind::Add];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../manual/merge-matmul-add.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let add = cx.op::<Add>(root)?;
        // Where both addends are products, the first takes the second.
        for (product, addend) in [(add.a(), add.b()), (add.b(), add.a())] {
            let Ok(matmul) = cx.producer::<MatMul>(product) else { continue };
            if !cx.single_use(product) || !are_matrices(cx, &[matmul.a(), matmul.b()]) || !takes(cx, product, addend) {
                continue;
            }
            let mut patch = Patch::new(cx);
            let operands = [Some(matmul.a().into()), Some(matmul.b().into()), Some(addend.into())];
            let result = patch.insert_like(matmul.id, plain_gemm(), operands);
            patch.redefine(add.c(), result);
            return Ok(patch);
        }
        Err(Miss::NoMatch)
    }
}

/// A Gemm that multiplies and adds and nothing else.
pub(crate) fn plain_gemm() -> Gemm {
    Gemm { alpha: F32(1.0), beta: F32(1.0), transpose_a: false, transpose_b: false }
}

/// Whether the values are matrices of a type that Gemm takes everywhere.
pub(crate) fn are_matrices(cx: &Cx<'_>, values: &[ValueId]) -> bool {
    values.iter().all(|value| {
        cx.dims(*value).is_some_and(|dims| dims.len() == 2)
            && matches!(cx.dtype(*value), Some(DType::F32 | DType::F64 | DType::F16))
    })
}

/// Whether the addend broadcasts to the product.
fn takes(cx: &Cx<'_>, product: ValueId, addend: ValueId) -> bool {
    let (Some(product), Some(addend)) = (cx.dims(product), cx.dims(addend)) else { return false };
    addend.len() <= product.len() && addend.iter().rev().zip(product.iter().rev()).all(|(a, p)| a.is(1) || a.same(p))
}
