//! Tensors and attributes in the file.

use edgesmith_ir::{Attribute, Name, Tensor, TensorData};
use edgesmith_onnx_proto::{AttributeProto, DataLocation, StringStringEntryProto, TensorProto};

use super::external::External;
use super::rope::Rope;
use super::types;

/// What a file says of a tensor beside its elements.
#[derive(Clone, Copy, Default)]
pub(crate) struct Notes<'a> {
    pub doc: &'a str,
    pub metadata: &'a [(Name, Name)],
}

/// A dense tensor with its elements in the message.
pub(crate) fn dense(name: &str, tensor: &Tensor, notes: Notes<'_>) -> Rope {
    let mut rope = head(name, tensor);
    if !tensor.is_empty() && !matches!(tensor.data(), TensorData::Strings(_)) {
        rope.tensor(9, tensor);
    }
    tail(&mut rope, notes);
    rope
}

/// A dense tensor whose elements go into the data file.
pub(crate) fn outside(name: &str, tensor: &Tensor, notes: Notes<'_>, external: &mut External) -> Rope {
    let mut rope = head(name, tensor);
    rope.text_if_any(12, notes.doc);
    let offset = external.push(tensor);
    let mut location = Rope::default();
    location.text(1, "location");
    location.name_of_part(2, external.part, external.name_bytes);
    rope.nested(13, location);
    rope.message(13, &entry("offset", &offset.to_string()));
    rope.message(13, &entry("length", &tensor.byte_len().to_string()));
    rope.int(14, i64::from(DataLocation::External.number()));
    metadata(&mut rope, 16, notes.metadata);
    rope
}

fn head(name: &str, tensor: &Tensor) -> Rope {
    let mut rope = Rope::default();
    for extent in tensor.shape() {
        rope.int(1, *extent as i64);
    }
    rope.int(2, i64::from(tensor.dtype().onnx()));
    if let TensorData::Strings(strings) = tensor.data() {
        rope.fields(&TensorProto { string_data: strings.to_vec(), ..TensorProto::default() });
    }
    rope.text_if_any(8, name);
    rope
}

fn tail(rope: &mut Rope, notes: Notes<'_>) {
    rope.text_if_any(12, notes.doc);
    metadata(rope, 16, notes.metadata);
}

/// A sparse tensor; its name is that of its values.
pub(crate) fn sparse(name: &str, tensor: &Tensor, doc: &str) -> Rope {
    let mut rope = Rope::default();
    if let TensorData::Sparse(parts) = tensor.data() {
        rope.nested(1, dense(name, &parts.values, Notes { doc, metadata: &[] }));
        rope.nested(2, dense("", &parts.indices, Notes::default()));
    }
    for extent in tensor.shape() {
        rope.int(3, *extent as i64);
    }
    rope
}

pub(crate) fn entry(key: &str, value: &str) -> StringStringEntryProto {
    StringStringEntryProto { key: key.to_owned(), value: value.to_owned() }
}

/// Key-value notes; of several with one key the first counts.
pub(crate) fn metadata(rope: &mut Rope, tag: u32, entries: &[(Name, Name)]) {
    for (key, value) in entries {
        let mut inner = Rope::default();
        inner.text_if_any(1, key);
        inner.text_if_any(2, value);
        rope.nested(tag, inner);
    }
}

/// An attribute. `graphs` encodes the subgraph at an index.
pub(crate) fn attribute(name: &str, value: &Attribute, graph: &mut dyn FnMut(usize) -> Rope) -> Rope {
    let mut rope = Rope::default();
    rope.text(1, name);
    let empty = AttributeProto::default;
    match value {
        Attribute::Float(x) => rope.fields(&AttributeProto { f: Some(x.0), ..empty() }),
        Attribute::Int(x) => rope.int(3, *x),
        Attribute::String(x) => rope.fields(&AttributeProto { s: Some(x.clone()), ..empty() }),
        Attribute::Tensor(x) => rope.nested(5, dense("", x, Notes::default())),
        Attribute::Graph(index) => rope.nested(6, graph(*index)),
        Attribute::Floats(x) => rope.fields(&AttributeProto { floats: x.iter().map(|x| x.0).collect(), ..empty() }),
        Attribute::Ints(x) => x.iter().for_each(|x| rope.int(8, *x)),
        Attribute::Strings(x) => rope.fields(&AttributeProto { strings: x.clone(), ..empty() }),
        Attribute::Tensors(x) => x.iter().for_each(|x| rope.nested(10, dense("", x, Notes::default()))),
        Attribute::Graphs(indices) => indices.iter().for_each(|index| rope.nested(11, graph(*index))),
        Attribute::Type(x) => rope.message(14, &types::proto(x, &[]).unwrap_or_default()),
        Attribute::Types(x) => x.iter().for_each(|x| rope.message(15, &types::proto(x, &[]).unwrap_or_default())),
        Attribute::SparseTensor(x) => rope.nested(22, sparse("", x, "")),
        Attribute::SparseTensors(x) => x.iter().for_each(|x| rope.nested(23, sparse("", x, ""))),
        // The name of the caller's attribute comes after the type.
        _ => {}
    }
    rope.int(20, i64::from(value.onnx_type()));
    if let Attribute::Reference(other, _) = value {
        rope.text(21, other);
    }
    rope
}
