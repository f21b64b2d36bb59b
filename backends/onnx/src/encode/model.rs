//! The model around the graph: versions, functions, metadata.

use std::io::{self, Write};

use edgesmith_backend::{Content, Names};
use edgesmith_ir::op::FunctionKey;
use edgesmith_ir::{Name, Origin, OriginId};
use edgesmith_onnx_proto::OperatorSetIdProto;
use indexmap::IndexMap;

use super::external::External;
use super::graph::Encoder;
use super::rope::Rope;
use super::tensor;
use crate::ir_version::Version;
use crate::naming::Naming;
use crate::place::Home;
use crate::plan::Plan;
use crate::slots::ConstantKey;

/// An encoded model.
#[derive(Debug)]
pub(crate) struct ModelFile {
    pub rope: Rope,
    pub external: Option<External>,
    /// Nodes by operator, in alphabetical order.
    pub operators: Vec<(String, u64)>,
    pub weight_bytes: u64,
    /// The operator sets in the file.
    pub opsets: Vec<(Name, i64)>,
    /// Values that are read but that nothing defines; a verified model has none.
    pub lost: Vec<Name>,
}

impl Content for Rope {
    fn write(&self, names: &Names, out: &mut dyn Write) -> io::Result<()> {
        Rope::write(self, names, out)
    }
}

/// The key under which provenance is written.
const ORIGINS: &str = "edgesmith.origins";

/// Encodes the model; weights go into `external`, where there is one.
pub(crate) fn encode(
    plan: &Plan<'_>,
    naming: &Naming,
    homes: &IndexMap<ConstantKey, Home>,
    version: Version,
    external: Option<External>,
    origins: bool,
) -> ModelFile {
    let model = plan.slots.model;
    let mut encoder = Encoder {
        plan,
        naming,
        homes,
        old: version.inputs_listed,
        external,
        counts: std::collections::BTreeMap::new(),
        domains: std::collections::BTreeSet::new(),
        weight_bytes: 0,
        lost: Vec::new(),
    };
    let metadata = &model.metadata;
    let mut rope = Rope::default();
    rope.int(1, version.ir);
    if metadata.producer_name.is_empty() {
        rope.text(2, "edgesmith");
        rope.text(3, env!("CARGO_PKG_VERSION"));
    } else {
        rope.text(2, &metadata.producer_name);
        rope.text_if_any(3, &metadata.producer_version);
    }
    rope.text_if_any(4, &metadata.domain);
    if metadata.model_version != 0 {
        rope.int(5, metadata.model_version);
    }
    rope.text_if_any(6, &metadata.doc);
    let graph = encoder.graph(0);
    rope.nested(7, graph);
    // What functions use stands in their own lists.
    let used: Vec<Name> = encoder.domains.iter().cloned().collect();
    let functions: Vec<Rope> = plan.functions.iter().map(|(key, place)| encoder.function(key, *place)).collect();
    let opsets = opsets(plan, &used, encoder.counts.keys().any(|kind| !kind.contains("::")));
    for (domain, number) in &opsets {
        rope.message(8, &OperatorSetIdProto { domain: domain.to_string(), version: *number });
    }
    let mut properties: IndexMap<&str, &str> = IndexMap::new();
    for (key, value) in &metadata.properties {
        // The checker refuses a key that occurs twice; the first counts.
        properties.entry(key).or_insert(value);
    }
    let origins = if origins { origins_text(plan, naming) } else { String::new() };
    if !origins.is_empty() {
        properties.insert(ORIGINS, &origins);
    }
    for (key, value) in properties {
        rope.message(14, &tensor::entry(key, value));
    }
    for function in functions {
        rope.nested(25, function);
    }
    rope.raw(&metadata.opaque);
    let Encoder { external, counts, weight_bytes, lost, .. } = encoder;
    ModelFile { rope, external, operators: counts.into_iter().collect(), weight_bytes, opsets, lost }
}

/// The operator sets to import: those of the source with the chosen one, those of other domains that nodes are of, and what
/// functions need. A domain that nobody states a version of gets 1: files must import what they use.
fn opsets(plan: &Plan<'_>, used: &[Name], standard: bool) -> Vec<(Name, i64)> {
    let mut opsets = plan.slots.model.opsets.clone();
    if standard || opsets.contains_key("") {
        opsets.insert(Name::default(), plan.opset);
    }
    for domain in used.iter().chain(plan.functions.iter().map(|(key, _)| &key.domain)) {
        opsets.entry(domain.clone()).or_insert(1);
    }
    opsets.into_iter().collect()
}

/// Provenance as JSON: by node, the nodes of the source that it came from and the rules that made it.
fn origins_text(plan: &Plan<'_>, naming: &Naming) -> String {
    let model = plan.slots.model;
    let mut entries = serde_json::Map::new();
    for graph in &plan.graphs {
        for node in &graph.nodes {
            let Some((id, op)) = node.notes else { continue };
            let label = match &node.name {
                name if name.is_empty() => {
                    node.outputs.iter().flatten().next().map(|slot| naming.of(plan, *slot)).unwrap_or_default()
                }
                name => name.clone(),
            };
            let (mut sources, mut rules) = (Vec::new(), Vec::new());
            trace(model, model.graph(id).op(op).origin(), &mut sources, &mut rules);
            let entry = serde_json::json!({ "from": sources, "by": rules });
            entries.insert(label.to_string(), entry);
        }
    }
    serde_json::Value::Object(entries).to_string()
}

/// Every source node and every rule behind an origin, each once, in the order met.
fn trace(model: &edgesmith_ir::Model, origin: OriginId, sources: &mut Vec<String>, rules: &mut Vec<String>) {
    let mut seen = rustc_hash::FxHashSet::default();
    let mut open = vec![origin];
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        match model.origin(id) {
            Origin::Source { node, .. } => push_once(sources, node),
            Origin::Derived { rule, from } => {
                push_once(rules, rule);
                open.extend(from.iter().rev());
            }
            _ => {}
        }
    }
}

fn push_once(list: &mut Vec<String>, name: &Name) {
    if !list.iter().any(|known| known == name.as_str()) {
        list.push(name.to_string());
    }
}

impl Encoder<'_, '_> {
    fn function(&mut self, key: &FunctionKey, place: usize) -> Rope {
        let plan = self.plan;
        let graph = &plan.graphs[place];
        let mut rope = Rope::default();
        let Some(function) = plan.slots.model.functions.get(key) else { return rope };
        rope.text(1, &key.name);
        for slot in &graph.inputs {
            rope.text(4, &self.naming.of(plan, *slot));
        }
        for (slot, _) in &graph.outputs {
            rope.text(5, &self.naming.of(plan, *slot));
        }
        for name in &function.attributes {
            rope.text(6, name);
        }
        let outside = std::mem::take(&mut self.domains);
        self.nodes(&mut rope, 7, place);
        let used = std::mem::replace(&mut self.domains, outside);
        rope.text_if_any(8, &function.doc);
        let own = IndexMap::from([(Name::default(), plan.opset)]);
        let mut opsets = if function.typed { own } else { function.opsets.clone() };
        for domain in used {
            let number = plan.slots.model.opset(&domain).unwrap_or(1);
            opsets.entry(domain).or_insert(number);
        }
        for (domain, number) in &opsets {
            rope.message(9, &OperatorSetIdProto { domain: domain.to_string(), version: *number });
        }
        rope.text(10, &key.domain);
        for (name, default) in &function.defaults {
            rope.nested(11, tensor::attribute(name, default, &mut |_| Rope::default()));
        }
        self.value_infos(&mut rope, 12, place);
        rope.text_if_any(13, &key.overload);
        tensor::metadata(&mut rope, 14, &function.metadata);
        rope
    }
}
