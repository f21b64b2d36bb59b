//! What pragmas say of graphs, values, tensors and operators.

use bytes::Bytes;
use edgesmith_ir::{Graph, Name, OpId, Tensor, TensorEntry, TensorRole, ValueId, ValueType};
use rustc_hash::FxHashMap;

use super::{Builder, names};
use crate::ast::{Field, FieldValue, GraphAst, Pragma, Subject};
use crate::error::{Fallible, Fault};

pub(super) fn bad_field(field: &Field<'_>, expected: &str) -> Fault {
    Fault::expecting(field.key.span, format!("'{}' is not understood here", field.key.value), expected)
}

/// Text of a field.
fn name_of(field: &Field<'_>) -> Fallible<Name> {
    match &field.value {
        FieldValue::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.into()),
            Err(_) => Err(Fault::new(field.key.span, "the string is no UTF-8")),
        },
        _ => Err(bad_field(field, "a string after '='")),
    }
}

fn pairs_of(field: &Field<'_>) -> Fallible<Vec<(Name, Name)>> {
    match &field.value {
        FieldValue::Pairs(pairs) => Ok(names(pairs)),
        _ => Err(bad_field(field, "[\"key\": \"value\"] after '='")),
    }
}

/// The number of a shared tensor.
pub(super) fn tensor_number(pragma: &Pragma<'_>) -> Option<i64> {
    pragma.fields.iter().find_map(|field| match (field.key.value, &field.value) {
        ("id", FieldValue::Int(number)) => Some(*number),
        _ => None,
    })
}

/// The types that pragmas give to values.
pub(super) fn types(pragmas: &[Pragma<'_>]) -> FxHashMap<Name, ValueType> {
    let of_value = |pragma: &Pragma<'_>| {
        let Subject::Value(name) = &pragma.subject else { return None };
        pragma.fields.iter().find_map(|field| match (field.key.value, &field.value) {
            ("type", FieldValue::Type(ty)) => Some((Name::from(&*name.value), ty.clone())),
            _ => None,
        })
    };
    pragmas.iter().filter_map(of_value).collect()
}

pub(super) fn is_pristine(pragmas: &[Pragma<'_>]) -> bool {
    let graphs = pragmas.iter().filter(|pragma| matches!(pragma.subject, Subject::Graph));
    graphs.flat_map(|pragma| &pragma.fields).any(|field| field.key.value == "pristine")
}

pub(super) fn tensor_entry(tensor: Tensor, pragma: Option<&Pragma<'_>>) -> Fallible<TensorEntry> {
    let mut entry = TensorEntry { tensor, role: TensorRole::default(), doc: Name::default(), metadata: Vec::new() };
    for field in pragma.iter().flat_map(|pragma| &pragma.fields) {
        match (field.key.value, &field.value) {
            ("id", FieldValue::Int(_)) => {}
            ("doc", _) => entry.doc = name_of(field)?,
            ("metadata", _) => entry.metadata = pairs_of(field)?,
            ("role", FieldValue::Word("parameter")) => entry.role = TensorRole::Parameter,
            ("role", FieldValue::Word("buffer")) => entry.role = TensorRole::Buffer,
            ("role", FieldValue::Word("literal")) => entry.role = TensorRole::Literal,
            ("role", _) => return Err(bad_field(field, "role = parameter, buffer or literal")),
            _ => return Err(bad_field(field, "id, role, doc or metadata")),
        }
    }
    Ok(entry)
}

/// Sets what is said of an operator.
pub(super) fn op_extra(graph: &mut Graph, op: OpId, pragmas: &[Pragma<'_>]) -> Fallible<()> {
    for field in pragmas.iter().filter(|pragma| matches!(pragma.subject, Subject::Op)).flat_map(|pragma| &pragma.fields)
    {
        match (field.key.value, &field.value) {
            ("custom" | "typed" | "call", FieldValue::Flag) | ("origin", FieldValue::Origin(_)) => {}
            ("doc", _) => graph.op_extra_mut(op).doc = name_of(field)?,
            ("metadata", _) => graph.op_extra_mut(op).metadata = pairs_of(field)?,
            ("opaque", FieldValue::Text(bytes)) => graph.op_extra_mut(op).opaque = Bytes::copy_from_slice(bytes),
            _ => return Err(bad_field(field, "origin, doc, metadata, opaque, custom, typed or call")),
        }
    }
    Ok(())
}

impl Builder<'_> {
    /// Sets what is said of the open graph and its values.
    pub(super) fn graph_pragmas(&mut self, ast: &GraphAst<'_>) -> Fallible<()> {
        for pragma in &ast.pragmas {
            match &pragma.subject {
                Subject::Graph => self.of_graph(pragma)?,
                Subject::Value(name) => {
                    let value = self.named(name)?;
                    self.of_value(value, pragma)?;
                }
                Subject::Tensor(name) => {
                    self.named(name)?;
                }
                Subject::Undeclared(names) => {
                    for name in names {
                        let value = self.named(name)?;
                        self.top()?.graph.value_extra_mut(value).declared = None;
                    }
                }
                Subject::Captures(_) | Subject::Function => {}
                _ => {
                    return Err(Fault::expecting(
                        pragma.span,
                        "this pragma does not belong here",
                        "graph, value, tensor, captures or undeclared in a graph, and those of an operator after it",
                    ));
                }
            }
        }
        Ok(())
    }

    fn of_graph(&mut self, pragma: &Pragma<'_>) -> Fallible<()> {
        let graph = &mut self.top()?.graph;
        for field in &pragma.fields {
            match (field.key.value, &field.value) {
                ("name", _) => graph.name = name_of(field)?,
                ("doc", _) => graph.doc = name_of(field)?,
                ("metadata", _) => graph.metadata = pairs_of(field)?,
                ("pristine", FieldValue::Flag) => {}
                _ => return Err(bad_field(field, "name, doc, metadata or pristine")),
            }
        }
        Ok(())
    }

    fn of_value(&mut self, value: ValueId, pragma: &Pragma<'_>) -> Fallible<()> {
        let frame = self.top()?;
        for field in &pragma.fields {
            let graph = &mut frame.graph;
            match (field.key.value, &field.value) {
                ("type", FieldValue::Type(ty)) => {
                    graph.set_type(value, ty.clone());
                    frame.explicit.insert(value, ty.clone());
                }
                ("declared", FieldValue::Type(ty)) => graph.value_extra_mut(value).declared = Some(ty.clone()),
                ("doc", _) => graph.value_extra_mut(value).doc = name_of(field)?,
                ("metadata", _) => graph.value_extra_mut(value).metadata = pairs_of(field)?,
                ("quantization", _) => graph.value_extra_mut(value).quantization = pairs_of(field)?,
                ("pinned", FieldValue::Flag) => graph.value_extra_mut(value).pinned = true,
                ("denotations", FieldValue::Pairs(pairs)) => {
                    let mut denotations = Vec::new();
                    for (axis, name) in pairs {
                        let axis = if axis.is_empty() {
                            None
                        } else {
                            Some(axis.parse().map_err(|_| bad_field(field, "axes as keys, \"\" for the type"))?)
                        };
                        denotations.push((axis, Name::from(&**name)));
                    }
                    graph.value_extra_mut(value).denotations = denotations;
                }
                _ => {
                    return Err(bad_field(field, "type, declared, doc, metadata, quantization, denotations or pinned"));
                }
            }
        }
        Ok(())
    }
}
