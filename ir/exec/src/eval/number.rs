//! Numbers as Rust types, and the choice of a type by dtype.
//!
//! Operators are compiled for four types only: [`Number::read`] widens what a tensor stores to one of them and
//! [`Number::write`] brings the results back. f16 and bf16 are computed in f64 and rounded once; integers below 64 bits in
//! i64, of whose results the low bits are what wrapping in the narrow type would have given.

use std::borrow::Cow;

use bytes::Bytes;
use edgesmith_ir::{DType, Element, Tensor};

use super::EvalError;
use super::layout;
use super::stored;

/// A number that operators compute with: f32, f64, i64 or u64. Integers wrap.
pub(crate) trait Number: Element + PartialOrd + Default + std::fmt::Debug {
    /// Zero.
    const ZERO: Self;
    /// One.
    const ONE: Self;
    /// Whether it is a float.
    const FLOAT: bool;
    /// The elements of a tensor, of a dtype that this type stands for.
    fn read(tensor: &Tensor) -> Result<Cow<'_, [Self]>, EvalError>;
    /// A tensor of a dtype that this type stands for: floats rounded once, of integers the low bits.
    fn write(dtype: DType, dims: &[usize], elements: Vec<Self>) -> Result<Tensor, EvalError>;
    /// What is left of it once it has been stored under a dtype. Integers need it only where they are compared.
    fn settled(self, dtype: DType) -> Self;
    /// Sum.
    fn plus(self, other: Self) -> Self;
    /// Difference.
    fn minus(self, other: Self) -> Self;
    /// Product.
    fn times(self, other: Self) -> Self;
    /// Quotient; integers truncate toward zero. The divisor of an integer is not zero.
    fn over(self, other: Self) -> Self;
    /// Remainder with the dividend's sign. The divisor of an integer is not zero.
    fn remainder(self, other: Self) -> Self;
    /// Widened; 64-bit integers beyond 2^53 are rounded.
    fn wide(self) -> f64;
    /// Rounded once for floats; truncated and clamped for integers (NaN gives 0).
    fn narrow(x: f64) -> Self;
    /// An integer: rounded for floats, the low bits for integers.
    fn low(x: i128) -> Self;
    /// Whether it is NaN.
    fn nan(self) -> bool {
        false
    }
    /// The greater one; NaN wins.
    fn greater(self, other: Self) -> Self {
        if self.nan() || (!other.nan() && self >= other) { self } else { other }
    }
    /// The lesser one; NaN wins.
    fn lesser(self, other: Self) -> Self {
        if self.nan() || (!other.nan() && self <= other) { self } else { other }
    }
}

/// An integer that operators compute with: i64 or u64.
pub(crate) trait Integer: Number + Into<i128> {
    /// All bits if it is signed, else none.
    const SIGN: Self;
    /// Every bit inverted.
    fn not(self) -> Self;
    /// Bits moved up; zero when all of them leave, as for a negative count.
    fn shift_left(self, by: Self) -> Self;
    /// Bits moved down, the sign repeated; all of them leave by the width or more, and for a negative count.
    fn shift_right(self, by: Self) -> Self;
}

macro_rules! floats {
    ($($t:ty: $read:expr, $write:expr, $settled:expr;)*) => { $(impl Number for $t {
        const ZERO: Self = 0.0;
        const ONE: Self = 1.0;
        const FLOAT: bool = true;
        fn read(tensor: &Tensor) -> Result<Cow<'_, [Self]>, EvalError> { $read(tensor) }
        fn write(dtype: DType, dims: &[usize], elements: Vec<Self>) -> Result<Tensor, EvalError> { $write(dtype, dims, elements) }
        fn settled(self, dtype: DType) -> Self { $settled(dtype, self) }
        fn plus(self, other: Self) -> Self { self + other }
        fn minus(self, other: Self) -> Self { self - other }
        fn times(self, other: Self) -> Self { self * other }
        fn over(self, other: Self) -> Self { self / other }
        fn remainder(self, other: Self) -> Self { self % other }
        fn wide(self) -> f64 { f64::from(self) }
        fn narrow(x: f64) -> Self { x as Self }
        fn low(x: i128) -> Self { x as Self }
        fn nan(self) -> bool { self.is_nan() }
    })* };
}
floats! {
    f32: stored::own, stored::kept, stored::same;
    f64: stored::halves, stored::from_f64, stored::settled;
}

macro_rules! integers {
    ($($t:ty: $sign:expr, $read:expr, $write:expr;)*) => { $(impl Number for $t {
        const ZERO: Self = 0;
        const ONE: Self = 1;
        const FLOAT: bool = false;
        fn read(tensor: &Tensor) -> Result<Cow<'_, [Self]>, EvalError> { $read(tensor) }
        fn write(dtype: DType, dims: &[usize], elements: Vec<Self>) -> Result<Tensor, EvalError> { $write(dtype, dims, elements) }
        fn settled(self, _: DType) -> Self { self }
        fn plus(self, other: Self) -> Self { self.wrapping_add(other) }
        fn minus(self, other: Self) -> Self { self.wrapping_sub(other) }
        fn times(self, other: Self) -> Self { self.wrapping_mul(other) }
        fn over(self, other: Self) -> Self { if other == 0 { 0 } else { self.wrapping_div(other) } }
        fn remainder(self, other: Self) -> Self { if other == 0 { 0 } else { self.wrapping_rem(other) } }
        fn wide(self) -> f64 { self as f64 }
        fn narrow(x: f64) -> Self { x as Self }
        fn low(x: i128) -> Self { x as Self }
    }
    impl Integer for $t {
        const SIGN: Self = $sign;
        fn not(self) -> Self { !self }
        fn shift_left(self, by: Self) -> Self { u32::try_from(by).ok().and_then(|by| self.checked_shl(by)).unwrap_or(0) }
        fn shift_right(self, by: Self) -> Self {
            u32::try_from(by).ok().and_then(|by| self.checked_shr(by)).unwrap_or(self >> (Self::BITS - 1) & Self::SIGN)
        }
    })* };
}
integers! {
    i64: -1, stored::narrow_integers, stored::cut;
    u64: 0, stored::own, stored::kept;
}

/// The elements of a tensor that must be of that dtype.
pub(crate) fn read_as<T: Number>(tensor: &Tensor, dtype: DType) -> Result<Cow<'_, [T]>, EvalError> {
    if tensor.dtype() == dtype {
        T::read(tensor)
    } else {
        Err(edgesmith_ir::TensorError::DType { wanted: dtype, found: tensor.dtype() }.into())
    }
}

/// What an element is to an operator that only moves elements: bytes of a width, or a string.
pub(crate) trait Cell: Clone + Default + Send + Sync + 'static {
    /// The elements of a tensor of that width.
    fn cells(tensor: &Tensor) -> Result<Cow<'_, [Self]>, EvalError>;
    /// A tensor of these elements.
    fn tensor(dtype: DType, dims: &[usize], cells: Vec<Self>) -> Result<Tensor, EvalError>;
}

struct Owned<T>(Vec<T>);
impl<T: bytemuck::NoUninit> AsRef<[u8]> for Owned<T> {
    fn as_ref(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }
}

macro_rules! cells {
    ($($t:ty),*) => { $(impl Cell for $t {
        fn cells(tensor: &Tensor) -> Result<Cow<'_, [Self]>, EvalError> {
            if let edgesmith_ir::TensorData::Dense(bytes) = tensor.data() {
                return Ok(match bytemuck::try_cast_slice(bytes) {
                    Ok(slice) => Cow::Borrowed(slice),
                    Err(_) => Cow::Owned(bytemuck::allocation::pod_collect_to_vec(bytes)),
                });
            }
            Ok(Cow::Owned(bytemuck::allocation::pod_collect_to_vec(&tensor.dense_bytes()?)))
        }
        fn tensor(dtype: DType, dims: &[usize], cells: Vec<Self>) -> Result<Tensor, EvalError> {
            Ok(Tensor::dense(dtype, layout::extents(dims), Bytes::from_owner(Owned(cells)))?)
        }
    })* };
}
cells!(u8, u16, u32, u64, u128);

impl Cell for Bytes {
    fn cells(tensor: &Tensor) -> Result<Cow<'_, [Self]>, EvalError> {
        match tensor.data() {
            edgesmith_ir::TensorData::Strings(strings) => Ok(Cow::Borrowed(strings)),
            _ => Err(EvalError::Invalid("a tensor of strings holds none".to_owned())),
        }
    }
    fn tensor(_: DType, dims: &[usize], cells: Vec<Self>) -> Result<Tensor, EvalError> {
        Ok(Tensor::strings(layout::extents(dims), cells)?)
    }
}

/// A dense tensor of numbers.
pub(crate) fn tensor<T: Element>(dims: &[usize], elements: Vec<T>) -> Result<Tensor, EvalError> {
    Ok(Tensor::from_vec(layout::extents(dims), elements)?)
}

/// A dense tensor of booleans, one byte each.
pub(crate) fn bools(dims: &[usize], elements: Vec<u8>) -> Result<Tensor, EvalError> {
    <u8 as Cell>::tensor(DType::Bool, dims, elements)
}

/// The elements of a bool tensor, each 0 or 1 (files may hold other bytes).
pub(crate) fn truths(tensor: &Tensor) -> Result<Vec<u8>, EvalError> {
    if tensor.dtype() != DType::Bool {
        return Err(EvalError::Invalid(format!("bool is needed, not {}", tensor.dtype())));
    }
    Ok(tensor.dense_bytes()?.iter().map(|byte| u8::from(*byte != 0)).collect())
}

/// Evaluates `$body` with `$T` standing for the type that a dtype of a class (`float`, `integer`, `number`) is computed in,
/// or for the bytes of its width (`cell`); `$other` for all other dtypes.
macro_rules! by_dtype {
    ($dtype:expr, $T:ident: float => $body:expr, else $other:expr) => {
        $crate::eval::by_dtype!(@ $dtype, $T, $body, $other; F32 => f32, F64 | F16 | BF16 => f64)
    };
    ($dtype:expr, $T:ident: integer => $body:expr, else $other:expr) => {
        $crate::eval::by_dtype!(@ $dtype, $T, $body, $other; I64 | I32 | I16 | I8 | U32 | U16 | U8 => i64, U64 => u64)
    };
    ($dtype:expr, $T:ident: number => $body:expr, else $other:expr) => {
        $crate::eval::by_dtype!(@ $dtype, $T, $body, $other;
            F32 => f32, F64 | F16 | BF16 => f64, I64 | I32 | I16 | I8 | U32 | U16 | U8 => i64, U64 => u64)
    };
    ($dtype:expr, $T:ident: cell => $body:expr, else $other:expr) => {
        match ($dtype, $dtype.whole_bytes()) {
            (edgesmith_ir::DType::String, _) => { type $T = bytes::Bytes; $body }
            #[allow(clippy::clone_on_copy, reason = "the body is written for strings as well")]
            (_, Some(1)) => { type $T = u8; $body }
            #[allow(clippy::clone_on_copy, reason = "the body is written for strings as well")]
            (_, Some(2)) => { type $T = u16; $body }
            #[allow(clippy::clone_on_copy, reason = "the body is written for strings as well")]
            (_, Some(4)) => { type $T = u32; $body }
            #[allow(clippy::clone_on_copy, reason = "the body is written for strings as well")]
            (_, Some(8)) => { type $T = u64; $body }
            #[allow(clippy::clone_on_copy, reason = "the body is written for strings as well")]
            (_, Some(16)) => { type $T = u128; $body }
            _ => $other,
        }
    };
    (@ $dtype:expr, $T:ident, $body:expr, $other:expr; $($($variant:ident)|+ => $t:ty),*) => {
        match $dtype {
            $(#[allow(clippy::absurd_extreme_comparisons, reason = "the body is written for signed types as well")]
            $(edgesmith_ir::DType::$variant)|+ => { type $T = $t; $body })*
            _ => $other,
        }
    };
}
pub(crate) use by_dtype;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_wrap_and_nan_wins() {
        assert_eq!(i64::MIN.over(-1), i64::MIN);
        assert_eq!((-8_i64).shift_right(64), -1);
        assert_eq!(u64::MAX.shift_right(64), 0);
        assert!(f32::NAN.greater(1.0).is_nan());
        assert!(1.0_f32.greater(f32::NAN).is_nan());
        assert!(1.0_f32.lesser(f32::NAN).is_nan());
    }
}
