//! Operators that are carried, not understood: those of other domains, and calls of the model's own functions.

use crate::{Attribute, Name};

/// An operator that has no typed form. It passes through every pipeline unchanged.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CustomOp {
    /// The domain; empty for ai.onnx.
    pub domain: Name,
    /// The operator's name.
    pub name: Name,
    /// The overload; empty for most.
    pub overload: Name,
    /// Attributes in the order of the file. [`Attribute::Graph`] holds the index of a region.
    pub attributes: Vec<(Name, Attribute)>,
}

/// What identifies a function of the model.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FunctionKey {
    /// Its domain.
    pub domain: Name,
    /// Its name.
    pub name: Name,
    /// Its overload; empty for most.
    pub overload: Name,
}

/// A call of a function of the model.
///
/// Region 0, where there is one, is the function's body made for this call: attributes put in, operators typed. Its
/// inputs are the call's operands (absent ones excluded), its outputs the call's results. Without a region the call is
/// opaque. A backend writes the call back as long as the region is as the frontend made it
/// ([`Graph::is_pristine`](crate::Graph::is_pristine)); else it writes the region in place of the call.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Call {
    /// The function.
    pub function: FunctionKey,
    /// The call's attributes.
    pub attributes: Vec<(Name, Attribute)>,
}
