//! Finding and reading pipelines: a preset by name, or a file.

use std::path::Path;

use edgesmith_pass::{Pipeline, PipelineError, Registry, nearest};

use crate::Failure;
use crate::failure::SourceText;
use crate::text_file::read_text;

/// Reads a pipeline: the preset of that name, else the file of that path.
pub fn read_pipeline(choice: &str, registry: &Registry) -> Result<Pipeline, Failure> {
    let (name, text) = text_of(choice, registry)?;
    Pipeline::parse(&text, registry).map_err(|error| failure_in(error, name, text))
}

/// Reads a pipeline as [`read_pipeline`] does, and tells everything that is wrong with it: at least one failure.
pub fn check_pipeline(choice: &str, registry: &Registry) -> Result<Pipeline, Vec<Failure>> {
    let (name, text) = text_of(choice, registry).map_err(|failure| vec![failure])?;
    Pipeline::parse_all(&text, registry).map_err(|problems| {
        problems.into_iter().map(|problem| failure_in(problem, name.clone(), text.clone())).collect()
    })
}

/// What is wrong with a pipeline that was read by [`read_pipeline`], pointing into its text.
pub fn pipeline_failure(error: PipelineError, choice: &str, pipeline: &Pipeline) -> Failure {
    failure_in(error, choice.to_owned(), pipeline.text.clone())
}

fn failure_in(error: PipelineError, name: String, text: String) -> Failure {
    Failure {
        fault: crate::Fault::Usage,
        message: error.message,
        source_text: Some(Box::new(SourceText { name, text, span: error.spot.map(|spot| (spot.start, spot.end)) })),
        help: error.help,
    }
}

/// What errors call a pipeline, and its text.
fn text_of(choice: &str, registry: &Registry) -> Result<(String, String), Failure> {
    Ok(match registry.preset_text(choice) {
        Some(text) => (format!("preset '{choice}'"), text.to_owned()),
        None => (choice.to_owned(), read_file(choice, registry)?),
    })
}

fn read_file(choice: &str, registry: &Registry) -> Result<String, Failure> {
    read_text(Path::new(choice)).map_err(|why| {
        let presets: Vec<&str> = registry.presets().map(|(name, _)| name).collect();
        let list = format!("the presets are: {}", presets.join(", "));
        if Path::new(choice).exists() {
            return Failure::usage(format!("{choice} cannot be read as a pipeline: {why}"))
                .with_help(format!("a pipeline is a TOML file or a preset; {list}"));
        }
        Failure::usage(format!("there is no preset '{choice}', and the file cannot be read: {why}"))
            .with_help(nearest(choice, presets.iter()).unwrap_or(list))
    })
}
