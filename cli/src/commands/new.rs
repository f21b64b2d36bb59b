//! `edgesmith new`: a crate to start from.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use edgesmith_pass::Registry;

use super::say;
use crate::{EdgesmithSource, Failure, new_pass};

#[derive(Subcommand, Debug)]
pub(crate) enum NewCommand {
    /// Write a crate with a new pass: its code, its manual, its test, and a binary with all commands
    #[command(
        after_help = "Example: edgesmith new pass channel-gating\n         writes channel-gating/, ready to build"
    )]
    Pass(NewPassArgs),
}

#[derive(Args, Debug)]
pub(crate) struct NewPassArgs {
    /// The name of the crate and of the pass, in kebab-case
    name: String,
    /// Where to make the folder NAME
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// A checkout of edgesmith to depend on [default: the one that this binary was built from]
    #[arg(long, value_name = "DIR", conflicts_with = "git")]
    path: Option<PathBuf>,
    /// A git repository of edgesmith to depend on
    #[arg(long, value_name = "URL")]
    git: Option<String>,
}

pub(super) fn run(command: &NewCommand, registry: &Registry) -> Result<(), Failure> {
    let NewCommand::Pass(args) = command;
    let source = match (&args.path, &args.git) {
        (Some(path), _) => EdgesmithSource::Path(path.clone()),
        (None, Some(url)) => EdgesmithSource::Git(url.clone()),
        (None, None) => EdgesmithSource::Built,
    };
    let folder = new_pass(&args.name, &args.dir, &source, registry)?;
    let shown = folder.strip_prefix(".").unwrap_or(&folder).display().to_string();
    let (cd, binary) = (format!("cd {shown}"), format!("target/release/{}", args.name));
    say(&format!("{shown}: a pass, its manual, its test, its binary; next"));
    for (line, what) in [
        (cd.as_str(), ""),
        ("cargo build --release", "--no-default-features: without the engine, quicker"),
        ("cargo test --release", "the manual is the test"),
        (&format!("{binary} optimize MODEL.onnx --pipeline pipeline.toml"), ""),
    ] {
        say(format!("  {line:<24} {what}").trim_end());
    }
    say("README.md says what to change first");
    Ok(())
}
