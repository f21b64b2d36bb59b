//! The engine: preparing models, keeping plans by binding, one state for each worker.

use std::sync::{Arc, Mutex, PoisonError};

use edgesmith_exec::{Effort, Engine, EngineError, Obstacle, OpTime, Prepared, Request, Session, Values};
use edgesmith_ir::{GraphId, Model, Name, ValueId};

use crate::bind::{self, BindingKey};
use crate::check;
use crate::lower::LoweringOptions;
use crate::plan::{ENGINE, Plan, TractState};
use crate::profile;

/// The built-in engine.
///
/// f16 and bf16 are computed in f32 throughout: tract's f16 is emulated on most processors, 300 times slower. Only
/// explicit casts and the values that leave the engine are rounded.
#[derive(Clone, Copy, Debug)]
pub struct TractEngine {
    /// Whether the reference evaluator runs operators that tract lacks or computes wrongly, one by one, inside tract's
    /// plan. They are slow, and of them this engine is no second opinion.
    pub evaluator: bool,
}

impl Default for TractEngine {
    /// With the evaluator.
    fn default() -> Self {
        Self { evaluator: true }
    }
}

impl TractEngine {
    /// tract alone.
    pub fn alone() -> Self {
        Self { evaluator: false }
    }
}

/// The release of tract that the workspace pins; tract does not tell.
const TRACT_VERSION: &str = "0.23.9";

/// Plans kept per prepared model; more bindings than this are lowered again as they come round.
const PLANS: usize = 8;

impl Engine for TractEngine {
    fn name(&self) -> &'static str {
        ENGINE
    }

    fn version(&self) -> &'static str {
        TRACT_VERSION
    }

    fn check(&self, model: &Model) -> Vec<Obstacle> {
        model.entries.values().flat_map(|graph| check::obstacles(model, *graph, self.evaluator)).collect()
    }

    fn prepare(&self, model: &Model, request: &Request) -> Result<Box<dyn Prepared>, EngineError> {
        let graph = match &request.entry {
            Some(name) => model.entries.get(name).copied().ok_or_else(|| {
                let known: Vec<&str> = model.entries.keys().map(Name::as_str).collect();
                EngineError::Request(format!("the model has no entry '{name}'; it has {}", known.join(", ")))
            })?,
            None => model.main().ok_or_else(|| EngineError::Request("the model has no graph".to_owned()))?,
        };
        let wanted = wanted(model, graph, &request.taps)?;
        let obstacles = check::obstacles(model, graph, self.evaluator);
        if !obstacles.is_empty() {
            return Err(EngineError::Unsupported { engine: ENGINE, obstacles });
        }
        let prepared = TractModel {
            model: model.clone(),
            graph,
            wanted,
            effort: request.effort,
            ways: if self.evaluator { &WAYS } else { &WAYS[..2] },
            plans: Mutex::new(Plans { way: 0, kept: Vec::new() }),
        };
        Ok(Box::new(Shared(Arc::new(prepared))))
    }
}

/// Outputs, then taps; a name that is both comes once.
fn wanted(model: &Model, graph: GraphId, taps: &[Name]) -> Result<Vec<ValueId>, EngineError> {
    let g = model.graph(graph);
    let mut wanted: Vec<ValueId> = Vec::new();
    for value in g.outputs() {
        if !wanted.contains(value) {
            wanted.push(*value);
        }
    }
    if taps.is_empty() {
        return Ok(wanted);
    }
    let by_name: rustc_hash::FxHashMap<&Name, ValueId> = g.values().map(|(id, row)| (row.name(), id)).collect();
    let mut seen: rustc_hash::FxHashSet<ValueId> = wanted.iter().copied().collect();
    for tap in taps {
        let value =
            by_name.get(tap).ok_or_else(|| EngineError::Request(format!("the model has no value '{tap}' to tap")))?;
        if seen.insert(*value) {
            wanted.push(*value);
        }
    }
    Ok(wanted)
}

/// A model that is lowered when the shapes of its inputs are known, and the plans made so far.
struct TractModel {
    model: Model,
    graph: GraphId,
    wanted: Vec<ValueId>,
    effort: Effort,
    ways: &'static [Way],
    plans: Mutex<Plans>,
}

/// A way to lower a model.
#[derive(Clone, Copy)]
struct Way {
    /// Small inputs become constants: the shapes that they hold (of Reshape, Resize, ...) are known then. The model is
    /// lowered anew whenever they change.
    build_in: bool,
    /// The evaluator runs what tract cannot.
    evaluator: bool,
}

/// The ways in the order in which they are tried; the last two only where the evaluator may help.
const WAYS: [Way; 4] = [
    Way { build_in: false, evaluator: false },
    Way { build_in: true, evaluator: false },
    Way { build_in: false, evaluator: true },
    Way { build_in: true, evaluator: true },
];

struct Plans {
    /// The first way by which the model could be lowered, or the first not yet known to fail.
    way: usize,
    /// Most recently used last.
    kept: Vec<(BindingKey, Arc<Plan>)>,
}

impl TractModel {
    /// The plan for these inputs. Workers that ask for the same one wait for each other, so it is made once.
    fn plan(&self, inputs: &Values) -> Result<Arc<Plan>, EngineError> {
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        let mut last_error = None;
        for (number, way) in self.ways.iter().enumerate().skip(plans.way) {
            let key = bind::key(&self.model, self.graph, inputs, way.build_in)?;
            if let Some(at) = plans.kept.iter().position(|(known, _)| *known == key) {
                let entry = plans.kept.remove(at);
                let plan = Arc::clone(&entry.1);
                plans.kept.push(entry);
                return Ok(plan);
            }
            let bound = bind::bind(&self.model, self.graph, &key)?;
            let options = LoweringOptions { effort: self.effort, evaluator: way.evaluator };
            match Plan::new(&bound, self.graph, &self.wanted, options) {
                Ok(plan) => {
                    let plan = Arc::new(plan);
                    if plans.kept.len() == PLANS {
                        plans.kept.remove(0);
                    }
                    plans.kept.push((key, Arc::clone(&plan)));
                    plans.way = number;
                    return Ok(plan);
                }
                Err(error) => {
                    last_error = Some(error);
                }
            }
        }
        Err(last_error.unwrap_or_else(|| EngineError::Request("there is no way to lower the model".to_owned())))
    }
}

/// What all sessions of a model share.
struct Shared(Arc<TractModel>);

impl Prepared for Shared {
    fn session(&self) -> Result<Box<dyn Session>, EngineError> {
        Ok(Box::new(TractSession { model: Arc::clone(&self.0), state: None }))
    }
}

struct TractSession {
    model: Arc<TractModel>,
    /// The state of the plan that ran last; dropped after an error, because a failed run leaves it unusable.
    state: Option<(Arc<Plan>, TractState)>,
}

impl TractSession {
    fn take_state(&mut self, plan: &Arc<Plan>) -> Result<TractState, EngineError> {
        match self.state.take() {
            Some((of, state)) if Arc::ptr_eq(&of, plan) => Ok(state),
            _ => plan.state(),
        }
    }
}

impl Session for TractSession {
    fn run(&mut self, inputs: &Values) -> Result<Values, EngineError> {
        let plan = self.model.plan(inputs)?;
        let mut state = self.take_state(&plan)?;
        let values = plan.run(&mut state, inputs, |op| crate::lower::label(&self.model.model, self.model.graph, op))?;
        self.state = Some((plan, state));
        Ok(values)
    }

    fn profile(&mut self, inputs: &Values) -> Option<Result<Vec<OpTime>, EngineError>> {
        let measured = self.model.plan(inputs).and_then(|plan| {
            let mut state = self.take_state(&plan)?;
            let times = profile::measure(&self.model.model, self.model.graph, &plan, &mut state, inputs)?;
            self.state = Some((plan, state));
            Ok(times)
        });
        Some(measured)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_version_is_the_one_that_is_pinned() {
        let pinned = format!("tract-core = \"={}\"", super::TRACT_VERSION);
        assert!(include_str!("../../../Cargo.toml").contains(&pinned));
    }
}
