//! Which operators should work in another order of axes, so that as few transposes as possible are left.
//!
//! Carriers that read each other's results form islands. Each carrier of an island either stays as it is or is moved to the
//! order of axes in question; a value needs a transpose where it is made in one order and read in the other. The choice with
//! the fewest transposes is a minimum cut (D. M. Greig, B. T. Porteous, A. H. Seheult, "Exact maximum a posteriori estimation
//! for binary images", 1989, section 2), in which one transpose serves all readers of a value.

use edgesmith_ir::op::Transpose;
use edgesmith_ir::{GraphId, Model, OpId, OpKind, User, ValueId};
use edgesmith_rewrite::{Cx, Rewrite};
use petgraph::algo::ford_fulkerson;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::unionfind::UnionFind;
use petgraph::visit::EdgeRef;
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use super::MoveTransposes;
use super::carrier::{Carried, Carrier, inverse, rank_of};
use super::reduction::is_indifferent;
use crate::merge_transposes::permutation;

/// So many orders of axes are tried for an island at most.
const ORDERS: usize = 4;
/// Where operators times transposes are more than this, an island is moved whole or not at all.
const CUT: usize = 1 << 22;
/// A capacity that no cut can afford.
const NEVER: u32 = u32::MAX / 2;

/// Adds the carriers of a graph that are worth moving, and the order of axes to move them to.
pub(super) fn choose(model: &Model, id: GraphId, chosen: &mut FxHashMap<(GraphId, OpId), Vec<usize>>) {
    let graph = model.graph(id);
    let transposes = graph.ops().filter(|(_, op)| op.op().kind() == OpKind::Transpose).count();
    // One transpose alone has nothing to meet.
    if transposes < 2 {
        return;
    }
    for island in islands(model, id) {
        let mut best: Option<Choice> = None;
        for perm in orders(model, id, &island) {
            let net = Net::new(model, id, &island, &perm);
            if let Some(choice) = net.choose(&perm, transposes)
                && best.as_ref().is_none_or(|best| choice.saved > best.saved)
            {
                best = Some(choice);
            }
        }
        if let Some(Choice { perm, moved, .. }) = best {
            chosen.extend(moved.into_iter().map(|op| ((id, op), perm.clone())));
        }
    }
}

/// Carriers that share values.
struct Island {
    ops: Vec<OpId>,
    rank: usize,
    /// The values that they make, and those that they would read in another order; constants apart.
    values: Vec<ValueId>,
}

fn view(model: &Model, id: GraphId, op: OpId) -> Cx<'_> {
    Cx::new(model, id, op, MoveTransposes::NAME)
}

/// The values that a carrier would read in another order, constants apart, and those that it makes.
fn values_of(cx: &Cx<'_>, op: OpId, rank: usize) -> Option<SmallVec<[ValueId; 4]>> {
    let carrier = Carrier::of(cx, op, &(0..rank).collect::<Vec<_>>())?;
    let moved = carrier.operands.iter().filter_map(|operand| match operand {
        Carried::Moved(value) if cx.constant(*value).is_none() => Some(*value),
        _ => None,
    });
    Some(moved.chain(cx.graph().op(op).results().iter().flatten().copied()).collect())
}

fn islands(model: &Model, id: GraphId) -> Vec<Island> {
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

/// The orders of axes that the transposes around an island have on its other side.
fn orders(model: &Model, id: GraphId, island: &Island) -> Vec<Vec<usize>> {
    let graph = model.graph(id);
    let perm_of = |op: OpId| permutation(&*graph.view::<Transpose>(op)?, island.rank).ok();
    let mut orders: Vec<Vec<usize>> = Vec::new();
    for value in &island.values {
        let made = graph.producer(*value).and_then(perm_of).map(|perm| inverse(&perm));
        let read = graph.value(*value).uses().iter().filter_map(|reading| match reading.user {
            User::Op(op) => perm_of(op),
            User::Output => None,
        });
        for perm in made.into_iter().chain(read) {
            if !perm.is_sorted() && !orders.contains(&perm) {
                orders.push(perm);
            }
        }
        if orders.len() >= ORDERS {
            break;
        }
    }
    orders.truncate(ORDERS);
    orders
}

/// In which order of axes something is made or read.
#[derive(Clone, Copy)]
enum Side {
    /// In the order of now.
    Old,
    /// In the other order.
    New,
    /// As this carrier of the island is.
    As(usize),
}

/// A value at which a transpose may be needed.
struct Junction {
    /// Two where a transpose makes it from neither order: either way there is one transpose to make it.
    made: SmallVec<[Side; 2]>,
    read: SmallVec<[Side; 4]>,
    /// Elements, symbols counted as one.
    size: u64,
}

/// An island, for one order of axes.
struct Net<'i> {
    island: &'i Island,
    junctions: Vec<Junction>,
}

struct Choice {
    perm: Vec<usize>,
    moved: Vec<OpId>,
    /// So many transposes fewer.
    saved: u64,
}

impl<'i> Net<'i> {
    fn new(model: &Model, id: GraphId, island: &'i Island, perm: &[usize]) -> Self {
        let graph = model.graph(id);
        let place: FxHashMap<OpId, usize> = island.ops.iter().enumerate().map(|(at, op)| (*op, at)).collect();
        let perm_of = |op: OpId| permutation(&*graph.view::<Transpose>(op)?, perm.len()).ok();
        let back = inverse(perm);
        let junctions = island.values.iter().map(|value| {
            let producer = graph.producer(*value);
            let made = match producer.map(|op| (place.get(&op), perm_of(op))) {
                Some((Some(at), _)) => [Side::As(*at)].as_slice().into(),
                Some((None, Some(by))) if by == back => [Side::New].as_slice().into(),
                Some((None, Some(_))) => [Side::Old, Side::New].as_slice().into(),
                _ => [Side::Old].as_slice().into(),
            };
            let mut read = SmallVec::new();
            for reading in graph.value(*value).uses() {
                let side = match reading.user {
                    User::Output => Side::Old,
                    User::Op(op) => match (place.get(&op), perm_of(op)) {
                        (Some(at), _) => Side::As(*at),
                        (None, Some(by)) if by == perm => Side::New,
                        // A transpose to a third order stays one, whatever it reads.
                        (None, Some(_)) => continue,
                        (None, None) if is_indifferent(&view(model, id, op), op, *value, perm) => continue,
                        (None, None) => Side::Old,
                    },
                };
                read.push(side);
            }
            let dims = graph.value(*value).ty().dims().unwrap_or_default();
            let size = dims
                .iter()
                .filter_map(edgesmith_ir::Dim::known)
                .fold(1_u64, |n, dim| n.saturating_mul(dim.unsigned_abs()));
            Junction { made, read, size }
        });
        Self { island, junctions: junctions.collect() }
    }

    /// The best choice for this order, if it saves transposes and moves no more elements than now.
    fn choose(&self, perm: &[usize], transposes: usize) -> Option<Choice> {
        let (now, moved_now) = self.cost(&|_| false);
        if now == 0 {
            return None;
        }
        let labels = match self.island.ops.len().saturating_mul(transposes) > CUT {
            true => vec![true; self.island.ops.len()],
            false => self.cut(),
        };
        let (then, moved_then) = self.cost(&|at| labels[at]);
        let moved = self.island.ops.iter().zip(&labels).filter(|(_, new)| **new).map(|(op, _)| *op).collect();
        (then < now && moved_then <= moved_now).then(|| Choice { perm: perm.to_vec(), moved, saved: now - then })
    }

    /// Transposes, and the elements that they move.
    fn cost(&self, is_new: &dyn Fn(usize) -> bool) -> (u64, u64) {
        let new = |side: &Side| match side {
            Side::Old => false,
            Side::New => true,
            Side::As(at) => is_new(*at),
        };
        let (mut count, mut elements) = (0, 0_u64);
        for junction in &self.junctions {
            for made in &junction.made {
                if junction.read.iter().any(|read| new(read) != new(made)) {
                    count += 1;
                    elements = elements.saturating_add(junction.size);
                }
            }
        }
        (count, elements)
    }

    /// The carriers on the side of the other order in a smallest cut.
    fn cut(&self) -> Vec<bool> {
        let mut net: DiGraph<(), u32> = DiGraph::new();
        let (source, sink) = (net.add_node(()), net.add_node(()));
        let ops: Vec<NodeIndex> = self.island.ops.iter().map(|_| net.add_node(())).collect();
        let node = |side: Side| match side {
            Side::Old => sink,
            Side::New => source,
            Side::As(at) => ops[at],
        };
        for junction in &self.junctions {
            for made in &junction.made {
                let made = node(*made);
                // One transpose for all who read the old order of what is made in the new one, and the other way round.
                let (old, new) = (net.add_node(()), net.add_node(()));
                net.add_edge(made, old, 1);
                net.add_edge(new, made, 1);
                for read in junction.read.iter().map(|read| node(*read)).filter(|read| *read != made) {
                    net.add_edge(old, read, NEVER);
                    net.add_edge(read, new, NEVER);
                }
            }
        }
        let (_, flow) = ford_fulkerson(&net, source, sink);
        let (mut reached, mut open): (FxHashSet<NodeIndex>, _) = ([source].into_iter().collect(), vec![source]);
        while let Some(at) = open.pop() {
            let onward =
                net.edges(at).filter(|edge| flow[edge.id().index()] < *edge.weight()).map(|edge| edge.target());
            let backward = net
                .edges_directed(at, petgraph::Direction::Incoming)
                .filter(|edge| flow[edge.id().index()] > 0)
                .map(|edge| edge.source());
            open.extend(onward.chain(backward).filter(|next| reached.insert(*next)).collect::<Vec<_>>());
        }
        ops.iter().map(|op| reached.contains(op)).collect()
    }
}
