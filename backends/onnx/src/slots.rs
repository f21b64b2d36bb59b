//! Slots: one number for every value of every graph and for every value that the backend adds.
//!
//! The graphs of the IR are islands: a region reads outside through captures, a call through its body's inputs. A file has
//! one space of names instead. So a slot may stand for another one (a capture for what it captures); [`Slots::root`]
//! follows.

use edgesmith_ir::id::EntityId;
use edgesmith_ir::{DType, Def, GraphId, Model, Name, Tensor, TensorId, ValueData, ValueId, ValueType};
use rustc_hash::FxHashMap;

/// The number of a value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Slot(u32);

impl Slot {
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A value that the IR does not have.
#[derive(Debug)]
struct Added {
    /// What the name should look like.
    hint: Name,
    ty: ValueType,
    constant: Option<Tensor>,
}

/// What makes a constant one: a tensor of the model's store, or one that the backend added.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum ConstantKey {
    Stored(TensorId),
    Added(Slot),
}

pub(crate) struct Slots<'m> {
    pub model: &'m Model,
    /// The slot of the first value of each graph.
    bases: Vec<u32>,
    first_added: u32,
    added: Vec<Added>,
    stands_for: Vec<Slot>,
    /// The numbers that formulas need, once for every graph of the file.
    numbers: FxHashMap<(usize, DType, u64), Slot>,
}

impl<'m> Slots<'m> {
    pub fn new(model: &'m Model) -> Self {
        let mut bases = Vec::new();
        let mut next = 0_u32;
        for (_, graph) in model.graphs() {
            bases.push(next);
            next += graph.value_rows() as u32;
        }
        let stands_for = (0..next).map(Slot).collect();
        Self { model, bases, first_added: next, added: Vec::new(), stands_for, numbers: FxHashMap::default() }
    }

    pub fn of(&self, graph: GraphId, value: ValueId) -> Slot {
        Slot(self.bases[graph.index()] + value.index() as u32)
    }
    /// How many slots there are.
    pub fn len(&self) -> usize {
        self.stands_for.len()
    }
    /// The graph and value of a slot that the backend did not add.
    pub fn value(&self, slot: Slot) -> Option<(GraphId, ValueId)> {
        if slot.0 >= self.first_added {
            return None;
        }
        // Graphs without values share a base with the next one; the last of them owns the slot.
        let graph = self.bases.partition_point(|base| *base <= slot.0) - 1;
        Some((GraphId::from_index(graph), ValueId::from_index((slot.0 - self.bases[graph]) as usize)))
    }
    pub fn row(&self, slot: Slot) -> Option<&'m ValueData> {
        let (graph, value) = self.value(slot)?;
        Some(self.model.graph(graph).value(value))
    }
    fn added(&self, slot: Slot) -> Option<&Added> {
        self.added.get(slot.0.checked_sub(self.first_added)? as usize)
    }
    fn add(&mut self, added: Added) -> Slot {
        let slot = Slot(self.stands_for.len() as u32);
        self.added.push(added);
        self.stands_for.push(slot);
        slot
    }
    /// A value between two nodes that stand for one operator.
    pub fn add_value(&mut self, hint: impl Into<Name>, ty: ValueType) -> Slot {
        self.add(Added { hint: hint.into(), ty, constant: None })
    }
    /// A constant that the form of an operator needs.
    pub fn add_constant(&mut self, hint: impl Into<Name>, tensor: Tensor) -> Slot {
        let ty = edgesmith_ir::tensor_type(&tensor);
        self.add(Added { hint: hint.into(), ty, constant: Some(tensor) })
    }

    /// A scalar for the graph of the file with this place, one for all that ask.
    pub fn number(&mut self, place: usize, hint: String, dtype: DType, number: f64) -> Option<Slot> {
        let key = (place, dtype, number.to_bits());
        if let Some(known) = self.numbers.get(&key) {
            return Some(*known);
        }
        let slot = self.add_constant(hint, Tensor::from_f64(dtype, [].as_slice(), &[number])?);
        self.numbers.insert(key, slot);
        Some(slot)
    }

    /// Lets a slot stand for another.
    pub fn alias(&mut self, slot: Slot, other: Slot) {
        self.stands_for[slot.index()] = other;
    }
    /// What a slot stands for in the end.
    pub fn root(&self, mut slot: Slot) -> Slot {
        // Chains are as long as regions and calls are nested.
        while self.stands_for[slot.index()] != slot {
            slot = self.stands_for[slot.index()];
        }
        slot
    }

    /// The type; where nothing is known, what the file declares.
    pub fn ty(&self, slot: Slot) -> &ValueType {
        match self.row(slot) {
            Some(row) if *row.ty() == ValueType::Unknown => {
                row.extra().and_then(|extra| extra.declared.as_ref()).unwrap_or(&ValueType::Unknown)
            }
            Some(row) => row.ty(),
            None => self.added(slot).map_or(&ValueType::Unknown, |added| &added.ty),
        }
    }
    /// The name that the value would like to have.
    pub fn wish(&self, slot: Slot) -> Name {
        match self.row(slot) {
            Some(row) => row.name().clone(),
            None => self.added(slot).map(|added| added.hint.clone()).unwrap_or_default(),
        }
    }
    /// What identifies the constant that a slot is in the end.
    pub fn constant_key(&self, slot: Slot) -> Option<ConstantKey> {
        let root = self.root(slot);
        match self.row(root) {
            Some(row) => match row.def() {
                Def::Constant(tensor) => Some(ConstantKey::Stored(tensor)),
                _ => None,
            },
            None => self.added(root).and_then(|added| added.constant.as_ref()).map(|_| ConstantKey::Added(root)),
        }
    }
    /// The constant that a slot is in the end.
    pub fn constant(&self, slot: Slot) -> Option<&Tensor> {
        self.constant_key(slot).and_then(|key| self.tensor(key))
    }
    pub fn tensor(&self, key: ConstantKey) -> Option<&Tensor> {
        match key {
            ConstantKey::Stored(tensor) => Some(self.model.tensor(tensor)),
            ConstantKey::Added(slot) => self.added(slot).and_then(|added| added.constant.as_ref()),
        }
    }
}
