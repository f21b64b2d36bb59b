//! Values that are no single tensor, as they stand in test data files: sequences, maps and optionals.
//!
//! A model never holds these; they are roots of their own, beside [`TensorProto`].

use bytes::Bytes;

use super::{SparseTensorProto, TensorProto};

/// A sequence of values of one kind.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SequenceProto {
    /// Name of the value.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Number of the [`ValueKind`] of the elements.
    #[prost(int32, tag = "2")]
    pub elem_type: i32,
    /// Elements that are tensors.
    #[prost(message, repeated, tag = "3")]
    pub tensor_values: Vec<TensorProto>,
    /// Elements that are sparse tensors.
    #[prost(message, repeated, tag = "4")]
    pub sparse_tensor_values: Vec<SparseTensorProto>,
    /// Elements that are sequences.
    #[prost(message, repeated, tag = "5")]
    pub sequence_values: Vec<SequenceProto>,
    /// Elements that are maps.
    #[prost(message, repeated, tag = "6")]
    pub map_values: Vec<MapProto>,
    /// Elements that are optionals.
    #[prost(message, repeated, tag = "7")]
    pub optional_values: Vec<OptionalProto>,
}

/// A map: keys in one of two lists, values in a sequence of the same length.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MapProto {
    /// Name of the value.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Number of the [`DataType`](crate::DataType) of the keys.
    #[prost(int32, tag = "2")]
    pub key_type: i32,
    /// Keys of integer types.
    #[prost(int64, repeated, packed = "false", tag = "3")]
    pub keys: Vec<i64>,
    /// Keys that are strings.
    #[prost(bytes = "bytes", repeated, tag = "4")]
    pub string_keys: Vec<Bytes>,
    /// Values.
    #[prost(message, optional, tag = "5")]
    pub values: Option<SequenceProto>,
}

/// A value that may be missing. At most one field is set, so all are boxed.
#[derive(Clone, PartialEq, prost::Message)]
pub struct OptionalProto {
    /// Name of the value.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Number of the [`ValueKind`] of the value.
    #[prost(int32, tag = "2")]
    pub elem_type: i32,
    /// The value, if it is a tensor.
    #[prost(message, optional, boxed, tag = "3")]
    pub tensor_value: Option<Box<TensorProto>>,
    /// The value, if it is a sparse tensor.
    #[prost(message, optional, boxed, tag = "4")]
    pub sparse_tensor_value: Option<Box<SparseTensorProto>>,
    /// The value, if it is a sequence.
    #[prost(message, optional, boxed, tag = "5")]
    pub sequence_value: Option<Box<SequenceProto>>,
    /// The value, if it is a map.
    #[prost(message, optional, boxed, tag = "6")]
    pub map_value: Option<Box<MapProto>>,
    /// The value, if it is an optional again.
    #[prost(message, optional, boxed, tag = "7")]
    pub optional_value: Option<Box<OptionalProto>>,
}

/// What an element of a sequence or the content of an optional is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum ValueKind {
    /// Unknown, or nothing.
    Undefined = 0,
    /// A tensor.
    Tensor = 1,
    /// A sparse tensor.
    SparseTensor = 2,
    /// A sequence.
    Sequence = 3,
    /// A map.
    Map = 4,
    /// An optional.
    Optional = 5,
}

impl ValueKind {
    /// The kind with this number in the file format.
    pub const fn from_number(number: i32) -> Option<Self> {
        match number {
            0 => Some(Self::Undefined),
            1 => Some(Self::Tensor),
            2 => Some(Self::SparseTensor),
            3 => Some(Self::Sequence),
            4 => Some(Self::Map),
            5 => Some(Self::Optional),
            _ => None,
        }
    }

    /// The number in the file format.
    pub const fn number(self) -> i32 {
        self as i32
    }
}
