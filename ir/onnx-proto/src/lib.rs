#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod data_type;
mod decode;
mod error;
mod locate;
mod messages;
mod report;
mod scan;
pub mod schema;
mod wire;
mod wire_table;

pub use data_type::{DataType, DataTypeSet};
pub use decode::{decode_message, decode_model};
pub use error::ProtoError;
pub use messages::{
    AttributeProto, AttributeType, DataLocation, DeviceConfigurationProto, DimensionProto, DimensionValue,
    FunctionProto, GraphProto, IntIntListEntryProto, MapProto, MapTypeProto, ModelProto, NodeDeviceConfigurationProto,
    NodeProto, OpaqueTypeProto, OperatorSetIdProto, OptionalProto, OptionalTypeProto, SequenceProto, SequenceTypeProto,
    ShardedDimProto, ShardingSpecProto, SimpleShardedDimProto, SparseTensorProto, SparseTensorTypeProto,
    StringStringEntryProto, TensorAnnotation, TensorProto, TensorSegment, TensorShapeProto, TensorTypeProto,
    TrainingInfoProto, TypeProto, TypeValue, ValueInfoProto, ValueKind,
};
pub use prost::Message;
pub use report::{ScanReport, UnknownField};
pub use scan::{
    DECODED_BYTES_FREE, DECODED_BYTES_PER_BYTE, MAX_DATA_NESTING, MAX_GRAPH_NESTING, MAX_TYPE_NESTING,
    MAX_UNKNOWN_FIELDS, scan,
};
pub use wire::{WireFault, WireType};
pub use wire_table::{MessageKind, WireMessage};
