//! What is known before the run: from contents that the IR inferred, and by the reference evaluator.

use edgesmith_exec::eval::EvalOptions;
use edgesmith_exec::{EvalError, Value, evaluate_op};
use edgesmith_ir::{DType, Dim, Extents, Graph, GraphId, Item, Model, OpId, OpKind, Tensor, ValueId};

use super::Problem;
use super::wire::Wire;
use crate::guard::guarded;

/// Results larger than this are left to tract.
const LIMIT: u64 = 1 << 30;
/// Products of more multiplications than this are left to tract, which is faster than the evaluator by far.
const MACS: i64 = 20_000_000;

/// The results, if the IR knows every element of each that is wanted.
pub(crate) fn from_contents(graph: &Graph, results: &[Option<ValueId>]) -> Option<Vec<Option<Wire>>> {
    results.iter().map(|value| value.map_or(Some(None), |value| known(graph, value).map(Some))).collect()
}

fn known(graph: &Graph, value: ValueId) -> Option<Wire> {
    let row = graph.value(value);
    let ty = row.ty().as_tensor()?;
    let shape: Extents = ty.shape.extents()?;
    let items = row.contents()?.items();
    if items.len() as u64 != shape.iter().product::<u64>() {
        return None;
    }
    let tensor = match ty.dtype {
        DType::I64 => {
            let ints: Vec<i64> = items.iter().map(Item::int).collect::<Option<_>>()?;
            Tensor::from_vec(shape, ints).ok()?
        }
        DType::I32 => {
            let ints = items.iter().map(|item| i32::try_from(item.int()?).ok()).collect::<Option<Vec<i32>>>()?;
            Tensor::from_vec(shape, ints).ok()?
        }
        DType::Bool => {
            let bits: Vec<bool> = items.iter().map(|item| item.int().map(|n| n != 0)).collect::<Option<_>>()?;
            Tensor::from_bools(shape, &bits).ok()?
        }
        _ => return None,
    };
    Some(Wire::constant(tensor))
}

/// The results by the reference evaluator, if every operand is constant and the operator is not random.
pub(crate) fn evaluate(
    model: &Model,
    graph: GraphId,
    id: OpId,
    operands: &[Option<Wire>],
    wanted: &[bool],
) -> Result<Option<Vec<Option<Wire>>>, Problem> {
    let data = model.graph(graph).op(id);
    let op = data.op();
    // A dropout that is no identity is random; the identity is handled before.
    if op.is_random() || !data.regions().is_empty() || matches!(op.kind(), OpKind::Custom | OpKind::Call) {
        return Ok(None);
    }
    let mut values = Vec::with_capacity(operands.len());
    for operand in operands {
        match operand {
            None => values.push(None),
            Some(Wire::Constant(known)) => values.push(Some(Value::Tensor(known.tensor.clone()))),
            Some(_) => return Ok(None),
        }
    }
    if matches!(model.op_macs(graph, id), Dim::Known(macs) if macs > MACS) {
        return Ok(None);
    }
    match guarded(|| evaluate_op(op, &values, wanted, &EvalOptions::running(LIMIT))) {
        Ok(Ok(results)) => {
            // Sequences and optionals are taken apart elsewhere.
            let all_tensors = results.iter().flatten().all(|value| matches!(value, Value::Tensor(_)));
            Ok(all_tensors.then(|| {
                results
                    .into_iter()
                    .map(|value| match value {
                        Some(Value::Tensor(tensor)) => Some(Wire::constant(tensor)),
                        _ => None,
                    })
                    .collect()
            }))
        }
        Ok(Err(EvalError::Invalid(message))) => Err(Problem::Invalid(message)),
        Ok(Err(_)) | Err(_) => Ok(None),
    }
}
