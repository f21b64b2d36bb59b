//! Operators that lowering takes apart itself: shapes, copies, functions, sequences and optionals.

use std::ops::Range;

use edgesmith_ir::{DType, Extents, GraphId, Op, OpId, Tensor as IrTensor};
use tract_core::internal::*;

use super::part::axis_of;
use super::wire::Wire;
use super::{Lowering, Problem};

/// What an operator has been taken apart to; `None` where it is not one of these.
pub(crate) type Taken = Result<Option<Vec<Option<Wire>>>, Problem>;

#[expect(clippy::unnecessary_wraps, reason = "the shape of the answer of every rule here")]
pub(crate) fn took(wire: Wire) -> Taken {
    Ok(Some(vec![Some(wire)]))
}

fn missing(what: &str) -> Problem {
    Problem::Unsupported(format!("its {what} is not known before the run"))
}

impl Lowering<'_> {
    /// The results of an operator that needs no tract operator of its own; `None` for all others.
    pub(crate) fn structural(
        &mut self,
        graph: GraphId,
        id: OpId,
        op: &Op,
        operands: &[Option<Wire>],
        wanted: &[bool],
        exact: bool,
    ) -> Taken {
        let operand = |slot: usize| operands.get(slot).cloned().flatten();
        let need = |slot: usize| operand(slot).ok_or_else(|| Problem::Invalid(format!("operand {slot} is absent")));
        match op {
            Op::Identity(_) => took(need(0)?),
            Op::Shape(op) => {
                let Some(shape) = self.extents(&need(0)?)? else { return Ok(None) };
                let part = part_of_shape(shape.len(), op.start, op.end);
                took(Wire::ints(&shape[part]))
            }
            Op::Size(_) => {
                let Some(shape) = self.extents(&need(0)?)? else { return Ok(None) };
                took(Wire::constant(IrTensor::scalar(shape.iter().product::<i64>())))
            }
            Op::Dropout(_) => self.dropout(operands, wanted),
            Op::Call(_) => self.call(graph, id, operands, exact),
            Op::If(_) => self.branch(graph, id, operands, exact),
            Op::Loop(_) => self.repeat(graph, id, operands, wanted),
            Op::Scan(scan) => self.scan(graph, id, scan, operands, wanted),
            Op::SequenceEmpty(_) => took(Wire::Sequence(Vec::new())),
            Op::SequenceConstruct(_) => took(Wire::Sequence(operands.iter().flatten().cloned().collect())),
            Op::SequenceAt(_) => {
                let (items, at) = (sequence(&need(0)?)?, position(&need(1)?)?);
                let at = place(at, items.len())?;
                took(items[at].clone())
            }
            Op::SequenceErase(_) => {
                let mut items = sequence(&need(0)?)?;
                let at = operand(1).as_ref().map_or(Ok(-1), position)?;
                items.remove(place(at, items.len())?);
                took(Wire::Sequence(items))
            }
            Op::SequenceInsert(_) => {
                let mut items = sequence(&need(0)?)?;
                let at = match operand(2) {
                    Some(at) => {
                        let at = position(&at)?;
                        let end = items.len() as i64;
                        if at == end { items.len() } else { place(at, items.len())? }
                    }
                    None => items.len(),
                };
                items.insert(at, need(1)?);
                took(Wire::Sequence(items))
            }
            Op::SequenceLength(_) => {
                let items = sequence(&need(0)?)?;
                took(Wire::constant(IrTensor::scalar(items.len() as i64)))
            }
            Op::SplitToSequence(op) => self.split_to_sequence(&need(0)?, operand(1), op.axis, op.keepdims),
            Op::ConcatFromSequence(op) => {
                let items = sequence(&need(0)?)?;
                let joined = self.join(&items, op.axis, op.new_axis)?;
                took(joined)
            }
            Op::Optional(_) => took(Wire::Optional(operand(0).map(Box::new))),
            Op::OptionalGetElement(_) => match need(0)? {
                Wire::Optional(Some(inner)) => took(*inner),
                Wire::Optional(None) => Err(Problem::Invalid("the optional is empty".to_owned())),
                whole => took(whole),
            },
            Op::OptionalHasElement(_) => {
                let has = !matches!(operand(0), None | Some(Wire::Optional(None)));
                let tensor =
                    IrTensor::from_bools(Extents::new(), &[has]).map_err(|e| Problem::Invalid(e.to_string()))?;
                took(Wire::constant(tensor))
            }
            _ => Ok(None),
        }
    }

    /// The extents of a tensor, if all are known before the run.
    fn extents(&self, wire: &Wire) -> Result<Option<Vec<i64>>, Problem> {
        Ok(match wire {
            Wire::Constant(known) => Some(known.tensor.shape().iter().map(|n| *n as i64).collect()),
            Wire::Outlet(outlet) => {
                let fact = self.big.outlet_fact(*outlet)?;
                fact.shape.as_concrete().map(|shape| shape.iter().map(|n| *n as i64).collect())
            }
            Wire::Optional(Some(inner)) => self.extents(inner)?,
            Wire::Sequence(_) | Wire::Optional(None) => None,
        })
    }

    /// A copy in inference, or where nothing is dropped.
    fn dropout(&mut self, operands: &[Option<Wire>], wanted: &[bool]) -> Taken {
        let training = match operands.get(2).and_then(Option::as_ref) {
            Some(mode) => mode.known_ints().ok_or_else(|| missing("training mode"))?.contains(&1),
            None => false,
        };
        if training {
            let ratio = operands.get(1).and_then(Option::as_ref).and_then(Wire::known);
            let ratio = ratio.and_then(|known| known.tensor.to_f64());
            if ratio.is_none_or(|ratio| ratio != [0.0]) {
                return Err(Problem::Unsupported("it drops at random, in training mode".to_owned()));
            }
        }
        let data = operands.first().cloned().flatten().ok_or_else(|| Problem::Invalid("no operand".to_owned()))?;
        let mask = if wanted.get(1).copied().unwrap_or(false) {
            let shape = self.extents(&data)?.ok_or_else(|| missing("shape"))?;
            let shape: Extents = shape.iter().map(|n| *n as u64).collect();
            let tensor =
                IrTensor::splat(DType::Bool, shape, vec![1].into()).map_err(|e| Problem::Invalid(e.to_string()))?;
            Some(Wire::constant(tensor))
        } else {
            None
        };
        Ok(Some(vec![Some(data), mask]))
    }

    /// A function of the model: its body in place.
    fn call(&mut self, graph: GraphId, id: OpId, operands: &[Option<Wire>], exact: bool) -> Taken {
        let Some(body) = self.model.graph(graph).op(id).regions().first().copied() else {
            return Err(Problem::Unsupported("the function has no body in the model".to_owned()));
        };
        let inputs = operands.iter().flatten().cloned().collect();
        Ok(Some(self.inline(body, inputs, exact)?))
    }

    /// Lowers a region in place. Returns its outputs.
    pub(crate) fn inline(
        &mut self,
        body: GraphId,
        inputs: Vec<Wire>,
        exact: bool,
    ) -> Result<Vec<Option<Wire>>, Problem> {
        let outputs = self.model.graph(body).outputs().to_vec();
        self.depth += 1;
        let frame = self.graph(body, inputs, &outputs, exact);
        self.depth -= 1;
        let frame = frame?;
        Ok(outputs.iter().map(|value| frame.get(*value).cloned()).collect())
    }

    fn split_to_sequence(&mut self, data: &Wire, split: Option<Wire>, axis: i64, keep: bool) -> Taken {
        let shape = self.extents(data)?.ok_or_else(|| missing("shape"))?;
        let axis = axis_of(axis, shape.len())?;
        let extent = shape[axis] as usize;
        let (sizes, squeeze) = match split {
            None => (vec![1; extent], !keep),
            Some(split) => {
                let known = split.known().ok_or_else(|| missing("list of sizes"))?;
                let ints = known.tensor.to_ints().ok_or_else(|| missing("list of sizes"))?;
                let sizes = if known.tensor.rank() == 0 {
                    let size = usize::try_from(ints[0]).ok().filter(|size| *size > 0);
                    let size = size.ok_or_else(|| Problem::Invalid(format!("parts of {} elements", ints[0])))?;
                    (0..extent).step_by(size).map(|at| size.min(extent - at)).collect()
                } else {
                    ints.iter()
                        .map(|size| usize::try_from(*size))
                        .collect::<Result<Vec<_>, _>>()
                        .map_err(|_| Problem::Invalid(format!("parts of {ints:?} elements")))?
                };
                (sizes, false)
            }
        };
        if sizes.iter().sum::<usize>() != extent {
            return Err(Problem::Invalid(format!("parts of {sizes:?} of {extent} elements")));
        }
        let parts = self.build(std::slice::from_ref(data), |p| {
            let x = p.input(0)?;
            let mut at = 0;
            let mut parts = tvec!();
            for size in sizes {
                let part = p.slice(x, axis, at, at + size)?;
                parts.push(if squeeze { p.drop_axes(part, &[axis])? } else { part });
                at += size;
            }
            Ok(parts)
        })?;
        took(Wire::Sequence(parts))
    }

    /// Joins tensors along an axis, or stacks them along a new one.
    pub(crate) fn join(&mut self, items: &[Wire], axis: i64, stack: bool) -> Result<Wire, Problem> {
        if items.is_empty() {
            return Err(Problem::Unsupported("it joins a sequence without elements".to_owned()));
        }
        let joined = self.build(items, |p| {
            let mut items = p.present();
            let rank = p.rank(items[0])?;
            let axis = axis_of(axis, if stack { rank + 1 } else { rank })?;
            if stack {
                for item in &mut items {
                    *item = p.op(AxisOp::Add(axis), &[*item])?;
                }
            }
            Ok(tvec!(p.concat(&items, axis)?))
        })?;
        joined.into_iter().next().ok_or_else(|| Problem::Unsupported("nothing was joined".to_owned()))
    }
}

/// The axes that Shape tells of: bounds count from the end where negative, and are clamped.
fn part_of_shape(rank: usize, start: i64, end: Option<i64>) -> Range<usize> {
    let bound = |at: i64| (if at < 0 { at.saturating_add(rank as i64) } else { at }).clamp(0, rank as i64) as usize;
    let (start, end) = (bound(start), end.map_or(rank, bound));
    start..end.max(start)
}

fn sequence(wire: &Wire) -> Result<Vec<Wire>, Problem> {
    match wire {
        Wire::Sequence(items) => Ok(items.clone()),
        Wire::Optional(Some(inner)) => sequence(inner),
        _ => Err(Problem::Unsupported("its sequence is not known before the run".to_owned())),
    }
}

fn position(wire: &Wire) -> Result<i64, Problem> {
    match wire.known_ints().as_deref() {
        Some([at]) => Ok(*at),
        Some(_) => Err(Problem::Invalid("a position that is no single number".to_owned())),
        None => Err(missing("position")),
    }
}

fn place(at: i64, count: usize) -> Result<usize, Problem> {
    let from_start = if at < 0 { at + count as i64 } else { at };
    usize::try_from(from_start)
        .ok()
        .filter(|at| *at < count)
        .ok_or_else(|| Problem::Invalid(format!("the position {at} is outside a sequence of {count}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_shapes_are_clamped() {
        for (start, end, want) in
            [(0, None, 0..3), (-1, None, 2..3), (1, Some(-1), 1..2), (-9, Some(9), 0..3), (2, Some(1), 2..2)]
        {
            assert_eq!(part_of_shape(3, start, end), want, "{start} {end:?}");
        }
    }

    #[test]
    fn positions_count_from_either_end() {
        assert!(matches!(place(-1, 3), Ok(2)));
        assert!(matches!(place(0, 3), Ok(0)));
        assert!(place(3, 3).is_err());
        assert!(place(-4, 3).is_err());
    }
}
