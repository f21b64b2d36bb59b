//! Functions of the model.
//!
//! A function is kept as the file has it, every operator carried, because that is what a backend writes back. Beside that
//! every call gets a body of its own: the call's attributes put in, operators typed, so that passes and the evaluator can
//! look through it. Calls can multiply: a function that calls another twice, which calls a third twice, and so on, so the
//! bodies made are bounded in all; a call beyond the bound is opaque.

use edgesmith_frontend::{Subject, shown};
use edgesmith_ir::op::FunctionKey;
use edgesmith_ir::{Function, GraphId, Name, ValueId, ValueType};
use edgesmith_onnx_proto::{AttributeProto, AttributeType, FunctionProto, NodeProto, TensorProto, ValueInfoProto};
use indexmap::IndexMap;
use rustc_hash::FxHashMap;

use crate::attribute::{References, defaults};
use crate::error::ImportError;
use crate::graph::{Body, Formal, Frame};
use crate::limits::cost;
use crate::model::{Importer, notes};
use crate::plan::{Plan, plan_function, subgraphs, undefined};
use crate::{opset, tensor};

/// Graphs and bodies of calls are nested at most so deep.
const MAX_NESTING: usize = 100;

/// A function of the file.
pub(crate) struct FunctionSource {
    proto: FunctionProto,
    plan: Plan,
    opsets: IndexMap<Name, i64>,
    /// What one body costs, in bytes.
    size: u64,
    /// Whether calls can have bodies: not when a subgraph is handed over as an attribute.
    instantiable: bool,
}

impl Importer<'_> {
    /// Reads the functions without building anything.
    pub fn read_functions(&mut self, protos: Vec<FunctionProto>) -> Result<(), ImportError> {
        for mut proto in protos {
            let key = FunctionKey {
                domain: self.names.intern(opset::domain(&proto.domain)),
                name: self.names.intern(&proto.name),
                overload: self.names.intern(&proto.overload),
            };
            let inside =
                |error: ImportError| ImportError::Function { function: key.name.clone(), fault: error.to_string() };
            for_each_tensor(&mut proto.node, &mut |tensor| tensor::share(tensor, self.external)).map_err(|fault| {
                ImportError::Function { function: key.name.clone(), fault: format!("a tensor in it: {fault}") }
            })?;
            let plan = plan_function(&proto, &mut self.names, &mut self.limits).map_err(inside)?;
            if let Some(name) = plan.free.first() {
                return Err(inside(undefined(&proto.node, name)));
            }
            let opsets = opset::imports(&proto.opset_import, &mut self.names, self.options, &mut self.diagnostics)
                .map_err(inside)?;
            let (size, instantiable) = (size(&proto.node), instantiable(&proto.node));
            let source = FunctionSource { proto, plan, opsets, size, instantiable };
            if self.functions.insert(key.clone(), source).is_some() {
                let fault = "the file defines it twice".into();
                return Err(ImportError::Function { function: key.name, fault });
            }
        }
        self.refuse_recursion()
    }

    /// Functions must not call themselves, however indirectly.
    fn refuse_recursion(&self) -> Result<(), ImportError> {
        let calls: Vec<Vec<usize>> = self
            .functions
            .values()
            .map(|source| {
                let mut found = Vec::new();
                self.calls(&source.proto.node, &mut found);
                found
            })
            .collect();
        // Kahn: what is left when nothing callable is without open calls is on a cycle or above one.
        let mut callers: Vec<Vec<usize>> = vec![Vec::new(); calls.len()];
        let mut open: Vec<usize> = calls.iter().map(Vec::len).collect();
        for (caller, callees) in calls.iter().enumerate() {
            for callee in callees {
                callers[*callee].push(caller);
            }
        }
        let mut ready: Vec<usize> = (0..calls.len()).filter(|function| open[*function] == 0).collect();
        let mut done = 0;
        while let Some(function) = ready.pop() {
            done += 1;
            for caller in &callers[function] {
                open[*caller] -= 1;
                if open[*caller] == 0 {
                    ready.push(*caller);
                }
            }
        }
        match open.iter().position(|open| *open > 0) {
            Some(function) if done < calls.len() => {
                let name = self.functions.get_index(function).map(|(key, _)| key.name.clone()).unwrap_or_default();
                let fault = "it calls itself, directly or through others; functions must not be recursive".into();
                Err(ImportError::Function { function: name, fault })
            }
            _ => Ok(()),
        }
    }

    fn calls(&self, nodes: &[NodeProto], found: &mut Vec<usize>) {
        for node in nodes {
            let key = FunctionKey {
                domain: opset::domain(&node.domain).into(),
                name: node.op_type.as_str().into(),
                overload: node.overload.as_str().into(),
            };
            found.extend(self.functions.get_index_of(&key));
            for graph in subgraphs(node) {
                self.calls(&graph.node, found);
            }
        }
    }

    /// Builds the functions as the file has them.
    pub fn build_functions(&mut self) -> Result<(), ImportError> {
        // Taken out while the bodies are built, which call nothing: every operator in them is carried.
        let sources = std::mem::take(&mut self.functions);
        for (key, source) in sources {
            let FunctionSource { proto, plan, opsets, .. } = source;
            let inside =
                |error: ImportError| ImportError::Function { function: key.name.clone(), fault: error.to_string() };
            let attributes = proto.attribute.iter().map(|name| self.names.intern(name)).collect();
            let defaults = defaults(&proto.attribute_proto, &mut self.names, self.external)
                .map_err(|fault| ImportError::Function { function: key.name.clone(), fault: fault.to_string() })?;
            let doc = proto.doc_string.as_str().into();
            let metadata = notes(&proto.metadata_props, &mut self.names);
            let frame = Frame { opsets: &opsets, references: References::Kept, function: Some(&key.name), raw: true };
            let body = {
                let body = body_of(proto);
                let formals = open(body.inputs.len());
                self.build_outermost(body, &plan, formals, &frame)
            }
            .map_err(inside)?;
            let function =
                Function { body: Some(body), attributes, defaults, opsets, doc, metadata, ..Function::default() };
            self.model.functions.insert(key, function);
        }
        Ok(())
    }

    /// The body made for one call, unless it cannot have one. `results` is how many results the call lists.
    pub fn instance(
        &mut self,
        node: &NodeProto,
        key: &FunctionKey,
        given: Vec<AttributeProto>,
        operands: &[Option<ValueId>],
        results: usize,
        frame: &Frame<'_>,
    ) -> Result<Option<GraphId>, ImportError> {
        let Some(source) = self.functions.get(key) else { return Ok(None) };
        let formals = source.proto.input.len();
        if operands.len() > formals || results > source.proto.output.len() {
            let fault = format!(
                "it has {} inputs and {results} outputs, but the function takes {formals} and makes {}",
                operands.len(),
                source.proto.output.len()
            );
            return Err(crate::node::node_error(node, crate::NodeFault::Other(fault)));
        }
        let opaque = |reason: &str| {
            let message = format!("its body is not looked into: {reason}");
            (Subject::Node { name: crate::plan::label(node).into(), operator: key.name.clone() }, message)
        };
        let refused = if !source.instantiable {
            Some(opaque("a subgraph is handed to it as an attribute"))
        } else if self.scopes.len() >= MAX_NESTING {
            Some(opaque("calls are nested too deep"))
        } else if self.limits.take(source.size).is_err() {
            Some(opaque("the calls of this model multiply to far more operators than the file has"))
        } else {
            None
        };
        if let Some((subject, message)) = refused {
            self.diagnostics.warning("edgesmith::onnx::opaque-call", || subject, || message);
            return Ok(None);
        }
        let mut attributes: FxHashMap<String, AttributeProto> =
            source.proto.attribute_proto.iter().map(|default| (default.name.clone(), default.clone())).collect();
        for attribute in given {
            // A call inside of another function may hand on what that one was given.
            let attribute = match (attribute.ref_attr_name.as_str(), frame.references) {
                ("", _) => attribute,
                (reference, References::Given(outer)) => match outer.get(reference) {
                    Some(value) => AttributeProto { name: attribute.name, ..value.clone() },
                    None => continue,
                },
                _ => continue,
            };
            attributes.insert(attribute.name.clone(), attribute);
        }
        let here = self.scope().graph;
        let known = (0..formals)
            .map(|slot| {
                let value = operands.get(slot).copied().flatten()?;
                let row = self.model.graph(here).value(value);
                Some((row.ty().clone(), row.contents().cloned()))
            })
            .collect::<Vec<Formal>>();
        let Some(source) = self.functions.get(key) else { return Ok(None) };
        let (plan, opsets, mut body) = (source.plan.clone(), source.opsets.clone(), body_of(source.proto.clone()));
        body.outputs.truncate(results);
        let frame = Frame {
            opsets: &opsets,
            references: References::Given(&attributes),
            function: Some(&key.name),
            raw: false,
        };
        let built = self.build_outermost(body, &plan, known, &frame);
        built.map(Some).map_err(|error| match error {
            limit @ ImportError::Limit(_) => limit,
            error => ImportError::Function {
                function: key.name.clone(),
                fault: format!("in the body made for '{}': {error}", shown(crate::plan::label(node))),
            },
        })
    }
}

/// Formal inputs of which nothing is known.
pub(crate) fn open(count: usize) -> Vec<Formal> {
    vec![Some((ValueType::Unknown, None)); count]
}

fn body_of(proto: FunctionProto) -> Body {
    let named = |name: String| ValueInfoProto { name, ..ValueInfoProto::default() };
    Body {
        name: proto.name,
        nodes: proto.node,
        inputs: proto.input.into_iter().map(named).collect(),
        outputs: proto.output.into_iter().map(named).collect(),
        values: proto.value_info,
        ..Body::default()
    }
}

/// What a body of these nodes costs, everything below included. Names of a body get numbers, and its parts are copied.
fn size(nodes: &[NodeProto]) -> u64 {
    let below = nodes.iter().flat_map(subgraphs).map(|graph| cost::of_graph(graph) + size(&graph.node)).sum::<u64>();
    let lists = nodes.iter().flat_map(|node| &node.attribute);
    let copied = lists.map(|a| (a.ints.len() + a.floats.len() + a.strings.len()) as u64 * 40).sum::<u64>();
    cost::GRAPH + cost::of_nodes(nodes) + below + copied
}

/// Whether nothing refers to a subgraph among the caller's attributes.
fn instantiable(nodes: &[NodeProto]) -> bool {
    let graphs = [AttributeType::Graph.number(), AttributeType::Graphs.number()];
    nodes.iter().all(|node| {
        node.attribute.iter().all(|attribute| {
            attribute.ref_attr_name.is_empty() || !graphs.contains(&attribute.r#type.unwrap_or_default())
        }) && subgraphs(node).all(|graph| instantiable(&graph.node))
    })
}

fn for_each_tensor<E>(
    nodes: &mut [NodeProto],
    visit: &mut dyn FnMut(&mut TensorProto) -> Result<(), E>,
) -> Result<(), E> {
    for attribute in nodes.iter_mut().flat_map(|node| &mut node.attribute) {
        for tensor in attribute.t.as_deref_mut().into_iter().chain(&mut attribute.tensors) {
            visit(tensor)?;
        }
        for graph in attribute.g.as_deref_mut().into_iter().chain(&mut attribute.graphs) {
            for tensor in &mut graph.initializer {
                visit(tensor)?;
            }
            for_each_tensor(&mut graph.node, visit)?;
        }
    }
    Ok(())
}
