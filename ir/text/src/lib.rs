//! The textual form of the edgesmith IR: parser with spans, printer, seeded synthetic weights.

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

/// Reads a model.
pub fn parse_model(text: &str, weights: &dyn WeightSource) -> Result<Model, TextError> {
    let ast = parse::parse(text).map_err(|fault| fault.locate(text))?;
    build::build(&ast, weights).map_err(|fault| fault.locate(text))
}
