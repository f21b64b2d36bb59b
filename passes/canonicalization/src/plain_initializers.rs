//! Takes weights out of the inputs of a model.

use edgesmith_ir::{Def, GraphId, Model, TensorId, ValueId, tensor_type};
use edgesmith_rewrite::Remark;

/// Defaults of fewer bytes are no weights.
const WEIGHTS: u64 = 1 << 10;

/// Makes the defaults of a model's inputs constants, where they are its weights: where they take more room than all other
/// constants. Exporters of old list every initializer among the inputs, whether or not anybody would ever feed one. Tells the
/// remark that is due; returns how many inputs went.
pub(crate) fn make(model: &mut Model, tell: &mut dyn FnMut(Remark)) -> u64 {
    let entries: Vec<GraphId> = model.entries.values().copied().collect();
    entries.into_iter().map(|graph| make_in(model, graph, tell)).sum()
}

fn make_in(model: &mut Model, id: GraphId, tell: &mut dyn FnMut(Remark)) -> u64 {
    let graph = model.graph(id);
    let default_of = |input: &ValueId| match graph.value(*input).def() {
        Def::Input { default: Some(tensor) } => Some((*input, tensor)),
        _ => None,
    };
    let defaults: Vec<(ValueId, TensorId)> = graph.inputs().iter().filter_map(default_of).collect();
    let bytes = |tensor: TensorId| model.tensor(tensor).byte_len();
    let among_inputs: u64 = defaults.iter().map(|(_, tensor)| bytes(*tensor)).sum();
    let others = graph.values().filter_map(|(_, value)| match value.def() {
        Def::Constant(tensor) => Some(bytes(tensor)),
        _ => None,
    });
    if among_inputs < WEIGHTS || among_inputs <= others.sum() {
        return 0;
    }
    let (count, (first, _)) = (defaults.len(), defaults[0]);
    let message = format!(
        "{count} initializers, the weights of the model, were inputs that a caller may feed; they are no inputs any more"
    );
    let remark = Remark::general(crate::PLAIN_INITIALIZERS.name, graph.value(first).name().clone(), message);
    tell(remark.with_remedy(format!("skip = [\"{}\"] keeps them", crate::PLAIN_INITIALIZERS.name)));
    model.graph_mut(id).inputs_to_constants(&defaults);
    for (value, tensor) in defaults {
        let ty = tensor_type(model.tensor(tensor));
        let graph = model.graph_mut(id);
        graph.set_type(value, ty);
        // What was declared of an input says of a constant that it is listed among the inputs.
        if graph.value(value).extra().is_some() {
            graph.value_extra_mut(value).declared = None;
        }
    }
    count as u64
}
