//! `edgesmith merge`: two models in one.

use std::path::PathBuf;

use clap::Args;
use edgesmith_ir::{Model, Name};

use edgesmith_pass::Registry;

use super::extract::{interface, names};
use super::{import_options, note, say};
use crate::Failure;
use crate::args::{ReadArgs, WriteArgs};
use crate::merge::{MergeError, MergeOptions, Merged, merge};
use crate::model_file::ModelFile;

#[derive(Args, Debug)]
pub(crate) struct MergeArgs {
    /// The model that runs first, an .onnx file
    before: PathBuf,
    /// The model that takes its outputs
    after: PathBuf,
    /// Let a value of the first feed an input of the second; may be repeated [default: equal names]
    #[arg(long, value_name = "A=B")]
    connect: Vec<String>,
    /// Outputs of the first that stay outputs although the second takes them: names, with commas between them
    #[arg(long, value_name = "NAMES")]
    keep: Vec<String>,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    read: ReadArgs,
}

pub(super) fn run(args: &MergeArgs, registry: &Registry) -> Result<(), Failure> {
    super::refuse_existing(&args.write.output, args.write.force)?;
    let options = import_options(&args.read, registry);
    let (before, after) = (ModelFile::read(&args.before, &options)?, ModelFile::read(&args.after, &options)?);
    let connect = args
        .connect
        .iter()
        .map(|text| connection(&before.model, &after.model, text))
        .collect::<Result<Vec<_>, Failure>>()?;
    let options = MergeOptions { connect, keep: names(&before.model, &args.keep) };
    let merged = merge(&before.model, &after.model, &options).map_err(failure)?;
    let published = super::write_as_asked(&merged.model, &args.write)?;
    super::say_written(&published);
    print(&merged);
    Ok(())
}

/// `A=B`. A name may hold `=` itself: the place where both sides are names is the one meant.
fn connection(a: &Model, b: &Model, text: &str) -> Result<(Name, Name), Failure> {
    let has = |model: &Model, name: &str| model.main_graph().is_some_and(|graph| graph.value_by_name(name).is_some());
    let places: Vec<(&str, &str)> =
        text.match_indices('=').map(|(at, _)| (text[..at].trim(), text[at + 1..].trim())).collect();
    let Some(first) = places.first() else {
        return Err(Failure::usage(format!("'{text}' is no connection")).with_help("write A=B, as in features=x"));
    };
    let (from, to) = places.iter().find(|(from, to)| has(a, from) && has(b, to)).unwrap_or(first);
    Ok((Name::from(*from), Name::from(*to)))
}

fn print(merged: &Merged) {
    say(&interface(&merged.model));
    for (from, to) in &merged.joined {
        let how = if from == to { format!("joined {from}") } else { format!("joined {from} → {to}") };
        say(&how);
    }
    if !merged.shared.is_empty() {
        let shared: Vec<&str> = merged.shared.iter().map(Name::as_str).collect();
        say(&format!("both take {}", shared.join(", ")));
    }
    merged.remarks.iter().for_each(|remark| note(&format!("remark: {remark}")));
    let shown: Vec<String> =
        merged.renamed.iter().take(8).map(|renamed| format!("{} → {}", renamed.before, renamed.after)).collect();
    if !shown.is_empty() {
        let more = merged.renamed.len() - shown.len();
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        note(&format!("remark: renamed, because both models have the name: {}{more}", shown.join(", ")));
    }
}

fn failure(error: MergeError) -> Failure {
    let message = error.to_string();
    match error {
        MergeError::Apart { .. } => Failure::usage(message).with_help("--connect A=B joins an output to an input"),
        MergeError::Unknown { .. } | MergeError::Twice { .. } => Failure::usage(message),
        MergeError::Broken(_) => Failure::internal(message),
        _ => Failure::model(message),
    }
}
