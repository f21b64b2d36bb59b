//! Element types as Rust types: arithmetic, rounding, and the choice of a type by dtype.

use std::borrow::Cow;

use bytes::Bytes;
use edgesmith_ir::{DType, Element, Tensor};
use half::{bf16, f16};

use super::EvalError;
use super::layout;

/// A number that operators compute with. Integers wrap; f16 and bf16 are computed in f64 and rounded once.
pub(crate) trait Number: Element + PartialOrd + Default + std::fmt::Debug {
    /// Zero.
    const ZERO: Self;
    /// One.
    const ONE: Self;
    /// The least value: minus infinity, or the minimum.
    const LOWEST: Self;
    /// The greatest value: infinity, or the maximum.
    const HIGHEST: Self;
    /// Whether it is a float.
    const FLOAT: bool;
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
    /// An integer rounded once for floats; its low bits for integers.
    fn from_integer(x: i128) -> Self;
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

/// An integer of 8 to 64 bits.
pub(crate) trait Integer: Number + Into<i128> {
    /// Whether it is signed.
    const SIGNED: bool;
    /// Every bit inverted.
    fn not(self) -> Self;
    /// Bits moved up; zero when all of them leave, as for a negative count.
    fn shift_left(self, by: Self) -> Self;
    /// Bits moved down, the sign repeated; all of them leave by the width or more, and for a negative count.
    fn shift_right(self, by: Self) -> Self;
}

macro_rules! floats {
    ($($t:ty),*) => { $(impl Number for $t {
        const ZERO: Self = 0.0;
        const ONE: Self = 1.0;
        const LOWEST: Self = <$t>::NEG_INFINITY;
        const HIGHEST: Self = <$t>::INFINITY;
        const FLOAT: bool = true;
        fn plus(self, other: Self) -> Self { self + other }
        fn minus(self, other: Self) -> Self { self - other }
        fn times(self, other: Self) -> Self { self * other }
        fn over(self, other: Self) -> Self { self / other }
        fn remainder(self, other: Self) -> Self { self % other }
        fn wide(self) -> f64 { f64::from(self) }
        fn narrow(x: f64) -> Self { x as Self }
        fn from_integer(x: i128) -> Self { x as Self }
        fn nan(self) -> bool { self.is_nan() }
    })* };
}
floats!(f32, f64);

macro_rules! halves {
    ($($t:ty = $narrow:expr),*) => { $(impl Number for $t {
        const ZERO: Self = <$t>::ZERO;
        const ONE: Self = <$t>::ONE;
        const LOWEST: Self = <$t>::NEG_INFINITY;
        const HIGHEST: Self = <$t>::INFINITY;
        const FLOAT: bool = true;
        fn plus(self, other: Self) -> Self { Self::narrow(self.wide() + other.wide()) }
        fn minus(self, other: Self) -> Self { Self::narrow(self.wide() - other.wide()) }
        fn times(self, other: Self) -> Self { Self::narrow(self.wide() * other.wide()) }
        fn over(self, other: Self) -> Self { Self::narrow(self.wide() / other.wide()) }
        fn remainder(self, other: Self) -> Self { Self::narrow(self.wide() % other.wide()) }
        fn wide(self) -> f64 { f64::from(self.to_f32()) }
        fn narrow(x: f64) -> Self { $narrow(round_to_odd(x)) }
        fn from_integer(x: i128) -> Self { Self::narrow(keep_inexact(x)) }
        fn nan(self) -> bool { self.is_nan() }
    })* };
}
halves!(f16 = f16::from_f32, bf16 = bf16::from_f32);

/// The f32 that is exact, or else of the two neighbours the one with an odd significand. A second rounding to at most 22
/// bits then gives what a single rounding of `x` would have given; rounding to nearest twice does not.
fn round_to_odd(x: f64) -> f32 {
    let near = x as f32;
    let back = f64::from(near);
    if back == x || x.is_nan() || near.to_bits() & 1 == 1 && near.is_finite() {
        return near;
    }
    // The other neighbour lies on x's side of the even one: one step in magnitude.
    if back.abs() > x.abs() { f32::from_bits(near.to_bits() - 1) } else { f32::from_bits(near.to_bits() + 1) }
}

macro_rules! integers {
    ($($t:ty),*) => { $(impl Number for $t {
        const ZERO: Self = 0;
        const ONE: Self = 1;
        const LOWEST: Self = <$t>::MIN;
        const HIGHEST: Self = <$t>::MAX;
        const FLOAT: bool = false;
        fn plus(self, other: Self) -> Self { self.wrapping_add(other) }
        fn minus(self, other: Self) -> Self { self.wrapping_sub(other) }
        fn times(self, other: Self) -> Self { self.wrapping_mul(other) }
        fn over(self, other: Self) -> Self { if other == 0 { 0 } else { self.wrapping_div(other) } }
        fn remainder(self, other: Self) -> Self { if other == 0 { 0 } else { self.wrapping_rem(other) } }
        fn wide(self) -> f64 { self as f64 }
        fn narrow(x: f64) -> Self { x as Self }
        fn from_integer(x: i128) -> Self { x as Self }
    }
    impl Integer for $t {
        #[allow(unused_comparisons, reason = "unsigned types")]
        const SIGNED: bool = <$t>::MIN < 0;
        fn not(self) -> Self { !self }
        fn shift_left(self, by: Self) -> Self { u32::try_from(by).ok().and_then(|by| self.checked_shl(by)).unwrap_or(0) }
        fn shift_right(self, by: Self) -> Self {
            u32::try_from(by).ok().and_then(|by| self.checked_shr(by)).unwrap_or(if Self::SIGNED { self >> (Self::BITS - 1) } else { 0 })
        }
    })* };
}
integers!(i8, i16, i32, i64, u8, u16, u32, u64);

/// An integer as f64 whose lowest bit is set when it is not exact, so that a later rounding to fewer bits is right.
fn keep_inexact(x: i128) -> f64 {
    let magnitude = x.unsigned_abs();
    let shift = (128 - magnitude.leading_zeros()).saturating_sub(53);
    let kept = magnitude >> shift;
    let sticky = u128::from(kept << shift != magnitude);
    let wide = ((kept | sticky) << shift) as f64;
    if x < 0 { -wide } else { wide }
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

/// Evaluates `$body` with `$T` standing for the Rust type of a dtype of a class (`float`, `integer`, `number`), or for the
/// bytes of its width (`cell`); `$other` for all other dtypes.
macro_rules! by_dtype {
    ($dtype:expr, $T:ident: float => $body:expr, else $other:expr) => {
        $crate::eval::by_dtype!(@ $dtype, $T, $body, $other; F32 f32, F64 f64, F16 half::f16, BF16 half::bf16)
    };
    ($dtype:expr, $T:ident: integer => $body:expr, else $other:expr) => {
        $crate::eval::by_dtype!(@ $dtype, $T, $body, $other;
            I8 i8, I16 i16, I32 i32, I64 i64, U8 u8, U16 u16, U32 u32, U64 u64)
    };
    ($dtype:expr, $T:ident: number => $body:expr, else $other:expr) => {
        $crate::eval::by_dtype!(@ $dtype, $T, $body, $other;
            F32 f32, F64 f64, F16 half::f16, BF16 half::bf16,
            I8 i8, I16 i16, I32 i32, I64 i64, U8 u8, U16 u16, U32 u32, U64 u64)
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
    (@ $dtype:expr, $T:ident, $body:expr, $other:expr; $($variant:ident $t:ty),*) => {
        match $dtype {
            $(#[allow(clippy::absurd_extreme_comparisons, reason = "the body is written for signed types as well")]
            edgesmith_ir::DType::$variant => { type $T = $t; $body })*
            _ => $other,
        }
    };
}
pub(crate) use by_dtype;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_rounded_once() {
        // Rounding through f32 first would lose the last bit and then break the tie to even.
        let x = 1.0 + 2f64.powi(-11) + 2f64.powi(-40);
        assert_eq!(f16::narrow(x).to_f64(), 1.0 + 2f64.powi(-10));
        assert_eq!(f16::narrow(1.0 + 2f64.powi(-11)).to_f64(), 1.0);
        assert_eq!(f16::narrow(-x).to_f64(), -1.0 - 2f64.powi(-10));
        assert_eq!(f16::narrow(65519.99).to_f64(), 65504.0);
        assert_eq!(f16::narrow(65520.0), f16::INFINITY);
        assert_eq!(f16::narrow(1e300), f16::INFINITY);
        assert_eq!(f16::narrow(2f64.powi(-25)).to_f64(), 0.0);
        assert_eq!(f16::narrow(2f64.powi(-25) * 1.000_000_1).to_f64(), 2f64.powi(-24));
        let y = 1.0 + 2f64.powi(-8) + 2f64.powi(-40);
        assert_eq!(bf16::narrow(y).to_f64(), 1.0 + 2f64.powi(-7));
        assert_eq!(bf16::narrow(-1e300), bf16::NEG_INFINITY);
        assert!(f16::narrow(f64::NAN).is_nan());
        assert!(f16::narrow(-0.0).is_sign_negative());
    }

    #[test]
    fn integers_wrap_and_nan_wins() {
        assert_eq!(i8::MIN.over(-1), i8::MIN);
        assert_eq!(200_u8.plus(100), 44);
        assert!(f32::NAN.greater(1.0).is_nan());
        assert!(1.0_f32.greater(f32::NAN).is_nan());
        assert!(1.0_f32.lesser(f32::NAN).is_nan());
    }
}
