//! Between the element types that tensors store and the few that operators compute with. One loop for every stored type,
//! shared by all operators.

use std::borrow::Cow;

use edgesmith_ir::{DType, Element, Tensor, round_to_bf16, round_to_f16};
use half::{bf16, f16};

use super::EvalError;
use super::layout::extents;
use super::number::tensor;

/// The elements of a tensor in their own type.
pub(super) fn own<T: Element>(tensor: &Tensor) -> Result<Cow<'_, [T]>, EvalError> {
    Ok(tensor.view::<T>()?)
}

/// A tensor of elements in their own type.
pub(super) fn kept<T: Element>(_: DType, dims: &[usize], elements: Vec<T>) -> Result<Tensor, EvalError> {
    tensor(dims, elements)
}

fn converted<A: Element, B>(tensor: &Tensor, convert: impl Fn(A) -> B) -> Result<Vec<B>, EvalError> {
    Ok(tensor.view::<A>()?.iter().map(|x| convert(*x)).collect())
}

/// The elements of a tensor of f64, f16 or bf16.
pub(super) fn halves(tensor: &Tensor) -> Result<Cow<'_, [f64]>, EvalError> {
    Ok(match tensor.dtype() {
        DType::F16 => Cow::Owned(converted(tensor, |x: f16| f64::from(x.to_f32()))?),
        DType::BF16 => Cow::Owned(converted(tensor, |x: bf16| f64::from(x.to_f32()))?),
        _ => tensor.view()?,
    })
}

/// The elements of a tensor of integers that i64 holds.
pub(super) fn narrow_integers(tensor: &Tensor) -> Result<Cow<'_, [i64]>, EvalError> {
    Ok(match tensor.dtype() {
        DType::I32 => Cow::Owned(converted(tensor, |x: i32| i64::from(x))?),
        DType::I16 => Cow::Owned(converted(tensor, |x: i16| i64::from(x))?),
        DType::I8 => Cow::Owned(converted(tensor, |x: i8| i64::from(x))?),
        DType::U32 => Cow::Owned(converted(tensor, |x: u32| i64::from(x))?),
        DType::U16 => Cow::Owned(converted(tensor, |x: u16| i64::from(x))?),
        DType::U8 => Cow::Owned(converted(tensor, |x: u8| i64::from(x))?),
        _ => tensor.view()?,
    })
}

/// The elements of a tensor of integers of 8 to 64 bits.
pub(super) fn integers(tensor: &Tensor) -> Result<Vec<i128>, EvalError> {
    match tensor.dtype() {
        DType::U64 => converted(tensor, |x: u64| i128::from(x)),
        dtype if dtype.is_integer() => Ok(narrow_integers(tensor)?.iter().map(|x| i128::from(*x)).collect()),
        other => Err(EvalError::Unsupported(format!("{other} as an integer"))),
    }
}

/// Whether operators compute with it as a number.
pub(super) fn is_number(dtype: DType) -> bool {
    dtype.is_float() || dtype.is_integer()
}

/// The least and the greatest value of an integer type of at most 64 bits.
pub(super) fn limits(dtype: DType) -> (i128, i128) {
    let bits = dtype.bits().min(64);
    if dtype.is_signed_integer() { (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) }
}

/// An f32 is stored as it is.
pub(super) fn same(_: DType, x: f32) -> f32 {
    x
}

/// What is left of a float once it has been stored under a float type.
pub(super) fn settled(dtype: DType, x: f64) -> f64 {
    match dtype {
        DType::F16 => round_to_f16(x).to_f64(),
        DType::BF16 => round_to_bf16(x).to_f64(),
        DType::F32 => f64::from(x as f32),
        _ => x,
    }
}

/// Floats rounded once to a float type.
pub(super) fn rounded(dtype: DType, dims: &[usize], elements: &[f64]) -> Result<Tensor, EvalError> {
    Tensor::from_f64(dtype, extents(dims), elements).ok_or_else(|| EvalError::Unsupported(format!("floats as {dtype}")))
}

/// Numbers of any type: rounded once for floats, truncated and clamped for integers (NaN gives 0).
pub(super) fn from_f64(dtype: DType, dims: &[usize], elements: Vec<f64>) -> Result<Tensor, EvalError> {
    match dtype {
        DType::F64 => tensor(dims, elements),
        DType::F32 | DType::F16 | DType::BF16 => rounded(dtype, dims, &elements),
        DType::U64 => tensor(dims, elements.into_iter().map(|x| x as u64).collect::<Vec<u64>>()),
        _ => {
            // Of no integer type there is nothing to clamp to; `cut` says so.
            let (least, greatest) = if dtype.is_integer() { limits(dtype) } else { (0, 0) };
            let (least, greatest) = (least as i64, greatest as i64);
            cut(dtype, dims, elements.into_iter().map(|x| (x as i64).clamp(least, greatest)).collect())
        }
    }
}

/// Integers under any type: rounded once for floats, their low bits for integers.
pub(super) fn from_integers(dtype: DType, dims: &[usize], elements: Vec<i128>) -> Result<Tensor, EvalError> {
    match dtype {
        DType::F64 => tensor(dims, elements.into_iter().map(|x| x as f64).collect::<Vec<f64>>()),
        DType::F32 => tensor(dims, elements.into_iter().map(|x| x as f32).collect::<Vec<f32>>()),
        DType::F16 | DType::BF16 => from_f64(dtype, dims, elements.into_iter().map(keep_inexact).collect()),
        dtype => cut(dtype, dims, elements.into_iter().map(|x| x as i64).collect()),
    }
}

/// Integers cut to the width of an integer type.
pub(crate) fn cut(dtype: DType, dims: &[usize], elements: Vec<i64>) -> Result<Tensor, EvalError> {
    macro_rules! cut {
        ($t:ty) => {
            tensor::<$t>(dims, elements.into_iter().map(|x| x as $t).collect())
        };
    }
    match dtype {
        DType::I64 => tensor(dims, elements),
        DType::I32 => cut!(i32),
        DType::I16 => cut!(i16),
        DType::I8 => cut!(i8),
        DType::U64 => cut!(u64),
        DType::U32 => cut!(u32),
        DType::U16 => cut!(u16),
        DType::U8 => cut!(u8),
        other => Err(EvalError::Unsupported(format!("integers as {other}"))),
    }
}

/// An integer as f64 whose lowest bit is set when it is not exact, so that a later rounding to fewer bits is right.
fn keep_inexact(x: i128) -> f64 {
    let magnitude = x.unsigned_abs();
    let shift = (128 - magnitude.leading_zeros()).saturating_sub(53);
    let kept = magnitude >> shift;
    let sticky = u128::from(kept << shift != magnitude);
    let wide = ((kept | sticky) << shift) as f64;
    if x < 0 { -wide } else { wide }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_rounded_cut_or_clamped_as_documented() {
        let clamped = |dtype| from_f64(dtype, &[4], vec![-1e30, 1e30, f64::NAN, -1.9]).unwrap().to_ints();
        assert_eq!(clamped(DType::I8).unwrap(), [-128, 127, 0, -1]);
        assert_eq!(clamped(DType::U16).unwrap(), [0, 65535, 0, 0]);
        assert_eq!(clamped(DType::I64).unwrap(), [i64::MIN, i64::MAX, 0, -1]);
        let low = from_integers(DType::U8, &[2], vec![-1, 256 + 7]).unwrap();
        assert_eq!(low.to_ints().unwrap(), [255, 7]);
        assert_eq!(integers(&low).unwrap(), [255, 7]);
        // Just above the middle between two halves: rounding to f64 first would lose what lies above.
        let half = from_integers(DType::F16, &[1], vec![2049]).unwrap();
        assert_eq!(half.to_f64().unwrap(), [2048.0]);
        let above = from_integers(DType::BF16, &[1], vec![(1 << 80) + (1 << 72) + 1]).unwrap();
        assert_eq!(above.to_f64().unwrap(), [((1_i128 << 80) + (1 << 73)) as f64]);
        assert_eq!(limits(DType::I16), (-32768, 32767));
        assert_eq!(limits(DType::U64), (0, i128::from(u64::MAX)));
    }
}
