//! One node: a constant, a typed operator, a call of a function, or an operator that is carried.

use std::fmt::Write as _;

use edgesmith_frontend::{Subject, shown};
use edgesmith_ir::op::{Call, CustomOp, FunctionKey, Op, OpKind};
use edgesmith_ir::{
    Attribute, AttributeError, GraphId, Name, NewOp, OpId, OpInferError, Origin, Tensor, TensorEntry, TensorRole,
};
use edgesmith_onnx_proto::schema::{FormalKind, Schema};
use edgesmith_onnx_proto::{Message, NodeProto};
use smallvec::SmallVec;

use crate::attribute::{Attributes, attributes};
use crate::error::{ImportError, NodeFault, UnknownOperator};
use crate::graph::{Body, Capture, Found, Frame};
use crate::lift::{Lift, Lifted};
use crate::model::{Importer, notes};
use crate::opset;
use crate::plan::{Plan, label};
use crate::scope::scope;

/// A node whose names are resolved.
struct Draft {
    operands: SmallVec<[Option<edgesmith_ir::ValueId>; 4]>,
    results: SmallVec<[Option<Name>; 1]>,
    captures: Vec<Capture>,
    regions: Vec<GraphId>,
}

impl Importer<'_> {
    /// Adds a node to the graph that is being built. `regions` are the plans of its subgraphs, `plan` that of its graph.
    pub fn add_node(
        &mut self,
        node: NodeProto,
        regions: &[Plan],
        plan: &Plan,
        frame: &Frame<'_>,
    ) -> Result<(), ImportError> {
        let domain = self.names.intern(opset::domain(&node.domain));
        if frame.raw {
            return self.add_carried(node, domain, regions, frame, None);
        }
        if domain.is_empty() {
            let version = self.opset_of(&domain, frame)?;
            let key = self.function_key(&node, &domain);
            match opset::standard(&node.op_type, version) {
                Ok(schema) if schema.name == "Constant" => return self.add_literal(node, schema, frame),
                Ok(schema) => return self.add_standard(node, schema, version, regions, plan, frame),
                Err(reason) if !self.functions.contains_key(&key) => {
                    self.note_unknown(&node, version, reason);
                    self.add_placeholder(&node);
                    return Ok(());
                }
                Err(_) => {}
            }
        } else if !frame.opsets.contains_key(&domain) && !self.model.opsets.contains_key(&domain) {
            let fault = format!("its domain '{}' is not among the imported operator sets", shown(&domain));
            if !self.options.lenient {
                return Err(node_error(&node, NodeFault::Other(fault)));
            }
            let subject = node_subject(&node);
            self.diagnostics.warning("edgesmith::onnx::domain-not-imported", || subject, || fault);
        }
        let key = self.function_key(&node, &domain);
        if self.functions.contains_key(&key) {
            return self.add_call(node, key, regions, frame);
        }
        self.add_carried(node, domain, regions, frame, None)
    }

    fn function_key(&mut self, node: &NodeProto, domain: &Name) -> FunctionKey {
        FunctionKey {
            domain: domain.clone(),
            name: self.names.intern(&node.op_type),
            overload: self.names.intern(&node.overload),
        }
    }

    fn opset_of(&self, domain: &Name, frame: &Frame<'_>) -> Result<i64, ImportError> {
        let known = frame.opsets.get(domain).or_else(|| self.model.opsets.get(domain));
        known.copied().ok_or_else(|| {
            ImportError::Opset(
                "the file uses operators of ai.onnx but imports no version of it; it may be damaged".into(),
            )
        })
    }

    fn note_unknown(&mut self, node: &NodeProto, version: i64, reason: String) {
        let operator = self.names.intern(&node.op_type);
        let entry = self.unknown.entry((operator.clone(), version)).or_insert_with(|| UnknownOperator {
            operator,
            opset: version,
            reason,
            node: label(node).into(),
            count: 0,
        });
        entry.count += 1;
    }

    /// Stands in for an operator that makes the import fail, so that all such operators are found.
    fn add_placeholder(&mut self, node: &NodeProto) {
        for output in node.output.iter().filter(|output| !output.is_empty()) {
            let name = self.names.intern(output);
            let label = self.names.unique(&Name::from(format!("{name}_unknown")));
            let value = self.graph_mut().add_input(label, edgesmith_ir::ValueType::Unknown, None);
            self.scope().values.insert(name, value);
        }
    }

    fn add_literal(&mut self, mut node: NodeProto, schema: &Schema, frame: &Frame<'_>) -> Result<(), ImportError> {
        check_count(&node, "inputs", node.input.len(), 0, Some(0), schema.since_version)?;
        check_count(&node, "outputs", node.output.len(), 1, Some(1), schema.since_version)?;
        let found = self.read_attributes(&mut node, Some(schema), frame)?;
        let mut list = found.list;
        let (Some((_, value)), true) = (list.pop(), list.is_empty()) else {
            return Err(node_error(&node, NodeFault::Other("it must have exactly one value attribute".into())));
        };
        let tensor = literal(value).map_err(|fault| node_error(&node, fault))?;
        if node.output[0].is_empty() {
            return Ok(());
        }
        let name = self.names.intern(&node.output[0]);
        let doc = node.doc_string.as_str().into();
        let metadata = notes(&node.metadata_props, &mut self.names);
        let entry = TensorEntry { tensor, role: TensorRole::Literal, doc, metadata };
        let tensor = self.model.add_tensor_entry(entry);
        self.add_constant(&name, tensor, frame);
        Ok(())
    }

    fn read_attributes(
        &mut self,
        node: &mut NodeProto,
        schema: Option<&Schema>,
        frame: &Frame<'_>,
    ) -> Result<Attributes, ImportError> {
        let found = attributes(node, schema, frame.references, &mut self.names, self.external)
            .map_err(|fault| node_error(node, fault))?;
        if found.dangling > 0 {
            self.diagnostics.warning(
                "edgesmith::onnx::reference-outside-function",
                || node_subject(node),
                || "an attribute refers to one of a calling node, but this is no function; it counts as absent".into(),
            );
        }
        if found.documented > 0 {
            self.diagnostics.remark(
                "edgesmith::onnx::attribute-doc",
                || node_subject(node),
                || "the description of an attribute will be missing from the output".into(),
            );
        }
        if found.private > 0 {
            self.diagnostics.remark(
                "edgesmith::onnx::private-attribute",
                || node_subject(node),
                || "private attributes (__*) will be missing from the output".into(),
            );
        }
        Ok(found)
    }

    /// Resolves the names of a node and builds its subgraphs.
    fn draft(
        &mut self,
        node: &NodeProto,
        graphs: Vec<edgesmith_onnx_proto::GraphProto>,
        plans: &[Plan],
        frame: &Frame<'_>,
    ) -> Result<Draft, ImportError> {
        let mut operands = SmallVec::with_capacity(node.input.len());
        for input in &node.input {
            operands.push(if input.is_empty() {
                None
            } else {
                let name = self.names.intern(input);
                match self.lookup(&name) {
                    Some(Found::Value(value)) => Some(value),
                    Some(Found::Absent) => None,
                    None => return Err(lost(node, &name)),
                }
            });
        }
        let results =
            node.output.iter().map(|output| (!output.is_empty()).then(|| self.names.intern(output))).collect();
        if graphs.len() != plans.len() {
            let fault = "a subgraph is where the operator has none".into();
            return Err(node_error(node, NodeFault::Other(fault)));
        }
        let mut captures: Vec<Capture> = Vec::new();
        let mut seen = rustc_hash::FxHashSet::default();
        for name in plans.iter().flat_map(|plan| &plan.free) {
            if seen.insert(name)
                && let Some(value) = self.captured(name)
            {
                captures.push((name.clone(), value));
            }
        }
        let mut regions = Vec::with_capacity(graphs.len());
        for (graph, plan) in graphs.into_iter().zip(plans) {
            regions.push(self.build_region(Body::from(graph), plan, &captures, frame)?);
        }
        Ok(Draft { operands, results, captures, regions })
    }

    fn add_standard(
        &mut self,
        mut node: NodeProto,
        schema: &Schema,
        version: i64,
        plans: &[Plan],
        plan: &Plan,
        frame: &Frame<'_>,
    ) -> Result<(), ImportError> {
        check_count(&node, "inputs", node.input.len(), schema.min_inputs, schema.max_inputs, version)?;
        check_count(&node, "outputs", node.output.len(), schema.min_outputs, schema.max_outputs, version)?;
        check_inputs(&node, schema)?;
        let Attributes { list, graphs, .. } = self.read_attributes(&mut node, Some(schema), frame)?;
        let mut draft = self.draft(&node, graphs, plans, frame)?;
        while draft.operands.last() == Some(&None) {
            draft.operands.pop();
        }
        while draft.results.len() > 1 && draft.results.last() == Some(&None) {
            draft.results.pop();
        }
        let second = node.output.get(1).is_some_and(|mask| !plan.unread.contains(mask.as_str()));
        let graph = self.scope().graph;
        let mut lift = Lift {
            model: &mut self.model,
            graph,
            names: &mut self.names,
            since: schema.since_version,
            attributes: list,
            operands: draft.operands,
            results: draft.results,
            second_is_read: second,
        };
        let lifted = lift.run(&node.op_type);
        let Lift { attributes, operands, results, .. } = lift;
        draft.operands = operands;
        draft.results = results;
        match lifted {
            Lifted::Carried(reason) => {
                let key = (Name::default(), self.names.intern(&node.op_type));
                if OpKind::from_name(&node.op_type).is_some() {
                    self.diagnostics.remark(
                        "edgesmith::onnx::carried",
                        || node_subject(&node),
                        || format!("it is carried as it is: {reason}"),
                    );
                }
                let op = custom(key, &node, attributes, &mut self.names);
                self.finish(&node, op, draft, frame)
            }
            Lifted::Typed(kind) => {
                let (op, order) = typed(kind, attributes, &draft.regions).map_err(|fault| node_error(&node, fault))?;
                draft.regions = order;
                self.finish(&node, op, draft, frame)
            }
        }
    }

    /// Adds a node as it is, with its attributes untouched.
    pub fn add_carried(
        &mut self,
        mut node: NodeProto,
        domain: Name,
        plans: &[Plan],
        frame: &Frame<'_>,
        schema: Option<&Schema>,
    ) -> Result<(), ImportError> {
        let Attributes { list, graphs, .. } = self.read_attributes(&mut node, schema, frame)?;
        let draft = self.draft(&node, graphs, plans, frame)?;
        let name = self.names.intern(&node.op_type);
        let op = custom((domain, name), &node, list, &mut self.names);
        self.finish(&node, op, draft, frame)
    }

    fn add_call(
        &mut self,
        mut node: NodeProto,
        key: FunctionKey,
        plans: &[Plan],
        frame: &Frame<'_>,
    ) -> Result<(), ImportError> {
        let given = node.attribute.clone();
        let Attributes { list, graphs, .. } = self.read_attributes(&mut node, None, frame)?;
        let subgraphs = !graphs.is_empty();
        let mut draft = self.draft(&node, graphs, plans, frame)?;
        if subgraphs {
            // The place of the region is the body's; with graphs of its own the call stays as it is.
            let op = custom((key.domain, key.name), &node, list, &mut self.names);
            return self.finish(&node, op, draft, frame);
        }
        let body = self.instance(&node, &key, given, &draft.operands, draft.results.len(), frame)?;
        draft.regions.extend(body);
        let op = Op::Call(Box::new(Call { function: key, attributes: list }));
        self.finish(&node, op, draft, frame)
    }

    /// Adds the operator and infers its types.
    fn finish(&mut self, node: &NodeProto, op: Op, draft: Draft, frame: &Frame<'_>) -> Result<(), ImportError> {
        let name = self.names.intern(&node.name);
        let origin = Origin::Source {
            node: self.names.intern(label(node)),
            operator: self.names.intern(&node.op_type),
            scope: scope(label(node), &node.metadata_props).map(|scope| self.names.intern(&scope)),
        };
        let origin = self.model.add_origin(origin);
        let Draft { mut operands, results, captures, regions } = draft;
        let count = captures.len();
        operands.extend(captures.into_iter().map(|(_, value)| Some(value)));
        let labels = results.iter().map(|name| name.as_ref().map(|name| self.value_name(name, frame))).collect();
        self.legacy_softmax |= matches!(op, Op::LegacySoftmax(_));
        let new = NewOp { op, operands, captures: count, regions: regions.into(), results: labels, name, origin };
        let id = self.graph_mut().add_op(new);
        for (slot, name) in results.iter().enumerate() {
            let Some(name) = name else { continue };
            let Some(value) = self.graph_mut().op(id).result(slot) else { continue };
            self.scope().values.insert(name.clone(), value);
            self.describe_result(name, value)?;
        }
        self.note_extra(node, id);
        if !frame.raw {
            self.infer(id);
        }
        Ok(())
    }

    fn note_extra(&mut self, node: &NodeProto, id: OpId) {
        if node.doc_string.is_empty() && node.metadata_props.is_empty() && node.device_configurations.is_empty() {
            return;
        }
        let metadata = notes(&node.metadata_props, &mut self.names);
        let opaque = NodeProto { device_configurations: node.device_configurations.clone(), ..NodeProto::default() };
        let extra = self.graph_mut().op_extra_mut(id);
        extra.doc = node.doc_string.as_str().into();
        extra.metadata = metadata;
        extra.opaque = opaque.encode_to_vec().into();
    }

    /// Infers the types of the results. Errors inside of regions come up again with the operator that owns them; those
    /// of an outermost graph are kept until the end, so that all of them can be told.
    fn infer(&mut self, id: OpId) {
        const KEPT: usize = 100;
        let graph = self.scope().graph;
        let Err(error) = self.model.infer_op(graph, id) else { return };
        if !self.scope().outermost || self.type_errors.len() >= KEPT {
            return;
        }
        let data = self.model.graph(graph).op(id);
        let kind = data.op().name().to_owned();
        let name = self.model.op_label(graph, id);
        if matches!(data.op(), Op::If(_)) {
            // A branch that can never run may be impossible, as PyTorch writes for squeeze.
            self.diagnostics.warning(
                "edgesmith::onnx::impossible-branch",
                || Subject::Node { name: name.clone(), operator: kind.as_str().into() },
                || error.to_string(),
            );
            return;
        }
        self.type_errors.push(OpInferError { graph, op: id, kind, name, error });
    }
}

/// An operator that is carried.
fn custom(
    (domain, name): (Name, Name),
    node: &NodeProto,
    attributes: Vec<(Name, Attribute)>,
    names: &mut crate::names::Names,
) -> Op {
    let overload = names.intern(&node.overload);
    Op::Custom(Box::new(CustomOp { domain, name, overload, attributes }))
}

/// A typed operator, and its regions in the order of its signature.
fn typed(
    kind: OpKind,
    attributes: Vec<(Name, Attribute)>,
    graphs: &[GraphId],
) -> Result<(Op, Vec<GraphId>), NodeFault> {
    let mut plain = Vec::with_capacity(attributes.len());
    let mut regions = Vec::new();
    let wanted = kind.signature().regions;
    for (name, attribute) in attributes {
        match attribute {
            Attribute::Graph(index) => {
                let place = wanted.iter().position(|region| name == *region);
                let place = place.ok_or_else(|| AttributeError::Unknown(name.clone()))?;
                regions.push((place, graphs[index]));
            }
            other => plain.push((name, other)),
        }
    }
    regions.sort_by_key(|(place, _)| *place);
    if regions.len() != wanted.len() {
        let missing = wanted.iter().enumerate().find(|(place, _)| regions.iter().all(|(other, _)| other != place));
        return Err(AttributeError::Missing(missing.map_or("", |(_, name)| name)).into());
    }
    let decoded = kind.decode(plain).ok_or_else(|| NodeFault::Other("it cannot be typed".into()))?;
    Ok((decoded?, regions.into_iter().map(|(_, graph)| graph).collect()))
}

/// The tensor of a `Constant`.
fn literal(value: Attribute) -> Result<Tensor, NodeFault> {
    let failed = |error: edgesmith_ir::TensorError| NodeFault::Other(error.to_string());
    Ok(match value {
        Attribute::Tensor(tensor) | Attribute::SparseTensor(tensor) => tensor,
        Attribute::Float(value) => Tensor::scalar(value.0),
        Attribute::Int(value) => Tensor::scalar(value),
        Attribute::String(value) => Tensor::strings([].as_slice(), vec![value]).map_err(failed)?,
        Attribute::Floats(values) => {
            let values: Vec<f32> = values.into_iter().map(|value| value.0).collect();
            Tensor::from_vec([values.len() as u64].as_slice(), values).map_err(failed)?
        }
        Attribute::Ints(values) => Tensor::from_vec([values.len() as u64].as_slice(), values).map_err(failed)?,
        Attribute::Strings(values) => Tensor::strings([values.len() as u64].as_slice(), values).map_err(failed)?,
        other => return Err(NodeFault::Other(format!("its value cannot be {}", other.kind()))),
    })
}

/// Required inputs must be there, and a list of inputs must have no gaps.
fn check_inputs(node: &NodeProto, schema: &Schema) -> Result<(), ImportError> {
    let given = node.input.iter().rposition(|input| !input.is_empty()).map_or(0, |last| last + 1);
    let missing = |slot: usize, formal: &'static str| Err(node_error(node, NodeFault::MissingInput { formal, slot }));
    for (slot, formal) in schema.inputs.iter().enumerate() {
        if formal.kind == FormalKind::Single && node.input.get(slot).is_none_or(String::is_empty) {
            return missing(slot, formal.name);
        }
    }
    match schema.inputs.last() {
        Some(last) if last.kind == FormalKind::Variadic => {
            let first = schema.inputs.len() - 1;
            if given < schema.min_inputs {
                return missing(given, last.name);
            }
            let gap = (first..given).find(|slot| node.input[*slot].is_empty());
            gap.map_or(Ok(()), |slot| missing(slot, last.name))
        }
        _ => Ok(()),
    }
}

fn check_count(
    node: &NodeProto,
    what: &'static str,
    found: usize,
    least: usize,
    most: Option<usize>,
    opset: i64,
) -> Result<(), ImportError> {
    if found >= least && most.is_none_or(|most| found <= most) {
        return Ok(());
    }
    let mut allowed = least.to_string();
    match most {
        Some(most) if most != least => write!(allowed, " to {most}").unwrap_or_default(),
        Some(_) => {}
        None => allowed.push_str(" or more"),
    }
    Err(node_error(node, NodeFault::Count { what, found, opset, allowed }))
}

fn lost(node: &NodeProto, name: &Name) -> ImportError {
    node_error(node, NodeFault::Other(format!("it reads '{}', which nothing defines before it", shown(name))))
}

pub(crate) fn node_error(node: &NodeProto, fault: NodeFault) -> ImportError {
    ImportError::Node { node: label(node).into(), operator: node.op_type.as_str().into(), fault }
}

pub(crate) fn node_subject(node: &NodeProto) -> Subject {
    Subject::Node { name: label(node).into(), operator: node.op_type.as_str().into() }
}
