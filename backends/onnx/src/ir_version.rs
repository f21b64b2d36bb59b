//! The lowest version of the file format that holds what is written.
//!
//! Runtimes refuse files of a newer IR version than they know, whatever is inside, so a file says no more than it needs.
//! Version 3 is kept only for a source that had it, and only while every constant of the main graph still is what that
//! version asks for: a literal, or an initializer that the source listed among the inputs.

use edgesmith_ir::{Attribute, DType, Def, Tensor, TensorData, ValueType};
use indexmap::IndexMap;
use prost::encoding::{DecodeContext, decode_key, skip_field};

use crate::encode::{Form, form};
use crate::place::Home;
use crate::plan::{Plan, Role};
use crate::slots::ConstantKey;

/// The version of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Version {
    pub ir: i64,
    /// Whether initializers are listed among the inputs, as version 3 wants.
    pub inputs_listed: bool,
}

/// The version that a plan needs.
pub(crate) fn version(plan: &Plan<'_>, homes: &IndexMap<ConstantKey, Home>) -> Version {
    let mut needed = Needed(3);
    plan_needs(plan, &mut needed);
    let old_source = plan.slots.model.metadata.ir_version == 3;
    if old_source && needed.0 == 3 && all_listed(plan, homes) {
        return Version { ir: 3, inputs_listed: true };
    }
    if !homes.is_empty() || has_default(plan) {
        needed.at_least(4);
    }
    Version { ir: needed.0, inputs_listed: false }
}

struct Needed(i64);

impl Needed {
    fn at_least(&mut self, version: i64) {
        self.0 = self.0.max(version);
    }
    fn when(&mut self, condition: bool, version: i64) {
        if condition {
            self.at_least(version);
        }
    }
    fn dtype(&mut self, dtype: DType) {
        self.at_least(match dtype {
            DType::BF16 => 4,
            DType::F8E4M3FN | DType::F8E4M3FNUZ | DType::F8E5M2 | DType::F8E5M2FNUZ => 9,
            DType::U4 | DType::I4 => 10,
            DType::F4E2M1 => 11,
            DType::F8E8M0 => 12,
            DType::U2 | DType::I2 => 13,
            DType::F6E2M3 | DType::F6E3M2 => 14,
            _ => 3,
        });
    }
    fn ty(&mut self, ty: &ValueType) {
        match ty {
            ValueType::Tensor(tensor) => self.dtype(tensor.dtype),
            ValueType::SparseTensor(tensor) => {
                self.at_least(8);
                self.dtype(tensor.dtype);
            }
            ValueType::Sequence(inner) => self.ty(inner),
            ValueType::Optional(inner) => {
                self.at_least(8);
                self.ty(inner);
            }
            ValueType::Map(key, inner) => {
                self.dtype(*key);
                self.ty(inner);
            }
            _ => {}
        }
    }
    fn tensor(&mut self, tensor: &Tensor) {
        self.dtype(tensor.dtype());
        self.when(matches!(tensor.data(), TensorData::Sparse(_)), 6);
    }
    fn attribute(&mut self, attribute: &Attribute) {
        match attribute {
            Attribute::Tensor(tensor) | Attribute::SparseTensor(tensor) => self.tensor(tensor),
            Attribute::Tensors(tensors) | Attribute::SparseTensors(tensors) => {
                for tensor in tensors {
                    self.tensor(tensor);
                }
            }
            Attribute::Type(ty) => self.ty(ty),
            Attribute::Types(types) => {
                for ty in types {
                    self.ty(ty);
                }
            }
            _ => {}
        }
    }
}

fn plan_needs(plan: &Plan<'_>, needed: &mut Needed) {
    let model = plan.slots.model;
    for tag in tags(&model.metadata.opaque) {
        // Training information; device configurations.
        needed.at_least(if tag == 20 { 7 } else { 11 });
    }
    for (key, _) in &plan.functions {
        needed.at_least(8);
        needed.when(!key.overload.is_empty(), 10);
        let Some(function) = model.functions.get(key) else { continue };
        needed.when(!function.defaults.is_empty(), 9);
        needed.when(!function.metadata.is_empty(), 10);
    }
    for graph in &plan.graphs {
        needed.when(!model.graph(graph.graph).metadata.is_empty(), 10);
        for key in &graph.constants {
            if let Some(tensor) = plan.slots.tensor(*key) {
                needed.tensor(tensor);
            }
            if let ConstantKey::Stored(id) = key {
                needed.when(!model.tensor_entry(*id).metadata.is_empty(), 10);
            }
        }
        for node in &graph.nodes {
            needed.when(!node.overload.is_empty(), 10);
            for (_, value) in &node.attributes {
                needed.attribute(value);
            }
            if let Some(extra) = node.notes.and_then(|(id, op)| model.graph(id).op(op).extra()) {
                needed.when(!extra.metadata.is_empty(), 10);
                needed.when(!extra.opaque.is_empty(), 11);
            }
        }
        let made = graph.nodes.iter().flat_map(|node| node.outputs.iter().flatten());
        for slot in graph.inputs.iter().chain(made).chain(graph.outputs.iter().map(|(_, described)| described)) {
            needed.ty(plan.slots.ty(*slot));
            let row = plan.slots.row(*slot);
            let Some(extra) = row.and_then(edgesmith_ir::ValueData::extra) else { continue };
            if let Some(declared) = &extra.declared {
                needed.ty(declared);
            }
            needed.when(!extra.metadata.is_empty(), 10);
            needed.when(!extra.quantization.is_empty(), 5);
            needed.when(graph.role == Role::Function && extra.declared.is_some(), 10);
        }
    }
}

/// Whether the main graph's constants are all such as version 3 has them.
fn all_listed(plan: &Plan<'_>, homes: &IndexMap<ConstantKey, Home>) -> bool {
    !has_default(plan)
        && homes.iter().all(|(key, home)| match form(plan, home.plan, *key, true) {
            Form::Node => true,
            // A constant that was an input still bears what the file declared of it.
            _ => plan.slots.row(home.named).and_then(|row| row.extra()).is_some_and(|extra| extra.declared.is_some()),
        })
}

fn has_default(plan: &Plan<'_>) -> bool {
    plan.graphs.iter().flat_map(|graph| &graph.inputs).any(|slot| {
        matches!(plan.slots.row(*slot).map(edgesmith_ir::ValueData::def), Some(Def::Input { default: Some(_) }))
    })
}

/// The numbers of the fields in encoded bytes; stops where they cannot be read.
fn tags(mut bytes: &[u8]) -> Vec<u32> {
    let mut tags = Vec::new();
    while !bytes.is_empty() {
        let Ok((tag, wire_type)) = decode_key(&mut bytes) else { break };
        tags.push(tag);
        if skip_field(wire_type, tag, &mut bytes, DecodeContext::default()).is_err() {
            break;
        }
    }
    tags
}
