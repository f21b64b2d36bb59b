//! Names of values in the file: unique among everything that is visible at a place.
//!
//! A file has names where the IR has ids. Values keep theirs; one that would hide a name from outside, or that lost its
//! place to another, gets a fresh one. Sibling subgraphs may use the same names, as exporters do.

use edgesmith_ir::Name;
use indexmap::IndexMap;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::place::Home;
use crate::plan::{Plan, Role};
use crate::slots::{ConstantKey, Slot};

/// The names of a file.
#[derive(Debug, Default)]
pub(crate) struct Naming {
    /// By slot of what defines a value.
    names: Vec<Option<Name>>,
    constants: FxHashMap<ConstantKey, Name>,
    /// By graph: the names of its nodes that had to change.
    pub nodes: FxHashMap<(usize, usize), Name>,
    /// Values that are called otherwise than in the model, in the order met: old name, new name.
    pub renamed: Vec<(Name, Name)>,
}

impl Naming {
    /// The name of a value; empty for one that nothing defines.
    pub fn of(&self, plan: &Plan<'_>, slot: Slot) -> Name {
        let root = plan.slots.root(slot);
        let constant = || plan.slots.constant_key(root).and_then(|key| self.constants.get(&key)).cloned();
        self.names.get(root.index()).cloned().flatten().or_else(constant).unwrap_or_default()
    }
}

/// Gives every value of a plan its name.
pub(crate) fn name(plan: &Plan<'_>, homes: &IndexMap<ConstantKey, Home>) -> Naming {
    let mut taken = FxHashSet::default();
    for (_, graph) in plan.slots.model.graphs() {
        taken.extend(graph.values().map(|(_, value)| value.name().clone()));
    }
    let mut namer = Namer {
        plan,
        homes,
        taken,
        counters: FxHashMap::default(),
        visible: FxHashSet::default(),
        out: Naming { names: vec![None; plan.slots.len()], ..Naming::default() },
    };
    for (place, graph) in plan.graphs.iter().enumerate() {
        if graph.parent.is_none() {
            namer.visible.clear();
            namer.graph(place);
        }
    }
    namer.out
}

struct Namer<'a, 'm> {
    plan: &'a Plan<'m>,
    homes: &'a IndexMap<ConstantKey, Home>,
    /// Every name of the model and every one given: what a fresh name must differ from.
    taken: FxHashSet<Name>,
    /// Where to go on counting for fresh names, by what they are made from.
    counters: FxHashMap<Name, u32>,
    /// What the graph in hand and those around it define.
    visible: FxHashSet<Name>,
    out: Naming,
}

impl Namer<'_, '_> {
    fn graph(&mut self, place: usize) {
        let plan = self.plan;
        let graph = &plan.graphs[place];
        let mut defined: Vec<Name> = Vec::new();
        // The names of the interface come first: nothing takes them away.
        for slot in &graph.inputs {
            self.value(*slot, &mut defined);
        }
        if graph.role != Role::Region {
            for (slot, _) in &graph.outputs {
                if plan.slots.constant_key(*slot).is_none() && plan.defined_in(plan.slots.root(*slot)) == Some(place) {
                    self.value(plan.slots.root(*slot), &mut defined);
                }
            }
        }
        for key in &graph.constants {
            let named = self.homes.get(key).map(|home| plan.slots.wish(home.named)).unwrap_or_default();
            let name = self.give(&named, matches!(key, ConstantKey::Stored(_)), &mut defined);
            self.out.constants.insert(*key, name);
        }
        for slot in graph.nodes.iter().flat_map(|node| node.outputs.iter().flatten()) {
            self.value(plan.slots.root(*slot), &mut defined);
        }
        self.node_names(place);
        for region in graph.nodes.iter().flat_map(|node| &node.regions) {
            self.graph(*region);
        }
        for name in defined {
            self.visible.remove(&name);
        }
    }

    fn value(&mut self, slot: Slot, defined: &mut Vec<Name>) {
        if self.out.names[slot.index()].is_some() {
            return;
        }
        let wish = self.plan.preferred.get(&slot).cloned().unwrap_or_else(|| self.plan.slots.wish(slot));
        let known = self.plan.slots.value(slot).is_some();
        self.out.names[slot.index()] = Some(self.give(&wish, known, defined));
    }

    /// A name for a value; `known` is whether the model has it.
    fn give(&mut self, wish: &Name, known: bool, defined: &mut Vec<Name>) -> Name {
        let name = if wish.is_empty() || self.visible.contains(wish) { self.fresh(wish) } else { wish.clone() };
        if known && name != *wish {
            self.out.renamed.push((wish.clone(), name.clone()));
        }
        self.taken.insert(name.clone());
        self.visible.insert(name.clone());
        defined.push(name.clone());
        name
    }

    fn fresh(&mut self, wish: &Name) -> Name {
        let base = if wish.is_empty() { Name::from("value") } else { wish.clone() };
        let counter = self.counters.entry(base.clone()).or_insert(0);
        loop {
            *counter += 1;
            let name = Name::from(format!("{base}_{counter}"));
            if !self.taken.contains(&name) {
                return name;
            }
        }
    }

    /// ONNX Runtime refuses two nodes of one graph with the same name; nodes without one may be many.
    fn node_names(&mut self, place: usize) {
        let nodes = &self.plan.graphs[place].nodes;
        let mut seen: FxHashSet<&Name> = FxHashSet::default();
        let mut again = Vec::new();
        for (index, node) in nodes.iter().enumerate() {
            if !node.name.is_empty() && !seen.insert(&node.name) {
                again.push(index);
            }
        }
        let mut given: FxHashSet<Name> = FxHashSet::default();
        let mut counters: FxHashMap<&Name, u32> = FxHashMap::default();
        for index in again {
            let counter = counters.entry(&nodes[index].name).or_insert(0);
            let name = loop {
                *counter += 1;
                let name = Name::from(format!("{}_{counter}", nodes[index].name));
                if !seen.contains(&name) && given.insert(name.clone()) {
                    break name;
                }
            };
            self.out.nodes.insert((place, index), name);
        }
    }
}
