//! The machine-readable account of what a backend wrote.

use serde::{Deserialize, Serialize};

/// What a backend wrote.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Manifest {
    /// The backend.
    pub backend: String,
    /// The format's own versions, by name (`ir`, `opset`, `opset ai.onnx.ml`), in the order that the backend gives.
    pub versions: Vec<(String, String)>,
    /// The files in the order written; the main one last.
    pub files: Vec<ManifestFile>,
    /// Operators in the result by kind, ordered by kind.
    pub operators: Vec<(String, u64)>,
    /// Bytes of constant data.
    pub weight_bytes: u64,
}

/// One file of an artefact.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ManifestFile {
    /// The bare file name; empty until the artefact was published.
    pub name: String,
    /// What it holds.
    pub role: String,
    /// Its size in bytes.
    pub bytes: u64,
}
