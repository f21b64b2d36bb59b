//! Operators: sequence.

use super::checks;
use super::join::{join_types, with_own_symbols};
use super::operator;
use crate::infer::{InferCx, InferError};
use crate::{DType, Dim, Dims, Item, Shape, ValueType};

operator! {
    /// Joins or stacks the tensors of a sequence.
    ConcatFromSequence {
        operands { input_sequence: one }
        results { concat_result: one }
        attributes { axis: i64 [required], new_axis: bool [false] }
        regions {  }
        infer: concat_elements;
    }
}

operator! {
    /// Wraps a value, or makes an empty optional.
    Optional {
        operands { input: maybe }
        results { output: one }
        attributes { element_type ("type"): Option<ValueType> }
        regions {  }
        infer: wrap;
    }
}

operator! {
    /// The value inside an optional.
    OptionalGetElement {
        operands { input: one }
        results { output: one }
        attributes {  }
        regions {  }
        infer: unwrap;
    }
}

operator! {
    /// Whether an optional holds a value.
    OptionalHasElement {
        operands { input: maybe }
        results { output: one }
        attributes {  }
        regions {  }
        infer: is_present;
    }
}

operator! {
    /// The element of a sequence at a position.
    SequenceAt {
        operands { input_sequence: one, position: one }
        results { tensor: one }
        attributes {  }
        regions {  }
        infer: element;
    }
}

operator! {
    /// A sequence of the operands.
    SequenceConstruct {
        operands { inputs: many }
        results { output_sequence: one }
        attributes {  }
        regions {  }
        infer: construct;
    }
}

operator! {
    /// An empty sequence.
    SequenceEmpty {
        operands {  }
        results { output: one }
        attributes { dtype: Option<DType> }
        regions {  }
        infer: empty;
    }
}

operator! {
    /// A sequence without one element.
    SequenceErase {
        operands { input_sequence: one, position: maybe }
        results { output_sequence: one }
        attributes {  }
        regions {  }
        infer: erase;
    }
}

operator! {
    /// A sequence with one element more.
    SequenceInsert {
        operands { input_sequence: one, tensor: one, position: maybe }
        results { output_sequence: one }
        attributes {  }
        regions {  }
        infer: insert;
    }
}

operator! {
    /// The number of elements of a sequence.
    SequenceLength {
        operands { input_sequence: one }
        results { length: one }
        attributes {  }
        regions {  }
        infer: length;
    }
}

operator! {
    /// Parts along an axis, as a sequence.
    SplitToSequence {
        operands { input: one, split: maybe }
        results { output_sequence: one }
        attributes { axis: i64 [0], keepdims: bool [true] }
        regions {  }
        infer: split;
    }
}

fn sequence_of(element: ValueType) -> ValueType {
    ValueType::Sequence(Box::new(element))
}

/// The type that all elements of a sequence operand have; elements may differ in shape.
fn element_type(cx: &InferCx<'_>, slot: usize) -> Result<ValueType, InferError> {
    match cx.ty(slot) {
        ValueType::Sequence(element) => Ok((**element).clone()),
        ValueType::Unknown => Ok(ValueType::Unknown),
        other => Err(InferError::new(format!("operand {slot} is {other}, not a sequence"))),
    }
}

fn concat_elements(op: &ConcatFromSequence, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let element = element_type(cx, 0)?;
    let shape = match element.dims() {
        None => Shape::Unranked,
        Some(dims) => {
            let mut dims = Dims::from(dims);
            if op.new_axis {
                let axis = InferCx::axis(op.axis, dims.len() + 1)?;
                dims.insert(axis, cx.fresh(0, axis));
            } else {
                let axis = InferCx::axis(op.axis, dims.len())?;
                dims[axis] = cx.fresh(0, axis);
            }
            Shape::Ranked(dims)
        }
    };
    cx.set_tensor(0, element.dtype(), shape);
    Ok(())
}

fn wrap(op: &Optional, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let inner = if cx.has(0) { cx.ty(0).clone() } else { op.element_type.clone().unwrap_or_default() };
    cx.set(0, ValueType::Optional(Box::new(inner)));
    Ok(())
}

/// Of a value that is no optional, the value itself.
fn unwrap(_: &OptionalGetElement, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let inner = match cx.ty(0) {
        ValueType::Optional(inner) => (**inner).clone(),
        other => other.clone(),
    };
    cx.set(0, inner);
    Ok(())
}

fn is_present(_: &OptionalHasElement, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let answer = match cx.ty(0) {
        _ if !cx.has(0) => Some(0),
        ValueType::Tensor(_) | ValueType::Sequence(_) => Some(1),
        _ => None,
    };
    cx.set_tensor(0, Some(DType::Bool), Shape::scalar());
    if let Some(answer) = answer {
        cx.set_contents(0, vec![Dim::Known(answer).into()]);
    }
    Ok(())
}

fn element(_: &SequenceAt, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let element = element_type(cx, 0)?;
    let element = with_own_symbols(cx, 0, &element);
    cx.set(0, element);
    Ok(())
}

fn construct(_: &SequenceConstruct, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let mut all: Option<ValueType> = None;
    for slot in (0..cx.operand_count()).filter(|slot| cx.has(*slot)) {
        let ty = cx.ty(slot);
        all = Some(all.map_or_else(|| ty.clone(), |all| join_types(&all, ty)));
    }
    cx.set(0, sequence_of(all.unwrap_or_default()));
    Ok(())
}

fn empty(op: &SequenceEmpty, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    cx.set(0, sequence_of(ValueType::tensor(op.dtype.unwrap_or(DType::F32), Shape::Unranked)));
    Ok(())
}

fn erase(_: &SequenceErase, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let element = element_type(cx, 0)?;
    cx.set(0, sequence_of(element));
    Ok(())
}

fn insert(_: &SequenceInsert, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let element = join_types(&element_type(cx, 0)?, cx.ty(1));
    cx.set(0, sequence_of(element));
    Ok(())
}

fn length(_: &SequenceLength, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    element_type(cx, 0)?;
    cx.set_tensor(0, Some(DType::I64), Shape::scalar());
    Ok(())
}

/// Parts of one length where that is known: each one wide without lengths, equal ones where the last is no smaller.
fn split(op: &SplitToSequence, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let shape = match checks::dims(cx, 0) {
        None => Shape::Unranked,
        Some(mut dims) => {
            let axis = InferCx::axis(op.axis, dims.len())?;
            if !cx.has(1) {
                if op.keepdims {
                    dims[axis] = Dim::Known(1);
                } else {
                    dims.remove(axis);
                }
            } else {
                dims[axis] = match (cx.shape(1).rank(), cx.contents(1)) {
                    (Some(0), Some(size)) => match size.items().first().map(Item::dim) {
                        Some(size) if dims[axis].exact_div(&size).is_some() => size,
                        _ => Dim::Unknown,
                    },
                    (Some(1), Some(sizes)) => match sizes.dims().as_slice() {
                        [first, rest @ ..] if rest.iter().all(|size| size.same(first)) => first.clone(),
                        _ => Dim::Unknown,
                    },
                    _ => Dim::Unknown,
                };
            }
            Shape::Ranked(dims)
        }
    };
    let element = cx.dtype(0).map_or(ValueType::Unknown, |dtype| ValueType::tensor(dtype, shape));
    cx.set(0, sequence_of(element));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::rule_test::{Given, given, infer, ints, known, ty};
    use super::*;
    use crate::{Fact, Tensor};

    fn sequence(text: &str) -> Given {
        Fact::of_type(sequence_of(ty(text))).into()
    }
    fn optional(text: &str) -> Given {
        Fact::of_type(ValueType::Optional(Box::new(ty(text)))).into()
    }

    #[test]
    fn elements_go_in_and_out() {
        assert_eq!(infer(&SequenceConstruct {}, given!["float[N,3]", "float[M,3]"]), "seq(float[?,3])");
        assert_eq!(infer(&SequenceConstruct {}, given!["float[N,3]", "int64[3]"]), "seq(?)");
        assert_eq!(infer(&SequenceEmpty { dtype: None }, given![]), "seq(float[..])");
        assert_eq!(infer(&SequenceInsert {}, given![sequence("float[4]"), "float[4]"]), "seq(float[4])");
        assert_eq!(infer(&SequenceInsert {}, given![sequence("float[4]"), "float[5]"]), "seq(float[?])");
        assert_eq!(infer(&SequenceErase {}, given![sequence("float[4]"), "int64[]"]), "seq(float[4])");
        assert_eq!(infer(&SequenceAt {}, given![sequence("float[?,4]"), "int64[]"]), "float[`?r0.0`,4]");
        assert_eq!(infer(&SequenceLength {}, given![sequence("?")]), "int64[]");
        assert_eq!(infer(&SequenceLength {}, given!["float[3]"]), "operand 0 is float[3], not a sequence");
        assert_eq!(infer(&SequenceAt {}, given!["?", "int64[]"]), "?");
    }

    #[test]
    fn joins_and_parts() {
        let join = |axis, new_axis| ConcatFromSequence { axis, new_axis };
        assert_eq!(infer(&join(-1, false), given![sequence("float[N,4]")]), "float[N,`?r0.1`]");
        assert_eq!(infer(&join(0, true), given![sequence("float[N,4]")]), "float[`?r0.0`,N,4]");
        assert_eq!(infer(&join(0, true), given![sequence("?")]), "?");
        assert_eq!(infer(&join(2, false), given![sequence("float[N,4]")]), "axis 2 is outside rank 2");
        let split = |keepdims| SplitToSequence { axis: 0, keepdims };
        assert_eq!(infer(&split(true), given!["float[N,4]"]), "seq(float[1,4])");
        assert_eq!(infer(&split(false), given!["float[N,4]"]), "seq(float[4])");
        assert_eq!(infer(&split(false), given!["float[6,4]", Tensor::scalar(2_i64)]), "seq(float[2,4])");
        assert_eq!(infer(&split(true), given!["float[7,4]", Tensor::scalar(2_i64)]), "seq(float[?,4])");
        assert_eq!(infer(&split(true), given!["float[7,4]", ints(&[3, 4])]), "seq(float[?,4])");
        assert_eq!(infer(&split(true), given!["float[N,4]", ints(&[3, 3])]), "seq(float[3,4])");
    }

    #[test]
    fn optionals() {
        assert_eq!(infer(&Optional { element_type: None }, given!["float[N]"]), "optional(float[N])");
        let empty = Optional { element_type: Some(ty("float[3]")) };
        assert_eq!(infer(&empty, given![]), "optional(float[3])");
        assert_eq!(infer(&OptionalGetElement {}, given![optional("float[N]")]), "float[N]");
        assert_eq!(infer(&OptionalGetElement {}, given!["float[N]"]), "float[N]");
        assert_eq!(known(&OptionalHasElement {}, given![optional("float[N]")], 1), "bool[]");
        assert_eq!(known(&OptionalHasElement {}, given!["float[N]"], 1), "bool[] = 1");
        assert_eq!(known(&OptionalHasElement {}, given![], 1), "bool[] = 0");
    }
}
