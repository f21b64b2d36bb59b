//! Models on disk: reading, binding dims, writing.

use std::path::{Path, PathBuf};

use edgesmith_backend::{Backend, BackendSpec, Existing, LowerCx, Published, publish};
use edgesmith_backend_onnx::{OnnxBackend, Options as OnnxOptions};
use edgesmith_frontend::{Diagnostics, Source};
use edgesmith_frontend_onnx::ImportOptions;
use edgesmith_ir::{Dim, Model, Name};

use crate::Failure;

/// A model that was read from a file.
#[derive(Debug)]
pub struct ModelFile {
    /// Where it was read from.
    pub path: PathBuf,
    /// The model.
    pub model: Model,
    /// What was odd about the file.
    pub diagnostics: Diagnostics,
    /// Bytes of the file and of the files beside it that hold its weights.
    pub bytes: u64,
}

impl ModelFile {
    /// Reads a model. Weights stay in the mapped file.
    pub fn read(path: &Path, options: &ImportOptions) -> Result<Self, Failure> {
        let source = Source::open(path).map_err(|error| Failure::model(error.to_string()))?;
        let import = edgesmith_frontend_onnx::import(source.bytes(), source.external(), options)
            .map_err(|error| Failure::model(format!("{}: {error}", path.display())))?;
        let inline = source.bytes();
        let bytes = inline.len() as u64 + external_bytes(&import.model, &inline);
        Ok(Self { path: path.to_owned(), model: import.model, diagnostics: import.diagnostics, bytes })
    }
}

/// Bytes of weights that lie in other files than the model's own.
fn external_bytes(model: &Model, inline: &[u8]) -> u64 {
    if !model.metadata.external_data {
        return 0;
    }
    let range = inline.as_ptr_range();
    let outside = |bytes: &[u8]| !range.contains(&bytes.as_ptr());
    model
        .tensors()
        .filter(|(_, entry)| matches!(entry.tensor.data(), edgesmith_ir::TensorData::Dense(bytes) if bytes.len() > 64 && outside(bytes)))
        .map(|(_, entry)| entry.tensor.byte_len())
        .sum()
}

/// A dim that the user gave a number: `batch=1`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DimBinding {
    /// The symbol.
    pub name: Name,
    /// Its number.
    pub extent: u64,
}

impl std::str::FromStr for DimBinding {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, extent) = text.split_once('=').ok_or("write NAME=NUMBER, as in batch=1")?;
        let extent = extent.trim().parse().map_err(|_| format!("'{extent}' is not a size"))?;
        Ok(Self { name: name.trim().into(), extent })
    }
}

/// Gives symbolic dims numbers, everywhere in the model.
pub fn bind_dims(model: &mut Model, bindings: &[DimBinding]) -> Result<(), Failure> {
    if bindings.is_empty() {
        return Ok(());
    }
    let known = symbols(model);
    for binding in bindings {
        if !known.contains(&binding.name) {
            let list: Vec<&str> = known.iter().map(Name::as_str).collect();
            let help = match list.as_slice() {
                [] => "every dim of its inputs is a number already".to_owned(),
                list => edgesmith_pass::nearest(&binding.name, list.iter())
                    .unwrap_or_else(|| format!("its dims are: {}", list.join(", "))),
            };
            return Err(Failure::usage(format!("the model has no dim '{}'", binding.name)).with_help(help));
        }
    }
    model.bind_symbols(&|name| {
        bindings.iter().find(|binding| binding.name == *name).map(|binding| Dim::from(binding.extent))
    });
    let report = model.infer_afresh();
    match report.errors.first() {
        Some(error) => Err(Failure::usage(format!("with these dims the model contradicts itself: {error}"))),
        None => Ok(()),
    }
}

/// The symbols of the inputs' dims that a user can name.
pub fn symbols(model: &Model) -> Vec<Name> {
    let mut names: Vec<Name> = Vec::new();
    let Some(graph) = model.main_graph() else { return names };
    for input in graph.inputs() {
        for dim in graph.value(*input).ty().dims().unwrap_or_default() {
            dim.visit_symbols(&mut |name| {
                if !names.contains(name) {
                    names.push(name.clone());
                }
            });
        }
    }
    names
}

/// Writes a model as ONNX, whole or not at all.
pub fn write_onnx(model: &Model, path: &Path, existing: Existing, options: OnnxOptions) -> Result<Published, Failure> {
    let stem = path.file_stem().map_or_else(|| "model".into(), |stem| stem.to_string_lossy().into_owned());
    let backend = OnnxBackend::new(options);
    let artefact = backend
        .lower(model, &LowerCx { stem: &stem })
        .map_err(|error| Failure::model(format!("the result cannot be written as ONNX: {error}")))?;
    publish(&artefact, path, existing).map_err(|error| {
        use edgesmith_backend::PublishError as E;
        let failure = Failure::usage(error.to_string());
        match error {
            E::Exists(_) => failure.with_help("--force replaces it, --output names another"),
            E::NoFile(_) | E::NoFolder(_) | E::Io { .. } => failure.with_help("--output names another place"),
            _ => failure,
        }
    })
}
