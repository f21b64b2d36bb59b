//! Small models built by hand, and a way to run them.
#![allow(dead_code, reason = "each test uses its own part")]

use edgesmith_backend_tract::TractEngine;
use edgesmith_exec::{Effort, Engine, EngineError, Request, Value, Values};
use edgesmith_ir::{
    DType, Dim, Graph, GraphId, Model, Name, NewOp, Op, OpId, Origin, OriginId, Shape, Tensor, ValueId, ValueType,
};

/// A model that grows operator by operator.
pub struct Build {
    pub model: Model,
    pub graph: GraphId,
    origin: OriginId,
    count: usize,
}

impl Build {
    pub fn new() -> Self {
        let mut model = Model::new();
        let graph = model.add_graph(Graph::new("main"));
        model.entries.insert(Name::from("main"), graph);
        model.opsets.insert(Name::default(), 24);
        let origin = model.add_origin(Origin::Source { node: Name::default(), operator: Name::default(), scope: None });
        Self { model, graph, origin, count: 0 }
    }
    pub fn input(&mut self, name: &str, dtype: DType, dims: &[Dim]) -> ValueId {
        let ty = ValueType::tensor(dtype, Shape::of(dims.iter().cloned()));
        self.model.graph_mut(self.graph).add_input(name, ty, None)
    }
    pub fn constant(&mut self, tensor: Tensor) -> ValueId {
        self.count += 1;
        let name = format!("c{}", self.count);
        self.model.add_constant(self.graph, name, tensor)
    }
    pub fn op(&mut self, op: impl Into<Op>, operands: &[Option<ValueId>], results: usize) -> Vec<ValueId> {
        self.count += 1;
        let count = self.count;
        let id: OpId = self.model.graph_mut(self.graph).add_op(NewOp {
            op: op.into(),
            operands: operands.iter().copied().collect(),
            captures: 0,
            regions: [].into_iter().collect(),
            results: (0..results).map(|slot| Some(Name::from(format!("v{count}_{slot}")))).collect(),
            name: Name::from(format!("node{count}")),
            origin: self.origin,
        });
        self.model.infer_op(self.graph, id).unwrap();
        self.model.graph(self.graph).op(id).results().iter().map(|value| value.unwrap()).collect()
    }
    pub fn one(&mut self, op: impl Into<Op>, operands: &[ValueId]) -> ValueId {
        let operands: Vec<_> = operands.iter().copied().map(Some).collect();
        self.op(op, &operands, 1)[0]
    }
    pub fn output(&mut self, value: ValueId) {
        self.model.graph_mut(self.graph).add_output(value);
    }
    pub fn name(&self, value: ValueId) -> Name {
        self.model.graph(self.graph).value(value).name().clone()
    }
}

/// Runs a model once, raw and optimised; both must agree.
pub fn run(model: &Model, inputs: &Values) -> Result<Vec<Tensor>, EngineError> {
    let once = run_with(model, inputs, Effort::Once)?;
    let many = run_with(model, inputs, Effort::Many)?;
    for (a, b) in once.iter().zip(&many) {
        close(a, b, 1e-5);
    }
    Ok(many)
}

pub fn run_with(model: &Model, inputs: &Values, effort: Effort) -> Result<Vec<Tensor>, EngineError> {
    let request = Request { effort, ..Request::default() };
    let mut session = TractEngine::default().prepare(model, &request)?.session()?;
    let values = session.run(inputs)?;
    Ok(values.values().map(|value| value.as_tensor().unwrap().clone()).collect())
}

pub fn values(named: &[(&str, Tensor)]) -> Values {
    named.iter().map(|(name, tensor)| (Name::from(*name), Value::Tensor(tensor.clone()))).collect()
}

pub fn floats(shape: &[u64], data: &[f32]) -> Tensor {
    Tensor::from_slice(shape, data).unwrap()
}

#[track_caller]
pub fn close(got: &Tensor, want: &Tensor, tolerance: f64) {
    assert_eq!((got.dtype(), got.shape()), (want.dtype(), want.shape()));
    for (index, (x, y)) in got.to_f64().unwrap().into_iter().zip(want.to_f64().unwrap()).enumerate() {
        let same = x == y || (x.is_nan() && y.is_nan()) || (x - y).abs() <= tolerance * (1.0 + y.abs());
        assert!(same, "element {index}: {x} where {y} is wanted");
    }
}
