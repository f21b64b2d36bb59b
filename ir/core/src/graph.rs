//! One graph: operators are the nodes of a petgraph graph, values are rows of an arena.
//!
//! Inputs and constants are values, not operators: the graph shows only work. Use lists are the incremental truth: each
//! operand knows its place in the list of its value, so adding and removing a use is O(1) also for a constant with
//! 50,000 uses. petgraph's edges are an index, rebuilt when an algorithm asks ([`Graph::dag`]).
//!
//! The writing methods here keep every list consistent but know nothing of meaning. Passes do not call them: they
//! return patches, which `edgesmith-rewrite` applies through them.

use petgraph::graph::{DiGraph, NodeIndex};
use rustc_hash::FxHashSet;
use smallvec::SmallVec;

use crate::contents::Contents;
use crate::id::{Arena, EntityId};
use crate::op::{Op, Operator};
use crate::{GraphId, Name, OpId, OriginId, TensorId, ValueId, ValueType, View};

/// One operator of a graph.
#[derive(Clone, Debug)]
pub struct OpData {
    op: Op,
    operands: SmallVec<[Option<ValueId>; 4]>,
    /// Where in the use list of its value each operand stands.
    places: SmallVec<[u32; 4]>,
    results: SmallVec<[Option<ValueId>; 1]>,
    regions: SmallVec<[GraphId; 2]>,
    captures: u32,
    name: Name,
    origin: OriginId,
    order: u64,
    alive: bool,
    extra: Option<Box<OpExtra>>,
}

/// What a file says of a node beside its meaning; carried to the output.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OpExtra {
    /// Documentation.
    pub doc: Name,
    /// Key-value notes of the exporter.
    pub metadata: Vec<(Name, Name)>,
    /// Encoded fields that only the format's own frontend and backend understand (device placement).
    pub opaque: bytes::Bytes,
}

impl OpData {
    /// The operator with its attributes.
    pub fn op(&self) -> &Op {
        &self.op
    }
    /// All operands, captures of regions included; `None` is an absent optional.
    pub fn operands(&self) -> &[Option<ValueId>] {
        &self.operands
    }
    /// The operands without the captures.
    pub fn formals(&self) -> &[Option<ValueId>] {
        &self.operands[..self.operands.len() - self.captures as usize]
    }
    /// The trailing operands that regions capture. Capture `k` is input `n - captures + k` of every region.
    pub fn captures(&self) -> &[Option<ValueId>] {
        &self.operands[self.operands.len() - self.captures as usize..]
    }
    /// The operand at a slot; `None` when absent or beyond the list.
    pub fn operand(&self, slot: usize) -> Option<ValueId> {
        self.operands.get(slot).copied().flatten()
    }
    /// All results; `None` is one that nobody wants.
    pub fn results(&self) -> &[Option<ValueId>] {
        &self.results
    }
    /// The result at a slot; `None` when unwanted or beyond the list.
    pub fn result(&self, slot: usize) -> Option<ValueId> {
        self.results.get(slot).copied().flatten()
    }
    /// The subgraphs.
    pub fn regions(&self) -> &[GraphId] {
        &self.regions
    }
    /// The name in the source, perhaps empty.
    pub fn name(&self) -> &Name {
        &self.name
    }
    /// Where the operator came from.
    pub fn origin(&self) -> OriginId {
        self.origin
    }
    /// A key that grows along every path, except between operators that one patch inserted and those around them.
    pub fn order(&self) -> u64 {
        self.order
    }
    /// What the file says beside the meaning.
    pub fn extra(&self) -> Option<&OpExtra> {
        self.extra.as_deref()
    }
}

/// How a value comes to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Def {
    /// An input of the graph; with a default, callers may leave it out.
    Input {
        /// The value when the caller gives none.
        default: Option<TensorId>,
    },
    /// A constant.
    Constant(TensorId),
    /// A result of an operator.
    Result {
        /// The operator.
        op: OpId,
        /// Which of its results.
        slot: u32,
    },
    /// Nothing any more; the row waits for compaction.
    Erased,
}

/// Who reads a value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum User {
    /// An operator.
    Op(OpId),
    /// The outputs of the graph.
    Output,
}

/// One reading of a value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Use {
    /// Who reads.
    pub user: User,
    /// As which operand or output.
    pub slot: u32,
}

/// One value of a graph.
#[derive(Clone, Debug)]
pub struct ValueData {
    name: Name,
    ty: ValueType,
    contents: Option<Contents>,
    def: Def,
    uses: SmallVec<[Use; 2]>,
    extra: Option<Box<ValueExtra>>,
}

/// What a file says of a value beside its type; carried to the output.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ValueExtra {
    /// Documentation.
    pub doc: Name,
    /// Key-value notes.
    pub metadata: Vec<(Name, Name)>,
    /// The type as the file declares it (of inputs, outputs, and values with a `value_info`).
    pub declared: Option<ValueType>,
    /// Denotations: of the type, then of each dim by index.
    pub denotations: Vec<(Option<u32>, Name)>,
    /// Quantisation parameters by key (`SCALE_TENSOR`): names of values.
    pub quantization: Vec<(Name, Name)>,
    /// Kept although nothing reads it, because something beside the graph names it.
    pub pinned: bool,
}

impl ValueData {
    /// The label; unique in its graph.
    pub fn name(&self) -> &Name {
        &self.name
    }
    /// The type.
    pub fn ty(&self) -> &ValueType {
        &self.ty
    }
    /// What is known of the elements.
    pub fn contents(&self) -> Option<&Contents> {
        self.contents.as_ref()
    }
    /// How the value comes to be.
    pub fn def(&self) -> Def {
        self.def
    }
    /// Every reading of the value, in no particular but a deterministic order.
    pub fn uses(&self) -> &[Use] {
        &self.uses
    }
    /// What the file says beside the type.
    pub fn extra(&self) -> Option<&ValueExtra> {
        self.extra.as_deref()
    }
    /// Whether an output of the graph is this value.
    pub fn is_output(&self) -> bool {
        self.uses.iter().any(|u| u.user == User::Output)
    }
    /// Whether the row is waiting for compaction.
    pub fn is_erased(&self) -> bool {
        self.def == Def::Erased
    }
    /// Whether something beside the graph's own uses needs the value.
    pub fn is_pinned(&self) -> bool {
        self.extra.as_ref().is_some_and(|extra| extra.pinned)
    }
}

/// Everything about an operator that is to be added.
#[derive(Clone, Debug)]
pub struct NewOp {
    /// The operator.
    pub op: Op,
    /// Its operands, captures last.
    pub operands: SmallVec<[Option<ValueId>; 4]>,
    /// How many trailing operands are captures.
    pub captures: usize,
    /// Its subgraphs.
    pub regions: SmallVec<[GraphId; 2]>,
    /// Names of the results; `None` for one that nobody wants.
    pub results: SmallVec<[Option<Name>; 1]>,
    /// Its name, perhaps empty.
    pub name: Name,
    /// Where it came from.
    pub origin: OriginId,
}

/// A graph. See the module documentation.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// The graph's name in the file.
    pub name: Name,
    /// Documentation.
    pub doc: Name,
    /// Key-value notes.
    pub metadata: Vec<(Name, Name)>,
    dag: DiGraph<OpData, ()>,
    edges_at: Option<u64>,
    values: Arena<ValueId, ValueData>,
    inputs: Vec<ValueId>,
    outputs: Vec<ValueId>,
    output_places: Vec<u32>,
    epoch: u64,
    pristine_at: Option<u64>,
    place: crate::infer::Place,
}

impl Graph {
    /// An empty graph.
    pub fn new(name: impl Into<Name>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    // ---- reading ----

    /// The operator's row. Panics on an id of another graph, as indexing does.
    pub fn op(&self, id: OpId) -> &OpData {
        &self.dag[NodeIndex::new(id.index())]
    }
    /// Whether the operator has not been erased.
    pub fn is_alive(&self, id: OpId) -> bool {
        self.dag.node_weight(NodeIndex::new(id.index())).is_some_and(|data| data.alive)
    }
    /// The value's row. Panics on an id of another graph, as indexing does.
    pub fn value(&self, id: ValueId) -> &ValueData {
        &self.values[id]
    }
    /// All operators that are not erased, in the order of their ids.
    pub fn ops(&self) -> impl DoubleEndedIterator<Item = (OpId, &OpData)> {
        self.dag.node_indices().map(|n| (OpId::from_index(n.index()), &self.dag[n])).filter(|(_, data)| data.alive)
    }
    /// All values that are not erased, in the order of their ids.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = (ValueId, &ValueData)> {
        self.values.iter().filter(|(_, data)| !data.is_erased())
    }
    /// The number of rows of operators, tombstones included: ids are below it.
    pub fn op_rows(&self) -> usize {
        self.dag.node_count()
    }
    /// The number of rows of values, tombstones included: ids are below it.
    pub fn value_rows(&self) -> usize {
        self.values.len()
    }
    /// The inputs in order.
    pub fn inputs(&self) -> &[ValueId] {
        &self.inputs
    }
    /// The outputs in order; a value may occur twice.
    pub fn outputs(&self) -> &[ValueId] {
        &self.outputs
    }
    /// Changes with every write.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }
    /// The operator that makes a value.
    pub fn producer(&self, value: ValueId) -> Option<OpId> {
        match self.values[value].def {
            Def::Result { op, .. } => Some(op),
            _ => None,
        }
    }
    /// The tensor of a constant value.
    pub fn constant(&self, value: ValueId) -> Option<TensorId> {
        match self.values[value].def {
            Def::Constant(tensor) => Some(tensor),
            _ => None,
        }
    }
    /// The operator as a typed view, if it is of that kind.
    pub fn view<K: Operator>(&self, id: OpId) -> Option<View<'_, K>> {
        let data = self.op(id);
        Some(View { id, data, op: data.op.cast::<K>()? })
    }
    /// The producer of a value as a typed view, if it is of that kind.
    pub fn producer_view<K: Operator>(&self, value: ValueId) -> Option<View<'_, K>> {
        self.view(self.producer(value)?)
    }
    /// Whether exactly one operand reads the value and no output of the graph is it.
    pub fn single_use(&self, value: ValueId) -> bool {
        matches!(self.values[value].uses.as_slice(), [Use { user: User::Op(_), .. }])
    }
    /// The value of that name. Linear in the number of values: for tests and the command line.
    pub fn value_by_name(&self, name: &str) -> Option<ValueId> {
        self.values().find(|(_, data)| data.name == name).map(|(id, _)| id)
    }
    /// Whether nothing was written since [`Graph::mark_pristine`].
    pub fn is_pristine(&self) -> bool {
        self.pristine_at == Some(self.epoch)
    }

    /// The operators in a topological order that keeps the present order wherever that is one. Fails with the operators
    /// of a cycle.
    pub fn topological(&self) -> Result<Vec<OpId>, Cycle> {
        use std::cmp::Reverse;
        use std::collections::BinaryHeap;
        let mut missing = vec![0_u32; self.dag.node_count()];
        let mut ready = BinaryHeap::new();
        let mut alive = 0;
        for (id, data) in self.ops() {
            alive += 1;
            let waits = data.operands.iter().flatten().filter(|v| self.producer(**v).is_some()).count();
            missing[id.index()] = waits as u32;
            if waits == 0 {
                ready.push(Reverse((data.order, id)));
            }
        }
        let mut order = Vec::with_capacity(alive);
        while let Some(Reverse((_, id))) = ready.pop() {
            order.push(id);
            for value in self.op(id).results.iter().flatten() {
                for u in &self.values[*value].uses {
                    if let User::Op(reader) = u.user {
                        let left = &mut missing[reader.index()];
                        *left -= 1;
                        if *left == 0 {
                            ready.push(Reverse((self.op(reader).order, reader)));
                        }
                    }
                }
            }
        }
        if order.len() == alive {
            return Ok(order);
        }
        Err(Cycle { ops: self.ops().map(|(id, _)| id).filter(|id| missing[id.index()] > 0).take(8).collect() })
    }

    /// petgraph's view: an edge for every operand that an operator produces. Rebuilt when the graph changed. Node
    /// indices are operator indices; erased operators are isolated nodes.
    pub fn dag(&mut self) -> &DiGraph<OpData, ()> {
        if self.edges_at != Some(self.epoch) {
            self.dag.clear_edges();
            let mut edges: Vec<(u32, u32)> = Vec::new();
            for (id, data) in self.ops() {
                for from in data.operands.iter().flatten().filter_map(|value| self.producer(*value)) {
                    edges.push((from.index() as u32, id.index() as u32));
                }
            }
            for (from, to) in edges {
                self.dag.add_edge(from.into(), to.into(), ());
            }
            self.edges_at = Some(self.epoch);
        }
        &self.dag
    }

    // ---- writing ----

    fn touch(&mut self) {
        self.epoch += 1;
    }
    fn op_mut(&mut self, id: OpId) -> &mut OpData {
        self.epoch += 1;
        &mut self.dag[NodeIndex::new(id.index())]
    }
    fn push_value(&mut self, name: Name, ty: ValueType, def: Def) -> ValueId {
        self.touch();
        self.values.push(ValueData { name, ty, contents: None, def, uses: SmallVec::new(), extra: None })
    }
    fn link(&mut self, value: ValueId, reading: Use) -> u32 {
        let uses = &mut self.values[value].uses;
        uses.push(reading);
        uses.len() as u32 - 1
    }
    fn unlink(&mut self, value: ValueId, place: u32) {
        let uses = &mut self.values[value].uses;
        uses.swap_remove(place as usize);
        let Some(moved) = uses.get(place as usize).copied() else { return };
        match moved.user {
            User::Op(op) => self.dag[NodeIndex::new(op.index())].places[moved.slot as usize] = place,
            User::Output => self.output_places[moved.slot as usize] = place,
        }
    }

    /// Remembers the present state as the one that the frontend made.
    pub fn mark_pristine(&mut self) {
        self.pristine_at = Some(self.epoch);
    }
    /// Adds an input after the others.
    pub fn add_input(&mut self, name: impl Into<Name>, ty: ValueType, default: Option<TensorId>) -> ValueId {
        let value = self.push_value(name.into(), ty, Def::Input { default });
        self.inputs.push(value);
        value
    }
    /// Adds a value that is a constant.
    pub fn add_constant(&mut self, name: impl Into<Name>, ty: ValueType, tensor: TensorId) -> ValueId {
        self.push_value(name.into(), ty, Def::Constant(tensor))
    }
    /// Adds an output after the others.
    pub fn add_output(&mut self, value: ValueId) {
        self.touch();
        let place = self.link(value, Use { user: User::Output, slot: self.outputs.len() as u32 });
        self.outputs.push(value);
        self.output_places.push(place);
    }
    /// Adds an operator; its results are new values of unknown type. `order` is [`OpData::order`].
    pub fn add_op_at(&mut self, new: NewOp, order: u64) -> OpId {
        self.touch();
        let id = OpId::from_index(self.dag.node_count());
        let mut places = SmallVec::with_capacity(new.operands.len());
        for (slot, operand) in new.operands.iter().enumerate() {
            places.push(match operand {
                Some(value) => self.link(*value, Use { user: User::Op(id), slot: slot as u32 }),
                None => 0,
            });
        }
        let results = (0..)
            .zip(new.results)
            .map(|(slot, name)| {
                name.map(|name| self.push_value(name, ValueType::Unknown, Def::Result { op: id, slot }))
            })
            .collect();
        self.dag.add_node(OpData {
            op: new.op,
            operands: new.operands,
            places,
            results,
            regions: new.regions,
            captures: new.captures as u32,
            name: new.name,
            origin: new.origin,
            order,
            alive: true,
            extra: None,
        });
        id
    }
    /// Adds an operator after all others. See [`Graph::add_op_at`].
    pub fn add_op(&mut self, new: NewOp) -> OpId {
        let order = (self.dag.node_count() as u64 + 1) << 32;
        self.add_op_at(new, order)
    }
    /// Gives an operator one more region.
    pub fn push_region(&mut self, id: OpId, region: GraphId) {
        self.op_mut(id).regions.push(region);
    }
    /// Replaces the attributes (and kind) of an operator in place.
    pub fn set_op(&mut self, id: OpId, op: Op) {
        self.op_mut(id).op = op;
    }
    /// Replaces an operand; slots beyond the list are filled with absent ones. Not for operators with captures when the
    /// list grows.
    pub fn set_operand(&mut self, id: OpId, slot: usize, value: Option<ValueId>) {
        self.touch();
        let node = NodeIndex::new(id.index());
        while self.dag[node].operands.len() <= slot {
            self.dag[node].operands.push(None);
            self.dag[node].places.push(0);
        }
        if let Some(old) = self.dag[node].operands[slot] {
            let place = self.dag[node].places[slot];
            self.unlink(old, place);
        }
        let place = value.map_or(0, |value| self.link(value, Use { user: User::Op(id), slot: slot as u32 }));
        let data = &mut self.dag[node];
        data.operands[slot] = value;
        data.places[slot] = place;
    }
    /// Removes an operand slot; those after it move down. Costs the number of operands after it.
    pub fn remove_operand(&mut self, id: OpId, slot: usize) {
        let count = self.op(id).operands.len();
        let was_capture = slot >= self.op(id).formals().len();
        for at in slot..count - 1 {
            let next = self.op(id).operands[at + 1];
            self.set_operand(id, at, next);
        }
        self.set_operand(id, count - 1, None);
        let data = self.op_mut(id);
        data.operands.pop();
        data.places.pop();
        if was_capture {
            data.captures -= 1;
        }
    }
    /// Adds a captured operand at the end. The caller adds the matching input to every region.
    pub fn push_capture(&mut self, id: OpId, value: ValueId) {
        let slot = self.op(id).operands.len();
        self.set_operand(id, slot, Some(value));
        self.op_mut(id).captures += 1;
    }
    /// Adds a wanted result at a slot, or returns the one that is there.
    pub fn want_result(&mut self, id: OpId, slot: usize, name: impl Into<Name>) -> ValueId {
        if let Some(value) = self.op(id).result(slot) {
            return value;
        }
        let value = self.push_value(name.into(), ValueType::Unknown, Def::Result { op: id, slot: slot as u32 });
        let data = self.op_mut(id);
        while data.results.len() <= slot {
            data.results.push(None);
        }
        data.results[slot] = Some(value);
        value
    }
    /// Makes a result unwanted. The value is erased; it must have no uses.
    pub fn drop_result(&mut self, id: OpId, slot: usize) {
        if let Some(value) = self.op(id).result(slot) {
            self.values[value].def = Def::Erased;
        }
        let data = self.op_mut(id);
        if let Some(result) = data.results.get_mut(slot) {
            *result = None;
        }
        while data.results.last() == Some(&None) {
            data.results.pop();
        }
    }
    /// Replaces an output.
    pub fn set_output(&mut self, index: usize, value: ValueId) {
        self.touch();
        self.unlink(self.outputs[index], self.output_places[index]);
        self.outputs[index] = value;
        self.output_places[index] = self.link(value, Use { user: User::Output, slot: index as u32 });
    }
    /// Removes an output; those after it move down.
    pub fn remove_output(&mut self, index: usize) {
        for at in index..self.outputs.len() - 1 {
            self.set_output(at, self.outputs[at + 1]);
        }
        if let (Some(value), Some(place)) = (self.outputs.pop(), self.output_places.pop()) {
            self.unlink(value, place);
        }
        self.touch();
    }
    /// Removes an input from the list and erases it. It must have no uses.
    pub fn remove_input(&mut self, index: usize) {
        let value = self.inputs.remove(index);
        self.values[value].def = Def::Erased;
        self.touch();
    }
    /// Takes a default away, or sets one.
    pub fn set_input_default(&mut self, value: ValueId, default: Option<TensorId>) {
        self.touch();
        if matches!(self.values[value].def, Def::Input { .. }) {
            self.values[value].def = Def::Input { default };
        }
    }
    /// Makes an input a constant and takes it out of the list of inputs.
    pub fn input_to_constant(&mut self, value: ValueId, tensor: TensorId) {
        self.touch();
        self.inputs.retain(|input| *input != value);
        self.values[value].def = Def::Constant(tensor);
    }
    /// The same for several inputs at once.
    pub fn inputs_to_constants(&mut self, constants: &[(ValueId, TensorId)]) {
        self.touch();
        let gone: FxHashSet<ValueId> = constants.iter().map(|(value, _)| *value).collect();
        self.inputs.retain(|input| !gone.contains(input));
        for (value, tensor) in constants {
            self.values[*value].def = Def::Constant(*tensor);
        }
    }
    /// Lets every reader of `old` read `new` instead, outputs included.
    pub fn replace_uses(&mut self, old: ValueId, new: ValueId) {
        if old == new {
            return;
        }
        self.touch();
        for reading in std::mem::take(&mut self.values[old].uses) {
            let place = self.link(new, reading);
            match reading.user {
                User::Op(op) => {
                    let data = &mut self.dag[NodeIndex::new(op.index())];
                    data.operands[reading.slot as usize] = Some(new);
                    data.places[reading.slot as usize] = place;
                }
                User::Output => {
                    self.outputs[reading.slot as usize] = new;
                    self.output_places[reading.slot as usize] = place;
                }
            }
        }
    }
    /// Makes an existing value the result of `(op, slot)`: name, type and uses stay. The value that stood in that slot
    /// is erased (it must have no uses), and so is the value's place in its old producer.
    pub fn redefine(&mut self, value: ValueId, op: OpId, slot: usize) {
        self.touch();
        self.detach_definition(value);
        if let Some(placeholder) = self.op(op).result(slot) {
            self.values[placeholder].def = Def::Erased;
        }
        let data = self.op_mut(op);
        while data.results.len() <= slot {
            data.results.push(None);
        }
        data.results[slot] = Some(value);
        self.values[value].def = Def::Result { op, slot: slot as u32 };
    }
    /// Makes an existing value a constant: name, type and uses stay.
    pub fn redefine_constant(&mut self, value: ValueId, tensor: TensorId) {
        self.touch();
        self.detach_definition(value);
        self.values[value].def = Def::Constant(tensor);
    }
    fn detach_definition(&mut self, value: ValueId) {
        match self.values[value].def {
            Def::Result { op, slot } => {
                if let Some(result) = self.op_mut(op).results.get_mut(slot as usize) {
                    *result = None;
                }
            }
            Def::Input { .. } => self.inputs.retain(|input| *input != value),
            Def::Constant(_) | Def::Erased => {}
        }
    }
    /// Erases an operator: its operands lose a use, its results are erased (they must have no uses).
    pub fn erase_op(&mut self, id: OpId) {
        for slot in 0..self.op(id).operands.len() {
            self.set_operand(id, slot, None);
        }
        for value in std::mem::take(&mut self.op_mut(id).results).into_iter().flatten() {
            self.values[value].def = Def::Erased;
        }
        let data = self.op_mut(id);
        data.alive = false;
        data.operands.clear();
        data.places.clear();
        data.captures = 0;
    }
    /// Erases a constant that nothing uses.
    pub fn erase_constant(&mut self, value: ValueId) {
        self.touch();
        if matches!(self.values[value].def, Def::Constant(_)) {
            self.values[value].def = Def::Erased;
        }
    }
    /// Sets a type.
    pub fn set_type(&mut self, value: ValueId, ty: ValueType) {
        self.values[value].ty = ty;
    }
    /// Sets what is known of the elements.
    pub fn set_contents(&mut self, value: ValueId, contents: Option<Contents>) {
        self.values[value].contents = contents;
    }
    /// Renames a value.
    pub fn set_value_name(&mut self, value: ValueId, name: impl Into<Name>) {
        self.touch();
        self.values[value].name = name.into();
    }
    /// Renames an operator.
    pub fn set_op_name(&mut self, id: OpId, name: impl Into<Name>) {
        self.op_mut(id).name = name.into();
    }
    /// Sets the order key ([`OpData::order`]) of an operator.
    pub fn set_order(&mut self, id: OpId, order: u64) {
        self.dag[NodeIndex::new(id.index())].order = order;
    }
    /// Sets where an operator came from.
    pub fn set_origin(&mut self, id: OpId, origin: OriginId) {
        self.dag[NodeIndex::new(id.index())].origin = origin;
    }
    /// What the file says of an operator, writable; made when absent.
    pub fn op_extra_mut(&mut self, id: OpId) -> &mut OpExtra {
        self.dag[NodeIndex::new(id.index())].extra.get_or_insert_default()
    }
    /// What the file says of a value, writable; made when absent.
    pub fn value_extra_mut(&mut self, value: ValueId) -> &mut ValueExtra {
        self.values[value].extra.get_or_insert_default()
    }
    /// Where the graph stood when its types were inferred.
    pub(crate) fn place(&self) -> &crate::infer::Place {
        &self.place
    }
    pub(crate) fn set_place(&mut self, place: crate::infer::Place) {
        self.place = place;
    }
    pub(crate) fn restore_extra(&mut self, op: OpId, extra: Option<Box<OpExtra>>) {
        self.dag[NodeIndex::new(op.index())].extra = extra;
    }
    pub(crate) fn copy_value_from(&mut self, value: ValueId, old: &ValueData) {
        let row = &mut self.values[value];
        row.ty = old.ty.clone();
        row.contents.clone_from(&old.contents);
        row.extra.clone_from(&old.extra);
    }
    pub(crate) fn set_epochs_from(&mut self, old: &Graph) {
        let pristine = old.is_pristine();
        self.epoch = old.epoch;
        self.edges_at = None;
        self.place = old.place.clone();
        self.pristine_at = pristine.then_some(self.epoch);
    }
    /// Lets the graph refer to the graphs, tensors and origins of another model; nothing else changes.
    pub(crate) fn move_ids(&mut self, offsets: crate::adopt::Offsets) {
        for data in self.dag.node_weights_mut() {
            data.origin = offsets.origin(data.origin);
            data.regions.iter_mut().for_each(|region| *region = offsets.graph(*region));
        }
        for (_, value) in self.values.iter_mut() {
            match &mut value.def {
                Def::Constant(tensor) | Def::Input { default: Some(tensor) } => *tensor = offsets.tensor(*tensor),
                _ => {}
            }
        }
    }
    pub(crate) fn places_of(&self, id: OpId) -> &[u32] {
        &self.op(id).places
    }
    pub(crate) fn output_places(&self) -> &[u32] {
        &self.output_places
    }
}

/// Operators that wait for each other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the graph has a cycle through {ops:?}")]
pub struct Cycle {
    /// Some of the operators on or behind the cycle.
    pub ops: Vec<OpId>,
}

#[cfg(test)]
#[path = "graph_test.rs"]
pub(crate) mod tests;
