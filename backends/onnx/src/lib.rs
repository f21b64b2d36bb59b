#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod encode;
mod ir_version;
mod lower;
mod naming;
mod node;
mod opset;
mod options;
mod place;
mod plan;
mod slots;
mod write;

pub use options::{ExternalData, Options};
pub use write::OnnxBackend;
