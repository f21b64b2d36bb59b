//! Evaluation of operators on sequences and optionals.

use edgesmith_ir::op::{ConcatFromSequence, Optional, SequenceEmpty, SplitToSequence};
use edgesmith_ir::{Extents, Tensor};

use super::cx::one;
use super::layout::dims;
use super::movement::{concat_tensors, given_lengths, narrow, slice_at, stack};
use super::{EvalCx, EvalError, Evaluated};
use crate::Value;

fn items<'a>(cx: &EvalCx<'a>) -> Result<&'a [Value], EvalError> {
    match cx.value(0)? {
        Value::Sequence(items) => Ok(items),
        other => Err(cx.error(format!("a sequence is needed, not {}", other.ty()))),
    }
}

/// A position from the front; `last` is the greatest one allowed.
fn position(cx: &EvalCx<'_>, position: i64, length: usize, last: usize) -> Result<usize, EvalError> {
    let at = if position < 0 { position.saturating_add(length as i64) } else { position };
    match usize::try_from(at) {
        Ok(at) if at <= last => Ok(at),
        _ => Err(cx.error(format!("position {position} lies outside a sequence of {length}"))),
    }
}

pub(super) fn sequence_empty(_: &SequenceEmpty, _: &EvalCx<'_>) -> Evaluated {
    one(Value::Sequence(Vec::new()))
}

pub(super) fn sequence_construct(cx: &EvalCx<'_>) -> Evaluated {
    let items: Result<Vec<Value>, EvalError> = (0..cx.operands.len()).map(|slot| cx.value(slot).cloned()).collect();
    one(Value::Sequence(items?))
}

pub(super) fn sequence_at(cx: &EvalCx<'_>) -> Evaluated {
    let items = items(cx)?;
    let at = cx.maybe_int(1)?.ok_or_else(|| cx.error("the position is missing"))?;
    if items.is_empty() {
        return Err(cx.error("the sequence is empty"));
    }
    one(items[position(cx, at, items.len(), items.len() - 1)?].clone())
}

pub(super) fn sequence_length(cx: &EvalCx<'_>) -> Evaluated {
    one(Tensor::scalar(items(cx)?.len() as i64))
}

pub(super) fn sequence_insert(cx: &EvalCx<'_>) -> Evaluated {
    let mut items = items(cx)?.to_vec();
    let at = match cx.maybe_int(2)? {
        Some(at) => position(cx, at, items.len(), items.len())?,
        None => items.len(),
    };
    items.insert(at, cx.value(1)?.clone());
    one(Value::Sequence(items))
}

pub(super) fn sequence_erase(cx: &EvalCx<'_>) -> Evaluated {
    let mut items = items(cx)?.to_vec();
    let Some(last) = items.len().checked_sub(1) else { return Err(cx.error("the sequence is empty")) };
    let at = cx.maybe_int(1)?.map_or(Ok(last), |at| position(cx, at, items.len(), last))?;
    items.remove(at);
    one(Value::Sequence(items))
}

pub(super) fn concat_from_sequence(op: &ConcatFromSequence, cx: &EvalCx<'_>) -> Evaluated {
    let tensors: Option<Vec<&Tensor>> = items(cx)?.iter().map(Value::as_tensor).collect();
    let Some(tensors) = tensors.filter(|tensors| !tensors.is_empty()) else {
        return Err(cx.error("a sequence of at least one tensor is needed"));
    };
    let rank = tensors[0].rank() + usize::from(op.new_axis);
    let axis = cx.axis(op.axis, rank)?;
    if op.new_axis {
        let owned: Vec<Tensor> = tensors.into_iter().cloned().collect();
        one(stack(&owned, axis).map_err(|error| cx.error(error))?)
    } else {
        one(concat_tensors(&tensors, axis).map_err(|error| cx.error(error))?)
    }
}

/// A scalar gives the length of the parts, the last one shorter; without it every part is one wide, and only then may
/// the axis be dropped.
pub(super) fn split_to_sequence(op: &SplitToSequence, cx: &EvalCx<'_>) -> Evaluated {
    let x = cx.tensor(0)?;
    let axis = cx.axis(op.axis, x.rank())?;
    let extent = dims(x)[axis];
    let Some(split) = cx.maybe_tensor(1)? else {
        let part = |at| if op.keepdims { narrow(x, axis, at, 1) } else { slice_at(x, axis, at) };
        let parts: Result<Vec<Value>, EvalError> = (0..extent).map(|at| part(at).map(Value::Tensor)).collect();
        return one(Value::Sequence(parts?));
    };
    let given = cx.ints(1)?;
    let lengths = if split.rank() == 0 {
        let length = usize::try_from(given[0]).ok().filter(|length| *length > 0);
        let Some(length) = length else { return Err(cx.error(format!("parts of length {}", given[0]))) };
        (0..extent.div_ceil(length)).map(|part| length.min(extent - part * length)).collect()
    } else {
        given_lengths(cx, &given, extent)?
    };
    let mut start = 0;
    let mut parts = Vec::with_capacity(lengths.len());
    for length in lengths {
        parts.push(Value::Tensor(narrow(x, axis, start, length)?));
        start += length;
    }
    one(Value::Sequence(parts))
}

pub(super) fn optional(_: &Optional, cx: &EvalCx<'_>) -> Evaluated {
    one(Value::Optional(cx.maybe_value(0).cloned().map(Box::new)))
}

/// A value that is no optional is its own element.
pub(super) fn optional_get_element(cx: &EvalCx<'_>) -> Evaluated {
    match cx.value(0)? {
        Value::Optional(Some(inner)) => one(inner.as_ref().clone()),
        Value::Optional(None) => Err(cx.error("the optional is empty")),
        plain => one(plain.clone()),
    }
}

pub(super) fn optional_has_element(cx: &EvalCx<'_>) -> Evaluated {
    let has = !matches!(cx.maybe_value(0), None | Some(Value::Optional(None)));
    one(Tensor::from_bools(Extents::new(), &[has])?)
}
