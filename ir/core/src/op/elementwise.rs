//! Rules of operators that work element by element: broadcast types, and known elements where they are few.

use smallvec::SmallVec;

use super::elements::{self, Arithmetic, Comparison, Function, Logic};
use crate::infer::{InferCx, InferError};
use crate::{Contents, DType, Item, Shape};

/// The result has the type of the first operand.
pub(super) fn same_as_first<K>(_: &K, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    super::checks::same_type(cx, 0, 0);
    Ok(())
}

/// The result has the shape of the first operand and its own element type.
pub(super) fn with_dtype(cx: &mut InferCx<'_>, dtype: Option<DType>) {
    let shape = cx.shape(0).clone();
    cx.set_tensor(0, dtype, shape);
}

/// As [`same_as_first`], and each known element is mapped.
pub(super) fn map(cx: &mut InferCx<'_>, map: impl Fn(DType, &Item) -> Item) {
    super::checks::same_type(cx, 0, 0);
    if let (Some(dtype), Some(contents)) = (cx.dtype(0), cx.contents(0)) {
        cx.set_contents(0, contents.items().iter().map(|item| map(dtype, item)).collect());
    }
}

pub(super) fn function(cx: &mut InferCx<'_>, op: Function) -> Result<(), InferError> {
    map(cx, |dtype, item| elements::function(op, dtype, item));
    Ok(())
}

/// The broadcast of all present operands; the result's element type is that of the first one that is known.
pub(super) fn broadcast_all(cx: &mut InferCx<'_>) -> Result<(Option<DType>, Shape), InferError> {
    let slots: SmallVec<[usize; 4]> = (0..cx.operand_count()).filter(|slot| cx.has(*slot)).collect();
    let mut shape = slots.first().map_or(Shape::Unranked, |slot| cx.shape(*slot).clone());
    for slot in slots.iter().skip(1) {
        let next = cx.shape(*slot).clone();
        shape = cx.broadcast(&shape, &next)?;
    }
    let dtype = slots.iter().find_map(|slot| cx.dtype(*slot));
    Ok((dtype, shape))
}

/// The type of a binary operator's result: the broadcast shape, and the element type given or that of the operands.
fn binary(cx: &mut InferCx<'_>, dtype: Option<DType>) -> Result<(), InferError> {
    let (own, shape) = broadcast_all(cx)?;
    cx.set_tensor(0, dtype.or(own), shape);
    Ok(())
}

/// Sets the result's elements from those of two operands.
fn combine(cx: &mut InferCx<'_>, combine: impl Fn(DType, &Item, &Item) -> Item) {
    let Some(dtype) = cx.dtype(0).or_else(|| cx.dtype(1)) else { return };
    let Some([a, b]) = aligned(cx, [0, 1]) else { return };
    cx.set_contents(0, a.iter().zip(&b).map(|(a, b)| combine(dtype, a, b)).collect());
}

pub(super) fn arithmetic(cx: &mut InferCx<'_>, op: Arithmetic) -> Result<(), InferError> {
    binary(cx, None)?;
    combine(cx, |dtype, a, b| elements::arithmetic(op, dtype, a, b));
    Ok(())
}

pub(super) fn comparison(cx: &mut InferCx<'_>, op: Comparison) -> Result<(), InferError> {
    binary(cx, Some(DType::Bool))?;
    combine(cx, |_, a, b| elements::comparison(op, a, b));
    Ok(())
}

pub(super) fn logic(cx: &mut InferCx<'_>, op: Logic) -> Result<(), InferError> {
    binary(cx, Some(DType::Bool))?;
    combine(cx, |_, a, b| elements::logic(op, a, b));
    Ok(())
}

/// A binary operator whose elements are not followed.
pub(super) fn broadcast<K>(_: &K, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    binary(cx, None)
}

/// The elements of several operands, each repeated to the shape of the first result; `None` unless all are known and few.
pub(super) fn aligned<const N: usize>(cx: &InferCx<'_>, slots: [usize; N]) -> Option<[Vec<Item>; N]> {
    let to = cx.result(0)?.ty.shape().extents()?;
    if element_count(&to)? > Contents::LIMIT || !slots.iter().all(|slot| cx.may_know(*slot)) {
        return None;
    }
    let mut all = [const { Vec::new() }; N];
    for (items, slot) in all.iter_mut().zip(slots) {
        *items = repeated(cx.contents(slot)?.items(), &cx.shape(slot).extents()?, &to)?;
    }
    Some(all)
}

/// Elements of a shape repeated to the shape that it broadcasts to.
pub(super) fn repeated(items: &[Item], from: &[u64], to: &[u64]) -> Option<Vec<Item>> {
    let count = element_count(to)?;
    let lead = to.len().checked_sub(from.len())?;
    if element_count(from)? != items.len() || count > Contents::LIMIT {
        return None;
    }
    if items.len() == count {
        return Some(items.to_vec());
    }
    (0..count as u64)
        .map(|at| {
            let (mut rest, mut index, mut step) = (at, 0, 1);
            for (axis, extent) in to.iter().enumerate().rev() {
                let here = rest % extent;
                rest /= extent;
                if let Some(own) = axis.checked_sub(lead).map(|axis| from[axis]) {
                    index += if own == 1 { 0 } else { here } * step;
                    step *= own;
                }
            }
            items.get(index as usize).cloned()
        })
        .collect()
}

/// The elements at chosen indices of every axis, in row-major order; `None` keeps an axis whole.
pub(super) fn pick(items: &[Item], extents: &[u64], lists: &[Option<Vec<u64>>]) -> Option<Vec<Item>> {
    if element_count(extents)? != items.len() || lists.len() != extents.len() {
        return None;
    }
    let mut offsets: Vec<u64> = vec![0];
    for (extent, list) in extents.iter().zip(lists) {
        let width = list.as_ref().map_or(*extent, |list| list.len() as u64);
        if (offsets.len() as u64).checked_mul(width)? > Contents::LIMIT as u64 {
            return None;
        }
        offsets = offsets
            .iter()
            .flat_map(|offset| {
                // An axis beside an empty one may have any extent.
                (0..width).map(move |at| {
                    offset.saturating_mul(*extent).saturating_add(list.as_ref().map_or(at, |list| list[at as usize]))
                })
            })
            .collect();
    }
    offsets.into_iter().map(|offset| items.get(offset as usize).cloned()).collect()
}

/// The number of elements, if it is one that can be held.
pub(super) fn element_count(extents: &[u64]) -> Option<usize> {
    usize::try_from(crate::element_count(extents).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dim;

    fn items(ints: &[i64]) -> Vec<Item> {
        ints.iter().map(|n| Item::Int(Dim::Known(*n))).collect()
    }

    #[test]
    fn elements_repeat_along_axes_of_one() {
        let cases: &[(&[i64], &[u64], &[u64], &[i64])] = &[
            (&[7], &[], &[3], &[7, 7, 7]),
            (&[1, 2], &[2], &[2, 2], &[1, 2, 1, 2]),
            (&[1, 2], &[2, 1], &[2, 2], &[1, 1, 2, 2]),
            (&[1, 2], &[1, 2], &[0, 2], &[]),
            (&[1, 2, 3, 4], &[2, 1, 2], &[2, 2, 2], &[1, 2, 1, 2, 3, 4, 3, 4]),
        ];
        for (given, from, to, expected) in cases {
            assert_eq!(repeated(&items(given), from, to), Some(items(expected)), "{from:?} {to:?}");
        }
        assert_eq!(repeated(&items(&[1]), &[], &[1000]), None);
        assert_eq!(repeated(&items(&[1, 2]), &[3], &[3]), None);
    }

    #[test]
    fn picks_follow_every_axis() {
        let six = items(&[0, 1, 2, 3, 4, 5]);
        assert_eq!(pick(&six, &[2, 3], &[None, Some(vec![2, 0])]), Some(items(&[2, 0, 5, 3])));
        assert_eq!(pick(&six, &[2, 3], &[Some(vec![1]), None]), Some(items(&[3, 4, 5])));
        assert_eq!(pick(&six, &[2, 3], &[Some(vec![]), None]), Some(vec![]));
        assert_eq!(pick(&six, &[2, 3], &[Some(vec![2]), None]), None);
        assert_eq!(pick(&six, &[7], &[None]), None);
    }

    #[test]
    fn an_axis_beside_an_empty_one_may_have_any_extent() {
        // Found by fuzzing: the offset of an element that does not exist.
        assert_eq!(pick(&[], &[0, u64::MAX], &[Some(vec![1]), Some(vec![u64::MAX])]), None);
    }
}
