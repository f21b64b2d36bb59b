//! What one evaluation works on: the operands, which results are wanted, and what the caller allows.

use edgesmith_ir::{DType, Tensor, TensorError};

use super::layout::Dims;
use super::{EvalError, EvalOptions};
use crate::Value;

/// What an evaluator of a family returns: results in order; those beyond the wanted ones are dropped, and an entry that
/// is not wanted may be `None`.
pub(crate) type Evaluated = Result<Vec<Option<Value>>, EvalError>;

/// The operands of one operator by slot, with the errors that every family needs.
pub(crate) struct EvalCx<'a> {
    /// The operator's name, for messages.
    pub(crate) name: &'a str,
    /// All operands.
    pub(crate) operands: &'a [Option<Value>],
    /// Which results are wanted.
    pub(crate) wanted: &'a [bool],
    options: &'a EvalOptions,
}

impl<'a> EvalCx<'a> {
    pub(crate) fn new(
        name: &'a str,
        operands: &'a [Option<Value>],
        wanted: &'a [bool],
        options: &'a EvalOptions,
    ) -> Self {
        Self { name, operands, wanted, options }
    }

    /// The value of a required operand.
    pub(crate) fn value(&self, slot: usize) -> Result<&'a Value, EvalError> {
        self.maybe_value(slot).ok_or_else(|| EvalError::Invalid(format!("{} lacks operand {slot}", self.name)))
    }
    /// The value of an operand, if present.
    pub(crate) fn maybe_value(&self, slot: usize) -> Option<&'a Value> {
        self.operands.get(slot)?.as_ref()
    }
    /// A required tensor.
    pub(crate) fn tensor(&self, slot: usize) -> Result<&'a Tensor, EvalError> {
        self.tensor_of(self.value(slot)?, slot)
    }
    /// A tensor, if present.
    pub(crate) fn maybe_tensor(&self, slot: usize) -> Result<Option<&'a Tensor>, EvalError> {
        self.maybe_value(slot).map(|value| self.tensor_of(value, slot)).transpose()
    }
    /// All operands, every one a tensor that is present.
    pub(crate) fn tensors(&self) -> Result<Vec<&'a Tensor>, EvalError> {
        (0..self.operands.len()).map(|slot| self.tensor(slot)).collect()
    }
    fn tensor_of(&self, value: &'a Value, slot: usize) -> Result<&'a Tensor, EvalError> {
        let Value::Tensor(tensor) = value else {
            return Err(EvalError::Invalid(format!("operand {slot} of {} is no tensor but {}", self.name, value.ty())));
        };
        // A splat costs nothing until it is read, but then it must fit; dense tensors already do.
        if matches!(tensor.data(), edgesmith_ir::TensorData::Splat(_)) && tensor.byte_len() > self.options.limit_bytes {
            return Err(EvalError::TooLarge { bytes: tensor.byte_len(), limit: self.options.limit_bytes });
        }
        Ok(tensor)
    }
    /// The elements of a required integer (or bool) tensor of any shape.
    pub(crate) fn ints(&self, slot: usize) -> Result<Vec<i64>, EvalError> {
        let tensor = self.tensor(slot)?;
        tensor.to_ints().ok_or_else(|| self.wrong_dtype(tensor.dtype()))
    }
    /// The elements of an integer tensor, if present.
    pub(crate) fn maybe_ints(&self, slot: usize) -> Result<Option<Vec<i64>>, EvalError> {
        if self.maybe_value(slot).is_none() { Ok(None) } else { self.ints(slot).map(Some) }
    }
    /// The one element of an integer operand (of any rank, as exporters pass `[1]` for a scalar), if present.
    pub(crate) fn maybe_int(&self, slot: usize) -> Result<Option<i64>, EvalError> {
        match self.maybe_ints(slot)?.as_deref() {
            None => Ok(None),
            Some([one]) => Ok(Some(*one)),
            Some(many) => Err(self.error(format!("operand {slot} has {} elements, not one", many.len()))),
        }
    }
    /// The one element of a numeric operand widened to f64, if present.
    pub(crate) fn maybe_f64(&self, slot: usize) -> Result<Option<f64>, EvalError> {
        let Some(tensor) = self.maybe_tensor(slot)? else { return Ok(None) };
        match tensor.to_f64().as_deref() {
            Some([one]) => Ok(Some(*one)),
            _ => Err(self.error(format!("operand {slot} is not one number"))),
        }
    }
    /// Whether a result is wanted.
    pub(crate) fn wants(&self, slot: usize) -> bool {
        self.wanted.get(slot).copied().unwrap_or(false)
    }

    /// An axis counted from the front; negative ones count from the back.
    pub(crate) fn axis(&self, axis: i64, rank: usize) -> Result<usize, EvalError> {
        let from_front = if axis < 0 { axis.checked_add(rank as i64) } else { Some(axis) };
        match from_front.map(usize::try_from) {
            Some(Ok(at)) if at < rank => Ok(at),
            _ => Err(self.error(format!("axis {axis} does not exist in rank {rank}"))),
        }
    }
    /// Several different axes counted from the front, in the order given.
    pub(crate) fn axes(&self, axes: &[i64], rank: usize) -> Result<Dims, EvalError> {
        let mut seen = vec![false; rank];
        let mut found = Dims::new();
        for axis in axes {
            let at = self.axis(*axis, rank)?;
            if std::mem::replace(&mut seen[at], true) {
                return Err(self.error(format!("axis {axis} is named twice")));
            }
            found.push(at);
        }
        Ok(found)
    }

    /// Fails when a result of this type would be larger than allowed; gives the number of its elements. To be asked
    /// before memory is taken.
    pub(crate) fn allow(&self, dtype: DType, dims: &[usize]) -> Result<usize, EvalError> {
        let limit = self.options.limit_bytes;
        let huge = EvalError::TooLarge { bytes: u64::MAX, limit };
        let count = super::layout::count(dims).ok_or_else(|| huge.clone())?;
        // A string is counted as its two pointers.
        let bytes = dtype.byte_len(count as u64).or_else(|| (count as u64).checked_mul(16)).ok_or(huge)?;
        if bytes > limit { Err(EvalError::TooLarge { bytes, limit }) } else { Ok(count) }
    }
    /// Reports a result that the specification leaves open: an error when folding, fine when running.
    pub(crate) fn open(&self, what: &str) -> Result<(), EvalError> {
        if self.options.strict { Err(EvalError::Undefined(format!("{}: {what}", self.name))) } else { Ok(()) }
    }
    /// Whether results that the specification leaves open are errors.
    pub(crate) fn strict(&self) -> bool {
        self.options.strict
    }
    /// The operands do not fit.
    pub(crate) fn error(&self, message: impl std::fmt::Display) -> EvalError {
        EvalError::Invalid(format!("{}: {message}", self.name))
    }
    /// The evaluator does not compute this.
    pub(crate) fn unsupported<T>(&self, what: &str) -> Result<T, EvalError> {
        Err(EvalError::Unsupported(format!("{}: {what}", self.name)))
    }
    /// The evaluator does not compute this operator on this element type.
    pub(crate) fn wrong_dtype(&self, dtype: DType) -> EvalError {
        EvalError::Unsupported(format!("{} on {dtype}", self.name))
    }
}

impl From<TensorError> for EvalError {
    fn from(error: TensorError) -> Self {
        match error {
            TensorError::NotDense => EvalError::Unsupported("sparse tensors".to_owned()),
            other => EvalError::Invalid(other.to_string()),
        }
    }
}

/// One result.
#[expect(clippy::unnecessary_wraps, reason = "it ends an evaluator")]
pub(crate) fn one(tensor: impl Into<Value>) -> Evaluated {
    Ok(vec![Some(tensor.into())])
}
