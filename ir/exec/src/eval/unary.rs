//! Evaluation of operators of one operand, element by element.
//!
//! Transcendental functions of f16, bf16 and f32 are computed in f64 and rounded once; those of f64 are libm's.

use edgesmith_ir::DType;
use edgesmith_ir::op::IsInf;

use super::cx::one;
use super::layout::dims;
use super::number::{Integer, Number, bools, by_dtype, truths};
use super::{EvalCx, Evaluated};

/// `f` in f64 of every element of the first operand, a float tensor. A dynamic call costs less than the functions do, and
/// keeps the loops from being compiled once for every function and type.
pub(super) fn float_map(cx: &EvalCx<'_>, f: impl Fn(f64) -> f64) -> Evaluated {
    map_dynamic(cx, &f)
}

fn map_dynamic(cx: &EvalCx<'_>, f: &dyn Fn(f64) -> f64) -> Evaluated {
    let x = cx.tensor(0)?;
    cx.allow(x.dtype(), &dims(x))?;
    by_dtype!(x.dtype(), T: float => {
        one(T::write(x.dtype(), &dims(x), T::read(x)?.iter().map(|x| T::narrow(f(x.wide()))).collect())?)
    }, else Err(cx.wrong_dtype(x.dtype())))
}

/// Evaluates `$f`, a function of `$T`, on every element.
macro_rules! number_map {
    ($cx:expr, $T:ident: $class:ident => $f:expr) => {{
        let x = $cx.tensor(0)?;
        $cx.allow(x.dtype(), &dims(x))?;
        by_dtype!(x.dtype(), $T: $class => {
            one($T::write(x.dtype(), &dims(x), $T::read(x)?.iter().map(|x| $f(*x)).collect())?)
        }, else Err($cx.wrong_dtype(x.dtype())))
    }};
}
pub(super) use number_map;

pub(super) fn abs(cx: &EvalCx<'_>) -> Evaluated {
    // Zero minus the minimum wraps to the minimum; a float loses its sign bit, also that of NaN and zero.
    number_map!(cx, T: number => |x: T| if T::FLOAT { T::narrow(x.wide().abs()) } else if x < T::ZERO { T::ZERO.minus(x) } else { x })
}

pub(super) fn neg(cx: &EvalCx<'_>) -> Evaluated {
    number_map!(cx, T: number => |x: T| if T::FLOAT { T::narrow(-x.wide()) } else { T::ZERO.minus(x) })
}

pub(super) fn sign(cx: &EvalCx<'_>) -> Evaluated {
    number_map!(cx, T: number => |x: T| {
        if x > T::ZERO { T::ONE } else if x < T::ZERO { T::ZERO.minus(T::ONE) } else if x.nan() { x } else { T::ZERO }
    })
}

pub(super) fn bitwise_not(cx: &EvalCx<'_>) -> Evaluated {
    number_map!(cx, T: integer => |x: T| x.not())
}

pub(super) fn ceil(cx: &EvalCx<'_>) -> Evaluated {
    float_map(cx, f64::ceil)
}

pub(super) fn floor(cx: &EvalCx<'_>) -> Evaluated {
    float_map(cx, f64::floor)
}

pub(super) fn round(cx: &EvalCx<'_>) -> Evaluated {
    float_map(cx, f64::round_ties_even)
}

pub(super) fn reciprocal(cx: &EvalCx<'_>) -> Evaluated {
    float_map(cx, |x| 1.0 / x)
}

pub(super) fn sqrt(cx: &EvalCx<'_>) -> Evaluated {
    float_map(cx, f64::sqrt)
}

macro_rules! functions {
    ($($name:ident),*) => { $(
        pub(super) fn $name(cx: &EvalCx<'_>) -> Evaluated {
            float_map(cx, libm::$name)
        }
    )* };
}
functions!(acos, acosh, asin, asinh, atan, atanh, cos, cosh, erf, exp, log, sin, sinh, tan, tanh);

/// The truth of `f` of every element of a float tensor.
fn float_test(cx: &EvalCx<'_>, f: &dyn Fn(f64) -> bool) -> Evaluated {
    let x = cx.tensor(0)?;
    cx.allow(DType::Bool, &dims(x))?;
    by_dtype!(x.dtype(), T: float => {
        one(bools(&dims(x), T::read(x)?.iter().map(|x| u8::from(f(x.wide()))).collect())?)
    }, else Err(cx.wrong_dtype(x.dtype())))
}

pub(super) fn is_inf(op: &IsInf, cx: &EvalCx<'_>) -> Evaluated {
    let (negative, positive) = (op.detect_negative, op.detect_positive);
    float_test(cx, &|x| (positive && x == f64::INFINITY) || (negative && x == f64::NEG_INFINITY))
}

pub(super) fn is_nan(cx: &EvalCx<'_>) -> Evaluated {
    float_test(cx, &f64::is_nan)
}

pub(super) fn not(cx: &EvalCx<'_>) -> Evaluated {
    let x = cx.tensor(0)?;
    one(bools(&dims(x), truths(x)?.into_iter().map(|x| 1 - x).collect())?)
}
