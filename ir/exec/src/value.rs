//! Values at run time.

use edgesmith_ir::{Shape, Tensor, ValueType};

/// A value that an engine takes or gives.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A tensor.
    Tensor(Tensor),
    /// A sequence.
    Sequence(Vec<Value>),
    /// A value that may be absent.
    Optional(Option<Box<Value>>),
}

impl Value {
    /// The tensor, if it is one.
    pub fn as_tensor(&self) -> Option<&Tensor> {
        match self {
            Value::Tensor(tensor) => Some(tensor),
            _ => None,
        }
    }
    /// The most precise type of the value; the element type of an empty sequence or optional is unknown.
    pub fn ty(&self) -> ValueType {
        match self {
            Value::Tensor(tensor) => ValueType::tensor(tensor.dtype(), Shape::of(tensor.shape().iter().copied())),
            Value::Sequence(items) => ValueType::Sequence(Box::new(items.first().map(Value::ty).unwrap_or_default())),
            Value::Optional(inner) => ValueType::Optional(Box::new(inner.as_ref().map(|v| v.ty()).unwrap_or_default())),
        }
    }
}

impl From<Tensor> for Value {
    fn from(tensor: Tensor) -> Self {
        Value::Tensor(tensor)
    }
}
