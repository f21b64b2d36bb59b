//! What two models say about themselves, and what they take and give.

use std::fmt::Display;

use edgesmith_ir::op::FunctionKey;
use edgesmith_ir::{Def, Graph, Model, Name, ValueId};
use indexmap::IndexMap;

use super::matching::{Matching, function_name};
use super::report::{Change, InterfaceChange, Port};

/// A change, where the two say something else.
pub(super) fn change<T: PartialEq + Display>(what: &str, before: Option<T>, after: Option<T>) -> Option<Change> {
    (before != after).then(|| Change {
        what: what.to_owned(),
        before: before.map(|x| x.to_string()),
        after: after.map(|x| x.to_string()),
    })
}

pub(super) fn header(a: &Model, b: &Model) -> Vec<Change> {
    let (x, y) = (&a.metadata, &b.metadata);
    let said = |name: &Name| (!name.is_empty()).then(|| name.clone());
    let mut changes = vec![
        change("IR version", Some(x.ir_version), Some(y.ir_version)),
        change("producer", said(&x.producer_name), said(&y.producer_name)),
        change("producer version", said(&x.producer_version), said(&y.producer_version)),
        change("domain", said(&x.domain), said(&y.domain)),
        change("model version", Some(x.model_version), Some(y.model_version)),
        change("documentation", said(&x.doc), said(&y.doc)),
    ];
    let domain = |name: &Name| format!("opset of {}", if name.is_empty() { "ai.onnx" } else { name });
    each(&a.opsets, &b.opsets, |name| domain(name), &mut changes);
    let notes = |model: &Model| -> IndexMap<Name, Name> { model.metadata.properties.iter().cloned().collect() };
    each(&notes(a), &notes(b), |key| format!("note '{key}'"), &mut changes);
    if let (Some(ga), Some(gb)) = (a.main_graph(), b.main_graph()) {
        changes.push(change("graph name", said(&ga.name), said(&gb.name)));
        changes.push(change("graph documentation", said(&ga.doc), said(&gb.doc)));
        let notes = |graph: &Graph| -> IndexMap<Name, Name> { graph.metadata.iter().cloned().collect() };
        each(&notes(ga), &notes(gb), |key| format!("note '{key}' of the graph"), &mut changes);
    }
    if x.opaque != y.opaque {
        let size = |bytes: &[u8]| (!bytes.is_empty()).then(|| format!("{} bytes", bytes.len()));
        changes.push(Some(Change {
            what: "training information or device configuration".to_owned(),
            before: size(&x.opaque),
            after: size(&y.opaque),
        }));
    }
    changes.into_iter().flatten().collect()
}

/// Every key of two tables.
fn each<K: std::hash::Hash + Eq, V: PartialEq + Display + Clone>(
    a: &IndexMap<K, V>,
    b: &IndexMap<K, V>,
    what: impl Fn(&K) -> String,
    changes: &mut Vec<Option<Change>>,
) {
    for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
        changes.push(change(&what(key), a.get(key).cloned(), b.get(key).cloned()));
    }
}

/// Functions that only one of the models has. What differs inside one is reported with the operators.
pub(super) fn functions(a: &Model, b: &Model) -> Vec<Change> {
    let signature = |model: &Model, key: &FunctionKey| {
        let function = model.functions.get(key)?;
        let defaults: Vec<String> = function.defaults.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        let attributes: Vec<&str> = function.attributes.iter().map(Name::as_str).collect();
        let opsets: Vec<String> = function.opsets.iter().map(|(domain, n)| format!("{domain} {n}")).collect();
        let list = [attributes.join(", "), defaults.join(", ")].join("; ");
        Some(format!("({}) opset {}", list.trim_matches([';', ' ']), opsets.join(",").trim()))
    };
    a.functions
        .keys()
        .chain(b.functions.keys().filter(|key| !a.functions.contains_key(*key)))
        .filter_map(|key| change(&format!("function {}", function_name(key)), signature(a, key), signature(b, key)))
        .collect()
}

fn port(graph: &Graph, value: ValueId, position: usize) -> Port {
    let row = graph.value(value);
    // What a file declares is what its users see; the rest is worked out.
    let ty = row.extra().and_then(|extra| extra.declared.as_ref()).unwrap_or(row.ty());
    Port {
        name: row.name().to_string(),
        position,
        ty: ty.to_string(),
        has_default: matches!(row.def(), Def::Input { default: Some(_) }),
    }
}

pub(super) fn interface(a: &Model, b: &Model, matching: &Matching) -> Vec<InterfaceChange> {
    let (Some(ga), Some(gb)) = (a.main_graph(), b.main_graph()) else { return Vec::new() };
    let mut changes = Vec::new();
    let sides = [
        ("input", ga.inputs(), gb.inputs(), &matching.inputs),
        ("output", ga.outputs(), gb.outputs(), &matching.outputs),
    ];
    for (side, first, second, pairs) in sides {
        let mut met = vec![false; second.len()];
        for (position, value) in first.iter().enumerate() {
            let before = port(ga, *value, position);
            let after = pairs[position].map(|other| {
                met[other] = true;
                port(gb, second[other], other)
            });
            // Callers never give inputs with a default by place.
            let placed = after.clone().map(|port| match port.has_default && before.has_default {
                true => Port { position, ..port },
                false => port,
            });
            if placed.as_ref() != Some(&before) {
                changes.push(InterfaceChange { side, before: Some(before), after });
            }
        }
        for (position, value) in second.iter().enumerate().filter(|(position, _)| !met[*position]) {
            changes.push(InterfaceChange { side, before: None, after: Some(port(gb, *value, position)) });
        }
    }
    changes
}
