//! What stands in the way of running a model here.

use edgesmith_ir::{GraphId, Model, Op, OpKind};

use super::label;
use crate::Obstacle;

/// Everything in these graphs that can be seen without data.
pub(super) fn obstacles(model: &Model, graphs: &[GraphId]) -> Vec<Obstacle> {
    let mut found = Vec::new();
    for id in graphs {
        for (op, data) in model.graph(*id).ops() {
            if let Some(reason) = obstacle(data.op(), data.regions()) {
                found.push(Obstacle { graph: *id, op, label: label(model, *id, op), reason: reason.to_owned() });
            }
        }
    }
    found
}

fn obstacle(op: &Op, regions: &[GraphId]) -> Option<&'static str> {
    match op.kind() {
        OpKind::Custom => Some("the operator is not known; nothing here can compute it"),
        OpKind::Call if regions.is_empty() => Some("the function has no body in the model"),
        OpKind::Bernoulli
        | OpKind::Multinomial
        | OpKind::RandomNormal
        | OpKind::RandomNormalLike
        | OpKind::RandomUniform
        | OpKind::RandomUniformLike => Some("random numbers have no reference value"),
        _ => None,
    }
}
