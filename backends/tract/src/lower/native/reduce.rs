//! Reductions, ArgMax and ArgMin, running sums and products, Softmax and its kin.

use edgesmith_ir::Op;
use edgesmith_ir::op::SoftmaxKind as LegacyKind;
use tract_core::internal::*;
use tract_core::ops::array::CumSum;
use tract_core::ops::binary::TypedBinOp;
use tract_core::ops::logic;
use tract_core::ops::math;
use tract_core::ops::nn::{Reduce, Reducer, Softmax, SoftmaxKind};

use super::super::part::{Native, Part, axis_of, one};

/// The attributes that all reductions have.
struct Form {
    keep: bool,
    noop: bool,
}

/// ReduceSum and its like.
pub(crate) fn reduce(op: &Op, p: &mut Part) -> Native {
    let form = match op {
        Op::ReduceL1(op) => Form { keep: op.keepdims, noop: op.noop_with_empty_axes },
        Op::ReduceL2(op) => Form { keep: op.keepdims, noop: op.noop_with_empty_axes },
        Op::ReduceLogSum(op) => Form { keep: op.keepdims, noop: op.noop_with_empty_axes },
        Op::ReduceLogSumExp(op) => Form { keep: op.keepdims, noop: op.noop_with_empty_axes },
        Op::ReduceMax(op) => Form { keep: op.keepdims, noop: op.noop_with_empty_axes },
        Op::ReduceMean(op) => Form { keep: op.keepdims, noop: op.noop_with_empty_axes },
        Op::ReduceMin(op) => Form { keep: op.keepdims, noop: op.noop_with_empty_axes },
        Op::ReduceProd(op) => Form { keep: op.keepdims, noop: op.noop_with_empty_axes },
        Op::ReduceSum(op) => Form { keep: op.keepdims, noop: op.noop_with_empty_axes },
        Op::ReduceSumSquare(op) => Form { keep: op.keepdims, noop: op.noop_with_empty_axes },
        _ => return Ok(None),
    };
    let x = p.input(0)?;
    let rank = p.rank(x)?;
    let given = if p.maybe(1).is_some() { p.need_ints(1, "list of axes")? } else { Vec::new() };
    if given.is_empty() && form.noop {
        return one(over(op, p, x, &[])?);
    }
    let mut axes: Vec<usize> = given.iter().map(|axis| axis_of(*axis, rank)).collect::<TractResult<_>>()?;
    if axes.is_empty() {
        axes = (0..rank).collect();
    }
    axes.sort_unstable();
    axes.dedup();
    let datum = p.datum(x)?;
    let dims = p.dims(x)?;
    let reduced = if axes.iter().any(|axis| dims[*axis] == 0.to_dim()) {
        let shape = p.shape(x)?;
        let kept: Vec<usize> = (0..rank).map(|axis| if axes.contains(&axis) { 1 } else { shape[axis] }).collect();
        let Some(nothing) = of_nothing(op, datum)? else { return Ok(None) };
        let filled = nothing.broadcast_scalar_to_shape(&kept)?;
        p.constant(filled)?
    } else {
        over(op, p, x, &axes)?
    };
    if form.keep { one(reduced) } else { one(p.drop_axes(reduced, &axes)?) }
}

/// What a reduction over no elements gives; `None` where the specification does not say.
fn of_nothing(op: &Op, datum: DatumType) -> TractResult<Option<Tensor>> {
    let value = match op {
        Op::ReduceL1(_) | Op::ReduceL2(_) | Op::ReduceSum(_) | Op::ReduceSumSquare(_) => 0.0,
        Op::ReduceProd(_) => 1.0,
        Op::ReduceLogSum(_) | Op::ReduceLogSumExp(_) if datum.is_float() => f64::NEG_INFINITY,
        Op::ReduceMax(_) if datum.is_float() => f64::NEG_INFINITY,
        Op::ReduceMin(_) if datum.is_float() => f64::INFINITY,
        _ => return Ok(None),
    };
    Ok(Some(tensor0(value).cast_to_dt(datum)?.into_owned()))
}

/// Reduces sorted axes, keeping them with extent one. Over no axes, each element is reduced by itself.
fn over(op: &Op, p: &mut Part, x: OutletId, axes: &[usize]) -> TractResult<OutletId> {
    let float = p.datum(x)?.is_float();
    let datum = p.datum(x)?;
    match op {
        Op::ReduceSum(_) => p.reduce(x, axes, Reducer::Sum),
        Op::ReduceProd(_) => p.reduce(x, axes, Reducer::Prod),
        Op::ReduceMax(_) | Op::ReduceMin(_) => {
            let largest = matches!(op, Op::ReduceMax(_));
            let reducer = if largest { Reducer::Max } else { Reducer::Min };
            if datum == DatumType::Bool {
                let bytes = p.cast(x, DatumType::U8)?;
                let reduced = p.reduce(bytes, axes, reducer)?;
                return p.cast(reduced, DatumType::Bool);
            }
            if float && !axes.is_empty() { extremum(p, x, axes, largest) } else { p.reduce(x, axes, reducer) }
        }
        Op::ReduceMean(_) if axes.is_empty() => Ok(x),
        Op::ReduceMean(_) => p.mean(x, axes),
        Op::ReduceL1(_) => {
            let size = if datum.is_unsigned() { x } else { p.op(math::abs(), &[x])? };
            p.reduce(size, axes, Reducer::Sum)
        }
        Op::ReduceSumSquare(_) => {
            let square = p.op(math::mul(), &[x, x])?;
            p.reduce(square, axes, Reducer::Sum)
        }
        Op::ReduceL2(_) => {
            let square = p.op(math::mul(), &[x, x])?;
            let sum = p.reduce(square, axes, Reducer::Sum)?;
            through_float(p, sum, float, |p, sum| p.op(math::sqrt(), &[sum]))
        }
        Op::ReduceLogSum(_) => {
            let sum = p.reduce(x, axes, Reducer::Sum)?;
            through_float(p, sum, float, |p, sum| p.op(math::ln(), &[sum]))
        }
        Op::ReduceLogSumExp(_) => through_float(p, x, float, |p, x| log_sum_exp(p, x, axes)),
        _ => bail!("no reduction"),
    }
}

/// The largest or smallest element, where tract starts from the least or greatest finite number and drops NaN: an
/// infinity that all elements share and a NaN are put back.
fn extremum(p: &mut Part, x: OutletId, axes: &[usize], largest: bool) -> TractResult<OutletId> {
    let equal = || TypedBinOp(logic::comp_eq(), None);
    let start = if largest { f64::NEG_INFINITY } else { f64::INFINITY };
    let found = p.reduce(x, axes, if largest { Reducer::Max } else { Reducer::Min })?;
    let infinite = p.with(equal(), x, start)?;
    let infinite = p.reduce(infinite, axes, Reducer::All)?;
    let start = p.scalar_like(start, x)?;
    let found = p.select(infinite, start, found)?;
    let number = p.op(equal(), &[x, x])?;
    let numbers = p.reduce(number, axes, Reducer::All)?;
    let nan = p.scalar_like(f64::NAN, x)?;
    p.select(numbers, found, nan)
}

/// Runs `work` in f64 where the operand is an integer, and converts back.
fn through_float(
    p: &mut Part,
    x: OutletId,
    float: bool,
    work: impl FnOnce(&mut Part, OutletId) -> TractResult<OutletId>,
) -> TractResult<OutletId> {
    if float {
        return work(p, x);
    }
    let datum = p.datum(x)?;
    let wide = p.cast(x, DatumType::F64)?;
    let y = work(p, wide)?;
    p.cast(y, datum)
}

/// `m + ln(sum(exp(x - m)))` with the largest element as `m`, or 0 where that is infinite.
fn log_sum_exp(p: &mut Part, x: OutletId, axes: &[usize]) -> TractResult<OutletId> {
    let largest = p.reduce(x, axes, Reducer::Max)?;
    let size = p.op(math::abs(), &[largest])?;
    let infinite = p.with(TypedBinOp(logic::comp_eq(), None), size, f64::INFINITY)?;
    let zero = p.scalar_like(0.0, x)?;
    let shift = p.select(infinite, zero, largest)?;
    let moved = p.op(math::sub(), &[x, shift])?;
    let exponential = p.op(math::exp(), &[moved])?;
    let sum = p.reduce(exponential, axes, Reducer::Sum)?;
    let log = p.op(math::ln(), &[sum])?;
    p.op(math::add(), &[log, shift])
}

/// ArgMax and ArgMin.
pub(crate) fn arg(op: &Op, p: &mut Part) -> Native {
    let x = p.input(0)?;
    let rank = p.rank(x)?;
    let (axis, keep, reducer) = match op {
        Op::ArgMax(op) => (op.axis, op.keepdims, Reducer::ArgMax(op.select_last_index)),
        Op::ArgMin(op) => (op.axis, op.keepdims, Reducer::ArgMin(op.select_last_index)),
        _ => return Ok(None),
    };
    let axis = axis_of(axis, rank)?;
    ensure!(p.dims(x)?[axis] != 0.to_dim(), "an index among no elements");
    let found = p.op(Reduce::new(tvec!(axis), reducer), &[x])?;
    if keep { one(found) } else { one(p.drop_axes(found, &[axis])?) }
}

/// CumSum, and CumProd as a chain of products along the axis.
pub(crate) fn cumulative(op: &Op, p: &mut Part) -> Native {
    let x = p.input(0)?;
    let rank = p.rank(x)?;
    let axis = match p.need_ints(1, "axis")?.as_slice() {
        [axis] => axis_of(*axis, rank)?,
        _ => bail!("an axis that is no single number"),
    };
    match op {
        Op::CumSum(op) => one(p.op(CumSum { axis, exclusive: op.exclusive, reverse: op.reverse }, &[x])?),
        Op::CumProd(op) => {
            let extent = p.shape(x)?[axis];
            if extent == 0 || extent > 512 {
                return Ok(None);
            }
            let mut order: Vec<usize> = (0..extent).collect();
            if op.reverse {
                order.reverse();
            }
            let first = p.slice(x, axis, 0, 1)?;
            let datum = p.datum(x)?;
            let unit = p.scalar(1.0, datum, rank)?;
            let mut product = p.op(math::mul(), &[first, unit])?;
            let ones = {
                let shape: Vec<usize> = p.shape(first)?.to_vec();
                p.broadcast_to(unit, &shape)?
            };
            let mut made = vec![ones; extent];
            for (step, at) in order.iter().enumerate() {
                let slice = p.slice(x, axis, *at, at + 1)?;
                let next = if step == 0 { slice } else { p.op(math::mul(), &[product, slice])? };
                if op.exclusive {
                    if step > 0 {
                        made[*at] = product;
                    }
                } else {
                    made[*at] = next;
                }
                product = next;
            }
            one(p.concat(&made, axis)?)
        }
        _ => Ok(None),
    }
}

/// Softmax, LogSoftmax, Hardmax and their forms before operator set 13.
pub(crate) fn softmax(op: &Op, p: &mut Part) -> Native {
    let x = p.input(0)?;
    let rank = p.rank(x)?;
    if !p.datum(x)?.is_float() {
        return Ok(None);
    }
    match op {
        Op::Softmax(op) => along(p, x, axis_of(op.axis, rank)?, LegacyKind::Softmax),
        Op::LogSoftmax(op) => along(p, x, axis_of(op.axis, rank)?, LegacyKind::LogSoftmax),
        Op::Hardmax(op) => along(p, x, axis_of(op.axis, rank)?, LegacyKind::Hardmax),
        Op::LegacySoftmax(op) => {
            // All axes from `axis` on count as one; `axis` may be the rank, which leaves rows of one element.
            let shape = p.shape(x)?;
            let axis = if op.axis == rank as i64 { rank } else { axis_of(op.axis, rank)? };
            let matrix = [shape[..axis].iter().product(), shape[axis..].iter().product()];
            let flat = p.reshape(x, &matrix)?;
            let Some(rows) = along(p, flat, 1, op.kind)? else { return Ok(None) };
            one(p.reshape(rows[0], &shape)?)
        }
        _ => Ok(None),
    }
}

/// Softmax along one axis.
pub(crate) fn softmax_along(p: &mut Part, x: OutletId, axis: usize) -> TractResult<OutletId> {
    if p.datum(x)? != DatumType::F32 {
        return wide_softmax(p, x, axis, LegacyKind::Softmax);
    }
    p.op(Softmax { axes: tvec!(axis), quant_output_dt: None, kind: SoftmaxKind::default() }, &[x])
}

fn along(p: &mut Part, x: OutletId, axis: usize, kind: LegacyKind) -> Native {
    if p.datum(x)? != DatumType::F32 && kind != LegacyKind::Hardmax {
        return one(wide_softmax(p, x, axis, kind)?);
    }
    let kind = match kind {
        LegacyKind::Softmax => SoftmaxKind::default(),
        LegacyKind::LogSoftmax => SoftmaxKind::LogSoftmax,
        LegacyKind::Hardmax => {
            let extent = p.shape(x)?[axis];
            let (datum, rank) = (p.datum(x)?, p.rank(x)?);
            let first = p.op(Reduce::new(tvec!(axis), Reducer::ArgMax(false)), &[x])?;
            let mut shape = vec![1; rank];
            shape[axis] = extent;
            let places = p.int_constant(&shape, &(0..extent as i64).collect::<Vec<_>>())?;
            let here = p.op(TypedBinOp(logic::comp_eq(), None), &[places, first])?;
            return one(p.cast(here, datum)?);
        }
    };
    one(p.op(Softmax { axes: tvec!(axis), quant_output_dt: None, kind }, &[x])?)
}

/// Softmax of f64, from elementary operators.
fn wide_softmax(p: &mut Part, x: OutletId, axis: usize, kind: LegacyKind) -> TractResult<OutletId> {
    let largest = p.reduce(x, &[axis], Reducer::Max)?;
    let moved = p.op(math::sub(), &[x, largest])?;
    let exponential = p.op(math::exp(), &[moved])?;
    let sum = p.reduce(exponential, &[axis], Reducer::Sum)?;
    match kind {
        LegacyKind::LogSoftmax => {
            let log = p.op(math::ln(), &[sum])?;
            p.op(math::sub(), &[moved, log])
        }
        _ => p.op(math::div(), &[exponential, sum]),
    }
}
