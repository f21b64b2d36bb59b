//! The engine on small models: bindings, taps, states, errors, profiles.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, reason = "a test")]

mod common;

use common::{Build, close, floats, run, values};
use edgesmith_backend_tract::TractEngine;
use edgesmith_exec::{Effort, Engine, EngineError, Request};
use edgesmith_ir::op::{Add, AutoPad, Conv, GatherND, MatMul, Relu};
use edgesmith_ir::{DType, Dim, Name, Tensor};

fn conv() -> Conv {
    Conv {
        auto_pad: AutoPad::SameUpper,
        dilations: vec![],
        group: 1,
        kernel_shape: vec![],
        pads: vec![],
        strides: vec![],
    }
}

/// Conv, bias, Relu and a product, under a symbolic batch.
fn small() -> (Build, Vec<edgesmith_ir::ValueId>) {
    let mut b = Build::new();
    let x = b.input("x", DType::F32, &[Dim::symbol("N"), Dim::Known(1), Dim::Known(2), Dim::Known(2)]);
    let weight = b.constant(floats(&[1, 1, 3, 3], &[0., 0., 0., 0., 2., 0., 0., 0., 0.]));
    let y = b.one(conv(), &[x, weight]);
    let bias = b.constant(floats(&[1], &[-3.0]));
    let z = b.one(Add {}, &[y, bias]);
    let r = b.one(Relu {}, &[z]);
    let matrix = b.constant(floats(&[2, 1], &[1.0, 10.0]));
    let m = b.one(MatMul {}, &[r, matrix]);
    b.output(m);
    (b, vec![y, z, r])
}

#[test]
fn runs_under_several_bindings() {
    let (b, _) = small();
    let one = run(&b.model, &values(&[("x", floats(&[1, 1, 2, 2], &[1., 2., 3., 4.]))])).unwrap();
    close(&one[0], &floats(&[1, 1, 2, 1], &[10.0, 53.0]), 0.0);
    let two = run(&b.model, &values(&[("x", floats(&[2, 1, 2, 2], &[1., 2., 3., 4., 0., 0., 5., 6.]))])).unwrap();
    close(&two[0], &floats(&[2, 1, 2, 1], &[10.0, 53.0, 0.0, 97.0]), 0.0);
}

#[test]
fn taps_come_after_outputs_in_the_order_asked_for() {
    let (b, inner) = small();
    for effort in [Effort::Once, Effort::Many] {
        let taps = vec![b.name(inner[1]), b.name(inner[0])];
        let request = Request { taps: taps.clone(), effort, ..Request::default() };
        let mut session = TractEngine::default().prepare(&b.model, &request).unwrap().session().unwrap();
        let got = session.run(&values(&[("x", floats(&[1, 1, 2, 2], &[1., 2., 3., 4.]))])).unwrap();
        let names: Vec<&Name> = got.keys().collect();
        assert_eq!(names[1..], [&taps[0], &taps[1]]);
        close(got[&taps[1]].as_tensor().unwrap(), &floats(&[1, 1, 2, 2], &[2., 4., 6., 8.]), 0.0);
        close(got[&taps[0]].as_tensor().unwrap(), &floats(&[1, 1, 2, 2], &[-1., 1., 3., 5.]), 0.0);
    }
    let request = Request { taps: vec![Name::from("nothing")], ..Request::default() };
    assert!(matches!(TractEngine::default().prepare(&b.model, &request), Err(EngineError::Request(_))));
}

#[test]
fn inputs_that_do_not_fit_are_named() {
    let (b, _) = small();
    let message = |named: &[(&str, Tensor)]| run(&b.model, &values(named)).unwrap_err().to_string();
    assert_eq!(message(&[]), "input 'x': no value is given for it");
    assert_eq!(
        message(&[("x", floats(&[1, 1, 2, 3], &[0.0; 6]))]),
        "input 'x': its shape is [1, 1, 2, 3], the model takes [N,1,2,2]"
    );
    assert_eq!(message(&[("x", Tensor::from_ints(&[1]))]), "input 'x': it is int64, the model takes float");
    assert_eq!(
        message(&[("x", floats(&[1, 1, 2, 2], &[0.0; 4])), ("z", Tensor::from_ints(&[1]))]),
        "input 'z': the model has no such input; it has x"
    );
}

#[test]
fn a_symbol_has_one_value() {
    let mut b = Build::new();
    let x = b.input("x", DType::F32, &[Dim::symbol("N")]);
    let y = b.input("y", DType::F32, &[Dim::symbol("N")]);
    let z = b.one(Add {}, &[x, y]);
    b.output(z);
    let error = run(&b.model, &values(&[("x", floats(&[2], &[0.0; 2])), ("y", floats(&[1], &[0.0]))])).unwrap_err();
    assert_eq!(error.to_string(), "input 'y': the dim N is 1 here and 2 in an earlier input");
}

#[test]
fn a_failed_run_leaves_the_session_usable() {
    let mut b = Build::new();
    let x = b.input("x", DType::F32, &[Dim::Known(3), Dim::Known(2)]);
    let indices = b.input("i", DType::I64, &[Dim::Known(4), Dim::Known(1)]);
    let y = b.one(GatherND { batch_dims: 0 }, &[x, indices]);
    b.output(y);
    let mut session = TractEngine::default().prepare(&b.model, &Request::default()).unwrap().session().unwrap();
    let x = floats(&[3, 2], &[1., 2., 3., 4., 5., 6.]);
    let with =
        |ints: [i64; 4]| values(&[("x", x.clone()), ("i", Tensor::from_slice([4_u64, 1].as_slice(), &ints).unwrap())]);
    let error = session.run(&with([0, 1, 2, 3])).unwrap_err().to_string();
    assert!(error.contains("the index 3 is out of range of 3 elements"), "{error}");
    let good = session.run(&with([-1, 0, -3, 2])).unwrap();
    let want = floats(&[4, 2], &[5., 6., 1., 2., 1., 2., 5., 6.]);
    close(good.values().next().unwrap().as_tensor().unwrap(), &want, 0.0);
}

#[test]
fn half_precision_is_computed_in_f32_and_rounded_on_the_way_out() {
    let mut b = Build::new();
    let x = b.input("x", DType::F16, &[Dim::Known(2)]);
    let big = b.constant(Tensor::from_f64(DType::F16, [1_u64].as_slice(), &[60000.0]).unwrap());
    let sum = b.one(Add {}, &[x, big]);
    let minus = b.constant(Tensor::from_f64(DType::F16, [1_u64].as_slice(), &[-60000.0]).unwrap());
    let back = b.one(Add {}, &[sum, minus]);
    b.output(back);
    let x = Tensor::from_f64(DType::F16, [2_u64].as_slice(), &[60000.0, 1.0]).unwrap();
    let got = run(&b.model, &values(&[("x", x.clone())])).unwrap();
    assert_eq!(got[0], x);
}

#[test]
fn profiles_name_the_operators() {
    let (b, _) = small();
    let request = Request { effort: Effort::Once, ..Request::default() };
    let mut session = TractEngine::default().prepare(&b.model, &request).unwrap().session().unwrap();
    let times = session.profile(&values(&[("x", floats(&[1, 1, 2, 2], &[1., 2., 3., 4.]))])).unwrap().unwrap();
    let labels: Vec<&str> = times.iter().map(|time| time.label.as_str()).collect();
    let names: Vec<&str> = b.model.graph(b.graph).ops().map(|(_, op)| op.name().as_str()).collect();
    assert_eq!(labels, names);
    assert!(times.iter().any(|time| time.nanoseconds > 0));
}
