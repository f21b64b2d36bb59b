//! If, Loop and Scan.

use edgesmith_ir::op::{Loop, Scan};
use edgesmith_ir::{GraphId, OpId, Tensor};

use super::run::{Walk, bytes_of};
use crate::eval::{empty, slice_at, stack};
use crate::{EngineError, EvalError, Value};

type Results = Result<Vec<Option<Value>>, EngineError>;

impl Walk<'_> {
    pub(super) fn run_if(&mut self, graph: GraphId, op: OpId, operands: &[Option<Value>]) -> Results {
        let data = self.program.model.graph(graph).op(op);
        let condition = operands.first().and_then(Option::as_ref);
        let Some(condition) = condition.and_then(truth) else {
            return Err(self.invalid(graph, op, "the condition is not one bool"));
        };
        // The first region is the else branch.
        let Some(region) = data.regions().get(usize::from(condition)) else {
            return Err(self.invalid(graph, op, "a branch is missing"));
        };
        let captures = operands[data.formals().len()..].to_vec();
        Ok(self.graph(*region, captures, &[])?.into_iter().map(Some).collect())
    }

    /// Without a condition operand the body's condition is ignored, as the text has it.
    pub(super) fn run_loop(&mut self, graph: GraphId, op: OpId, mut operands: Vec<Option<Value>>) -> Results {
        let data = self.program.model.graph(graph).op(op);
        let Some(body) = data.regions().first().copied() else {
            return Err(self.invalid(graph, op, "the body is missing"));
        };
        let captures = operands.split_off(data.formals().len());
        let mut carried = operands.split_off(operands.len().min(2));
        let given = |slot: usize| operands.get(slot).and_then(Option::as_ref);
        let trips = match given(0) {
            None => None,
            Some(value) => match value.as_tensor().and_then(Tensor::to_ints).as_deref() {
                Some([trips]) => Some((*trips).max(0)),
                _ => return Err(self.invalid(graph, op, "the trip count is not one integer")),
            },
        };
        let conditional = given(1).is_some();
        let mut goes_on = match given(1).map(truth) {
            None => true,
            Some(Some(condition)) => condition,
            Some(None) => return Err(self.invalid(graph, op, "the condition is not one bool")),
        };
        let count = carried.len();
        let body_outputs = self.program.model.graph(body).outputs().len();
        let Some(scans) = body_outputs.checked_sub(1 + count) else {
            return Err(self.invalid(graph, op, "the body has fewer outputs than carried values"));
        };
        let mut stacked: Vec<Vec<Tensor>> = vec![Vec::new(); scans];
        let mut held = 0;
        let mut trip = 0_i64;
        while goes_on && trips.is_none_or(|trips| trip < trips) {
            self.trip(graph, op)?;
            let mut inputs: Vec<Option<Value>> = Vec::with_capacity(2 + count + captures.len());
            let head = Loop::head(self.program.model.graph(body), trip);
            let head = head.map_err(|error| self.fail(graph, Some(op), error.into()))?;
            inputs.extend(head.map(|tensor| Some(tensor.into())));
            inputs.append(&mut carried);
            inputs.extend(captures.iter().cloned());
            let mut outputs = self.graph(body, inputs, &[])?.into_iter();
            let condition = outputs.next();
            if conditional {
                let Some(condition) = condition.as_ref().and_then(truth) else {
                    return Err(self.invalid(graph, op, "the body's condition is not one bool"));
                };
                goes_on = condition;
            }
            carried.extend(outputs.by_ref().take(count).map(Some));
            held += self.collect(graph, op, outputs, &mut stacked)?;
            trip += 1;
        }
        let mut results = carried;
        for (index, parts) in stacked.into_iter().enumerate() {
            results.push(Some(self.joined(graph, op, body, 1 + count + index, parts, 0)?));
        }
        self.release(held);
        Ok(results)
    }

    pub(super) fn run_scan(
        &mut self,
        scan: &Scan,
        graph: GraphId,
        op: OpId,
        mut operands: Vec<Option<Value>>,
    ) -> Results {
        let data = self.program.model.graph(graph).op(op);
        let Some(body) = data.regions().first().copied() else {
            return Err(self.invalid(graph, op, "the body is missing"));
        };
        let captures = operands.split_off(data.formals().len());
        let states = usize::try_from(scan.num_scan_inputs).ok().and_then(|scans| operands.len().checked_sub(scans));
        let Some(states) = states else {
            return Err(self.invalid(graph, op, "fewer operands than scan inputs"));
        };
        let mut sources: Vec<(Tensor, usize, bool)> = Vec::new();
        for (index, value) in operands.split_off(states).into_iter().enumerate() {
            let Some(Value::Tensor(tensor)) = value else {
                return Err(self.invalid(graph, op, "a scan input is no tensor"));
            };
            let axis = scan.scan_input_axes.get(index).copied().unwrap_or(0);
            let Some(axis) = from_front(axis, tensor.rank()) else {
                return Err(self.invalid(
                    graph,
                    op,
                    &format!("scan axis {axis} does not exist in rank {}", tensor.rank()),
                ));
            };
            sources.push((tensor, axis, scan.scan_input_directions.get(index) == Some(&1)));
        }
        let lengths: Vec<u64> = sources.iter().map(|(tensor, axis, _)| tensor.shape()[*axis]).collect();
        if lengths.windows(2).any(|pair| pair[0] != pair[1]) {
            return Err(self.invalid(graph, op, &format!("scan inputs of different lengths {lengths:?}")));
        }
        let length = lengths.first().copied().unwrap_or(0) as usize;
        let body_outputs = self.program.model.graph(body).outputs().len();
        let Some(scans) = body_outputs.checked_sub(states) else {
            return Err(self.invalid(graph, op, "the body has fewer outputs than state values"));
        };
        let mut stacked: Vec<Vec<Tensor>> = vec![Vec::new(); scans];
        let mut held = 0;
        let mut state = operands;
        for step in 0..length {
            self.trip(graph, op)?;
            let mut inputs: Vec<Option<Value>> = Vec::with_capacity(states + sources.len() + captures.len());
            inputs.append(&mut state);
            for (tensor, axis, backward) in &sources {
                let index = if *backward { length - 1 - step } else { step };
                let slice = slice_at(tensor, *axis, index).map_err(|error| self.fail(graph, Some(op), error))?;
                inputs.push(Some(slice.into()));
            }
            inputs.extend(captures.iter().cloned());
            let mut outputs = self.graph(body, inputs, &[])?.into_iter();
            state.extend(outputs.by_ref().take(states).map(Some));
            held += self.collect(graph, op, outputs, &mut stacked)?;
        }
        let mut results = state;
        for (index, mut parts) in stacked.into_iter().enumerate() {
            if scan.scan_output_directions.get(index) == Some(&1) {
                parts.reverse();
            }
            let axis = scan.scan_output_axes.get(index).copied().unwrap_or(0);
            results.push(Some(self.joined(graph, op, body, states + index, parts, axis)?));
        }
        self.release(held);
        Ok(results)
    }

    /// Adds the scan outputs of one trip; gives their bytes.
    fn collect(
        &mut self,
        graph: GraphId,
        op: OpId,
        outputs: impl Iterator<Item = Value>,
        stacked: &mut [Vec<Tensor>],
    ) -> Result<u64, EngineError> {
        let mut held = 0;
        for (value, parts) in outputs.zip(stacked) {
            held += bytes_of(&value);
            self.hold(graph, op, std::slice::from_ref(&value))?;
            let Value::Tensor(tensor) = value else {
                return Err(self.invalid(graph, op, "a scan output is no tensor"));
            };
            parts.push(tensor);
        }
        Ok(held)
    }

    /// The parts of all trips on a new axis. Without trips the shape is the declared one, unknown dims as 0.
    fn joined(
        &self,
        graph: GraphId,
        op: OpId,
        body: GraphId,
        output: usize,
        parts: Vec<Tensor>,
        axis: i64,
    ) -> Result<Value, EngineError> {
        let body = self.program.model.graph(body);
        let fail = |error| self.fail(graph, Some(op), error);
        let declared = body.value(body.outputs()[output]).ty();
        let rank = 1 + parts.first().map_or_else(|| declared.rank().unwrap_or(0), Tensor::rank);
        let Some(at) = from_front(axis, rank) else {
            return Err(self.invalid(graph, op, &format!("scan output axis {axis} does not exist in rank {rank}")));
        };
        if !parts.is_empty() {
            return stack(&parts, at).map(Value::Tensor).map_err(fail);
        }
        let Some(dtype) = declared.dtype() else {
            return Err(self.invalid(graph, op, "no trips, and the body does not say the type of a scan output"));
        };
        let dims = declared.dims().unwrap_or_default().iter();
        let mut dims: Vec<usize> = dims.map(|dim| dim.extent().unwrap_or(0) as usize).collect();
        dims.insert(at, 0);
        empty(dtype, &dims).map(Value::Tensor).map_err(fail)
    }

    fn invalid(&self, graph: GraphId, op: OpId, message: &str) -> EngineError {
        self.fail(graph, Some(op), EvalError::Invalid(message.to_owned()))
    }
}

fn from_front(axis: i64, rank: usize) -> Option<usize> {
    let axis = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(axis).ok().filter(|axis| *axis < rank)
}

/// The one element of a bool tensor.
fn truth(value: &Value) -> Option<bool> {
    match value.as_tensor()?.to_ints()?.as_slice() {
        [one] => Some(*one != 0),
        _ => None,
    }
}
