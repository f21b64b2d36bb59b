//! In which order the operators of each graph run, and which values are dropped after each.

use edgesmith_ir::{EntityId, GraphId, Model, OpId, User, ValueId};

use crate::{EngineError, Request};

/// Regions may be nested so deep; the walk recurses over the nesting.
const MAX_NESTING: usize = 100;

/// The plan of an entry and of every region below it.
pub(super) struct Plan {
    /// The graph that runs.
    pub(super) entry: GraphId,
    /// Values of the entry that are returned beside the outputs.
    pub(super) taps: Vec<ValueId>,
    /// By graph; `None` for those that this entry does not reach.
    graphs: Vec<Option<GraphPlan>>,
}

/// The plan of one graph.
pub(super) struct GraphPlan {
    /// The operators in order, each with the values that nobody needs after it.
    pub(super) steps: Vec<(OpId, Vec<ValueId>)>,
}

impl Plan {
    pub(super) fn new(model: &Model, request: &Request) -> Result<Self, EngineError> {
        let entry = match &request.entry {
            Some(name) => model.entries.get(name).copied().ok_or_else(|| {
                let names: Vec<&str> = model.entries.keys().map(edgesmith_ir::Name::as_str).collect();
                EngineError::Request(format!("the model has no entry '{name}', but {}", names.join(", ")))
            })?,
            None => model.main().ok_or_else(|| EngineError::Request("the model has no graph to run".to_owned()))?,
        };
        let graph = model.graph(entry);
        let mut taps = Vec::with_capacity(request.taps.len());
        if !request.taps.is_empty() {
            let by_name: rustc_hash::FxHashMap<&str, ValueId> =
                graph.values().map(|(id, data)| (data.name().as_str(), id)).collect();
            for name in &request.taps {
                let value = by_name.get(name.as_str()).copied();
                taps.push(value.ok_or_else(|| EngineError::Request(format!("there is no value '{name}' to tap")))?);
            }
        }
        let mut graphs: Vec<Option<GraphPlan>> = Vec::new();
        graphs.resize_with(model.graphs().count(), || None);
        let mut stack = vec![(entry, 0)];
        while let Some((id, depth)) = stack.pop() {
            if depth > MAX_NESTING {
                return Err(EngineError::Request(format!("regions are nested deeper than {MAX_NESTING}")));
            }
            if graphs[id.index()].is_some() {
                continue;
            }
            graphs[id.index()] = Some(GraphPlan::new(model, id, if id == entry { &taps } else { &[] })?);
            stack.extend(model.graph(id).ops().flat_map(|(_, data)| data.regions()).map(|region| (*region, depth + 1)));
        }
        Ok(Self { entry, taps, graphs })
    }

    pub(super) fn of(&self, graph: GraphId) -> Option<&GraphPlan> {
        self.graphs.get(graph.index())?.as_ref()
    }

    /// The graphs that the entry reaches, itself included.
    pub(super) fn graphs(&self) -> Vec<GraphId> {
        let reached = self.graphs.iter().enumerate().filter(|(_, plan)| plan.is_some());
        reached.map(|(index, _)| GraphId::from_index(index)).collect()
    }
}

/// The graphs that an entry reaches, itself included.
pub(super) fn reachable(model: &Model, entry: GraphId) -> Vec<GraphId> {
    let mut seen = vec![false; model.graphs().count()];
    let mut stack = vec![entry];
    let mut found = Vec::new();
    while let Some(id) = stack.pop() {
        if !std::mem::replace(&mut seen[id.index()], true) {
            found.push(id);
            stack.extend(model.graph(id).ops().flat_map(|(_, data)| data.regions().iter().copied()));
        }
    }
    found
}

impl GraphPlan {
    fn new(model: &Model, id: GraphId, taps: &[ValueId]) -> Result<Self, EngineError> {
        let graph = model.graph(id);
        let order = graph.topological().map_err(|cycle| EngineError::Request(cycle.to_string()))?;
        let mut position = vec![0_usize; graph.op_rows()];
        for (index, op) in order.iter().enumerate() {
            position[op.index()] = index;
        }
        let mut kept = vec![false; graph.value_rows()];
        for value in taps.iter().chain(graph.outputs()) {
            kept[value.index()] = true;
        }
        let mut steps: Vec<(OpId, Vec<ValueId>)> = order.into_iter().map(|op| (op, Vec::new())).collect();
        for (value, data) in graph.values() {
            if kept[value.index()] || graph.constant(value).is_some() {
                continue;
            }
            let readers = data.uses().iter().filter_map(|reading| match reading.user {
                User::Op(op) => Some(position[op.index()]),
                User::Output => None,
            });
            // A result that nobody reads goes at once.
            let producer = graph.producer(value).map(|op| position[op.index()]);
            if let Some(step) = readers.max().or(producer) {
                steps[step].1.push(value);
            }
        }
        Ok(Self { steps })
    }
}
