//! Types in the file, and how what the file declared goes together with what is known now.

use edgesmith_ir::infer::is_fresh_symbol;
use edgesmith_ir::{Dim, Name, Shape, TensorType, ValueType};
use edgesmith_onnx_proto::{
    DimensionProto, DimensionValue, MapTypeProto, OpaqueTypeProto, OptionalTypeProto, SequenceTypeProto,
    SparseTensorTypeProto, TensorShapeProto, TensorTypeProto, TypeProto, TypeValue,
};

/// A type as the file has it; `None` when nothing is known.
pub(crate) fn proto(ty: &ValueType, denotations: &[(Option<u32>, Name)]) -> Option<TypeProto> {
    let denoted = |axis: Option<u32>| {
        denotations.iter().find(|(at, _)| *at == axis).map(|(_, name)| name.to_string()).unwrap_or_default()
    };
    let shape = |shape: &Shape| {
        shape.dims().map(|dims| TensorShapeProto {
            dim: (0..).zip(dims).map(|(axis, dim)| dimension(dim, denoted(Some(axis)))).collect(),
        })
    };
    let inner = |inner: &ValueType| proto(inner, &[]).map(Box::new);
    let value = match ty {
        ValueType::Tensor(tensor) => {
            TypeValue::Tensor(TensorTypeProto { elem_type: tensor.dtype.onnx(), shape: shape(&tensor.shape) })
        }
        ValueType::SparseTensor(tensor) => TypeValue::SparseTensor(SparseTensorTypeProto {
            elem_type: tensor.dtype.onnx(),
            shape: shape(&tensor.shape),
        }),
        ValueType::Sequence(element) => TypeValue::Sequence(SequenceTypeProto { elem_type: inner(element) }),
        ValueType::Optional(element) => TypeValue::Optional(OptionalTypeProto { elem_type: inner(element) }),
        ValueType::Map(key, value) => TypeValue::Map(MapTypeProto { key_type: key.onnx(), value_type: inner(value) }),
        ValueType::Opaque(domain, name) => {
            TypeValue::Opaque(OpaqueTypeProto { domain: domain.to_string(), name: name.to_string() })
        }
        _ => return None,
    };
    Some(TypeProto { value: Some(value), denotation: denoted(None) })
}

/// A dim: a number, a name or an expression. Symbols that inference made up mean nothing outside and are left open.
fn dimension(dim: &Dim, denotation: String) -> DimensionProto {
    let value = match dim {
        Dim::Known(extent) => Some(DimensionValue::Value(*extent)),
        _ if has_fresh_symbol(dim) => None,
        _ => dim.to_param().map(DimensionValue::Parameter),
    };
    DimensionProto { value, denotation }
}

fn has_fresh_symbol(dim: &Dim) -> bool {
    let mut fresh = false;
    dim.visit_symbols(&mut |name| fresh |= is_fresh_symbol(name));
    fresh
}

/// What the main graph declares of an input or output: the names that the file gave to dims stay, what it left open is
/// filled in, and what is known to be otherwise is corrected.
pub(crate) fn interface(declared: Option<&ValueType>, ty: &ValueType) -> ValueType {
    let Some(declared) = declared else { return ty.clone() };
    merge(declared, ty, Shape::clone, &|declared, known| match (declared, known) {
        (Dim::Unknown, known) => known.clone(),
        (Dim::Known(a), Dim::Known(b)) if a != b => known.clone(),
        (Dim::Known(_), Dim::Expr(_)) if !has_fresh_symbol(known) => known.clone(),
        _ => declared.clone(),
    })
    .unwrap_or_else(|| ty.clone())
}

/// What is still true of a declared type of a value in between; `None` when it was changed.
pub(crate) fn interior(declared: &ValueType, ty: &ValueType) -> Option<ValueType> {
    if shapes_differ(declared, ty) {
        return None;
    }
    merge(declared, ty, Shape::clone, &|declared, known| match (declared, known) {
        (_, Dim::Known(_)) => known.clone(),
        (Dim::Unknown, known) => known.clone(),
        (Dim::Known(_), Dim::Expr(_)) if !has_fresh_symbol(known) => known.clone(),
        _ => declared.clone(),
    })
}

/// What is declared of an input or output of a subgraph. What is known now may hold of one run of the subgraph only, so it
/// is not written; it takes away what it contradicts.
pub(crate) fn boundary(declared: Option<&ValueType>, ty: &ValueType) -> ValueType {
    let open = || match ty {
        ValueType::Tensor(tensor) => ValueType::tensor(tensor.dtype, Shape::Unranked),
        ValueType::Sequence(_) | ValueType::Optional(_) | ValueType::Unknown => ValueType::Unknown,
        other => other.clone(),
    };
    let Some(declared) = declared.filter(|declared| **declared != ValueType::Unknown) else { return open() };
    merge(declared, ty, |_| Shape::Unranked, &|declared, known| match (declared, known) {
        (Dim::Known(a), Dim::Known(b)) if a != b => Dim::Unknown,
        _ => declared.clone(),
    })
    .unwrap_or_else(open)
}

/// Two types dim by dim, `unranked` saying what stands for a known shape of which nothing was declared; `None` when they are of
/// different kinds or ranks.
fn merge(
    declared: &ValueType,
    ty: &ValueType,
    unranked: fn(&Shape) -> Shape,
    dim: &dyn Fn(&Dim, &Dim) -> Dim,
) -> Option<ValueType> {
    let tensor = |a: &TensorType, b: &TensorType| {
        let shape = match (a.shape.dims(), b.shape.dims()) {
            (Some(x), Some(y)) if x.len() == y.len() => {
                Shape::Ranked(x.iter().zip(y).map(|(x, y)| dim(x, y)).collect())
            }
            (Some(_), Some(_)) => return None,
            (Some(_), None) => a.shape.clone(),
            (None, _) => unranked(&b.shape),
        };
        (a.dtype == b.dtype).then(|| TensorType { dtype: a.dtype, shape })
    };
    Some(match (declared, ty) {
        (_, ValueType::Unknown) => declared.clone(),
        (ValueType::Unknown, _) => ty.clone(),
        (ValueType::Tensor(a), ValueType::Tensor(b)) => ValueType::Tensor(tensor(a, b)?),
        (ValueType::SparseTensor(a), ValueType::SparseTensor(b)) => ValueType::SparseTensor(tensor(a, b)?),
        (ValueType::Sequence(a), ValueType::Sequence(b)) => ValueType::Sequence(Box::new(merge(a, b, unranked, dim)?)),
        (ValueType::Optional(a), ValueType::Optional(b)) => ValueType::Optional(Box::new(merge(a, b, unranked, dim)?)),
        (ValueType::Map(k, a), ValueType::Map(l, b)) if k == l => {
            ValueType::Map(*k, Box::new(merge(a, b, unranked, dim)?))
        }
        (a, b) if a == b => a.clone(),
        _ => return None,
    })
}

/// Whether two numbers in the same place differ.
fn shapes_differ(declared: &ValueType, ty: &ValueType) -> bool {
    match (declared, ty) {
        (ValueType::Tensor(a), ValueType::Tensor(b)) | (ValueType::SparseTensor(a), ValueType::SparseTensor(b)) => {
            let (Some(x), Some(y)) = (a.shape.dims(), b.shape.dims()) else { return false };
            x.iter().zip(y).any(|pair| matches!(pair, (Dim::Known(m), Dim::Known(n)) if m != n))
        }
        (ValueType::Sequence(a), ValueType::Sequence(b)) | (ValueType::Optional(a), ValueType::Optional(b)) => {
            shapes_differ(a, b)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgesmith_ir::DType;

    fn tensor(dims: &[&str]) -> ValueType {
        let dims = dims.iter().map(|dim| match *dim {
            "?" => Dim::Unknown,
            text => text.parse().map_or_else(|_| Dim::from_param(text), Dim::Known),
        });
        ValueType::tensor(DType::F32, Shape::Ranked(dims.collect()))
    }

    #[test]
    fn the_interface_keeps_the_users_names() {
        let declared = tensor(&["batch", "?", "?", "7", "8"]);
        let known = tensor(&["N*2", "3", "?x.1", "7", "9"]);
        assert_eq!(interface(Some(&declared), &known), tensor(&["batch", "3", "?x.1", "7", "9"]));
        assert_eq!(interface(None, &known), known);
        let scalar = tensor(&[]);
        assert_eq!(interface(Some(&declared), &scalar), scalar, "another rank: what is known counts");
        assert_eq!(interface(Some(&declared), &ValueType::Unknown), declared);
    }

    #[test]
    fn what_changed_inside_is_dropped() {
        assert_eq!(interior(&tensor(&["n", "4"]), &tensor(&["n", "8"])), None);
        assert_eq!(interior(&tensor(&["n", "?"]), &tensor(&["5", "8"])), Some(tensor(&["5", "8"])));
        assert_eq!(interior(&tensor(&["n", "?"]), &tensor(&["m", "?v.0"])), Some(tensor(&["n", "?v.0"])));
    }

    #[test]
    fn made_up_symbols_stay_inside() {
        let proto =
            proto(&tensor(&["?v.0", "batch", "2*N + 1", "p2o.Dim.0"]), &[(Some(1), "DATA_BATCH".into())]).unwrap();
        let Some(TypeValue::Tensor(TensorTypeProto { shape: Some(shape), .. })) = proto.value else { panic!() };
        let texts = shape.dim.iter().map(|dim| match &dim.value {
            Some(DimensionValue::Parameter(text)) => text.as_str(),
            Some(DimensionValue::Value(_)) => "number",
            None => "open",
        });
        let texts: Vec<_> = texts.collect();
        assert_eq!(texts, ["open", "batch", "2*N + 1", "p2o.Dim.0"]);
        assert_eq!(shape.dim[1].denotation, "DATA_BATCH");
    }

    #[test]
    fn a_subgraphs_boundary_says_no_more_than_the_file_did() {
        let unranked = ValueType::tensor(DType::F32, Shape::Unranked);
        assert_eq!(boundary(None, &tensor(&["3"])), unranked);
        assert_eq!(boundary(Some(&unranked), &tensor(&["3"])), unranked);
        assert_eq!(boundary(Some(&ValueType::Unknown), &tensor(&["3"])), unranked);
        assert_eq!(boundary(Some(&tensor(&["?", "4"])), &tensor(&["3", "5"])), tensor(&["?", "?"]));
    }
}
