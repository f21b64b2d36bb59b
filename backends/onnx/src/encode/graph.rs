//! Graphs, nodes and what surrounds them in the file.

use std::collections::BTreeMap;

use edgesmith_ir::{Attribute, Def, Name, OpExtra, TensorData, TensorRole, ValueExtra, ValueType};
use indexmap::IndexMap;
use rustc_hash::{FxHashMap, FxHashSet};

use super::external::External;
use super::rope::Rope;
use super::tensor::{self, Notes};
use super::types;
use crate::naming::Naming;
use crate::node::Node;
use crate::place::Home;
use crate::plan::{Plan, Role};
use crate::slots::{ConstantKey, Slot};

/// How one graph writes a constant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    /// As an initializer.
    Initializer,
    /// As an initializer that is listed among the inputs, as IR version 3 wants.
    Listed,
    /// As a `Constant` node.
    Node,
}

/// Everything that encoding needs and gathers.
pub(crate) struct Encoder<'a, 'm> {
    pub plan: &'a Plan<'m>,
    pub naming: &'a Naming,
    pub homes: &'a IndexMap<ConstantKey, Home>,
    /// Whether the file has IR version 3.
    pub old: bool,
    pub external: Option<External>,
    /// Nodes by operator.
    pub counts: BTreeMap<String, u64>,
    /// Domains of the nodes written so far, but for the standard one.
    pub domains: std::collections::BTreeSet<Name>,
    /// Bytes of constants.
    pub weight_bytes: u64,
    /// Values that are read but that nothing defines.
    pub lost: Vec<Name>,
}

/// How a constant is written.
pub(crate) fn form(plan: &Plan<'_>, place: usize, key: ConstantKey, old: bool) -> Form {
    match plan.graphs[place].role {
        Role::Function => Form::Node,
        _ if !old => Form::Initializer,
        Role::Region => Form::Node,
        Role::Main => match key {
            ConstantKey::Stored(id) if plan.slots.model.tensor_entry(id).role != TensorRole::Literal => Form::Listed,
            _ => Form::Node,
        },
    }
}

impl<'m> Encoder<'_, 'm> {
    fn name(&mut self, slot: Slot) -> Name {
        let name = self.naming.of(self.plan, slot);
        if name.is_empty() {
            self.lost.push(self.plan.slots.wish(slot));
        }
        name
    }

    pub fn graph(&mut self, place: usize) -> Rope {
        let plan = self.plan;
        let graph = &plan.graphs[place];
        let source = plan.slots.model.graph(graph.graph);
        let mut rope = Rope::default();
        self.nodes(&mut rope, 1, place);
        // A graph without a name is refused by the checker.
        rope.text(2, if source.name.is_empty() { "graph" } else { &source.name });
        let sparse = self.initializers(&mut rope, place);
        rope.text_if_any(10, &source.doc);
        self.inputs(&mut rope, place);
        for (slot, described) in &graph.outputs {
            let info = self.boundary(place, *slot, *described);
            rope.nested(12, info);
        }
        self.value_infos(&mut rope, 13, place);
        self.annotations(&mut rope, place);
        for tensor in sparse {
            rope.nested(15, tensor);
        }
        tensor::metadata(&mut rope, 16, &source.metadata);
        rope
    }

    /// The nodes of a graph or a function.
    pub fn nodes(&mut self, rope: &mut Rope, tag: u32, place: usize) {
        let graph = &self.plan.graphs[place];
        for key in &graph.constants {
            if form(self.plan, place, *key, self.old) == Form::Node {
                let node = self.constant_node(*key);
                rope.nested(tag, node);
            }
        }
        for (index, node) in graph.nodes.iter().enumerate() {
            let renamed = self.naming.nodes.get(&(place, index));
            let node = self.node(node, renamed.unwrap_or(&node.name));
            rope.nested(tag, node);
        }
    }

    fn node(&mut self, node: &Node, name: &str) -> Rope {
        let mut rope = Rope::default();
        for (tag, slots) in [(1, &node.inputs[..]), (2, &node.outputs[..])] {
            for slot in slots {
                match slot {
                    Some(slot) => {
                        let name = self.name(*slot);
                        rope.text(tag, &name);
                    }
                    None => rope.text(tag, ""),
                }
            }
        }
        rope.text_if_any(3, name);
        rope.text(4, &node.operator);
        for (name, value) in &node.attributes {
            let mut subgraph =
                |index: usize| node.regions.get(index).map_or_else(Rope::default, |region| self.graph(*region));
            let attribute = tensor::attribute(name, value, &mut subgraph);
            rope.nested(5, attribute);
        }
        let extra = node.notes.and_then(|(graph, op)| self.plan.slots.model.graph(graph).op(op).extra());
        if let Some(OpExtra { doc, .. }) = extra {
            rope.text_if_any(6, doc);
        }
        rope.text_if_any(7, &node.domain);
        rope.text_if_any(8, &node.overload);
        if let Some(OpExtra { metadata, opaque, .. }) = extra {
            tensor::metadata(&mut rope, 9, metadata);
            rope.raw(opaque);
        }
        let kind = if node.domain.is_empty() {
            node.operator.to_string()
        } else {
            if !self.domains.contains(&*node.domain) {
                self.domains.insert(Name::from(&*node.domain));
            }
            format!("{}::{}", node.domain, node.operator)
        };
        *self.counts.entry(kind).or_insert(0) += 1;
        rope
    }

    fn constant_node(&mut self, key: ConstantKey) -> Rope {
        let mut rope = Rope::default();
        let Some(tensor) = self.plan.slots.tensor(key).cloned() else { return rope };
        let name = self.constant_name(key);
        rope.text(2, &name);
        rope.text(4, "Constant");
        let (label, value) = match tensor.data() {
            TensorData::Sparse(_) => ("sparse_value", Attribute::SparseTensor(tensor.clone())),
            _ => ("value", Attribute::Tensor(tensor.clone())),
        };
        rope.nested(5, tensor::attribute(label, &value, &mut |_| Rope::default()));
        let (doc, metadata) = self.notes(key);
        rope.text_if_any(6, doc);
        tensor::metadata(&mut rope, 9, metadata);
        self.weight_bytes += tensor.byte_len();
        *self.counts.entry("Constant".to_owned()).or_insert(0) += 1;
        rope
    }

    fn constant_name(&self, key: ConstantKey) -> Name {
        self.homes.get(&key).map(|home| self.naming.of(self.plan, home.named)).unwrap_or_default()
    }

    fn notes(&self, key: ConstantKey) -> (&'m str, &'m [(Name, Name)]) {
        match key {
            ConstantKey::Stored(id) => {
                let entry = self.plan.slots.model.tensor_entry(id);
                (&entry.doc, &entry.metadata)
            }
            ConstantKey::Added(_) => ("", &[]),
        }
    }

    /// Writes dense initializers, and returns sparse ones, which have their place further down.
    fn initializers(&mut self, rope: &mut Rope, place: usize) -> Vec<Rope> {
        let graph = &self.plan.graphs[place];
        let mut sparse = Vec::new();
        for slot in &graph.inputs {
            let default = self.plan.slots.row(*slot).map(edgesmith_ir::ValueData::def);
            if let Some(Def::Input { default: Some(id) }) = default {
                let name = self.name(*slot);
                self.initializer(rope, &mut sparse, &name, ConstantKey::Stored(id));
            }
        }
        for key in &graph.constants {
            if form(self.plan, place, *key, self.old) != Form::Node {
                let name = self.constant_name(*key);
                self.initializer(rope, &mut sparse, &name, *key);
            }
        }
        sparse
    }

    fn initializer(&mut self, rope: &mut Rope, sparse: &mut Vec<Rope>, name: &str, key: ConstantKey) {
        let Some(tensor) = self.plan.slots.tensor(key) else { return };
        let (doc, metadata) = self.notes(key);
        let notes = Notes { doc, metadata };
        self.weight_bytes += tensor.byte_len();
        match (&mut self.external, tensor.data()) {
            (_, TensorData::Sparse(_)) => sparse.push(tensor::sparse(name, tensor, doc)),
            (Some(external), _) if External::takes(tensor) => {
                rope.nested(5, tensor::outside(name, tensor, notes, external));
            }
            _ => rope.nested(5, tensor::dense(name, tensor, notes)),
        }
    }

    fn inputs(&mut self, rope: &mut Rope, place: usize) {
        let graph = &self.plan.graphs[place];
        for slot in &graph.inputs {
            let info = self.boundary(place, *slot, *slot);
            rope.nested(11, info);
        }
        for key in &graph.constants {
            if form(self.plan, place, *key, self.old) == Form::Listed {
                let extra =
                    self.homes.get(key).and_then(|home| self.plan.slots.row(home.named)).and_then(|row| row.extra());
                let ty = self.plan.slots.tensor(*key).map(edgesmith_ir::tensor_type).unwrap_or_default();
                let name = self.constant_name(*key);
                let declared = extra.and_then(|extra| extra.declared.as_ref());
                rope.nested(11, value_info(&name, &types::interface(declared, &ty), extra));
            }
        }
    }

    /// What a graph says of an input or output.
    fn boundary(&mut self, place: usize, slot: Slot, described: Slot) -> Rope {
        let name = self.name(slot);
        let row = self.plan.slots.row(described);
        let extra = row.and_then(edgesmith_ir::ValueData::extra);
        let declared = extra.and_then(|extra| extra.declared.as_ref());
        let ty = self.plan.slots.ty(described);
        let ty = match self.plan.graphs[place].role {
            Role::Region => types::boundary(declared, ty),
            _ => types::interface(declared, ty),
        };
        value_info(&name, &ty, extra)
    }

    /// What the file said of values in between, as far as it is still true.
    pub fn value_infos(&mut self, rope: &mut Rope, tag: u32, place: usize) {
        let plan = self.plan;
        let graph = &plan.graphs[place];
        let outputs: FxHashSet<Slot> = graph.outputs.iter().map(|(slot, _)| plan.slots.root(*slot)).collect();
        for slot in graph.nodes.iter().flat_map(|node| node.outputs.iter().flatten()) {
            let Some(row) = plan.slots.row(*slot) else { continue };
            let Some(extra) = row.extra() else { continue };
            if outputs.contains(&plan.slots.root(*slot)) {
                continue;
            }
            let ty = extra.declared.as_ref().and_then(|declared| types::interior(declared, row.ty()));
            if ty.is_some() || says_something(extra) {
                let name = self.name(*slot);
                rope.nested(tag, value_info(&name, &ty.unwrap_or_default(), Some(extra)));
            }
        }
        for key in &graph.constants {
            if form(plan, place, *key, self.old) == Form::Listed {
                continue;
            }
            let row = self.homes.get(key).and_then(|home| plan.slots.row(home.named));
            if let Some((row, extra)) =
                row.and_then(|row| Some((row, row.extra()?))).filter(|(_, extra)| says_something(extra))
            {
                let name = self.constant_name(*key);
                rope.nested(tag, value_info(&name, row.ty(), Some(extra)));
            }
        }
    }

    /// Quantisation annotations, under the names that values have now.
    fn annotations(&mut self, rope: &mut Rope, place: usize) {
        let plan = self.plan;
        let id = plan.graphs[place].graph;
        let graph = plan.slots.model.graph(id);
        let quantized = |extra: &&ValueExtra| !extra.quantization.is_empty();
        if !graph.values().any(|(_, row)| row.extra().as_ref().is_some_and(quantized)) {
            return;
        }
        let by_name: FxHashMap<&Name, _> = graph.values().map(|(value, row)| (row.name(), value)).collect();
        for (value, row) in graph.values() {
            let Some(extra) = row.extra().filter(quantized) else { continue };
            let name = self.naming.of(plan, plan.slots.of(id, value));
            if name.is_empty() {
                continue;
            }
            let mut annotation = Rope::default();
            annotation.text(1, &name);
            for (key, parameter) in &extra.quantization {
                let now = by_name.get(parameter).map(|value| self.naming.of(plan, plan.slots.of(id, *value)));
                let now = now.filter(|now| !now.is_empty()).unwrap_or_else(|| parameter.clone());
                annotation.message(2, &tensor::entry(key, &now));
            }
            rope.nested(14, annotation);
        }
    }
}

/// Whether a file says anything of a value beside its type.
fn says_something(extra: &ValueExtra) -> bool {
    !extra.doc.is_empty() || !extra.metadata.is_empty()
}

fn value_info(name: &str, ty: &ValueType, extra: Option<&ValueExtra>) -> Rope {
    let mut rope = Rope::default();
    rope.text(1, name);
    let denotations = extra.map_or(&[][..], |extra| &extra.denotations);
    if let Some(proto) = types::proto(ty, denotations) {
        rope.message(2, &proto);
    }
    if let Some(extra) = extra {
        rope.text_if_any(3, &extra.doc);
        tensor::metadata(&mut rope, 4, &extra.metadata);
    }
    rope
}
