//! Makes one matrix product of several that read the same input.

use edgesmith_ir::op::{Add, Gemm, MatMul, Split};
use edgesmith_ir::{F32, OpId, OpKind, Tensor, User, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName, Wire};

use crate::affine::ByConstant;
use crate::target::{Kind, Target};
use crate::weights::{is_shared, joined, rounded};

/// x · A + a, x · B + b and x · C + c are the parts of x · [A B C] + [a b c].
pub(crate) struct MergeParallelProducts;

/// An input with more readers is looked at no further.
const MOST_READERS: usize = 16;

impl Rewrite for MergeParallelProducts {
    const NAME: RuleName = "merge-parallel-products";
    const SUMMARY: &'static str = "products of one input by several weights become one product and a Split";
    const ROOTS: &'static [OpKind] = &[OpKind::MatMul, OpKind::Gemm];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../manual/merge-parallel-products.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let input = cx.graph().op(root).operand(0).ok_or(Miss::NoMatch)?;
        let uses = cx.graph().value(input).uses();
        if uses.len() < 2 || uses.len() > MOST_READERS {
            return Err(Miss::NoMatch);
        }
        let main = product(cx, root)?;
        let mut products: Vec<Target<'_>> = Vec::new();
        for reader in uses {
            if let User::Op(op) = reader.user
                && reader.slot == 0
                && let Ok(target) = product(cx, op)
                && alike(&main, &target)
                && !is_shared(cx, target.weight, target.weight_tensor)
            {
                products.push(target);
            }
        }
        // Every group is found once, from its first product.
        products.sort_by_key(|target| (cx.graph().op(target.op).order(), target.op));
        if products.first().is_none_or(|first| first.op != root) {
            return Err(Miss::NoMatch);
        }
        let is_gemm = matches!(main.kind, Kind::Gemm(_));
        let adds = products.iter().filter(|target| target.add.is_some()).count();
        if products.len() + adds <= 2 + usize::from(adds > 0) {
            return Err(Miss::NoMatch);
        }
        let dtype = main.weight_tensor.dtype();
        let axis = usize::from(!matches!(&main.kind, Kind::Gemm(gemm) if gemm.transpose_b));
        let weights: Vec<&Tensor> = products.iter().map(|target| target.weight_tensor).collect();
        let weight = joined(&weights, axis)?;
        let mut bias = Vec::new();
        for target in &products {
            bias.extend(target.bias_values(cx)?);
        }
        let biased = products.iter().any(|target| target.bias.is_some());
        let bias = if biased { Some(rounded(cx, dtype, [bias.len() as u64].as_slice(), &bias, "bias")?) } else { None };
        let mut patch = Patch::new(cx);
        let weight = Some(patch.constant_like(main.weight, weight));
        let bias = bias.map(|bias| patch.constant(bias));
        let whole = match &main.kind {
            Kind::Gemm(gemm) => {
                patch.insert(Gemm { beta: F32(1.0), ..gemm.clone() }, [Some(input.into()), weight, bias])
            }
            _ => {
                let product = patch.insert(MatMul {}, [Some(input.into()), weight]);
                match (bias, products.iter().find_map(|target| target.add)) {
                    (None, _) => product,
                    (bias, Some((add, _))) => patch.insert_like(add, Add {}, [Some(product), bias]),
                    (bias, None) => patch.insert(Add {}, [Some(product), bias]),
                }
            }
        };
        let lengths: Vec<i64> = products.iter().map(|target| target.channels as i64).collect();
        let lengths = patch.constant(Tensor::from_ints(&lengths));
        let split = Split { axis: if is_gemm { 1 } else { main.rank as i64 - 1 }, num_outputs: None };
        let at = patch.insert_many(root, split, [Some(whole), Some(lengths)], products.len());
        for (slot, target) in products.iter().enumerate() {
            patch.redefine(target.value, Wire::Result { op: at, slot });
        }
        Ok(patch)
    }
}

/// An operator as a product by a constant matrix, the constant that alone is added to it included.
fn product<'m>(cx: &Cx<'m>, op: OpId) -> Match<Target<'m>> {
    let data = cx.graph().op(op);
    let result = data.result(0).ok_or(Miss::NoMatch)?;
    match data.op().kind() {
        OpKind::Gemm => match Target::producing(cx, result) {
            Err(Miss::Rejected(_)) => Err(Miss::NoMatch),
            other => other,
        },
        OpKind::MatMul => {
            let sum = sole_addition(cx, result).and_then(|add| Target::producing(cx, add).ok());
            let target = sum.map_or_else(|| Target::producing(cx, result), Ok)?;
            if target.weight_tensor.rank() == 2 { Ok(target) } else { Err(Miss::NoMatch) }
        }
        _ => Err(Miss::NoMatch),
    }
}

/// The sum with a constant that alone reads a value.
fn sole_addition(cx: &Cx<'_>, value: ValueId) -> Option<ValueId> {
    let [only] = cx.graph().value(value).uses() else { return None };
    let User::Op(add) = only.user else { return None };
    if cx.graph().op(add).op().kind() != OpKind::Add {
        return None;
    }
    ByConstant::of(cx, add).ok().map(|by| by.result)
}

/// Whether two products differ in their weights and biases only.
fn alike(a: &Target<'_>, b: &Target<'_>) -> bool {
    let same_kind = match (&a.kind, &b.kind) {
        (Kind::Gemm(a), Kind::Gemm(b)) => {
            a.alpha == b.alpha && a.transpose_a == b.transpose_a && a.transpose_b == b.transpose_b
        }
        (Kind::MatMul, Kind::MatMul) => true,
        _ => false,
    };
    same_kind && a.input == b.input && a.weight_tensor.dtype() == b.weight_tensor.dtype()
}
