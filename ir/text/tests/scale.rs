//! Large texts: a chain of operators, one constant that all of them read, and the print of a single operator among them.
//! Nothing here ends in reasonable time if printing or reading is quadratic.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, reason = "a test")]

use std::fmt::Write as _;

use edgesmith_ir::Model;
use edgesmith_ir_text::{NoWeights, PrintOptions, parse_model, print_model, print_op};

const LENGTH: usize = 50_000;

/// A chain; every operator reads the one before, and `second` after it.
fn chain(length: usize, kind: &str, second: &str, constants: &str) -> String {
    let mut text = format!("g (float[N,4] x0) => (x{length})\n{constants}\n{{\n");
    for k in 0..length {
        writeln!(text, "  x{} = {kind} (x{k}{second})", k + 1).unwrap();
    }
    text.push('}');
    text
}

/// Reads, prints, reads and prints; says how long it took.
fn there_and_back(what: &str, text: &str) -> Model {
    let start = std::time::Instant::now();
    let model = parse_model(text, &NoWeights).unwrap();
    let read = start.elapsed();
    let start = std::time::Instant::now();
    let printed = print_model(&model, &PrintOptions::default());
    println!("{what}: read in {read:?}, printed in {:?}", start.elapsed());
    let back = parse_model(&printed.text, &printed.weights).unwrap();
    assert_eq!(print_model(&back, &PrintOptions::default()).text, printed.text);
    model
}

#[test]
fn a_chain() {
    for length in [LENGTH / 10, LENGTH] {
        let model = there_and_back(&format!("a chain of {length}"), &chain(length, "Neg", "", ""));
        assert_eq!(model.main_graph().unwrap().ops().count(), length);
    }
}

#[test]
fn a_constant_with_many_uses() {
    for length in [LENGTH / 10, LENGTH] {
        let text = chain(length, "Add", ", w", "<float[4] w = {1.0, 2.0, 3.0, 4.0}>");
        let model = there_and_back(&format!("one constant, {length} uses"), &text);
        let graph = model.main_graph().unwrap();
        assert_eq!(graph.values().map(|(_, row)| row.uses().len()).max(), Some(length));
    }
}

#[test]
fn one_operator_of_a_large_graph() {
    let text = chain(LENGTH, "Add", ", w", "<float[4] w = {1.0, 2.0, 3.0, 4.0}>");
    let model = parse_model(&text, &NoWeights).unwrap();
    let graph = model.main().unwrap();
    let ops: Vec<_> = model.graph(graph).ops().map(|(op, _)| op).collect();
    // All of them, one by one: the cost of each is its own.
    let mut printed = 0;
    for op in &ops {
        printed += print_op(&model, graph, *op).len();
    }
    assert!(printed > 10 * LENGTH);
    assert_eq!(print_op(&model, graph, ops[7]).trim_end(), "x8 = Add (x7, w)  # float[N,4]");
}

#[test]
fn one_operator_with_regions() {
    let text = "g (bool c, float[N] x) => (y) {
        h = Neg (x)
        [choose] y = If (c) <then_branch = a () => (p) { p = Relu (h) }, else_branch = b () => (q) { q = Identity (h) }>
    }";
    let model = parse_model(text, &NoWeights).unwrap();
    let graph = model.main().unwrap();
    let (op, _) = model.graph(graph).ops().nth(1).unwrap();
    let printed = print_op(&model, graph, op);
    let lines: Vec<&str> = printed.lines().map(str::trim).collect();
    assert!(lines[0].starts_with("[choose] y = If <"), "{printed}");
    assert!(lines.contains(&"p = Relu (h)") || lines.iter().any(|line| line.starts_with("p = Relu (h)")), "{printed}");
    assert!(lines.iter().any(|line| line.starts_with("q = Identity (h)")), "{printed}");
    assert!(!printed.contains("Neg"), "{printed}");
}
