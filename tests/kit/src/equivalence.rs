//! The numerical harness: two models on the same seeded inputs, run by the reference evaluator and compared.
//!
//! Several runs look where rewrites go wrong: symbolic dims all different, all one and all zero; ordinary numbers, large ones
//! that saturate, nothing but zeros, ordinary ones among which zeros of both signs, infinities and NaN are strewn, and
//! integers of both signs.

use edgesmith_exec::compare::{Comparison, Difference, compare};
use edgesmith_exec::seeded::{Seeds, Spread};
use edgesmith_exec::{Engine, ReferenceEngine, Request, Session, Value, Values};
use edgesmith_ir::{DType, Model, Name, Tensor};
use edgesmith_rewrite::Fidelity;
use indexmap::IndexMap;

/// How far the outputs of two models that agree are apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Equivalence {
    /// How many sets of inputs both sides ran on.
    pub runs: usize,
    /// The largest difference of each output over the runs on ordinary numbers.
    pub outputs: IndexMap<Name, Difference>,
}

/// Why two models are not known to be equivalent.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Objection {
    /// The model before cannot be run, so nothing is known.
    #[error("{0}")]
    NotRun(String),
    /// The two differ.
    #[error("on {inputs}: {detail}")]
    Differs {
        /// On which inputs.
        inputs: String,
        /// Where and by how much.
        detail: String,
    },
}

/// Fails the test when the models differ by more than the fidelity allows, or cannot be run.
///
/// `Exact` asks for equal bits (NaN may have any), `Rounding` for a difference within its tolerance, relative to the largest
/// magnitude of an output, where infinities and NaN may take each other's place; `Approximate` for outputs of equal types and shapes only.
#[track_caller]
#[expect(clippy::panic, reason = "it is an assertion")]
pub fn assert_equivalent(before: &Model, after: &Model, fidelity: Fidelity) -> Equivalence {
    equivalence(before, after, fidelity).unwrap_or_else(|objection| panic!("the models differ: {objection}"))
}

/// The same as a result.
pub fn equivalence(before: &Model, after: &Model, fidelity: Fidelity) -> Result<Equivalence, Objection> {
    let failed = |error: &dyn std::fmt::Display| Objection::NotRun(error.to_string());
    let engine = ReferenceEngine::default();
    let prepare = |model: &Model| engine.prepare(model, &Request::default())?.session();
    let mut old = prepare(before).map_err(|error| failed(&error))?;
    let mut new = prepare(after).map_err(|error| Objection::Differs {
        inputs: "all inputs".into(),
        detail: format!("the result cannot be prepared where the source can: {error}"),
    })?;
    let mut found = Equivalence { runs: 0, outputs: IndexMap::new() };
    let mut reason = None;
    // A seed of its own for each run: what one set of inputs does not reach, another may.
    for (seed, plan) in (1..).zip(RUNS) {
        let inputs = match plan.inputs(before, seed) {
            Ok(inputs) => inputs,
            Err(error) => {
                reason.get_or_insert(error);
                continue;
            }
        };
        let expected = match old.run(&inputs) {
            Ok(expected) => expected,
            // Not every size and number suits a model.
            Err(error) => {
                reason.get_or_insert(error.to_string());
                continue;
            }
        };
        found.runs += 1;
        let outputs = compare_run(&expected, new.as_mut(), &inputs, fidelity)
            .map_err(|detail| Objection::Differs { inputs: plan.what.to_owned(), detail })?;
        if plan.spread == Spread::Ordinary && !plan.odd && plan.integers.is_none() {
            for (name, difference) in outputs {
                let worst = found.outputs.entry(name).or_insert_with(|| difference.clone());
                if difference.sqnr < worst.sqnr {
                    *worst = difference;
                }
            }
        }
    }
    match reason {
        Some(reason) if found.runs == 0 => Err(Objection::NotRun(reason)),
        _ => Ok(found),
    }
}

fn compare_run(
    expected: &Values,
    session: &mut dyn Session,
    inputs: &Values,
    fidelity: Fidelity,
) -> Result<Vec<(Name, Difference)>, String> {
    let found = session.run(inputs).map_err(|error| format!("the result fails where the source runs: {error}"))?;
    if !expected.keys().eq(found.keys()) {
        let list = |values: &Values| values.keys().map(Name::as_str).collect::<Vec<_>>().join(", ");
        return Err(format!("the outputs were {} and are {}", list(expected), list(&found)));
    }
    let mut differences = Vec::new();
    for ((name, was), is) in expected.iter().zip(found.values()) {
        let unbounded = if fidelity == Fidelity::Exact { None } else { without_unbounded(was, is) };
        let (finite_was, finite_is) = unbounded.as_ref().map_or((was, is), |(was, is)| (was, is));
        let difference = match compare(finite_was, finite_is) {
            Comparison::Compared(difference) => difference,
            Comparison::Unlike(message) => return Err(format!("output '{name}': {message}")),
        };
        let allowed = fidelity.allowance(was.as_tensor().map(Tensor::dtype));
        let same = if allowed == 0.0 { same_bits(was, is) } else { difference.relative <= allowed };
        if !same {
            let worst = difference.worst.as_ref().map_or_else(
                || "only by signs of zeros".to_owned(),
                |w| format!("{} became {} at {:?}", w.reference, w.found, w.index),
            );
            return Err(format!(
                "output '{name}': {} of {} elements differ, by {:.1e} of the largest magnitude: {worst}",
                difference.differing, difference.elements, difference.relative
            ));
        }
        differences.push((name.clone(), difference));
    }
    Ok(differences)
}

/// Two tensors of floats without the elements that are infinite or NaN in both: where sums are taken in another order, or of
/// weights that were summed before, ∞ − ∞ comes and goes. What is finite on one side alone stays. `None` where there are none.
fn without_unbounded(was: &Value, is: &Value) -> Option<(Value, Value)> {
    let (Value::Tensor(was), Value::Tensor(is)) = (was, is) else { return None };
    if was.shape() != is.shape() || was.dtype() != is.dtype() || !was.dtype().is_float() {
        return None;
    }
    let (mut a, mut b) = (was.to_f64()?, is.to_f64()?);
    let mut found = false;
    for (x, y) in a.iter_mut().zip(&mut b).filter(|(x, y)| !x.is_finite() && !y.is_finite()) {
        (*x, *y, found) = (0.0, 0.0, true);
    }
    let rounded = |tensor: &Tensor, elements: &[f64]| Tensor::from_f64(tensor.dtype(), tensor.shape(), elements);
    found.then_some((Value::Tensor(rounded(was, &a)?), Value::Tensor(rounded(is, &b)?)))
}

/// Equal bits, but that one NaN is as good as another.
fn same_bits(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Tensor(a), Value::Tensor(b)) => {
            a.same_content(b)
                || a.dtype() == b.dtype() && a.shape() == b.shape() && a.dtype().is_float() && {
                    let bits = |x: f64| if x.is_nan() { f64::NAN.to_bits() } else { x.to_bits() };
                    match (a.to_f64(), b.to_f64()) {
                        (Some(a), Some(b)) => a.iter().zip(&b).all(|(a, b)| bits(*a) == bits(*b)),
                        _ => false,
                    }
                }
        }
        (Value::Sequence(a), Value::Sequence(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_bits(a, b)),
        (Value::Optional(Some(a)), Value::Optional(Some(b))) => same_bits(a, b),
        (Value::Optional(None), Value::Optional(None)) => true,
        _ => false,
    }
}

/// One set of inputs.
struct Run {
    what: &'static str,
    spread: Spread,
    dims: Dims,
    /// Zeros of both signs, infinities and NaN are strewn in.
    odd: bool,
    /// A range for integers; without one they suit masks and indices.
    integers: Option<(i64, i64)>,
}

/// Extents of symbolic dims, as far as the facts about them allow.
#[derive(Clone, Copy)]
enum Dims {
    /// All different, from this one.
    From(i64),
    /// All the same.
    All(i64),
}

const ORDINARY: Run =
    Run { what: "ordinary inputs", spread: Spread::Ordinary, dims: Dims::From(2), odd: false, integers: None };

const RUNS: &[Run] = &[
    ORDINARY,
    Run { what: "more ordinary inputs", dims: Dims::From(7), ..ORDINARY },
    Run { what: "ordinary inputs, symbolic dims at 1", dims: Dims::All(1), ..ORDINARY },
    Run { what: "ordinary inputs, symbolic dims at 0", dims: Dims::All(0), ..ORDINARY },
    Run { what: "large inputs", spread: Spread::Large, ..ORDINARY },
    Run { what: "inputs of zeros", spread: Spread::Zeros, ..ORDINARY },
    Run { what: "inputs with -0, infinities and NaN", dims: Dims::From(7), odd: true, ..ORDINARY },
    Run { what: "integers of both signs", integers: Some((-300, 300)), ..ORDINARY },
];

impl Run {
    fn inputs(&self, model: &Model, seed: u64) -> Result<Values, String> {
        let mut symbols: IndexMap<Name, u64> = IndexMap::new();
        let graph = model.main_graph().ok_or("the model has no graph")?;
        for value in graph.inputs() {
            for dim in graph.value(*value).ty().dims().unwrap_or_default() {
                dim.visit_symbols(&mut |name| {
                    let facts = model.symbols.facts(name);
                    let wanted = match self.dims {
                        Dims::From(least) => least + symbols.len() as i64,
                        Dims::All(extent) => extent,
                    };
                    let divisor = facts.divisor.max(1);
                    let rounded = (wanted.max(facts.min) + divisor - 1) / divisor * divisor;
                    let extent = facts.max.map_or(rounded, |max| rounded.min(max));
                    symbols.entry(name.clone()).or_insert(extent.unsigned_abs());
                });
            }
        }
        let extent = match self.dims {
            Dims::From(least) => least.unsigned_abs() + symbols.len() as u64,
            Dims::All(extent) => extent.unsigned_abs(),
        };
        let mut ranges = IndexMap::new();
        for value in self.integers.iter().flat_map(|_| graph.inputs()) {
            let row = graph.value(*value);
            ranges.extend(self.integers.map(|range| (row.name().clone(), range)));
        }
        let seeds = Seeds { seed, spread: self.spread, symbols, extent, ranges, ..Seeds::default() };
        let mut inputs = seeds.inputs(model, None).map_err(|error| error.to_string())?;
        if self.odd {
            inputs.values_mut().for_each(strew);
        }
        Ok(inputs)
    }
}

/// Makes every second element of floats an odd one.
fn strew(value: &mut Value) {
    let Value::Tensor(tensor) = value else { return };
    let odd = [-0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 0.0, 1e-40];
    let representable = matches!(tensor.dtype(), DType::F16 | DType::BF16 | DType::F32 | DType::F64);
    let Some(mut elements) = tensor.to_f64().filter(|_| representable) else { return };
    for (element, odd) in elements.iter_mut().skip(1).step_by(2).zip(odd.iter().cycle()) {
        *element = *odd;
    }
    if let Some(strewn) = Tensor::from_f64(tensor.dtype(), tensor.shape(), &elements) {
        *tensor = strewn;
    }
}
