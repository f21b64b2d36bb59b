//! Keeps equal computations once.

use std::collections::hash_map::Entry;

use edgesmith_ir::{DType, Dim, GraphId, Model, Op, OpId, OriginId, ValueId};
use edgesmith_pass::Event;
use rustc_hash::FxHashMap;
use smallvec::{SmallVec, smallvec};

use crate::repeated_in_regions::{Before, constants_of, share};

/// An operator on operands.
pub(crate) type Key = (Op, SmallVec<[Option<ValueId>; 4]>);

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
    let (mut merged, mut constants) = (0, None);
    for op in order {
        let data = model.graph(graph_id).op(op);
        if !data.regions().is_empty() {
            let constants = constants.get_or_insert_with(|| constants_of(model, graph_id));
            merged += share(model, graph_id, op, Before { seen: &seen, constants }, tell);
            continue;
        }
        if data.op().is_random() {
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

/// What equal computations have in common; where operands commute, in whatever order they stand.
pub(crate) fn key(op: &Op, mut operands: SmallVec<[Option<ValueId>; 4]>) -> Key {
    if op.is_commutative() {
        operands.sort();
    }
    (op.clone(), operands)
}

pub(crate) fn data_origin(model: &Model, graph: GraphId, op: OpId) -> OriginId {
    model.graph(graph).op(op).origin()
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
