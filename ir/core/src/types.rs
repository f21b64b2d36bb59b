//! The types of values: tensors with symbolic shapes, sequences, optionals, and what is only carried.

use smallvec::SmallVec;

use crate::{DType, Dim, Name};

/// The dims of a ranked shape.
pub type Dims = SmallVec<[Dim; 4]>;

/// The shape of a tensor: of unknown rank, or a list of dims.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub enum Shape {
    /// Nothing is known, not even the rank.
    #[default]
    Unranked,
    /// As many dims as the rank; each may still be unknown.
    Ranked(Dims),
}

impl Shape {
    /// The shape of a scalar.
    pub fn scalar() -> Self {
        Shape::Ranked(Dims::new())
    }
    /// A shape of these dims.
    pub fn of<D: Into<Dim>>(dims: impl IntoIterator<Item = D>) -> Self {
        Shape::Ranked(dims.into_iter().map(Into::into).collect())
    }
    /// A shape of a rank with unknown dims.
    pub fn of_rank(rank: usize) -> Self {
        Shape::Ranked(smallvec::smallvec![Dim::Unknown; rank])
    }
    /// The dims, if the rank is known.
    pub fn dims(&self) -> Option<&[Dim]> {
        match self {
            Shape::Unranked => None,
            Shape::Ranked(dims) => Some(dims),
        }
    }
    /// The rank, if known.
    pub fn rank(&self) -> Option<usize> {
        self.dims().map(<[Dim]>::len)
    }
    /// All extents, if every dim is a number.
    pub fn extents(&self) -> Option<SmallVec<[u64; 4]>> {
        self.dims()?.iter().map(Dim::extent).collect()
    }
    /// The number of elements as an expression; unknown for an unknown rank.
    pub fn elements(&self) -> Dim {
        self.dims().map_or(Dim::Unknown, |dims| dims.iter().fold(Dim::Known(1), |product, dim| product.mul(dim)))
    }
    /// Applies `map` to every dim.
    pub fn map(&self, map: impl FnMut(&Dim) -> Dim) -> Self {
        match self {
            Shape::Unranked => Shape::Unranked,
            Shape::Ranked(dims) => Shape::Ranked(dims.iter().map(map).collect()),
        }
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Shape::Unranked => f.write_str("[..]"),
            Shape::Ranked(dims) => {
                f.write_str("[")?;
                for (index, dim) in dims.iter().enumerate() {
                    if index > 0 {
                        f.write_str(",")?;
                    }
                    write!(f, "{dim}")?;
                }
                f.write_str("]")
            }
        }
    }
}

/// Element type and shape of a tensor.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TensorType {
    /// The element type.
    pub dtype: DType,
    /// The shape.
    pub shape: Shape,
}

/// The type of a value.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum ValueType {
    /// Nothing is known, as of a result of an unknown operator.
    #[default]
    Unknown,
    /// A dense tensor.
    Tensor(TensorType),
    /// A sparse tensor; carried, not computed with.
    SparseTensor(TensorType),
    /// A sequence of values of one type.
    Sequence(Box<ValueType>),
    /// A value that may be absent.
    Optional(Box<ValueType>),
    /// A map; carried, not computed with.
    Map(DType, Box<ValueType>),
    /// A type of another domain; carried, not computed with.
    Opaque(Name, Name),
}

impl ValueType {
    /// A tensor type.
    pub fn tensor(dtype: DType, shape: Shape) -> Self {
        ValueType::Tensor(TensorType { dtype, shape })
    }
    /// The tensor type, if it is one.
    pub fn as_tensor(&self) -> Option<&TensorType> {
        match self {
            ValueType::Tensor(tensor) => Some(tensor),
            _ => None,
        }
    }
    /// The element type of a tensor.
    pub fn dtype(&self) -> Option<DType> {
        self.as_tensor().map(|tensor| tensor.dtype)
    }
    /// The shape of a tensor; unranked for everything else.
    pub fn shape(&self) -> &Shape {
        const UNRANKED: &Shape = &Shape::Unranked;
        self.as_tensor().map_or(UNRANKED, |tensor| &tensor.shape)
    }
    /// The dims of a tensor of known rank.
    pub fn dims(&self) -> Option<&[Dim]> {
        self.shape().dims()
    }
    /// The rank of a tensor, if known.
    pub fn rank(&self) -> Option<usize> {
        self.shape().rank()
    }
    /// Applies `map` to every dim of every tensor inside.
    pub fn map_dims(&self, map: &mut dyn FnMut(&Dim) -> Dim) -> Self {
        let tensor =
            |t: &TensorType, map: &mut dyn FnMut(&Dim) -> Dim| TensorType { dtype: t.dtype, shape: t.shape.map(map) };
        match self {
            ValueType::Tensor(t) => ValueType::Tensor(tensor(t, map)),
            ValueType::SparseTensor(t) => ValueType::SparseTensor(tensor(t, map)),
            ValueType::Sequence(inner) => ValueType::Sequence(Box::new(inner.map_dims(map))),
            ValueType::Optional(inner) => ValueType::Optional(Box::new(inner.map_dims(map))),
            ValueType::Map(key, inner) => ValueType::Map(*key, Box::new(inner.map_dims(map))),
            ValueType::Unknown | ValueType::Opaque(..) => self.clone(),
        }
    }
    /// Whether `self` says at least as much as `other` and contradicts nothing in it. A dim is refined by any dim when
    /// it was unknown; a symbolic dim may be replaced by a number (a specialisation), never one number by another.
    pub fn refines(&self, other: &ValueType) -> bool {
        match (self, other) {
            (_, ValueType::Unknown) => true,
            (ValueType::Tensor(a), ValueType::Tensor(b)) | (ValueType::SparseTensor(a), ValueType::SparseTensor(b)) => {
                a.dtype == b.dtype && shape_refines(&a.shape, &b.shape)
            }
            (ValueType::Sequence(a), ValueType::Sequence(b)) | (ValueType::Optional(a), ValueType::Optional(b)) => {
                a.refines(b)
            }
            (ValueType::Map(k, a), ValueType::Map(l, b)) => k == l && a.refines(b),
            (a, b) => a == b,
        }
    }
}

fn shape_refines(new: &Shape, old: &Shape) -> bool {
    match (new, old) {
        (_, Shape::Unranked) => true,
        (Shape::Unranked, Shape::Ranked(_)) => false,
        (Shape::Ranked(a), Shape::Ranked(b)) => {
            a.len() == b.len()
                && a.iter().zip(b).all(|(new, old)| {
                    old.is_unknown() || (!new.is_unknown() && new.compare(old) != crate::DimEq::Different)
                })
        }
    }
}

impl std::fmt::Display for ValueType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ValueType::Unknown => f.write_str("?"),
            ValueType::Tensor(t) => write!(f, "{}{}", t.dtype, t.shape),
            ValueType::SparseTensor(t) => write!(f, "sparse_tensor({}{})", t.dtype, t.shape),
            ValueType::Sequence(inner) => write!(f, "seq({inner})"),
            ValueType::Optional(inner) => write!(f, "optional({inner})"),
            ValueType::Map(key, inner) => write!(f, "map({key}, {inner})"),
            ValueType::Opaque(domain, name) => write!(f, "opaque({domain}, {name})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(dims: &[&str]) -> ValueType {
        ValueType::tensor(DType::F32, Shape::of(dims.iter().map(|dim| Dim::parse(dim).unwrap())))
    }

    #[test]
    fn types_print_as_they_are_written() {
        let pair = tensor(&["N", "?"]);
        for (ty, text) in [
            (ValueType::Unknown, "?"),
            (pair.clone(), "float[N,?]"),
            (ValueType::tensor(DType::I8, Shape::scalar()), "int8[]"),
            (ValueType::tensor(DType::Bool, Shape::Unranked), "bool[..]"),
            (ValueType::Sequence(Box::new(pair.clone())), "seq(float[N,?])"),
            (ValueType::Optional(Box::new(ValueType::Unknown)), "optional(?)"),
            (ValueType::Map(DType::I64, Box::new(pair)), "map(int64, float[N,?])"),
            (ValueType::Opaque("a".into(), "b".into()), "opaque(a, b)"),
        ] {
            assert_eq!(ty.to_string(), text);
        }
    }

    #[test]
    fn a_refinement_says_no_less_and_nothing_else() {
        let any = ValueType::tensor(DType::F32, Shape::Unranked);
        for (new, old, refines) in [
            (tensor(&["N", "3"]), tensor(&["N", "3"]), true),
            (tensor(&["4", "3"]), tensor(&["N", "3"]), true),
            (tensor(&["N", "3"]), tensor(&["?", "?"]), true),
            (tensor(&["N"]), tensor(&["M"]), true),
            (tensor(&["N"]), any.clone(), true),
            (tensor(&["N"]), ValueType::Unknown, true),
            (tensor(&["?", "3"]), tensor(&["N", "3"]), false),
            (tensor(&["4"]), tensor(&["3"]), false),
            (tensor(&["N + 1"]), tensor(&["N"]), false),
            (tensor(&["3"]), tensor(&["3", "1"]), false),
            (any.clone(), tensor(&["N"]), false),
            (ValueType::Unknown, any.clone(), false),
            (ValueType::tensor(DType::I64, Shape::of_rank(1)), tensor(&["?"]), false),
        ] {
            assert_eq!(new.refines(&old), refines, "{new} {old}");
            let sequence = |ty: &ValueType| ValueType::Sequence(Box::new(ty.clone()));
            assert_eq!(sequence(&new).refines(&sequence(&old)), refines, "{new} {old}");
            assert!(!sequence(&new).refines(&any));
        }
    }

    #[test]
    fn shapes_count_their_elements() {
        let shape = |dims: &[&str]| tensor(dims).shape().clone();
        assert_eq!(shape(&["N", "3", "4"]).elements().to_string(), "12*N");
        assert_eq!(shape(&["0", "?"]).elements(), Dim::Known(0));
        assert_eq!(Shape::scalar().elements(), Dim::Known(1));
        assert_eq!(Shape::Unranked.elements(), Dim::Unknown);
        assert_eq!(shape(&["2", "3"]).extents().unwrap().as_slice(), [2, 3]);
        assert_eq!(shape(&["2", "N"]).extents(), None);
        assert_eq!(Shape::of_rank(2).to_string(), "[?,?]");
    }

    #[test]
    fn dims_are_mapped_everywhere() {
        let nested = ValueType::Optional(Box::new(ValueType::Sequence(Box::new(tensor(&["N", "2"])))));
        let bound = nested.map_dims(&mut |dim| dim.substitute(&|_| Some(Dim::Known(7))));
        assert_eq!(bound.to_string(), "optional(seq(float[7,2]))");
    }
}
