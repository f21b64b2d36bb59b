//! Measuring, as a user meets it: what `bench` prints and writes.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, reason = "a test")]

mod common;

use common::{models, text};
use serde_json::Value;

/// Exit code, standard output, standard error.
fn edgesmith(arguments: &[&str]) -> (i32, String, String) {
    text(&common::edgesmith(arguments))
}

fn model(name: &str) -> String {
    models().join(name).display().to_string()
}

/// What a command prints that succeeds and has nothing to complain about.
#[track_caller]
fn printed(arguments: &[&str]) -> String {
    let (code, out, err) = edgesmith(arguments);
    assert_eq!((code, err.as_str()), (0, ""), "{arguments:?}: {out}");
    assert!(!out.contains('\u{1b}') && !out.contains('\r'), "neither colour nor bars in a pipe: {out}");
    out
}

#[track_caller]
fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&printed(arguments)).unwrap()
}

const DIGITS: &str = "digits_mobilenet__legacy_op17.onnx";

#[test]
fn bench_measures_models_in_turns_and_writes_a_trace() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (model(DIGITS), folder.path().join("second.onnx").display().to_string());
    printed(&["optimize", &first, "-o", &second, "-q"]);
    let out = printed(&["bench", &first, &second, "--runs", "7", "--profile"]);
    for part in ["tract 0.", "1 thread, 7 runs after 5 to warm up, models taking turns", "p95", "by operator", "Conv"] {
        assert!(out.contains(part), "{part}: {out}");
    }
    let trace = folder.path().join("trace.json").display().to_string();
    let arguments = ["bench", &first, &second, "--runs", "7", "--profile", "--json", "--trace", &trace];
    let report = json(&arguments);
    assert_eq!((&report["runs"], &report["threads"], &report["engine"]), (&7.into(), &1.into(), &"tract".into()));
    let measured = report["models"].as_array().unwrap();
    for (model, normalizations) in measured.iter().zip([true, false]) {
        let ns = |key: &str| model["latency"][key].as_u64().unwrap();
        assert!(0 < ns("min_ns") && ns("min_ns") <= ns("p50_ns") && ns("p50_ns") <= ns("p99_ns"), "{model}");
        assert_eq!(model["latency"]["samples"], 7);
        let profile = &model["profile"];
        let sum: u64 = profile["operators"].as_array().unwrap().iter().map(|op| op["ns"].as_u64().unwrap()).sum();
        assert_eq!(sum, profile["sum_ns"].as_u64().unwrap());
        assert!(profile["kinds"].as_array().unwrap().iter().any(|kind| kind["name"] == "Conv"), "{profile}");
        let scopes = profile["scopes"].as_array().unwrap();
        assert!(scopes.len() > 3 || !normalizations, "{scopes:?}");
    }
    let trace: Value = serde_json::from_slice(&std::fs::read(&trace).unwrap()).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    assert_eq!(events.iter().filter(|event| event["cat"] == "run").count(), 14);
    let (code, _, err) = edgesmith(&arguments);
    assert!(code == 2 && err.contains("exists already"), "{err}");
}

#[test]
fn bench_says_what_it_cannot_do() {
    let first = model(DIGITS);
    let (code, _, err) = edgesmith(&["bench", &first, "--engine", "reference", "--runs", "1", "--profile"]);
    assert!(code == 2 && err.contains("cannot measure operators"), "{err}");
    let (code, _, err) = edgesmith(&["bench", &first, "--dim", "bach=2"]);
    assert!(code == 2 && err.contains("did you mean 'batch'?"), "{err}");
    let data = model("digits_test.npz");
    let (code, _, err) = edgesmith(&["bench", &first, "--inputs", &data]);
    assert!(code == 1 && err.contains("has no input 'labels'"), "{err}");
    let (code, _, err) = edgesmith(&["bench", "missing.onnx"]);
    assert!(code == 1 && err.contains("there is no file"), "{err}");
}
