//! A model through its textual form and back: nothing may change.

use edgesmith_ir::Model;
use edgesmith_ir_text::{PrintOptions, parse_model, print_model};

use crate::Failure;

/// Prints the model, reads the text, and returns what was read. Weights travel beside the text.
pub fn through_text(model: &Model) -> Result<Model, Failure> {
    let printed = print_model(model, &PrintOptions::default());
    parse_model(&printed.text, &printed.weights)
        .map_err(|error| Failure::internal(format!("the textual form of the model cannot be read back: {error}")))
}
