//! Constants of two models: which is which, and how far they are apart.

use edgesmith_exec::Value;
use edgesmith_exec::compare::{Comparison, compare};
use edgesmith_ir::id::EntityId;
use edgesmith_ir::{Def, Graph, Model, Name, TensorId};
use indexmap::IndexMap;
use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::matching::{GraphPair, Matching};
use super::report::{Renamed, Weight, WeightChange, WeightDiff};

/// Constants that stand in the same place of both models.
#[derive(Default)]
pub(super) struct Pairs {
    /// By tensors, with the names under which they were met first.
    pairs: IndexMap<(TensorId, TensorId), (Name, Name)>,
    /// Constants of either side that have not been met in a pair.
    rest_a: IndexMap<TensorId, Name>,
    rest_b: IndexMap<TensorId, Name>,
}

impl Pairs {
    /// Notes that two constants stand in the same place.
    pub(super) fn pair(&mut self, a: (TensorId, &Name), b: (TensorId, &Name)) {
        let names = self.pairs.entry((a.0, b.0)).or_insert_with(|| (a.1.clone(), b.1.clone()));
        // Two names for one tensor: a pair of equal names says most.
        if names.0 != names.1 && a.1 == b.1 {
            *names = (a.1.clone(), b.1.clone());
        }
    }

    /// Notes the constants and defaults of two graphs.
    pub(super) fn rest(&mut self, a: &Model, b: &Model, pair: &GraphPair) {
        let (ga, gb) = (a.graph(pair.a), b.graph(pair.b));
        for (graph, rest) in [(ga, &mut self.rest_a), (gb, &mut self.rest_b)] {
            for (id, name) in held(graph) {
                rest.entry(id).or_insert_with(|| name.clone());
            }
        }
        for (value, row) in ga.values() {
            let (Def::Input { default: Some(ta) }, Some(vb)) = (row.def(), pair.value(value)) else { continue };
            if let Def::Input { default: Some(tb) } = gb.value(vb).def() {
                self.pair((ta, row.name()), (tb, gb.value(vb).name()));
            }
        }
    }

    /// The second model with the roles that the first gives to the same constants: a file may say of a constant that it is a
    /// literal of the program or leave that open, which is no difference but would show in the cost.
    pub(super) fn with_roles_of(&self, a: &Model, b: &Model) -> Model {
        let mut same = b.clone();
        for (ta, tb) in self.pairs.keys() {
            same.tensor_entry_mut(*tb).role = a.tensor_entry(*ta).role;
        }
        same
    }

    pub(super) fn compare(mut self, a: &Model, b: &Model, matching: &Matching) -> WeightDiff {
        for ta_tb in self.pairs.keys() {
            self.rest_a.shift_remove(&ta_tb.0);
            self.rest_b.shift_remove(&ta_tb.1);
        }
        self.pair_rest(matching);
        let mut diff = WeightDiff::default();
        let equal =
            |(ta, tb): &(TensorId, TensorId)| matching.contents[0][ta.index()] == matching.contents[1][tb.index()];
        let mut changed = Vec::new();
        for (ids, (before, after)) in &self.pairs {
            if !equal(ids) {
                changed.push((*ids, before, after));
                continue;
            }
            diff.equal += 1;
            if before != after {
                diff.renamed.push(Renamed { before: before.to_string(), after: after.to_string() });
            }
        }
        diff.changed = changed.into_par_iter().map(|(ids, before, after)| measure(a, b, ids, before, after)).collect();
        diff.removed = self.rest_a.iter().map(|(id, name)| weight(a, *id, name)).collect();
        diff.added = self.rest_b.iter().map(|(id, name)| weight(b, *id, name)).collect();
        diff
    }

    /// Pairs what stands in no common place: by name, then by contents.
    fn pair_rest(&mut self, matching: &Matching) {
        let mut names: FxHashMap<Name, TensorId> = FxHashMap::default();
        for (id, name) in &self.rest_b {
            names.entry(name.clone()).or_insert(*id);
        }
        self.take(|_, name| names.get(name).copied());
        let mut same: FxHashMap<u128, Vec<TensorId>> = FxHashMap::default();
        for id in self.rest_b.keys().rev() {
            same.entry(matching.contents[1][id.index()]).or_default().push(*id);
        }
        self.take(|id, _| same.get_mut(&matching.contents[0][id.index()]).and_then(Vec::pop));
    }
    fn take(&mut self, mut counterpart: impl FnMut(TensorId, &Name) -> Option<TensorId>) {
        let mut left = IndexMap::new();
        let mut taken = vec![];
        for (id, name) in std::mem::take(&mut self.rest_a) {
            let found = counterpart(id, &name).and_then(|other| Some((other, self.rest_b.get(&other)?.clone())));
            match found {
                Some((other, after)) => {
                    taken.push(other);
                    self.pairs.insert((id, other), (name, after));
                }
                None => {
                    left.insert(id, name);
                }
            }
        }
        self.rest_a = left;
        let taken: rustc_hash::FxHashSet<TensorId> = taken.into_iter().collect();
        self.rest_b.retain(|id, _| !taken.contains(id));
    }
}

/// Constants of a graph and defaults of its inputs.
fn held(graph: &Graph) -> impl Iterator<Item = (TensorId, &Name)> {
    graph.values().filter_map(|(_, row)| match row.def() {
        Def::Constant(id) | Def::Input { default: Some(id) } => Some((id, row.name())),
        _ => None,
    })
}

fn weight(model: &Model, id: TensorId, name: &Name) -> Weight {
    let tensor = model.tensor(id);
    Weight { name: name.to_string(), ty: edgesmith_ir::tensor_type(tensor).to_string(), bytes: tensor.byte_len() }
}

/// How far two constants are apart.
fn measure(a: &Model, b: &Model, (ta, tb): (TensorId, TensorId), before: &Name, after: &Name) -> WeightChange {
    let (x, y) = (a.tensor(ta), b.tensor(tb));
    let mut change = WeightChange {
        name: before.to_string(),
        name_after: after.to_string(),
        ty: edgesmith_ir::tensor_type(x).to_string(),
        unlike: None,
        elements: x.len(),
        differing: 0,
        largest_absolute: 0.0,
        largest_relative: 0.0,
        sqnr_db: None,
    };
    match compare(&Value::Tensor(x.clone()), &Value::Tensor(y.clone())) {
        Comparison::Unlike(_) if (x.dtype(), x.shape()) != (y.dtype(), y.shape()) => {
            change.unlike = Some(format!("is now {}", edgesmith_ir::tensor_type(y)));
        }
        Comparison::Unlike(why) => change.unlike = Some(why),
        Comparison::Compared(difference) => {
            change.differing = difference.differing;
            change.largest_absolute = difference.absolute;
            change.largest_relative = difference.relative;
            change.sqnr_db = difference.sqnr.is_finite().then_some(difference.sqnr);
        }
    }
    change
}
