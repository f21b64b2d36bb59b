//! The binary as a user meets it: what it prints, what it writes, how it exits.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, reason = "a test")]

mod common;

use std::path::Path;

use common::{edgesmith, models, text, workplace};
use edgesmith::{ModelFile, write_onnx};
use edgesmith_backend::Existing;
use edgesmith_backend_onnx::Options;
use edgesmith_frontend_onnx::ImportOptions;
use edgesmith_ir::op::BatchNormalization;
use edgesmith_ir::{F32, Model, OpKind, Tensor};

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

/// The first bytes of files that are often handed over by mistake, and what the message calls them.
fn strangers() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let zip = |names: &[&str]| -> Vec<u8> {
        names.iter().flat_map(|name| [b"PK\x03\x04\0\0".as_slice(), name.as_bytes()].concat()).collect()
    };
    let header = br#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let safetensors = [&(header.len() as u64).to_le_bytes()[..], header, &[0; 4]].concat();
    vec![
        ("scripted.pt", zip(&["m/data.pkl", "m/code/m.py", "m/constants.pkl"]), "a TorchScript program"),
        ("weights.pth", zip(&["m/data.pkl", "m/data/0"]), "a PyTorch checkpoint"),
        ("old.pt", b"\x80\x02\x8a\nl\xfc".to_vec(), "a Python pickle"),
        ("m.tflite", b"\x1c\0\0\0TFL3\x14\0\x20\0".to_vec(), "a TensorFlow Lite model"),
        ("m.safetensors", safetensors, "a safetensors file"),
        ("m.gguf", b"GGUF\x03\0\0\0".to_vec(), "a GGUF file"),
        ("m.h5", b"\x89HDF\r\n\x1a\n\0\0\0".to_vec(), "an HDF5 file"),
        ("m.keras", zip(&["metadata.json", "config.json", "model.weights.h5"]), "a Keras model"),
        ("notes.txt", b"hello, I am a text file\n".to_vec(), "a text file"),
        ("empty.onnx", Vec::new(), "is empty"),
    ]
}

/// One error of one or two lines: what is wrong with which file, and what to do.
#[track_caller]
fn is_clear(arguments: &[&str], path: &str, what: &str) {
    let (code, out, err) = text(&edgesmith(arguments));
    assert_eq!((code, out.as_str()), (1, ""), "{arguments:?}: {err}");
    assert!(err.starts_with("error: ") && err.contains(path) && err.contains(what), "{arguments:?}: {err}");
    assert!(err.lines().count() <= 2, "{arguments:?}: {err}");
    // What to do: after a semicolon, or as help. For a path without a file there is nothing to say.
    assert!(err.contains("; ") || err.contains("help: ") || what == "there is no file", "{arguments:?}: {err}");
}

/// Every kind of wrong path, with what the message says of it.
fn wrong_paths(folder: &Path) -> Vec<(String, &'static str)> {
    let mut paths = Vec::new();
    for (name, contents, what) in strangers() {
        std::fs::write(folder.join(name), contents).unwrap();
        paths.push((name, what));
    }
    for name in ["folder", "m.mlpackage", "saved"] {
        std::fs::create_dir(folder.join(name)).unwrap();
    }
    std::fs::write(folder.join("m.mlpackage/Manifest.json"), b"{}").unwrap();
    std::fs::write(folder.join("saved/saved_model.pb"), b"\x08\x01").unwrap();
    paths.extend([("folder", "is a folder"), ("m.mlpackage", "a Core ML model")]);
    paths.extend([("saved", "a TensorFlow SavedModel"), ("missing.onnx", "there is no file")]);
    paths.into_iter().map(|(name, what)| (folder.join(name).display().to_string(), what)).collect()
}

#[test]
fn what_is_no_model_gets_one_clear_message() {
    let (folder, model) = workplace();
    let data = models().join("digits_test.npz").display().to_string();
    let output = folder.path().join("out").display().to_string();
    let mut paths = wrong_paths(folder.path());
    let damaged = folder.path().join("damaged.onnx");
    std::fs::write(&damaged, b"\x08\x07\x12\xff\xff\xff").unwrap();
    paths.push((damaged.display().to_string(), "no ONNX model that can be read"));
    for (path, what) in &paths {
        is_clear(&["inspect", path], path, what);
        is_clear(&["optimize", path, "-o", &output], path, what);
        is_clear(&["verify", path, &model], path, what);
        is_clear(&["verify", &model, path], path, what);
        is_clear(&["diff", path, &model], path, what);
        is_clear(&["diff", &model, path], path, what);
        is_clear(&["extract", path, "-o", &output], path, what);
        is_clear(&["merge", path, &model, "-o", &output], path, what);
        is_clear(&["merge", &model, path, "-o", &output], path, what);
        is_clear(&["run", path, "--inputs", &data, "-o", &output], path, what);
        is_clear(&["eval", path, "--data", &data], path, what);
        is_clear(&["explain", path, "x"], path, what);
        is_clear(&["bench", path], path, what);
        is_clear(&["bench", &model, path], path, what);
    }
    assert!(!Path::new(&output).exists());
}

#[test]
fn what_is_no_data_gets_one_clear_message() {
    let (folder, model) = workplace();
    let output = folder.path().join("out").display().to_string();
    let mut paths = wrong_paths(folder.path());
    paths.push((model.clone(), "not a numpy array"));
    let hollow = folder.path().join("hollow.npz");
    std::fs::write(&hollow, [&b"PK\x05\x06"[..], &[0; 18]].concat()).unwrap();
    paths.push((hollow.display().to_string(), "holds no arrays"));
    for (path, what) in &paths {
        is_clear(&["optimize", &model, "-o", &output, "--inputs", path], path, what);
        is_clear(&["verify", &model, &model, "--inputs", path], path, what);
        is_clear(&["run", &model, "--inputs", path, "-o", &output], path, what);
        is_clear(&["eval", &model, "--data", path], path, what);
        is_clear(&["bench", &model, "--inputs", path], path, what);
    }
    assert!(!Path::new(&output).exists());
}

/// A copy of a model after a change.
fn changed(model: &str, name: &str, change: impl FnOnce(&mut Model)) -> String {
    let mut file = ModelFile::read(Path::new(model), &ImportOptions::default()).unwrap();
    change(&mut file.model);
    let place = Path::new(model).with_file_name(name);
    write_onnx(&file.model, &place, Existing::Keep, Options::default()).unwrap();
    place.display().to_string()
}

#[test]
fn a_wrong_model_is_found() {
    let (_folder, model) = workplace();
    let same = changed(&model, "same.onnx", |_| {});
    let negated = changed(&model, "negated.onnx", |model| {
        let graph = model.main_graph().unwrap();
        let (_, gemm) = graph.ops().find(|(_, data)| data.op().kind() == OpKind::Gemm).unwrap();
        let bias = graph.constant(gemm.operand(2).unwrap()).unwrap();
        let mut elements = model.tensor(bias).view::<f32>().unwrap().into_owned();
        let largest = elements.iter_mut().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap();
        *largest = -*largest;
        let shape = [elements.len() as u64];
        model.tensor_entry_mut(bias).tensor = Tensor::from_slice(shape.as_slice(), &elements).unwrap();
    });
    let damped = changed(&model, "damped.onnx", |model| {
        let main = model.main().unwrap();
        let graph = model.graph_mut(main);
        let found = graph.ops().find_map(|(op, data)| Some((op, data.op().cast::<BatchNormalization>()?.clone())));
        let (op, normalization) = found.unwrap();
        graph.set_op(op, BatchNormalization { epsilon: F32(100.0 * normalization.epsilon.0), ..normalization }.into());
    });
    for engine in ["tract", "reference"] {
        let verify = |other: &str| text(&edgesmith(&["verify", &model, other, "--engine", engine]));
        assert_eq!(verify(&same).0, 0);
        for wrong in [&negated, &damped] {
            let (code, out, err) = verify(wrong);
            assert_eq!(code, 3, "{engine}, {wrong}: {out}{err}");
            assert!(out.contains("logits") && out.contains("DIFFERS"), "{out}");
            assert!(err.contains(wrong.as_str()) && err.contains("output 'logits' differs by"), "{err}");
        }
    }
    let (code, out, _) = text(&edgesmith(&["verify", &model, &negated, "--json"]));
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &json["same"]), (3, &serde_json::Value::Bool(false)));
}

#[test]
fn what_is_no_pipeline_and_no_report_gets_one_clear_message() {
    let (folder, model) = workplace();
    let output = folder.path().join("out").display().to_string();
    let mut paths: Vec<String> = wrong_paths(folder.path()).into_iter().map(|(path, _)| path).collect();
    paths.push(model.clone());
    for path in &paths {
        for arguments in [
            &["pipeline", "--print", path][..],
            &["pipeline", "--check", path],
            &["optimize", &model, "-o", &output, "--pipeline", path],
            &["explain", &model, "x", "--pipeline", path],
            &["explain", &model, "x", "--report", path],
        ] {
            let (code, out, err) = text(&edgesmith(arguments));
            assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {err}");
            assert!(err.contains(path.as_str()), "{arguments:?}: {err}");
            assert!(
                !err.contains('\u{1b}') && err.chars().all(|c| c == '\n' || !c.is_control()),
                "{arguments:?}: {err:?}"
            );
            assert!(err.lines().count() <= 8, "{arguments:?}: {err}");
        }
    }
    assert!(!Path::new(&output).exists());
}

#[test]
fn help_is_quick_and_fits_a_screen() {
    let commands = [
        "optimize",
        "inspect",
        "explain",
        "diff",
        "extract",
        "merge",
        "verify",
        "run",
        "bench",
        "eval",
        "new",
        "passes",
        "pipeline",
        "schema",
        "completions",
    ];
    let (_, top, _) = text(&edgesmith(&["--help"]));
    for command in commands {
        assert!(top.lines().any(|line| line.trim_start().starts_with(command)), "{command}: {top}");
        for flag in ["--help", "-h"] {
            let (code, out, err) = text(&edgesmith(&[command, flag]));
            assert_eq!((code, err.as_str()), (0, ""), "{command}");
            assert!(out.lines().count() <= 40 && out.contains("Example"), "{command}: {out}");
            assert!(!out.contains('\u{1b}'), "{command}");
        }
    }
    // The fastest of many runs: what other programs do meanwhile is not measured.
    let time = |arguments: &[&str]| {
        let start = std::time::Instant::now();
        assert!(edgesmith(arguments).status.success());
        start.elapsed()
    };
    for arguments in [&["--help"][..], &["optimize", "--help"], &["bench", "--help"]] {
        let fastest = (0..30).map(|_| time(arguments)).min().unwrap();
        assert!(fastest.as_millis() <= 10, "{arguments:?} takes {fastest:?}");
    }
}
