//! Measuring, as a user meets it: what `bench` and `eval` print and write.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, reason = "a test")]

mod common;

use common::{json, printed, shipped, told};
use serde_json::Value;

const DIGITS: &str = "digits_mobilenet__legacy_op17.onnx";

#[test]
fn bench_measures_models_in_turns_and_writes_a_trace() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (shipped(DIGITS), folder.path().join("second.onnx").display().to_string());
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
    let (code, _, err) = told(&arguments);
    assert!(code == 2 && err.contains("exists already"), "{err}");
}

#[test]
fn bench_says_what_it_cannot_do() {
    let first = shipped(DIGITS);
    let (code, _, err) = told(&["bench", &first, "--engine", "reference", "--runs", "1", "--profile"]);
    assert!(code == 2 && err.contains("cannot measure operators"), "{err}");
    let (code, _, err) = told(&["bench", &first, "--dim", "bach=2"]);
    assert!(code == 2 && err.contains("did you mean 'batch'?"), "{err}");
    let data = shipped("digits_test.npz");
    let (code, _, err) = told(&["bench", &first, "--inputs", &data]);
    assert!(code == 1 && err.contains("has no input 'labels'"), "{err}");
    let (code, _, err) = told(&["bench", "missing.onnx"]);
    assert!(code == 1 && err.contains("there is no file"), "{err}");
}

#[test]
fn top_five_and_batches_agree_with_single_samples() {
    let (model, data) = (shipped(DIGITS), shipped("digits_test.npz"));
    let single = json(&["eval", &model, "--data", &data, "--limit", "50", "--json"]);
    let batched = json(&["eval", &model, "--data", &data, "--limit", "50", "--batch", "16", "--json"]);
    assert_eq!((&single["samples"], &single["classes"], &batched["batch"]), (&50.into(), &10.into(), &16.into()));
    for key in ["correct", "top1", "correct_top5", "top5"] {
        assert_eq!(single[key], batched[key], "{key}");
    }
    assert!(single["correct"].as_u64().unwrap() <= single["correct_top5"].as_u64().unwrap());
    assert!(single["top1"].as_f64().unwrap() > 0.9);
    let out = printed(&["eval", &model, "--data", &data, "--limit", "50", "--batch", "50"]);
    assert!(out.starts_with("top-1 ") && out.contains("\ntop-5 "), "{out}");
    let folder = tempfile::tempdir().unwrap();
    let fixed = folder.path().join("fixed.onnx").display().to_string();
    printed(&["optimize", &model, "-o", &fixed, "--dim", "batch=16", "-q"]);
    let whole = json(&["eval", &fixed, "--data", &data, "--limit", "50", "--json"]);
    assert_eq!((&whole["batch"], &whole["correct"], &whole["samples"]), (&16.into(), &single["correct"], &50.into()));
    let (code, _, err) = told(&["eval", &fixed, "--data", &data, "--batch", "4"]);
    assert!(code == 2 && err.contains("takes 16 samples at once"), "{err}");
}
