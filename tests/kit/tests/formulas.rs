//! Operators that an opset lacks, written at that opset as formulas: they fit there, and compute the same.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use bytes::Bytes;
use edgesmith_backend::{Backend, BackendSpec, LowerCx};
use edgesmith_backend_onnx::{OnnxBackend, Options};
use edgesmith_frontend::NoExternalData;
use edgesmith_frontend_onnx::{ImportOptions, import};
use edgesmith_ir::{Model, SymbolFacts};
use edgesmith_ir_text::{NoWeights, parse_model};
use edgesmith_rewrite::Fidelity;
use edgesmith_test_kit::assert_equivalent;

fn parse(text: &str) -> Model {
    parse_model(text, &NoWeights).unwrap()
}

/// The model as it comes back from a file that was written at this opset.
fn through(model: &Model, opset: i64) -> Model {
    let backend = OnnxBackend::new(Options { opset: Some(opset), ..Options::default() });
    let artefact = backend.lower(model, &LowerCx::default()).unwrap();
    assert!(artefact.remarks.is_empty(), "{:?}", artefact.remarks);
    let file = artefact.to_memory("model.onnx").unwrap().remove(0).1;
    import(Bytes::from(file), &NoExternalData, &ImportOptions::default()).unwrap().model
}

fn operators(model: &Model) -> Vec<String> {
    model.main_graph().unwrap().ops().map(|(_, data)| data.op().name().to_owned()).collect()
}

#[test]
fn activations() {
    for (operator, opset, expected) in [
        ("Gelu", 19, "Div Erf Add Mul Mul"),
        ("Gelu", 11, "Div Erf Add Mul Mul"),
        ("Gelu <approximate = \"tanh\">", 13, "Mul Mul Add Mul Tanh Add Mul Mul"),
        ("HardSwish", 13, "HardSigmoid Mul"),
        ("Mish", 17, "Softplus Tanh Mul"),
        ("Swish", 20, "Sigmoid Mul"),
        ("Swish <alpha = 1.702>", 20, "Mul Sigmoid Mul"),
    ] {
        let text =
            format!("<ir_version: 11, opset_import: [\"\" : 24]>\ng (float[N,4] x) => (y) {{ y = {operator} (x) }}");
        let model = parse(&text);
        let written = through(&model, opset);
        assert_eq!(written.opset(""), Some(opset), "{operator}");
        assert_eq!(operators(&written).join(" "), expected, "{operator}");
        assert_equivalent(&model, &written, Fidelity::ROUNDING);
    }
}

#[test]
fn normalisations() {
    for (operator, opset, expected) in [
        ("LayerNormalization (x, w, b)", 16, "ReduceMean Sub Mul ReduceMean Add Sqrt Div Mul Add"),
        ("LayerNormalization <epsilon = 0.1> (x, w)", 11, "ReduceMean Sub Mul ReduceMean Add Sqrt Div Mul"),
        ("RMSNormalization (x, w)", 20, "Mul ReduceMean Add Sqrt Div Mul"),
        ("RMSNormalization (x, w)", 17, "Mul ReduceMean Add Sqrt Div Mul"),
        (
            "GroupNormalization <num_groups = 2, epsilon = 0.1> (x, c, d)",
            17,
            "Reshape InstanceNormalization Reshape Mul Add",
        ),
    ] {
        let text = format!(
            "<ir_version: 11, opset_import: [\"\" : 24]>\ng (float[N,4,5] x) => (y)
            <float[5] w = {{1.0, 2.0, 3.0, 4.0, 5.0}}, float[5] b = {{0.1, 0.2, 0.3, 0.4, 0.5}},
             float[4] c = {{1.0, 2.0, 3.0, 4.0}}, float[4] d = {{0.1, 0.2, 0.3, 0.4}}>
            {{ y = {operator} }}"
        );
        let model = parse(&text);
        let written = through(&model, opset);
        assert_eq!(written.opset(""), Some(opset), "{operator}");
        assert_eq!(operators(&written).join(" "), expected, "{operator}");
        assert_equivalent(&model, &written, Fidelity::ROUNDING);
    }
}

#[test]
fn a_plane_of_unknown_size_comes_back() {
    let mut model = parse(
        "g (float[N,4,H,W] x) => (y) <float[4] c = {1.0, 2.0, 3.0, 4.0}, float[4] d = {0.1, 0.2, 0.3, 0.4}>
        { y = GroupNormalization <num_groups = 2> (x, c, d) }",
    );
    // Of nothing at all the group's extent cannot be worked out.
    for symbol in ["N", "H", "W"] {
        model.symbols.assume(symbol, SymbolFacts { min: 1, ..SymbolFacts::default() });
    }
    let written = through(&model, 17);
    assert_eq!(operators(&written), ["Reshape", "InstanceNormalization", "Shape", "Reshape", "Mul", "Add"]);
    assert_equivalent(&model, &written, Fidelity::ROUNDING);
}

#[test]
fn without_a_formula_the_opset_is_raised() {
    let text =
        "<ir_version: 11, opset_import: [\"\" : 24]>\ng (float[N,4] x) => (y, m) <float[4] w = {1.0, 2.0, 3.0, 4.0}>
        { y, m = LayerNormalization (x, w) }";
    let backend = OnnxBackend::new(Options { opset: Some(13), ..Options::default() });
    let artefact = backend.lower(&parse(text), &LowerCx::default()).unwrap();
    assert!(artefact.remarks[0].message.contains("raised from 13 to 17"), "{}", artefact.remarks[0]);
}
