//! What the tests of operators share: short constructors and evaluation by name.

use edgesmith_exec::{EvalError, EvalOptions, Value, evaluate_op};
use edgesmith_ir::attribute::F32;
use edgesmith_ir::{Attribute, Element, Op, OpKind, Tensor};

pub fn t<T: Element>(shape: &[u64], elements: &[T]) -> Value {
    Tensor::from_slice(shape, elements).unwrap().into()
}
pub fn f(shape: &[u64], elements: &[f32]) -> Value {
    t(shape, elements)
}
pub fn i(shape: &[u64], elements: &[i64]) -> Value {
    t(shape, elements)
}
pub fn b(shape: &[u64], elements: &[u8]) -> Value {
    let elements: Vec<bool> = elements.iter().map(|x| *x != 0).collect();
    Tensor::from_bools(shape, &elements).unwrap().into()
}
pub fn s(shape: &[u64], elements: &[&'static str]) -> Value {
    let elements = elements.iter().map(|x| bytes::Bytes::from_static(x.as_bytes())).collect();
    Tensor::strings(shape, elements).unwrap().into()
}
pub fn row(elements: &[f32]) -> Value {
    f(&[elements.len() as u64], elements)
}
pub fn ints(elements: &[i64]) -> Value {
    i(&[elements.len() as u64], elements)
}

pub type Attributes<'a> = &'a [(&'a str, Attribute)];
pub fn int(x: i64) -> Attribute {
    Attribute::Int(x)
}
pub fn float(x: f32) -> Attribute {
    Attribute::Float(F32(x))
}
pub fn list(x: &[i64]) -> Attribute {
    Attribute::Ints(x.to_vec())
}
pub fn text(x: &'static str) -> Attribute {
    Attribute::String(bytes::Bytes::from_static(x.as_bytes()))
}

pub fn op(name: &str, attributes: Attributes<'_>) -> Op {
    let kind = OpKind::from_name(name).unwrap_or_else(|| panic!("no operator {name}"));
    let attributes = attributes.iter().map(|(name, value)| ((*name).into(), value.clone())).collect();
    kind.decode(attributes).unwrap().unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn evaluate(
    name: &str,
    attributes: Attributes<'_>,
    operands: &[Option<Value>],
    results: usize,
    strict: bool,
) -> Result<Vec<Value>, EvalError> {
    let options = EvalOptions { limit_bytes: 1 << 24, strict };
    let results = evaluate_op(&op(name, attributes), operands, &vec![true; results], &options)?;
    Ok(results.into_iter().map(|result| result.expect("a wanted result")).collect())
}

/// All results, as folding would compute them.
pub fn strict(
    name: &str,
    attributes: Attributes<'_>,
    operands: &[Value],
    results: usize,
) -> Result<Vec<Value>, EvalError> {
    let operands: Vec<Option<Value>> = operands.iter().cloned().map(Some).collect();
    evaluate(name, attributes, &operands, results, true)
}

/// The one result, as folding would compute it; operands may be absent.
pub fn folded(name: &str, attributes: Attributes<'_>, operands: &[Option<Value>]) -> Result<Value, EvalError> {
    Ok(evaluate(name, attributes, operands, 1, true)?.remove(0))
}

/// The one result of a run.
pub fn ran(name: &str, attributes: Attributes<'_>, operands: &[Value]) -> Result<Value, EvalError> {
    let operands: Vec<Option<Value>> = operands.iter().cloned().map(Some).collect();
    Ok(evaluate(name, attributes, &operands, 1, false)?.remove(0))
}

/// Folding gives exactly this, bit by bit.
#[track_caller]
pub fn gives(name: &str, attributes: Attributes<'_>, operands: &[Value], expected: &Value) {
    match strict(name, attributes, operands, 1) {
        Ok(results) => assert_eq!(show(&results[0]), show(expected), "{name} {attributes:?} of {operands:?}"),
        Err(error) => panic!("{name}: {error}"),
    }
}

/// Folding is refused because the result is open, and a run gives this.
#[track_caller]
pub fn open(name: &str, attributes: Attributes<'_>, operands: &[Value], expected: &Value) {
    let folded = strict(name, attributes, operands, 1);
    assert!(matches!(folded, Err(EvalError::Undefined(_))), "{name}: {folded:?}");
    assert_eq!(show(&ran(name, attributes, operands).unwrap()), show(expected), "{name}");
}

/// The operands are refused, when running too.
#[track_caller]
pub fn invalid(name: &str, attributes: Attributes<'_>, operands: &[Value]) {
    let result = ran(name, attributes, operands);
    assert!(matches!(result, Err(EvalError::Invalid(_))), "{name} {attributes:?}: {result:?}");
}

/// The result is within a relative and absolute 1e-6 of this.
#[track_caller]
pub fn near(name: &str, attributes: Attributes<'_>, operands: &[Value], expected: &Value) {
    let result = strict(name, attributes, operands, 1).unwrap().remove(0);
    if let Err(error) = edgesmith_exec::compare::close(expected, &result, 1e-6, 1e-6) {
        panic!("{name}: {error}");
    }
}

/// Type, shape and bits, readable.
fn show(value: &Value) -> String {
    match value {
        Value::Tensor(tensor) => {
            let elements = match (tensor.to_f64(), tensor.data()) {
                (_, edgesmith_ir::TensorData::Strings(strings)) => format!("{strings:?}"),
                (Some(_), _) if !tensor.dtype().is_float() => format!("{:?}", tensor.dense_bytes().map(|b| b.to_vec())),
                (Some(x), _) => format!("{x:?}"),
                _ => String::new(),
            };
            format!("{}{:?} {elements}", tensor.dtype(), tensor.shape())
        }
        Value::Sequence(items) => items.iter().map(|item| format!("<{}>", show(item))).collect(),
        Value::Optional(inner) => format!("optional {:?}", inner.as_deref().map(show)),
    }
}
