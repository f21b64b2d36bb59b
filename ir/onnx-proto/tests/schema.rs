//! Look-ups in the operator schemas, on operators whose history has a trap.

#![allow(clippy::unwrap_used, reason = "the lint spares test functions but not their helpers")]

use edgesmith_onnx_proto::schema::{
    AttributeDefault, FormalKind, Schema, first_appearance, latest, operators, schema, versions,
};
use edgesmith_onnx_proto::{AttributeType, DataType};

fn at(op_type: &str, opset: i64) -> &'static Schema {
    schema(op_type, opset).unwrap()
}

#[test]
fn the_version_in_force_is_found() {
    assert_eq!(at("Softmax", 12).since_version, 11);
    assert_eq!(at("Softmax", 13).since_version, 13);
    assert_eq!(at("Softmax", 12).attribute("axis").unwrap().default, Some(AttributeDefault::Int(1)));
    assert_eq!(at("Softmax", 13).attribute("axis").unwrap().default, Some(AttributeDefault::Int(-1)));
    assert_eq!(at("Concat", 7).since_version, 4);
    assert_eq!(at("Relu", 999).since_version, 14);
    assert_eq!(schema("NoSuchOperator", 20), None);
    assert_eq!(schema("Gelu", 19), None);
    assert_eq!(schema("Relu", 0), None);
}

#[test]
fn deprecation_is_said() {
    assert!(!at("Upsample", 9).deprecated);
    assert!(at("Upsample", 10).deprecated && at("Upsample", 28).deprecated);
    assert!(!at("Scatter", 10).deprecated);
    assert!(at("Scatter", 11).deprecated);
    assert!(at("GroupNormalization", 18).deprecated && at("GroupNormalization", 20).deprecated);
    assert!(!at("GroupNormalization", 21).deprecated);
}

#[test]
fn numbers_of_arguments_are_right() {
    let arity = |op_type, opset| {
        let schema = at(op_type, opset);
        (schema.min_inputs, schema.max_inputs, schema.min_outputs, schema.max_outputs)
    };
    assert_eq!(arity("Conv", 11), (2, Some(3), 1, Some(1)));
    assert_eq!(arity("Loop", 10), (3, None, 1, None));
    assert_eq!(arity("Loop", 11), (2, None, 1, None));
    assert_eq!(arity("Sum", 8), (1, None, 1, Some(1)));
    assert_eq!(arity("Constant", 13), (0, Some(0), 1, Some(1)));
    assert_eq!(arity("Split", 13), (1, Some(2), 1, None));
}

#[test]
fn formals_say_kind_and_type() {
    let clip = at("Clip", 11);
    assert_eq!(clip.inputs.iter().map(|formal| formal.name).collect::<Vec<_>>(), ["input", "min", "max"]);
    assert_eq!(clip.input(1).unwrap().kind, FormalKind::Optional);
    assert_eq!(clip.input(2).unwrap().type_variable, Some("T"));
    assert_eq!(clip.input(3), None);

    let concat = at("Concat", 13);
    let last = concat.input(500).unwrap();
    assert_eq!((last.kind, last.homogeneous), (FormalKind::Variadic, true));
    assert!(!at("If", 13).output(0).unwrap().homogeneous);

    let axes = at("Unsqueeze", 13).input(1).unwrap();
    assert_eq!((axes.type_variable, axes.types.tensors.len()), (None, 1));
    assert!(axes.types.allows_tensor(DataType::Int64));
}

#[test]
fn types_follow_the_version() {
    assert!(!at("Add", 12).input_allows(1, DataType::Bfloat16));
    assert!(at("Add", 13).input_allows(1, DataType::Bfloat16));
    assert!(!at("Add", 13).input_allows(1, DataType::Int8));
    assert!(at("Add", 14).output_allows(0, DataType::Int8));
    assert!(!at("Add", 14).input_allows(2, DataType::Float));
    assert!(at("Cast", 28).input_allows(0, DataType::Float6E2m3));
    assert!(!at("Cast", 25).input_allows(0, DataType::Float6E2m3));
    assert!(at("Cast", 25).input_allows(0, DataType::Int2));
    assert!(at("QuantizeLinear", 21).output_allows(0, DataType::Int4));
    assert!(!at("QuantizeLinear", 19).output_allows(0, DataType::Int4));
    assert!(at("QuantizeLinear", 19).output_allows(0, DataType::Float8E4m3fn));

    let sequence = at("SequenceAt", 11).input(0).unwrap();
    assert!(sequence.types.sequences.contains(DataType::Float) && sequence.types.tensors.is_empty());
    let optional = at("Optional", 15).output(0).unwrap().types;
    assert!(optional.optionals.contains(DataType::Bool) && optional.optional_sequences.contains(DataType::String));
    assert!(optional.allows_more_than_tensors() && !at("Add", 14).inputs[0].types.allows_more_than_tensors());
    assert!(at("Cast", 28).inputs[0].types.contains_all(&at("Cast", 13).inputs[0].types));
}

#[test]
fn attributes_say_type_and_default() {
    let attribute = |op_type, opset, name| at(op_type, opset).attribute(name).unwrap();
    let scales = attribute("Upsample", 7, "scales");
    assert_eq!((scales.kind, scales.required, &scales.default), (AttributeType::Floats, true, &None));
    assert_eq!(attribute("Clip", 6, "max").default, Some(AttributeDefault::Float(f32::MAX)));
    assert_eq!(attribute("BatchNormalization", 15, "epsilon").default, Some(AttributeDefault::Float(1e-5)));
    assert_eq!(attribute("Conv", 22, "auto_pad").default, Some(AttributeDefault::String("NOTSET")));
    assert_eq!(attribute("Conv", 22, "pads").default, None);
    assert_eq!(attribute("RNN", 14, "activations").default, Some(AttributeDefault::Strings(vec!["Tanh", "Tanh"])));
    let axes = attribute("MeanVarianceNormalization", 13, "axes");
    assert_eq!(axes.default, Some(AttributeDefault::Ints(vec![0, 2, 3])));
    assert_eq!(attribute("Optional", 15, "type").kind, AttributeType::TypeProto);
    assert_eq!(at("Clip", 11).attribute("max"), None);
}

#[test]
fn histories_are_listed() {
    assert_eq!(latest(), 28);
    assert_eq!(versions("Add").iter().map(|schema| schema.since_version).collect::<Vec<_>>(), [7, 13, 14]);
    assert!(versions("NoSuchOperator").is_empty());
    assert_eq!(first_appearance("Gelu"), Some(20));
    assert_eq!(first_appearance("SwiGLU"), Some(28));
    assert!(first_appearance("Conv").is_some_and(|opset| opset <= 7));
    assert_eq!(first_appearance("NoSuchOperator"), None);
    assert_eq!(operators().count(), 203);
    assert!(operators().is_sorted());
}
