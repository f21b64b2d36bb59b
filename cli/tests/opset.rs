//! `optimize --opset`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod common;

use common::{path, printed, read, told};
use edgesmith_ir::Model;

/// Optimises for an opset: what was written, and what was printed.
fn optimized(name: &str, opset: &str) -> (Model, String) {
    let folder = tempfile::tempdir().unwrap();
    let written = folder.path().join("y.onnx");
    let (model, output) = (path(name).display().to_string(), written.display().to_string());
    let out = printed(&["optimize", &model, "-o", &output, "--opset", opset]);
    (read(&written), out)
}

fn count(model: &Model, operator: &str) -> usize {
    model.main_graph().unwrap().ops().filter(|(_, data)| data.op().name() == operator).count()
}

#[test]
fn rules_use_what_a_newer_opset_has() {
    let (model, out) = optimized("digits_vit__legacy_op17", "20");
    assert_eq!((model.opset(""), count(&model, "Gelu"), count(&model, "Erf")), (Some(20), 4, 0), "{out}");
    assert!(out.contains("verdict: checked"), "{out}");
}

#[test]
fn what_an_older_opset_lacks_becomes_formulas() {
    let (model, out) = optimized("digits_vit__dynamo_op20", "16");
    assert_eq!((model.opset(""), count(&model, "Gelu"), count(&model, "Erf")), (Some(16), 0, 4), "{out}");
    assert_eq!((count(&model, "LayerNormalization"), count(&model, "ReduceMean")), (0, 18), "{out}");
}

#[test]
fn an_opset_that_does_not_exist_is_refused() {
    let model = path("digits_vit__legacy_op17").display().to_string();
    let (code, _, err) = told(&["optimize", &model, "--opset", "99"]);
    assert!(code == 2 && err.contains("99"), "{err}");
}
