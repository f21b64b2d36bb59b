//! The end-to-end check: the whole model before and after, on the same inputs.

use edgesmith_exec::compare::{self as exec, compare};
use edgesmith_exec::{Effort, Engine, EngineError, Request, Value, Values};
use edgesmith_ir::{DType, Dim, Model, OpKind, Tensor};
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
    /// Inputs to run on, made for the model before, in groups: the first group that the model runs on is used. (Not
    /// every size suits a model whose dims are symbolic.)
    pub inputs: Vec<Vec<Values>>,
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
    /// Runs both models and compares every output. Fails with the reason when nothing could be concluded, so that local
    /// checks are all there is; a difference that only the fast engine sees is a verdict of its own.
    pub fn check(&self, before: &Model, after: &Model, fidelity: Fidelity) -> Result<Verdict, String> {
        let Some(first) = self.inputs.iter().find_map(|group| group.first()) else {
            return Err("no inputs could be made for it".into());
        };
        let size = work(before, first);
        let runs = 2.0 * self.inputs.iter().map(Vec::len).max().unwrap_or(1) as f64;
        let affordable = |macs: f64, elements: f64| match size {
            Some((m, e)) => self.regardless || runs * (m / macs + e / elements) <= self.budget_seconds,
            None => self.regardless,
        };
        let mut reason = String::new();
        if affordable(REFERENCE_MACS, REFERENCE_ELEMENTS) {
            match self.run(self.reference, before, after, fidelity) {
                Ok(Comparison::Differs { detail }) => return Ok(Verdict::Differs { detail }),
                other => match Self::conclude(other, self.reference) {
                    Ok(verdict) => return Ok(verdict),
                    Err(why) => reason = why,
                },
            }
        }
        if let Some(fast) = self.fast
            && affordable(FAST_MACS, FAST_ELEMENTS)
        {
            match self.run(fast, before, after, fidelity) {
                // No engine but the evaluator is believed; what it sees is reported.
                Ok(Comparison::Differs { detail }) => {
                    return Ok(Verdict::NotChecked { reason: format!("{} differs at {detail}", fast.name()) });
                }
                other => match Self::conclude(other, fast) {
                    Ok(verdict) => return Ok(verdict),
                    Err(why) if reason.is_empty() => reason = why,
                    Err(why) => reason = format!("{reason}; {why}"),
                },
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
        Err(reason)
    }

    /// The verdict of a run that found no difference, or why there is none.
    fn conclude(outcome: Result<Comparison, EngineError>, engine: &dyn Engine) -> Result<Verdict, String> {
        match outcome {
            Ok(Comparison::Same { largest, vacuous: false, inputs }) => {
                Ok(Verdict::Checked { largest_difference: largest, inputs, engine: engine.name().to_owned() })
            }
            Ok(Comparison::Same { .. }) => Err("no output is finite on these inputs".into()),
            Ok(Comparison::Undecided { reason }) => Err(reason),
            Ok(Comparison::Differs { detail }) => Err(detail),
            Err(error) => Err(format!("{}: {error}", engine.name())),
        }
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
        let mut failure = None;
        for group in &self.inputs {
            let (mut largest, mut vacuous, mut count) = (0.0_f64, true, 0);
            for inputs in group {
                let expected = match old.run(inputs) {
                    Ok(expected) => expected,
                    Err(error) => {
                        failure.get_or_insert(error);
                        continue;
                    }
                };
                // What runs before must run after.
                let found = match new.run(inputs) {
                    Ok(found) => found,
                    Err(error) => {
                        return Ok(Comparison::Differs {
                            detail: format!("the result fails where the source runs: {error}"),
                        });
                    }
                };
                count += 1;
                match compare_outputs(&expected, &found, fidelity) {
                    Comparison::Same { largest: here, vacuous: empty, .. } => {
                        largest = largest.max(here);
                        vacuous &= empty;
                    }
                    other => return Ok(other),
                }
            }
            if count > 0 {
                return Ok(Comparison::Same { largest, vacuous, inputs: count });
            }
        }
        Err(failure.unwrap_or_else(|| EngineError::Request("no inputs could be made for it".into())))
    }
}

enum Comparison {
    Same { largest: f64, vacuous: bool, inputs: usize },
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
        let difference = match compare(was, is) {
            exec::Comparison::Compared(difference) => difference,
            // Between equal models only sizes that depend on data can differ, and only by rounding.
            exec::Comparison::Unlike(message) if fidelity == Fidelity::Exact || was.ty().dtype() != is.ty().dtype() => {
                return Comparison::Differs { detail: format!("output '{name}': {message}") };
            }
            exec::Comparison::Unlike(message) => {
                return Comparison::Undecided {
                    reason: format!(
                        "output '{name}' has a size that depends on data ({message}); rounding may have changed it"
                    ),
                };
            }
        };
        let dtype = was.as_tensor().map(Tensor::dtype);
        let discrete = dtype.is_some_and(|dtype| !dtype.is_float());
        let allowed = match (fidelity, dtype) {
            (Fidelity::Exact, _) => 0.0,
            (_, Some(DType::F16)) => 2e-2,
            (_, Some(DType::BF16)) => 1e-1,
            _ => TOLERANCE,
        };
        let same = if allowed == 0.0 || discrete {
            difference.exact || difference.differing == 0
        } else {
            difference.relative <= allowed
        };
        if !same && discrete && fidelity != Fidelity::Exact {
            return Comparison::Undecided {
                reason: format!(
                    "output '{name}' holds integers or bools that differ; rounding may have flipped a comparison before them"
                ),
            };
        }
        if !same {
            let worst = difference
                .worst
                .as_ref()
                .map(|w| format!(", most at {:?}: {} before, {} after", w.index, w.reference, w.found));
            return Comparison::Differs {
                detail: format!(
                    "output '{name}': {} of {} elements differ, by {:.1e} of the largest magnitude{}",
                    difference.differing,
                    difference.elements,
                    difference.relative,
                    worst.unwrap_or_default()
                ),
            };
        }
        vacuous &= !is_finite(was);
        largest = largest.max(difference.relative);
    }
    Comparison::Same { largest, vacuous, inputs: 1 }
}

/// Whether there is anything in the value that a comparison could have failed on.
fn is_finite(value: &Value) -> bool {
    value.as_tensor().is_none_or(|tensor| {
        tensor.is_empty()
            || !tensor.dtype().is_float()
            || tensor.to_f64().is_none_or(|x| x.iter().any(|v| v.is_finite()))
    })
}
