//! Engines: what runs a model. Passes see these traits only; the reference evaluator and `backends/tract` implement them.
//!
//! A model is *prepared* once (lowered, optimised, memory planned) and then run through *sessions*, one per worker.

use edgesmith_ir::{GraphId, Model, Name, OpId};
use indexmap::IndexMap;

use crate::Value;

/// Named values.
pub type Values = IndexMap<Name, Value>;

/// What to prepare.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The entry to run; the main one when absent.
    pub entry: Option<Name>,
    /// Names of values of the entry graph that every run returns beside the outputs.
    pub taps: Vec<Name>,
    /// How often it will run.
    pub effort: Effort,
}

/// How much preparation pays.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Effort {
    /// One run: no optimisation.
    #[default]
    Once,
    /// Many runs: optimise first.
    Many,
}

/// Something that can run models.
pub trait Engine: Send + Sync {
    /// The name by which users ask for it.
    fn name(&self) -> &'static str;
    /// The version of what runs the model, for reports of measurements.
    fn version(&self) -> &'static str {
        "of unknown version"
    }
    /// Everything in the model that the engine cannot run (or is known to compute wrongly), at once.
    fn check(&self, model: &Model) -> Vec<Obstacle>;
    /// Prepares a model. Symbolic dims of inputs are bound before (see [`Model::bind_symbols`]) or at the first run,
    /// as the engine likes; a session accepts any input that fits the model's types.
    fn prepare(&self, model: &Model, request: &Request) -> Result<Box<dyn Prepared>, EngineError>;
}

/// A prepared model; shared by all workers.
pub trait Prepared: Send + Sync {
    /// A session of its own for one worker.
    fn session(&self) -> Result<Box<dyn Session>, EngineError>;
}

/// One worker's state. Runs are independent of each other: nothing is carried over.
pub trait Session: Send {
    /// Runs the model on named inputs; inputs with a default may be left out. Returns the outputs in the model's order,
    /// then the taps in the order asked for.
    fn run(&mut self, inputs: &Values) -> Result<Values, EngineError>;
    /// Runs and measures each operator; `None` where the engine cannot.
    fn profile(&mut self, inputs: &Values) -> Option<Result<Vec<OpTime>, EngineError>> {
        let _ = inputs;
        None
    }
}

/// Time spent in one operator.
#[derive(Clone, Debug)]
pub struct OpTime {
    /// The operator of the main graph.
    pub op: OpId,
    /// Its name or that of its first result.
    pub label: Name,
    /// Nanoseconds of one run.
    pub nanoseconds: u64,
}

/// One thing that stands in the way of running a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// The graph.
    pub graph: GraphId,
    /// The operator.
    pub op: OpId,
    /// The operator's kind and name.
    pub label: String,
    /// Why it cannot run, and what would help.
    pub reason: String,
}

/// Why a model cannot be prepared or run.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The engine cannot run parts of the model.
    #[error("{engine} cannot run {} operator(s): {}", .obstacles.len(), summary(.obstacles))]
    Unsupported {
        /// The engine.
        engine: &'static str,
        /// Everything that stands in the way.
        obstacles: Vec<Obstacle>,
    },
    /// The inputs do not fit the model.
    #[error("input '{name}': {message}")]
    Input {
        /// The input.
        name: Name,
        /// What is wrong with it.
        message: String,
    },
    /// The request does not fit the model.
    #[error("{0}")]
    Request(String),
    /// An operator failed on the data at hand.
    #[error("{label}: {message}")]
    Run {
        /// The operator's kind and name.
        label: String,
        /// What went wrong.
        message: String,
    },
    /// The engine itself failed (a caught panic, an internal error).
    #[error("{engine} failed at {label}: {message}")]
    Engine {
        /// The engine.
        engine: &'static str,
        /// Where.
        label: String,
        /// What it said.
        message: String,
    },
}

fn summary(obstacles: &[Obstacle]) -> String {
    let mut text: Vec<String> = obstacles.iter().take(3).map(|o| format!("{} ({})", o.label, o.reason)).collect();
    if obstacles.len() > 3 {
        text.push(format!("and {} more", obstacles.len() - 3));
    }
    text.join("; ")
}
