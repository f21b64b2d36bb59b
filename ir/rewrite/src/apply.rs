//! Applying a patch: checked first, then applied whole.

use edgesmith_ir::infer::infer_results;
use edgesmith_ir::op::Identity;
use edgesmith_ir::{
    Def, Fact, GraphId, Model, Name, NewOp, OpId, OpKind, Origin, OriginId, User, ValueId, tensor_type,
};
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use crate::body::infer_composite;
use crate::names::Names;
use crate::{Patch, Wire};

/// What applying a patch did.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// Operators that are new.
    pub created: Vec<OpId>,
    /// Operators that are gone.
    pub erased: Vec<OpId>,
    /// Values whose definition, type or readers changed.
    pub touched: Vec<ValueId>,
    /// Where the operators that went came from; the root's origin when none went.
    pub from: SmallVec<[OriginId; 4]>,
    /// The origin of the operators that came; `None` when none came.
    pub into: Option<OriginId>,
}

/// Why a patch cannot be applied. The graph is untouched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// Nothing would change.
    #[error("the patch changes nothing")]
    NoEffect,
    /// A redefined value would change its type.
    #[error("'{value}' is {old}, the patch makes it {new}")]
    Type {
        /// The value.
        value: Name,
        /// Its type now.
        old: String,
        /// Its type after the patch.
        new: String,
    },
    /// A new operator can have no type.
    #[error("the new {kind} can have no type: {message}")]
    Infer {
        /// The operator.
        kind: String,
        /// What is wrong.
        message: String,
    },
    /// The patch reads a value that depends on one it redefines.
    #[error("the patch would make a cycle through '{0}'")]
    Cycle(Name),
    /// The patch refers to something that is not there.
    #[error("the patch is malformed: {0}")]
    Malformed(String),
}

/// Applies a patch. On success every list, type and origin is up to date; on failure nothing changed.
pub fn apply(model: &mut Model, patch: &Patch, names: &mut Names) -> Result<Applied, ApplyError> {
    check_types(model, patch)?;
    check_cycles(model, patch)?;
    check_effect(model, patch)?;
    let mut work = Application::new(model, patch, names);
    work.constants();
    work.operators();
    work.regions();
    work.redefinitions();
    work.erase();
    work.origins();
    work.types();
    Ok(work.applied)
}

/// Facts of a wire before the patch is applied.
fn wire_fact(model: &Model, patch: &Patch, facts: &[SmallVec<[Fact; 1]>], wire: Wire) -> Option<Fact> {
    match wire {
        Wire::Value(value) => Some(model.fact(patch.graph, value)),
        Wire::Result { op, slot } => facts.get(op)?.get(slot).cloned(),
        Wire::Constant(index) => {
            let tensor = patch.constants.get(index)?.tensor.clone();
            Some(Fact { ty: tensor_type(&tensor), contents: None, tensor: Some(tensor) })
        }
    }
}

fn check_types(model: &Model, patch: &Patch) -> Result<(), ApplyError> {
    let graph = model.graph(patch.graph);
    let mut facts: Vec<SmallVec<[Fact; 1]>> = Vec::with_capacity(patch.ops.len());
    for (index, op) in patch.ops.iter().enumerate() {
        let mut operands = SmallVec::new();
        for wire in &op.operands {
            operands.push(match wire {
                None => None,
                Some(Wire::Result { op, .. }) if *op >= index => {
                    return Err(ApplyError::Malformed("an operator reads a later one".into()));
                }
                Some(wire) => Some(
                    wire_fact(model, patch, &facts, *wire)
                        .ok_or_else(|| ApplyError::Malformed("a wire leads nowhere".into()))?,
                ),
            });
        }
        // A result that takes over a value is inferred under that value's name, so that its data-dependent sizes are the same.
        let result_names = (0..op.results)
            .map(|slot| {
                let wire = Wire::Result { op: index, slot };
                let old = patch.redefinitions.iter().find(|(_, by)| *by == wire).map(|(old, _)| *old);
                Some(old.map_or_else(
                    || Name::from(format!("{}.{index}.{slot}", patch.rule)),
                    |old| graph.value(old).name().clone(),
                ))
            })
            .collect();
        let results = match &op.composite {
            Some(composite) => infer_composite(composite, &operands, op.results),
            None => infer_results(&op.op, operands, result_names).map_err(|error| error.to_string()),
        };
        let results = results.map_err(|message| ApplyError::Infer { kind: op.op.name().to_owned(), message })?;
        facts.push(results);
    }
    for (old, by) in &patch.redefinitions {
        let row = graph.value(*old);
        let fact = wire_fact(model, patch, &facts, *by)
            .ok_or_else(|| ApplyError::Malformed("a redefinition leads nowhere".into()))?;
        if !compatible(&fact.ty, row.ty()) {
            return Err(ApplyError::Type {
                value: row.name().clone(),
                old: row.ty().to_string(),
                new: fact.ty.to_string(),
            });
        }
    }
    Ok(())
}

/// Whether a value of the old type may become one of the new: nothing in the two may contradict.
fn compatible(new: &edgesmith_ir::ValueType, old: &edgesmith_ir::ValueType) -> bool {
    use edgesmith_ir::ValueType as T;
    match (new, old) {
        (T::Unknown, _) | (_, T::Unknown) => true,
        (T::Tensor(a), T::Tensor(b)) => {
            a.dtype == b.dtype
                && match (a.shape.dims(), b.shape.dims()) {
                    (Some(x), Some(y)) => {
                        x.len() == y.len()
                            && x.iter().zip(y).all(|(p, q)| p.compare(q) != edgesmith_ir::DimEq::Different)
                    }
                    _ => true,
                }
        }
        (T::Sequence(a), T::Sequence(b)) | (T::Optional(a), T::Optional(b)) => compatible(a, b),
        (a, b) => a == b,
    }
}

fn taps(patch: &Patch) -> impl Iterator<Item = ValueId> {
    let operands = patch.ops.iter().flat_map(|op| op.operands.iter().flatten());
    let forwards = patch.redefinitions.iter().map(|(_, by)| by);
    let inlined = patch.inlined.iter().flat_map(|inlining| &inlining.inputs);
    operands.chain(forwards).chain(inlined).filter_map(|wire| match wire {
        Wire::Value(value) => Some(*value),
        _ => None,
    })
}

fn redefined(patch: &Patch) -> impl Iterator<Item = ValueId> {
    patch
        .redefinitions
        .iter()
        .map(|(old, _)| *old)
        .chain(patch.inlined.iter().flat_map(|i| i.outputs.iter().flatten().copied()))
}

/// A cycle arises exactly when a tap depends on a redefined value. Operators whose order key is below that of every
/// redefined value's producer cannot, so a patch that reads only earlier values costs nothing here.
fn check_cycles(model: &Model, patch: &Patch) -> Result<(), ApplyError> {
    let graph = model.graph(patch.graph);
    let old: FxHashSet<ValueId> = redefined(patch).collect();
    let Some(floor) = old.iter().filter_map(|v| graph.producer(*v)).map(|op| graph.op(op).order()).min() else {
        return Ok(());
    };
    let mut seen = FxHashSet::default();
    let mut stack: Vec<OpId> = taps(patch).filter_map(|v| graph.producer(v)).collect();
    while let Some(op) = stack.pop() {
        let data = graph.op(op);
        if data.order() < floor || !seen.insert(op) {
            continue;
        }
        for value in data.operands().iter().flatten() {
            if old.contains(value) {
                return Err(ApplyError::Cycle(graph.value(*value).name().clone()));
            }
            stack.extend(graph.producer(*value));
        }
    }
    Ok(())
}

/// Whether letting the readers of `old` read `new` needs an Identity: the main graph's outputs keep their names, and the
/// new value cannot take the name over because it is an input, a constant, pinned, or an output itself.
fn needs_identity(model: &Model, graph_id: GraphId, old: ValueId, new: ValueId) -> bool {
    let graph = model.graph(graph_id);
    let is_entry = model.entries.values().any(|entry| *entry == graph_id);
    let row = graph.value(new);
    is_entry
        && graph.value(old).is_output()
        && (!matches!(row.def(), Def::Result { .. }) || row.is_output() || row.is_pinned())
}

fn check_effect(model: &Model, patch: &Patch) -> Result<(), ApplyError> {
    if patch.redefinitions.is_empty() && patch.inlined.is_empty() {
        return Err(ApplyError::NoEffect);
    }
    let graph = model.graph(patch.graph);
    for (old, by) in &patch.redefinitions {
        let Wire::Value(new) = by else { continue };
        let row = graph.value(*old);
        if old == new {
            return Err(ApplyError::NoEffect);
        }
        let is_identity = graph.producer(*old).is_some_and(|op| graph.op(op).op().kind() == OpKind::Identity);
        let only_output = row.uses().iter().all(|u| u.user == User::Output);
        if is_identity && only_output && needs_identity(model, patch.graph, *old, *new) {
            return Err(ApplyError::NoEffect);
        }
    }
    Ok(())
}

struct Application<'a> {
    model: &'a mut Model,
    patch: &'a Patch,
    names: &'a mut Names,
    constants: Vec<ValueId>,
    ops: Vec<OpId>,
    suspects: Vec<OpId>,
    suspect_constants: Vec<ValueId>,
    order: u64,
    applied: Applied,
    old_origins: FxHashMap<OpId, OriginId>,
}

impl<'a> Application<'a> {
    fn new(model: &'a mut Model, patch: &'a Patch, names: &'a mut Names) -> Self {
        let graph = model.graph(patch.graph);
        let mut suspects: Vec<OpId> = redefined(patch).filter_map(|v| graph.producer(v)).collect();
        suspects.push(patch.root);
        suspects.extend(patch.inlined.iter().map(|inlining| inlining.owner));
        let order = graph.op(patch.root).order();
        Self {
            model,
            patch,
            names,
            constants: Vec::new(),
            ops: Vec::new(),
            suspects,
            suspect_constants: Vec::new(),
            order,
            applied: Applied::default(),
            old_origins: FxHashMap::default(),
        }
    }

    fn graph(&mut self) -> &mut edgesmith_ir::Graph {
        self.model.graph_mut(self.patch.graph)
    }

    fn constants(&mut self) {
        for constant in &self.patch.constants {
            let stem = match constant.like {
                Some(like) => self.model.graph(self.patch.graph).value(like).name().clone(),
                None => self.model.op_label(self.patch.graph, self.patch.root),
            };
            let name = self.names.fresh(self.model, self.patch.graph, &stem);
            let entry = edgesmith_ir::TensorEntry {
                tensor: constant.tensor.clone(),
                role: constant.role,
                doc: Name::default(),
                metadata: Vec::new(),
            };
            let ty = tensor_type(&entry.tensor);
            let tensor = self.model.add_tensor_entry(entry);
            let value = self.graph().add_constant(name, ty, tensor);
            self.constants.push(value);
        }
    }

    /// The value of a wire, before results take over redefined values; check_types has seen that it leads somewhere.
    fn value_of(&self, wire: Wire) -> Option<ValueId> {
        match wire {
            Wire::Value(value) => Some(value),
            Wire::Constant(index) => self.constants.get(index).copied(),
            Wire::Result { op, slot } => self.model.graph(self.patch.graph).op(*self.ops.get(op)?).result(slot),
        }
    }

    fn operators(&mut self) {
        for index in 0..self.patch.ops.len() {
            let op = &self.patch.ops[index];
            let operands: SmallVec<[Option<ValueId>; 4]> =
                op.operands.iter().map(|wire| wire.and_then(|wire| self.value_of(wire))).collect();
            let stem = self.model.op_label(self.patch.graph, op.like);
            let results =
                (0..op.results).map(|_| Some(self.names.fresh(self.model, self.patch.graph, &stem))).collect();
            let (name, extra, origin) = {
                let like = self.model.graph(self.patch.graph).op(op.like);
                (like.name().clone(), like.extra().cloned(), like.origin())
            };
            let order = self.order;
            let (mut kind, mut regions) = (op.op.clone(), SmallVec::new());
            if let Some(composite) = &op.composite {
                // check_types decomposed it on the same types, so it can be.
                let graph = self.patch.graph;
                let facts: Vec<Option<Fact>> = operands.iter().map(|v| v.map(|v| self.model.fact(graph, v))).collect();
                if let Ok((call, body)) = composite.call(self.model, &facts, op.results, origin) {
                    kind = call;
                    regions.push(body);
                }
            }
            let new = NewOp { op: kind, operands, captures: 0, regions, results, name, origin };
            let id = self.graph().add_op_at(new, order);
            if let Some(extra) = extra {
                *self.graph().op_extra_mut(id) = extra;
            }
            if self.patch.ops.iter().any(|op| op.composite.is_some()) {
                // A decomposition looks at types; what cannot be inferred was refused by check_types.
                let _ = self.model.infer_op(self.patch.graph, id);
            }
            self.ops.push(id);
            self.applied.created.push(id);
        }
    }

    /// Moves the operators of inlined regions here. Their own regions move with them.
    fn regions(&mut self) {
        for inlining in &self.patch.inlined {
            let region_id = self.model.graph(self.patch.graph).op(inlining.owner).regions()[inlining.region];
            let region = std::mem::take(self.model.graph_mut(region_id));
            let mut map: FxHashMap<ValueId, ValueId> = FxHashMap::default();
            for (formal, wire) in region.inputs().iter().zip(&inlining.inputs) {
                map.extend(self.value_of(*wire).map(|value| (*formal, value)));
            }
            for (value, row) in region.values() {
                if let Def::Constant(tensor) = row.def() {
                    let name = self.names.fresh(self.model, self.patch.graph, row.name());
                    let ty = row.ty().clone();
                    map.insert(value, self.graph().add_constant(name, ty, tensor));
                }
            }
            for op in region.topological().unwrap_or_default() {
                let data = region.op(op);
                let results = data
                    .results()
                    .iter()
                    .map(|v| v.map(|v| self.names.fresh(self.model, self.patch.graph, region.value(v).name())))
                    .collect();
                let order = self.order;
                let new = NewOp {
                    op: data.op().clone(),
                    operands: data.operands().iter().map(|v| v.and_then(|v| map.get(&v).copied())).collect(),
                    captures: data.captures().len(),
                    regions: data.regions().into(),
                    results,
                    name: data.name().clone(),
                    origin: data.origin(),
                };
                let id = self.graph().add_op_at(new, order);
                if let Some(extra) = data.extra() {
                    *self.graph().op_extra_mut(id) = extra.clone();
                }
                self.applied.created.push(id);
                self.old_origins.insert(id, data.origin());
                for (slot, value) in data.results().iter().enumerate() {
                    if let (Some(value), Some(to)) = (value, self.model.graph(self.patch.graph).op(id).result(slot)) {
                        map.insert(*value, to);
                        let ty = region.value(*value).ty().clone();
                        self.graph().set_type(to, ty);
                    }
                }
            }
            for (output, old) in region.outputs().iter().zip(&inlining.outputs) {
                if let (Some(old), Some(new)) = (old, map.get(output).copied()) {
                    self.forward(*old, new);
                }
            }
        }
    }

    fn redefinitions(&mut self) {
        for (old, by) in &self.patch.redefinitions {
            let target = match *by {
                Wire::Value(value) => value,
                Wire::Constant(index) => {
                    let is_entry = self.model.entries.values().any(|entry| *entry == self.patch.graph);
                    let graph = self.model.graph(self.patch.graph);
                    let constant = self.constants[index];
                    // A constant that nothing else reads becomes the value itself and keeps its name.
                    if graph.value(constant).uses().is_empty()
                        && (is_entry || !graph.value(*old).is_output())
                        && let Def::Constant(tensor) = graph.value(constant).def()
                    {
                        let ty = graph.value(constant).ty().clone();
                        let old = *old;
                        let graph = self.graph();
                        graph.erase_constant(constant);
                        graph.redefine_constant(old, tensor);
                        graph.set_type(old, ty);
                        graph.set_contents(old, None);
                        self.applied.touched.push(old);
                        continue;
                    }
                    constant
                }
                Wire::Result { op, slot } => {
                    let id = self.ops[op];
                    match self.model.graph(self.patch.graph).op(id).result(slot) {
                        // The first redefinition gives the result its old name.
                        Some(placeholder) if !self.applied.touched.contains(&placeholder) => {
                            let old = *old;
                            let graph = self.graph();
                            graph.replace_uses(placeholder, old);
                            // Readers inside the patch read the placeholder; they move with it, the readers of `old` stay.
                            graph.redefine(old, id, slot);
                            self.applied.touched.push(old);
                            continue;
                        }
                        Some(value) => value,
                        None => continue,
                    }
                }
            };
            self.forward(*old, target);
        }
    }

    /// Lets the readers of `old` read `new`, and keeps the name of an output.
    fn forward(&mut self, old: ValueId, new: ValueId) {
        let is_entry = self.model.entries.values().any(|entry| *entry == self.patch.graph);
        let graph = self.model.graph(self.patch.graph);
        self.applied.touched.push(new);
        if !is_entry || !graph.value(old).is_output() {
            self.graph().replace_uses(old, new);
        } else if needs_identity(self.model, self.patch.graph, old, new) {
            let (name, origin) = {
                let root = graph.op(self.patch.root);
                (root.name().clone(), root.origin())
            };
            let order = self.order;
            let placeholder = self.names.fresh(self.model, self.patch.graph, &Name::from("identity"));
            let id = self.graph().add_op_at(
                NewOp {
                    op: Identity {}.into(),
                    operands: smallvec::smallvec![Some(new)],
                    captures: 0,
                    regions: SmallVec::new(),
                    results: smallvec::smallvec![Some(placeholder)],
                    name,
                    origin,
                },
                order,
            );
            // Everybody but the graph's output reads the value itself.
            let outputs: Vec<usize> = {
                let graph = self.model.graph(self.patch.graph);
                (0..graph.outputs().len()).filter(|index| graph.outputs()[*index] == old).collect()
            };
            let graph = self.graph();
            graph.replace_uses(old, new);
            graph.redefine(old, id, 0);
            for index in outputs {
                graph.set_output(index, old);
            }
            self.applied.created.push(id);
            self.applied.touched.push(old);
        } else if let Def::Result { op, slot } = graph.value(new).def() {
            let (ty, contents) = (graph.value(new).ty().clone(), graph.value(new).contents().cloned());
            let graph = self.graph();
            graph.replace_uses(new, old);
            graph.redefine(old, op, slot as usize);
            if ty.refines(graph.value(old).ty()) {
                graph.set_type(old, ty);
            }
            graph.set_contents(old, contents);
            self.applied.touched.push(old);
        }
    }

    /// Erases what the patch left without readers, upwards from the operators that it replaced.
    fn erase(&mut self) {
        let mut stack = std::mem::take(&mut self.suspects);
        while let Some(op) = stack.pop() {
            let graph = self.model.graph(self.patch.graph);
            if !graph.is_alive(op) || self.applied.created.contains(&op) {
                continue;
            }
            let data = graph.op(op);
            let needed = data
                .results()
                .iter()
                .flatten()
                .any(|v| !graph.value(*v).uses().is_empty() || graph.value(*v).is_pinned());
            if needed {
                continue;
            }
            let operands: Vec<ValueId> = data.operands().iter().flatten().copied().collect();
            self.old_origins.insert(op, data.origin());
            self.graph().erase_op(op);
            self.applied.erased.push(op);
            for value in operands {
                let graph = self.model.graph(self.patch.graph);
                match graph.value(value).def() {
                    Def::Result { op, .. } => stack.push(op),
                    Def::Constant(_) => self.suspect_constants.push(value),
                    _ => {}
                }
            }
        }
        for value in std::mem::take(&mut self.suspect_constants) {
            let row = self.model.graph(self.patch.graph).value(value);
            if matches!(row.def(), Def::Constant(_)) && row.uses().is_empty() && !row.is_pinned() {
                self.graph().erase_constant(value);
            }
        }
        for (constant, value) in self.patch.constants.iter().zip(self.constants.clone()) {
            let graph = self.model.graph(self.patch.graph);
            if let Some(like) = constant.like
                && graph.value(like).is_erased()
                && !graph.value(value).is_erased()
            {
                let (name, extra) = (graph.value(like).name().clone(), graph.value(like).extra().cloned());
                self.graph().set_value_name(value, name);
                if let Some(mut extra) = extra {
                    extra.declared = None;
                    *self.graph().value_extra_mut(value) = extra;
                }
            }
        }
    }

    fn origins(&mut self) {
        let mut from: SmallVec<[OriginId; 4]> =
            self.applied.erased.iter().filter_map(|op| self.old_origins.get(op).copied()).collect();
        if from.is_empty() {
            from.push(self.model.graph(self.patch.graph).op(self.patch.root).origin());
        }
        from.sort_unstable();
        from.dedup();
        self.applied.from.clone_from(&from);
        let inserted: Vec<OpId> = self.ops.clone();
        if inserted.is_empty() {
            return;
        }
        let origin = self.model.add_origin(Origin::Derived { rule: self.patch.rule.into(), from });
        self.applied.into = Some(origin);
        for op in inserted {
            self.graph().set_origin(op, origin);
        }
    }

    /// Infers the new operators, then whoever reads a value whose type got better; keeps order keys growing along paths.
    fn types(&mut self) {
        let graph_id = self.patch.graph;
        let mut queue: std::collections::VecDeque<OpId> = self.applied.created.iter().copied().collect();
        // Readers of a value that many share are not inferred again one by one: that would be quadratic.
        for value in self.applied.touched.clone() {
            let uses = self.model.graph(graph_id).value(value).uses();
            if uses.len() <= 16 {
                queue.extend(uses.iter().filter_map(|u| match u.user {
                    User::Op(op) => Some(op),
                    User::Output => None,
                }));
            }
        }
        let mut budget = 256;
        while let Some(op) = queue.pop_front() {
            if !self.model.graph(graph_id).is_alive(op) || budget == 0 {
                continue;
            }
            budget -= 1;
            for value in self.model.infer_op(graph_id, op).unwrap_or_default() {
                let graph = self.model.graph(graph_id);
                for u in graph.value(value).uses().iter().take(64) {
                    if let User::Op(reader) = u.user {
                        queue.push_back(reader);
                    }
                }
            }
        }
        let mut raise: Vec<OpId> = self.applied.created.clone();
        // Whoever read a value of the root comes after the root, and so after every producer that does not come later.
        for value in &self.applied.touched {
            let graph = self.model.graph(graph_id);
            raise.extend(graph.producer(*value).filter(|op| graph.op(*op).order() > self.order));
        }
        for op in &raise {
            let graph = self.model.graph(graph_id);
            let needed = graph
                .op(*op)
                .operands()
                .iter()
                .flatten()
                .filter_map(|v| graph.producer(*v))
                .map(|p| graph.op(p).order())
                .max();
            if let Some(needed) = needed.filter(|needed| *needed > graph.op(*op).order()) {
                self.graph().set_order(*op, needed);
            }
        }
        while let Some(op) = raise.pop() {
            let graph = self.model.graph(graph_id);
            if !graph.is_alive(op) {
                continue;
            }
            let order = graph.op(op).order();
            let late: Vec<OpId> = graph
                .op(op)
                .results()
                .iter()
                .flatten()
                .flat_map(|v| graph.value(*v).uses())
                .filter_map(|u| match u.user {
                    User::Op(reader) if graph.op(reader).order() < order => Some(reader),
                    _ => None,
                })
                .collect();
            for reader in late {
                self.graph().set_order(reader, order);
                raise.push(reader);
            }
        }
    }
}
