//! From a plan with names to bytes.

mod external;
mod graph;
mod model;
mod rope;
mod tensor;
mod types;

pub(crate) use external::External;
pub(crate) use graph::{Form, form};
pub(crate) use model::{ModelFile, encode};
