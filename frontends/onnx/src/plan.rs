//! What can be said of a graph before anything is built: an order of its nodes, and the names that it takes from outside.
//!
//! A graph may list its nodes in any acyclic order. A node waits for every name that it or its subgraphs read and that
//! another node of the same graph makes. A name that a graph defines hides the same name outside (the inner one wins);
//! what is left over is free, and becomes a capture of the operator that owns the graph.
//!
//! One kind of hiding is refused. Where an initializer of an inner graph has the name of a value outside, ONNX's reference
//! evaluator takes the outer one and ONNX Runtime mostly the inner one (which depends on how much it optimises), so any
//! reading of such a file is wrong for somebody. Only where nobody reads it, or both are the same constant, is it harmless.
//!
//! Plans own their names, so that the messages can be taken apart while the model is built.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use edgesmith_frontend::shown;
use edgesmith_ir::Name;
use edgesmith_onnx_proto::{FunctionProto, GraphProto, NodeProto, TensorProto};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::error::ImportError;
use crate::limits::{Limits, cost};
use crate::names::Names;

/// The plan of one graph.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// The nodes in an order that respects every dependency; `None` when the order of the file does.
    pub order: Option<Vec<u32>>,
    /// Names that are read here or below and defined outside, in the order of their first reading.
    pub free: Vec<Name>,
    /// Names that this graph defines.
    pub defined: FxHashSet<Name>,
    /// Second results of `Dropout` nodes that nothing reads.
    pub unread: FxHashSet<Name>,
    /// By node: the plans of its subgraphs, in the order of its attributes.
    pub regions: FxHashMap<u32, Vec<Plan>>,
}

/// How a graph defines a name.
#[derive(Clone, Copy)]
enum Source<'a> {
    Input,
    /// Its tensor; `None` for a sparse one.
    Initializer(Option<&'a TensorProto>),
    InputAndInitializer,
    Node(u32),
}

/// An initializer of an inner graph that is read there: its name and its tensor.
type Own<'a> = (&'a str, Option<&'a TensorProto>);

/// Plans a graph and everything below it.
pub(crate) fn plan_graph(graph: &GraphProto, names: &mut Names, limits: &mut Limits) -> Result<Plan, ImportError> {
    let mut planner = Planner { names, limits };
    let parts = planner.graph(graph, false)?;
    Ok(planner.finish(parts))
}

/// Plans the body of a function.
pub(crate) fn plan_function(
    function: &FunctionProto,
    names: &mut Names,
    limits: &mut Limits,
) -> Result<Plan, ImportError> {
    let mut planner = Planner { names, limits };
    let mut defined = FxHashMap::default();
    for input in &function.input {
        define(&mut defined, input, Source::Input)?;
    }
    let outputs = function.output.iter().map(String::as_str);
    let parts = planner.nodes(&function.node, outputs, defined, false)?;
    Ok(planner.finish(parts))
}

/// Every name that a plan of an outermost graph leaves free is an error: this finds the first node that reads it.
pub(crate) fn undefined(nodes: &[NodeProto], name: &str) -> ImportError {
    let reader = nodes.iter().find(|node| reads(node, name));
    let fault = match reader {
        Some(node) => format!(
            "node '{}' ({}) reads it, but no input, initializer or node defines it",
            shown(label(node)),
            shown(&node.op_type)
        ),
        None => "the graph lists it as an output, but no input, initializer or node defines it".to_owned(),
    };
    ImportError::Value { value: name.into(), fault }
}

fn reads(node: &NodeProto, name: &str) -> bool {
    node.input.iter().any(|input| input == name)
        || subgraphs(node).any(|graph| {
            graph.node.iter().any(|node| reads(node, name)) || graph.output.iter().any(|output| output.name == name)
        })
}

/// The name of a node, or of its first output when it has none.
pub(crate) fn label(node: &NodeProto) -> &str {
    if node.name.is_empty() {
        node.output.iter().find(|output| !output.is_empty()).map_or("", String::as_str)
    } else {
        &node.name
    }
}

/// The subgraphs of a node in the order of its attributes.
pub(crate) fn subgraphs(node: &NodeProto) -> impl Iterator<Item = &GraphProto> {
    node.attribute.iter().flat_map(|attribute| attribute.g.as_deref().into_iter().chain(&attribute.graphs))
}

/// A plan whose names are still those of the message.
struct Parts<'a> {
    order: Option<Vec<u32>>,
    free: Vec<&'a str>,
    defined: Vec<&'a str>,
    unread: FxHashSet<&'a str>,
    regions: FxHashMap<u32, Vec<Plan>>,
    /// Initializers of this graph and of those below, which must not have names of the graphs around.
    own: Vec<Own<'a>>,
}

struct Planner<'p> {
    names: &'p mut Names,
    limits: &'p mut Limits,
}

impl Planner<'_> {
    fn finish(&mut self, parts: Parts<'_>) -> Plan {
        let Parts { order, free, defined, unread, regions, .. } = parts;
        let free = free.into_iter().map(|name| self.names.intern(name)).collect();
        let defined = defined.into_iter().map(|name| self.names.intern(name)).collect();
        let unread = unread.into_iter().map(|name| self.names.intern(name)).collect();
        Plan { order, free, defined, unread, regions }
    }

    fn graph<'a>(&mut self, graph: &'a GraphProto, inner: bool) -> Result<Parts<'a>, ImportError> {
        self.limits.take_for(cost::of_graph(graph))?;
        let mut defined = FxHashMap::default();
        for input in &graph.input {
            define(&mut defined, &input.name, Source::Input)?;
        }
        for tensor in &graph.initializer {
            define(&mut defined, &tensor.name, Source::Initializer(Some(tensor)))?;
        }
        for tensor in &graph.sparse_initializer {
            let name = tensor.values.as_ref().map_or("", |values| values.name.as_str());
            define(&mut defined, name, Source::Initializer(None))?;
        }
        self.nodes(&graph.node, graph.output.iter().map(|output| output.name.as_str()), defined, inner)
    }

    fn nodes<'a>(
        &mut self,
        nodes: &'a [NodeProto],
        outputs: impl Iterator<Item = &'a str>,
        mut defined: FxHashMap<&'a str, Source<'a>>,
        inner: bool,
    ) -> Result<Parts<'a>, ImportError> {
        self.limits.take_for(cost::of_nodes(nodes))?;
        for (index, node) in (0_u32..).zip(nodes) {
            for output in node.output.iter().filter(|output| !output.is_empty()) {
                define(&mut defined, output, Source::Node(index))?;
            }
        }
        let masks = nodes.iter().filter(|node| node.op_type == "Dropout").filter_map(|node| node.output.get(1));
        let mut unread: FxHashSet<&str> = masks.map(String::as_str).filter(|mask| !mask.is_empty()).collect();
        let mut free = Vec::new();
        let mut seen = FxHashSet::default();
        // What of the graphs below must not have the name of a value of this one; then what of this one, for those around.
        let mut below: Vec<Own<'_>> = Vec::new();
        let mut own: Vec<Own<'_>> = Vec::new();
        let mut regions = FxHashMap::default();
        // The nodes that each node waits for, one after another; `starts` says where those of a node begin.
        let mut waits: Vec<u32> = Vec::new();
        let mut starts = Vec::with_capacity(nodes.len() + 1);
        let mut sorted = true;
        let mut read = |name: &'a str, reader: u32, waits: &mut Vec<u32>| match defined.get(name) {
            Some(Source::Node(maker)) => {
                if !unread.is_empty() {
                    unread.remove(name);
                }
                sorted &= *maker < reader;
                waits.push(*maker);
            }
            Some(Source::Initializer(tensor)) if inner && seen.insert(name) => own.push((name, *tensor)),
            Some(_) => {}
            None if seen.insert(name) => free.push(name),
            None => {}
        };
        for (index, node) in (0_u32..).zip(nodes) {
            starts.push(waits.len());
            for name in node.input.iter().filter(|name| !name.is_empty()) {
                read(name, index, &mut waits);
            }
            let mut plans = Vec::new();
            for subgraph in subgraphs(node) {
                let mut parts = self.graph(subgraph, true)?;
                for (name, tensor) in &parts.own {
                    refuse_shadow(node, name, *tensor, defined.get(name).copied())?;
                }
                // The smaller list is the one that is moved.
                if parts.own.len() > below.len() {
                    std::mem::swap(&mut parts.own, &mut below);
                }
                below.append(&mut parts.own);
                self.limits.take(parts.free.len() as u64 * cost::CAPTURE).map_err(|()| {
                    ImportError::Limit(format!(
                        "the subgraphs below node '{}' take so many values from outside, through so many levels, that \
                         reading the model would need far more memory than the file",
                        shown(label(node))
                    ))
                })?;
                for name in &parts.free {
                    read(name, index, &mut waits);
                }
                plans.push(self.finish(parts));
            }
            if !plans.is_empty() {
                regions.insert(index, plans);
            }
        }
        starts.push(waits.len());
        for name in outputs {
            if name.is_empty() {
                return Err(ImportError::Model("an output of a graph has no name".into()));
            }
            // Outputs wait for nothing: the reader after all nodes.
            read(name, nodes.len() as u32, &mut Vec::new());
        }
        let order = if sorted { None } else { Some(sort(nodes, &waits, &starts)?) };
        let defined = defined.into_keys().collect();
        if inner {
            own.append(&mut below);
        }
        Ok(Parts { order, free, defined, unread, regions, own })
    }
}

/// Refuses an initializer below a node where the graph of the node gives the same name to something else.
fn refuse_shadow(
    node: &NodeProto,
    name: &str,
    inner: Option<&TensorProto>,
    outer: Option<Source<'_>>,
) -> Result<(), ImportError> {
    match (inner, outer) {
        (_, None) => Ok(()),
        (Some(inner), Some(Source::Initializer(Some(outer)))) if inner == outer => Ok(()),
        (_, Some(_)) => {
            let fault = format!(
                "an initializer below node '{}' ({}) has the name of a value outside that is something else; engines \
                 disagree on which of the two is meant, so give each a name of its own",
                shown(label(node)),
                shown(&node.op_type)
            );
            Err(ImportError::Value { value: name.into(), fault })
        }
    }
}

/// Defines a name in a graph.
fn define<'a>(
    defined: &mut FxHashMap<&'a str, Source<'a>>,
    name: &'a str,
    source: Source<'a>,
) -> Result<(), ImportError> {
    if name.is_empty() {
        return Err(ImportError::Model("an input or initializer of a graph has no name".into()));
    }
    let source = match (defined.get(name), source) {
        (None, source) => source,
        (Some(Source::Input), Source::Initializer(_)) => Source::InputAndInitializer,
        (Some(_), _) => {
            let fault = "it is defined twice; every name of a graph must be defined once".into();
            return Err(ImportError::Value { value: name.into(), fault });
        }
    };
    defined.insert(name, source);
    Ok(())
}

/// Kahn's algorithm, earliest node of the file first.
fn sort(nodes: &[NodeProto], waits: &[u32], starts: &[usize]) -> Result<Vec<u32>, ImportError> {
    let of = |node: usize| &waits[starts[node]..starts[node + 1]];
    let mut missing: Vec<u32> = (0..nodes.len()).map(|node| of(node).len() as u32).collect();
    // The nodes that wait for each node, in the same packed form.
    let mut reader_starts = vec![0_usize; nodes.len() + 1];
    for maker in waits {
        reader_starts[*maker as usize + 1] += 1;
    }
    for node in 0..nodes.len() {
        reader_starts[node + 1] += reader_starts[node];
    }
    let mut next = reader_starts.clone();
    let mut readers = vec![0_u32; waits.len()];
    for node in 0..nodes.len() {
        for maker in of(node) {
            let place = &mut next[*maker as usize];
            readers[*place] = node as u32;
            *place += 1;
        }
    }
    let mut ready: BinaryHeap<Reverse<u32>> =
        (0_u32..).zip(&missing).filter(|(_, missing)| **missing == 0).map(|(node, _)| Reverse(node)).collect();
    let mut order = Vec::with_capacity(nodes.len());
    while let Some(Reverse(node)) = ready.pop() {
        order.push(node);
        for reader in &readers[reader_starts[node as usize]..reader_starts[node as usize + 1]] {
            let left = &mut missing[*reader as usize];
            *left -= 1;
            if *left == 0 {
                ready.push(Reverse(*reader));
            }
        }
    }
    if order.len() == nodes.len() { Ok(order) } else { Err(cycle(nodes, &missing, of)) }
}

/// Follows what a stuck node waits for until it comes back to one that it has seen.
fn cycle<'w>(nodes: &[NodeProto], missing: &[u32], of: impl Fn(usize) -> &'w [u32]) -> ImportError {
    let stuck = |node: &u32| missing[*node as usize] > 0;
    let mut path: Vec<u32> = Vec::new();
    let mut at: FxHashMap<u32, usize> = FxHashMap::default();
    let mut node = (0_u32..nodes.len() as u32).find(stuck);
    while let Some(current) = node {
        if let Some(start) = at.insert(current, path.len()) {
            path.drain(..start);
            break;
        }
        path.push(current);
        node = of(current as usize).iter().copied().find(stuck);
    }
    let show = |node: &u32| {
        let node = &nodes[*node as usize];
        let made = node.output.iter().find(|output| !output.is_empty()).map_or("", String::as_str);
        format!("{} '{}' (makes '{}')", shown(&node.op_type), shown(label(node)), shown(made))
    };
    let mut text: Vec<String> = path.iter().take(4).map(show).collect();
    if path.len() > 4 {
        text.push(format!("{} more", path.len() - 4));
    }
    ImportError::Cycle(text.join(" waits for "))
}
