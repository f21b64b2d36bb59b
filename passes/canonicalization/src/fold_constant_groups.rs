//! Replaces several operators on constants by one value, where only all of them together free what the value takes.

use edgesmith_exec::{EvalOptions, Value, evaluate_op};
use edgesmith_ir::{Def, OpId, OpKind, User, ValueId};
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
        let group = constant_group(cx, root, GROUP, Precision::Exact).ok_or(Miss::NoMatch)?;
        let needed = bytes_of(cx, *output).ok_or(Miss::NoMatch)?;
        let freed = freed_with(cx, root, &group);
        if needed > freed {
            return Err(Miss::NoMatch);
        }
        for op in &group {
            cx.look_at(*op);
        }
        let tensor = evaluate(cx, &group, *output, freed).ok_or(Miss::NoMatch)?;
        let mut patch = Patch::new(cx);
        let constant = patch.constant(tensor);
        patch.redefine(*output, constant);
        Ok(patch)
    }
}

/// The operators behind the root, itself last, if all that they read are constants and none is less precise than this.
pub(crate) fn constant_group(cx: &Cx<'_>, root: OpId, most: usize, least: Precision) -> Option<Vec<OpId>> {
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
        let data = graph.op(op);
        let float = data.formals().iter().flatten().any(|v| cx.dtype(*v).is_some_and(edgesmith_ir::DType::is_float));
        let foldable = data.regions().is_empty()
            && data.op().kind() != OpKind::Dropout
            && (precision(data.op(), float) <= least || data.op().kind() == OpKind::Identity);
        if !foldable || seen.len() > most {
            return None;
        }
        stack.push((op, true));
        for operand in data.operands().iter().flatten() {
            match graph.producer(*operand) {
                Some(producer) => stack.push((producer, false)),
                None if cx.constant(*operand).is_some() => {}
                None => return None,
            }
        }
    }
    Some(order)
}

/// Bytes of the constants that nobody needs once the root is a constant.
fn freed_with(cx: &Cx<'_>, root: OpId, group: &[OpId]) -> u64 {
    let graph = cx.graph();
    let mut dying: FxHashSet<OpId> = FxHashSet::default();
    // From the root backwards: an operator goes where all that read it go.
    for op in group.iter().rev() {
        let goes = |value: &ValueId| {
            let row = graph.value(*value);
            !row.is_pinned() && row.uses().iter().all(|u| matches!(u.user, User::Op(user) if dying.contains(&user)))
        };
        if *op == root || graph.op(*op).results().iter().flatten().all(goes) {
            dying.insert(*op);
        }
    }
    let mut counted: FxHashSet<ValueId> = FxHashSet::default();
    let mut freed = 0;
    for op in group.iter().filter(|op| dying.contains(op)) {
        for operand in graph.op(*op).operands().iter().flatten() {
            let row = graph.value(*operand);
            let dies = !row.is_pinned()
                && matches!(row.def(), Def::Constant(_))
                && row.uses().iter().all(|u| matches!(u.user, User::Op(user) if dying.contains(&user)));
            if dies && counted.insert(*operand) {
                freed += cx.constant(*operand).map_or(0, edgesmith_ir::Tensor::byte_len);
            }
        }
    }
    freed
}

/// The value of the last of the operators; `None` when it is not computed or larger than the limit.
pub(crate) fn evaluate(cx: &Cx<'_>, group: &[OpId], output: ValueId, limit: u64) -> Option<edgesmith_ir::Tensor> {
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
