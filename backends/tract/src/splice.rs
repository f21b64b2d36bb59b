//! Copying a small tract model into a big one, at a cost that follows the small one.
//!
//! `TypedModel::wire_node` and `add_const` scan every node there is. So each operator is lowered in a model of its own,
//! where they are cheap, and spliced into the whole with `add_node` and `add_edge`, which cost O(1).

use tract_core::internal::*;
use tract_core::ops::dummy::Dummy;
use tract_core::ops::konst::Const;
use tract_core::ops::source::TypedSource;

/// Adds a constant without looking for an equal one.
pub(crate) fn add_constant(
    model: &mut TypedModel,
    name: impl Into<String>,
    tensor: Arc<Tensor>,
) -> TractResult<OutletId> {
    let fact = TypedFact::try_from(Arc::clone(&tensor))?;
    Ok(model.add_node(name, Const::new(tensor)?, tvec!(fact))?.into())
}

/// Copies the live nodes of `part` into `big`; `part.inputs[k]` becomes `inputs[k]`. Returns where the outputs of the
/// part have come to lie. Names become `prefix` and the name in the part.
pub(crate) fn splice(
    big: &mut TypedModel,
    part: TypedModel,
    inputs: &[OutletId],
    prefix: &str,
) -> TractResult<TVec<OutletId>> {
    let order = part.eval_order()?;
    let TypedModel { mut nodes, outputs, inputs: sources, .. } = part;
    ensure!(sources.len() == inputs.len(), "{} inputs for a part that takes {}", inputs.len(), sources.len());
    // New outlets by old node; an old node makes all its outlets under one new node, or stands for one outer outlet.
    let mut placed: Vec<Option<Placed>> = vec![None; nodes.len()];
    for (source, outer) in sources.iter().zip(inputs) {
        placed[source.node] = Some(Placed::Outer(*outer));
    }
    for id in order {
        if placed[id].is_some() {
            continue;
        }
        let node = &mut nodes[id];
        ensure!(!node.op_is::<TypedSource>(), "a part has a source that is no input");
        let facts = std::mem::take(&mut node.outputs).into_iter().map(|outlet| outlet.fact).collect();
        let op = std::mem::replace(&mut node.op, Box::new(Dummy::new()));
        let new = big.add_node(format!("{prefix}{}", node.name), op, facts)?;
        for (slot, from) in node.inputs.iter().enumerate() {
            big.add_edge(resolve(&placed, *from)?, InletId::new(new, slot))?;
        }
        placed[id] = Some(Placed::Node(new));
    }
    outputs.iter().map(|outlet| resolve(&placed, *outlet)).collect()
}

#[derive(Clone, Copy)]
enum Placed {
    Outer(OutletId),
    Node(usize),
}

fn resolve(placed: &[Option<Placed>], outlet: OutletId) -> TractResult<OutletId> {
    match placed[outlet.node] {
        Some(Placed::Outer(outer)) => Ok(outer),
        Some(Placed::Node(node)) => Ok(OutletId::new(node, outlet.slot)),
        None => bail!("node {} is read before it is made", outlet.node),
    }
}
