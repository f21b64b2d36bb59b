//! Evaluation of operators that look for elements.

use std::cmp::Ordering;

use edgesmith_ir::op::{ArgMax, ArgMin, Compress, TopK, Unique};
use edgesmith_ir::{DType, Tensor};

use super::cx::one;
use super::gather::rows_at;
use super::layout::{Dims, around, dims, strides};
use super::movement::{picked, transposed, unmovable};
use super::number::{Cell, Number, by_dtype, tensor, truths};
use super::{EvalCx, EvalError, Evaluated};

pub(super) use super::suppression::non_max_suppression;

pub(super) fn arg_max(op: &ArgMax, cx: &EvalCx<'_>) -> Evaluated {
    arg(cx, op.axis, op.keepdims, op.select_last_index, true)
}

pub(super) fn arg_min(op: &ArgMin, cx: &EvalCx<'_>) -> Evaluated {
    arg(cx, op.axis, op.keepdims, op.select_last_index, false)
}

/// The first of equal elements, or the last. The first NaN counts as the best element, as in ONNX Runtime.
fn arg(cx: &EvalCx<'_>, axis: i64, keepdims: bool, last: bool, largest: bool) -> Evaluated {
    let x = cx.tensor(0)?;
    let shape = dims(x);
    let axis = cx.axis(axis, shape.len())?;
    let (outer, extent, inner) = around(&shape, axis);
    let mut out = shape.clone();
    if keepdims {
        out[axis] = 1;
    } else {
        out.remove(axis);
    }
    let total = cx.allow(DType::I64, &out)?;
    if extent == 0 && total > 0 {
        return Err(cx.error("an axis without elements has no greatest or least one"));
    }
    by_dtype!(x.dtype(), T: number => {
        let elements = T::read(x)?;
        if elements.iter().any(|x| x.nan()) {
            cx.open("the greatest or least element beside NaN")?;
        }
        let mut result = Vec::with_capacity(total);
        for place in (0..outer).flat_map(|row| (0..inner).map(move |i| row * extent * inner + i)) {
            let mut best = elements[place];
            let mut index = 0_i64;
            for k in 1..extent {
                let x = elements[place + k * inner];
                let better = if largest { x > best } else { x < best };
                if !best.nan() && (better || x.nan() || (last && x == best)) {
                    (best, index) = (x, k as i64);
                }
            }
            result.push(index);
        }
        one(tensor::<i64>(&out, result)?)
    }, else Err(cx.wrong_dtype(x.dtype())))
}

/// A total order in which NaN is the greatest element.
fn order<T: Number>(a: T, b: T) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.nan().cmp(&b.nan()))
}

/// Always sorted, equal elements by index. NaN counts as the greatest element, which the specification leaves open.
pub(super) fn top_k(op: &TopK, cx: &EvalCx<'_>) -> Evaluated {
    let x = cx.tensor(0)?;
    let mut out = dims(x);
    let axis = cx.axis(op.axis, out.len())?;
    let (outer, extent, inner) = around(&out, axis);
    let count = cx.maybe_int(1)?.ok_or_else(|| cx.error("the count is missing"))?;
    let count = usize::try_from(count).ok().filter(|count| *count <= extent);
    let Some(count) = count else { return Err(cx.error(format!("more elements than the {extent} of the axis"))) };
    out[axis] = count;
    let total = cx.allow(DType::I64, &out)?;
    by_dtype!(x.dtype(), T: number => {
        let elements = T::read(x)?;
        if elements.iter().any(|x| x.nan()) {
            cx.open("an order among NaN")?;
        }
        let (mut values, mut indices) = (vec![T::ZERO; total], vec![0_i64; total]);
        let mut row: Vec<usize> = Vec::with_capacity(extent);
        for (o, i) in (0..outer).flat_map(|o| (0..inner).map(move |i| (o, i))) {
            let at = |k: usize| elements[(o * extent + k) * inner + i];
            row.clear();
            row.extend(0..extent);
            // Sorting is compiled once, for a dynamic comparison.
            let compare: &dyn Fn(&usize, &usize) -> Ordering = &|a, b| {
                let by_value = order(at(*a), at(*b));
                if op.largest { by_value.reverse() } else { by_value }.then(a.cmp(b))
            };
            if count < extent && count > 0 {
                row.select_nth_unstable_by(count - 1, compare);
            }
            row.truncate(count);
            row.sort_unstable_by(compare);
            for (k, index) in row.iter().enumerate() {
                let to = (o * count + k) * inner + i;
                values[to] = at(*index);
                indices[to] = *index as i64;
            }
        }
        Ok(vec![Some(T::write(x.dtype(), &out, values)?.into()), Some(tensor::<i64>(&out, indices)?.into())])
    }, else Err(cx.wrong_dtype(x.dtype())))
}

/// One row per axis, so none for a scalar.
pub(super) fn non_zero(cx: &EvalCx<'_>) -> Evaluated {
    let x = cx.tensor(0)?;
    let shape = dims(x);
    let places: Vec<usize> = if x.dtype() == DType::Bool {
        positions(truths(x)?.iter().map(|b| *b != 0))
    } else {
        by_dtype!(x.dtype(), T: number => positions(T::read(x)?.iter().map(|x| *x != T::ZERO)),
            else return Err(cx.wrong_dtype(x.dtype())))
    };
    let out = [shape.len(), places.len()];
    cx.allow(DType::I64, &out)?;
    let steps = strides(&shape);
    let mut result = Vec::with_capacity(out[0] * out[1]);
    for axis in 0..shape.len() {
        result.extend(places.iter().map(|place| (place / steps[axis] % shape[axis]) as i64));
    }
    one(tensor::<i64>(&out, result)?)
}

fn positions(holds: impl Iterator<Item = bool>) -> Vec<usize> {
    holds.enumerate().filter(|(_, holds)| *holds).map(|(at, _)| at).collect()
}

/// A condition shorter than the axis drops the rest; the tail of a longer one is ignored.
pub(super) fn compress(op: &Compress, cx: &EvalCx<'_>) -> Evaluated {
    let x = cx.tensor(0)?;
    let flat;
    let (x, axis) = if let Some(axis) = op.axis {
        (x, cx.axis(axis, x.rank())?)
    } else {
        flat = x.reshaped([x.len()].as_slice())?;
        (&flat, 0)
    };
    let condition = truths(cx.tensor(1)?)?;
    let mut lists: Vec<Option<Vec<usize>>> = vec![None; x.rank()];
    lists[axis] = Some(positions(condition.iter().take(x.shape()[axis] as usize).map(|b| *b != 0)));
    one(picked(x, &lists)?)
}

/// Without an axis the elements, with one the slices along it, compared as lists. Two NaN count as equal, and greater
/// than numbers, which the specification leaves open.
pub(super) fn unique(op: &Unique, cx: &EvalCx<'_>) -> Evaluated {
    let x = cx.tensor(0)?;
    let (axis, rows) = match op.axis {
        None => (None, x.reshaped([x.len()].as_slice())?),
        Some(axis) => {
            let axis = cx.axis(axis, x.rank())?;
            (Some(axis), transposed(x, &to_front(x.rank(), axis))?)
        }
    };
    let groups = if x.dtype() == DType::String {
        grouped(&bytes::Bytes::cells(&rows)?, &rows, Ord::cmp)
    } else if x.dtype() == DType::Bool {
        grouped(&truths(&rows)?, &rows, Ord::cmp)
    } else {
        by_dtype!(x.dtype(), T: number => {
            let elements = T::read(&rows)?;
            if elements.iter().any(|x| x.nan()) {
                cx.open("different elements among NaN")?;
            }
            grouped(&elements, &rows, |a: &T, b: &T| order(*a, *b))
        }, else return Err(unmovable(x.dtype())))
    };
    unique_results(op, &rows, axis, groups)
}

/// The permutation that brings an axis to the front and keeps the others in order.
fn to_front(rank: usize, axis: usize) -> Dims {
    std::iter::once(axis).chain((0..rank).filter(|other| *other != axis)).collect()
}

/// The rows that are equal, each group ascending by row, groups ascending by content.
fn grouped<T>(elements: &[T], rows: &Tensor, compare: impl Fn(&T, &T) -> Ordering) -> Vec<Vec<usize>> {
    let count = rows.shape()[0] as usize;
    let width = elements.len() / count.max(1);
    let row = |at: usize| &elements[at * width..(at + 1) * width];
    let by_content: &dyn Fn(&usize, &usize) -> Ordering = &|a, b| {
        let differing = row(*a).iter().zip(row(*b)).map(|(x, y)| compare(x, y)).find(|order| order.is_ne());
        differing.unwrap_or(Ordering::Equal)
    };
    let mut sorted: Vec<usize> = (0..count).collect();
    sorted.sort_by(by_content);
    sorted.chunk_by(|a, b| by_content(a, b).is_eq()).map(<[usize]>::to_vec).collect()
}

fn unique_results(op: &Unique, rows: &Tensor, axis: Option<usize>, mut groups: Vec<Vec<usize>>) -> Evaluated {
    if !op.sorted {
        groups.sort_by_key(|group| group[0]);
    }
    let firsts: Vec<usize> = groups.iter().map(|group| group[0]).collect();
    let picked = rows_at(rows, &firsts)?;
    let y = match axis {
        None => picked,
        Some(axis) => {
            // The inverse of bringing the axis to the front.
            let rank = rows.rank();
            let mut back = Dims::from_elem(0, rank);
            to_front(rank, axis).iter().enumerate().for_each(|(at, from)| back[*from] = at);
            transposed(&picked, &back)?
        }
    };
    let mut inverse = vec![0_i64; rows.shape()[0] as usize];
    for (number, group) in groups.iter().enumerate() {
        for row in group {
            inverse[*row] = number as i64;
        }
    }
    let ints = |ints: Vec<i64>| -> Result<_, EvalError> { Ok(Some(tensor::<i64>(&[ints.len()], ints)?.into())) };
    Ok(vec![
        Some(y.into()),
        ints(firsts.iter().map(|row| *row as i64).collect())?,
        ints(inverse)?,
        ints(groups.iter().map(|group| group.len() as i64).collect())?,
    ])
}
