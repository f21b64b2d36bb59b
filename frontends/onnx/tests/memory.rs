//! Reading a file takes at most 64 times its size and 64 MiB, whatever the file is made of; or it is refused.
//!
//! Every file is read by a process of its own, which runs this same test again and watches its peak.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test, which fails by panicking and tells figures"
)]

mod common;

use std::path::Path;
use std::process::Command;

use common::*;
use edgesmith_frontend::Source;
use edgesmith_frontend_onnx::{ImportOptions, import};
use edgesmith_onnx_proto::{FunctionProto, Message, ModelProto, NodeProto, StringStringEntryProto, ValueInfoProto};

/// Tells a child process which file to read.
const FILE: &str = "EDGESMITH_MEMORY_TEST_FILE";

/// Peak memory of this process in bytes, without the pages of mapped files.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

fn read_and_tell(path: &Path) {
    let source = Source::open(path).unwrap();
    // The pages of the file itself belong to the page cache.
    let touched: u64 = source.bytes().iter().map(|byte| u64::from(*byte)).sum();
    assert!(touched > 0);
    let before = peak();
    let options = ImportOptions { lenient: true, ..ImportOptions::default() };
    let outcome = match import(source.bytes(), source.external(), &options) {
        Ok(_) => "read".to_owned(),
        Err(error) => format!("refused: {error}").replace('\n', " "),
    };
    println!("\nused {} {outcome:.160}", peak() - before);
}

fn check(folder: &Path, what: &str, file: &ModelProto) -> bool {
    let bytes = file.encode_to_vec();
    let path = folder.join("m.onnx");
    std::fs::write(&path, &bytes).unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "memory_is_bounded_by_the_size_of_the_file", "--nocapture"])
        .env(FILE, &path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    let line = said.lines().find_map(|line| line.strip_prefix("used "));
    let Some((used, outcome)) = line.and_then(|line| line.split_once(' ')) else {
        panic!("{what}: {said}{}", String::from_utf8_lossy(&child.stderr));
    };
    let (used, bound) = (used.parse::<u64>().unwrap(), 64 * bytes.len() as u64 + (64 << 20));
    println!(
        "{what}: {} bytes, {used} used, {:.0} % of the bound; {outcome}",
        bytes.len(),
        100.0 * used as f64 / bound as f64
    );
    assert!(used <= bound, "{what}: {used} bytes for a file of {}, more than {bound}", bytes.len());
    outcome == "read"
}

/// Distinct names as short as they can be.
fn short(mut index: usize) -> String {
    let mut name = String::new();
    loop {
        name.push(char::from(b'a' + (index % 26) as u8));
        index /= 26;
        if index == 0 {
            return name;
        }
    }
}

fn bare(operator: &str, inputs: Vec<String>, outputs: Vec<String>) -> NodeProto {
    NodeProto { op_type: operator.into(), input: inputs, output: outputs, ..NodeProto::default() }
}
fn x() -> Vec<String> {
    vec!["X".to_owned()]
}
fn many(count: usize, make: impl Fn(usize) -> NodeProto) -> ModelProto {
    model(17, graph(vec![open("X")], (0..count).map(make).collect(), vec![open("X")]))
}
fn in_domain(node: NodeProto) -> NodeProto {
    NodeProto { domain: "f".into(), ..node }
}
fn function(name: String, nodes: Vec<NodeProto>) -> FunctionProto {
    FunctionProto {
        name,
        domain: "f".into(),
        input: vec!["a".into()],
        output: vec!["d".into()],
        node: nodes,
        opset_import: vec![opset("", 17), opset("f", 1)],
        ..FunctionProto::default()
    }
}
fn with_functions(mut file: ModelProto, functions: Vec<FunctionProto>) -> ModelProto {
    file.opset_import.push(opset("f", 1));
    file.functions = functions;
    file
}
/// Values that pass through many levels of graphs.
fn captures(levels: usize, count: usize) -> ModelProto {
    let nodes = (0..count).map(|i| bare("Abs", vec![short(i)], vec![format!("z{i}")])).collect();
    let mut inner = graph(vec![], nodes, vec![open("z0")]);
    for level in 0..levels {
        let owner = bare("If", vec!["C".into()], vec![format!("o{level}")])
            .with("then_branch", inner)
            .with("else_branch", branch(vec![bare("Abs", x(), vec!["e".into()])], "e"));
        inner = graph(vec![], vec![owner], vec![open(&format!("o{level}"))]);
    }
    inner.input = vec![open("X"), value("C", BOOL, &[])];
    inner.input.extend((0..count).map(|i| open(&short(i))));
    model(17, inner)
}
/// Functions each of which calls the next one four times.
fn multiplying(levels: usize) -> ModelProto {
    let functions = (0..levels).map(|level| {
        let callee = format!("f{}", level + 1);
        let call = |from: &str, to: &str| in_domain(bare(&callee, vec![from.into()], vec![to.into()]));
        function(format!("f{level}"), vec![call("a", "b"), call("b", "c"), call("c", "g"), call("g", "d")])
    });
    with_functions(one(17, in_domain(node("f0", &["x"], &["y"])), &[1]), functions.collect())
}

#[test]
fn memory_is_bounded_by_the_size_of_the_file() {
    if let Some(path) = std::env::var_os(FILE) {
        return read_and_tell(Path::new(&path));
    }
    let folder = tempfile::tempdir().unwrap();
    let check = |what: &str, file: &ModelProto| check(folder.path(), what, file);
    for count in [40_000, 200_000] {
        let moderate = count == 40_000;
        let read = check("short nodes", &many(count, |i| bare("Abs", x(), vec![short(i)])));
        assert!(read || !moderate, "a model of 40,000 nodes is nothing special");
        check("unknown operators, all different", &many(count, |i| bare(&short(i), vec![], vec![short(i)])));
        check("one node with many outputs", &many(1, |_| bare("Split", x(), (0..count * 3).map(short).collect())));
        check(
            "one node with many inputs",
            &many(1, |_| bare("Sum", vec!["X".to_owned(); count * 5], vec!["y".into()])),
        );
        let read = check(
            "a constant a node",
            &many(count, |i| bare("Constant", vec![], vec![short(i)]).with("value_int", 0_i64)),
        );
        assert!(read || !moderate, "40,000 constants are nothing special");
        let old = many(count, |i| bare("Squeeze", x(), vec![short(i)]).with("axes", vec![0_i64]));
        check("axes as attributes", &ModelProto { opset_import: vec![opset("", 7)], ..old });
        let mut file = many(0, |_| NodeProto::default());
        if let Some(graph) = &mut file.graph {
            graph.initializer = (0..count).map(|i| ints(&short(i), &[0], &[])).collect();
        }
        check("empty initializers", &file);
        let mut file = many(0, |_| NodeProto::default());
        if let Some(graph) = &mut file.graph {
            graph.input.extend((0..count).map(|i| float(&short(i), &[1, 1, 1, 1, 1])));
        }
        check("inputs with five dims", &file);
        let mut file = many(0, |_| NodeProto::default());
        if let Some(graph) = &mut file.graph {
            let info = |i| ValueInfoProto { name: short(i), ..ValueInfoProto::default() };
            graph.value_info = (0..count).map(info).collect();
        }
        check("descriptions of nothing", &file);
        let body = vec![bare("Abs", vec!["a".into()], vec!["d".into()])];
        let calls = many(count, |i| in_domain(bare("g", x(), vec![short(i)])));
        check("many calls of one function", &with_functions(calls, vec![function("g".into(), body)]));
        let noted = |i| NodeProto {
            metadata_props: vec![StringStringEntryProto::default(); 4],
            ..bare("Abs", x(), vec![short(i)])
        };
        check("notes", &many(count, noted));
    }
    check("captures through many levels", &captures(60, 20_000));
    check("captures through some levels", &captures(6, 20_000));
    check("calls that multiply", &multiplying(12));
}
