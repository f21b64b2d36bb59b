//! Replaces several operators on constants by one value, where only all of them together free what the value takes.

use edgesmith_exec::{EvalOptions, Value, evaluate_op};
use edgesmith_ir::{DType, Graph, GraphId, Model, OpId, OpKind, Tensor, User, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::fold_constants::{Precision, bytes_of, precision};

/// A weight that is cut into pieces and joined in another order: every piece alone would be a copy, the whole is none.
pub(crate) struct FoldConstantGroups;

/// So many operators make a group at most.
const GROUP: usize = 32;

impl Rewrite for FoldConstantGroups {
    const NAME: RuleName = "fold-constant-groups";
    const SUMMARY: &'static str =
        "several operators on the same constants, where together they free what their value takes";
    const ROOTS: &'static [OpKind] = &[];
    const FIDELITY: Fidelity = Fidelity::Exact;
    const MANUAL: &'static str = include_str!("../manual/fold-constant-groups.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let graph = cx.graph();
        let data = graph.op(root);
        // Of one result, and not of constants alone: those are folded one by one.
        let [Some(output)] = data.results() else { return Err(Miss::NoMatch) };
        let produced = data.operands().iter().flatten().any(|value| graph.producer(*value).is_some());
        if !produced {
            return Err(Miss::NoMatch);
        }
        // Asked before anything is weighed: most operators read something that is not constant.
        constant_group(cx, root, GROUP, Precision::Exact).ok_or(Miss::NoMatch)?;
        let needed = bytes_of(cx, *output).ok_or(Miss::NoMatch)?;
        let freed = Going::with(cx.model(), cx.graph_id(), root, GROUP).constant_bytes;
        if needed > freed {
            return Err(Miss::NoMatch);
        }
        fold_group(cx, root, GROUP, Precision::Exact, freed)
    }
}

/// Whether an operator computes from its operands alone, no less precisely than this; it may be an Identity.
pub(crate) fn computes(graph: &Graph, op: OpId, least: Precision) -> bool {
    let data = graph.op(op);
    let float = |value: &ValueId| graph.value(*value).ty().dtype().is_some_and(DType::is_float);
    let is_float = data.formals().iter().flatten().any(float);
    data.regions().is_empty()
        && data.op().kind() != OpKind::Dropout
        && (precision(data.op(), is_float) <= least || data.op().kind() == OpKind::Identity)
}

/// The operators behind the root, itself last, if all that they read are constants and none is less precise than this.
fn constant_group(cx: &Cx<'_>, root: OpId, most: usize, least: Precision) -> Option<Vec<OpId>> {
    let graph = cx.graph();
    let (mut order, mut seen, mut stack) = (Vec::new(), FxHashSet::default(), vec![(root, false)]);
    while let Some((op, done)) = stack.pop() {
        if done {
            order.push(op);
            continue;
        }
        if !seen.insert(op) {
            continue;
        }
        if !computes(graph, op, least) || seen.len() > most {
            return None;
        }
        stack.push((op, true));
        for operand in graph.op(op).operands().iter().flatten() {
            match graph.producer(*operand) {
                Some(producer) => stack.push((producer, false)),
                None if cx.constant(*operand).is_some() => {}
                None => return None,
            }
        }
    }
    Some(order)
}

/// What goes when an operator that is computed from constants alone becomes a constant.
pub(crate) struct Going {
    /// The operators, that one first.
    pub(crate) ops: Vec<OpId>,
    /// Bytes of the constants.
    pub(crate) constant_bytes: u64,
}

impl Going {
    /// From the root backwards: an operator, or a constant, goes where all that read it go.
    pub(crate) fn with(model: &Model, id: GraphId, root: OpId, most: usize) -> Self {
        let graph = model.graph(id);
        let (mut ops, mut constant_bytes) = (vec![root], 0);
        let mut going: FxHashSet<OpId> = ops.iter().copied().collect();
        let mut counted: FxHashSet<ValueId> = FxHashSet::default();
        let goes = |value: ValueId, going: &FxHashSet<OpId>| {
            let row = graph.value(value);
            !row.is_pinned() && row.uses().iter().all(|u| matches!(u.user, User::Op(user) if going.contains(&user)))
        };
        // What is looked at before its last reader goes is looked at again from there.
        let mut at = 0;
        while let Some(op) = ops.get(at).copied() {
            at += 1;
            for operand in graph.op(op).operands().iter().flatten() {
                if let Some(producer) = graph.producer(*operand) {
                    let results = graph.op(producer).results().iter().flatten();
                    if ops.len() < most && !going.contains(&producer) && results.copied().all(|v| goes(v, &going)) {
                        going.insert(producer);
                        ops.push(producer);
                    }
                } else if goes(*operand, &going) && counted.insert(*operand) {
                    constant_bytes += model.constant_of(id, *operand).map_or(0, Tensor::byte_len);
                }
            }
        }
        Self { ops, constant_bytes }
    }
}

/// Folds the operators behind the root, `most` at most, into its one result, which may take `limit` bytes.
pub(crate) fn fold_group(cx: &Cx<'_>, root: OpId, most: usize, least: Precision, limit: u64) -> Match<Patch> {
    let [Some(output)] = cx.graph().op(root).results() else { return Err(Miss::NoMatch) };
    let group = constant_group(cx, root, most, least).ok_or(Miss::NoMatch)?;
    for op in &group {
        cx.look_at(*op);
    }
    let tensor = evaluate(cx, &group, *output, limit).ok_or(Miss::NoMatch)?;
    let mut patch = Patch::new(cx);
    let constant = patch.constant(tensor);
    patch.redefine(*output, constant);
    Ok(patch)
}

/// The value of the last of the operators; `None` when it is not computed or larger than the limit.
fn evaluate(cx: &Cx<'_>, group: &[OpId], output: ValueId, limit: u64) -> Option<Tensor> {
    let graph = cx.graph();
    let mut values: FxHashMap<ValueId, Value> = FxHashMap::default();
    for op in group {
        let data = graph.op(*op);
        let operands: Vec<Option<Value>> = data
            .operands()
            .iter()
            .map(|operand| match operand {
                None => Some(None),
                Some(value) => match values.get(value) {
                    Some(known) => Some(Some(known.clone())),
                    None => cx.constant(*value).map(|tensor| Some(Value::Tensor(tensor.clone()))),
                },
            })
            .collect::<Option<_>>()?;
        let wanted: Vec<bool> = data.results().iter().map(Option::is_some).collect();
        let results = evaluate_op(data.op(), &operands, &wanted, &EvalOptions::folding(limit.max(1 << 20))).ok()?;
        for (result, value) in data.results().iter().zip(results) {
            if let (Some(result), Some(value)) = (result, value) {
                values.insert(*result, value);
            }
        }
    }
    values.get(&output)?.as_tensor().cloned()
}
