//! Which operator of one model is which of another.
//!
//! Digests first: equal ones are the same operator whatever it is called, and of several equal ones names decide. That finds everything
//! before the first and behind the last difference. Between differences names decide where they have proven right so far,
//! then digests that look at the types of constants only, then neighbourhood, then the order of what has weights of one type. Every step is linear in operators and uses.

use edgesmith_ir::id::EntityId;
use edgesmith_ir::{Graph, GraphId, Model, Name, OpData, OpId, OpKind, User, ValueId};
use rustc_hash::{FxHashMap, FxHashSet};

use super::digest::{Digests, Terminals, contents, types};

/// What of two models belongs together.
pub(crate) struct Matching {
    /// Pairs of graphs, each before its regions; the first are the main graphs.
    pub(crate) graphs: Vec<GraphPair>,
    /// For every input of the first main graph the position of its counterpart.
    pub(crate) inputs: Vec<Option<usize>>,
    /// For every output of the first main graph the position of its counterpart.
    pub(crate) outputs: Vec<Option<usize>>,
    /// Digests of the contents of every tensor, of both models.
    pub(crate) contents: [Vec<u128>; 2],
}

/// Two graphs that belong together.
pub(crate) struct GraphPair {
    pub(crate) a: GraphId,
    pub(crate) b: GraphId,
    /// Where the graphs stand, empty for the main ones.
    pub(crate) path: String,
    /// Operators that belong together, in the order of the first graph.
    pub(crate) ops: Vec<(OpId, OpId)>,
    /// Operators of the first graph without counterpart.
    pub(crate) removed: Vec<OpId>,
    /// Operators of the second graph without counterpart.
    pub(crate) added: Vec<OpId>,
    /// How many inputs of the graphs are not captures of a region.
    pub(crate) formals: usize,
    /// The counterpart of every value of the first graph that has one.
    pub(crate) values: Vec<Option<ValueId>>,
}

impl GraphPair {
    /// The counterpart of a value of the first graph.
    pub(crate) fn value(&self, id: ValueId) -> Option<ValueId> {
        self.values.get(id.index()).copied().flatten()
    }
}

/// Pairs equal names, then what is left in order where both sides have as much left.
pub(crate) fn pair_names(a: &[Name], b: &[Name]) -> Vec<Option<usize>> {
    let mut places: FxHashMap<&Name, usize> = FxHashMap::default();
    for (position, name) in b.iter().enumerate() {
        places.entry(name).or_insert(position);
    }
    let mut taken = vec![false; b.len()];
    let mut pairs: Vec<Option<usize>> = a
        .iter()
        .map(|name| places.get(name).copied().filter(|position| !std::mem::replace(&mut taken[*position], true)))
        .collect();
    let left: Vec<usize> = (0..b.len()).filter(|position| !taken[*position]).collect();
    if pairs.iter().filter(|pair| pair.is_none()).count() == left.len() {
        pairs.iter_mut().filter(|pair| pair.is_none()).zip(left).for_each(|(pair, position)| *pair = Some(position));
    }
    pairs
}

fn names(graph: &Graph, values: &[ValueId]) -> Vec<Name> {
    values.iter().map(|value| graph.value(*value).name().clone()).collect()
}

/// Equal numbers for what belongs together.
fn terminals(pairs: &[Option<usize>], b: usize) -> (Vec<u64>, Vec<u64>) {
    let mut second: Vec<u64> = (0..b as u64).map(|position| (1 << 24) + position).collect();
    for (position, pair) in pairs.iter().enumerate() {
        if let Some(pair) = pair {
            second[*pair] = position as u64;
        }
    }
    // A position without counterpart has a number that the other side never has.
    let first = pairs.iter().enumerate().map(|(k, pair)| if pair.is_some() { k as u64 } else { (1 << 25) + k as u64 });
    (first.collect(), second)
}

/// Matches two models.
pub(crate) fn match_models(a: &Model, b: &Model) -> Matching {
    let empty = Graph::default();
    let (ga, gb) = (a.main_graph().unwrap_or(&empty), b.main_graph().unwrap_or(&empty));
    let inputs = pair_names(&names(ga, ga.inputs()), &names(gb, gb.inputs()));
    let outputs = pair_names(&names(ga, ga.outputs()), &names(gb, gb.outputs()));
    let (inputs_a, inputs_b) = terminals(&inputs, gb.inputs().len());
    let (outputs_a, outputs_b) = terminals(&outputs, gb.outputs().len());
    let (terminals_a, terminals_b) =
        (Terminals { inputs: inputs_a, outputs: outputs_a }, Terminals { inputs: inputs_b, outputs: outputs_b });
    let contents = [contents(a), contents(b)];
    let exact = [Digests::of(a, &terminals_a, &contents[0]), Digests::of(b, &terminals_b, &contents[1])];
    let types = [types(a), types(b)];
    let loose = [Digests::of(a, &terminals_a, &types[0]), Digests::of(b, &terminals_b, &types[1])];
    let mut matching = Matching { graphs: Vec::new(), inputs, outputs, contents };
    let mut waiting: Vec<Waiting> = Vec::new();
    for (key, function) in a.functions.iter().rev() {
        let other = b.functions.get(key).and_then(|function| function.body);
        if let (Some(first), Some(second)) = (function.body, other) {
            let count = a.graph(first).inputs().len();
            let inputs = (0..count).map(|k| (k < b.graph(second).inputs().len()).then_some(k)).collect();
            let path = format!("function {}", function_name(key));
            waiting.push(Waiting { a: first, b: second, path, inputs, formals: count });
        }
    }
    if let (Some(first), Some(second)) = (a.main(), b.main()) {
        let (inputs, formals) = (matching.inputs.clone(), ga.inputs().len());
        waiting.push(Waiting { a: first, b: second, path: String::new(), inputs, formals });
    }
    while let Some(next) = waiting.pop() {
        let (first, second) = (next.a, next.b);
        let mut work = Work {
            a: a.graph(first),
            b: b.graph(second),
            of_a: vec![None; a.graph(first).op_rows()],
            of_b: vec![None; b.graph(second).op_rows()],
        };
        work.run(
            [&exact[0].down[first.index()], &exact[1].down[second.index()]],
            [&exact[0].up[first.index()], &exact[1].up[second.index()]],
            [&loose[0].down[first.index()], &loose[1].down[second.index()]],
            [&loose[0].up[first.index()], &loose[1].up[second.index()]],
            [&types[0], &types[1]],
        );
        let pair = work.finish(next);
        for (op_a, op_b) in pair.ops.iter().rev() {
            let (data_a, data_b) = (a.graph(first).op(*op_a), b.graph(second).op(*op_b));
            // A function is compared as a function, once, not in every call.
            if data_a.op().kind() == OpKind::Call {
                continue;
            }
            let label = a.op_label(first, *op_a);
            let kind = data_a.op().kind();
            for (index, (ra, rb)) in data_a.regions().iter().zip(data_b.regions()).enumerate().rev() {
                let region = kind.signature().regions.get(index).copied().unwrap_or("graph");
                let above = if pair.path.is_empty() { String::new() } else { format!("{}/", pair.path) };
                let path = format!("{above}{label}/{region}");
                let (inputs, formals) = captured(&pair, a.graph(*ra), data_a, data_b);
                waiting.push(Waiting { a: *ra, b: *rb, path, inputs, formals });
            }
        }
        matching.graphs.push(pair);
    }
    matching
}

/// Two graphs that are still to be matched.
struct Waiting {
    a: GraphId,
    b: GraphId,
    path: String,
    inputs: Vec<Option<usize>>,
    formals: usize,
}

/// Which inputs of the regions of two operators belong together: those that are passed by their place, captures by what
/// they capture.
fn captured(pair: &GraphPair, region: &Graph, a: &OpData, b: &OpData) -> (Vec<Option<usize>>, usize) {
    let formals = region.inputs().len().saturating_sub(a.captures().len());
    let places: FxHashMap<ValueId, usize> =
        b.captures().iter().enumerate().filter_map(|(place, value)| Some(((*value)?, formals + place))).collect();
    let captures = a.captures().iter().map(|value| pair.value((*value)?).and_then(|other| places.get(&other)).copied());
    ((0..formals).map(Some).chain(captures).collect(), formals)
}

pub(crate) fn function_name(key: &edgesmith_ir::op::FunctionKey) -> String {
    let mut name = key.name.to_string();
    if !key.domain.is_empty() {
        name = format!("{}::{name}", key.domain);
    }
    if !key.overload.is_empty() {
        name = format!("{name}:{}", key.overload);
    }
    name
}

struct Work<'a> {
    a: &'a Graph,
    b: &'a Graph,
    of_a: Vec<Option<OpId>>,
    of_b: Vec<Option<OpId>>,
}

impl Work<'_> {
    fn run(
        &mut self,
        exact_down: [&[u128]; 2],
        exact_up: [&[u128]; 2],
        loose_down: [&[u128]; 2],
        loose_up: [&[u128]; 2],
        weights: [&[u128]; 2],
    ) {
        self.by_digest(exact_down);
        self.by_digest(exact_up);
        let trusted = self.names_agree();
        if trusted {
            self.by_name();
        }
        self.by_digest(loose_down);
        self.by_digest(loose_up);
        self.by_neighbours();
        if !trusted {
            self.by_name();
            self.by_neighbours();
        }
        self.by_weight(weights);
        self.by_neighbours();
    }

    fn link(&mut self, a: OpId, b: OpId) {
        self.of_a[a.index()] = Some(b);
        self.of_b[b.index()] = Some(a);
    }
    fn open_a(&self) -> Vec<OpId> {
        self.a.ops().map(|(id, _)| id).filter(|id| self.of_a[id.index()].is_none()).collect()
    }
    fn open_b(&self) -> Vec<OpId> {
        self.b.ops().map(|(id, _)| id).filter(|id| self.of_b[id.index()].is_none()).collect()
    }

    /// Links operators with equal digests; of several, those with equal names, then the rest in order.
    fn by_digest(&mut self, [a, b]: [&[u128]; 2]) {
        let mut groups: FxHashMap<u128, Vec<OpId>> = FxHashMap::default();
        for id in self.open_b() {
            groups.entry(b[id.index()]).or_default().push(id);
        }
        let mut claims: indexmap::IndexMap<u128, Vec<OpId>> = indexmap::IndexMap::new();
        for id in self.open_a() {
            claims.entry(a[id.index()]).or_default().push(id);
        }
        for (digest, first) in claims {
            let Some(second) = groups.get(&digest) else { continue };
            if let ([x], [y]) = (first.as_slice(), second.as_slice()) {
                self.link(*x, *y);
                continue;
            }
            let named: FxHashMap<Name, OpId> = second.iter().map(|id| (label(self.b, *id), *id)).collect();
            for x in &first {
                let same = named.get(&label(self.a, *x)).filter(|y| self.of_b[y.index()].is_none());
                if let Some(y) = same.copied() {
                    self.link(*x, y);
                }
            }
            let left: Vec<OpId> = second.iter().copied().filter(|y| self.of_b[y.index()].is_none()).collect();
            let open = first.into_iter().filter(|x| self.of_a[x.index()].is_none()).collect::<Vec<_>>();
            for (x, y) in open.into_iter().zip(left) {
                self.link(x, y);
            }
        }
    }

    /// Whether names mean the same on both sides, as far as that is seen so far.
    fn names_agree(&self) -> bool {
        let pairs = self.a.ops().filter_map(|(id, _)| Some((id, self.of_a[id.index()]?)));
        names_agree(self.a, self.b, pairs.map(|(x, y)| (label(self.a, x), label(self.b, y))))
    }

    /// Links operators of one kind whose first results have the same name, then those that have the same name themselves.
    fn by_name(&mut self) {
        for key in [label, own_name] {
            let mut named: FxHashMap<(OpKind, Name), Option<OpId>> = FxHashMap::default();
            for id in self.open_b() {
                // A name that stands twice names nothing.
                let place = named.entry((self.b.op(id).op().kind(), key(self.b, id)));
                place.and_modify(|held| *held = None).or_insert(Some(id));
            }
            for x in self.open_a() {
                let data = self.a.op(x);
                let name = key(self.a, x);
                if name.is_empty() {
                    continue;
                }
                let found = named.get(&(data.op().kind(), name)).copied().flatten();
                if let Some(y) = found.filter(|y| self.of_b[y.index()].is_none() && self.alike(x, *y)) {
                    self.link(x, y);
                }
            }
        }
    }

    /// Links, in order, operators of one kind whose largest constants have one type, where both sides have as many.
    fn by_weight(&mut self, types: [&[u128]; 2]) {
        let groups = |graph: &Graph, open: Vec<OpId>, types: &[u128]| {
            let mut groups: indexmap::IndexMap<(String, u128), Vec<OpId>> = indexmap::IndexMap::new();
            for id in open {
                let constants = graph.op(id).formals().iter().flatten().filter_map(|value| {
                    Some((graph.value(*value).ty().shape().elements().known()?, graph.constant(*value)?))
                });
                let Some((elements, tensor)) = constants.max_by_key(|(elements, _)| *elements) else { continue };
                if elements > 1 {
                    groups.entry((kind_of(graph, id), types[tensor.index()])).or_default().push(id);
                }
            }
            groups
        };
        let (first, second) = (groups(self.a, self.open_a(), types[0]), groups(self.b, self.open_b(), types[1]));
        for (key, of_a) in first {
            if let Some(of_b) = second.get(&key).filter(|of_b| of_b.len() == of_a.len()) {
                of_a.into_iter().zip(of_b).for_each(|(x, y)| self.link(x, *y));
            }
        }
    }

    /// Links unmatched operators of one kind that feed, or read, the same place of matched ones.
    fn by_neighbours(&mut self) {
        let mut waiting: Vec<(OpId, OpId)> =
            self.a.ops().filter_map(|(id, _)| Some((id, self.of_a[id.index()]?))).collect();
        waiting.reverse();
        for (x, y) in self.a.outputs().iter().zip(self.b.outputs()) {
            self.link_producers(*x, *y, &mut waiting);
        }
        for (x, y) in self.a.inputs().iter().zip(self.b.inputs()) {
            self.link_readers(*x, *y, &mut waiting);
        }
        while let Some((x, y)) = waiting.pop() {
            let (data_a, data_b) = (self.a.op(x), self.b.op(y));
            for (va, vb) in data_a.operands().iter().zip(data_b.operands()) {
                if let (Some(va), Some(vb)) = (va, vb) {
                    self.link_producers(*va, *vb, &mut waiting);
                }
            }
            for (va, vb) in data_a.results().iter().zip(data_b.results()) {
                if let (Some(va), Some(vb)) = (va, vb) {
                    self.link_readers(*va, *vb, &mut waiting);
                }
            }
        }
    }
    fn link_producers(&mut self, va: ValueId, vb: ValueId, waiting: &mut Vec<(OpId, OpId)>) {
        let (Some(x), Some(y)) = (self.a.producer(va), self.b.producer(vb)) else { return };
        if self.of_a[x.index()].is_none() && self.of_b[y.index()].is_none() && self.alike(x, y) {
            self.link(x, y);
            waiting.push((x, y));
        }
    }
    fn link_readers(&mut self, va: ValueId, vb: ValueId, waiting: &mut Vec<(OpId, OpId)>) {
        let readers = |graph: &Graph, value: ValueId, of: &[Option<OpId>]| {
            let mut all: indexmap::IndexMap<(String, u32), Option<OpId>> = indexmap::IndexMap::new();
            for reading in graph.value(value).uses() {
                if let User::Op(op) = reading.user
                    && of[op.index()].is_none()
                {
                    let key = (kind_of(graph, op), reading.slot);
                    all.entry(key).and_modify(|held| *held = None).or_insert(Some(op));
                }
            }
            all
        };
        let (first, second) = (readers(self.a, va, &self.of_a), readers(self.b, vb, &self.of_b));
        for (key, x) in first {
            let (Some(x), Some(Some(y))) = (x, second.get(&key)) else { continue };
            if self.of_a[x.index()].is_none() && self.of_b[y.index()].is_none() {
                self.link(x, *y);
                waiting.push((x, *y));
            }
        }
    }
    /// Whether the operators are of one kind; carried ones of one name.
    fn alike(&self, x: OpId, y: OpId) -> bool {
        kind_of(self.a, x) == kind_of(self.b, y)
    }

    fn finish(self, next: Waiting) -> GraphPair {
        let mut values: Vec<Option<ValueId>> = vec![None; self.a.value_rows()];
        for (value, other) in self.a.inputs().iter().zip(&next.inputs) {
            values[value.index()] = other.and_then(|other| self.b.inputs().get(other)).copied();
        }
        let mut ops = Vec::new();
        for (x, data) in self.a.ops() {
            let Some(y) = self.of_a[x.index()] else { continue };
            ops.push((x, y));
            let other = self.b.op(y);
            for (va, vb) in data.results().iter().zip(other.results()) {
                if let (Some(va), Some(vb)) = (va, vb) {
                    values[va.index()] = Some(*vb);
                }
            }
            for (va, vb) in data.operands().iter().zip(other.operands()) {
                if let (Some(va), Some(vb)) = (va, vb)
                    && self.a.constant(*va).is_some()
                    && self.b.constant(*vb).is_some()
                    && values[va.index()].is_none()
                {
                    values[va.index()] = Some(*vb);
                }
            }
        }
        let (removed, added) = (self.open_a(), self.open_b());
        let Waiting { a, b, path, formals, .. } = next;
        GraphPair { a, b, path, ops, removed, added, formals, values }
    }
}

/// Whether names mean the same in both graphs, by pairs of names of what belongs together: hardly ever does one side use a
/// name for something else, as exporters do that number their values. A name that only one side has says nothing.
pub(crate) fn names_agree(a: &Graph, b: &Graph, pairs: impl Iterator<Item = (Name, Name)>) -> bool {
    let held = |graph: &Graph| -> FxHashSet<Name> { graph.values().map(|(_, row)| row.name().clone()).collect() };
    let (in_a, in_b) = (held(a), held(b));
    let (mut agreeing, mut contradicting) = (0_u64, 0_u64);
    for (x, y) in pairs {
        if x == y {
            agreeing += 1;
        } else if in_b.contains(&x) && in_a.contains(&y) {
            contradicting += 1;
        }
    }
    agreeing >= contradicting * 4
}

/// The name of the first result.
fn label(graph: &Graph, op: OpId) -> Name {
    graph.op(op).results().iter().flatten().next().map(|value| graph.value(*value).name().clone()).unwrap_or_default()
}

fn own_name(graph: &Graph, op: OpId) -> Name {
    graph.op(op).name().clone()
}

fn kind_of(graph: &Graph, op: OpId) -> String {
    let op = graph.op(op).op();
    if op.domain().is_empty() { op.name().to_owned() } else { format!("{}::{}", op.domain(), op.name()) }
}
