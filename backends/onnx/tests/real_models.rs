//! Trained models come back as they were.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod common;

use std::path::{Path, PathBuf};

use common::{decoded, lower, main_graph, read};
use edgesmith_backend::{Backend, BackendSpec, Existing, LowerCx, publish};
use edgesmith_backend_onnx::{ExternalData, OnnxBackend, Options};
use edgesmith_frontend::Source;
use edgesmith_frontend_onnx::{ImportOptions, import};
use edgesmith_onnx_proto::{ModelProto, NodeProto, decode_model};

fn models() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/models");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "onnx"))
        .collect();
    paths.sort();
    assert!(paths.len() >= 6, "{paths:?}");
    paths
}

fn nodes(model: &ModelProto) -> Vec<NodeProto> {
    let mut nodes: Vec<NodeProto> =
        main_graph(model).node.iter().filter(|node| node.op_type != "Constant").cloned().collect();
    for node in &mut nodes {
        node.attribute.sort_by(|a, b| a.name.cmp(&b.name));
    }
    nodes
}

#[test]
fn nodes_names_and_weights_are_the_same() {
    for path in models() {
        let (source, _) = decode_model(std::fs::read(&path).unwrap().into()).unwrap();
        let model = read(&source);
        assert_eq!(OnnxBackend::new(Options::default()).check(&model), []);
        let artefact = lower(&model, Options::default()).unwrap();
        let written = decoded(&artefact);
        assert_eq!(artefact.remarks, [], "{}", path.display());
        assert_eq!(written.opset_import, source.opset_import);
        assert!(written.ir_version <= source.ir_version);
        for (before, after) in nodes(&source).iter().zip(nodes(&written)) {
            let wanted: Vec<_> = after.attribute.iter().map(|attribute| attribute.name.clone()).collect();
            let mut before = before.clone();
            // Attributes that have their default are left out.
            before.attribute.retain(|attribute| wanted.contains(&attribute.name));
            assert_eq!(before, after, "{}", path.display());
        }
        let (before, after) = (main_graph(&source), main_graph(&written));
        assert_eq!((&before.input, &before.output), (&after.input, &after.output), "{}", path.display());
        for tensor in &before.initializer {
            let twin = after.initializer.iter().find(|twin| twin.name == tensor.name).unwrap();
            assert_eq!((&tensor.dims, &tensor.raw_data), (&twin.dims, &twin.raw_data), "{}", tensor.name);
        }
        let bytes = artefact.to_memory("m.onnx").unwrap().pop().unwrap().1;
        assert!(bytes.len() as u64 <= std::fs::metadata(&path).unwrap().len() + 64);
        assert_eq!(artefact.to_memory("m.onnx").unwrap().pop().unwrap().1, bytes);
        let again = read(&written);
        assert_eq!(decoded(&lower(&again, Options::default()).unwrap()), written, "writing is a fixed point");
    }
}

#[test]
fn weights_outside_are_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let source = Source::open(models().remove(0)).unwrap();
    let inline = import(source.bytes(), source.external(), &ImportOptions::default()).unwrap().model;
    let options = Options { external_data: ExternalData::Always, ..Options::default() };
    let artefact = OnnxBackend::new(options).lower(&inline, &LowerCx { stem: "model" }).unwrap();
    let published = publish(&artefact, &folder.path().join("model.onnx"), Existing::Keep).unwrap();
    assert_eq!(published.beside.len(), 1);
    let source = Source::open(published.main).unwrap();
    let outside = import(source.bytes(), source.external(), &ImportOptions::default()).unwrap().model;
    assert!(outside.metadata.external_data);
    let content = |model: &edgesmith_ir::Model| {
        let mut hashes: Vec<_> = model.tensors().map(|(_, entry)| entry.tensor.content_hash().to_hex()).collect();
        hashes.sort();
        hashes
    };
    assert_eq!(content(&inline), content(&outside));
    // A model that had its weights outside keeps them there.
    let again = OnnxBackend::default().lower(&outside, &LowerCx { stem: "model" }).unwrap();
    assert_eq!(again.parts.len(), 2);
}
