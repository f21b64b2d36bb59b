//! Types of values and shapes of tensors.
//!
//! Three states must stay apart: no shape (unknown rank), a shape without dimensions (scalar), and a dimension that says
//! nothing (unknown extent).

/// The type of a value.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TypeProto {
    /// Which kind of type, and its details; absent means unknown.
    #[prost(oneof = "TypeValue", tags = "1, 4, 5, 7, 8, 9")]
    pub value: Option<TypeValue>,
    /// Standard meaning of the value, such as `IMAGE`.
    #[prost(string, tag = "6")]
    pub denotation: String,
}

/// The kinds of type.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum TypeValue {
    /// A dense tensor.
    #[prost(message, tag = "1")]
    Tensor(TensorTypeProto),
    /// A sequence.
    #[prost(message, tag = "4")]
    Sequence(SequenceTypeProto),
    /// A map.
    #[prost(message, tag = "5")]
    Map(MapTypeProto),
    /// A type that only its domain understands.
    #[prost(message, tag = "7")]
    Opaque(OpaqueTypeProto),
    /// A sparse tensor.
    #[prost(message, tag = "8")]
    SparseTensor(SparseTensorTypeProto),
    /// A value that may be missing.
    #[prost(message, tag = "9")]
    Optional(OptionalTypeProto),
}

/// Element type and shape of a dense tensor.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TensorTypeProto {
    /// Number of the [`DataType`](crate::DataType); 0 means unknown.
    #[prost(int32, tag = "1")]
    pub elem_type: i32,
    /// Shape; absent means unknown rank.
    #[prost(message, optional, tag = "2")]
    pub shape: Option<TensorShapeProto>,
}

/// Element type and shape of a sparse tensor.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SparseTensorTypeProto {
    /// Number of the [`DataType`](crate::DataType); 0 means unknown.
    #[prost(int32, tag = "1")]
    pub elem_type: i32,
    /// Shape; absent means unknown rank.
    #[prost(message, optional, tag = "2")]
    pub shape: Option<TensorShapeProto>,
}

/// Type of a sequence.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SequenceTypeProto {
    /// Type of the elements.
    #[prost(message, optional, boxed, tag = "1")]
    pub elem_type: Option<Box<TypeProto>>,
}

/// Type of an optional.
#[derive(Clone, PartialEq, prost::Message)]
pub struct OptionalTypeProto {
    /// Type of the value when there is one.
    #[prost(message, optional, boxed, tag = "1")]
    pub elem_type: Option<Box<TypeProto>>,
}

/// Type of a map.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MapTypeProto {
    /// Number of the [`DataType`](crate::DataType) of the keys.
    #[prost(int32, tag = "1")]
    pub key_type: i32,
    /// Type of the values.
    #[prost(message, optional, boxed, tag = "2")]
    pub value_type: Option<Box<TypeProto>>,
}

/// Name of a type that only its domain understands.
#[derive(Clone, PartialEq, prost::Message)]
pub struct OpaqueTypeProto {
    /// Domain; empty means `ai.onnx`.
    #[prost(string, tag = "1")]
    pub domain: String,
    /// Name within the domain.
    #[prost(string, tag = "2")]
    pub name: String,
}

/// Shape of a tensor. Without dimensions it is that of a scalar.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TensorShapeProto {
    /// Dimensions, outermost first.
    #[prost(message, repeated, tag = "1")]
    pub dim: Vec<DimensionProto>,
}

/// One dimension.
#[derive(Clone, PartialEq, prost::Message)]
pub struct DimensionProto {
    /// Extent or name; absent means unknown.
    #[prost(oneof = "DimensionValue", tags = "1, 2")]
    pub value: Option<DimensionValue>,
    /// Standard meaning of the dimension, such as `DATA_BATCH`.
    #[prost(string, tag = "3")]
    pub denotation: String,
}

/// Extent of a dimension: ONNX's `dim_value` or `dim_param`.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum DimensionValue {
    /// A known extent (`dim_value`).
    #[prost(int64, tag = "1")]
    Value(i64),
    /// A named, unknown extent (`dim_param`).
    #[prost(string, tag = "2")]
    Parameter(String),
}
