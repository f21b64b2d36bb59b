//! Scopes, names, constants, functions, versions and notes of the file.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod common;

use common::{
    A, file, float, floats, graph, ints, lower, main_graph, node, one, open, operators, read, subgraph, value, with,
    write,
};
use edgesmith_backend_onnx::{ExternalData, Options};
use edgesmith_ir::op::{Identity, Op, OpKind};
use edgesmith_ir::{DType, Graph, Model, NewOp, Shape, Tensor, TensorRole, ValueType};
use edgesmith_onnx_proto::{
    FunctionProto, GraphProto, Message, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorAnnotation,
};
use smallvec::smallvec;

/// `y = If(c) { then }, { else }` over the float `x` and the bool `c`.
fn choice(then: GraphProto, otherwise: GraphProto) -> GraphProto {
    let branches = vec![("then_branch", A::G(then)), ("else_branch", A::G(otherwise))];
    let mut all = graph(vec![float("x", &[2]), value("c", 9, &[])], vec![], vec![float("y", &[2])]);
    all.node = vec![with(node("If", &["c"], &["y"]), branches)];
    all
}
fn branch(nodes: Vec<NodeProto>, output: &str) -> GraphProto {
    graph(vec![], nodes, vec![open(output)])
}
fn names(tensors: &[edgesmith_onnx_proto::TensorProto]) -> Vec<&str> {
    tensors.iter().map(|tensor| tensor.name.as_str()).collect()
}

#[test]
fn a_constant_is_written_once_in_the_outermost_common_graph() {
    let then = branch(vec![node("Mul", &["x", "w"], &["t"])], "t");
    let mut otherwise = branch(vec![node("Add", &["x", "w"], &["a"]), node("Sub", &["a", "own"], &["e"])], "e");
    otherwise.initializer = vec![floats("own", &[2], &[3.0, 4.0])];
    let mut both = choice(then, otherwise);
    both.initializer = vec![floats("w", &[2], &[1.0, 2.0])];
    let written = write(&read(&file(17, both)));
    let main = main_graph(&written);
    assert_eq!(names(&main.initializer), ["w"]);
    let (then, otherwise) = (subgraph(&main.node[0], "then_branch"), subgraph(&main.node[0], "else_branch"));
    assert_eq!(names(&then.initializer), Vec::<&str>::new());
    assert_eq!(names(&otherwise.initializer), ["own"], "what one branch alone reads stays there");
    // Captures are names of the graph outside again.
    assert_eq!(main.node[0].input, ["c"]);
    assert_eq!(then.node[0].input, ["x", "w"]);
    assert_eq!(otherwise.input, []);
}

#[test]
fn constants_that_branches_share_are_written_in_the_order_of_reading() {
    let nodes = |p: &str, q: &str| vec![node("Mul", &["x", q], &["m"]), node("Add", &["m", p], &["s"])];
    let own = |p: &str, q: &str| vec![floats(p, &[2], &[1.0, 2.0]), floats(q, &[2], &[3.0, 4.0])];
    let (mut then, mut otherwise) = (branch(nodes("p", "q"), "s"), branch(nodes("u", "v"), "s"));
    (then.initializer, otherwise.initializer) = (own("p", "q"), own("u", "v"));
    let mut model = read(&file(17, choice(then, otherwise)));
    // As canonicalization does: equal constants of the branches are one tensor.
    let main = *model.entries.values().next().unwrap();
    let (_, data) = model.graph(main).ops().next().unwrap();
    let regions = data.regions().to_vec();
    let constants = |model: &Model, graph| -> Vec<_> {
        let values = model.graph(graph).values();
        values.filter_map(|(id, _)| Some((id, model.graph(graph).constant(id)?))).collect()
    };
    let first = constants(&model, regions[0]);
    for ((_, tensor), (value, _)) in first.iter().zip(constants(&model, regions[1])) {
        model.graph_mut(regions[1]).redefine_constant(value, *tensor);
    }
    let written = write(&model);
    assert_eq!(names(&main_graph(&written).initializer), ["v", "u"]);
    assert_eq!(write(&read(&written)), written, "what was read is written as it was");
}

#[test]
fn a_branch_returns_copies_of_what_it_takes_from_outside() {
    let then = branch(vec![node("Identity", &["x"], &["t"])], "t");
    let otherwise = branch(vec![node("Identity", &["w"], &["e"])], "e");
    let mut both = choice(then, otherwise);
    both.initializer = vec![floats("w", &[2], &[1.0, 2.0])];
    let mut model = read(&file(17, both));
    // As canonicalization does: the copies go, the branches return a capture and a shared constant.
    for id in model.live_graphs() {
        let graph = model.graph_mut(id);
        let copies: Vec<_> =
            graph.ops().filter(|(_, data)| data.op().cast::<Identity>().is_some()).map(|(op, _)| op).collect();
        for copy in copies {
            let (from, to) = (graph.op(copy).operand(0).unwrap(), graph.op(copy).result(0).unwrap());
            graph.replace_uses(to, from);
            graph.erase_op(copy);
        }
        let unread: Vec<_> = graph.values().filter(|(_, value)| value.uses().is_empty()).map(|(id, _)| id).collect();
        for constant in unread {
            graph.erase_constant(constant);
        }
    }
    let written = write(&model);
    let main = main_graph(&written);
    for (name, from) in [("then_branch", "x"), ("else_branch", "w")] {
        let branch = subgraph(&main.node[0], name);
        assert_eq!(operators(branch), if name == "then_branch" { vec!["Identity"] } else { vec![] });
        if let Some(copy) = branch.node.first() {
            assert_eq!(copy.input, [from]);
            assert_eq!(copy.output[0], branch.output[0].name);
            assert_ne!(copy.output[0], from, "a name from outside cannot be defined again");
        } else {
            assert_eq!(names(&branch.initializer), [branch.output[0].name.as_str()]);
        }
    }
}

#[test]
fn main_outputs_keep_their_names() {
    // The input itself, an initializer, one value twice.
    let mut direct = graph(
        vec![float("x", &[2])],
        vec![node("Relu", &["x"], &["y"])],
        vec![open("x"), open("w"), open("y"), open("y")],
    );
    direct.initializer = vec![floats("w", &[2], &[1.0, 2.0])];
    let model = read(&file(17, direct));
    let listed =
        |file: &ModelProto| main_graph(file).output.iter().map(|output| output.name.clone()).collect::<Vec<_>>();
    let written = write(&model);
    assert_eq!(listed(&written), ["x", "w", "y", "y"]);
    assert_eq!(operators(main_graph(&written)), ["Relu"]);

    // Two outputs that became one constant: one of them is a copy.
    let mut model = read(&file(
        17,
        graph(
            vec![float("x", &[2])],
            vec![node("Relu", &["x"], &["a"]), node("Abs", &["x"], &["b"])],
            vec![open("a"), open("b")],
        ),
    ));
    let main = model.main().unwrap();
    let tensor = model.add_tensor(Tensor::from_slice([2].as_slice(), &[1.0_f32, 2.0]).unwrap());
    let ops: Vec<_> = model.graph(main).ops().map(|(op, _)| op).collect();
    for op in ops {
        let graph = model.graph_mut(main);
        let result = graph.op(op).result(0).unwrap();
        graph.redefine_constant(result, tensor);
        graph.set_type(result, ValueType::tensor(DType::F32, Shape::of([2_u64])));
        graph.erase_op(op);
    }
    let written = write(&model);
    assert_eq!(listed(&written), ["a", "b"]);
    assert_eq!(names(&main_graph(&written).initializer), ["a"]);
    assert_eq!(
        (main_graph(&written).node[0].input[0].as_str(), operators(main_graph(&written))),
        ("a", vec!["Identity"])
    );
}

#[test]
fn nodes_of_one_graph_have_different_names() {
    let mut source = graph(
        vec![float("x", &[2])],
        vec![node("Relu", &["x"], &["a"]), node("Relu", &["a"], &["b"]), node("Relu", &["b"], &["y"])],
        vec![open("y")],
    );
    source.node[0].name = "r".into();
    source.node[1].name = "r_1".into();
    source.node[2].name = "r".into();
    let written = write(&read(&file(17, source)));
    let names: Vec<_> = main_graph(&written).node.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["r", "r_1", "r_2"]);
}

fn with_function() -> ModelProto {
    let scale = edgesmith_onnx_proto::AttributeProto {
        name: "value_float".into(),
        r#type: Some(1),
        ref_attr_name: "alpha".into(),
        ..Default::default()
    };
    let mut constant = node("Constant", &[], &["k"]);
    constant.attribute = vec![scale];
    let body = FunctionProto {
        name: "scaled".into(),
        domain: "my".into(),
        input: vec!["a".into()],
        output: vec!["b".into()],
        attribute: vec!["alpha".into()],
        node: vec![constant, node("Mul", &["a", "k"], &["m"]), node("Relu", &["m"], &["b"])],
        opset_import: vec![OperatorSetIdProto { version: 17, ..Default::default() }],
        ..Default::default()
    };
    let call = |from: &str, to: &str, alpha: f32| NodeProto {
        domain: "my".into(),
        ..with(node("scaled", &[from], &[to]), vec![("alpha", A::F(alpha))])
    };
    let mut source =
        file(17, graph(vec![float("x", &[2])], vec![call("x", "h", 2.0), call("h", "y", 3.0)], vec![float("y", &[2])]));
    source.opset_import.push(OperatorSetIdProto { domain: "my".into(), version: 1 });
    source.functions = vec![body];
    source
}

#[test]
fn functions_are_kept_while_nothing_changes_them() {
    let source = with_function();
    let written = write(&read(&source));
    assert_eq!(written.functions, source.functions);
    assert_eq!(main_graph(&written).node, main_graph(&source).node);
}

#[test]
fn a_changed_body_is_written_in_place_of_its_call() {
    let mut model = read(&with_function());
    let main = model.main().unwrap();
    let first = model.graph(main).ops().next().unwrap().1.regions()[0];
    let relu = model.graph(first).ops().find(|(_, data)| data.op().kind() == OpKind::Relu).unwrap().0;
    model.graph_mut(first).set_op_name(relu, "changed");
    let written = write(&model);
    let graph = main_graph(&written);
    assert_eq!(operators(graph), ["Mul", "Relu", "scaled"]);
    assert_eq!(graph.node[1].output, ["h"], "what the call made keeps the name that its readers know");
    assert_eq!(graph.node[2].input, ["h"]);
    assert_eq!(graph.initializer.len(), 1);
    assert_eq!(written.functions.len(), 1, "the other call still needs it");
}

#[test]
fn ir_3_is_kept_while_every_constant_was_an_input() {
    let mut source = one(9, &[2, 4], node("Add", &["x", "w"], &["y"]), vec![floats("w", &[4], &[1.0; 4])]);
    source.ir_version = Some(3);
    source.graph.as_mut().unwrap().input.push(float("w", &[4]));
    source
        .graph
        .as_mut()
        .unwrap()
        .node
        .push(with(node("Constant", &[], &["k"]), vec![("value", A::T(floats("", &[4], &[2.0; 4])))]));
    source.graph.as_mut().unwrap().node.push(node("Mul", &["y", "k"], &["z"]));
    source.graph.as_mut().unwrap().output = vec![open("z")];
    let mut model = read(&source);
    let written = write(&model);
    let listed = |file: &ModelProto| main_graph(file).input.iter().map(|input| input.name.clone()).collect::<Vec<_>>();
    assert_eq!((written.ir_version, listed(&written)), (Some(3), vec!["x".to_owned(), "w".to_owned()]));
    assert_eq!(operators(main_graph(&written)), ["Constant", "Add", "Mul"]);
    assert_eq!(names(&main_graph(&written).initializer), ["w"]);

    // A constant that was no input: the file becomes IR 4, and those inputs go.
    let main = model.main().unwrap();
    let add = model.graph(main).ops().next().unwrap().0;
    let new = model.add_constant(main, "folded", Tensor::from_slice([4].as_slice(), &[5.0_f32; 4]).unwrap());
    let old = model.graph(main).op(add).operand(1).unwrap();
    model.graph_mut(main).set_operand(add, 1, Some(new));
    model.graph_mut(main).erase_constant(old);
    let written = write(&model);
    assert_eq!((written.ir_version, listed(&written)), (Some(4), vec!["x".to_owned()]));
    assert_eq!(names(&main_graph(&written).initializer), ["k", "folded"]);
}

#[test]
fn a_default_stays_a_default() {
    let mut source = one(17, &[2], node("Add", &["x", "w"], &["y"]), vec![floats("w", &[2], &[1.0, 2.0])]);
    source.graph.as_mut().unwrap().input.push(float("w", &[2]));
    let written = write(&read(&source));
    assert_eq!(written.ir_version, Some(4));
    assert_eq!(main_graph(&written).input.len(), 2);
    assert_eq!(main_graph(&written).initializer, main_graph(&source).initializer);
}

#[test]
fn what_the_file_says_of_itself_survives() {
    let entry = |key: &str, value: &str| StringStringEntryProto { key: key.into(), value: value.into() };
    let mut source = one(17, &[2], node("Add", &["x", "w"], &["y"]), vec![floats("w", &[2], &[1.0, 2.0])]);
    source.ir_version = Some(10);
    source.producer_name = "trainer".into();
    source.producer_version = "3".into();
    source.domain = "org.example".into();
    source.model_version = 7;
    source.doc_string = "a model".into();
    source.metadata_props = vec![entry("author", "me")];
    source.opset_import.push(OperatorSetIdProto { domain: "org.unused".into(), version: 2 });
    let graph = source.graph.as_mut().unwrap();
    graph.doc_string = "a graph".into();
    graph.metadata_props = vec![entry("k", "v")];
    graph.node[0].doc_string = "a node".into();
    graph.node[0].metadata_props = vec![entry("namespace", "layer")];
    graph.initializer[0].doc_string = "weights".into();
    graph.input[0].doc_string = "an image".into();
    graph.input[0].r#type.as_mut().unwrap().denotation = "IMAGE".into();
    graph.node.push(node("Relu", &["y"], &["z"]));
    graph.output = vec![float("z", &[2])];
    graph.value_info = vec![float("y", &[2])];
    graph.quantization_annotation = vec![TensorAnnotation {
        tensor_name: "y".into(),
        quant_parameter_tensor_names: vec![entry("SCALE_TENSOR", "scale")],
    }];
    graph.initializer.push(floats("scale", &[], &[0.5]));
    assert_eq!(write(&read(&source)), source);
}

#[test]
fn weights_go_outside_when_asked() {
    let large: Vec<f32> = (0..20_000_u16).map(f32::from).collect();
    let tensors = vec![floats("w", &[20_000], &large), ints("small", &[1, 20_000]), floats("v", &[20_000], &large)];
    let mut source = one(17, &[20_000], node("Add", &["x", "w"], &["a"]), tensors);
    let graph = source.graph.as_mut().unwrap();
    graph.node.extend([node("Reshape", &["a", "small"], &["b"]), node("Mul", &["b", "v"], &["y"])]);
    graph.output = vec![open("y")];
    let model = read(&source);
    let options = Options { external_data: ExternalData::Always, ..Options::default() };
    let artefact = lower(&model, options).unwrap();
    let files = artefact.to_memory("net.onnx").unwrap();
    let [(data_name, data), (_, main)] = files.as_slice() else { panic!("two files") };
    let expected = format!("net.{}.data", &blake3::hash(data).to_hex()[..16]);
    assert_eq!(*data_name, expected);
    assert_eq!(data.len(), 81_920 + 80_000);
    let written = ModelProto::decode(&main[..]).unwrap();
    for (tensor, offset) in [(0, 0), (2, 81_920)] {
        let tensor = &main_graph(&written).initializer[tensor];
        let entries: Vec<_> =
            tensor.external_data.iter().map(|entry| (entry.key.as_str(), entry.value.clone())).collect();
        let expected = [("location", data_name.clone()), ("offset", offset.to_string()), ("length", "80000".into())];
        assert_eq!((entries, tensor.raw_data.clone()), (expected.to_vec(), None));
        assert_eq!(&data[offset..offset + 80_000], main_graph(&source).initializer[0].raw_data.as_deref().unwrap());
    }
    assert!(main_graph(&written).initializer[1].raw_data.is_some(), "shapes stay where every tool sees them");
    assert_eq!(artefact.to_memory("net.onnx").unwrap(), files, "the same model gives the same bytes");
}

/// A model whose one weight has more than 2 GiB, of which nothing is in memory.
fn huge() -> Model {
    let mut model =
        read(&file(17, graph(vec![float("x", &[1])], vec![node("Add", &["x", "x"], &["y"])], vec![open("y")])));
    let main = model.main().unwrap();
    let ones = Tensor::splat(DType::F32, [700_000_000].as_slice(), vec![0, 0, 0x80, 0x3f].into()).unwrap();
    let weight = model.add_constant(main, "w", ones);
    let add = model.graph(main).ops().next().unwrap().0;
    model.graph_mut(main).set_operand(add, 1, Some(weight));
    model
}

#[test]
fn two_gib_do_not_fit_one_file() {
    let artefact = lower(&huge(), Options::default()).unwrap();
    assert_eq!(artefact.parts[0].bytes, 2_800_000_000);
    assert!(artefact.parts[1].bytes < 1000);
    assert!(artefact.remarks[0].to_string().contains("2 GiB"));
    let never = Options { external_data: ExternalData::Never, ..Options::default() };
    let error = lower(&huge(), never).unwrap_err().to_string();
    assert!(error.contains("ONNX allows 2 GiB; allow external data"), "{error}");
}

#[test]
fn provenance_is_written_on_request() {
    let model = read(&one(17, &[2], NodeProto { name: "first".into(), ..node("Relu", &["x"], &["y"]) }, vec![]));
    assert_eq!(write(&model).metadata_props, []);
    let artefact = lower(&model, Options { origins: true, ..Options::default() }).unwrap();
    let written = common::decoded(&artefact);
    assert_eq!(written.metadata_props[0].key, "edgesmith.origins");
    assert_eq!(written.metadata_props[0].value, r#"{"first":{"from":["first"],"by":[]}}"#);
}

/// `depth` conditions inside each other; the innermost negates.
fn nested(depth: usize) -> Model {
    let mut model = Model::new();
    model.opsets.insert("".into(), 17);
    let ty = ValueType::tensor(DType::F32, Shape::of([2_u64]));
    let condition = ValueType::tensor(DType::Bool, Shape::scalar());
    let level = |model: &mut Model, level: usize, regions: Option<[edgesmith_ir::GraphId; 2]>, leaf: Option<Op>| {
        let mut graph = Graph::new(format!("g{level}"));
        let origin =
            model.add_origin(edgesmith_ir::Origin::Source { node: "n".into(), operator: "If".into(), scope: None });
        let c = graph.add_input("c", condition.clone(), None);
        let x = graph.add_input("x", ty.clone(), None);
        let (op, operands, captures) = match leaf {
            Some(op) => (op, smallvec![Some(x)], 0),
            None => (Op::If(edgesmith_ir::op::If {}), smallvec![Some(c), Some(c), Some(x)], 2),
        };
        let regions = regions.map(|regions| regions.into_iter().collect()).unwrap_or_default();
        let new =
            NewOp { op, operands, captures, regions, results: smallvec![Some("y".into())], name: "".into(), origin };
        let op = graph.add_op(new);
        let y = graph.op(op).result(0).unwrap();
        graph.set_type(y, ty.clone());
        graph.add_output(y);
        model.add_graph(graph)
    };
    let mut inner = level(&mut model, depth, None, Some(Op::Neg(edgesmith_ir::op::Neg {})));
    for at in (0..depth).rev() {
        let other = level(&mut model, depth + 1, None, Some(Op::Abs(edgesmith_ir::op::Abs {})));
        inner = level(&mut model, at, Some([other, inner]), None);
    }
    model.entries.insert("main".into(), inner);
    model
}

#[test]
fn a_hundred_levels_are_written() {
    let model = nested(99);
    let written = write(&model);
    let mut graph = main_graph(&written);
    let mut levels = 0;
    let mut seen = std::collections::BTreeSet::new();
    while let Some(inner) = graph.node.last().filter(|node| node.op_type == "If") {
        assert!(seen.insert(inner.output[0].clone()), "a name from outside is defined again");
        graph = subgraph(inner, "then_branch");
        levels += 1;
    }
    assert_eq!((levels, operators(graph), graph.node[0].input.as_slice()), (99, vec!["Neg"], &["x".to_owned()][..]));
}

#[test]
fn literals_are_initializers_from_ir_4_on() {
    let mut source = one(17, &[2], node("Add", &["x", "k"], &["y"]), vec![]);
    let constant = with(node("Constant", &[], &["k"]), vec![("value", A::T(floats("", &[2], &[1.0, 2.0])))]);
    source.graph.as_mut().unwrap().node.insert(0, constant);
    let model = read(&source);
    let role = model.tensors().next().unwrap().1.role;
    assert_eq!(role, TensorRole::Literal);
    let written = write(&model);
    assert_eq!((operators(main_graph(&written)), names(&main_graph(&written).initializer)), (vec!["Add"], vec!["k"]));
}

#[test]
fn an_operator_that_nobody_reads_still_has_its_outputs() {
    let top = node("TopK", &["x", "k"], &["", "i"]);
    let source = one(17, &[4], top, vec![ints("k", &[2])]);
    let written = write(&read(&source));
    let outputs = &main_graph(&written).node[0].output;
    assert!(!outputs[0].is_empty() && outputs[1] == "i", "{outputs:?}");
}

#[test]
fn one_file_holds_one_graph() {
    let mut model = nested(0);
    let second = model.add_graph(Graph::new("second"));
    model.entries.insert("decoder".into(), second);
    let error = lower(&model, Options::default()).unwrap_err().to_string();
    assert_eq!(
        error,
        "the model has 2 graphs (main, decoder), and an ONNX file holds one; write each to a file of its own"
    );
}

/// Readers refuse a node of a domain that is not imported, and rules may add such nodes.
#[test]
fn a_domain_that_is_used_is_imported() {
    let foreign = |name: &str, domain: &str, from: &str, to: &str| NodeProto {
        domain: domain.into(),
        ..node(name, &[from], &[to])
    };
    let import = |domain: &str, version: i64| OperatorSetIdProto { domain: domain.into(), version };
    let pairs = |opsets: &[OperatorSetIdProto]| -> Vec<(String, i64)> {
        opsets.iter().map(|opset| (opset.domain.clone(), opset.version)).collect()
    };
    let pair = |domain: &str, version: i64| (domain.to_owned(), version);
    let mut source = with_function();
    source.opset_import.extend([import("known", 4), import("my.graph", 1)]);
    let inside = [foreign("Own", "my.body", "b", "c"), foreign("Shared", "known", "c", "d")];
    let body = &mut source.functions[0];
    body.node.extend(inside);
    body.output = vec!["d".into()];
    body.opset_import.extend([import("known", 4), import("my.body", 1)]);
    let graph = source.graph.as_mut().unwrap();
    graph.node.push(foreign("Other", "my.graph", "y", "z"));
    graph.output = vec![float("z", &[2])];
    let mut model = read(&source);
    // As if they had come in later, without a word about their domains.
    assert!(model.opsets.shift_remove("my.graph").is_some());
    for function in model.functions.values_mut() {
        function.opsets.retain(|domain, _| domain.is_empty());
    }
    let written = write(&model);
    assert_eq!(pairs(&written.opset_import), [pair("", 17), pair("my", 1), pair("known", 4), pair("my.graph", 1)]);
    assert_eq!(pairs(&written.functions[0].opset_import), [pair("", 17), pair("known", 4), pair("my.body", 1)]);
    // The file is whole again.
    assert_eq!(write(&read(&written)), written);
}
