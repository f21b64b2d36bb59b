//! What the tests of the text share: equality of models, and the fixed point of printing and reading.

#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(clippy::panic, clippy::unwrap_used, clippy::print_stderr, reason = "helpers of tests")]

use edgesmith_ir::{EntityId, Graph, GraphId, Model, Origin, OriginId};
use edgesmith_ir_text::{NoWeights, PrintOptions, Printed, TextError, WeightSource, parse_model, print_model};

/// Reads a text that needs no weights.
#[track_caller]
pub fn read(text: &str) -> Model {
    read_with(text, &NoWeights)
}

#[track_caller]
pub fn read_with(text: &str, weights: &dyn WeightSource) -> Model {
    parse_model(text, weights).unwrap_or_else(|error: TextError| panic!("{error}\n{text}"))
}

/// Prints everything, reads it, and checks that nothing has changed; the same for the brief form with itself.
#[track_caller]
pub fn fixed_point(model: &Model) -> Printed {
    let mut model = model.clone();
    model.compact().unwrap();
    let printed = print_model(&model, &PrintOptions::default());
    let back = read_with(&printed.text, &printed.weights);
    let again = print_model(&back, &PrintOptions::default());
    assert_eq!(printed.text, again.text);
    assert!(same_models(&model, &back), "{}", printed.text);
    assert_eq!(printed.weights.keys().collect::<Vec<_>>(), again.weights.keys().collect::<Vec<_>>());
    let brief = print_model(&model, &PrintOptions::brief());
    let back = read_with(&brief.text, &brief.weights);
    assert_eq!(brief.text, print_model(&back, &PrintOptions::brief()).text);
    printed
}

/// Whether two compacted models are equal in everything but contents, which inference makes.
pub fn same_models(a: &Model, b: &Model) -> bool {
    let mut same = true;
    let mut check = |what: &str, equal: bool| {
        if !equal {
            eprintln!("different: {what}");
        }
        same &= equal;
    };
    check("entries", a.entries == b.entries);
    check("opsets", a.opsets == b.opsets && a.opsets.keys().eq(b.opsets.keys()));
    check("metadata", a.metadata == b.metadata);
    check("symbols", a.symbols.iter().eq(b.symbols.iter()) && a.symbols.equal == b.symbols.equal);
    check("functions", a.functions.keys().eq(b.functions.keys()));
    for (key, function) in &a.functions {
        let Some(other) = b.functions.get(key) else { continue };
        check("body", function.body == other.body);
        check("attributes", function.attributes == other.attributes && function.defaults == other.defaults);
        check("opsets of a function", function.opsets == other.opsets);
        check("notes of a function", function.doc == other.doc && function.metadata == other.metadata);
    }
    check("number of graphs", a.graphs().count() == b.graphs().count());
    let tensors = |model: &Model| -> Vec<_> {
        model.tensors().map(|(_, row)| (row.tensor.clone(), row.role, row.doc.clone(), row.metadata.clone())).collect()
    };
    check("tensors", tensors(a) == tensors(b));
    for ((id, left), (_, right)) in a.graphs().zip(b.graphs()) {
        same_graphs(a, b, id, left, right, &mut check);
    }
    same
}

fn same_graphs(a: &Model, b: &Model, id: GraphId, left: &Graph, right: &Graph, check: &mut dyn FnMut(&str, bool)) {
    check("name", left.name == right.name && left.doc == right.doc && left.metadata == right.metadata);
    check(&format!("{id} inputs"), left.inputs() == right.inputs());
    check(&format!("{id} outputs"), left.outputs() == right.outputs());
    check(&format!("{id} pristine"), left.is_pristine() == right.is_pristine());
    check(&format!("{id} values"), left.values().count() == right.values().count());
    for ((value, x), (other, y)) in left.values().zip(right.values()) {
        check(&format!("{id} {value} id"), value == other);
        check(&format!("{id} {value} name"), x.name() == y.name());
        check(&format!("{id} {value} type {} {}", x.ty(), y.ty()), x.ty() == y.ty());
        check(&format!("{id} {value} definition"), x.def() == y.def());
        let extra = |extra: Option<&edgesmith_ir::ValueExtra>| extra.cloned().unwrap_or_default();
        check(&format!("{id} {value} extra"), extra(x.extra()) == extra(y.extra()));
    }
    check(&format!("{id} operators"), left.ops().count() == right.ops().count());
    for ((op, x), (other, y)) in left.ops().zip(right.ops()) {
        check(&format!("{id} {op} id"), op == other);
        check(&format!("{id} {op} operator"), x.op() == y.op());
        check(&format!("{id} {op} operands"), x.operands() == y.operands());
        check(&format!("{id} {op} captures"), x.captures() == y.captures());
        check(&format!("{id} {op} results"), x.results() == y.results());
        check(&format!("{id} {op} regions"), x.regions() == y.regions());
        check(&format!("{id} {op} name"), x.name() == y.name());
        let extra = |extra: Option<&edgesmith_ir::OpExtra>| extra.cloned().unwrap_or_default();
        check(&format!("{id} {op} extra"), extra(x.extra()) == extra(y.extra()));
        check(&format!("{id} {op} origin"), same_origins(a, b, x.origin(), y.origin()));
    }
}

/// Whether two origins unfold to the same tree.
pub fn same_origins(a: &Model, b: &Model, left: OriginId, right: OriginId) -> bool {
    let mut stack = vec![(left, right)];
    let mut seen = std::collections::BTreeSet::new();
    while let Some((left, right)) = stack.pop() {
        if !seen.insert((left.index(), right.index())) {
            continue;
        }
        match (a.origin(left), b.origin(right)) {
            (Origin::Derived { rule, from }, Origin::Derived { rule: other, from: others }) => {
                if rule != other || from.len() != others.len() {
                    return false;
                }
                stack.extend(from.iter().copied().zip(others.iter().copied()));
            }
            (x, y) if x == y => {}
            _ => return false,
        }
    }
    true
}
