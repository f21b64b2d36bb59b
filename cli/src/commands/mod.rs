//! One file per command: arguments in, text or JSON out.

mod eval;
pub(crate) mod explain;
mod inspect;
mod new;
mod optimize;
mod passes;
mod run;
mod verify;

pub(crate) use new::NewCommand;

use edgesmith_pass::Registry;

use crate::Failure;
use crate::args::{Command, EngineArgs, EngineName, ReadArgs};
use crate::engines::default_engine_name;
use edgesmith_frontend_onnx::ImportOptions;

/// Runs a command.
pub(crate) fn run(command: Command, registry: &Registry) -> Result<(), Failure> {
    match command {
        Command::Optimize(args) => optimize::run(&args, registry),
        Command::Inspect(args) => inspect::run(&args, registry),
        Command::Verify(args) => verify::run(&args, registry),
        Command::Explain(args) => explain::run(&args, registry),
        Command::Run(args) => run::run(&args, registry),
        Command::Eval(args) => eval::run(&args, registry),
        Command::New(command) => new::run(&command, registry),
        Command::Passes => {
            passes::run(registry);
            Ok(())
        }
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
