//! Evaluation of operators that move elements: joining, splitting, permuting, slicing.

use edgesmith_ir::op::{
    BlockOrder, Concat, DepthToSpace, OneHot, ReverseSequence, SpaceToDepth, Split, Transpose, Trilu,
};
use edgesmith_ir::{DType, SparseData, Tensor, TensorData};

use super::cx::one;
use super::layout::{Dims, around, count, dims, extents, strides};
use super::map::{pick, transpose as permute};
use super::number::{Cell, by_dtype};
use super::{EvalCx, EvalError, Evaluated};

pub(super) use super::padding::{center_crop_pad, col2im, pad};

/// The same kind of error wherever a tensor's element type cannot be moved.
pub(super) fn unmovable(dtype: DType) -> EvalError {
    EvalError::Unsupported(format!("moving elements of {dtype}"))
}

/// The same element everywhere, under other extents.
pub(super) fn splat_like(x: &Tensor, dims: &[usize]) -> Result<Option<Tensor>, EvalError> {
    match x.data() {
        TensorData::Splat(element) => Ok(Some(Tensor::splat(x.dtype(), extents(dims), element.clone())?)),
        _ => Ok(None),
    }
}

/// A tensor without elements. `dims` has a zero.
pub(crate) fn empty(dtype: DType, dims: &[usize]) -> Result<Tensor, EvalError> {
    match dtype {
        DType::String => Ok(Tensor::strings(extents(dims), Vec::new())?),
        _ => Ok(Tensor::dense(dtype, extents(dims), bytes::Bytes::new())?),
    }
}

/// Tensors of one element type joined along an axis that all of them have.
pub(crate) fn concat_tensors(parts: &[&Tensor], axis: usize) -> Result<Tensor, EvalError> {
    let Some(first) = parts.first() else { return Err(EvalError::Invalid("nothing to join".to_owned())) };
    let mut out = dims(first);
    out[axis] = 0;
    for part in parts {
        let shape = dims(part);
        let same =
            shape.len() == out.len() && shape.iter().zip(&out).enumerate().all(|(k, (a, b))| k == axis || a == b);
        if !same || part.dtype() != first.dtype() {
            return Err(EvalError::Invalid(format!(
                "{}{:?} and {}{:?} cannot be joined along axis {axis}",
                first.dtype(),
                first.shape(),
                part.dtype(),
                part.shape()
            )));
        }
        out[axis] += shape[axis];
    }
    let (outer, _, inner) = around(&out, axis);
    by_dtype!(first.dtype(), T: cell => {
        let sources: Result<Vec<_>, EvalError> = parts.iter().map(|part| T::cells(part)).collect();
        let sources = sources?;
        let mut joined: Vec<T> = Vec::with_capacity(count(&out).unwrap_or(0));
        for row in 0..outer {
            for (part, source) in parts.iter().zip(&sources) {
                let run = part.shape()[axis] as usize * inner;
                joined.extend_from_slice(&source[row * run..(row + 1) * run]);
            }
        }
        <T as Cell>::tensor(first.dtype(), &out, joined)
    }, else Err(unmovable(first.dtype())))
}

/// Tensors of one type joined along a new axis.
pub(crate) fn stack(parts: &[Tensor], axis: usize) -> Result<Tensor, EvalError> {
    let widened: Result<Vec<Tensor>, EvalError> = parts
        .iter()
        .map(|part| {
            let mut shape = extents(&dims(part));
            shape.insert(axis.min(shape.len()), 1);
            Ok(part.reshaped(shape)?)
        })
        .collect();
    concat_tensors(&widened?.iter().collect::<Vec<_>>(), axis)
}

/// Elements `[start, start + length)` of an axis.
pub(crate) fn narrow(x: &Tensor, axis: usize, start: usize, length: usize) -> Result<Tensor, EvalError> {
    let shape = dims(x);
    let (outer, extent, inner) = around(&shape, axis);
    let mut out = shape.clone();
    out[axis] = length;
    if let Some(splat) = splat_like(x, &out)? {
        return Ok(splat);
    }
    by_dtype!(x.dtype(), T: cell => {
        let source = T::cells(x)?;
        let mut part: Vec<T> = Vec::with_capacity(outer * length * inner);
        for row in 0..outer {
            let from = (row * extent + start) * inner;
            part.extend_from_slice(&source[from..from + length * inner]);
        }
        <T as Cell>::tensor(x.dtype(), &out, part)
    }, else Err(unmovable(x.dtype())))
}

/// The element at an index of an axis, which is dropped.
pub(crate) fn slice_at(x: &Tensor, axis: usize, index: usize) -> Result<Tensor, EvalError> {
    let part = narrow(x, axis, index, 1)?;
    let mut shape = extents(&dims(x));
    shape.remove(axis);
    Ok(part.reshaped(shape)?)
}

/// A sparse tensor written out.
pub(crate) fn densify(x: &Tensor, sparse: &SparseData) -> Result<Tensor, EvalError> {
    let bad = || EvalError::Invalid("an index of a sparse tensor lies outside its shape".to_owned());
    let shape = dims(x);
    let total = count(&shape).ok_or_else(bad)?;
    let indices = sparse.indices.to_ints().ok_or_else(bad)?;
    let steps = strides(&shape);
    let offsets: Vec<usize> = match sparse.indices.rank() {
        2 => indices
            .chunks(shape.len().max(1))
            .map(|index| {
                index.iter().zip(&steps).map(|(i, step)| usize::try_from(*i).unwrap_or(usize::MAX / 64) * step).sum()
            })
            .collect(),
        _ => indices.iter().map(|i| usize::try_from(*i).unwrap_or(usize::MAX)).collect(),
    };
    by_dtype!(x.dtype(), T: cell => {
        let mut dense = vec![T::default(); total];
        for (offset, value) in offsets.iter().zip(T::cells(&sparse.values)?.iter()) {
            *dense.get_mut(*offset).ok_or_else(bad)? = value.clone();
        }
        <T as Cell>::tensor(x.dtype(), &shape, dense)
    }, else Err(unmovable(x.dtype())))
}

/// Axes permuted; a splat stays one.
pub(crate) fn transposed(x: &Tensor, perm: &[usize]) -> Result<Tensor, EvalError> {
    let shape = dims(x);
    let out: Dims = perm.iter().map(|axis| shape[*axis]).collect();
    if let Some(splat) = splat_like(x, &out)? {
        return Ok(splat);
    }
    by_dtype!(x.dtype(), T: cell => <T as Cell>::tensor(x.dtype(), &out, permute(&T::cells(x)?, &shape, perm)),
        else Err(unmovable(x.dtype())))
}

pub(super) fn identity(cx: &EvalCx<'_>) -> Evaluated {
    one(cx.value(0)?.clone())
}

pub(super) fn transpose(op: &Transpose, cx: &EvalCx<'_>) -> Evaluated {
    let x = cx.tensor(0)?;
    let perm: Dims = if op.perm.is_empty() { (0..x.rank()).rev().collect() } else { cx.axes(&op.perm, x.rank())? };
    if perm.len() != x.rank() {
        return Err(cx.error(format!("the permutation {:?} does not fit rank {}", op.perm, x.rank())));
    }
    one(transposed(x, &perm)?)
}

pub(super) fn concat(op: &Concat, cx: &EvalCx<'_>) -> Evaluated {
    let parts = cx.tensors()?;
    let Some(first) = parts.first() else { return Err(cx.error("no operands")) };
    let axis = cx.axis(op.axis, first.rank())?;
    let mut out = dims(first);
    let lengths = parts.iter().map(|part| part.shape().get(axis).copied().unwrap_or(0));
    out[axis] = lengths.fold(0_u64, u64::saturating_add) as usize;
    cx.allow(first.dtype(), &out)?;
    one(concat_tensors(&parts, axis).map_err(|error| cx.error(error))?)
}

/// Lengths of parts: those given, or equal ones of which the last may be smaller (or empty).
pub(super) fn part_lengths(extent: usize, parts: usize) -> Vec<usize> {
    let length = extent.div_ceil(parts.max(1));
    (0..parts).map(|part| extent.saturating_sub(part * length).min(length)).collect()
}

/// The lengths of an integer operand, which add up to the extent.
pub(super) fn given_lengths(cx: &EvalCx<'_>, lengths: &[i64], extent: usize) -> Result<Vec<usize>, EvalError> {
    let parts: Option<Vec<usize>> = lengths.iter().map(|n| usize::try_from(*n).ok()).collect();
    match parts {
        Some(parts) if parts.iter().try_fold(0_usize, |sum, n| sum.checked_add(*n)) == Some(extent) => Ok(parts),
        _ => Err(cx.error(format!("the parts {lengths:?} do not add up to {extent}"))),
    }
}

pub(super) fn split(op: &Split, cx: &EvalCx<'_>) -> Evaluated {
    let x = cx.tensor(0)?;
    let axis = cx.axis(op.axis, x.rank())?;
    let extent = dims(x)[axis];
    let lengths = if let Some(lengths) = cx.maybe_ints(1)? {
        given_lengths(cx, &lengths, extent)?
    } else {
        {
            let parts = op.num_outputs.map_or(Ok(cx.wanted.len()), usize::try_from);
            let parts = parts.map_err(|_| cx.error("a negative number of parts"))?;
            if parts > extent.max(cx.wanted.len()).saturating_add(1) && parts > 65_536 {
                return Err(cx.error(format!("{parts} parts of {extent} elements")));
            }
            part_lengths(extent, parts)
        }
    };
    let mut results = Vec::with_capacity(lengths.len());
    let mut start = 0;
    for (slot, length) in lengths.into_iter().enumerate() {
        results.push(if cx.wants(slot) { Some(narrow(x, axis, start, length)?.into()) } else { None });
        start += length;
    }
    Ok(results)
}

/// The indices that a slice takes of an axis. Bounds beyond the axis are clamped, so that the largest integers mean "to
/// the end"; with a negative step a start before the axis is its first element.
fn slice_indices(extent: usize, start: i64, end: i64, step: i64) -> Vec<usize> {
    let n = extent as i128;
    let from_front = |bound: i64| if bound < 0 { i128::from(bound) + n } else { i128::from(bound) };
    let step = i128::from(step);
    let (start, end) = if step > 0 {
        (from_front(start).clamp(0, n), from_front(end).clamp(0, n))
    } else {
        (from_front(start).clamp(0, (n - 1).max(0)), from_front(end).clamp(-1, (n - 1).max(-1)))
    };
    let length = if step > 0 { (end - start + step - 1) / step } else { (start - end - step - 1) / -step };
    (0..length.max(0)).map(|k| (start + k * step) as usize).take(extent).collect()
}

pub(super) fn slice(cx: &EvalCx<'_>) -> Evaluated {
    let x = cx.tensor(0)?;
    let shape = dims(x);
    let (starts, ends) = (cx.ints(1)?, cx.ints(2)?);
    let named = cx.maybe_ints(3)?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = cx.maybe_ints(4)?.unwrap_or_else(|| vec![1; starts.len()]);
    if ends.len() != starts.len() || named.len() != starts.len() || steps.len() != starts.len() {
        return Err(cx.error("starts, ends, axes and steps differ in length"));
    }
    let mut lists: Vec<Option<Vec<usize>>> = vec![None; shape.len()];
    for (at, axis) in cx.axes(&named, shape.len())?.into_iter().enumerate() {
        if steps[at] == 0 {
            return Err(cx.error("a step of zero"));
        }
        let indices = slice_indices(shape[axis], starts[at], ends[at], steps[at]);
        let whole = indices.len() == shape[axis] && indices.first().is_none_or(|first| *first == 0) && steps[at] > 0;
        lists[axis] = if whole { None } else { Some(indices) };
    }
    one(picked(x, &lists)?)
}

/// [`pick`] for a tensor.
pub(super) fn picked(x: &Tensor, lists: &[Option<Vec<usize>>]) -> Result<Tensor, EvalError> {
    let shape = dims(x);
    if lists.iter().all(Option::is_none) {
        return Ok(x.clone());
    }
    let out: Dims = shape.iter().zip(lists).map(|(n, list)| list.as_ref().map_or(*n, Vec::len)).collect();
    if let Some(splat) = splat_like(x, &out)? {
        return Ok(splat);
    }
    by_dtype!(x.dtype(), T: cell => <T as Cell>::tensor(x.dtype(), &out, pick(&T::cells(x)?, &shape, lists)),
        else Err(unmovable(x.dtype())))
}

/// A tensor taken apart into `parts`, permuted, and put together as `out`.
fn rearranged(x: &Tensor, parts: &[usize], perm: &[usize], out: &[usize]) -> Evaluated {
    let apart = x.reshaped(extents(parts))?;
    one(transposed(&apart, perm)?.reshaped(extents(out))?)
}

fn image<'a>(cx: &EvalCx<'a>, block: i64) -> Result<(&'a Tensor, [usize; 4], usize), EvalError> {
    let x = cx.tensor(0)?;
    let block = usize::try_from(block).ok().filter(|block| *block > 0);
    match (dims(x).as_slice(), block) {
        ([n, c, h, w], Some(block)) => Ok((x, [*n, *c, *h, *w], block)),
        _ => Err(cx.error("a tensor of rank 4 and a positive block size are needed")),
    }
}

pub(super) fn depth_to_space(op: &DepthToSpace, cx: &EvalCx<'_>) -> Evaluated {
    let (x, [n, c, h, w], s) = image(cx, op.blocksize)?;
    let depth = c.checked_div(s.saturating_mul(s)).unwrap_or(0);
    if Some(c) != depth.checked_mul(s).and_then(|d| d.checked_mul(s)) {
        return Err(cx.error(format!("{c} channels are no multiple of {s}·{s}")));
    }
    let out = [n, depth, h * s, w * s];
    match op.mode {
        BlockOrder::DepthColumnRow => rearranged(x, &[n, s, s, depth, h, w], &[0, 3, 4, 1, 5, 2], &out),
        BlockOrder::ColumnRowDepth => rearranged(x, &[n, depth, s, s, h, w], &[0, 1, 4, 2, 5, 3], &out),
    }
}

pub(super) fn space_to_depth(op: &SpaceToDepth, cx: &EvalCx<'_>) -> Evaluated {
    let (x, [n, c, h, w], s) = image(cx, op.blocksize)?;
    if h % s != 0 || w % s != 0 {
        return Err(cx.error(format!("{h}×{w} is no multiple of {s}×{s}")));
    }
    let (parts, out) = ([n, c, h / s, s, w / s, s], [n, c * s * s, h / s, w / s]);
    match op.mode {
        BlockOrder::DepthColumnRow => rearranged(x, &parts, &[0, 3, 5, 1, 2, 4], &out),
        BlockOrder::ColumnRowDepth => rearranged(x, &parts, &[0, 1, 3, 5, 2, 4], &out),
    }
}

/// Negative indices count from the depth; those outside leave the row off.
pub(super) fn one_hot(op: &OneHot, cx: &EvalCx<'_>) -> Evaluated {
    let (indices, values) = (cx.tensor(0)?, cx.tensor(2)?);
    let depth = cx.maybe_f64(1)?.ok_or_else(|| cx.error("the depth is missing"))?;
    if !(0.0..9e15).contains(&depth) {
        return Err(cx.error(format!("a depth of {depth}")));
    }
    let depth = depth as usize;
    let mut out = dims(indices);
    let axis = cx.axis(op.axis, out.len() + 1)?;
    out.insert(axis, depth);
    let total = cx.allow(values.dtype(), &out)?;
    // Float indices are truncated, as a cast does.
    let positions: Vec<i64> = match indices.to_ints() {
        Some(ints) => ints,
        None => {
            indices.to_f64().ok_or_else(|| cx.wrong_dtype(indices.dtype()))?.into_iter().map(|x| x as i64).collect()
        }
    };
    let (_, _, inner) = around(&out, axis);
    by_dtype!(values.dtype(), T: cell => {
        let cells = T::cells(values)?;
        let [off, on] = cells.as_ref() else { return Err(cx.error("the values are not two: off and on")) };
        let mut result = vec![off.clone(); total];
        for (place, index) in positions.iter().enumerate() {
            let at = if *index < 0 { index.saturating_add(depth as i64) } else { *index };
            if let Ok(at) = usize::try_from(at) && at < depth {
                result[(place / inner * depth + at) * inner + place % inner] = on.clone();
            }
        }
        one(<T as Cell>::tensor(values.dtype(), &out, result)?)
    }, else Err(unmovable(values.dtype())))
}

pub(super) fn reverse_sequence(op: &ReverseSequence, cx: &EvalCx<'_>) -> Evaluated {
    let x = cx.tensor(0)?;
    let shape = dims(x);
    let axes = cx.axes(&[op.batch_axis, op.time_axis], shape.len())?;
    let (batch, time) = (axes[0], axes[1]);
    let lengths: Option<Vec<usize>> = cx.ints(1)?.into_iter().map(|n| usize::try_from(n).ok()).collect();
    let lengths = lengths.filter(|lengths| lengths.len() == shape[batch] && lengths.iter().all(|n| *n <= shape[time]));
    let Some(lengths) = lengths else {
        return Err(cx.error("the lengths do not fit the batch or the time axis"));
    };
    let steps = strides(&shape);
    by_dtype!(x.dtype(), T: cell => {
        let source = T::cells(x)?;
        let reversed = (0..source.len()).map(|at| {
            let (b, t) = (at / steps[batch] % shape[batch], at / steps[time] % shape[time]);
            let from = if t < lengths[b] { at - t * steps[time] + (lengths[b] - 1 - t) * steps[time] } else { at };
            source[from].clone()
        }).collect();
        one(<T as Cell>::tensor(x.dtype(), &shape, reversed)?)
    }, else Err(unmovable(x.dtype())))
}

/// What lies outside the triangle is zero, also where the operand holds NaN.
pub(super) fn trilu(op: &Trilu, cx: &EvalCx<'_>) -> Evaluated {
    let x = cx.tensor(0)?;
    let shape = dims(x);
    let [.., rows, columns] = shape.as_slice() else { return Err(cx.error("a rank of at least 2 is needed")) };
    let k = i128::from(cx.maybe_int(1)?.unwrap_or(0));
    let inside = |at: usize| {
        let (row, column) = ((at / columns % rows) as i128, (at % columns) as i128);
        if op.upper { column - row >= k } else { column - row <= k }
    };
    by_dtype!(x.dtype(), T: cell => {
        let kept = T::cells(x)?.iter().enumerate().map(|(at, x)| if inside(at) { x.clone() } else { T::default() }).collect();
        one(<T as Cell>::tensor(x.dtype(), &shape, kept)?)
    }, else Err(unmovable(x.dtype())))
}
