//! Operators: random.

use super::{checks, elementwise, operator};
use crate::infer::{InferCx, InferError};
use crate::{DType, Dim, F32, Shape};

operator! {
    /// Random zeros and ones with the given probabilities. Never folded.
    Bernoulli {
        operands { input: one }
        results { output: one }
        attributes { dtype: Option<DType>, seed: Option<F32> }
        regions {  }
        infer: |op: &Bernoulli, cx: &mut InferCx<'_>| like(cx, op.dtype);
    }
}

operator! {
    /// In inference a copy (and a mask of true); in training mode random.
    Dropout {
        operands { data: one, ratio: maybe, training_mode: maybe }
        results { output: one, mask: maybe }
        attributes { seed: Option<i64> }
        regions {  }
        infer: dropout;
    }
}

operator! {
    /// Random class indices. Never folded.
    Multinomial {
        operands { input: one }
        results { output: one }
        attributes { dtype: DType [DType::I32], sample_size: i64 [1], seed: Option<F32> }
        regions {  }
        infer: multinomial;
    }
}

operator! {
    /// Normal random numbers of a shape. Never folded.
    RandomNormal {
        operands {  }
        results { output: one }
        attributes { dtype: DType [DType::F32], mean: F32 [F32(0.0)], scale: F32 [F32(1.0)], seed: Option<F32>, shape: Vec<i64> [required] }
        regions {  }
        infer: |op: &RandomNormal, cx: &mut InferCx<'_>| of_shape(cx, op.dtype, &op.shape);
    }
}

operator! {
    /// Normal random numbers of the operand's shape. Never folded.
    RandomNormalLike {
        operands { input: one }
        results { output: one }
        attributes { dtype: Option<DType>, mean: F32 [F32(0.0)], scale: F32 [F32(1.0)], seed: Option<F32> }
        regions {  }
        infer: |op: &RandomNormalLike, cx: &mut InferCx<'_>| like(cx, op.dtype);
    }
}

operator! {
    /// Uniform random numbers of a shape. Never folded.
    RandomUniform {
        operands {  }
        results { output: one }
        attributes { dtype: DType [DType::F32], high: F32 [F32(1.0)], low: F32 [F32(0.0)], seed: Option<F32>, shape: Vec<i64> [required] }
        regions {  }
        infer: |op: &RandomUniform, cx: &mut InferCx<'_>| of_shape(cx, op.dtype, &op.shape);
    }
}

operator! {
    /// Uniform random numbers of the operand's shape. Never folded.
    RandomUniformLike {
        operands { input: one }
        results { output: one }
        attributes { dtype: Option<DType>, high: F32 [F32(1.0)], low: F32 [F32(0.0)], seed: Option<F32> }
        regions {  }
        infer: |op: &RandomUniformLike, cx: &mut InferCx<'_>| like(cx, op.dtype);
    }
}

/// The operand's shape, and its element type where none is given.
fn like(cx: &mut InferCx<'_>, dtype: Option<DType>) -> Result<(), InferError> {
    elementwise::with_dtype(cx, dtype.or_else(|| cx.dtype(0)));
    Ok(())
}

fn of_shape(cx: &mut InferCx<'_>, dtype: DType, shape: &[i64]) -> Result<(), InferError> {
    if let Some(negative) = shape.iter().find(|extent| **extent < 0) {
        return Err(InferError::new(format!("attribute 'shape' holds {negative}, which is no size")));
    }
    cx.set_tensor(0, Some(dtype), Shape::of(shape.iter().copied()));
    Ok(())
}

/// In inference the elements stay as they are.
fn dropout(_: &Dropout, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    checks::same_type(cx, 0, 0);
    let shape = cx.shape(0).clone();
    cx.set_tensor(1, Some(DType::Bool), shape);
    if !cx.has(2) || cx.int(2) == Some(0) {
        elementwise::map(cx, |_, item| item.clone());
    }
    Ok(())
}

fn multinomial(op: &Multinomial, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let batch = checks::dims_of_rank(cx, 0, 2, "the input")?.map_or(Dim::Unknown, |dims| dims[0].clone());
    cx.set_tensor(0, Some(op.dtype), Shape::of([batch, Dim::Known(op.sample_size)]));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::rule_test::{given, infer, known};
    use super::*;

    #[test]
    fn shapes_are_given_or_copied() {
        let (mean, scale, seed) = (F32(0.0), F32(1.0), None);
        let like = RandomNormalLike { dtype: None, mean, scale, seed };
        assert_eq!(infer(&like, given!["float[N,3]"]), "float[N,3]");
        assert_eq!(infer(&Bernoulli { dtype: Some(DType::Bool), seed }, given!["float[N,3]"]), "bool[N,3]");
        let uniform = |shape: &[i64]| RandomUniform {
            dtype: DType::F16,
            high: F32(1.0),
            low: F32(0.0),
            seed,
            shape: shape.into(),
        };
        assert_eq!(infer(&uniform(&[2, 3]), given![]), "float16[2,3]");
        assert_eq!(infer(&uniform(&[-2]), given![]), "attribute 'shape' holds -2, which is no size");
        let multinomial = Multinomial { dtype: DType::I64, sample_size: 5, seed };
        assert_eq!(infer(&multinomial, given!["float[N,10]"]), "int64[N,5]");
        assert_eq!(infer(&multinomial, given!["float[N]"]), "the input must have rank 2, not 1");
    }

    #[test]
    fn dropout_keeps_elements_in_inference_only() {
        let op = Dropout { seed: None };
        let sizes = "int64[1] = N";
        assert_eq!(known(&op, given![sizes], 2), "int64[1] = N; bool[1]");
        assert_eq!(known(&op, given![sizes, "-", "bool[] = 0"], 1), "int64[1] = N");
        assert_eq!(known(&op, given![sizes, "-", "bool[]"], 1), "int64[1]");
    }
}
