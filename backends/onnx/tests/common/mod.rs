//! Making ONNX files, reading them, writing them, and looking at what came out.
#![allow(dead_code, reason = "every test binary uses some of it")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use edgesmith_backend::{Artefact, Backend, BackendSpec, LowerCx, LowerError};
use edgesmith_backend_onnx::{OnnxBackend, Options};
use edgesmith_frontend::NoExternalData;
use edgesmith_frontend_onnx::{ImportOptions, import};
use edgesmith_ir::Model;
use edgesmith_onnx_proto::{
    AttributeProto, AttributeType, DimensionProto, DimensionValue, GraphProto, Message, ModelProto, NodeProto,
    OperatorSetIdProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, TypeValue, ValueInfoProto,
    decode_model,
};

pub fn node(operator: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
    let texts = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    NodeProto { op_type: operator.into(), input: texts(inputs), output: texts(outputs), ..NodeProto::default() }
}

/// What an attribute can be made from.
pub enum A {
    I(i64),
    F(f32),
    S(&'static str),
    Is(Vec<i64>),
    Fs(Vec<f32>),
    T(TensorProto),
    G(GraphProto),
}

pub fn attribute(name: &str, value: A) -> AttributeProto {
    let empty = AttributeProto { name: name.into(), ..AttributeProto::default() };
    let (kind, proto) = match value {
        A::I(i) => (AttributeType::Int, AttributeProto { i: Some(i), ..empty }),
        A::F(f) => (AttributeType::Float, AttributeProto { f: Some(f), ..empty }),
        A::S(s) => (AttributeType::String, AttributeProto { s: Some(s.into()), ..empty }),
        A::Is(ints) => (AttributeType::Ints, AttributeProto { ints, ..empty }),
        A::Fs(floats) => (AttributeType::Floats, AttributeProto { floats, ..empty }),
        A::T(t) => (AttributeType::Tensor, AttributeProto { t: Some(Box::new(t)), ..empty }),
        A::G(g) => (AttributeType::Graph, AttributeProto { g: Some(Box::new(g)), ..empty }),
    };
    AttributeProto { r#type: Some(kind.number()), ..proto }
}

pub fn with(mut node: NodeProto, attributes: Vec<(&str, A)>) -> NodeProto {
    node.attribute.extend(attributes.into_iter().map(|(name, value)| attribute(name, value)));
    node
}

/// A tensor type; a negative extent is a dim that is left open.
pub fn tensor_type(dtype: i32, dims: &[i64]) -> TypeProto {
    let dim = |extent: &i64| DimensionProto {
        value: (*extent >= 0).then_some(DimensionValue::Value(*extent)),
        ..DimensionProto::default()
    };
    let shape = Some(TensorShapeProto { dim: dims.iter().map(dim).collect() });
    TypeProto { value: Some(TypeValue::Tensor(TensorTypeProto { elem_type: dtype, shape })), ..TypeProto::default() }
}
pub fn value(name: &str, dtype: i32, dims: &[i64]) -> ValueInfoProto {
    ValueInfoProto { name: name.into(), r#type: Some(tensor_type(dtype, dims)), ..ValueInfoProto::default() }
}
pub fn float(name: &str, dims: &[i64]) -> ValueInfoProto {
    value(name, 1, dims)
}
/// A value of which nothing is said.
pub fn open(name: &str) -> ValueInfoProto {
    ValueInfoProto { name: name.into(), ..ValueInfoProto::default() }
}

pub fn floats(name: &str, dims: &[i64], data: &[f32]) -> TensorProto {
    let raw: Vec<u8> = data.iter().flat_map(|x| x.to_le_bytes()).collect();
    TensorProto {
        name: name.into(),
        dims: dims.to_vec(),
        data_type: Some(1),
        raw_data: Some(raw.into()),
        ..TensorProto::default()
    }
}
pub fn ints(name: &str, data: &[i64]) -> TensorProto {
    let raw: Vec<u8> = data.iter().flat_map(|x| x.to_le_bytes()).collect();
    TensorProto {
        name: name.into(),
        dims: vec![data.len() as i64],
        data_type: Some(7),
        raw_data: Some(raw.into()),
        ..TensorProto::default()
    }
}

pub fn graph(inputs: Vec<ValueInfoProto>, nodes: Vec<NodeProto>, outputs: Vec<ValueInfoProto>) -> GraphProto {
    GraphProto { name: "g".into(), input: inputs, node: nodes, output: outputs, ..GraphProto::default() }
}
pub fn file(opset: i64, graph: GraphProto) -> ModelProto {
    let opset = OperatorSetIdProto { version: opset, ..OperatorSetIdProto::default() };
    ModelProto { ir_version: Some(8), opset_import: vec![opset], graph: Some(graph), ..ModelProto::default() }
}
/// A graph with one node that reads the float `x` of these dims and makes `y`, and initializers.
pub fn one(opset: i64, dims: &[i64], node: NodeProto, initializers: Vec<TensorProto>) -> ModelProto {
    let outputs = node.output.iter().filter(|name| !name.is_empty()).map(|name| open(name)).collect();
    let mut graph = graph(vec![float("x", dims)], vec![node], outputs);
    graph.initializer = initializers;
    file(opset, graph)
}

pub fn read(file: &ModelProto) -> Model {
    import(file.encode_to_vec().into(), &NoExternalData, &ImportOptions::default()).unwrap().model
}
pub fn lower(model: &Model, options: Options) -> Result<Artefact, LowerError> {
    model.verify().unwrap();
    OnnxBackend::new(options).lower(model, &LowerCx { stem: "net" })
}
/// The main file, decoded; every field of it must be known.
pub fn decoded(artefact: &Artefact) -> ModelProto {
    let files = artefact.to_memory("net.onnx").unwrap();
    let (model, report) = decode_model(files.last().unwrap().1.clone().into()).unwrap();
    assert_eq!(report.unknown_total, 0);
    model
}
pub fn write(model: &Model) -> ModelProto {
    decoded(&lower(model, Options::default()).unwrap())
}
pub fn write_at(model: &Model, opset: i64) -> ModelProto {
    decoded(&lower(model, Options { opset: Some(opset), ..Options::default() }).unwrap())
}
pub fn main_graph(model: &ModelProto) -> &GraphProto {
    model.graph.as_ref().unwrap()
}
pub fn opset_of(model: &ModelProto) -> i64 {
    model.opset_import.iter().find(|set| set.domain.is_empty()).unwrap().version
}
pub fn operators(graph: &GraphProto) -> Vec<&str> {
    graph.node.iter().map(|node| node.op_type.as_str()).collect()
}
pub fn subgraph<'g>(node: &'g NodeProto, name: &str) -> &'g GraphProto {
    node.attribute.iter().find(|attribute| attribute.name == name).unwrap().g.as_ref().unwrap()
}
/// The int64 elements of the initializer with this name.
pub fn initializer_ints(graph: &GraphProto, name: &str) -> Vec<i64> {
    let raw = graph.initializer.iter().find(|tensor| tensor.name == name).unwrap().raw_data.clone().unwrap();
    raw.chunks(8).map(|bytes| i64::from_le_bytes(bytes.try_into().unwrap())).collect()
}
