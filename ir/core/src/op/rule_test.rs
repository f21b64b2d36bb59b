//! Support for table-driven tests of rules: operands as text in, types of results as text out.

use smallvec::SmallVec;

use crate::infer::{Fact, InferCx};
use crate::{Contents, DType, Dim, Item, Name, Operator, Shape, Tensor, ValueType};

/// An operand of a test: a type as `float[N,3,8,8]` (dims: numbers, symbols, `?`; `[..]` of unknown rank), `?` for an
/// unknown type, `-` for an absent operand, or a constant. Known elements follow an equals sign: `int64[2] = N,-1`.
pub(super) struct Given(Option<Fact>);

impl From<&str> for Given {
    fn from(text: &str) -> Self {
        let (of, elements) = text.split_once(" = ").map_or((text, None), |(of, elements)| (of, Some(elements)));
        let contents = elements.map(|elements| {
            let items = elements.split(',').filter(|text| !text.is_empty()).map(|text| match text.trim() {
                "?" => Item::Unknown,
                text if text.contains('.') => Item::Float(text.parse().unwrap()),
                text => Item::Int(Dim::parse(text).unwrap()),
            });
            Contents::new(items.collect()).unwrap()
        });
        Self((text != "-").then(|| Fact { ty: ty(of), contents, tensor: None }))
    }
}
impl From<Tensor> for Given {
    fn from(tensor: Tensor) -> Self {
        let ty = crate::tensor_type(&tensor);
        Self(Some(Fact { ty, contents: None, tensor: Some(tensor) }))
    }
}
impl From<Fact> for Given {
    fn from(fact: Fact) -> Self {
        Self(Some(fact))
    }
}

/// A constant vector of int64.
pub(super) fn ints(ints: &[i64]) -> Given {
    Tensor::from_ints(ints).into()
}

/// A constant vector of float.
pub(super) fn floats(floats: &[f32]) -> Given {
    Tensor::from_slice(smallvec::smallvec![floats.len() as u64], floats).unwrap().into()
}

/// Reads a type.
pub(super) fn ty(text: &str) -> ValueType {
    let Some((dtype, dims)) = text.strip_suffix(']').and_then(|text| text.split_once('[')) else {
        assert_eq!(text, "?", "a type");
        return ValueType::Unknown;
    };
    let dtype = DType::from_text(dtype).unwrap();
    let dim = |text: &str| match (text, text.parse::<i64>()) {
        ("?", _) => Dim::Unknown,
        (_, Ok(n)) => Dim::Known(n),
        (text, _) => Dim::parse(text).unwrap(),
    };
    let shape = match dims {
        ".." => Shape::Unranked,
        "" => Shape::scalar(),
        dims => Shape::of(dims.split(',').map(dim)),
    };
    ValueType::tensor(dtype, shape)
}

/// Runs the rule of an operator. The answer: types of the results, separated by blanks, or the message of the error.
pub(super) fn infer<K: Operator>(op: &K, operands: impl IntoIterator<Item = Given>) -> String {
    match frame(op, operands) {
        Ok(cx) => {
            let types: Vec<String> =
                (0..cx.result_count()).filter_map(|slot| cx.result(slot)).map(|fact| fact.ty.to_string()).collect();
            types.join(" ")
        }
        Err(message) => message,
    }
}

/// Runs the rule of an operator with so many results. The answer: type and known elements of each, as in [`Given`],
/// separated by semicolons, or the message of the error.
pub(super) fn known<K: Operator>(op: &K, operands: impl IntoIterator<Item = Given>, results: usize) -> String {
    let cx = match frame_of(op, operands, results) {
        Ok(cx) => cx,
        Err(message) => return message,
    };
    let texts = (0..results).filter_map(|slot| cx.result(slot)).map(|fact| {
        let Some(contents) = &fact.contents else { return fact.ty.to_string() };
        let items = contents.items().iter().map(|item| match item {
            Item::Unknown => "?".to_owned(),
            Item::Int(dim) => dim.to_string(),
            Item::Float(x) => format!("{x:?}"),
        });
        format!("{} = {}", fact.ty, items.collect::<Vec<_>>().join(","))
    });
    texts.collect::<Vec<_>>().join("; ")
}

/// Runs the rule of an operator and counts its multiply-accumulates.
pub(super) fn macs<K: Operator>(op: &K, operands: impl IntoIterator<Item = Given>) -> String {
    op.macs(&frame(op, operands).unwrap()).to_string()
}

/// Runs the rule of an operator; the frame has the facts of the results, which are named r0, r1 and so on.
pub(super) fn frame<K: Operator>(
    op: &K,
    operands: impl IntoIterator<Item = Given>,
) -> Result<InferCx<'static>, String> {
    frame_of(op, operands, K::SIGNATURE.results.len())
}

fn frame_of<K: Operator>(
    op: &K,
    operands: impl IntoIterator<Item = Given>,
    results: usize,
) -> Result<InferCx<'static>, String> {
    let operands: SmallVec<[Option<Fact>; 4]> = operands.into_iter().map(|given| given.0).collect();
    let names = (0..results).map(|slot| Some(Name::from(format!("r{slot}")))).collect();
    let mut cx = InferCx::new(operands, names);
    op.infer(&mut cx).map_err(|error| error.message)?;
    Ok(cx)
}

/// Operands of a test from literals of several kinds.
macro_rules! given {
    ($($operand:expr),* $(,)?) => { [$($crate::op::rule_test::Given::from($operand)),*] };
}
pub(super) use given;
