#![doc = include_str!("../README.md")]

mod attribute;
mod error;
mod function;
mod graph;
mod lift;
mod limits;
mod model;
mod names;
mod node;
mod opset;
mod plan;
mod scope;
mod tensor;
mod types;

use bytes::Bytes;
use edgesmith_frontend::{Diagnostics, ExternalData, NoExternalData};
use edgesmith_ir::{Model, Operators, Tensor};
use edgesmith_onnx_proto::TensorProto;

pub use error::{ImportError, NodeFault, TensorFault, UnknownOperator};
pub use opset::{NEWEST_OPSET, OLDEST_OPSET};

/// How to read a model.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// Read operator sets newer than [`NEWEST_OPSET`] as if they were that one.
    pub allow_unknown_opset: bool,
    /// Go on where operators contradict their operands or the file its own types: warn instead.
    pub lenient: bool,
    /// Operators of other domains that are known from outside.
    pub operators: Operators,
}

/// A model that was read.
#[derive(Debug)]
pub struct Import {
    /// The model, verified.
    pub model: Model,
    /// What was odd.
    pub diagnostics: Diagnostics,
}

/// Reads an ONNX model. `bytes` may be a memory map; weights stay in it. `external` answers for weights in other files.
///
/// # Errors
///
/// [`ImportError`], when the bytes are no model, or not one that means something.
pub fn import(bytes: Bytes, external: &dyn ExternalData, options: &ImportOptions) -> Result<Import, ImportError> {
    model::import(bytes, external, options)
}

/// Reads one `TensorProto`, as files of inputs and outputs hold them; its typed data are taken out of the message.
///
/// # Errors
///
/// [`TensorFault`], when it is no tensor, or keeps its data in another file.
pub fn read_tensor(proto: &mut TensorProto) -> Result<Tensor, TensorFault> {
    tensor::dense(proto, &NoExternalData)
}
