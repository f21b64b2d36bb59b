//! Attributes of nodes, checked against the schema of the operator's version.

use bytes::Bytes;
use edgesmith_frontend::{ExternalData, shown};
use edgesmith_ir::{Attribute, AttributeError, F32, Name};
use edgesmith_onnx_proto::schema::Schema;
use edgesmith_onnx_proto::{AttributeProto, AttributeType, GraphProto, NodeProto};
use rustc_hash::FxHashMap;

use crate::error::{NodeFault, TensorFault};
use crate::names::Names;
use crate::tensor;
use crate::types;

/// What references to attributes of a calling node stand for.
#[derive(Clone, Copy)]
pub(crate) enum References<'a> {
    /// This is no function: a reference reads as absent.
    Absent,
    /// This is the body of a function as the file has it: references stay.
    Kept,
    /// This is the body of a function made for a call with these attributes (defaults included).
    Given(&'a FxHashMap<String, AttributeProto>),
}

/// The attributes of a node, subgraphs apart.
#[derive(Debug, Default)]
pub(crate) struct Attributes {
    /// Name and value in the order of the file; a subgraph is its index in `graphs`.
    pub list: Vec<(Name, Attribute)>,
    /// The subgraphs.
    pub graphs: Vec<GraphProto>,
    /// References to attributes that no caller gives.
    pub dangling: u32,
    /// Documentation of single attributes, which has no place in the IR.
    pub documented: u32,
    /// Private attributes (`__name`) of typed operators, which have no place in the IR.
    pub private: u32,
}

/// Takes the attributes of a node out of it. With a schema, every attribute must be one of the operator's at that version,
/// with the right kind, and the required ones must be there.
pub(crate) fn attributes(
    node: &mut NodeProto,
    schema: Option<&Schema>,
    references: References<'_>,
    names: &mut Names,
    external: &dyn ExternalData,
) -> Result<Attributes, NodeFault> {
    let mut found = Attributes::default();
    for mut proto in std::mem::take(&mut node.attribute) {
        let name = names.intern(&proto.name);
        if found.list.iter().any(|(other, _)| *other == name) {
            return Err(NodeFault::Other(format!("attribute '{}' is given twice", shown(&name))));
        }
        if !proto.ref_attr_name.is_empty() {
            let kind = proto.r#type.unwrap_or_default();
            match references {
                References::Absent => {
                    found.dangling += 1;
                    continue;
                }
                References::Kept => {
                    let reference = names.intern(&proto.ref_attr_name);
                    found.list.push((name, Attribute::Reference(reference, kind)));
                    continue;
                }
                References::Given(given) => match given.get(&proto.ref_attr_name) {
                    Some(value) => proto = AttributeProto { name: proto.name, ..value.clone() },
                    None => continue,
                },
            }
        }
        found.documented += u32::from(!proto.doc_string.is_empty());
        let expected = match schema {
            Some(schema) => match schema.attribute(&name) {
                Some(attribute) => Some(attribute.kind),
                None if name.starts_with("__") => {
                    found.private += 1;
                    continue;
                }
                None => return Err(unknown(schema, name)),
            },
            None => None,
        };
        let value = value(&mut proto, expected, &mut found.graphs, external)?;
        found.list.push((name, value));
    }
    if let Some(schema) = schema {
        let missing =
            schema.attributes.iter().find(|a| a.required && !found.list.iter().any(|(name, _)| name == a.name));
        if let Some(attribute) = missing {
            return Err(AttributeError::Missing(attribute.name).into());
        }
    }
    Ok(found)
}

/// The operator has no such attribute at its version; perhaps at another.
fn unknown(schema: &Schema, name: Name) -> NodeFault {
    let versions = edgesmith_onnx_proto::schema::versions(schema.name);
    let newer =
        versions.iter().find(|other| other.since_version > schema.since_version && other.attribute(&name).is_some());
    let older = versions
        .iter()
        .rev()
        .find(|other| other.since_version < schema.since_version && other.attribute(&name).is_some());
    match (newer, older) {
        (Some(newer), _) => NodeFault::Other(format!(
            "attribute '{}' exists from opset {} on; the model declares an older one",
            shown(&name),
            newer.since_version
        )),
        (None, Some(_)) => {
            NodeFault::Other(format!("attribute '{}' existed before opset {} only", shown(&name), schema.since_version))
        }
        (None, None) => AttributeError::Unknown(shown(&name).into()).into(),
    }
}

/// The attributes with a default that a function declares.
pub(crate) fn defaults(
    protos: &[AttributeProto],
    names: &mut Names,
    external: &dyn ExternalData,
) -> Result<Vec<(Name, Attribute)>, NodeFault> {
    let mut graphs = Vec::new();
    let list = protos
        .iter()
        .map(|proto| Ok((names.intern(&proto.name), value(&mut proto.clone(), None, &mut graphs, external)?)))
        .collect::<Result<Vec<_>, NodeFault>>()?;
    if graphs.is_empty() { Ok(list) } else { Err(NodeFault::Other("the default of an attribute is a graph".into())) }
}

fn value(
    proto: &mut AttributeProto,
    expected: Option<AttributeType>,
    graphs: &mut Vec<GraphProto>,
    external: &dyn ExternalData,
) -> Result<Attribute, NodeFault> {
    let kind = kind(proto, expected)?;
    let broken = |what: &str| NodeFault::Other(format!("attribute '{}' {what}", shown(&proto.name)));
    let name = || Name::from(proto.name.as_str());
    let tensor_fault = |fault: TensorFault| NodeFault::Tensor { attribute: name(), fault };
    let type_fault = |fault: String| broken(&format!("has a wrong type: {fault}"));
    Ok(match kind {
        AttributeType::Float => Attribute::Float(F32(proto.f.unwrap_or_default())),
        AttributeType::Int => Attribute::Int(proto.i.unwrap_or_default()),
        AttributeType::String => Attribute::String(proto.s.take().unwrap_or_default()),
        AttributeType::Floats => Attribute::Floats(std::mem::take(&mut proto.floats).into_iter().map(F32).collect()),
        AttributeType::Ints => Attribute::Ints(std::mem::take(&mut proto.ints)),
        AttributeType::Strings => Attribute::Strings(std::mem::take(&mut proto.strings)),
        AttributeType::Tensor => {
            let mut tensor = proto.t.take().ok_or_else(|| broken("has no tensor"))?;
            Attribute::Tensor(tensor::dense(&mut tensor, external).map_err(tensor_fault)?)
        }
        AttributeType::SparseTensor => {
            let mut tensor = proto.sparse_tensor.take().ok_or_else(|| broken("has no tensor"))?;
            Attribute::SparseTensor(tensor::sparse(&mut tensor, external).map_err(tensor_fault)?)
        }
        AttributeType::Tensors => {
            let mut tensors = std::mem::take(&mut proto.tensors);
            let read = tensors.iter_mut().map(|tensor| tensor::dense(tensor, external));
            Attribute::Tensors(read.collect::<Result<_, _>>().map_err(tensor_fault)?)
        }
        AttributeType::SparseTensors => {
            let mut tensors = std::mem::take(&mut proto.sparse_tensors);
            let read = tensors.iter_mut().map(|tensor| tensor::sparse(tensor, external));
            Attribute::SparseTensors(read.collect::<Result<_, _>>().map_err(tensor_fault)?)
        }
        AttributeType::Graph => {
            graphs.push(*proto.g.take().ok_or_else(|| broken("has no graph"))?);
            Attribute::Graph(graphs.len() - 1)
        }
        AttributeType::Graphs => {
            let first = graphs.len();
            graphs.append(&mut proto.graphs);
            Attribute::Graphs((first..graphs.len()).collect())
        }
        AttributeType::TypeProto => {
            let ty = proto.tp.take().ok_or_else(|| broken("has no type"))?;
            Attribute::Type(types::value_type(&ty).map_err(type_fault)?)
        }
        AttributeType::TypeProtos => {
            let read = proto.type_protos.iter().map(types::value_type);
            Attribute::Types(read.collect::<Result<_, _>>().map_err(type_fault)?)
        }
        other => return Err(broken(&format!("has the kind {other}, which is not known"))),
    })
}

/// The kind of the value: as declared, else as the schema says, else as the fields tell. What else is set is a
/// contradiction.
fn kind(proto: &AttributeProto, expected: Option<AttributeType>) -> Result<AttributeType, NodeFault> {
    let declared = match proto.r#type {
        None | Some(AttributeType::UNDEFINED) => None,
        Some(number) => Some(AttributeType::from_number(number).ok_or_else(|| {
            NodeFault::Other(format!("attribute '{}' has the unknown kind {number}", shown(&proto.name)))
        })?),
    };
    let wrong = |wanted: AttributeType, found: AttributeType| {
        NodeFault::Attribute(AttributeError::Kind {
            name: shown(&proto.name).into(),
            wanted: wanted.name(),
            found: found.name(),
        })
    };
    if let (Some(declared), Some(expected)) = (declared, expected)
        && declared != expected
    {
        return Err(wrong(expected, declared));
    }
    let apparent = proto.apparent_type();
    let Some(kind) = declared.or(expected).or(apparent) else {
        return Err(NodeFault::Other(format!(
            "attribute '{}' says neither its kind nor, by exactly one value, what it could be",
            shown(&proto.name)
        )));
    };
    match apparent {
        Some(apparent) if apparent != kind => Err(wrong(kind, apparent)),
        None if several_values(proto) => {
            Err(NodeFault::Other(format!("attribute '{}' has values of several kinds", shown(&proto.name))))
        }
        _ => Ok(kind),
    }
}

fn several_values(proto: &AttributeProto) -> bool {
    // No apparent kind means none or several; with the first scalar fields cleared, what is left decides.
    *proto
        != AttributeProto {
            name: proto.name.clone(),
            doc_string: proto.doc_string.clone(),
            r#type: proto.r#type,
            ref_attr_name: proto.ref_attr_name.clone(),
            ..AttributeProto::default()
        }
}

/// Text of an attribute, for comparing.
pub(crate) fn text(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
