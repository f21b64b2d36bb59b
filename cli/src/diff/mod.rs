//! What differs between two models: header, interface, operators, weights, cost.
//!
//! Operators are matched whatever they are called (see `matching`), so a model whose values were renamed is reported as
//! renamed, and one operator taken out is one operator, not all that follow. Nothing here runs a model or reads a file.

mod digest;
mod header;
pub(crate) mod matching;
mod operators;
mod report;
mod weights;

pub(crate) use matching::function_name;
pub(crate) use operators::{attributes as attribute_changes, describe as describe_operator};
pub use report::{
    Change, Cost, CostChange, Count, InterfaceChange, ModelDiff, Operator, OperatorChange, OperatorDiff, Port, Renamed,
    ScopeChange, Weight, WeightChange, WeightDiff,
};

use edgesmith_ir::{CostReport, Model, Name};
use indexmap::IndexMap;

use matching::{Matching, match_models};

/// Compares two models. Reads every weight once.
pub fn diff(a: &Model, b: &Model) -> ModelDiff {
    describe(a, b, &match_models(a, b))
}

/// The same for models that are matched already.
pub(crate) fn describe(a: &Model, b: &Model, matching: &Matching) -> ModelDiff {
    let mut diff = ModelDiff {
        header: header::header(a, b),
        interface: header::interface(a, b, matching),
        functions: header::functions(a, b),
        ..ModelDiff::default()
    };
    let mut weights = weights::Pairs::default();
    for pair in &matching.graphs {
        operators::compare(a, b, pair, &mut diff, &mut weights);
    }
    let (before, after) = (a.cost(), weights.with_roles_of(a, b).cost());
    diff.weights = weights.compare(a, b, matching);
    diff.by_kind = counts(&before, &after);
    diff.by_scope = scopes(&before, &after);
    diff.cost = CostChange {
        before: cost(&before.total),
        after: cost(&after.total),
        peak_activation_bytes_before: before.peak_activation_bytes.to_string(),
        peak_activation_bytes_after: after.peak_activation_bytes.to_string(),
    };
    let operators = &diff.operators;
    diff.same = diff.header.is_empty()
        && diff.interface.is_empty()
        && diff.functions.is_empty()
        && diff.renamed_values.is_empty()
        && [operators.removed.len(), operators.added.len(), operators.changed.len()] == [0; 3]
        && [operators.renamed.len(), operators.rewired_outputs.len()] == [0; 2]
        && [diff.weights.changed.len(), diff.weights.removed.len(), diff.weights.added.len()] == [0; 3]
        && diff.weights.renamed.is_empty();
    diff
}

fn cost(cost: &edgesmith_ir::Cost) -> Cost {
    Cost {
        operators: cost.operators,
        macs: cost.macs.to_string(),
        parameters: cost.parameters,
        weight_bytes: cost.weight_bytes,
    }
}

/// The names of both, those of the first in front.
fn union<'a>(
    a: &'a IndexMap<Name, edgesmith_ir::Cost>,
    b: &'a IndexMap<Name, edgesmith_ir::Cost>,
) -> impl Iterator<Item = &'a Name> {
    a.keys().chain(b.keys().filter(|name| !a.contains_key(*name)))
}

fn counts(a: &CostReport, b: &CostReport) -> Vec<Count> {
    let of = |report: &CostReport, kind: &Name| report.by_kind.get(kind).map_or(0, |cost| cost.operators);
    union(&a.by_kind, &b.by_kind)
        .map(|kind| Count { kind: kind.to_string(), before: of(a, kind), after: of(b, kind) })
        .filter(|count| count.before != count.after)
        .collect()
}

fn scopes(a: &CostReport, b: &CostReport) -> Vec<ScopeChange> {
    union(&a.by_scope, &b.by_scope)
        .map(|scope| ScopeChange {
            scope: scope.to_string(),
            before: a.by_scope.get(scope).map(cost),
            after: b.by_scope.get(scope).map(cost),
        })
        .filter(|change| change.before != change.after)
        .collect()
}
