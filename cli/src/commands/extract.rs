//! `edgesmith extract`: a part of a model.

use std::path::PathBuf;

use clap::Args;
use edgesmith_ir::{Model, Name};

use edgesmith_pass::Registry;

use super::{import_options, note, say};
use crate::Failure;
use crate::args::{ReadArgs, WriteArgs};
use crate::extract::{ExtractError, extract};
use crate::model_file::ModelFile;
use crate::render::count;

#[derive(Args, Debug)]
pub(crate) struct ExtractArgs {
    /// The model, an .onnx file
    model: PathBuf,
    /// Values that the part is given: names, with commas between them; may be repeated [default: the model's own inputs]
    #[arg(long, value_name = "NAMES")]
    inputs: Vec<String>,
    /// Values that the part computes [default: the model's own outputs]
    #[arg(long, value_name = "NAMES")]
    outputs: Vec<String>,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    read: ReadArgs,
}

pub(super) fn run(args: &ExtractArgs, registry: &Registry) -> Result<(), Failure> {
    super::refuse_existing(&args.write.output, args.write.force)?;
    let file = ModelFile::read(&args.model, &import_options(&args.read, registry))?;
    let (inputs, outputs) = (names(&file.model, &args.inputs), names(&file.model, &args.outputs));
    let part =
        extract(&file.model, &inputs, &outputs).map_err(|error| failure(&args.model.display().to_string(), &error))?;
    let published = super::write_as_asked(&part.model, &args.write)?;
    part.remarks.iter().for_each(|remark| note(&format!("remark: {remark}")));
    super::say_written(&published);
    say(&interface(&part.model));
    let all = file.model.main_graph().map_or(0, |graph| graph.ops().count());
    let kept = part.model.main_graph().map_or(0, |graph| graph.ops().count());
    say(&format!("{} of {} operators", count(kept as u64), count(all as u64)));
    Ok(())
}

/// Names as written: one that the model has is one, commas or not; else commas stand between names.
pub(super) fn names(model: &Model, written: &[String]) -> Vec<Name> {
    let is_name = |text: &str| model.main_graph().is_some_and(|graph| graph.value_by_name(text).is_some());
    let mut names = Vec::new();
    for text in written {
        if is_name(text) {
            names.push(Name::from(text.as_str()));
        } else {
            names.extend(text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(Name::from));
        }
    }
    names
}

/// Inputs and outputs, one a line.
pub(super) fn interface(model: &Model) -> String {
    let Some(graph) = model.main_graph() else { return String::new() };
    let mut lines = Vec::new();
    for (what, values) in [("input", graph.inputs()), ("output", graph.outputs())] {
        for value in values {
            let row = graph.value(*value);
            lines.push(format!("{what:<7}{}: {}", row.name(), row.ty()));
        }
    }
    lines.join("\n")
}

fn failure(path: &str, error: &ExtractError) -> Failure {
    let message = format!("{path}: {error}");
    match error {
        ExtractError::Missing { .. } => {
            Failure::usage(message).with_help("list them among --inputs, or cut at other values")
        }
        ExtractError::Broken(_) => Failure::internal(message),
        ExtractError::NoGraph | ExtractError::Untyped { .. } => Failure::model(message),
        _ => Failure::usage(message),
    }
}
