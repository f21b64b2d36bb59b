//! Carriers that read each other's results.

use edgesmith_ir::{GraphId, Model, OpId, ValueId};
use edgesmith_rewrite::Cx;
use petgraph::unionfind::UnionFind;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::carrier::{Carried, Carrier, rank_of};
use super::layout::Layout;

/// Carriers that share values.
pub(super) struct Island {
    /// In ascending order.
    pub ops: Vec<OpId>,
    pub rank: usize,
    /// The values that they make, and those that they would read in another layout; constants apart.
    pub values: Vec<ValueId>,
}

/// The values that a carrier would read in another layout, constants apart, and those that it makes.
fn values_of(cx: &Cx<'_>, op: OpId, rank: usize) -> Option<SmallVec<[ValueId; 4]>> {
    let carrier = Carrier::of(cx, op, &Layout::unchanged(rank))?;
    let moved = carrier.operands.iter().filter_map(|operand| match operand {
        Carried::Moved(value) if cx.constant(*value).is_none() => Some(*value),
        _ => None,
    });
    Some(moved.chain(cx.graph().op(op).results().iter().flatten().copied()).collect())
}

/// The islands of a graph.
pub(super) fn islands(model: &Model, id: GraphId) -> Vec<Island> {
    let graph = model.graph(id);
    let (mut carriers, mut touched): (Vec<(OpId, usize)>, FxHashMap<ValueId, usize>) = Default::default();
    let mut together = UnionFind::new(graph.op_rows());
    let mut values = Vec::new();
    for (op, _) in graph.ops() {
        let cx = view(model, id, op);
        let Some(rank) = rank_of(&cx, op).filter(|rank| *rank >= 2) else { continue };
        let Some(found) = values_of(&cx, op, rank) else { continue };
        for value in found {
            match touched.get(&value) {
                Some(first) => _ = together.union(*first, carriers.len()),
                None => {
                    touched.insert(value, carriers.len());
                    values.push((value, carriers.len()));
                }
            }
        }
        carriers.push((op, rank));
    }
    let mut islands: FxHashMap<usize, Island> = FxHashMap::default();
    for (at, (op, rank)) in carriers.iter().enumerate() {
        let new = || Island { ops: Vec::new(), rank: *rank, values: Vec::new() };
        islands.entry(together.find(at)).or_insert_with(new).ops.push(*op);
    }
    for (value, carrier) in values {
        if let Some(island) = islands.get_mut(&together.find(carrier)) {
            island.values.push(value);
        }
    }
    let mut islands: Vec<Island> = islands.into_values().collect();
    islands.sort_by_key(|island| island.ops[0]);
    islands
}

/// An operator as rules see it.
pub(super) fn view(model: &Model, id: GraphId, op: OpId) -> Cx<'_> {
    Cx::new(model, id, op, "move-axes")
}
