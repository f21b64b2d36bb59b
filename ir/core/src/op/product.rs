//! Operators: product.

use super::checks::{self, broadcasts_to};
use super::geometry::{Equation, IndexMap};
use super::operator;
use crate::infer::{InferCx, InferError};
use crate::{Dim, Dims, F32, Shape};

operator! {
    /// Determinant of the last two axes.
    Det {
        operands { x: one }
        results { y: one }
        attributes {  }
        regions {  }
        infer: determinant;
    }
}

operator! {
    /// Sum of products named by index letters.
    Einsum {
        operands { inputs: many }
        results { output: one }
        attributes { equation: String [required] }
        regions {  }
        infer: einsum;
        macs: einsum_macs;
    }
}

operator! {
    /// `alpha * A' * B' + beta * C` of matrices.
    Gemm {
        operands { a: one, b: one, c: maybe }
        results { y: one }
        attributes { alpha: F32 [F32(1.0)], beta: F32 [F32(1.0)], transpose_a ("transA"): bool [false], transpose_b ("transB"): bool [false] }
        regions {  }
        infer: gemm;
        macs: |op: &Gemm, cx: &InferCx<'_>| {
            let inner = cx.dims(0).and_then(|a| a.get(usize::from(!op.transpose_a)));
            checks::result_elements(cx, 0).mul(inner.unwrap_or(&Dim::Unknown))
        };
    }
}

operator! {
    /// Matrix product as in numpy, with broadcast batch axes.
    MatMul {
        operands { a: one, b: one }
        results { y: one }
        attributes {  }
        regions {  }
        infer: |_: &MatMul, cx: &mut InferCx<'_>| {
            let shape = matrix_product(cx, 0, 1)?;
            cx.set_tensor(0, cx.dtype(0), shape);
            Ok(())
        };
        macs: |_: &MatMul, cx: &InferCx<'_>| matrix_product_macs(cx, 0, 1);
    }
}

fn determinant(_: &Det, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let shape = match checks::dims(cx, 0).as_deref() {
        None => Shape::Unranked,
        Some([batch @ .., rows, columns]) => {
            cx.equal(rows, columns, "the last two dims of x")?;
            Shape::Ranked(batch.into())
        }
        Some(dims) => return Err(checks::wrong_rank("x", "2 or more", dims.len())),
    };
    cx.set_tensor(0, cx.dtype(0), shape);
    Ok(())
}

/// The shape of the product of two stacks of matrices; a vector is a row at the left and a column at the right, and the
/// axis added for it is taken away again.
pub(super) fn matrix_product(cx: &mut InferCx<'_>, a: usize, b: usize) -> Result<Shape, InferError> {
    let (left, right) = (checks::dims(cx, a), checks::dims(cx, b));
    for (dims, name) in [(&left, "A"), (&right, "B")] {
        if dims.as_ref().is_some_and(smallvec::SmallVec::is_empty) {
            return Err(checks::wrong_rank(name, "1 or more", 0));
        }
    }
    let (Some(left), Some(right)) = (left, right) else { return Ok(Shape::Unranked) };
    let (left_batch, rows, inner) = match left.as_slice() {
        [inner] => (&[][..], None, inner),
        [batch @ .., rows, inner] => (batch, Some(rows), inner),
        [] => return Ok(Shape::Unranked),
    };
    let (right_batch, other, columns) = match right.as_slice() {
        [other] => (&[][..], other, None),
        [batch @ .., other, columns] => (batch, other, Some(columns)),
        [] => return Ok(Shape::Unranked),
    };
    cx.equal(inner, other, "the columns of A and the rows of B")?;
    let batch = cx.broadcast(&Shape::Ranked(left_batch.into()), &Shape::Ranked(right_batch.into()))?;
    let mut dims = Dims::from(batch.dims().unwrap_or_default());
    dims.extend(rows.into_iter().chain(columns).cloned());
    Ok(Shape::Ranked(dims))
}

/// Multiply-accumulates of [`matrix_product`] with the first result: each element takes one per inner index.
pub(super) fn matrix_product_macs(cx: &InferCx<'_>, a: usize, b: usize) -> Dim {
    let of_a = cx.dims(a).and_then(<[Dim]>::last).filter(|dim| !dim.is_unknown());
    let of_b = || cx.dims(b).and_then(|dims| dims.get(dims.len().saturating_sub(2)));
    checks::result_elements(cx, 0).mul(of_a.or_else(of_b).unwrap_or(&Dim::Unknown))
}

fn gemm(op: &Gemm, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let unknown = || -> Dims { smallvec::smallvec![Dim::Unknown; 2] };
    let mut a = checks::dims_of_rank(cx, 0, 2, "A")?.unwrap_or_else(unknown);
    let mut b = checks::dims_of_rank(cx, 1, 2, "B")?.unwrap_or_else(unknown);
    if op.transpose_a {
        a.swap(0, 1);
    }
    if op.transpose_b {
        b.swap(0, 1);
    }
    let transposed = |yes: bool| if yes { " (transposed)" } else { "" };
    let what =
        format!("the columns of A{} and the rows of B{}", transposed(op.transpose_a), transposed(op.transpose_b));
    cx.equal(&a[1], &b[0], &what)?;
    let dims = [a[0].clone(), b[1].clone()];
    broadcasts_to(cx, 2, &dims, "C")?;
    cx.set_tensor(0, cx.dtype(0), Shape::of(dims));
    Ok(())
}

/// The equation of an Einsum with an index for every axis; `None` while a rank is unknown.
fn indexed(op: &Einsum, cx: &InferCx<'_>) -> Result<Option<IndexMap>, InferError> {
    let equation = Equation::parse(&op.equation)?;
    let ranks: Option<Vec<usize>> = (0..cx.operand_count()).map(|slot| cx.shape(slot).rank()).collect();
    ranks.map(|ranks| equation.index(&ranks)).transpose()
}

/// The size of every index of an Einsum.
fn index_sizes(cx: &mut InferCx<'_>, map: &IndexMap) -> Result<Vec<Dim>, InferError> {
    let mut sizes: Vec<Option<Dim>> = vec![None; map.count];
    for (slot, indices) in map.operands.iter().enumerate() {
        let Some(dims) = checks::dims(cx, slot) else { continue };
        for (index, dim) in indices.iter().zip(&dims) {
            let old = sizes[*index].take();
            sizes[*index] = Some(match old {
                None => dim.clone(),
                // Engines let an axis of one element run with any other, also under a letter.
                Some(Dim::Known(1)) => dim.clone(),
                Some(old) if dim.is(1) => old,
                Some(old) if *index < map.broadcast => {
                    let both = cx.broadcast(&Shape::of([old]), &Shape::of([dim.clone()]))?;
                    both.dims().and_then(<[Dim]>::first).cloned().unwrap_or_default()
                }
                Some(old) => cx.equal(&old, dim, &format!("axes of operand {slot} and before under one label"))?,
            });
        }
    }
    Ok(sizes.into_iter().map(Option::unwrap_or_default).collect())
}

fn einsum(op: &Einsum, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let shape = match indexed(op, cx)? {
        Some(map) => {
            let sizes = index_sizes(cx, &map)?;
            Shape::of(map.output.iter().map(|index| sizes[*index].clone()))
        }
        None => Shape::Unranked,
    };
    cx.set_tensor(0, cx.dtype(0), shape);
    Ok(())
}

/// One multiply-accumulate per combination of all indices and product of two operands; a single operand is only summed.
fn einsum_macs(op: &Einsum, cx: &InferCx<'_>) -> Dim {
    let Ok(Some(map)) = indexed(op, cx) else { return Dim::Unknown };
    let mut sizes = vec![Dim::Known(1); map.count];
    for (slot, indices) in map.operands.iter().enumerate() {
        for (index, dim) in indices.iter().zip(cx.dims(slot).unwrap_or_default()) {
            if sizes[*index].is(1) || sizes[*index].is_unknown() || matches!(dim, Dim::Known(n) if *n != 1) {
                sizes[*index] = dim.clone();
            }
        }
    }
    let products = cx.operand_count().saturating_sub(1);
    checks::product(&sizes).mul(&Dim::from(products))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::rule_test::{given, infer, macs};

    #[test]
    fn infers_matrix_products() {
        for (a, b, want) in [
            ("float[2,3]", "float[3,4]", "float[2,4]"),
            ("float[N,T,64]", "float[64,32]", "float[N,T,32]"),
            ("float[N,12,T,64]", "float[N,12,64,T]", "float[N,12,T,T]"),
            ("float[5,1,2,3]", "float[7,3,4]", "float[5,7,2,4]"),
            ("float[3]", "float[3]", "float[]"),
            ("float[3]", "float[5,3,4]", "float[5,4]"),
            ("float[5,2,3]", "float[3]", "float[5,2]"),
            ("float[?,K]", "float[K,4]", "float[?,4]"),
            ("float[..]", "float[3,4]", "float[..]"),
            ("float[2,3]", "float[4,5]", "the columns of A and the rows of B: 3 and 4 must be equal"),
            ("float[]", "float[3,4]", "A must have rank 1 or more, not 0"),
            ("float[3,2,2]", "float[4,2,2]", "shapes [3] and [4] do not broadcast: 3 and 4 on axis 0"),
        ] {
            assert_eq!(infer(&MatMul {}, given![a, b]), want, "{a} {b}");
        }
        for (a, b, want) in [
            ("float[2,3]", "float[3,4]", "24"),
            ("float[N,12,T,64]", "float[N,12,64,T]", "768*N*T*T"),
            ("float[3]", "float[3]", "3"),
            ("float[3]", "float[5,3,4]", "60"),
            ("float[5,?]", "float[3]", "15"),
            ("float[..]", "float[3,4]", "?"),
        ] {
            assert_eq!(macs(&MatMul {}, given![a, b]), want, "{a} {b}");
        }
    }

    fn gemm(transpose_a: bool, transpose_b: bool) -> Gemm {
        Gemm { alpha: F32(1.0), beta: F32(1.0), transpose_a, transpose_b }
    }

    #[test]
    fn infers_gemm() {
        for (op, a, b, c, want) in [
            (gemm(false, false), "float[N,3]", "float[3,4]", "float[4]", "float[N,4]"),
            (gemm(false, true), "float[N,3]", "float[4,3]", "float[N,1]", "float[N,4]"),
            (gemm(true, false), "float[3,N]", "float[3,4]", "float[]", "float[N,4]"),
            (gemm(true, true), "float[3,N]", "float[..]", "-", "float[N,?]"),
            (
                gemm(false, true),
                "float[N,3]",
                "float[3,4]",
                "-",
                "the columns of A and the rows of B (transposed): 3 and 4 must be equal",
            ),
            (gemm(false, false), "float[N,3]", "float[3,4]", "float[5]", "C of shape [5] does not broadcast to [N,4]"),
            (gemm(false, false), "float[1,N,3]", "float[3,4]", "-", "A must have rank 2, not 3"),
        ] {
            assert_eq!(infer(&op, given![a, b, c]), want, "{op:?} {a} {b} {c}");
        }
        assert_eq!(macs(&gemm(false, false), given!["float[N,3]", "float[3,4]"]), "12*N");
        assert_eq!(macs(&gemm(true, true), given!["float[3,N]", "float[4,3]"]), "12*N");
    }

    #[test]
    fn infers_einsum() {
        let op = |equation: &str| Einsum { equation: equation.into() };
        for (equation, a, b, want, count) in [
            ("bij,bjk->bik", "float[B,2,3]", "float[B,3,4]", "float[B,2,4]", "24*B"),
            ("bhid,bhjd->bhij", "float[B,8,T,64]", "float[B,8,S,64]", "float[B,8,T,S]", "512*B*S*T"),
            ("...ij,jk", "float[B,5,2,3]", "float[3,4]", "float[B,5,2,4]", "120*B"),
            ("i,j->ij", "float[2]", "float[3]", "float[2,3]", "6"),
            ("ij,jk", "float[..]", "float[3,4]", "float[..]", "?"),
        ] {
            assert_eq!(infer(&op(equation), given![a, b]), want, "{equation}");
            assert_eq!(macs(&op(equation), given![a, b]), count, "{equation}");
        }
        assert_eq!(infer(&op("ii->i"), given!["float[N,N]"]), "float[N]");
        assert_eq!(infer(&op("...ii"), given!["float[7,3,3]"]), "float[7]");
        assert_eq!(macs(&op("ij->ji"), given!["float[3,4]"]), "0");
        assert_eq!(macs(&op("ij,jk,kl->il"), given!["float[2,2]", "float[2,2]", "float[2,2]"]), "32");
        assert_eq!(
            infer(&op("ij,jk->ik"), given!["float[2,3]", "float[4,5]"]),
            "axes of operand 1 and before under one label: 3 and 4 must be equal"
        );
        assert_eq!(
            infer(&op("ij->ik"), given!["float[2,3]"]),
            "equation 'ij->ik': no operand has the label k of the output"
        );
    }

    #[test]
    fn infers_determinants() {
        assert_eq!(infer(&Det {}, given!["float[N,3,3]"]), "float[N]");
        assert_eq!(infer(&Det {}, given!["float[3,3]"]), "float[]");
        assert_eq!(infer(&Det {}, given!["float[3,4]"]), "the last two dims of x: 3 and 4 must be equal");
        assert_eq!(infer(&Det {}, given!["float[3]"]), "x must have rank 2 or more, not 1");
    }
}
