//! Messages with every field set, shared by the tests. Struct literals without `..` make the compiler ask for new fields.

#![allow(dead_code, reason = "each test binary uses a part")]

use bytes::Bytes;
use edgesmith_onnx_proto::*;

pub fn entry(key: &str) -> StringStringEntryProto {
    StringStringEntryProto { key: key.into(), value: format!("value of {key}") }
}

pub fn full_segment() -> TensorSegment {
    TensorSegment { begin: Some(0), end: Some(9) }
}

pub fn full_tensor(name: &str) -> TensorProto {
    TensorProto {
        dims: vec![2, 3, -1],
        data_type: Some(DataType::Float.number()),
        segment: Some(full_segment()),
        float_data: vec![1.5, -2.25],
        int32_data: vec![-7, 8, i32::MAX],
        string_data: vec![Bytes::from_static(b"\xff\x00"), Bytes::new()],
        int64_data: vec![i64::MIN, 0, 300],
        name: name.into(),
        raw_data: Some(Bytes::from_static(&[1, 2, 3, 4, 5, 6, 7, 8])),
        double_data: vec![0.1, f64::MAX],
        uint64_data: vec![u64::MAX, 1],
        doc_string: "a tensor".into(),
        external_data: vec![entry("location"), entry("offset")],
        data_location: Some(DataLocation::External.number()),
        metadata_props: vec![entry("tensor")],
    }
}

pub fn full_sparse_tensor(name: &str) -> SparseTensorProto {
    SparseTensorProto { values: Some(full_tensor(name)), indices: Some(full_tensor("indices")), dims: vec![10, 20] }
}

pub fn full_shape() -> TensorShapeProto {
    TensorShapeProto {
        dim: vec![full_dimension(DimensionValue::Value(-1)), full_dimension(DimensionValue::Parameter("N".into()))],
    }
}

pub fn full_dimension(value: DimensionValue) -> DimensionProto {
    DimensionProto { value: Some(value), denotation: "DATA_BATCH".into() }
}

pub fn full_type(value: TypeValue) -> TypeProto {
    TypeProto { value: Some(value), denotation: "IMAGE".into() }
}

pub fn full_tensor_type() -> TensorTypeProto {
    TensorTypeProto { elem_type: 1, shape: Some(full_shape()) }
}

pub fn full_sparse_tensor_type() -> SparseTensorTypeProto {
    SparseTensorTypeProto { elem_type: 7, shape: Some(full_shape()) }
}

pub fn full_opaque_type() -> OpaqueTypeProto {
    OpaqueTypeProto { domain: "com.example".into(), name: "thing".into() }
}

pub fn full_map_type() -> MapTypeProto {
    MapTypeProto {
        key_type: 7,
        value_type: Some(Box::new(full_type(TypeValue::SparseTensor(full_sparse_tensor_type())))),
    }
}

pub fn full_sequence_type() -> SequenceTypeProto {
    SequenceTypeProto { elem_type: Some(Box::new(full_type(TypeValue::Map(full_map_type())))) }
}

pub fn full_optional_type() -> OptionalTypeProto {
    OptionalTypeProto { elem_type: Some(Box::new(full_type(TypeValue::Sequence(full_sequence_type())))) }
}

/// One type for every branch of the choice.
pub fn full_types() -> Vec<TypeProto> {
    vec![
        full_type(TypeValue::Tensor(full_tensor_type())),
        full_type(TypeValue::Sequence(full_sequence_type())),
        full_type(TypeValue::Map(full_map_type())),
        full_type(TypeValue::Opaque(full_opaque_type())),
        full_type(TypeValue::SparseTensor(full_sparse_tensor_type())),
        full_type(TypeValue::Optional(full_optional_type())),
    ]
}

pub fn full_value_infos() -> Vec<ValueInfoProto> {
    full_types().into_iter().map(full_value_info).collect()
}

pub fn full_value_info(r#type: TypeProto) -> ValueInfoProto {
    ValueInfoProto {
        name: "value".into(),
        r#type: Some(r#type),
        doc_string: "a value".into(),
        metadata_props: vec![entry("value")],
    }
}

/// An attribute with all value fields at once. `graph` goes into its graph fields.
pub fn full_attribute(graph: &GraphProto) -> AttributeProto {
    AttributeProto {
        name: "attribute".into(),
        f: Some(0.0),
        i: Some(-5),
        s: Some(Bytes::new()),
        t: Some(Box::new(full_tensor("t"))),
        g: Some(Box::new(graph.clone())),
        floats: vec![1.0, 2.0],
        ints: vec![-1, 1 << 40],
        strings: vec![Bytes::from_static(b"relu"), Bytes::new()],
        tensors: vec![full_tensor("first"), full_tensor("second")],
        graphs: vec![graph.clone()],
        doc_string: "an attribute".into(),
        tp: Some(Box::new(full_type(TypeValue::Optional(full_optional_type())))),
        type_protos: full_types(),
        r#type: Some(AttributeType::Ints.number()),
        ref_attr_name: "outer".into(),
        sparse_tensor: Some(Box::new(full_sparse_tensor("sparse"))),
        sparse_tensors: vec![full_sparse_tensor("sparse")],
    }
}

pub fn full_device_configuration() -> DeviceConfigurationProto {
    DeviceConfigurationProto { name: "two".into(), num_devices: Some(2), device: vec!["gpu0".into(), "gpu1".into()] }
}

pub fn full_node_device_configuration() -> NodeDeviceConfigurationProto {
    NodeDeviceConfigurationProto {
        configuration_id: "two".into(),
        sharding_spec: vec![full_sharding_spec()],
        pipeline_stage: Some(0),
    }
}

pub fn full_sharding_spec() -> ShardingSpecProto {
    ShardingSpecProto {
        tensor_name: "x".into(),
        device: vec![0, -1],
        index_to_device_group_map: vec![full_int_int_list_entry()],
        sharded_dim: vec![full_sharded_dim()],
    }
}

pub fn full_int_int_list_entry() -> IntIntListEntryProto {
    IntIntListEntryProto { key: Some(0), value: vec![0, 1] }
}

pub fn full_sharded_dim() -> ShardedDimProto {
    ShardedDimProto { axis: Some(0), simple_sharding: full_simple_sharded_dims() }
}

pub fn full_simple_sharded_dims() -> Vec<SimpleShardedDimProto> {
    vec![
        SimpleShardedDimProto { dim: Some(DimensionValue::Value(8)), num_shards: Some(2) },
        SimpleShardedDimProto { dim: Some(DimensionValue::Parameter("N".into())), num_shards: Some(2) },
    ]
}

/// A node whose attribute holds `graph`.
pub fn full_node(graph: &GraphProto) -> NodeProto {
    NodeProto {
        input: vec!["x".into(), String::new()],
        output: vec!["y".into()],
        name: "node".into(),
        op_type: "If".into(),
        attribute: vec![full_attribute(graph)],
        doc_string: "a node".into(),
        domain: "com.example".into(),
        overload: "two".into(),
        metadata_props: vec![entry("node")],
        device_configurations: vec![full_node_device_configuration()],
    }
}

pub fn full_annotation() -> TensorAnnotation {
    TensorAnnotation { tensor_name: "x".into(), quant_parameter_tensor_names: vec![entry("SCALE_TENSOR")] }
}

/// A graph whose node holds another, empty graph.
pub fn full_graph() -> GraphProto {
    graph_around(&GraphProto::default())
}

/// A graph whose node holds `inner`.
pub fn graph_around(inner: &GraphProto) -> GraphProto {
    GraphProto {
        node: vec![full_node(inner)],
        name: "graph".into(),
        initializer: vec![full_tensor("w"), full_tensor("b")],
        doc_string: "a graph".into(),
        input: full_value_infos(),
        output: full_value_infos(),
        value_info: full_value_infos(),
        quantization_annotation: vec![full_annotation()],
        sparse_initializer: vec![full_sparse_tensor("s")],
        metadata_props: vec![entry("graph")],
    }
}

pub fn full_opset() -> OperatorSetIdProto {
    OperatorSetIdProto { domain: "ai.onnx".into(), version: 28 }
}

pub fn full_function() -> FunctionProto {
    FunctionProto {
        name: "function".into(),
        input: vec!["x".into()],
        output: vec!["y".into()],
        attribute: vec!["alpha".into()],
        node: vec![full_node(&GraphProto::default())],
        doc_string: "a function".into(),
        opset_import: vec![full_opset()],
        domain: "com.example".into(),
        attribute_proto: vec![full_attribute(&GraphProto::default())],
        value_info: full_value_infos(),
        overload: "two".into(),
        metadata_props: vec![entry("function")],
    }
}

pub fn full_training_info() -> TrainingInfoProto {
    TrainingInfoProto {
        initialization: Some(full_graph()),
        algorithm: Some(full_graph()),
        initialization_binding: vec![entry("w")],
        update_binding: vec![entry("w")],
    }
}

pub fn full_model() -> ModelProto {
    ModelProto {
        ir_version: Some(14),
        producer_name: "edgesmith".into(),
        producer_version: "0.1".into(),
        domain: "com.example".into(),
        model_version: -3,
        doc_string: "a model: größer".into(),
        graph: Some(full_graph()),
        opset_import: vec![full_opset()],
        metadata_props: vec![entry("model")],
        training_info: vec![full_training_info()],
        functions: vec![full_function()],
        configuration: vec![full_device_configuration()],
    }
}

fn inner_sequence() -> SequenceProto {
    SequenceProto { name: "inner".into(), ..SequenceProto::default() }
}

pub fn full_map() -> MapProto {
    MapProto {
        name: "map".into(),
        key_type: 7,
        keys: vec![1, -2],
        string_keys: vec![Bytes::from_static(b"key")],
        values: Some(inner_sequence()),
    }
}

pub fn full_optional() -> OptionalProto {
    OptionalProto {
        name: "optional".into(),
        elem_type: ValueKind::Optional.number(),
        tensor_value: Some(Box::new(full_tensor("t"))),
        sparse_tensor_value: Some(Box::new(full_sparse_tensor("s"))),
        sequence_value: Some(Box::new(inner_sequence())),
        map_value: Some(Box::new(full_map())),
        optional_value: Some(Box::default()),
    }
}

pub fn full_sequence() -> SequenceProto {
    SequenceProto {
        name: "sequence".into(),
        elem_type: ValueKind::Sequence.number(),
        tensor_values: vec![full_tensor("t")],
        sparse_tensor_values: vec![full_sparse_tensor("s")],
        sequence_values: vec![SequenceProto::default()],
        map_values: vec![full_map()],
        optional_values: vec![full_optional()],
    }
}

/// A length-delimited field.
pub fn field(number: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = varint(u64::from(number) << 3 | 2);
    bytes.extend(varint(payload.len() as u64));
    bytes.extend_from_slice(payload);
    bytes
}

/// A varint field.
pub fn varint_field(number: u32, value: u64) -> Vec<u8> {
    let mut bytes = varint(u64::from(number) << 3);
    bytes.extend(varint(value));
    bytes
}

/// A varint.
pub fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A node that holds `graph` in its first attribute, wrapped into a graph again.
pub fn graph_holding(graph: &[u8]) -> Vec<u8> {
    field(1, &field(5, &field(6, graph)))
}

/// A model whose graphs are nested `depth` deep.
pub fn nested_model(depth: usize) -> Vec<u8> {
    // Built from the inside with lengths only at the end, so that 10,000 levels take no quadratic copying of their own.
    let mut lengths = vec![0_usize];
    for _ in 1..depth {
        let mut length = lengths.last().copied().unwrap_or_default();
        for _ in 0..3 {
            length += 1 + varint(length as u64).len();
            lengths.push(length);
        }
    }
    let mut bytes = vec![7 << 3 | 2];
    let keys = [1 << 3 | 2, 5 << 3 | 2, 6 << 3 | 2];
    for (index, length) in lengths.iter().rev().enumerate() {
        bytes.extend(varint(*length as u64));
        if index + 1 < lengths.len() {
            bytes.push(keys[index % 3]);
        }
    }
    bytes
}
