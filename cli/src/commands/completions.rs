//! `edgesmith completions`: what shells need to complete the command line.

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use super::say;
use crate::Failure;
use crate::args::Cli;

#[derive(Args, Debug)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs) -> Result<(), Failure> {
    // A binary with passes of its own has a name of its own.
    let program = std::env::args_os().next().unwrap_or_default();
    let name = std::path::Path::new(&program).file_stem().map(|name| name.to_string_lossy().into_owned());
    let mut text = Vec::new();
    generate(args.shell, &mut Cli::command(), name.unwrap_or_else(|| "edgesmith".into()), &mut text);
    say(String::from_utf8_lossy(&text).trim_end());
    Ok(())
}
