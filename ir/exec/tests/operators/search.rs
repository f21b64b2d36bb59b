//! Operators that look for elements.

use crate::kit::*;

#[test]
fn arg_of_equals() {
    let x = f(&[2, 3], &[1.0, 3.0, 3.0, 2.0, 2.0, 1.0]);
    let flat = [("axis", int(1)), ("keepdims", int(0))];
    let last = [("axis", int(1)), ("keepdims", int(0)), ("select_last_index", int(1))];
    gives("ArgMax", &flat, &[x.clone()], &ints(&[1, 0]));
    gives("ArgMax", &last, &[x.clone()], &ints(&[2, 1]));
    gives("ArgMin", &[], &[x], &i(&[1, 3], &[0, 1, 1]));
    open("ArgMax", &[], &[row(&[1.0, f32::NAN, 3.0])], &ints(&[1]));
    invalid("ArgMax", &[], &[f(&[0], &[])]);
}

#[test]
fn top_k_breaks_ties_by_index() {
    let x = row(&[2.0, 3.0, 2.0, 3.0, 1.0]);
    let top = |attributes: Attributes<'_>, k: i64| strict("TopK", attributes, &[x.clone(), ints(&[k])], 2).unwrap();
    assert_eq!(top(&[], 3), [row(&[3.0, 3.0, 2.0]), ints(&[1, 3, 0])]);
    assert_eq!(top(&[("largest", int(0))], 3), [row(&[1.0, 2.0, 2.0]), ints(&[4, 0, 2])]);
    assert_eq!(top(&[], 0), [row(&[]), ints(&[])]);
    invalid("TopK", &[], &[x, ints(&[6])]);
    let columns = strict("TopK", &[("axis", int(0))], &[f(&[2, 2], &[1.0, 4.0, 2.0, 3.0]), ints(&[1])], 2).unwrap();
    assert_eq!(columns, [f(&[1, 2], &[2.0, 4.0]), i(&[1, 2], &[1, 0])]);
}

#[test]
fn non_zero_lists_indices_by_axis() {
    gives("NonZero", &[], &[f(&[2, 2], &[1.0, 0.0, f32::NAN, -2.0])], &i(&[2, 3], &[0, 1, 1, 0, 0, 1]));
    gives("NonZero", &[], &[f(&[], &[5.0])], &i(&[0, 1], &[]));
    gives("NonZero", &[], &[b(&[3], &[0, 0, 0])], &i(&[1, 0], &[]));
}

#[test]
fn compress_takes_what_the_condition_covers() {
    let x = f(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    gives("Compress", &[("axis", int(1))], &[x.clone(), b(&[2], &[0, 1])], &f(&[2, 1], &[2.0, 5.0]));
    gives("Compress", &[], &[x.clone(), b(&[6], &[0, 1, 0, 1, 0, 0])], &row(&[2.0, 4.0]));
    gives("Compress", &[("axis", int(0))], &[x, b(&[3], &[0, 1, 1])], &f(&[1, 3], &[4.0, 5.0, 6.0]));
}

#[test]
fn unique_by_value_or_by_appearance() {
    let x = row(&[2.0, 1.0, 1.0, 3.0, 2.0]);
    let all = strict("Unique", &[], &[x.clone()], 4).unwrap();
    assert_eq!(all, [row(&[1.0, 2.0, 3.0]), ints(&[1, 0, 3]), ints(&[1, 0, 0, 2, 1]), ints(&[2, 2, 1])]);
    let unsorted = strict("Unique", &[("sorted", int(0))], &[x], 4).unwrap();
    assert_eq!(unsorted, [row(&[2.0, 1.0, 3.0]), ints(&[0, 1, 3]), ints(&[0, 1, 1, 2, 0]), ints(&[2, 2, 1])]);
    let columns = strict("Unique", &[("axis", int(1))], &[f(&[2, 3], &[2.0, 1.0, 2.0, 0.0, 5.0, 0.0])], 4).unwrap();
    assert_eq!(columns, [f(&[2, 2], &[1.0, 2.0, 5.0, 0.0]), ints(&[1, 0]), ints(&[1, 0, 1]), ints(&[1, 2])]);
    gives("Unique", &[], &[s(&[3], &["b", "a", "b"])], &s(&[2], &["a", "b"]));
}

#[test]
fn suppression_is_strict_and_needs_a_maximum() {
    // Two boxes that overlap by half, one apart; corners in any order.
    let boxes = f(&[1, 3, 4], &[0.0, 0.0, 2.0, 2.0, 2.0, 3.0, 0.0, 1.0, 5.0, 5.0, 6.0, 6.0]);
    let scores = f(&[1, 1, 3], &[0.5, 0.9, 0.9]);
    let run = |maximum: Option<i64>, overlap: f32, score: Option<f32>| {
        let operands = [
            Some(boxes.clone()),
            Some(scores.clone()),
            maximum.map(|n| ints(&[n])),
            Some(row(&[overlap])),
            score.map(|x| row(&[x])),
        ];
        folded("NonMaxSuppression", &[], &operands).unwrap()
    };
    assert_eq!(run(Some(9), 0.3, None), i(&[2, 3], &[0, 0, 1, 0, 0, 2]));
    assert_eq!(run(Some(9), 0.5, None), i(&[3, 3], &[0, 0, 1, 0, 0, 2, 0, 0, 0]));
    assert_eq!(run(Some(1), 0.3, None), i(&[1, 3], &[0, 0, 1]));
    assert_eq!(run(Some(9), 0.5, Some(0.5)), i(&[2, 3], &[0, 0, 1, 0, 0, 2]));
    assert_eq!(run(None, 0.5, None), i(&[0, 3], &[]));
    let centered = f(&[1, 2, 4], &[1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0]);
    let operands = [centered, f(&[1, 1, 2], &[0.1, 0.2]), ints(&[5]), row(&[0.9])];
    gives("NonMaxSuppression", &[("center_point_box", int(1))], &operands, &i(&[1, 3], &[0, 0, 1]));
}
