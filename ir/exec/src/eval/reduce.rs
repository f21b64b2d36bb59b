//! Evaluation of reductions over axes.
//!
//! Floats are summed and multiplied in f64 and rounded once; integers wrap in their own type. The maximum and the minimum
//! propagate NaN. Of nothing the sum is 0, the product 1, the maximum the least value; the mean is open (NaN, or 0 for
//! integers).

use edgesmith_ir::op::{
    ReduceL1, ReduceL2, ReduceLogSum, ReduceLogSumExp, ReduceMax, ReduceMean, ReduceMin, ReduceProd, ReduceSum,
    ReduceSumSquare,
};
use edgesmith_ir::{DType, Tensor};

use super::cx::one;
use super::dense::Numbers;
use super::layout::{Dims, Loops, count, dims, strides};
use super::number::{Number, bools, by_dtype, truths};
use super::stored::{from_f64, from_integers, is_number, limits};
use super::{EvalCx, EvalError, Evaluated};

/// What is reduced, and how the result is laid out.
struct Reduction<'a> {
    x: &'a Tensor,
    dims: Dims,
    /// The result's extents.
    out: Dims,
    /// For each axis of the operand the step in the result; 0 along reduced axes.
    steps: Dims,
    /// Elements that meet in one element of the result.
    group: usize,
    /// Elements of the result.
    total: usize,
}

impl<'a> Reduction<'a> {
    /// Absent or empty axes mean all axes; with `noop` none, so that only the elementwise part happens.
    fn new(cx: &EvalCx<'a>, keepdims: bool, noop: bool) -> Result<Self, EvalError> {
        let x = cx.tensor(0)?;
        let dims = dims(x);
        let axes: Dims = match cx.maybe_ints(1)? {
            Some(axes) if !axes.is_empty() => cx.axes(&axes, dims.len())?,
            _ if noop => Dims::new(),
            _ => (0..dims.len()).collect(),
        };
        let mut reduced = vec![false; dims.len()];
        axes.iter().for_each(|axis| reduced[*axis] = true);
        let kept: Dims = dims.iter().zip(&reduced).map(|(extent, gone)| if *gone { 1 } else { *extent }).collect();
        let mut steps = strides(&kept);
        steps.iter_mut().zip(&reduced).filter(|(_, gone)| **gone).for_each(|(step, _)| *step = 0);
        let out = if keepdims {
            kept
        } else {
            kept.iter().zip(&reduced).filter(|(_, gone)| !**gone).map(|(extent, _)| *extent).collect()
        };
        let total = cx.allow(x.dtype(), &out)?;
        let group = axes.iter().map(|axis| dims[*axis]).product();
        debug_assert_eq!(Some(total), count(&out));
        Ok(Self { x, dims, out, steps, group, total })
    }

    /// Combines every element with the element of the result that it belongs to, in row-major order.
    fn fold<T: Copy, A>(&self, elements: &[T], start: A, combine: impl Fn(&mut A, T)) -> Vec<A>
    where
        A: Clone,
    {
        let mut result = vec![start; self.total];
        Loops::new(&self.dims, [&strides(&self.dims), &self.steps]).run(|[from, to], [s, t], length| match (s, t) {
            (1, 0) => {
                let slot = &mut result[to];
                elements[from..from + length].iter().for_each(|x| combine(slot, *x));
            }
            _ => (0..length).for_each(|k| combine(&mut result[to + k * t], elements[from + k * s])),
        });
        result
    }
}

/// A fold of floats in f64. Those of f32 are read where they lie; the others are widened first.
fn fold_floats(r: &Reduction<'_>, start: f64, combine: impl Fn(&mut f64, f64)) -> Result<Vec<f64>, EvalError> {
    Ok(if r.x.dtype() == DType::F32 {
        r.fold(&r.x.view::<f32>()?, start, |sum: &mut f64, x: f32| combine(sum, f64::from(x)))
    } else {
        r.fold(&Numbers::of(r.x)?.all(), start, |sum: &mut f64, x: f64| combine(sum, x))
    })
}

/// A sum or a product: `$float` combines in f64, `$integer` in the integer type.
macro_rules! accumulate {
    ($op:expr, $cx:expr, start: $start:expr, $T:ident => float: $float:expr, integer: $integer:expr) => {{
        let r = Reduction::new($cx, $op.keepdims, $op.noop_with_empty_axes)?;
        let dtype = r.x.dtype();
        by_dtype!(dtype, $T: integer => {
            one($T::write(dtype, &r.out, r.fold(&$T::read(r.x)?, $T::low($start), $integer))?)
        }, else {
            is_computed($cx, dtype)?;
            one(from_f64(dtype, &r.out, fold_floats(&r, f64::from($start as i32), $float)?)?)
        })
    }};
}

fn add(sum: &mut f64, x: f64) {
    *sum += x;
}

fn add_square(sum: &mut f64, x: f64) {
    *sum += x * x;
}

fn magnitude<T: Number>(x: T) -> T {
    if x < T::ZERO { T::ZERO.minus(x) } else { x }
}

pub(super) fn reduce_sum(op: &ReduceSum, cx: &EvalCx<'_>) -> Evaluated {
    accumulate!(op, cx, start: 0, T => float: add, integer: |sum, x| *sum = sum.plus(x))
}

pub(super) fn reduce_prod(op: &ReduceProd, cx: &EvalCx<'_>) -> Evaluated {
    accumulate!(op, cx, start: 1, T => float: |product: &mut f64, x| *product *= x,
        integer: |product, x| *product = product.times(x))
}

pub(super) fn reduce_sum_square(op: &ReduceSumSquare, cx: &EvalCx<'_>) -> Evaluated {
    accumulate!(op, cx, start: 0, T => float: add_square, integer: |sum, x| *sum = sum.plus(x.times(x)))
}

pub(super) fn reduce_l1(op: &ReduceL1, cx: &EvalCx<'_>) -> Evaluated {
    accumulate!(op, cx, start: 0, T => float: |sum: &mut f64, x: f64| *sum += x.abs(),
        integer: |sum, x| *sum = sum.plus(magnitude(x)))
}

/// A reduction computed in f64 for every element type and finished by `finish`; integers are truncated.
fn through_f64(
    cx: &EvalCx<'_>,
    r: &Reduction<'_>,
    combine: impl Fn(&mut f64, f64),
    finish: &dyn Fn(f64) -> f64,
) -> Evaluated {
    is_computed(cx, r.x.dtype())?;
    let mut sums = fold_floats(r, 0.0, combine)?;
    sums.iter_mut().for_each(|sum| *sum = finish(*sum));
    one(from_f64(r.x.dtype(), &r.out, sums)?)
}

fn is_computed(cx: &EvalCx<'_>, dtype: DType) -> Result<(), EvalError> {
    if is_number(dtype) { Ok(()) } else { Err(cx.wrong_dtype(dtype)) }
}

pub(super) fn reduce_l2(op: &ReduceL2, cx: &EvalCx<'_>) -> Evaluated {
    let r = Reduction::new(cx, op.keepdims, op.noop_with_empty_axes)?;
    through_f64(cx, &r, add_square, &f64::sqrt)
}

pub(super) fn reduce_log_sum(op: &ReduceLogSum, cx: &EvalCx<'_>) -> Evaluated {
    let r = Reduction::new(cx, op.keepdims, op.noop_with_empty_axes)?;
    through_f64(cx, &r, add, &libm::log)
}

/// The maximum is subtracted first; where it is infinite there is nothing to subtract.
pub(super) fn reduce_log_sum_exp(op: &ReduceLogSumExp, cx: &EvalCx<'_>) -> Evaluated {
    let r = Reduction::new(cx, op.keepdims, op.noop_with_empty_axes)?;
    is_computed(cx, r.x.dtype())?;
    let elements = Numbers::of(r.x)?.all();
    let max = r.fold(&elements, f64::NEG_INFINITY, |max: &mut f64, x: f64| *max = max.greater(x));
    let mut sums = vec![0.0_f64; r.total];
    Loops::new(&r.dims, [&strides(&r.dims), &r.steps]).run(|[from, to], [s, t], length| {
        for k in 0..length {
            let shift = if max[to + k * t].is_finite() { max[to + k * t] } else { 0.0 };
            sums[to + k * t] += libm::exp(elements[from + k * s] - shift);
        }
    });
    for (sum, max) in sums.iter_mut().zip(&max) {
        *sum = libm::log(*sum) + if max.is_finite() { *max } else { 0.0 };
    }
    one(from_f64(r.x.dtype(), &r.out, sums)?)
}

/// The mean of integers truncates toward zero.
pub(super) fn reduce_mean(op: &ReduceMean, cx: &EvalCx<'_>) -> Evaluated {
    let r = Reduction::new(cx, op.keepdims, op.noop_with_empty_axes)?;
    if r.group == 0 && r.total > 0 {
        cx.open("the mean of nothing")?;
    }
    let dtype = r.x.dtype();
    if dtype.is_float() {
        return through_f64(cx, &r, add, &|sum| sum / r.group as f64);
    }
    by_dtype!(dtype, T: integer => {
        let mut sums = r.fold(&T::read(r.x)?, 0_i128, |sum: &mut i128, x: T| *sum += i128::from(x));
        sums.iter_mut().for_each(|sum| *sum /= r.group.max(1) as i128);
        one(from_integers(dtype, &r.out, sums)?)
    }, else Err(cx.wrong_dtype(dtype)))
}

/// What every element is at least (or at most); of nothing it is the maximum (or the minimum).
fn bound<T: Number>(dtype: DType, greatest: bool) -> T {
    if T::FLOAT {
        return T::narrow(if greatest { f64::INFINITY } else { f64::NEG_INFINITY });
    }
    let (least, most) = limits(dtype);
    T::low(if greatest { most } else { least })
}

macro_rules! extreme {
    ($op:expr, $cx:expr, $T:ident => $start:expr, $f:expr, bool: $bool_start:expr, $bool:expr) => {{
        let r = Reduction::new($cx, $op.keepdims, $op.noop_with_empty_axes)?;
        if r.x.dtype() == DType::Bool {
            return one(bools(&r.out, r.fold(&truths(r.x)?, $bool_start, $bool))?);
        }
        by_dtype!(r.x.dtype(), $T: number => {
            let start = bound::<$T>(r.x.dtype(), $start);
            one($T::write(r.x.dtype(), &r.out, r.fold(&$T::read(r.x)?, start, |best: &mut $T, x| *best = $f(*best, x)))?)
        }, else Err($cx.wrong_dtype(r.x.dtype())))
    }};
}

pub(super) fn reduce_max(op: &ReduceMax, cx: &EvalCx<'_>) -> Evaluated {
    extreme!(op, cx, T => false, T::greater, bool: 0, |best, x| *best |= x)
}

pub(super) fn reduce_min(op: &ReduceMin, cx: &EvalCx<'_>) -> Evaluated {
    extreme!(op, cx, T => true, T::lesser, bool: 1, |best, x| *best &= x)
}
