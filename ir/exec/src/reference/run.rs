//! The walk over one graph: inputs checked and bound, operators evaluated, values dropped after their last use.

use std::panic::{AssertUnwindSafe, catch_unwind};

use edgesmith_ir::{
    Def, EntityId, Graph, GraphId, Model, Name, Op, OpId, Tensor, TensorData, ValueData, ValueId, ValueType,
};

use super::{NAME, Program, label};
use crate::{EngineError, EvalError, EvalOptions, Value, Values, evaluate_op};

/// Runs the entry of a program.
pub(super) fn run(program: &Program, inputs: &Values) -> Result<Values, EngineError> {
    let graph = program.model.graph(program.plan.entry);
    let bound = bind_inputs(graph, inputs)?;
    let mut walk = Walk { program, live: 0, trips: 0, at: (program.plan.entry, None) };
    // Evaluators do not panic on what the verifier and their own checks let through; should one do so all the same, the
    // caller gets an error that names the operator.
    let caught = catch_unwind(AssertUnwindSafe(|| walk.graph(program.plan.entry, bound, &program.plan.taps)));
    let Ok(result) = caught else {
        let (graph, op) = walk.at;
        let label = op.map_or_else(|| "the graph".to_owned(), |op| label(&program.model, graph, op));
        return Err(EngineError::Engine { engine: NAME, label, message: "the evaluator panicked".to_owned() });
    };
    let named = graph.outputs().iter().chain(&program.plan.taps).map(|value| graph.value(*value).name().clone());
    Ok(named.zip(result?).collect())
}

/// The state of one run.
pub(super) struct Walk<'p> {
    pub(super) program: &'p Program,
    /// Bytes of all values alive.
    live: u64,
    /// Trips of loops so far.
    trips: u64,
    /// What is being evaluated.
    at: (GraphId, Option<OpId>),
}

impl Walk<'_> {
    /// Runs a graph on values for its inputs; gives its outputs and then the taps. An input without a value and without
    /// a default stays absent.
    pub(super) fn graph(
        &mut self,
        id: GraphId,
        inputs: Vec<Option<Value>>,
        taps: &[ValueId],
    ) -> Result<Vec<Value>, EngineError> {
        let program = self.program;
        let graph = program.model.graph(id);
        let Some(plan) = program.plan.of(id) else {
            return Err(EngineError::Request(format!("{id} is not part of the entry")));
        };
        if inputs.len() != graph.inputs().len() {
            let (given, wanted) = (inputs.len(), graph.inputs().len());
            return Err(EngineError::Request(format!("graph '{}' has {wanted} inputs, not {given}", graph.name)));
        }
        let mut frame = Frame { values: vec![None; graph.value_rows()], bytes: 0 };
        for (input, value) in graph.inputs().iter().zip(inputs) {
            let value = match (value, graph.value(*input).def()) {
                (None, Def::Input { default: Some(tensor) }) => Some(Value::Tensor(
                    dense(program.model.tensor(tensor)).map_err(|error| self.fail(id, None, error))?,
                )),
                (value, _) => value,
            };
            self.put(&mut frame, *input, value);
        }
        for (op, dead) in &plan.steps {
            self.at = (id, Some(*op));
            let operands = self.operands(id, graph, *op, &frame)?;
            let results = self.op(id, *op, operands)?;
            let data = graph.op(*op);
            for (slot, value) in data.results().iter().enumerate() {
                if let Some(value) = value {
                    self.put(&mut frame, *value, results.get(slot).cloned().flatten());
                }
            }
            drop(results);
            if self.live > program.limits.memory_limit {
                let error = EvalError::TooLarge { bytes: self.live, limit: program.limits.memory_limit };
                return Err(self.fail(id, Some(*op), error));
            }
            for value in dead {
                self.take(&mut frame, *value);
            }
        }
        let mut outputs = Vec::with_capacity(graph.outputs().len() + taps.len());
        for value in graph.outputs().iter().chain(taps) {
            let found = self.read(id, graph, *value, &frame)?;
            outputs.push(found.ok_or_else(|| {
                EngineError::Request(format!("the value '{}' was not computed", graph.value(*value).name()))
            })?);
        }
        self.live -= frame.bytes;
        Ok(outputs)
    }

    /// Counts a trip of a loop.
    pub(super) fn trip(&mut self, graph: GraphId, op: OpId) -> Result<(), EngineError> {
        self.trips += 1;
        let limit = self.program.limits.trip_limit;
        if self.trips <= limit {
            return Ok(());
        }
        let message = format!("more than {limit} trips of loops; raise the engine's limit if that is meant");
        Err(EngineError::Run { label: label(&self.program.model, graph, op), message })
    }

    /// Bytes that a loop holds until it ends. Negative when they go.
    pub(super) fn hold(&mut self, graph: GraphId, op: OpId, values: &[Value]) -> Result<(), EngineError> {
        self.live += values.iter().map(bytes_of).sum::<u64>();
        let limit = self.program.limits.memory_limit;
        if self.live <= limit {
            Ok(())
        } else {
            Err(self.fail(graph, Some(op), EvalError::TooLarge { bytes: self.live, limit }))
        }
    }
    pub(super) fn release(&mut self, bytes: u64) {
        self.live = self.live.saturating_sub(bytes);
    }

    fn op(
        &mut self,
        graph: GraphId,
        op: OpId,
        operands: Vec<Option<Value>>,
    ) -> Result<Vec<Option<Value>>, EngineError> {
        let data = self.program.model.graph(graph).op(op);
        match data.op() {
            Op::If(_) => self.run_if(graph, op, &operands),
            Op::Loop(_) => self.run_loop(graph, op, operands),
            Op::Scan(scan) => self.run_scan(scan, graph, op, operands),
            Op::Call(_) => {
                let Some(body) = data.regions().first() else {
                    return Err(self.fail(graph, Some(op), EvalError::Unsupported("a call without a body".to_owned())));
                };
                let given: Vec<Option<Value>> = operands.into_iter().flatten().map(Some).collect();
                Ok(self.graph(*body, given, &[])?.into_iter().map(Some).collect())
            }
            simple => {
                let options = EvalOptions::running(self.program.limits.memory_limit);
                let wanted: Vec<bool> = data.results().iter().map(Option::is_some).collect();
                evaluate_op(simple, &operands, &wanted, &options).map_err(|error| self.fail(graph, Some(op), error))
            }
        }
    }

    fn operands(&self, id: GraphId, graph: &Graph, op: OpId, frame: &Frame) -> Result<Vec<Option<Value>>, EngineError> {
        let slots = graph.op(op).operands().iter();
        slots.map(|slot| slot.map_or(Ok(None), |value| self.read(id, graph, value, frame))).collect()
    }

    fn read(&self, id: GraphId, graph: &Graph, value: ValueId, frame: &Frame) -> Result<Option<Value>, EngineError> {
        match graph.constant(value) {
            Some(tensor) => {
                let tensor = dense(self.program.model.tensor(tensor)).map_err(|error| self.fail(id, None, error))?;
                Ok(Some(Value::Tensor(tensor)))
            }
            None => Ok(frame.values[value.index()].clone()),
        }
    }

    fn put(&mut self, frame: &mut Frame, id: ValueId, value: Option<Value>) {
        let bytes = value.as_ref().map_or(0, bytes_of);
        self.live += bytes;
        frame.bytes += bytes;
        frame.values[id.index()] = value;
    }

    fn take(&mut self, frame: &mut Frame, id: ValueId) {
        if let Some(value) = frame.values[id.index()].take() {
            let bytes = bytes_of(&value);
            self.live -= bytes;
            frame.bytes -= bytes;
        }
    }

    pub(super) fn fail(&self, graph: GraphId, op: Option<OpId>, error: EvalError) -> EngineError {
        let model: &Model = &self.program.model;
        let label = op.map_or_else(|| format!("graph '{}'", model.graph(graph).name), |op| label(model, graph, op));
        EngineError::Run { label, message: error.to_string() }
    }
}

/// The values of one run of one graph.
struct Frame {
    values: Vec<Option<Value>>,
    bytes: u64,
}

/// Bytes that a value holds; shared ones are counted by everyone who shares them.
pub(super) fn bytes_of(value: &Value) -> u64 {
    match value {
        Value::Tensor(tensor) => match tensor.data() {
            TensorData::Dense(bytes) | TensorData::Splat(bytes) => bytes.len() as u64,
            TensorData::Strings(strings) => strings.iter().map(|string| 16 + string.len() as u64).sum(),
            _ => tensor.byte_len(),
        },
        Value::Sequence(items) => items.iter().map(bytes_of).sum(),
        Value::Optional(inner) => inner.as_deref().map_or(0, bytes_of),
    }
}

/// A sparse constant written out; every other tensor as it is.
fn dense(tensor: &Tensor) -> Result<Tensor, EvalError> {
    match tensor.data() {
        TensorData::Sparse(sparse) => crate::eval::densify(tensor, sparse),
        _ => Ok(tensor.clone()),
    }
}

/// The value of every input in the graph's order. Symbols are not bound: exporters reuse one name on unrelated axes, so
/// two sizes under one name are no error.
fn bind_inputs(graph: &Graph, given: &Values) -> Result<Vec<Option<Value>>, EngineError> {
    let known = || graph.inputs().iter().map(|input| graph.value(*input).name());
    if let Some(name) = given.keys().find(|name| known().all(|input| input != *name)) {
        let names: Vec<&str> = known().map(Name::as_str).collect();
        let message = format!("the model has no such input, but {}", names.join(", "));
        return Err(EngineError::Input { name: name.clone(), message });
    }
    graph.inputs().iter().map(|input| bind_input(graph.value(*input), given)).collect()
}

fn bind_input(input: &ValueData, given: &Values) -> Result<Option<Value>, EngineError> {
    let fail = |message: String| Err(EngineError::Input { name: input.name().clone(), message });
    match given.get(input.name()) {
        Some(value) => match mismatch(input.ty(), value) {
            Some(message) => fail(message),
            None => Ok(Some(value.clone())),
        },
        None => match input.def() {
            Def::Input { default: Some(_) } => Ok(None),
            _ => fail(format!("is missing; it is {}", input.ty())),
        },
    }
}

/// Why a value does not fit a type: element type, rank, or a dim that is a number.
fn mismatch(ty: &ValueType, value: &Value) -> Option<String> {
    match (ty, value) {
        (ValueType::Tensor(wanted), Value::Tensor(tensor)) => {
            let shape = tensor.shape();
            let fits = tensor.dtype() == wanted.dtype
                && wanted.shape.dims().is_none_or(|dims| {
                    dims.len() == shape.len()
                        && dims.iter().zip(shape).all(|(dim, extent)| dim.known().is_none_or(|n| n == *extent as i64))
                });
            (!fits).then(|| format!("{} is needed, but {} of shape {shape:?} was given", ty, tensor.dtype()))
        }
        (ValueType::Sequence(item), Value::Sequence(items)) => items.iter().find_map(|value| mismatch(item, value)),
        (ValueType::Optional(_), Value::Optional(None)) => None,
        (ValueType::Optional(inner), Value::Optional(Some(value))) => mismatch(inner, value),
        (ValueType::Optional(inner), value) => mismatch(inner, value),
        (ValueType::Tensor(_) | ValueType::Sequence(_), _) => {
            Some(format!("{ty} is needed, but {} was given", value.ty()))
        }
        _ => None,
    }
}
