//! Each numbered invariant of the verifier has a test that breaks it.

use smallvec::smallvec;

use crate::graph::NewOp;
use crate::graph::tests::{
    add_false_use, any_tensor, anything, empty_model, forget_uses, list_input_again, misplace, new_op, set_def,
    set_raw_operand, set_raw_result, unlist_inputs,
};
use crate::id::EntityId;
use crate::op::{self, FunctionKey};
use crate::{Def, Function, Graph, GraphId, Model, OpId, OriginId, Tensor, TensorId, ValueId, ValueType};

/// A model with `x → a → b`, and `c` constant.
struct Chain {
    model: Model,
    main: GraphId,
    origin: OriginId,
    x: ValueId,
    c: ValueId,
    ops: [OpId; 2],
    values: [ValueId; 2],
}

fn chain() -> Chain {
    let (mut model, main, origin) = empty_model();
    let c = model.add_constant(main, "c", Tensor::from_ints(&[1, 2]));
    let graph = model.graph_mut(main);
    let x = graph.add_input("x", any_tensor(), None);
    let first = graph.add_op(anything(&[Some(x), Some(c)], &["a"], origin));
    let a = graph.op(first).result(0).unwrap();
    let second = graph.add_op(anything(&[Some(a)], &["b"], origin));
    let b = graph.op(second).result(0).unwrap();
    graph.add_output(b);
    assert_eq!(model.verify(), Ok(()));
    Chain { model, main, origin, x, c, ops: [first, second], values: [a, b] }
}

impl Chain {
    fn graph(&mut self) -> &mut Graph {
        self.model.graph_mut(self.main)
    }
    /// An If with two empty branches.
    fn add_branches(&mut self, regions: [GraphId; 2]) -> OpId {
        let x = self.x;
        let branches = NewOp { regions: regions.into(), ..new_op(op::If {}.into(), &[Some(x)], &["i"], self.origin) };
        self.graph().add_op(branches)
    }
    fn new_graph(&mut self) -> GraphId {
        self.model.add_graph(Graph::new("region"))
    }
    /// The broken invariants with their messages.
    #[track_caller]
    fn broken(&self, expected: &[(u8, &str)]) {
        let errors = self.model.verify().unwrap_err();
        let found: Vec<(u8, &str)> = errors.iter().map(|error| (error.invariant, error.message.as_str())).collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn one_values_exist() {
    let mut chain = chain();
    let c = chain.c;
    chain.graph().erase_constant(c);
    chain.broken(&[(1, "op0 refers to %0, which does not exist")]);

    let mut chain = self::chain();
    let (op, far) = (chain.ops[1], ValueId::from_index(99));
    set_raw_operand(chain.graph(), op, 0, far);
    chain.broken(&[(1, "op1 refers to %99, which does not exist")]);

    let mut chain = self::chain();
    let op = chain.ops[1];
    chain.graph().erase_op(op);
    chain.broken(&[(1, "output %3 does not exist")]);
}

#[test]
fn two_definitions_agree() {
    let mut chain = chain();
    let x = chain.x;
    list_input_again(chain.graph(), x);
    chain.broken(&[(2, "input %1 is listed twice")]);

    let mut chain = self::chain();
    unlist_inputs(chain.graph());
    chain.broken(&[(2, "'x' is defined as an input but is not listed")]);

    let mut chain = self::chain();
    let (x, op) = (chain.x, chain.ops[0]);
    set_def(chain.graph(), x, Def::Result { op, slot: 0 });
    chain.broken(&[(2, "input %1 is not defined as an input"), (2, "'x' is no result of op0")]);

    let mut chain = self::chain();
    let (op, a) = (chain.ops[1], chain.values[0]);
    set_raw_result(chain.graph(), op, 0, a);
    chain.broken(&[(2, "'b' is no result of op1"), (2, "result 0 of op1 is defined elsewhere")]);

    let mut chain = self::chain();
    let b = chain.values[1];
    set_def(chain.graph(), b, Def::Result { op: OpId::from_index(50), slot: 0 });
    chain.broken(&[(2, "'b' is no result of op50"), (2, "result 0 of op1 is defined elsewhere")]);
}

#[test]
fn three_use_lists_hold_the_readings() {
    let mut chain = chain();
    let a = chain.values[0];
    forget_uses(chain.graph(), a);
    chain.broken(&[
        (3, "Use { user: Op(op1), slot: 0 } does not stand in the use list of 'a'"),
        (3, "use lists hold 3 readings, the graph has 4"),
        // The order of operators is read from the use lists.
        (4, "the operators b wait for each other"),
    ]);

    let mut chain = self::chain();
    let (a, op) = (chain.values[0], chain.ops[0]);
    add_false_use(chain.graph(), a, op);
    chain.broken(&[(3, "use lists hold 5 readings, the graph has 4")]);

    let mut chain = self::chain();
    let op = chain.ops[0];
    misplace(chain.graph(), op, 1);
    chain.broken(&[(3, "Use { user: Op(op0), slot: 1 } does not stand in the use list of 'c'")]);
}

#[test]
fn four_there_is_no_cycle() {
    let mut chain = chain();
    let (op, b) = (chain.ops[0], chain.values[1]);
    chain.graph().set_operand(op, 0, Some(b));
    chain.broken(&[(4, "the operators a, b wait for each other")]);
}

#[test]
fn five_names_are_unique() {
    let mut chain = chain();
    let [a, b] = chain.values;
    chain.graph().set_value_name(a, "x");
    chain.graph().set_value_name(b, "");
    chain.broken(&[(5, "two values are called 'x'"), (5, "%3 has no name")]);
}

#[test]
fn six_signatures_hold() {
    let mut chain = chain();
    let (x, origin) = (chain.x, chain.origin);
    chain.graph().add_op(new_op(op::Add {}.into(), &[Some(x), None], &["p"], origin));
    chain.graph().add_op(new_op(op::Relu {}.into(), &[Some(x), Some(x)], &["q", "r"], origin));
    chain.graph().add_op(new_op(op::If {}.into(), &[Some(x)], &["s"], origin));
    chain.graph().add_op(new_op(op::Concat { axis: 0 }.into(), &[Some(x); 9], &["t"], origin));
    chain.broken(&[
        (6, "Add lacks its operand 'b'"),
        (6, "Relu has 2 operands, at most 1 are allowed"),
        (6, "Relu has 2 results, at most 1 are allowed"),
        (6, "If has 0 regions, not 2"),
    ]);
}

#[test]
fn seven_regions_belong_to_one_operator() {
    let mut chain = chain();
    let region = chain.new_graph();
    chain.add_branches([region, region]);
    chain.broken(&[(7, "g1 belongs to two operators")]);

    let mut chain = self::chain();
    let (main, region) = (chain.main, chain.new_graph());
    chain.add_branches([main, region]);
    chain.broken(&[(7, "g0 contains itself")]);

    let mut chain = self::chain();
    let region = chain.new_graph();
    chain.add_branches([region, GraphId::from_index(40)]);
    chain.broken(&[(7, "g40 does not exist")]);

    let mut chain = self::chain();
    let regions = [chain.new_graph(), chain.new_graph()];
    let (op, c) = (chain.add_branches(regions), chain.c);
    chain.graph().push_capture(op, c);
    chain.model.graph_mut(regions[0]).add_input("inner", any_tensor(), None);
    chain.broken(&[(7, "g2 has 0 inputs for 1 captures")]);

    chain.model.graph_mut(regions[1]).add_input("inner", any_tensor(), None);
    assert_eq!(chain.model.verify(), Ok(()));
    let slot = chain.graph().op(op).operands().len() - 1;
    chain.graph().set_operand(op, slot, None);
    chain.broken(&[(7, "a capture of op2 is absent")]);
}

#[test]
fn seven_regions_in_a_circle_are_found() {
    // A region that holds, two levels down, an operator that owns the region again.
    let mut chain = chain();
    let origin = chain.origin;
    let [outer, inner, side] = [chain.new_graph(), chain.new_graph(), chain.new_graph()];
    let other = chain.new_graph();
    chain.add_branches([outer, side]);
    for (graph, regions) in [(outer, [inner, other]), (inner, [outer, other])] {
        let graph = chain.model.graph_mut(graph);
        let x = graph.add_input("x", any_tensor(), None);
        let branches = NewOp {
            regions: smallvec![regions[0], regions[1]],
            ..new_op(op::If {}.into(), &[Some(x)], &["y"], origin)
        };
        graph.add_op(branches);
    }
    chain.broken(&[(7, "g1 belongs to two operators"), (7, "g4 belongs to two operators")]);
}

#[test]
fn eight_tensors_exist_and_constants_have_their_type() {
    let mut chain = chain();
    let c = chain.c;
    chain.graph().set_type(c, any_tensor());
    chain.broken(&[(8, "constant 'c' is typed float[2,3] but holds int64[2]")]);

    let mut chain = self::chain();
    chain.graph().add_constant("far", ValueType::Unknown, TensorId::from_index(9));
    chain.graph().add_input("default", any_tensor(), Some(TensorId::from_index(8)));
    chain.broken(&[(8, "the tensor of 'far' does not exist"), (8, "the tensor of 'default' does not exist")]);
}

#[test]
fn nine_entries_and_functions_name_graphs() {
    let mut chain = chain();
    chain.model.entries.insert("far".into(), GraphId::from_index(12));
    let key = |name: &str| FunctionKey { domain: "d".into(), name: name.into(), overload: "".into() };
    let far = Function { body: Some(GraphId::from_index(11)), ..Function::default() };
    chain.model.functions.insert(key("first"), far);
    chain.model.functions.insert(key("second"), Function::default());
    chain.broken(&[
        (9, "entry 'far' names a graph that does not exist"),
        (9, "function 'first' has no body"),
        (9, "function 'second' has no body"),
    ]);

    let mut chain = self::chain();
    let regions = [chain.new_graph(), chain.new_graph()];
    chain.add_branches(regions);
    chain.model.entries.insert("also".into(), regions[1]);
    chain.broken(&[(9, "entry 'also' is also a region")]);
}

#[test]
fn bodies_of_functions_are_looked_into() {
    let mut chain = chain();
    let (region, body) = (chain.new_graph(), chain.new_graph());
    let origin = chain.origin;
    let graph = chain.model.graph_mut(body);
    let x = graph.add_input("x", any_tensor(), None);
    let op = graph.add_op(NewOp { regions: smallvec![region], ..anything(&[Some(x)], &["y"], origin) });
    let key = FunctionKey { domain: "d".into(), name: "F".into(), overload: "".into() };
    chain.model.functions.insert(key, Function { body: Some(body), ..Function::default() });
    assert_eq!(chain.model.verify(), Ok(()));
    chain.model.graph_mut(region).add_input("", any_tensor(), None);
    let y = chain.model.graph(body).op(op).result(0).unwrap();
    chain.model.graph_mut(body).set_value_name(y, "x");
    chain.broken(&[(5, "two values are called 'x'"), (5, "%0 has no name")]);
}

#[test]
fn so_many_errors_are_enough() {
    let mut chain = chain();
    for _ in 0..100 {
        chain.graph().add_input("", any_tensor(), None);
    }
    assert_eq!(chain.model.verify().unwrap_err().len(), super::LIMIT);
}
