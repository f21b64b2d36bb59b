//! The main job as a function: a model, a pipeline, and back comes what was done.

use std::time::Instant;

use edgesmith_exec::{Calibration, Engine, Labelled, Values};
use edgesmith_ir::Model;
use edgesmith_pass::{CheckMode, EndToEnd, Measuring, PassFailure, Pipeline, RunOptions, RunReport, run_pipeline};

use crate::inputs::{end_to_end_inputs, fit_inputs};
use crate::{Failure, engines};

/// How a model is optimised.
pub struct OptimizeOptions<'a> {
    /// How much is checked.
    pub check: CheckMode,
    /// Seconds that the end-to-end check may take, by estimate.
    pub check_budget: f64,
    /// Inputs for the end-to-end check; seeded ones when absent.
    pub inputs: Option<Values>,
    /// Data to measure on what approximate passes lose.
    pub calibration: Option<&'a dyn Calibration>,
    /// Data to measure accuracy on.
    pub labelled: Option<&'a Labelled>,
    /// At most so many rewrites, for bisection.
    pub fuel: Option<u64>,
    /// Drop a pass that fails and go on.
    pub keep_going: bool,
    /// Told before each pass: index, name, how many there are.
    pub progress: &'a dyn Fn(usize, &str, usize),
}

impl Default for OptimizeOptions<'_> {
    fn default() -> Self {
        Self {
            check: CheckMode::Auto,
            check_budget: 10.0,
            inputs: None,
            calibration: None,
            labelled: None,
            fuel: None,
            keep_going: false,
            progress: &|_, _, _| {},
        }
    }
}

/// Why a pipeline did not run to its end.
#[derive(Debug)]
pub enum OptimizeError {
    /// The inputs do not fit the model, or there is no such engine.
    Failure(Failure),
    /// A pass failed; what is needed to see it fail again is inside.
    Pass(Box<PassFailure>),
}

/// Runs a pipeline over a model. On success the model is the result.
pub fn optimize(
    model: &mut Model,
    pipeline: &Pipeline,
    options: &OptimizeOptions<'_>,
) -> Result<RunReport, OptimizeError> {
    let reference = engines::engine("reference").map_err(OptimizeError::Failure)?;
    let fast: Option<Box<dyn Engine>> =
        engines::engine(engines::default_engine_name()).ok().filter(|engine| engine.name() != reference.name());
    if let Some(inputs) = &options.inputs {
        fit_inputs(model, inputs).map_err(OptimizeError::Failure)?;
    }
    let start = Instant::now();
    let clock = || start.elapsed().as_secs_f64();
    let end_to_end = |source: &Model| {
        let inputs = match &options.inputs {
            Some(inputs) => vec![vec![inputs.clone()]],
            None => end_to_end_inputs(source),
        };
        Some(EndToEnd {
            reference: reference.as_ref(),
            fast: fast.as_deref(),
            inputs,
            budget_seconds: options.check_budget,
            regardless: options.check == CheckMode::Full,
        })
    };
    let run = RunOptions {
        check: options.check,
        fuel: options.fuel,
        keep_going: options.keep_going,
        engine: fast.as_deref(),
        measuring: Measuring {
            engines: fast.as_deref().into_iter().chain([reference.as_ref()]).collect(),
            calibration: options.calibration,
            labelled: options.labelled,
        },
        clock: &clock,
        progress: options.progress,
    };
    run_pipeline(model, pipeline, &run, &end_to_end).map_err(|failure| OptimizeError::Pass(Box::new(failure)))
}
