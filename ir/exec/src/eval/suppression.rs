//! Evaluation of NonMaxSuppression.

use edgesmith_ir::DType;
use edgesmith_ir::op::NonMaxSuppression;

use super::cx::one;
use super::layout::dims;
use super::number::tensor;
use super::{EvalCx, Evaluated};

/// A box by its least and greatest corner.
#[derive(Clone, Copy)]
struct Rectangle {
    low: [f64; 2],
    high: [f64; 2],
}

impl Rectangle {
    /// `center`: middle x, middle y, width, height; else two opposite corners `y, x, y, x` in any order.
    fn new(numbers: &[f64], center: bool) -> Self {
        if center {
            let (w, h) = (numbers[2] / 2.0, numbers[3] / 2.0);
            return Self { low: [numbers[1] - h, numbers[0] - w], high: [numbers[1] + h, numbers[0] + w] };
        }
        Self {
            low: [numbers[0].min(numbers[2]), numbers[1].min(numbers[3])],
            high: [numbers[0].max(numbers[2]), numbers[1].max(numbers[3])],
        }
    }
    fn area(&self) -> f64 {
        (self.high[0] - self.low[0]) * (self.high[1] - self.low[1])
    }
    /// Intersection over union; 0 where either is empty.
    fn overlap(&self, other: &Self) -> f64 {
        let side = |k: usize| (self.high[k].min(other.high[k]) - self.low[k].max(other.low[k])).max(0.0);
        let common = side(0) * side(1);
        if common <= 0.0 { 0.0 } else { common / (self.area() + other.area() - common) }
    }
}

/// For each batch and class boxes above the score threshold (strictly) in descending order of their scores, equal ones by
/// index; one is dropped that overlaps a kept one by more (strictly) than the threshold. Without a maximum there is no
/// output at all.
pub(super) fn non_max_suppression(op: &NonMaxSuppression, cx: &EvalCx<'_>) -> Evaluated {
    let (boxes, scores) = (cx.tensor(0)?, cx.tensor(1)?);
    let ([batches, count, 4], [score_batches, classes, score_count]) = (&dims(boxes)[..], &dims(scores)[..]) else {
        return Err(cx.error("boxes [n, boxes, 4] and scores [n, classes, boxes] are needed"));
    };
    let (batches, count, classes) = (*batches, *count, *classes);
    if (batches, count) != (*score_batches, *score_count) {
        return Err(cx.error("boxes and scores differ in number"));
    }
    let limit = usize::try_from(cx.maybe_int(2)?.unwrap_or(0)).unwrap_or(0);
    let overlap = cx.maybe_f64(3)?.unwrap_or(0.0);
    let threshold = cx.maybe_f64(4)?.unwrap_or(f64::NEG_INFINITY);
    let absent = cx.maybe_value(4).is_none();
    let (Some(corners), Some(scores)) = (boxes.to_f64(), scores.to_f64()) else {
        return Err(cx.wrong_dtype(boxes.dtype()));
    };
    let rectangles: Vec<Rectangle> =
        corners.chunks_exact(4).map(|numbers| Rectangle::new(numbers, op.center_point_box)).collect();
    let mut selected: Vec<i64> = Vec::new();
    for batch in 0..batches {
        let rectangles = &rectangles[batch * count..(batch + 1) * count];
        for class in 0..classes {
            let scores = &scores[(batch * classes + class) * count..][..count];
            let mut order: Vec<usize> = (0..count).filter(|at| absent || scores[*at] > threshold).collect();
            order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
            let mut kept: Vec<usize> = Vec::new();
            for at in order {
                if kept.len() >= limit {
                    break;
                }
                if kept.iter().all(|other| rectangles[at].overlap(&rectangles[*other]) <= overlap) {
                    kept.push(at);
                    selected.extend([batch as i64, class as i64, at as i64]);
                }
            }
        }
    }
    let out = [selected.len() / 3, 3];
    cx.allow(DType::I64, &out)?;
    one(tensor::<i64>(&out, selected)?)
}
