//! `edgesmith schema`: JSON schemas of what edgesmith reads and writes.

use clap::{Args, ValueEnum};
use edgesmith_pass::Registry;

use super::say;
use crate::schema::{pipeline_schema, written_schema};
use crate::{BenchReport, Explanation, Failure, ReportFile};

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    /// Pipelines, with the options of every pass that this binary has
    Pipeline,
    /// What `optimize --report` writes
    Report,
    /// What `bench --json` prints
    Bench,
    /// What `eval --json` prints
    Eval,
    /// What `explain --json` prints
    Explain,
}

#[derive(Args, Debug)]
pub(crate) struct SchemaArgs {
    /// Of what
    #[arg(value_enum)]
    topic: Topic,
}

pub(super) fn run(args: &SchemaArgs, registry: &Registry) -> Result<(), Failure> {
    let schema = match args.topic {
        Topic::Pipeline => pipeline_schema(registry),
        Topic::Report => written_schema::<ReportFile>(),
        Topic::Bench => written_schema::<BenchReport>(),
        Topic::Eval => written_schema::<super::eval::Accuracy>(),
        Topic::Explain => written_schema::<Vec<Explanation>>(),
    };
    say(&serde_json::to_string_pretty(&schema).map_err(|error| Failure::internal(error.to_string()))?);
    Ok(())
}
