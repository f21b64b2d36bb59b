#![doc = include_str!("../README.md")]

mod ast;
mod build;
mod domain;
mod error;
mod init;
mod lexer;
mod parse;
mod print;
mod weights;

pub use error::{Span, TextError};
pub use print::{PrintOptions, Printed, print_model, print_op};
pub use weights::{NoWeights, WeightSource};

use edgesmith_ir::Model;

/// Reads a model; tensors that the text names by hash come from `weights`.
///
/// The model is verified, inferred (types in the text win) and compacted. Fails with the first problem and its place;
/// a fault that only the whole model shows has an empty span at the start.
pub fn parse_model(text: &str, weights: &dyn WeightSource) -> Result<Model, TextError> {
    let ast = parse::parse(text).map_err(|fault| fault.locate(text))?;
    build::build(&ast, weights).map_err(|fault| fault.locate(text))
}
