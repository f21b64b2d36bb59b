//! Compaction: drops tombstones and renumbers everything in one deterministic order.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::graph::{Cycle, NewOp};
use crate::id::{Arena, EntityId};
use crate::{Def, Graph, GraphId, Model, OpId, Origin, OriginId, Tensor, TensorEntry, TensorId, ValueId};

/// Where everything went.
#[derive(Clone, Debug, Default)]
pub struct Renumbering {
    /// New ids of graphs that are still reachable.
    pub graphs: FxHashMap<GraphId, GraphId>,
    /// New ids of operators, by old graph.
    pub ops: FxHashMap<(GraphId, OpId), OpId>,
    /// New ids of values, by old graph.
    pub values: FxHashMap<(GraphId, ValueId), ValueId>,
    /// New ids of origins that an operator still has, or derives from.
    pub origins: FxHashMap<OriginId, OriginId>,
}

impl Model {
    /// Lets go of the data of tensors that no value refers to any more; their rows stay, empty, until [`Model::compact`]. A
    /// run of rules that rewrites a weight more than once would otherwise hold every form of it.
    pub fn release_dead_tensors(&mut self) {
        let mut alive = vec![false; self.tensors().count()];
        for (_, graph) in self.graphs() {
            for (_, value) in graph.values() {
                if let Def::Constant(tensor) | Def::Input { default: Some(tensor), .. } = value.def() {
                    alive[tensor.index()] = true;
                }
            }
        }
        for (index, _) in alive.iter().enumerate().filter(|(_, alive)| !**alive) {
            let entry = self.tensor_entry_mut(TensorId::from_index(index));
            if !entry.tensor.is_empty() {
                entry.tensor = Tensor::from_ints(&[]);
            }
        }
    }

    /// Drops erased rows, unreachable graphs, and tensors and origins that nothing refers to; renumbers operators in
    /// topological order (which keeps the present order wherever that is one) and values in the order of their
    /// definition: inputs, constants, results.
    pub fn compact(&mut self) -> Result<Renumbering, Cycle> {
        let mut renumbering = Renumbering::default();
        let mut work = Work {
            tensors: FxHashMap::default(),
            origins: FxHashMap::default(),
            new_tensors: Arena::new(),
            new_origins: Arena::new(),
        };
        let mut order = self.live_graphs();
        let mut listed: FxHashSet<GraphId> = order.iter().copied().collect();
        order.extend(self.functions.values().filter_map(|function| function.body).filter(|body| listed.insert(*body)));
        // Function bodies may hold regions of their own.
        let mut at = 0;
        while at < order.len() {
            let graph = self.graph(order[at]);
            order.extend(graph.ops().flat_map(|(_, data)| data.regions()).copied().filter(|id| listed.insert(*id)));
            at += 1;
        }
        for (index, id) in order.iter().enumerate() {
            renumbering.graphs.insert(*id, GraphId::from_index(index));
        }
        let mut graphs = Arena::new();
        for id in &order {
            graphs.push(Arc::new(self.rebuild(*id, &mut work, &mut renumbering)?));
        }
        for id in self.entries.values_mut() {
            *id = renumbering.graphs[id];
        }
        for function in self.functions.values_mut() {
            function.body = function.body.map(|body| renumbering.graphs[&body]);
        }
        self.replace_arenas(graphs, work.new_tensors, work.new_origins);
        renumbering.origins = work.origins;
        Ok(renumbering)
    }

    fn rebuild(&self, id: GraphId, work: &mut Work, renumbering: &mut Renumbering) -> Result<Graph, Cycle> {
        let old = self.graph(id);
        let mut new = Graph::new(old.name.clone());
        new.doc = old.doc.clone();
        new.metadata.clone_from(&old.metadata);
        let mut values: Vec<Option<ValueId>> = vec![None; old.value_rows()];
        for input in old.inputs() {
            let row = old.value(*input);
            let Def::Input { default } = row.def() else { continue };
            let default = default.map(|tensor| work.tensor(self, tensor));
            let value = new.add_input(row.name().clone(), row.ty().clone(), default);
            new.copy_value_from(value, row);
            values[input.index()] = Some(value);
        }
        for (from, row) in old.values() {
            if let Def::Constant(tensor) = row.def() {
                let value = new.add_constant(row.name().clone(), row.ty().clone(), work.tensor(self, tensor));
                new.copy_value_from(value, row);
                values[from.index()] = Some(value);
            }
        }
        for op in old.topological()? {
            let data = old.op(op);
            let map = |value: &Option<ValueId>| value.and_then(|value| values[value.index()]);
            let mut results: smallvec::SmallVec<[_; 1]> =
                data.results().iter().map(|value| value.map(|value| old.value(value).name().clone())).collect();
            while results.last() == Some(&None) {
                results.pop();
            }
            let fresh = NewOp {
                op: data.op().clone(),
                operands: data.operands().iter().map(map).collect(),
                captures: data.captures().len(),
                regions: data.regions().iter().map(|region| renumbering.graphs[region]).collect(),
                results,
                name: data.name().clone(),
                origin: work.origin(self, data.origin()),
            };
            let to = new.add_op(fresh);
            renumbering.ops.insert((id, op), to);
            new.restore_extra(to, data.extra().cloned().map(Box::new));
            for (slot, value) in data.results().iter().enumerate() {
                if let (Some(value), Some(to)) = (value, new.op(to).result(slot)) {
                    new.copy_value_from(to, old.value(*value));
                    values[value.index()] = Some(to);
                }
            }
        }
        for output in old.outputs() {
            if let Some(value) = values[output.index()] {
                new.add_output(value);
            }
        }
        for (from, to) in values.iter().enumerate() {
            if let Some(to) = to {
                renumbering.values.insert((id, ValueId::from_index(from)), *to);
            }
        }
        new.set_epochs_from(old);
        Ok(new)
    }
}

struct Work {
    tensors: FxHashMap<TensorId, TensorId>,
    origins: FxHashMap<OriginId, OriginId>,
    new_tensors: Arena<TensorId, TensorEntry>,
    new_origins: Arena<OriginId, Origin>,
}

impl Work {
    fn tensor(&mut self, model: &Model, id: TensorId) -> TensorId {
        *self.tensors.entry(id).or_insert_with(|| self.new_tensors.push(model.tensor_entry(id).clone()))
    }

    /// Origins form a tree whose leaves come first; a chain of rewrites can be long, so this walks with a stack.
    fn origin(&mut self, model: &Model, id: OriginId) -> OriginId {
        let mut stack = vec![id];
        while let Some(top) = stack.last().copied() {
            if self.origins.contains_key(&top) {
                stack.pop();
                continue;
            }
            let mut origin = model.origin(top).clone();
            if let Origin::Derived { from, .. } = &mut origin {
                let missing: Vec<OriginId> = from.iter().copied().filter(|f| !self.origins.contains_key(f)).collect();
                if !missing.is_empty() {
                    stack.extend(missing);
                    continue;
                }
                for f in from.iter_mut() {
                    *f = self.origins[f];
                }
            }
            let new = self.new_origins.push(origin);
            self.origins.insert(top, new);
            stack.pop();
        }
        self.origins[&id]
    }
}

#[cfg(test)]
#[path = "compact_test.rs"]
mod tests;
