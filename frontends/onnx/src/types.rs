//! Types of the file as types of the IR.

use edgesmith_ir::infer::FRESH;
use edgesmith_ir::{DType, Dim, Dims, Name, Shape, TensorType, ValueType};
use edgesmith_onnx_proto::{DimensionProto, DimensionValue, TensorShapeProto, TypeProto, TypeValue};
use rustc_hash::FxHashSet;

/// A declared type with its denotations.
#[derive(Debug, Default)]
pub(crate) struct Declared {
    /// The type; dims that the file leaves open are unknown.
    pub ty: ValueType,
    /// Denotations of the type (`None`) and of its dims.
    pub denotations: Vec<(Option<u32>, Name)>,
}

/// Reads a type. The error says what is wrong with it.
pub(crate) fn declared(proto: &TypeProto) -> Result<Declared, String> {
    let ty = value_type(proto)?;
    let mut denotations = Vec::new();
    if !proto.denotation.is_empty() {
        denotations.push((None, Name::from(proto.denotation.as_str())));
    }
    let shape = match &proto.value {
        Some(TypeValue::Tensor(tensor)) => tensor.shape.as_ref(),
        Some(TypeValue::SparseTensor(tensor)) => tensor.shape.as_ref(),
        _ => None,
    };
    for (axis, dim) in (0_u32..).zip(shape.map(|shape| shape.dim.as_slice()).unwrap_or_default()) {
        if !dim.denotation.is_empty() {
            denotations.push((Some(axis), Name::from(dim.denotation.as_str())));
        }
    }
    Ok(Declared { ty, denotations })
}

/// Reads a type without its denotations.
pub(crate) fn value_type(proto: &TypeProto) -> Result<ValueType, String> {
    let inner = |proto: Option<&TypeProto>| proto.map_or(Ok(ValueType::Unknown), value_type);
    Ok(match &proto.value {
        None => ValueType::Unknown,
        Some(TypeValue::Tensor(tensor)) => {
            tensor_type(tensor.elem_type, tensor.shape.as_ref())?.map_or(ValueType::Unknown, ValueType::Tensor)
        }
        Some(TypeValue::SparseTensor(tensor)) => {
            tensor_type(tensor.elem_type, tensor.shape.as_ref())?.map_or(ValueType::Unknown, ValueType::SparseTensor)
        }
        Some(TypeValue::Sequence(sequence)) => ValueType::Sequence(Box::new(inner(sequence.elem_type.as_deref())?)),
        Some(TypeValue::Optional(optional)) => ValueType::Optional(Box::new(inner(optional.elem_type.as_deref())?)),
        Some(TypeValue::Map(map)) => {
            let key = element_type(map.key_type)?.ok_or("a map has no key type")?;
            ValueType::Map(key, Box::new(inner(map.value_type.as_deref())?))
        }
        Some(TypeValue::Opaque(opaque)) => {
            ValueType::Opaque(opaque.domain.as_str().into(), opaque.name.as_str().into())
        }
    })
}

fn element_type(number: i32) -> Result<Option<DType>, String> {
    if number == 0 {
        return Ok(None);
    }
    DType::from_onnx(number).map(Some).ok_or_else(|| format!("{number} is no element type"))
}

fn tensor_type(number: i32, shape: Option<&TensorShapeProto>) -> Result<Option<TensorType>, String> {
    let shape = match shape {
        None => Shape::Unranked,
        Some(shape) => Shape::Ranked(shape.dim.iter().map(dim).collect::<Result<Dims, String>>()?),
    };
    Ok(element_type(number)?.map(|dtype| TensorType { dtype, shape }))
}

fn dim(proto: &DimensionProto) -> Result<Dim, String> {
    match &proto.value {
        // -1 is how some converters write "unknown".
        None | Some(DimensionValue::Value(-1)) => Ok(Dim::Unknown),
        Some(DimensionValue::Value(extent)) if *extent < 0 => Err(format!("the extent {extent} is negative")),
        Some(DimensionValue::Value(extent)) => Ok(Dim::Known(*extent)),
        Some(DimensionValue::Parameter(text)) => Ok(Dim::from_param(text)),
    }
}

/// The type of an input: every dim that is left open becomes a symbol of its own.
pub(crate) fn open_dims_named(ty: &ValueType, input: &str) -> ValueType {
    let mut axis = 0_usize;
    ty.map_dims(&mut |dim| {
        axis += 1;
        if dim.is_unknown() { Dim::symbol(format!("{FRESH}{input}.{}", axis - 1)) } else { dim.clone() }
    })
}

/// Notes the symbols of a type.
pub(crate) fn note_symbols(ty: &ValueType, symbols: &mut FxHashSet<Name>) {
    ty.map_dims(&mut |dim| {
        dim.visit_symbols(&mut |name| {
            symbols.insert(name.clone());
        });
        Dim::Unknown
    });
}

/// The type without the dims that mention other symbols than these. Exporters put made-up names on the dims of inner
/// values and outputs, and some of them put one name on sizes that differ; names on inputs are what the author meant.
pub(crate) fn trusted(ty: &ValueType, symbols: &FxHashSet<Name>) -> ValueType {
    ty.map_dims(&mut |dim| {
        let mut known = true;
        dim.visit_symbols(&mut |name| known &= symbols.contains(name));
        if known { dim.clone() } else { Dim::Unknown }
    })
}

/// Of the type of a tensor the element type alone.
pub(crate) fn element_only(ty: &ValueType) -> ValueType {
    ty.dtype().map_or(ValueType::Unknown, |dtype| ValueType::tensor(dtype, Shape::Unranked))
}

/// What two declarations of one value contradict each other in: `Some(true)` when it is the element type or the kind,
/// `Some(false)` when it is the shape.
pub(crate) fn contradiction(found: &ValueType, declared: &ValueType) -> Option<bool> {
    match (found, declared) {
        (ValueType::Unknown, _) | (_, ValueType::Unknown) => None,
        (ValueType::Tensor(a), ValueType::Tensor(b)) | (ValueType::SparseTensor(a), ValueType::SparseTensor(b)) => {
            if a.dtype != b.dtype {
                return Some(true);
            }
            let (Some(a), Some(b)) = (a.shape.dims(), b.shape.dims()) else { return None };
            let differ = a.len() != b.len()
                || a.iter().zip(b).any(|(a, b)| {
                    // Symbols may stand for any size, whatever name they have.
                    matches!((a, b), (Dim::Known(a), Dim::Known(b)) if a != b)
                });
            differ.then_some(false)
        }
        (ValueType::Sequence(a), ValueType::Sequence(b)) | (ValueType::Optional(a), ValueType::Optional(b)) => {
            contradiction(a, b)
        }
        (ValueType::Map(a, x), ValueType::Map(b, y)) => {
            if a == b {
                contradiction(x, y)
            } else {
                Some(true)
            }
        }
        (ValueType::Opaque(..), ValueType::Opaque(..)) => (found != declared).then_some(true),
        _ => Some(true),
    }
}
