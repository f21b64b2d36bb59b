//! Removes an initial state of nothing but zeros.

use edgesmith_ir::{Op, OpId, OpKind};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName, Wire};

use crate::uniform::every_element;

/// A recurrent layer without an initial state starts from zeros.
pub(crate) struct RemoveZeroState;

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
                // A negative zero would have another sign in the first step.
                let zero = states.contains(&slot) && every_element(cx, value, |x| x == 0.0 && x.is_sign_positive());
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
