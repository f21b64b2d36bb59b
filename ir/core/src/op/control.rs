//! Operators: control.

use super::join::{join_contents, join_types, shapeless, with_own_symbols};
use super::operator;
use crate::infer::{Fact, InferCx, InferError};
use crate::{Contents, DType, Dim, Dims, Graph, Item, Shape, Tensor, TensorError, ValueType};

operator! {
    /// Runs one of two branches.
    If {
        operands { condition: one }
        results { outputs: many }
        attributes {  }
        regions { else_branch, then_branch }
        infer: branches;
    }
}

operator! {
    /// Repeats the body while a condition holds, up to a trip count.
    Loop {
        operands { trip_count: maybe, condition: maybe, initial: many }
        results { outputs: many }
        attributes {  }
        regions { body }
        infer: repeat;
    }
}

operator! {
    /// Runs the body over slices of the scan inputs, carrying state.
    Scan {
        operands { initial_state_and_scan_inputs: many }
        results { final_state_and_scan_outputs: many }
        attributes { num_scan_inputs: i64 [required], scan_input_axes: Vec<i64>, scan_input_directions: Vec<i64>, scan_output_axes: Vec<i64>, scan_output_directions: Vec<i64> }
        regions { body }
        infer: scan;
    }
}

/// Rounds after which the shapes of all carried values are given up, for a loop that stands in so many others: the
/// rounds of a loop multiply those of the loops in it.
const ROUNDS: [u32; 3] = [16, 6, 3];

fn branches(_: &If, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    if let Some(extents) = cx.shape(0).extents()
        && extents.iter().any(|extent| *extent != 1)
    {
        return Err(InferError::new(format!("the condition must be one bool, not of shape {}", cx.shape(0))));
    }
    let condition = cx.int(0).map(|condition| condition != 0);
    // Both, whatever the condition is: the insides of a branch that is never taken have types, too.
    let (otherwise, then) = (cx.infer_region(0, &[]), cx.infer_region(1, &[]));
    let results = match condition {
        Some(true) => then?,
        Some(false) => otherwise?,
        None => {
            let (then, otherwise) = (then?, otherwise?);
            if then.len() != otherwise.len() {
                return Err(InferError::new(format!(
                    "the branches have {} and {} outputs",
                    then.len(),
                    otherwise.len()
                )));
            }
            let both = then.iter().zip(&otherwise).enumerate().map(|(slot, (a, b))| Fact {
                ty: with_own_symbols(cx, slot, &join_types(&a.ty, &b.ty)),
                contents: a
                    .known_contents()
                    .zip(b.known_contents())
                    .and_then(|(a, b)| Contents::new(join_contents(&a, &b)?)),
                tensor: None,
            });
            both.collect()
        }
    };
    for (slot, fact) in results.into_iter().enumerate() {
        cx.set_fact(slot, fact);
    }
    Ok(())
}

impl Loop {
    /// How many inputs of the body the loop makes itself: the number of the iteration, and whether it goes on. Each has one
    /// element, a scalar or a list of one, as the body takes it.
    pub const HEAD: usize = 2;

    /// Those inputs of the body for an iteration, counted from 0.
    pub fn head(body: &Graph, iteration: i64) -> Result<[Tensor; Self::HEAD], TensorError> {
        let shape = |slot: usize| {
            let dims = body.inputs().get(slot).and_then(|input| body.value(*input).ty().dims());
            vec![1; dims.map_or(0, <[_]>::len)]
        };
        Ok([Tensor::scalar(iteration).reshaped(shape(0))?, Tensor::from_bools(shape(1), &[true])?])
    }
}

/// What a body makes of values that it carries: their types over all trips, those after the last trip, and what the
/// other outputs are. Sizes that differ from trip to trip are unknown outside.
struct Carried {
    /// Of the values before any trip.
    types: Vec<ValueType>,
    /// Of the values after a trip.
    after: Vec<ValueType>,
    /// The outputs of the body before the carried ones.
    head: Vec<Fact>,
    /// Types of the outputs of the body after the carried ones.
    tail: Vec<ValueType>,
}

/// Infers a body until the types of what it carries hold on every trip. `inputs` makes the body's inputs from the types
/// of the carried values, which stand in its outputs after `head` others.
fn carry(
    cx: &mut InferCx<'_>,
    initial: Vec<ValueType>,
    head: usize,
    inputs: impl Fn(&[ValueType]) -> Vec<Fact>,
) -> Result<Carried, InferError> {
    let mut types = initial;
    let rounds = ROUNDS.get(cx.depth() as usize).copied().unwrap_or(0);
    for round in 0.. {
        if round == rounds {
            types = types.iter().map(shapeless).collect();
        }
        let outputs = cx.infer_region(0, &inputs(&types))?;
        if outputs.len() < head + types.len() {
            return Err(InferError::new(format!(
                "the body has {} outputs, {} are needed",
                outputs.len(),
                head + types.len()
            )));
        }
        let outside =
            |fact: &Fact| fact.ty.map_dims(&mut |dim| if cx.is_of_region(dim) { Dim::Unknown } else { dim.clone() });
        let after: Vec<ValueType> = outputs[head..head + types.len()].iter().map(outside).collect();
        let joined: Vec<ValueType> = types.iter().zip(&after).map(|(a, b)| join_types(a, b)).collect();
        if joined == types || round > rounds {
            let tail = outputs[head + types.len()..].iter().map(outside).collect();
            let head = outputs.into_iter().take(head).collect();
            return Ok(Carried { types, after, head, tail });
        }
        types = joined;
    }
    Err(InferError::new("the body does not settle"))
}

/// The body's outputs are the next condition, the carried values, and one element of each stacked result.
fn repeat(_: &Loop, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let initial: Vec<ValueType> = (2..cx.operand_count()).map(|slot| cx.ty(slot).clone()).collect();
    let count = initial.len();
    let scalar = |dtype| Fact::of_type(ValueType::tensor(dtype, Shape::scalar()));
    let body = carry(cx, initial, 1, |types| {
        let carried = types.iter().cloned().map(Fact::of_type);
        [scalar(DType::I64), scalar(DType::Bool)].into_iter().chain(carried).collect()
    })?;
    let trip_limit = cx.contents(0).and_then(|trips| trips.items().first().map(Item::dim)).unwrap_or_default();
    let starts = !cx.has(1) || cx.int(1) == Some(1);
    let goes_on = body.head.first().and_then(Fact::known_contents).and_then(|next| next.ints()) == Some(vec![1]);
    // Without a condition operand the text ignores the body's condition and a runtime obeys it: only where both agree
    // is the number of trips known.
    let trips = match trip_limit {
        Dim::Known(limit) if starts && (goes_on || limit <= 0) => Dim::Known(limit.max(0)),
        limit if starts && goes_on && limit.is_size() => limit,
        _ => Dim::Unknown,
    };
    let runs = starts && (!cx.has(0) || trip_limit_is_positive(cx));
    for (slot, (any, after)) in body.types.iter().zip(&body.after).enumerate() {
        let ty = with_own_symbols(cx, slot, if runs { after } else { any });
        cx.set(slot, ty);
    }
    for (at, element) in body.tail.iter().enumerate() {
        let slot = count + at;
        let ty = stacked(element, &trips, 0)?;
        let ty = with_own_symbols(cx, slot, &ty);
        cx.set(slot, ty);
    }
    Ok(())
}

fn trip_limit_is_positive(cx: &InferCx<'_>) -> bool {
    cx.contents(0)
        .and_then(|trips| trips.items().first().map(Item::dim))
        .is_some_and(|trips| trips.sub(&Dim::Known(1)).is_size())
}

/// The type of elements stacked along a new axis.
fn stacked(element: &ValueType, count: &Dim, axis: i64) -> Result<ValueType, InferError> {
    let ValueType::Tensor(tensor) = element else { return Ok(ValueType::Unknown) };
    let shape = match tensor.shape.dims() {
        None => Shape::Unranked,
        Some(dims) => {
            let mut dims = Dims::from(dims);
            dims.insert(InferCx::axis(axis, dims.len() + 1)?, count.clone());
            Shape::Ranked(dims)
        }
    };
    Ok(ValueType::tensor(tensor.dtype, shape))
}

/// The state comes first among operands and results, then what is scanned and what is stacked.
fn scan(op: &Scan, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let states = usize::try_from(op.num_scan_inputs).ok().and_then(|scans| cx.operand_count().checked_sub(scans));
    let Some(states) = states else {
        let count = cx.operand_count();
        return Err(InferError::new(format!("{count} operands, of which {} should be scanned", op.num_scan_inputs)));
    };
    let mut length = Dim::Unknown;
    let mut slices = Vec::new();
    for slot in states..cx.operand_count() {
        let ty = cx.ty(slot).clone();
        let ValueType::Tensor(tensor) = &ty else {
            slices.push(Fact::default());
            continue;
        };
        let shape = match tensor.shape.dims() {
            None => Shape::Unranked,
            Some(dims) => {
                let axis = op.scan_input_axes.get(slot - states).copied().unwrap_or(0);
                let mut dims = Dims::from(dims);
                let own = dims.remove(InferCx::axis(axis, dims.len())?);
                length = cx.equal(&length, &own, "the lengths of scan inputs")?;
                Shape::Ranked(dims)
            }
        };
        slices.push(Fact::of_type(ValueType::tensor(tensor.dtype, shape)));
    }
    let initial: Vec<ValueType> = (0..states).map(|slot| cx.ty(slot).clone()).collect();
    let body = carry(cx, initial, 0, |types| {
        types.iter().cloned().map(Fact::of_type).chain(slices.iter().cloned()).collect()
    })?;
    let runs = length.sub(&Dim::Known(1)).is_size();
    for (slot, (any, after)) in body.types.iter().zip(&body.after).enumerate() {
        let ty = with_own_symbols(cx, slot, if runs { after } else { any });
        cx.set(slot, ty);
    }
    for (at, element) in body.tail.iter().enumerate() {
        let axis = op.scan_output_axes.get(at).copied().unwrap_or(0);
        let ty = stacked(element, &length, axis)?;
        let ty = with_own_symbols(cx, states + at, &ty);
        cx.set(states + at, ty);
    }
    Ok(())
}
