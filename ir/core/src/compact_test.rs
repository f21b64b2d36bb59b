//! Tests of compaction: what is dropped, what stays, and in which order.

use smallvec::smallvec;

use crate::graph::NewOp;
use crate::graph::tests::{any_tensor, anything, empty_model, new_op};
use crate::id::EntityId;
use crate::op::{self, FunctionKey};
use crate::{Contents, Dim, Function, Graph, GraphId, Item, Model, Origin, Tensor, ValueType};

/// Everything that a model says, ids included: equal text, equal model.
fn dump(model: &Model) -> String {
    format!("{model:#?}")
}

/// Main graph with an If, a function with a region, an erased operator, and things that nothing refers to.
fn model() -> (Model, [GraphId; 5]) {
    let (mut model, main, origin) = empty_model();
    let lost = model.add_graph(Graph::new("lost"));
    let regions = [model.add_graph(Graph::new("then")), model.add_graph(Graph::new("else"))];
    let body = model.add_graph(Graph::new("body"));
    let inner = model.add_graph(Graph::new("inner"));
    model.add_tensor(Tensor::from_ints(&[99]));
    let c = model.add_constant(main, "c", Tensor::from_ints(&[1]));
    let graph = model.graph_mut(main);
    let x = graph.add_input("x", any_tensor(), None);
    let dead = graph.add_op(anything(&[Some(x)], &["dead"], origin));
    let first = graph.add_op(anything(&[Some(x), None, Some(c)], &["a"], origin));
    let a = graph.op(first).result(0).unwrap();
    graph.erase_op(dead);
    graph.set_contents(a, Contents::new(vec![Item::Int(Dim::symbol("N"))]));
    graph.value_extra_mut(a).doc = "kept".into();
    graph.op_extra_mut(first).doc = "kept, too".into();
    let branches =
        NewOp { regions: smallvec![regions[1], regions[0]], ..new_op(op::If {}.into(), &[Some(a)], &["b"], origin) };
    let branches = graph.add_op(branches);
    graph.push_capture(branches, x);
    let b = graph.op(branches).result(0).unwrap();
    graph.add_output(b);
    graph.add_output(b);
    for region in regions {
        let graph = model.graph_mut(region);
        let inside = graph.add_input("inside", any_tensor(), None);
        graph.add_output(inside);
    }
    let graph = model.graph_mut(body);
    let y = graph.add_input("y", any_tensor(), None);
    graph.add_op(NewOp { regions: smallvec![inner], ..anything(&[Some(y)], &["z"], origin) });
    let key = FunctionKey { domain: "d".into(), name: "F".into(), overload: "".into() };
    model.functions.insert(key, Function { body: Some(body), ..Function::default() });
    assert_eq!(model.verify(), Ok(()));
    (model, [main, regions[1], regions[0], body, lost])
}

#[test]
fn what_nothing_refers_to_is_dropped() {
    let (mut model, [main, otherwise, then, body, lost]) = model();
    let renumbering = model.compact().unwrap();
    assert_eq!(model.verify(), Ok(()));
    let id = GraphId::from_index;
    // Each graph before its regions, entries first.
    let graphs = [(main, 0), (otherwise, 1), (then, 2), (body, 3)];
    assert!(graphs.iter().all(|(old, new)| renumbering.graphs.get(old) == Some(&id(*new))));
    assert_eq!(renumbering.graphs.get(&lost), None);
    assert_eq!(model.graphs().count(), 5);
    assert_eq!(model.tensors().count(), 1);
    let graph = model.main_graph().unwrap();
    assert_eq!((graph.op_rows(), graph.value_rows()), (2, 4));
    let names: Vec<&str> = graph.values().map(|(_, row)| row.name().as_str()).collect();
    assert_eq!(names, ["x", "c", "a", "b"]);
    assert_eq!(graph.outputs().len(), 2);
    assert_eq!(graph.value(graph.outputs()[0]).uses().len(), 2);
}

#[test]
fn what_is_known_stays() {
    let (mut model, _) = model();
    model.graph_mut(GraphId::from_index(0)).mark_pristine();
    model.compact().unwrap();
    let graph = model.main_graph().unwrap();
    let a = graph.value_by_name("a").unwrap();
    assert_eq!(graph.value(a).contents().unwrap().dims(), [Dim::symbol("N")]);
    assert_eq!(graph.value(a).extra().unwrap().doc, "kept");
    let op = graph.producer(a).unwrap();
    assert_eq!(graph.op(op).extra().unwrap().doc, "kept, too");
    assert_eq!(graph.op(op).operands()[1], None);
    assert!(graph.is_pristine());
    assert_eq!(*graph.value(graph.inputs()[0]).ty(), any_tensor());
    let branches = graph.ops().last().unwrap().1;
    assert_eq!((branches.formals().len(), branches.captures().len()), (1, 1));
}

#[test]
fn compacting_again_changes_nothing() {
    let (mut model, _) = model();
    model.compact().unwrap();
    let once = dump(&model);
    let renumbering = model.compact().unwrap();
    assert_eq!(dump(&model), once);
    assert!(renumbering.graphs.iter().all(|(old, new)| old == new));
    assert!(renumbering.ops.iter().all(|((_, old), new)| old == new));
    assert!(renumbering.values.iter().all(|((_, old), new)| old == new));
}

#[test]
fn equal_models_become_equal() {
    let (mut one, _) = model();
    let (mut two, _) = model();
    one.compact().unwrap();
    two.compact().unwrap();
    assert_eq!(dump(&one), dump(&two));
}

#[test]
fn long_chains_of_origins_are_kept() {
    let (mut model, main, source) = empty_model();
    let mut origin = source;
    for _ in 0..50_000 {
        origin = model.add_origin(Origin::Derived { rule: "r".into(), from: smallvec![origin, source] });
    }
    let graph = model.graph_mut(main);
    let x = graph.add_input("x", ValueType::Unknown, None);
    graph.add_op(anything(&[Some(x)], &["y"], origin));
    model.compact().unwrap();
    assert_eq!(model.origins().count(), 50_001);
    let origin = model.main_graph().unwrap().ops().next().unwrap().1.origin();
    assert!(matches!(model.origin(origin), Origin::Derived { from, .. } if from.len() == 2));
}

#[test]
fn a_cycle_is_an_error_and_changes_nothing() {
    let (mut model, main, origin) = empty_model();
    let graph = model.graph_mut(main);
    let x = graph.add_input("x", any_tensor(), None);
    let op = graph.add_op(anything(&[Some(x)], &["y"], origin));
    let y = graph.op(op).result(0);
    graph.set_operand(op, 0, y);
    let before = dump(&model);
    assert_eq!(model.compact().unwrap_err().ops, [op]);
    assert_eq!(dump(&model), before);
}

#[test]
fn many_regions_take_linear_time() {
    let (mut model, main, origin) = empty_model();
    let x = model.graph_mut(main).add_input("x", any_tensor(), None);
    for index in 0..20_000 {
        let region = model.add_graph(Graph::new("r"));
        let holder =
            NewOp { regions: smallvec![region], ..anything(&[Some(x)], &[format!("y{index}").as_str()], origin) };
        model.graph_mut(main).add_op(holder);
    }
    model.compact().unwrap();
    assert_eq!(model.graphs().count(), 20_001);
}

#[test]
fn dead_tensors_give_back_their_data_and_no_other_does() {
    let mut model = Model::new();
    let graph = model.add_graph(Graph::new("g"));
    let [dead, alive, default] = [1.0_f32, 2.0, 3.0].map(|x| model.add_tensor(Tensor::scalar(x)));
    let [gone, kept] = [dead, alive].map(|tensor| {
        let ty = crate::tensor_type(model.tensor(tensor));
        model.graph_mut(graph).add_constant("c", ty, tensor)
    });
    let ty = crate::tensor_type(model.tensor(default));
    model.graph_mut(graph).add_input("x", ty, Some(default));
    model.graph_mut(graph).erase_constant(gone);
    model.release_dead_tensors();
    assert!(model.tensor(dead).is_empty());
    assert_eq!(model.tensor(alive), &Tensor::scalar(2.0_f32));
    assert_eq!(model.tensor(default), &Tensor::scalar(3.0_f32));
    assert_eq!(model.constant_of(graph, kept), Some(&Tensor::scalar(2.0_f32)));
}
