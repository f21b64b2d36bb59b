//! Where constants are written: once, in the outermost graph that all their readers share.
//!
//! A tensor of the store may be a constant in any number of graphs, under as many names. In the file it is one initializer,
//! which every graph below sees. A constant that only served to hold what is an attribute in the file is not written.

use edgesmith_ir::Def;
use indexmap::IndexMap;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::plan::{Plan, Role};
use crate::slots::{ConstantKey, Slot};

/// Where a constant is written, and the value after which it is named.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Home {
    pub plan: usize,
    pub named: Slot,
    /// The graph of the first mention.
    found: usize,
}

/// Finds the places of all constants, in the order of their first mention; those that graphs below share come last.
pub(crate) fn place(plan: &mut Plan<'_>) -> IndexMap<ConstantKey, Home> {
    let mut homes: IndexMap<ConstantKey, Home> = IndexMap::new();
    let used = used(plan);
    for place in 0..plan.graphs.len() {
        for id in plan.graphs[place].hosted.clone() {
            let graph = plan.slots.model.graph(id);
            for (value, row) in graph.values() {
                if !matches!(row.def(), Def::Constant(_)) {
                    continue;
                }
                let slot = plan.slots.of(id, value);
                // What nothing reads was so in the source too; what reads it now as an attribute is another matter.
                if used[slot.index()] || row.uses().is_empty() || row.is_pinned() {
                    need(plan, &mut homes, slot, place);
                }
            }
        }
        let mut added: SmallVec<[Slot; 8]> = SmallVec::new();
        for slot in plan.graphs[place].nodes.iter().flat_map(|node| &node.inputs).flatten() {
            let root = plan.slots.root(*slot);
            if let Some(ConstantKey::Added(slot)) = plan.slots.constant_key(root) {
                added.push(slot);
            }
        }
        for slot in added {
            need(plan, &mut homes, slot, place);
        }
    }
    outputs(plan, &mut homes);
    sort_shared(plan, &mut homes);
    for (key, home) in &homes {
        plan.graphs[home.plan].constants.push(*key);
    }
    homes
}

/// Constants that are written further out than where they were found are sorted by who reads them first there. Nothing else tells
/// their order when the file is read again, so that writing what was read would write them otherwise.
fn sort_shared(plan: &Plan<'_>, homes: &mut IndexMap<ConstantKey, Home>) {
    if homes.values().all(|home| home.plan == home.found) {
        return;
    }
    let mut first_read: FxHashMap<(usize, ConstantKey), usize> = FxHashMap::default();
    for (place, graph) in plan.graphs.iter().enumerate() {
        for slot in graph.nodes.iter().flat_map(|node| node.inputs.iter().flatten()) {
            if let Some(key) = plan.slots.constant_key(plan.slots.root(*slot)) {
                let position = first_read.len();
                first_read.entry((place, key)).or_insert(position);
            }
        }
    }
    homes.sort_by_cached_key(|key, home| {
        let shared = home.plan != home.found;
        shared.then(|| (home.found, first_read.get(&(home.found, *key)).copied().unwrap_or(usize::MAX)))
    });
}

/// By slot: whether a node or a graph reads it.
fn used(plan: &Plan<'_>) -> Vec<bool> {
    let mut used = vec![false; plan.slots.len()];
    for graph in &plan.graphs {
        let outputs = graph.outputs.iter().map(|(slot, _)| slot);
        for slot in graph.nodes.iter().flat_map(|node| node.inputs.iter().flatten()).chain(outputs) {
            used[slot.index()] = true;
            used[plan.slots.root(*slot).index()] = true;
        }
    }
    used
}

fn need(plan: &Plan<'_>, homes: &mut IndexMap<ConstantKey, Home>, slot: Slot, place: usize) {
    let Some(key) = plan.slots.constant_key(slot) else { return };
    match homes.get_mut(&key) {
        None => {
            homes.insert(key, Home { plan: place, named: slot, found: place });
        }
        Some(home) => {
            let common = common(plan, home.plan, place);
            // The name that the value has in the graph where it is written.
            if common == place && common != home.plan {
                home.named = slot;
            }
            home.plan = common;
        }
    }
}

/// The innermost graph around both.
fn common(plan: &Plan<'_>, mut a: usize, mut b: usize) -> usize {
    while a != b {
        let (left, right) = (&plan.graphs[a], &plan.graphs[b]);
        if left.depth >= right.depth {
            a = left.parent.unwrap_or(b);
        } else {
            b = right.parent.unwrap_or(a);
        }
    }
    a
}

/// Graphs that return constants: the main one under the name of the output, one below only its own.
fn outputs(plan: &mut Plan<'_>, homes: &mut IndexMap<ConstantKey, Home>) {
    for place in 0..plan.graphs.len() {
        for index in 0..plan.graphs[place].outputs.len() {
            let (slot, described) = plan.graphs[place].outputs[index];
            let Some(key) = plan.slots.constant_key(slot) else { continue };
            if !homes.contains_key(&key) {
                need(plan, homes, slot, place);
            }
            let Some(home) = homes.get_mut(&key) else { continue };
            let root = plan.slots.root(slot);
            let direct = match plan.graphs[place].role {
                Role::Main => {
                    let free = !is_returned(plan, home.named, index) && home.plan == place;
                    if free {
                        home.named = slot;
                    }
                    free || home.named == slot || plan.slots.wish(home.named) == plan.slots.wish(slot)
                }
                Role::Region => home.plan == place,
                Role::Function => true,
            };
            if !direct {
                let copy = plan.copy(place, root, described);
                plan.graphs[place].outputs[index].0 = copy;
            }
        }
    }
}

/// Whether an earlier output of the main graph already gave the constant its name.
fn is_returned(plan: &Plan<'_>, named: Slot, before: usize) -> bool {
    plan.graphs[0].outputs[..before].iter().any(|(slot, _)| *slot == named)
}
