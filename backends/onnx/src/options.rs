//! What a user can ask of the backend.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Options of the ONNX backend.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Options {
    /// Where weights go.
    pub external_data: ExternalData,
    /// The operator set to write, by default that of the source. Operators that it lacks are written as formulas where it has
    /// one; for the others it is raised as far as they need.
    pub opset: Option<i64>,
    /// Whether the provenance of every operator is written into the model's metadata, under the key `edgesmith.origins`.
    pub origins: bool,
}

/// Where weights go.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ExternalData {
    /// Into the model file, unless the source kept them outside or the file would exceed 2 GiB, which ONNX does not allow.
    #[default]
    Auto,
    /// Into a file beside the model.
    Always,
    /// Into the model file; a model above 2 GiB is refused.
    Never,
}
