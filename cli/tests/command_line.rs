//! The binary as a user meets it: what it prints, what it writes, how it exits.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, reason = "a test")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/models")
}

fn edgesmith(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_edgesmith")).args(arguments).output().unwrap()
}

fn text(output: &Output) -> (i32, String, String) {
    let read = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), read(&output.stdout), read(&output.stderr))
}

/// A folder with a copy of a trained model in it.
fn workplace() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model.onnx");
    std::fs::copy(models().join("digits_mobilenet__legacy_op17.onnx"), &model).unwrap();
    (folder, model.display().to_string())
}

#[test]
fn the_main_job_folds_checks_and_writes() {
    let (folder, model) = workplace();
    let report = folder.path().join("report.json").display().to_string();
    let (code, out, err) = text(&edgesmith(&["optimize", &model, "--report", &report]));
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("fold-batch-norm") && out.contains("verdict: checked (largest difference"), "{out}");
    assert!(!out.contains('\u{1b}'), "no colour in a pipe");
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    assert_eq!(json["verdict"], "checked");
    assert_eq!(json["before"]["by_kind"]["BatchNormalization"], 25);
    assert_eq!(json["after"]["by_kind"].get("BatchNormalization"), None);
    let written = folder.path().join("model.opt.onnx").display().to_string();
    let (code, out, _) = text(&edgesmith(&["verify", &model, &written, "--engine", "reference"]));
    assert_eq!(code, 0, "{out}");
    // The same again finds nothing to do, and says so.
    let (code, out, _) = text(&edgesmith(&["optimize", &written]));
    assert_eq!(code, 0);
    assert!(out.contains("verdict: unchanged"), "{out}");
}

#[test]
fn an_output_that_exists_is_kept_unless_forced() {
    let (folder, model) = workplace();
    let output = folder.path().join("out.onnx");
    std::fs::write(&output, b"precious").unwrap();
    let place = output.display().to_string();
    let (code, _, err) = text(&edgesmith(&["optimize", &model, "--output", &place]));
    assert_eq!(code, 2);
    assert!(err.contains("exists already") && err.contains("--force"), "{err}");
    assert_eq!(std::fs::read(&output).unwrap(), b"precious");
    assert_eq!(
        text(&edgesmith(&["optimize", &model, "--output", &place, "--force", "-q"])),
        (0, String::new(), String::new())
    );
    assert!(std::fs::metadata(&output).unwrap().len() > 1000);
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let (folder, model) = workplace();
    let place = folder.path().join("nowhere/out.onnx").display().to_string();
    let (code, _, err) = text(&edgesmith(&["optimize", &model, "--output", &place]));
    assert_eq!(code, 2);
    assert!(err.contains("nowhere"), "{err}");
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing is left behind");
}

#[test]
fn what_is_no_model_gets_one_clear_message() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.onnx");
    for contents in [&b""[..], b"hello, I am a text file\n", b"\x08\x07\x12\xff\xff\xff"] {
        std::fs::write(&file, contents).unwrap();
        let (code, _, err) = text(&edgesmith(&["inspect", &file.display().to_string()]));
        assert_eq!(code, 1, "{err}");
        assert!(err.contains("model.onnx") && err.lines().count() <= 10, "{err}");
    }
    for path in [folder.path().display().to_string(), folder.path().join("missing.onnx").display().to_string()] {
        let (code, _, err) = text(&edgesmith(&["inspect", &path]));
        assert_eq!(code, 1, "{err}");
        assert!(err.lines().count() <= 10, "{err}");
    }
}

#[test]
fn a_mistake_in_a_pipeline_is_shown_where_it_is() {
    let (folder, model) = workplace();
    let pipeline = folder.path().join("p.toml");
    let cases = [
        ("[[pass]]\nuse = \"cannonicalization\"\n", "did you mean 'canonicalization'?", "p.toml:2:7"),
        ("[[pass]]\nuse = \"fusion\"\nskipp = []\n", "did you mean 'skip'?", "p.toml:3:1"),
        ("[[pass]]\nuse = \"fusion\"\nskip = 3\n", "invalid type", "p.toml:3:8"),
        ("[[pass]\n", "", "p.toml:1"),
    ];
    for (contents, message, place) in cases {
        std::fs::write(&pipeline, contents).unwrap();
        let (code, _, err) = text(&edgesmith(&["optimize", &model, "--pipeline", &pipeline.display().to_string()]));
        assert_eq!(code, 2, "{err}");
        assert!(err.contains(message) && err.contains(place), "{err}");
    }
}

#[test]
fn a_dim_that_the_model_lacks_is_refused_with_its_dims() {
    let (_folder, model) = workplace();
    let (code, _, err) = text(&edgesmith(&["optimize", &model, "--dim", "bach=1"]));
    assert_eq!(code, 2);
    assert!(err.contains("did you mean 'batch'?"), "{err}");
}

#[test]
fn accuracy_is_the_same_before_and_after() {
    let (folder, model) = workplace();
    let data = models().join("digits_test.npz").display().to_string();
    assert_eq!(edgesmith(&["optimize", &model, "-q"]).status.code(), Some(0));
    let predictions = |model: &str, name: &str| {
        let place = folder.path().join(name);
        let (code, out, err) = text(&edgesmith(&[
            "eval",
            model,
            "--data",
            &data,
            "--limit",
            "60",
            "--predictions",
            &place.display().to_string(),
        ]));
        assert_eq!(code, 0, "{err}");
        assert!(out.starts_with("top-1 "), "{out}");
        std::fs::read(place).unwrap()
    };
    let optimised = folder.path().join("model.opt.onnx").display().to_string();
    assert_eq!(predictions(&model, "before.npy"), predictions(&optimised, "after.npy"));
}

#[test]
fn inspect_tells_what_is_understood() {
    let (_folder, model) = workplace();
    let (code, out, _) = text(&edgesmith(&["inspect", &model, "--json"]));
    assert_eq!(code, 0);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["operators"], json["typed"]);
    assert_eq!(json["opsets"]["ai.onnx"], 17);
    assert_eq!(json["oldest_onnx_runtime"], "1.16");
}
