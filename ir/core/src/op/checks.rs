//! Checks and small computations that rules of inference share.

use crate::infer::{InferCx, InferError};
use crate::{Contents, DType, Dim, Dims, Shape};

/// The dims of an operand of known rank, detached from the frame.
pub(super) fn dims(cx: &InferCx<'_>, slot: usize) -> Option<Dims> {
    cx.dims(slot).map(Into::into)
}

/// The dims of an operand that must have this rank; `None` when the rank is not known.
pub(super) fn dims_of_rank(cx: &InferCx<'_>, slot: usize, rank: usize, name: &str) -> Result<Option<Dims>, InferError> {
    match dims(cx, slot) {
        Some(dims) if dims.len() != rank => Err(wrong_rank(name, &rank.to_string(), dims.len())),
        dims => Ok(dims),
    }
}

/// The error for an operand of a wrong rank.
pub(super) fn wrong_rank(name: &str, wanted: &str, found: usize) -> InferError {
    InferError::new(format!("{name} must have rank {wanted}, not {found}"))
}

/// The result has the type of an operand.
pub(super) fn same_type(cx: &mut InferCx<'_>, result: usize, operand: usize) {
    let ty = cx.ty(operand).clone();
    cx.set(result, ty);
}

/// An operand that, where present, must be a vector of this many elements. Returns what is then known of the number.
pub(super) fn vector_of(cx: &mut InferCx<'_>, slot: usize, count: &Dim, name: &str) -> Result<Dim, InferError> {
    match dims_of_rank(cx, slot, 1, name)? {
        Some(dims) => cx.equal(count, &dims[0], &format!("the elements of {name}")),
        None => Ok(count.clone()),
    }
}

/// An operand that, where present, must broadcast to `dims` without changing them.
pub(super) fn broadcasts_to(cx: &InferCx<'_>, slot: usize, target: &[Dim], name: &str) -> Result<(), InferError> {
    let Some(dims) = cx.dims(slot) else { return Ok(()) };
    let fits = dims.len() <= target.len()
        && dims.iter().rev().zip(target.iter().rev()).all(|(from, to)| match (from, to) {
            (Dim::Known(1), _) => true,
            (Dim::Known(from), Dim::Known(to)) => from == to,
            _ => true,
        });
    if fits {
        return Ok(());
    }
    let target = Shape::Ranked(target.into());
    Err(InferError::new(format!("{name} of shape {} does not broadcast to {target}", cx.shape(slot))))
}

/// The product of dims.
pub(super) fn product(dims: &[Dim]) -> Dim {
    dims.iter().fold(Dim::Known(1), |product, dim| product.mul(dim))
}

/// The number of elements of a result.
pub(super) fn result_elements(cx: &InferCx<'_>, slot: usize) -> Dim {
    cx.result(slot).map_or(Dim::Unknown, |fact| fact.ty.shape().elements())
}

/// The element type of an attribute that holds ONNX's number of it.
pub(super) fn dtype_of_number(number: i64, attribute: &str) -> Result<DType, InferError> {
    i32::try_from(number)
        .ok()
        .and_then(DType::from_onnx)
        .ok_or_else(|| InferError::new(format!("attribute '{attribute}' is {number}, which is no element type")))
}

/// The dims that a shape operand spells out: known elements, else as many unknown ones as it has.
pub(super) fn dims_of_contents(cx: &InferCx<'_>, slot: usize) -> Option<Vec<Dim>> {
    if let Some(contents) = cx.contents(slot) {
        return Some(contents.dims());
    }
    match cx.dims(slot)? {
        [Dim::Known(rank)] => {
            usize::try_from(*rank).ok().filter(|rank| *rank <= MAX_RANK).map(|rank| vec![Dim::Unknown; rank])
        }
        _ => None,
    }
}

/// Longer shapes are not spelled out.
pub(super) const MAX_RANK: usize = Contents::LIMIT;

/// The dim, or a symbol of the result's own where it is unknown.
pub(super) fn known_or_fresh(cx: &InferCx<'_>, dim: Dim, result: usize, axis: usize) -> Dim {
    if dim.is_unknown() { cx.fresh(result, axis) } else { dim }
}
