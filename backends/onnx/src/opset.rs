//! The opset of the file: that of the source, or the lowest higher one that can hold every operator.

use edgesmith_backend::Unsupported;
use edgesmith_ir::{GraphId, Model, Name};
use edgesmith_onnx_proto::schema;
use edgesmith_rewrite::Remark;

use crate::plan::{Obstacle, Plan};

/// For models that no file said an opset of: old enough for every runtime in use, new enough for every operator that is
/// in wide use.
const DEFAULT: i64 = 17;
/// The newest opset that a released ONNX Runtime takes.
const RUNTIME: i64 = 26;
/// How many operators a remark names.
const SHOWN: usize = 3;

/// Plans the model at the opset asked for, else its own, raised as far as its operators need.
pub(crate) fn plan<'m>(
    model: &'m Model,
    main: GraphId,
    wanted: Option<i64>,
    remarks: &mut Vec<Remark>,
) -> Result<Plan<'m>, Vec<Unsupported>> {
    let start = wanted.or(model.opset("")).unwrap_or(DEFAULT);
    let mut opset = start;
    let mut causes: Vec<Obstacle> = Vec::new();
    loop {
        let plan = Plan::new(model, main, opset, wanted.is_some());
        if plan.obstacles.is_empty() {
            if opset != start {
                remarks.push(raised(model, start, opset, &causes));
            }
            return Ok(plan);
        }
        let stuck = plan.obstacles.iter().any(|obstacle| obstacle.refusal.next.is_none());
        let next = plan.obstacles.iter().filter_map(|obstacle| obstacle.refusal.next).max();
        match next.filter(|next| !stuck && *next > opset && *next <= schema::latest()) {
            Some(next) => {
                causes.extend(plan.obstacles);
                opset = next;
            }
            None => return Err(unsupported(model, start, opset, &causes, &plan.obstacles)),
        }
    }
}

fn site(model: &Model, obstacle: &Obstacle) -> Name {
    model.op_label(obstacle.at.0, obstacle.at.1)
}

fn raised(model: &Model, start: i64, opset: i64, causes: &[Obstacle]) -> Remark {
    let mut texts: Vec<String> = causes
        .iter()
        .take(SHOWN)
        .map(|cause| format!("{} '{}': {}", cause.operator, site(model, cause), cause.refusal.why))
        .collect();
    if causes.len() > SHOWN {
        texts.push(format!("{} more", causes.len() - SHOWN));
    }
    let message = format!("the opset is raised from {start} to {opset}: {}", texts.join("; "));
    let first = causes.first().map(|cause| site(model, cause)).unwrap_or_default();
    let remark = Remark::general("onnx", first, message);
    if opset > RUNTIME { remark.with_remedy(format!("ONNX Runtime takes files up to opset {RUNTIME}")) } else { remark }
}

/// What is in the way: operators that no opset holds, and where one of them is tied to the source's opset, those that
/// cannot stay there.
fn unsupported(model: &Model, start: i64, opset: i64, causes: &[Obstacle], found: &[Obstacle]) -> Vec<Unsupported> {
    let one = |obstacle: &Obstacle, remedy: Option<String>| Unsupported {
        site: site(model, obstacle),
        operator: obstacle.operator.clone(),
        reason: obstacle.refusal.why.clone(),
        remedy,
        at: Some(obstacle.at),
    };
    let tied = |obstacle: &&Obstacle| obstacle.refusal.next.is_none() && opset != start;
    let mut list: Vec<Unsupported> = Vec::new();
    if found.iter().any(|obstacle| tied(&obstacle)) {
        let remedy = format!("keep it in a form that opset {start} has; another operator ties the file to that opset");
        list.extend(causes.iter().map(|cause| one(cause, Some(remedy.clone()))));
    }
    for obstacle in found {
        let remedy = tied(&obstacle).then(|| format!("convert the source model to opset {opset} first"));
        list.push(one(obstacle, remedy));
    }
    list
}
