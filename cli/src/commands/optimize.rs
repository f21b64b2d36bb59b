//! `edgesmith optimize`: the main job.

use std::path::{Path, PathBuf};

use edgesmith_backend::{Existing, Published};
use edgesmith_backend_onnx::ExternalData;
use edgesmith_pass::{CheckMode, DataSection, PassFailure, Paths, Pipeline, Registry, RunReport, Verdict};
use edgesmith_rewrite::{Remark, Severity};
use indexmap::IndexMap;
use serde::Serialize;

use super::{import_options, note, say, write_small};
use crate::args::{Check, OptimizeArgs};
use crate::inputs::read_npz;
use crate::loss_text::pass_text;
use crate::model_file::{ModelFile, bind_dims, write_onnx};
use crate::optimize::{OptimizeError, OptimizeOptions, optimize};
use crate::pipelines::{pipeline_failure, read_pipeline};
use crate::progress::Progress;
use crate::{Failure, open_calibration, open_labelled, render};

pub(super) fn run(args: &OptimizeArgs, registry: &Registry) -> Result<(), Failure> {
    let choice = args.pipeline.as_deref().or(args.preset.as_deref()).unwrap_or("lossless");
    if args.preset.is_some() && registry.preset_text(choice).is_none() {
        let names: Vec<&str> = registry.presets().map(|(name, _)| name).collect();
        return Err(Failure::usage(format!("there is no preset '{choice}'"))
            .with_help(format!("the presets are: {}", names.join(", "))));
    }
    let pipeline = read_pipeline(choice, registry)?;
    let calibration = data(args.calibration.as_deref(), pipeline.calibration.as_ref());
    // Labelled data become inputs as calibration data do, where nothing else is said.
    let labelled = data(args.labelled.as_deref(), pipeline.labelled.as_ref()).map(|mut section| {
        if section.inputs.is_empty()
            && let Some(calibration) = &pipeline.calibration
        {
            section.inputs.clone_from(&calibration.inputs);
        }
        section
    });
    pipeline
        .check_data(calibration.is_some(), labelled.is_some())
        .map_err(|error| pipeline_failure(error, choice, &pipeline))?;
    let input = match (&args.model, &pipeline.input) {
        (Some(path), _) => path.clone(),
        (None, Some(path)) => PathBuf::from(path),
        (None, None) => {
            return Err(
                Failure::usage("no model is given").with_help("name an .onnx file, or one in the pipeline's [model]")
            );
        }
    };
    let output = output_path(args, &pipeline, &input)?;
    // Known before the work, so that nobody waits for it.
    if output.exists() && !args.force {
        return Err(Failure::usage(format!("{} exists already", output.display()))
            .with_help("--force replaces it, --output names another"));
    }
    let mut file = ModelFile::read(&input, &import_options(&args.read, registry))?;
    if args.through_text {
        file.model = crate::through_text::through_text(&file.model)?;
    }
    bind_dims(&mut file.model, &args.dims)?;
    let inputs = args.inputs.as_deref().map(read_npz).transpose()?;
    let calibration = calibration.map(|section| open_calibration(&section, &file.model)).transpose()?;
    let labelled = labelled.map(|section| open_labelled(&section, &file.model)).transpose()?;
    let progress = Progress::new(!args.quiet);
    let report = {
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
            inputs,
            calibration: calibration.as_deref(),
            labelled: labelled.as_ref(),
            fuel: args.fuel,
            keep_going: args.keep_going,
            progress: &step,
        };
        optimize(&mut file.model, &pipeline, &options).map_err(|error| match error {
            OptimizeError::Failure(failure) => failure,
            OptimizeError::Pass(failure) => pass_failure(&failure, &output),
        })?
    };
    progress.done();
    if let Verdict::Differs { detail } = &report.verdict {
        write_report(args, &report, &input, None, (file.bytes, 0))?;
        return Err(Failure::check(format!(
            "the result does not compute what the source computes, so nothing was written: {detail}"
        ))
        .with_help("this is a fault of a rule; --fuel N finds it by bisection; please report it"));
    }
    let existing = if args.force { Existing::Replace } else { Existing::Keep };
    let external_data = if args.external_data { ExternalData::Always } else { ExternalData::Auto };
    let options = edgesmith_backend_onnx::Options { external_data, ..Default::default() };
    let published = write_onnx(&file.model, &output, existing, options)?;
    let written: u64 = std::iter::once(&published.main)
        .chain(&published.beside)
        .filter_map(|p| std::fs::metadata(p).ok())
        .map(|m| m.len())
        .sum();
    write_report(args, &report, &input, Some(&published), (file.bytes, written))?;
    if !args.quiet {
        print_report(args, &report, &file, &published, written);
    }
    Ok(())
}

/// The data that the command line or the pipeline names; the command line wins, and what the pipeline says of the inputs
/// holds for its data too. `None` where neither names any.
fn data(path: Option<&str>, section: Option<&DataSection>) -> Option<DataSection> {
    let mut section = section.cloned().unwrap_or_default();
    if let Some(path) = path {
        section.data = Paths::One(path.to_owned());
    }
    (!section.data.is_none()).then_some(section)
}

fn output_path(args: &OptimizeArgs, pipeline: &Pipeline, input: &Path) -> Result<PathBuf, Failure> {
    if let Some(emit) = pipeline.emits.iter().find(|emit| emit.backend != "onnx") {
        return Err(
            Failure::usage(format!("there is no backend '{}'", emit.backend)).with_help("the backends are: onnx")
        );
    }
    if let Some(path) = &args.output {
        return Ok(path.clone());
    }
    if let Some(path) = pipeline.emits.iter().find_map(|emit| emit.output.as_ref()) {
        return Ok(PathBuf::from(path));
    }
    let stem = input.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(input.with_file_name(format!("{stem}.opt.onnx")))
}

#[derive(Serialize)]
struct JsonReport<'a> {
    edgesmith: &'static str,
    input: String,
    output: Option<String>,
    input_bytes: u64,
    output_bytes: u64,
    /// What writing the file had to change: opset, IR version, names.
    output_remarks: &'a [Remark],
    #[serde(flatten)]
    run: &'a RunReport,
}

fn write_report(
    args: &OptimizeArgs,
    report: &RunReport,
    input: &Path,
    output: Option<&Published>,
    bytes: (u64, u64),
) -> Result<(), Failure> {
    let Some(path) = &args.report else { return Ok(()) };
    let json = JsonReport {
        edgesmith: env!("CARGO_PKG_VERSION"),
        input: input.display().to_string(),
        output: output.map(|published| published.main.display().to_string()),
        input_bytes: bytes.0,
        output_bytes: bytes.1,
        output_remarks: output.map_or(&[], |published| &published.remarks),
        run: report,
    };
    let text = serde_json::to_vec_pretty(&json)
        .map_err(|error| Failure::internal(format!("the report cannot be written: {error}")))?;
    write_small(path, &text, true)
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

fn print_report(args: &OptimizeArgs, report: &RunReport, file: &ModelFile, output: &Published, written: u64) {
    say(&format!("{} → {}", file.path.display(), output.main.display()));
    say("");
    say(&render::comparison(report, (file.bytes, written)));
    let mut fired: IndexMap<&str, u64> = IndexMap::new();
    for (name, count) in report.passes.iter().flat_map(|pass| pass.rules.iter().chain(&pass.counts)) {
        *fired.entry(name).or_insert(0) += count;
    }
    if !fired.is_empty() {
        say("\nrules that fired");
        say(&render::table(
            &[],
            fired.iter().map(|(name, count)| vec![format!("  {name}"), render::count(*count)]).collect(),
        ));
    }
    for text in report.passes.iter().filter_map(|pass| pass_text(pass, args.verbose)) {
        say(&format!("\n{text}"));
    }
    print_remarks(args, report, file, &output.remarks);
    for pass in &report.passes {
        if let Some(why) = &pass.dropped {
            say(&format!("\npass '{}' was dropped: {why}", pass.name));
        }
    }
    say(&format!("\nverdict: {}", report.verdict));
}

/// So many remarks are printed unless all are asked for.
const REMARKS: usize = 6;

fn print_remarks(args: &OptimizeArgs, report: &RunReport, file: &ModelFile, of_output: &[Remark]) {
    // A refusal that a later pass overcame is no news: of refusals those of each pass's last run count.
    // What concerns the file that was written comes first, so that it is always seen.
    let mut remarks: Vec<&Remark> = of_output.iter().collect();
    for (index, pass) in report.passes.iter().enumerate() {
        let superseded = report.passes[index + 1..].iter().any(|later| later.name == pass.name);
        for remark in &pass.remarks {
            if (!superseded || remark.severity > Severity::Remark) && !remarks.contains(&remark) {
                remarks.push(remark);
            }
        }
    }
    let total = file.diagnostics.len() + remarks.len();
    if total == 0 {
        return;
    }
    say("\nremarks");
    let limit = if args.verbose { usize::MAX } else { REMARKS };
    let lines =
        file.diagnostics.iter().map(ToString::to_string).chain(remarks.iter().map(|remark| match remark.severity {
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
    if report.has_failed_checks() {
        note("error: the local check refused some changes; see the remarks");
    }
}
