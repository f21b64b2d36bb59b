//! Drops what nobody reads: operators, optional results, constants, captures of regions.

use edgesmith_ir::op::Arity;
use edgesmith_ir::{Def, GraphId, Model, OpId, OpKind, ValueId};
use edgesmith_pass::Event;
use smallvec::smallvec;

/// Removes dead code in every graph that rules may change. Returns how many operators, constants and captures went.
pub(crate) fn remove(model: &mut Model, tell: &mut dyn FnMut(Event)) -> u64 {
    let mut removed = 0;
    // Regions after their owners: a capture that nobody reads inside is no use outside.
    for graph in model.open_graphs().into_iter().rev() {
        removed += remove_in(model, graph, tell);
    }
    removed
}

fn remove_in(model: &mut Model, graph_id: GraphId, tell: &mut dyn FnMut(Event)) -> u64 {
    let mut removed = 0;
    let mut stack: Vec<OpId> = model.graph(graph_id).ops().map(|(op, _)| op).collect();
    while let Some(op) = stack.pop() {
        let graph = model.graph(graph_id);
        if !graph.is_alive(op) {
            continue;
        }
        let data = graph.op(op);
        let unread = |value: &ValueId| graph.value(*value).uses().is_empty() && !graph.value(*value).is_pinned();
        if data.results().iter().flatten().all(unread) {
            let producers: Vec<OpId> = data.operands().iter().flatten().filter_map(|v| graph.producer(*v)).collect();
            let site = model.op_label(graph_id, op);
            tell(Event { rule: crate::DEAD_CODE.name, site, from: smallvec![data.origin()], into: None });
            model.graph_mut(graph_id).erase_op(op);
            stack.extend(producers);
            removed += 1;
            continue;
        }
        removed += drop_optional_results(model, graph_id, op);
        removed += drop_captures(model, graph_id, op, &mut stack);
    }
    let dead: Vec<ValueId> = model
        .graph(graph_id)
        .values()
        .filter(|(_, value)| matches!(value.def(), Def::Constant(_)) && value.uses().is_empty() && !value.is_pinned())
        .map(|(id, _)| id)
        .collect();
    for value in &dead {
        model.graph_mut(graph_id).erase_constant(*value);
    }
    removed + dead.len() as u64
}

/// A result that may be absent and that nobody reads need not be computed.
fn drop_optional_results(model: &mut Model, graph_id: GraphId, op: OpId) -> u64 {
    let graph = model.graph(graph_id);
    let data = graph.op(op);
    let kind = data.op().kind();
    // Which results a normalisation in training mode or a recurrence has decides nothing about the others, so any
    // optional one can go. Unknown operators keep what they have.
    if matches!(kind, OpKind::Custom | OpKind::Call) {
        return 0;
    }
    let formals = kind.signature().results;
    let droppable: Vec<usize> = data
        .results()
        .iter()
        .enumerate()
        .filter(|(slot, value)| {
            formals.get(*slot).is_some_and(|formal| formal.arity == Arity::Maybe)
                && value.is_some_and(|v| graph.value(v).uses().is_empty() && !graph.value(v).is_pinned())
        })
        .map(|(slot, _)| slot)
        .collect();
    for slot in &droppable {
        model.graph_mut(graph_id).drop_result(op, *slot);
    }
    droppable.len() as u64
}

/// A capture that no region of the operator reads is no operand.
fn drop_captures(model: &mut Model, graph_id: GraphId, op: OpId, stack: &mut Vec<OpId>) -> u64 {
    let data = model.graph(graph_id).op(op);
    let captures = data.captures().len();
    if captures == 0 {
        return 0;
    }
    let (regions, formals) = (data.regions().to_vec(), data.formals().len());
    let mut removed = 0;
    for capture in (0..captures).rev() {
        let total = model.graph(graph_id).op(op).captures().len();
        let behind = total - capture;
        let unread = regions.iter().all(|region| {
            let graph = model.graph(*region);
            let inputs = graph.inputs();
            inputs.len() >= behind && graph.value(inputs[inputs.len() - behind]).uses().is_empty()
        });
        if !unread {
            continue;
        }
        if let Some(value) = model.graph(graph_id).op(op).operand(formals + capture) {
            stack.extend(model.graph(graph_id).producer(value));
        }
        model.graph_mut(graph_id).remove_operand(op, formals + capture);
        for region in &regions {
            let at = model.graph(*region).inputs().len() - behind;
            model.graph_mut(*region).remove_input(at);
        }
        removed += 1;
    }
    removed
}
