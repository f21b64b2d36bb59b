//! Operators that move elements.

use edgesmith_exec::Value;

use crate::kit::*;

fn counting(shape: &[u64]) -> Value {
    let count = shape.iter().product::<u64>();
    f(shape, &(0..count).map(|k| k as f32).collect::<Vec<f32>>())
}

#[test]
fn transposes() {
    gives("Transpose", &[], &[counting(&[2, 3])], &f(&[3, 2], &[0.0, 3.0, 1.0, 4.0, 2.0, 5.0]));
    gives(
        "Transpose",
        &[("perm", list(&[1, 0, 2]))],
        &[counting(&[2, 2, 2])],
        &f(&[2, 2, 2], &[0.0, 1.0, 4.0, 5.0, 2.0, 3.0, 6.0, 7.0]),
    );
    gives("Transpose", &[], &[s(&[1, 2], &["a", "b"])], &s(&[2, 1], &["a", "b"]));
    invalid("Transpose", &[("perm", list(&[0, 0]))], &[counting(&[2, 3])]);
    invalid("Transpose", &[("perm", list(&[0]))], &[counting(&[2, 3])]);
}

#[test]
fn joining_and_splitting() {
    let join = |axis| [("axis", int(axis))];
    gives(
        "Concat",
        &join(-1),
        &[f(&[2, 1], &[1.0, 2.0]), f(&[2, 2], &[3.0, 4.0, 5.0, 6.0])],
        &f(&[2, 3], &[1.0, 3.0, 4.0, 2.0, 5.0, 6.0]),
    );
    gives("Concat", &join(0), &[f(&[0, 2], &[]), f(&[1, 2], &[1.0, 2.0])], &f(&[1, 2], &[1.0, 2.0]));
    invalid("Concat", &join(0), &[f(&[0], &[]), f(&[1, 2], &[1.0, 2.0])]);
    invalid("Concat", &join(0), &[row(&[1.0]), ints(&[1])]);
    let parts = |attributes: Attributes<'_>, operands: &[Value], count| {
        strict("Split", attributes, operands, count)
            .map(|parts| parts.iter().map(|part| part.as_tensor().unwrap().shape()[0]).collect::<Vec<u64>>())
    };
    assert_eq!(parts(&[("num_outputs", int(3))], &[counting(&[7])], 3).unwrap(), [3, 3, 1]);
    assert_eq!(parts(&[("num_outputs", int(3))], &[counting(&[4])], 3).unwrap(), [2, 2, 0]);
    assert_eq!(parts(&[], &[counting(&[5]), ints(&[0, 5])], 2).unwrap(), [0, 5]);
    assert!(parts(&[], &[counting(&[5]), ints(&[1, 5])], 2).is_err());
    let halves = strict("Split", &[("axis", int(1))], &[counting(&[2, 2]), ints(&[1, 1])], 2).unwrap();
    assert_eq!(halves, [f(&[2, 1], &[0.0, 2.0]), f(&[2, 1], &[1.0, 3.0])]);
}

#[test]
fn slices_clamp() {
    let x = row(&[0.0, 1.0, 2.0, 3.0, 4.0]);
    let slice = |start: i64, end: i64, step: i64, expected: &[f32]| {
        let operands = [x.clone(), ints(&[start]), ints(&[end]), ints(&[0]), ints(&[step])];
        gives("Slice", &[], &operands, &row(expected));
    };
    slice(1, i64::MAX, 1, &[1.0, 2.0, 3.0, 4.0]);
    slice(-2, i64::from(i32::MAX), 1, &[3.0, 4.0]);
    slice(-99, 2, 1, &[0.0, 1.0]);
    slice(4, i64::MIN, -2, &[4.0, 2.0, 0.0]);
    slice(i64::MAX, -2, -1, &[4.0]);
    slice(3, 3, 1, &[]);
    slice(0, 5, 3, &[0.0, 3.0]);
    slice(0, 5, i64::MAX, &[0.0]);
    // A start before the axis is its first element when walking backwards.
    slice(-99, i64::MIN, -1, &[0.0]);
    invalid("Slice", &[], &[x.clone(), ints(&[0]), ints(&[1]), ints(&[0]), ints(&[0])]);
    invalid("Slice", &[], &[x, ints(&[0, 0]), ints(&[1, 1]), ints(&[0, -1])]);
    let without_axes = [counting(&[2, 3]), ints(&[1, 1]), ints(&[2, 3])];
    gives("Slice", &[], &without_axes, &f(&[1, 2], &[4.0, 5.0]));
    gives("Slice", &[], &[f(&[0, 2], &[]), ints(&[0]), ints(&[9])], &f(&[0, 2], &[]));
}

#[test]
fn pads_of_every_mode() {
    let x = row(&[1.0, 2.0, 3.0]);
    let mode = |name| [("mode", text(name))];
    let pad = |name, begin: i64, end: i64, expected: &[f32]| {
        gives("Pad", &mode(name), &[x.clone(), ints(&[begin, end])], &row(expected));
    };
    pad("constant", 1, -1, &[0.0, 1.0, 2.0]);
    pad("edge", -1, 2, &[2.0, 3.0, 3.0, 3.0]);
    pad("edge", 1, -2, &[1.0, 1.0]);
    pad("reflect", 2, 1, &[3.0, 2.0, 1.0, 2.0, 3.0, 2.0]);
    pad("wrap", 4, 1, &[3.0, 1.0, 2.0, 3.0, 1.0, 2.0, 3.0, 1.0]);
    open("Pad", &mode("reflect"), &[x.clone(), ints(&[3, 0])], &row(&[2.0, 3.0, 2.0, 1.0, 2.0, 3.0]));
    invalid("Pad", &[], &[x.clone(), ints(&[-2, -2])]);
    invalid("Pad", &[], &[x, ints(&[1])]);
    let axes = [counting(&[2, 2]), ints(&[1, 0]), f(&[], &[9.0]), ints(&[-1])];
    gives("Pad", &[], &axes, &f(&[2, 3], &[9.0, 0.0, 1.0, 9.0, 2.0, 3.0]));
    gives("Pad", &[], &[counting(&[1, 2]), ints(&[1, 0, 0, 1])], &f(&[2, 3], &[0.0, 0.0, 0.0, 0.0, 1.0, 0.0]));
    gives("CenterCropPad", &[], &[counting(&[5]), ints(&[2])], &row(&[1.0, 2.0]));
    gives("CenterCropPad", &[], &[row(&[1.0, 2.0]), ints(&[5])], &row(&[0.0, 1.0, 2.0, 0.0, 0.0]));
}

#[test]
fn blocks_move_between_depth_and_space() {
    let x = counting(&[1, 4, 1, 2]);
    let block = |mode| [("blocksize", int(2)), ("mode", text(mode))];
    let y = f(&[1, 1, 2, 4], &[0.0, 2.0, 1.0, 3.0, 4.0, 6.0, 5.0, 7.0]);
    gives("DepthToSpace", &block("DCR"), &[x.clone()], &y);
    gives("SpaceToDepth", &[("blocksize", int(2))], &[y], &x);
    let deep = counting(&[1, 8, 1, 1]);
    gives("DepthToSpace", &block("DCR"), &[deep.clone()], &f(&[1, 2, 2, 2], &[0.0, 2.0, 4.0, 6.0, 1.0, 3.0, 5.0, 7.0]));
    gives("DepthToSpace", &block("CRD"), &[deep.clone()], &counting(&[1, 2, 2, 2]));
    gives("SpaceToDepth", &block("CRD"), &[counting(&[1, 2, 2, 2])], &deep);
    invalid("DepthToSpace", &block("DCR"), &[counting(&[1, 3, 1, 1])]);
}

#[test]
fn one_hot_wraps_and_leaves_off() {
    let operands = [ints(&[0, -1, 3, -4]), i(&[], &[3]), row(&[5.0, 6.0])];
    let expected = f(&[4, 3], &[6.0, 5.0, 5.0, 5.0, 5.0, 6.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0]);
    gives("OneHot", &[], &operands, &expected);
    let first = [ints(&[1, 0]), ints(&[2]), row(&[0.0, 1.0])];
    gives("OneHot", &[("axis", int(0))], &first, &f(&[2, 2], &[0.0, 1.0, 1.0, 0.0]));
}

#[test]
fn triangles_and_sequences() {
    let x = f(&[2, 3], &[1.0, 2.0, 3.0, f32::NAN, 5.0, 6.0]);
    gives("Trilu", &[], &[x.clone()], &f(&[2, 3], &[1.0, 2.0, 3.0, 0.0, 5.0, 6.0]));
    gives(
        "Trilu",
        &[("upper", int(0))],
        &[x.clone(), i(&[], &[-1])],
        &f(&[2, 3], &[0.0, 0.0, 0.0, f32::NAN, 0.0, 0.0]),
    );
    gives("Trilu", &[], &[x, i(&[], &[i64::MAX])], &f(&[2, 3], &[0.0; 6]));
    let time_first = [f(&[3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), ints(&[2, 3])];
    gives("ReverseSequence", &[], &time_first, &f(&[3, 2], &[3.0, 6.0, 1.0, 4.0, 5.0, 2.0]));
}

#[test]
fn columns_are_added_into_an_image() {
    // A 1×2 window over a line of three: the middle is covered twice.
    let x = f(&[1, 2, 2], &[1.0, 2.0, 3.0, 4.0]);
    gives("Col2Im", &[], &[x, ints(&[1, 3]), ints(&[1, 2])], &f(&[1, 1, 1, 3], &[1.0, 5.0, 4.0]));
    let padded = f(&[1, 2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let pads = [("pads", list(&[0, 1, 0, 1]))];
    gives("Col2Im", &pads, &[padded, ints(&[1, 2]), ints(&[1, 2])], &f(&[1, 1, 1, 2], &[6.0, 8.0]));
}
