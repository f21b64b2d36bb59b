//! Files that are wrong: an error of a few lines with the place and the cause, whatever the file does.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use bytes::Bytes;
use common::*;
use edgesmith_frontend::{NoExternalData, Source};
use edgesmith_frontend_onnx::{ImportError, ImportOptions, import};
use edgesmith_onnx_proto::{FunctionProto, Message, ModelProto, StringStringEntryProto, TensorProto};

fn bytes_refused(bytes: impl Into<Bytes>) -> ImportError {
    let error = import(bytes.into(), &NoExternalData, &ImportOptions::default()).unwrap_err();
    let text = error.to_string();
    assert!(text.lines().count() <= 8 && text.len() < 1500, "{text}");
    error
}

fn relu() -> ModelProto {
    one(17, node("Relu", &["x"], &["y"]), &[1, 3])
}

#[test]
fn cut_off_files() {
    let bytes = relu().encode_to_vec();
    for cut in 1..bytes.len() {
        // A cut between two fields leaves a file that decodes; it lacks the graph or the operator sets then.
        bytes_refused(bytes[..cut].to_vec());
    }
    assert!(bytes_refused(Bytes::new()).to_string().contains("no graph"));
}

#[test]
fn other_formats_are_named() {
    let text = bytes_refused(Bytes::from_static(b"PK\x03\x04 archive/data.pkl archive/constants.pkl")).to_string();
    assert_eq!(
        text,
        "this is a TorchScript program, not an ONNX model; load the model in PyTorch and export it with torch.onnx.export"
    );
    let cases: [(&[u8], &str); 6] = [
        (b"\x1c\0\0\0TFL3\x14\0\x20\0\x1c\0", "TensorFlow Lite"),
        (b"\x89HDF\r\n\x1a\n\0\0\0\0", "HDF5"),
        (b"\x0e\0\0\0\0\0\0\0{\"__metadata__\": {}}", "safetensors"),
        (b"<ir_version: 8, opset_import: [\"\" : 17]>\nagraph (float x) => (float y) {}", "textual syntax"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git-lfs"),
        (b"hello", "a text file"),
    ];
    for (bytes, expected) in cases {
        let error = bytes_refused(Bytes::from_static(bytes));
        assert!(matches!(error, ImportError::Foreign(_)), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn noise_is_refused() {
    // xorshift, so that the noise is always the same.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for length in 1..400 {
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .take(length)
        .collect();
        bytes_refused(noise);
    }
}

#[test]
fn every_damaged_byte_is_survived() {
    let tensor = ints("c", &[2], &[2, 3]);
    let nodes = vec![
        node("Reshape", &["x", "c"], &["r"]).with("allowzero", 0_i64),
        node("If", &["b"], &["y"])
            .with("then_branch", branch(vec![node("Relu", &["r"], &["t"])], "t"))
            .with("else_branch", branch(vec![node("Neg", &["r"], &["e"])], "e")),
    ];
    let mut graph = graph(vec![float("x", &[3, 2]), value("b", BOOL, &[])], nodes, vec![float("y", &[2, 3])]);
    graph.initializer.push(tensor);
    let bytes = model(17, graph).encode_to_vec();
    let (mut read, mut refused) = (0, 0);
    for at in 0..bytes.len() {
        for flip in [0x01, 0x10, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            match import(damaged.into(), &NoExternalData, &ImportOptions::default()) {
                Ok(import) => {
                    import.model.verify().unwrap();
                    read += 1;
                }
                Err(error) => {
                    assert!(error.to_string().len() < 1500);
                    assert!(!matches!(error, ImportError::Broken(_)), "{error}");
                    refused += 1;
                }
            }
        }
    }
    assert!(read > 50 && refused > 500, "{read} {refused}");
}

#[test]
fn the_model_as_a_whole() {
    let no_version = ModelProto { ir_version: None, ..relu() };
    assert!(refuse(&no_version).contains("IR version"));
    assert!(refuse(&ModelProto { ir_version: Some(1), ..relu() }).contains("IR version 1"));
    assert!(refuse(&ModelProto { opset_import: vec![], ..relu() }).contains("imports no version"));
    assert!(refuse(&ModelProto { graph: None, ..relu() }).contains("no graph"));
}

#[test]
fn operator_sets_outside_the_range() {
    assert!(refuse(&one(0, node("Relu", &["x"], &["y"]), &[1])).contains("no opset 0"));
    assert!(refuse(&one(-3, node("Relu", &["x"], &["y"]), &[1])).contains("no opset -3"));
    let newer = one(29, node("Relu", &["x"], &["y"]), &[1]);
    let error = refuse(&newer);
    assert!(error.contains("newer than 28") && error.contains("--allow-unknown-opset"), "{error}");
    let options = ImportOptions { allow_unknown_opset: true, ..ImportOptions::default() };
    assert!(import(newer.encode_to_vec().into(), &NoExternalData, &options).is_ok());
    // Relu had its form at 6 already, Add had not.
    read(&one(6, node("Relu", &["x"], &["y"]), &[1]));
    assert!(refuse(&one(6, node("Add", &["x", "x"], &["y"]), &[1])).contains("its form in opset 6 changed later"));
}

#[test]
fn operators_that_the_operator_set_lacks() {
    let gelu = refuse(&one(17, node("Gelu", &["x"], &["y"]), &[1]));
    assert_eq!(gelu, "Gelu (node 'n_y'): opset 17 does not have it; it exists from opset 20 on");
    let upsample = refuse(&one(10, node("Upsample", &["x", "x"], &["y"]), &[1]));
    assert!(upsample.contains("does not have it any more (deprecated in 10)"), "{upsample}");
    assert!(refuse(&one(11, node("Scatter", &["x", "x", "x"], &["y"]), &[1])).contains("deprecated in 11"));
    assert!(refuse(&one(17, node("Frobnicate", &["x"], &["y"]), &[1])).contains("no such operator"));
    // Names of our own that are not ONNX's.
    for name in ["LegacySoftmax", "Call", "Custom"] {
        assert!(refuse(&one(17, node(name, &["x"], &["y"]), &[1])).contains("no such operator"));
    }
    // All at once, each kind once.
    let nodes = vec![node("Gelu", &["x"], &["a"]), node("Gelu", &["a"], &["b"]), node("Mystery", &["b"], &["y"])];
    let error = refuse(&model(17, graph(vec![float("x", &[1])], nodes, vec![open("y")])));
    assert!(error.contains("Gelu (node 'n_a' and 1 more)") && error.contains("Mystery"), "{error}");
    assert!(refuse(&one(17, node("Relu", &["x"], &["y"]).domain("com.example"), &[1])).contains("'com.example'"));
}

#[test]
fn names() {
    let x = || vec![float("x", &[1])];
    let relu = |from: &str, to: &str| node("Relu", &[from], &[to]);
    let y = || vec![open("y")];
    let cases = [
        (graph(x(), vec![relu("q", "y")], y()), "value 'q': node 'n_y' (Relu) reads it"),
        (graph(x(), vec![relu("x", "z")], y()), "value 'y': the graph lists it as an output"),
        (graph(x(), vec![relu("x", "y"), relu("x", "y")], y()), "value 'y': it is defined twice"),
        (graph(x(), vec![relu("x", "x")], vec![open("x")]), "value 'x': it is defined twice"),
        (graph(vec![float("x", &[1]), float("x", &[1])], vec![relu("x", "y")], y()), "value 'x': it is defined twice"),
        (graph(vec![open("")], vec![relu("x", "y")], y()), "has no name"),
        (graph(x(), vec![relu("x", "y")], vec![open("")]), "has no name"),
    ];
    for (graph, expected) in cases {
        let error = refuse(&model(17, graph));
        assert!(error.contains(expected), "{error}");
    }
    for initializers in [["c", "c"], ["y", "c"], ["", "c"]] {
        let mut graph = graph(x(), vec![relu("x", "y")], y());
        graph.initializer = initializers.iter().map(|name| floats(name, &[1], &[1.0])).collect();
        let error = refuse(&model(17, graph));
        assert!(error.contains("defined twice") || error.contains("no name"), "{error}");
    }
    // Inside of a branch the value that is missing is named all the same.
    let inner = node("If", &["b"], &["y"])
        .with("then_branch", branch(vec![relu("missing", "t")], "t"))
        .with("else_branch", branch(vec![relu("x", "e")], "e"));
    let graph = graph(vec![float("x", &[1]), value("b", BOOL, &[])], vec![inner], y());
    assert!(refuse(&model(17, graph)).contains("value 'missing': node 'n_y' (If) reads it"));
}

#[test]
fn cycles() {
    let nodes = vec![
        node("Relu", &["x"], &["before"]),
        node("Add", &["before", "c"], &["a"]),
        node("Neg", &["a"], &["b"]),
        node("Abs", &["b"], &["c"]),
        node("Relu", &["c"], &["y"]),
    ];
    let error = refuse(&model(17, graph(vec![float("x", &[1])], nodes, vec![open("y")])));
    assert_eq!(
        error,
        "nodes wait for each other: Add 'n_a' (makes 'a') waits for Abs 'n_c' (makes 'c') waits for Neg 'n_b' (makes \
         'b'); a graph must not have cycles"
    );
    let selfish = node("Add", &["x", "y"], &["y"]);
    assert!(refuse(&one(17, selfish, &[1])).contains("wait for each other: Add 'n_y'"));
    // Through a branch.
    let inner = node("If", &["b"], &["y"])
        .with("then_branch", branch(vec![node("Relu", &["y"], &["t"])], "t"))
        .with("else_branch", branch(vec![node("Relu", &["x"], &["e"])], "e"));
    let graph = graph(vec![float("x", &[1]), value("b", BOOL, &[])], vec![inner], vec![open("y")]);
    assert!(refuse(&model(17, graph)).contains("wait for each other: If 'n_y'"));
}

#[test]
fn a_long_cycle_is_told_briefly() {
    let nodes =
        (0..50_000).map(|i| node("Relu", &[&format!("v{}", (i + 49_999) % 50_000)], &[&format!("v{i}")])).collect();
    let error = refuse(&model(17, graph(vec![], nodes, vec![open("v0")])));
    assert!(error.contains("49996 more"), "{error}");
}

#[test]
fn attributes_that_the_operator_cannot_have() {
    let cases = [
        (node("Relu", &["x"], &["y"]).with("alpha", 1.0_f32), "there is no attribute 'alpha'"),
        (node("Flatten", &["x"], &["y"]).with("axis", 1.0_f32), "attribute 'axis' must be int, not float"),
        (node("Flatten", &["x"], &["y"]).with("axis", 1_i64).with("axis", 1_i64), "given twice"),
        (node("Concat", &["x"], &["y"]), "attribute 'axis' is missing"),
        (node("Cast", &["x"], &["y"]).with("to", 99_i64), "cannot be '99'"),
        (node("MaxPool", &["x"], &["y"]).with("kernel_shape", vec![1_i64]).with("auto_pad", "FOO"), "cannot be 'FOO'"),
        (node("Reshape", &["x", "x"], &["y"]).with("axes", vec![0_i64]), "there is no attribute 'axes'"),
        (node("Squeeze", &["x"], &["y"]).with("axes", vec![0_i64]), "existed before opset 13 only"),
        (node("Cast", &["x"], &["y"]).with("to", 1_i64).with("saturate", 1_i64), "exists from opset 19 on"),
        (node("Constant", &[], &["y"]), "exactly one value"),
        (node("Constant", &[], &["y"]).with("value_int", 1_i64).with("value_float", 1.0_f32), "exactly one value"),
        (node("Relu", &["x"], &["y"]).with("g", branch(vec![node("Neg", &["x"], &["t"])], "t")), "no attribute 'g'"),
        (node("If", &["x"], &["y"]), "attribute 'else_branch' is missing"),
    ];
    for (node, expected) in cases {
        let operator = node.op_type.clone();
        let error = refuse(&one(17, node, &[1, 2, 3]));
        assert!(error.contains(expected), "{error}");
        assert!(error.starts_with(&format!("{operator} 'n_y': ")), "{error}");
    }
    let mut ambiguous = node("Flatten", &["x"], &["y"]).with("axis", 1_i64);
    ambiguous.attribute[0].f = Some(1.0);
    assert!(refuse(&one(17, ambiguous, &[1])).contains("several kinds"));
    let mut unknown = node("Flatten", &["x"], &["y"]).with("axis", 1_i64);
    unknown.attribute[0].r#type = Some(77);
    assert!(refuse(&one(17, unknown, &[1])).contains("unknown kind 77"));
    let tensor = TensorProto { dims: vec![-1], ..floats("", &[], &[1.0]) };
    let error = refuse(&one(17, node("Constant", &[], &["y"]).with("value", tensor), &[1]));
    assert!(error.contains("attribute 'value'") && error.contains("negative"), "{error}");
}

#[test]
fn inputs_and_outputs_that_the_operator_cannot_have() {
    let cases = [
        (node("Relu", &[], &["y"]), "0 inputs are given, but opset 17 takes 1"),
        (node("Relu", &["x", "x"], &["y"]), "2 inputs are given"),
        (node("Relu", &["x", ""], &["y"]), "2 inputs are given"),
        (node("Clip", &["x", "", "", ""], &["y"]), "takes 1 to 3"),
        (node("Relu", &["x"], &[]), "0 outputs are given"),
        (node("Relu", &["x"], &["y", "z"]), "2 outputs are given"),
        (node("Add", &["x", ""], &["y"]), "the required input 'B' (number 1) is missing"),
        (node("Sum", &["x", "", "x"], &["y"]), "the required input 'data_0' (number 1) is missing"),
        (node("Sum", &[""], &["y"]), "the required input 'data_0' (number 0) is missing"),
    ];
    for (node, expected) in cases {
        let error = refuse(&one(17, node, &[1]));
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn tensors() {
    let refused = |tensor: TensorProto, expected: &str| {
        let mut graph = graph(vec![float("x", &[1])], vec![node("Add", &["x", "w"], &["y"])], vec![open("y")]);
        graph.initializer.push(tensor);
        let error = refuse(&model(17, graph));
        assert!(error.starts_with("tensor 'w': ") && error.contains(expected), "{error}");
    };
    refused(floats("w", &[2], &[1.0]), "needs 8 bytes, but there are 4");
    refused(floats("w", &[1], &[1.0, 2.0]), "needs 4 bytes, but there are 8");
    refused(floats("w", &[-1], &[1.0]), "extent -1 on axis 0 is negative");
    refused(floats("w", &[1 << 62, 1 << 62], &[1.0]), "overflows");
    refused(floats("w", &[1 << 40], &[]), "needs 4398046511104 bytes, but there are 0");
    refused(TensorProto { data_type: Some(77), ..floats("w", &[1], &[1.0]) }, "77 is no element type");
    refused(TensorProto { data_type: Some(INT64), ..floats("w", &[1], &[1.0]) }, "belongs in int64_data");
    refused(
        TensorProto { raw_data: Some(vec![0; 4].into()), ..floats("w", &[1], &[1.0]) },
        "both raw_data and float_data",
    );
}

#[test]
fn types_of_inputs() {
    let with = |dtype: i32, extent: i64| {
        model(17, graph(vec![value("x", dtype, &[D::N(extent)])], vec![node("Relu", &["x"], &["y"])], vec![open("y")]))
    };
    assert!(refuse(&with(55, 1)).contains("value 'x': 55 is no element type"));
    assert!(refuse(&with(FLOAT, -7)).contains("value 'x': the extent -7 is negative"));
    // -1 is how converters write an open dim.
    read(&with(FLOAT, -1));
}

#[test]
fn external_data_outside_of_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("model");
    std::fs::create_dir(&inside).unwrap();
    std::fs::write(folder.path().join("secret.bin"), [0; 64]).unwrap();
    std::fs::write(inside.join("w.bin"), [0; 64]).unwrap();
    std::fs::hard_link(folder.path().join("secret.bin"), inside.join("hard.bin")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("../secret.bin", inside.join("soft.bin")).unwrap();
    let read = |entries: &[(&str, &str)]| {
        let entry = |(key, value): &(&str, &str)| StringStringEntryProto { key: (*key).into(), value: (*value).into() };
        let tensor = TensorProto {
            external_data: entries.iter().map(entry).collect(),
            data_location: Some(1),
            ..floats("w", &[2, 2], &[])
        };
        let mut graph = graph(vec![float("x", &[2, 2])], vec![node("Add", &["x", "w"], &["y"])], vec![open("y")]);
        graph.initializer.push(tensor);
        let path = inside.join("m.onnx");
        std::fs::write(&path, model(17, graph).encode_to_vec()).unwrap();
        let source = Source::open(&path).unwrap();
        import(source.bytes(), source.external(), &ImportOptions::default()).map_err(|error| {
            let text = error.to_string();
            assert!(text.starts_with("tensor 'w': its external data"), "{text}");
            text
        })
    };
    for good in [
        &[("location", "w.bin")][..],
        &[("location", "w.bin"), ("offset", "48")],
        &[("location", "./w.bin"), ("offset", "0"), ("length", "16"), ("checksum", "00"), ("later", "x")],
    ] {
        let import = read(good).unwrap();
        assert!(import.model.metadata.external_data);
        import.model.verify().unwrap();
    }
    let mut cases = vec![
        (vec![("location", "../secret.bin")], "out of the folder"),
        (vec![("location", "/etc/hostname")], "absolute"),
        (vec![("location", "none.bin")], "no file 'none.bin'"),
        (vec![("location", "hard.bin")], "hard links"),
        (vec![("location", "")], "empty"),
        (vec![], "no location"),
        (vec![("location", "w.bin"), ("offset", "49")], "has 64"),
        (vec![("location", "w.bin"), ("offset", "18446744073709551615")], "has 64"),
        (vec![("location", "w.bin"), ("offset", "-1")], "offset is no number"),
        (vec![("location", "w.bin"), ("offset", "x")], "offset is no number"),
        (vec![("location", "w.bin"), ("length", "15")], "length is 15"),
    ];
    if cfg!(unix) {
        cases.push((vec![("location", "soft.bin")], "symbolic link"));
    }
    for (entries, expected) in cases {
        let error = read(&entries).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
    // Bytes alone have no folder.
    let bytes = std::fs::read(inside.join("m.onnx")).unwrap();
    assert!(bytes_refused(bytes).to_string().contains("without a folder"));
}

#[test]
fn data_both_inside_and_outside() {
    let tensor = TensorProto {
        external_data: vec![StringStringEntryProto { key: "location".into(), value: "w.bin".into() }],
        data_location: Some(1),
        ..floats("w", &[1], &[1.0])
    };
    let mut graph = graph(vec![float("x", &[1])], vec![node("Add", &["x", "w"], &["y"])], vec![open("y")]);
    graph.initializer.push(tensor);
    assert!(refuse(&model(17, graph)).contains("float_data has data as well"));
}

/// A file whose graphs are nested so deep, written by hand because encoding recurses.
fn nested(levels: usize) -> Vec<u8> {
    let field = |number: u8, payload: &[u8]| {
        let mut bytes = vec![number << 3 | 2];
        let mut length = payload.len();
        while length >= 128 {
            bytes.push(length as u8 | 128);
            length >>= 7;
        }
        bytes.push(length as u8);
        bytes.extend_from_slice(payload);
        bytes
    };
    let mut graph = branch(vec![node("Relu", &["x"], &["y"])], "y").encode_to_vec();
    for level in 0..levels {
        let out = format!("o{level}");
        let branch_with = |name: &str, graph: &[u8]| {
            let mut attribute = attribute(name, 0_i64);
            attribute.i = None;
            attribute.r#type = Some(5);
            [attribute.encode_to_vec(), field(6, graph)].concat()
        };
        let other = branch(vec![node("Neg", &["x"], &["e"])], "e").encode_to_vec();
        let mut owner = node("If", &["c"], &[&out]).encode_to_vec();
        owner.extend(field(5, &branch_with("then_branch", &graph)));
        owner.extend(field(5, &branch_with("else_branch", &other)));
        graph = [field(1, &owner), branch(vec![], &out).encode_to_vec()].concat();
    }
    graph.extend(field(11, &float("x", &[1]).encode_to_vec()));
    graph.extend(field(11, &value("c", BOOL, &[]).encode_to_vec()));
    let shell = ModelProto { graph: None, ..relu() };
    [shell.encode_to_vec(), field(7, &graph)].concat()
}

#[test]
fn deep_nesting() {
    for levels in [1, 30, 99] {
        let import = import(nested(levels).into(), &NoExternalData, &ImportOptions::default()).unwrap();
        import.model.verify().unwrap();
        assert_eq!(import.model.graphs().count(), 2 * levels + 1);
    }
    // Quadratic in size by construction, so the deepest one is only a few megabytes.
    for levels in [100, 1_000, 10_000] {
        let error = bytes_refused(nested(levels)).to_string();
        assert!(error.contains("nested more than 100 deep"), "{error}");
    }
}

#[test]
fn functions() {
    let function = |name: &str, calls: &str| FunctionProto {
        name: name.into(),
        domain: "f".into(),
        input: vec!["a".into()],
        output: vec!["b".into()],
        node: vec![node(calls, &["a"], &["b"]).domain(if calls == "Relu" { "" } else { "f" })],
        opset_import: vec![opset("", 17), opset("f", 1)],
        ..FunctionProto::default()
    };
    let with = |functions: Vec<FunctionProto>, call| ModelProto {
        functions,
        opset_import: vec![opset("", 17), opset("f", 1)],
        ..one(17, call, &[1])
    };
    let call = || node("F", &["x"], &["y"]).domain("f");
    read(&with(vec![function("F", "Relu")], call()));
    let error = refuse(&with(vec![function("F", "G"), function("G", "F")], call()));
    assert!(error.starts_with("function 'F': it calls itself"), "{error}");
    assert!(refuse(&with(vec![function("F", "F")], call())).contains("calls itself"));
    assert!(refuse(&with(vec![function("F", "Relu"), function("F", "Relu")], call())).contains("defines it twice"));
    let mut lost = function("F", "Relu");
    lost.node[0].input[0] = "q".into();
    let error = refuse(&with(vec![lost], call()));
    assert!(error.contains("function 'F'") && error.contains("value 'q'"), "{error}");
    let mut bad = function("F", "Relu");
    bad.node[0].attribute.push(attribute("alpha", 1_i64));
    let error = refuse(&with(vec![bad], call()));
    assert!(error.contains("in the body made for 'n_y'") && error.contains("no attribute 'alpha'"), "{error}");
    let error = refuse(&with(vec![function("F", "Relu")], node("F", &["x", "x"], &["y"]).domain("f")));
    assert!(error.contains("2 inputs"), "{error}");
}
