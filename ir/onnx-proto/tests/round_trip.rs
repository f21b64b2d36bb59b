//! Every message with every field set goes to bytes and back, and the scan's table knows exactly the fields of the structs.

#![allow(clippy::unwrap_used, reason = "the lint spares test functions but not their helpers")]

mod common;

use std::collections::BTreeSet;
use std::fmt::Debug;

use bytes::Bytes;
use common::*;
use edgesmith_onnx_proto::*;

/// Encodes, scans, decodes and encodes again.
fn round_trip<M: WireMessage + PartialEq + Debug + Clone>(message: &M) {
    let bytes = Bytes::from(message.encode_to_vec());
    let (decoded, report) = decode_message::<M>(bytes.clone()).unwrap();
    assert_eq!(&decoded, message);
    assert_eq!(report.unknown_total, 0, "{:?}", report.unknown_fields);
    assert_eq!(decoded.encode_to_vec(), bytes);
}

/// Checks that the messages, taken together, write exactly the fields that the table lists for their kind.
fn covers<M: WireMessage>(messages: &[M]) {
    let mut written = BTreeSet::new();
    for message in messages {
        let bytes = message.encode_to_vec();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (number, wire_type) = prost::encoding::decode_key(&mut rest).unwrap();
            prost::encoding::skip_field(wire_type, number, &mut rest, prost::encoding::DecodeContext::default())
                .unwrap();
            written.insert(number);
        }
    }
    let known: BTreeSet<u32> = M::KIND.fields().map(|(number, _)| number).collect();
    assert_eq!(written, known, "{}", M::KIND.name());
}

/// Round trip and coverage for messages of one kind, which may share the work where a field is a choice.
fn check<M: WireMessage + PartialEq + Debug + Clone>(checked: &mut BTreeSet<&'static str>, messages: &[M]) {
    messages.iter().for_each(round_trip);
    round_trip(&M::default());
    covers(messages);
    checked.insert(M::KIND.name());
}

#[test]
fn every_message_survives_with_every_field_set() {
    let mut checked = BTreeSet::new();
    let done = &mut checked;
    check(done, &[full_model()]);
    check(done, &[full_opset()]);
    check(done, &[full_function()]);
    check(done, &[full_training_info()]);
    check(done, &[entry("key")]);
    check(done, &[full_graph()]);
    check(done, &[full_node(&full_graph())]);
    check(done, &full_value_infos());
    check(done, &[full_annotation()]);
    check(done, &[full_attribute(&full_graph())]);
    check(done, &[full_tensor("w")]);
    check(done, &[full_segment()]);
    check(done, &[full_sparse_tensor("s")]);
    check(done, &full_types());
    check(done, &[full_tensor_type()]);
    check(done, &[full_sparse_tensor_type()]);
    check(done, &[full_sequence_type()]);
    check(done, &[full_optional_type()]);
    check(done, &[full_map_type()]);
    check(done, &[full_opaque_type()]);
    check(done, &[full_shape()]);
    check(done, &full_shape().dim);
    check(done, &[full_device_configuration()]);
    check(done, &[full_node_device_configuration()]);
    check(done, &[full_sharding_spec()]);
    check(done, &[full_int_int_list_entry()]);
    check(done, &[full_sharded_dim()]);
    check(done, &full_simple_sharded_dims());
    check(done, &[full_sequence()]);
    check(done, &[full_map()]);
    check(done, &[full_optional()]);
    let all: BTreeSet<&str> = MessageKind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(checked, all);
}

#[test]
fn presence_that_carries_meaning_survives() {
    let raw = |raw_data| TensorProto { raw_data, ..TensorProto::default() };
    assert_ne!(raw(Some(Bytes::new())).encode_to_vec(), raw(None).encode_to_vec());
    round_trip(&raw(Some(Bytes::new())));

    let shape = |shape| TensorTypeProto { elem_type: 1, shape };
    round_trip(&shape(None));
    round_trip(&shape(Some(TensorShapeProto { dim: vec![] })));

    for value in [None, Some(DimensionValue::Value(0)), Some(DimensionValue::Parameter(String::new()))] {
        round_trip(&DimensionProto { value, denotation: String::new() });
    }
    round_trip(&AttributeProto { i: Some(0), r#type: Some(2), ..AttributeProto::default() });
    round_trip(&AttributeProto { f: Some(0.0), ..AttributeProto::default() });
    round_trip(&AttributeProto { s: Some(Bytes::new()), ..AttributeProto::default() });
    round_trip(&NodeDeviceConfigurationProto { pipeline_stage: Some(0), ..NodeDeviceConfigurationProto::default() });
}

#[test]
fn numbers_are_read_packed_and_one_by_one() {
    let packed = [field(1, &[3, 4]), field(4, &1.5_f32.to_le_bytes()), field(7, &[5, 6])].concat();
    let mut single = [varint_field(1, 3), varint_field(1, 4), vec![4 << 3 | 5]].concat();
    single.extend(1.5_f32.to_le_bytes());
    single.extend([varint_field(7, 5), varint_field(7, 6)].concat());
    let decode = |bytes: Vec<u8>| decode_message::<TensorProto>(bytes.into()).unwrap().0;
    let expected =
        TensorProto { dims: vec![3, 4], float_data: vec![1.5], int64_data: vec![5, 6], ..TensorProto::default() };
    assert_eq!(decode(packed), expected);
    assert_eq!(decode(single), expected);
}

#[test]
fn weights_are_slices_of_the_source() {
    let bytes = Bytes::from(full_model().encode_to_vec());
    let (model, _) = decode_model(bytes.clone()).unwrap();
    let inside = |part: &Bytes| bytes.as_ptr_range().contains(&part.as_ptr());
    let graph = model.graph.as_ref().unwrap();
    let tensor = &graph.initializer[1];
    assert!(inside(tensor.raw_data.as_ref().unwrap()));
    assert!(inside(&tensor.string_data[0]));
    let attribute = &graph.node[0].attribute[0];
    assert!(inside(&attribute.strings[0]));
    assert!(inside(attribute.t.as_ref().unwrap().raw_data.as_ref().unwrap()));
}
