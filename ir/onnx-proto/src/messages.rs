//! The messages of the file format, written by hand for prost: no compiler of `.proto` files is needed to build.
//!
//! Fields bear ONNX's names. A field keeps its presence (`Option`) where absent and zero mean different things; elsewhere it
//! has its default. Repeated numbers are read packed and unpacked alike and written the way the ONNX tools write them.
//! Byte fields are slices of the buffer decoded from.
//!
//! Decode through [`decode_model`](crate::decode_model) or [`decode_message`](crate::decode_message), not through
//! [`prost::Message::decode`]: that one drops unknown fields and bounds neither nesting nor memory.
//! What the scan knows of these messages stands in `wire_table`; a test keeps the two equal.

mod attribute;
mod data;
mod device;
mod graph;
mod model;
mod tensor;
mod types;

pub use attribute::{AttributeProto, AttributeType};
pub use data::{MapProto, OptionalProto, SequenceProto, ValueKind};
pub use device::{
    DeviceConfigurationProto, IntIntListEntryProto, NodeDeviceConfigurationProto, ShardedDimProto, ShardingSpecProto,
    SimpleShardedDimProto,
};
pub use graph::{GraphProto, NodeProto, TensorAnnotation, ValueInfoProto};
pub use model::{FunctionProto, ModelProto, OperatorSetIdProto, StringStringEntryProto, TrainingInfoProto};
pub use tensor::{DataLocation, SparseTensorProto, TensorProto, TensorSegment};
pub use types::{
    DimensionProto, DimensionValue, MapTypeProto, OpaqueTypeProto, OptionalTypeProto, SequenceTypeProto,
    SparseTensorTypeProto, TensorShapeProto, TensorTypeProto, TypeProto, TypeValue,
};
