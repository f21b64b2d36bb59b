//! Folds multiplication by one number into the factors of a Gemm.

use edgesmith_ir::op::{Gemm, MatMul};
use edgesmith_ir::{F32, OpId, OpKind};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

use crate::affine::ByConstant;
use crate::merge_matmul_add::{are_matrices, plain_gemm};

/// s · (α · A · B + β · C) = (s · α) · A · B + (s · β) · C.
pub(crate) struct FoldGemmScale;

impl Rewrite for FoldGemmScale {
    const NAME: RuleName = "fold-gemm-scale";
    const SUMMARY: &'static str = "Mul or Div by one number into alpha and beta of the matrix product before it";
    const ROOTS: &'static [OpKind] = &[OpKind::Mul, OpKind::Div];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../manual/fold-gemm-scale.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let by = ByConstant::of(cx, root)?;
        let factor = by.factor()?;
        if !cx.single_use(by.value) || !cx.same_dims(by.value, by.result) {
            return Err(Miss::NoMatch);
        }
        let (gemm, like, operands) = if let Ok(gemm) = cx.producer::<Gemm>(by.value) {
            let operands = [Some(gemm.a().into()), Some(gemm.b().into()), gemm.c().map(Into::into)];
            ((*gemm).clone(), gemm.id, operands)
        } else {
            let matmul = cx.producer::<MatMul>(by.value)?;
            if !are_matrices(cx, &[matmul.a(), matmul.b()]) {
                return Err(Miss::NoMatch);
            }
            (plain_gemm(), matmul.id, [Some(matmul.a().into()), Some(matmul.b().into()), None])
        };
        let times = |attribute: F32| {
            let rounded = (f64::from(attribute.0) * factor) as f32;
            // A factor that vanishes or overflows would take the product with it.
            let is_kept = rounded.is_finite() && (rounded.is_normal() || attribute.0 == 0.0 || factor == 0.0);
            is_kept.then_some(F32(rounded)).ok_or(Miss::NoMatch)
        };
        let beta = if operands[2].is_some() { times(gemm.beta)? } else { gemm.beta };
        let gemm = Gemm { alpha: times(gemm.alpha)?, beta, ..gemm };
        let mut patch = Patch::new(cx);
        let result = patch.insert_like(like, gemm, operands);
        patch.redefine(by.result, result);
        Ok(patch)
    }
}
