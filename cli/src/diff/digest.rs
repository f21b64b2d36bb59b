//! Digests of operators: what an operator is together with all that feeds it, and together with all that it feeds.
//!
//! Names take no part, so that operators whose values were renamed are found again. Each digest is made once from those of
//! the neighbours: linear in the operators and their uses.

use std::hash::{Hash, Hasher};

use edgesmith_ir::id::EntityId;
use edgesmith_ir::{Def, Graph, GraphId, Model, OpId, TensorId, User, ValueId};
use rayon::prelude::*;

/// The digests of one model, by graph and operator.
pub(super) struct Digests {
    /// The operator and everything it depends on.
    pub(super) down: Vec<Vec<u128>>,
    /// The operator and everything that depends on it.
    pub(super) up: Vec<Vec<u128>>,
}

/// What stands for the inputs and outputs of the main graph, by position: equal numbers are the same input or output.
pub(super) struct Terminals {
    pub(super) inputs: Vec<u64>,
    pub(super) outputs: Vec<u64>,
}

/// blake3 as a hasher: 128 bits of it do not collide by accident.
struct Digest(blake3::Hasher);

impl Digest {
    fn new() -> Self {
        Self(blake3::Hasher::new())
    }
    fn wide(&self) -> u128 {
        let mut head = [0; 16];
        head.copy_from_slice(&self.0.finalize().as_bytes()[..16]);
        u128::from_le_bytes(head)
    }
}

impl Hasher for Digest {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
    fn finish(&self) -> u64 {
        self.wide() as u64
    }
}

/// Digests of every tensor's type and elements, by tensor.
pub(super) fn contents(model: &Model) -> Vec<u128> {
    let tensors: Vec<_> = model.tensors().map(|(_, entry)| &entry.tensor).collect();
    tensors
        .into_par_iter()
        .map(|tensor| {
            let mut head = [0; 16];
            head.copy_from_slice(&tensor.content_hash().as_bytes()[..16]);
            u128::from_le_bytes(head)
        })
        .collect()
}

/// Digests of every tensor's type alone, by tensor.
pub(super) fn types(model: &Model) -> Vec<u128> {
    let digest = |tensor: &edgesmith_ir::Tensor| {
        let mut digest = Digest::new();
        (tensor.dtype().onnx(), tensor.shape()).hash(&mut digest);
        digest.wide()
    };
    model.tensors().map(|(_, entry)| digest(&entry.tensor)).collect()
}

/// Every graph of the model, each before its regions: those that run, then the bodies of functions.
pub(super) fn all_graphs(model: &Model) -> Vec<GraphId> {
    let mut order = model.live_graphs();
    let mut listed = vec![false; model.graphs().count()];
    order.iter().for_each(|id| listed[id.index()] = true);
    let bodies = model.functions.values().filter_map(|function| function.body);
    order.extend(bodies.filter(|id| !std::mem::replace(&mut listed[id.index()], true)));
    let mut at = 0;
    while at < order.len() {
        let below: Vec<GraphId> = model.graph(order[at]).ops().flat_map(|(_, op)| op.regions().to_vec()).collect();
        order.extend(below.into_iter().filter(|id| !std::mem::replace(&mut listed[id.index()], true)));
        at += 1;
    }
    order
}

impl Digests {
    /// `constants` has a digest for every tensor.
    pub(super) fn of(model: &Model, terminals: &Terminals, constants: &[u128]) -> Self {
        let count = model.graphs().count();
        let (mut down, mut up, mut regions) = (vec![Vec::new(); count], vec![Vec::new(); count], vec![0; count]);
        for id in all_graphs(model).into_iter().rev() {
            let graph = model.graph(id);
            let main = model.main() == Some(id);
            let walk = Walk { graph, terminals: main.then_some(terminals), constants, regions: &regions };
            let order = graph.topological().unwrap_or_else(|_| graph.ops().map(|(op, _)| op).collect());
            let own = walk.own();
            down[id.index()] = walk.down(&order, &own);
            up[id.index()] = walk.up(&order, &own);
            regions[id.index()] = walk.whole(&down[id.index()]);
        }
        Self { down, up }
    }
}

struct Walk<'a> {
    graph: &'a Graph,
    terminals: Option<&'a Terminals>,
    constants: &'a [u128],
    regions: &'a [u128],
}

impl Walk<'_> {
    fn constant(&self, tensor: TensorId) -> u128 {
        self.constants.get(tensor.index()).copied().unwrap_or_default()
    }
    /// Kind, attributes, regions and constant operands.
    fn own(&self) -> Vec<u128> {
        let mut all = vec![0; self.graph.op_rows()];
        for (id, data) in self.graph.ops() {
            let mut digest = Digest::new();
            data.op().hash(&mut digest);
            data.regions().iter().for_each(|region| self.regions[region.index()].hash(&mut digest));
            for (slot, operand) in data.operands().iter().enumerate() {
                let tensor = operand.and_then(|value| self.graph.constant(value));
                (slot, operand.is_some(), tensor.map(|tensor| self.constant(tensor))).hash(&mut digest);
            }
            all[id.index()] = digest.wide();
        }
        all
    }
    /// What stands for a value: its input, its constant, or its operator and slot.
    fn value(&self, id: ValueId, inputs: &[u64], down: &[u128]) -> (u8, u128, u32) {
        match self.graph.value(id).def() {
            Def::Input { .. } => (0, u128::from(inputs[id.index()]), 0),
            Def::Constant(tensor) => (1, self.constant(tensor), 0),
            Def::Result { op, slot } => (2, down[op.index()], slot),
            Def::Erased => (3, 0, 0),
        }
    }
    fn inputs(&self) -> Vec<u64> {
        let mut keys = vec![0; self.graph.value_rows()];
        for (position, value) in self.graph.inputs().iter().enumerate() {
            keys[value.index()] = match self.terminals {
                Some(terminals) => terminals.inputs[position],
                None => position as u64,
            };
        }
        keys
    }
    fn down(&self, order: &[OpId], own: &[u128]) -> Vec<u128> {
        let inputs = self.inputs();
        let mut down = vec![0; self.graph.op_rows()];
        for id in order {
            let mut digest = Digest::new();
            own[id.index()].hash(&mut digest);
            for operand in self.graph.op(*id).operands() {
                operand.map(|value| self.value(value, &inputs, &down)).hash(&mut digest);
            }
            down[id.index()] = digest.wide();
        }
        down
    }
    fn up(&self, order: &[OpId], own: &[u128]) -> Vec<u128> {
        let mut up = vec![0_u128; self.graph.op_rows()];
        for id in order.iter().rev() {
            let mut digest = Digest::new();
            own[id.index()].hash(&mut digest);
            for (slot, value) in self.graph.op(*id).results().iter().enumerate() {
                let Some(value) = value else { continue };
                let reader = |reading: &edgesmith_ir::Use| match reading.user {
                    User::Op(op) => (up[op.index()], reading.slot),
                    User::Output => (0, self.output(reading.slot)),
                };
                let mut readers: Vec<(u128, u32)> = self.graph.value(*value).uses().iter().map(reader).collect();
                readers.sort_unstable();
                (slot, readers).hash(&mut digest);
            }
            up[id.index()] = digest.wide();
        }
        up
    }
    fn output(&self, position: u32) -> u32 {
        self.terminals.map_or(position, |terminals| terminals.outputs[position as usize] as u32)
    }
    /// The whole graph, by its outputs.
    fn whole(&self, down: &[u128]) -> u128 {
        let inputs = self.inputs();
        let mut digest = Digest::new();
        for output in self.graph.outputs() {
            self.value(*output, &inputs, down).hash(&mut digest);
        }
        digest.wide()
    }
}
