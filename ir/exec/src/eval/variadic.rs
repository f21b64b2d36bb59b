//! Evaluation of operators of any number of operands with broadcasting.

use edgesmith_ir::Tensor;

use super::cx::one;
use super::dense::Numbers;
use super::layout::{Dims, broadcast, dims};
use super::map::{expand, map2};
use super::number::{Number, by_dtype};
use super::stored::from_f64;
use super::{EvalCx, EvalError, Evaluated};

/// The operands, at least one and all of one element type, and the shape they broadcast to.
fn operands<'a>(cx: &EvalCx<'a>) -> Result<(Vec<&'a Tensor>, Dims), EvalError> {
    let tensors = cx.tensors()?;
    let Some(first) = tensors.first() else { return Err(cx.error("no operands")) };
    if let Some(other) = tensors.iter().find(|tensor| tensor.dtype() != first.dtype()) {
        return Err(cx.error(format!("operands of different types, {} and {}", first.dtype(), other.dtype())));
    }
    let shapes: Vec<Dims> = tensors.iter().map(|tensor| dims(tensor)).collect();
    let out = broadcast(&shapes.iter().map(Dims::as_slice).collect::<Vec<_>>()).map_err(|error| cx.error(error))?;
    cx.allow(first.dtype(), &out)?;
    Ok((tensors, out))
}

/// Folds the operands from the left. NaN wins.
macro_rules! fold {
    ($cx:expr, $T:ident => $f:expr) => {{
        let (tensors, out) = operands($cx)?;
        by_dtype!(tensors[0].dtype(), $T: number => {
            let mut result = expand(&$T::read(tensors[0])?, &dims(tensors[0]), &out);
            for other in &tensors[1..] {
                let f: fn($T, $T) -> $T = $f;
                result = map2((&result, &out), (&$T::read(other)?, &dims(other)), &out, f);
            }
            one($T::write(tensors[0].dtype(), &out, result)?)
        }, else Err($cx.wrong_dtype(tensors[0].dtype())))
    }};
}

pub(super) fn max(cx: &EvalCx<'_>) -> Evaluated {
    fold!(cx, T => T::greater)
}

pub(super) fn min(cx: &EvalCx<'_>) -> Evaluated {
    fold!(cx, T => T::lesser)
}

/// The sum in f64, divided by `divisor`, rounded once.
fn total(cx: &EvalCx<'_>, divide: bool) -> Evaluated {
    let (tensors, out) = operands(cx)?;
    let dtype = tensors[0].dtype();
    by_dtype!(dtype, T: float => {
        let mut sum = expand(&Numbers::of(tensors[0])?.all(), &dims(tensors[0]), &out);
        for other in &tensors[1..] {
            sum = map2((&sum, &out), (&T::read(other)?, &dims(other)), &out, |x, y: T| x + y.wide());
        }
        let divisor = if divide { tensors.len() as f64 } else { 1.0 };
        sum.iter_mut().for_each(|x| *x /= divisor);
        one(from_f64(dtype, &out, sum)?)
    }, else Err(cx.wrong_dtype(dtype)))
}

pub(super) fn sum(cx: &EvalCx<'_>) -> Evaluated {
    total(cx, false)
}

pub(super) fn mean(cx: &EvalCx<'_>) -> Evaluated {
    total(cx, true)
}
