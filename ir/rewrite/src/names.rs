//! Fresh names for the values that patches make.

use edgesmith_ir::infer::named_after;
use edgesmith_ir::{GraphId, Item, Model, Name};
use rustc_hash::{FxHashMap, FxHashSet};

/// The names in use, by graph; filled once per graph and kept up to date.
#[derive(Debug, Default)]
pub struct Names {
    graphs: FxHashMap<GraphId, FxHashSet<Name>>,
    next: FxHashMap<Name, u32>,
}

impl Names {
    /// A name that no value of the graph has: the stem itself where it is free, else the stem with a number.
    pub fn fresh(&mut self, model: &Model, graph: GraphId, stem: &Name) -> Name {
        let used = self.graphs.entry(graph).or_insert_with(|| taken(model, graph));
        if !stem.is_empty() && used.insert(stem.clone()) {
            return stem.clone();
        }
        let next = self.next.entry(stem.clone()).or_insert(0);
        loop {
            *next += 1;
            let name = Name::from(format!("{stem}_{next}"));
            if used.insert(name.clone()) {
                return name;
            }
        }
    }
}

/// The names of a graph's values, and those that symbols of its types were made of: a size is named after the value that it
/// was first seen on, and outlives it.
fn taken(model: &Model, graph: GraphId) -> FxHashSet<Name> {
    let mut names = FxHashSet::default();
    for (_, value) in model.graph(graph).values() {
        names.insert(value.name().clone());
        let elements = value.contents().into_iter().flat_map(edgesmith_ir::Contents::items).map(Item::dim);
        for dim in value.ty().dims().into_iter().flatten().cloned().chain(elements) {
            dim.visit_symbols(&mut |symbol| {
                names.extend(named_after(symbol).map(Name::from));
            });
        }
    }
    names
}
