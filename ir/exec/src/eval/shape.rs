//! Evaluation of operators about shapes.

use bytes::Bytes;
use edgesmith_ir::op::{ConstantOfShape, EyeLike, Flatten, Range, Reshape, Shape};
use edgesmith_ir::{DType, Extents, Tensor};

use super::cx::one;
use super::layout::{Dims, broadcast, count, dims, extents};
use super::map::expand as expanded;
use super::movement::{picked, splat_like, unmovable};
use super::number::{Cell, by_dtype};
use super::stored::{cut, from_f64, is_number};
use super::{EvalCx, EvalError, Evaluated};

/// Extents from an integer operand, none of them negative.
fn shape_operand(cx: &EvalCx<'_>, slot: usize) -> Result<Dims, EvalError> {
    let given = cx.ints(slot)?;
    let shape: Option<Dims> = given.iter().map(|extent| usize::try_from(*extent).ok()).collect();
    shape.ok_or_else(|| cx.error(format!("{given:?} is no shape")))
}

/// A splat: it costs nothing until it is read.
pub(super) fn constant_of_shape(op: &ConstantOfShape, cx: &EvalCx<'_>) -> Evaluated {
    let shape = shape_operand(cx, 0)?;
    let (dtype, element) = match &op.value {
        None => (DType::F32, Bytes::from_static(&[0; 4])),
        Some(value) if value.len() == 1 && value.dtype().whole_bytes().is_some() => {
            (value.dtype(), value.dense_bytes()?)
        }
        Some(value) if value.len() == 1 => return Err(cx.wrong_dtype(value.dtype())),
        Some(value) => return Err(cx.error(format!("the value has {} elements, not one", value.len()))),
    };
    cx.allow(dtype, &shape)?;
    one(Tensor::splat(dtype, extents(&shape), element)?)
}

pub(super) fn expand(cx: &EvalCx<'_>) -> Evaluated {
    let x = cx.tensor(0)?;
    let own = dims(x);
    let out = broadcast(&[&own, &shape_operand(cx, 1)?]).map_err(|error| cx.error(error))?;
    cx.allow(x.dtype(), &out)?;
    if let Some(splat) = splat_like(x, &out)? {
        return one(splat);
    }
    by_dtype!(x.dtype(), T: cell => one(<T as Cell>::tensor(x.dtype(), &out, expanded(&T::cells(x)?, &own, &out))?),
        else Err(unmovable(x.dtype())))
}

pub(super) fn eye_like(op: &EyeLike, cx: &EvalCx<'_>) -> Evaluated {
    let Some(like) = cx.value(0)?.as_tensor() else { return Err(cx.error("the operand is no tensor")) };
    let dtype = op.dtype.unwrap_or(like.dtype());
    let shape = dims(like);
    let [_, columns] = shape[..] else { return Err(cx.error("a matrix is needed")) };
    let total = cx.allow(dtype, &shape)?;
    let on = |at: usize| (at % columns) as i128 - (at / columns) as i128 == i128::from(op.k);
    if dtype == DType::Bool {
        return one(super::number::bools(&shape, (0..total).map(|at| u8::from(on(at))).collect())?);
    }
    if !is_number(dtype) {
        return Err(cx.wrong_dtype(dtype));
    }
    one(from_f64(dtype, &shape, (0..total).map(|at| f64::from(u8::from(on(at)))).collect())?)
}

/// Always a matrix; axis 0 gives one row.
pub(super) fn flatten(op: &Flatten, cx: &EvalCx<'_>) -> Evaluated {
    let x = cx.tensor(0)?;
    let shape = x.shape();
    let axis = if op.axis == shape.len() as i64 { shape.len() } else { cx.axis(op.axis, shape.len())? };
    let matrix: [u64; 2] = [shape[..axis].iter().product(), shape[axis..].iter().product()];
    one(x.reshaped(matrix.as_slice())?)
}

/// The number of elements and each of them (`start + i·delta`) are computed in f64 also for f32, those of integers
/// exactly.
pub(super) fn range(_: &Range, cx: &EvalCx<'_>) -> Evaluated {
    let dtype = cx.tensor(0)?.dtype();
    if dtype.is_integer() {
        let int = |slot| cx.maybe_int(slot).and_then(|x| x.ok_or_else(|| cx.error("an operand is missing")));
        let (start, limit, delta) = (i128::from(int(0)?), i128::from(int(1)?), i128::from(int(2)?));
        if delta == 0 {
            return Err(cx.error("a step of zero"));
        }
        let length = ((limit - start + delta - delta.signum()) / delta).max(0);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        cx.allow(dtype, &[length])?;
        let integers = (0..length).map(|i| (start + i as i128 * delta) as i64).collect();
        return one(cut(dtype, &[length], integers).map_err(|_| cx.wrong_dtype(dtype))?);
    }
    let number = |slot| cx.maybe_f64(slot).and_then(|x| x.ok_or_else(|| cx.error("an operand is missing")));
    let (start, limit, delta) = (number(0)?, number(1)?, number(2)?);
    let length = ((limit - start) / delta).ceil();
    if delta == 0.0 || length.is_nan() {
        return Err(cx.error(format!("no range from {start} to {limit} by {delta}")));
    }
    let length = length.max(0.0) as usize;
    cx.allow(dtype, &[length])?;
    if !dtype.is_float() {
        return Err(cx.wrong_dtype(dtype));
    }
    one(from_f64(dtype, &[length], (0..length).map(|i| start + i as f64 * delta).collect())?)
}

pub(super) fn reshape(op: &Reshape, cx: &EvalCx<'_>) -> Evaluated {
    let x = cx.tensor(0)?;
    let given = cx.ints(1)?;
    let mut out = Extents::new();
    let mut inferred = None;
    for (at, extent) in given.iter().enumerate() {
        out.push(match extent {
            0 if !op.allowzero => *x.shape().get(at).ok_or_else(|| {
                cx.error(format!("{given:?} copies axis {at}, which rank {} does not have", x.rank()))
            })?,
            -1 if inferred.is_none() => {
                inferred = Some(at);
                1
            }
            n => u64::try_from(*n).map_err(|_| cx.error(format!("{given:?} is no shape")))?,
        });
    }
    if let Some(at) = inferred {
        let rest = count(&out.iter().map(|n| *n as usize).collect::<Dims>()).unwrap_or(0) as u64;
        if rest == 0 || x.len() % rest != 0 {
            return Err(cx.error(format!("{:?} cannot become {given:?}", x.shape())));
        }
        out[at] = x.len() / rest;
    }
    one(x.reshaped(out).map_err(|_| cx.error(format!("{:?} cannot become {given:?}", x.shape())))?)
}

pub(super) fn shape(op: &Shape, cx: &EvalCx<'_>) -> Evaluated {
    // Of a splat or a sparse tensor, too: the elements are not read.
    let Some(x) = cx.value(0)?.as_tensor() else { return Err(cx.error("the operand is no tensor")) };
    let rank = x.rank() as i64;
    let bound = |at: i64| if at < 0 { at.saturating_add(rank) } else { at }.clamp(0, rank) as usize;
    let (start, end) = (bound(op.start), bound(op.end.unwrap_or(rank)));
    let ints: Vec<i64> = x.shape()[start..end.max(start)].iter().map(|extent| *extent as i64).collect();
    one(Tensor::from_ints(&ints))
}

pub(super) fn size(cx: &EvalCx<'_>) -> Evaluated {
    let Some(x) = cx.value(0)?.as_tensor() else { return Err(cx.error("the operand is no tensor")) };
    one(Tensor::scalar(x.len() as i64))
}

/// An empty list of axes is open; like an absent one it drops every axis of extent one.
pub(super) fn squeeze(cx: &EvalCx<'_>) -> Evaluated {
    let x = cx.tensor(0)?;
    let axes = cx.maybe_ints(1)?;
    if axes.as_ref().is_some_and(Vec::is_empty) && x.shape().contains(&1) {
        cx.open("an empty list of axes")?;
    }
    let axes: Dims = match axes {
        Some(axes) if !axes.is_empty() => cx.axes(&axes, x.rank())?,
        _ => (0..x.rank()).filter(|axis| x.shape()[*axis] == 1).collect(),
    };
    if let Some(axis) = axes.iter().find(|axis| x.shape()[**axis] != 1) {
        return Err(cx.error(format!("axis {axis} of {:?} is not one wide", x.shape())));
    }
    let kept: Extents = (0..x.rank()).filter(|axis| !axes.contains(axis)).map(|axis| x.shape()[axis]).collect();
    one(x.reshaped(kept)?)
}

pub(super) fn unsqueeze(cx: &EvalCx<'_>) -> Evaluated {
    let x = cx.tensor(0)?;
    let given = cx.ints(1)?;
    let rank = x.rank() + given.len();
    let axes = cx.axes(&given, rank)?;
    let mut own = x.shape().iter();
    let out: Extents =
        (0..rank).map(|axis| if axes.contains(&axis) { 1 } else { own.next().copied().unwrap_or(1) }).collect();
    one(x.reshaped(out)?)
}

pub(super) fn tile(cx: &EvalCx<'_>) -> Evaluated {
    let x = cx.tensor(0)?;
    let own = dims(x);
    let repeats = shape_operand(cx, 1)?;
    if repeats.len() != own.len() {
        return Err(cx.error(format!("{} repeats for rank {}", repeats.len(), own.len())));
    }
    let out: Dims = own.iter().zip(&repeats).map(|(extent, times)| extent.saturating_mul(*times)).collect();
    cx.allow(x.dtype(), &out)?;
    let lists: Vec<Option<Vec<usize>>> = own
        .iter()
        .zip(&repeats)
        .map(|(extent, times)| (*times != 1).then(|| (0..extent * times).map(|at| at % extent).collect()))
        .collect();
    one(picked(x, &lists)?)
}
