//! An operator of the IR as the `NodeProto` that tract-onnx's builders read.
//!
//! Only attributes count; names of operands and results tell absent ones from present ones. tract-onnx carries messages
//! of its own, so this is not the ONNX backend's encoder.

use edgesmith_ir::{Attribute, DType, Op};
use tract_core::internal::*;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::{AttributeProto, NodeProto};

/// The node, with as many results as are asked for.
pub(crate) fn node(op: &Op, present: &[bool], wanted: &[bool]) -> TractResult<NodeProto> {
    let mut attribute = Vec::new();
    for (name, value) in op.encode() {
        attribute.push(encode(op, name, &value)?);
    }
    let names = |prefix: &str, present: &[bool]| -> Vec<String> {
        let last = present.iter().rposition(|present| *present).map_or(0, |at| at + 1);
        (0..last).map(|slot| if present[slot] { format!("{prefix}{slot}") } else { String::new() }).collect()
    };
    Ok(NodeProto {
        input: names("in", present),
        output: names("out", wanted),
        name: "op".to_owned(),
        op_type: op.name().to_owned(),
        attribute,
        ..NodeProto::default()
    })
}

fn encode(op: &Op, name: &str, value: &Attribute) -> TractResult<AttributeProto> {
    let mut proto = AttributeProto { name: name.to_owned(), ..AttributeProto::default() };
    let kind = match value {
        Attribute::Float(x) => {
            proto.f = x.0;
            AttributeType::Float
        }
        Attribute::Int(x) => {
            proto.i = if name == "dtype" { widened(*x) } else { *x };
            AttributeType::Int
        }
        Attribute::String(x) => {
            proto.s = x.to_vec();
            AttributeType::String
        }
        Attribute::Floats(x) => {
            proto.floats = x.iter().map(|x| x.0).collect();
            AttributeType::Floats
        }
        Attribute::Ints(x) => {
            proto.ints.clone_from(x);
            AttributeType::Ints
        }
        Attribute::Strings(x) => {
            proto.strings = x.iter().map(|x| x.to_vec()).collect();
            AttributeType::Strings
        }
        other => bail!("the attribute '{name}' of {} is {}; no builder takes that", op.name(), other.kind()),
    };
    proto.r#type = kind.into();
    Ok(proto)
}

/// The element type in which the engine computes.
fn widened(dtype: i64) -> i64 {
    let half = [DType::F16, DType::BF16].iter().any(|half| i64::from(half.onnx()) == dtype);
    if half { i64::from(DType::F32.onnx()) } else { dtype }
}
