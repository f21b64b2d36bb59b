//! The arithmetic on an engine whose runs take known times, and the figures against a stopwatch.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use edgesmith_exec::Obstacle;
use edgesmith_frontend_onnx::ImportOptions;

use super::*;
use crate::{ModelFile, default_engine_name, engine};

/// How often clocks are compared before they are found to disagree: on a machine under load figures can be off, but not this often
/// in a row, which they are where the code is wrong.
const TRIES: usize = 20;

/// An engine whose runs move a clock: run number `n` of a model (from zero, over all its runs) takes `time(model, n)`.
struct Metronome {
    clock: Arc<AtomicU64>,
    time: fn(usize, u64) -> u64,
    /// Models prepared so far.
    prepared: AtomicU64,
    /// Which model ran, in order.
    log: Arc<Mutex<Vec<usize>>>,
}

impl Metronome {
    fn new(time: fn(usize, u64) -> u64) -> Self {
        Self { clock: Arc::default(), time, prepared: AtomicU64::new(0), log: Arc::default() }
    }
    fn clock(&self) -> impl Fn() -> u64 + Sync + use<> {
        let clock = Arc::clone(&self.clock);
        move || clock.load(Ordering::SeqCst)
    }
}

impl Engine for Metronome {
    fn name(&self) -> &'static str {
        "metronome"
    }
    fn check(&self, _: &Model) -> Vec<Obstacle> {
        Vec::new()
    }
    fn prepare(&self, model: &Model, _: &Request) -> Result<Box<dyn Prepared>, EngineError> {
        let number = self.prepared.fetch_add(1, Ordering::SeqCst) as usize;
        self.clock.fetch_add(1_000_000, Ordering::SeqCst);
        let ops = model.main_graph().unwrap().ops().map(|(op, _)| op).collect();
        let (clock, log) = (Arc::clone(&self.clock), Arc::clone(&self.log));
        Ok(Box::new(Beats { number, clock, time: self.time, log, ops, runs: Arc::default() }))
    }
}

#[derive(Clone)]
struct Beats {
    number: usize,
    clock: Arc<AtomicU64>,
    time: fn(usize, u64) -> u64,
    log: Arc<Mutex<Vec<usize>>>,
    ops: Vec<edgesmith_ir::OpId>,
    runs: Arc<AtomicU64>,
}

impl Prepared for Beats {
    fn session(&self) -> Result<Box<dyn Session>, EngineError> {
        Ok(Box::new(self.clone()))
    }
}

impl Session for Beats {
    fn run(&mut self, _: &Values) -> Result<Values, EngineError> {
        let number = self.runs.fetch_add(1, Ordering::SeqCst);
        self.log.lock().unwrap().push(self.number);
        self.clock.fetch_add((self.time)(self.number, number), Ordering::SeqCst);
        Ok(Values::new())
    }
    /// Every operator takes 1000, 900 or 800 nanoseconds, in turns.
    fn profile(&mut self, _: &Values) -> Option<Result<Vec<OpTime>, EngineError>> {
        let asked = self.runs.fetch_add(1, Ordering::SeqCst) % 3;
        let time = |op: &edgesmith_ir::OpId| OpTime { op: *op, label: "x".into(), nanoseconds: 1000 - 100 * asked };
        Some(Ok(self.ops.iter().map(time).collect()))
    }
}

fn digits() -> ModelFile {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/models/digits_mobilenet__legacy_op17.onnx");
    ModelFile::read(&path, &ImportOptions::default()).unwrap()
}

fn candidate<'a>(name: &str, model: &'a Model, inputs: &'a Values) -> Candidate<'a> {
    Candidate { name: name.to_owned(), model, inputs: Some(inputs) }
}

#[test]
fn percentiles_are_the_nearest_ranks() {
    let hundred = Latency::of((1..=100).rev().collect());
    assert_eq!((hundred.min_ns, hundred.p50_ns, hundred.p95_ns, hundred.p99_ns, hundred.max_ns), (1, 50, 95, 99, 100));
    assert_eq!((hundred.mean_ns, hundred.samples), (50, 100));
    let few = Latency::of(vec![30, 10, 20]);
    assert_eq!((few.p50_ns, few.p95_ns, few.p99_ns, few.mean_ns), (20, 30, 30, 20));
    assert_eq!(Latency::of(Vec::new()), Latency::default());
}

#[test]
fn runs_are_counted_after_the_warm_up_and_models_take_turns() {
    let (file, inputs) = (digits(), Values::new());
    // The first run and 3 to warm up are slow; those that count take 1001, 1002, ... (and 2001, ...) nanoseconds.
    let engine = Metronome::new(|model, run| if run < 4 { 1_000_000 } else { (model as u64 + 1) * 1000 + run - 3 });
    let candidates = [candidate("a", &file.model, &inputs), candidate("b", &file.model, &inputs)];
    let options = BenchOptions { runs: Some(5), warm_up: 3, ..BenchOptions::default() };
    let report = bench(&engine, &candidates, &options, &engine.clock()).unwrap();
    let [a, b] = report.models.as_slice() else { panic!("{report:?}") };
    let figures =
        |latency: &Latency| (latency.min_ns, latency.p50_ns, latency.p99_ns, latency.mean_ns, latency.samples);
    assert_eq!(figures(&a.latency), (1001, 1003, 1005, 1003, 5));
    assert_eq!(figures(&b.latency), (2001, 2003, 2005, 2003, 5));
    assert_eq!(a.first_run_ns, 2_000_000, "preparing and the first run");
    assert_eq!((report.runs, report.warm_up, report.threads), (5, 3, 1));
    let log = engine.log.lock().unwrap();
    // Each first run, then turns.
    assert_eq!(*log, [vec![0, 1], [0, 1].repeat(8)].concat());
}

#[test]
fn the_number_of_runs_follows_the_time_there_is() {
    let (file, inputs) = (digits(), Values::new());
    let runs = |time: fn(usize, u64) -> u64| {
        let engine = Metronome::new(time);
        let candidates = [candidate("a", &file.model, &inputs)];
        bench(&engine, &candidates, &BenchOptions::default(), &engine.clock()).unwrap().runs
    };
    assert_eq!(runs(|_, _| 1_000), MOST);
    assert_eq!(runs(|_, _| 100_000_000), 50);
    assert_eq!(runs(|_, _| 60_000_000_000), FEWEST);
}

#[test]
fn threads_run_copies_at_once() {
    let (file, inputs) = (digits(), Values::new());
    let engine = Metronome::new(|_, _| 7);
    let options = BenchOptions { runs: Some(4), warm_up: 1, threads: 3, ..BenchOptions::default() };
    let report = bench(&engine, &[candidate("a", &file.model, &inputs)], &options, &engine.clock()).unwrap();
    assert_eq!(report.models[0].latency.samples, 12);
    assert_eq!(report.models[0].spans.iter().filter(|span| span.thread == 2).count(), 4);
}

#[test]
fn a_profile_folds_onto_kinds_and_scopes() {
    let (file, inputs) = (digits(), Values::new());
    let engine = Metronome::new(|_, _| 100_000);
    let options = BenchOptions { runs: Some(2), warm_up: 0, profile: true, ..BenchOptions::default() };
    let report = bench(&engine, &[candidate("a", &file.model, &inputs)], &options, &engine.clock()).unwrap();
    let profile = report.models[0].profile.as_ref().unwrap();
    let operators = file.model.main_graph().unwrap().ops().count();
    assert_eq!(profile.operators.len(), operators);
    // The fastest of what each operator took.
    assert_eq!(profile.sum_ns, 800 * operators as u64);
    assert!((profile.share_of_run - profile.sum_ns as f64 / 100_000.0).abs() < 1e-12);
    for shares in [&profile.kinds, &profile.scopes] {
        assert_eq!(shares.iter().map(|share| share.ns).sum::<u64>(), profile.sum_ns);
        assert_eq!(shares.iter().map(|share| share.operators).sum::<usize>(), operators);
        assert!((shares.iter().map(|share| share.share).sum::<f64>() - 1.0).abs() < 1e-9);
        assert!(shares.is_sorted_by(|a, b| a.ns >= b.ns));
    }
    let convolutions = profile.kinds.iter().find(|share| share.name == "Conv").unwrap();
    assert_eq!((convolutions.operators, convolutions.ns), (25, 25 * 800));
    assert!(profile.scopes.len() > 5, "{:?}", profile.scopes);
}

/// What a reader of Chrome's format relies on.
fn check_trace(text: &str, runs: usize, operators: usize) {
    let trace: serde_json::Value = serde_json::from_str(text).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let mut complete = 0;
    for event in events {
        assert!(event["name"].is_string() && event["pid"].is_u64() && event["tid"].is_u64(), "{event}");
        assert!(event["ts"].as_f64().is_some_and(|ts| ts >= 0.0), "{event}");
        match event["ph"].as_str().unwrap() {
            "X" => {
                assert!(event["dur"].as_f64().is_some_and(|dur| dur >= 0.0), "{event}");
                complete += 1;
            }
            "M" => assert!(event["args"]["name"].is_string(), "{event}"),
            other => panic!("{other}: {event}"),
        }
    }
    assert_eq!(complete, runs + operators);
}

#[test]
fn a_trace_is_in_the_trace_event_format() {
    let (file, inputs) = (digits(), Values::new());
    let engine = Metronome::new(|_, _| 2_500);
    let options = BenchOptions { runs: Some(3), warm_up: 1, profile: true, ..BenchOptions::default() };
    let candidates = [candidate("a", &file.model, &inputs), candidate("b", &file.model, &inputs)];
    let report = bench(&engine, &candidates, &options, &engine.clock()).unwrap();
    let trace = chrome_trace(&report);
    check_trace(&trace.to_string(), 6, 2 * report.models[0].profile.as_ref().unwrap().operators.len());
    let runs: Vec<_> = trace["traceEvents"].as_array().unwrap().iter().filter(|event| event["cat"] == "run").collect();
    // Microseconds, from the first run that counts: a, b, a, ...
    let times = |index: usize| (runs[index]["ts"].as_f64().unwrap(), runs[index]["dur"].as_f64().unwrap());
    assert_eq!((times(0), times(1), times(3)), ((0.0, 2.5), (5.0, 2.5), (2.5, 2.5)));
}

/// The real engine with a stopwatch of its own around every run.
struct Watched {
    inner: Box<dyn Engine>,
    prepared: AtomicU64,
    times: Arc<Mutex<Vec<(u64, u64)>>>,
}

struct WatchedModel {
    inner: Box<dyn Prepared>,
    number: u64,
    times: Arc<Mutex<Vec<(u64, u64)>>>,
}

struct WatchedSession {
    inner: Box<dyn Session>,
    number: u64,
    times: Arc<Mutex<Vec<(u64, u64)>>>,
}

impl Engine for Watched {
    fn name(&self) -> &'static str {
        "watched"
    }
    fn check(&self, model: &Model) -> Vec<Obstacle> {
        self.inner.check(model)
    }
    fn prepare(&self, model: &Model, request: &Request) -> Result<Box<dyn Prepared>, EngineError> {
        let number = self.prepared.fetch_add(1, Ordering::SeqCst);
        let inner = self.inner.prepare(model, request)?;
        Ok(Box::new(WatchedModel { inner, number, times: Arc::clone(&self.times) }))
    }
}

impl Prepared for WatchedModel {
    fn session(&self) -> Result<Box<dyn Session>, EngineError> {
        let inner = self.inner.session()?;
        Ok(Box::new(WatchedSession { inner, number: self.number, times: Arc::clone(&self.times) }))
    }
}

impl Session for WatchedSession {
    fn run(&mut self, inputs: &Values) -> Result<Values, EngineError> {
        let start = Instant::now();
        let outputs = self.inner.run(inputs);
        let spent = start.elapsed().as_nanos() as u64;
        self.times.lock().unwrap().push((self.number, spent));
        outputs
    }
}

/// The same model twice, taking turns: the figure of the one against a stopwatch around the runs of the other.
#[test]
fn figures_agree_with_a_stopwatch() {
    let file = digits();
    let mut tries = Vec::new();
    for _ in 0..TRIES {
        let inner = engine(default_engine_name()).unwrap();
        let engine = Watched { inner, prepared: AtomicU64::new(0), times: Arc::default() };
        let candidates = [
            Candidate { name: "measured".into(), model: &file.model, inputs: None },
            Candidate { name: "watched".into(), model: &file.model, inputs: None },
        ];
        let start = Instant::now();
        let clock = || start.elapsed().as_nanos() as u64;
        let options = BenchOptions { runs: Some(101), ..BenchOptions::default() };
        let report = bench(&engine, &candidates, &options, &clock).unwrap();
        let times = engine.times.lock().unwrap();
        let mut watched: Vec<u64> = times.iter().filter(|(number, _)| *number == 1).map(|(_, ns)| *ns).collect();
        watched.drain(..watched.len() - report.runs);
        watched.sort_unstable();
        let (figure, stopwatch) = (report.models[0].latency.p50_ns as f64, watched[watched.len() / 2] as f64);
        if (figure / stopwatch - 1.0).abs() <= 0.05 {
            return;
        }
        tries.push((figure, stopwatch));
    }
    panic!("medians in ns, of the report and of the stopwatch: {tries:?}");
}

/// Operators together take what a whole run takes, within a tenth.
#[cfg(feature = "tract")]
#[test]
fn a_profile_sums_to_a_run() {
    let engine = engine("tract").unwrap();
    for name in ["digits_mobilenet__legacy_op17", "digits_resnet__dynamo_op20", "digits_vit__legacy_op17"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../tests/models/{name}.onnx"));
        let file = ModelFile::read(&path, &ImportOptions::default()).unwrap();
        let mut tries = Vec::new();
        while tries.len() < TRIES {
            let start = Instant::now();
            let clock = || start.elapsed().as_nanos() as u64;
            let options = BenchOptions { runs: Some(51), profile: true, ..BenchOptions::default() };
            let candidate = Candidate { name: name.to_owned(), model: &file.model, inputs: None };
            let report = bench(engine.as_ref(), &[candidate], &options, &clock).unwrap();
            let share = report.models[0].profile.as_ref().unwrap().share_of_run;
            tries.push(share);
            if (share - 1.0).abs() <= 0.1 {
                break;
            }
        }
        println!("{name}: {tries:?}");
        assert!(tries.last().is_some_and(|share| (share - 1.0).abs() <= 0.1), "{name}: {tries:?}");
    }
}
