//! One model bound, lowered and planned: what runs.

use std::cell::Cell;

use edgesmith_exec::{Effort, EngineError, Value, Values};
use edgesmith_ir::id::EntityId;
use edgesmith_ir::{DType, GraphId, Model, Name, OpId, ValueId};
use tract_core::internal::*;
use tract_core::plan::{SimplePlan, SimpleState};

use crate::guard::{guarded, guarded_result};
use crate::lower::wire::Wire;
use crate::lower::{Failure, Lowering, LoweringOptions};
use crate::prepare::{PIECE, forget_between_runs, prepare};
use crate::tensor::{datum_type, extents, from_tract, to_tract};

/// tract's plan.
pub(crate) type TractPlan = SimplePlan<TypedFact, Box<dyn TypedOp>>;
/// tract's state of one worker.
pub(crate) type TractState = SimpleState<TypedFact, Box<dyn TypedOp>>;

/// The name under which errors speak of this engine.
pub(crate) const ENGINE: &str = "tract";

/// Where a value that the caller wants comes from.
enum Source {
    /// An output of the tract model, and the element type it leaves with.
    Output(usize, Option<DType>),
    /// Known before the run.
    Known(Value),
    /// The elements of a sequence.
    Sequence(Vec<Source>),
    /// An optional.
    Optional(Option<Box<Source>>),
}

/// A model that is ready to run on inputs of one binding.
pub(crate) struct Plan {
    plan: Arc<TractPlan>,
    /// Names of the inputs that tract takes, in its order.
    inputs: Vec<Name>,
    results: Vec<(Name, Source)>,
}

impl Plan {
    /// Lowers and plans a model whose inputs have fixed shapes.
    pub(crate) fn new(
        model: &Model,
        graph: GraphId,
        wanted: &[ValueId],
        options: LoweringOptions,
    ) -> Result<Self, EngineError> {
        let g = model.graph(graph);
        let mut lowering = Lowering::new(model, &SymbolScope::default(), options);
        let mut inputs = Vec::new();
        let mut wires = Vec::new();
        for value in g.inputs() {
            let row = g.value(*value);
            let source = row.ty().as_tensor().and_then(|ty| Some((datum_type(ty.dtype)?, ty.shape.extents()?)));
            let Some((datum, shape)) = source else {
                let message = format!("tract takes no input of type {}", row.ty());
                return Err(EngineError::Input { name: row.name().clone(), message });
            };
            let outlet = extents(&shape)
                .and_then(|shape| lowering.big.add_source(format!("in.{}", inputs.len()), datum.fact(&*shape)))
                .map_err(|error| internal(row.name(), &error.to_string()))?;
            inputs.push(row.name().clone());
            wires.push(Wire::Outlet(outlet));
        }
        let frame = lowering.graph(graph, wires, wanted, true).map_err(|failure| match failure {
            Failure::Unsupported(obstacles) => EngineError::Unsupported { engine: ENGINE, obstacles },
            Failure::Invalid { label, message } => EngineError::Run { label, message },
        })?;
        let mut outputs = Vec::new();
        let mut results: Vec<(Name, Source)> = Vec::new();
        for value in wanted {
            let row = g.value(*value);
            let wire = frame.get(*value).ok_or_else(|| internal(row.name(), "it was not lowered"))?;
            let declared = || row.extra().and_then(|extra| extra.declared.as_ref()?.dtype());
            let source = source(wire, row.ty().dtype().or_else(declared), &mut outputs);
            results.push((row.name().clone(), source));
        }
        let plan = finish(lowering.big, &outputs, options.effort).map_err(|message| {
            let op = message.split('"').find_map(op_of_node);
            let label = op.map_or_else(|| "the model".to_owned(), |op| crate::lower::label(model, graph, op));
            internal(&Name::from(label), &message)
        })?;
        Ok(Self { plan, inputs, results })
    }

    /// A fresh state for one worker.
    pub(crate) fn state(&self) -> Result<TractState, EngineError> {
        guarded_result(|| self.plan.spawn()).map_err(|message| internal(&Name::default(), &message))
    }

    /// Inputs in tract's order and form.
    pub(crate) fn arguments(&self, inputs: &Values) -> Result<TVec<TValue>, EngineError> {
        self.inputs
            .iter()
            .map(|name| {
                let wrong = |message: String| EngineError::Input { name: name.clone(), message };
                let tensor =
                    inputs.get(name).and_then(Value::as_tensor).ok_or_else(|| wrong("no tensor is given".into()))?;
                to_tract(tensor).map(IntoTValue::into_tvalue).map_err(|error| wrong(format!("{error:#}")))
            })
            .collect()
    }

    /// Runs once. After an error the state must be dropped; the error speaks of the operator by what `label` calls it.
    pub(crate) fn run(
        &self,
        state: &mut TractState,
        inputs: &Values,
        label: impl Fn(OpId) -> String,
    ) -> Result<Values, EngineError> {
        let arguments = self.arguments(inputs)?;
        let running: Cell<Option<usize>> = Cell::new(None);
        let outcome = guarded(|| {
            state.run_plan_with_eval(arguments, |cx, op_state, node, operands| {
                running.set(Some(node.id));
                tract_core::plan::eval(cx, op_state, node, operands)
            })
        });
        let message = match outcome {
            Ok(Ok(outputs)) => return self.collect(&outputs),
            // What tract says around the cause is its own name and number of the node.
            Ok(Err(error)) => error.root_cause().to_string(),
            Err(message) => message,
        };
        let op = running.get().and_then(|node| op_of_node(&self.plan.model().node(node).name));
        let label = op.map_or_else(|| format!("{ENGINE} at run time"), label);
        Err(EngineError::Run { label, message: crate::guard::one_line(&message) })
    }

    fn collect(&self, outputs: &[TValue]) -> Result<Values, EngineError> {
        self.results
            .iter()
            .map(|(name, source)| {
                let value = collect(source, outputs).map_err(|error| internal(name, &format!("{error:#}")))?;
                Ok((name.clone(), value))
            })
            .collect()
    }

    /// The plan of tract, for measuring.
    pub(crate) fn tract(&self) -> &Arc<TractPlan> {
        &self.plan
    }
}

/// The error is what tract says, with the names of its nodes in quotes.
fn finish(mut big: TypedModel, outputs: &[OutletId], effort: Effort) -> Result<Arc<TractPlan>, String> {
    guarded_result(|| big.select_output_outlets(outputs))?;
    forget_between_runs(&mut big);
    let ready = match effort {
        Effort::Once => big,
        Effort::Many => prepare(big, PIECE)?,
    };
    guarded_result(|| TractPlan::new(ready))
}

fn source(wire: &Wire, dtype: Option<DType>, outputs: &mut Vec<OutletId>) -> Source {
    match wire {
        Wire::Outlet(outlet) => {
            // The same outlet twice is one output of the tract model.
            let slot = outputs.iter().position(|known| known == outlet).unwrap_or_else(|| {
                outputs.push(*outlet);
                outputs.len() - 1
            });
            Source::Output(slot, dtype)
        }
        Wire::Constant(known) => Source::Known(Value::Tensor(known.tensor.clone())),
        Wire::Sequence(items) => Source::Sequence(items.iter().map(|item| source(item, None, outputs)).collect()),
        Wire::Optional(inner) => Source::Optional(inner.as_ref().map(|inner| Box::new(source(inner, None, outputs)))),
    }
}

fn collect(from: &Source, outputs: &[TValue]) -> TractResult<Value> {
    Ok(match from {
        Source::Output(slot, dtype) => {
            let tensor = outputs.get(*slot).context("tract returned fewer outputs than it has")?;
            Value::Tensor(from_tract(tensor, *dtype)?)
        }
        Source::Known(value) => value.clone(),
        Source::Sequence(items) => {
            Value::Sequence(items.iter().map(|item| collect(item, outputs)).collect::<TractResult<_>>()?)
        }
        Source::Optional(inner) => {
            Value::Optional(inner.as_ref().map(|inner| collect(inner, outputs).map(Box::new)).transpose()?)
        }
    })
}

/// The operator of the outermost graph that a node of the tract model was made for.
pub(crate) fn op_of_node(name: &str) -> Option<OpId> {
    let number = name.split('/').find_map(|part| part.strip_prefix("op"))?.split('.').next()?;
    Some(OpId::from_index(number.parse().ok()?))
}

fn internal(name: &Name, message: &str) -> EngineError {
    EngineError::Engine { engine: ENGINE, label: name.to_string(), message: crate::guard::one_line(message) }
}
