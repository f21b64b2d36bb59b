//! Evaluation of Clip and Where.

use super::cx::one;
use super::layout::{broadcast, dims};
use super::map::map3;
use super::number::{Cell, Number, by_dtype, read_as, truths};
use super::{EvalCx, EvalError, Evaluated};

/// `min(max, max(x, min))` by comparisons: a minimum above the maximum gives the maximum, NaN stays NaN, and a bound of
/// NaN does not bound. Bounds of shape `[1]` count as scalars.
pub(super) fn clip(cx: &EvalCx<'_>) -> Evaluated {
    let x = cx.tensor(0)?;
    cx.allow(x.dtype(), &dims(x))?;
    by_dtype!(x.dtype(), T: number => {
        let bound = |slot: usize| -> Result<Option<T>, EvalError> {
            let Some(bound) = cx.maybe_tensor(slot)? else { return Ok(None) };
            match read_as::<T>(bound, x.dtype())?.as_ref() {
                [one] => Ok(Some(*one)),
                many => Err(cx.error(format!("a bound has {} elements, not one", many.len()))),
            }
        };
        let (min, max) = (bound(1)?, bound(2)?);
        let clipped = T::read(x)?.iter().map(|x| {
            let raised = match min { Some(min) if *x < min => min, _ => *x };
            match max { Some(max) if max < raised => max, _ => raised }
        }).collect();
        one(T::write(x.dtype(), &dims(x), clipped)?)
    }, else Err(cx.wrong_dtype(x.dtype())))
}

pub(super) fn r#where(cx: &EvalCx<'_>) -> Evaluated {
    let (condition, x, y) = (cx.tensor(0)?, cx.tensor(1)?, cx.tensor(2)?);
    if x.dtype() != y.dtype() {
        return Err(cx.error(format!("operands of different types, {} and {}", x.dtype(), y.dtype())));
    }
    let (condition_dims, x_dims, y_dims) = (dims(condition), dims(x), dims(y));
    let out = broadcast(&[&condition_dims, &x_dims, &y_dims]).map_err(|error| cx.error(error))?;
    cx.allow(x.dtype(), &out)?;
    let condition = truths(condition)?;
    by_dtype!(x.dtype(), T: cell => {
        let (a, b) = (T::cells(x)?, T::cells(y)?);
        let picked: Vec<T> = map3((&condition, &condition_dims), (&a, &x_dims), (&b, &y_dims), &out,
            |condition, a, b| if condition != 0 { a.clone() } else { b.clone() });
        one(<T as Cell>::tensor(x.dtype(), &out, picked)?)
    }, else Err(cx.wrong_dtype(x.dtype())))
}
