//! Work is linear in the size of the model: counted calls of rules, on shapes that break naive code, and deep nesting.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use common::Builder;
use edgesmith_exec::{ReferenceEngine, Value};
use edgesmith_ir::op::{Add, Concat, Identity, If, Mul, Neg, Relu};
use edgesmith_ir::{DType, Dim, Graph, GraphId, Model, Shape, Tensor, ValueId, ValueType};
use edgesmith_pass::CheckMode;

const SMALL: usize = 2_000;
const LARGE: usize = 8_000;
/// Four times the operators may cost so many times the calls.
const GROWTH: f64 = 4.5;

fn vector() -> ValueType {
    ValueType::tensor(DType::F32, Shape::of([Dim::symbol("N"), Dim::Known(4)]))
}

/// Relu, Identity and a neutral product in turn: two of three go.
fn chain(n: usize) -> Model {
    let mut b = Builder::new();
    let mut x = b.input("x", vector());
    let one = b.constant(&[], &[1.0]);
    for k in 0..n {
        x = match k % 3 {
            0 => b.op(Neg {}, &[x]),
            1 => b.op(Identity {}, &[x]),
            _ => b.op(Mul {}, &[x, one]),
        };
    }
    b.finish(&[x])
}

/// Every sum reads the one before twice over.
fn residual_chain(n: usize) -> Model {
    let mut b = Builder::new();
    let mut x = b.input("x", vector());
    for _ in 0..n / 3 {
        let h = b.op(Relu {}, &[x]);
        let h = b.op(Identity {}, &[h]);
        x = b.op(Add {}, &[x, h]);
    }
    b.finish(&[x])
}

/// One constant that every operator reads.
fn shared_constant(n: usize) -> Model {
    let mut b = Builder::new();
    let mut x = b.input("x", vector());
    let c = b.constant(&[4], &[0.5, 1.0, 1.5, 2.0]);
    for k in 0..n {
        x = if k % 2 == 0 { b.op(Add {}, &[x, c]) } else { b.op(Mul {}, &[x, c]) };
    }
    b.finish(&[x])
}

/// One operator with n operands; each is a product with its own equal constant, and those merge.
fn wide_concat(n: usize) -> Model {
    let mut b = Builder::new();
    let x = b.input("x", vector());
    let parts: Vec<ValueId> = (0..n)
        .map(|k| {
            let c = b.constant(&[4], &[1.0, 2.0, 3.0, (k % 7) as f32]);
            b.op(Add {}, &[x, c])
        })
        .collect();
    let y = b.op(Concat { axis: 0 }, &parts);
    b.finish(&[y])
}

/// Calls of rules in the shipped pipeline, and the operators before and after.
fn calls(mut model: Model) -> (u64, u64, u64) {
    let report = common::run(&mut model, &common::lossless(), CheckMode::Off, &[]);
    model.verify().unwrap();
    (report.passes.iter().map(|pass| pass.calls).sum(), report.before.operators, report.after.operators)
}

#[track_caller]
fn is_linear(build: fn(usize) -> Model) -> (u64, u64) {
    let (small, ..) = calls(build(SMALL));
    let (large, before, after) = calls(build(LARGE));
    assert!(small as usize >= SMALL, "{small} calls: the rules were not called");
    assert!(large as f64 <= GROWTH * small as f64, "{small} calls at {SMALL}, {large} at {LARGE}");
    (before, after)
}

#[test]
fn a_chain() {
    let (before, after) = is_linear(chain);
    assert_eq!((before, after), (LARGE as u64, LARGE.div_ceil(3) as u64));
}

#[test]
fn a_residual_chain() {
    let (before, after) = is_linear(residual_chain);
    assert_eq!(after, before / 3 * 2);
}

#[test]
fn a_constant_with_many_uses() {
    let (before, after) = is_linear(shared_constant);
    assert_eq!(after, before);
}

#[test]
fn a_concat_of_many() {
    // Seven different sums are left.
    let (_, after) = is_linear(wide_concat);
    assert_eq!(after, 8);
}

/// An If in an If in an If: each adds an operator that goes and one that stays.
fn nested(depth: usize) -> Model {
    let mut b = Builder::new();
    let truth = || ValueType::tensor(DType::Bool, Shape::scalar());
    let region = |b: &mut Builder, name: String, inner: Option<(GraphId, GraphId)>| -> GraphId {
        let id = b.model.add_graph(Graph::new(name));
        let graph = b.model.graph_mut(id);
        let (condition, x) = (graph.add_input("c", truth(), None), graph.add_input("x", vector(), None));
        let h = b.op_in(id, Identity {}, &[x], 0, &[]);
        let h = b.op_in(id, Neg {}, &[h], 0, &[]);
        let y = match inner {
            None => h,
            Some((other, then)) => b.op_in(id, If {}, &[condition, condition, h], 2, &[other, then]),
        };
        b.model.graph_mut(id).add_output(y);
        id
    };
    let mut inner = None;
    for level in 0..depth {
        let then = region(&mut b, format!("then{level}"), inner);
        let other = region(&mut b, format!("else{level}"), None);
        inner = Some((other, then));
    }
    let (condition, x) = (b.input("condition", truth()), b.input("images", vector()));
    let (other, then) = inner.unwrap();
    let y = b.op_in(b.graph, If {}, &[condition, condition, x], 2, &[other, then]);
    b.finish(&[y])
}

/// What the model gives for a condition.
fn given(model: &Model, condition: bool) -> Vec<f32> {
    use edgesmith_exec::{Engine, Request};
    let scalar: [u64; 0] = [];
    let inputs = [
        ("condition".into(), Value::from(Tensor::from_bools(scalar.as_slice(), &[condition]).unwrap())),
        ("images".into(), Value::from(Tensor::from_slice([1, 4].as_slice(), &[1.0_f32, -2.0, 3.0, 0.5]).unwrap())),
    ];
    let prepared = ReferenceEngine::default().prepare(model, &Request::default()).unwrap();
    let outputs = prepared.session().unwrap().run(&inputs.into_iter().collect()).unwrap();
    outputs[0].as_tensor().unwrap().view::<f32>().unwrap().into_owned()
}

#[track_caller]
fn goes_through(source: &Model) {
    let mut model = source.clone();
    let report = common::run(&mut model, &common::lossless(), CheckMode::Local, &[]);
    model.verify().unwrap();
    assert!(!report.has_failed_checks());
    assert!(report.after.operators < report.before.operators, "the identities stay");
    assert!(!common::export(&model).is_empty());
    for condition in [true, false] {
        assert_eq!(given(&model, condition), given(source, condition));
    }
}

#[test]
fn nesting_in_the_ir() {
    goes_through(&nested(100));
}

#[test]
fn nesting_in_a_file() {
    let source = nested(30);
    let read = common::import(common::export(&source));
    assert_eq!(read.live_graphs().len(), source.live_graphs().len());
    for condition in [true, false] {
        assert_eq!(given(&read, condition), given(&source, condition));
    }
    goes_through(&read);
    // What was written of the result is read again.
    let mut result = read;
    common::run(&mut result, &common::lossless(), CheckMode::Off, &[]);
    common::import(common::export(&result)).verify().unwrap();
}
