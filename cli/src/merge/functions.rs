//! Functions of two models: equal ones become one, others of one name are kept apart.

use edgesmith_ir::op::FunctionKey;
use edgesmith_ir::{Graph, GraphId, Model, Name, Op, OpId};
use indexmap::IndexMap;

use crate::diff::Renamed;

/// Renames functions of the second model that would be taken for others: those that the first model has with another
/// body, and those named like operators that the first model carries. A function of the first that is named like an operator
/// that the second carries is renamed likewise.
pub(super) fn keep_apart(a: &mut Model, b: &mut Model, renamed: &mut Vec<Renamed>) {
    let mut clashes: Vec<FunctionKey> = Vec::new();
    for key in b.functions.keys() {
        let differs = a.functions.contains_key(key) && !same_function(a, b, key);
        if differs || (!a.functions.contains_key(key) && carries(a, key)) {
            clashes.push(key.clone());
        }
    }
    for key in clashes {
        rename(b, &key, a, renamed);
    }
    let clashes: Vec<FunctionKey> =
        a.functions.keys().filter(|key| !b.functions.contains_key(*key) && carries(b, key)).cloned().collect();
    for key in clashes {
        rename(a, &key, b, renamed);
    }
}

fn key_of(op: &Op) -> Option<FunctionKey> {
    match op {
        Op::Custom(op) => {
            Some(FunctionKey { domain: op.domain.clone(), name: op.name.clone(), overload: op.overload.clone() })
        }
        _ => None,
    }
}

/// Whether an operator of that name is in the model without being a call.
fn carries(model: &Model, key: &FunctionKey) -> bool {
    model.graphs().any(|(_, graph)| graph.ops().any(|(_, data)| key_of(data.op()).as_ref() == Some(key)))
}

fn same_function(a: &Model, b: &Model, key: &FunctionKey) -> bool {
    let (Some(x), Some(y)) = (a.functions.get(key), b.functions.get(key)) else { return false };
    let (Some(first), Some(second)) = (x.body, y.body) else { return x.body == y.body };
    x.attributes == y.attributes && x.defaults == y.defaults && x.opsets == y.opsets && same_graph(a, first, b, second)
}

/// Whether two graphs are the same, operator by operator and name by name.
fn same_graph(a: &Model, first: GraphId, b: &Model, second: GraphId) -> bool {
    let (ga, gb) = (a.graph(first), b.graph(second));
    let names = |graph: &Graph, values: &[edgesmith_ir::ValueId]| -> Vec<Name> {
        values.iter().map(|value| graph.value(*value).name().clone()).collect()
    };
    let optional = |graph: &Graph, values: &[Option<edgesmith_ir::ValueId>]| -> Vec<Option<Name>> {
        values.iter().map(|value| value.map(|value| graph.value(value).name().clone())).collect()
    };
    let constants = |model: &Model, graph: &Graph| -> IndexMap<Name, blake3::Hash> {
        let held = graph.values().filter_map(|(id, row)| Some((row.name().clone(), graph.constant(id)?)));
        held.map(|(name, tensor)| (name, model.tensor(tensor).content_hash())).collect()
    };
    names(ga, ga.inputs()) == names(gb, gb.inputs())
        && names(ga, ga.outputs()) == names(gb, gb.outputs())
        && ga.ops().count() == gb.ops().count()
        && constants(a, ga) == constants(b, gb)
        && ga.ops().zip(gb.ops()).all(|((_, x), (_, y))| {
            x.op() == y.op()
                && optional(ga, x.operands()) == optional(gb, y.operands())
                && optional(ga, x.results()) == optional(gb, y.results())
                && x.regions().len() == y.regions().len()
                && x.regions().iter().zip(y.regions()).all(|(x, y)| same_graph(a, *x, b, *y))
        })
}

/// Gives a function of `model` a name that neither model has.
fn rename(model: &mut Model, key: &FunctionKey, other: &Model, renamed: &mut Vec<Renamed>) {
    let mut number = 1_u64;
    let fresh = loop {
        let fresh = FunctionKey { name: Name::from(format!("{}_{number}", key.name)), ..key.clone() };
        let taken = |model: &Model| model.functions.contains_key(&fresh) || carries(model, &fresh);
        if !taken(model) && !taken(other) {
            break fresh;
        }
        number += 1;
    };
    let graphs: Vec<GraphId> = model.graphs().map(|(id, _)| id).collect();
    for id in graphs {
        let changes: Vec<(OpId, Op)> = model
            .graph(id)
            .ops()
            .filter_map(|(op, data)| match data.op() {
                Op::Call(call) if call.function == *key => {
                    let mut call = call.clone();
                    call.function = fresh.clone();
                    Some((op, Op::Call(call)))
                }
                // In the body of another function a call is an operator like any other.
                Op::Custom(custom) if key_of(data.op()).as_ref() == Some(key) => {
                    let mut custom = custom.clone();
                    custom.name = fresh.name.clone();
                    Some((op, Op::Custom(custom)))
                }
                _ => None,
            })
            .collect();
        if changes.is_empty() {
            continue;
        }
        let graph = model.graph_mut(id);
        let pristine = graph.is_pristine();
        changes.into_iter().for_each(|(op, new)| graph.set_op(op, new));
        if pristine {
            graph.mark_pristine();
        }
    }
    let functions = std::mem::take(&mut model.functions);
    model.functions =
        functions.into_iter().map(|(held, f)| if held == *key { (fresh.clone(), f) } else { (held, f) }).collect();
    renamed.push(Renamed {
        before: format!("function {}", crate::diff::function_name(key)),
        after: crate::diff::function_name(&fresh),
    });
}
