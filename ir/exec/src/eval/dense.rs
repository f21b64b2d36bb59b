//! What the numerical families share: access to operands, elements widened to f64, results rounded once.
//!
//! Knows no operator.

use std::borrow::Cow;

use edgesmith_ir::{DType, Tensor};

use super::layout::strides;
use super::stored;
use super::{EvalCx, EvalError, Evaluated};
use crate::Value;

impl EvalCx<'_> {
    /// The float tensor in a slot, widened.
    pub(super) fn floats(&self, slot: usize) -> Result<Dense, EvalError> {
        let tensor = self.tensor(slot)?;
        if tensor.dtype().is_float() { Dense::numbers(tensor) } else { Err(self.wrong_dtype(tensor.dtype())) }
    }
    /// The float tensor in a slot, widened, if there is one.
    pub(super) fn maybe_floats(&self, slot: usize) -> Result<Option<Dense>, EvalError> {
        if self.maybe_value(slot).is_none() { Ok(None) } else { self.floats(slot).map(Some) }
    }
    /// The one number in a slot.
    pub(super) fn scalar(&self, slot: usize) -> Result<f64, EvalError> {
        self.maybe_f64(slot)?.ok_or_else(|| self.error(format!("operand {slot} is missing")))
    }
    /// Checks that results of these types and shapes may be made together; to be asked before memory is taken.
    pub(super) fn allow_all(&self, results: &[(DType, &[usize])]) -> Result<(), EvalError> {
        results.iter().try_for_each(|(dtype, dims)| self.allow(*dtype, dims).map(|_| ()))
    }
}

/// Several results, in order.
pub(super) fn answer<const N: usize>(results: [Option<Tensor>; N]) -> Evaluated {
    Ok(results.into_iter().map(|tensor| tensor.map(Value::Tensor)).collect())
}

/// The operands do not fit.
pub(super) fn invalid(message: impl Into<String>) -> EvalError {
    EvalError::Invalid(message.into())
}

/// The evaluator does not do this.
pub(super) fn unsupported(message: impl Into<String>) -> EvalError {
    EvalError::Unsupported(message.into())
}

/// The extents of a tensor as indices.
pub(super) fn shape_of(tensor: &Tensor) -> Vec<usize> {
    tensor.shape().iter().map(|extent| *extent as usize).collect()
}

/// The next index in row-major order; false after the last.
pub(super) fn step(index: &mut [usize], shape: &[usize]) -> bool {
    for axis in (0..shape.len()).rev() {
        index[axis] += 1;
        if index[axis] < shape[axis] {
            return true;
        }
        index[axis] = 0;
    }
    false
}

/// For each element of `target`, row-major, the element of a tensor of shape `own` that is broadcast to it.
pub(super) fn spread(own: &[usize], target: &[usize]) -> Result<Vec<usize>, EvalError> {
    let fits = own.len() <= target.len() && own.iter().rev().zip(target.iter().rev()).all(|(x, y)| *x == 1 || x == y);
    if !fits {
        return Err(invalid(format!("shape {own:?} does not broadcast to {target:?}")));
    }
    let (lead, own_strides) = (target.len() - own.len(), strides(own));
    let mut places = vec![0];
    for (axis, extent) in target.iter().enumerate() {
        let stride = if axis < lead || own[axis - lead] == 1 { 0 } else { own_strides[axis - lead] };
        places = places.iter().flat_map(|place| (0..*extent).map(move |i| place + i * stride)).collect();
    }
    Ok(places)
}

/// A tensor widened to f64, row-major.
#[derive(Clone, Debug)]
pub(super) struct Dense {
    /// The type that the elements came from.
    pub(super) dtype: DType,
    /// Extents.
    pub(super) shape: Vec<usize>,
    /// Elements.
    pub(super) data: Vec<f64>,
}

impl Dense {
    /// A tensor of any numbers; 64-bit integers beyond 2^53 are rounded.
    pub(super) fn numbers(tensor: &Tensor) -> Result<Self, EvalError> {
        Ok(Self { dtype: tensor.dtype(), shape: shape_of(tensor), data: Numbers::of(tensor)?.all() })
    }
    /// The rank.
    pub(super) fn rank(&self) -> usize {
        self.shape.len()
    }
}

/// Rounds f64 elements once to a float type.
pub(super) fn rounded(dtype: DType, shape: &[usize], data: &[f64]) -> Result<Tensor, EvalError> {
    stored::rounded(dtype, shape, data)
}

/// An f64 rounded once to a float type and widened again; other types leave it as it is.
pub(super) fn round_to(dtype: DType, x: f64) -> f64 {
    stored::settled(dtype, x)
}

/// Elements of a tensor, read as f64 where they are needed.
pub(super) enum Numbers<'a> {
    F32(Cow<'a, [f32]>),
    F64(Cow<'a, [f64]>),
    F16(Cow<'a, [half::f16]>),
    BF16(Cow<'a, [half::bf16]>),
    U8(Cow<'a, [u8]>),
    I8(Cow<'a, [i8]>),
    Wide(Vec<f64>),
}

impl<'a> Numbers<'a> {
    /// The elements of a numeric tensor.
    pub(super) fn of(tensor: &'a Tensor) -> Result<Self, EvalError> {
        Ok(match tensor.dtype() {
            DType::F32 => Numbers::F32(tensor.view()?),
            DType::F64 => Numbers::F64(tensor.view()?),
            DType::F16 => Numbers::F16(tensor.view()?),
            DType::BF16 => Numbers::BF16(tensor.view()?),
            DType::U8 => Numbers::U8(tensor.view()?),
            DType::I8 => Numbers::I8(tensor.view()?),
            other => Numbers::Wide(
                tensor.to_f64().ok_or_else(|| unsupported(format!("numbers are needed, not dense {other}")))?,
            ),
        })
    }
    /// One element.
    pub(super) fn get(&self, index: usize) -> f64 {
        match self {
            Numbers::F32(x) => f64::from(x[index]),
            Numbers::F64(x) => x[index],
            Numbers::F16(x) => x[index].to_f64(),
            Numbers::BF16(x) => x[index].to_f64(),
            Numbers::U8(x) => f64::from(x[index]),
            Numbers::I8(x) => f64::from(x[index]),
            Numbers::Wide(x) => x[index],
        }
    }
    /// Fills `out` with the elements from `start` on.
    pub(super) fn read(&self, start: usize, out: &mut [f64]) {
        fn widen<T: Copy>(from: &[T], out: &mut [f64], widen: impl Fn(T) -> f64) {
            for (to, x) in out.iter_mut().zip(from) {
                *to = widen(*x);
            }
        }
        let end = start + out.len();
        match self {
            Numbers::F32(x) => widen(&x[start..end], out, f64::from),
            Numbers::F64(x) => out.copy_from_slice(&x[start..end]),
            Numbers::F16(x) => widen(&x[start..end], out, half::f16::to_f64),
            Numbers::BF16(x) => widen(&x[start..end], out, half::bf16::to_f64),
            Numbers::U8(x) => widen(&x[start..end], out, f64::from),
            Numbers::I8(x) => widen(&x[start..end], out, f64::from),
            Numbers::Wide(x) => out.copy_from_slice(&x[start..end]),
        }
    }
    /// How many elements there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Numbers::F32(x) => x.len(),
            Numbers::F64(x) => x.len(),
            Numbers::F16(x) => x.len(),
            Numbers::BF16(x) => x.len(),
            Numbers::U8(x) => x.len(),
            Numbers::I8(x) => x.len(),
            Numbers::Wide(x) => x.len(),
        }
    }
    /// All elements.
    pub(super) fn all(&self) -> Vec<f64> {
        let mut out = vec![0.0; self.len()];
        self.read(0, &mut out);
        out
    }
}
