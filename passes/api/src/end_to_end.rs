//! The end-to-end check: the whole model before and after, on the same inputs.

use edgesmith_exec::{Effort, Engine, EngineError, Request, Value, Values};
use edgesmith_ir::{DType, Dim, Model, OpKind};
use edgesmith_rewrite::Fidelity;

use crate::report::Verdict;

/// How much is checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CheckMode {
    /// Local checks always; the whole model when its estimated cost is within the budget.
    #[default]
    Auto,
    /// Nothing.
    Off,
    /// Local checks only.
    Local,
    /// Local checks and the whole model, whatever it costs.
    Full,
}

/// What the end-to-end check works with.
pub struct EndToEnd<'a> {
    /// The oracle.
    pub reference: &'a dyn Engine,
    /// A faster engine for models that the oracle takes too long for.
    pub fast: Option<&'a dyn Engine>,
    /// Inputs to run on, made for the model before.
    pub inputs: Vec<Values>,
    /// Seconds that the check may take, by estimate.
    pub budget_seconds: f64,
    /// Ignore the budget.
    pub regardless: bool,
}

/// Multiply-accumulates a second of the reference evaluator, roughly, and elements a second beside them.
const REFERENCE_MACS: f64 = 4e8;
const REFERENCE_ELEMENTS: f64 = 4e7;
/// The same of an optimised engine, and its share for preparation.
const FAST_MACS: f64 = 5e9;
const FAST_ELEMENTS: f64 = 5e8;
/// What is allowed relative to the largest magnitude of an output when rounding rules fired.
const TOLERANCE: f64 = 1e-4;

impl EndToEnd<'_> {
    /// Runs both models and compares every output.
    pub fn check(&self, before: &Model, after: &Model, fidelity: Fidelity) -> Verdict {
        let runs = 2.0 * self.inputs.len() as f64;
        if self.inputs.is_empty() {
            return Verdict::NotChecked { reason: "no inputs could be made for it".into() };
        }
        let size = work(before, &self.inputs[0]);
        let affordable = |macs: f64, elements: f64| match size {
            Some((m, e)) => self.regardless || runs * (m / macs + e / elements) <= self.budget_seconds,
            None => self.regardless,
        };
        let mut reason = String::new();
        if affordable(REFERENCE_MACS, REFERENCE_ELEMENTS) {
            match self.run(self.reference, before, after, fidelity) {
                Ok(Comparison::Same { largest, vacuous: false }) => return self.checked(largest, self.reference),
                Ok(Comparison::Same { .. }) => reason = "no output is finite on these inputs".into(),
                Ok(Comparison::Differs { detail }) => return Verdict::Differs { detail },
                Ok(Comparison::Undecided { reason: why }) => return Verdict::NotChecked { reason: why },
                Err(error) => reason = format!("the {} evaluator: {error}", self.reference.name()),
            }
        }
        if let Some(fast) = self.fast {
            if affordable(FAST_MACS, FAST_ELEMENTS) {
                match self.run(fast, before, after, fidelity) {
                    Ok(Comparison::Same { largest, vacuous: false }) => return self.checked(largest, fast),
                    Ok(Comparison::Same { .. }) => reason = "no output is finite on these inputs".into(),
                    Ok(Comparison::Differs { detail }) => reason = format!("{} differs at {detail}", fast.name()),
                    Ok(Comparison::Undecided { reason: why }) => reason = why,
                    Err(error) if reason.is_empty() => reason = format!("{}: {error}", fast.name()),
                    Err(error) => reason = format!("{reason}; {}: {error}", fast.name()),
                }
            }
        }
        if reason.is_empty() {
            reason = match size {
                Some((macs, _)) => format!(
                    "about {:.1} GMACs a run are beyond the budget of {:.0} s; --check full, or a larger --check-budget, runs it",
                    macs / 1e9,
                    self.budget_seconds
                ),
                None => "its cost cannot be estimated; --check full runs it".into(),
            };
        }
        Verdict::NotChecked { reason }
    }

    fn checked(&self, largest: f64, engine: &dyn Engine) -> Verdict {
        Verdict::Checked { largest_difference: largest, inputs: self.inputs.len(), engine: engine.name().to_owned() }
    }

    fn run(
        &self,
        engine: &dyn Engine,
        before: &Model,
        after: &Model,
        fidelity: Fidelity,
    ) -> Result<Comparison, EngineError> {
        let request = Request { effort: Effort::Once, ..Request::default() };
        let mut old = engine.prepare(before, &request)?.session()?;
        let mut new = engine.prepare(after, &request)?.session()?;
        let (mut largest, mut vacuous) = (0.0_f64, true);
        for inputs in &self.inputs {
            let expected = old.run(inputs)?;
            // What runs before must run after.
            let found = match new.run(inputs) {
                Ok(found) => found,
                Err(error) => {
                    return Ok(Comparison::Differs {
                        detail: format!("the result fails where the source runs: {error}"),
                    });
                }
            };
            match compare_outputs(&expected, &found, fidelity) {
                Comparison::Same { largest: here, vacuous: empty } => {
                    largest = largest.max(here);
                    vacuous &= empty;
                }
                other => return Ok(other),
            }
        }
        Ok(Comparison::Same { largest, vacuous })
    }
}

enum Comparison {
    Same { largest: f64, vacuous: bool },
    Differs { detail: String },
    Undecided { reason: String },
}

/// Multiply-accumulates and elements of one run on these inputs; `None` when dims stay unknown.
fn work(model: &Model, inputs: &Values) -> Option<(f64, f64)> {
    let mut bound = model.clone();
    if let Some(graph) = model.main_graph() {
        let mut symbols: Vec<(edgesmith_ir::Name, i64)> = Vec::new();
        for value in graph.inputs() {
            let row = graph.value(*value);
            let Some(tensor) = inputs.get(row.name()).and_then(Value::as_tensor) else { continue };
            for (dim, extent) in row.ty().dims().unwrap_or_default().iter().zip(tensor.shape()) {
                symbols.extend(dim.as_symbol().map(|name| (name.clone(), *extent as i64)));
            }
        }
        bound.bind_symbols(&|name| symbols.iter().find(|(n, _)| n == name).map(|(_, n)| Dim::Known(*n)));
        bound.infer_afresh();
    }
    let cost = bound.cost();
    let has_loop = cost.by_op.iter().any(|(graph, op, _)| {
        let kind = bound.graph(*graph).op(*op).op().kind();
        matches!(kind, OpKind::Loop | OpKind::Scan)
    });
    // A loop's body counts once in the cost; how often it runs is not known here. A tenfold is a guess on the safe side
    // for the small recurrences that models hold.
    let factor = if has_loop { 10.0 } else { 1.0 };
    let symbolic = |dim: &Dim| dim.substitute(&|_| Some(Dim::Known(16))).known();
    let macs = symbolic(&cost.total.macs)? as f64;
    let bytes = symbolic(&cost.total.activation_bytes).unwrap_or(0) as f64;
    Some((macs * factor, bytes / 4.0 * factor))
}

fn compare_outputs(expected: &Values, found: &Values, fidelity: Fidelity) -> Comparison {
    let (mut largest, mut vacuous) = (0.0_f64, true);
    for (name, was) in expected {
        let Some(is) = found.get(name) else {
            return Comparison::Differs { detail: format!("output '{name}' is missing") };
        };
        match compare_values(was, is, fidelity) {
            Ok(Some(difference)) => {
                vacuous = false;
                largest = largest.max(difference);
            }
            Ok(None) => {}
            Err(Mismatch::Numbers(detail)) => {
                return Comparison::Differs { detail: format!("output '{name}': {detail}") };
            }
            Err(Mismatch::Discrete) => {
                return Comparison::Undecided {
                    reason: format!(
                        "output '{name}' holds integers or bools that differ; rounding may have flipped a comparison before them"
                    ),
                };
            }
        }
    }
    Comparison::Same { largest, vacuous }
}

enum Mismatch {
    Numbers(String),
    Discrete,
}

fn compare_values(was: &Value, is: &Value, fidelity: Fidelity) -> Result<Option<f64>, Mismatch> {
    match (was, is) {
        (Value::Tensor(a), Value::Tensor(b)) => {
            if a.dtype() != b.dtype() || a.rank() != b.rank() {
                return Err(Mismatch::Numbers(format!(
                    "{}{:?} before, {}{:?} after",
                    a.dtype(),
                    a.shape(),
                    b.dtype(),
                    b.shape()
                )));
            }
            if a.shape() != b.shape() {
                // Only data-dependent shapes can differ between equal models, and only by rounding.
                return if fidelity == Fidelity::Exact {
                    Err(Mismatch::Numbers(format!("shape {:?} before, {:?} after", a.shape(), b.shape())))
                } else {
                    Err(Mismatch::Discrete)
                };
            }
            if a.is_empty() || a.same_content(b) {
                let finite =
                    a.is_empty() || !a.dtype().is_float() || a.to_f64().is_none_or(|x| x.iter().any(|v| v.is_finite()));
                return Ok(finite.then_some(0.0));
            }
            if !a.dtype().is_float() {
                return Err(if fidelity == Fidelity::Exact {
                    Mismatch::Numbers("integer or bool elements differ".into())
                } else {
                    Mismatch::Discrete
                });
            }
            compare_floats(a, b, fidelity)
        }
        (Value::Sequence(a), Value::Sequence(b)) if a.len() == b.len() => {
            let mut largest = None;
            for (was, is) in a.iter().zip(b) {
                largest = largest.max(compare_values(was, is, fidelity)?.map(ordered));
            }
            Ok(largest.map(|x| x.0))
        }
        (Value::Optional(Some(a)), Value::Optional(Some(b))) => compare_values(a, b, fidelity),
        (a, b) if a == b => Ok(Some(0.0)),
        _ => Err(Mismatch::Numbers("another kind of value".into())),
    }
}

#[derive(PartialEq, PartialOrd, Clone, Copy)]
struct Ordered(f64);
impl Eq for Ordered {}
impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}
fn ordered(x: f64) -> Ordered {
    Ordered(x)
}

fn compare_floats(
    a: &edgesmith_ir::Tensor,
    b: &edgesmith_ir::Tensor,
    fidelity: Fidelity,
) -> Result<Option<f64>, Mismatch> {
    let (Some(x), Some(y)) = (a.to_f64(), b.to_f64()) else {
        return Err(Mismatch::Numbers("elements cannot be read".into()));
    };
    let scale = x.iter().filter(|v| v.is_finite()).fold(f64::MIN_POSITIVE, |m, v| m.max(v.abs()));
    let tolerance = match (fidelity, a.dtype()) {
        (Fidelity::Exact, _) => 0.0,
        (_, DType::F16) => 2e-2,
        (_, DType::BF16) => 1e-1,
        _ => TOLERANCE,
    };
    let (mut largest, mut finite) = (0.0_f64, false);
    for (index, (p, q)) in x.iter().zip(&y).enumerate() {
        if p.to_bits() == q.to_bits() || (p.is_nan() && q.is_nan()) || (p == q && tolerance > 0.0) {
            finite |= p.is_finite();
            continue;
        }
        let difference = (p - q).abs() / scale;
        if !difference.is_finite() || difference > tolerance {
            return Err(Mismatch::Numbers(format!(
                "element {index} is {p} before and {q} after (relative difference {difference:.1e})"
            )));
        }
        finite = true;
        largest = largest.max(difference);
    }
    Ok(finite.then_some(largest))
}
