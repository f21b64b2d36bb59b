//! Declared changes of inputs and outputs.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, reason = "a test")]

mod common;

use std::path::Path;

use common::{json, printed, shipped, told};
use serde_json::Value;

const DIGITS: &str = "digits_mobilenet__legacy_op17.onnx";

#[test]
fn the_interface_changes_as_declared() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).display().to_string();
    let first = shipped(DIGITS);
    let was = json(&["inspect", &first, "--json"]);
    let (input, output) = (was["inputs"][0]["name"].as_str().unwrap(), was["outputs"][0]["name"].as_str().unwrap());
    let (written, report) = (place("half.onnx"), place("half.json"));
    let rename = format!("{input}=picture");
    let out =
        printed(&["optimize", &first, "-o", &written, "--io-type", "f16", "--rename", &rename, "--report", &report]);
    assert!(out.contains("interface") && out.contains("verdict: checked"), "{out}");
    let is = json(&["inspect", &written, "--json"]);
    assert_eq!(is["inputs"][0]["name"], "picture");
    assert!(is["inputs"][0]["type"].as_str().unwrap().starts_with("float16["), "{is}");
    assert_eq!(is["outputs"][0]["name"], output);
    assert!(is["outputs"][0]["type"].as_str().unwrap().starts_with("float16["), "{is}");
    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    let changes = report["interface"].as_array().unwrap();
    assert_eq!((&changes[0]["side"], &changes[1]["side"]), (&"input".into(), &"output".into()));

    let bytes = place("bytes.onnx");
    let io_type = format!("{input}=uint8");
    let out = printed(&["optimize", &first, "-o", &bytes, "--io-type", &io_type]);
    assert!(out.contains("0 to 255 as they are, without scaling"), "{out}");
    let is = json(&["inspect", &bytes, "--json"]);
    assert!(is["inputs"][0]["type"].as_str().unwrap().starts_with("uint8["), "{is}");
    assert_eq!(is["outputs"], was["outputs"]);

    for (arguments, message) in [
        (["--rename", "nothing=x"], "no input or output 'nothing'"),
        (["--rename", "nothing"], "OLD=NEW"),
        (["--io-type", "f17"], "write f16 or uint8"),
        (["--io-type", &format!("{output}=uint8")], "cut off its fractions"),
    ] {
        let (code, _, err) = told(&["optimize", &first, "-o", &place("x.onnx"), arguments[0], arguments[1]]);
        assert!(code == 2 && err.contains(message), "{arguments:?}: {err}");
    }
}

/// The new input types mean the numbers that they are documented to mean.
#[test]
fn bytes_are_read_as_the_numbers_they_are() {
    use edgesmith::{IoType, Rename, edit_interface, engine};
    use edgesmith_exec::{Request, Value as Given, Values};
    use edgesmith_ir::Tensor;
    let read = || common::read(Path::new(&shipped(DIGITS)));
    let (plain, mut edited) = (read(), read());
    let graph = plain.main_graph().unwrap();
    let row = graph.value(graph.inputs()[0]);
    let shape: Vec<u64> = row.ty().dims().unwrap().iter().map(|dim| dim.extent().unwrap_or(1)).collect();
    let rename = Rename { old: row.name().clone(), new: "bytes".into() };
    let types: [IoType; 2] = [format!("{}=uint8", row.name()).parse().unwrap(), "f16".parse().unwrap()];
    let changes = edit_interface(&mut edited, &[rename], &types[..1]).unwrap();
    assert_eq!(changes.len(), 1);
    let count: u64 = shape.iter().product();
    let numbers: Vec<u8> = (0..count).map(|n| (n * 37 % 256) as u8).collect();
    let floats: Vec<f32> = numbers.iter().map(|n| f32::from(*n)).collect();
    let run = |model: &edgesmith_ir::Model, name: &str, tensor: Tensor| {
        let reference = engine("reference").unwrap();
        let mut session = reference.prepare(model, &Request::default()).unwrap().session().unwrap();
        session.run(&Values::from_iter([(name.into(), Given::Tensor(tensor))])).unwrap()
    };
    let expected = run(&plain, row.name(), Tensor::from_slice(shape.as_slice(), &floats).unwrap());
    assert_eq!(run(&edited, "bytes", Tensor::from_slice(shape.as_slice(), &numbers).unwrap()), expected);
}
