//! The reference engine on whole models: order, regions, taps, inputs, limits.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use edgesmith_exec::{Engine, EngineError, ReferenceEngine, Request, Value, Values};
use edgesmith_ir::op::{
    Add, Call, Concat, CustomOp, FunctionKey, Identity, If, Less, Loop, Mul, OptionalHasElement, RandomNormal, Relu,
    Scan, SequenceEmpty, SequenceInsert,
};
use edgesmith_ir::{DType, Dim, Graph, GraphId, Model, NewOp, Op, Shape, Tensor, ValueId, ValueType};
use smallvec::SmallVec;

fn float(dims: &[Dim]) -> ValueType {
    ValueType::tensor(DType::F32, Shape::of(dims.to_vec()))
}
fn vector() -> ValueType {
    float(&[Dim::symbol("N")])
}
fn scalar(dtype: DType) -> ValueType {
    ValueType::tensor(dtype, Shape::scalar())
}
fn row(x: &[f32]) -> Value {
    Tensor::from_slice([x.len() as u64].as_slice(), x).unwrap().into()
}
fn int(x: i64) -> Value {
    Tensor::scalar(x).into()
}
fn truth(x: bool) -> Value {
    Tensor::from_bools([0_u64; 0].as_slice(), &[x]).unwrap().into()
}

/// Adds an operator with named results; gives the first.
fn add(graph: &mut Graph, op: impl Into<Op>, operands: &[Option<ValueId>], results: &[&str]) -> ValueId {
    add_with_regions(graph, op, operands, 0, &[], results)[0]
}
fn add_with_regions(
    graph: &mut Graph,
    op: impl Into<Op>,
    operands: &[Option<ValueId>],
    captures: usize,
    regions: &[GraphId],
    results: &[&str],
) -> Vec<ValueId> {
    let id = graph.add_op(NewOp {
        op: op.into(),
        operands: operands.into(),
        captures,
        regions: regions.into(),
        results: results.iter().map(|name| Some((*name).into())).collect::<SmallVec<[_; 1]>>(),
        name: "".into(),
        origin: edgesmith_ir::EntityId::from_index(0),
    });
    graph.op(id).results().iter().map(|value| value.unwrap()).collect()
}

fn entry(model: &mut Model, graph: Graph) {
    let id = model.add_graph(graph);
    model.entries.insert("main".into(), id);
}

fn values(pairs: &[(&str, Value)]) -> Values {
    pairs.iter().map(|(name, value)| ((*name).into(), value.clone())).collect()
}

#[track_caller]
fn run(model: &Model, inputs: &[(&str, Value)]) -> Values {
    ReferenceEngine::default().run_once(model, &Request::default(), &values(inputs)).unwrap()
}
fn fails(engine: ReferenceEngine, model: &Model, inputs: &[(&str, Value)]) -> EngineError {
    engine.run_once(model, &Request::default(), &values(inputs)).unwrap_err()
}

/// `y = relu(x) + w`, with `w` an input that has a default.
fn small() -> Model {
    let mut model = Model::new();
    let default = model.add_tensor(Tensor::from_slice([2].as_slice(), &[10.0_f32, 20.0]).unwrap());
    let mut graph = Graph::new("g");
    let x = graph.add_input("x", vector(), None);
    let w = graph.add_input("w", float(&[Dim::Known(2)]), Some(default));
    let h = add(&mut graph, Relu {}, &[Some(x)], &["h"]);
    let y = add(&mut graph, Add {}, &[Some(h), Some(w)], &["y"]);
    graph.add_output(y);
    graph.add_output(x);
    entry(&mut model, graph);
    model
}

#[test]
fn outputs_taps_and_defaults() {
    let model = small();
    let found = run(&model, &[("x", row(&[-1.0, 2.0]))]);
    assert_eq!(found, values(&[("y", row(&[10.0, 22.0])), ("x", row(&[-1.0, 2.0]))]));
    let found = run(&model, &[("x", row(&[-1.0, 2.0])), ("w", row(&[0.0, 1.0]))]);
    assert_eq!(found["y"], row(&[0.0, 3.0]));
    let request = Request { taps: vec!["w".into(), "h".into()], ..Request::default() };
    let found = ReferenceEngine::default().run_once(&model, &request, &values(&[("x", row(&[-1.0, 2.0]))])).unwrap();
    assert_eq!(found.keys().map(edgesmith_ir::Name::as_str).collect::<Vec<_>>(), ["y", "x", "w", "h"]);
    assert_eq!(found["h"], row(&[0.0, 2.0]));
    let unknown = Request { taps: vec!["z".into()], ..Request::default() };
    assert!(matches!(ReferenceEngine::default().prepare(&model, &unknown), Err(EngineError::Request(_))));
}

#[test]
fn inputs_are_checked() {
    let model = small();
    let engine = ReferenceEngine::default();
    let refused = |inputs: &[(&str, Value)]| match fails(engine, &model, inputs) {
        EngineError::Input { name, message } => format!("{name}: {message}"),
        other => panic!("{other}"),
    };
    assert!(refused(&[]).starts_with("x: is missing"));
    assert!(refused(&[("x", row(&[1.0, 2.0])), ("z", row(&[1.0]))]).contains("no such input, but x, w"));
    assert!(refused(&[("x", int(1))]).starts_with("x: float[N] is needed"));
    assert!(refused(&[("x", Tensor::from_slice([1, 1].as_slice(), &[1.0_f32]).unwrap().into())]).starts_with("x: "));
    assert!(refused(&[("x", row(&[1.0])), ("w", row(&[1.0]))]).starts_with("w: float[2] is needed"));
    assert!(refused(&[("x", Value::Sequence(vec![]))]).starts_with("x: "));
    // The operands of Add do not broadcast: an error of the run that names the operator.
    let EngineError::Run { label, .. } = fails(engine, &model, &[("x", row(&[1.0, 2.0, 3.0]))]) else { panic!() };
    assert_eq!(label, "Add 'y'");
}

/// `if c then k·x else x` with `x` captured and `k` a constant of the branch.
fn branches() -> Model {
    let mut model = Model::new();
    let factor = model.add_tensor(Tensor::scalar(3.0_f32));
    let mut or_else = Graph::new("else");
    let captured = or_else.add_input("x", vector(), None);
    let copied = add(&mut or_else, Identity {}, &[Some(captured)], &["e"]);
    or_else.add_output(copied);
    let mut then = Graph::new("then");
    let captured = then.add_input("x", vector(), None);
    let k = then.add_constant("k", scalar(DType::F32), factor);
    let product = add(&mut then, Mul {}, &[Some(captured), Some(k)], &["t"]);
    then.add_output(product);
    let regions = [model.add_graph(or_else), model.add_graph(then)];
    let mut graph = Graph::new("g");
    let c = graph.add_input("c", scalar(DType::Bool), None);
    let x = graph.add_input("x", vector(), None);
    let y = add_with_regions(&mut graph, If {}, &[Some(c), Some(x)], 1, &regions, &["y"])[0];
    graph.add_output(y);
    entry(&mut model, graph);
    model
}

#[test]
fn a_branch_runs_on_its_captures() {
    let model = branches();
    let x = ("x", row(&[1.0, 2.0]));
    assert_eq!(run(&model, &[("c", truth(true)), x.clone()])["y"], row(&[3.0, 6.0]));
    assert_eq!(run(&model, &[("c", truth(false)), x])["y"], row(&[1.0, 2.0]));
}

/// A loop over `a ← a + i` that stops when `a ≥ limit` (captured), with `a` as a scan output too.
fn counting_loop(with_condition: bool) -> Model {
    let mut model = Model::new();
    let mut body = Graph::new("body");
    let i = body.add_input("i", scalar(DType::I64), None);
    body.add_input("going", scalar(DType::Bool), None);
    let a = body.add_input("a", scalar(DType::I64), None);
    let limit = body.add_input("limit", scalar(DType::I64), None);
    let next = add(&mut body, Add {}, &[Some(a), Some(i)], &["next"]);
    let goes_on = add(&mut body, Less {}, &[Some(next), Some(limit)], &["goes_on"]);
    for value in [goes_on, next, next] {
        body.add_output(value);
    }
    body.set_type(next, scalar(DType::I64));
    let body = model.add_graph(body);
    let mut graph = Graph::new("g");
    let trips = graph.add_input("trips", scalar(DType::I64), None);
    let condition = graph.add_input("condition", scalar(DType::Bool), None);
    let start = graph.add_input("start", scalar(DType::I64), None);
    let limit = graph.add_input("limit", scalar(DType::I64), None);
    let operands = [Some(trips), with_condition.then_some(condition), Some(start), Some(limit)];
    let results = add_with_regions(&mut graph, Loop {}, &operands, 1, &[body], &["last", "all"]);
    results.into_iter().for_each(|value| graph.add_output(value));
    entry(&mut model, graph);
    model
}

fn counted(model: &Model, trips: i64, condition: bool, limit: i64) -> (Value, Value) {
    let inputs = [("trips", int(trips)), ("condition", truth(condition)), ("start", int(0)), ("limit", int(limit))];
    let found = run(model, &inputs);
    (found["last"].clone(), found["all"].clone())
}

#[test]
fn loops_end_by_count_or_condition() {
    let ints = |x: &[i64]| Value::from(Tensor::from_ints(x));
    let model = counting_loop(true);
    assert_eq!(counted(&model, 4, true, 100), (int(6), ints(&[0, 1, 3, 6])));
    // The trip that ends the loop still counts.
    assert_eq!(counted(&model, 100, true, 3), (int(3), ints(&[0, 1, 3])));
    for (trips, condition) in [(0, true), (-5, true), (4, false)] {
        assert_eq!(counted(&model, trips, condition, 100), (int(0), ints(&[])));
    }
    // Without a condition operand the body's is ignored.
    assert_eq!(counted(&counting_loop(false), 4, true, 1), (int(6), ints(&[0, 1, 3, 6])));
}

#[test]
fn loops_and_memory_are_bounded() {
    let inputs =
        |trips: i64| [("trips", int(trips)), ("condition", truth(true)), ("start", int(0)), ("limit", int(i64::MAX))];
    let model = counting_loop(true);
    let few = ReferenceEngine { trip_limit: 10, ..ReferenceEngine::default() };
    assert!(few.run_once(&model, &Request::default(), &values(&inputs(10))).is_ok());
    let EngineError::Run { label, message } = fails(few, &model, &inputs(11)) else { panic!() };
    assert!(label == "Loop 'last'" && message.contains("more than 10 trips"), "{label}: {message}");
    // Every trip adds eight bytes to the scan output.
    let narrow = ReferenceEngine { memory_limit: 1000, ..ReferenceEngine::default() };
    assert!(narrow.run_once(&model, &Request::default(), &values(&inputs(20))).is_ok());
    let EngineError::Run { message, .. } = fails(narrow, &model, &inputs(500)) else { panic!() };
    assert!(message.contains("1000 allowed"), "{message}");
}

#[test]
fn zero_trips_give_the_declared_shape() {
    let mut model = Model::new();
    let mut body = Graph::new("body");
    body.add_input("i", scalar(DType::I64), None);
    let going = body.add_input("going", scalar(DType::Bool), None);
    let x = body.add_input("x", float(&[Dim::symbol("N"), Dim::Known(3)]), None);
    let y = add(&mut body, Relu {}, &[Some(x)], &["y"]);
    body.set_type(y, float(&[Dim::symbol("N"), Dim::Known(3)]));
    body.add_output(going);
    body.add_output(y);
    let body = model.add_graph(body);
    let mut graph = Graph::new("g");
    let trips = graph.add_input("trips", scalar(DType::I64), None);
    let x = graph.add_input("x", float(&[Dim::symbol("N"), Dim::Known(3)]), None);
    let all = add_with_regions(&mut graph, Loop {}, &[Some(trips), None, Some(x)], 1, &[body], &["all"])[0];
    graph.add_output(all);
    entry(&mut model, graph);
    let x: Value = Tensor::from_slice([1, 3].as_slice(), &[1.0_f32, -2.0, 3.0]).unwrap().into();
    let none = run(&model, &[("trips", int(0)), ("x", x.clone())]);
    assert_eq!(none["all"].as_tensor().unwrap().shape(), [0, 0, 3]);
    let two = run(&model, &[("trips", int(2)), ("x", x)]);
    assert_eq!(two["all"].as_tensor().unwrap().to_f64().unwrap(), [1.0, 0.0, 3.0, 1.0, 0.0, 3.0]);
}

#[test]
fn a_loop_carries_a_sequence() {
    let mut model = Model::new();
    let mut body = Graph::new("body");
    body.add_input("i", scalar(DType::I64), None);
    let going = body.add_input("going", scalar(DType::Bool), None);
    let items = body.add_input("items", ValueType::Unknown, None);
    let x = body.add_input("x", vector(), None);
    let longer = add(&mut body, SequenceInsert {}, &[Some(items), Some(x)], &["longer"]);
    body.add_output(going);
    body.add_output(longer);
    let body = model.add_graph(body);
    let mut graph = Graph::new("g");
    let trips = graph.add_input("trips", scalar(DType::I64), None);
    let x = graph.add_input("x", vector(), None);
    let none = add(&mut graph, SequenceEmpty { dtype: None }, &[], &["none"]);
    let operands = [Some(trips), None, Some(none), Some(x)];
    let items = add_with_regions(&mut graph, Loop {}, &operands, 1, &[body], &["items"])[0];
    graph.add_output(items);
    entry(&mut model, graph);
    let x = row(&[1.0]);
    assert_eq!(run(&model, &[("trips", int(2)), ("x", x.clone())])["items"], Value::Sequence(vec![x.clone(), x]));
}

/// Running sums of the columns of `x` (axis 1), captured `w` added to the scan output.
fn scan(directions: (i64, i64), output_axis: i64) -> Model {
    let mut model = Model::new();
    let mut body = Graph::new("body");
    let state = body.add_input("state", vector(), None);
    let slice = body.add_input("slice", vector(), None);
    let w = body.add_input("w", vector(), None);
    let next = add(&mut body, Add {}, &[Some(state), Some(slice)], &["next"]);
    let shown = add(&mut body, Add {}, &[Some(next), Some(w)], &["shown"]);
    body.set_type(shown, vector());
    body.add_output(next);
    body.add_output(shown);
    let body = model.add_graph(body);
    let mut graph = Graph::new("g");
    let start = graph.add_input("start", vector(), None);
    let x = graph.add_input("x", float(&[Dim::symbol("N"), Dim::symbol("T")]), None);
    let w = graph.add_input("w", vector(), None);
    let op = Scan {
        num_scan_inputs: 1,
        scan_input_axes: vec![-1],
        scan_input_directions: vec![directions.0],
        scan_output_axes: vec![output_axis],
        scan_output_directions: vec![directions.1],
    };
    let results = add_with_regions(&mut graph, op, &[Some(start), Some(x), Some(w)], 1, &[body], &["last", "all"]);
    results.into_iter().for_each(|value| graph.add_output(value));
    entry(&mut model, graph);
    model
}

#[test]
fn scans_have_axes_and_directions() {
    let matrix = |shape: &[u64], x: &[f32]| Value::from(Tensor::from_slice(shape, x).unwrap());
    let x = matrix(&[2, 3], &[1.0, 2.0, 3.0, 10.0, 20.0, 30.0]);
    let inputs = [("start", row(&[0.0, 0.0])), ("x", x), ("w", row(&[0.5, 0.0]))];
    let forward = run(&scan((0, 0), 0), &inputs);
    assert_eq!(forward["last"], row(&[6.0, 60.0]));
    assert_eq!(forward["all"], matrix(&[3, 2], &[1.5, 10.0, 3.5, 30.0, 6.5, 60.0]));
    let backward = run(&scan((1, 1), -1), &inputs);
    assert_eq!(backward["last"], row(&[6.0, 60.0]));
    assert_eq!(backward["all"], matrix(&[2, 3], &[6.5, 5.5, 3.5, 60.0, 50.0, 30.0]));
    let empty = [("start", row(&[7.0])), ("x", matrix(&[1, 0], &[])), ("w", row(&[0.0]))];
    let none = run(&scan((0, 0), -1), &empty);
    assert_eq!(none["last"], row(&[7.0]));
    assert_eq!(none["all"].as_tensor().unwrap().shape(), [0, 0]);
}

#[test]
fn calls_run_their_body_on_the_operands_that_are_present() {
    let mut model = Model::new();
    let mut body = Graph::new("f");
    let a = body.add_input("a", vector(), None);
    let c = body.add_input("c", vector(), None);
    let joined = add(&mut body, Concat { axis: 0 }, &[Some(a), Some(c)], &["joined"]);
    body.add_output(joined);
    let body = model.add_graph(body);
    let mut graph = Graph::new("g");
    let x = graph.add_input("x", vector(), None);
    let function = FunctionKey { domain: "d".into(), name: "F".into(), overload: "".into() };
    let call = Op::Call(Box::new(Call { function, attributes: Vec::new() }));
    let y = add_with_regions(&mut graph, call, &[Some(x), None, Some(x)], 0, &[body], &["y"])[0];
    graph.add_output(y);
    entry(&mut model, graph);
    assert_eq!(run(&model, &[("x", row(&[1.0]))])["y"], row(&[1.0, 1.0]));
}

#[test]
fn obstacles_are_listed_at_once() {
    let mut model = small();
    let main = model.main().unwrap();
    let graph = model.graph_mut(main);
    let x = graph.inputs()[0];
    let custom = CustomOp { domain: "acme".into(), name: "Twirl".into(), overload: "".into(), attributes: Vec::new() };
    add(graph, Op::Custom(Box::new(custom)), &[Some(x)], &["u"]);
    let random = RandomNormal { dtype: DType::F32, mean: 0.0.into(), scale: 1.0.into(), seed: None, shape: vec![1] };
    add(graph, random, &[], &["r"]);
    let engine = ReferenceEngine::default();
    let labels: Vec<String> = engine.check(&model).into_iter().map(|obstacle| obstacle.label).collect();
    assert_eq!(labels, ["Twirl 'u'", "RandomNormal 'r'"]);
    let Err(EngineError::Unsupported { obstacles, .. }) = engine.prepare(&model, &Request::default()) else { panic!() };
    assert_eq!(obstacles.len(), 2);
}

#[test]
fn optional_inputs_may_be_empty() {
    let mut model = Model::new();
    let mut graph = Graph::new("g");
    let x = graph.add_input("x", ValueType::Optional(Box::new(vector())), None);
    let has = add(&mut graph, OptionalHasElement {}, &[Some(x)], &["has"]);
    graph.add_output(has);
    entry(&mut model, graph);
    assert_eq!(run(&model, &[("x", Value::Optional(None))])["has"], truth(false));
    assert_eq!(run(&model, &[("x", row(&[1.0]))])["has"], truth(true));
    let wrong = fails(ReferenceEngine::default(), &model, &[("x", int(1))]);
    assert!(matches!(wrong, EngineError::Input { .. }));
}

#[test]
fn values_are_dropped_after_their_last_use() {
    // A long chain of vectors of 4 kB; all of them together would be 4 MB.
    let mut model = Model::new();
    let mut graph = Graph::new("g");
    let mut x = graph.add_input("x", vector(), None);
    for k in 0..1000 {
        x = add(&mut graph, Relu {}, &[Some(x)], &[&format!("v{k}")]);
    }
    graph.add_output(x);
    entry(&mut model, graph);
    let engine = ReferenceEngine { memory_limit: 3 * 4096, ..ReferenceEngine::default() };
    assert!(engine.run_once(&model, &Request::default(), &values(&[("x", row(&[1.0; 1024]))])).is_ok());
    let tight = ReferenceEngine { memory_limit: 4096, ..engine };
    assert!(matches!(fails(tight, &model, &[("x", row(&[1.0; 1024]))]), EngineError::Run { .. }));
}
