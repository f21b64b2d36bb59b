//! `edgesmith optimize`: the main job.

mod jobs;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use edgesmith_backend::{Existing, Published};
use edgesmith_exec::{Calibration, Labelled, Values};
use edgesmith_ir::Model;
use edgesmith_pass::{CheckMode, PassFailure, Registry, Verdict};
use edgesmith_rewrite::{Remark, Severity};
use indexmap::IndexMap;

use self::jobs::Job;
use super::{import_options, note, say, write_small};
use crate::args::{Check, OptimizeArgs};
use crate::inputs::read_npz;
use crate::loss_text::pass_text;
use crate::model_file::{ModelFile, bind_dims, write_onnx};
use crate::optimize::{OptimizeError, OptimizeOptions, optimize};
use crate::progress::Progress;
use crate::report::{OptimizeReport, ReportFormat};
use crate::{
    Failure, InterfaceChange, LatencyReport, default_engine_name, edit_interface, engine, open_calibration,
    open_labelled, render,
};

pub(super) fn run(args: &OptimizeArgs, registry: &Registry) -> Result<(), Failure> {
    let format = args.report.as_deref().map(ReportFormat::of).transpose()?;
    let jobs = jobs::plan(args, registry)?;
    // Known before the work, so that nobody waits for it.
    jobs.list.iter().try_for_each(|job| super::refuse_existing(&job.output, args.force))?;
    let mut file = ModelFile::read(&jobs.input, &import_options(&args.read, registry))?;
    if args.through_text {
        file.model = crate::through_text::through_text(&file.model)?;
    }
    bind_dims(&mut file.model, &args.dims)?;
    if let Some(opset) = args.opset {
        crate::opset::aim_at(&mut file.model, opset);
    }
    let interface = edit_interface(&mut file.model, &args.renames, &args.io_types)?;
    let inputs = args.inputs.as_deref().map(read_npz).transpose()?;
    let data = jobs.list.iter().map(|job| Data::open(job, &file)).collect::<Result<Vec<_>, _>>()?;
    jobs.make_folder()?;
    let mut reports = Vec::new();
    let mut failures: Vec<Failure> = Vec::new();
    for (job, data) in jobs.list.iter().zip(&data) {
        let several = jobs.list.len() > 1;
        let failed = |mut failure: Failure| {
            if several {
                failure.message = format!("pipeline '{}': {}", job.name, failure.message);
            }
            failure
        };
        match run_job(args, job, data, &Source { file: &file, interface: &interface }, inputs.as_ref()) {
            Ok((report, withheld)) => {
                if !args.quiet && withheld.is_none() {
                    if !reports.is_empty() {
                        say("\n");
                    }
                    print_report(args, &report, several.then_some(job.name.as_str()));
                }
                failures.extend(withheld.map(failed));
                reports.push(report);
            }
            Err(failure) => failures.push(failed(failure)),
        }
    }
    if reports.len() > 1 && !args.quiet {
        say(&format!("\n\n{}", render::pipelines_compared(&reports)));
    }
    if let (Some(path), Some(format)) = (&args.report, format)
        && !reports.is_empty()
    {
        write_small(path, format.text(&reports)?.as_bytes(), true)?;
    }
    // The others ran; the first failure decides how the command ends.
    let mut failures = failures.into_iter();
    let first = failures.next();
    failures.for_each(|failure| note(&format!("error: {}", failure.message)));
    first.map_or(Ok(()), Err)
}

/// What losses are measured on.
struct Data {
    calibration: Option<Arc<dyn Calibration>>,
    labelled: Option<Labelled>,
}

impl Data {
    fn open(job: &Job, file: &ModelFile) -> Result<Self, Failure> {
        Ok(Self {
            calibration: job.calibration.as_ref().map(|section| open_calibration(section, &file.model)).transpose()?,
            labelled: job.labelled.as_ref().map(|section| open_labelled(section, &file.model)).transpose()?,
        })
    }
}

/// The model that every pipeline starts from.
struct Source<'a> {
    file: &'a ModelFile,
    interface: &'a [InterfaceChange],
}

/// Runs one pipeline from the source on and writes its result. Beside the report comes the reason why the result was
/// withheld, where it was.
fn run_job(
    args: &OptimizeArgs,
    job: &Job,
    data: &Data,
    source: &Source<'_>,
    inputs: Option<&Values>,
) -> Result<(OptimizeReport, Option<Failure>), Failure> {
    let file = source.file;
    let mut model = file.model.clone();
    let progress = Progress::new(!args.quiet);
    let run = {
        let step =
            |index: usize, name: &str, total: usize| progress.step(&format!("pass {}/{total}: {name}", index + 1));
        let options = OptimizeOptions {
            check: match args.check {
                Check::Auto => CheckMode::Auto,
                Check::Off => CheckMode::Off,
                Check::Local => CheckMode::Local,
                Check::Full => CheckMode::Full,
            },
            check_budget: args.check_budget,
            inputs: inputs.cloned(),
            calibration: data.calibration.as_deref(),
            labelled: data.labelled.as_ref(),
            fuel: args.fuel,
            keep_going: args.keep_going,
            progress: &step,
        };
        optimize(&mut model, &job.pipeline, &options).map_err(|error| match error {
            OptimizeError::Failure(failure) => failure,
            OptimizeError::Pass(failure) => pass_failure(&failure, &job.output),
        })
    };
    progress.done();
    let run = run?;
    let withheld = match &run.verdict {
        Verdict::Differs { detail } => Some(
            Failure::check(format!(
                "the result does not compute what the source computes, so nothing was written: {detail}"
            ))
            .with_help("this is a fault of a rule; --fuel N finds it by bisection; please report it"),
        ),
        _ => None,
    };
    let published = if withheld.is_none() { Some(write(args, &model, &job.output)?) } else { None };
    let (latency, latency_not_measured) = match published {
        Some(_) if args.bench => latency(args, &file.model, &model, inputs),
        _ => (None, None),
    };
    let report = OptimizeReport {
        edgesmith: crate::VERSION,
        pipeline: job.name.clone(),
        input: file.path.display().to_string(),
        output: published.as_ref().map(|published| published.main.display().to_string()),
        input_bytes: file.bytes,
        output_bytes: published.as_ref().map_or(0, written_bytes),
        interface: source.interface.to_vec(),
        input_remarks: file.diagnostics.iter().map(ToString::to_string).collect(),
        output_remarks: published.map(|published| published.remarks).unwrap_or_default(),
        verdict_text: run.verdict.to_string(),
        latency,
        latency_not_measured,
        run,
    };
    Ok((report, withheld))
}

/// Latency of the source and of the result, or why there is none: what was written stands either way.
fn latency(
    args: &OptimizeArgs,
    before: &Model,
    after: &Model,
    inputs: Option<&Values>,
) -> (Option<LatencyReport>, Option<String>) {
    let progress = Progress::new(!args.quiet);
    progress.step("measuring latency");
    let start = Instant::now();
    let clock = || u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let measured = engine(default_engine_name())
        .and_then(|engine| LatencyReport::measure(engine.as_ref(), before, after, inputs, &clock));
    progress.done();
    match measured {
        Ok(latency) => (Some(latency), None),
        Err(failure) => (None, Some(failure.message)),
    }
}

fn write(args: &OptimizeArgs, model: &Model, output: &Path) -> Result<Published, Failure> {
    let (existing, options) = super::writing(args.force, args.external_data);
    write_onnx(model, output, existing, edgesmith_backend_onnx::Options { opset: args.opset, ..options })
}

fn written_bytes(published: &Published) -> u64 {
    let files = std::iter::once(&published.main).chain(&published.beside);
    files.filter_map(|path| std::fs::metadata(path).ok()).map(|file| file.len()).sum()
}

/// A pass failed: what happened, and a reproducer beside the output.
fn pass_failure(failure: &PassFailure, output: &Path) -> Failure {
    if !failure.internal {
        return Failure::model(failure.to_string());
    }
    let place = output.with_extension("reproducer");
    let help = match write_reproducer(failure, &place) {
        Ok(()) => {
            format!("please report it with {}, which holds the pipeline and the model before the pass", place.display())
        }
        Err(error) => format!("please report it; a reproducer could not be written: {error}"),
    };
    Failure::internal(failure.to_string()).with_help(help)
}

fn write_reproducer(failure: &PassFailure, place: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(place).map_err(|error| Failure::internal(error.to_string()))?;
    write_small(&place.join("pipeline.toml"), failure.pipeline.as_bytes(), true)?;
    write_onnx(
        &failure.model,
        &place.join("model.onnx"),
        Existing::Replace,
        edgesmith_backend_onnx::Options::default(),
    )?;
    Ok(())
}

fn print_report(args: &OptimizeArgs, report: &OptimizeReport, pipeline: Option<&str>) {
    let by = pipeline.map(|pipeline| format!(" ({pipeline})")).unwrap_or_default();
    say(&format!("{} → {}{by}", report.input, report.output.as_deref().unwrap_or("nothing")));
    say("");
    let run = &report.run;
    say(&render::comparison(run, (report.input_bytes, report.output_bytes)));
    if let Some(latency) = &report.latency {
        say(&format!("\n{}", render::latency(latency, args.verbose)));
    }
    if let Some(why) = &report.latency_not_measured {
        say(&format!("\nlatency was not measured: {why}"));
    }
    if !report.interface.is_empty() {
        say("\ninterface, as declared");
        report.interface.iter().for_each(|change| say(&format!("  {change}")));
    }
    let mut fired: IndexMap<&str, u64> = IndexMap::new();
    for (name, count) in run.passes.iter().flat_map(|pass| pass.rules.iter().chain(&pass.counts)) {
        *fired.entry(name).or_insert(0) += count;
    }
    if !fired.is_empty() {
        say("\nrules that fired");
        say(&render::table(
            &[],
            fired.iter().map(|(name, count)| vec![format!("  {name}"), render::count(*count)]).collect(),
        ));
    }
    for text in run.passes.iter().filter_map(|pass| pass_text(pass, args.verbose)) {
        say(&format!("\n{text}"));
    }
    print_remarks(args, report);
    for pass in &run.passes {
        if let Some(why) = &pass.dropped {
            say(&format!("\npass '{}' was dropped: {why}", pass.name));
        }
    }
    say(&format!("\nverdict: {}", report.verdict_text));
}

/// So many remarks are printed unless all are asked for.
const REMARKS: usize = 6;

fn print_remarks(args: &OptimizeArgs, report: &OptimizeReport) {
    // A refusal that a later pass overcame is no news: of refusals those of each pass's last run count.
    // What concerns the file that was written comes first, so that it is always seen.
    let mut remarks: Vec<&Remark> = report.output_remarks.iter().collect();
    for (index, pass) in report.run.passes.iter().enumerate() {
        let superseded = report.run.passes[index + 1..].iter().any(|later| later.name == pass.name);
        for remark in &pass.remarks {
            if (!superseded || remark.severity > Severity::Remark) && !remarks.contains(&remark) {
                remarks.push(remark);
            }
        }
    }
    let total = report.input_remarks.len() + remarks.len();
    if total == 0 {
        return;
    }
    say("\nremarks");
    let limit = if args.verbose { usize::MAX } else { REMARKS };
    let lines = report.input_remarks.iter().cloned().chain(remarks.iter().map(|remark| match remark.severity {
        Severity::Error => format!("error: {remark}"),
        Severity::Warning => format!("warning: {remark}"),
        Severity::Remark => remark.to_string(),
    }));
    for line in lines.take(limit) {
        say(&format!("  {line}"));
    }
    if total > limit {
        say(&format!("  and {} more; --verbose prints them", total - limit));
    }
    if report.run.has_failed_checks() {
        note("error: the local check refused some changes; see the remarks");
    }
}
