//! Giving every dimension of a model a number, from the shapes of the inputs at hand.

use edgesmith_exec::{EngineError, Values};
use edgesmith_ir::{Def, Dim, GraphId, Model, Name, Shape, TensorId, ValueId, ValueType};
use indexmap::IndexMap;

/// What one binding is kept under: for every input its shape, and its elements where they were built in.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct BindingKey(Vec<InputKey>);

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum InputKey {
    Open(Vec<u64>),
    BuiltIn(edgesmith_ir::Tensor),
    Absent,
}

/// Inputs of at most this many elements and rank 1 are built in where a model cannot be lowered with them open.
const SMALL: u64 = 256;

/// Whether an input may be built in.
fn is_small(tensor: &edgesmith_ir::Tensor) -> bool {
    tensor.rank() <= 1 && tensor.len() <= SMALL
}

/// The key of these inputs. Errors: an input is missing, is no tensor, or does not fit the declared type.
pub(crate) fn key(model: &Model, graph: GraphId, inputs: &Values, build_in: bool) -> Result<BindingKey, EngineError> {
    let g = model.graph(graph);
    for name in inputs.keys() {
        if !g.inputs().iter().any(|value| g.value(*value).name() == name) {
            let known: Vec<&str> = g.inputs().iter().map(|value| g.value(*value).name().as_str()).collect();
            let message = format!("the model has no such input; it has {}", known.join(", "));
            return Err(EngineError::Input { name: name.clone(), message });
        }
    }
    let mut keys = Vec::with_capacity(g.inputs().len());
    for value in g.inputs() {
        let row = g.value(*value);
        let wrong = |message: String| EngineError::Input { name: row.name().clone(), message };
        let Some(given) = inputs.get(row.name()) else {
            match row.def() {
                Def::Input { default: Some(_) } => {
                    keys.push(InputKey::Absent);
                    continue;
                }
                _ => return Err(wrong("no value is given for it".to_owned())),
            }
        };
        let tensor = given.as_tensor().ok_or_else(|| wrong("tract takes tensors only".to_owned()))?;
        if let Some(dtype) = row.ty().dtype()
            && dtype != tensor.dtype()
        {
            return Err(wrong(format!("it is {}, the model takes {dtype}", tensor.dtype())));
        }
        if let Some(dims) = row.ty().dims() {
            let fits = dims.len() == tensor.rank()
                && dims
                    .iter()
                    .zip(tensor.shape())
                    .all(|(dim, extent)| dim.extent().is_none_or(|known| known == *extent));
            if !fits {
                return Err(wrong(format!("its shape is {:?}, the model takes {}", tensor.shape(), row.ty().shape())));
            }
        }
        keys.push(if build_in && is_small(tensor) {
            InputKey::BuiltIn(tensor.clone())
        } else {
            InputKey::Open(tensor.shape().to_vec())
        });
    }
    Ok(BindingKey(keys))
}

/// The model with every input of the graph of a fixed shape (or constant, where it was built in), types inferred afresh.
pub(crate) fn bind(model: &Model, graph: GraphId, key: &BindingKey) -> Result<Model, EngineError> {
    let mut bound = model.clone();
    let inputs: Vec<ValueId> = bound.graph(graph).inputs().to_vec();
    let symbols = symbols(&bound, graph, &inputs, key)?;
    bound.bind_symbols(&|name| symbols.get(name).map(|n| Dim::Known(*n)));
    for (value, key) in inputs.iter().zip(&key.0) {
        let row = bound.graph(graph).value(*value);
        let name = row.name().clone();
        match key {
            InputKey::Open(shape) => {
                if let Some(dims) = row.ty().dims()
                    && let Some((dim, extent)) =
                        dims.iter().zip(shape).find(|(d, n)| d.known().is_some_and(|d| d as u64 != **n))
                {
                    let message = format!("an extent is {extent} where the other inputs make it {dim}");
                    return Err(EngineError::Input { name, message });
                }
                let dtype = row.ty().dtype().ok_or_else(|| EngineError::Input {
                    name: name.clone(),
                    message: "its element type is not known".to_owned(),
                })?;
                let ty = ValueType::tensor(dtype, Shape::of(shape.iter().map(|n| Dim::Known(*n as i64))));
                bound.graph_mut(graph).set_type(*value, ty);
            }
            InputKey::BuiltIn(tensor) => {
                let id = bound.add_tensor(tensor.clone());
                fix(&mut bound, graph, *value, id);
            }
            InputKey::Absent => {
                if let Def::Input { default: Some(id) } = bound.graph(graph).value(*value).def() {
                    fix(&mut bound, graph, *value, id);
                }
            }
        }
    }
    bound.infer_afresh();
    Ok(bound)
}

/// Makes an input a constant.
fn fix(model: &mut Model, graph: GraphId, value: ValueId, tensor: TensorId) {
    let ty = edgesmith_ir::tensor_type(model.tensor(tensor));
    let graph = model.graph_mut(graph);
    graph.input_to_constant(value, tensor);
    graph.set_type(value, ty);
}

/// The number of every symbol that is a dim of an input by itself.
fn symbols(
    model: &Model,
    graph: GraphId,
    inputs: &[ValueId],
    key: &BindingKey,
) -> Result<IndexMap<Name, i64>, EngineError> {
    let mut numbers: IndexMap<Name, i64> = IndexMap::new();
    for (value, key) in inputs.iter().zip(&key.0) {
        let row = model.graph(graph).value(*value);
        let shape: &[u64] = match key {
            InputKey::Open(shape) => shape,
            InputKey::BuiltIn(tensor) => tensor.shape(),
            InputKey::Absent => continue,
        };
        let Some(dims) = row.ty().dims() else { continue };
        for (dim, extent) in dims.iter().zip(shape) {
            let Some(symbol) = dim.as_symbol() else { continue };
            let extent = *extent as i64;
            let before = *numbers.entry(symbol.clone()).or_insert(extent);
            if before != extent {
                let message = format!("the dim {symbol} is {extent} here and {before} in an earlier input");
                return Err(EngineError::Input { name: row.name().clone(), message });
            }
        }
    }
    Ok(numbers)
}
