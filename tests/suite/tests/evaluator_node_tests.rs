//! The reference evaluator on the ONNX project's node tests, at that suite's own tolerance.
//!
//! In scope is every case made of typed operators and of element types that are computed with. All of them pass but for
//! those that draw random numbers and those listed here, each of which must really fail.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use edgesmith_exec::compare::close;
use edgesmith_exec::{Engine, ReferenceEngine, Request, Value};
use edgesmith_ir::{DType, Model, Op, ValueType};
use edgesmith_test_suite::node_tests::{self, Case};

/// The suite's tolerance.
const RELATIVE: f64 = 1e-3;
const ABSOLUTE: f64 = 1e-7;

/// Cases that fail, and why that is right.
const KNOWN: &[(&str, &str)] = &[
    ("test_attention_3d_causal_bf16", STEPS),
    ("test_attention_3d_causal_bf16_expanded", STEPS),
    ("test_attention_4d_attn_mask_causal_bf16_expanded", STEPS),
    ("test_attention_4d_causal_bf16", STEPS),
    ("test_attention_4d_causal_bf16_expanded", STEPS),
    ("test_attention_4d_causal_fp16_expanded", STEPS),
    ("test_attention_4d_causal_padded_kv_bf16", STEPS),
    ("test_attention_4d_causal_padded_kv_bf16_expanded", STEPS),
    ("test_attention_4d_padded_kv_bf16", STEPS),
    ("test_attention_4d_padded_kv_bf16_expanded", STEPS),
    ("test_dft_inverse", NOISE),
    ("test_dft_inverse_opset19", NOISE),
    ("test_optional_has_element_empty_optional_input", "the writer of the cases has no form for an absent input"),
    ("test_training_dropout", RANDOM),
    ("test_training_dropout_default", RANDOM),
    ("test_training_dropout_default_mask", RANDOM),
    ("test_training_dropout_mask", RANDOM),
];

/// Cases that this reader cannot read: the writer has no form for an absent sequence.
const UNREADABLE: &[&str] = &["test_loop16_seq_none"];

/// Why training mode cannot agree.
const RANDOM: &str = "the expected mask comes from numpy's random numbers";
/// Why attention in half precision differs by a unit in the last place.
const STEPS: &str = "the expected values sum in half precision step by step; the evaluator sums in f64 and rounds once";
/// Why the inverse transform differs where the exact answer is zero.
const NOISE: &str = "the expected values hold the f32 noise of numpy's transform, larger than the absolute tolerance";

/// Why a case says nothing about the evaluator; `None` when it is in scope.
fn out_of_scope(case: &Case) -> Option<&'static str> {
    let model = &case.model;
    let data = || case.inputs.values().chain(case.outputs.values());
    for graph in model.live_graphs() {
        let graph = model.graph(graph);
        for (_, data) in graph.ops() {
            match data.op() {
                Op::Custom(_) => return Some("an operator that is not typed"),
                op if op.is_random() && !matches!(op, Op::Dropout(_)) => return Some("random"),
                _ => {}
            }
        }
        if graph.values().any(|(_, row)| !computed_type(row.ty())) {
            return Some("an element type that is not computed with");
        }
    }
    if model.tensors().any(|(_, entry)| !computed(entry.tensor.dtype())) || data().any(|value| !computed_value(value)) {
        return Some("an element type that is not computed with");
    }
    None
}

fn computed(dtype: DType) -> bool {
    use DType::{BF16, Bool, F16, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64};
    matches!(dtype, BF16 | Bool | F16 | F32 | F64 | I8 | I16 | I32 | I64 | U8 | U16 | U32 | U64)
}

fn computed_type(ty: &ValueType) -> bool {
    match ty {
        ValueType::Tensor(tensor) => computed(tensor.dtype),
        ValueType::Sequence(inner) | ValueType::Optional(inner) => computed_type(inner),
        ValueType::Unknown => true,
        _ => false,
    }
}

fn computed_value(value: &Value) -> bool {
    match value {
        Value::Tensor(tensor) => computed(tensor.dtype()),
        Value::Sequence(items) => items.iter().all(computed_value),
        Value::Optional(inner) => inner.as_deref().is_none_or(computed_value),
    }
}

/// What the case is about: its operator, if all of it are of one kind.
fn subject(model: &Model) -> &'static str {
    let mut kinds: Vec<&'static str> = Vec::new();
    for graph in model.live_graphs() {
        kinds.extend(model.graph(graph).ops().map(|(_, data)| data.op().kind().name()));
    }
    kinds.dedup();
    match kinds.as_slice() {
        [one] => one,
        _ => "(several operators)",
    }
}

fn run(case: &Case) -> Result<(), String> {
    let engine = ReferenceEngine::default();
    let run = || {
        let prepared = engine.prepare(&case.model, &Request::default()).map_err(|error| error.to_string())?;
        prepared.session().and_then(|mut session| session.run(&case.inputs)).map_err(|error| error.to_string())
    };
    let found = catch_unwind(AssertUnwindSafe(run)).map_err(|_| "it panicked".to_owned())??;
    for (name, expected) in &case.outputs {
        let found = found.get(name).ok_or_else(|| format!("there is no output '{name}'"))?;
        close(expected, found, RELATIVE, ABSOLUTE).map_err(|difference| format!("'{name}': {difference}"))?;
    }
    Ok(())
}

#[test]
fn every_case_in_scope_passes() {
    let Some(folder) = node_tests::folder() else {
        println!("EDGESMITH_NODE_TESTS names no folder: the node tests are not run");
        return;
    };
    let names = node_tests::names(&folder).unwrap();
    let mut by_subject: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut outside: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut failures, mut stale) = (String::new(), String::new());
    for name in names.iter().filter(|name| folder.join(name).is_dir()) {
        let case = match node_tests::read(&folder, name) {
            Ok(case) => case,
            Err(_) if UNREADABLE.contains(&name.as_str()) => continue,
            Err(error) => {
                writeln!(failures, "{name}: cannot be read: {error}").unwrap();
                by_subject.entry("(unreadable)").or_default().1 += 1;
                continue;
            }
        };
        if let Some(reason) = out_of_scope(&case) {
            *outside.entry(reason).or_default() += 1;
            continue;
        }
        let tally = by_subject.entry(subject(&case.model)).or_default();
        tally.1 += 1;
        let known = KNOWN.iter().any(|(listed, _)| listed == name);
        match run(&case) {
            Ok(()) => {
                tally.0 += 1;
                if known {
                    writeln!(stale, "{name} passes: take it off the list").unwrap();
                }
            }
            Err(_) if known => {}
            Err(error) => writeln!(failures, "{name}: {error}").unwrap(),
        }
    }
    for (kind, (passed, all)) in &by_subject {
        println!("{kind}: {passed}/{all}");
    }
    let (passed, all) = by_subject.values().fold((0, 0), |sum, tally| (sum.0 + tally.0, sum.1 + tally.1));
    println!("in scope: {passed}/{all}, {} of them listed as failing", KNOWN.len());
    for (reason, count) in &outside {
        println!("out of scope, {reason}: {count}");
    }
    if let Some(listed) =
        KNOWN.iter().map(|(listed, _)| *listed).find(|listed| !names.iter().any(|name| name == listed))
    {
        writeln!(stale, "{listed} is not among the cases: take it off the list").unwrap();
    }
    assert!(failures.is_empty() && stale.is_empty(), "{failures}{stale}");
    assert!(all > 0, "the folder has no cases");
}
