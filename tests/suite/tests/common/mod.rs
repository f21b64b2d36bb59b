//! What these tests share: the trained models, the shipped pipeline, writing to memory, building graphs by hand.

#![allow(dead_code, clippy::unwrap_used, clippy::panic, reason = "every test file uses a part of it")]

use std::path::PathBuf;

use bytes::Bytes;
use edgesmith_backend::{Backend, LowerCx};
use edgesmith_backend_onnx::OnnxBackend;
use edgesmith_exec::{Engine, ReferenceEngine, Request, Value, Values};
use edgesmith_frontend::NoExternalData;
use edgesmith_frontend_onnx::ImportOptions;
use edgesmith_ir::{Graph, GraphId, Model, Name, NewOp, Op, OpKind, Origin, OriginId, Tensor, ValueId};
use edgesmith_pass::{CheckMode, EndToEnd, Measuring, Pipeline, Registry, RunOptions, RunReport, run_pipeline};

/// The trained models of the repository.
pub const MODELS: [&str; 6] = [
    "digits_mobilenet__dynamo_op20",
    "digits_mobilenet__legacy_op17",
    "digits_resnet__dynamo_op20",
    "digits_resnet__legacy_op17",
    "digits_vit__dynamo_op20",
    "digits_vit__legacy_op17",
];

fn path(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../models").join(file)
}

/// One of [`MODELS`].
pub fn model(name: &str) -> Model {
    import(std::fs::read(path(&format!("{name}.onnx"))).unwrap())
}

/// Labelled images: `[450, 1, 16, 16]` and the class of each.
pub fn digits() -> (Tensor, Vec<i64>) {
    let bytes = Bytes::from(std::fs::read(path("digits_test.npz")).unwrap());
    let arrays = edgesmith_exec::npz::decode(&bytes, 1 << 24).unwrap();
    (arrays["images"].clone(), arrays["labels"].to_ints().unwrap())
}

/// The first images.
pub fn first(images: &Tensor, count: usize) -> Tensor {
    let of_one = images.shape()[1..].iter().product::<u64>() as usize;
    let elements = images.view::<f32>().unwrap();
    let mut shape = images.shape().to_vec();
    shape[0] = count as u64;
    Tensor::from_slice(shape.as_slice(), &elements[..count * of_one]).unwrap()
}

/// Reads a model.
#[track_caller]
pub fn import(bytes: impl Into<Bytes>) -> Model {
    let read = edgesmith_frontend_onnx::import(bytes.into(), &NoExternalData, &ImportOptions::default());
    read.unwrap_or_else(|error| panic!("{error}")).model
}

/// The bytes of the file that the backend writes.
#[track_caller]
pub fn export(model: &Model) -> Vec<u8> {
    let artefact = OnnxBackend::default().lower(model, &LowerCx { stem: "model" });
    let artefact = artefact.unwrap_or_else(|error| panic!("{error}"));
    let mut files = artefact.to_memory("model.onnx").unwrap();
    assert_eq!(files.len(), 1, "one file");
    files.remove(0).1
}

/// The preset that ships with the command line.
pub fn lossless() -> Pipeline {
    let mut registry = Registry::new();
    edgesmith_pass_canonicalization::register(&mut registry);
    edgesmith_pass_fusion::register(&mut registry);
    Pipeline::parse(include_str!("../../../../cli/presets/lossless.toml"), &registry).unwrap()
}

/// Runs a pipeline; with `Full`, the reference evaluator compares the whole models on `inputs`.
#[track_caller]
pub fn run(model: &mut Model, pipeline: &Pipeline, check: CheckMode, inputs: &[Values]) -> RunReport {
    let options = RunOptions {
        check,
        fuel: None,
        keep_going: false,
        engine: None,
        measuring: Measuring::default(),
        clock: &|| 0.0,
        progress: &|_, _, _| {},
    };
    let report = run_pipeline(model, pipeline, &options, &|_| Some(end_to_end(inputs)));
    report.unwrap_or_else(|failure| panic!("{failure}"))
}

/// The end-to-end check by the reference evaluator.
pub fn end_to_end(inputs: &[Values]) -> EndToEnd<'static> {
    static REFERENCE: std::sync::LazyLock<ReferenceEngine> = std::sync::LazyLock::new(ReferenceEngine::default);
    EndToEnd {
        reference: &*REFERENCE,
        fast: None,
        inputs: vec![inputs.to_vec()],
        budget_seconds: 0.0,
        regardless: true,
    }
}

/// Runs a model on its only input; its outputs.
#[track_caller]
pub fn outputs(engine: &dyn Engine, model: &Model, input: &Tensor) -> Values {
    let graph = model.main_graph().unwrap();
    let name = graph.value(graph.inputs()[0]).name().clone();
    let values: Values = [(name, Value::from(input.clone()))].into_iter().collect();
    let prepared = engine.prepare(model, &Request::default()).unwrap_or_else(|error| panic!("{error}"));
    prepared.session().unwrap().run(&values).unwrap_or_else(|error| panic!("{error}"))
}

/// The class with the largest of ten logits, for every image.
#[track_caller]
pub fn predictions(engine: &dyn Engine, model: &Model, images: &Tensor) -> Vec<i64> {
    let outputs = outputs(engine, model, images);
    let logits = outputs[0].as_tensor().unwrap().to_f64().unwrap();
    let best = |row: &[f64]| (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap() as i64;
    logits.chunks(10).map(best).collect()
}

/// The kinds of all operators of a model, regions included.
pub fn kinds(model: &Model) -> Vec<OpKind> {
    let graphs = model.live_graphs();
    graphs.iter().flat_map(|graph| model.graph(*graph).ops().map(|(_, data)| data.op().kind())).collect()
}

/// Names of the inputs, then of the outputs of the main graph.
pub fn interface(model: &Model) -> (Vec<Name>, Vec<Name>) {
    let graph = model.main_graph().unwrap();
    let names = |ids: &[ValueId]| ids.iter().map(|id| graph.value(*id).name().clone()).collect();
    (names(graph.inputs()), names(graph.outputs()))
}

/// What an operator reads: a value by its name, or a constant by its elements.
#[derive(Clone, Debug, PartialEq)]
pub enum Reads {
    /// Absent.
    Nothing,
    /// A run-time value.
    Value(Name),
    /// A constant.
    Constant(Tensor),
}

/// The operators of a graph in order, with what they read and write: what two models have in common that compute the
/// same in the same way.
pub fn structure(model: &Model, graph: GraphId) -> Vec<(Op, Vec<Reads>, Vec<Option<Name>>)> {
    let g = model.graph(graph);
    let reads = |value: &Option<ValueId>| match value {
        None => Reads::Nothing,
        Some(value) => match model.constant_of(graph, *value) {
            Some(tensor) => Reads::Constant(tensor.clone()),
            None => Reads::Value(g.value(*value).name().clone()),
        },
    };
    let mut all = Vec::new();
    for op in g.topological().unwrap() {
        let data = g.op(op);
        let results = data.results().iter().map(|value| value.map(|value| g.value(value).name().clone())).collect();
        all.push((data.op().clone(), data.operands().iter().map(reads).collect(), results));
        for region in data.regions() {
            all.extend(structure(model, *region));
        }
    }
    all
}

/// A model under construction: one graph.
pub struct Builder {
    /// The model; [`Builder::finish`] completes it.
    pub model: Model,
    /// The main graph.
    pub graph: GraphId,
    origin: OriginId,
    count: usize,
}

impl Builder {
    /// An empty main graph.
    pub fn new() -> Self {
        let mut model = Model::new();
        model.opsets.insert(Name::default(), 17);
        let origin = model.add_origin(Origin::Source { node: "n".into(), operator: "n".into(), scope: None });
        let graph = model.add_graph(Graph::new("main"));
        model.entries.insert("main".into(), graph);
        Self { model, graph, origin, count: 0 }
    }
    /// An input.
    pub fn input(&mut self, name: &str, ty: edgesmith_ir::ValueType) -> ValueId {
        self.model.graph_mut(self.graph).add_input(name, ty, None)
    }
    /// A constant.
    pub fn constant(&mut self, shape: &[u64], elements: &[f32]) -> ValueId {
        self.count += 1;
        let tensor = Tensor::from_slice(shape, elements).unwrap();
        self.model.add_constant(self.graph, format!("c{}", self.count), tensor)
    }
    /// An operator with one result.
    pub fn op(&mut self, op: impl Into<Op>, operands: &[ValueId]) -> ValueId {
        self.op_in(self.graph, op, operands, 0, &[])
    }
    /// An operator with one result in any graph; the last operands are captured by its regions.
    pub fn op_in(
        &mut self,
        graph: GraphId,
        op: impl Into<Op>,
        operands: &[ValueId],
        captures: usize,
        regions: &[GraphId],
    ) -> ValueId {
        self.count += 1;
        let id = self.model.graph_mut(graph).add_op(NewOp {
            op: op.into(),
            operands: operands.iter().copied().map(Some).collect(),
            captures,
            regions: regions.into(),
            results: smallvec::smallvec![Some(format!("v{}", self.count).into())],
            name: format!("n{}", self.count).into(),
            origin: self.origin,
        });
        self.model.graph(graph).op(id).result(0).unwrap()
    }
    /// The model with these outputs, types inferred, verified.
    #[track_caller]
    pub fn finish(mut self, outputs: &[ValueId]) -> Model {
        for output in outputs {
            self.model.graph_mut(self.graph).add_output(*output);
        }
        let report = self.model.infer();
        assert!(report.errors.is_empty(), "{:?}", report.errors);
        self.model.verify().unwrap_or_else(|errors| panic!("{}", errors[0]));
        self.model
    }
}
