//! Tensors: dense with inline or external data, and sparse.
//!
//! Nothing here interprets the data; how elements of each data type are laid out is the frontend's and the IR's business.

use bytes::Bytes;

use super::StringStringEntryProto;

/// A dense tensor.
///
/// At most one of the data fields is used. `raw_data` keeps its presence, because an empty one is a legal way to write a
/// tensor without elements. It and `string_data` are slices of the buffer that the message was decoded from.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TensorProto {
    /// Shape; empty for a scalar.
    #[prost(int64, repeated, packed = "false", tag = "1")]
    pub dims: Vec<i64>,
    /// Number of the [`DataType`](crate::DataType).
    #[prost(int32, optional, tag = "2")]
    pub data_type: Option<i32>,
    /// Marks the tensor as one part of a larger one; nobody supports it.
    #[prost(message, optional, tag = "3")]
    pub segment: Option<TensorSegment>,
    /// Elements of `float` and, in pairs, `complex64`.
    #[prost(float, repeated, tag = "4")]
    pub float_data: Vec<f32>,
    /// Elements of integers of up to 32 bits, `bool`, and the bits of the small floats.
    #[prost(int32, repeated, tag = "5")]
    pub int32_data: Vec<i32>,
    /// Elements of `string`.
    #[prost(bytes = "bytes", repeated, tag = "6")]
    pub string_data: Vec<Bytes>,
    /// Elements of `int64`.
    #[prost(int64, repeated, tag = "7")]
    pub int64_data: Vec<i64>,
    /// Name of the tensor.
    #[prost(string, tag = "8")]
    pub name: String,
    /// Elements of any fixed-width type, little-endian, without padding.
    #[prost(bytes = "bytes", optional, tag = "9")]
    pub raw_data: Option<Bytes>,
    /// Elements of `double` and, in pairs, `complex128`.
    #[prost(double, repeated, tag = "10")]
    pub double_data: Vec<f64>,
    /// Elements of `uint32` and `uint64`.
    #[prost(uint64, repeated, tag = "11")]
    pub uint64_data: Vec<u64>,
    /// Description for people.
    #[prost(string, tag = "12")]
    pub doc_string: String,
    /// Where external data lie: `location`, `offset`, `length`, `checksum`.
    #[prost(message, repeated, tag = "13")]
    pub external_data: Vec<StringStringEntryProto>,
    /// Number of the [`DataLocation`]; absent means in this message.
    #[prost(int32, optional, tag = "14")]
    pub data_location: Option<i32>,
    /// Free metadata.
    #[prost(message, repeated, tag = "16")]
    pub metadata_props: Vec<StringStringEntryProto>,
}

/// Position of one part within a larger tensor.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct TensorSegment {
    /// First element of the part.
    #[prost(int64, optional, tag = "1")]
    pub begin: Option<i64>,
    /// One past its last element.
    #[prost(int64, optional, tag = "2")]
    pub end: Option<i64>,
}

/// A sparse tensor in coordinate form. Its name is that of `values`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SparseTensorProto {
    /// The non-zero values, of rank 1.
    #[prost(message, optional, tag = "1")]
    pub values: Option<TensorProto>,
    /// Their positions: linear, or one row of coordinates a value.
    #[prost(message, optional, tag = "2")]
    pub indices: Option<TensorProto>,
    /// Shape of the dense tensor.
    #[prost(int64, repeated, packed = "false", tag = "3")]
    pub dims: Vec<i64>,
}

/// Where the data of a tensor lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum DataLocation {
    /// In the message.
    Default = 0,
    /// In another file, as `external_data` says.
    External = 1,
}

impl DataLocation {
    /// The location with this number in the file format.
    pub const fn from_number(number: i32) -> Option<Self> {
        match number {
            0 => Some(Self::Default),
            1 => Some(Self::External),
            _ => None,
        }
    }

    /// The number in the file format.
    pub const fn number(self) -> i32 {
        self as i32
    }
}
