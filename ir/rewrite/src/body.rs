//! Evaluating operators of a graph one after another, and the bodies of calls on the way: what the local check needs to
//! see through operators that are calls.

use edgesmith_exec::{EvalError, EvalOptions, Value, evaluate_op};
use edgesmith_ir::composite::AnyComposite;
use edgesmith_ir::infer::{infer_results, macs_of};
use edgesmith_ir::{
    Def, EntityId, Fact, Graph, GraphId, Model, Op, OpData, OpId, OriginId, Tensor, ValueId, tensor_type,
};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// The operator that could not be evaluated, and why.
pub(crate) type Failure = (String, EvalError);

/// Calls are nested at most so deep; frontends allow no more.
const DEEPEST: u32 = 100;

/// Whether an operator can be evaluated here: control flow cannot, a call can where everything in its body can.
pub(crate) fn is_plain(model: &Model, data: &OpData, depth: u32) -> bool {
    match (data.op(), data.regions()) {
        (Op::Call(_), [body]) => {
            depth < DEEPEST
                && model.graph(*body).ops().all(|(_, data)| {
                    let known = matches!(data.op(), Op::Dropout(_) | Op::Call(_)) || !data.op().is_random();
                    known && is_plain(model, data, depth + 1)
                })
        }
        (Op::Call(_), []) => false,
        (_, []) => true,
        _ => false,
    }
}

/// A constant as operators read it.
pub(crate) fn constant_fact(tensor: &Tensor) -> Fact {
    Fact { ty: tensor_type(tensor), contents: None, tensor: Some(tensor.clone()) }
}

/// Evaluates operators in order; `values` holds what they read beside constants, and gets what they make.
pub(crate) fn evaluate(
    model: &Model,
    graph: &Graph,
    ops: &[OpId],
    values: &mut FxHashMap<ValueId, Value>,
    options: &EvalOptions,
) -> Result<(), Failure> {
    for op in ops {
        let data = graph.op(*op);
        let operands: Vec<Option<Value>> =
            data.operands().iter().map(|v| v.and_then(|v| read(model, graph, v, values))).collect();
        let results = match (data.op(), data.regions()) {
            (Op::Call(_), [body]) => evaluate_body(model, *body, operands, options)?,
            (op, _) => {
                let wanted: Vec<bool> = data.results().iter().map(Option::is_some).collect();
                evaluate_op(op, &operands, &wanted, options).map_err(|error| (op.name().to_owned(), error))?
            }
        };
        for (value, result) in data.results().iter().zip(results) {
            if let (Some(value), Some(result)) = (value, result) {
                values.insert(*value, result);
            }
        }
    }
    Ok(())
}

fn read(model: &Model, graph: &Graph, value: ValueId, values: &FxHashMap<ValueId, Value>) -> Option<Value> {
    match graph.value(value).def() {
        Def::Constant(tensor) => Some(Value::Tensor(model.tensor(tensor).clone())),
        _ => values.get(&value).cloned(),
    }
}

/// Evaluates the body of a call on the operands that are present.
fn evaluate_body(
    model: &Model,
    body: GraphId,
    operands: Vec<Option<Value>>,
    options: &EvalOptions,
) -> Result<Vec<Option<Value>>, Failure> {
    let graph = model.graph(body);
    let mut values = graph.inputs().iter().copied().zip(operands.into_iter().flatten()).collect();
    let ops = graph.topological().map_err(|cycle| ("body".to_owned(), EvalError::Unsupported(cycle.to_string())))?;
    evaluate(model, graph, &ops, &mut values, options)?;
    Ok(graph.outputs().iter().map(|value| read(model, graph, *value, &values)).collect())
}

/// Evaluates an operator from outside that stands in no graph yet, by its decomposition on these operands.
pub(crate) fn evaluate_composite(
    composite: &AnyComposite,
    operands: Vec<Option<Value>>,
    results: usize,
    options: &EvalOptions,
) -> Result<Vec<Option<Value>>, Failure> {
    let facts: Vec<Option<Fact>> = operands.iter().map(|v| v.as_ref().map(|v| Fact::of_type(v.ty()))).collect();
    let mut scratch = Model::new();
    let (_, body) = composite
        .call(&mut scratch, &facts, results, OriginId::from_index(0))
        .map_err(|error| (composite.name().to_owned(), EvalError::Unsupported(error.to_string())))?;
    evaluate_body(&scratch, body, operands, options)
}

/// Types of the results of an operator from outside that stands in no graph yet.
pub(crate) fn infer_composite(
    composite: &AnyComposite,
    operands: &[Option<Fact>],
    results: usize,
) -> Result<SmallVec<[Fact; 1]>, String> {
    let mut scratch = Model::new();
    let (_, body) =
        composite.call(&mut scratch, operands, results, OriginId::from_index(0)).map_err(|error| error.to_string())?;
    let outputs = scratch.graph(body).outputs().to_vec();
    Ok(outputs.into_iter().map(|value| Fact::of_type(scratch.fact(body, value).ty)).collect())
}

/// What evaluating costs, by estimate.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Work {
    /// Products and elements.
    pub work: u64,
    /// Bytes of constants and results.
    pub bytes: u64,
}

/// Adds up what evaluating operators costs; what cannot be inferred counts nothing.
pub(crate) fn measure(
    model: &Model,
    graph: &Graph,
    ops: &[OpId],
    facts: &mut FxHashMap<ValueId, Fact>,
    total: &mut Work,
) {
    for op in ops {
        let data = graph.op(*op);
        let operands: SmallVec<[Option<Fact>; 4]> = data
            .operands()
            .iter()
            .map(|v| {
                v.map(|v| match graph.value(v).def() {
                    Def::Constant(tensor) => {
                        total.bytes = total.bytes.saturating_add(model.tensor(tensor).byte_len());
                        constant_fact(model.tensor(tensor))
                    }
                    _ => facts.get(&v).cloned().unwrap_or_default(),
                })
            })
            .collect();
        if let (Op::Call(_), [body]) = (data.op(), data.regions()) {
            let body = model.graph(*body);
            let mut inner = body.inputs().iter().copied().zip(operands.into_iter().flatten()).collect();
            measure(model, body, &body.topological().unwrap_or_default(), &mut inner, total);
            for (value, output) in data.results().iter().zip(body.outputs()) {
                if let (Some(value), Some(fact)) = (value, inner.get(output)) {
                    facts.insert(*value, fact.clone());
                }
            }
            continue;
        }
        let names = data.results().iter().map(|v| v.map(|v| graph.value(v).name().clone())).collect();
        let Ok(results) = infer_results(data.op(), operands.clone(), names) else { continue };
        let macs = macs_of(data.op(), operands, results.clone());
        total.work = total.work.saturating_add(macs.extent().unwrap_or(0));
        for (value, fact) in data.results().iter().zip(results) {
            let elements = fact.ty.shape().elements().extent().unwrap_or(0);
            total.work = total.work.saturating_add(elements);
            total.bytes = total.bytes.saturating_add(elements.saturating_mul(8));
            if let Some(value) = value {
                facts.insert(*value, fact);
            }
        }
    }
}
