//! `edgesmith bench`: how long models take, and where the time goes.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use edgesmith_exec::Values;
use edgesmith_pass::Registry;

use super::{engine_name, import_options, say, write_small};
use crate::args::EngineArgs;
use crate::bench::{BenchOptions, BenchReport, Candidate, Measured, Profile, Share, bench, chrome_trace};
use crate::model_file::{ModelFile, bind_dims};
use crate::progress::Progress;
use crate::render::{nanoseconds, table};
use crate::{Failure, engine, fit_inputs, read_npz, symbols};

#[derive(Args, Debug)]
pub(crate) struct BenchArgs {
    /// The models; several take turns, run by run
    #[arg(required = true)]
    pub(crate) models: Vec<PathBuf>,
    /// Runs of each model that count [default: about 5 seconds' worth, 10 to 200]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) runs: Option<u32>,
    /// Runs of each model before those that count
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) warm_up: u32,
    /// Copies of each model that run at once, each on one thread
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) threads: u32,
    /// Inputs, an .npz file [default: seeded random ones, batch 1]
    #[arg(long, value_name = "FILE")]
    pub(crate) inputs: Option<PathBuf>,
    /// Measure operators too, by kind and by scope of the source
    #[arg(long)]
    pub(crate) profile: bool,
    /// Write a trace for chrome://tracing or Perfetto (runs, and operators with --profile)
    #[arg(long, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,
    /// Replace a trace that exists
    #[arg(long)]
    pub(crate) force: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
}

pub(super) fn run(args: &BenchArgs, registry: &Registry) -> Result<(), Failure> {
    if let Some(path) = args.trace.as_ref().filter(|path| path.exists() && !args.force) {
        return Err(
            Failure::usage(format!("{} exists already", path.display())).with_help("choose another name, or --force")
        );
    }
    let engine = engine(engine_name(&args.engine))?;
    let files = read_models(args, registry)?;
    let inputs = args.inputs.as_deref().map(read_npz).transpose()?;
    let candidates = candidates(&files, inputs.as_ref())?;
    let progress = Progress::new(!args.json);
    progress.step(&format!("{} with {}", plural(files.len(), "model"), engine.name()));
    let options = BenchOptions {
        runs: args.runs.map(|runs| runs as usize),
        warm_up: args.warm_up as usize,
        threads: args.threads as usize,
        profile: args.profile,
    };
    let start = Instant::now();
    let clock = || u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let report = bench(engine.as_ref(), &candidates, &options, &clock)?;
    progress.done();
    if let Some(path) = &args.trace {
        let text = serde_json::to_vec(&chrome_trace(&report)).map_err(|error| Failure::internal(error.to_string()))?;
        write_small(path, &text, args.force)?;
    }
    if args.json {
        say(&serde_json::to_string_pretty(&report).map_err(|error| Failure::internal(error.to_string()))?);
    } else {
        print(&report);
    }
    Ok(())
}

/// Reads the models. A dim must be known to one of them: the others may have a number there already.
fn read_models(args: &BenchArgs, registry: &Registry) -> Result<Vec<ModelFile>, Failure> {
    let options = import_options(&args.engine.read, registry);
    let mut files = Vec::new();
    for path in &args.models {
        files.push(ModelFile::read(path, &options)?);
    }
    let known: Vec<_> = files.iter().map(|file| symbols(&file.model)).collect();
    for (index, file) in files.iter_mut().enumerate() {
        let dims: Vec<_> = args
            .engine
            .dims
            .iter()
            .filter(|dim| known[index].contains(&dim.name) || !known.iter().any(|names| names.contains(&dim.name)))
            .cloned()
            .collect();
        bind_dims(&mut file.model, &dims)?;
    }
    Ok(files)
}

fn candidates<'a>(files: &'a [ModelFile], inputs: Option<&'a Values>) -> Result<Vec<Candidate<'a>>, Failure> {
    let mut candidates = Vec::new();
    for file in files {
        let name = file.path.display().to_string();
        if let Some(inputs) = inputs {
            fit_inputs(&file.model, inputs)
                .map_err(|failure| Failure { message: format!("{name}: {}", failure.message), ..failure })?;
        }
        candidates.push(Candidate { name, model: &file.model, inputs });
    }
    Ok(candidates)
}

fn plural(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

fn print(report: &BenchReport) {
    let at_once = match report.threads {
        1 => "1 thread".to_owned(),
        n => format!("{n} threads, each with a copy of the model"),
    };
    let turns = if report.models.len() > 1 { ", models taking turns" } else { "" };
    say(&format!(
        "{} {}, {at_once}, {} after {} to warm up{turns}",
        report.engine,
        report.engine_version,
        plural(report.runs, "run"),
        report.warm_up
    ));
    for model in &report.models {
        let inputs: Vec<String> = model.inputs.iter().map(|input| format!("{}: {}", input.name, input.ty)).collect();
        say(&format!("{} on {}", model.model, inputs.join(", ")));
    }
    say("");
    let base = report.models.first().map_or(0, |model| model.latency.p50_ns);
    let mut head = vec!["model", "p50", "p95", "p99", "min", "mean", "first run"];
    if report.models.len() > 1 {
        head.push("speed");
    }
    say(&table(&head, report.models.iter().map(|model| row(model, base, head.len() == 8)).collect()));
    for model in &report.models {
        if let Some(profile) = &model.profile {
            if report.models.len() > 1 {
                say(&format!("\n{}", model.model));
            }
            print_profile(profile);
        }
    }
}

fn row(model: &Measured, base: u64, with_speed: bool) -> Vec<String> {
    let latency = &model.latency;
    let name = std::path::Path::new(&model.model).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let figures = [latency.p50_ns, latency.p95_ns, latency.p99_ns, latency.min_ns, latency.mean_ns, model.first_run_ns];
    let mut cells = vec![name];
    cells.extend(figures.map(nanoseconds));
    if with_speed {
        cells.push(format!("{:.2}×", base as f64 / latency.p50_ns.max(1) as f64));
    }
    cells
}

/// Longer lists say how many more there are.
const LISTED: usize = 12;

fn print_profile(profile: &Profile) {
    say(&format!(
        "\nmeasured operators take {}, {:.0} % of the fastest run",
        nanoseconds(profile.sum_ns),
        profile.share_of_run * 100.0
    ));
    print_shares("by operator", &profile.kinds);
    if profile.scopes.iter().any(|share| !share.name.is_empty()) {
        print_shares("by scope", &profile.scopes);
    }
}

fn print_shares(title: &str, shares: &[Share]) {
    let row = |name: &str, operators: usize, ns: u64, share: f64| {
        vec![format!("  {name}"), operators.to_string(), nanoseconds(ns), format!("{:.1} %", share * 100.0)]
    };
    let mut rows: Vec<Vec<String>> = shares
        .iter()
        .take(LISTED)
        .map(|share| {
            let name = if share.name.is_empty() { "(no scope)" } else { &share.name };
            row(name, share.operators, share.ns, share.share)
        })
        .collect();
    if let Some(rest) = shares.get(LISTED..).filter(|rest| !rest.is_empty()) {
        rows.push(row(
            &format!("{} more", rest.len()),
            rest.iter().map(|share| share.operators).sum(),
            rest.iter().map(|share| share.ns).sum(),
            rest.iter().map(|share| share.share).sum(),
        ));
    }
    say(&format!("\n{}", table(&[title, "count", "time", "share"], rows)));
}
