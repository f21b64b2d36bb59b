//! What a user can ask of the backend.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Options of the ONNX backend.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Options {
    /// Where weights go.
    pub external_data: ExternalData,
    /// The operator set to write, raised as far as the operators need; by default that of the source.
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
