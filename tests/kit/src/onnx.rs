//! A model written as ONNX and read again.

use bytes::Bytes;
use edgesmith_backend::{Backend, LowerCx};
use edgesmith_backend_onnx::OnnxBackend;
use edgesmith_frontend::NoExternalData;
use edgesmith_frontend_onnx::{ImportOptions, import};
use edgesmith_ir::Model;

/// The model as it comes back from the bytes of its file.
pub(crate) fn through_onnx(model: &Model) -> Result<Model, String> {
    let lowered = OnnxBackend::default().lower(model, &LowerCx::default());
    let artefact = lowered.map_err(|error| format!("it cannot be written as ONNX: {error}"))?;
    let mut files = artefact.to_memory("model.onnx").map_err(|error| error.to_string())?;
    if files.len() != 1 {
        return Err(format!("its ONNX form has {} files", files.len()));
    }
    let read = import(Bytes::from(files.remove(0).1), &NoExternalData, &ImportOptions::default());
    let mut read = read.map_err(|error| format!("its ONNX form cannot be read: {error}"))?.model;
    read.compact().map_err(|cycle| cycle.to_string())?;
    // A file has one entry and no name for it.
    read.entries = model.entries.keys().cloned().zip(read.entries.into_values()).collect();
    // Nor does it hold facts about symbols.
    for (name, facts) in model.symbols.iter() {
        read.symbols.assume(name.clone(), *facts);
    }
    Ok(read)
}
