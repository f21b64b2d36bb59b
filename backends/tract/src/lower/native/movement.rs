//! Operators that move elements without changing them.

use edgesmith_ir::Op;
use edgesmith_ir::op::{BlockOrder, PadMode as Mode};
use tract_core::internal::*;
use tract_core::ops::array::{MultiBroadcastTo, Pad, PadMode, Slice, Tile};
use tract_core::ops::binary::TypedBinOp;
use tract_core::ops::{logic, math};

use super::super::part::{Native, Part, axis_of, one};

/// Concat, Split, Slice, Transpose, Pad and their like.
pub(crate) fn lower(op: &Op, p: &mut Part) -> Native {
    let x = p.input(0)?;
    let rank = p.rank(x)?;
    match op {
        Op::Concat(op) => {
            let axis = axis_of(op.axis, rank)?;
            let operands = p.present();
            one(p.concat(&operands, axis)?)
        }
        Op::Split(op) => split(p, x, axis_of(op.axis, rank)?),
        Op::Slice(_) => slice(p, x),
        Op::Transpose(op) => {
            let permutation: Vec<usize> = if op.perm.is_empty() {
                (0..rank).rev().collect()
            } else {
                op.perm.iter().map(|axis| axis_of(*axis, rank)).collect::<TractResult<_>>()?
            };
            ensure!(permutation.len() == rank, "a permutation of {} axes for rank {rank}", permutation.len());
            one(p.transpose(x, &permutation)?)
        }
        Op::Pad(op) => pad(p, x, op.mode),
        Op::DepthToSpace(op) => {
            let [batch, channels, height, width] = plane(p, x)?;
            let block = usize::try_from(op.blocksize)?;
            ensure!(block > 0 && channels.is_multiple_of(block * block), "{channels} channels in blocks of {block}");
            let deep = channels / (block * block);
            let (split, permutation) = match op.mode {
                BlockOrder::DepthColumnRow => ([batch, block, block, deep, height, width], [0, 3, 4, 1, 5, 2]),
                BlockOrder::ColumnRowDepth => ([batch, deep, block, block, height, width], [0, 1, 4, 2, 5, 3]),
            };
            let blocks = p.reshape(x, &split)?;
            let moved = p.transpose(blocks, &permutation)?;
            one(p.reshape(moved, &[batch, deep, height * block, width * block])?)
        }
        Op::SpaceToDepth(op) => {
            let [batch, channels, height, width] = plane(p, x)?;
            let block = usize::try_from(op.blocksize)?;
            ensure!(block > 0 && height.is_multiple_of(block) && width.is_multiple_of(block), "blocks of {block}");
            let blocks = p.reshape(x, &[batch, channels, height / block, block, width / block, block])?;
            let permutation = match op.mode {
                BlockOrder::DepthColumnRow => [0, 3, 5, 1, 2, 4],
                BlockOrder::ColumnRowDepth => [0, 1, 3, 5, 2, 4],
            };
            let moved = p.transpose(blocks, &permutation)?;
            one(p.reshape(moved, &[batch, channels * block * block, height / block, width / block])?)
        }
        Op::CenterCropPad(op) => {
            let axes: Vec<usize> = if op.axes.is_empty() {
                (0..rank).collect()
            } else {
                op.axes.iter().map(|axis| axis_of(*axis, rank)).collect::<TractResult<_>>()?
            };
            center(p, x, &axes)
        }
        Op::ReverseSequence(op) => {
            let (batch, time) = (axis_of(op.batch_axis, rank)?, axis_of(op.time_axis, rank)?);
            reverse(p, x, batch, time)
        }
        Op::OneHot(op) => one_hot(p, x, op.axis),
        Op::Trilu(op) => {
            let k = match p.maybe(1) {
                Some(k) => {
                    let axes: Vec<usize> = (0..p.rank(k)?).collect();
                    p.drop_axes(k, &axes)?
                }
                None => p.constant(tensor0(0_i64))?,
            };
            one(p.op(tract_core::ops::array::Trilu { upper: op.upper }, &[x, k])?)
        }
        _ => Ok(None),
    }
}

fn plane(p: &Part, x: OutletId) -> TractResult<[usize; 4]> {
    let shape = p.shape(x)?;
    <[usize; 4]>::try_from(shape.as_slice()).map_err(|_| format_err!("rank {} where 4 is needed", shape.len()))
}

fn split(p: &mut Part, x: OutletId, axis: usize) -> Native {
    let extent = p.shape(x)?[axis];
    let parts = p.results();
    let sizes: Vec<usize> = if p.maybe(1).is_some() {
        let sizes = p.need_ints(1, "list of sizes")?;
        sizes.into_iter().map(|size| usize::try_from(size).map_err(Into::into)).collect::<TractResult<_>>()?
    } else {
        let whole = extent.div_ceil(parts.max(1));
        (0..parts).map(|part| extent.saturating_sub(part * whole).min(whole)).collect()
    };
    ensure!(sizes.len() == parts && sizes.iter().sum::<usize>() == extent, "parts of {sizes:?} of {extent} elements");
    let mut at = 0;
    let mut outlets = tvec!();
    for size in sizes {
        // A slice of nothing breaks tract's optimiser: a constant without elements takes its place.
        outlets.push(if size == 0 {
            let mut shape = p.shape(x)?;
            shape[axis] = 0;
            let nothing = Tensor::zero_dt(p.datum(x)?, &shape)?;
            p.constant(nothing)?
        } else {
            p.slice(x, axis, at, at + size)?
        });
        at += size;
    }
    Ok(Some(outlets))
}

fn slice(p: &mut Part, x: OutletId) -> Native {
    let rank = p.rank(x)?;
    let (starts, ends) = (p.need_ints(1, "starts")?, p.need_ints(2, "ends")?);
    let axes = match p.maybe(3) {
        Some(_) => p.need_ints(3, "axes")?,
        None => (0..starts.len() as i64).collect(),
    };
    let steps = match p.maybe(4) {
        Some(_) => p.need_ints(4, "steps")?,
        None => vec![1; starts.len()],
    };
    ensure!(
        starts.len() == ends.len() && starts.len() == axes.len() && starts.len() == steps.len(),
        "lists of unequal length"
    );
    let mut y = x;
    for (at, axis) in axes.iter().enumerate() {
        let axis = axis_of(*axis, rank)?;
        let dim = p.dims(y)?[axis].clone();
        let (start, end, step) = (starts[at], ends[at], steps[at]);
        let Ok(extent) = dim.to_i64() else {
            // Of an axis whose extent only the run knows, a slice from some element on to the end can be taken.
            ensure!(step == 1 && start >= 0 && end >= i64::from(i32::MAX), "a slice of an axis of unknown extent");
            if start > 0 {
                y = p.op(Slice { axis, start: start.to_dim(), end: dim }, &[y])?;
            }
            continue;
        };
        let range = Range::of(start, end, step, extent)?;
        if range.count == 0 {
            let mut shape = p.shape(y)?;
            shape[axis] = 0;
            let nothing = Tensor::zero_dt(p.datum(y)?, &shape)?;
            y = p.constant(nothing)?;
        } else if step == 1 {
            if range.count < extent {
                y = p.slice(y, axis, range.first as usize, (range.first + range.count) as usize)?;
            }
        } else {
            // By a gather: tract clamps a start before the first element wrongly under a negative step.
            let indices: Vec<i64> = (0..range.count).map(|i| range.first + i * step).collect();
            y = p.pick(y, axis, &indices)?;
        }
    }
    one(y)
}

/// The elements of one axis that a slice takes.
struct Range {
    first: i64,
    count: i64,
}

impl Range {
    /// numpy's rule: negative bounds count from the end, bounds outside are clamped.
    fn of(start: i64, end: i64, step: i64, extent: i64) -> TractResult<Self> {
        ensure!(step != 0, "a step of 0");
        let from_end = |bound: i64| if bound < 0 { bound.saturating_add(extent) } else { bound };
        let (low, high) = if step > 0 { (0, extent) } else { (-1, extent - 1) };
        let (start, end) = (from_end(start).clamp(low, high), from_end(end).clamp(low, high));
        let span = if step > 0 { end - start } else { start - end };
        let stride = step.checked_abs().unwrap_or(i64::MAX);
        let count = if span <= 0 { 0 } else { (span - 1) / stride + 1 };
        Ok(Self { first: start, count })
    }
}

fn pad(p: &mut Part, x: OutletId, mode: Mode) -> Native {
    let rank = p.rank(x)?;
    let given = p.need_ints(1, "list of pads")?;
    let axes = match p.maybe(3) {
        Some(_) => p.need_ints(3, "axes")?.iter().map(|axis| axis_of(*axis, rank)).collect::<TractResult<Vec<_>>>()?,
        None => (0..rank).collect(),
    };
    ensure!(given.len() == 2 * axes.len(), "{} pads for {} axes", given.len(), axes.len());
    let mut pads = vec![(0_i64, 0_i64); rank];
    for (at, axis) in axes.iter().enumerate() {
        pads[*axis] = (given[at], given[at + axes.len()]);
    }
    if mode == Mode::Constant {
        let datum = p.datum(x)?;
        let value = match p.maybe(2) {
            Some(value) => {
                let constant = p.fact(value)?.konst.clone().context("its padding value is not known before the run")?;
                ensure!(constant.len() == 1, "a padding value of {} elements", constant.len());
                constant.cast_to_dt(datum)?.into_owned().into_shape(&[])?
            }
            None => Tensor::zero_scalar_dt(datum)?,
        };
        return one(pad_with(p, x, &pads, value)?);
    }
    let mut y = x;
    for (axis, (before, after)) in pads.iter().enumerate() {
        if (*before, *after) == (0, 0) {
            continue;
        }
        let extent = p.shape(y)?[axis] as i64;
        // Negative pads crop first; the others then repeat what is left.
        let cropped = (-before).max(0);
        let left = extent - cropped - (-after).max(0);
        ensure!(left > 0, "padding of an axis of {left} elements");
        let places = -before.max(&0)..left + after.max(&0);
        let indices: Vec<i64> = places.map(|at| cropped + mirrored(at, left, mode)).collect();
        y = p.pick(y, axis, &indices)?;
    }
    one(y)
}

/// Which element stands at a place outside.
fn mirrored(at: i64, extent: i64, mode: Mode) -> i64 {
    match mode {
        Mode::Wrap => at.rem_euclid(extent),
        Mode::Reflect if extent > 1 => {
            let period = 2 * (extent - 1);
            let place = at.rem_euclid(period);
            if place < extent { place } else { period - place }
        }
        _ => at.clamp(0, extent - 1),
    }
}

/// Pads with a scalar; negative pads crop.
pub(crate) fn pad_with(p: &mut Part, x: OutletId, pads: &[(i64, i64)], value: Tensor) -> TractResult<OutletId> {
    let mut y = x;
    for (axis, (before, after)) in pads.iter().enumerate() {
        if *before < 0 || *after < 0 {
            let extent = p.shape(y)?[axis] as i64;
            let (from, to) = ((-before).max(0), extent - (-after).max(0));
            ensure!(from <= to, "padding crops more than there is");
            y = p.slice(y, axis, from as usize, to as usize)?;
        }
    }
    let pads: Vec<(usize, usize)> = pads.iter().map(|(b, a)| ((*b).max(0) as usize, (*a).max(0) as usize)).collect();
    if pads.iter().all(|pad| *pad == (0, 0)) {
        return Ok(y);
    }
    if p.datum(y)? == DatumType::Bool {
        let bytes = p.cast(y, DatumType::U8)?;
        let mode = PadMode::Constant(Arc::new(value.cast_to_dt(DatumType::U8)?.into_owned()));
        let padded = p.op(Pad { pads, mode }, &[bytes])?;
        return p.cast(padded, DatumType::Bool);
    }
    p.op(Pad { pads, mode: PadMode::Constant(Arc::new(value)) }, &[y])
}

fn center(p: &mut Part, x: OutletId, axes: &[usize]) -> Native {
    let targets = p.need_ints(1, "shape")?;
    ensure!(targets.len() == axes.len(), "{} extents for {} axes", targets.len(), axes.len());
    let shape = p.shape(x)?;
    let mut pads = vec![(0_i64, 0_i64); shape.len()];
    for (axis, target) in axes.iter().zip(&targets) {
        let extent = shape[*axis] as i64;
        let missing = target - extent;
        // The odd element is cropped and padded at the end.
        let before = if missing >= 0 { missing / 2 } else { -(-missing / 2) };
        pads[*axis] = (before, missing - before);
    }
    let zero = Tensor::zero_scalar_dt(p.datum(x)?)?;
    one(pad_with(p, x, &pads, zero)?)
}

fn reverse(p: &mut Part, x: OutletId, batch: usize, time: usize) -> Native {
    let lengths = p.need_ints(1, "list of lengths")?;
    let shape = p.shape(x)?;
    ensure!(
        batch != time && lengths.len() == shape[batch],
        "{} lengths for a batch of {}",
        lengths.len(),
        shape[batch]
    );
    if lengths.len() > 1024 {
        return Ok(None);
    }
    let steps = shape[time] as i64;
    let mut rows = Vec::new();
    for (at, length) in lengths.iter().enumerate() {
        ensure!((0..=steps).contains(length), "a sequence of {length} of {steps} steps");
        let row = p.slice(x, batch, at, at + 1)?;
        let order: Vec<i64> = (0..steps).map(|step| if step < *length { length - 1 - step } else { step }).collect();
        rows.push(p.pick(row, time, &order)?);
    }
    one(p.concat(&rows, batch)?)
}

fn one_hot(p: &mut Part, x: OutletId, axis: i64) -> Native {
    let rank = p.rank(x)? + 1;
    let axis = axis_of(axis, rank)?;
    let depth = match p.constant_ints(p.input(1)?)?.context("its depth is not known before the run")?.as_slice() {
        [depth] => usize::try_from(*depth)?,
        _ => bail!("a depth that is no single number"),
    };
    let values = p.input(2)?;
    let off = p.slice(values, 0, 0, 1)?;
    let on = p.slice(values, 0, 1, 2)?;
    let indices = p.cast(x, DatumType::I64)?;
    let negative = p.with(TypedBinOp(logic::comp_lt(), None), indices, 0.0)?;
    let wrapped = p.with(math::add(), indices, depth as f64)?;
    let indices = p.select(negative, wrapped, indices)?;
    let indices = p.op(AxisOp::Add(axis), &[indices])?;
    let mut shape = vec![1; rank];
    shape[axis] = depth;
    let places = p.int_constant(&shape, &(0..depth as i64).collect::<Vec<_>>())?;
    let here = p.op(TypedBinOp(logic::comp_eq(), None), &[indices, places])?;
    one(p.select(here, on, off)?)
}

/// Reshape, Flatten, Squeeze, Unsqueeze, Expand, Tile and EyeLike.
pub(crate) fn shape(op: &Op, p: &mut Part) -> Native {
    let x = p.input(0)?;
    let rank = p.rank(x)?;
    match op {
        Op::Reshape(op) => {
            let spec: TVec<TDim> = p.need_ints(1, "shape")?.iter().map(ToDim::to_dim).collect();
            let from = p.dims(x)?;
            one(p.axes(x, to_axis_ops_with_onnx_rules(&from, &spec, op.allowzero)?)?)
        }
        Op::Flatten(op) => {
            let axis = if op.axis == rank as i64 { rank } else { axis_of(op.axis, rank)? };
            let dims = p.dims(x)?;
            let to: TVec<TDim> = tvec!(dims[..axis].iter().product(), dims[axis..].iter().product());
            one(p.op(AxisOp::Reshape(0, dims, to), &[x])?)
        }
        Op::Squeeze(_) => {
            let axes = if p.maybe(1).is_some() {
                let axes = p.need_ints(1, "list of axes")?;
                axes.iter().map(|axis| axis_of(*axis, rank)).collect::<TractResult<Vec<_>>>()?
            } else {
                let dims = p.dims(x)?;
                (0..rank).filter(|axis| dims[*axis].is_one()).collect()
            };
            one(p.drop_axes(x, &axes)?)
        }
        Op::Unsqueeze(_) => {
            let given = p.need_ints(1, "list of axes")?;
            let rank = rank + given.len();
            let mut axes = given.iter().map(|axis| axis_of(*axis, rank)).collect::<TractResult<Vec<_>>>()?;
            axes.sort_unstable();
            one(p.axes(x, axes.into_iter().map(AxisOp::Add))?)
        }
        Op::Expand(_) => {
            let shape: TVec<TDim> = p.need_ints(1, "shape")?.iter().map(ToDim::to_dim).collect();
            let y = p.to_rank(x, shape.len())?;
            let from = p.dims(y)?;
            let to = tract_core::broadcast::multi_broadcast(&[&*from, &*shape])?;
            if from == to { one(y) } else { one(p.op(MultiBroadcastTo { shape: to.into() }, &[y])?) }
        }
        Op::Tile(_) => {
            let multipliers: TVec<TDim> = p.need_ints(1, "list of repeats")?.iter().map(ToDim::to_dim).collect();
            ensure!(multipliers.len() == rank, "{} repeats for rank {rank}", multipliers.len());
            one(p.op(Tile { multipliers }, &[x])?)
        }
        Op::EyeLike(op) => {
            let datum = match op.dtype {
                Some(dtype) => match crate::tensor::datum_type(dtype) {
                    Some(datum) => datum,
                    None => return Ok(None),
                },
                None => p.datum(x)?,
            };
            let shape = p.shape(x)?;
            ensure!(rank == 2, "rank {rank} where 2 is needed");
            let ones: Vec<f64> = (0..shape[0] as i64)
                .flat_map(|row| (0..shape[1] as i64).map(move |column| f64::from(u8::from(column == row + op.k))))
                .collect();
            one(p.float_constant(&shape, &ones, datum)?)
        }
        _ => Ok(None),
    }
}
