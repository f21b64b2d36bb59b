//! Names of two models: what both call the same must not become the same.

use edgesmith_ir::{Def, Model, Name, ValueId};
use rustc_hash::{FxHashMap, FxHashSet};

use super::join::{Plan, Source};
use crate::diff::Renamed;
use crate::extract::fresh_name;

/// What was decided about the names of the second model.
#[derive(Default)]
pub(super) struct Names {
    /// Constants of the second model that are constants of the first: same name, same contents.
    pub(super) same: FxHashMap<ValueId, ValueId>,
    /// Whether a pinned value of the first model was renamed.
    pub(super) pinned_a: bool,
    /// Whether one of the second was.
    pub(super) pinned_b: bool,
}

/// Renames values of the main graphs until no name stands for two things. Inner values give way to inputs and outputs;
/// between inputs and outputs those of the second model do.
pub(super) fn keep_apart(a: &mut Model, b: &mut Model, plan: &Plan, renamed: &mut Vec<Renamed>) -> Names {
    let mut names = Names::default();
    let (Some(main_a), Some(main_b)) = (a.main(), b.main()) else { return names };
    let (ga, gb) = (a.graph(main_a), b.graph(main_b));
    let held: FxHashMap<Name, ValueId> = ga.values().map(|(id, row)| (row.name().clone(), id)).collect();
    let mut taken: FxHashSet<Name> = held.keys().cloned().collect();
    taken.extend(gb.values().map(|(_, row)| row.name().clone()));
    // Names that the joined model shows to its users.
    let mut shown_a: FxHashSet<ValueId> = ga.inputs().iter().copied().collect();
    shown_a.extend(plan.kept.iter().map(|index| ga.outputs()[*index]));
    let (mut changes_a, mut changes_b) = (Vec::new(), Vec::new());
    for (value, row) in gb.values() {
        let Some(other) = held.get(row.name()).copied() else { continue };
        let input = gb.inputs().iter().position(|input| *input == value);
        match input.map(|input| &plan.inputs[input]) {
            // The value of the first model stands for it, unless its own name is shown as an output.
            Some(Source::Value(value)) if !row.is_output() || *value == other => continue,
            _ => {}
        }
        if let (Some(x), Some(y)) = (ga.constant(other), gb.constant(value))
            && a.tensor(x).same_content(b.tensor(y))
        {
            names.same.insert(value, other);
            continue;
        }
        let shown_b = row.is_output() || matches!(row.def(), Def::Input { default: None });
        if shown_b && !shown_a.contains(&other) {
            changes_a.push((other, fresh_name(row.name(), &mut taken)));
        } else {
            changes_b.push((value, fresh_name(row.name(), &mut taken)));
        }
    }
    names.pinned_a = apply(a, &changes_a, renamed);
    names.pinned_b = apply(b, &changes_b, renamed);
    names
}

/// Renames values of the main graph, also where annotations name them. Whether one of them was pinned.
fn apply(model: &mut Model, changes: &[(ValueId, Name)], renamed: &mut Vec<Renamed>) -> bool {
    let Some(main) = model.main() else { return false };
    let graph = model.graph_mut(main);
    let mut pinned = false;
    let mut table: FxHashMap<Name, Name> = FxHashMap::default();
    for (value, fresh) in changes {
        let row = graph.value(*value);
        pinned |= row.is_pinned();
        table.insert(row.name().clone(), fresh.clone());
        renamed.push(Renamed { before: row.name().to_string(), after: fresh.to_string() });
        graph.set_value_name(*value, fresh.clone());
    }
    let annotated: Vec<ValueId> = graph
        .values()
        .filter(|(_, row)| row.extra().is_some_and(|extra| !extra.quantization.is_empty()))
        .map(|(id, _)| id)
        .collect();
    for value in annotated {
        for (_, name) in &mut graph.value_extra_mut(value).quantization {
            if let Some(fresh) = table.get(name) {
                *name = fresh.clone();
            }
        }
    }
    pinned
}
