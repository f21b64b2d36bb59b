//! The plan of a file: its graphs with their nodes in order, before anything has a name.
//!
//! Building a plan undoes what the IR does for its own convenience: captures of regions stand again for the values outside,
//! calls are written as calls where nothing changed them and else replaced by their bodies, and every operator is lowered
//! to the opset.

use edgesmith_ir::op::{FunctionKey, Op};
use edgesmith_ir::{GraphId, Model, Name, OpId, Tensor};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::lower::{Lowering, Refusal, Versions, carried, same_meaning, same_version};
use crate::node::Node;
use crate::slots::{ConstantKey, Slot, Slots};

/// What a graph of the file is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    Main,
    Region,
    Function,
}

/// One graph of the file.
#[derive(Debug)]
pub(crate) struct GraphPlan {
    pub graph: GraphId,
    pub role: Role,
    pub parent: Option<usize>,
    pub depth: u32,
    pub inputs: Vec<Slot>,
    pub nodes: Vec<Node>,
    /// What is returned, and the value that says how it is described.
    pub outputs: Vec<(Slot, Slot)>,
    /// Constants that are written here; filled in by `place`.
    pub constants: Vec<ConstantKey>,
    /// The graphs whose constants may end up here: its own, and those of calls written out in it.
    pub hosted: Vec<GraphId>,
}

/// An operator that cannot be written.
#[derive(Clone, Debug)]
pub(crate) struct Obstacle {
    pub at: (GraphId, OpId),
    pub operator: String,
    pub refusal: Refusal,
}

pub(crate) struct Plan<'m> {
    pub slots: Slots<'m>,
    pub opset: i64,
    /// Each before its subgraphs; the first is the main one.
    pub graphs: Vec<GraphPlan>,
    /// Functions that are written, with the places of their bodies in `graphs`.
    pub functions: Vec<(FunctionKey, usize)>,
    /// By slot: the graph that defines it, plus one.
    defined: Vec<u32>,
    /// Names that win over a value's own: those of results of calls that were written out.
    pub preferred: FxHashMap<Slot, Name>,
    pub obstacles: Vec<Obstacle>,
    /// When each graph of the model was entered, to tell what lies inside of a call.
    entered: FxHashMap<GraphId, u32>,
    /// Functions whose bodies mean the same at this opset.
    kept: FxHashSet<FunctionKey>,
    called: FxHashSet<FunctionKey>,
    inlined: FxHashSet<FunctionKey>,
    source_opset: i64,
    /// Whether operators that the opset lacks are written as formulas.
    decomposes: bool,
}

impl<'m> Plan<'m> {
    /// Plans the model at an opset. What cannot be written is among the obstacles.
    pub fn new(model: &'m Model, main: GraphId, opset: i64, decomposes: bool) -> Self {
        let source_opset = model.opset("").unwrap_or(opset);
        // A typed body is lowered to whatever opset the file gets.
        let kept = |key: &FunctionKey, typed: bool| typed || keeps_meaning(model, key, source_opset, opset);
        let kept = model.functions.iter().filter(|(key, function)| kept(key, function.typed));
        let kept = kept.map(|(key, _)| key.clone()).collect();
        let mut plan = Plan {
            slots: Slots::new(model),
            opset,
            graphs: Vec::new(),
            functions: Vec::new(),
            defined: Vec::new(),
            preferred: FxHashMap::default(),
            obstacles: Vec::new(),
            entered: FxHashMap::default(),
            kept,
            called: FxHashSet::default(),
            inlined: FxHashSet::default(),
            source_opset,
            decomposes,
        };
        plan.graph(main, Role::Main, None, &[]);
        plan.functions();
        plan
    }

    /// The graph that defines a slot.
    pub fn defined_in(&self, slot: Slot) -> Option<usize> {
        (*self.defined.get(slot.index())? as usize).checked_sub(1)
    }
    pub fn define(&mut self, slot: Slot, plan: usize) {
        if self.defined.len() <= slot.index() {
            self.defined.resize(self.slots.len().max(slot.index() + 1), 0);
        }
        self.defined[slot.index()] = plan as u32 + 1;
    }

    fn graph(&mut self, id: GraphId, role: Role, parent: Option<usize>, captures: &[Slot]) -> usize {
        let graph = self.slots.model.graph(id);
        let place = self.graphs.len();
        let depth = parent.map_or(0, |parent| self.graphs[parent].depth + 1);
        let (formals, captured) = graph.inputs().split_at(graph.inputs().len().saturating_sub(captures.len()));
        for (inner, outer) in captured.iter().zip(captures) {
            let inner = self.slots.of(id, *inner);
            self.slots.alias(inner, *outer);
        }
        let inputs: Vec<Slot> = formals.iter().map(|value| self.slots.of(id, *value)).collect();
        for slot in &inputs {
            self.define(*slot, place);
        }
        self.graphs.push(GraphPlan {
            graph: id,
            role,
            parent,
            depth,
            inputs,
            nodes: Vec::with_capacity(graph.op_rows()),
            outputs: Vec::new(),
            constants: Vec::new(),
            hosted: vec![id],
        });
        if role == Role::Function {
            self.own_constants(id);
        }
        self.operators(place, id);
        self.outputs(place, id);
        place
    }

    /// A function sees nothing outside, so its constants are its own even where the model shares their tensors.
    fn own_constants(&mut self, id: GraphId) {
        let mut all = vec![id];
        while let Some(id) = all.pop() {
            let graph = self.slots.model.graph(id);
            for (value, row) in graph.values() {
                if let Some(tensor) = graph.constant(value) {
                    let copy: Tensor = self.slots.model.tensor(tensor).clone();
                    let copy = self.slots.add_constant(row.name().clone(), copy);
                    let slot = self.slots.of(id, value);
                    self.slots.alias(slot, copy);
                }
            }
            all.extend(graph.ops().flat_map(|(_, data)| data.regions().iter().copied()));
        }
    }

    fn operators(&mut self, place: usize, id: GraphId) {
        let sequence = self.entered.len() as u32;
        self.entered.insert(id, sequence);
        let graph = self.slots.model.graph(id);
        // A cycle, which the verifier rules out, leaves values undefined; naming them reports it.
        let order = graph.topological().unwrap_or_default();
        for op in order {
            self.operator(place, id, op);
        }
    }

    fn operator(&mut self, place: usize, id: GraphId, op: OpId) {
        let data = self.slots.model.graph(id).op(op);
        match data.op() {
            Op::Call(call) => {
                let written = data.regions().is_empty()
                    || self.kept.contains(&call.function) && self.is_pristine(data.regions()[0]);
                if written {
                    self.called.insert(call.function.clone());
                    let node = carried(&self.slots, id, op);
                    self.push(place, node);
                } else {
                    self.inlined.insert(call.function.clone());
                    self.inline(place, id, op);
                }
            }
            Op::Custom(custom) => {
                if custom.domain.is_empty()
                    && self.graphs[place].role != Role::Function
                    && !same_meaning(&custom.name, self.source_opset, self.opset)
                {
                    let why = format!(
                        "it is carried as opset {} has it, and means something else or nothing at opset {}",
                        self.source_opset, self.opset
                    );
                    self.obstacle(id, op, custom.name.to_string(), Refusal::never(why));
                }
                let node = carried(&self.slots, id, op);
                self.push_with_regions(place, id, op, node);
            }
            typed => {
                let versions = Versions { opset: self.opset, source: self.source_opset, decomposes: self.decomposes };
                let mut lowering = Lowering::new(&mut self.slots, (id, op), versions, place);
                let outcome = lowering.run(typed);
                let Lowering { node, before, after, .. } = lowering;
                if let Err(refusal) = outcome {
                    self.obstacle(id, op, typed.name().to_owned(), refusal);
                }
                for node in before {
                    self.push(place, node);
                }
                self.push_with_regions(place, id, op, node);
                for node in after {
                    self.push(place, node);
                }
            }
        }
    }

    fn obstacle(&mut self, id: GraphId, op: OpId, operator: String, refusal: Refusal) {
        self.obstacles.push(Obstacle { at: (id, op), operator, refusal });
    }

    fn push(&mut self, place: usize, node: Node) {
        for slot in node.outputs.iter().flatten() {
            let slot = *slot;
            self.define(slot, place);
        }
        self.graphs[place].nodes.push(node);
    }

    fn push_with_regions(&mut self, place: usize, id: GraphId, op: OpId, mut node: Node) {
        let data = self.slots.model.graph(id).op(op);
        if !data.regions().is_empty() {
            let captures: Vec<Slot> = data.captures().iter().flatten().map(|value| self.slots.of(id, *value)).collect();
            for region in data.regions() {
                let region = self.graph(*region, Role::Region, Some(place), &captures);
                node.regions.push(region);
            }
        }
        self.push(place, node);
    }

    /// Writes the body of a call in its place.
    fn inline(&mut self, place: usize, id: GraphId, op: OpId) {
        let data = self.slots.model.graph(id).op(op);
        let region = data.regions()[0];
        let body = self.slots.model.graph(region);
        for (input, operand) in body.inputs().iter().zip(data.operands().iter().flatten()) {
            let (input, operand) = (self.slots.of(region, *input), self.slots.of(id, *operand));
            self.slots.alias(input, operand);
        }
        let outside = self.entered.len() as u32;
        self.graphs[place].hosted.push(region);
        self.operators(place, region);
        for (result, output) in data.results().iter().zip(body.outputs()) {
            let Some(result) = result else { continue };
            let (result, output) = (self.slots.of(id, *result), self.slots.of(region, *output));
            self.slots.alias(result, output);
            // A value that the body made takes the name that the caller knows.
            let root = self.slots.root(output);
            let made_inside = self
                .slots
                .value(root)
                .is_none_or(|(graph, _)| self.entered.get(&graph).is_some_and(|sequence| *sequence >= outside));
            if made_inside && self.defined_in(root) == Some(place) {
                let name = self.slots.wish(result);
                self.preferred.entry(root).or_insert(name);
            }
        }
    }

    fn is_pristine(&self, region: GraphId) -> bool {
        let graph = self.slots.model.graph(region);
        graph.is_pristine()
            && graph.ops().all(|(_, data)| data.regions().iter().all(|region| self.is_pristine(*region)))
    }

    /// A subgraph must not return what it takes from outside nor one value twice (ONNX Runtime mixes the two up), and the
    /// main graph must return values under their own names: where that is not so, a copy is returned.
    fn outputs(&mut self, place: usize, id: GraphId) {
        let graph = self.slots.model.graph(id);
        let mut returned_before = rustc_hash::FxHashSet::default();
        for value in graph.outputs() {
            let slot = self.slots.of(id, *value);
            let root = self.slots.root(slot);
            let renamed = root != slot && self.preferred.get(&root).is_none_or(|name| *name != self.slots.wish(slot));
            let constant = self.slots.constant_key(root).is_some();
            let copied = match self.graphs[place].role {
                Role::Main => renamed,
                // Constants are looked at when their places are known.
                Role::Region | Role::Function => {
                    !returned_before.insert(root) || (!constant && self.defined_in(root) != Some(place))
                }
            };
            let returned = if copied { self.copy(place, root, slot) } else { slot };
            self.graphs[place].outputs.push((returned, slot));
        }
    }

    /// A copy of a value under the name of another.
    pub fn copy(&mut self, place: usize, from: Slot, named: Slot) -> Slot {
        let copy = self.slots.add_value(self.slots.wish(named), self.slots.ty(named).clone());
        let from = self.slots.root(from);
        self.push(place, Node::of("Identity", &[from], copy));
        copy
    }

    /// Plans the bodies of the functions that the file keeps: those that a written call needs, directly or not, and those
    /// that no call needed in the first place.
    fn functions(&mut self) {
        let model = self.slots.model;
        let mut needed = self.called.clone();
        let mut open: Vec<FunctionKey> = model.functions.keys().filter(|key| needed.contains(*key)).cloned().collect();
        for key in model.functions.keys().filter(|key| !self.inlined.contains(*key)) {
            if needed.insert(key.clone()) {
                open.push(key.clone());
            }
        }
        while let Some(key) = open.pop() {
            for callee in callees(model, &key) {
                if needed.insert(callee.clone()) {
                    open.push(callee);
                }
            }
        }
        for (key, function) in &model.functions {
            if let (true, Some(body)) = (needed.contains(key), function.body) {
                let place = self.graph(body, Role::Function, None, &[]);
                self.functions.push((key.clone(), place));
            }
        }
    }
}

/// Every operator of a function's body, subgraphs included, that is carried as the file has it.
fn body_operators<'m>(model: &'m Model, key: &FunctionKey) -> Vec<&'m edgesmith_ir::op::CustomOp> {
    let mut found = Vec::new();
    let mut open: Vec<GraphId> = model.functions.get(key).and_then(|function| function.body).into_iter().collect();
    while let Some(id) = open.pop() {
        for (_, data) in model.graph(id).ops() {
            if let Op::Custom(custom) = data.op() {
                found.push(&**custom);
            }
            open.extend(data.regions());
        }
    }
    found
}

fn callees(model: &Model, key: &FunctionKey) -> Vec<FunctionKey> {
    let keys = body_operators(model, key).into_iter().map(|custom| FunctionKey {
        domain: custom.domain.clone(),
        name: custom.name.clone(),
        overload: custom.overload.clone(),
    });
    keys.filter(|key| model.functions.contains_key(key)).collect()
}

/// Whether everything in a function's body is the same operator at the model's new opset as at the one it is written in.
/// (Engines read bodies at the model's opset, and the checker wants the same versions.) A file that keeps its opset keeps its functions whatever they are.
fn keeps_meaning(model: &Model, key: &FunctionKey, source: i64, opset: i64) -> bool {
    if source == opset {
        return true;
    }
    let mut seen = FxHashSet::default();
    let mut open = vec![key.clone()];
    while let Some(key) = open.pop() {
        if !seen.insert(key.clone()) {
            continue;
        }
        let own = model.functions.get(&key).and_then(|function| function.opsets.get("")).copied().unwrap_or(source);
        let standard = |custom: &&edgesmith_ir::op::CustomOp| custom.domain.is_empty();
        if !body_operators(model, &key).iter().filter(|op| standard(op)).all(|op| same_version(&op.name, own, opset)) {
            return false;
        }
        open.extend(callees(model, &key));
    }
    true
}
