//! Reductions.

use edgesmith_exec::Value;

use crate::kit::*;

const INF: f32 = f32::INFINITY;

#[test]
fn axes_absent_empty_and_negative() {
    let x = f(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    gives("ReduceSum", &[], &[x.clone()], &f(&[1, 1], &[21.0]));
    gives("ReduceSum", &[("keepdims", int(0))], &[x.clone(), i(&[0], &[])], &f(&[], &[21.0]));
    gives("ReduceSum", &[("keepdims", int(0))], &[x.clone(), ints(&[-1])], &row(&[6.0, 15.0]));
    gives("ReduceSum", &[], &[x.clone(), ints(&[0])], &f(&[1, 3], &[5.0, 7.0, 9.0]));
    // Nothing is reduced, but the elementwise part runs.
    let noop = [("noop_with_empty_axes", int(1))];
    gives("ReduceSum", &noop, &[x.clone()], &x);
    gives("ReduceSumSquare", &noop, &[row(&[-2.0, 3.0])], &row(&[4.0, 9.0]));
    gives("ReduceL1", &noop, &[row(&[-2.0])], &row(&[2.0]));
    gives("ReduceLogSum", &noop, &[row(&[1.0])], &row(&[0.0]));
    gives("ReduceMax", &[], &[f(&[], &[7.0])], &f(&[], &[7.0]));
    invalid("ReduceSum", &[], &[x.clone(), ints(&[2])]);
    invalid("ReduceSum", &[], &[x, ints(&[0, -2])]);
}

#[test]
fn nothing_is_reduced_to_the_neutral_element() {
    let none = f(&[2, 0], &[]);
    let over = |name: &str, expected: f32| gives(name, &[], &[none.clone(), ints(&[1])], &f(&[2, 1], &[expected; 2]));
    over("ReduceSum", 0.0);
    over("ReduceL1", 0.0);
    over("ReduceL2", 0.0);
    over("ReduceSumSquare", 0.0);
    over("ReduceProd", 1.0);
    over("ReduceMax", -INF);
    over("ReduceMin", INF);
    over("ReduceLogSum", -INF);
    over("ReduceLogSumExp", -INF);
    open("ReduceMean", &[], &[none, ints(&[1])], &f(&[2, 1], &[f32::NAN; 2]));
    gives("ReduceMax", &[], &[t::<i8>(&[0], &[])], &t(&[1], &[i8::MIN]));
    gives("ReduceMax", &[], &[b(&[0], &[])], &b(&[1], &[0]));
    gives("ReduceMin", &[], &[b(&[0], &[])], &b(&[1], &[1]));
}

#[test]
fn integers_wrap_and_truncate() {
    gives("ReduceSum", &[], &[t(&[2], &[i32::MAX, 1])], &t(&[1], &[i32::MIN]));
    gives("ReduceSum", &[], &[ints(&[1 << 53, 1])], &ints(&[(1 << 53) + 1]));
    gives("ReduceMean", &[], &[t(&[3], &[-1_i32, -1, 0])], &t(&[1], &[0_i32]));
    gives("ReduceL2", &[], &[t(&[2], &[3_i32, 4])], &t(&[1], &[5_i32]));
    gives("ReduceSumSquare", &[], &[t(&[1], &[100_u8])], &t(&[1], &[16_u8]));
}

#[test]
fn floats_are_summed_without_loss() {
    gives("ReduceSum", &[], &[row(&[1e8, 1.0, -1e8])], &row(&[1.0]));
    gives("ReduceMax", &[], &[row(&[1.0, f32::NAN, 3.0])], &row(&[f32::NAN]));
    near("ReduceLogSumExp", &[], &[row(&[1000.0, 1000.0])], &row(&[1000.693_1]));
    gives("ReduceLogSumExp", &[], &[row(&[-INF, -INF])], &row(&[-INF]));
    gives("ReduceLogSumExp", &[], &[row(&[1.0, INF])], &row(&[INF]));
}

#[test]
fn middle_axes_are_reduced() {
    let x: Vec<f32> = (0..24_u8).map(f32::from).collect();
    let x: Value = f(&[2, 3, 4], &x);
    gives("ReduceSum", &[("keepdims", int(0))], &[x.clone(), ints(&[0, 2])], &row(&[60.0, 92.0, 124.0]));
    gives(
        "ReduceMax",
        &[("keepdims", int(0))],
        &[x, ints(&[1])],
        &f(&[2, 4], &[8.0, 9.0, 10.0, 11.0, 20.0, 21.0, 22.0, 23.0]),
    );
}
