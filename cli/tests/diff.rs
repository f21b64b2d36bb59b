//! What `diff` and `verify` say of two models: what differs, and nothing else.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, reason = "a test")]

mod common;

use std::path::Path;
use std::process::Command;

use common::{MODELS, path, read};
use edgesmith::diff::{ModelDiff, diff};
use edgesmith::verify::{Verification, VerifyOptions, verify};
use edgesmith::{end_to_end_inputs, engine, write_onnx};
use edgesmith_backend::Existing;
use edgesmith_backend_onnx::Options;
use edgesmith_ir::{GraphId, Model, Name, OpId, OpKind, Tensor, ValueId};

/// The model and a copy of it after a change.
fn changed(name: &str, change: impl FnOnce(&mut Model, GraphId)) -> (Model, Model) {
    let model = read(&path(name));
    let mut other = model.clone();
    let main = other.main().unwrap();
    change(&mut other, main);
    other.verify().unwrap();
    (model, other)
}

fn of_kind(model: &Model, kind: OpKind) -> Vec<OpId> {
    model.main_graph().unwrap().ops().filter(|(_, data)| data.op().kind() == kind).map(|(id, _)| id).collect()
}

/// The report with everything taken out that a test expects; what is left must be the report of equal models.
fn nothing_else(mut found: ModelDiff, take: impl FnOnce(&mut ModelDiff)) {
    assert!(!found.same);
    take(&mut found);
    let empty = ModelDiff {
        same: false,
        operators: edgesmith::diff::OperatorDiff { matched: found.operators.matched, ..Default::default() },
        weights: edgesmith::diff::WeightDiff { equal: found.weights.equal, ..Default::default() },
        cost: found.cost.clone(),
        ..ModelDiff::default()
    };
    assert_eq!(found, empty);
    let cost = &found.cost;
    assert_eq!(cost.before, cost.after);
    assert_eq!(cost.peak_activation_bytes_before, cost.peak_activation_bytes_after);
}

fn reference(a: &Model, b: &Model, locate: bool) -> Verification {
    let options = VerifyOptions { tolerance: 1e-4, locate };
    // One input is enough, and the evaluator is slow.
    let groups: Vec<_> = end_to_end_inputs(a).into_iter().map(|group| group[..1].to_vec()).collect();
    verify(engine("reference").unwrap().as_ref(), a, b, &groups, options).unwrap()
}

#[test]
fn the_same_model_twice() {
    for name in MODELS {
        let model = read(&path(name));
        let found = diff(&model, &read(&path(name)));
        assert!(found.same, "{name}: {found:?}");
        assert_eq!(found.operators.matched, model.main_graph().unwrap().ops().count() as u64, "{name}");
        assert!(found.weights.equal > 20, "{name}");
    }
}

#[test]
fn one_weight_that_changed() {
    let conv = |model: &Model| of_kind(model, OpKind::Conv)[4];
    let (a, b) = changed("digits_mobilenet__legacy_op17", |model, main| {
        let op = conv(model);
        let tensor = model.graph(main).constant(model.graph(main).op(op).operand(1).unwrap()).unwrap();
        let entry = model.tensor_entry_mut(tensor);
        let mut elements = entry.tensor.view::<f32>().unwrap().into_owned();
        elements[3] += 1e-3;
        entry.tensor = Tensor::from_slice(entry.tensor.shape(), &elements).unwrap();
    });
    let graph = a.main_graph().unwrap();
    let weight = graph.value(graph.op(conv(&a)).operand(1).unwrap()).name().to_string();
    nothing_else(diff(&a, &b), |found| {
        let [change] = found.weights.changed.as_slice() else { panic!("{:?}", found.weights.changed) };
        assert_eq!((change.name.as_str(), change.differing, &change.unlike), (weight.as_str(), 1, &None));
        assert!((change.largest_absolute - 1e-3).abs() < 1e-6, "{}", change.largest_absolute);
        assert!(change.sqnr_db.unwrap() > 20.0);
        found.weights.changed.clear();
    });
    let found = reference(&a, &b, true);
    let divergence = found.divergence.unwrap();
    let begins = divergence.begins.unwrap();
    assert_eq!(begins.operator.name, a.op_label(a.main().unwrap(), conv(&a)).to_string());
    assert_eq!(begins.reasons, [format!("its constant '{weight}' differs")]);
    assert_eq!((divergence.failure, divergence.in_common), (None, graph.ops().count() as u64));
    assert!(!found.outputs[0].distance.bit_equal);
}

#[test]
fn one_operator_that_is_gone() {
    let (a, b) = changed("digits_mobilenet__legacy_op17", |model, main| {
        let op = of_kind(model, OpKind::Clip)[7];
        let graph = model.graph_mut(main);
        let (from, to) = (graph.op(op).operand(0).unwrap(), graph.op(op).result(0).unwrap());
        graph.replace_uses(to, from);
        graph.erase_op(op);
        model.compact().unwrap();
    });
    let gone = a.op_label(a.main().unwrap(), of_kind(&a, OpKind::Clip)[7]).to_string();
    let found = diff(&a, &b);
    assert_eq!((found.cost.before.operators, found.cost.after.operators), (75, 74));
    assert_eq!(found.cost.before.macs, found.cost.after.macs);
    let [kind] = found.by_kind.as_slice() else { panic!("{:?}", found.by_kind) };
    assert_eq!((kind.kind.as_str(), kind.before, kind.after), ("Clip", 17, 16));
    nothing_else(found, |found| {
        let [operator] = found.operators.removed.as_slice() else { panic!("{:?}", found.operators.removed) };
        assert_eq!((operator.kind.as_str(), operator.name.as_str()), ("Clip", gone.as_str()));
        found.operators.removed.clear();
        // The literals of that Clip are gone with it, where no other Clip reads them.
        found.weights.removed.retain(|weight| weight.ty != "float[]");
        found.by_kind.clear();
        found.by_scope.clear();
        let cost = &mut found.cost;
        cost.after = cost.before.clone();
        cost.peak_activation_bytes_after = cost.peak_activation_bytes_before.clone();
    });
    let found = reference(&a, &b, true);
    assert!(!found.same);
    let begins = found.divergence.unwrap().begins.unwrap();
    assert!(begins.reasons.contains(&format!("Clip '{gone}' is in the first model only")), "{begins:?}");
}

#[test]
fn renamed_values_are_renamed_and_not_different() {
    for name in MODELS {
        let (a, b) = changed(name, |model, main| {
            let graph = model.graph_mut(main);
            let inner: Vec<ValueId> = graph.values().map(|(id, _)| id).collect();
            for (number, value) in inner.into_iter().rev().enumerate() {
                if !graph.inputs().contains(&value) && !graph.outputs().contains(&value) {
                    graph.set_value_name(value, format!("{}", 1000 + number));
                }
            }
        });
        let results = a.main_graph().unwrap().ops().map(|(_, data)| data.results().iter().flatten().count());
        let results = results.sum::<usize>();
        nothing_else(diff(&a, &b), |found| {
            assert_eq!(found.renamed_values.len(), results - 1, "{name}: all but the output");
            assert_eq!(found.weights.renamed.len() as u64, found.weights.equal, "{name}");
            found.renamed_values.clear();
            found.weights.renamed.clear();
        });
        let found = reference(&a, &b, true);
        assert!(found.same && found.divergence.is_none() && found.outputs[0].distance.bit_equal, "{name}");
    }
}

#[test]
fn renamed_inputs_and_outputs_are_told_with_the_interface() {
    let (a, b) = changed("digits_resnet__legacy_op17", |model, main| {
        let graph = model.graph_mut(main);
        let (input, output) = (graph.inputs()[0], graph.outputs()[0]);
        graph.set_value_name(input, "pixels");
        graph.set_value_name(output, "scores");
    });
    nothing_else(diff(&a, &b), |found| {
        let names: Vec<_> = found
            .interface
            .iter()
            .map(|change| (change.side, change.before.clone().unwrap().name, change.after.clone().unwrap().name))
            .collect();
        assert_eq!(names.len(), 2);
        assert_eq!((names[0].0, names[0].2.as_str()), ("input", "pixels"));
        assert_eq!((names[1].0, names[1].2.as_str()), ("output", "scores"));
        found.interface.clear();
    });
    let found = reference(&a, &b, false);
    assert!(found.same && found.outputs[0].distance.bit_equal);
    assert_eq!(found.renamed.len(), 2);
}

#[test]
fn another_opset_is_another_opset() {
    for (name, from, to) in [("digits_vit__legacy_op17", "17", "18"), ("digits_resnet__dynamo_op20", "20", "21")] {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("raised.onnx");
        let a = read(&path(name));
        let options = Options { opset: Some(to.parse().unwrap()), ..Options::default() };
        write_onnx(&a, &place, Existing::Keep, options).unwrap();
        let b = read(&place);
        nothing_else(diff(&a, &b), |found| {
            // The file says the lowest IR version that holds the opset, which may be another too.
            found.header.retain(|change| change.what != "IR version");
            let [change] = found.header.as_slice() else { panic!("{:?}", found.header) };
            let said = (change.what.as_str(), change.before.as_deref(), change.after.as_deref());
            assert_eq!(said, ("opset of ai.onnx", Some(from), Some(to)));
            found.header.clear();
        });
        assert!(reference(&a, &b, false).outputs[0].distance.bit_equal);
    }
}

#[test]
fn changes_between_other_changes_are_told_apart() {
    // Two attributes far apart, and the names of everything else.
    let (a, b) = changed("digits_mobilenet__legacy_op17", |model, main| {
        for at in [2, 20] {
            let op = of_kind(model, OpKind::BatchNormalization)[at];
            let data = model.graph(main).op(op).op().clone();
            let normalization = data.cast::<edgesmith_ir::op::BatchNormalization>().unwrap().clone();
            let epsilon = edgesmith_ir::F32(0.25);
            model.graph_mut(main).set_op(op, edgesmith_ir::op::BatchNormalization { epsilon, ..normalization }.into());
        }
        let graph = model.graph_mut(main);
        let names: Vec<(ValueId, Name)> = graph
            .values()
            .filter(|(id, _)| graph.producer(*id).is_some() && !graph.outputs().contains(id))
            .map(|(id, row)| (id, Name::from(format!("{}x", row.name()))))
            .collect();
        names.into_iter().for_each(|(id, name)| graph.set_value_name(id, name));
    });
    nothing_else(diff(&a, &b), |found| {
        assert_eq!(found.operators.changed.len(), 2);
        for change in &found.operators.changed {
            assert_eq!((change.operator.kind.as_str(), change.changes.len()), ("BatchNormalization", 1));
            assert_eq!(change.changes[0].what, "epsilon");
        }
        found.operators.changed.clear();
        found.renamed_values.clear();
    });
}

#[test]
fn the_commands_say_it_and_exit_by_it() {
    let folder = tempfile::tempdir().unwrap();
    let first = path("digits_resnet__legacy_op17").display().to_string();
    let other = folder.path().join("b.onnx");
    let mut model = read(Path::new(&first));
    let main = model.main().unwrap();
    let relu = of_kind(&model, OpKind::Relu)[1];
    model.graph_mut(main).set_op(relu, edgesmith_ir::op::Neg {}.into());
    write_onnx(&model, &other, Existing::Keep, Options::default()).unwrap();
    let other = other.display().to_string();
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_edgesmith")).args(arguments).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    };
    let (code, out, err) = run(&["diff", &first, &first]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.starts_with("the models are the same: "), "{out}");
    let (code, out, err) = run(&["diff", &first, &other]);
    assert_eq!((code, err.as_str()), (3, ""));
    assert!(out.contains("- Relu '") && out.contains("+ Neg '") && !out.contains("weights changed"), "{out}");
    let (code, out, _) = run(&["diff", &first, &other, "--json"]);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (code, json["same"].as_bool(), json["operators"]["added"][0]["kind"].as_str()),
        (3, Some(false), Some("Neg"))
    );
    let (code, out, err) = run(&["verify", &first, &other]);
    assert_eq!(code, 3);
    assert!(
        out.contains("the difference begins at") && out.contains("Neg") && err.contains("does not compute"),
        "{out}{err}"
    );
    let (code, out, _) = run(&["verify", &first, &other, "--json", "--engine", "reference"]);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, json["divergence"]["begins"]["operator_after"]["kind"].as_str()), (3, Some("Neg")));
}

#[test]
fn an_optimised_model_differs_in_what_was_folded() {
    let a = read(&path("digits_mobilenet__legacy_op17"));
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("opt.onnx").display().to_string();
    let source = path("digits_mobilenet__legacy_op17").display().to_string();
    let status = Command::new(env!("CARGO_BIN_EXE_edgesmith")).args(["optimize", &source, "-o", &place, "-q"]).status();
    assert!(status.unwrap().success());
    let b = read(Path::new(&place));
    let found = diff(&a, &b);
    assert_eq!((found.operators.matched, found.operators.removed.len()), (48, 27));
    let others: Vec<&str> = found.operators.removed.iter().map(|operator| operator.kind.as_str()).collect();
    assert_eq!(others.iter().filter(|kind| **kind != "BatchNormalization").count(), 2, "{others:?}");
    assert!(others.contains(&"GlobalAveragePool") && others.contains(&"Flatten"), "{others:?}");
    assert!(found.operators.changed.iter().all(|change| change.operator.kind == "Conv"));
    let added: Vec<&str> = found.operators.added.iter().map(|operator| operator.kind.as_str()).collect();
    assert_eq!(added, ["ReduceMean"]);
    assert!(found.renamed_values.is_empty() && found.interface.is_empty());
    // What a convolution computes now is what the normalization behind it did: compared with that, it agrees.
    let divergence = reference(&a, &b, true).divergence.unwrap();
    let begins = divergence.begins.unwrap();
    assert_eq!((begins.operator.kind.as_str(), begins.operator_after.kind.as_str()), ("BatchNormalization", "Conv"));
    assert!(begins.distance.largest_relative < 1e-5 && divergence.exceeds.is_none(), "{begins:?}");
}

/// Comparing is linear: a chain of many operators and one constant that all of them read.
#[test]
fn fifty_thousand_operators_are_compared() {
    let build = |shift: usize| {
        let mut model = Model::new();
        let made =
            model.add_origin(edgesmith_ir::Origin::Source { node: "n".into(), operator: "Add".into(), scope: None });
        let main = model.add_graph(edgesmith_ir::Graph::new("main"));
        model.entries.insert("main".into(), main);
        let one = model.add_constant(main, "one", Tensor::scalar(1.0_f32));
        let graph = model.graph_mut(main);
        let ty = edgesmith_ir::ValueType::tensor(edgesmith_ir::DType::F32, edgesmith_ir::Shape::scalar());
        let mut value = graph.add_input("x", ty, None);
        for number in 0..50_000 {
            let op = graph.add_op(edgesmith_ir::NewOp {
                op: edgesmith_ir::op::Add {}.into(),
                operands: [Some(value), Some(one)].into_iter().collect(),
                captures: 0,
                regions: Vec::new().into(),
                results: [Some(Name::from(format!("v{}", number + shift)))].into_iter().collect(),
                name: Name::default(),
                origin: made,
            });
            value = graph.op(op).result(0).unwrap();
        }
        graph.add_output(value);
        model.infer();
        model
    };
    let found = diff(&build(0), &build(1));
    assert_eq!((found.operators.matched, found.renamed_values.len()), (50_000, 49_999));
    assert!(found.operators.removed.is_empty() && found.operators.changed.is_empty());
}

/// Callers give such inputs by name or not at all, so their order is no part of the interface.
#[test]
fn inputs_with_defaults_have_no_place() {
    let model = |list: &str| {
        let text = format!(
            "<ir_version: 8, opset_import: [\"\" : 17]>\nmain ({list}) => (float[2] y)\n{{ m = Mul (x, a)\n y = Add (m, b) }}"
        );
        edgesmith_ir_text::parse_model(&text, &edgesmith_ir_text::NoWeights).unwrap()
    };
    let (a, b) = ("float[2] a = {1.0, 2.0}", "float[2] b = {3.0, 4.0}");
    let first = model(&format!("float[2] x, {a}, {b}"));
    let found = diff(&first, &model(&format!("float[2] x, {b}, {a}")));
    assert!(found.interface.is_empty(), "{:?}", found.interface);
    // An input that must be given has a place, and an input that loses its default is another one.
    let found = diff(&first, &model(&format!("float[2] a, float[2] x, {b}")));
    let changed: Vec<&str> =
        found.interface.iter().map(|change| change.before.as_ref().unwrap().name.as_str()).collect();
    assert_eq!(changed, ["x", "a"], "{:?}", found.interface);
}
