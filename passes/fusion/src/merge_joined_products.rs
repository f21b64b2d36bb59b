//! Makes one convolution or matrix product of several of one input whose results are joined.

use edgesmith_ir::op::{Concat, Gemm};
use edgesmith_ir::{F32, OpId, OpKind, Tensor, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName, Wire};

use crate::target::{Kind, Target};
use crate::weights::{is_shared, joined, rounded};

/// Concat(A ∗ x, B ∗ x) along the channels = [A; B] ∗ x.
pub(crate) struct MergeJoinedProducts;

impl Rewrite for MergeJoinedProducts {
    const NAME: RuleName = "merge-joined-products";
    const SUMMARY: &'static str = "convolutions or products of one input whose results are joined become one";
    const ROOTS: &'static [OpKind] = &[OpKind::Concat];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../manual/merge-joined-products.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let concat = cx.op::<Concat>(root)?;
        let operands: Vec<ValueId> = concat.inputs().iter().copied().collect::<Option<_>>().ok_or(Miss::NoMatch)?;
        let rank = cx.dims(concat.concat_result()).ok_or(Miss::NoMatch)?.len();
        let axis = if concat.axis < 0 { concat.axis + rank as i64 } else { concat.axis };
        // The first run of neighbours that are alike.
        let mut run: Vec<Target<'_>> = Vec::new();
        let mut start = 0;
        for (index, value) in operands.iter().enumerate() {
            let target = joinable(cx, *value).filter(|target| target.axis as i64 == axis);
            match target {
                Some(target) if run.last().is_some_and(|last| alike(last, &target)) => run.push(target),
                _ if run.len() > 1 => break,
                Some(target) => (run, start) = (vec![target], index),
                None => run.clear(),
            }
        }
        let [main, _, ..] = run.as_slice() else { return Err(Miss::NoMatch) };
        let weight_axis = match &main.kind {
            Kind::Gemm(gemm) => usize::from(!gemm.transpose_b),
            Kind::MatMul => 1,
            _ => 0,
        };
        let weights: Vec<&Tensor> = run.iter().map(|target| target.weight_tensor).collect();
        let weight = joined(&weights, weight_axis)?;
        let dtype = main.weight_tensor.dtype();
        let mut bias = Vec::new();
        for target in &run {
            bias.extend(target.bias_values(cx)?);
        }
        let biased = run.iter().any(|target| target.bias.is_some());
        let bias = if biased { Some(rounded(cx, dtype, [bias.len() as u64].as_slice(), &bias, "bias")?) } else { None };
        let mut patch = Patch::new(cx);
        let weight = patch.constant_like(main.weight, weight);
        let bias = bias.map(|bias| match main.bias {
            Some((value, _)) => patch.constant_like(value, bias),
            None => patch.constant(bias),
        });
        // Beta is in the bias already.
        let merged = match &main.kind {
            Kind::Gemm(gemm) => {
                let gemm = Gemm { beta: F32(1.0), ..gemm.clone() };
                patch.insert_like(main.op, gemm, [Some(main.input.into()), Some(weight), bias])
            }
            _ => main.insert_with(&mut patch, weight, bias),
        };
        let mut rest: Vec<Option<Wire>> = operands.iter().map(|value| Some((*value).into())).collect();
        rest.splice(start..start + run.len(), [Some(merged)]);
        let result = if rest.len() == 1 { merged } else { patch.insert((*concat).clone(), rest) };
        patch.redefine(concat.concat_result(), result);
        Ok(patch)
    }
}

/// The producer of a value as a convolution without groups or a product by a matrix, if nobody else reads the value.
fn joinable<'m>(cx: &Cx<'m>, value: ValueId) -> Option<Target<'m>> {
    if !cx.single_use(value) {
        return None;
    }
    let target = Target::producing(cx, value).ok()?;
    let fits = match &target.kind {
        Kind::Conv(conv) => conv.group == 1,
        Kind::ConvTranspose(_) => false,
        Kind::Gemm(_) => true,
        Kind::MatMul => target.weight_tensor.rank() == 2,
    };
    (fits && !is_shared(cx, target.weight, target.weight_tensor)).then_some(target)
}

/// Whether two read the same input in the same way.
fn alike(a: &Target<'_>, b: &Target<'_>) -> bool {
    let same_kind = match (&a.kind, &b.kind) {
        (Kind::Conv(p), Kind::Conv(q)) => p == q && a.weight_tensor.shape()[1..] == b.weight_tensor.shape()[1..],
        (Kind::Gemm(p), Kind::Gemm(q)) => {
            p.alpha == q.alpha && p.transpose_a == q.transpose_a && p.transpose_b == q.transpose_b
        }
        (Kind::MatMul, Kind::MatMul) => true,
        _ => false,
    };
    same_kind && a.input == b.input && a.weight_tensor.dtype() == b.weight_tensor.dtype()
}
