//! Evaluation of Softmax, LogSoftmax and Hardmax, and of their forms before opset 13.

use edgesmith_ir::Tensor;
use edgesmith_ir::op::{Hardmax, LegacySoftmax, LogSoftmax, Softmax, SoftmaxKind};

use super::cx::one;
use super::layout::{around, dims};
use super::number::{Number, by_dtype};
use super::{EvalCx, Evaluated};

pub(super) fn softmax(op: &Softmax, cx: &EvalCx<'_>) -> Evaluated {
    modern(SoftmaxKind::Softmax, op.axis, cx)
}

pub(super) fn log_softmax(op: &LogSoftmax, cx: &EvalCx<'_>) -> Evaluated {
    modern(SoftmaxKind::LogSoftmax, op.axis, cx)
}

pub(super) fn hardmax(op: &Hardmax, cx: &EvalCx<'_>) -> Evaluated {
    modern(SoftmaxKind::Hardmax, op.axis, cx)
}

fn modern(kind: SoftmaxKind, axis: i64, cx: &EvalCx<'_>) -> Evaluated {
    let x = cx.tensor(0)?;
    let dims = dims(x);
    let split = if dims.is_empty() { (1, 1, 1) } else { around(&dims, cx.axis(axis, dims.len())?) };
    rows(kind, x, split, cx)
}

/// All axes from `axis` on together; `axis` may be the rank, which leaves rows of one element.
pub(super) fn legacy_softmax(op: &LegacySoftmax, cx: &EvalCx<'_>) -> Evaluated {
    let x = cx.tensor(0)?;
    let dims = dims(x);
    let axis = if op.axis == dims.len() as i64 { dims.len() } else { cx.axis(op.axis, dims.len())? };
    rows(op.kind, x, (dims[..axis].iter().product(), dims[axis..].iter().product(), 1), cx)
}

/// One row for every outer and inner index. The maximum is subtracted first; a row of minus infinities gives NaN.
fn rows(kind: SoftmaxKind, x: &Tensor, (outer, length, inner): (usize, usize, usize), cx: &EvalCx<'_>) -> Evaluated {
    let shape = dims(x);
    cx.allow(x.dtype(), &shape)?;
    by_dtype!(x.dtype(), T: float => {
        let elements = T::read(x)?;
        let mut result = vec![T::ZERO; elements.len()];
        let mut row = vec![0.0_f64; length];
        for start in (0..outer).flat_map(|o| (0..inner).map(move |i| o * length * inner + i)) {
            if length == 0 {
                break;
            }
            for (k, slot) in row.iter_mut().enumerate() {
                *slot = elements[start + k * inner].wide();
            }
            apply(kind, &mut row);
            for (k, y) in row.iter().enumerate() {
                result[start + k * inner] = T::narrow(*y);
            }
        }
        one(T::write(x.dtype(), &shape, result)?)
    }, else Err(cx.wrong_dtype(x.dtype())))
}

fn apply(kind: SoftmaxKind, row: &mut [f64]) {
    let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    match kind {
        SoftmaxKind::Softmax => {
            let mut sum = 0.0;
            for x in row.iter_mut() {
                *x = libm::exp(*x - max);
                sum += *x;
            }
            for x in row {
                *x /= sum;
            }
        }
        SoftmaxKind::LogSoftmax => {
            let log_sum = libm::log(row.iter().map(|x| libm::exp(x - max)).sum());
            for x in row {
                *x = *x - max - log_sum;
            }
        }
        SoftmaxKind::Hardmax => {
            let first = row.iter().position(|x| *x == max).unwrap_or(0);
            row.iter_mut().enumerate().for_each(|(k, x)| *x = f64::from(u8::from(k == first)));
        }
    }
}
