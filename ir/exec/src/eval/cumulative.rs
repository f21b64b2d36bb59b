//! Evaluation of CumSum and CumProd. Floats run in f64 and every element is rounded once; integers wrap.

use edgesmith_ir::op::{CumProd, CumSum};

use super::cx::one;
use super::layout::{around, dims};
use super::number::{Number, by_dtype};
use super::{EvalCx, Evaluated};

pub(super) fn cum_sum(op: &CumSum, cx: &EvalCx<'_>) -> Evaluated {
    running(cx, op.exclusive, op.reverse, false)
}

pub(super) fn cum_prod(op: &CumProd, cx: &EvalCx<'_>) -> Evaluated {
    running(cx, op.exclusive, op.reverse, true)
}

/// The axis may have shape `[1]` as well as none.
fn running(cx: &EvalCx<'_>, exclusive: bool, reverse: bool, product: bool) -> Evaluated {
    let x = cx.tensor(0)?;
    let shape = dims(x);
    let axis = cx.maybe_int(1)?.ok_or_else(|| cx.error("the axis is missing"))?;
    let (outer, extent, inner) = around(&shape, cx.axis(axis, shape.len())?);
    cx.allow(x.dtype(), &shape)?;
    let places = (0..outer * inner).map(|row| row / inner.max(1) * extent * inner + row % inner.max(1));
    let step = |k: usize| if reverse { extent - 1 - k } else { k } * inner;
    macro_rules! walk {
        ($T:ty, $A:ty, $start:expr, $combine:expr, $finish:expr) => {{
            let elements = <$T>::read(x)?;
            let mut result = vec![<$T>::ZERO; elements.len()];
            for place in places {
                let mut total: $A = $start;
                for k in 0..extent {
                    let at = place + step(k);
                    let before = total;
                    total = $combine(total, elements[at]);
                    result[at] = $finish(if exclusive { before } else { total });
                }
            }
            one(<$T>::write(x.dtype(), &shape, result)?)
        }};
    }
    if x.dtype().is_float() {
        return by_dtype!(x.dtype(), T: float => {
            let combine = |total: f64, x: T| if product { total * x.wide() } else { total + x.wide() };
            walk!(T, f64, if product { 1.0 } else { 0.0 }, combine, T::narrow)
        }, else Err(cx.wrong_dtype(x.dtype())));
    }
    by_dtype!(x.dtype(), T: integer => {
        let combine = if product { T::times } else { T::plus };
        walk!(T, T, if product { T::ONE } else { T::ZERO }, combine, std::convert::identity)
    }, else Err(cx.wrong_dtype(x.dtype())))
}
