//! Every operator whose form changed goes back to the form of the file's opset, or says why it cannot.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod common;

use common::{A, attribute, file, float, floats, graph, ints, lower, main_graph, node, one, open, operators, opset_of};
use common::{decoded, initializer_ints, read, value, with, write, write_at};
use edgesmith_backend::LowerError;
use edgesmith_backend_onnx::Options;
use edgesmith_ir::op::{Gelu, Op, OpKind};
use edgesmith_onnx_proto::schema::{self, FormalKind};
use edgesmith_onnx_proto::{AttributeProto, ModelProto, NodeProto, TensorProto};

fn sorted(node: &NodeProto) -> Vec<AttributeProto> {
    let mut attributes = node.attribute.clone();
    attributes.sort_by(|a, b| a.name.cmp(&b.name));
    attributes
}

/// Reads, writes, and expects the very node, and the initializers that it reads.
fn comes_back(source: &ModelProto) {
    let written = write(&read(source));
    let (before, after) = (main_graph(source), main_graph(&written));
    assert_eq!(opset_of(source), opset_of(&written));
    assert_eq!(operators(before), operators(after));
    for (a, b) in before.node.iter().zip(&after.node) {
        assert_eq!((&a.input, &a.output, sorted(a)), (&b.input, &b.output, sorted(b)));
    }
    let key = |tensor: &TensorProto| (tensor.name.clone(), tensor.dims.clone(), tensor.raw_data.clone());
    assert_eq!(
        before.initializer.iter().map(key).collect::<Vec<_>>(),
        after.initializer.iter().map(key).collect::<Vec<_>>()
    );
}

#[test]
fn attributes_that_became_inputs_go_back() {
    let x = |operator: &str| node(operator, &["x"], &["y"]);
    let old: Vec<(i64, NodeProto)> = vec![
        (9, with(x("Clip"), vec![("max", A::F(6.0)), ("min", A::F(0.0))])),
        (7, x("Clip")),
        (10, with(x("Pad"), vec![("pads", A::Is(vec![0, 0, 1, 1])), ("value", A::F(2.5))])),
        (7, with(x("Pad"), vec![("mode", A::S("reflect")), ("pads", A::Is(vec![0, 1, 0, 1]))])),
        (
            9,
            with(
                x("Slice"),
                vec![("axes", A::Is(vec![1])), ("ends", A::Is(vec![i64::MAX])), ("starts", A::Is(vec![1]))],
            ),
        ),
        (9, with(x("Slice"), vec![("ends", A::Is(vec![1, -1])), ("starts", A::Is(vec![0, 1]))])),
        (7, with(node("TopK", &["x"], &["y", "i"]), vec![("axis", A::I(0)), ("k", A::I(2))])),
        (12, with(node("Split", &["x"], &["y", "z"]), vec![("axis", A::I(1)), ("split", A::Is(vec![1, 3]))])),
        (7, with(node("Split", &["x"], &["y", "z"]), vec![("axis", A::I(1))])),
        (17, with(node("Split", &["x"], &["y", "z"]), vec![("axis", A::I(1))])),
        (12, with(x("Unsqueeze"), vec![("axes", A::Is(vec![0, 3]))])),
        (12, with(x("ReduceSum"), vec![("axes", A::Is(vec![1])), ("keepdims", A::I(0))])),
        (12, with(x("ReduceSum"), vec![("keepdims", A::I(0))])),
        (17, with(x("ReduceMean"), vec![("axes", A::Is(vec![-1]))])),
        (8, with(x("ReduceL2"), vec![("axes", A::Is(vec![1]))])),
        (9, with(x("Dropout"), vec![("ratio", A::F(0.25))])),
        (7, x("Dropout")),
        (9, with(x("Flatten"), vec![("axis", A::I(0))])),
        (8, with(x("Softmax"), vec![("axis", A::I(1))])),
        (12, with(x("Softmax"), vec![("axis", A::I(0))])),
        (11, with(x("LogSoftmax"), vec![("axis", A::I(-1))])),
        (12, with(x("Hardmax"), vec![("axis", A::I(0))])),
    ];
    for (opset, node) in old {
        comes_back(&one(opset, &[2, 4], node, vec![]));
    }
    comes_back(&one(12, &[1, 4, 1], with(node("Squeeze", &["x"], &["y"]), vec![("axes", A::Is(vec![0, 2]))]), vec![]));
    comes_back(&one(17, &[2, 4, 1], with(node("DFT", &["x"], &["y"]), vec![("axis", A::I(0))]), vec![]));
    comes_back(&one(17, &[2, 4, 1], node("DFT", &["x"], &["y"]), vec![]));
}

#[test]
fn images_are_resampled_as_of_old() {
    let dims = [1, 2, 4, 4];
    let scales = |name: &str, values: &[f32]| floats(name, &[4], values);
    let up = [1.0, 1.0, 2.0, 2.0];
    let mode = |mode: &'static str| vec![("mode", A::S(mode))];
    let attributes = vec![("mode", A::S("linear")), ("scales", A::Fs(up.to_vec()))];
    comes_back(&one(8, &dims, with(node("Upsample", &["x"], &["y"]), attributes), vec![]));
    comes_back(&one(9, &dims, node("Upsample", &["x", "s"], &["y"]), vec![scales("s", &up)]));
    comes_back(&one(10, &dims, with(node("Resize", &["x", "s"], &["y"]), mode("linear")), vec![scales("s", &up)]));
    comes_back(&one(10, &dims, node("Resize", &["x", "s"], &["y"]), vec![scales("s", &[1.0, 1.0, 0.5, 0.5])]));
    comes_back(&one(13, &dims, with(node("Resize", &["x", "", "s"], &["y"]), mode("cubic")), vec![scales("s", &up)]));
    let sizes = ints("z", &[1, 2, 8, 8]);
    comes_back(&one(13, &dims, with(node("Resize", &["x", "", "", "z"], &["y"]), mode("linear")), vec![sizes.clone()]));

    // 11 wants tensors where 13 wants nothing; empty ones say the same.
    let source = one(
        11,
        &dims,
        with(node("Resize", &["x", "e", "e", "z"], &["y"]), mode("linear")),
        vec![floats("e", &[0], &[]), sizes],
    );
    let written = write(&read(&source));
    let resize = &main_graph(&written).node[0];
    assert_eq!((resize.input.len(), opset_of(&written)), (4, 11));
    for name in &resize.input[1..3] {
        let empty = main_graph(&written).initializer.iter().find(|tensor| tensor.name == *name).unwrap();
        assert_eq!((empty.dims.as_slice(), empty.data_type), (&[0][..], Some(1)));
    }
}

#[test]
fn renamed_modes_and_operators_go_back() {
    let mut sample = graph(
        vec![float("x", &[1, 1, 4, 4]), float("grid", &[1, 2, 2, 2])],
        vec![with(node("GridSample", &["x", "grid"], &["y"]), vec![("mode", A::S("bicubic"))])],
        vec![open("y")],
    );
    comes_back(&file(16, sample.clone()));
    sample.node[0].attribute = vec![attribute("mode", A::S("cubic"))];
    comes_back(&file(20, sample));

    let indices = value("i", 7, &[2, 4]);
    let scatter = graph(
        vec![float("x", &[2, 4]), indices, float("u", &[2, 4])],
        vec![with(node("Scatter", &["x", "i", "u"], &["y"]), vec![("axis", A::I(1))])],
        vec![open("y")],
    );
    comes_back(&file(9, scatter));

    let align = graph(
        vec![float("x", &[1, 1, 4, 4]), float("r", &[3, 4]), value("b", 7, &[3])],
        vec![node("RoiAlign", &["x", "r", "b"], &["y"])],
        vec![open("y")],
    );
    comes_back(&file(10, align.clone()));
    let at_16 = write_at(&read(&file(10, align)), 16);
    let attributes = &main_graph(&at_16).node[0].attribute;
    assert_eq!(attributes[0].s.as_deref(), Some(&b"output_half_pixel"[..]));

    let vector = |name: &str| floats(name, &[2], &[1.0, 2.0]);
    let norm = node("BatchNormalization", &["x", "s", "b", "m", "v"], &["y"]);
    let norm = one(9, &[3, 2], norm, ["s", "b", "m", "v"].map(vector).into());
    comes_back(&norm);
}

#[test]
fn a_newer_form_at_an_older_opset() {
    // Axes of a Pad are spread over all axes.
    let padding = node("Pad", &["x", "p", "", "a"], &["y"]);
    let padding = one(18, &[2, 4], padding, vec![ints("p", &[1, 2]), ints("a", &[-1])]);
    let written = write_at(&read(&padding), 13);
    let graph = main_graph(&written);
    assert_eq!(graph.node[0].input.len(), 2);
    assert_eq!(initializer_ints(graph, &graph.node[0].input[1]), [0, 1, 0, 2]);
    assert_eq!(graph.initializer.len(), 1, "what the old form does not read is not written");

    // Uneven parts are written out.
    let uneven = with(node("Split", &["x"], &["a", "b", "c"]), vec![("num_outputs", A::I(3))]);
    let written = write_at(&read(&one(18, &[7], uneven, vec![])), 13);
    let graph = main_graph(&written);
    assert_eq!(initializer_ints(graph, &graph.node[0].input[1]), [3, 3, 1]);

    // A default that changed is written out.
    let softmax = write_at(&read(&one(13, &[2, 4], node("Softmax", &["x"], &["y"]), vec![])), 9);
    assert_eq!(main_graph(&softmax).node[0].attribute, [attribute("axis", A::I(1))]);

    // No bound is infinity in a form whose default is the largest f32.
    let clip =
        write_at(&read(&one(11, &[2], node("Clip", &["x", "", "h"], &["y"]), vec![floats("h", &[], &[6.0])])), 9);
    let mut attributes = sorted(&main_graph(&clip).node[0]);
    assert_eq!(attributes.pop().unwrap(), attribute("min", A::F(f32::NEG_INFINITY)));
    assert_eq!(attributes, [attribute("max", A::F(6.0))]);

    // A CastLike is a Cast where its type is known.
    let mut like = graph_of_two("CastLike");
    like.input[1] = value("b", 10, &[1]);
    let cast = write_at(&read(&file(15, like)), 13);
    assert_eq!((operators(main_graph(&cast)), main_graph(&cast).node[0].attribute[0].i), (vec!["Cast"], Some(10)));
}

fn graph_of_two(operator: &str) -> edgesmith_onnx_proto::GraphProto {
    graph(vec![float("a", &[2, 4]), float("b", &[2, 4])], vec![node(operator, &["a", "b"], &["y"])], vec![open("y")])
}

#[test]
fn an_old_softmax_lives_on_in_three_nodes() {
    let old = with(node("Softmax", &["x"], &["y"]), vec![("axis", A::I(1))]);
    let written = write_at(&read(&one(12, &[2, 3, 4], old, vec![])), 13);
    let graph = main_graph(&written);
    assert_eq!(operators(graph), ["Flatten", "Shape", "Softmax", "Reshape"]);
    assert!(graph.node.iter().all(|node| node.attribute.is_empty()), "1 and -1 are the defaults");
    assert_eq!(graph.node[3].output, ["y"]);
    assert_eq!(write(&read(&written)).graph, written.graph);
}

#[test]
fn what_an_opset_cannot_hold_raises_it() {
    // Of two operators that an opset lacks, the later one decides; everything else follows.
    let nodes =
        vec![with(node("ReduceSum", &["x"], &["s"]), vec![("axes", A::Is(vec![1]))]), node("Erf", &["s"], &["y"])];
    let mut model = read(&file(9, graph(vec![float("x", &[2, 4])], nodes, vec![open("y")])));
    let main = model.main().unwrap();
    let (erf, _) = model.graph(main).ops().last().unwrap();
    model.graph_mut(main).set_op(erf, Op::Gelu(Gelu { approximate: edgesmith_ir::op::GeluApproximation::None }));
    let artefact = lower(&model, Options::default()).unwrap();
    let written = decoded(&artefact);
    assert_eq!(opset_of(&written), 20);
    let sum = &main_graph(&written).node[0];
    assert_eq!((sum.input.len(), sum.attribute.len()), (2, 0));
    assert_eq!(initializer_ints(main_graph(&written), &sum.input[1]), [1]);
    let remark = artefact.remarks[0].to_string();
    assert!(remark.contains("raised from 9 to 20: Gelu 'y': Gelu exists from opset 20 on"), "{remark}");
}

#[test]
fn an_element_type_raises_the_opset_too() {
    let mut model = read(&file(12, graph_of_two("Add")));
    let main = model.main().unwrap();
    let ids: Vec<_> = model.graph(main).values().map(|(id, _)| id).collect();
    for id in ids {
        let shape = model.graph(main).value(id).ty().shape().clone();
        let ty = edgesmith_ir::ValueType::tensor(edgesmith_ir::DType::BF16, shape);
        model.graph_mut(main).set_type(id, ty.clone());
        model.graph_mut(main).value_extra_mut(id).declared = Some(ty);
    }
    assert_eq!(opset_of(&write(&model)), 13);
}

#[test]
fn everything_in_the_way_is_told_at_once() {
    // A training BatchNormalization of opset 9 has no other form, so it ties the file to that opset.
    let norm = node("BatchNormalization", &["x", "s", "b", "m", "v"], &["n", "", "", "sm", "sv"]);
    let mut source = one(9, &[3, 2], norm, ["s", "b", "m", "v"].map(|name| floats(name, &[2], &[1.0, 2.0])).into());
    let main = source.graph.as_mut().unwrap();
    main.node.push(node("Relu", &["n"], &["r1"]));
    main.node.push(node("Relu", &["r1"], &["r2"]));
    main.output = vec![open("r2")];
    let mut model = read(&source);
    assert_eq!(opset_of(&write(&model)), 9, "by itself it is written as it was");
    let main = model.main().unwrap();
    let relus: Vec<_> =
        model.graph(main).ops().filter(|(_, data)| data.op().kind() == OpKind::Relu).map(|(id, _)| id).collect();
    for relu in relus {
        model.graph_mut(main).set_op(relu, Op::Gelu(Gelu { approximate: edgesmith_ir::op::GeluApproximation::None }));
    }
    let Err(LowerError::Unsupported(list)) = lower(&model, Options::default()) else { panic!() };
    let sites: Vec<_> = list.iter().map(|one| one.site.as_str()).collect();
    assert_eq!(sites, ["r1", "r2", "n"]);
    assert!(list[0].to_string().contains("ties the file to that opset"), "{}", list[0]);
    assert!(list[2].to_string().contains("carried as opset 9 has it"), "{}", list[2]);
}

#[test]
fn the_table_has_a_row_for_every_operator() {
    for kind in OpKind::ALL {
        if matches!(kind, OpKind::Call | OpKind::Custom | OpKind::LegacySoftmax) {
            continue;
        }
        let newest = schema::versions(kind.name()).last().unwrap_or_else(|| panic!("no schema of {kind}"));
        let signature = kind.signature();
        assert_eq!(signature.operands.len(), newest.inputs.len(), "operands of {kind}");
        assert_eq!(signature.results.len(), newest.outputs.len(), "results of {kind}");
        let variadic = newest.inputs.last().is_some_and(|formal| formal.kind == FormalKind::Variadic);
        assert_eq!(signature.is_variadic(), variadic, "{kind}");
    }
}
