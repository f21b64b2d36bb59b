//! What surrounds the operators: scoping, captures, functions, defaults, order, names, and everything that is only carried.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use common::*;
use edgesmith_frontend::{Severity, Subject};
use edgesmith_ir::op::{FunctionKey, Op, OpKind};
use edgesmith_ir::{Attribute, DType, Def, Dim, Graph, TensorRole, ValueType};
use edgesmith_onnx_proto::{
    DeviceConfigurationProto, FunctionProto, GraphProto, Message, ModelProto, NodeDeviceConfigurationProto, NodeProto,
    StringStringEntryProto, TensorAnnotation, TrainingInfoProto, TypeProto, TypeValue,
};

fn entry(key: &str, value: &str) -> StringStringEntryProto {
    StringStringEntryProto { key: key.into(), value: value.into() }
}
fn names(graph: &Graph, values: &[edgesmith_ir::ValueId]) -> Vec<String> {
    values.iter().map(|value| graph.value(*value).name().to_string()).collect()
}
fn inputs(graph: &Graph) -> Vec<String> {
    names(graph, graph.inputs())
}

/// `If` with these branches, to `y`.
fn choice(then_branch: GraphProto, else_branch: GraphProto) -> NodeProto {
    node("If", &["c"], &["y"]).with("then_branch", then_branch).with("else_branch", else_branch)
}
fn with_choice(before: Vec<NodeProto>, then_branch: GraphProto, else_branch: GraphProto) -> ModelProto {
    let mut nodes = before;
    nodes.push(choice(then_branch, else_branch));
    let mut graph = graph(vec![float("x", &[2]), value("c", BOOL, &[])], nodes, vec![open("y")]);
    graph.initializer.push(floats("w", &[2], &[1.0, 2.0]));
    model(17, graph)
}

#[test]
fn regions_capture_values_and_see_constants() {
    let file = with_choice(
        vec![node("Neg", &["x"], &["n"])],
        branch(vec![node("Add", &["n", "w"], &["t"])], "t"),
        branch(vec![node("Mul", &["x", "w"], &["e"])], "e"),
    );
    let import = read(&file);
    let graph = import.model.main_graph().unwrap();
    let (_, data) = graph.ops().last().unwrap();
    assert_eq!(data.op().kind(), OpKind::If);
    assert_eq!(data.formals().len(), 1);
    let captured: Vec<_> = data.captures().iter().flatten().copied().collect();
    assert_eq!(names(graph, &captured), ["n", "x"]);
    // Region 0 is the else branch. Both have all captures, in one order.
    let [other, then] = data.regions() else { panic!("two regions") };
    let (then, other) = (import.model.graph(*then), import.model.graph(*other));
    assert_eq!((inputs(then), inputs(other)), (vec!["n".into(), "x".into()], vec!["n".to_string(), "x".into()]));
    assert_eq!((kinds(then), kinds(other)), (vec![OpKind::Add], vec![OpKind::Mul]));
    let constant = |graph: &Graph| graph.constant(named(graph, "w")).unwrap();
    assert_eq!(constant(then), constant(other));
    assert_eq!(constant(then), constant(graph), "one tensor, three values");
    assert_eq!(graph.value(named(graph, "y")).ty().to_string(), "float[2]");
}

#[test]
fn captures_go_through_every_level() {
    let inner =
        choice(branch(vec![node("Neg", &["x"], &["t2"])], "t2"), branch(vec![node("Abs", &["w"], &["e2"])], "e2"));
    let mut inner = inner;
    inner.output = vec!["i".into()];
    let file = with_choice(vec![], branch(vec![inner], "i"), branch(vec![node("Abs", &["w"], &["e"])], "e"));
    let import = read(&file);
    let main = import.model.main_graph().unwrap();
    let (_, outer) = main.ops().last().unwrap();
    assert_eq!(names(main, &outer.captures().iter().flatten().copied().collect::<Vec<_>>()), ["c", "x"]);
    let then = import.model.graph(outer.regions()[1]);
    let (_, inner) = then.ops().next().unwrap();
    assert_eq!(inner.captures().len(), 1);
    assert_eq!(inputs(import.model.graph(inner.regions()[1])), ["x"]);
}

#[test]
fn the_inner_name_wins() {
    // Both branches call a value `n`, which outside is another one; one branch reads the outer one as `x`.
    let file = with_choice(
        vec![node("Neg", &["x"], &["n"])],
        branch(vec![node("Abs", &["x"], &["n"])], "n"),
        branch(vec![node("Relu", &["n"], &["e"])], "e"),
    );
    let import = read(&file);
    let (_, data) = import.model.main_graph().unwrap().ops().last().unwrap();
    let (then, other) = (import.model.graph(data.regions()[1]), import.model.graph(data.regions()[0]));
    // The else branch needs the outer `n`, so the then branch has it as an input too, and its own got another name.
    assert_eq!(inputs(other), ["x", "n"]);
    assert_eq!(inputs(then), ["x", "n"]);
    assert_eq!(names(then, then.outputs()), ["n_1"]);
    let (_, abs) = then.ops().next().unwrap();
    assert_eq!(abs.operand(0), Some(then.inputs()[0]));
    let (_, relu) = other.ops().next().unwrap();
    assert_eq!(relu.operand(0), Some(other.inputs()[1]));
}

/// A branch with a constant `w` of its own and, one level further down, a reader of it.
fn branch_with_own(elements: &[f32], deep: bool) -> GraphProto {
    let mut body = if deep {
        let mut inner = choice(
            branch(vec![node("Add", &["x", "w"], &["t2"])], "t2"),
            branch(vec![node("Abs", &["x"], &["e2"])], "e2"),
        );
        inner.output = vec!["t".into()];
        branch(vec![inner], "t")
    } else {
        branch(vec![node("Add", &["x", "w"], &["t"])], "t")
    };
    body.initializer.push(floats("w", &[elements.len() as i64], elements));
    body
}

#[test]
fn an_inner_initializer_must_not_mean_something_else_outside() {
    let other = || branch(vec![node("Abs", &["x"], &["e"])], "e");
    for deep in [false, true] {
        // Outside is an initializer `w` = [1, 2]: ONNX Runtime adds the inner one, the reference evaluator the outer one.
        let said = refuse(&with_choice(vec![], branch_with_own(&[3.0, 4.0], deep), other()));
        assert!(said.starts_with("value 'w':") && said.contains("engines disagree"), "{said}");
        // The same where the outer one is what an operator makes, or an input.
        let mut file = with_choice(vec![node("Neg", &["x"], &["w"])], branch_with_own(&[3.0, 4.0], deep), other());
        let main = file.graph.as_mut().unwrap();
        main.initializer.clear();
        assert!(refuse(&file).contains("engines disagree"));
        let main = file.graph.as_mut().unwrap();
        main.node.remove(0);
        main.input.push(float("w", &[2]));
        assert!(refuse(&file).contains("engines disagree"));
        // Nothing of that name outside, or the same constant: nobody can misread it.
        file.graph.as_mut().unwrap().input.pop();
        read(&file);
        read(&with_choice(vec![], branch_with_own(&[1.0, 2.0], deep), other()));
    }
    // Nor where nobody reads the inner one.
    let mut unread = branch(vec![node("Neg", &["x"], &["t"])], "t");
    unread.initializer.push(floats("w", &[1], &[9.0]));
    read(&with_choice(vec![], unread, other()));
}

#[test]
fn names_are_unique_over_the_model() {
    let file = with_choice(
        vec![],
        branch(vec![node("Abs", &["x"], &["v"])], "v"),
        branch(vec![node("Neg", &["x"], &["v"])], "v"),
    );
    let import = read(&file);
    let (_, data) = import.model.main_graph().unwrap().ops().last().unwrap();
    let made: Vec<String> = data
        .regions()
        .iter()
        .flat_map(|region| names(import.model.graph(*region), import.model.graph(*region).outputs()))
        .collect();
    assert_eq!(made.len(), 2);
    assert_ne!(made[0], made[1]);
}

#[test]
fn branches_may_return_what_they_see() {
    // Engines ask for an Identity; here a branch may give back an outer value or constant directly.
    let import = read(&with_choice(vec![], branch(vec![], "x"), branch(vec![], "w")));
    let (_, data) = import.model.main_graph().unwrap().ops().last().unwrap();
    let (then, other) = (import.model.graph(data.regions()[1]), import.model.graph(data.regions()[0]));
    assert_eq!(then.outputs()[0], then.inputs()[0]);
    assert!(other.constant(other.outputs()[0]).is_some());
}

#[test]
fn loops_have_formals_before_captures() {
    let mut body = graph(
        vec![value("i", INT64, &[]), value("go", BOOL, &[]), float("s", &[2])],
        vec![node("Identity", &["go"], &["again"]), node("Add", &["s", "x"], &["next"])],
        vec![open("again"), open("next")],
    );
    body.name = "body".into();
    let nodes = vec![node("Loop", &["trips", "", "x"], &["y"]).with("body", body)];
    let mut graph = graph(vec![float("x", &[2])], nodes, vec![open("y")]);
    graph.initializer.push(ints("trips", &[], &[3]));
    let import = read(&model(17, graph));
    let (_, data) = only(&import);
    assert_eq!((data.formals().len(), data.captures().len()), (3, 1));
    assert_eq!(data.operand(1), None);
    let body = import.model.graph(data.regions()[0]);
    assert_eq!(inputs(body), ["i", "go", "s", "x"]);
    assert_eq!(body.name.as_str(), "body");
}

#[test]
fn nodes_in_any_order() {
    let nodes = vec![
        node("Add", &["b", "a"], &["y"]),
        choice(branch(vec![node("Abs", &["a"], &["t"])], "t"), branch(vec![node("Neg", &["x"], &["e"])], "e")),
        node("Relu", &["x"], &["a"]),
    ];
    let mut nodes = nodes;
    nodes[1].output = vec!["b".into()];
    let file = model(17, graph(vec![float("x", &[2]), value("c", BOOL, &[])], nodes, vec![open("y")]));
    let import = read(&file);
    assert_eq!(codes(&import), ["edgesmith::onnx::unsorted-nodes"]);
    assert_eq!(kinds(import.model.main_graph().unwrap()), [OpKind::Relu, OpKind::If, OpKind::Add]);
}

#[test]
fn defaults_of_inputs() {
    let file = |ir_version| {
        let mut graph =
            graph(vec![float("x", &[2]), float("w", &[2])], vec![node("Add", &["x", "w"], &["y"])], vec![open("y")]);
        graph.initializer.push(floats("w", &[2], &[1.0, 2.0]));
        ModelProto { ir_version: Some(ir_version), ..model(8, graph) }
    };
    let import = read(&file(4));
    let graph = import.model.main_graph().unwrap();
    assert_eq!(inputs(graph), ["x", "w"]);
    assert!(matches!(graph.value(named(graph, "w")).def(), Def::Input { default: Some(_) }));
    // In IR version 3 nobody could override it.
    let import = read(&file(3));
    let graph = import.model.main_graph().unwrap();
    assert_eq!(inputs(graph), ["x"]);
    let w = graph.value(named(graph, "w"));
    assert!(matches!(w.def(), Def::Constant(_)));
    assert_eq!(w.extra().unwrap().declared.as_ref().unwrap().to_string(), "float[2]");
}

#[test]
fn constants_that_were_no_inputs_declare_nothing() {
    let mut graph = graph(vec![float("x", &[2])], vec![node("Add", &["x", "w"], &["y"])], vec![open("y")]);
    graph.initializer.push(floats("w", &[2], &[1.0, 2.0]));
    graph.value_info.push(float("w", &[2]));
    graph.value_info[0].doc_string = "weights".into();
    for ir_version in [3, 8] {
        let import = read(&ModelProto { ir_version: Some(ir_version), ..model(8, graph.clone()) });
        let main = import.model.main_graph().unwrap();
        let extra = main.value(named(main, "w")).extra().unwrap();
        assert_eq!((extra.declared.as_ref(), extra.doc.as_str()), (None, "weights"));
    }
}

#[test]
fn shapes_of_inputs_and_values() {
    let inputs =
        vec![value("x", FLOAT, &["batch".into(), "".into(), D::N(-1), "s0//2 + 1".into(), "a b.c".into(), D::N(4)])];
    let mut graph =
        graph(inputs, vec![node("Mystery", &["x"], &["m"]).domain("d"), node("Relu", &["m"], &["y"])], vec![open("y")]);
    graph.value_info = vec![value("m", FLOAT, &["batch".into(), "unk__7".into(), D::N(3)])];
    graph.output = vec![value("y", FLOAT, &["batch".into(), "out_dim".into(), D::N(3)])];
    let mut file = model(17, graph);
    file.opset_import.push(opset("d", 1));
    let import = read(&file);
    let main = import.model.main_graph().unwrap();
    let x = main.value(named(main, "x"));
    let dims = x.ty().dims().unwrap();
    assert_eq!(dims[0], Dim::symbol("batch"));
    assert_eq!((&dims[1], &dims[2]), (&Dim::symbol("?x.1"), &Dim::symbol("?x.2")));
    assert_eq!(dims[3], Dim::symbol("s0").floor_div(&Dim::Known(2)).add(&Dim::Known(1)));
    assert_eq!((&dims[4], &dims[5]), (&Dim::symbol("a b.c"), &Dim::Known(4)));
    let declared = x.extra().unwrap().declared.as_ref().unwrap().dims().unwrap();
    assert!(declared[1].is_unknown() && declared[2].is_unknown());
    // Nobody can infer `m`: what the file says counts, but for the symbol that no input has.
    let m = main.value(named(main, "m"));
    assert_eq!(m.ty().dims().unwrap(), [Dim::symbol("batch"), Dim::Unknown, Dim::Known(3)]);
    assert_eq!(m.extra().unwrap().declared.as_ref().unwrap().dims().unwrap()[1], Dim::symbol("unk__7"));
}

#[test]
fn wrong_declared_shapes_are_warned_of_and_wrong_types_refused() {
    let mut file = one(17, node("Shape", &["x"], &["y"]), &[2, 3]);
    file.graph.as_mut().unwrap().output = vec![value("y", INT64, &dims(&[7]))];
    let import = read(&file);
    let [diagnostic] = import.diagnostics.iter().as_slice() else { panic!("{:?}", import.diagnostics) };
    assert_eq!((diagnostic.severity, diagnostic.code), (Severity::Warning, "edgesmith::onnx::wrong-declared-type"));
    assert_eq!(diagnostic.subject, Subject::Value("y".into()));
    let main = import.model.main_graph().unwrap();
    assert_eq!(main.value(named(main, "y")).ty().to_string(), "int64[2]");
    file.graph.as_mut().unwrap().output = vec![value("y", FLOAT, &dims(&[2]))];
    assert!(refuse(&file).contains("value 'y': it is declared as float[2], but its operator makes int64[2]"));
}

#[test]
fn impossible_shapes_are_refused() {
    let inputs = || vec![float("x", &[2]), float("z", &[3])];
    let nodes = vec![node("Add", &["x", "z"], &["y"])];
    let file = model(17, graph(inputs(), nodes, vec![open("y")]));
    let error = refuse(&file);
    assert!(error.starts_with("Add 'n_y': ") && error.contains("do not broadcast"), "{error}");
    let options = edgesmith_frontend_onnx::ImportOptions { lenient: true, ..Default::default() };
    let import =
        edgesmith_frontend_onnx::import(file.encode_to_vec().into(), &edgesmith_frontend::NoExternalData, &options)
            .unwrap();
    assert_eq!(codes(&import), ["edgesmith::onnx::impossible-types"]);
    // In a branch that may never run it is a warning.
    let bad = branch(vec![node("Add", &["x", "z"], &["t"])], "t");
    let mut graph = graph(inputs(), vec![choice(bad, branch(vec![node("Abs", &["x"], &["e"])], "e"))], vec![open("y")]);
    graph.input.push(value("c", BOOL, &[]));
    assert_eq!(codes(&read(&model(17, graph))), ["edgesmith::onnx::impossible-branch"]);
}

#[test]
fn everything_that_is_only_carried() {
    let mut relu = node("Relu", &["x"], &["y"]);
    relu.doc_string = "a node".into();
    relu.metadata_props = vec![entry("namespace", ": Net/layer1: Block/relu: aten.relu")];
    relu.device_configurations = vec![NodeDeviceConfigurationProto {
        configuration_id: "cfg".into(),
        ..NodeDeviceConfigurationProto::default()
    }];
    let mut input = float("x", &[2]);
    input.doc_string = "an input".into();
    input.metadata_props = vec![entry("k", "v")];
    if let Some(TypeProto { value: Some(TypeValue::Tensor(tensor)), denotation }) = &mut input.r#type {
        *denotation = "TENSOR".into();
        tensor.shape.as_mut().unwrap().dim[0].denotation = "DATA_BATCH".into();
    }
    let mut weights = floats("w", &[1], &[1.0]);
    weights.doc_string = "a tensor".into();
    weights.metadata_props = vec![entry("t", "u")];
    let mut graph = graph(vec![input], vec![relu], vec![open("y")]);
    graph.doc_string = "a graph".into();
    graph.metadata_props = vec![entry("g", "h")];
    graph.initializer = vec![weights, floats("scale", &[1], &[0.5]), floats("zero", &[1], &[0.0])];
    graph.quantization_annotation = vec![
        TensorAnnotation {
            tensor_name: "y".into(),
            quant_parameter_tensor_names: vec![entry("SCALE_TENSOR", "scale"), entry("ZERO_POINT_TENSOR", "nothing")],
        },
        TensorAnnotation { tensor_name: "nowhere".into(), ..TensorAnnotation::default() },
    ];
    let training = TrainingInfoProto { update_binding: vec![entry("w", "w_new")], ..TrainingInfoProto::default() };
    let file = ModelProto {
        producer_name: "me".into(),
        producer_version: "2".into(),
        domain: "org".into(),
        model_version: 5,
        doc_string: "a model".into(),
        metadata_props: vec![entry("author", "somebody")],
        configuration: vec![DeviceConfigurationProto { name: "cfg".into(), ..DeviceConfigurationProto::default() }],
        training_info: vec![training.clone()],
        ..model(17, graph)
    };
    let import = read(&file);
    let model = &import.model;
    let metadata = &model.metadata;
    assert_eq!((metadata.producer_name.as_str(), metadata.producer_version.as_str()), ("me", "2"));
    assert_eq!((metadata.domain.as_str(), metadata.model_version, metadata.doc.as_str()), ("org", 5, "a model"));
    assert_eq!(metadata.properties, [("author".into(), "somebody".into())]);
    let opaque = ModelProto::decode(metadata.opaque.clone()).unwrap();
    assert_eq!((opaque.training_info, opaque.configuration), (vec![training], file.configuration));
    let main = model.main_graph().unwrap();
    assert_eq!((main.doc.as_str(), &main.metadata[..]), ("a graph", &[("g".into(), "h".into())][..]));
    let (_, relu) = main.ops().next().unwrap();
    let extra = relu.extra().unwrap();
    assert_eq!((extra.doc.as_str(), extra.metadata.len()), ("a node", 1));
    let opaque = NodeProto::decode(extra.opaque.clone()).unwrap();
    assert_eq!(opaque.device_configurations[0].configuration_id, "cfg");
    let edgesmith_ir::Origin::Source { node, scope, .. } = model.origin(relu.origin()) else { panic!("no source") };
    assert_eq!((node.as_str(), scope.as_ref().unwrap().as_str()), ("n_y", "layer1"));
    let x = main.value(named(main, "x")).extra().unwrap();
    assert_eq!((x.doc.as_str(), &x.metadata[..]), ("an input", &[("k".into(), "v".into())][..]));
    assert_eq!(x.denotations, [(None, "TENSOR".into()), (Some(0), "DATA_BATCH".into())]);
    let y = main.value(named(main, "y")).extra().unwrap();
    assert_eq!(
        y.quantization,
        [("SCALE_TENSOR".into(), "scale".into()), ("ZERO_POINT_TENSOR".into(), "nothing".into())]
    );
    assert!(main.value(named(main, "scale")).is_pinned() && main.value(named(main, "w")).is_pinned());
    assert!(!main.value(named(main, "zero")).is_pinned());
    let w = model.tensor_entry(main.constant(named(main, "w")).unwrap());
    assert_eq!((w.doc.as_str(), &w.metadata[..]), ("a tensor", &[("t".into(), "u".into())][..]));
    assert_eq!(codes(&import), ["edgesmith::onnx::stray-annotation", "edgesmith::onnx::stray-annotation"]);
}

#[test]
fn unknown_fields_are_reported() {
    let mut bytes = one(17, node("Relu", &["x"], &["y"]), &[1]).encode_to_vec();
    // Field 99 of the model, a varint.
    bytes.extend([0x98, 0x06, 0x01]);
    let options = edgesmith_frontend_onnx::ImportOptions::default();
    let import = edgesmith_frontend_onnx::import(bytes.into(), &edgesmith_frontend::NoExternalData, &options).unwrap();
    assert_eq!(codes(&import), ["edgesmith::onnx::unknown-field"]);
    assert!(import.diagnostics.iter().next().unwrap().to_string().contains("field 99"));
}

#[test]
fn other_domains_pass_through() {
    let inner = branch(vec![node("Neg", &["x"], &["t"])], "t");
    let mystery = node("Mystery", &["x", "", "w", ""], &["y", "", "z"])
        .domain("com.example")
        .with("alpha", 0.5_f32)
        .with("body", inner)
        .with("table", floats("", &[1], &[2.0]));
    let mut graph = graph(vec![float("x", &[2])], vec![mystery], vec![open("y"), open("z")]);
    graph.initializer.push(floats("w", &[1], &[1.0]));
    let mut file = model(17, graph);
    file.opset_import.push(opset("com.example", 3));
    let import = read(&file);
    assert_eq!(import.model.opset("com.example"), Some(3));
    let op = carried(&import);
    assert_eq!((op.domain.as_str(), op.name.as_str()), ("com.example", "Mystery"));
    let keys: Vec<&str> = op.attributes.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(keys, ["alpha", "body", "table"]);
    assert_eq!(attr(op, "body"), Some(&Attribute::Graph(0)));
    let (_, data) = only(&import);
    assert_eq!((data.formals().len(), data.captures().len(), data.regions().len()), (4, 1, 1));
    assert_eq!((data.operand(1), data.operand(3), data.result(1)), (None, None, None));
    // A node that says ai.onnx is one of the empty domain.
    let import = read(&one(17, node("Relu", &["x"], &["y"]).domain("ai.onnx"), &[1]));
    assert_eq!(only(&import).1.op().kind(), OpKind::Relu);
    let mut file = one(17, node("Relu", &["x"], &["y"]), &[1]);
    file.opset_import[0].domain = "ai.onnx".into();
    assert_eq!(read(&file).model.opset(""), Some(17));
}

#[test]
fn standard_operators_that_are_not_typed_are_checked_and_carried() {
    let ngrams = node("StringNormalizer", &["x"], &["y"]).with("case_change_action", "LOWER");
    let strings = graph(vec![value("x", 8, &dims(&[2]))], vec![ngrams.clone()], vec![open("y")]);
    let import = read(&model(17, strings.clone()));
    assert_eq!((carried(&import).domain.as_str(), carried(&import).name.as_str()), ("", "StringNormalizer"));
    assert!(import.diagnostics.is_empty());
    let mut wrong = strings;
    wrong.node[0] = ngrams.with("mode", "x");
    assert!(refuse(&model(17, wrong)).contains("there is no attribute 'mode'"));
}

fn function(name: &str, inputs: &[&str], outputs: &[&str], nodes: Vec<NodeProto>) -> FunctionProto {
    let strings = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    FunctionProto {
        name: name.into(),
        domain: "f".into(),
        input: strings(inputs),
        output: strings(outputs),
        node: nodes,
        opset_import: vec![opset("", 17), opset("f", 1)],
        ..FunctionProto::default()
    }
}
fn with_functions(functions: Vec<FunctionProto>, nodes: Vec<NodeProto>) -> ModelProto {
    ModelProto {
        functions,
        opset_import: vec![opset("", 17), opset("f", 1)],
        ..model(17, graph(vec![float("x", &[2, 3])], nodes, vec![open("y")]))
    }
}
fn reference(mut node: NodeProto, name: &str, from: &str, kind: i32) -> NodeProto {
    node.attribute.push(edgesmith_onnx_proto::AttributeProto {
        name: name.into(),
        ref_attr_name: from.into(),
        r#type: Some(kind),
        ..Default::default()
    });
    node
}

#[test]
fn a_call_has_a_typed_body_of_its_own() {
    let mut f = function(
        "F",
        &["a", "b"],
        &["r", "unused"],
        vec![
            reference(node("Softmax", &["a"], &["s"]), "axis", "where", 2),
            reference(node("LeakyRelu", &["s"], &["l"]), "alpha", "slope", 1),
            node("Clip", &["l", "b"], &["r"]),
            node("Abs", &["a"], &["unused"]),
        ],
    );
    f.attribute = vec!["where".into()];
    f.attribute_proto = vec![attribute("slope", 0.25_f32)];
    f.doc_string = "a function".into();
    let calls = vec![
        node("F", &["x"], &["h"]).domain("f").with("where", 0_i64),
        node("F", &["h"], &["y"]).domain("f").with("where", 1_i64).with("slope", 0.5_f32),
    ];
    let import = read(&with_functions(vec![f], calls));
    let model = &import.model;
    // As the file has it.
    let key = FunctionKey { domain: "f".into(), name: "F".into(), overload: "".into() };
    let raw = &model.functions[&key];
    assert_eq!((raw.attributes.as_slice(), raw.doc.as_str()), (&["where".into()][..], "a function"));
    assert_eq!(raw.defaults, [("slope".into(), Attribute::Float(edgesmith_ir::F32(0.25)))]);
    assert_eq!(raw.opsets.get("").copied(), Some(17));
    let body = model.graph(raw.body.unwrap());
    assert_eq!(
        (inputs(body), names(body, body.outputs())),
        (vec!["a".to_string(), "b".into()], vec!["r".to_string(), "unused".into()])
    );
    for (_, data) in body.ops() {
        assert_eq!(data.op().kind(), OpKind::Custom);
    }
    let (_, softmax) = body.ops().next().unwrap();
    let Op::Custom(softmax) = softmax.op() else { panic!("typed") };
    assert_eq!(attr(softmax, "axis"), Some(&Attribute::Reference("where".into(), 2)));
    // As each call means it.
    let main = model.main_graph().unwrap();
    let slopes: Vec<(i64, f32)> = main
        .ops()
        .map(|(_, data)| {
            let Op::Call(call) = data.op() else { panic!("{:?}", data.op()) };
            assert_eq!((&call.function, data.regions().len()), (&key, 1));
            let body = model.graph(data.regions()[0]);
            assert!(body.is_pristine());
            assert_eq!(
                (body.inputs().len(), body.outputs().len()),
                (1, 1),
                "absent inputs and unlisted outputs are left out"
            );
            let ops: Vec<&Op> = body.ops().map(|(_, data)| data.op()).collect();
            let (Op::Softmax(softmax), Op::LeakyRelu(leaky)) = (ops[0], ops[1]) else { panic!("{ops:?}") };
            assert_eq!(body.ops().nth(2).unwrap().1.operands().len(), 1, "the bound is absent");
            (softmax.axis, leaky.alpha.0)
        })
        .collect();
    assert_eq!(slopes, [(0, 0.25), (1, 0.5)]);
    assert_eq!(main.value(named(main, "y")).ty().to_string(), "float[2,3]");
}

#[test]
fn values_of_two_calls_have_different_names() {
    let f = function("F", &["a"], &["r"], vec![node("NonZero", &["a"], &["r"])]);
    let calls = vec![node("F", &["x"], &["p"]).domain("f"), node("F", &["x"], &["y"]).domain("f")];
    let import = read(&with_functions(vec![f], calls));
    let made: Vec<String> = import
        .model
        .main_graph()
        .unwrap()
        .ops()
        .flat_map(|(_, data)| {
            names(import.model.graph(data.regions()[0]), import.model.graph(data.regions()[0]).outputs())
        })
        .collect();
    // Sizes that depend on data are called after them, so equal names would make two different sizes one.
    assert_ne!(made[0], made[1]);
}

#[test]
fn functions_call_functions_and_hand_attributes_on() {
    let inner = function("G", &["a"], &["r"], vec![reference(node("LeakyRelu", &["a"], &["r"]), "alpha", "k", 1)]);
    let call = reference(node("G", &["a"], &["r"]).domain("f"), "k", "slope", 1);
    let outer = function("F", &["a"], &["r"], vec![call]);
    let file = with_functions(vec![outer, inner], vec![node("F", &["x"], &["y"]).domain("f").with("slope", 0.75_f32)]);
    let import = read(&file);
    let (_, data) = only(&import);
    let middle = import.model.graph(data.regions()[0]);
    let (_, call) = middle.ops().next().unwrap();
    let innermost = import.model.graph(call.regions()[0]);
    let Op::LeakyRelu(leaky) = innermost.ops().next().unwrap().1.op() else { panic!("not typed") };
    assert_eq!(leaky.alpha.0, 0.75);
}

#[test]
fn calls_that_multiply_stay_opaque() {
    // Each function calls the next one ten times: 10^7 operators at the end.
    let mut functions: Vec<FunctionProto> = (0..7)
        .map(|level| {
            let nodes = (0..10)
                .map(|i| {
                    let from = if i == 0 { "a".into() } else { format!("v{}", i - 1) };
                    let to = if i == 9 { "r".into() } else { format!("v{i}") };
                    node(&format!("F{}", level + 1), &[&from], &[&to]).domain("f")
                })
                .collect();
            function(&format!("F{level}"), &["a"], &["r"], nodes)
        })
        .collect();
    functions.push(function("F7", &["a"], &["r"], vec![node("Relu", &["a"], &["r"])]));
    let import = read(&with_functions(functions, vec![node("F0", &["x"], &["y"]).domain("f")]));
    assert!(codes(&import).contains(&"edgesmith::onnx::opaque-call"));
    let count = import.model.graphs().map(|(_, graph)| graph.ops().count()).sum::<usize>();
    assert!(count < 40_000, "{count}");
}

#[test]
fn the_standard_operator_wins_over_a_function_of_its_name() {
    let mut relu = function("Relu", &["a"], &["r"], vec![node("Neg", &["a"], &["r"])]);
    relu.domain = String::new();
    let mut own = function("Own", &["a"], &["r"], vec![node("Neg", &["a"], &["r"])]);
    own.domain = "ai.onnx".into();
    let nodes = vec![node("Relu", &["x"], &["h"]), node("Own", &["h"], &["y"])];
    let import = read(&with_functions(vec![relu, own], nodes));
    assert_eq!(kinds(import.model.main_graph().unwrap()), [OpKind::Relu, OpKind::Call]);
}

#[test]
fn a_call_with_a_graph_is_carried() {
    let f = function("F", &["a"], &["r"], vec![reference(node("If", &["a"], &["r"]), "then_branch", "then", 5)]);
    let then = branch(vec![node("Neg", &["x"], &["t"])], "t");
    let import = read(&with_functions(vec![f], vec![node("F", &["x"], &["y"]).domain("f").with("then", then)]));
    assert_eq!(carried(&import).name.as_str(), "F");
    assert_eq!(only(&import).1.regions().len(), 1);
}

#[test]
fn functions_see_constants_and_regions_inside() {
    let then = branch(vec![node("Add", &["a", "k"], &["t"])], "t");
    let other = branch(vec![node("Neg", &["a"], &["e"])], "e");
    let nodes = vec![
        node("Constant", &[], &["k"]).with("value_float", 2.0_f32),
        node("Constant", &[], &["c"]).with(
            "value",
            edgesmith_onnx_proto::TensorProto { data_type: Some(BOOL), int32_data: vec![1], ..Default::default() },
        ),
        node("If", &["c"], &["r"]).with("then_branch", then).with("else_branch", other),
    ];
    let f = function("F", &["a"], &["r"], nodes);
    let import = read(&with_functions(vec![f], vec![node("F", &["x"], &["y"]).domain("f")]));
    let (_, call) = only(&import);
    let body = import.model.graph(call.regions()[0]);
    assert_eq!(kinds(body), [OpKind::If]);
    let literals = body.values().filter(|(_, value)| matches!(value.def(), Def::Constant(_))).count();
    assert_eq!(literals, 2);
    let (_, choice) = body.ops().next().unwrap();
    assert_eq!(choice.captures().len(), 1);
    // In the function itself even constants are operators, as in the file.
    let raw = import.model.functions.values().next().unwrap();
    assert_eq!(import.model.graph(raw.body.unwrap()).ops().count(), 3);
}

#[test]
fn sparse_and_string_constants() {
    let mut graph = graph(vec![float("x", &[3])], vec![node("Identity", &["x"], &["y"])], vec![open("y")]);
    graph.sparse_initializer = vec![edgesmith_onnx_proto::SparseTensorProto {
        values: Some(floats("s", &[1], &[5.0])),
        indices: Some(ints("", &[1], &[2])),
        dims: vec![3],
    }];
    graph.initializer = vec![edgesmith_onnx_proto::TensorProto {
        name: "t".into(),
        dims: vec![2],
        data_type: Some(8),
        string_data: vec!["a".into(), "b".into()],
        ..Default::default()
    }];
    let import = read(&model(17, graph));
    let main = import.model.main_graph().unwrap();
    assert!(matches!(main.value(named(main, "s")).ty(), ValueType::SparseTensor(_)));
    assert_eq!(main.value(named(main, "t")).ty().dtype(), Some(DType::String));
}

#[test]
fn literals_are_marked() {
    let mut constant = node("Constant", &[], &["k"]).with("value_float", 2.0_f32);
    constant.doc_string = "two".into();
    let file =
        model(17, graph(vec![float("x", &[3])], vec![constant, node("Mul", &["x", "k"], &["y"])], vec![open("y")]));
    let import = read(&file);
    let main = import.model.main_graph().unwrap();
    let entry = import.model.tensor_entry(main.constant(named(main, "k")).unwrap());
    assert_eq!((entry.role, entry.doc.as_str()), (TensorRole::Literal, "two"));
}

#[test]
fn twice_imported_operator_sets() {
    let mut file = one(7, node("Gelu", &["x"], &["y"]), &[1]);
    file.opset_import.push(opset("ai.onnx", 20));
    let import = read(&file);
    assert_eq!((import.model.opset(""), codes(&import)), (Some(20), vec!["edgesmith::onnx::opset-imported-twice"]));
}

#[test]
fn private_attributes_and_stray_references_are_reported() {
    let relu = node("Relu", &["x"], &["y"]).with("__note", 1_i64);
    assert_eq!(codes(&read(&one(17, relu, &[1]))), ["edgesmith::onnx::private-attribute"]);
    let leaky = reference(node("LeakyRelu", &["x"], &["y"]), "alpha", "slope", 1);
    assert_eq!(codes(&read(&one(17, leaky, &[1]))), ["edgesmith::onnx::reference-outside-function"]);
}

#[test]
fn the_main_graph_may_have_no_nodes() {
    let mut graph = graph(vec![float("x", &[2])], vec![], vec![open("x"), open("w"), open("x")]);
    graph.initializer.push(floats("w", &[1], &[1.0]));
    let import = read(&model(17, graph));
    let main = import.model.main_graph().unwrap();
    assert_eq!(names(main, main.outputs()), ["x", "w", "x"]);
}
