//! Makes one matrix product of two in a row by constants, where that costs no more.

use edgesmith_ir::op::{Add, Gemm, MatMul};
use edgesmith_ir::{F32, OpId, OpKind, Tensor, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

use crate::affine::per_channel;
use crate::merge_matmul_add::plain_gemm;
use crate::target::{Kind, Target};
use crate::weights::{MOST_WORK, float_constant, is_shared, rounded, sizes};

/// (x · A + a) · B + b = x · (A · B) + (a · B + b).
pub(crate) struct MergeProducts;

impl Rewrite for MergeProducts {
    const NAME: RuleName = "merge-products";
    const SUMMARY: &'static str = "two matrix products by constants in a row become one, where that saves work";
    const ROOTS: &'static [OpKind] = &[OpKind::MatMul, OpKind::Gemm];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../manual/merge-products.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let second = Second::of(cx, root)?;
        let before = cx.graph().producer(second.input).ok_or(Miss::NoMatch)?;
        if !matches!(cx.graph().op(before).op().kind(), OpKind::MatMul | OpKind::Gemm | OpKind::Add)
            || !cx.single_use(second.input)
        {
            return Err(Miss::NoMatch);
        }
        let first = match Target::producing(cx, second.input) {
            Err(Miss::Rejected(_)) => return Err(Miss::NoMatch),
            other => other?,
        };
        let (alpha, transposed_a, is_gemm) = match &first.kind {
            Kind::Gemm(gemm) => (f64::from(gemm.alpha.0), gemm.transpose_b, true),
            Kind::MatMul if first.weight_tensor.rank() == 2 => (1.0, false, false),
            _ => return Err(Miss::NoMatch),
        };
        let (a, b) = (first.weight_tensor, second.weight_tensor);
        let [inner, middle] = extents(a, transposed_a)?;
        let [rows, columns] = extents(b, second.gemm.transpose_b)?;
        if rows != middle || middle != first.channels || inner * columns > inner * middle + middle * columns {
            return Err(Miss::NoMatch);
        }
        if is_shared(cx, first.weight, a) || is_shared(cx, second.weight, b) {
            return cx.reject(root, "a weight of the two products is shared; merging would store it twice");
        }
        if (inner * columns).saturating_mul(middle) > MOST_WORK {
            return cx.reject(root, "the product of its weight and the one before it is too large to compute here");
        }
        let own_bias = second.bias_values(cx, columns)?;
        let (a, b) = (matrix(a, transposed_a)?, matrix(b, second.gemm.transpose_b)?);
        let factor = f64::from(second.gemm.alpha.0);
        let mut weight = vec![0.0; inner * columns];
        for (row, from) in weight.chunks_mut(columns).zip(a.chunks(middle)) {
            add_product(row, from, &b, alpha * factor);
        }
        let mut bias = own_bias.unwrap_or_else(|| vec![0.0; columns]);
        add_product(&mut bias, &first.bias_values(cx)?, &b, factor);
        let dtype = first.weight_tensor.dtype();
        let weight = rounded(cx, dtype, [inner as u64, columns as u64].as_slice(), &weight, "weight")?;
        let biased = first.bias.is_some() || second.bias.is_some();
        let bias = if biased { Some(rounded(cx, dtype, [columns as u64].as_slice(), &bias, "bias")?) } else { None };
        let mut patch = Patch::new(cx);
        let weight = Some(patch.constant_like(second.weight, weight));
        let like = second.bias.or(first.bias.map(|(value, _)| value));
        let bias = bias.map(|bias| match like {
            Some(like) => patch.constant_like(like, bias),
            None => patch.constant(bias),
        });
        let input = Some(first.input.into());
        let result = if is_gemm || second.is_gemm {
            let transpose_a = matches!(&first.kind, Kind::Gemm(gemm) if gemm.transpose_a);
            patch.insert(Gemm { transpose_a, ..plain_gemm() }, [input, weight, bias])
        } else {
            let product = patch.insert(MatMul {}, [input, weight]);
            match (bias, first.add) {
                (None, _) => product,
                (bias, Some((add, _))) => patch.insert_like(add, Add {}, [Some(product), bias]),
                (bias, None) => patch.insert(Add {}, [Some(product), bias]),
            }
        };
        patch.redefine(second.result, result);
        Ok(patch)
    }
}

/// The second product, a MatMul as the Gemm that it is like.
struct Second<'m> {
    input: ValueId,
    weight: ValueId,
    weight_tensor: &'m Tensor,
    bias: Option<ValueId>,
    gemm: Gemm,
    is_gemm: bool,
    result: ValueId,
}

impl<'m> Second<'m> {
    fn of(cx: &Cx<'m>, root: OpId) -> Match<Self> {
        let (input, weight, bias, gemm, is_gemm, result) = if let Ok(gemm) = cx.op::<Gemm>(root) {
            (gemm.a(), gemm.b(), gemm.c(), (*gemm).clone(), true, gemm.y())
        } else {
            let product = cx.op::<MatMul>(root)?;
            let like = Gemm { alpha: F32(1.0), ..plain_gemm() };
            (product.a(), product.b(), None, like, false, product.y())
        };
        let weight_tensor = float_constant(cx, weight).filter(|w| w.rank() == 2).ok_or(Miss::NoMatch)?;
        if gemm.transpose_a {
            return Err(Miss::NoMatch);
        }
        Ok(Self { input, weight, weight_tensor, bias, gemm, is_gemm, result })
    }

    /// What it adds itself, per column.
    fn bias_values(&self, cx: &Cx<'_>, columns: usize) -> Match<Option<Vec<f64>>> {
        let Some(bias) = self.bias else { return Ok(None) };
        let values = cx.constant(bias).and_then(|bias| per_channel(bias, 2, 1, columns)).ok_or(Miss::NoMatch)?;
        let beta = f64::from(self.gemm.beta.0);
        Ok(Some(values.into_iter().map(|b| b * beta).collect()))
    }
}

/// Rows and columns of a matrix.
fn extents(tensor: &Tensor, transposed: bool) -> Match<[usize; 2]> {
    match (sizes(tensor)?.as_slice(), transposed) {
        (&[rows, columns], false) | (&[columns, rows], true) if rows > 0 && columns > 0 => Ok([rows, columns]),
        _ => Err(Miss::NoMatch),
    }
}

/// The elements of a matrix, row by row.
fn matrix(tensor: &Tensor, transposed: bool) -> Match<Vec<f64>> {
    let [rows, columns] = extents(tensor, transposed)?;
    let elements = tensor.to_f64().ok_or(Miss::NoMatch)?;
    if !transposed {
        return Ok(elements);
    }
    Ok((0..rows * columns).map(|at| elements[at % columns * rows + at / columns]).collect())
}

/// Adds `factor · vector · matrix` to a row as long as the rows of the matrix.
fn add_product(row: &mut [f64], vector: &[f64], matrix: &[f64], factor: f64) {
    for (x, from) in vector.iter().zip(matrix.chunks(row.len())) {
        let x = x * factor;
        row.iter_mut().zip(from).for_each(|(sum, y)| *sum += x * y);
    }
}
