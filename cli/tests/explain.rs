//! `edgesmith explain`: every operator is accounted for, and a rule that refused says why.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod common;

use common::{edgesmith, path, read, text};
use edgesmith::write_onnx;
use edgesmith_backend::Existing;
use edgesmith_ir_text::{NoWeights, parse_model};

fn explain(arguments: &[&str]) -> String {
    let (code, out, err) = text(&edgesmith(&[&["explain"], arguments].concat()));
    assert_eq!(code, 0, "{err}");
    out
}

fn shipped() -> String {
    path("digits_mobilenet__legacy_op17").display().to_string()
}

fn file(folder: &tempfile::TempDir, source: &str) -> String {
    let model = parse_model(source, &NoWeights).unwrap();
    let path = folder.path().join("model.onnx");
    write_onnx(&model, &path, Existing::Replace, edgesmith_backend_onnx::Options::default()).unwrap();
    path.display().to_string()
}

const NORM: &str =
    "float[2] s = {1.5, -0.5}, float[2] b = {0.1, 0.2}, float[2] m = {0.3, -0.4}, float[2] v = {0.5, 2.0}";

#[test]
fn every_normalisation_of_a_trained_model_is_accounted_for() {
    let source = read(&path("digits_mobilenet__legacy_op17"));
    let graph = source.main_graph().unwrap();
    let id = *source.entries.values().next().unwrap();
    let norms: Vec<String> = graph
        .ops()
        .filter(|(_, data)| data.op().name() == "BatchNormalization")
        .map(|(op, _)| source.op_label(id, op).to_string())
        .collect();
    assert_eq!(norms.len(), 25);
    let mut arguments = vec![shipped()];
    arguments.extend(norms.iter().cloned());
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let told = explain(&arguments);
    assert_eq!(told.matches("in the source").count(), 25, "{told}");
    assert_eq!(told.matches("fusion: fold-batch-norm: became part of another operator").count(), 25, "{told}");
    assert_eq!(told.matches("is in the result as Conv '").count(), 25, "{told}");
    // The same from the report of a run, and from the other end.
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json").display().to_string();
    let output = folder.path().join("out.onnx").display().to_string();
    let arguments_of_run = ["optimize", &shipped(), "--output", &output, "--report", &report, "--check", "off", "-q"];
    assert_eq!(text(&edgesmith(&arguments_of_run)).0, 0);
    let with_report: Vec<&str> = [&["--report", &report], arguments.as_slice()].concat();
    assert_eq!(explain(&with_report), told);
    let conv = told.split("is in the result as Conv '").nth(1).unwrap().split('\'').next().unwrap();
    let other_end = explain(&[&shipped(), conv]);
    assert!(other_end.contains("made by fold-batch-norm") || other_end.contains("is in the result"), "{other_end}");
}

#[test]
fn a_result_that_is_read_twice_is_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let source = format!(
        "g (float[N,1,4,4] x) => (y, z)
        <float[2,1,3,3] w = [\"init\": \"uniform(seed=1, lo=-1, hi=1)\"], {NORM}>
        {{
          c = Conv (x, w)
          y = BatchNormalization (c, s, b, m, v)
          z = Relu (c)
        }}"
    );
    let told = explain(&[&file(&folder, &source), "y"]);
    assert!(told.contains("is in the result as it was"), "{told}");
    assert!(
        told.contains(
            "fold-batch-norm did not fire: the result of 'c' is also read elsewhere (folding would compute it twice)"
        ),
        "{told}"
    );
}

#[test]
fn a_normalisation_in_a_loop_says_where_its_input_comes_from() {
    let folder = tempfile::tempdir().unwrap();
    let source = format!(
        "g (int64 trips, bool go, float[N,2,4,4] start) => (last)
        <{NORM}>
        {{
          last = Loop <body = body (int64 i, bool cond, float[N,2,4,4] state) => (cond_out, next) {{
              cond_out = Identity (cond)
              next = BatchNormalization (state, s, b, m, v)
          }}> (trips, go, start)
        }}"
    );
    let told = explain(&[&file(&folder, &source), "next"]);
    assert!(told.contains("it reads 'state', which enters the body of a loop"), "{told}");
}

#[test]
fn dead_and_merged_operators_are_accounted_for_too() {
    let folder = tempfile::tempdir().unwrap();
    let source = "g (float[N] x) => (y)
        {
          unread = Exp (x)
          a = Tanh (x)
          b = Tanh (x)
          y = Mul (a, b)
        }";
    let path = file(&folder, source);
    let told = explain(&[&path, "unread"]);
    assert!(told.contains("remove-dead-code: removed, since nobody read it"), "{told}");
    assert!(told.contains("nothing of it is left"), "{told}");
    let told = explain(&[&path, "b"]);
    assert!(told.contains("merge-common-subexpressions: merged into an equal operator"), "{told}");
    assert!(told.contains("is in the result as Tanh 'a'"), "{told}");
    // A name that is almost right is an error that says what is near.
    let (code, _, err) = text(&edgesmith(&["explain", &path, "unraed"]));
    assert!(code == 2 && err.contains("unread"), "{code}: {err}");
}

#[test]
fn many_names_get_the_answers_that_each_gets_alone() {
    let source = read(&path("digits_mobilenet__legacy_op17"));
    let graph = source.main_graph().unwrap();
    let id = source.main().unwrap();
    let labels = graph.ops().map(|(op, _)| source.op_label(id, op).to_string());
    let values = graph.ops().filter_map(|(op, _)| Some(graph.value(graph.op(op).result(0)?).name().to_string()));
    let mut names: Vec<String> = labels.collect();
    // Backwards, so that the order of the answers is that of the names; every fifth is enough.
    names.extend(values.step_by(5));
    names.reverse();
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).display().to_string();
    let (output, report) = (place("out.onnx"), place("report.json"));
    let run = edgesmith(&["optimize", &shipped(), "-o", &output, "--report", &report, "--check", "off", "-q"]);
    assert_eq!(text(&run).0, 0);
    let ask = |names: &[&str]| -> Vec<serde_json::Value> {
        let model = shipped();
        let arguments = [&[model.as_str()], names, &["--report", &report, "--json"]].concat();
        serde_json::from_str(&explain(&arguments)).unwrap()
    };
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    let alone: Vec<serde_json::Value> = all.iter().flat_map(|name| ask(&[name])).collect();
    assert!(alone.len() >= names.len());
    assert_eq!(ask(&all), alone);
}
