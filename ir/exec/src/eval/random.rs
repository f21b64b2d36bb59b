//! Evaluation of Dropout in inference. What is random has no reference value and is not evaluated.

use bytes::Bytes;
use edgesmith_ir::op::{
    Bernoulli, Dropout, Multinomial, RandomNormal, RandomNormalLike, RandomUniform, RandomUniformLike,
};
use edgesmith_ir::{DType, Tensor};

use super::{EvalCx, EvalError, Evaluated};

const RANDOM: &str = "random numbers differ from run to run";

pub(super) fn bernoulli(_: &Bernoulli, cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported(RANDOM)
}
pub(super) fn multinomial(_: &Multinomial, cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported(RANDOM)
}
pub(super) fn random_normal(_: &RandomNormal, cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported(RANDOM)
}
pub(super) fn random_normal_like(_: &RandomNormalLike, cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported(RANDOM)
}
pub(super) fn random_uniform(_: &RandomUniform, cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported(RANDOM)
}
pub(super) fn random_uniform_like(_: &RandomUniformLike, cx: &EvalCx<'_>) -> Evaluated {
    cx.unsupported(RANDOM)
}

/// A copy, and a mask of true, unless the mode is training and the ratio is not zero.
pub(super) fn dropout(_: &Dropout, cx: &EvalCx<'_>) -> Evaluated {
    let x = cx.tensor(0)?;
    let training = cx.maybe_int(2)?.is_some_and(|mode| mode != 0);
    // The ratio defaults to a half.
    if training && cx.maybe_f64(1)?.unwrap_or(0.5) != 0.0 {
        return cx.unsupported(RANDOM);
    }
    let mask = if cx.wants(1) { Some(all_true(x)?.into()) } else { None };
    Ok(vec![Some(x.clone().into()), mask])
}

fn all_true(like: &Tensor) -> Result<Tensor, EvalError> {
    Ok(Tensor::splat(DType::Bool, like.shape(), Bytes::from_static(&[1]))?)
}
