//! Keeps equal computations once.

use std::collections::hash_map::Entry;

use edgesmith_ir::{Attribute, DType, Def, Dim, GraphId, Model, Op, OpId, OriginId, TensorId, ValueId};
use edgesmith_pass::Event;
use rustc_hash::FxHashMap;
use smallvec::{SmallVec, smallvec};

type Key = (Op, SmallVec<[Option<ValueId>; 4]>);

/// The element type, the dims and the elements of a tensor of sizes.
type Sizes = (DType, Vec<Dim>, Vec<Dim>);

/// Merges operators of equal attributes on equal operands, within each graph and between a region and the graph around it.
/// Returns how many operators went.
pub(crate) fn merge(model: &mut Model, tell: &mut dyn FnMut(Event)) -> u64 {
    model.open_graphs().into_iter().map(|graph| merge_in(model, graph, tell)).sum()
}

fn merge_in(model: &mut Model, graph_id: GraphId, tell: &mut dyn FnMut(Event)) -> u64 {
    let Ok(order) = model.graph(graph_id).topological() else { return 0 };
    let mut seen: FxHashMap<Key, OpId> = FxHashMap::default();
    let mut sized: FxHashMap<Sizes, OpId> = FxHashMap::default();
    let mut merged = 0;
    for op in order {
        let data = model.graph(graph_id).op(op);
        if !data.regions().is_empty() {
            merged += share_with_regions(model, graph_id, op, &seen, tell);
            continue;
        }
        if !may_merge(data.op()) {
            continue;
        }
        // Ids of operands suffice: equal constants were merged before, and producers come first.
        let key = key(data.op(), data.operands().into());
        // Failing that, one that is computed otherwise but is the same sizes.
        let same_sizes = || match sized.entry(sizes(model, graph_id, op)?) {
            Entry::Occupied(first) => Some(*first.get()),
            Entry::Vacant(place) => {
                place.insert(op);
                None
            }
        };
        let Some(first) = seen.get(&key).copied().or_else(same_sizes) else {
            seen.insert(key, op);
            continue;
        };
        let (site, from) = (model.op_label(graph_id, op), data_origin(model, graph_id, op));
        if replace(model, graph_id, first, op) {
            let into = Some(data_origin(model, graph_id, first));
            tell(Event { rule: crate::SUBEXPRESSIONS.name, site, from: smallvec![from], into });
            merged += 1;
            // What is computed like the one that went is found again.
            seen.insert(key, first);
        }
    }
    merged
}

/// What an operator's one result is, where it is made of sizes that are all known as expressions: however they were computed,
/// equal expressions are equal numbers.
fn sizes(model: &Model, graph_id: GraphId, op: OpId) -> Option<Sizes> {
    let graph = model.graph(graph_id);
    let [Some(result)] = graph.op(op).results() else { return None };
    let row = graph.value(*result);
    let contents = row.contents()?.dims();
    let ty = row.ty().as_tensor()?;
    let known = ty.dtype.is_integer() && !contents.is_empty() && !contents.iter().any(Dim::is_unknown);
    // Plain numbers are constants soon.
    let symbolic = contents.iter().any(|dim| dim.known().is_none());
    (known && symbolic).then(|| Some((ty.dtype, row.ty().dims()?.to_vec(), contents)))?
}

/// Whether an operator without regions computes the same whenever it computes the same of the same.
fn may_merge(op: &Op) -> bool {
    !op.is_random() && !holds_graph(op)
}

fn key(op: &Op, mut operands: SmallVec<[Option<ValueId>; 4]>) -> Key {
    if op.is_commutative() {
        operands.sort();
    }
    (op.clone(), operands)
}

/// What the regions of an operator compute once more is read from outside. `seen` is what was computed before the operator.
fn share_with_regions(
    model: &mut Model,
    graph_id: GraphId,
    owner: OpId,
    seen: &FxHashMap<Key, OpId>,
    tell: &mut dyn FnMut(Event),
) -> u64 {
    let data = model.graph(graph_id).op(owner);
    if matches!(data.op(), Op::Call(_)) {
        return 0;
    }
    let mut merged = 0;
    for region in data.regions().to_vec() {
        let Ok(order) = model.graph(region).topological() else { continue };
        let mut outside = Outside::of(model, graph_id, owner, region);
        for op in order {
            let inner = model.graph(region).op(op);
            if !inner.regions().is_empty() || !may_merge(inner.op()) {
                continue;
            }
            let operands = inner.operands().iter().map(|value| match value {
                Some(value) => outside.of_value(model, region, *value).map(Some),
                None => Some(None),
            });
            let Some(operands) = operands.collect::<Option<SmallVec<_>>>() else { continue };
            let Some(first) = seen.get(&key(inner.op(), operands)).copied() else { continue };
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
                let captured = capture(model, graph_id, owner, region, outer);
                model.graph_mut(region).replace_uses(value, captured);
                outside.values.insert(captured, outer);
            }
            model.graph_mut(region).erase_op(op);
            tell(Event { rule: crate::SUBEXPRESSIONS.name, site, from: smallvec![from], into });
            merged += 1;
        }
    }
    merged
}

/// What the values of a region are in the graph around it.
struct Outside {
    values: FxHashMap<ValueId, ValueId>,
    constants: FxHashMap<TensorId, ValueId>,
}

impl Outside {
    fn of(model: &Model, graph_id: GraphId, owner: OpId, region: GraphId) -> Self {
        let (graph, inputs) = (model.graph(graph_id), model.graph(region).inputs());
        let captures = graph.op(owner).captures();
        let inner = &inputs[inputs.len().saturating_sub(captures.len())..];
        let values = inner.iter().zip(captures).filter_map(|(inner, outer)| Some((*inner, (*outer)?)));
        let constants = graph.values().filter_map(|(id, value)| match value.def() {
            Def::Constant(tensor) => Some((tensor, id)),
            _ => None,
        });
        Self { values: values.collect(), constants: constants.collect() }
    }

    fn of_value(&self, model: &Model, region: GraphId, value: ValueId) -> Option<ValueId> {
        match model.graph(region).value(value).def() {
            Def::Constant(tensor) => self.constants.get(&tensor).copied(),
            _ => self.values.get(&value).copied(),
        }
    }
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

fn data_origin(model: &Model, graph: GraphId, op: OpId) -> OriginId {
    model.graph(graph).op(op).origin()
}

fn holds_graph(op: &Op) -> bool {
    match op {
        Op::Custom(custom) => {
            custom.attributes.iter().any(|(_, a)| matches!(a, Attribute::Graph(_) | Attribute::Graphs(_)))
        }
        _ => false,
    }
}

/// Lets the readers of `second` read `first`; keeps both when both give outputs of the graph, whose names must stay.
fn replace(model: &mut Model, graph_id: GraphId, first: OpId, second: OpId) -> bool {
    let graph = model.graph(graph_id);
    let slots = graph.op(second).results().len();
    for slot in 0..slots {
        let (old, kept) = (graph.op(second).result(slot), graph.op(first).result(slot));
        if let Some(old) = old
            && (graph.value(old).is_output() || graph.value(old).is_pinned())
            && kept.is_none_or(|kept| graph.value(kept).is_output() || graph.value(kept).is_pinned())
        {
            return false;
        }
    }
    for slot in 0..slots {
        let graph = model.graph_mut(graph_id);
        let Some(old) = graph.op(second).result(slot) else { continue };
        match graph.op(first).result(slot) {
            // An output takes the other's place and keeps its name.
            Some(kept) if graph.value(old).is_output() => {
                graph.replace_uses(kept, old);
                graph.redefine(old, first, slot);
            }
            Some(kept) => graph.replace_uses(old, kept),
            None => graph.redefine(old, first, slot),
        }
    }
    model.graph_mut(graph_id).erase_op(second);
    true
}
