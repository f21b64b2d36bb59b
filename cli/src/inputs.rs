//! Inputs: read from .npz files, fitted to models, or made up.

use std::path::Path;

use bytes::Bytes;
use edgesmith_exec::npz;
use edgesmith_exec::seeded::Seeds;
use edgesmith_exec::{Value, Values};
use edgesmith_frontend::{Format, Source, SourceError};
use edgesmith_ir::{Def, Model, Name, ValueType};
use indexmap::IndexMap;

use crate::Failure;

/// Reads an .npz (several arrays by name) or an .npy (one array, named after the file).
pub fn read_npz(path: &Path) -> Result<Values, Failure> {
    let advice = "write the arrays with numpy.savez, and give that .npz file";
    let source = Source::open(path).map_err(|error| match error {
        SourceError::Folder(path) => {
            Failure::model(format!("'{}' is a folder; give the .npz file in it", path.display()))
        }
        SourceError::FolderFormat { path, found } => {
            Failure::model(format!("'{}' is {found}, not NumPy arrays", path.display())).with_help(advice)
        }
        error => Failure::model(error.to_string()),
    })?;
    let bytes: Bytes = source.bytes();
    if let Some(found) = Format::detect(&bytes).filter(|found| *found != Format::NumPy) {
        let message = format!("{}: this is {found}, not NumPy arrays", path.display());
        return Err(Failure::model(message).with_help(advice));
    }
    let failed = |error: npz::NpzError| {
        let advised = matches!(error, npz::NpzError::Malformed(_));
        let failure = Failure::model(format!("{}: {error}", path.display()));
        if advised { failure.with_help(advice) } else { failure }
    };
    let arrays = if npz::is_npz(&bytes) {
        npz::decode_npz(&bytes, LIMIT_BYTES).map_err(failed)?
    } else {
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        [(Name::from(name), npz::decode_npy(&bytes, LIMIT_BYTES).map_err(failed)?)].into_iter().collect()
    };
    if arrays.is_empty() {
        return Err(Failure::model(format!("{} holds no arrays", path.display())).with_help(advice));
    }
    Ok(arrays.into_iter().map(|(name, tensor)| (name, Value::Tensor(tensor))).collect())
}

/// Data larger than this are refused instead of filling the memory.
const LIMIT_BYTES: u64 = 16 << 30;

/// Fails when the inputs are not those of the model: what is missing, what is too much, what has another type.
pub fn fit_inputs(model: &Model, inputs: &Values) -> Result<(), Failure> {
    let Some(graph) = model.main_graph() else { return Err(Failure::model("the model has no graph")) };
    let mut names: Vec<Name> = Vec::new();
    for value in graph.inputs() {
        let row = graph.value(*value);
        names.push(row.name().clone());
        let has_default = matches!(row.def(), Def::Input { default: Some(_) });
        match inputs.get(row.name()) {
            None if has_default => {}
            None => {
                let given: Vec<&str> = inputs.keys().map(Name::as_str).collect();
                return Err(Failure::model(format!(
                    "the inputs lack '{}' ({}); they hold: {}",
                    row.name(),
                    row.ty(),
                    given.join(", ")
                )));
            }
            Some(given) => {
                fits(row.ty(), given).map_err(|why| Failure::model(format!("input '{}': {why}", row.name())))?;
            }
        }
    }
    if let Some(extra) = inputs.keys().find(|name| !names.contains(name)) {
        let list: Vec<&str> = names.iter().map(Name::as_str).collect();
        return Err(Failure::model(format!("the model has no input '{extra}'; its inputs are: {}", list.join(", "))));
    }
    Ok(())
}

fn fits(wanted: &ValueType, given: &Value) -> Result<(), String> {
    let (ValueType::Tensor(wanted), Some(tensor)) = (wanted, given.as_tensor()) else { return Ok(()) };
    if wanted.dtype != tensor.dtype() {
        return Err(format!("it takes {}, not {}", wanted.dtype, tensor.dtype()));
    }
    let Some(dims) = wanted.shape.dims() else { return Ok(()) };
    let fits = dims.len() == tensor.rank()
        && dims.iter().zip(tensor.shape()).all(|(dim, extent)| dim.extent().is_none_or(|n| n == *extent));
    if fits { Ok(()) } else { Err(format!("it takes {}, not {:?}", wanted.shape, tensor.shape())) }
}

/// Seeded inputs for checking a whole model, in groups of which the first that the model runs on counts: batch 1 and 3
/// where the batch is symbolic, and sizes that grow for models that refuse small ones.
pub fn end_to_end_inputs(model: &Model) -> Vec<Vec<Values>> {
    let Some(graph) = model.main_graph() else { return Vec::new() };
    let (mut batches, mut sizes): (Vec<Name>, Vec<Name>) = (Vec::new(), Vec::new());
    for value in graph.inputs() {
        for (axis, dim) in graph.value(*value).ty().dims().unwrap_or_default().iter().enumerate() {
            let list = if axis == 0 { &mut batches } else { &mut sizes };
            dim.visit_symbols(&mut |name| {
                if !list.contains(name) {
                    list.push(name.clone());
                }
            });
        }
    }
    sizes.retain(|name| !batches.contains(name));
    let make = |seed: u64, batch: u64, size: u64| {
        let symbols: IndexMap<Name, u64> = batches
            .iter()
            .map(|name| (name.clone(), batch))
            .chain(sizes.iter().map(|name| (name.clone(), size)))
            .collect();
        Seeds { seed, symbols, extent: size.min(16), ..Seeds::default() }.inputs(model, None).ok()
    };
    let group = |size: u64| -> Vec<Values> {
        let second = if batches.is_empty() { 1 } else { 3 };
        [make(1, 1, size), make(2, second, size)].into_iter().flatten().collect()
    };
    let tried: &[u64] = if sizes.is_empty() { &[1] } else { &[16, 64, 224] };
    tried.iter().map(|size| group(*size)).filter(|group| !group.is_empty()).collect()
}
