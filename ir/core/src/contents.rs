//! What is known of the elements of a small tensor: numbers and symbolic expressions, so that shape arithmetic folds
//! under a dynamic batch.

use std::sync::Arc;

use crate::{DType, Dim, Tensor};

/// One element. Floats are equal when their bits are.
#[derive(Clone, Debug, Default)]
pub enum Item {
    /// Nothing is known.
    #[default]
    Unknown,
    /// An integer or a bool (0, 1), perhaps symbolic.
    Int(Dim),
    /// A float, followed because exporters compute sizes through floats.
    Float(f64),
}

impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Item::Unknown, Item::Unknown) => true,
            (Item::Int(a), Item::Int(b)) => a == b,
            (Item::Float(a), Item::Float(b)) => a.to_bits() == b.to_bits(),
            _ => false,
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numeric_constants_are_known() {
        let of = |tensor: Tensor| Contents::of_tensor(&tensor);
        assert_eq!(of(Tensor::from_ints(&[1, -1])).unwrap().ints(), Some(vec![1, -1]));
        assert_eq!(of(Tensor::scalar(2.5_f32)).unwrap().items(), [Item::Float(2.5)]);
        assert_eq!(of(Tensor::scalar(half::f16::from_f32(0.1))).unwrap().items(), [Item::Float(0.099_975_585_937_5)]);
        let bools = Tensor::from_bools(vec![2_u64], &[true, false]).unwrap();
        assert_eq!(of(bools).unwrap().ints(), Some(vec![1, 0]));
        assert_eq!(of(Tensor::from_ints(&[])).unwrap().items(), []);
        assert_eq!(of(Tensor::from_ints(&[0; Contents::LIMIT])).unwrap().items().len(), Contents::LIMIT);
        assert_eq!(of(Tensor::from_ints(&[0; Contents::LIMIT + 1])), None);
        assert_eq!(of(Tensor::scalar(u64::MAX)), None);
        assert_eq!(of(Tensor::strings(vec![1_u64], vec!["a".into()]).unwrap()), None);
    }

    #[test]
    fn what_says_nothing_is_not_kept() {
        assert_eq!(Contents::new(vec![Item::Unknown; 3]), None);
        let some = Contents::new(vec![Item::Unknown, Item::Int(Dim::symbol("N"))]).unwrap();
        assert_eq!(some.dims(), [Dim::Unknown, Dim::symbol("N")]);
        assert_eq!(some.ints(), None);
        assert_eq!(Item::from(Dim::Unknown), Item::Unknown);
        assert_eq!(Item::Float(1.0).int(), None);
    }

    #[test]
    fn elements_equal_themselves_and_zeros_have_signs() {
        assert_eq!(Item::Float(f64::NAN), Item::Float(f64::NAN));
        assert_ne!(Item::Float(0.0), Item::Float(-0.0));
        assert_ne!(Item::Float(1.0), Item::Int(Dim::Known(1)));
    }
}
