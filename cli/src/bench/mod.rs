//! Measuring how long models take: latency of whole runs, interleaved when several models are compared, and a profile by
//! operator that is folded back onto kinds and source scopes.
//!
//! The clock is the caller's, so that the arithmetic can be tested with a clock that is known.

mod before_after;
mod chrome;
mod latency;
mod profile;

use edgesmith_exec::{Effort, Engine, EngineError, OpTime, Prepared, Request, Session, Values};
use edgesmith_ir::Model;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{Failure, VERSION, end_to_end_inputs};

pub use before_after::LatencyReport;
pub use chrome::chrome_trace;
pub use latency::Latency;
pub use profile::{Profile, Share, TimedOperator};

/// A model to measure and what it runs on.
pub struct Candidate<'a> {
    /// What reports call it: its path.
    pub name: String,
    /// The model.
    pub model: &'a Model,
    /// The inputs of every run; seeded ones when absent.
    pub inputs: Option<&'a Values>,
}

/// How much is measured, and how.
#[derive(Clone, Copy, Debug)]
pub struct BenchOptions {
    /// Runs of each model that count; when absent as many as fit in about [`SECONDS`] for all models together, between
    /// [`FEWEST`] and [`MOST`].
    pub runs: Option<usize>,
    /// Runs of each model before those that count.
    pub warm_up: usize,
    /// Copies of each model that run at once, each on a thread of its own. The engines run a model on one thread.
    pub threads: usize,
    /// Whether operators are measured too.
    pub profile: bool,
}

impl Default for BenchOptions {
    fn default() -> Self {
        Self { runs: None, warm_up: 5, threads: 1, profile: false }
    }
}

/// The time that runs may take where their number is not given.
pub const SECONDS: f64 = 5.0;
/// The fewest runs where their number is not given.
pub const FEWEST: usize = 10;
/// The most runs where their number is not given.
pub const MOST: usize = 200;

/// What was measured.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct BenchReport {
    /// The version of edgesmith.
    pub edgesmith: String,
    /// The engine.
    pub engine: String,
    /// The engine's own version.
    pub engine_version: String,
    /// Copies of a model that ran at once, each on one thread.
    pub threads: usize,
    /// Runs of each model (and thread) before those that count.
    pub warm_up: usize,
    /// Runs of each model (and thread) that count; models take turns, run by run.
    pub runs: usize,
    /// Each model, in the order given.
    pub models: Vec<Measured>,
}

/// What was measured of one model.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Measured {
    /// The model.
    pub model: String,
    /// Inputs and their types, as in `f32[1, 3, 224, 224]`.
    pub inputs: Vec<MeasuredInput>,
    /// Nanoseconds from the start to the first result that counts nothing: preparing, and the first run, in which engines
    /// lower the model for the shapes at hand.
    pub first_run_ns: u64,
    /// Latency of the runs that count.
    pub latency: Latency,
    /// Time by operator, where asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// Each run that counts, for traces.
    #[serde(skip)]
    pub spans: Vec<Span>,
}

/// An input that a model was measured on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct MeasuredInput {
    /// Its name.
    pub name: String,
    /// Its type with the shape.
    #[serde(rename = "type")]
    pub ty: String,
}

/// One run on the clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// Which of the copies ran.
    pub thread: usize,
    /// Nanoseconds on the clock when it began.
    pub start: u64,
    /// Nanoseconds that it took.
    pub duration: u64,
}

/// A clock: nanoseconds since some moment, never going back.
pub type Clock<'a> = &'a (dyn Fn() -> u64 + Sync);

/// Calls of [`Session::profile`] for each model; an operator counts with the fastest.
const PROFILES: usize = 3;

/// Measures models with an engine. Runs of several models take turns, so that what disturbs the machine disturbs all.
pub fn bench(
    engine: &dyn Engine,
    candidates: &[Candidate<'_>],
    options: &BenchOptions,
    clock: Clock<'_>,
) -> Result<BenchReport, Failure> {
    let threads = options.threads.max(1);
    let mut lanes = Vec::new();
    for candidate in candidates {
        lanes.push(Lane::ready(engine, candidate, threads, clock)?);
    }
    let start = clock();
    let mut estimate = 0;
    for round in 0..options.warm_up {
        let before = clock();
        for lane in &mut lanes {
            lane.round(clock)?;
        }
        estimate = clock() - before;
        // A slow model is not warmed for minutes where nobody said how often it runs.
        if options.runs.is_none() && round > 0 && (clock() - start) as f64 > SECONDS * 1e9 {
            break;
        }
    }
    let runs = options.runs.unwrap_or_else(|| {
        let fits = SECONDS * 1e9 / estimate.max(1) as f64;
        if options.warm_up == 0 { FEWEST } else { (fits as usize).clamp(FEWEST, MOST) }
    });
    let runs = runs.max(1);
    for lane in &mut lanes {
        lane.spans.clear();
    }
    for _ in 0..runs {
        for lane in &mut lanes {
            lane.round(clock)?;
        }
    }
    let mut models = Vec::new();
    for (lane, candidate) in lanes.iter_mut().zip(candidates) {
        let latency = Latency::of(lane.spans.iter().map(|span| span.duration).collect());
        let profile = if options.profile { Some(lane.profile(engine, candidate, &latency)?) } else { None };
        models.push(Measured {
            model: candidate.name.clone(),
            inputs: lane.inputs.iter().map(|(name, value)| input(name.as_str(), &value.ty())).collect(),
            first_run_ns: lane.first_run,
            latency,
            profile,
            spans: std::mem::take(&mut lane.spans),
        });
    }
    Ok(BenchReport {
        edgesmith: VERSION.to_owned(),
        engine: engine.name().to_owned(),
        engine_version: engine.version().to_owned(),
        threads,
        warm_up: options.warm_up,
        runs,
        models,
    })
}

fn input(name: &str, ty: &edgesmith_ir::ValueType) -> MeasuredInput {
    MeasuredInput { name: name.to_owned(), ty: ty.to_string() }
}

/// One model while it is measured.
struct Lane {
    name: String,
    inputs: Values,
    sessions: Vec<Box<dyn Session>>,
    first_run: u64,
    spans: Vec<Span>,
}

impl Lane {
    /// Prepares a model and runs it once on each thread.
    fn ready(
        engine: &dyn Engine,
        candidate: &Candidate<'_>,
        threads: usize,
        clock: Clock<'_>,
    ) -> Result<Self, Failure> {
        let name = candidate.name.clone();
        let start = clock();
        let request = Request { effort: Effort::Many, ..Request::default() };
        let prepared = engine.prepare(candidate.model, &request).map_err(|error| {
            failed(&name)(error).with_help("--engine reference runs every model that the specification defines, slowly")
        })?;
        let inputs = match candidate.inputs {
            Some(inputs) => inputs.clone(),
            None => inputs_that_run(prepared.as_ref(), candidate)?,
        };
        let mut sessions = Vec::new();
        for _ in 0..threads {
            sessions.push(prepared.session().map_err(failed(&name))?);
        }
        let mut first_run = 0;
        for session in &mut sessions {
            session.run(&inputs).map_err(failed(&name))?;
            if first_run == 0 {
                first_run = clock() - start;
            }
        }
        Ok(Self { name, inputs, sessions, first_run, spans: Vec::new() })
    }

    /// One run on every thread at once.
    fn round(&mut self, clock: Clock<'_>) -> Result<(), Failure> {
        let inputs = &self.inputs;
        let one = |thread: usize, session: &mut Box<dyn Session>| -> Result<Span, EngineError> {
            let start = clock();
            // The outputs are dropped after the clock is read: what the caller does with them is not the model's time.
            let outputs = session.run(inputs)?;
            let duration = clock() - start;
            drop(outputs);
            Ok(Span { thread, start, duration })
        };
        let spans: Vec<Result<Span, EngineError>> = match self.sessions.as_mut_slice() {
            [session] => vec![one(0, session)],
            sessions => {
                let one = &one;
                let stopped = || EngineError::Request("a worker stopped".to_owned());
                std::thread::scope(|scope| {
                    let workers = sessions.iter_mut().enumerate();
                    let workers: Vec<_> =
                        workers.map(|(thread, session)| scope.spawn(move || one(thread, session))).collect();
                    workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| Err(stopped()))).collect()
                })
            }
        };
        for span in spans {
            self.spans.push(span.map_err(failed(&self.name))?);
        }
        Ok(())
    }

    fn profile(
        &mut self,
        engine: &dyn Engine,
        candidate: &Candidate<'_>,
        latency: &Latency,
    ) -> Result<Profile, Failure> {
        let mut best: Vec<OpTime> = Vec::new();
        for _ in 0..PROFILES {
            let Some(times) = self.sessions.first_mut().and_then(|session| session.profile(&self.inputs)) else {
                return Err(Failure::usage(format!("the engine '{}' cannot measure operators", engine.name()))
                    .with_help("leave --profile away, or use --engine tract"));
            };
            let times = times.map_err(failed(&self.name))?;
            if best.is_empty() {
                best = times;
                continue;
            }
            // The same plan lists the same operators in the same order.
            for (kept, new) in best.iter_mut().zip(&times) {
                if kept.op == new.op {
                    kept.nanoseconds = kept.nanoseconds.min(new.nanoseconds);
                }
            }
        }
        Ok(Profile::of(candidate.model, &best, latency.min_ns))
    }
}

fn failed(name: &str) -> impl Fn(EngineError) -> Failure + '_ {
    move |error| Failure::model(format!("{name}: {error}"))
}

/// The first made-up inputs that the model runs on: batch 1, and sizes that grow for models that refuse small ones.
fn inputs_that_run(prepared: &dyn Prepared, candidate: &Candidate<'_>) -> Result<Values, Failure> {
    let mut session = prepared.session().map_err(failed(&candidate.name))?;
    let mut why = None;
    for inputs in end_to_end_inputs(candidate.model).into_iter().filter_map(|group| group.into_iter().next()) {
        match session.run(&inputs) {
            Ok(_) => return Ok(inputs),
            Err(error) => why = why.or(Some(error.to_string())),
        }
    }
    let why = why.unwrap_or_else(|| "no inputs could be made up for it".to_owned());
    Err(Failure::model(format!("{}: {why}", candidate.name))
        .with_help("--inputs x.npz gives it inputs, --dim NAME=N gives a symbolic dim a number"))
}

#[cfg(test)]
mod tests;
