//! What `optimize` is asked to do: one job for each pipeline, with the data it measures on and the place of its result.

use std::path::{Path, PathBuf};

use edgesmith_pass::{DataSection, Paths, Pipeline, Registry};

use crate::Failure;
use crate::args::OptimizeArgs;
use crate::pipelines::{pipeline_failure, read_pipeline};

/// Everything that runs, all of it on one model.
pub(super) struct Jobs {
    /// The model to read.
    pub(super) input: PathBuf,
    /// In the order of the command line.
    pub(super) list: Vec<Job>,
    /// A folder for the results that may have to be made.
    folder: Option<PathBuf>,
}

/// One pipeline.
pub(super) struct Job {
    /// A short name, unlike that of every other job.
    pub(super) name: String,
    /// What runs.
    pub(super) pipeline: Pipeline,
    /// Data to measure losses on.
    pub(super) calibration: Option<DataSection>,
    /// Data to measure accuracy on.
    pub(super) labelled: Option<DataSection>,
    /// Where the result goes.
    pub(super) output: PathBuf,
}

/// Reads the pipelines and finds out what they need; nothing is run or written yet.
pub(super) fn plan(args: &OptimizeArgs, registry: &Registry) -> Result<Jobs, Failure> {
    let mut choices: Vec<&str> = args.pipeline.iter().chain(&args.preset).map(String::as_str).collect();
    if let Some(unknown) = args.preset.iter().find(|preset| registry.preset_text(preset).is_none()) {
        let names: Vec<&str> = registry.presets().map(|(name, _)| name).collect();
        return Err(Failure::usage(format!("there is no preset '{unknown}'"))
            .with_help(format!("the presets are: {}", names.join(", "))));
    }
    if choices.is_empty() {
        choices.push("lossless");
    }
    let pipelines: Vec<Pipeline> =
        choices.iter().map(|choice| read_pipeline(choice, registry)).collect::<Result<_, _>>()?;
    let input = input(args, &choices, &pipelines)?;
    let several = pipelines.len() > 1;
    let folder = args.output.clone().filter(|_| several);
    if let Some(folder) = folder.as_ref().filter(|folder| folder.exists() && !folder.is_dir() || is_model(folder)) {
        return Err(Failure::usage(format!("{} cannot hold the results of several pipelines", folder.display()))
            .with_help("with several pipelines --output names a folder"));
    }
    let mut list: Vec<Job> = Vec::new();
    for (choice, pipeline) in choices.into_iter().zip(pipelines) {
        let calibration = data(args.calibration.as_deref(), pipeline.calibration.as_ref());
        // Labelled data become inputs as calibration data do, where nothing else is said.
        let labelled = data(args.labelled.as_deref(), pipeline.labelled.as_ref()).map(|mut section| {
            if section.inputs.is_empty()
                && let Some(calibration) = &pipeline.calibration
            {
                section.inputs.clone_from(&calibration.inputs);
            }
            section
        });
        pipeline
            .check_data(calibration.is_some(), labelled.is_some())
            .map_err(|error| pipeline_failure(error, choice, &pipeline))?;
        let name = name(choice, &list);
        let output = output(args, &pipeline, &input, several.then_some(name.as_str()))?;
        if let Some(other) = list.iter().find(|other| other.output == output) {
            return Err(Failure::usage(format!(
                "the pipelines '{}' and '{name}' would both write {}",
                other.name,
                output.display()
            ))
            .with_help("name different files in their [[emit]], or none"));
        }
        list.push(Job { name, pipeline, calibration, labelled, output });
    }
    Ok(Jobs { input, list, folder })
}

impl Jobs {
    /// Makes the folder that the command line names for several results, where it is missing.
    pub(super) fn make_folder(&self) -> Result<(), Failure> {
        let Some(folder) = self.folder.as_ref().filter(|folder| !folder.is_dir()) else { return Ok(()) };
        std::fs::create_dir(folder)
            .map_err(|error| Failure::usage(format!("the folder {} cannot be made: {error}", folder.display())))
    }
}

fn is_model(path: &Path) -> bool {
    !path.is_dir() && path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("onnx"))
}

/// The model: the command line's, else the one that the pipelines name.
fn input(args: &OptimizeArgs, choices: &[&str], pipelines: &[Pipeline]) -> Result<PathBuf, Failure> {
    if let Some(path) = &args.model {
        return Ok(path.clone());
    }
    let mut named =
        choices.iter().zip(pipelines).filter_map(|(choice, pipeline)| Some((choice, pipeline.input.as_ref()?)));
    let Some((choice, first)) = named.next() else {
        return Err(
            Failure::usage("no model is given").with_help("name an .onnx file, or one in the pipeline's [model]")
        );
    };
    match named.find(|(_, other)| *other != first) {
        Some((other, path)) => Err(Failure::usage(format!(
            "'{choice}' names the model {first} and '{other}' the model {path}"
        ))
        .with_help("name one model on the command line; pipelines that run together are compared on the same model")),
        None => Ok(PathBuf::from(first)),
    }
}

/// The data that the command line or the pipeline names; the command line wins, and what the pipeline says of the inputs
/// holds for its data too. `None` where neither names any.
fn data(path: Option<&str>, section: Option<&DataSection>) -> Option<DataSection> {
    let mut section = section.cloned().unwrap_or_default();
    if let Some(path) = path {
        section.data = Paths::One(path.to_owned());
    }
    (!section.data.is_none()).then_some(section)
}

/// A pipeline's short name: that of its file without folder and extension, numbered where another job has it.
fn name(choice: &str, others: &[Job]) -> String {
    let stem = Path::new(choice).file_stem().map_or_else(|| choice.into(), |stem| stem.to_string_lossy().into_owned());
    let free = |name: &String| !others.iter().any(|job| job.name == *name);
    let numbered = (2..).map(|number| format!("{stem}-{number}"));
    std::iter::once(stem.clone()).chain(numbered).find(free).unwrap_or(stem)
}

/// Where a result goes: as the command line says, else as the pipeline says, else beside the model; the `name` of the
/// pipeline becomes part of the file's name when there are several.
fn output(args: &OptimizeArgs, pipeline: &Pipeline, input: &Path, name: Option<&str>) -> Result<PathBuf, Failure> {
    if let Some(emit) = pipeline.emits.iter().find(|emit| emit.backend != "onnx") {
        return Err(
            Failure::usage(format!("there is no backend '{}'", emit.backend)).with_help("the backends are: onnx")
        );
    }
    let emitted = pipeline.emits.iter().find_map(|emit| emit.output.as_ref());
    let stem = input.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(match (&args.output, emitted, name) {
        (Some(folder), _, Some(name)) => folder.join(format!("{stem}.{name}.onnx")),
        (Some(path), _, None) => path.clone(),
        (None, Some(path), _) => PathBuf::from(path),
        (None, None, Some(name)) => input.with_file_name(format!("{stem}.{name}.onnx")),
        (None, None, None) => input.with_file_name(format!("{stem}.opt.onnx")),
    })
}
