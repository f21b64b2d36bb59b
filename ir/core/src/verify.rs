//! The verifier. It is real in release builds; after it succeeds a backend emits or returns an error, it never panics.
//!
//! What it checks, recomputing every cached list:
//!
//! 1. Every operand, result, input and output is a value of its graph that is not erased.
//! 2. A value's definition and the list that defines it agree: a result stands in its operator's slot, an input is in the
//!    graph's list exactly once.
//! 3. Use lists hold exactly the operands and outputs that read the value, and every reader knows its place.
//! 4. There is no cycle.
//! 5. Names of values are not empty and unique in their graph.
//! 6. Operators have their required operands and results, and no more than their signature allows.
//! 7. A region belongs to exactly one operator; its last inputs match the operator's captures; regions do not contain
//!    themselves.
//! 8. Tensors of constants and defaults exist, and the type of a constant value is that of its tensor.
//! 9. Every entry names a graph, and every function a body.

use crate::id::EntityId;
use crate::model::tensor_type;
use crate::op::{Arity, OpKind};
use crate::{Def, Graph, GraphId, Model, Name, OpId, Use, User, ValueId};

/// One broken invariant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invariant {invariant} in {graph}: {message}")]
pub struct VerifyError {
    /// The number in the list above.
    pub invariant: u8,
    /// The graph.
    pub graph: GraphId,
    /// The operator, where one is at fault.
    pub op: Option<OpId>,
    /// What is wrong.
    pub message: String,
}

/// At most so many errors are collected.
const LIMIT: usize = 32;

impl Model {
    /// Checks every invariant. All problems at once (up to 32), not the first.
    pub fn verify(&self) -> Result<(), Vec<VerifyError>> {
        let mut errors = Vec::new();
        let count = self.graphs().count();
        let mut owners: Vec<u32> = vec![0; count];
        let mut seen = vec![false; count];
        let bodies = self.functions.values().filter_map(|function| function.body);
        let mut stack: Vec<GraphId> = self.entries.values().copied().chain(bodies).collect();
        stack.reverse();
        // Ids that lead nowhere are reported where they stand.
        while let Some(id) = stack.pop() {
            if seen.get(id.index()).is_none_or(|seen| *seen) {
                continue;
            }
            seen[id.index()] = true;
            stack.extend(self.graph(id).ops().flat_map(|(_, data)| data.regions().iter().rev().copied()));
            let graph = self.graph(id);
            Verifier { model: self, id, graph, errors: &mut errors }.run(&mut owners);
            if errors.len() >= LIMIT {
                break;
            }
        }
        let first = GraphId::from_index(0);
        let mut fail = |graph, message: String| errors.push(VerifyError { invariant: 9, graph, op: None, message });
        for (name, id) in &self.entries {
            match owners.get(id.index()) {
                None => fail(first, format!("entry '{name}' names a graph that does not exist")),
                Some(0) => {}
                Some(_) => fail(*id, format!("entry '{name}' is also a region")),
            }
        }
        for (key, function) in &self.functions {
            if function.body.is_none_or(|body| body.index() >= owners.len()) {
                fail(first, format!("function '{}' has no body", key.name));
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}

struct Verifier<'a> {
    model: &'a Model,
    id: GraphId,
    graph: &'a Graph,
    errors: &'a mut Vec<VerifyError>,
}

impl Verifier<'_> {
    fn fail(&mut self, invariant: u8, op: Option<OpId>, message: String) {
        if self.errors.len() < LIMIT {
            self.errors.push(VerifyError { invariant, graph: self.id, op, message });
        }
    }

    fn exists(&self, value: ValueId) -> bool {
        value.index() < self.graph.value_rows() && !self.graph.value(value).is_erased()
    }

    fn run(&mut self, owners: &mut [u32]) {
        let before = self.errors.len();
        self.values();
        self.operators(owners);
        // The rest reads through the lists, which only a graph that passed so far allows.
        if self.errors.len() == before {
            self.uses();
            if let Err(cycle) = self.graph.topological() {
                let names: Vec<_> = cycle.ops.iter().map(|op| self.model.op_label(self.id, *op).to_string()).collect();
                self.fail(
                    4,
                    cycle.ops.first().copied(),
                    format!("the operators {} wait for each other", names.join(", ")),
                );
            }
        }
    }

    fn values(&mut self) {
        let mut names: rustc_hash::FxHashSet<&Name> = rustc_hash::FxHashSet::default();
        let graph = self.graph;
        let mut inputs = rustc_hash::FxHashSet::default();
        for value in graph.inputs() {
            if !self.exists(*value) || !matches!(graph.value(*value).def(), Def::Input { .. }) {
                self.fail(2, None, format!("input {value} is not defined as an input"));
            } else if !inputs.insert(*value) {
                self.fail(2, None, format!("input {value} is listed twice"));
            }
        }
        for value in graph.outputs() {
            if !self.exists(*value) {
                self.fail(1, None, format!("output {value} does not exist"));
            }
        }
        let tensors = self.model.tensors().count();
        for (id, value) in graph.values() {
            if value.name().is_empty() {
                self.fail(5, None, format!("{id} has no name"));
            } else if !names.insert(value.name()) {
                self.fail(5, None, format!("two values are called '{}'", value.name()));
            }
            let tensor = match value.def() {
                Def::Input { default } => {
                    if !inputs.contains(&id) {
                        self.fail(2, None, format!("'{}' is defined as an input but is not listed", value.name()));
                    }
                    default
                }
                Def::Constant(tensor) => Some(tensor),
                Def::Result { op, slot } => {
                    if op.index() >= graph.op_rows()
                        || !graph.is_alive(op)
                        || graph.op(op).result(slot as usize) != Some(id)
                    {
                        self.fail(2, None, format!("'{}' is no result of {op}", value.name()));
                    }
                    None
                }
                Def::Erased => None,
            };
            if let Some(tensor) = tensor {
                if tensor.index() >= tensors {
                    self.fail(8, None, format!("the tensor of '{}' does not exist", value.name()));
                } else if matches!(value.def(), Def::Constant(_))
                    && tensor_type(self.model.tensor(tensor)) != *value.ty()
                {
                    let found = tensor_type(self.model.tensor(tensor));
                    self.fail(
                        8,
                        None,
                        format!("constant '{}' is typed {} but holds {found}", value.name(), value.ty()),
                    );
                }
            }
        }
    }

    fn operators(&mut self, owners: &mut [u32]) {
        for (id, data) in self.graph.ops() {
            for value in data.operands().iter().chain(data.results()).flatten() {
                if !self.exists(*value) {
                    self.fail(1, Some(id), format!("{id} refers to {value}, which does not exist"));
                }
            }
            for (slot, value) in data.results().iter().enumerate() {
                let Some(value) = value.filter(|value| self.exists(*value)) else { continue };
                if self.graph.value(value).def() != (Def::Result { op: id, slot: slot as u32 }) {
                    self.fail(2, Some(id), format!("result {slot} of {id} is defined elsewhere"));
                }
            }
            self.signature(id);
            for region in data.regions() {
                match owners.get_mut(region.index()) {
                    None => self.fail(7, Some(id), format!("{region} does not exist")),
                    Some(_) if *region == self.id => self.fail(7, Some(id), format!("{region} contains itself")),
                    Some(count) => {
                        *count += 1;
                        if *count > 1 {
                            self.fail(7, Some(id), format!("{region} belongs to two operators"));
                        }
                        let inputs = self.model.graph(*region).inputs().len();
                        if inputs < data.captures().len() {
                            self.fail(
                                7,
                                Some(id),
                                format!("{region} has {inputs} inputs for {} captures", data.captures().len()),
                            );
                        }
                    }
                }
            }
            if data.captures().iter().any(Option::is_none) {
                self.fail(7, Some(id), format!("a capture of {id} is absent"));
            }
        }
    }

    fn signature(&mut self, id: OpId) {
        let data = self.graph.op(id);
        let kind = data.op().kind();
        if matches!(kind, OpKind::Custom | OpKind::Call) {
            return;
        }
        let signature = kind.signature();
        let sides = [("operand", signature.operands, data.formals()), ("result", signature.results, data.results())];
        for (what, formals, actual) in sides {
            let variadic = formals.last().is_some_and(|formal| formal.arity == Arity::Many);
            if actual.len() > formals.len() && !variadic {
                self.fail(
                    6,
                    Some(id),
                    format!("{kind} has {} {what}s, at most {} are allowed", actual.len(), formals.len()),
                );
            }
            for (slot, formal) in formals.iter().enumerate() {
                let required = formal.arity == Arity::One && what == "operand";
                if required && actual.get(slot).copied().flatten().is_none() {
                    self.fail(6, Some(id), format!("{kind} lacks its {what} '{}'", formal.name));
                }
            }
        }
        if data.regions().len() != signature.regions.len() {
            self.fail(
                6,
                Some(id),
                format!("{kind} has {} regions, not {}", data.regions().len(), signature.regions.len()),
            );
        }
    }

    fn uses(&mut self) {
        let graph = self.graph;
        let mut readings = 0_usize;
        let mut check = |reading: Use, value: ValueId, place: u32| {
            readings += 1;
            if graph.value(value).uses().get(place as usize) != Some(&reading) {
                self.errors.push(VerifyError {
                    invariant: 3,
                    graph: self.id,
                    op: None,
                    message: format!("{reading:?} does not stand in the use list of '{}'", graph.value(value).name()),
                });
            }
        };
        for (id, data) in graph.ops() {
            for (slot, (value, place)) in data.operands().iter().zip(graph.places_of(id)).enumerate() {
                if let Some(value) = value {
                    check(Use { user: User::Op(id), slot: slot as u32 }, *value, *place);
                }
            }
        }
        for (slot, (value, place)) in graph.outputs().iter().zip(graph.output_places()).enumerate() {
            check(Use { user: User::Output, slot: slot as u32 }, *value, *place);
        }
        let listed: usize = graph.values().map(|(_, value)| value.uses().len()).sum();
        if listed != readings {
            self.fail(3, None, format!("use lists hold {listed} readings, the graph has {readings}"));
        }
    }
}

#[cfg(test)]
#[path = "verify_test.rs"]
mod tests;
