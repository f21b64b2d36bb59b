//! What is certain of a value that may come from one of several places: branches of an If, trips of a Loop, elements of
//! a sequence.

use super::checks::known_or_fresh;
use crate::infer::InferCx;
use crate::{Contents, Dim, Item, Shape, ValueType};

/// The type that both types agree on. Dims that differ are unknown, and so is the rank where it differs.
pub(super) fn join_types(a: &ValueType, b: &ValueType) -> ValueType {
    match (a, b) {
        (a, b) if a == b => a.clone(),
        (ValueType::Tensor(a), ValueType::Tensor(b)) if a.dtype == b.dtype => {
            ValueType::tensor(a.dtype, join_shapes(&a.shape, &b.shape))
        }
        (ValueType::Sequence(a), ValueType::Sequence(b)) => ValueType::Sequence(Box::new(join_types(a, b))),
        (ValueType::Optional(a), ValueType::Optional(b)) => ValueType::Optional(Box::new(join_types(a, b))),
        _ => ValueType::Unknown,
    }
}

fn join_shapes(a: &Shape, b: &Shape) -> Shape {
    match (a.dims(), b.dims()) {
        (Some(a), Some(b)) if a.len() == b.len() => {
            Shape::Ranked(a.iter().zip(b).map(|(a, b)| if a.same(b) { a.clone() } else { Dim::Unknown }).collect())
        }
        _ => Shape::Unranked,
    }
}

/// The elements that both agree on.
pub(super) fn join_contents(a: &Contents, b: &Contents) -> Option<Vec<Item>> {
    let (a, b) = (a.items(), b.items());
    let both = a.iter().zip(b).map(|(a, b)| if a == b { a.clone() } else { Item::Unknown });
    (a.len() == b.len()).then(|| both.collect())
}

/// The type without any shape.
pub(super) fn shapeless(ty: &ValueType) -> ValueType {
    match ty {
        ValueType::Tensor(tensor) => ValueType::tensor(tensor.dtype, Shape::Unranked),
        ValueType::Sequence(inner) => ValueType::Sequence(Box::new(shapeless(inner))),
        ValueType::Optional(inner) => ValueType::Optional(Box::new(shapeless(inner))),
        _ => ValueType::Unknown,
    }
}

/// The type with a symbol of the result's own for every unknown dim of a tensor: within one run it has one size.
pub(super) fn with_own_symbols(cx: &InferCx<'_>, result: usize, ty: &ValueType) -> ValueType {
    match (ty, ty.dims()) {
        (ValueType::Tensor(tensor), Some(dims)) => {
            let dims = dims.iter().enumerate().map(|(axis, dim)| known_or_fresh(cx, dim.clone(), result, axis));
            ValueType::tensor(tensor.dtype, Shape::Ranked(dims.collect()))
        }
        _ => ty.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::rule_test::ty;
    use super::*;

    #[test]
    fn only_what_both_say_is_certain() {
        for (a, b, expected) in [
            ("float[N,3]", "float[N,3]", "float[N,3]"),
            ("float[N,3]", "float[N,4]", "float[N,?]"),
            ("float[?]", "float[?]", "float[?]"),
            ("float[N]", "float[N,3]", "float[..]"),
            ("float[N]", "int64[N]", "?"),
            ("float[N]", "?", "?"),
        ] {
            assert_eq!(join_types(&ty(a), &ty(b)), ty(expected), "{a} {b}");
            let sequence = |text| ValueType::Sequence(Box::new(ty(text)));
            assert_eq!(join_types(&sequence(a), &sequence(b)), sequence(expected), "{a} {b}");
        }
        let sequence = ValueType::Sequence(Box::new(ty("float[N]")));
        assert_eq!(join_types(&sequence, &ty("float[N]")), ValueType::Unknown);
        assert_eq!(shapeless(&sequence).to_string(), "seq(float[..])");
    }
}
