//! The scan on bytes made by hand: what it refuses, what it reports, and where.

#![allow(clippy::unwrap_used, reason = "the lint spares test functions but not their helpers")]

mod common;

use bytes::Bytes;
use common::*;
use edgesmith_onnx_proto::*;

fn refuse(bytes: &[u8]) -> ProtoError {
    scan(MessageKind::Model, bytes).unwrap_err()
}

#[test]
fn a_correct_model_is_accepted() {
    let bytes = full_model().encode_to_vec();
    let report = scan(MessageKind::Model, &bytes).unwrap();
    assert_eq!(report.unknown_fields, []);
    assert_eq!(report.graph_depth, 2);
    assert!(report.messages > 100);
    assert!(report.decoded_bytes > size_of::<ModelProto>() as u64);
    assert_eq!(scan(MessageKind::Model, &[]).unwrap().messages, 1);
}

#[test]
fn a_model_cut_anywhere_is_refused_or_shorter() {
    let bytes = full_model().encode_to_vec();
    for length in 0..bytes.len() {
        let cut = Bytes::copy_from_slice(&bytes[..length]);
        match decode_model(cut.clone()) {
            Ok((model, _)) => assert_eq!(model.encode_to_vec(), cut, "cut between two fields of the model"),
            Err(ProtoError::Malformed { offset, .. }) => assert!(offset <= length as u64),
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn a_truncated_value_is_located() {
    // A graph of 6 bytes with a node whose name claims 9 bytes.
    let bytes = [field(7, &field(1, &[3 << 3 | 2, 9, b'a']))].concat();
    let error = refuse(&bytes);
    let ProtoError::Malformed { offset, path, fault } = &error else { panic!("{error}") };
    assert_eq!((*offset, path.as_str()), (6, "ModelProto.graph.node[0].name"));
    assert_eq!(*fault, WireFault::TruncatedValue { needed: 9, left: 1 });
    assert_eq!(
        error.to_string(),
        "a value of 9 bytes is cut off after 1 in ModelProto.graph.node[0].name at byte 6; \
         the file is damaged, incomplete, or not of this format"
    );
    assert_eq!(error.code(), "edgesmith::onnx::malformed");
}

#[test]
fn a_message_may_not_reach_beyond_the_one_around_it() {
    // The inner length fits the file but not the graph.
    let mut bytes = field(7, &[1 << 3 | 2, 4]);
    bytes.extend([0; 16]);
    assert!(matches!(refuse(&bytes), ProtoError::Malformed { offset: 4, .. }));
}

#[test]
fn malformed_bytes_are_refused() {
    let fault = |bytes: &[u8]| match refuse(bytes) {
        ProtoError::Malformed { fault, offset, .. } => (fault, offset),
        other => panic!("{other}"),
    };
    assert_eq!(fault(&[0x08]), (WireFault::TruncatedVarint, 1));
    assert_eq!(fault(&[[0x08].as_slice(), &[0xff; 10]].concat()), (WireFault::VarintOverflow, 1));
    assert_eq!(fault(&[0x02]), (WireFault::FieldNumber { key: 2 }, 0));
    assert_eq!(fault(&[0x0f]), (WireFault::UnknownWireType { number: 7 }, 0));
    assert_eq!(fault(&[99 << 3 & 0x7f | 3 | 0x80, 6, 0, 0]), (WireFault::Group, 0));
    assert_eq!(fault(&[0x0c]), (WireFault::Group, 0));
    assert_eq!(
        fault(&[0x31, 0]),
        (WireFault::WrongWireType { expected: WireType::LengthDelimited, found: WireType::Fixed64 }, 0)
    );
    assert_eq!(fault(&field(2, b"ab\xff")), (WireFault::NotUtf8, 4));

    let tensor = |payload: &[u8]| field(7, &field(5, payload));
    assert_eq!(fault(&tensor(&field(4, &[0; 7]))), (WireFault::RaggedPacked { length: 7, width: 4 }, 5));
    assert_eq!(fault(&tensor(&field(7, &[1, 0x80]))), (WireFault::TruncatedVarint, 7));
}

#[test]
fn deep_nesting_is_refused_without_recursion() {
    assert_eq!(scan(MessageKind::Model, &nested_model(10)).unwrap().graph_depth, 10);
    let error = refuse(&nested_model(10_000));
    let ProtoError::TooDeep { path, nested, limit, .. } = &error else { panic!("{error}") };
    assert_eq!((*nested, *limit), ("graphs", MAX_GRAPH_NESTING));
    assert!(path.starts_with("ModelProto.graph.node[0].attribute[0].g.node[0]"), "{path}");
    assert!(path.contains(".…."), "{path}");
    assert!(path.ends_with(".node[0].attribute[0].g"), "{path}");
    assert!(path.len() < 500);
}

#[test]
fn the_deepest_model_allowed_decodes_and_encodes() {
    let bytes = Bytes::from(nested_model(MAX_GRAPH_NESTING as usize));
    let (model, report) = decode_model(bytes.clone()).unwrap();
    assert_eq!(report.graph_depth, MAX_GRAPH_NESTING);
    assert_eq!(model.clone(), model);
    assert_eq!(model.encode_to_vec(), bytes);
    assert!(
        refuse(&nested_model(MAX_GRAPH_NESTING as usize + 1))
            .to_string()
            .contains("graphs are nested more than 100 deep")
    );
}

#[test]
fn deep_types_and_values_are_refused() {
    let mut r#type = Vec::new();
    for _ in 1..MAX_TYPE_NESTING {
        r#type = field(4, &field(1, &r#type));
    }
    assert!(scan(MessageKind::Type, &r#type).is_ok());
    decode_message::<TypeProto>(r#type.clone().into()).unwrap();
    let error = scan(MessageKind::Type, &field(9, &field(1, &r#type))).unwrap_err();
    assert!(matches!(error, ProtoError::TooDeep { nested: "types", .. }), "{error}");

    let sequence = (0..100).fold(Vec::new(), |inner, _| field(5, &inner));
    let error = scan(MessageKind::Sequence, &sequence).unwrap_err();
    assert!(matches!(error, ProtoError::TooDeep { limit: MAX_DATA_NESTING, .. }), "{error}");
}

#[test]
fn unknown_fields_are_reported_with_their_place() {
    let attribute = [field(1, b"axis"), field(99, &[0; 12])].concat();
    let plain = field(4, b"Relu");
    let nodes = [plain.clone(), plain.clone(), plain, field(5, &attribute)].map(|node| field(1, &node)).concat();
    let mut bytes = field(7, &nodes);
    let offset = bytes.len() - 15;
    bytes.extend(varint_field(500, 300));
    let (model, report) = decode_model(bytes.into()).unwrap();
    assert_eq!(model.graph.unwrap().node.len(), 4);
    assert_eq!(report.unknown_total, 2);
    let [first, second] = &report.unknown_fields[..] else { panic!("{report:?}") };
    assert_eq!(first.to_string(), "ModelProto.graph.node[3].attribute[0]: field 99 (length-delimited, 12 bytes)");
    assert_eq!((first.message, first.number, first.offset), ("AttributeProto", 99, offset as u64));
    assert_eq!(second.to_string(), "ModelProto: field 500 (varint, 2 bytes)");
}

#[test]
fn many_unknown_fields_are_counted_but_not_all_listed() {
    let nodes: Vec<u8> = (0..1000).flat_map(|_| field(1, &varint_field(77, 1))).collect();
    let report = scan(MessageKind::Model, &field(7, &nodes)).unwrap();
    let [unknown] = &report.unknown_fields[..] else { panic!("{report:?}") };
    assert_eq!((unknown.occurrences, report.unknown_total), (1000, 1000));
    assert_eq!(
        unknown.to_string(),
        "ModelProto.graph.node[0]: field 77 (varint, 1 byte), and 999 more in messages of kind NodeProto"
    );

    let kinds: Vec<u8> = (0..100).flat_map(|number| varint_field(1000 + number, 1)).collect();
    let report = scan(MessageKind::Model, &kinds).unwrap();
    assert_eq!((report.unknown_fields.len(), report.unknown_total), (MAX_UNKNOWN_FIELDS, 100));
}

#[test]
fn empty_messages_cannot_exhaust_the_memory() {
    let nodes = [1 << 3 | 2, 0].repeat(2_000_000);
    let error = refuse(&field(7, &nodes));
    let ProtoError::TooLarge { offset, path, size, bound } = &error else { panic!("{error}") };
    assert_eq!(*bound, DECODED_BYTES_PER_BYTE * size + DECODED_BYTES_FREE);
    assert!(path.starts_with("ModelProto.graph.node["), "{path}");
    assert!(offset < size);
    assert_eq!(error.code(), "edgesmith::onnx::too-large");

    // Packed numbers of one byte each take 8 bytes in a list that doubles; that stays within the bound.
    let tensor = field(7, &vec![1; 10 << 20]);
    let report = scan(MessageKind::Tensor, &tensor).unwrap();
    assert!(report.decoded_bytes >= 16 * (10 << 20));
}

#[test]
fn a_message_in_pieces_costs_no_less_than_whole() {
    // The decoder merges the pieces of a message, with the lists and messages in them.
    let cost = |graph: &dyn Fn(&[u8]) -> Vec<u8>, pieces: usize, nodes: usize| {
        let bytes = graph(&[1 << 3 | 2, 0].repeat(nodes)).repeat(pieces);
        scan(MessageKind::TrainingInfo, &bytes).unwrap().decoded_bytes
    };
    for nodes in 1..10 {
        let graph = |nodes: &[u8]| field(1, nodes);
        assert!(cost(&graph, 100, nodes) >= cost(&graph, 1, 100 * nodes), "{nodes} nodes in each piece");
    }

    let r#type = |dims: &[u8]| field(2, &field(1, &field(2, dims)));
    let cost = |bytes: Vec<u8>| scan(MessageKind::ValueInfo, &bytes).unwrap().decoded_bytes;
    let dims = [1 << 3 | 2, 0];
    assert!(cost(r#type(&dims.repeat(4)).repeat(100)) >= cost(r#type(&dims.repeat(400))));
}

#[test]
fn payloads_are_jumped_over() {
    // 400 MB of weights in 100 tensors: reading them would take far longer than any bound on a test.
    let weights = Bytes::from(vec![0; 4_000_000]);
    let tensor = TensorProto { dims: vec![1_000_000], raw_data: Some(weights), ..TensorProto::default() };
    let graph = GraphProto { initializer: vec![tensor; 100], ..GraphProto::default() };
    let bytes = ModelProto { graph: Some(graph), ..ModelProto::default() }.encode_to_vec();
    let report = scan(MessageKind::Model, &bytes).unwrap();
    assert_eq!(report.messages, 102);
    assert!(report.decoded_bytes < 200_000, "{}", report.decoded_bytes);
}
