//! Reads from outside what a region computes once more.

use edgesmith_ir::{Def, GraphId, Model, Op, OpId, TensorId, ValueId};
use edgesmith_pass::Event;
use rustc_hash::FxHashMap;
use smallvec::{SmallVec, smallvec};

use crate::common_subexpressions::{Key, data_origin, key};

/// What there is in a graph before an operator with regions.
#[derive(Clone, Copy)]
pub(crate) struct Before<'s> {
    /// What was computed before it.
    pub seen: &'s FxHashMap<Key, OpId>,
    pub constants: &'s FxHashMap<TensorId, ValueId>,
}

/// The constants of a graph, by their tensors.
pub(crate) fn constants_of(model: &Model, graph_id: GraphId) -> FxHashMap<TensorId, ValueId> {
    let values = model.graph(graph_id).values();
    let constants = values.filter_map(|(id, value)| match value.def() {
        Def::Constant(tensor) => Some((tensor, id)),
        _ => None,
    });
    constants.collect()
}

/// What the regions of an operator compute once more is read from outside.
pub(crate) fn share(
    model: &mut Model,
    graph_id: GraphId,
    owner: OpId,
    before: Before<'_>,
    tell: &mut dyn FnMut(Event),
) -> u64 {
    let data = model.graph(graph_id).op(owner);
    if matches!(data.op(), Op::Call(_)) {
        return 0;
    }
    let mut merged = 0;
    for region in data.regions().to_vec() {
        let Ok(order) = model.graph(region).topological() else { continue };
        let mut outside = captured(model, graph_id, owner, region);
        for op in order {
            let inner = model.graph(region).op(op);
            if !inner.regions().is_empty() || inner.op().is_random() {
                continue;
            }
            let operands = inner.operands().iter().map(|value| {
                let Some(value) = value else { return Some(None) };
                match model.graph(region).value(*value).def() {
                    Def::Constant(tensor) => before.constants.get(&tensor).copied().map(Some),
                    _ => outside.get(value).copied().map(Some),
                }
            });
            let Some(operands) = operands.collect::<Option<SmallVec<_>>>() else { continue };
            let Some(first) = before.seen.get(&key(inner.op(), operands)).copied() else { continue };
            // A result of the region must be made in it.
            let wanted: Vec<(usize, ValueId)> =
                inner.results().iter().enumerate().filter_map(|(slot, value)| Some((slot, (*value)?))).collect();
            let stays = |value: ValueId| {
                model.graph(region).value(value).is_output() || model.graph(region).value(value).is_pinned()
            };
            let made = |slot: usize| model.graph(graph_id).op(first).result(slot);
            if wanted.iter().any(|(slot, value)| stays(*value) || made(*slot).is_none()) {
                continue;
            }
            let (site, from) = (model.op_label(region, op), data_origin(model, region, op));
            let into = Some(data_origin(model, graph_id, first));
            for (slot, value) in wanted {
                let Some(outer) = model.graph(graph_id).op(first).result(slot) else { continue };
                let inside = capture(model, graph_id, owner, region, outer);
                model.graph_mut(region).replace_uses(value, inside);
                outside.insert(inside, outer);
            }
            model.graph_mut(region).erase_op(op);
            tell(Event { rule: crate::SUBEXPRESSIONS.name, site, from: smallvec![from], into });
            merged += 1;
        }
    }
    merged
}

/// What the captures of a region are in the graph around it.
fn captured(model: &Model, graph_id: GraphId, owner: OpId, region: GraphId) -> FxHashMap<ValueId, ValueId> {
    let (captures, inputs) = (model.graph(graph_id).op(owner).captures(), model.graph(region).inputs());
    let inner = &inputs[inputs.len().saturating_sub(captures.len())..];
    inner.iter().zip(captures).filter_map(|(inner, outer)| Some((*inner, (*outer)?))).collect()
}

/// The input of a region that captures a value of the graph around it, which is made where there is none.
fn capture(model: &mut Model, graph_id: GraphId, owner: OpId, region: GraphId, outer: ValueId) -> ValueId {
    let data = model.graph(graph_id).op(owner);
    if let Some(at) = data.captures().iter().position(|value| *value == Some(outer)) {
        let inputs = model.graph(region).inputs();
        return inputs[inputs.len() - data.captures().len() + at];
    }
    let regions = data.regions().to_vec();
    let value = model.graph(graph_id).value(outer);
    let (name, ty) = (value.name().clone(), value.ty().clone());
    model.graph_mut(graph_id).push_capture(owner, outer);
    let mut found = outer;
    for other in regions {
        let input = model.graph_mut(other).add_input(name.clone(), ty.clone(), None);
        if other == region {
            found = input;
        }
    }
    found
}
