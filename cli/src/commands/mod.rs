//! One file per command: arguments in, text or JSON out.

pub(crate) mod bench;
pub(crate) mod completions;
mod diff;
mod eval;
pub(crate) mod explain;
mod extract;
mod inspect;
mod merge;
mod new;
mod optimize;
pub(crate) mod passes;
pub(crate) mod pipeline;
mod run;
pub(crate) mod schema;
mod verify;

pub(crate) use diff::DiffArgs;
use edgesmith_pass::Registry;
pub(crate) use extract::ExtractArgs;
pub(crate) use merge::MergeArgs;
pub(crate) use new::NewCommand;

use crate::Failure;
use crate::args::{Command, EngineArgs, EngineName, ReadArgs, WriteArgs};
use crate::engines::default_engine_name;
use edgesmith_backend::{Existing, Published};
use edgesmith_backend_onnx::ExternalData;
use edgesmith_frontend_onnx::ImportOptions;

/// Runs a command.
pub(crate) fn run(command: Command, registry: &Registry) -> Result<(), Failure> {
    match command {
        Command::Optimize(args) => optimize::run(&args, registry),
        Command::Inspect(args) => inspect::run(&args, registry),
        Command::Verify(args) => verify::run(&args, registry),
        Command::Explain(args) => explain::run(&args, registry),
        Command::Run(args) => run::run(&args, registry),
        Command::Bench(args) => bench::run(&args, registry),
        Command::Eval(args) => eval::run(&args, registry),
        Command::New(command) => new::run(&command, registry),
        Command::Diff(args) => diff::run(&args, registry),
        Command::Extract(args) => extract::run(&args, registry),
        Command::Merge(args) => merge::run(&args, registry),
        Command::Passes(args) => passes::run(&args, registry),
        Command::Pipeline(args) => pipeline::run(&args, registry),
        Command::Schema(args) => schema::run(&args, registry),
        Command::Completions(args) => completions::run(&args),
    }
}

/// How models are read: as the arguments say, with the registered operators known.
fn import_options(args: &ReadArgs, registry: &Registry) -> ImportOptions {
    ImportOptions {
        allow_unknown_opset: args.allow_unknown_opset,
        operators: registry.operators().clone(),
        ..ImportOptions::default()
    }
}

fn engine_name(args: &EngineArgs) -> &'static str {
    match args.engine {
        Some(EngineName::Tract) => "tract",
        Some(EngineName::Reference) => "reference",
        None => default_engine_name(),
    }
}

/// Prints a line where the reader of the output wants it; a closed pipe is not an error.
fn say(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints a line beside the output.
fn note(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Writes a small file whole or not at all.
fn write_small(path: &std::path::Path, contents: &[u8], force: bool) -> Result<(), Failure> {
    use std::io::Write;
    if path.exists() && !force {
        return Err(
            Failure::usage(format!("{} exists already", path.display())).with_help("choose another name, or --force")
        );
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| std::path::Path::new("."));
    let failed = |error: std::io::Error| Failure::usage(format!("{} cannot be written: {error}", path.display()));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(contents).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// Refuses to replace a file that nobody allowed to replace, before the work.
fn refuse_existing(path: &std::path::Path, force: bool) -> Result<(), Failure> {
    if path.exists() && !force {
        return Err(Failure::usage(format!("{} exists already", path.display()))
            .with_help("--force replaces it, --output names another"));
    }
    Ok(())
}

/// How a model is written as the flags say.
fn writing(force: bool, external: bool) -> (Existing, edgesmith_backend_onnx::Options) {
    let existing = if force { Existing::Replace } else { Existing::Keep };
    let external_data = if external { ExternalData::Always } else { ExternalData::Auto };
    (existing, edgesmith_backend_onnx::Options { external_data, ..Default::default() })
}

/// Writes a model where and how the flags say.
fn write_as_asked(model: &edgesmith_ir::Model, args: &WriteArgs) -> Result<Published, Failure> {
    let (existing, options) = writing(args.force, args.external_data);
    crate::write_onnx(model, &args.output, existing, options)
}

/// Says what was written, and what writing it had to change.
fn say_written(published: &Published) {
    let files: Vec<String> =
        std::iter::once(&published.main).chain(&published.beside).map(|path| path.display().to_string()).collect();
    say(&format!("wrote {}", files.join(" and ")));
    published.remarks.iter().for_each(|remark| note(&format!("remark: {remark}")));
}
