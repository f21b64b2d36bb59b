//! Time by operator, folded onto kinds of operators and scopes of the source.

use edgesmith_exec::OpTime;
use edgesmith_ir::{Model, OpKind};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Serialize;

/// Where the time of a run goes. Operators that an engine fused with a neighbour count there.
#[derive(Clone, PartialEq, Debug, Default, Serialize, JsonSchema)]
pub struct Profile {
    /// The sum over all operators, each with its fastest run.
    pub sum_ns: u64,
    /// The sum as a share of the fastest whole run. What is missing to 1 is spent around operators: on inputs, outputs and
    /// dispatch.
    pub share_of_run: f64,
    /// Each operator that the engine measured, in the order of the model.
    pub operators: Vec<TimedOperator>,
    /// By kind of operator, the slowest first.
    pub kinds: Vec<Share>,
    /// By scope of the source, the slowest first; operators without a scope are under the empty name.
    pub scopes: Vec<Share>,
}

/// Time in one operator.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct TimedOperator {
    /// Its name, or that of its first result.
    pub name: String,
    /// What it is: `Conv`.
    pub kind: String,
    /// Its place among the modules of the source; empty where nothing is known of it.
    pub scope: String,
    /// Nanoseconds of one run.
    pub ns: u64,
}

/// Time in several operators.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
pub struct Share {
    /// What they have in common.
    pub name: String,
    /// How many they are.
    pub operators: usize,
    /// Nanoseconds of one run.
    pub ns: u64,
    /// Of the sum over all operators, 0 to 1.
    pub share: f64,
}

impl Profile {
    /// Folds measured operators of the main graph; `fastest` is the fastest whole run in nanoseconds.
    pub(super) fn of(model: &Model, times: &[OpTime], fastest: u64) -> Self {
        let Some(graph) = model.main_graph() else { return Self::default() };
        let operators: Vec<TimedOperator> = times
            .iter()
            .map(|time| {
                let data = graph.op(time.op);
                let name = match data.op().kind() {
                    OpKind::Custom if !data.op().domain().is_empty() => {
                        format!("{}.{}", data.op().domain(), data.op().name())
                    }
                    _ => data.op().name().to_owned(),
                };
                TimedOperator {
                    name: time.label.to_string(),
                    kind: name,
                    scope: model.scope(data.origin()).to_string(),
                    ns: time.nanoseconds,
                }
            })
            .collect();
        let sum_ns: u64 = operators.iter().map(|operator| operator.ns).sum();
        Self {
            sum_ns,
            share_of_run: if fastest == 0 { 0.0 } else { sum_ns as f64 / fastest as f64 },
            kinds: fold(&operators, sum_ns, |operator| &operator.kind),
            scopes: fold(&operators, sum_ns, |operator| &operator.scope),
            operators,
        }
    }
}

fn fold(operators: &[TimedOperator], sum: u64, key: impl Fn(&TimedOperator) -> &String) -> Vec<Share> {
    let mut rows: IndexMap<&String, (usize, u64)> = IndexMap::new();
    for operator in operators {
        let row = rows.entry(key(operator)).or_default();
        row.0 += 1;
        row.1 += operator.ns;
    }
    let mut shares: Vec<Share> = rows
        .into_iter()
        .map(|(name, (operators, ns))| Share {
            name: name.clone(),
            operators,
            ns,
            share: if sum == 0 { 0.0 } else { ns as f64 / sum as f64 },
        })
        .collect();
    shares.sort_by(|a, b| b.ns.cmp(&a.ns).then_with(|| a.name.cmp(&b.name)));
    shares
}
