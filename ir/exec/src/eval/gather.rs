//! Evaluation of operators that read or write at indices.

use edgesmith_ir::Tensor;
use edgesmith_ir::op::{
    CacheMode, Gather, GatherElements, GatherND, ScatterElements, ScatterND, ScatterReduction, TensorScatter,
};

use super::cx::one;
use super::layout::{Dims, around, count, dims, strides};
use super::movement::unmovable;
use super::number::{Cell, Number, by_dtype};
use super::{EvalCx, EvalError, Evaluated};

/// Indices within an axis; negative ones count from its end.
fn positions(cx: &EvalCx<'_>, indices: &[i64], extent: usize) -> Result<Vec<usize>, EvalError> {
    indices.iter().map(|index| position(cx, *index, extent)).collect()
}

fn position(cx: &EvalCx<'_>, index: i64, extent: usize) -> Result<usize, EvalError> {
    let at = if index < 0 { index.saturating_add(extent as i64) } else { index };
    match usize::try_from(at) {
        Ok(at) if at < extent => Ok(at),
        _ => Err(cx.error(format!("index {index} lies outside an axis of {extent}"))),
    }
}

pub(super) fn gather(op: &Gather, cx: &EvalCx<'_>) -> Evaluated {
    let (x, indices) = (cx.tensor(0)?, cx.tensor(1)?);
    let shape = dims(x);
    let axis = cx.axis(op.axis, shape.len())?;
    let (outer, extent, inner) = around(&shape, axis);
    let mut out = Dims::from_slice(&shape[..axis]);
    out.extend(dims(indices));
    out.extend_from_slice(&shape[axis + 1..]);
    let total = cx.allow(x.dtype(), &out)?;
    let at = positions(cx, &cx.ints(1)?, extent)?;
    by_dtype!(x.dtype(), T: cell => {
        let source = T::cells(x)?;
        let mut result: Vec<T> = Vec::with_capacity(total);
        for row in 0..outer {
            for index in &at {
                let from = (row * extent + index) * inner;
                result.extend_from_slice(&source[from..from + inner]);
            }
        }
        one(<T as Cell>::tensor(x.dtype(), &out, result)?)
    }, else Err(unmovable(x.dtype())))
}

/// For every element of the indices the place in `shape` that it stands for: its own, with the index on the axis. Along
/// the other axes the indices may be shorter than the data.
fn element_places(cx: &EvalCx<'_>, shape: &[usize], axis: usize) -> Result<Vec<usize>, EvalError> {
    let index_dims = dims(cx.tensor(1)?);
    let fits = index_dims.len() == shape.len()
        && index_dims.iter().zip(shape).enumerate().all(|(k, (short, long))| k == axis || short <= long);
    if !fits {
        return Err(cx.error(format!("indices of shape {index_dims:?} do not fit data of shape {shape:?}")));
    }
    let at = positions(cx, &cx.ints(1)?, shape[axis])?;
    let (from, to) = (strides(&index_dims), strides(shape));
    Ok(at
        .into_iter()
        .enumerate()
        .map(|(place, index)| {
            let own = |k: usize| if k == axis { index } else { place / from[k] % index_dims[k] };
            (0..shape.len()).map(|k| own(k) * to[k]).sum()
        })
        .collect())
}

pub(super) fn gather_elements(op: &GatherElements, cx: &EvalCx<'_>) -> Evaluated {
    let x = cx.tensor(0)?;
    let shape = dims(x);
    let axis = cx.axis(op.axis, shape.len())?;
    let out = dims(cx.tensor(1)?);
    cx.allow(x.dtype(), &out)?;
    let places = element_places(cx, &shape, axis)?;
    by_dtype!(x.dtype(), T: cell => {
        let source = T::cells(x)?;
        one(<T as Cell>::tensor(x.dtype(), &out, places.into_iter().map(|place| source[place].clone()).collect())?)
    }, else Err(unmovable(x.dtype())))
}

/// Where index tuples point: the offset of each slice, and the extents of a slice. The first `batch` axes are walked in
/// step with those of the indices.
fn tuple_offsets(cx: &EvalCx<'_>, shape: &[usize], batch: usize) -> Result<(Vec<usize>, Dims, Dims), EvalError> {
    let index_dims = dims(cx.tensor(1)?);
    let depth = index_dims.last().copied();
    let Some(depth) = depth.filter(|depth| batch + depth <= shape.len() && batch < index_dims.len()) else {
        return Err(cx.error(format!("indices of shape {index_dims:?} do not fit data of shape {shape:?}")));
    };
    if index_dims[..batch] != shape[..batch] {
        return Err(cx.error(format!("batch axes of {index_dims:?} and {shape:?} differ")));
    }
    let steps = strides(shape);
    let tuples = count(&index_dims[..index_dims.len() - 1]).unwrap_or(0);
    let batches = count(&shape[..batch]).unwrap_or(0).max(1);
    let block = count(&shape[batch..]).unwrap_or(0);
    let indices = cx.ints(1)?;
    let mut offsets = Vec::with_capacity(tuples);
    for tuple in 0..tuples {
        let mut offset = tuple / (tuples / batches).max(1) * block;
        for k in 0..depth {
            offset += position(cx, indices[tuple * depth + k], shape[batch + k])? * steps[batch + k];
        }
        offsets.push(offset);
    }
    let lead = Dims::from_slice(&index_dims[..index_dims.len() - 1]);
    Ok((offsets, lead, Dims::from_slice(&shape[batch + depth..])))
}

pub(super) fn gather_nd(op: &GatherND, cx: &EvalCx<'_>) -> Evaluated {
    let x = cx.tensor(0)?;
    let batch = usize::try_from(op.batch_dims).map_err(|_| cx.error("a negative number of batch axes"))?;
    let (offsets, mut out, slice) = tuple_offsets(cx, &dims(x), batch)?;
    let length = count(&slice).unwrap_or(0);
    out.extend(slice);
    let total = cx.allow(x.dtype(), &out)?;
    by_dtype!(x.dtype(), T: cell => {
        let source = T::cells(x)?;
        let mut result: Vec<T> = Vec::with_capacity(total);
        for offset in offsets {
            result.extend_from_slice(&source[offset..offset + length]);
        }
        one(<T as Cell>::tensor(x.dtype(), &out, result)?)
    }, else Err(unmovable(x.dtype())))
}

/// Writes `updates[i..i + length]` at each offset in order. Without a reduction the last writing wins where two meet,
/// which the specification leaves open.
fn write(cx: &EvalCx<'_>, offsets: &[usize], length: usize, reduction: ScatterReduction) -> Evaluated {
    let (x, updates) = (cx.tensor(0)?, cx.tensor(2)?);
    if x.dtype() != updates.dtype() {
        return Err(cx.error(format!("updates of {} for data of {}", updates.dtype(), x.dtype())));
    }
    if updates.len() != (offsets.len() * length) as u64 {
        return Err(cx.error(format!("updates of shape {:?} do not fit the indices", updates.shape())));
    }
    let shape = dims(x);
    cx.allow(x.dtype(), &shape)?;
    if reduction == ScatterReduction::None {
        if cx.strict() {
            let mut sorted = offsets.to_vec();
            sorted.sort_unstable();
            if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
                cx.open("two updates of one element")?;
            }
        }
        return by_dtype!(x.dtype(), T: cell => {
            let mut result = T::cells(x)?.into_owned();
            let updates = T::cells(updates)?;
            for (k, offset) in offsets.iter().enumerate() {
                result[*offset..offset + length].clone_from_slice(&updates[k * length..(k + 1) * length]);
            }
            one(<T as Cell>::tensor(x.dtype(), &shape, result)?)
        }, else Err(unmovable(x.dtype())));
    }
    by_dtype!(x.dtype(), T: number => {
        let combine = match reduction {
            ScatterReduction::Add => T::plus,
            ScatterReduction::Mul => T::times,
            ScatterReduction::Max => T::greater,
            _ => T::lesser,
        };
        let dtype = x.dtype();
        let mut result = T::read(x)?.into_owned();
        let updates = T::read(updates)?;
        for (k, offset) in offsets.iter().enumerate() {
            for (slot, update) in result[*offset..offset + length].iter_mut().zip(&updates[k * length..]) {
                *slot = combine(*slot, *update).settled(dtype);
            }
        }
        one(T::write(dtype, &shape, result)?)
    }, else Err(cx.wrong_dtype(x.dtype())))
}

pub(super) fn scatter_elements(op: &ScatterElements, cx: &EvalCx<'_>) -> Evaluated {
    let shape = dims(cx.tensor(0)?);
    let axis = cx.axis(op.axis, shape.len())?;
    if cx.tensor(1)?.shape() != cx.tensor(2)?.shape() {
        return Err(cx.error("indices and updates differ in shape"));
    }
    write(cx, &element_places(cx, &shape, axis)?, 1, op.reduction)
}

pub(super) fn scatter_nd(op: &ScatterND, cx: &EvalCx<'_>) -> Evaluated {
    let (offsets, mut wanted, slice) = tuple_offsets(cx, &dims(cx.tensor(0)?), 0)?;
    let length = count(&slice).unwrap_or(0);
    wanted.extend(slice);
    let updates = dims(cx.tensor(2)?);
    if updates != wanted {
        return Err(cx.error(format!("updates of shape {updates:?} where {wanted:?} is needed")));
    }
    write(cx, &offsets, length, op.reduction)
}

/// Position `s` of the update goes to `write_indices[batch] + s` of the cache's axis, in circular mode modulo its extent.
pub(super) fn tensor_scatter(op: &TensorScatter, cx: &EvalCx<'_>) -> Evaluated {
    let (cache, update) = (cx.tensor(0)?, cx.tensor(1)?);
    let (shape, part) = (dims(cache), dims(update));
    let axis = cx.axis(op.axis, shape.len())?;
    let fits = axis > 0
        && part.len() == shape.len()
        && part.iter().zip(&shape).enumerate().all(|(k, (a, b))| if k == axis { a <= b } else { a == b });
    if !fits || cache.dtype() != update.dtype() {
        return Err(cx.error(format!("an update of shape {part:?} does not fit a cache of shape {shape:?}")));
    }
    let starts = cx.maybe_ints(2)?.unwrap_or_else(|| vec![0; shape[0]]);
    if starts.len() != shape[0] {
        return Err(cx.error(format!("{} write indices for a batch of {}", starts.len(), shape[0])));
    }
    let (outer, extent, inner) = around(&shape, axis);
    let rows = outer / shape[0].max(1);
    by_dtype!(cache.dtype(), T: cell => {
        let mut result = T::cells(cache)?.into_owned();
        let source = T::cells(update)?;
        for row in 0..outer {
            for s in 0..part[axis] {
                let at = i128::from(starts[row / rows.max(1)]) + s as i128;
                let at = if op.mode == CacheMode::Circular { at.rem_euclid(extent as i128) } else { at };
                let at = position(cx, i64::try_from(at).unwrap_or(i64::MAX), extent)?;
                let (to, from) = ((row * extent + at) * inner, (row * part[axis] + s) * inner);
                result[to..to + inner].clone_from_slice(&source[from..from + inner]);
            }
        }
        one(<T as Cell>::tensor(cache.dtype(), &shape, result)?)
    }, else Err(unmovable(cache.dtype())))
}

/// A tensor's elements at places of its first axis, in that order.
pub(super) fn rows_at(x: &Tensor, rows: &[usize]) -> Result<Tensor, EvalError> {
    let mut lists: Vec<Option<Vec<usize>>> = vec![None; x.rank()];
    lists[0] = Some(rows.to_vec());
    super::movement::picked(x, &lists)
}
