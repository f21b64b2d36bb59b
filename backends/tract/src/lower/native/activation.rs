//! Activations.
//!
//! Where tract's own form is wrong in the tails (Softplus overflows from 88 on) or loses types, the operator is composed
//! of elementary ones.

use edgesmith_ir::Op;
use edgesmith_ir::op::GeluApproximation;
use tract_core::internal::*;
use tract_core::ops::binary::TypedBinOp;
use tract_core::ops::{logic, math, nn};

use super::super::part::{Native, Part, one};

fn less() -> TypedBinOp {
    TypedBinOp(logic::comp_lt(), None)
}
fn greater() -> TypedBinOp {
    TypedBinOp(logic::comp_gt(), None)
}

/// All activations of one float operand, and PRelu.
pub(crate) fn lower(op: &Op, p: &mut Part) -> Native {
    let x = p.input(0)?;
    let datum = p.datum(x)?;
    if !datum.is_float() {
        return match op {
            Op::Relu(_) if datum.is_unsigned() => one(x),
            Op::Relu(_) => one(p.with(math::max(), x, 0.0)?),
            Op::PRelu(_) => prelu(p, x),
            _ => Ok(None),
        };
    }
    let y = match op {
        Op::Relu(_) => p.with(math::max(), x, 0.0)?,
        Op::LeakyRelu(op) if datum == DatumType::F32 => p.op(nn::leaky_relu(op.alpha.0), &[x])?,
        Op::LeakyRelu(op) => {
            let negative = p.with(less(), x, 0.0)?;
            let scaled = p.with(math::mul(), x, op.alpha.0.into())?;
            p.select(negative, scaled, x)?
        }
        Op::PRelu(_) => return prelu(p, x),
        Op::Celu(op) => {
            let alpha = f64::from(op.alpha.0);
            let positive = p.with(math::max(), x, 0.0)?;
            let inner = p.with(math::div(), x, alpha)?;
            let exponential = exp_minus_one(p, inner)?;
            let scaled = p.with(math::mul(), exponential, alpha)?;
            let negative = p.with(math::min(), scaled, 0.0)?;
            p.op(math::add(), &[positive, negative])?
        }
        Op::Elu(op) => elu(p, x, op.alpha.0.into())?,
        Op::Selu(op) => {
            let unit = elu(p, x, op.alpha.0.into())?;
            p.with(math::mul(), unit, op.gamma.0.into())?
        }
        Op::Gelu(op) => gelu(p, x, op.approximate)?,
        Op::HardSigmoid(op) => hard_sigmoid(p, x, op.alpha.0.into(), op.beta.0.into())?,
        Op::HardSwish(_) => {
            let gate = hard_sigmoid(p, x, 1.0 / 6.0, 0.5)?;
            p.op(math::mul(), &[x, gate])?
        }
        Op::Sigmoid(_) => sigmoid(p, x)?,
        Op::Swish(op) => {
            let inner = if op.alpha.0 == 1.0 { x } else { p.with(math::mul(), x, op.alpha.0.into())? };
            let gate = sigmoid(p, inner)?;
            p.op(math::mul(), &[x, gate])?
        }
        Op::Softplus(_) => softplus(p, x)?,
        Op::Mish(_) => {
            let soft = softplus(p, x)?;
            let gate = p.op(math::tanh(), &[soft])?;
            p.op(math::mul(), &[x, gate])?
        }
        Op::Softsign(_) => {
            let size = p.op(math::abs(), &[x])?;
            let divisor = p.with(math::add(), size, 1.0)?;
            p.op(math::div(), &[x, divisor])?
        }
        Op::Shrink(op) => {
            let (lambd, bias) = (f64::from(op.lambd.0), f64::from(op.bias.0));
            let raised = p.with(math::add(), x, bias)?;
            let lowered = p.with(math::sub(), x, bias)?;
            let zero = p.scalar_like(0.0, x)?;
            let is_below = p.with(less(), x, -lambd)?;
            let is_above = p.with(greater(), x, lambd)?;
            let upper = p.select(is_above, lowered, zero)?;
            p.select(is_below, raised, upper)?
        }
        Op::ThresholdedRelu(op) => {
            let zero = p.scalar_like(0.0, x)?;
            let above = p.with(greater(), x, op.alpha.0.into())?;
            p.select(above, x, zero)?
        }
        _ => return Ok(None),
    };
    let loses_nan = matches!(op, Op::Relu(_) | Op::Celu(_) | Op::HardSigmoid(_));
    one(if loses_nan { p.put_back_nan(x, y)? } else { y })
}

fn prelu(p: &mut Part, x: OutletId) -> Native {
    let slope = p.input(1)?;
    if p.datum(x)?.is_unsigned() {
        return one(x);
    }
    let negative = p.with(less(), x, 0.0)?;
    let scaled = p.binary(math::mul(), x, slope)?;
    one(p.select(negative, scaled, x)?)
}

/// `exp(x) - 1`, of x capped at zero so that it never overflows; callers use it for negative x only.
fn exp_minus_one(p: &mut Part, x: OutletId) -> TractResult<OutletId> {
    let capped = p.with(math::min(), x, 0.0)?;
    let exponential = p.op(math::exp(), &[capped])?;
    p.with(math::sub(), exponential, 1.0)
}

fn elu(p: &mut Part, x: OutletId, alpha: f64) -> TractResult<OutletId> {
    let negative = p.with(less(), x, 0.0)?;
    let exponential = exp_minus_one(p, x)?;
    let scaled = p.with(math::mul(), exponential, alpha)?;
    p.select(negative, scaled, x)
}

fn hard_sigmoid(p: &mut Part, x: OutletId, alpha: f64, beta: f64) -> TractResult<OutletId> {
    let scaled = p.with(math::mul(), x, alpha)?;
    let moved = p.with(math::add(), scaled, beta)?;
    let floor = p.with(math::max(), moved, 0.0)?;
    p.with(math::min(), floor, 1.0)
}

/// tract's sigmoid stops 4.5e-7 short of its limits, gives NaN a number, and is none for f64. `1 / (1 + exp(-x))` is
/// right at both ends, because an infinite divisor gives 0.
fn sigmoid(p: &mut Part, x: OutletId) -> TractResult<OutletId> {
    if !p.exact && p.datum(x)? == DatumType::F32 {
        return p.op(nn::sigmoid(), &[x]);
    }
    let negated = p.op(math::neg(), &[x])?;
    let exponential = p.op(math::exp(), &[negated])?;
    let divisor = p.with(math::add(), exponential, 1.0)?;
    p.op(math::recip(), &[divisor])
}

/// `max(x, 0) + ln(1 + exp(-|x|))`, which neither overflows nor loses the tail to rounding of a large exponential.
fn softplus(p: &mut Part, x: OutletId) -> TractResult<OutletId> {
    let size = p.op(math::abs(), &[x])?;
    let negated = p.op(math::neg(), &[size])?;
    let exponential = p.op(math::exp(), &[negated])?;
    let sum = p.with(math::add(), exponential, 1.0)?;
    let log = p.op(math::ln(), &[sum])?;
    let positive = p.with(math::max(), x, 0.0)?;
    p.op(math::add(), &[positive, log])
}

fn gelu(p: &mut Part, x: OutletId, form: GeluApproximation) -> TractResult<OutletId> {
    let inner = match form {
        GeluApproximation::None => {
            let scaled = p.with(math::mul(), x, std::f64::consts::FRAC_1_SQRT_2)?;
            p.op(math::erf(), &[scaled])?
        }
        // sqrt(2 / pi) * (x + 0.044715 x^3), composed: tract's own form is off by 3e-5 near zero.
        GeluApproximation::Tanh => {
            let square = p.op(math::mul(), &[x, x])?;
            let factor = p.with(math::mul(), square, 0.044_715)?;
            let factor = p.with(math::add(), factor, 1.0)?;
            let cubic = p.op(math::mul(), &[x, factor])?;
            let scaled = p.with(math::mul(), cubic, (2.0 / std::f64::consts::PI).sqrt())?;
            p.op(math::tanh(), &[scaled])?
        }
    };
    let gate = p.with(math::add(), inner, 1.0)?;
    let half = p.with(math::mul(), x, 0.5)?;
    p.op(math::mul(), &[half, gate])
}
