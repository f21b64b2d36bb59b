//! The reference evaluator: every typed operator by the specification, in plain loops.
//!
//! Data movement, integers and IEEE elementwise operators are exact; reductions and products accumulate in f64 and
//! round once. One file per family of operators, named as in `edgesmith_ir::op`.

use edgesmith_ir::Op;

use crate::Value;

/// Why an operator cannot be evaluated on these operands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// The evaluator does not compute this operator (or this element type); nothing is wrong with the model.
    #[error("not evaluated: {0}")]
    Unsupported(String),
    /// The specification leaves the result open (a cast out of range, the mean of nothing): never folded.
    #[error("the specification leaves this open: {0}")]
    Undefined(String),
    /// The operands do not fit the operator: index out of range, division by zero, shapes that do not match.
    #[error("{0}")]
    Invalid(String),
    /// The result would be larger than the caller allows.
    #[error("the result needs {bytes} bytes, more than the {limit} allowed")]
    TooLarge {
        /// Bytes needed.
        bytes: u64,
        /// Bytes allowed.
        limit: u64,
    },
}

/// Evaluates one operator without regions on the values of its operands. `results` says which results are wanted; the
/// answer has as many entries, `None` for those that are not wanted. `limit` bounds the bytes of all results together.
pub fn evaluate_op(
    op: &Op,
    operands: &[Option<Value>],
    results: usize,
    limit: u64,
) -> Result<Vec<Option<Value>>, EvalError> {
    let _ = (operands, results, limit);
    Err(EvalError::Unsupported(op.name().to_owned()))
}
