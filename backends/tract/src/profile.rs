//! Time per operator of a prepared model.

use std::time::Instant;

use edgesmith_exec::{EngineError, OpTime, Values};
use edgesmith_ir::{GraphId, Model, OpId};
use indexmap::IndexMap;

use crate::guard::{guarded, one_line};
use crate::plan::{ENGINE, Plan, TractState, op_of_node};

/// Runs that are measured; each node counts with its fastest, the sum of which is within a few percent of a whole run.
const RUNS: usize = 8;

/// Nanoseconds per operator of the graph. A node that tract fused from several operators counts for the one whose name
/// it kept, so an operator may be missing: its work is in its neighbour.
pub(crate) fn measure(
    model: &Model,
    graph: GraphId,
    plan: &Plan,
    state: &mut TractState,
    inputs: &Values,
) -> Result<Vec<OpTime>, EngineError> {
    let fail = |message: &str| EngineError::Engine {
        engine: ENGINE,
        label: "a measured run".to_owned(),
        message: one_line(message),
    };
    let arguments = plan.arguments(inputs)?;
    let mut fastest: IndexMap<usize, u64> = IndexMap::new();
    for _ in 0..RUNS {
        let arguments = arguments.clone();
        guarded(|| {
            state.run_plan_with_eval(arguments, |cx, op_state, node, operands| {
                let start = Instant::now();
                let result = tract_core::plan::eval(cx, op_state, node, operands);
                let spent = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
                let best = fastest.entry(node.id).or_insert(u64::MAX);
                *best = spent.min(*best);
                result
            })
        })
        .map_err(|message| fail(&message))?
        .map_err(|error| fail(&format!("{error:#}")))?;
    }
    let mut by_op: IndexMap<OpId, u64> = IndexMap::new();
    for (node, nanoseconds) in fastest {
        if let Some(op) = op_of_node(&plan.tract().model().node(node).name) {
            *by_op.entry(op).or_insert(0) += nanoseconds;
        }
    }
    by_op.sort_unstable_keys();
    Ok(by_op
        .into_iter()
        .map(|(op, nanoseconds)| OpTime { op, label: model.op_label(graph, op), nanoseconds })
        .collect())
}
