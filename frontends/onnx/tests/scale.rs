//! Large graphs of the shapes that break naive code are read whole: 50,000 operators each, with the lists that they need.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use common::*;
use edgesmith_ir::op::OpKind;

const COUNT: usize = 50_000;

fn value_of(index: usize) -> String {
    if index == 0 { "x".into() } else { format!("v{index}") }
}

#[test]
fn a_chain_listed_backwards() {
    let nodes = (0..COUNT).rev().map(|i| node("Relu", &[&value_of(i)], &[&value_of(i + 1)])).collect();
    let import = read(&model(17, graph(vec![float("x", &[2])], nodes, vec![open(&value_of(COUNT))])));
    let main = import.model.main_graph().unwrap();
    assert_eq!(main.ops().count(), COUNT);
    // Added in topological order, so each reads what the one before it made.
    let mut last = main.inputs()[0];
    for (_, data) in main.ops() {
        assert_eq!(data.operand(0), Some(last));
        last = data.result(0).unwrap();
    }
    assert_eq!(main.outputs(), [last]);
    assert_eq!(main.value(last).ty().to_string(), "float[2]");
}

#[test]
fn one_constant_with_many_uses() {
    let nodes = (0..COUNT).map(|i| node("Add", &[&value_of(i), "c"], &[&value_of(i + 1)])).collect();
    let mut graph = graph(vec![float("x", &[2])], nodes, vec![open(&value_of(COUNT))]);
    graph.initializer.push(floats("c", &[2], &[1.0, 2.0]));
    let import = read(&model(17, graph));
    let main = import.model.main_graph().unwrap();
    assert_eq!(main.value(named(main, "c")).uses().len(), COUNT);
    assert_eq!(import.model.tensors().count(), 1);
}

#[test]
fn a_concat_with_many_inputs() {
    let mut nodes: Vec<_> = (0..COUNT).map(|i| node("Neg", &["x"], &[&value_of(i + 1)])).collect();
    let parts: Vec<String> = (1..=COUNT).map(value_of).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    nodes.push(node("Concat", &parts, &["y"]).with("axis", 0_i64));
    let import = read(&model(17, graph(vec![float("x", &[2])], nodes, vec![open("y")])));
    let main = import.model.main_graph().unwrap();
    let (_, concat) = main.ops().last().unwrap();
    assert_eq!((concat.op().kind(), concat.operands().len()), (OpKind::Concat, COUNT));
    assert_eq!(main.value(named(main, "y")).ty().to_string(), "float[100000]");
}
