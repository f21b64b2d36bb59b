//! Operators: search.

use super::operator;

operator! {
    /// Index of the largest element along an axis.
    ArgMax {
        operands { data: one }
        results { reduced: one }
        attributes { axis: i64 [0], keepdims: bool [true], select_last_index: bool [false] }
        regions {  }
    }
}

operator! {
    /// Index of the smallest element along an axis.
    ArgMin {
        operands { data: one }
        results { reduced: one }
        attributes { axis: i64 [0], keepdims: bool [true], select_last_index: bool [false] }
        regions {  }
    }
}

operator! {
    /// Slices along an axis where the condition holds.
    Compress {
        operands { input: one, condition: one }
        results { output: one }
        attributes { axis: Option<i64> }
        regions {  }
    }
}

operator! {
    /// Selects boxes by score, dropping those that overlap a better one.
    NonMaxSuppression {
        operands { boxes: one, scores: one, max_output_boxes_per_class: maybe, iou_threshold: maybe, score_threshold: maybe }
        results { selected_indices: one }
        attributes { center_point_box: bool [false] }
        regions {  }
    }
}

operator! {
    /// Indices of the elements that are not zero, `[rank, n]`.
    NonZero {
        operands { x: one }
        results { y: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// The k largest or smallest elements along an axis, with their indices.
    TopK {
        operands { x: one, count: one }
        results { values: one, indices: one }
        attributes { axis: i64 [-1], largest: bool [true], sorted: bool [true] }
        regions {  }
    }
}

operator! {
    /// The different elements, with their indices and counts.
    Unique {
        operands { x: one }
        results { y: one, indices: maybe, inverse_indices: maybe, counts: maybe }
        attributes { axis: Option<i64>, sorted: bool [true] }
        regions {  }
    }
}
