//! Operators built straight from tract-core, one file per family.
//!
//! Every function gets the operator and the part that holds its operands, and returns outlets of its results; `None`
//! where it does not cover the case (an element type, a form), which then takes another route or is refused.

pub(crate) mod activation;
pub(crate) mod attention;
pub(crate) mod elementwise;
pub(crate) mod gather;
pub(crate) mod movement;
pub(crate) mod normalization;
pub(crate) mod product;
pub(crate) mod quantized;
pub(crate) mod reduce;
pub(crate) mod signal;
pub(crate) mod vision;
pub(crate) mod window;

use edgesmith_ir::Op;

use super::part::{Native, Part};

/// A native lowering of one or several kinds of operators.
pub(crate) type NativeFn = fn(&Op, &mut Part) -> Native;
