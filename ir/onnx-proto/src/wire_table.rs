//! What the scan knows about the messages: for each field number the name, how often it may stand, and what it holds.
//!
//! This is the one description that [`scan`](crate::scan) and the paths in its reports work from. The prost structs in
//! `messages` are the other description of the same format; `tests/round_trip.rs` fails when the two differ.

use crate::messages::{
    AttributeProto, DeviceConfigurationProto, DimensionProto, FunctionProto, GraphProto, IntIntListEntryProto,
    MapProto, MapTypeProto, ModelProto, NodeDeviceConfigurationProto, NodeProto, OpaqueTypeProto, OperatorSetIdProto,
    OptionalProto, OptionalTypeProto, SequenceProto, SequenceTypeProto, ShardedDimProto, ShardingSpecProto,
    SimpleShardedDimProto, SparseTensorProto, SparseTensorTypeProto, StringStringEntryProto, TensorAnnotation,
    TensorProto, TensorSegment, TensorShapeProto, TensorTypeProto, TrainingInfoProto, TypeProto, ValueInfoProto,
};

/// One more than the highest field number of any message.
pub(crate) const FIELD_NUMBERS: usize = 27;

/// A field that a message kind knows.
#[derive(Debug)]
pub struct Field {
    /// Number on the wire.
    pub number: u32,
    /// Name in ONNX.
    pub name: &'static str,
    /// How often it may stand, and where the decoded value lies.
    pub count: Count,
    /// What it holds.
    pub value: FieldValue,
}

/// How often a field may stand in its message, and where its decoded value lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Once, within the struct of the message.
    One,
    /// Once, on the heap.
    Boxed,
    /// Any number of times, in a list.
    Many,
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldValue {
    /// A varint that is decoded into 4 bytes.
    Varint32,
    /// A varint that is decoded into 8 bytes.
    Varint64,
    /// 4 bytes.
    Fixed32,
    /// 8 bytes.
    Fixed64,
    /// A string in UTF-8, which decoding copies.
    Text,
    /// Bytes, which decoding only refers to.
    Bytes,
    /// A message.
    Message(MessageKind),
}

/// Recursion that is bounded by a limit of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nesting {
    /// A graph in an attribute of a node of a graph.
    Graph,
    /// A type within a type.
    Type,
    /// A sequence, map or optional within another.
    Data,
}

/// Everything that is known about one kind of message.
#[derive(Debug)]
pub struct Layout {
    /// Name in ONNX.
    pub name: &'static str,
    /// Size of the decoded struct.
    pub decoded_size: u64,
    /// Which recursion the message takes part in.
    pub nesting: Option<Nesting>,
    /// The fields in order of their numbers.
    pub fields: &'static [Field],
    by_number: [Option<&'static Field>; FIELD_NUMBERS],
}

impl Layout {
    /// The field with this number.
    pub fn field(&self, number: u32) -> Option<&'static Field> {
        self.by_number.get(number as usize).copied().flatten()
    }
}

/// Orders the fields by their numbers. A number above the bound stops the build.
const fn index_by_number(fields: &'static [Field]) -> [Option<&'static Field>; FIELD_NUMBERS] {
    let mut by_number = [None; FIELD_NUMBERS];
    let mut index = 0;
    while index < fields.len() {
        by_number[fields[index].number as usize] = Some(&fields[index]);
        index += 1;
    }
    by_number
}

mod sealed {
    /// Keeps [`WireMessage`](super::WireMessage) to the messages of this crate, which the table describes.
    pub trait Sealed {}
}

/// A message of this crate: what [`decode_message`](crate::decode_message) can decode.
pub trait WireMessage: prost::Message + Default + sealed::Sealed {
    /// The kind of the message.
    const KIND: MessageKind;
}

/// Makes the kinds and their layouts out of the table below.
macro_rules! wire_table {
    (@nesting) => { None };
    (@nesting $nesting:ident) => { Some(Nesting::$nesting) };
    ($(
        $kind:ident = $message:ident $(nests $nesting:ident)? {
            $($number:literal $field:ident: $count:ident $value:ident $(($inner:ident))?,)*
        }
    )*) => {
        /// The kinds of message.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum MessageKind {
            $(
                #[doc = concat!("[`", stringify!($message), "`](crate::", stringify!($message), ").")]
                $kind,
            )*
        }

        impl MessageKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// What is known about the kind.
            pub(crate) fn layout(self) -> &'static Layout {
                match self {
                    $(Self::$kind => {
                        const FIELDS: &[Field] = &[$(Field {
                            number: $number,
                            name: stringify!($field),
                            count: Count::$count,
                            value: FieldValue::$value $((MessageKind::$inner))?,
                        }),*];
                        static LAYOUT: Layout = Layout {
                            name: stringify!($message),
                            decoded_size: size_of::<$message>() as u64,
                            nesting: wire_table!(@nesting $($nesting)?),
                            fields: FIELDS,
                            by_number: index_by_number(FIELDS),
                        };
                        &LAYOUT
                    })*
                }
            }
        }

        $(
            impl sealed::Sealed for $message {}

            impl WireMessage for $message {
                const KIND: MessageKind = MessageKind::$kind;
            }
        )*
    };
}

impl MessageKind {
    /// The name of the message in ONNX.
    pub fn name(self) -> &'static str {
        self.layout().name
    }

    /// The numbers and names of the fields that are known, by number.
    pub fn fields(self) -> impl Iterator<Item = (u32, &'static str)> {
        self.layout().fields.iter().map(|field| (field.number, field.name))
    }
}

wire_table! {
    Model = ModelProto {
        1 ir_version: One Varint64,
        2 producer_name: One Text,
        3 producer_version: One Text,
        4 domain: One Text,
        5 model_version: One Varint64,
        6 doc_string: One Text,
        7 graph: One Message(Graph),
        8 opset_import: Many Message(OperatorSetId),
        14 metadata_props: Many Message(StringStringEntry),
        20 training_info: Many Message(TrainingInfo),
        25 functions: Many Message(Function),
        26 configuration: Many Message(DeviceConfiguration),
    }

    OperatorSetId = OperatorSetIdProto {
        1 domain: One Text,
        2 version: One Varint64,
    }

    Function = FunctionProto {
        1 name: One Text,
        4 input: Many Text,
        5 output: Many Text,
        6 attribute: Many Text,
        7 node: Many Message(Node),
        8 doc_string: One Text,
        9 opset_import: Many Message(OperatorSetId),
        10 domain: One Text,
        11 attribute_proto: Many Message(Attribute),
        12 value_info: Many Message(ValueInfo),
        13 overload: One Text,
        14 metadata_props: Many Message(StringStringEntry),
    }

    TrainingInfo = TrainingInfoProto {
        1 initialization: One Message(Graph),
        2 algorithm: One Message(Graph),
        3 initialization_binding: Many Message(StringStringEntry),
        4 update_binding: Many Message(StringStringEntry),
    }

    StringStringEntry = StringStringEntryProto {
        1 key: One Text,
        2 value: One Text,
    }

    Graph = GraphProto nests Graph {
        1 node: Many Message(Node),
        2 name: One Text,
        5 initializer: Many Message(Tensor),
        10 doc_string: One Text,
        11 input: Many Message(ValueInfo),
        12 output: Many Message(ValueInfo),
        13 value_info: Many Message(ValueInfo),
        14 quantization_annotation: Many Message(Annotation),
        15 sparse_initializer: Many Message(SparseTensor),
        16 metadata_props: Many Message(StringStringEntry),
    }

    Node = NodeProto {
        1 input: Many Text,
        2 output: Many Text,
        3 name: One Text,
        4 op_type: One Text,
        5 attribute: Many Message(Attribute),
        6 doc_string: One Text,
        7 domain: One Text,
        8 overload: One Text,
        9 metadata_props: Many Message(StringStringEntry),
        10 device_configurations: Many Message(NodeDeviceConfiguration),
    }

    ValueInfo = ValueInfoProto {
        1 name: One Text,
        2 type: One Message(Type),
        3 doc_string: One Text,
        4 metadata_props: Many Message(StringStringEntry),
    }

    Annotation = TensorAnnotation {
        1 tensor_name: One Text,
        2 quant_parameter_tensor_names: Many Message(StringStringEntry),
    }

    Attribute = AttributeProto {
        1 name: One Text,
        2 f: One Fixed32,
        3 i: One Varint64,
        4 s: One Bytes,
        5 t: Boxed Message(Tensor),
        6 g: Boxed Message(Graph),
        7 floats: Many Fixed32,
        8 ints: Many Varint64,
        9 strings: Many Bytes,
        10 tensors: Many Message(Tensor),
        11 graphs: Many Message(Graph),
        13 doc_string: One Text,
        14 tp: Boxed Message(Type),
        15 type_protos: Many Message(Type),
        20 type: One Varint32,
        21 ref_attr_name: One Text,
        22 sparse_tensor: Boxed Message(SparseTensor),
        23 sparse_tensors: Many Message(SparseTensor),
    }

    Tensor = TensorProto {
        1 dims: Many Varint64,
        2 data_type: One Varint32,
        3 segment: One Message(TensorSegment),
        4 float_data: Many Fixed32,
        5 int32_data: Many Varint32,
        6 string_data: Many Bytes,
        7 int64_data: Many Varint64,
        8 name: One Text,
        9 raw_data: One Bytes,
        10 double_data: Many Fixed64,
        11 uint64_data: Many Varint64,
        12 doc_string: One Text,
        13 external_data: Many Message(StringStringEntry),
        14 data_location: One Varint32,
        16 metadata_props: Many Message(StringStringEntry),
    }

    TensorSegment = TensorSegment {
        1 begin: One Varint64,
        2 end: One Varint64,
    }

    SparseTensor = SparseTensorProto {
        1 values: One Message(Tensor),
        2 indices: One Message(Tensor),
        3 dims: Many Varint64,
    }

    Type = TypeProto nests Type {
        1 tensor_type: One Message(TensorType),
        4 sequence_type: One Message(SequenceType),
        5 map_type: One Message(MapType),
        6 denotation: One Text,
        7 opaque_type: One Message(OpaqueType),
        8 sparse_tensor_type: One Message(SparseTensorType),
        9 optional_type: One Message(OptionalType),
    }

    TensorType = TensorTypeProto {
        1 elem_type: One Varint32,
        2 shape: One Message(TensorShape),
    }

    SparseTensorType = SparseTensorTypeProto {
        1 elem_type: One Varint32,
        2 shape: One Message(TensorShape),
    }

    SequenceType = SequenceTypeProto {
        1 elem_type: Boxed Message(Type),
    }

    OptionalType = OptionalTypeProto {
        1 elem_type: Boxed Message(Type),
    }

    MapType = MapTypeProto {
        1 key_type: One Varint32,
        2 value_type: Boxed Message(Type),
    }

    OpaqueType = OpaqueTypeProto {
        1 domain: One Text,
        2 name: One Text,
    }

    TensorShape = TensorShapeProto {
        1 dim: Many Message(Dimension),
    }

    Dimension = DimensionProto {
        1 dim_value: One Varint64,
        2 dim_param: One Text,
        3 denotation: One Text,
    }

    DeviceConfiguration = DeviceConfigurationProto {
        1 name: One Text,
        2 num_devices: One Varint32,
        3 device: Many Text,
    }

    NodeDeviceConfiguration = NodeDeviceConfigurationProto {
        1 configuration_id: One Text,
        2 sharding_spec: Many Message(ShardingSpec),
        3 pipeline_stage: One Varint32,
    }

    ShardingSpec = ShardingSpecProto {
        1 tensor_name: One Text,
        2 device: Many Varint64,
        3 index_to_device_group_map: Many Message(IntIntListEntry),
        4 sharded_dim: Many Message(ShardedDim),
    }

    IntIntListEntry = IntIntListEntryProto {
        1 key: One Varint64,
        2 value: Many Varint64,
    }

    ShardedDim = ShardedDimProto {
        1 axis: One Varint64,
        2 simple_sharding: Many Message(SimpleShardedDim),
    }

    SimpleShardedDim = SimpleShardedDimProto {
        1 dim_value: One Varint64,
        2 dim_param: One Text,
        3 num_shards: One Varint64,
    }

    Sequence = SequenceProto nests Data {
        1 name: One Text,
        2 elem_type: One Varint32,
        3 tensor_values: Many Message(Tensor),
        4 sparse_tensor_values: Many Message(SparseTensor),
        5 sequence_values: Many Message(Sequence),
        6 map_values: Many Message(Map),
        7 optional_values: Many Message(Optional),
    }

    Map = MapProto nests Data {
        1 name: One Text,
        2 key_type: One Varint32,
        3 keys: Many Varint64,
        4 string_keys: Many Bytes,
        5 values: One Message(Sequence),
    }

    Optional = OptionalProto nests Data {
        1 name: One Text,
        2 elem_type: One Varint32,
        3 tensor_value: Boxed Message(Tensor),
        4 sparse_tensor_value: Boxed Message(SparseTensor),
        5 sequence_value: Boxed Message(Sequence),
        6 map_value: Boxed Message(Map),
        7 optional_value: Boxed Message(Optional),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Walks down through messages without a limit on nesting; a way back to one on the path would be unbounded recursion.
    fn descend(kind: MessageKind, path: &mut Vec<MessageKind>) {
        assert!(!path.contains(&kind), "{path:?} leads back to {kind:?} and nothing bounds it");
        path.push(kind);
        for field in kind.layout().fields {
            if let FieldValue::Message(inner) = field.value
                && inner.layout().nesting.is_none()
            {
                descend(inner, path);
            }
        }
        path.pop();
    }

    #[test]
    fn every_recursion_is_bounded() {
        for kind in MessageKind::ALL {
            descend(*kind, &mut Vec::new());
        }
    }

    #[test]
    fn lists_grow_as_the_scan_assumes() {
        for field in MessageKind::ALL.iter().flat_map(|kind| kind.layout().fields) {
            if let (Count::Many, FieldValue::Message(inner)) = (field.count, field.value) {
                assert!(inner.layout().decoded_size <= 1024, "the scan's `list_room` does not hold for {inner:?}");
            }
        }
    }

    #[test]
    fn fields_are_found_by_number() {
        for kind in MessageKind::ALL {
            let layout = kind.layout();
            assert!(layout.fields.is_sorted_by_key(|field| field.number), "{kind:?}");
            for field in layout.fields {
                assert_eq!(layout.field(field.number).map(|found| found.name), Some(field.name));
            }
            assert!(layout.field(0).is_none() && layout.field(12_345).is_none());
        }
        assert_eq!(MessageKind::Attribute.name(), "AttributeProto");
        assert!(MessageKind::ValueInfo.fields().any(|field| field == (2, "type")));
    }
}
