//! The command line's grammar.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::commands::NewCommand;
use crate::commands::bench::BenchArgs;
use crate::commands::completions::CompletionsArgs;
use crate::commands::explain::ExplainArgs;
use crate::commands::passes::PassesArgs;
use crate::commands::pipeline::PipelineArgs;
use crate::commands::schema::SchemaArgs;
use crate::model_file::DimBinding;
use crate::{IoType, Rename};

/// An optimising compiler for edge models: smaller, faster, and proven to compute the same.
#[derive(Parser, Debug)]
#[command(name = "edgesmith", version, arg_required_else_help = true, disable_help_flag = true)]
#[command(
    after_help = "Exit codes: 0 done, 1 the model or the data is at fault, 2 the command line or the pipeline is,\n3 a check failed and the output was withheld, 4 a fault of edgesmith itself."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Print help
    // Always the compact form, which fits a screen.
    #[arg(short, long, action = clap::ArgAction::HelpShort, global = true)]
    help: Option<bool>,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Optimise a model and check that it computes the same
    #[command(after_help = "Example: edgesmith optimize mobilenet.onnx\n         writes mobilenet.opt.onnx beside it")]
    Optimize(Box<OptimizeArgs>),
    /// Show what is in a model: operators, cost, interface, what it needs to run
    #[command(after_help = "Example: edgesmith inspect mobilenet.onnx --by scope")]
    Inspect(InspectArgs),
    /// Tell what became of an operator, where it came from, why a rule left it alone
    #[command(after_help = "Example: edgesmith explain mobilenet.onnx node_batch_norm_3")]
    Explain(ExplainArgs),
    /// Tell what differs between two models: operators, weights, interface, cost
    #[command(
        after_help = "Exit code 0: nothing differs; 3: something does.\nExample: edgesmith diff mobilenet.onnx mobilenet.opt.onnx"
    )]
    Diff(crate::commands::DiffArgs),
    /// Cut a part out of a model, at named values
    #[command(after_help = "Example: edgesmith extract net.onnx --inputs features --outputs boxes,scores -o head.onnx")]
    Extract(crate::commands::ExtractArgs),
    /// Join two models into one: what the first computes feeds the second
    #[command(after_help = "Example: edgesmith merge backbone.onnx head.onnx --connect features=x -o net.onnx")]
    Merge(crate::commands::MergeArgs),
    /// Run two models on the same inputs and compare every output
    #[command(after_help = "Example: edgesmith verify mobilenet.onnx mobilenet.opt.onnx")]
    Verify(VerifyArgs),
    /// Run a model on the inputs of an .npz file
    #[command(after_help = "Example: edgesmith run mobilenet.onnx --inputs x.npz --output y.npz")]
    Run(RunArgs),
    /// Measure how long models take, and where the time goes
    #[command(after_help = "Example: edgesmith bench mobilenet.onnx mobilenet.opt.onnx --profile\n\
                      Several models take turns, run by run. The built-in engine runs a model on one thread.")]
    Bench(BenchArgs),
    /// Measure a classifier's accuracy on labelled data
    #[command(after_help = "Example: edgesmith eval digits.onnx --data digits_test.npz")]
    Eval(EvalArgs),
    /// Write a crate to start from
    #[command(subcommand, after_help = "Example: edgesmith new pass channel-gating")]
    New(NewCommand),
    /// List the passes, their rules and the presets; print the manual of one
    #[command(after_help = "Example: edgesmith passes fusion fold-batch-norm")]
    Passes(PassesArgs),
    /// Print a pipeline with every option written out, or show what is wrong with one
    #[command(
        after_help = "Example: edgesmith pipeline --print lossless > mine.toml\n         edgesmith pipeline --check mine.toml"
    )]
    Pipeline(PipelineArgs),
    /// Print the JSON schema of pipelines or of reports
    #[command(after_help = "Example: edgesmith schema pipeline > pipeline.schema.json")]
    Schema(SchemaArgs),
    /// Print completions for a shell
    #[command(
        after_help = "Example: edgesmith completions bash > ~/.local/share/bash-completion/completions/edgesmith"
    )]
    Completions(CompletionsArgs),
}

#[derive(Args, Debug)]
pub(crate) struct ReadArgs {
    /// Read newer operator sets as the newest known one
    #[arg(long)]
    pub(crate) allow_unknown_opset: bool,
}

#[derive(Args, Debug)]
pub(crate) struct WriteArgs {
    /// Where to write the result
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Replace an output that exists
    #[arg(long)]
    pub(crate) force: bool,
    /// Keep the weights in a file of their own
    #[arg(long)]
    pub(crate) external_data: bool,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    /// Every change on seeded values; the whole model when that is within the budget
    Auto,
    /// Nothing
    Off,
    /// Every change on seeded values
    Local,
    /// Every change and the whole model, whatever it costs
    Full,
}

#[derive(Args, Debug)]
pub(crate) struct OptimizeArgs {
    /// The model, an .onnx file; a pipeline may name it instead
    pub(crate) model: Option<PathBuf>,
    /// Where to write [default: MODEL.opt.onnx]; a folder for several pipelines
    #[arg(long, short, value_name = "FILE|DIR")]
    pub(crate) output: Option<PathBuf>,
    /// What to do; repeat it to compare several
    #[arg(long, value_name = "FILE|PRESET", conflicts_with = "preset")]
    pub(crate) pipeline: Vec<String>,
    /// The same for presets: lossless, none
    #[arg(long, value_name = "PRESET")]
    pub(crate) preset: Option<String>,
    /// Give a symbolic dim a number; may be repeated
    #[arg(long = "dim", value_name = "NAME=N")]
    pub(crate) dims: Vec<DimBinding>,
    /// Rename an input or output; may be repeated
    #[arg(long = "rename", value_name = "OLD=NEW")]
    pub(crate) renames: Vec<Rename>,
    /// Take and give f16, or take uint8 (unscaled), in place of floats; NAME=TYPE for one input or output
    #[arg(long = "io-type", value_name = "TYPE")]
    pub(crate) io_types: Vec<IoType>,
    /// Write this version of ai.onnx [default: the model's own]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(7..=28))]
    pub(crate) opset: Option<i64>,
    /// Inputs for the check, an .npz [default: random]
    #[arg(long, value_name = "FILE")]
    pub(crate) inputs: Option<PathBuf>,
    /// Data for losses: pictures, an .npz or an .npy
    #[arg(long, value_name = "PATH")]
    pub(crate) calibration: Option<String>,
    /// Data for accuracy, an .npz with 'labels'
    #[arg(long, value_name = "FILE")]
    pub(crate) labelled: Option<String>,
    /// How much to check: auto, off, local (every change), full [default: auto]
    #[arg(long, value_enum, default_value = "auto", hide_possible_values = true, hide_default_value = true)]
    pub(crate) check: Check,
    /// Time for the check of the whole
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = seconds)]
    pub(crate) check_budget: f64,
    /// Write what was done, as .json or .html
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Measure latency before and after, by operator too
    #[arg(long)]
    pub(crate) bench: bool,
    /// Replace an output that exists
    #[arg(long)]
    pub(crate) force: bool,
    /// Keep the weights in a file of their own
    #[arg(long)]
    pub(crate) external_data: bool,
    /// Drop a pass that fails and go on
    #[arg(long)]
    pub(crate) keep_going: bool,
    /// Make at most so many changes, to find a wrong one
    #[arg(long, value_name = "N")]
    pub(crate) fuel: Option<u64>,
    /// Print every remark
    #[arg(long, short)]
    pub(crate) verbose: bool,
    /// Print nothing but errors
    #[arg(long, short, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) read: ReadArgs,
    /// Send the model through its textual form on the way, to test it
    #[arg(long, hide = true)]
    pub(crate) through_text: bool,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// One row per operator
    Op,
    /// One row per module of the source
    Scope,
}

#[derive(Args, Debug)]
pub(crate) struct InspectArgs {
    /// The model, an .onnx file
    pub(crate) model: PathBuf,
    /// Break the cost down [default: by operator kind]
    #[arg(long, value_enum)]
    pub(crate) by: Option<By>,
    /// Give a symbolic dim a number for the costs, as in batch=1; may be repeated
    #[arg(long = "dim", value_name = "NAME=N")]
    pub(crate) dims: Vec<DimBinding>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) read: ReadArgs,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EngineName {
    /// The built-in engine
    Tract,
    /// The reference evaluator: slow, by the specification
    Reference,
}

#[derive(Args, Debug)]
pub(crate) struct EngineArgs {
    /// What runs the model: tract, or reference (slow, by the specification) [default: tract]
    #[arg(long, value_enum, hide_possible_values = true)]
    pub(crate) engine: Option<EngineName>,
    /// Give a symbolic dim a number, as in batch=1; may be repeated
    #[arg(long = "dim", value_name = "NAME=N")]
    pub(crate) dims: Vec<DimBinding>,
    #[command(flatten)]
    pub(crate) read: ReadArgs,
}

#[derive(Args, Debug)]
pub(crate) struct VerifyArgs {
    /// The model that is taken to be right
    pub(crate) before: PathBuf,
    /// The model that should compute the same
    pub(crate) after: PathBuf,
    /// Inputs, an .npz file [default: seeded random ones]
    #[arg(long, value_name = "FILE")]
    pub(crate) inputs: Option<PathBuf>,
    /// The largest difference that passes, relative to the largest magnitude of the output
    #[arg(long, default_value_t = 1e-4)]
    pub(crate) tolerance: f64,
    /// Find the first value that differs also where the outputs are within the tolerance
    #[arg(long)]
    pub(crate) locate: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
}

#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    /// The model, an .onnx file
    pub(crate) model: PathBuf,
    /// Inputs by name, an .npz file
    #[arg(long, value_name = "FILE")]
    pub(crate) inputs: PathBuf,
    /// Where to write the outputs, an .npz file
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Replace an output that exists
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
}

#[derive(Args, Debug)]
pub(crate) struct EvalArgs {
    /// The model, an .onnx file
    pub(crate) model: PathBuf,
    /// Labelled data, an .npz file with 'images' (or the input's name) and 'labels'
    #[arg(long, value_name = "FILE")]
    pub(crate) data: PathBuf,
    /// Samples in one run [default: 1, or what the model insists on]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) batch: Option<u32>,
    /// Use only the first N samples
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// Write the predicted classes, an .npy file
    #[arg(long, value_name = "FILE")]
    pub(crate) predictions: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
}

fn seconds(text: &str) -> Result<f64, String> {
    let (number, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len()));
    let number: f64 = number.trim().parse().map_err(|_| format!("'{text}' is not a time; write 10s or 2m"))?;
    let factor = match unit.trim() {
        "" | "s" => 1.0,
        "ms" => 1e-3,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        other => return Err(format!("'{other}' is not a unit of time; write ms, s, m or h")),
    };
    if number.is_finite() && number >= 0.0 { Ok(number * factor) } else { Err(format!("'{text}' is not a time")) }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    /// Every command below this one, by its full name.
    fn all(command: &clap::Command, name: &str, found: &mut Vec<(String, clap::Command)>) {
        for below in command.get_subcommands() {
            let name = format!("{name} {}", below.get_name());
            found.push((name.clone(), below.clone()));
            all(below, &name, found);
        }
    }

    #[test]
    fn every_help_fits_a_screen_and_has_an_example() {
        Cli::command().debug_assert();
        let mut commands = vec![("edgesmith".to_owned(), Cli::command())];
        all(&Cli::command(), "edgesmith", &mut commands);
        assert!(commands.len() > 12);
        for (name, command) in commands {
            let text = command.term_width(100).render_help().to_string();
            assert!(text.lines().count() <= 40, "{name} has {} lines:\n{text}", text.lines().count());
            assert!(text.contains("Example") || name == "edgesmith", "{name} has no example:\n{text}");
            assert!(text.lines().all(|line| line.chars().count() <= 100), "{name} is too wide:\n{text}");
        }
    }
}
