//! Operators that belong together, compared: attributes, operands, notes, names.

use edgesmith_ir::{Attribute, Def, Graph, GraphId, Model, Name, Op, OpId, ValueId};
use indexmap::IndexMap;
use rustc_hash::FxHashSet;

use super::matching::GraphPair;
use super::report::{Change, ModelDiff, Operator, OperatorChange, Renamed};
use super::weights::Pairs;

/// Compares two graphs that belong together into the report, and collects their constants.
pub(super) fn compare(a: &Model, b: &Model, pair: &GraphPair, diff: &mut ModelDiff, weights: &mut Pairs) {
    let (ga, gb) = (a.graph(pair.a), b.graph(pair.b));
    let gone = pair.removed.iter().flat_map(|op| ga.op(*op).results().iter().flatten());
    let names_gone = gone.map(|value| ga.value(*value).name().clone()).collect();
    let (added, removed) = (mark(gb, &pair.added), mark(ga, &pair.removed));
    let sides = Sides { ga, gb, pair, added, removed, names_gone };
    diff.operators.matched += pair.ops.len() as u64;
    diff.operators.removed.extend(pair.removed.iter().map(|op| describe(a, pair.a, *op, &pair.path)));
    diff.operators.added.extend(pair.added.iter().map(|op| describe(b, pair.b, *op, &pair.path)));
    for (x, y) in &pair.ops {
        let (data_a, data_b) = (ga.op(*x), gb.op(*y));
        let mut changes = attributes(data_a.op(), data_b.op());
        changes.extend(sides.operands(*x, *y, weights));
        if data_a.regions().len() != data_b.regions().len() {
            changes.push(Change {
                what: "inner graphs".to_owned(),
                before: Some(data_a.regions().len().to_string()),
                after: Some(data_b.regions().len().to_string()),
            });
        }
        if data_a.extra().cloned().unwrap_or_default() != data_b.extra().cloned().unwrap_or_default() {
            changes.push(Change { what: "documentation or notes".to_owned(), before: None, after: None });
        }
        if !changes.is_empty() {
            let operator = describe(a, pair.a, *x, &pair.path);
            diff.operators.changed.push(OperatorChange { operator, changes });
        }
        if data_a.name() != data_b.name() {
            let (before, after) = (data_a.name().to_string(), data_b.name().to_string());
            diff.operators.renamed.push(Renamed { before, after });
        }
        for (va, vb) in data_a.results().iter().zip(data_b.results()) {
            if let (Some(va), Some(vb)) = (va, vb) {
                sides.renamed(*va, *vb, diff);
            }
        }
    }
    if !pair.path.is_empty() {
        // Captures have the names of what they capture.
        for (va, vb) in ga.inputs().iter().zip(gb.inputs()).take(pair.formals) {
            sides.renamed(*va, *vb, diff);
        }
    }
    sides.outputs(diff, weights);
    weights.rest(a, b, pair);
}

fn mark(graph: &Graph, ops: &[OpId]) -> Vec<bool> {
    use edgesmith_ir::id::EntityId;
    let mut marks = vec![false; graph.op_rows()];
    ops.iter().for_each(|op| marks[op.index()] = true);
    marks
}

/// An operator in words.
pub(crate) fn describe(model: &Model, graph: GraphId, op: OpId, path: &str) -> Operator {
    let data = model.graph(graph).op(op);
    Operator {
        kind: kind(data.op()),
        name: model.op_label(graph, op).to_string(),
        scope: model.scope(data.origin()).to_string(),
        graph: path.to_owned(),
    }
}

fn kind(op: &Op) -> String {
    if op.domain().is_empty() { op.name().to_owned() } else { format!("{}::{}", op.domain(), op.name()) }
}

fn all_attributes(op: &Op) -> IndexMap<String, Attribute> {
    match op {
        Op::Custom(op) => op.attributes.iter().map(|(name, value)| (name.to_string(), value.clone())).collect(),
        Op::Call(call) => call.attributes.iter().map(|(name, value)| (name.to_string(), value.clone())).collect(),
        op => op.encode().into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
    }
}

/// Attributes that differ.
pub(crate) fn attributes(a: &Op, b: &Op) -> Vec<Change> {
    if a == b {
        return Vec::new();
    }
    let (x, y) = (all_attributes(a), all_attributes(b));
    let shown = |value: Option<&Attribute>| value.map(show);
    x.keys()
        .chain(y.keys().filter(|name| !x.contains_key(*name)))
        .filter(|name| x.get(*name) != y.get(*name))
        .map(|name| Change { what: name.clone(), before: shown(x.get(name)), after: shown(y.get(name)) })
        .collect()
}

/// An attribute in short.
fn show(value: &Attribute) -> String {
    let text = |bytes: &bytes::Bytes| format!("\"{}\"", String::from_utf8_lossy(bytes));
    let tensor = |tensor: &edgesmith_ir::Tensor| {
        let hash = tensor.content_hash();
        format!("{}{:?} {}", tensor.dtype(), tensor.shape(), &hash.to_hex()[..8])
    };
    match value {
        Attribute::Float(x) => format!("{x:?}"),
        Attribute::Int(x) => x.to_string(),
        Attribute::String(bytes) => text(bytes),
        Attribute::Tensor(t) | Attribute::SparseTensor(t) => tensor(t),
        Attribute::Floats(list) => format!("{list:?}"),
        Attribute::Ints(list) => format!("{list:?}"),
        Attribute::Strings(list) => list.iter().map(text).collect::<Vec<_>>().join(", "),
        Attribute::Tensors(list) | Attribute::SparseTensors(list) => {
            list.iter().map(tensor).collect::<Vec<_>>().join(", ")
        }
        Attribute::Type(ty) => ty.to_string(),
        Attribute::Types(list) => list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        Attribute::Reference(name, _) => format!("@{name}"),
        other => other.kind().to_owned(),
    }
}

struct Sides<'a> {
    ga: &'a Graph,
    gb: &'a Graph,
    pair: &'a GraphPair,
    removed: Vec<bool>,
    added: Vec<bool>,
    /// Names of what operators computed that are gone.
    names_gone: FxHashSet<Name>,
}

impl Sides<'_> {
    /// Whether the value comes from an operator that the other side lacks: then reading another one is a consequence.
    fn is_new(&self, vb: ValueId) -> bool {
        use edgesmith_ir::id::EntityId;
        self.gb.producer(vb).is_some_and(|op| self.added[op.index()])
    }
    fn is_gone(&self, va: ValueId) -> bool {
        use edgesmith_ir::id::EntityId;
        self.ga.producer(va).is_some_and(|op| self.removed[op.index()])
    }

    fn operands(&self, x: OpId, y: OpId, weights: &mut Pairs) -> Vec<Change> {
        let (data_a, data_b) = (self.ga.op(x), self.gb.op(y));
        let mut changes = Vec::new();
        // What inner graphs capture is seen where it is read.
        let count = data_a.formals().len().max(data_b.formals().len());
        for slot in 0..count {
            let (va, vb) = (formal(data_a.formals(), slot), formal(data_b.formals(), slot));
            let same = match (va, vb) {
                (None, None) => true,
                (Some(va), Some(vb)) => match (self.ga.constant(va), self.gb.constant(vb)) {
                    (Some(ta), Some(tb)) => {
                        weights.pair((ta, self.ga.value(va).name()), (tb, self.gb.value(vb).name()));
                        true
                    }
                    _ => self.pair.value(va) == Some(vb) || self.is_gone(va) || self.is_new(vb),
                },
                _ => false,
            };
            if !same {
                let signature = data_a.op().kind().signature().operands;
                let what = signature.get(slot).map_or_else(|| slot.to_string(), |formal| formal.name.to_owned());
                let name = |graph: &Graph, value: Option<ValueId>| value.map(|v| graph.value(v).name().to_string());
                changes.push(Change {
                    what: format!("operand {what}"),
                    before: name(self.ga, va),
                    after: name(self.gb, vb),
                });
            }
        }
        changes
    }

    fn renamed(&self, va: ValueId, vb: ValueId, diff: &mut ModelDiff) {
        let (ra, rb) = (self.ga.value(va), self.gb.value(vb));
        // Outputs and inputs of the model are told with the interface.
        let interface = self.pair.path.is_empty() && (ra.is_output() || rb.is_output());
        // An operator that took up the work of one that is gone has that one's name for it: no renaming either.
        if ra.name() != rb.name() && !interface && !self.names_gone.contains(rb.name()) {
            diff.renamed_values.push(Renamed { before: ra.name().to_string(), after: rb.name().to_string() });
        }
    }

    /// Outputs that come from elsewhere.
    fn outputs(&self, diff: &mut ModelDiff, weights: &mut Pairs) {
        let names = |graph: &Graph| -> Vec<Name> {
            graph.outputs().iter().map(|value| graph.value(*value).name().clone()).collect()
        };
        let pairs = if self.pair.path.is_empty() {
            super::matching::pair_names(&names(self.ga), &names(self.gb))
        } else {
            (0..self.ga.outputs().len()).map(|k| (k < self.gb.outputs().len()).then_some(k)).collect()
        };
        for (va, other) in self.ga.outputs().iter().zip(pairs) {
            let Some(vb) = other.map(|other| self.gb.outputs()[other]) else { continue };
            if let (Some(ta), Some(tb)) = (self.ga.constant(*va), self.gb.constant(vb)) {
                weights.pair((ta, self.ga.value(*va).name()), (tb, self.gb.value(vb).name()));
                continue;
            }
            if self.pair.value(*va) == Some(vb) || self.is_gone(*va) || self.is_new(vb) {
                continue;
            }
            let source = |graph: &Graph, value: ValueId| match graph.value(value).def() {
                Def::Result { op, slot } => {
                    let data = graph.op(op);
                    let name = if data.name().is_empty() { graph.value(value).name() } else { data.name() };
                    format!("result {slot} of {} '{name}'", kind(data.op()))
                }
                Def::Input { .. } => format!("input '{}'", graph.value(value).name()),
                Def::Constant(_) | Def::Erased => format!("constant '{}'", graph.value(value).name()),
            };
            let place = if self.pair.path.is_empty() { String::new() } else { format!(" of {}", self.pair.path) };
            diff.operators.rewired_outputs.push(Change {
                what: format!("output '{}'{place}", self.ga.value(*va).name()),
                before: Some(source(self.ga, *va)),
                after: Some(source(self.gb, vb)),
            });
        }
    }
}

fn formal(formals: &[Option<ValueId>], slot: usize) -> Option<ValueId> {
    formals.get(slot).copied().flatten()
}
