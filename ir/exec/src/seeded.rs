//! Seeded inputs: values for the inputs of a model that are the same on every machine and in every run.
//!
//! The generator is splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
//! Every input has a stream of its own, started from the seed and the input's name, so that adding an input leaves the
//! others as they were.

use edgesmith_ir::op::Gather;
use edgesmith_ir::{DType, Def, Dim, Extents, Graph, Model, Name, OpKind, Tensor, User, ValueId, ValueType};
use indexmap::IndexMap;

use crate::eval::{Cell, cut};
use crate::{Value, Values};

/// What kind of numbers floats get.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Spread {
    /// About normal with deviation 1, within ±3.5.
    #[default]
    Ordinary,
    /// All zero; integers and bools too.
    Zeros,
    /// Like ordinary, a thousand times larger (f16: thirty times): what saturates shows.
    Large,
}

/// How inputs are made.
#[derive(Clone, Debug)]
pub struct Seeds {
    /// The seed.
    pub seed: u64,
    /// What kind of numbers floats get.
    pub spread: Spread,
    /// Extents of symbols.
    pub symbols: IndexMap<Name, u64>,
    /// The extent of dims that are unknown or have a symbol without an entry.
    pub extent: u64,
    /// Ranges of integers by input, both ends included. Without an entry an input that selects rows (Gather, seen through
    /// operators that only move elements) gets indices of those rows, 8-bit integers get their whole range, and all others
    /// mostly ones, now and then a zero but never first along the last axis: that suits masks, lengths and flags.
    pub ranges: IndexMap<Name, (i64, i64)>,
    /// The number of elements of sequences.
    pub items: usize,
}

impl Default for Seeds {
    fn default() -> Self {
        Self {
            seed: 0,
            spread: Spread::Ordinary,
            symbols: IndexMap::new(),
            extent: 1,
            ranges: IndexMap::new(),
            items: 2,
        }
    }
}

/// Why an input cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("input '{name}' cannot be made up: {message}")]
pub struct SeedError {
    /// The input.
    pub name: Name,
    /// Why, and what helps.
    pub message: String,
}

/// Elements that one input may have.
const MAX_ELEMENTS: u64 = 1 << 31;

impl Seeds {
    /// A value for every input of an entry (the main one when absent), those with a default excluded.
    pub fn inputs(&self, model: &Model, entry: Option<&Name>) -> Result<Values, SeedError> {
        let id = match entry {
            Some(name) => model.entries.get(name).copied(),
            None => model.main(),
        };
        let Some(id) = id else {
            return Err(SeedError {
                name: entry.cloned().unwrap_or_default(),
                message: "there is no such entry".into(),
            });
        };
        let graph = model.graph(id);
        let mut values = Values::new();
        for input in graph.inputs() {
            let row = graph.value(*input);
            if matches!(row.def(), Def::Input { default: Some(_) }) {
                continue;
            }
            let range = self.ranges.get(row.name()).copied().or_else(|| Some((0, rows_selected(graph, *input)? - 1)));
            let mut stream = Stream::new(self.seed, row.name());
            let value = self.value(row.ty(), range, &mut stream);
            let value = value.map_err(|message| SeedError { name: row.name().clone(), message })?;
            values.insert(row.name().clone(), value);
        }
        Ok(values)
    }

    fn value(&self, ty: &ValueType, range: Option<(i64, i64)>, stream: &mut Stream) -> Result<Value, String> {
        match ty {
            ValueType::Tensor(ty) => {
                let dims = ty.shape.dims().ok_or("its rank is not known; give the input itself")?;
                let shape: Result<Extents, String> = dims.iter().map(|dim| self.bind(dim)).collect();
                stream.tensor(ty.dtype, shape?, self.spread, range).map(Value::Tensor)
            }
            ValueType::Sequence(item) => {
                let items: Result<Vec<Value>, String> =
                    (0..self.items).map(|_| self.value(item, range, stream)).collect();
                items.map(Value::Sequence)
            }
            ValueType::Optional(inner) => Ok(Value::Optional(Some(Box::new(self.value(inner, range, stream)?)))),
            other => Err(format!("its type is {other}")),
        }
    }

    fn bind(&self, dim: &Dim) -> Result<u64, String> {
        let lookup = |name: &Name| Some(Dim::Known(self.symbols.get(name).map_or(self.extent, |n| *n) as i64));
        match dim.substitute(&lookup) {
            Dim::Unknown => Ok(self.extent),
            bound => bound.extent().ok_or_else(|| format!("the extent {dim} becomes {bound}")),
        }
    }
}

/// One stream of random numbers.
#[derive(Clone, Debug)]
pub struct Stream(u64);

impl Stream {
    /// The stream of a seed and a label.
    pub fn new(seed: u64, label: &str) -> Self {
        // FNV-1a, then one step of the generator on each side, so that near seeds and labels are far apart.
        let hash =
            label.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
        let mut start = Self(seed);
        Self(start.next() ^ hash)
    }
    /// The next 64 random bits.
    #[expect(clippy::should_implement_trait, reason = "an endless stream needs no iterator")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    /// A number in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
    /// A number that is about normal with mean 0 and deviation 1: four uniform ones added, so within ±2√3.
    pub fn normal(&mut self) -> f64 {
        (self.unit() + self.unit() + self.unit() + self.unit() - 2.0) * 3.0_f64.sqrt()
    }
    /// An integer of a range, both ends included. (Of 2^64 values modulo the length, so not exactly uniform.)
    pub fn integer(&mut self, (low, high): (i64, i64)) -> i64 {
        let length = (i128::from(high) - i128::from(low)).max(0) as u128 + 1;
        (i128::from(low) + (u128::from(self.next()) % length) as i128) as i64
    }
    /// A tensor. `range` is that of integers; without one, see [`Seeds::ranges`].
    pub fn tensor(
        &mut self,
        dtype: DType,
        shape: Extents,
        spread: Spread,
        range: Option<(i64, i64)>,
    ) -> Result<Tensor, String> {
        let count = edgesmith_ir::element_count(&shape).map_err(|error| error.to_string())?;
        if count > MAX_ELEMENTS {
            return Err(format!("it has {count} elements"));
        }
        let zero = spread == Spread::Zeros;
        match dtype {
            _ if dtype.is_float() => {
                let scale = match (spread, dtype) {
                    (Spread::Zeros, _) => 0.0,
                    (Spread::Ordinary, _) => 1.0,
                    (Spread::Large, DType::F16) => 30.0,
                    (Spread::Large, _) => 1000.0,
                };
                let numbers = (0..count).map(|_| if zero { 0.0 } else { self.normal() * scale }).collect::<Vec<f64>>();
                Tensor::from_f64(dtype, shape, &numbers).ok_or_else(|| format!("{dtype} is not made up"))
            }
            _ if dtype.is_integer() => {
                let whole = if dtype.is_signed_integer() { (-128, 127) } else { (0, 255) };
                let range = range.or_else(|| (dtype.bits() == 8).then_some(whole));
                let (row, mut at) = (shape.last().copied().unwrap_or(1).max(1), 0);
                let draw = |_| {
                    let flag = i64::from(range.is_some() || self.integer((0, 7)) != 0 || at % row == 0);
                    let drawn = range.map_or(flag, |range| self.integer(range));
                    at += 1;
                    if zero { 0 } else { drawn }
                };
                let integers = (0..count).map(draw).collect();
                let dims: Vec<usize> = shape.iter().map(|n| *n as usize).collect();
                cut(dtype, &dims, integers).map_err(|error| error.to_string())
            }
            DType::Bool => {
                let cells = (0..count).map(|_| if zero { 0 } else { (self.next() >> 63) as u8 }).collect();
                let dims: Vec<usize> = shape.iter().map(|n| *n as usize).collect();
                u8::tensor(DType::Bool, &dims, cells).map_err(|error| error.to_string())
            }
            DType::String => {
                let words = (0..count).map(|_| self.integer((0, 9)).to_string().into()).collect();
                Tensor::strings(shape, words).map_err(|error| error.to_string())
            }
            _ => Err(format!("elements of {dtype} are not made up; give the input itself")),
        }
    }
}

/// The least number of rows that a value selects from; `None` when it selects from none of known extent.
fn rows_selected(graph: &Graph, value: ValueId) -> Option<i64> {
    const LIMIT: usize = 64;
    let mut queue = vec![value];
    let mut seen = rustc_hash::FxHashSet::default();
    let mut least = None;
    while let Some(value) = queue.pop() {
        if seen.len() >= LIMIT || !seen.insert(value) {
            continue;
        }
        for reading in graph.value(value).uses() {
            let User::Op(op) = reading.user else { continue };
            let data = graph.op(op);
            match (data.op().kind(), reading.slot) {
                (OpKind::Gather, 1) => {
                    let extent = graph.view::<Gather>(op).and_then(|gather| {
                        let dims = graph.value(gather.data()).ty().dims()?;
                        let axis = if gather.axis < 0 { gather.axis + dims.len() as i64 } else { gather.axis };
                        dims.get(usize::try_from(axis).ok()?)?.known()
                    });
                    if let Some(extent) = extent.filter(|extent| *extent > 0) {
                        least = Some(least.map_or(extent, |found: i64| found.min(extent)));
                    }
                }
                (
                    OpKind::Identity
                    | OpKind::Cast
                    | OpKind::Reshape
                    | OpKind::Flatten
                    | OpKind::Squeeze
                    | OpKind::Unsqueeze
                    | OpKind::Transpose
                    | OpKind::Expand
                    | OpKind::Slice,
                    0,
                )
                | (OpKind::Concat, _) => queue.extend(data.results().iter().flatten()),
                _ => {}
            }
        }
    }
    least
}

#[cfg(test)]
mod tests {
    use edgesmith_ir::Shape;

    use super::*;

    #[test]
    fn the_generator_is_splitmix64() {
        // The first outputs from state 0, as published with the generator.
        let mut stream = Stream(0);
        assert_eq!([stream.next(), stream.next()], [0xE220_A839_7B1D_CDAF, 0x6E78_9E6A_A1B9_65F4]);
    }

    fn model() -> Model {
        let mut graph = Graph::new("g");
        graph.add_input("x", ValueType::tensor(DType::F32, Shape::of([Dim::symbol("N"), Dim::Known(500)])), None);
        graph.add_input("k", ValueType::tensor(DType::U8, Shape::of([64_i64])), None);
        graph.add_input("s", ValueType::Sequence(Box::new(ValueType::tensor(DType::I64, Shape::of([3_i64])))), None);
        let mut model = Model::new();
        let id = model.add_graph(graph);
        model.entries.insert("main".into(), id);
        model
    }

    #[test]
    fn inputs_depend_on_seed_and_name_only() {
        let seeds = Seeds { symbols: [("N".into(), 3)].into_iter().collect(), ..Seeds::default() };
        let first = seeds.inputs(&model(), None).unwrap();
        assert_eq!(first, seeds.inputs(&model(), None).unwrap());
        assert_ne!(first, Seeds { seed: 1, ..seeds.clone() }.inputs(&model(), None).unwrap());
        let x = first["x"].as_tensor().unwrap();
        assert_eq!(x.shape(), [3, 500]);
        let numbers = x.to_f64().unwrap();
        let mean = numbers.iter().sum::<f64>() / 1500.0;
        let deviation = (numbers.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 1500.0).sqrt();
        assert!(mean.abs() < 0.1 && (deviation - 1.0).abs() < 0.05, "mean {mean}, deviation {deviation}");
        let k = first["k"].as_tensor().unwrap().to_ints().unwrap();
        assert!(k.iter().any(|k| *k > 200) && k.iter().any(|k| *k < 50));
        let Value::Sequence(items) = &first["s"] else { panic!("a sequence") };
        assert!(
            items.iter().all(|item| item.as_tensor().unwrap().to_ints().unwrap().iter().all(|n| (0..=1).contains(n)))
        );
        let zeros = Seeds { spread: Spread::Zeros, ..seeds }.inputs(&model(), None).unwrap();
        assert!(zeros["x"].as_tensor().unwrap().to_f64().unwrap().iter().all(|x| *x == 0.0));
    }
}
