//! Evaluation of Cast, CastLike and BitCast.
//!
//! What the specification leaves open is chosen as ONNX Runtime does on x86: a float outside the range of int32 or int64
//! gives the minimum, of a narrower integer the low bits of the 32-bit (uint32: 64-bit) result. Casts to strings print
//! the shortest digits that read back, `NaN`, `INF` and `-INF`; implementations differ, so they count as open too.

use bytes::Bytes;
use edgesmith_ir::op::{BitCast, Cast, CastLike};
use edgesmith_ir::{DType, Tensor};
use half::{bf16, f16};

use super::cx::one;
use super::layout::dims;
use super::number::{Cell, Number, bools, by_dtype, tensor, truths};
use super::stored::{cut, from_integers, integers, is_number, limits, rounded};
use super::{EvalCx, EvalError, Evaluated};

pub(super) fn cast(op: &Cast, cx: &EvalCx<'_>) -> Evaluated {
    convert(cx.tensor(0)?, op.to, cx)
}

pub(super) fn cast_like(_: &CastLike, cx: &EvalCx<'_>) -> Evaluated {
    // The second operand gives its element type only; its elements need not fit in memory.
    match cx.value(1)?.as_tensor() {
        Some(like) => convert(cx.tensor(0)?, like.dtype(), cx),
        None => Err(cx.error("the second operand is no tensor")),
    }
}

pub(super) fn bit_cast(op: &BitCast, cx: &EvalCx<'_>) -> Evaluated {
    let x = cx.tensor(0)?;
    if x.dtype().bits() != op.to.bits() || op.to == DType::String {
        return Err(cx.error(format!("{} and {} differ in width", x.dtype(), op.to)));
    }
    one(Tensor::dense(op.to, x.shape(), x.dense_bytes()?)?)
}

fn convert(x: &Tensor, to: DType, cx: &EvalCx<'_>) -> Evaluated {
    let from = x.dtype();
    if from == to {
        return one(x.clone());
    }
    let shape = dims(x);
    cx.allow(to, &shape)?;
    match (from, to) {
        (DType::String, _) => from_strings(x, to, cx),
        (_, DType::String) => to_strings(x, cx),
        (DType::Bool, _) => match to {
            to if to.is_float() => one(rounded(to, &shape, &truths(x)?.into_iter().map(f64::from).collect::<Vec<_>>())
                .map_err(|_| uncastable(from, to))?),
            to if to.is_integer() => one(cut(to, &shape, truths(x)?.into_iter().map(i64::from).collect())?),
            _ => Err(uncastable(from, to)),
        },
        // NaN and denormals are true.
        (_, DType::Bool) => by_dtype!(from, T: number => {
            one(bools(&shape, T::read(x)?.iter().map(|x| u8::from(*x != T::ZERO)).collect())?)
        }, else Err(uncastable(from, to))),
        // Through one wide type, so that there are as many loops as types, not as many as pairs. Both are exact.
        _ if from.is_float() => {
            let wide = x.to_f64().ok_or_else(|| cx.wrong_dtype(from))?;
            if to.is_integer() {
                return floats_to_integers(&wide, &shape, to, cx);
            }
            one(rounded(to, &shape, &wide).map_err(|_| uncastable(from, to))?)
        }
        _ if from.is_integer() && is_number(to) => {
            let wide = integers(x)?;
            one(from_integers(to, &shape, wide).map_err(|_| uncastable(from, to))?)
        }
        _ => Err(uncastable(from, to)),
    }
}

fn uncastable(from: DType, to: DType) -> EvalError {
    EvalError::Unsupported(format!("a cast from {from} to {to}"))
}

fn floats_to_integers(x: &[f64], shape: &[usize], to: DType, cx: &EvalCx<'_>) -> Evaluated {
    if !to.is_integer() {
        return Err(uncastable(DType::F64, to));
    }
    let (least, most) = limits(to);
    let (low, high) = (least as f64, most as f64);
    // For the 64-bit types the maximum rounds up to a power of two, which is outside.
    let fits = |x: f64| x >= low && if to.bits() == 64 { x < high } else { x <= high };
    if x.iter().any(|x| !fits(x.trunc())) {
        cx.open(&format!("a cast to {to} of a number outside its range"))?;
    }
    let through = if to.bits() < 32 || to == DType::I32 { through_i32 } else { through_i64 };
    let whole = |x: f64| match x.trunc() {
        within if fits(within) && to == DType::U64 => within as u64 as i64,
        within if fits(within) => within as i64,
        _ => through(x),
    };
    one(cut(to, shape, x.iter().map(|x| whole(*x)).collect())?)
}

fn through_i32(x: f64) -> i64 {
    let fits = x >= f64::from(i32::MIN) && x <= f64::from(i32::MAX);
    i64::from(if fits { x as i32 } else { i32::MIN })
}

fn through_i64(x: f64) -> i64 {
    let fits = x >= i64::MIN as f64 && x < i64::MAX as f64;
    if fits { x as i64 } else { i64::MIN }
}

/// Decimal and scientific numbers, INF and NaN in any case, blanks around them.
fn from_strings(x: &Tensor, to: DType, cx: &EvalCx<'_>) -> Evaluated {
    let shape = dims(x);
    let cells = Bytes::cells(x)?;
    let numbers: Vec<&str> = cells.iter().map(|cell| std::str::from_utf8(cell).unwrap_or_default().trim()).collect();
    let bad = |text: &str| cx.error(format!("'{text}' is no number"));
    if to.is_integer() {
        let parsed: Option<Vec<i128>> = numbers.iter().map(|text| text.parse().ok()).collect();
        if let Some(integers) = parsed {
            if !to.is_integer() {
                return Err(uncastable(DType::String, to));
            }
            let (least, most) = limits(to);
            if integers.iter().any(|x| !(least..=most).contains(x)) {
                cx.open("a string that stands for an integer outside the range")?;
            }
            return one(from_integers(to, &shape, integers)?);
        }
        cx.open("a string that is no integer, cast to one")?;
    }
    // f32 is read as f32, since reading as f64 would round twice.
    if to == DType::F32 {
        let parsed: Result<Vec<f32>, EvalError> =
            numbers.iter().map(|t| t.parse::<f32>().map_err(|_| bad(t))).collect();
        return one(tensor::<f32>(&shape, parsed?)?);
    }
    let parsed: Result<Vec<f64>, EvalError> = numbers.iter().map(|t| t.parse::<f64>().map_err(|_| bad(t))).collect();
    let parsed = parsed?;
    match to {
        DType::Bool => one(bools(&shape, parsed.into_iter().map(|x| u8::from(x != 0.0)).collect())?),
        _ if to.is_integer() => floats_to_integers(&parsed, &shape, to, cx),
        _ => one(rounded(to, &shape, &parsed).map_err(|_| uncastable(DType::String, to))?),
    }
}

fn to_strings(x: &Tensor, cx: &EvalCx<'_>) -> Evaluated {
    cx.open("the digits of a number as a string")?;
    let print = |x: f64, shortest: String| match x {
        _ if x.is_nan() => "NaN".to_owned(),
        _ if x.is_infinite() => if x > 0.0 { "INF" } else { "-INF" }.to_owned(),
        _ => shortest,
    };
    let strings: Vec<String> = match x.dtype() {
        DType::F32 => x.view::<f32>()?.iter().map(|x| print(x.wide(), x.to_string())).collect(),
        DType::F64 => x.view::<f64>()?.iter().map(|x| print(*x, x.to_string())).collect(),
        DType::F16 => x.view::<f16>()?.iter().map(|x| print(x.to_f64(), x.to_string())).collect(),
        DType::BF16 => x.view::<bf16>()?.iter().map(|x| print(x.to_f64(), x.to_string())).collect(),
        DType::Bool => truths(x)?.iter().map(ToString::to_string).collect(),
        from => by_dtype!(from, T: integer => T::read(x)?.iter().map(ToString::to_string).collect(),
            else return Err(uncastable(from, DType::String))),
    };
    one(<Bytes as Cell>::tensor(DType::String, &dims(x), strings.into_iter().map(Bytes::from).collect())?)
}
