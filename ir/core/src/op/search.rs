//! Operators: search.

use super::checks::{self, known_or_fresh};
use super::operator;
use crate::infer::{InferCx, InferError};
use crate::{DType, Dim, Dims, Shape};

operator! {
    /// Index of the largest element along an axis.
    ArgMax {
        operands { data: one }
        results { reduced: one }
        attributes { axis: i64 [0], keepdims: bool [true], select_last_index: bool [false] }
        regions {  }
        infer: |op: &ArgMax, cx: &mut InferCx<'_>| index_along(cx, op.axis, op.keepdims);
    }
}

operator! {
    /// Index of the smallest element along an axis.
    ArgMin {
        operands { data: one }
        results { reduced: one }
        attributes { axis: i64 [0], keepdims: bool [true], select_last_index: bool [false] }
        regions {  }
        infer: |op: &ArgMin, cx: &mut InferCx<'_>| index_along(cx, op.axis, op.keepdims);
    }
}

operator! {
    /// Slices along an axis where the condition holds.
    Compress {
        operands { input: one, condition: one }
        results { output: one }
        attributes { axis: Option<i64> }
        regions {  }
        infer: compress;
    }
}

operator! {
    /// Selects boxes by score, dropping those that overlap a better one.
    NonMaxSuppression {
        operands { boxes: one, scores: one, max_output_boxes_per_class: maybe, iou_threshold: maybe, score_threshold: maybe }
        results { selected_indices: one }
        attributes { center_point_box: bool [false] }
        regions {  }
        infer: suppress;
    }
}

operator! {
    /// Indices of the elements that are not zero, `[rank, n]`.
    NonZero {
        operands { x: one }
        results { y: one }
        attributes {  }
        regions {  }
        infer: non_zero;
    }
}

operator! {
    /// The k largest or smallest elements along an axis, with their indices.
    TopK {
        operands { x: one, count: one }
        results { values: one, indices: one }
        attributes { axis: i64 [-1], largest: bool [true], sorted: bool [true] }
        regions {  }
        infer: top_k;
    }
}

operator! {
    /// The different elements, with their indices and counts.
    Unique {
        operands { x: one }
        results { y: one, indices: maybe, inverse_indices: maybe, counts: maybe }
        attributes { axis: Option<i64>, sorted: bool [true] }
        regions {  }
        infer: unique;
    }
}

fn index_along(cx: &mut InferCx<'_>, axis: i64, keepdims: bool) -> Result<(), InferError> {
    let shape = match checks::dims(cx, 0) {
        None => Shape::Unranked,
        Some(mut dims) => {
            let axis = InferCx::axis(axis, dims.len())?;
            if dims[axis].is(0) {
                return Err(InferError::new(format!("axis {axis} is empty, so it has no such element")));
            }
            if keepdims {
                dims[axis] = Dim::Known(1);
            } else {
                dims.remove(axis);
            }
            Shape::Ranked(dims)
        }
    };
    cx.set_tensor(0, Some(DType::I64), shape);
    Ok(())
}

/// The length is known where the condition is constant and not longer than the axis.
fn compress(op: &Compress, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    checks::dims_of_rank(cx, 1, 1, "condition")?;
    let dims = checks::dims(cx, 0);
    let (mut out, axis) = match (dims, op.axis) {
        (None, Some(_)) => {
            cx.set_tensor(0, cx.dtype(0), Shape::Unranked);
            return Ok(());
        }
        (Some(dims), Some(axis)) => {
            let axis = InferCx::axis(axis, dims.len())?;
            (dims, axis)
        }
        (_, None) => (smallvec::smallvec![cx.shape(0).elements()] as Dims, 0),
    };
    let condition =
        cx.ints(1).filter(|condition| out[axis].known().is_some_and(|extent| condition.len() as i64 <= extent));
    let length = condition.map_or(Dim::Unknown, |condition| Dim::from(condition.iter().filter(|n| **n != 0).count()));
    out[axis] = known_or_fresh(cx, length, 0, axis);
    cx.set_tensor(0, cx.dtype(0), Shape::Ranked(out));
    Ok(())
}

/// Without a limit for each class, or with one of zero, nothing is selected.
fn suppress(_: &NonMaxSuppression, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let boxes = checks::dims_of_rank(cx, 0, 3, "boxes")?;
    let scores = checks::dims_of_rank(cx, 1, 3, "scores")?;
    if let (Some(boxes), Some(scores)) = (boxes, scores) {
        cx.equal(&boxes[0], &scores[0], "the batches of boxes and scores")?;
        cx.equal(&boxes[1], &scores[2], "the numbers of boxes and scores")?;
        cx.equal(&boxes[2], &Dim::Known(4), "the coordinates of a box")?;
    }
    let none = !cx.has(2) || cx.int(2) == Some(0);
    let count = if none { Dim::Known(0) } else { cx.fresh(0, 0) };
    cx.set_tensor(0, Some(DType::I64), Shape::of([count, Dim::Known(3)]));
    Ok(())
}

fn non_zero(_: &NonZero, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let rank = cx.shape(0).rank().map_or(Dim::Unknown, Dim::from);
    cx.set_tensor(0, Some(DType::I64), Shape::of([rank, cx.fresh(0, 1)]));
    Ok(())
}

fn top_k(op: &TopK, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let count = cx.contents(1).and_then(|count| count.items().first().map(crate::Item::dim)).unwrap_or_default();
    if count.known().is_some_and(|count| count < 0) {
        return Err(InferError::new(format!("{count} elements are asked for")));
    }
    for (slot, dtype) in [(0, cx.dtype(0)), (1, Some(DType::I64))] {
        let shape = match checks::dims(cx, 0) {
            None => Shape::Unranked,
            Some(mut dims) => {
                let axis = InferCx::axis(op.axis, dims.len())?;
                if let (Dim::Known(count), Dim::Known(extent)) = (&count, &dims[axis])
                    && count > extent
                {
                    return Err(InferError::new(format!("{count} elements are asked for, axis {axis} has {extent}")));
                }
                // Values and indices have one length.
                let named = usize::from(!cx.wants(0));
                dims[axis] = known_or_fresh(cx, count.clone(), named, axis);
                Shape::Ranked(dims)
            }
        };
        cx.set_tensor(slot, dtype, shape);
    }
    Ok(())
}

/// The values, their first indices and their counts have one length, that of the inverse is the operand's.
fn unique(op: &Unique, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let named = [0, 1, 3].into_iter().find(|slot| cx.wants(*slot)).unwrap_or(0);
    let (values, count, all) = match (checks::dims(cx, 0), op.axis) {
        (None, Some(_)) => (Shape::Unranked, cx.fresh(named, 0), Dim::Unknown),
        (Some(mut dims), Some(axis)) => {
            let axis = InferCx::axis(axis, dims.len())?;
            let count = cx.fresh(named, axis);
            let all = std::mem::replace(&mut dims[axis], count.clone());
            (Shape::Ranked(dims), count, all)
        }
        (_, None) => (Shape::of([cx.fresh(named, 0)]), cx.fresh(named, 0), cx.shape(0).elements()),
    };
    cx.set_tensor(0, cx.dtype(0), values);
    for (slot, length) in [(1, count.clone()), (2, all), (3, count)] {
        cx.set_tensor(slot, Some(DType::I64), Shape::of([length]));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::rule_test::{given, infer};
    use super::*;
    use crate::Tensor;

    #[test]
    fn indices_of_extremes() {
        let largest = |axis, keepdims| ArgMax { axis, keepdims, select_last_index: false };
        assert_eq!(infer(&largest(-1, true), given!["float[N,10]"]), "int64[N,1]");
        assert_eq!(infer(&largest(1, false), given!["float[N,10]"]), "int64[N]");
        assert_eq!(infer(&largest(0, true), given!["?"]), "int64[..]");
        assert_eq!(infer(&largest(2, true), given!["float[N,10]"]), "axis 2 is outside rank 2");
        let least = ArgMin { axis: 0, keepdims: true, select_last_index: false };
        assert_eq!(infer(&least, given!["float[0]"]), "axis 0 is empty, so it has no such element");
    }

    #[test]
    fn what_depends_on_data_is_named() {
        let mask = || Tensor::from_bools(smallvec::smallvec![3], &[true, false, true]).unwrap();
        let compress = |axis| Compress { axis };
        assert_eq!(infer(&compress(Some(1)), given!["float[N,4]", "bool[4]"]), "float[N,`?r0.1`]");
        assert_eq!(infer(&compress(Some(1)), given!["float[N,4]", mask()]), "float[N,2]");
        assert_eq!(infer(&compress(Some(0)), given!["float[N,4]", mask()]), "float[`?r0.0`,4]");
        assert_eq!(infer(&compress(None), given!["float[2,4]", mask()]), "float[2]");
        assert_eq!(infer(&compress(None), given!["float[..]", "bool[4]"]), "float[`?r0.0`]");
        assert_eq!(infer(&compress(None), given!["float[2]", "bool[]"]), "condition must have rank 1, not 0");
        assert_eq!(infer(&NonZero {}, given!["float[N,4]"]), "int64[2,`?r0.1`]");
        assert_eq!(infer(&NonZero {}, given!["float[]"]), "int64[0,`?r0.1`]");
        assert_eq!(infer(&NonZero {}, given!["float[..]"]), "int64[?,`?r0.1`]");
        let unique = |axis| Unique { axis, sorted: true };
        let n = "`?r0.0`";
        let expected = format!("float[{n}] int64[{n}] int64[12] int64[{n}]");
        assert_eq!(infer(&unique(None), given!["float[3,4]"]), expected);
        let n = "`?r0.1`";
        let expected = format!("float[3,{n}] int64[{n}] int64[4] int64[{n}]");
        assert_eq!(infer(&unique(Some(-1)), given!["float[3,4]"]), expected);
    }

    #[test]
    fn suppression() {
        let op = NonMaxSuppression { center_point_box: false };
        let (boxes, scores) = ("float[1,N,4]", "float[1,C,N]");
        assert_eq!(infer(&op, given![boxes, scores, "int64[1]"]), "int64[`?r0.0`,3]");
        assert_eq!(infer(&op, given![boxes, scores, "int64[1] = 0"]), "int64[0,3]");
        assert_eq!(infer(&op, given![boxes, scores]), "int64[0,3]");
        let message = "the numbers of boxes and scores: 5 and 6 must be equal";
        assert_eq!(infer(&op, given!["float[1,5,4]", "float[1,2,6]"]), message);
        assert_eq!(infer(&op, given!["float[5,4]", scores]), "boxes must have rank 3, not 2");
    }

    #[test]
    fn the_best_few() {
        let op = TopK { axis: -1, largest: true, sorted: true };
        assert_eq!(infer(&op, given!["float[N,100]", "int64[1] = 5"]), "float[N,5] int64[N,5]");
        assert_eq!(infer(&op, given!["float[N,100]", "int64[1] = K"]), "float[N,K] int64[N,K]");
        assert_eq!(infer(&op, given!["float[N,100]", "int64[1]"]), "float[N,`?r0.1`] int64[N,`?r0.1`]");
        assert_eq!(infer(&op, given!["float[..]", "int64[1]"]), "float[..] int64[..]");
        assert_eq!(infer(&op, given!["float[3]", "int64[1] = 5"]), "5 elements are asked for, axis 0 has 3");
        assert_eq!(infer(&op, given!["float[3]", "int64[1] = -1"]), "-1 elements are asked for");
    }
}
