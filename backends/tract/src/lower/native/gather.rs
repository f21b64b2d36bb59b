//! Gathering, scattering and searching.
//!
//! tract panics on some indices, and reads a neighbour on others. All indices that an operator takes at run time go
//! through [`CheckedIndices`] first.

use edgesmith_ir::Op;
use edgesmith_ir::op::{CacheMode, ScatterReduction as Reduction};
use tract_core::internal::*;
use tract_core::ops::array::{Gather, GatherElements, GatherNd, ScatterElements, ScatterNd, ScatterReduction, Topk};
use tract_core::ops::math;

use super::super::indices::CheckedIndices;
use super::super::part::{Native, Part, axis_of, one};

fn checked(p: &mut Part, indices: OutletId, bounds: Vec<i64>) -> TractResult<OutletId> {
    let indices = p.cast(indices, DatumType::I64)?;
    p.op(CheckedIndices { bounds }, &[indices])
}

/// Whether tract's scatter has no kernel for the type, though it has for bytes.
fn as_bytes(p: &mut Part, outlets: [OutletId; 2]) -> TractResult<Option<[OutletId; 2]>> {
    if p.datum(outlets[0])? != DatumType::Bool {
        return Ok(None);
    }
    Ok(Some([p.cast(outlets[0], DatumType::U8)?, p.cast(outlets[1], DatumType::U8)?]))
}

fn reduction(of: Reduction) -> ScatterReduction {
    match of {
        Reduction::None => ScatterReduction::None,
        Reduction::Add => ScatterReduction::Add,
        Reduction::Mul => ScatterReduction::Mul,
        Reduction::Max => ScatterReduction::Max,
        Reduction::Min => ScatterReduction::Min,
    }
}

/// Gather, GatherElements, GatherND, ScatterElements, ScatterND and TensorScatter.
pub(crate) fn lower(op: &Op, p: &mut Part) -> Native {
    let x = p.input(0)?;
    let rank = p.rank(x)?;
    let shape = p.shape(x)?;
    let extent = |axis: usize| shape[axis] as i64;
    match op {
        Op::Gather(op) => {
            let axis = axis_of(op.axis, rank)?;
            let indices = p.input(1)?;
            let indices = checked(p, indices, vec![extent(axis)])?;
            one(p.op(Gather::new(axis), &[x, indices])?)
        }
        Op::GatherElements(op) => {
            let axis = axis_of(op.axis, rank)?;
            let indices = p.input(1)?;
            let indices = checked(p, indices, vec![extent(axis)])?;
            one(p.op(GatherElements { axis }, &[x, indices])?)
        }
        Op::GatherND(op) => {
            let batch = usize::try_from(op.batch_dims)?;
            let indices = p.input(1)?;
            let bounds = tuple_bounds(p, &shape, indices, batch)?;
            let indices = checked(p, indices, bounds)?;
            one(p.op(GatherNd { batch_dims: batch }, &[x, indices])?)
        }
        Op::ScatterElements(op) => {
            let axis = axis_of(op.axis, rank)?;
            let (indices, updates) = (p.input(1)?, p.input(2)?);
            let indices = checked(p, indices, vec![extent(axis)])?;
            let scatter = ScatterElements { axis, reduction: reduction(op.reduction) };
            one(scattered(p, x, indices, updates, scatter)?)
        }
        Op::ScatterND(op) => {
            let (indices, updates) = (p.input(1)?, p.input(2)?);
            let bounds = tuple_bounds(p, &shape, indices, 0)?;
            let indices = checked(p, indices, bounds)?;
            one(scattered(p, x, indices, updates, ScatterNd { reduction: reduction(op.reduction) })?)
        }
        Op::TensorScatter(op) => {
            let axis = axis_of(op.axis, rank)?;
            let update = p.input(1)?;
            let places = p.shape(update)?;
            let mut along = vec![1; rank];
            along[axis] = places[axis];
            let mut indices = p.int_constant(&along, &(0..places[axis] as i64).collect::<Vec<_>>())?;
            if let Some(starts) = p.maybe(2) {
                let starts = p.cast(starts, DatumType::I64)?;
                let starts = p.along(starts, 0, rank)?;
                indices = p.op(math::add(), &[indices, starts])?;
                if op.mode == CacheMode::Circular {
                    indices = p.with(math::rem(), indices, extent(axis) as f64)?;
                }
            }
            let indices = p.broadcast_to(indices, &places)?;
            let indices = checked(p, indices, vec![extent(axis)])?;
            one(scattered(p, x, indices, update, ScatterElements { axis, reduction: ScatterReduction::None })?)
        }
        _ => Ok(None),
    }
}

fn scattered(
    p: &mut Part,
    x: OutletId,
    indices: OutletId,
    updates: OutletId,
    op: impl Into<Box<dyn TypedOp>>,
) -> TractResult<OutletId> {
    match as_bytes(p, [x, updates])? {
        Some([x, updates]) => {
            let y = p.op(op, &[x, indices, updates])?;
            p.cast(y, DatumType::Bool)
        }
        None => p.op(op, &[x, indices, updates]),
    }
}

/// Bounds of index tuples, which stand along the last axis of the indices.
fn tuple_bounds(p: &Part, shape: &[usize], indices: OutletId, batch: usize) -> TractResult<Vec<i64>> {
    let tuple = p.shape(indices)?.last().copied().context("indices without an axis")?;
    ensure!(tuple > 0 && batch + tuple <= shape.len(), "tuples of {tuple} indices into rank {}", shape.len());
    Ok(shape[batch..batch + tuple].iter().map(|n| *n as i64).collect())
}

/// TopK and Compress.
pub(crate) fn search(op: &Op, p: &mut Part) -> Native {
    let x = p.input(0)?;
    let rank = p.rank(x)?;
    match op {
        Op::TopK(op) => {
            let axis = axis_of(op.axis, rank)?;
            let count = match p.need_ints(1, "count")?.as_slice() {
                [count] => *count,
                _ => bail!("a count that is no single number"),
            };
            let extent = p.shape(x)?[axis] as i64;
            ensure!((0..=extent).contains(&count), "{count} of {extent} elements");
            let k = p.constant(tensor0(count))?;
            let topk = Topk { axis, largest: op.largest, fallback_k: count.to_dim() };
            Ok(Some(p.ops(topk, &[x, k])?))
        }
        Op::Compress(op) => {
            let condition = p.input(1)?;
            let Some(bits) = p.constant_ints(condition)? else { return Ok(None) };
            let (data, axis) = match op.axis {
                Some(axis) => (x, axis_of(axis, rank)?),
                None => {
                    let count = p.shape(x)?.iter().product();
                    (p.reshape(x, &[count])?, 0)
                }
            };
            let extent = p.shape(data)?[axis];
            let kept: Vec<i64> =
                bits.iter().take(extent).enumerate().filter(|(_, bit)| **bit != 0).map(|(at, _)| at as i64).collect();
            one(p.pick(data, axis, &kept)?)
        }
        _ => Ok(None),
    }
}
