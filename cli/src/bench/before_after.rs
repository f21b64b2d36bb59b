//! Latency of a source and of what became of it, taken in turns.

use edgesmith_exec::{Engine, Values};
use edgesmith_ir::Model;
use schemars::JsonSchema;
use serde::Serialize;

use super::{BenchOptions, Candidate, Clock, Measured, bench};
use crate::Failure;

/// Latency before and after, run by run in turns, one thread.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LatencyReport {
    /// The engine.
    pub engine: String,
    /// The engine's own version.
    pub engine_version: String,
    /// Runs of each that count.
    pub runs: usize,
    /// The source.
    pub before: Measured,
    /// The result.
    pub after: Measured,
}

impl LatencyReport {
    /// Measures both on the same inputs (seeded ones where none are given), by operator too where the engine can.
    pub fn measure(
        engine: &dyn Engine,
        before: &Model,
        after: &Model,
        inputs: Option<&Values>,
        clock: Clock<'_>,
    ) -> Result<Self, Failure> {
        let candidate = |name: &str, model| Candidate { name: name.to_owned(), model, inputs };
        let candidates = [candidate("source", before), candidate("result", after)];
        // The evaluator has no operators' times to give.
        let options = BenchOptions { profile: engine.name() != "reference", ..BenchOptions::default() };
        let report = bench(engine, &candidates, &options, clock)?;
        let mut models = report.models.into_iter();
        let (Some(before), Some(after)) = (models.next(), models.next()) else {
            return Err(Failure::internal("two models were to be measured"));
        };
        Ok(Self { engine: report.engine, engine_version: report.engine_version, runs: report.runs, before, after })
    }

    /// How many times as fast the result is, by medians.
    pub fn speed(&self) -> f64 {
        self.before.latency.p50_ns as f64 / self.after.latency.p50_ns.max(1) as f64
    }
}
