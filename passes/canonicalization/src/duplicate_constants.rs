//! Keeps equal constants once.

use std::hash::{Hash, Hasher};

use edgesmith_ir::{Def, GraphId, Model, Tensor, TensorData, TensorId, ValueId};
use rustc_hash::{FxHashMap, FxHasher};

/// Merges constants of equal element type, shape and bytes. Returns how many values went.
///
/// A few bytes of each tensor tell most apart, so that weights of several GiB are not read; only candidates are compared
/// whole.
pub(crate) fn merge(model: &mut Model) -> u64 {
    let mut buckets: FxHashMap<u64, Vec<TensorId>> = FxHashMap::default();
    let mut same_as: FxHashMap<TensorId, TensorId> = FxHashMap::default();
    for (id, entry) in model.tensors() {
        let bucket = buckets.entry(sample(&entry.tensor)).or_default();
        match bucket.iter().find(|other| model.tensor(**other).same_content(&entry.tensor)) {
            Some(first) => {
                same_as.insert(id, *first);
            }
            None => bucket.push(id),
        }
    }
    let mut merged = 0;
    for graph in model.open_graphs() {
        merged += merge_in(model, graph, &same_as);
    }
    merged
}

fn merge_in(model: &mut Model, graph_id: GraphId, same_as: &FxHashMap<TensorId, TensorId>) -> u64 {
    let mut first: FxHashMap<TensorId, ValueId> = FxHashMap::default();
    let mut merged = 0;
    let constants: Vec<(ValueId, TensorId)> = model
        .graph(graph_id)
        .values()
        .filter_map(|(id, value)| match value.def() {
            Def::Constant(tensor) => Some((id, tensor)),
            _ => None,
        })
        .collect();
    for (value, tensor) in constants {
        let tensor = same_as.get(&tensor).copied().unwrap_or(tensor);
        let graph = model.graph(graph_id);
        let row = graph.value(value);
        // Outputs keep their names, and what the file names from outside stays.
        if row.is_pinned() || row.is_output() {
            continue;
        }
        match first.get(&tensor) {
            Some(kept) => {
                let kept = *kept;
                let graph = model.graph_mut(graph_id);
                graph.replace_uses(value, kept);
                graph.erase_constant(value);
                merged += 1;
            }
            None => {
                first.insert(tensor, value);
                // One tensor for equal constants of different graphs: the file stores it once.
                if graph.constant(value) != Some(tensor) {
                    model.graph_mut(graph_id).redefine_constant(value, tensor);
                }
            }
        }
    }
    merged
}

fn sample(tensor: &Tensor) -> u64 {
    let mut hasher = FxHasher::default();
    tensor.dtype().hash(&mut hasher);
    tensor.shape().hash(&mut hasher);
    match tensor.data() {
        // A splat equals its dense form, so both hash by their first element.
        TensorData::Dense(bytes) => {
            let element = tensor.dtype().whole_bytes().unwrap_or(1).min(bytes.len());
            bytes[..element].hash(&mut hasher);
        }
        TensorData::Splat(element) => element[..].hash(&mut hasher),
        _ => {}
    }
    hasher.finish()
}
