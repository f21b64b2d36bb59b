//! InstanceNormalization from its formula.

use edgesmith_ir::op::InstanceNormalization;
use edgesmith_ir::{F32, OpId, OpKind};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

use super::layer_normalization::is_scaled;
use super::moments::{channels, filled, normalised, per_channel, tail};
use super::pattern::{is_single_or_half, result, same_rank, saves, since};

/// `(x − mean) / √(variance + ε) · scale + bias`, mean and variance over the plane of each channel.
pub(crate) struct RaiseInstanceNormalization;

impl Rewrite for RaiseInstanceNormalization {
    const NAME: RuleName = "raise-instance-normalization";
    const SUMMARY: &'static str = "normalisation of every channel by its own moments into InstanceNormalization";
    const ROOTS: &'static [OpKind] = &[OpKind::Div, OpKind::Mul];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../../manual/raise-instance-normalization.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        since(cx, 6)?;
        let from = result(cx, root)?;
        let core = normalised(cx, root).ok_or(Miss::NoMatch)?;
        let rank = cx.dims(core.x).ok_or(Miss::NoMatch)?.len();
        if rank < 3 || !core.axes.iter().copied().eq(2..rank) {
            return Err(Miss::NoMatch);
        }
        // With one axis in the plane it may be a LayerNormalization; before opset 17 runtimes look for its formula themselves.
        if rank == 3 && is_scaled(cx, &core, from) {
            return Err(Miss::NoMatch);
        }
        let Some(count) = channels(cx, core.x) else {
            return cx.reject(root, "the number of channels is not known");
        };
        is_single_or_half(cx, core.x)?;
        let tail = tail(cx, from, |value| Some((value, per_channel(cx, value, rank, count)?)));
        same_rank(cx, tail.end, core.x)?;
        saves(cx, tail.end, &[core.x], 1)?;
        let mut patch = Patch::new(cx);
        let mut operands = Vec::with_capacity(2);
        for (constant, neutral) in [(tail.scale, 1.0), (tail.bias, 0.0)] {
            operands.push(match constant {
                // A vector already: the same constant goes on.
                Some((value, _)) if cx.dims(value).is_some_and(|dims| dims.len() == 1) => value.into(),
                Some((value, vector)) => patch.constant_like(value, vector),
                None => match filled(cx, &mut patch, core.x, count, neutral) {
                    Some(wire) => wire,
                    None => return cx.reject(root, "the scale or bias that it needs would make the file larger"),
                },
            });
        }
        let op = InstanceNormalization { epsilon: F32(core.epsilon) };
        let raised = patch.insert(op, [Some(core.x.into()), Some(operands[0]), Some(operands[1])]);
        patch.redefine(tail.end, raised);
        Ok(patch)
    }
}
