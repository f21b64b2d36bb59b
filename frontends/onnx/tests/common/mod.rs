//! Making ONNX files by hand.
#![allow(dead_code, reason = "every test binary uses some of it")]

use edgesmith_frontend::NoExternalData;
use edgesmith_frontend_onnx::{Import, ImportError, ImportOptions, import};
use edgesmith_ir::op::{CustomOp, Op, OpKind, Operator};
use edgesmith_ir::{Attribute, Graph, OpData, Tensor, ValueId};
use edgesmith_onnx_proto::{
    AttributeProto, AttributeType, DimensionProto, DimensionValue, GraphProto, Message, ModelProto, NodeProto,
    OperatorSetIdProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, TypeValue, ValueInfoProto,
};

pub const FLOAT: i32 = 1;
pub const INT64: i32 = 7;
pub const BOOL: i32 = 9;
pub const F16: i32 = 10;
pub const DOUBLE: i32 = 11;

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

/// A node, called like its first output with `n_` before it.
pub fn node(operator: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
    NodeProto {
        op_type: operator.into(),
        input: strings(inputs),
        output: strings(outputs),
        name: format!("n_{}", outputs.first().unwrap_or(&"")),
        ..NodeProto::default()
    }
}

pub trait With: Sized {
    fn with(self, name: &str, value: impl IntoAttribute) -> Self;
    fn domain(self, domain: &str) -> Self;
}
impl With for NodeProto {
    fn with(mut self, name: &str, value: impl IntoAttribute) -> Self {
        self.attribute.push(attribute(name, value));
        self
    }
    fn domain(mut self, domain: &str) -> Self {
        self.domain = domain.into();
        self
    }
}

pub fn attribute(name: &str, value: impl IntoAttribute) -> AttributeProto {
    let (kind, value) = value.into_attribute();
    AttributeProto { name: name.into(), r#type: Some(kind.number()), ..value }
}

/// What an attribute can hold.
pub trait IntoAttribute {
    fn into_attribute(self) -> (AttributeType, AttributeProto);
}
macro_rules! attributes {
    ($($t:ty: $kind:ident, $self:ident => $value:expr;)*) => {
        $(impl IntoAttribute for $t {
            fn into_attribute($self) -> (AttributeType, AttributeProto) { (AttributeType::$kind, $value) }
        })*
    };
}
attributes! {
    i64: Int, self => AttributeProto { i: Some(self), ..AttributeProto::default() };
    f32: Float, self => AttributeProto { f: Some(self), ..AttributeProto::default() };
    &str: String, self => AttributeProto { s: Some(self.to_owned().into()), ..AttributeProto::default() };
    Vec<i64>: Ints, self => AttributeProto { ints: self, ..AttributeProto::default() };
    Vec<f32>: Floats, self => AttributeProto { floats: self, ..AttributeProto::default() };
    TensorProto: Tensor, self => AttributeProto { t: Some(Box::new(self)), ..AttributeProto::default() };
    GraphProto: Graph, self => AttributeProto { g: Some(Box::new(self)), ..AttributeProto::default() };
}

/// A dim: a number, a symbol, or nothing.
#[derive(Clone)]
pub enum D {
    N(i64),
    S(&'static str),
    Open,
}
impl From<i64> for D {
    fn from(n: i64) -> Self {
        D::N(n)
    }
}
impl From<&'static str> for D {
    fn from(s: &'static str) -> Self {
        if s.is_empty() { D::Open } else { D::S(s) }
    }
}

pub fn ty(dtype: i32, dims: &[D]) -> TypeProto {
    let dim = dims
        .iter()
        .map(|dim| DimensionProto {
            value: match dim {
                D::N(n) => Some(DimensionValue::Value(*n)),
                D::S(s) => Some(DimensionValue::Parameter((*s).into())),
                D::Open => None,
            },
            ..DimensionProto::default()
        })
        .collect();
    let tensor = TensorTypeProto { elem_type: dtype, shape: Some(TensorShapeProto { dim }) };
    TypeProto { value: Some(TypeValue::Tensor(tensor)), ..TypeProto::default() }
}

/// A typed value.
pub fn value(name: &str, dtype: i32, dims: &[D]) -> ValueInfoProto {
    ValueInfoProto { name: name.into(), r#type: Some(ty(dtype, dims)), ..ValueInfoProto::default() }
}
/// A value without a type.
pub fn open(name: &str) -> ValueInfoProto {
    ValueInfoProto { name: name.into(), ..ValueInfoProto::default() }
}
/// Numbers as dims.
pub fn dims(dims: &[i64]) -> Vec<D> {
    dims.iter().map(|n| D::N(*n)).collect()
}
/// A float value with known dims.
pub fn float(name: &str, extents: &[i64]) -> ValueInfoProto {
    value(name, FLOAT, &dims(extents))
}

pub fn floats(name: &str, extents: &[i64], data: &[f32]) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: extents.to_vec(),
        data_type: Some(FLOAT),
        float_data: data.to_vec(),
        ..TensorProto::default()
    }
}
pub fn ints(name: &str, extents: &[i64], data: &[i64]) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: extents.to_vec(),
        data_type: Some(INT64),
        int64_data: data.to_vec(),
        ..TensorProto::default()
    }
}

pub fn graph(inputs: Vec<ValueInfoProto>, nodes: Vec<NodeProto>, outputs: Vec<ValueInfoProto>) -> GraphProto {
    GraphProto { name: "g".into(), node: nodes, input: inputs, output: outputs, ..GraphProto::default() }
}
/// A branch without inputs.
pub fn branch(nodes: Vec<NodeProto>, output: &str) -> GraphProto {
    graph(vec![], nodes, vec![open(output)])
}

pub fn opset(domain: &str, version: i64) -> OperatorSetIdProto {
    OperatorSetIdProto { domain: domain.into(), version }
}
pub fn model(version: i64, graph: GraphProto) -> ModelProto {
    ModelProto {
        ir_version: Some(8),
        opset_import: vec![opset("", version)],
        graph: Some(graph),
        ..ModelProto::default()
    }
}
/// A model of one node from `x`, a float of these dims, to `y`.
pub fn one(version: i64, node: NodeProto, extents: &[i64]) -> ModelProto {
    let outputs = node.output.iter().filter(|output| !output.is_empty()).map(|output| open(output)).collect();
    model(version, graph(vec![float("x", extents)], vec![node], outputs))
}

pub fn try_read(model: &ModelProto) -> Result<Import, ImportError> {
    import(model.encode_to_vec().into(), &NoExternalData, &ImportOptions::default())
}
pub fn read(model: &ModelProto) -> Import {
    let import = try_read(model).unwrap();
    import.model.verify().unwrap();
    import
}
/// The error, which must be short.
pub fn refuse(model: &ModelProto) -> String {
    let error = try_read(model).unwrap_err().to_string();
    assert!(error.lines().count() <= 8 && error.len() < 1500, "{error}");
    error
}
pub fn codes(import: &Import) -> Vec<&'static str> {
    import.diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}

/// The only operator of the main graph.
pub fn only(import: &Import) -> (&Graph, &OpData) {
    let graph = import.model.main_graph().unwrap();
    let mut ops = graph.ops();
    let (_, data) = ops.next().unwrap();
    assert!(ops.next().is_none());
    (graph, data)
}
pub fn typed<K: Operator>(import: &Import) -> &K {
    let (_, data) = only(import);
    data.op().cast::<K>().unwrap_or_else(|| panic!("it is {:?}", data.op()))
}
pub fn carried(import: &Import) -> &CustomOp {
    match only(import).1.op() {
        Op::Custom(op) => op,
        other => panic!("it is {other:?}"),
    }
}
/// The constant that an operand of the only operator is.
pub fn operand(import: &Import, slot: usize) -> Option<&Tensor> {
    let (_, data) = only(import);
    let id = import.model.main().unwrap();
    import.model.constant_of(id, data.operand(slot)?)
}
pub fn kinds(graph: &Graph) -> Vec<OpKind> {
    graph.ops().map(|(_, data)| data.op().kind()).collect()
}
pub fn named(graph: &Graph, name: &str) -> ValueId {
    graph.value_by_name(name).unwrap_or_else(|| panic!("no value {name}"))
}
pub fn attr<'a>(op: &'a CustomOp, name: &str) -> Option<&'a Attribute> {
    op.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value)
}
