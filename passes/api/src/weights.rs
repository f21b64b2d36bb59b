//! Which constants are weights, and along which axis an operator sums over them. Shared by every pass that edits weights.

use std::collections::BTreeMap;

use edgesmith_ir::op::{ConvTranspose, Gemm};
use edgesmith_ir::{Def, GraphId, Model, OpId, OpKind, Tensor, TensorEntry, TensorId, User, ValueId};

/// One operator that reads a weight.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WeightReader {
    /// The graph.
    pub graph: GraphId,
    /// The operator.
    pub op: OpId,
    /// As which operand.
    pub slot: usize,
    /// The axis of the weight over which the operator sums: input channels, or the inner dim of a product. Of a convolution
    /// the sum also runs over the kernel.
    pub inputs: usize,
    /// Into how many groups that axis is divided, each with a sum of its own: those of a grouped transposed convolution.
    /// (A grouped convolution has the inputs of one group on that axis.)
    pub groups: u64,
}

/// A tensor that is a weight, once however many operators read it.
#[derive(Clone, Debug)]
pub struct Weight {
    /// The tensor.
    pub tensor: TensorId,
    /// The value, in the graph of the first reader.
    pub value: ValueId,
    /// Who reads it, in the order of the graphs.
    pub readers: Vec<WeightReader>,
    /// Another use: why editing it would change more than these operators.
    pub also: Option<String>,
}

/// The weights of convolutions, products and recurrences: constants of a float type that such an operator multiplies its
/// input with, in the order in which the graphs first read them. Biases, normalisations and tables are not among them, nor
/// is what the bodies of sealed functions read: an outside operator stays what its decomposition says.
pub fn weights(model: &Model) -> Vec<Weight> {
    let mut found: Vec<Weight> = Vec::new();
    let mut place: BTreeMap<TensorId, usize> = BTreeMap::new();
    let graphs = model.open_graphs();
    for id in &graphs {
        let graph = model.graph(*id);
        for (op, data) in graph.ops() {
            for (slot, inputs, groups) in weight_slots(model, *id, op) {
                let Some(value) = data.operand(slot) else { continue };
                let Some(tensor) = graph.constant(value) else { continue };
                if !model.tensor(tensor).dtype().is_float() {
                    continue;
                }
                let reader = WeightReader { graph: *id, op, slot, inputs, groups };
                let at = *place.entry(tensor).or_insert_with(|| {
                    found.push(Weight { tensor, value, readers: Vec::new(), also: None });
                    found.len() - 1
                });
                found[at].readers.push(reader);
            }
        }
    }
    for id in &graphs {
        let graph = model.graph(*id);
        for (_, row) in graph.values() {
            let tensor = match row.def() {
                Def::Constant(tensor) => tensor,
                Def::Input { default: Some(tensor) } => {
                    if let Some(at) = place.get(&tensor) {
                        found[*at].also = Some(format!("it is the default of input '{}'", row.name()));
                    }
                    continue;
                }
                _ => continue,
            };
            let Some(at) = place.get(&tensor) else { continue };
            let weight = &mut found[*at];
            for usage in row.uses() {
                match usage.user {
                    User::Output => weight.also = Some("it is an output of the model".into()),
                    User::Op(op) => {
                        let known = weight_slots(model, *id, op).iter().any(|(slot, ..)| *slot == usage.slot as usize);
                        if !known && weight.also.is_none() {
                            weight.also = Some(format!("'{}' reads it too", model.op_label(*id, op)));
                        }
                    }
                }
            }
        }
    }
    found
}

/// The operands of an operator that are weights when they are constant: slot, axis of the inputs, groups.
fn weight_slots(model: &Model, graph: GraphId, op: OpId) -> Vec<(usize, usize, u64)> {
    let g = model.graph(graph);
    let data = g.op(op);
    let rank = |slot: usize| data.operand(slot).and_then(|v| g.value(v).ty().dims().map(<[_]>::len));
    let constant = |slot: usize| data.operand(slot).is_some_and(|v| g.constant(v).is_some());
    // Of a product one side is the weight. Where both are constant there is nothing to weigh.
    let side = match (constant(0), constant(1)) {
        (false, true) => Some(1),
        (true, false) => Some(0),
        _ => None,
    };
    match data.op().kind() {
        OpKind::Conv => vec![(1, 1, 1)],
        OpKind::ConvTranspose => {
            let groups = data.op().cast::<ConvTranspose>().map_or(1, |conv| conv.group.max(1) as u64);
            vec![(1, 0, groups)]
        }
        OpKind::Gemm => {
            let Some(gemm) = data.op().cast::<Gemm>() else { return Vec::new() };
            match side {
                Some(1) => vec![(1, usize::from(gemm.transpose_b), 1)],
                Some(0) => vec![(0, usize::from(!gemm.transpose_a), 1)],
                _ => Vec::new(),
            }
        }
        OpKind::MatMul => match side {
            Some(1) => rank(1).map(|rank| (1, rank.saturating_sub(2), 1)).into_iter().collect(),
            Some(0) => rank(0).map(|rank| (0, rank.saturating_sub(1), 1)).into_iter().collect(),
            _ => Vec::new(),
        },
        OpKind::LSTM | OpKind::GRU | OpKind::RNN => vec![(1, 2, 1), (2, 2, 1)],
        _ => Vec::new(),
    }
}

/// Puts new tensors in the place of old ones, wherever a graph that may be changed reads them; the bodies of sealed functions
/// keep the old ones. What the file says of a tensor stays with it. One walk over the constants, whatever the number of tensors.
pub fn replace_tensors(model: &mut Model, tensors: Vec<(TensorId, Tensor)>) {
    let mut new: BTreeMap<TensorId, TensorId> = BTreeMap::new();
    for (old, tensor) in tensors {
        let entry = TensorEntry { tensor, ..model.tensor_entry(old).clone() };
        new.insert(old, model.add_tensor_entry(entry));
    }
    for graph in model.open_graphs() {
        let values: Vec<(ValueId, TensorId)> = model
            .graph(graph)
            .values()
            .filter_map(|(value, row)| match row.def() {
                Def::Constant(tensor) => Some((value, *new.get(&tensor)?)),
                _ => None,
            })
            .collect();
        for (value, tensor) in values {
            model.graph_mut(graph).redefine_constant(value, tensor);
        }
    }
}
