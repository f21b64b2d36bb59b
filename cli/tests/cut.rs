//! `extract` and `merge`: parts of models, and models made of parts.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, reason = "a test")]

mod common;

use std::process::Command;

use common::{MODELS, path, read};
use edgesmith::diff::diff;
use edgesmith::extract::{ExtractError, extract};
use edgesmith::merge::{MergeError, MergeOptions, merge};
use edgesmith::{end_to_end_inputs, engine, write_onnx};
use edgesmith_backend::Existing;
use edgesmith_backend_onnx::{ExternalData, Options};
use edgesmith_exec::{Request, Values};
use edgesmith_ir::{DType, Def, Dim, Graph, Model, Name, NewOp, Op, Origin, Shape, Tensor, User, ValueType, op};

/// The model as it is after a file.
fn through_file(model: &Model, options: Options) -> Model {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("part.onnx");
    write_onnx(model, &place, Existing::Keep, options).unwrap_or_else(|failure| panic!("{failure}"));
    read(&place)
}

fn run(model: &Model, inputs: &Values) -> Values {
    let engine = engine("reference").unwrap();
    let prepared = engine.prepare(model, &Request::default()).unwrap_or_else(|error| panic!("{error}"));
    prepared.session().unwrap().run(inputs).unwrap_or_else(|error| panic!("{error}"))
}

/// Names of values that are computed before a place in the order of operators and read behind it (or given back), of inputs
/// that are read behind it, and of outputs that are computed before it.
fn frontier(graph: &Graph, position: usize) -> (Vec<Name>, Vec<Name>, Vec<Name>) {
    let order = graph.topological().unwrap();
    let place = |op| order.iter().position(|other| *other == op).unwrap();
    let (mut cut, mut inputs, mut outputs) = (Vec::new(), Vec::new(), Vec::new());
    for (_, row) in graph.values() {
        let before = match row.def() {
            Def::Input { default: None } => true,
            Def::Result { op, .. } => place(op) < position,
            _ => continue,
        };
        let behind = row.uses().iter().any(|reading| matches!(reading.user, User::Op(op) if place(op) >= position));
        let list = if matches!(row.def(), Def::Input { .. }) { &mut inputs } else { &mut cut };
        if before && behind {
            list.push(row.name().clone());
        }
        if before && row.is_output() {
            outputs.push(row.name().clone());
        }
    }
    (cut, inputs, outputs)
}

/// Cuts a model in two at a place, through files, joins the parts, and compares.
fn cut_and_join(model: &Model, position: usize, label: &str) -> Model {
    let graph = model.main_graph().unwrap();
    let (cut, inputs, early) = frontier(graph, position);
    let mut ends = cut.clone();
    ends.extend(early.iter().filter(|name| !cut.contains(name)).cloned());
    let first = extract(model, &[], &ends).unwrap_or_else(|error| panic!("{label}: {error}"));
    let late: Vec<Name> = graph.outputs().iter().map(|value| graph.value(*value).name().clone()).collect();
    let late: Vec<Name> = late.into_iter().filter(|name| !early.contains(name)).collect();
    let starts: Vec<Name> = cut.iter().chain(&inputs).cloned().collect();
    let second = extract(model, &starts, &late).unwrap_or_else(|error| panic!("{label}: {error}"));
    assert!(first.remarks.is_empty() && second.remarks.is_empty(), "{label}");
    let (first, second) =
        (through_file(&first.model, Options::default()), through_file(&second.model, Options::default()));
    let counts: Vec<usize> =
        [&first, &second, model].map(|model| model.main_graph().unwrap().ops().count()).into_iter().collect();
    assert_eq!(counts[0] + counts[1], counts[2], "{label}");
    let keep = early.iter().filter(|name| cut.contains(name)).cloned().collect();
    let merged = merge(&first, &second, &MergeOptions { keep, ..MergeOptions::default() });
    let merged = merged.unwrap_or_else(|error| panic!("{label}: {error}"));
    assert_eq!(merged.joined.len(), cut.len(), "{label}");
    assert!(
        merged.renamed.is_empty() && merged.remarks.is_empty(),
        "{label}: {:?} {:?}",
        merged.renamed,
        merged.remarks
    );
    through_file(&merged.model, Options::default())
}

#[test]
fn every_model_cut_in_two_and_joined_computes_the_same() {
    for name in MODELS {
        let model = read(&path(name));
        let inputs = end_to_end_inputs(&model)[0][0].clone();
        let expected = run(&model, &inputs);
        let count = model.main_graph().unwrap().ops().count();
        for quarter in [1, 2, 3] {
            let label = format!("{name} cut at {quarter}/4");
            let joined = cut_and_join(&model, count * quarter / 4, &label);
            assert_eq!(run(&joined, &inputs), expected, "{label}: bit by bit");
            let found = diff(&model, &joined);
            assert_eq!(found.operators.matched, count as u64, "{label}");
            let operators = &found.operators;
            assert!(operators.removed.is_empty() && operators.added.is_empty(), "{label}: {operators:?}");
            assert!(operators.changed.is_empty() && operators.renamed.is_empty(), "{label}: {operators:?}");
            assert!(found.interface.is_empty() && found.renamed_values.is_empty(), "{label}: {:?}", found.interface);
            let weights = &found.weights;
            assert!(weights.changed.is_empty() && weights.removed.is_empty() && weights.added.is_empty(), "{label}");
        }
    }
}

// ---- small models by hand ----

struct Build {
    model: Model,
    main: edgesmith_ir::GraphId,
    origin: edgesmith_ir::OriginId,
}

impl Build {
    fn new(name: &str, opset: i64) -> Self {
        let mut model = Model::new();
        let origin = model.add_origin(Origin::Source { node: "n".into(), operator: "n".into(), scope: None });
        let main = model.add_graph(Graph::new(name));
        model.entries.insert("main".into(), main);
        model.opsets.insert(Name::default(), opset);
        model.metadata.ir_version = 8;
        Self { model, main, origin }
    }
    fn input(mut self, name: &str, dims: &[&str]) -> Self {
        let shape = Shape::of(dims.iter().map(|dim| Dim::parse(dim).unwrap()));
        self.model.graph_mut(self.main).add_input(name, ValueType::tensor(DType::F32, shape), None);
        self
    }
    fn constant(mut self, name: &str, elements: &[f32]) -> Self {
        let tensor = Tensor::from_slice([elements.len() as u64].as_slice(), elements).unwrap();
        self.model.add_constant(self.main, name, tensor);
        self
    }
    fn op(self, op: impl Into<Op>, operands: &[&str], result: &str) -> Self {
        self.op_with(op, operands, &[], Vec::new(), result)
    }
    fn op_with(
        mut self,
        op: impl Into<Op>,
        operands: &[&str],
        captures: &[&str],
        regions: Vec<edgesmith_ir::GraphId>,
        result: &str,
    ) -> Self {
        let graph = self.model.graph_mut(self.main);
        let all = operands.iter().chain(captures).map(|name| graph.value_by_name(name)).collect();
        graph.add_op(NewOp {
            op: op.into(),
            operands: all,
            captures: captures.len(),
            regions: regions.into_iter().collect(),
            results: [Some(result.into())].into_iter().collect(),
            name: format!("make {result}").into(),
            origin: self.origin,
        });
        self
    }
    fn done(mut self, outputs: &[&str]) -> Model {
        let graph = self.model.graph_mut(self.main);
        for name in outputs {
            let value = graph.value_by_name(name).unwrap();
            graph.add_output(value);
        }
        assert!(self.model.infer().errors.is_empty());
        self.model.verify().unwrap();
        self.model
    }
}

fn names(list: &[&str]) -> Vec<Name> {
    list.iter().map(|name| Name::from(*name)).collect()
}

fn interface(model: &Model) -> String {
    let graph = model.main_graph().unwrap();
    let side = |values: &[edgesmith_ir::ValueId]| {
        let list: Vec<String> =
            values.iter().map(|value| format!("{} {}", graph.value(*value).name(), graph.value(*value).ty())).collect();
        list.join(", ")
    };
    format!("{} -> {}", side(graph.inputs()), side(graph.outputs()))
}

fn floats(shape: &[u64], elements: &[f32]) -> edgesmith_exec::Value {
    Tensor::from_slice(shape, elements).unwrap().into()
}

/// x → a = x + w → b = −a → y = a · b, z = −b
fn diamond() -> Model {
    Build::new("diamond", 17)
        .input("x", &["N", "2"])
        .constant("w", &[1.0, 2.0])
        .op(op::Add {}, &["x", "w"], "a,1")
        .op(op::Neg {}, &["a,1"], "b")
        .op(op::Mul {}, &["a,1", "b"], "y")
        .op(op::Neg {}, &["b"], "z")
        .done(&["y", "z"])
}

#[test]
fn what_else_is_needed_is_listed() {
    let model = diamond();
    let error = extract(&model, &names(&["b"]), &[]).unwrap_err();
    assert!(matches!(&error, ExtractError::Missing { needed } if needed[0].0.as_str() == "x"), "{error}");
    assert_eq!(error.to_string(), "the outputs also need 'x' (float[N,2])");
    let part = extract(&model, &names(&["b", "a,1"]), &[]).unwrap();
    assert_eq!(interface(&part.model), "b float[N,2], a,1 float[N,2] -> y float[N,2], z float[N,2]");
    assert!(
        part.model.main_graph().unwrap().value_by_name("w").is_none(),
        "a constant that nothing needs stays behind"
    );
    let part = extract(&model, &names(&["b"]), &names(&["z", "b"])).unwrap();
    assert_eq!(interface(&part.model), "b float[N,2] -> z float[N,2], b float[N,2]");
    let part = extract(&model, &names(&["x", "b"]), &names(&["z"])).unwrap();
    assert_eq!(part.remarks, ["input 'x' is not needed for these outputs; it stays in the interface"]);
}

#[test]
fn wrong_names_are_refused() {
    let model = diamond();
    let message =
        |inputs: &[&str], outputs: &[&str]| extract(&model, &names(inputs), &names(outputs)).unwrap_err().to_string();
    assert_eq!(message(&["w"], &[]), "'w' is a constant and cannot be an input; constants travel with the part");
    assert!(message(&[], &["a1"]).contains("did you mean 'a,1'?"));
    assert_eq!(message(&[], &["y", "y"]), "'y' is listed twice among the outputs");
}

#[test]
fn names_with_commas_can_be_given() {
    let folder = tempfile::tempdir().unwrap();
    let (source, part) = (folder.path().join("m.onnx"), folder.path().join("part.onnx"));
    write_onnx(&diamond(), &source, Existing::Keep, Options::default()).unwrap();
    let extract = |inputs: &[&str], force: bool| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_edgesmith"));
        command.arg("extract").arg(&source).arg("-o").arg(&part);
        for name in inputs {
            command.args(["--inputs", name]);
        }
        if force {
            command.arg("--force");
        }
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    };
    let (code, out, err) = extract(&["a,1", "b"], false);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("input  a,1: float[N,2]") && out.contains("2 of 4 operators"), "{out}");
    assert_eq!(interface(&read(&part)), "a,1 float[N,2], b float[N,2] -> y float[N,2], z float[N,2]");
    let (code, _, err) = extract(&["b"], false);
    assert_eq!(code, 2);
    assert!(err.contains("exists already"), "{err}");
    let (code, _, err) = extract(&["b"], true);
    assert_eq!(code, 2);
    assert!(
        err.contains("the outputs also need 'x' (float[N,2])") && err.contains("list them among --inputs"),
        "{err}"
    );
}

/// A branch that reads a value from outside: the part needs it as much as an operand.
#[test]
fn what_branches_capture_is_needed_and_travels() {
    let mut build = Build::new("branchy", 17).input("x", &["2"]).constant("w", &[1.0, 2.0]).op(op::Neg {}, &["x"], "n");
    let branch = |build: &mut Build, name: &str, operator: Op| {
        let mut graph = Graph::new(name);
        let captured = graph.add_input("n", ValueType::tensor(DType::F32, Shape::of([2_u64])), None);
        let made = graph.add_op(NewOp {
            op: operator,
            operands: [Some(captured)].into_iter().collect(),
            captures: 0,
            regions: Vec::new().into(),
            results: [Some(format!("{name}_y").into())].into_iter().collect(),
            name: Name::default(),
            origin: build.origin,
        });
        let result = graph.op(made).result(0).unwrap();
        graph.add_output(result);
        build.model.add_graph(graph)
    };
    let regions = vec![
        branch(&mut build, "else_branch", op::Neg {}.into()),
        branch(&mut build, "then_branch", op::Abs {}.into()),
    ];
    let flag = Tensor::from_bools([0_u64; 0].as_slice(), &[true]).unwrap();
    build.model.add_constant(build.main, "flag", flag);
    let model = build.op_with(op::If {}, &["flag"], &["n"], regions, "c").op(op::Add {}, &["c", "w"], "y").done(&["y"]);
    let inputs: Values = [("x".into(), floats(&[2], &[3.0, -5.0]))].into_iter().collect();
    let expected = run(&model, &inputs);
    assert_eq!(expected["y"], floats(&[2], &[4.0, 7.0]));
    let error = extract(&model, &names(&["flag"]), &[]).unwrap_err();
    assert!(matches!(error, ExtractError::Constant { .. }));
    let inner = extract(&model, &names(&["x"]), &names(&["then_branch_y"])).unwrap_err();
    assert!(matches!(inner, ExtractError::Inner { .. }), "{inner}");
    for position in [1, 2] {
        let joined = cut_and_join(&model, position, &format!("branch cut at {position}"));
        assert_eq!(run(&joined, &inputs), expected);
    }
}

/// Second models of different kinds for `feat float[N,2]`.
fn head(input: &str, dims: &[&str], opset: i64) -> Build {
    Build::new("head", opset).input(input, dims).constant("w", &[10.0, 20.0]).op(op::Mul {}, &[input, "w"], "a,1")
}

#[test]
fn what_both_call_the_same_is_kept_apart() {
    // Both have a weight 'w' and a value 'a,1' of their own, and an output 'y'.
    let first = diamond();
    let second = head("feat", &["batch", "2"], 18).op(op::Neg {}, &["a,1"], "y").done(&["y"]);
    let connect = vec![("z".into(), "feat".into())];
    let merged = merge(&first, &second, &MergeOptions { connect: connect.clone(), ..Default::default() }).unwrap();
    assert_eq!(interface(&merged.model), "x float[N,2] -> y float[N,2], y_1 float[N,2]");
    let renamed: Vec<_> = merged.renamed.iter().map(|r| format!("{} {}", r.before, r.after)).collect();
    assert_eq!(renamed, ["w w_1", "a,1 a,1_1", "y y_1"]);
    assert_eq!(merged.model.opset(""), Some(18));
    assert_eq!(merged.remarks, ["the models have opsets 17 and 18; the first is converted to 18"]);
    let read = through_file(&merged.model, Options::default());
    let inputs: Values = [("x".into(), floats(&[1, 2], &[1.0, 2.0]))].into_iter().collect();
    let outputs = run(&read, &inputs);
    // a = [2, 4], b = −a, y = −a², z = a, y_1 = −(a · w)
    assert_eq!(outputs["y"], floats(&[1, 2], &[-4.0, -16.0]));
    assert_eq!(outputs["y_1"], floats(&[1, 2], &[-20.0, -80.0]));
    let kept = merge(&first, &second, &MergeOptions { connect, keep: names(&["z"]) }).unwrap();
    assert_eq!(interface(&kept.model), "x float[N,2] -> y float[N,2], z float[N,2], y_1 float[N,2]");
}

#[test]
fn an_output_keeps_its_name_before_an_inner_value() {
    let second = head("z", &["batch", "2"], 17).op(op::Neg {}, &["a,1"], "b").done(&["b"]);
    let merged = merge(&diamond(), &second, &MergeOptions::default()).unwrap();
    assert_eq!(interface(&merged.model), "x float[N,2] -> y float[N,2], b float[N,2]");
    assert!(merged.renamed.iter().any(|r| r.before == "b" && r.after == "b_1"), "{:?}", merged.renamed);
    let inputs: Values = [("x".into(), floats(&[1, 2], &[1.0, 2.0]))].into_iter().collect();
    assert_eq!(run(&through_file(&merged.model, Options::default()), &inputs)["b"], floats(&[1, 2], &[-20.0, -80.0]));
}

#[test]
fn what_does_not_fit_is_refused() {
    let first = diamond();
    let joined = |second: &Model, from: &str, to: &str| {
        let connect = vec![(from.into(), to.into())];
        merge(&first, second, &MergeOptions { connect, ..Default::default() })
    };
    let wide = Build::new("wide", 17).input("feat", &["batch", "3"]).op(op::Neg {}, &["feat"], "q").done(&["q"]);
    let error = joined(&wide, "z", "feat").unwrap_err();
    assert_eq!(
        error.to_string(),
        "'z' of the first model is float[N,2], but 'feat' of the second takes float[batch,3]"
    );
    let second = head("feat", &["batch", "2"], 17).done(&["a,1"]);
    assert!(matches!(joined(&second, "zz", "feat"), Err(MergeError::Unknown { which: "first", .. })));
    assert!(matches!(joined(&second, "z", "fea"), Err(MergeError::Unknown { which: "second", .. })));
    let apart = merge(&first, &second, &MergeOptions::default()).unwrap_err();
    assert_eq!(apart.to_string(), "nothing joins the models: the first gives 'y', 'z', the second takes 'feat'");
    // A second model that takes one batch makes the whole take one.
    let single = head("feat", &["1", "2"], 17).done(&["a,1"]);
    let merged = joined(&single, "z", "feat").unwrap();
    assert_eq!(merged.remarks, ["dim 'N' of the first model is 1, because the second takes no other"]);
    assert_eq!(interface(&merged.model), "x float[1,2] -> y float[1,2], a,1 float[1,2]");
}

#[test]
fn inputs_of_both_become_one() {
    let second = Build::new("second", 17)
        .input("x", &["N", "2"])
        .input("z", &["N", "2"])
        .op(op::Sub {}, &["x", "z"], "d")
        .done(&["d"]);
    let merged = merge(&diamond(), &second, &MergeOptions::default()).unwrap();
    assert_eq!(merged.shared, names(&["x"]));
    assert_eq!(interface(&merged.model), "x float[N,2] -> y float[N,2], d float[N,2]");
}

/// The second model gives back what it takes, under a name that the first uses inside.
#[test]
fn an_output_that_is_passed_through_keeps_its_name() {
    let second = Build::new("second", 17).input("b", &["N", "2"]).op(op::Abs {}, &["b"], "q").done(&["b", "q"]);
    let connect = vec![("z".into(), "b".into())];
    let merged = merge(&diamond(), &second, &MergeOptions { connect, ..Default::default() }).unwrap();
    assert_eq!(interface(&merged.model), "x float[N,2] -> y float[N,2], b float[N,2], q float[N,2]");
    let inputs: Values = [("x".into(), floats(&[1, 2], &[-2.0, 2.0]))].into_iter().collect();
    let outputs = run(&through_file(&merged.model, Options::default()), &inputs);
    assert_eq!((&outputs["b"], &outputs["q"]), (&floats(&[1, 2], &[-1.0, 4.0]), &floats(&[1, 2], &[1.0, 4.0])));
}

/// Old files list weights among the inputs; parts of one model that share such a weight share it again when joined.
#[test]
fn a_weight_among_the_inputs_of_both_is_one() {
    let mut model = diamond();
    let main = model.main().unwrap();
    let half = model.add_tensor(Tensor::from_slice([2_u64].as_slice(), &[0.5_f32, 0.25]).unwrap());
    let ty = ValueType::tensor(DType::F32, Shape::of([2_u64]));
    let graph = model.graph_mut(main);
    let half = graph.add_input("half", ty, Some(half));
    for (op, slot) in
        graph.ops().filter(|(_, data)| data.operands().len() == 2).map(|(op, _)| (op, 1)).collect::<Vec<_>>()
    {
        graph.set_operand(op, slot, Some(half));
    }
    model.infer();
    model.verify().unwrap();
    let inputs: Values = [("x".into(), floats(&[1, 2], &[-2.0, 2.0]))].into_iter().collect();
    let joined = cut_and_join(&model, 2, "a weight among the inputs");
    assert_eq!(run(&joined, &inputs), run(&model, &inputs));
    assert_eq!(interface(&joined), "x float[N,2], half float[2] -> y float[N,2], z float[N,2]");
}

/// A symbol of the second model may mean something else than the first's of that name.
#[test]
fn dims_follow_the_connection() {
    let first = Build::new("first", 17)
        .input("x", &["N", "2"])
        .op(op::Concat { axis: 0 }, &["x", "x"], "twice")
        .done(&["twice"]);
    let second = Build::new("second", 17)
        .input("twice", &["N", "2"])
        .input("other", &["N", "2"])
        .op(op::Add {}, &["twice", "other"], "sum")
        .done(&["sum"]);
    let merged = merge(&first, &second, &MergeOptions::default()).unwrap();
    assert_eq!(interface(&merged.model), "x float[N,2], other float[2*N,2] -> sum float[2*N,2]");
    assert!(merged.remarks.is_empty());
}

#[test]
fn weights_in_files_of_their_own_stay_there() {
    let folder = tempfile::tempdir().unwrap();
    let (source, part, whole) =
        (folder.path().join("m.onnx"), folder.path().join("part.onnx"), folder.path().join("whole.onnx"));
    let model = read(&path("digits_resnet__legacy_op17"));
    let external = Options { external_data: ExternalData::Always, ..Options::default() };
    write_onnx(&model, &source, Existing::Keep, external).unwrap();
    let model = read(&source);
    let graph = model.main_graph().unwrap();
    let (cut, _, _) = frontier(graph, graph.ops().count() / 2);
    let first = extract(&model, &[], &cut).unwrap();
    let second = extract(&model, &cut, &[]).unwrap();
    let published = write_onnx(&second.model, &part, Existing::Keep, Options::default()).unwrap();
    assert_eq!(published.beside.len(), 1, "the source kept its weights outside");
    let merged = merge(&first.model, &read(&part), &MergeOptions::default()).unwrap();
    let published = write_onnx(&merged.model, &whole, Existing::Keep, Options::default()).unwrap();
    assert_eq!(published.beside.len(), 1);
    let inputs = end_to_end_inputs(&model)[0][0].clone();
    assert_eq!(run(&read(&whole), &inputs), run(&model, &inputs));
}

#[test]
fn the_merge_command_says_what_it_joined() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    write_onnx(&diamond(), &place("a.onnx"), Existing::Keep, Options::default()).unwrap();
    let second = head("feat=1", &["batch", "2"], 18).done(&["a,1"]);
    write_onnx(&second, &place("b.onnx"), Existing::Keep, Options::default()).unwrap();
    let merge = |connect: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_edgesmith"));
        command.current_dir(folder.path()).args(["merge", "a.onnx", "b.onnx", "-o", "c.onnx"]).args(connect);
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    };
    let (code, _, err) = merge(&[]);
    assert_eq!(code, 2);
    assert!(err.contains("nothing joins the models") && err.contains("--connect"), "{err}");
    assert!(!place("c.onnx").exists());
    let (code, out, err) = merge(&["--connect", "z=feat=1"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.starts_with("wrote c.onnx\n") && out.contains("joined z → feat=1"), "{out}");
    assert!(err.contains("remark: the models have opsets 17 and 18") && err.contains("w → w_1"), "{err}");
}
