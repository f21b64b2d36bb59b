//! The trained models of the repository: everything typed, nothing copied, everything kept.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::path::PathBuf;

use edgesmith_frontend::Source;
use edgesmith_frontend_onnx::{Import, ImportOptions, import};
use edgesmith_ir::op::{Op, OpKind};
use edgesmith_ir::{DType, Dim, Origin, TensorData};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/models").join(name)
}

fn read(name: &str) -> (Source, Import) {
    let source = Source::open(path(name)).unwrap();
    let read = import(source.bytes(), source.external(), &ImportOptions::default()).unwrap();
    (source, read)
}

const MODELS: [&str; 6] = [
    "digits_mobilenet__dynamo_op20.onnx",
    "digits_mobilenet__legacy_op17.onnx",
    "digits_resnet__dynamo_op20.onnx",
    "digits_resnet__legacy_op17.onnx",
    "digits_vit__dynamo_op20.onnx",
    "digits_vit__legacy_op17.onnx",
];

#[test]
fn every_operator_is_typed_and_every_model_verifies() {
    for name in MODELS {
        let (_, Import { model, diagnostics }) = read(name);
        assert!(diagnostics.is_empty(), "{name}: {:?}", diagnostics.iter().next());
        model.verify().unwrap();
        let graph = model.main_graph().unwrap();
        assert!(graph.ops().count() > 20, "{name}");
        for (_, data) in graph.ops() {
            assert!(!matches!(data.op(), Op::Custom(_) | Op::Call(_)), "{name}: {}", data.op().name());
        }
    }
}

#[test]
fn the_batch_is_symbolic_and_the_interface_keeps_its_names() {
    let (_, Import { model, .. }) = read("digits_resnet__legacy_op17.onnx");
    let graph = model.main_graph().unwrap();
    let [input] = graph.inputs() else { panic!("one input") };
    let input = graph.value(*input);
    assert_eq!(input.ty().dtype(), Some(DType::F32));
    let dims = input.ty().dims().unwrap();
    assert!(dims[0].as_symbol().is_some(), "{dims:?}");
    assert!(dims[1..].iter().all(|dim| matches!(dim, Dim::Known(_))), "{dims:?}");
    assert_eq!(model.opset(""), Some(17));
    assert_eq!(model.metadata.producer_name.as_str(), "pytorch");
    assert_eq!(model.metadata.ir_version, 8);
}

#[test]
fn weights_stay_in_the_map() {
    let (source, Import { model, .. }) = read("digits_mobilenet__legacy_op17.onnx");
    let bytes = source.bytes();
    let inside = bytes.as_ptr_range();
    let mut large = 0;
    for (_, entry) in model.tensors().filter(|(_, entry)| entry.tensor.byte_len() > 256) {
        let TensorData::Dense(data) = entry.tensor.data() else { panic!("dense") };
        assert!(inside.contains(&data.as_ptr()), "a copied weight of shape {:?}", entry.tensor.shape());
        large += 1;
    }
    assert!(large > 5);
}

#[test]
fn operators_know_their_modules() {
    for name in ["digits_vit__dynamo_op20.onnx", "digits_vit__legacy_op17.onnx"] {
        let (_, Import { model, .. }) = read(name);
        let graph = model.main_graph().unwrap();
        let scopes: Vec<String> = graph
            .ops()
            .filter(|(_, data)| data.op().kind() == OpKind::LayerNormalization)
            .map(|(_, data)| match model.origin(data.origin()) {
                Origin::Source { scope: Some(scope), operator, .. } => {
                    assert_eq!(operator.as_str(), "LayerNormalization");
                    scope.to_string()
                }
                other => panic!("{name}: {other:?}"),
            })
            .collect();
        assert!(scopes.iter().any(|scope| scope.contains("norm")), "{name}: {scopes:?}");
    }
}
