//! `edgesmith explain`: what became of an operator, where it came from, why a rule left it alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::Args;
use edgesmith_ir::{Model, Name};
use edgesmith_pass::{CheckMode, Registry};

use super::{import_options, say};
use crate::Failure;
use crate::args::ReadArgs;
use crate::explain::{Explanation, Record, Refusal, StepOf, Survivor};
use crate::model_file::{DimBinding, ModelFile, bind_dims};
use crate::optimize::{OptimizeError, OptimizeOptions};
use crate::pipelines::read_pipeline;
use crate::text_file::read_text;

#[derive(Args, Debug)]
pub(crate) struct ExplainArgs {
    /// The model that was optimised
    pub(crate) model: PathBuf,
    /// Operators of the source or of the result, or values that they make
    #[arg(required = true)]
    pub(crate) names: Vec<String>,
    /// The pipeline to run: a TOML file or a preset
    #[arg(long, value_name = "FILE|PRESET", default_value = "lossless", conflicts_with = "report")]
    pub(crate) pipeline: String,
    /// Read the answer from the report of a run, instead of running
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Give a symbolic dim a number, as in batch=1; may be repeated
    #[arg(long = "dim", value_name = "NAME=N")]
    pub(crate) dims: Vec<DimBinding>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) read: ReadArgs,
}

pub(super) fn run(args: &ExplainArgs, registry: &Registry) -> Result<(), Failure> {
    let mut file = ModelFile::read(&args.model, &import_options(&args.read, registry))?;
    bind_dims(&mut file.model, &args.dims)?;
    let source = file.model.clone();
    let record = match &args.report {
        Some(path) => read_report(path)?,
        None => {
            let pipeline = read_pipeline(&args.pipeline, registry)?;
            // Local checks decide what fires, so they run as in `optimize`; the check of the whole decides nothing here.
            let options = OptimizeOptions { check: CheckMode::Local, ..OptimizeOptions::default() };
            let report =
                crate::optimize::optimize(&mut file.model, &pipeline, &options).map_err(|error| match error {
                    OptimizeError::Failure(failure) => failure,
                    OptimizeError::Pass(failure) => Failure::model(failure.to_string()),
                })?;
            Record::of(report)
        }
    };
    let answers = record.explain(&args.names, &producers(&source, &args.names))?;
    if args.json {
        let text = serde_json::to_string_pretty(&answers).map_err(|error| Failure::internal(error.to_string()))?;
        say(&text);
        return Ok(());
    }
    for (index, answer) in answers.iter().enumerate() {
        if index > 0 {
            say("");
        }
        print(answer);
    }
    Ok(())
}

fn read_report(path: &std::path::Path) -> Result<Record, Failure> {
    let failed = |why: String| {
        Failure::usage(format!("{} is no report of a run: {why}", path.display()))
            .with_help("edgesmith optimize MODEL --report report.json writes one; it must be of one pipeline")
    };
    let text = read_text(path).map_err(failed)?;
    Record::from_json(&text).map_err(|error| failed(error.to_string()))
}

/// Of those names that are values, the operator of the source that makes each, by its label: one walk over the model.
fn producers(model: &Model, names: &[String]) -> BTreeMap<String, Name> {
    let asked: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let mut found: BTreeMap<String, Name> = BTreeMap::new();
    for id in model.live_graphs() {
        let graph = model.graph(id);
        for (value, row) in graph.values().filter(|(_, row)| asked.contains(row.name().as_str())) {
            if let Some(op) = graph.producer(value) {
                found.entry(row.name().to_string()).or_insert_with(|| model.op_label(id, op));
            }
        }
    }
    found
}

/// Longer lists say how many more there are.
const LISTED: usize = 8;

fn print(answer: &Explanation) {
    match answer {
        Explanation::Source { node, operator, scope, steps, lives_in, refusals } => {
            let scope = scope.as_ref().map(|scope| format!(", scope {scope}")).unwrap_or_default();
            say(&format!("{operator} '{node}' in the source{scope}"));
            for step in steps {
                say(&format!("  {}", step_line(step, node)));
            }
            match (lives_in.as_slice(), steps.is_empty()) {
                ([], _) => say("  nothing of it is left in the result"),
                ([one], true) if one.node == *node => say("  is in the result as it was"),
                (some, _) => list("  is in the result as", some),
            }
            print_refusals(refusals);
        }
        Explanation::Result { node, operator, rules, sources, refusals } => {
            say(&format!("{operator} '{node}' in the result"));
            if rules.is_empty() {
                say("  is the source's own");
            } else {
                say(&format!("  made by {}", rules.join(", before that ")));
                list("  from", sources);
            }
            print_refusals(refusals);
        }
    }
}

fn step_line(step: &StepOf, node: &str) -> String {
    let at = if step.site == node { String::new() } else { format!(" at '{}'", step.site) };
    let what = match (step.rule.as_str(), step.made_operator) {
        ("remove-dead-code", _) => "removed, since nobody read it",
        ("merge-common-subexpressions", _) => "merged into an equal operator",
        (_, true) => "became part of another operator",
        (_, false) => "replaced by a value that was there or by a constant",
    };
    format!("{}: {}{at}: {what}", step.pass, step.rule)
}

fn list(intro: &str, survivors: &[Survivor]) {
    let shown: Vec<String> = survivors.iter().take(LISTED).map(|op| format!("{} '{}'", op.operator, op.node)).collect();
    let more = survivors.len().saturating_sub(LISTED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    say(&format!("{intro} {}{more}", shown.join(", ")));
}

fn print_refusals(refusals: &[Refusal]) {
    for refusal in refusals {
        let remedy = refusal.remedy.as_ref().map(|remedy| format!(" ({remedy})")).unwrap_or_default();
        say(&format!("  {} did not fire: {}{remedy}", refusal.rule, refusal.reason));
    }
}
