//! Folds constants that take more than they free, as far as the rest of the pass has made room for them.
//!
//! Masks and position tables that an exporter computes at run time cost many operators and free nothing when they are folded.
//! A file that has lost thousands of operators can hold them and still be smaller than it was.

use std::cmp::Reverse;

use edgesmith_ir::{Def, GraphId, Model, OpId, OpKind, TensorId, User};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};
use rustc_hash::FxHashSet;

use crate::fold_constant_groups::{Going, computes, fold_group};
use crate::fold_constants::Precision;

/// So many operators are folded into one value at most.
const GROUP: usize = 1024;
/// Growth that one operator less is worth.
const BYTES_PER_OPERATOR: u64 = 256 << 10;
/// So many operators behind a value that the model reads are tried in its place.
const NEAR: usize = 16;

/// Folds the values that were chosen.
pub(crate) struct FoldWithinSavings {
    chosen: FxHashSet<(GraphId, OpId)>,
}

impl Rewrite for FoldWithinSavings {
    const NAME: RuleName = "fold-within-savings";
    const SUMMARY: &'static str = "constants that take more than they free, while the file stays below what it was";
    const ROOTS: &'static [OpKind] = &[];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../manual/fold-within-savings.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        if !self.chosen.contains(&(cx.graph_id(), root)) {
            return Err(Miss::NoMatch);
        }
        fold_group(cx, root, GROUP, Precision::Rounded, u64::MAX)
    }
}

/// What a model takes in a file, but for what every file has: names, notes and constants.
pub(crate) fn size_of(model: &Model) -> u64 {
    let (mut bytes, mut seen): (u64, FxHashSet<TensorId>) = (0, FxHashSet::default());
    for id in model.live_graphs() {
        let graph = model.graph(id);
        for (_, op) in graph.ops() {
            bytes += size_of_op(model, id, op);
        }
        for (_, value) in graph.values() {
            if let Def::Constant(tensor) = value.def()
                && seen.insert(tensor)
            {
                bytes += model.tensor(tensor).byte_len() + value.name().len() as u64;
            }
        }
    }
    bytes
}

/// The rule for what is worth folding in `room` bytes; `None` when nothing is.
pub(crate) fn choose(model: &Model, room: u64) -> Option<FoldWithinSavings> {
    let mut candidates = Vec::new();
    for graph in model.open_graphs() {
        candidates_in(model, graph, &mut candidates);
    }
    // The cheapest operators first; ties in the order of the graph.
    candidates.sort_by_key(|c| (c.growth / c.operators(), Reverse(c.operators())));
    let (mut left, mut taken, mut chosen) = (room, FxHashSet::default(), FxHashSet::default());
    for candidate in candidates {
        let fits =
            candidate.growth <= left && candidate.growth <= BYTES_PER_OPERATOR.saturating_mul(candidate.operators());
        if fits && candidate.group.iter().all(|op| !taken.contains(&(candidate.graph, *op))) {
            left -= candidate.growth;
            taken.extend(candidate.group.iter().map(|op| (candidate.graph, *op)));
            chosen.insert((candidate.graph, candidate.root));
        }
    }
    (!chosen.is_empty()).then_some(FoldWithinSavings { chosen })
}

struct Candidate {
    graph: GraphId,
    root: OpId,
    /// What goes with it.
    group: Vec<OpId>,
    growth: u64,
}

impl Candidate {
    fn operators(&self) -> u64 {
        self.group.len() as u64
    }
}

fn candidates_in(model: &Model, id: GraphId, candidates: &mut Vec<Candidate>) {
    let graph = model.graph(id);
    let Ok(order) = graph.topological() else { return };
    let mut constant: FxHashSet<OpId> = FxHashSet::default();
    for op in &order {
        if is_constant(model, id, *op, &constant) {
            constant.insert(*op);
        }
    }
    for op in order.iter().filter(|op| constant.contains(op)) {
        let data = graph.op(*op);
        let [Some(output)] = data.results() else { continue };
        let read_outside = graph.value(*output).is_pinned()
            || graph
                .value(*output)
                .uses()
                .iter()
                .any(|u| !matches!(u.user, User::Op(user) if constant.contains(&user)));
        if !read_outside {
            continue;
        }
        // The value itself, and those shortly before it, which may be smaller: a mask before it becomes floats, a table before
        // it is compared with itself.
        let mut near = vec![*op];
        let mut at = 0;
        while let Some(root) = near.get(at).copied() {
            at += 1;
            candidates.extend(candidate(model, id, root));
            for producer in graph.op(root).operands().iter().flatten().filter_map(|v| graph.producer(*v)) {
                if near.len() < NEAR && !near.contains(&producer) {
                    near.push(producer);
                }
            }
        }
    }
}

fn is_constant(model: &Model, id: GraphId, op: OpId, constant: &FxHashSet<OpId>) -> bool {
    let graph = model.graph(id);
    computes(graph, op, Precision::Rounded)
        && graph.op(op).operands().iter().flatten().all(|v| match graph.producer(*v) {
            Some(producer) => constant.contains(&producer),
            None => model.constant_of(id, *v).is_some(),
        })
}

fn candidate(model: &Model, id: GraphId, root: OpId) -> Option<Candidate> {
    let graph = model.graph(id);
    let [Some(output)] = graph.op(root).results() else { return None };
    let ty = graph.value(*output).ty().as_tensor()?;
    let needed = ty.dtype.byte_len(ty.shape.elements().extent()?)?;
    let Going { ops, constant_bytes } = Going::with(model, id, root, GROUP);
    let freed = constant_bytes + ops.iter().map(|op| size_of_op(model, id, graph.op(*op))).sum::<u64>();
    Some(Candidate { graph: id, root, group: ops, growth: needed.saturating_sub(freed) })
}

fn size_of_op(model: &Model, id: GraphId, op: &edgesmith_ir::OpData) -> u64 {
    let graph = model.graph(id);
    let names = op.operands().iter().chain(op.results()).flatten();
    let values: usize = names.map(|value| graph.value(*value).name().len() + 2).sum();
    let notes = op.extra().map_or(0, |extra| {
        extra.doc.len() + extra.opaque.len() + extra.metadata.iter().map(|(k, v)| k.len() + v.len() + 6).sum::<usize>()
    });
    (values + notes + op.name().len() + op.op().name().len()) as u64
}
