//! Sets of value types, as the type variables of operators allow them.

use crate::{DataType, DataTypeSet};

/// The types that a formal input or output may have, by the shape of the type. No operator of `ai.onnx` takes maps, sparse
/// tensors or deeper nesting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct TypeSet {
    /// Tensors of these data types.
    pub tensors: DataTypeSet,
    /// Sequences of tensors of these data types.
    pub sequences: DataTypeSet,
    /// Optional tensors of these data types.
    pub optionals: DataTypeSet,
    /// Optional sequences of tensors of these data types.
    pub optional_sequences: DataTypeSet,
}

impl TypeSet {
    /// Whether a tensor of this data type is allowed.
    pub const fn allows_tensor(&self, data_type: DataType) -> bool {
        self.tensors.contains(data_type)
    }

    /// Whether anything but a tensor is allowed.
    pub const fn allows_more_than_tensors(&self) -> bool {
        !(self.sequences.is_empty() && self.optionals.is_empty() && self.optional_sequences.is_empty())
    }

    /// Whether every type of the other set is one of this.
    pub const fn contains_all(&self, other: &Self) -> bool {
        self.tensors.contains_all(other.tensors)
            && self.sequences.contains_all(other.sequences)
            && self.optionals.contains_all(other.optionals)
            && self.optional_sequences.contains_all(other.optional_sequences)
    }
}
