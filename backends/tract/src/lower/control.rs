//! Control flow.
//!
//! An If whose condition is known is its branch; a Loop whose trip count and condition are known is unrolled. What only
//! the run decides becomes a tract operator with bodies of its own: [`Branch`] for If, tract's `Scan` for Scan.

use edgesmith_exec::Effort;
use edgesmith_ir::op::{Loop, Scan as ScanOp};
use edgesmith_ir::{GraphId, OpId};
use tract_core::internal::*;
use tract_core::ops::scan::{InputMapping, OutputMapping, Scan, ScanInfo};

use super::branch::Branch;
use super::part::axis_of;
use super::structure::Taken;
use super::wire::Wire;
use super::{Lowering, Problem};
use crate::prepare::{PIECE, forget_between_runs, prepare};

/// Rounds of a loop that is unrolled.
const MAX_ROUNDS: i64 = 10_000;

fn unsupported(reason: impl Into<String>) -> Problem {
    Problem::Unsupported(reason.into())
}

impl Lowering<'_> {
    fn regions(&self, graph: GraphId, id: OpId) -> (Vec<GraphId>, usize) {
        let data = self.model.graph(graph).op(id);
        (data.regions().to_vec(), data.captures().len())
    }

    /// If.
    pub(crate) fn branch(&mut self, graph: GraphId, id: OpId, operands: &[Option<Wire>], exact: bool) -> Taken {
        let (regions, _) = self.regions(graph, id);
        let [otherwise, then] = regions[..] else { return Err(unsupported("a branch is missing")) };
        let Some(Some(condition)) = operands.first() else { return Err(unsupported("the condition is missing")) };
        let captures: Vec<Wire> = operands[1..].iter().flatten().cloned().collect();
        if let Some(known) = condition.known_ints() {
            let body = if known.contains(&1) { then } else { otherwise };
            return Ok(Some(self.inline(body, captures, exact)?));
        }
        let (inputs, outer) = self.body_inputs(&captures)?;
        let mut plans = Vec::new();
        for body in [then, otherwise] {
            let mut inner = self.inner();
            let wires = self.sources(&mut inner, &captures, &inputs)?;
            let outputs = self.model.graph(body).outputs().to_vec();
            let frame = inner.graph(body, wires, &outputs, false)?;
            let mut outlets = Vec::new();
            for value in &outputs {
                let wire = frame.get(*value).ok_or_else(|| unsupported("a branch lacks a result"))?;
                outlets.push(inner.outlet(&wire.clone())?);
            }
            plans.push(self.plan(inner.big, &outlets)?);
        }
        let branch = Branch::new(&plans[0], &plans[1])?;
        let mut all = vec![condition.clone()];
        all.extend(outer);
        let results = self.build(&all, |p| {
            let operands = p.present();
            p.ops(branch, &operands)
        })?;
        Ok(Some(results.into_iter().map(Some).collect()))
    }

    /// Loop, unrolled.
    pub(crate) fn repeat(&mut self, graph: GraphId, id: OpId, operands: &[Option<Wire>], wanted: &[bool]) -> Taken {
        let (regions, captured) = self.regions(graph, id);
        let Some(body) = regions.first().copied() else { return Err(unsupported("the body is missing")) };
        let formals = operands.len() - captured;
        let captures: Vec<Wire> = operands[formals..].iter().flatten().cloned().collect();
        let mut carried: Vec<Wire> = operands[2.min(formals)..formals].iter().flatten().cloned().collect();
        let states = carried.len();
        let rounds = match operands.first().and_then(Option::as_ref) {
            None => i64::MAX,
            Some(count) => match count.known_ints().as_deref() {
                Some([count]) => *count,
                _ => return Err(unsupported("its trip count is not known before the run")),
            },
        };
        let mut goes_on = match operands.get(1).and_then(Option::as_ref) {
            None => true,
            Some(condition) => decided(condition)?,
        };
        let outputs = self.model.graph(body).outputs().len();
        let mut collected: Vec<Vec<Wire>> = vec![Vec::new(); outputs.saturating_sub(1 + states)];
        let mut round = 0;
        while goes_on && round < rounds {
            if round == MAX_ROUNDS {
                return Err(unsupported(format!("it runs for more than {MAX_ROUNDS} rounds")));
            }
            let head = Loop::head(self.model.graph(body), round).map_err(|e| unsupported(e.to_string()))?;
            let mut inputs = head.map(Wire::constant).to_vec();
            inputs.extend(carried);
            inputs.extend(captures.iter().cloned());
            let results = self.inline(body, inputs, false)?;
            let mut results =
                results.into_iter().map(|wire| wire.ok_or_else(|| unsupported("its body lacks a result")));
            let condition = results.next().ok_or_else(|| unsupported("its body has no results"))??;
            carried = results.by_ref().take(states).collect::<Result<_, _>>()?;
            for (list, wire) in collected.iter_mut().zip(results) {
                list.push(wire?);
            }
            round += 1;
            goes_on = round >= rounds || decided(&condition)?;
        }
        let mut wires: Vec<Option<Wire>> = carried.into_iter().map(Some).collect();
        for (index, list) in collected.iter().enumerate() {
            let wire = if wanted.get(states + index).copied().unwrap_or(false) {
                Some(self.join(list, 0, true)?)
            } else {
                None
            };
            wires.push(wire);
        }
        Ok(Some(wires))
    }

    /// Scan, by tract's operator.
    pub(crate) fn scan(
        &mut self,
        graph: GraphId,
        id: OpId,
        op: &ScanOp,
        operands: &[Option<Wire>],
        wanted: &[bool],
    ) -> Taken {
        let (regions, captured) = self.regions(graph, id);
        let Some(body) = regions.first().copied() else { return Err(unsupported("the body is missing")) };
        let all: Vec<Wire> = operands.iter().flatten().cloned().collect();
        let formals = all.len().saturating_sub(captured);
        let scanned = usize::try_from(op.num_scan_inputs).ok().filter(|n| (1..=formals).contains(n));
        let scanned = scanned.ok_or_else(|| unsupported("it scans no input"))?;
        let states = formals - scanned;
        // States and scanned inputs must be outlets also where they are constant: they change from step to step.
        let mut outer = Vec::new();
        for wire in &all[..formals] {
            outer.push(Wire::Outlet(self.outlet(wire)?));
        }
        let (capture_inputs, capture_outer) = self.body_inputs(&all[formals..])?;
        let mut inner = self.inner();
        let mut inputs = Vec::new();
        let mut mapping = Vec::new();
        for (slot, wire) in outer.iter().enumerate() {
            let Wire::Outlet(outlet) = wire else { continue };
            let fact = self.big.outlet_fact(*outlet)?.without_value();
            let Some(index) = slot.checked_sub(states) else {
                inputs.push(Wire::Outlet(inner.big.add_source(format!("state{slot}"), fact)?));
                mapping.push(InputMapping::State);
                continue;
            };
            let axis = axis_of(op.scan_input_axes.get(index).copied().unwrap_or(0), fact.rank())?;
            let chunk = if op.scan_input_directions.get(index) == Some(&1) { -1 } else { 1 };
            if fact.shape[axis] == 0.to_dim() {
                return Err(unsupported("it scans no steps"));
            }
            let mut step = fact.clone();
            step.shape.set(axis, 1.to_dim());
            let source = Wire::Outlet(inner.big.add_source(format!("step{slot}"), step)?);
            let element = inner.build(&[source], |p| {
                let x = p.input(0)?;
                Ok(tvec!(p.drop_axes(x, &[axis])?))
            })?;
            inputs.extend(element);
            mapping.push(InputMapping::Scan(ScanInfo { axis, chunk }));
        }
        inputs.extend(self.sources(&mut inner, &all[formals..], &capture_inputs)?);
        mapping.extend(capture_outer.iter().map(|_| InputMapping::Full));
        let outputs = self.model.graph(body).outputs().to_vec();
        let frame = inner.graph(body, inputs, &outputs, false)?;
        let mut outlets = Vec::new();
        let mut output_mapping = Vec::new();
        for (slot, value) in outputs.iter().enumerate() {
            let wire = frame.get(*value).cloned().ok_or_else(|| unsupported("its body lacks a result"))?;
            let outlet = inner.outlet(&wire)?;
            let Some(index) = slot.checked_sub(states) else {
                outlets.push(outlet);
                let last_value_slot = Some(slot);
                output_mapping.push(OutputMapping { scan: None, full_dim_hint: None, last_value_slot, state: true });
                continue;
            };
            let rank = inner.big.outlet_fact(outlet)?.rank() + 1;
            let axis = axis_of(op.scan_output_axes.get(index).copied().unwrap_or(0), rank)?;
            let chunk = if op.scan_output_directions.get(index) == Some(&1) { -1 } else { 1 };
            let stacked = inner.build(&[Wire::Outlet(outlet)], |p| {
                let x = p.input(0)?;
                Ok(tvec!(p.op(AxisOp::Add(axis), &[x])?))
            })?;
            outlets.push(inner.outlet(&stacked[0])?);
            let scan = Some((slot, ScanInfo { axis, chunk }));
            output_mapping.push(OutputMapping { scan, full_dim_hint: None, last_value_slot: None, state: false });
        }
        inner.big.select_output_outlets(&outlets)?;
        let scan = Scan::new(inner.big, mapping, output_mapping, 0)?;
        outer.extend(capture_outer);
        let results = self.build(&outer, |p| {
            let operands = p.present();
            p.ops(scan, &operands)
        })?;
        let wires = results.into_iter().map(Some).take(wanted.len().max(1)).collect();
        Ok(Some(wires))
    }

    /// Captured values that a body reads by a source of its own, with their facts; constants go in by value.
    fn body_inputs(&self, captures: &[Wire]) -> Result<(Vec<TypedFact>, Vec<Wire>), Problem> {
        let mut facts = Vec::new();
        let mut outer = Vec::new();
        for wire in captures {
            match wire {
                Wire::Outlet(outlet) => {
                    facts.push(self.big.outlet_fact(*outlet)?.without_value());
                    outer.push(wire.clone());
                }
                Wire::Constant(_) => {}
                Wire::Sequence(_) | Wire::Optional(_) => {
                    return Err(unsupported("its body reads a sequence or an optional"));
                }
            }
        }
        Ok((facts, outer))
    }

    /// What captured values are inside a body: new sources in the order of [`body_inputs`](Self::body_inputs), and
    /// constants.
    fn sources(&self, inner: &mut Self, captures: &[Wire], facts: &[TypedFact]) -> Result<Vec<Wire>, Problem> {
        let mut facts = facts.iter();
        let mut wires = Vec::new();
        for wire in captures {
            if let Some(constant) = wire.for_another_model() {
                wires.push(constant);
            } else {
                let fact = facts.next().ok_or_else(|| unsupported("a captured value is lost"))?;
                let name = format!("capture{}", wires.len());
                wires.push(Wire::Outlet(inner.big.add_source(name, fact.clone())?));
            }
        }
        Ok(wires)
    }

    /// A body that runs by itself.
    fn plan(&self, mut body: TypedModel, outputs: &[OutletId]) -> Result<Arc<crate::plan::TractPlan>, Problem> {
        body.select_output_outlets(outputs)?;
        forget_between_runs(&mut body);
        let ready = match self.options.effort {
            Effort::Once => body,
            Effort::Many => prepare(body, PIECE).map_err(Problem::Unsupported)?,
        };
        Ok(crate::plan::TractPlan::new(ready)?)
    }
}

fn decided(condition: &Wire) -> Result<bool, Problem> {
    match condition.known_ints() {
        Some(bits) => Ok(bits.contains(&1)),
        None => Err(unsupported("its condition is not known before the run")),
    }
}
