//! What is known of the elements of a small tensor: numbers and symbolic expressions, so that shape arithmetic folds
//! under a dynamic batch.

use std::sync::Arc;

use crate::{DType, Dim, Tensor};

/// One element.
#[derive(Clone, PartialEq, Debug, Default)]
pub enum Item {
    /// Nothing is known.
    #[default]
    Unknown,
    /// An integer or a bool (0, 1), perhaps symbolic.
    Int(Dim),
    /// A float, followed because exporters compute sizes through floats.
    Float(f64),
}

impl Item {
    /// The integer, unknown for everything else.
    pub fn dim(&self) -> Dim {
        match self {
            Item::Int(dim) => dim.clone(),
            _ => Dim::Unknown,
        }
    }
    /// The integer, if it is a number.
    pub fn int(&self) -> Option<i64> {
        self.dim().known()
    }
}

impl From<Dim> for Item {
    fn from(dim: Dim) -> Self {
        if dim.is_unknown() { Item::Unknown } else { Item::Int(dim) }
    }
}

/// The elements of a tensor in row-major order; the shape is that of the type, all of whose dims are numbers.
#[derive(Clone, PartialEq, Debug)]
pub struct Contents(Arc<[Item]>);

impl Contents {
    /// The largest number of elements that is followed.
    pub const LIMIT: usize = 256;

    /// These elements, unless they are too many or nothing is known of any.
    pub fn new(items: Vec<Item>) -> Option<Self> {
        (items.len() <= Self::LIMIT && (items.is_empty() || items.iter().any(|item| *item != Item::Unknown)))
            .then(|| Self(items.into()))
    }
    /// The elements of a constant, if it is small and numeric.
    pub fn of_tensor(tensor: &Tensor) -> Option<Self> {
        if tensor.len() > Self::LIMIT as u64 {
            return None;
        }
        let items = match tensor.dtype() {
            DType::F32 | DType::F64 | DType::F16 | DType::BF16 => {
                tensor.to_f64()?.into_iter().map(Item::Float).collect()
            }
            _ => tensor.to_ints()?.into_iter().map(|n| Item::Int(Dim::Known(n))).collect(),
        };
        Self::new(items)
    }
    /// The elements.
    pub fn items(&self) -> &[Item] {
        &self.0
    }
    /// All elements as dims; unknown where they are not integers.
    pub fn dims(&self) -> Vec<Dim> {
        self.0.iter().map(Item::dim).collect()
    }
    /// All elements, if every one is a number.
    pub fn ints(&self) -> Option<Vec<i64>> {
        self.0.iter().map(Item::int).collect()
    }
}
