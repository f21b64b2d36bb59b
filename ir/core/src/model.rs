//! A model: graphs, functions, tensors, symbols, origins, and what the file says about itself.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::id::{Arena, EntityId};
use crate::op::FunctionKey;
use crate::{Attribute, Graph, GraphId, Name, Origin, OriginId, Shape, Tensor, TensorId, ValueId, ValueType};

/// A model. Cloning one shares every tensor, and every graph until it is written to, so a snapshot costs little.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// The graphs that callers run, by name; the first is the main one.
    pub entries: IndexMap<Name, GraphId>,
    graphs: Arena<GraphId, Arc<Graph>>,
    /// The model's own functions. The bodies of those that a file had are not typed: every operator is
    /// [`Custom`](crate::op::CustomOp) as the file has it; a [`Call`](crate::op::Call) carries a typed body of its own.
    pub functions: IndexMap<FunctionKey, Function>,
    tensors: Arena<TensorId, TensorEntry>,
    /// What is assumed of the symbols of dims.
    pub symbols: Symbols,
    origins: Arena<OriginId, Origin>,
    /// The version of each operator set; ai.onnx is the empty name.
    pub opsets: IndexMap<Name, i64>,
    /// What the file says about itself.
    pub metadata: Metadata,
}

/// A tensor of the model with what the file says of it.
#[derive(Clone, Debug)]
pub struct TensorEntry {
    /// The data.
    pub tensor: Tensor,
    /// What the source used it for.
    pub role: TensorRole,
    /// Documentation.
    pub doc: Name,
    /// Key-value notes.
    pub metadata: Vec<(Name, Name)>,
}

/// What the source used a tensor for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum TensorRole {
    /// Not said.
    #[default]
    Unspecified,
    /// A trained parameter.
    Parameter,
    /// State that is not trained, such as running statistics.
    Buffer,
    /// A literal of the program, written as a `Constant` node in ONNX.
    Literal,
}

/// A function of the model: as the file has it, or the decomposition of an outside operator.
#[derive(Clone, Debug, Default)]
pub struct Function {
    /// The body. Its inputs and outputs are those of the function; see [`Model::functions`].
    pub body: Option<GraphId>,
    /// Attributes without a default.
    pub attributes: Vec<Name>,
    /// Attributes with a default.
    pub defaults: Vec<(Name, Attribute)>,
    /// The operator sets that the body is written in; a typed body is written in those of the model.
    pub opsets: IndexMap<Name, i64>,
    /// Documentation.
    pub doc: Name,
    /// Key-value notes.
    pub metadata: Vec<(Name, Name)>,
    /// Whether the body holds typed operators: a decomposition, lowered to whatever opset the file gets.
    pub typed: bool,
    /// Whether rules leave the bodies of calls alone, so that the calls stay what they are; see
    /// [`Model::open_graphs`] and [`composite`](crate::composite).
    pub sealed: bool,
}

/// What the file says about itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Metadata {
    /// The IR version of the source file; 0 when it did not come from ONNX.
    pub ir_version: i64,
    /// Who wrote the file.
    pub producer_name: Name,
    /// The writer's version.
    pub producer_version: Name,
    /// The model's domain.
    pub domain: Name,
    /// The model's version.
    pub model_version: i64,
    /// Documentation.
    pub doc: Name,
    /// Key-value notes.
    pub properties: Vec<(Name, Name)>,
    /// Whether the source kept weights in files of their own.
    pub external_data: bool,
    /// Encoded fields that only the format's own frontend and backend understand (training information, device
    /// configurations).
    pub opaque: bytes::Bytes,
}

/// What is assumed of symbols.
#[derive(Clone, Debug, Default)]
pub struct Symbols {
    rows: IndexMap<Name, SymbolFacts>,
    /// Pairs of dims that some operator needs to be equal.
    pub equal: Vec<(crate::Dim, crate::Dim)>,
}

/// What is assumed of one symbol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SymbolFacts {
    /// The least value.
    pub min: i64,
    /// The greatest value, if there is one.
    pub max: Option<i64>,
    /// A number that divides every value.
    pub divisor: i64,
}

impl Default for SymbolFacts {
    fn default() -> Self {
        Self { min: 0, max: None, divisor: 1 }
    }
}

impl Symbols {
    /// The facts of a symbol; the weakest ones when nothing was said.
    pub fn facts(&self, symbol: &str) -> SymbolFacts {
        self.rows.get(symbol).copied().unwrap_or_default()
    }
    /// Sets the facts of a symbol.
    pub fn assume(&mut self, symbol: impl Into<Name>, facts: SymbolFacts) {
        self.rows.insert(symbol.into(), facts);
    }
    /// All symbols about which something is assumed.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, &SymbolFacts)> {
        self.rows.iter()
    }
    /// Drops what is assumed of a symbol.
    pub fn forget(&mut self, symbol: &str) {
        self.rows.shift_remove(symbol);
    }
}

impl Model {
    /// A model without graphs.
    pub fn new() -> Self {
        Self::default()
    }
    /// The main graph's id. A model that a frontend made has one.
    pub fn main(&self) -> Option<GraphId> {
        self.entries.values().next().copied()
    }
    /// The main graph.
    pub fn main_graph(&self) -> Option<&Graph> {
        self.main().map(|id| &*self.graphs[id])
    }
    /// A graph. Panics on an id of another model, as indexing does.
    pub fn graph(&self, id: GraphId) -> &Graph {
        &self.graphs[id]
    }
    /// A graph, writable.
    pub fn graph_mut(&mut self, id: GraphId) -> &mut Graph {
        Arc::make_mut(&mut self.graphs[id])
    }
    /// Adds a graph that is not yet reachable.
    pub fn add_graph(&mut self, graph: Graph) -> GraphId {
        self.graphs.push(Arc::new(graph))
    }
    /// All graphs: entries, regions, function bodies.
    pub fn graphs(&self) -> impl Iterator<Item = (GraphId, &Graph)> {
        self.graphs.iter().map(|(id, graph)| (id, &**graph))
    }
    /// The graphs that run, each before its regions: entries and everything below them, function bodies excluded.
    pub fn live_graphs(&self) -> Vec<GraphId> {
        self.graphs_below(&|_| true)
    }
    /// The graphs that rules may change: those that run, but for the bodies of calls whose function is
    /// [sealed](Function::sealed).
    pub fn open_graphs(&self) -> Vec<GraphId> {
        self.graphs_below(&|op| match op {
            crate::Op::Call(call) => self.functions.get(&call.function).is_none_or(|function| !function.sealed),
            _ => true,
        })
    }
    fn graphs_below(&self, enter: &dyn Fn(&crate::Op) -> bool) -> Vec<GraphId> {
        let mut order: Vec<GraphId> = Vec::new();
        let mut stack: Vec<GraphId> = self.entries.values().rev().copied().collect();
        let mut seen = vec![false; self.graphs.len()];
        while let Some(id) = stack.pop() {
            if std::mem::replace(&mut seen[id.index()], true) {
                continue;
            }
            order.push(id);
            let owners = self.graphs[id].ops().filter(|(_, data)| !data.regions().is_empty() && enter(data.op()));
            let below: Vec<GraphId> = owners.flat_map(|(_, data)| data.regions().iter().copied()).collect();
            stack.extend(below.into_iter().rev());
        }
        order
    }
    /// A tensor's row. Panics on an id of another model, as indexing does.
    pub fn tensor_entry(&self, id: TensorId) -> &TensorEntry {
        &self.tensors[id]
    }
    /// A tensor's row, writable.
    pub fn tensor_entry_mut(&mut self, id: TensorId) -> &mut TensorEntry {
        &mut self.tensors[id]
    }
    /// A tensor.
    pub fn tensor(&self, id: TensorId) -> &Tensor {
        &self.tensors[id].tensor
    }
    /// All tensors.
    pub fn tensors(&self) -> impl Iterator<Item = (TensorId, &TensorEntry)> {
        self.tensors.iter()
    }
    /// Stores a tensor.
    pub fn add_tensor(&mut self, tensor: Tensor) -> TensorId {
        self.add_tensor_entry(TensorEntry {
            tensor,
            role: TensorRole::default(),
            doc: Name::default(),
            metadata: Vec::new(),
        })
    }
    /// Stores a tensor with what the file says of it.
    pub fn add_tensor_entry(&mut self, entry: TensorEntry) -> TensorId {
        self.tensors.push(entry)
    }
    /// Stores a tensor and adds a constant value for it to a graph.
    pub fn add_constant(&mut self, graph: GraphId, name: impl Into<Name>, tensor: Tensor) -> ValueId {
        let ty = tensor_type(&tensor);
        let id = self.add_tensor(tensor);
        self.graph_mut(graph).add_constant(name, ty, id)
    }
    /// The tensor of a constant value.
    pub fn constant_of(&self, graph: GraphId, value: ValueId) -> Option<&Tensor> {
        self.graphs[graph].constant(value).map(|id| self.tensor(id))
    }
    /// An operator's provenance.
    pub fn origin(&self, id: OriginId) -> &Origin {
        &self.origins[id]
    }
    /// All provenances.
    pub fn origins(&self) -> impl Iterator<Item = (OriginId, &Origin)> {
        self.origins.iter()
    }
    /// Records a provenance.
    pub fn add_origin(&mut self, origin: Origin) -> OriginId {
        self.origins.push(origin)
    }
    /// The version of an operator set.
    pub fn opset(&self, domain: &str) -> Option<i64> {
        self.opsets.get(domain).copied()
    }
    /// Replaces symbols by numbers (or other dims) everywhere: types, declared types, contents, symbols. The caller infers types
    /// afterwards.
    pub fn bind_symbols(&mut self, lookup: &dyn Fn(&Name) -> Option<crate::Dim>) {
        for (_, graph) in self.graphs.iter_mut() {
            let graph = Arc::make_mut(graph);
            let ids: Vec<ValueId> = graph.values().map(|(id, _)| id).collect();
            for id in ids {
                let value = graph.value(id);
                let mut map = |dim: &crate::Dim| dim.substitute(lookup);
                let ty = value.ty().map_dims(&mut map);
                let declared = value.extra().and_then(|extra| extra.declared.as_ref()).map(|ty| ty.map_dims(&mut map));
                if ty != *value.ty() {
                    graph.set_type(id, ty);
                }
                graph.set_contents(id, None);
                if declared.is_some() {
                    graph.value_extra_mut(id).declared = declared;
                }
            }
        }
        let bound: Vec<Name> =
            self.symbols.iter().map(|(name, _)| name.clone()).filter(|name| lookup(name).is_some()).collect();
        for name in bound {
            self.symbols.forget(&name);
        }
        self.symbols.equal.clear();
    }
    /// The graphs, tensors and origins, taken out.
    pub(crate) fn take_arenas(&mut self) -> (Vec<Graph>, Vec<TensorEntry>, Vec<Origin>) {
        let graphs = std::mem::take(&mut self.graphs).into_rows().into_iter().map(Arc::unwrap_or_clone).collect();
        (graphs, std::mem::take(&mut self.tensors).into_rows(), std::mem::take(&mut self.origins).into_rows())
    }
    pub(crate) fn replace_arenas(
        &mut self,
        graphs: Arena<GraphId, Arc<Graph>>,
        tensors: Arena<TensorId, TensorEntry>,
        origins: Arena<OriginId, Origin>,
    ) {
        self.graphs = graphs;
        self.tensors = tensors;
        self.origins = origins;
    }
}

/// The type of a constant.
pub fn tensor_type(tensor: &Tensor) -> ValueType {
    let shape = Shape::of(tensor.shape().iter().copied());
    match tensor.data() {
        crate::TensorData::Sparse(_) => ValueType::SparseTensor(crate::TensorType { dtype: tensor.dtype(), shape }),
        _ => ValueType::tensor(tensor.dtype(), shape),
    }
}
