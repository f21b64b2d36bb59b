//! The built-in engine on the ONNX project's node tests: what passes, and that nothing comes out wrong without an error.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, reason = "a test")]

use std::fmt::Write as _;

use edgesmith_backend_tract::TractEngine;
use edgesmith_exec::compare::close;
use edgesmith_exec::{Effort, Engine, Request};
use edgesmith_ir::DType;
use edgesmith_test_suite::node_tests::{self, Case};

/// How a run ended.
enum Outcome {
    Pass,
    /// An error: honest.
    Refused(String),
    /// An answer that is not the expected one.
    Wrong(String),
}

fn run(case: &Case, engine: TractEngine, effort: Effort) -> Outcome {
    let request = Request { effort, ..Request::default() };
    let got = engine.prepare(&case.model, &request).and_then(|model| model.session()?.run(&case.inputs));
    let got = match got {
        Ok(got) => got,
        Err(error) => return Outcome::Refused(error.to_string()),
    };
    for (name, want) in &case.outputs {
        let Some(found) = got.get(name) else { return Outcome::Wrong(format!("no output '{name}'")) };
        // Half precision is computed in f32, so that it differs from the expected values by their rounding.
        let (relative, absolute) = match want.ty().dtype() {
            Some(DType::BF16) => (2e-2, 1e-2),
            Some(DType::F16) => (5e-3, 1e-3),
            _ => (1e-3, 1e-5),
        };
        if let Err(difference) = close(want, found, relative, absolute) {
            return Outcome::Wrong(format!("'{name}': {difference}"));
        }
    }
    Outcome::Pass
}

/// All inputs open, else all but the first built in.
fn either(case: &Case, engine: TractEngine, effort: Effort) -> Outcome {
    match run(case, engine, effort) {
        Outcome::Refused(_) if case.has_more_inputs() => run(&case.with_constants(), engine, effort),
        outcome => outcome,
    }
}

#[test]
fn answers_are_right_or_refused() {
    let Some(folder) = node_tests::folder() else {
        println!("EDGESMITH_NODE_TESTS names no folder: the node tests are not run");
        return;
    };
    let names = node_tests::names(&folder).unwrap();
    let mut report = String::new();
    let mut wrong = Vec::new();
    let alone = TractEngine::alone();
    for (what, engine, effort) in [
        ("tract alone, once", alone, Effort::Once),
        ("tract alone, many", alone, Effort::Many),
        ("with the evaluator", TractEngine::default(), Effort::Many),
    ] {
        let (mut passed, mut refused) = (0, 0);
        for name in &names {
            let line = match node_tests::read(&folder, name) {
                Err(error) => Outcome::Refused(format!("unreadable: {error}")),
                Ok(case) => either(&case, engine, effort),
            };
            match line {
                Outcome::Pass => passed += 1,
                Outcome::Refused(error) => {
                    refused += 1;
                    writeln!(report, "{what}\trefused\t{name}\t{error}").unwrap();
                }
                Outcome::Wrong(difference) => {
                    writeln!(report, "{what}\twrong\t{name}\t{difference}").unwrap();
                    wrong.push(format!("{what} {name}: {difference}"));
                }
            }
        }
        println!("{what}: {passed} of {} pass, {refused} are refused", names.len());
    }
    if let Some(path) = std::env::var_os("EDGESMITH_NODE_TEST_REPORT") {
        std::fs::write(path, report).unwrap();
    }
    assert!(wrong.is_empty(), "{} wrong answers:\n{}", wrong.len(), wrong.join("\n"));
}
