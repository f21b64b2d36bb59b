//! Folds transposes of matrices into the product that reads them.

use edgesmith_ir::op::{Gemm, MatMul, Transpose};
use edgesmith_ir::{OpId, OpKind, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

use crate::merge_matmul_add::{are_matrices, plain_gemm};

/// Gemm has a flag for each of its matrices that says that it is stored transposed.
pub(crate) struct FoldTranspose;

impl Rewrite for FoldTranspose {
    const NAME: RuleName = "fold-transpose";
    const SUMMARY: &'static str = "Transpose of a matrix into the MatMul or Gemm behind it";
    const ROOTS: &'static [OpKind] = &[OpKind::MatMul, OpKind::Gemm];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../manual/fold-transpose.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let (gemm, a, b, c, y) = if let Ok(matmul) = cx.op::<MatMul>(root) {
            if !are_matrices(cx, &[matmul.a(), matmul.b()]) {
                return Err(Miss::NoMatch);
            }
            (plain_gemm(), matmul.a(), matmul.b(), None, matmul.y())
        } else {
            let gemm = cx.op::<Gemm>(root)?;
            ((*gemm).clone(), gemm.a(), gemm.b(), gemm.c(), gemm.y())
        };
        let (from_a, from_b) = (untransposed(cx, a), untransposed(cx, b));
        if from_a.is_none() && from_b.is_none() {
            return Err(Miss::NoMatch);
        }
        let mut patch = Patch::new(cx);
        let gemm = Gemm {
            transpose_a: gemm.transpose_a != from_a.is_some(),
            transpose_b: gemm.transpose_b != from_b.is_some(),
            ..gemm
        };
        let operands = [Some(from_a.unwrap_or(a).into()), Some(from_b.unwrap_or(b).into()), c.map(Into::into)];
        let result = patch.insert(gemm, operands);
        patch.redefine(y, result);
        Ok(patch)
    }
}

/// What a matrix is the transpose of; only where nobody else reads the transpose, so that an operator goes.
fn untransposed(cx: &Cx<'_>, value: ValueId) -> Option<ValueId> {
    if !cx.single_use(value) {
        return None;
    }
    let transpose = cx.producer::<Transpose>(value).ok()?;
    let is_matrix = cx.dims(transpose.data())?.len() == 2;
    (is_matrix && (transpose.perm.is_empty() || transpose.perm == [1, 0])).then(|| transpose.data())
}
