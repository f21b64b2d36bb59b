//! Tests of graphs: lists under random edits, the index of petgraph, order. And tools that break a graph, for the tests
//! of the verifier.

use petgraph::graph::NodeIndex;
use smallvec::SmallVec;

use super::{Def, Graph, NewOp, Use, User};
use crate::id::EntityId;
use crate::op::{CustomOp, Op};
use crate::{Model, Name, OpId, Origin, OriginId, Shape, Tensor, ValueId, ValueType};

/// An operator that takes and gives anything.
pub(crate) fn anything(operands: &[Option<ValueId>], results: &[&str], origin: OriginId) -> NewOp {
    let custom =
        CustomOp { domain: "test".into(), name: "Anything".into(), overload: Name::default(), attributes: Vec::new() };
    new_op(Op::Custom(Box::new(custom)), operands, results, origin)
}

/// An operator without regions or name.
pub(crate) fn new_op(op: Op, operands: &[Option<ValueId>], results: &[&str], origin: OriginId) -> NewOp {
    NewOp {
        op,
        operands: operands.into(),
        captures: 0,
        regions: SmallVec::new(),
        results: results.iter().map(|name| Some(Name::from(*name))).collect(),
        name: Name::default(),
        origin,
    }
}

/// A model with one empty graph, and a provenance.
pub(crate) fn empty_model() -> (Model, crate::GraphId, OriginId) {
    let mut model = Model::new();
    let main = model.add_graph(Graph::new("g"));
    model.entries.insert("g".into(), main);
    let origin = model.add_origin(Origin::Source { node: "n".into(), operator: "Op".into(), scope: None });
    (model, main, origin)
}

pub(crate) fn any_tensor() -> ValueType {
    ValueType::tensor(crate::DType::F32, Shape::of([2_i64, 3]))
}

// ---- breaking ----

pub(crate) fn set_def(graph: &mut Graph, value: ValueId, def: Def) {
    graph.values[value].def = def;
}
pub(crate) fn list_input_again(graph: &mut Graph, value: ValueId) {
    graph.inputs.push(value);
}
pub(crate) fn unlist_inputs(graph: &mut Graph) {
    graph.inputs.clear();
}
pub(crate) fn forget_uses(graph: &mut Graph, value: ValueId) {
    graph.values[value].uses.clear();
}
pub(crate) fn add_false_use(graph: &mut Graph, value: ValueId, op: OpId) {
    graph.values[value].uses.push(Use { user: User::Op(op), slot: 7 });
}
pub(crate) fn misplace(graph: &mut Graph, op: OpId, slot: usize) {
    graph.dag[NodeIndex::new(op.index())].places[slot] += 1;
}
pub(crate) fn set_raw_operand(graph: &mut Graph, op: OpId, slot: usize, value: ValueId) {
    graph.dag[NodeIndex::new(op.index())].operands[slot] = Some(value);
}
pub(crate) fn set_raw_result(graph: &mut Graph, op: OpId, slot: usize, value: ValueId) {
    graph.dag[NodeIndex::new(op.index())].results[slot] = Some(value);
}

// ---- random edits ----

/// A small generator (splitmix64), so that a failure comes back.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % bound.max(1) as u64) as usize
    }
    fn pick<T: Copy>(&mut self, list: &[T]) -> Option<T> {
        (!list.is_empty()).then(|| list[self.below(list.len())])
    }
}

/// One random edit of any kind that a pass could make; some make cycles, which is for the verifier to say.
fn edit(model: &mut Model, main: crate::GraphId, origin: OriginId, random: &mut Random, step: usize) {
    let graph = model.graph(main);
    let values: Vec<ValueId> = graph.values().map(|(id, _)| id).collect();
    let unused: Vec<ValueId> = graph.values().filter(|(_, row)| row.uses().is_empty()).map(|(id, _)| id).collect();
    let ops: Vec<OpId> = graph.ops().map(|(id, _)| id).collect();
    let (value, other, op) = (random.pick(&values), random.pick(&values), random.pick(&ops));
    let name = format!("v{step}");
    let tensor = model.add_tensor(Tensor::from_ints(&[step as i64]));
    let graph = model.graph_mut(main);
    let constant_type = ValueType::tensor(crate::DType::I64, Shape::of([1_i64]));
    match (random.below(16), value, other, op) {
        (0, ..) => drop(graph.add_input(name, any_tensor(), None)),
        (1, ..) => drop(graph.add_constant(name, constant_type, tensor)),
        (2..=4, ..) => {
            let operands: Vec<_> = (0..random.below(5)).map(|_| random.pick(&values)).collect();
            let names: Vec<String> = (0..=random.below(2)).map(|result| format!("{name}_{result}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            graph.add_op(anything(&operands, &names, origin));
        }
        (5, Some(value), ..) => graph.add_output(value),
        (6, Some(value), ..) if !graph.outputs().is_empty() => {
            graph.set_output(random.below(graph.outputs().len()), value);
        }
        (7, ..) if !graph.outputs().is_empty() => graph.remove_output(random.below(graph.outputs().len())),
        (8, value, _, Some(op)) => {
            let slot = random.below(graph.op(op).operands().len() + 2);
            graph.set_operand(op, slot, value.filter(|_| random.below(4) > 0));
        }
        (9, _, _, Some(op)) if !graph.op(op).operands().is_empty() => {
            let slot = random.below(graph.op(op).operands().len());
            graph.remove_operand(op, slot);
        }
        (10, Some(value), Some(other), _) => graph.replace_uses(value, other),
        (11, _, _, Some(op)) => {
            let dead = graph.op(op).results().iter().flatten().all(|result| graph.value(*result).uses().is_empty());
            if dead {
                graph.erase_op(op);
            }
        }
        (12, _, _, Some(op)) => drop(graph.want_result(op, random.below(3), name)),
        (13, ..) => match random.pick(&unused).map(|value| (value, graph.value(value).def())) {
            Some((_, Def::Result { op, slot })) => graph.drop_result(op, slot as usize),
            Some((value, Def::Constant(_))) => graph.erase_constant(value),
            Some((value, Def::Input { .. })) => {
                let index = graph.inputs().iter().position(|input| *input == value).unwrap();
                graph.remove_input(index);
            }
            _ => {}
        },
        (14, Some(value), _, Some(op)) => {
            let slot = random.below(3);
            // The value that stands there must not be read by anybody.
            let free = graph.op(op).result(slot).is_none_or(|old| old != value && graph.value(old).uses().is_empty());
            if free {
                graph.redefine(value, op, slot);
            }
        }
        (15, Some(value), ..) => {
            graph.set_type(value, constant_type);
            match graph.value(value).def() {
                Def::Input { .. } => graph.input_to_constant(value, tensor),
                _ => graph.redefine_constant(value, tensor),
            }
        }
        _ => {}
    }
}

#[test]
fn lists_stay_consistent_under_random_edits() {
    for seed in 0..60 {
        let (mut model, main, origin) = empty_model();
        let mut random = Random(seed);
        for step in 0..150 {
            edit(&mut model, main, origin, &mut random, step);
            if let Err(errors) = model.verify() {
                assert!(errors.iter().all(|error| error.invariant == 4), "seed {seed}, step {step}: {errors:?}");
            }
        }
        index_agrees(model.graph_mut(main));
    }
}

#[test]
fn random_graphs_compact_to_the_same_graph() {
    let mut compacted = 0;
    for seed in 100..160 {
        let (mut model, main, origin) = empty_model();
        let mut random = Random(seed);
        (0..120).for_each(|step| edit(&mut model, main, origin, &mut random, step));
        if model.verify().is_err() {
            assert!(model.compact().is_err(), "a cycle has no order");
            continue;
        }
        compacted += 1;
        let before = summary(&model);
        model.compact().unwrap();
        assert_eq!(model.verify(), Ok(()), "seed {seed}");
        assert_eq!(summary(&model), before, "seed {seed}");
        assert_eq!(model.graph(model.main().unwrap()).op_rows(), model.main_graph().unwrap().ops().count());
    }
    assert!(compacted > 5, "only {compacted} of the graphs had no cycle");
}

/// What a graph says, without ids: names of operands and results, in the order of the operators.
fn summary(model: &Model) -> Vec<String> {
    let graph = model.main_graph().unwrap();
    let name = |value: &Option<ValueId>| value.map_or("-".to_owned(), |value| graph.value(value).name().to_string());
    let list = |values: &[Option<ValueId>]| values.iter().map(name).collect::<Vec<_>>().join(",");
    let mut lines: Vec<String> = graph
        .topological()
        .unwrap()
        .into_iter()
        .map(|op| {
            let data = graph.op(op);
            let mut results = data.results();
            while let [rest @ .., None] = results {
                results = rest;
            }
            format!("{} = ({})", list(results), list(data.operands()))
        })
        .collect();
    lines.push(format!("outputs {}", list(&graph.outputs().iter().copied().map(Some).collect::<Vec<_>>())));
    lines.push(format!("inputs {}", list(&graph.inputs().iter().copied().map(Some).collect::<Vec<_>>())));
    lines
}

/// petgraph's edges are those that the operands say.
fn index_agrees(graph: &mut Graph) {
    let mut expected: Vec<(usize, usize)> = Vec::new();
    for (id, data) in graph.ops() {
        for producer in data.operands().iter().flatten().filter_map(|value| graph.producer(*value)) {
            expected.push((producer.index(), id.index()));
        }
    }
    let dag = graph.dag();
    let mut found: Vec<(usize, usize)> =
        dag.edge_indices().filter_map(|edge| dag.edge_endpoints(edge)).map(|(a, b)| (a.index(), b.index())).collect();
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn the_index_follows_edits() {
    let (mut model, main, origin) = empty_model();
    let graph = model.graph_mut(main);
    let x = graph.add_input("x", any_tensor(), None);
    let a = graph.add_op(anything(&[Some(x)], &["a"], origin));
    let value = graph.op(a).result(0).unwrap();
    let b = graph.add_op(anything(&[Some(value), Some(value)], &["b"], origin));
    index_agrees(graph);
    assert_eq!(graph.dag().edge_count(), 2);
    graph.set_operand(b, 0, Some(x));
    index_agrees(graph);
    graph.erase_op(b);
    assert_eq!(graph.dag().edge_count(), 0);
}

#[test]
fn many_uses_of_one_constant_are_edited_in_constant_time_each() {
    let (mut model, main, origin) = empty_model();
    let constant = model.add_constant(main, "c", Tensor::from_ints(&[1]));
    let other = model.add_constant(main, "d", Tensor::from_ints(&[2]));
    let graph = model.graph_mut(main);
    let ops: Vec<OpId> = (0..50_000)
        .map(|index| graph.add_op(anything(&[Some(constant)], &[format!("y{index}").as_str()], origin)))
        .collect();
    for op in &ops {
        graph.set_operand(*op, 0, Some(other));
    }
    assert_eq!((graph.value(constant).uses().len(), graph.value(other).uses().len()), (0, 50_000));
    graph.replace_uses(other, constant);
    ops.iter().rev().for_each(|op| graph.erase_op(*op));
    assert!(graph.value(constant).uses().is_empty());
    assert_eq!(model.verify(), Ok(()));
}

#[test]
fn the_topological_order_keeps_the_present_one() {
    let (mut model, main, origin) = empty_model();
    let graph = model.graph_mut(main);
    let x = graph.add_input("x", any_tensor(), None);
    let ops: Vec<OpId> =
        (0..5).map(|index| graph.add_op(anything(&[Some(x)], &[format!("y{index}").as_str()], origin))).collect();
    assert_eq!(graph.topological().unwrap(), ops);
    // The second now waits for the last; everything else stays.
    let last = graph.op(ops[4]).result(0);
    graph.set_operand(ops[1], 0, last);
    assert_eq!(graph.topological().unwrap(), [ops[0], ops[2], ops[3], ops[4], ops[1]]);
    // Between two others by its key.
    let between = graph.op(ops[2]).order() + 1;
    let inserted = graph.add_op_at(anything(&[Some(x)], &["z"], origin), between);
    assert_eq!(graph.topological().unwrap(), [ops[0], ops[2], inserted, ops[3], ops[4], ops[1]]);
    let own = graph.op(ops[0]).result(0);
    graph.set_operand(ops[0], 0, own);
    assert_eq!(graph.topological().unwrap_err().ops, [ops[0]]);
}

#[test]
fn captures_stay_behind_the_formals() {
    let (mut model, main, origin) = empty_model();
    let graph = model.graph_mut(main);
    let x = graph.add_input("x", any_tensor(), None);
    let y = graph.add_input("y", any_tensor(), None);
    let op = graph.add_op(anything(&[Some(x), None], &["z"], origin));
    graph.push_capture(op, y);
    assert_eq!((graph.op(op).formals(), graph.op(op).captures()), (&[Some(x), None][..], &[Some(y)][..]));
    graph.remove_operand(op, 1);
    assert_eq!((graph.op(op).formals(), graph.op(op).captures()), (&[Some(x)][..], &[Some(y)][..]));
    graph.remove_operand(op, 1);
    assert_eq!((graph.op(op).formals(), graph.op(op).captures()), (&[Some(x)][..], &[][..]));
    assert_eq!(model.verify(), Ok(()));
}

#[test]
fn every_write_of_structure_shows_in_the_epoch() {
    let (mut model, main, origin) = empty_model();
    let graph = model.graph_mut(main);
    let x = graph.add_input("x", any_tensor(), None);
    let op = graph.add_op(anything(&[Some(x)], &["y"], origin));
    graph.mark_pristine();
    graph.set_type(x, ValueType::Unknown);
    graph.set_order(op, 5);
    assert!(graph.is_pristine(), "facts and keys are no part of what the frontend made");
    graph.set_value_name(x, "x2");
    assert!(!graph.is_pristine());
}
