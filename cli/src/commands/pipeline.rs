//! `edgesmith pipeline`: what a pipeline comes to, and what is wrong with one.

use clap::Args;
use edgesmith_pass::Registry;

use super::say;
use crate::Failure;
use crate::main_with::print_failure;
use crate::pipelines::{check_pipeline, read_pipeline};

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct PipelineArgs {
    /// Print the pipeline with every option written out
    #[arg(long, value_name = "FILE|PRESET", num_args = 0..=1, default_missing_value = "lossless")]
    print: Option<String>,
    /// Show everything that is wrong with the file, each at its line and column
    #[arg(long, value_name = "FILE|PRESET")]
    check: Option<String>,
}

pub(super) fn run(args: &PipelineArgs, registry: &Registry) -> Result<(), Failure> {
    if let Some(choice) = &args.print {
        say(read_pipeline(choice, registry)?.effective().trim_end());
    }
    if let Some(choice) = &args.check {
        let pipeline = match check_pipeline(choice, registry) {
            Ok(pipeline) => pipeline,
            Err(mut failures) => {
                let last =
                    failures.pop().unwrap_or_else(|| Failure::internal("a pipeline that fails without a reason"));
                failures.iter().for_each(print_failure);
                return Err(last);
            }
        };
        let passes: Vec<&str> = pipeline.steps.iter().map(|step| step.info.name).collect();
        let list = if passes.is_empty() { "no pass".to_owned() } else { passes.join(", ") };
        say(&format!("{choice} is in order: {list}"));
        if let Err(error) = pipeline.check_data(pipeline.calibration.is_some(), pipeline.labelled.is_some()) {
            say(&format!("to be given when it runs: {}", error.help.unwrap_or(error.message)));
        }
    }
    Ok(())
}
