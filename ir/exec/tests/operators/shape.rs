//! Operators about shapes.

use edgesmith_ir::{Attribute, DType, Tensor};

use crate::kit::*;

#[test]
fn shape_slices_clamp() {
    let x = f(&[2, 3, 4], &[0.0; 24]);
    let part = |start: i64, end: i64| [("start", int(start)), ("end", int(end))];
    gives("Shape", &[], &[x.clone()], &ints(&[2, 3, 4]));
    gives("Shape", &part(-2, 99), &[x.clone()], &ints(&[3, 4]));
    gives("Shape", &part(2, 1), &[x.clone()], &ints(&[]));
    gives("Shape", &part(-9, -1), &[x.clone()], &ints(&[2, 3]));
    gives("Size", &[], &[f(&[], &[1.0])], &i(&[], &[1]));
}

#[test]
fn reshape_copies_and_infers() {
    let x = f(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let y = |shape: &[u64]| f(shape, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    gives("Reshape", &[], &[x.clone(), ints(&[0, -1, 1])], &y(&[2, 3, 1]));
    gives("Reshape", &[], &[row(&[7.0]), ints(&[])], &f(&[], &[7.0]));
    gives("Reshape", &[], &[f(&[0, 3], &[]), ints(&[-1, 3])], &f(&[0, 3], &[]));
    gives("Reshape", &[("allowzero", int(1))], &[f(&[0, 3], &[]), ints(&[3, 0])], &f(&[3, 0], &[]));
    invalid("Reshape", &[], &[f(&[0, 3], &[]), ints(&[0, -1])]);
    invalid("Reshape", &[("allowzero", int(1))], &[f(&[0, 3], &[]), ints(&[0, -1])]);
    invalid("Reshape", &[], &[x.clone(), ints(&[2, 2])]);
    invalid("Reshape", &[], &[x.clone(), ints(&[-1, -1])]);
    invalid("Reshape", &[], &[x.clone(), ints(&[2, 3, 0])]);
    invalid("Reshape", &[], &[x, ints(&[4, -1])]);
}

#[test]
fn axes_come_and_go() {
    let x = f(&[1, 2, 1], &[1.0, 2.0]);
    gives("Squeeze", &[], &[x.clone()], &row(&[1.0, 2.0]));
    gives("Squeeze", &[], &[x.clone(), ints(&[-1])], &f(&[1, 2], &[1.0, 2.0]));
    open("Squeeze", &[], &[x.clone(), ints(&[])], &row(&[1.0, 2.0]));
    invalid("Squeeze", &[], &[x.clone(), ints(&[1])]);
    gives("Unsqueeze", &[], &[row(&[1.0, 2.0]), ints(&[2, 0])], &x);
    gives("Unsqueeze", &[], &[f(&[], &[1.0]), ints(&[-1])], &row(&[1.0]));
    invalid("Unsqueeze", &[], &[row(&[1.0]), ints(&[0, -3])]);
    let deep = f(&[2, 1, 2], &[1.0, 2.0, 3.0, 4.0]);
    gives("Flatten", &[("axis", int(0))], &[deep.clone()], &f(&[1, 4], &[1.0, 2.0, 3.0, 4.0]));
    gives("Flatten", &[("axis", int(3))], &[deep.clone()], &f(&[4, 1], &[1.0, 2.0, 3.0, 4.0]));
    gives("Flatten", &[("axis", int(-1))], &[deep], &f(&[2, 2], &[1.0, 2.0, 3.0, 4.0]));
}

#[test]
fn expansion() {
    gives("Expand", &[], &[f(&[2, 1], &[1.0, 2.0]), ints(&[2])], &f(&[2, 2], &[1.0, 1.0, 2.0, 2.0]));
    gives("Expand", &[], &[row(&[1.0, 2.0]), ints(&[])], &row(&[1.0, 2.0]));
    gives("Expand", &[], &[row(&[1.0]), ints(&[2, 0])], &f(&[2, 0], &[]));
    gives(
        "Tile",
        &[],
        &[f(&[1, 2], &[1.0, 2.0]), ints(&[2, 2])],
        &f(&[2, 4], &[1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0]),
    );
    gives("Tile", &[], &[row(&[1.0]), ints(&[0])], &row(&[]));
    invalid("Tile", &[], &[f(&[1, 2], &[1.0, 2.0]), ints(&[2])]);
    let fill = [("value", Attribute::Tensor(Tensor::from_ints(&[7])))];
    gives("ConstantOfShape", &[], &[ints(&[])], &f(&[], &[0.0]));
    gives("ConstantOfShape", &fill, &[ints(&[2, 1])], &i(&[2, 1], &[7, 7]));
    gives("EyeLike", &[("k", int(1))], &[f(&[2, 3], &[0.0; 6])], &f(&[2, 3], &[0.0, 1.0, 0.0, 0.0, 0.0, 1.0]));
    let bools = [("dtype", int(i64::from(DType::Bool.onnx())))];
    gives("EyeLike", &bools, &[f(&[1, 2], &[0.0; 2])], &b(&[1, 2], &[1, 0]));
}

#[test]
fn ranges_count_in_f64() {
    let range = |start: f32, limit: f32, delta: f32| [f(&[], &[start]), f(&[], &[limit]), f(&[], &[delta])];
    // 0.3 and 0.1 as f32 are 3.0000000298… steps apart in f64.
    let four = ran("Range", &[], &range(0.0, 0.3, 0.1)).unwrap();
    assert_eq!(four.as_tensor().unwrap().shape(), [4]);
    gives("Range", &[], &range(5.0, 1.0, -2.0), &row(&[5.0, 3.0]));
    gives("Range", &[], &range(1.0, 1.0, 1.0), &row(&[]));
    gives("Range", &[], &[i(&[], &[10]), i(&[], &[4]), i(&[], &[-3])], &ints(&[10, 7]));
    gives("Range", &[], &[i(&[], &[0]), i(&[], &[5]), i(&[], &[2])], &ints(&[0, 2, 4]));
    invalid("Range", &[], &range(0.0, 1.0, 0.0));
    let endless = ran("Range", &[], &range(0.0, f32::INFINITY, 1.0));
    assert!(matches!(endless, Err(edgesmith_exec::EvalError::TooLarge { .. })));
}
