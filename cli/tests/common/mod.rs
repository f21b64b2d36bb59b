//! What tests of the command line share: the shipped models, the binary, what it said.

#![allow(dead_code, reason = "every test uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use edgesmith::ModelFile;
use edgesmith_frontend_onnx::ImportOptions;
use edgesmith_ir::Model;

/// The shipped networks, without their extension.
pub const MODELS: [&str; 6] = [
    "digits_mobilenet__dynamo_op20",
    "digits_mobilenet__legacy_op17",
    "digits_resnet__dynamo_op20",
    "digits_resnet__legacy_op17",
    "digits_vit__dynamo_op20",
    "digits_vit__legacy_op17",
];

/// Where they lie.
pub fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/models")
}

/// The file of one.
pub fn path(name: &str) -> PathBuf {
    models().join(format!("{name}.onnx"))
}

/// A model as a command reads it.
pub fn read(path: &Path) -> Model {
    ModelFile::read(path, &ImportOptions::default()).unwrap().model
}

/// Runs the binary; both of its outputs are pipes.
pub fn edgesmith(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_edgesmith")).args(arguments).output().unwrap()
}

/// Exit code, standard output, standard error.
pub fn text(output: &Output) -> (i32, String, String) {
    let read = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), read(&output.stdout), read(&output.stderr))
}

/// A folder with a copy of a trained model in it.
pub fn workplace() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model.onnx");
    std::fs::copy(path("digits_mobilenet__legacy_op17"), &model).unwrap();
    (folder, model.display().to_string())
}

/// Runs the binary: exit code, standard output, standard error.
pub fn told(arguments: &[&str]) -> (i32, String, String) {
    text(&edgesmith(arguments))
}

/// A file of the shipped models.
pub fn shipped(name: &str) -> String {
    models().join(name).display().to_string()
}

/// What a command prints that succeeds and has nothing to complain about.
#[track_caller]
pub fn printed(arguments: &[&str]) -> String {
    let (code, out, err) = told(arguments);
    assert_eq!((code, err.as_str()), (0, ""), "{arguments:?}: {out}");
    assert!(!out.contains('\u{1b}') && !out.contains('\r'), "neither colour nor bars in a pipe: {out}");
    out
}

/// The same as data.
#[track_caller]
pub fn json(arguments: &[&str]) -> serde_json::Value {
    serde_json::from_str(&printed(arguments)).unwrap()
}
