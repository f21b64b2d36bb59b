//! Building one graph: its inputs, constants, nodes and outputs, and what surrounds them.
//!
//! Values are looked up by the names of the file; what they are called in the IR may differ (see `names`). A graph below
//! an operator sees the constants of all graphs around it directly, and run-time values as captures: inputs behind its
//! own ones, the same for every graph of the operator.

use edgesmith_frontend::{Subject, shown};
use edgesmith_ir::{
    Contents, Def, Graph, GraphId, Name, TensorEntry, TensorId, TensorRole, ValueId, ValueType, tensor_type,
};
use edgesmith_onnx_proto::{
    DataLocation, GraphProto, NodeProto, SparseTensorProto, StringStringEntryProto, TensorAnnotation, TensorProto,
    ValueInfoProto,
};
use indexmap::IndexMap;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::attribute::References;
use crate::error::ImportError;
use crate::model::{Importer, by_name, notes};
use crate::plan::Plan;
use crate::{tensor, types};

/// The parts of a graph or a function, on their way into the model.
#[derive(Default)]
pub(crate) struct Body {
    pub name: String,
    pub doc: String,
    pub metadata: Vec<StringStringEntryProto>,
    pub nodes: Vec<NodeProto>,
    pub inputs: Vec<ValueInfoProto>,
    pub outputs: Vec<ValueInfoProto>,
    pub values: Vec<ValueInfoProto>,
    pub initializers: Vec<TensorProto>,
    pub sparse: Vec<SparseTensorProto>,
    pub annotations: Vec<TensorAnnotation>,
}

impl From<GraphProto> for Body {
    fn from(graph: GraphProto) -> Self {
        Self {
            name: graph.name,
            doc: graph.doc_string,
            metadata: graph.metadata_props,
            nodes: graph.node,
            inputs: graph.input,
            outputs: graph.output,
            values: graph.value_info,
            initializers: graph.initializer,
            sparse: graph.sparse_initializer,
            annotations: graph.quantization_annotation,
        }
    }
}

/// What the nodes of a graph mean: the same for a graph and everything below it, different in functions.
#[derive(Clone, Copy)]
pub(crate) struct Frame<'f> {
    /// The operator sets.
    pub opsets: &'f IndexMap<Name, i64>,
    /// What references to attributes of a caller stand for.
    pub references: References<'f>,
    /// The function that this is the body of.
    pub function: Option<&'f Name>,
    /// Whether operators are carried as they are, untyped: the body of a function as the file has it.
    pub raw: bool,
}

/// A value outside that a graph takes in: the name in the file, and the value in the graph around it.
pub(crate) type Capture = (Name, ValueId);

/// What is known of a formal input; `None` where the caller gives nothing.
pub(crate) type Formal = Option<(ValueType, Option<Contents>)>;

/// A graph that is being built.
pub(crate) struct Scope {
    pub graph: GraphId,
    /// Values by their names in the file.
    pub values: FxHashMap<Name, ValueId>,
    /// Names of formal inputs for which a caller gives nothing.
    pub absent: FxHashSet<Name>,
    /// Whether it is the graph of a model or a function, not of an operator.
    pub outermost: bool,
    /// What the file says of values that nodes make.
    infos: FxHashMap<String, ValueInfoProto>,
}

/// What the name of a file stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// A value of the innermost graph.
    Value(ValueId),
    /// A formal input for which the caller gives nothing.
    Absent,
}

impl Importer<'_> {
    /// Builds a graph of an operator and everything below it. `captures` become its last inputs.
    pub fn build_region(
        &mut self,
        body: Body,
        plan: &Plan,
        captures: &[Capture],
        frame: &Frame<'_>,
    ) -> Result<GraphId, ImportError> {
        let formals = body.inputs.iter().map(|_| Some((ValueType::Unknown, None))).collect();
        self.build(body, plan, captures, formals, frame, false)
    }

    /// Builds the graph of a model or a function, with what is known of the formal inputs; `None` for one that the caller
    /// leaves out.
    pub fn build_outermost(
        &mut self,
        body: Body,
        plan: &Plan,
        formals: Vec<Formal>,
        frame: &Frame<'_>,
    ) -> Result<GraphId, ImportError> {
        self.build(body, plan, &[], formals, frame, true)
    }

    fn build(
        &mut self,
        mut body: Body,
        plan: &Plan,
        captures: &[Capture],
        formals: Vec<Formal>,
        frame: &Frame<'_>,
        outermost: bool,
    ) -> Result<GraphId, ImportError> {
        let mut graph = Graph::new(body.name.as_str());
        graph.doc = body.doc.as_str().into();
        graph.metadata = notes(&body.metadata, &mut self.names);
        let id = self.model.add_graph(graph);
        let outputs: Vec<Name> = body.outputs.iter().map(|output| self.names.intern(&output.name)).collect();
        // Of several descriptions of one value that of the output counts.
        let infos = std::mem::take(&mut body.outputs).into_iter().chain(std::mem::take(&mut body.values));
        let infos = by_name(infos.map(|info| (info.name.clone(), info)));
        let scope = Scope { graph: id, values: FxHashMap::default(), absent: FxHashSet::default(), infos, outermost };
        self.scopes.push(scope);
        self.inputs_and_constants(&mut body, formals, frame)?;
        self.capture_inputs(plan, captures);
        let mut nodes = std::mem::take(&mut body.nodes);
        if plan.order.is_some() {
            self.diagnostics.remark(
                "edgesmith::onnx::unsorted-nodes",
                || Subject::Model,
                || format!("nodes of graph '{}' were not in topological order; they are now", shown(&body.name)),
            );
        }
        for place in 0..nodes.len() {
            let index = plan.order.as_ref().map_or(place, |order| order[place] as usize);
            let node = std::mem::take(&mut nodes[index]);
            let regions = plan.regions.get(&(index as u32)).map_or(&[][..], Vec::as_slice);
            self.add_node(node, regions, plan, frame)?;
        }
        for name in &outputs {
            match self.lookup(name) {
                Some(Found::Value(value)) => self.graph_mut().add_output(value),
                Some(Found::Absent) | None => {
                    let fault = "the graph lists it as an output, but nothing defines it".into();
                    return Err(ImportError::Value { value: name.clone(), fault });
                }
            }
        }
        self.annotate(&body.annotations);
        self.scopes.pop();
        Ok(id)
    }

    /// The scope that is being built.
    pub fn scope(&mut self) -> &mut Scope {
        let last = self.scopes.len() - 1;
        &mut self.scopes[last]
    }
    /// The graph that is being built.
    pub fn graph_mut(&mut self) -> &mut Graph {
        let id = self.scope().graph;
        self.model.graph_mut(id)
    }

    /// What a name stands for here. A constant of a graph outside gets a value of its own in this one.
    pub fn lookup(&mut self, name: &Name) -> Option<Found> {
        let (inner, outer) = self.scopes.split_last()?;
        if let Some(value) = inner.values.get(name) {
            return Some(Found::Value(*value));
        }
        if inner.absent.contains(name) {
            return Some(Found::Absent);
        }
        for scope in outer.iter().rev() {
            if scope.absent.contains(name) {
                return Some(Found::Absent);
            }
            if let Some(value) = scope.values.get(name) {
                let graph = self.model.graph(scope.graph);
                let tensor = graph.constant(*value)?;
                let (label, ty) = (graph.value(*value).name().clone(), graph.value(*value).ty().clone());
                let copy = self.graph_mut().add_constant(label, ty, tensor);
                self.scope().values.insert(name.clone(), copy);
                return Some(Found::Value(copy));
            }
        }
        None
    }

    /// Whether a name stands for something that subgraphs must capture: a run-time value of the graph that is being built.
    pub fn captured(&self, name: &Name) -> Option<ValueId> {
        let scope = self.scopes.last()?;
        let value = *scope.values.get(name)?;
        match self.model.graph(scope.graph).value(value).def() {
            Def::Constant(_) => None,
            _ => Some(value),
        }
    }

    /// The name that a new value gets.
    pub fn value_name(&mut self, name: &Name, frame: &Frame<'_>) -> Name {
        if frame.raw || self.is_main(frame) { name.clone() } else { self.names.unique(name) }
    }

    /// Whether the graph that is being built is the model's main one, whose names never change.
    fn is_main(&self, frame: &Frame<'_>) -> bool {
        self.scopes.len() == 1 && frame.function.is_none()
    }

    fn inputs_and_constants(
        &mut self,
        body: &mut Body,
        formals: Vec<Formal>,
        frame: &Frame<'_>,
    ) -> Result<(), ImportError> {
        let main = self.is_main(frame);
        let mut initializers: IndexMap<Name, TensorProto> = IndexMap::with_capacity(body.initializers.len());
        for tensor in std::mem::take(&mut body.initializers) {
            initializers.insert(self.names.intern(&tensor.name), tensor);
        }
        // Entries of initializers that are inputs; taken out of the way without moving the others.
        let mut taken: FxHashSet<Name> = FxHashSet::default();
        for (info, formal) in std::mem::take(&mut body.inputs).into_iter().zip(formals) {
            let name = self.names.intern(&info.name);
            let declared = declared(&info)?;
            let default = match initializers.get_mut(&name) {
                Some(proto) => {
                    taken.insert(name.clone());
                    Some(self.tensor_entry(&name, std::mem::take(proto))?)
                }
                None => None,
            };
            if let (Some(tensor), true, true) = (default, main, self.ir_version < 4) {
                // Before IR version 4 nobody could override it. What is declared marks that it was an input.
                let value = self.add_constant(&name, tensor, frame);
                self.describe(value, info, Some(declared));
                continue;
            }
            let Some((known, contents)) = formal else {
                self.scope().absent.insert(name);
                continue;
            };
            // What the file says of an input of a subgraph may be wrong for all but one of its runs.
            let ty = match known {
                ValueType::Unknown if main => types::open_dims_named(&declared.ty, &name),
                ValueType::Unknown => types::element_only(&declared.ty),
                known => known,
            };
            let label = self.value_name(&name, frame);
            let value = self.graph_mut().add_input(label, ty, default);
            self.graph_mut().set_contents(value, contents);
            self.scope().values.insert(name, value);
            self.describe(value, info, Some(declared));
        }
        let mut outside_inputs = 0_u64;
        for (name, proto) in initializers {
            if taken.contains(&name) {
                continue;
            }
            outside_inputs += 1;
            let tensor = self.tensor_entry(&name, proto)?;
            let value = self.add_constant(&name, tensor, frame);
            if let Some(info) = self.scope().infos.remove(name.as_str()) {
                self.describe(value, info, None);
            }
        }
        if main && self.ir_version < 4 && outside_inputs > 0 {
            self.diagnostics.remark(
                "edgesmith::onnx::initializers-not-inputs",
                || Subject::Model,
                || {
                    format!(
                        "{outside_inputs} initializers are no inputs, which IR version {} of the file asks for",
                        self.ir_version
                    )
                },
            );
        }
        for mut proto in std::mem::take(&mut body.sparse) {
            let name = proto.values.as_ref().map_or("", |values| values.name.as_str());
            let name = self.names.intern(name);
            let doc = proto.values.as_ref().map_or("", |values| values.doc_string.as_str()).into();
            let tensor = tensor::sparse(&mut proto, self.external)
                .map_err(|fault| ImportError::Tensor { tensor: name.clone(), fault })?;
            let entry = TensorEntry { tensor, role: TensorRole::default(), doc, metadata: Vec::new() };
            let tensor = self.model.add_tensor_entry(entry);
            self.add_constant(&name, tensor, frame);
        }
        Ok(())
    }

    fn tensor_entry(&mut self, name: &Name, mut proto: TensorProto) -> Result<TensorId, ImportError> {
        if proto.data_location == Some(DataLocation::External.number()) {
            self.model.metadata.external_data = true;
        }
        let tensor = tensor::dense(&mut proto, self.external)
            .map_err(|fault| ImportError::Tensor { tensor: name.clone(), fault })?;
        let doc = proto.doc_string.as_str().into();
        let metadata = notes(&proto.metadata_props, &mut self.names);
        Ok(self.model.add_tensor_entry(TensorEntry { tensor, role: TensorRole::default(), doc, metadata }))
    }

    /// Adds a constant under a name of the file.
    pub fn add_constant(&mut self, name: &Name, tensor: TensorId, frame: &Frame<'_>) -> ValueId {
        let label = self.value_name(name, frame);
        let ty = tensor_type(self.model.tensor(tensor));
        let value = self.graph_mut().add_constant(label, ty, tensor);
        self.scope().values.insert(name.clone(), value);
        value
    }

    fn capture_inputs(&mut self, plan: &Plan, captures: &[Capture]) {
        let outer = self.scopes.len().checked_sub(2).map(|index| self.scopes[index].graph);
        let Some(outer) = outer.filter(|_| !captures.is_empty()) else { return };
        for (name, value) in captures {
            let row = self.model.graph(outer).value(*value);
            let (label, ty, contents) = (row.name().clone(), row.ty().clone(), row.contents().cloned());
            let input = self.graph_mut().add_input(label, ty, None);
            self.graph_mut().set_contents(input, contents);
            // Another graph of the operator reads it; here the name may mean something else.
            if !plan.defined.contains(name) {
                self.scope().values.insert(name.clone(), input);
            }
        }
    }

    /// Notes what the file says of a value.
    fn describe(&mut self, value: ValueId, info: ValueInfoProto, declared: Option<types::Declared>) {
        let metadata = notes(&info.metadata_props, &mut self.names);
        let declared = declared.unwrap_or_default();
        let typed = declared.ty != ValueType::Unknown;
        if typed || !info.doc_string.is_empty() || !metadata.is_empty() || !declared.denotations.is_empty() {
            let extra = self.graph_mut().value_extra_mut(value);
            extra.doc = info.doc_string.into();
            extra.metadata = metadata;
            extra.denotations = declared.denotations;
            extra.declared = typed.then_some(declared.ty);
        }
    }

    /// Notes what the file says of a new result of a node. Only of an unknown operator is that taken for its type, else the
    /// element type alone: files that were edited keep shapes that are wrong, and what rules rely on must be inferred.
    pub fn describe_result(&mut self, name: &Name, value: ValueId) -> Result<(), ImportError> {
        let Some(info) = self.scope().infos.remove(name.as_str()) else { return Ok(()) };
        let declared = declared(&info)?;
        let graph = self.graph_mut();
        let unknown = graph.producer(value).is_some_and(|op| match graph.op(op).op() {
            edgesmith_ir::Op::Custom(_) => true,
            edgesmith_ir::Op::Call(_) => graph.op(op).regions().is_empty(),
            _ => false,
        });
        let assumed =
            if unknown { types::trusted(&declared.ty, &self.input_symbols) } else { types::element_only(&declared.ty) };
        self.graph_mut().set_type(value, assumed);
        self.describe(value, info, Some(declared));
        Ok(())
    }

    /// Quantisation annotations name values: the annotated one gets the note, its parameters must not disappear.
    fn annotate(&mut self, annotations: &[TensorAnnotation]) {
        for annotation in annotations {
            let name = self.names.intern(&annotation.tensor_name);
            let Some(value) = self.scope().values.get(&name).copied() else {
                self.diagnostics.warning(
                    "edgesmith::onnx::stray-annotation",
                    || Subject::Value(name),
                    || "its quantisation annotation is dropped, because the graph has no such value".into(),
                );
                continue;
            };
            let parameters = notes(&annotation.quant_parameter_tensor_names, &mut self.names);
            let mut renamed = Vec::with_capacity(parameters.len());
            for (key, parameter) in parameters {
                let known = self.scope().values.get(&parameter).copied();
                let Some(known) = known else {
                    self.diagnostics.warning(
                        "edgesmith::onnx::stray-annotation",
                        || Subject::Value(name.clone()),
                        || format!("its quantisation parameter '{}' is no value of the graph", shown(&parameter)),
                    );
                    renamed.push((key, parameter));
                    continue;
                };
                let graph = self.graph_mut();
                graph.value_extra_mut(known).pinned = true;
                renamed.push((key, graph.value(known).name().clone()));
            }
            self.graph_mut().value_extra_mut(value).quantization = renamed;
        }
    }
}

/// The type that the file declares of a value.
fn declared(info: &ValueInfoProto) -> Result<types::Declared, ImportError> {
    match &info.r#type {
        None => Ok(types::Declared::default()),
        Some(proto) => {
            types::declared(proto).map_err(|fault| ImportError::Value { value: info.name.as_str().into(), fault })
        }
    }
}
