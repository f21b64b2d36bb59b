//! Old operator versions come out in the newest form, exactly, or are carried as they are.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use common::*;
use edgesmith_ir::op::{
    self, AutoPad, BatchNormalization, Clip, CoordinateTransform, DFT, Dropout, GridMode, GridSample,
    GroupNormalization, LegacySoftmax, NearestMode, OpKind, Pad, ReduceMean, ReduceSum, Resize, RoiAlign, RoiTransform,
    ScatterElements, Slice, Softmax, SoftmaxKind, Split, Squeeze, TopK,
};
use edgesmith_ir::{Attribute, DType, F32, TensorRole};
use edgesmith_onnx_proto::schema::{AttributeDefault, operators, versions};
use edgesmith_onnx_proto::{AttributeType, ModelProto, NodeProto};

fn ints_of(import: &edgesmith_frontend_onnx::Import, slot: usize) -> Vec<i64> {
    operand(import, slot).unwrap_or_else(|| panic!("no constant {slot}")).to_ints().unwrap()
}
fn float_of(import: &edgesmith_frontend_onnx::Import, slot: usize) -> f32 {
    operand(import, slot).unwrap_or_else(|| panic!("no constant {slot}")).view::<f32>().unwrap()[0]
}
fn x_of(dtype: i32, version: i64, node: NodeProto) -> ModelProto {
    model(version, graph(vec![value("x", dtype, &dims(&[2, 3]))], vec![node], vec![open("y")]))
}

#[test]
fn clip_6_bounds_by_default() {
    let import = read(&one(6, node("Clip", &["x"], &["y"]).with("max", 6.0_f32), &[2]));
    typed::<Clip>(&import);
    assert_eq!((float_of(&import, 1), float_of(&import, 2)), (f32::MIN, 6.0));
    let (graph, data) = only(&import);
    assert_eq!(graph.value(data.operand(2).unwrap()).name().as_str(), "y_max");
    let tensor = graph.constant(data.operand(2).unwrap()).unwrap();
    assert_eq!(import.model.tensor_entry(tensor).role, TensorRole::Literal);

    let half = read(&x_of(F16, 10, node("Clip", &["x"], &["y"]).with("min", 0.0_f32)));
    assert_eq!(operand(&half, 1).unwrap().dtype(), DType::F16);
    assert_eq!(only(&half).1.operand(2), None, "the largest f32 does not bound f16");
    let double = read(&x_of(DOUBLE, 10, node("Clip", &["x"], &["y"])));
    assert_eq!(*operand(&double, 2).unwrap().view::<f64>().unwrap(), [f64::from(f32::MAX)]);
    // From 11 on an absent bound does not bound.
    let newer = read(&one(11, node("Clip", &["x"], &["y"]), &[2]));
    assert_eq!(only(&newer).1.operands().len(), 1);
}

#[test]
fn clip_of_an_unknown_type_is_carried() {
    let nodes = vec![node("Mystery", &["x"], &["m"]).domain("d"), node("Clip", &["m"], &["y"]).with("max", 6.0_f32)];
    let mut file = model(10, graph(vec![float("x", &[2])], nodes, vec![open("y")]));
    file.opset_import.push(opset("d", 1));
    let import = read(&file);
    let graph = import.model.main_graph().unwrap();
    let (_, clip) = graph.ops().last().unwrap();
    let op::Op::Custom(clip) = clip.op() else { panic!("{clip:?}") };
    assert_eq!(attr(clip, "max"), Some(&Attribute::Float(F32(6.0))));
    assert_eq!(codes(&import), ["edgesmith::onnx::carried"]);
}

#[test]
fn pad_2() {
    let pads = vec![0_i64, 1, 0, 1];
    let import = read(&one(10, node("Pad", &["x"], &["y"]).with("pads", pads.clone()).with("value", 1.5_f32), &[2, 3]));
    typed::<Pad>(&import);
    assert_eq!(ints_of(&import, 1), pads);
    assert_eq!(float_of(&import, 2), 1.5);
    let zero = read(&one(10, node("Pad", &["x"], &["y"]).with("pads", pads.clone()), &[2, 3]));
    assert_eq!(only(&zero).1.operands().len(), 2);
    let edge = node("Pad", &["x"], &["y"]).with("pads", pads).with("value", 1.5_f32).with("mode", "edge");
    assert_eq!(only(&read(&one(10, edge, &[2, 3]))).1.operands().len(), 2);
}

#[test]
fn slice_1_and_top_k_1() {
    let slice = node("Slice", &["x"], &["y"]).with("starts", vec![0_i64, 1]).with("ends", vec![1_i64, 3]);
    let import = read(&one(9, slice.clone(), &[2, 3, 4]));
    typed::<Slice>(&import);
    assert_eq!((ints_of(&import, 1), ints_of(&import, 2), ints_of(&import, 3)), (vec![0, 1], vec![1, 3], vec![0, 1]));
    assert_eq!(ints_of(&read(&one(9, slice.with("axes", vec![1_i64, 2]), &[2, 3, 4])), 3), [1, 2]);
    let top = read(&one(9, node("TopK", &["x"], &["y", "i"]).with("k", 2_i64).with("axis", 0_i64), &[4]));
    assert_eq!(*typed::<TopK>(&top), TopK { axis: 0, largest: true, sorted: true });
    assert_eq!(operand(&top, 1).unwrap().shape(), [1]);
    assert_eq!(ints_of(&top, 1), [2]);
}

#[test]
fn split_before_18() {
    let given = read(&one(12, node("Split", &["x"], &["a", "b"]).with("split", vec![1_i64, 2]), &[3]));
    assert_eq!(typed::<Split>(&given).num_outputs, None);
    assert_eq!(ints_of(&given, 1), [1, 2]);
    for version in [7, 11, 13, 17] {
        let equal = read(&one(version, node("Split", &["x"], &["a", "b", "c"]), &[3]));
        assert_eq!(typed::<Split>(&equal).num_outputs, Some(3));
        assert_eq!(only(&equal).1.operands().len(), 1);
    }
}

#[test]
fn axes_became_inputs() {
    let squeeze = read(&one(12, node("Squeeze", &["x"], &["y"]).with("axes", vec![0_i64]), &[1, 3]));
    typed::<Squeeze>(&squeeze);
    assert_eq!(ints_of(&squeeze, 1), [0]);
    assert_eq!(only(&read(&one(12, node("Squeeze", &["x"], &["y"]), &[1, 3]))).1.operands().len(), 1);
    let sum = node("ReduceSum", &["x"], &["y"]).with("axes", vec![1_i64]).with("keepdims", 0_i64);
    let sum = read(&one(12, sum, &[1, 3]));
    assert_eq!(*typed::<ReduceSum>(&sum), ReduceSum { keepdims: false, noop_with_empty_axes: false });
    assert_eq!(ints_of(&sum, 1), [1]);
    // ReduceMean kept the attribute until 18.
    let mean = read(&one(17, node("ReduceMean", &["x"], &["y"]).with("axes", vec![-1_i64]), &[1, 3]));
    typed::<ReduceMean>(&mean);
    assert_eq!(ints_of(&mean, 1), [-1]);
    assert!(refuse(&one(18, node("ReduceMean", &["x"], &["y"]).with("axes", vec![-1_i64]), &[1, 3])).contains("axes"));
    // An empty list means all axes.
    let all = read(&one(17, node("ReduceMean", &["x"], &["y"]).with("axes", Vec::<i64>::new()), &[1, 3]));
    assert_eq!(only(&all).1.operands().len(), 1);
}

#[test]
fn dropout_before_12() {
    let import = read(&one(11, node("Dropout", &["x"], &["y"]).with("ratio", 0.25_f32), &[2]));
    typed::<Dropout>(&import);
    assert_eq!(float_of(&import, 1), 0.25);
    let unread = graph(vec![float("x", &[2])], vec![node("Dropout", &["x"], &["y", "mask"])], vec![open("y")]);
    let import = read(&model(7, unread));
    typed::<Dropout>(&import);
    assert_eq!(only(&import).1.results().len(), 1);
    let import = read(&one(7, node("Dropout", &["x"], &["y", "mask"]).with("ratio", 0.1_f32), &[2]));
    assert_eq!(attr(carried(&import), "ratio"), Some(&Attribute::Float(F32(0.1))));
    assert_eq!(only(&import).1.operands().len(), 1);
}

#[test]
fn dft_17_counts_its_axis_from_the_front() {
    let import = read(&one(17, node("DFT", &["x"], &["y"]).with("onesided", 1_i64), &[1, 8, 1]));
    assert!(typed::<DFT>(&import).onesided);
    assert_eq!(only(&import).1.operand(1), None);
    assert_eq!((ints_of(&import, 2), operand(&import, 2).unwrap().rank()), (vec![1], 0));
}

fn with_vectors(version: i64, node: NodeProto, channels: &[&str], length: i64, extents: &[i64]) -> ModelProto {
    let outputs = node.output.iter().map(|output| open(output)).collect();
    let mut graph = graph(vec![float("x", extents)], vec![node], outputs);
    let data: Vec<f32> = (0..length).map(|i| i as f32 + 1.0).collect();
    graph.initializer = channels.iter().map(|name| floats(name, &[length], &data)).collect();
    model(version, graph)
}

#[test]
fn batch_normalization_before_14() {
    let channels = ["s", "b", "m", "v"];
    let inputs = ["x", "s", "b", "m", "v"];
    for version in [7, 8, 9, 13, 14] {
        let file = with_vectors(version, node("BatchNormalization", &inputs, &["y"]), &channels, 2, &[1, 2, 4]);
        assert!(!typed::<BatchNormalization>(&read(&file)).training_mode);
    }
    let flat = node("BatchNormalization", &inputs, &["y"]).with("spatial", 1_i64).with("epsilon", 0.5_f32);
    let import = read(&with_vectors(8, flat, &channels, 2, &[1, 2, 4]));
    assert_eq!(typed::<BatchNormalization>(&import).epsilon, F32(0.5));
    let per_element = node("BatchNormalization", &inputs, &["y"]).with("spatial", 0_i64);
    let import = read(&with_vectors(8, per_element, &channels, 2, &[1, 2, 4]));
    assert_eq!(attr(carried(&import), "spatial"), Some(&Attribute::Int(0)));
    let training = node("BatchNormalization", &inputs, &["y", "mean", "var"]);
    carried(&read(&with_vectors(9, training, &channels, 2, &[1, 2, 4])));
}

#[test]
fn group_normalization_18_repeats_its_scale() {
    let groups = || node("GroupNormalization", &["x", "s", "b"], &["y"]).with("num_groups", 2_i64);
    let import = read(&with_vectors(18, groups(), &["s", "b"], 2, &[1, 6, 4]));
    assert_eq!(typed::<GroupNormalization>(&import).num_groups, 2);
    assert_eq!(*operand(&import, 1).unwrap().view::<f32>().unwrap(), [1.0, 1.0, 1.0, 2.0, 2.0, 2.0]);
    let newer = read(&with_vectors(21, groups(), &["s", "b"], 6, &[1, 6, 4]));
    assert_eq!(operand(&newer, 1).unwrap().shape(), [6]);
    let open_channels = graph(
        vec![value("x", FLOAT, &["N".into(), "C".into(), D::N(4)]), float("s", &[2]), float("b", &[2])],
        vec![groups()],
        vec![open("y")],
    );
    carried(&read(&model(20, open_channels)));
}

#[test]
fn softmax_before_13() {
    let with_axis = |axis: Option<i64>, version, extents: &[i64]| {
        let softmax = node("Softmax", &["x"], &["y"]);
        let softmax = match axis {
            Some(axis) => softmax.with("axis", axis),
            None => softmax,
        };
        read(&one(version, softmax, extents))
    };
    for (axis, version, extents) in [(None, 7, &[2, 3][..]), (Some(2), 11, &[2, 3, 4]), (Some(-1), 12, &[2, 3, 4])] {
        let import = with_axis(axis, version, extents);
        assert_eq!(typed::<Softmax>(&import).axis, axis.unwrap_or(1));
    }
    let import = with_axis(None, 12, &[2, 3, 4]);
    assert_eq!(*typed::<LegacySoftmax>(&import), LegacySoftmax { kind: SoftmaxKind::Softmax, axis: 1 });
    assert_eq!(only(&import).1.op().name(), "Softmax");
    assert_eq!(typed::<Softmax>(&with_axis(None, 13, &[2, 3, 4])).axis, -1);
    let hardmax = read(&one(9, node("Hardmax", &["x"], &["y"]).with("axis", 0_i64), &[2, 3]));
    assert_eq!(typed::<LegacySoftmax>(&hardmax).kind, SoftmaxKind::Hardmax);
}

fn resized(version: i64, operator: &str, mode: Option<&str>, scales: &[f32]) -> edgesmith_frontend_onnx::Import {
    let mut resize = node(operator, &["x", "s"], &["y"]);
    if let Some(mode) = mode {
        resize = resize.with("mode", mode);
    }
    let mut graph = graph(vec![float("x", &[1, 1, 4, 4])], vec![resize], vec![open("y")]);
    graph.initializer.push(floats("s", &[4], scales));
    read(&model(version, graph))
}

#[test]
fn upsample_and_resize_10() {
    let up = [1.0, 1.0, 2.0, 2.0];
    let attribute = node("Upsample", &["x"], &["y"]).with("scales", up.to_vec()).with("mode", "nearest");
    for import in
        [read(&one(7, attribute, &[1, 1, 4, 4])), resized(9, "Upsample", None, &up), resized(10, "Resize", None, &up)]
    {
        let resize = typed::<Resize>(&import);
        assert_eq!(resize.coordinate_transformation_mode, CoordinateTransform::Asymmetric);
        assert_eq!(resize.nearest_mode, NearestMode::Floor);
        assert_eq!(only(&import).1.operand(1), None);
        assert_eq!(*operand(&import, 2).unwrap().view::<f32>().unwrap(), up);
    }
    let down = resized(10, "Resize", Some("nearest"), &[1.0, 1.0, 0.5, 0.5]);
    assert_eq!(typed::<Resize>(&down).nearest_mode, NearestMode::Ceil);
    let linear = resized(10, "Resize", Some("linear"), &[1.0, 1.0, 0.5, 2.0]);
    assert_eq!(typed::<Resize>(&linear).coordinate_transformation_mode, CoordinateTransform::Asymmetric);
    let mixed = resized(10, "Resize", Some("nearest"), &[1.0, 1.0, 0.5, 2.0]);
    assert_eq!(carried(&mixed).name.as_str(), "Resize");
    assert_eq!(only(&mixed).1.operands().len(), 2);
}

#[test]
fn empty_tensors_of_resize_are_absent() {
    let resize = node("Resize", &["x", "roi", "none", "size"], &["y"]);
    let mut graph = graph(vec![float("x", &[1, 1, 4, 4])], vec![resize], vec![open("y")]);
    graph.initializer = vec![floats("roi", &[0], &[]), floats("none", &[0], &[]), ints("size", &[4], &[1, 1, 8, 8])];
    let import = read(&model(11, graph));
    typed::<Resize>(&import);
    let (_, data) = only(&import);
    assert_eq!((data.operand(1), data.operand(2), data.operand(3).is_some()), (None, None, true));
}

#[test]
fn renamed_modes() {
    let grid = |version: i64, mode: &str| {
        let sample = node("GridSample", &["x", "g"], &["y"]).with("mode", mode);
        let inputs = vec![float("x", &[1, 1, 4, 4]), float("g", &[1, 2, 2, 2])];
        typed::<GridSample>(&read(&model(version, graph(inputs, vec![sample], vec![open("y")])))).mode
    };
    assert_eq!(grid(16, "bilinear"), GridMode::Linear);
    assert_eq!(grid(16, "bicubic"), GridMode::Cubic);
    assert_eq!(grid(16, "nearest"), GridMode::Nearest);
    assert_eq!(grid(20, "cubic"), GridMode::Cubic);
    let align = |version: i64| {
        let align = node("RoiAlign", &["x", "r", "b"], &["y"]);
        let inputs = vec![float("x", &[1, 1, 4, 4]), float("r", &[2, 4]), value("b", INT64, &dims(&[2]))];
        let import = read(&model(version, graph(inputs, vec![align], vec![open("y")])));
        typed::<RoiAlign>(&import).coordinate_transformation_mode
    };
    assert_eq!(align(10), RoiTransform::OutputHalfPixel);
    assert_eq!(align(16), RoiTransform::HalfPixel);
}

#[test]
fn scatter_and_one_hot() {
    let inputs = vec![float("x", &[3]), value("i", INT64, &dims(&[2])), float("u", &[2])];
    let scatter = graph(inputs, vec![node("Scatter", &["x", "i", "u"], &["y"]).with("axis", 0_i64)], vec![open("y")]);
    typed::<ScatterElements>(&read(&model(9, scatter)));
    let one_hot = |version: i64, indices: &[i64]| {
        let mut graph = graph(
            vec![value("d", INT64, &[]), float("v", &[2])],
            vec![node("OneHot", &["i", "d", "v"], &["y"])],
            vec![open("y")],
        );
        graph.initializer.push(ints("i", &[indices.len() as i64], indices));
        only(&read(&model(version, graph))).1.op().kind()
    };
    assert_eq!(one_hot(9, &[0, 2]), OpKind::OneHot);
    assert_eq!(one_hot(9, &[0, -1]), OpKind::Custom);
    assert_eq!(one_hot(11, &[0, -1]), OpKind::OneHot);
}

#[test]
fn constants_of_every_form() {
    let constant = |name: &str, value: NodeProto| {
        let import = read(&model(13, graph(vec![], vec![value], vec![open("y")])));
        let graph = import.model.main_graph().unwrap();
        assert_eq!(graph.ops().count(), 0, "{name}");
        let id = import.model.main().unwrap();
        import.model.constant_of(id, named(graph, "y")).unwrap().clone()
    };
    let of = || node("Constant", &[], &["y"]);
    assert_eq!(constant("int", of().with("value_int", 5_i64)).to_ints().unwrap(), [5]);
    assert_eq!(constant("ints", of().with("value_ints", vec![5_i64, 6])).shape(), [2]);
    assert_eq!(*constant("float", of().with("value_float", 0.5_f32)).view::<f32>().unwrap(), [0.5]);
    assert_eq!(constant("floats", of().with("value_floats", vec![0.5_f32])).shape(), [1]);
    assert_eq!(constant("string", of().with("value_string", "s")).dtype(), DType::String);
    assert_eq!(constant("value", of().with("value", ints("", &[1, 1], &[7]))).shape(), [1, 1]);
}

#[test]
fn attributes_without_a_kind_or_a_value() {
    // Old writers left the kind out; proto3 writers leave a zero out.
    let mut flatten = node("Flatten", &["x"], &["y"]).with("axis", 0_i64);
    flatten.attribute[0].r#type = None;
    assert_eq!(typed::<op::Flatten>(&read(&one(9, flatten.clone(), &[2, 3]))).axis, 0);
    flatten.attribute[0].i = None;
    assert_eq!(typed::<op::Flatten>(&read(&one(9, flatten.clone(), &[2, 3]))).axis, 0);
    flatten.attribute[0].r#type = Some(2);
    assert_eq!(typed::<op::Flatten>(&read(&one(9, flatten, &[2, 3]))).axis, 0);
    let mut pool = node("MaxPool", &["x"], &["y"]).with("kernel_shape", vec![1_i64, 1]).with("auto_pad", "");
    pool.attribute[1] = attribute("auto_pad", "SAME_UPPER");
    assert_eq!(typed::<op::MaxPool>(&read(&one(9, pool, &[1, 1, 2, 2]))).auto_pad, AutoPad::SameUpper);
}

/// Every version of every operator that edgesmith knows, with every attribute that has a default written out, is typed or
/// carried; no attribute of any version is unheard of in the typed form.
#[test]
fn every_version_of_every_typed_operator_is_understood() {
    let mut seen = 0;
    for name in operators().filter(|name| OpKind::from_name(name).is_some()) {
        for schema in versions(name).iter().filter(|schema| !schema.deprecated) {
            let regions = schema.attributes.iter().any(|attribute| attribute.kind == AttributeType::Graph);
            if regions {
                continue;
            }
            let inputs: Vec<String> = (0..schema.min_inputs).map(|slot| format!("i{slot}")).collect();
            let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
            let outputs: Vec<String> = (0..schema.min_outputs.max(1)).map(|slot| format!("o{slot}")).collect();
            let outputs: Vec<&str> = outputs.iter().map(String::as_str).collect();
            let mut one = node(name, &inputs, &outputs);
            for attribute in &schema.attributes {
                one = match (&attribute.default, attribute.kind) {
                    (Some(AttributeDefault::Int(value)), _) => one.with(attribute.name, *value),
                    (Some(AttributeDefault::Float(value)), _) => one.with(attribute.name, *value),
                    (Some(AttributeDefault::String(value)), _) => one.with(attribute.name, *value),
                    (Some(AttributeDefault::Ints(value)), _) => one.with(attribute.name, value.clone()),
                    (Some(AttributeDefault::Floats(value)), _) => one.with(attribute.name, value.clone()),
                    (Some(_), _) => one,
                    (None, AttributeType::Int) => one.with(attribute.name, 1_i64),
                    (None, AttributeType::Ints) => one.with(attribute.name, vec![1_i64]),
                    (None, AttributeType::Float) => one.with(attribute.name, 1.0_f32),
                    (None, AttributeType::Floats) => one.with(attribute.name, vec![1.0_f32]),
                    (None, AttributeType::String) if attribute.required => one.with(attribute.name, "ij->ij"),
                    (None, _) => one,
                };
            }
            if name == "BitShift" {
                one.attribute = vec![attribute("direction", "LEFT")];
            }
            let opset = schema.since_version.max(7);
            let file = model(
                opset,
                graph(
                    inputs.iter().map(|name| open(name)).collect(),
                    vec![one],
                    outputs.iter().map(|n| open(n)).collect(),
                ),
            );
            // Made-up attributes may make impossible shapes; that is not what this asks.
            let options = edgesmith_frontend_onnx::ImportOptions { lenient: true, ..Default::default() };
            let bytes = edgesmith_onnx_proto::Message::encode_to_vec(&file);
            let result = edgesmith_frontend_onnx::import(bytes.into(), &edgesmith_frontend::NoExternalData, &options);
            assert!(result.is_ok(), "{name} {}: {}", schema.since_version, result.unwrap_err());
            seen += 1;
        }
    }
    assert!(seen > 450, "{seen}");
}
