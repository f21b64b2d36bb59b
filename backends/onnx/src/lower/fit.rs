//! Whether a node can stand at an opset, by the schema table.

use edgesmith_ir::op::OpKind;
use edgesmith_ir::{Attribute, F32, ValueType};
use edgesmith_onnx_proto::DataType;
use edgesmith_onnx_proto::schema::{self, AttributeDefault, Formal, FormalKind, Schema};

use super::{Lowering, Outcome, Refusal};
use crate::node::{Node, Text};
use crate::slots::Slot;

impl Lowering<'_, '_> {
    /// Completes the node by the schema in force, or says why it does not fit and from when on it may.
    pub(super) fn fit(&mut self) -> Outcome {
        let (operator, opset) = (self.node.operator.clone(), self.opset);
        let Some(schema) = schema::schema(&operator, opset) else {
            return Err(match schema::first_appearance(&operator) {
                Some(first) => Refusal::until(first, format!("{operator} exists from opset {first} on")),
                None => Refusal::never(format!("there is no operator {operator}")),
            });
        };
        let later = schema::versions(&operator).iter().find(|later| later.since_version > opset);
        let refuse = |why: String| Refusal { why, next: later.map(|later| later.since_version) };
        if schema.deprecated {
            return Err(refuse(format!("{operator} is withdrawn at opset {}", schema.since_version)));
        }
        self.complete_attributes(schema).map_err(&refuse)?;
        self.complete_arguments(schema).map_err(&refuse)?;
        self.check_types(schema).map_err(&refuse)
    }

    /// Attributes must exist there; where an absent one means something else than it does now, it is written out.
    fn complete_attributes(&mut self, schema: &Schema) -> Result<(), String> {
        let operator = &self.node.operator;
        if let Some((name, _)) = self.node.attributes.iter().find(|(name, _)| schema.attribute(name).is_none()) {
            return Err(format!("the {operator} of opset {} has no attribute '{name}'", schema.since_version));
        }
        let newest = schema::versions(operator).last();
        for old in &schema.attributes {
            if self.node.attribute(old.name).is_some() {
                continue;
            }
            let now = newest.and_then(|newest| newest.attribute(old.name)).and_then(|now| now.default.as_ref());
            if !old.required && (old.default.as_ref() == now || now.is_none()) {
                continue;
            }
            match now.and_then(default_value) {
                Some(value) => self.node.attributes.push((Text::Borrowed(old.name), value)),
                None => {
                    return Err(format!(
                        "the {operator} of opset {} needs the attribute '{}'",
                        schema.since_version, old.name
                    ));
                }
            }
        }
        Ok(())
    }

    /// Trailing absent arguments go; what must be there is there.
    fn complete_arguments(&mut self, schema: &Schema) -> Result<(), String> {
        let (operator, since) = (self.node.operator.clone(), schema.since_version);
        trim(&mut self.node);
        let inputs = self.node.inputs.len();
        if inputs < schema.min_inputs {
            return Err(format!("the {operator} of opset {since} needs at least {} inputs", schema.min_inputs));
        }
        if schema.max_inputs.is_some_and(|most| inputs > most) {
            return Err(format!("the {operator} of opset {since} has fewer inputs"));
        }
        for (position, input) in self.node.inputs.iter().enumerate() {
            let formal = schema.input(position);
            if input.is_none() && formal.is_some_and(|formal| formal.kind != FormalKind::Optional) {
                let name = formal.map_or("", |formal| formal.name);
                return Err(format!("the {operator} of opset {since} needs its input '{name}'"));
            }
        }
        if schema.max_outputs.is_some_and(|most| self.node.outputs.len() > most) {
            return Err(format!("the {operator} of opset {since} has fewer outputs"));
        }
        // A result that must be there but that nobody wants gets a name.
        while self.node.outputs.len() < schema.min_outputs {
            self.node.outputs.push(None);
        }
        for position in 0..self.node.outputs.len() {
            let must = schema.output(position).is_some_and(|formal| formal.kind == FormalKind::Single);
            if must && self.node.outputs[position].is_none() {
                let hint = format!("{}_unused", self.base());
                self.node.outputs[position] = Some(self.slots.add_value(hint, ValueType::Unknown));
            }
        }
        Ok(())
    }

    fn check_types(&self, schema: &Schema) -> Result<(), String> {
        let mut bound: Vec<(&str, &ValueType)> = Vec::new();
        for (position, slot) in self.node.inputs.iter().enumerate() {
            self.check_type(schema, "input", schema.input(position), *slot, &mut bound)?;
        }
        for (position, slot) in self.node.outputs.iter().enumerate() {
            self.check_type(schema, "output", schema.output(position), *slot, &mut bound)?;
        }
        Ok(())
    }

    fn check_type<'s>(
        &'s self,
        schema: &'s Schema,
        what: &str,
        formal: Option<&'s Formal>,
        slot: Option<Slot>,
        bound: &mut Vec<(&'s str, &'s ValueType)>,
    ) -> Result<(), String> {
        let (Some(formal), Some(slot)) = (formal, slot) else { return Ok(()) };
        let ty = self.slots.ty(slot);
        if allows(formal, ty) == Some(false) {
            let (operator, since) = (schema.name, schema.since_version);
            return Err(format!("{what} '{}' of the {operator} of opset {since} cannot be {}", formal.name, kind(ty)));
        }
        let Some(variable) = formal.type_variable.filter(|_| formal.homogeneous) else { return Ok(()) };
        match bound.iter().find(|(name, _)| *name == variable) {
            Some((_, other)) if !same_kind(other, ty) => Err(format!(
                "{what} '{}' of the {} of opset {} must have the same type as others, {}, but is {}",
                formal.name,
                schema.name,
                schema.since_version,
                kind(other),
                kind(ty)
            )),
            Some(_) => Ok(()),
            None => {
                if *ty != ValueType::Unknown {
                    bound.push((variable, ty));
                }
                Ok(())
            }
        }
    }
}

/// Drops absent arguments at the end.
pub(super) fn trim(node: &mut Node) {
    while node.inputs.last() == Some(&None) {
        node.inputs.pop();
    }
    while node.outputs.last() == Some(&None) {
        node.outputs.pop();
    }
}

/// Whether an operator that is carried unchanged means the same at both opsets: it is the same version, or one of an
/// operator that has no typed form and only gained types. One that has a typed form is carried because the meaning of its
/// form did change.
pub(crate) fn same_meaning(operator: &str, from: i64, to: i64) -> bool {
    if same_version(operator, from, to) {
        return true;
    }
    let (Some(a), Some(b)) = (schema::schema(operator, from), schema::schema(operator, to)) else { return false };
    OpKind::from_name(operator).is_none() && only_gains_types(a, b)
}

/// Whether an operator has the same version at both opsets.
pub(crate) fn same_version(operator: &str, from: i64, to: i64) -> bool {
    let since = |opset| schema::schema(operator, opset).map(|schema| schema.since_version);
    from == to || since(from).is_some_and(|version| since(to) == Some(version))
}

fn only_gains_types(a: &Schema, b: &Schema) -> bool {
    let formals = |a: &[Formal], b: &[Formal]| {
        let same = |a: &Formal, b: &Formal| a.kind == b.kind && b.types.contains_all(&a.types);
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
    };
    a.attributes == b.attributes && !b.deprecated && formals(&a.inputs, &b.inputs) && formals(&a.outputs, &b.outputs)
}

fn default_value(default: &AttributeDefault) -> Option<Attribute> {
    let text = |text: &&'static str| bytes::Bytes::from_static(text.as_bytes());
    Some(match default {
        AttributeDefault::Float(x) => Attribute::Float(F32(*x)),
        AttributeDefault::Int(x) => Attribute::Int(*x),
        AttributeDefault::String(x) => Attribute::String(text(x)),
        AttributeDefault::Floats(x) => Attribute::Floats(x.iter().map(|x| F32(*x)).collect()),
        AttributeDefault::Ints(x) => Attribute::Ints(x.clone()),
        AttributeDefault::Strings(x) => Attribute::Strings(x.iter().map(text).collect()),
        _ => return None,
    })
}

/// Whether a formal may have a type; `None` when the type or the formal says too little.
fn allows(formal: &Formal, ty: &ValueType) -> Option<bool> {
    let set = match ty {
        // Engines take a sparse constant where a dense tensor is wanted.
        ValueType::Tensor(_) | ValueType::SparseTensor(_) => formal.types.tensors,
        ValueType::Sequence(inner) if matches!(**inner, ValueType::Tensor(_)) => formal.types.sequences,
        ValueType::Optional(inner) => match &**inner {
            ValueType::Tensor(_) => formal.types.optionals,
            ValueType::Sequence(inner) if matches!(**inner, ValueType::Tensor(_)) => formal.types.optional_sequences,
            _ => return None,
        },
        _ => return None,
    };
    let data_type = DataType::from_number(element(ty)?.onnx())?;
    Some(set.contains(data_type))
}

/// The element type at the bottom.
fn element(ty: &ValueType) -> Option<edgesmith_ir::DType> {
    match ty {
        ValueType::Tensor(tensor) | ValueType::SparseTensor(tensor) => Some(tensor.dtype),
        ValueType::Sequence(inner) | ValueType::Optional(inner) => element(inner),
        _ => None,
    }
}

/// Whether two types differ in shapes at most; unknown ones do not differ.
fn same_kind(a: &ValueType, b: &ValueType) -> bool {
    match (a, b) {
        (ValueType::Unknown, _) | (_, ValueType::Unknown) => true,
        (ValueType::Tensor(a) | ValueType::SparseTensor(a), ValueType::Tensor(b) | ValueType::SparseTensor(b)) => {
            a.dtype == b.dtype
        }
        (ValueType::Sequence(a), ValueType::Sequence(b)) | (ValueType::Optional(a), ValueType::Optional(b)) => {
            same_kind(a, b)
        }
        (a, b) => a == b,
    }
}

/// A type without its shape, for messages.
fn kind(ty: &ValueType) -> String {
    match ty {
        ValueType::Tensor(tensor) | ValueType::SparseTensor(tensor) => tensor.dtype.to_string(),
        ValueType::Sequence(inner) => format!("a sequence of {}", kind(inner)),
        ValueType::Optional(inner) => format!("an optional {}", kind(inner)),
        other => other.to_string(),
    }
}
