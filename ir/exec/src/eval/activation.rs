//! Evaluation of activations. All of them are computed in f64 and rounded once.

use edgesmith_ir::op::{
    Celu, Elu, Gelu, GeluApproximation, HardSigmoid, LeakyRelu, Selu, Shrink, Swish, ThresholdedRelu,
};

use super::cx::one;
use super::dense::Numbers;
use super::layout::{broadcast, dims};
use super::map::map2;
use super::number::{Number, by_dtype, read_as};
use super::stored::{from_f64, is_number};
use super::unary::{float_map, number_map};
use super::{EvalCx, Evaluated};

/// `1 / (1 + exp(-x))`, without overflow.
pub(super) fn logistic(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + libm::exp(-x))
    } else {
        let e = libm::exp(x);
        e / (1.0 + e)
    }
}

/// `log(1 + exp(x))`, without overflow.
pub(super) fn log_one_plus_exp(x: f64) -> f64 {
    if x > 0.0 { x + libm::log1p(libm::exp(-x)) } else { libm::log1p(libm::exp(x)) }
}

pub(super) fn celu(op: &Celu, cx: &EvalCx<'_>) -> Evaluated {
    let alpha = f64::from(op.alpha.0);
    float_map(cx, |x| if x < 0.0 { alpha * libm::expm1(x / alpha) } else { x })
}

pub(super) fn elu(op: &Elu, cx: &EvalCx<'_>) -> Evaluated {
    let alpha = f64::from(op.alpha.0);
    float_map(cx, |x| if x < 0.0 { alpha * libm::expm1(x) } else { x })
}

pub(super) fn selu(op: &Selu, cx: &EvalCx<'_>) -> Evaluated {
    let (alpha, gamma) = (f64::from(op.alpha.0), f64::from(op.gamma.0));
    float_map(cx, |x| if x > 0.0 { gamma * x } else { gamma * alpha * libm::expm1(x) })
}

pub(super) fn gelu(op: &Gelu, cx: &EvalCx<'_>) -> Evaluated {
    match op.approximate {
        GeluApproximation::None => float_map(cx, |x| 0.5 * x * (1.0 + libm::erf(x * std::f64::consts::FRAC_1_SQRT_2))),
        GeluApproximation::Tanh => {
            // sqrt(2 / pi)
            const SCALE: f64 = std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2;
            float_map(cx, |x| 0.5 * x * (1.0 + libm::tanh(SCALE * (x + 0.044_715 * x * x * x))))
        }
    }
}

pub(super) fn hard_sigmoid(op: &HardSigmoid, cx: &EvalCx<'_>) -> Evaluated {
    let (alpha, beta) = (f64::from(op.alpha.0), f64::from(op.beta.0));
    float_map(cx, |x| (alpha * x + beta).clamp(0.0, 1.0))
}

pub(super) fn hard_swish(cx: &EvalCx<'_>) -> Evaluated {
    float_map(cx, |x| x * (x / 6.0 + 0.5).clamp(0.0, 1.0))
}

pub(super) fn leaky_relu(op: &LeakyRelu, cx: &EvalCx<'_>) -> Evaluated {
    let alpha = f64::from(op.alpha.0);
    float_map(cx, |x| if x < 0.0 { alpha * x } else { x })
}

pub(super) fn mish(cx: &EvalCx<'_>) -> Evaluated {
    float_map(cx, |x| x * libm::tanh(log_one_plus_exp(x)))
}

/// The specification lets the slope broadcast to x only; like ONNX Runtime, x may grow as well.
pub(super) fn prelu(cx: &EvalCx<'_>) -> Evaluated {
    let (x, slope) = (cx.tensor(0)?, cx.tensor(1)?);
    let (x_dims, slope_dims) = (dims(x), dims(slope));
    let out = broadcast(&[&x_dims, &slope_dims])?;
    cx.allow(x.dtype(), &out)?;
    by_dtype!(x.dtype(), T: number => {
        let scale = |x: T, slope: T| if x < T::ZERO { x.times(slope) } else { x };
        let slopes = read_as::<T>(slope, x.dtype())?;
        one(T::write(x.dtype(), &out, map2((&T::read(x)?, &x_dims), (&slopes, &slope_dims), &out, scale))?)
    }, else Err(cx.wrong_dtype(x.dtype())))
}

/// NaN stays NaN and minus zero minus zero.
pub(super) fn relu(cx: &EvalCx<'_>) -> Evaluated {
    number_map!(cx, T: number => |x: T| if x < T::ZERO { T::ZERO } else { x })
}

pub(super) fn shrink(op: &Shrink, cx: &EvalCx<'_>) -> Evaluated {
    let (bias, lambd) = (f64::from(op.bias.0), f64::from(op.lambd.0));
    let x = cx.tensor(0)?;
    cx.allow(x.dtype(), &dims(x))?;
    if !is_number(x.dtype()) {
        return Err(cx.wrong_dtype(x.dtype()));
    }
    let mut elements = Numbers::of(x)?.all();
    for x in &mut elements {
        *x = if *x < -lambd {
            *x + bias
        } else if *x > lambd {
            *x - bias
        } else {
            0.0
        };
    }
    one(from_f64(x.dtype(), &dims(x), elements)?)
}

pub(super) fn sigmoid(cx: &EvalCx<'_>) -> Evaluated {
    float_map(cx, logistic)
}

pub(super) fn softplus(cx: &EvalCx<'_>) -> Evaluated {
    float_map(cx, log_one_plus_exp)
}

pub(super) fn softsign(cx: &EvalCx<'_>) -> Evaluated {
    float_map(cx, |x| x / (1.0 + x.abs()))
}

pub(super) fn swish(op: &Swish, cx: &EvalCx<'_>) -> Evaluated {
    let alpha = f64::from(op.alpha.0);
    float_map(cx, |x| x * logistic(alpha * x))
}

pub(super) fn thresholded_relu(op: &ThresholdedRelu, cx: &EvalCx<'_>) -> Evaluated {
    let alpha = f64::from(op.alpha.0);
    float_map(cx, |x| if x > alpha { x } else { 0.0 })
}
