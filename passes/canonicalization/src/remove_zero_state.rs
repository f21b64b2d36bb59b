//! Removes an initial state of nothing but zeros.

use edgesmith_ir::op::ConstantOfShape;
use edgesmith_ir::{Op, OpId, OpKind, Tensor, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName, Wire};

/// A recurrent layer without an initial state starts from zeros.
pub(crate) struct RemoveZeroState;

/// So many operators are followed back from a state at most.
const FAR: usize = 64;

impl Rewrite for RemoveZeroState {
    const NAME: RuleName = "remove-zero-state";
    const SUMMARY: &'static str = "an initial state of zeros of LSTM, GRU or RNN";
    const ROOTS: &'static [OpKind] = &[OpKind::LSTM, OpKind::GRU, OpKind::RNN];
    const FIDELITY: Fidelity = Fidelity::Exact;
    const MANUAL: &'static str = include_str!("../manual/remove-zero-state.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let data = cx.graph().op(root);
        // X, W, R, B, sequence_lens, initial_h, and of an LSTM initial_c.
        let states = if data.op().kind() == OpKind::LSTM { 5..7 } else { 5..6 };
        let mut found = false;
        let operands: Vec<Option<Wire>> = data
            .operands()
            .iter()
            .enumerate()
            .map(|(slot, value)| {
                let value = (*value)?;
                let zero = states.contains(&slot) && is_zero(cx, value);
                found |= zero;
                (!zero).then_some(value.into())
            })
            .collect();
        if !found {
            return Err(Miss::NoMatch);
        }
        let mut patch = Patch::new(cx);
        let op: Op = data.op().clone();
        let results = data.results().to_vec();
        let new = patch.insert_many(root, op, operands, results.len());
        for (slot, result) in results.iter().enumerate() {
            if let Some(result) = result {
                patch.redefine(*result, Wire::Result { op: new, slot });
            }
        }
        Ok(patch)
    }
}

/// Whether every element of a value is zero, however many there are.
fn is_zero(cx: &Cx<'_>, value: ValueId) -> bool {
    let (mut open, mut left) = (vec![value], FAR);
    while let Some(value) = open.pop() {
        if let Some(tensor) = cx.constant(value) {
            if zeros(tensor) {
                continue;
            }
            return false;
        }
        let Some(producer) = cx.graph().producer(value).filter(|_| left > 0) else { return false };
        left -= 1;
        cx.look_at(producer);
        let data = cx.graph().op(producer);
        match data.op() {
            Op::ConstantOfShape(ConstantOfShape { value: None }) => {}
            Op::ConstantOfShape(ConstantOfShape { value: Some(fill) }) if zeros(fill) => {}
            Op::Concat(_) => open.extend(data.operands().iter().flatten()),
            Op::Cast(_)
            | Op::Expand(_)
            | Op::Flatten(_)
            | Op::Gather(_)
            | Op::Identity(_)
            | Op::Reshape(_)
            | Op::Slice(_)
            | Op::Split(_)
            | Op::Squeeze(_)
            | Op::Tile(_)
            | Op::Transpose(_)
            | Op::Unsqueeze(_) => open.extend(data.operand(0)),
            _ => return false,
        }
    }
    true
}

/// Positive zeros only: a negative one has another sign in the first step.
fn zeros(tensor: &Tensor) -> bool {
    tensor.to_f64().is_some_and(|elements| elements.iter().all(|x| *x == 0.0 && x.is_sign_positive()))
}
