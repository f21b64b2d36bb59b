//! The reference engine: whole models run by the reference evaluator.
//!
//! Operators run in topological order; a value is dropped after its last use. Nothing is optimised, because what is
//! computed here is what rewrites are checked against.

mod check;
mod loops;
mod plan;
mod run;

use std::sync::Arc;

use edgesmith_ir::{GraphId, Model};

use crate::{Engine, EngineError, Obstacle, Prepared, Request, Session, Values};
use plan::Plan;

/// The reference engine, by name `reference`.
///
/// Where the specification leaves a result open, a run takes the value that [`EvalOptions`](crate::EvalOptions)
/// documents for `strict: false`.
#[derive(Clone, Copy, Debug)]
pub struct ReferenceEngine {
    /// Bound on the bytes of all values alive at once; constants are not counted.
    pub memory_limit: u64,
    /// Bound on the trips of all loops of one run together, so that an endless loop ends in an error.
    pub trip_limit: u64,
}

impl Default for ReferenceEngine {
    /// 16 GiB and a million trips.
    fn default() -> Self {
        Self { memory_limit: 16 << 30, trip_limit: 1_000_000 }
    }
}

impl ReferenceEngine {
    /// Prepares a model and runs it once.
    pub fn run_once(&self, model: &Model, request: &Request, inputs: &Values) -> Result<Values, EngineError> {
        self.prepare(model, request)?.session()?.run(inputs)
    }
}

impl Engine for ReferenceEngine {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    fn check(&self, model: &Model) -> Vec<Obstacle> {
        model.entries.values().flat_map(|entry| check::obstacles(model, &plan::reachable(model, *entry))).collect()
    }

    fn prepare(&self, model: &Model, request: &Request) -> Result<Box<dyn Prepared>, EngineError> {
        let plan = Plan::new(model, request)?;
        let obstacles = check::obstacles(model, &plan.graphs());
        if !obstacles.is_empty() {
            return Err(EngineError::Unsupported { engine: NAME, obstacles });
        }
        Ok(Box::new(Ready(Arc::new(Program { model: model.clone(), plan, limits: *self }))))
    }
}

const NAME: &str = "reference";

/// A model with the order in which its operators run.
struct Program {
    model: Model,
    plan: Plan,
    limits: ReferenceEngine,
}

struct Ready(Arc<Program>);

impl Prepared for Ready {
    fn session(&self) -> Result<Box<dyn Session>, EngineError> {
        Ok(Box::new(Runner(self.0.clone())))
    }
}

struct Runner(Arc<Program>);

impl Session for Runner {
    fn run(&mut self, inputs: &Values) -> Result<Values, EngineError> {
        run::run(&self.0, inputs)
    }
}

/// The kind and the name of an operator, for messages: its own name, or that of its first result.
fn label(model: &Model, graph: GraphId, op: edgesmith_ir::OpId) -> String {
    let graph = model.graph(graph);
    let data = graph.op(op);
    let result = data.results().iter().flatten().next();
    match (data.name().is_empty(), result) {
        (true, Some(value)) => format!("{} '{}'", data.op().name(), graph.value(*value).name()),
        _ => format!("{} '{}'", data.op().name(), data.name()),
    }
}
