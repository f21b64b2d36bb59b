//! Which operators should work in another layout, so that as few changes of layout as possible are left.
//!
//! Carriers that read each other's results form islands. Each carrier of an island either stays as it is or is moved to the
//! layout in question; a value needs a change of layout where it is made in one and read in the other. The choice with the
//! fewest changes is a minimum cut (D. M. Greig, B. T. Porteous, A. H. Seheult, "Exact maximum a posteriori estimation for binary
//! images", 1989, section 2), in which one change serves all readers of a value.

use edgesmith_ir::op::Transpose;
use edgesmith_ir::{Dim, GraphId, Model, OpId, OpKind, User, ValueId};
use edgesmith_rewrite::Cx;
use petgraph::algo::ford_fulkerson;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::unionfind::UnionFind;
use petgraph::visit::EdgeRef;
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use super::carrier::{Carried, Carrier, rank_of};
use super::layout::{Layout, added_axes, inverse};
use super::reduction::absorbs;
use crate::merge_reshapes::REGROUPING;
use crate::merge_transposes::permutation;

/// So many layouts are tried for an island at most.
const LAYOUTS: usize = 4;
/// Where operators times changes of layout are more than this, an island is moved whole or not at all.
const CUT: usize = 1 << 22;
/// No island is widened to more axes than this: engines for devices know no more in products, or are slow with them.
const WIDEST: usize = 4;
/// A capacity that no cut can afford.
const NEVER: u32 = u32::MAX / 2;

/// The layouts that are tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Axes in another order: transposes are saved.
    Permuted,
    /// Axes of one index more: Squeeze, Unsqueeze and their kin are saved.
    Widened,
}

impl Kind {
    /// Whether operators of this kind change layouts of this kind.
    fn is_changed_by(self, kind: OpKind) -> bool {
        match self {
            Kind::Permuted => kind == OpKind::Transpose,
            Kind::Widened => REGROUPING.contains(&kind),
        }
    }
}

/// Adds the carriers of a graph that are worth moving, and the layout to move them to.
pub(super) fn choose(model: &Model, id: GraphId, kind: Kind, chosen: &mut FxHashMap<(GraphId, OpId), Layout>) {
    let changes = model.graph(id).ops().filter(|(_, op)| kind.is_changed_by(op.op().kind())).count();
    // One change alone has nothing to meet.
    if changes < 2 {
        return;
    }
    for island in islands(model, id) {
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
        }
    }
}

/// Carriers that share values.
struct Island {
    ops: Vec<OpId>,
    rank: usize,
    /// The values that they make, and those that they would read in another layout; constants apart.
    values: Vec<ValueId>,
}

fn view(model: &Model, id: GraphId, op: OpId) -> Cx<'_> {
    Cx::new(model, id, op, "move-axes")
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

/// Whether an operator makes a value, or reads it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Made,
    Read,
}

/// What stands around a value.
struct Neighbours<'m> {
    model: &'m Model,
    id: GraphId,
    value: ValueId,
}

impl<'m> Neighbours<'m> {
    /// The operators that read the value; none for a result of the graph.
    fn readers(&self) -> impl Iterator<Item = Option<OpId>> + use<'m> {
        self.model.graph(self.id).value(self.value).uses().iter().map(|reading| match reading.user {
            User::Op(op) => Some(op),
            User::Output => None,
        })
    }

    fn dims(&self, value: Option<ValueId>) -> Option<&'m [Dim]> {
        self.model.graph(self.id).value(value?).ty().dims()
    }

    fn permutation(&self, op: OpId) -> Option<Vec<usize>> {
        let transpose = self.model.graph(self.id).view::<Transpose>(op)?;
        permutation(&transpose, self.dims(Some(self.value))?.len()).ok()
    }

    /// The layout of the value on the other side of an operator that only changes layouts of this kind.
    fn other_side(&self, kind: Kind, op: OpId, end: End) -> Option<Layout> {
        if kind == Kind::Permuted {
            let perm = self.permutation(op)?;
            return Some(Layout::permuted(&if end == End::Made { inverse(&perm) } else { perm }));
        }
        let data = self.model.graph(self.id).op(op);
        let (mine, other) = match end {
            End::Made => (data.result(0), data.operand(0)),
            End::Read => (data.operand(0), data.result(0)),
        };
        if !REGROUPING.contains(&data.op().kind()) || mine != Some(self.value) {
            return None;
        }
        let (dims, wide) = (self.dims(mine)?, self.dims(other)?);
        if wide.len() > WIDEST {
            return None;
        }
        Some(Layout::widened(dims.len(), &added_axes(dims, wide)?))
    }

    /// Whether an operator that regroups elements takes the change of layout in.
    fn absorbs(&self, layout: &Layout, op: OpId, end: End) -> bool {
        let data = self.model.graph(self.id).op(op);
        let (Some(dims), Some(result)) = (self.dims(Some(self.value)), self.dims(data.result(0))) else { return false };
        // One Reshape can only say one size that is not known.
        let can_say = |dims: &[Dim]| dims.iter().filter(|dim| dim.known().is_none_or(|n| n == 0)).count() <= 1;
        let alone = self.model.graph(self.id).value(self.value).uses().len() == 1;
        REGROUPING.contains(&data.op().kind())
            && layout.keeps_elements(dims)
            && can_say(dims)
            && can_say(result)
            && (end == End::Made || alone && data.operand(0) == Some(self.value))
    }

    /// In which layout an operator outside of the island makes the value.
    fn made(&self, kind: Kind, layout: &Layout, op: OpId) -> SmallVec<[Side; 2]> {
        match self.other_side(kind, op, End::Made) {
            Some(other) if other == *layout => [Side::New].as_slice().into(),
            Some(_) if kind == Kind::Permuted => [Side::Old, Side::New].as_slice().into(),
            _ if self.absorbs(layout, op, End::Made) => [Side::Old, Side::New].as_slice().into(),
            _ => [Side::Old].as_slice().into(),
        }
    }

    /// In which layout an operator outside of the island reads the value; `None` where that makes no difference.
    fn read(&self, kind: Kind, layout: &Layout, op: OpId) -> Option<Side> {
        match self.other_side(kind, op, End::Read) {
            Some(other) if other == *layout => Some(Side::New),
            // A transpose to a third order stays one, whatever it reads.
            Some(_) if kind == Kind::Permuted => None,
            _ if self.absorbs(layout, op, End::Read) => None,
            _ if layout.order().is_some_and(|perm| absorbs(&view(self.model, self.id, op), op, &perm)) => None,
            _ => Some(Side::Old),
        }
    }
}

/// The elements of a value, symbols counted as one.
fn elements(dims: &[Dim]) -> u64 {
    dims.iter().filter_map(Dim::known).fold(1, |n, dim| n.saturating_mul(dim.unsigned_abs()))
}

/// In which layout something is made or read.
#[derive(Clone, Copy)]
enum Side {
    /// In the layout of now.
    Old,
    /// In the other layout.
    New,
    /// As this carrier of the island is.
    As(usize),
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
        // What cannot work in this layout stays as it is.
        let able = |op: &OpId| Carrier::of(&view(model, id, *op), *op, layout).is_some();
        let place: FxHashMap<OpId, usize> =
            island.ops.iter().enumerate().filter(|(_, op)| able(op)).map(|(at, op)| (*op, at)).collect();
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
        Self { island, junctions: junctions.collect() }
    }

    /// The best choice for this layout, if it saves changes and moves no more elements than now.
    fn choose(&self, layout: Layout, changes: usize) -> Option<Choice> {
        let (now, moved_now) = self.cost(&|_| false);
        if now == 0 {
            return None;
        }
        let labels = match self.island.ops.len().saturating_mul(changes) > CUT {
            true => vec![true; self.island.ops.len()],
            false => self.cut(),
        };
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
