//! Which operators should work in another layout, so that as few changes of layout as possible are left.
//!
//! Carriers that read each other's results form islands. Each carrier of an island either stays as it is or is moved to the
//! layout in question; a value needs a change of layout where it is made in one and read in the other. The choice with the
//! fewest changes is a minimum cut (D. M. Greig, B. T. Porteous, A. H. Seheult, "Exact maximum a posteriori estimation for binary
//! images", 1989, section 2), in which one change serves all readers of a value.

use edgesmith_ir::{Dim, GraphId, Model, OpId};
use petgraph::algo::ford_fulkerson;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use super::carrier::Carrier;
use super::islands::{Island, islands, view};
use super::layout::Layout;
use super::neighbours::{End, Kind, Neighbours, Side};

/// So many layouts are tried for an island at most.
const LAYOUTS: usize = 4;
/// Where operators times changes of layout are more than this, an island is moved whole or not at all.
const CUT: usize = 1 << 22;
/// A capacity that no cut can afford.
const NEVER: u32 = u32::MAX / 2;

/// Adds the carriers of a graph that are worth moving, and the layout to move them to.
pub(super) fn choose(model: &Model, id: GraphId, kind: Kind, chosen: &mut FxHashMap<(GraphId, OpId), Layout>) {
    let changes = model.graph(id).ops().filter(|(_, op)| kind.is_changed_by(op.op().kind())).count();
    // One change alone has nothing to meet.
    if changes < 2 {
        return;
    }
    // What is between two islands can go with one of them only; the other is looked at again once it has.
    let (mut before, mut behind): (FxHashSet<OpId>, FxHashSet<OpId>) = Default::default();
    for island in islands(model, id) {
        let [makers, readers] = around(model, id, kind, &island);
        if makers.iter().any(|op| behind.contains(op)) || readers.iter().any(|op| before.contains(op)) {
            continue;
        }
        let mut best: Option<Choice> = None;
        for layout in layouts(model, id, kind, &island) {
            let net = Net::new(model, id, kind, &island, &layout);
            if let Some(choice) = net.choose(layout, changes)
                && best.as_ref().is_none_or(|best| choice.saved > best.saved)
            {
                best = Some(choice);
            }
        }
        if let Some(Choice { layout, moved, .. }) = best {
            chosen.extend(moved.into_iter().map(|op| ((id, op), layout.clone())));
            before.extend(makers);
            behind.extend(readers);
        }
    }
}

/// The changes of layout that make values of an island, and those that read them.
fn around(model: &Model, id: GraphId, kind: Kind, island: &Island) -> [Vec<OpId>; 2] {
    let graph = model.graph(id);
    let changes = |op: &OpId| kind.is_changed_by(graph.op(*op).op().kind()) && island.ops.binary_search(op).is_err();
    let makers = island.values.iter().filter_map(|value| graph.producer(*value)).filter(changes).collect();
    let readers = island.values.iter().flat_map(|value| Neighbours { model, id, value: *value }.readers().flatten());
    [makers, readers.filter(changes).collect()]
}

/// The layouts that the changes around an island have on its other side.
fn layouts(model: &Model, id: GraphId, kind: Kind, island: &Island) -> Vec<Layout> {
    let mut layouts: Vec<Layout> = Vec::new();
    for value in &island.values {
        let neighbours = Neighbours { model, id, value: *value };
        let made = model.graph(id).producer(*value).and_then(|op| neighbours.other_side(kind, op, End::Made));
        let read = neighbours.readers().filter_map(|op| neighbours.other_side(kind, op?, End::Read));
        for layout in made.into_iter().chain(read) {
            if layout != Layout::unchanged(island.rank) && !layouts.contains(&layout) {
                layouts.push(layout);
            }
        }
        if layouts.len() >= LAYOUTS {
            break;
        }
    }
    layouts.truncate(LAYOUTS);
    layouts
}

/// The elements of a value, symbols counted as one.
fn elements(dims: &[Dim]) -> u64 {
    dims.iter().filter_map(Dim::known).fold(1, |n, dim| n.saturating_mul(dim.unsigned_abs()))
}

/// A value at which a change of layout may be needed.
struct Junction {
    /// Two where a change makes it from neither layout: either way there is one to make it.
    made: SmallVec<[Side; 2]>,
    read: SmallVec<[Side; 4]>,
    /// Elements that a change moves, symbols counted as one.
    size: u64,
}

/// An island, for one layout.
struct Net<'i> {
    island: &'i Island,
    /// Which operators can work in the layout at all; the others stay as they are.
    able: Vec<bool>,
    junctions: Vec<Junction>,
}

struct Choice {
    layout: Layout,
    moved: Vec<OpId>,
    /// So many changes of layout fewer.
    saved: u64,
}

impl<'i> Net<'i> {
    fn new(model: &Model, id: GraphId, kind: Kind, island: &'i Island, layout: &Layout) -> Self {
        let graph = model.graph(id);
        let able: Vec<bool> =
            island.ops.iter().map(|op| Carrier::of(&view(model, id, *op), *op, layout).is_some()).collect();
        let place: FxHashMap<OpId, usize> =
            island.ops.iter().enumerate().filter(|(at, _)| able[*at]).map(|(at, op)| (*op, at)).collect();
        let inside = |op: OpId| island.ops.binary_search(&op).is_ok();
        let junctions = island.values.iter().map(|value| {
            let around = Neighbours { model, id, value: *value };
            let made = match graph.producer(*value) {
                Some(op) => match place.get(&op) {
                    Some(at) => [Side::As(*at)].as_slice().into(),
                    None if inside(op) => [Side::Old].as_slice().into(),
                    None => around.made(kind, layout, op),
                },
                None => [Side::Old].as_slice().into(),
            };
            let side = |op: Option<OpId>| match op {
                None => Some(Side::Old),
                Some(op) => match place.get(&op) {
                    Some(at) => Some(Side::As(*at)),
                    None if inside(op) => Some(Side::Old),
                    None => around.read(kind, layout, op),
                },
            };
            let size = match kind {
                Kind::Permuted => elements(graph.value(*value).ty().dims().unwrap_or_default()),
                Kind::Widened => 0,
            };
            Junction { made, read: around.readers().filter_map(side).collect(), size }
        });
        let junctions = junctions.collect();
        Self { island, able, junctions }
    }

    /// The best choice for this layout, if it saves changes and moves no more elements than now.
    fn choose(&self, layout: Layout, changes: usize) -> Option<Choice> {
        let (now, moved_now) = self.cost(&|_| false);
        if now == 0 {
            return None;
        }
        let large = self.island.ops.len().saturating_mul(changes) > CUT;
        let labels = if large { self.able.clone() } else { self.cut() };
        let (then, moved_then) = self.cost(&|at| labels[at]);
        let moved = self.island.ops.iter().zip(&labels).filter(|(_, new)| **new).map(|(op, _)| *op).collect();
        (then < now && moved_then <= moved_now).then(|| Choice { layout, moved, saved: now - then })
    }

    /// Changes of layout, and the elements that they move.
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

    /// The carriers on the side of the other layout in a smallest cut.
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
                // One change for all who read the old layout of what is made in the new one, and the other way round.
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
