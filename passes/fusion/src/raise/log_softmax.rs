//! LogSoftmax from its formula.

use edgesmith_ir::op::{Exp, Log, LogSoftmax, ReduceSum, Sub};
use edgesmith_ir::{OpId, OpKind, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

use super::pattern::{made_by, reduced_axes, result, saves};
use super::softmax::{below_maximum, on_last_axis};

/// `(x − max(x)) − log Σ exp(x − max(x))` along the last axis.
pub(crate) struct RaiseLogSoftmax;

impl Rewrite for RaiseLogSoftmax {
    const NAME: RuleName = "raise-log-softmax";
    const SUMMARY: &'static str =
        "what is left of the maximum, less the logarithm of the sum of its exponentials, into LogSoftmax";
    const ROOTS: &'static [OpKind] = &[OpKind::Sub];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../../manual/raise-log-softmax.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let old = result(cx, root)?;
        let sub = cx.op::<Sub>(root)?;
        let (x, axis) = shifted(cx, sub.a(), sub.b()).ok_or(Miss::NoMatch)?;
        on_last_axis(cx, x, axis)?;
        saves(cx, old, &[x], 1)?;
        let mut patch = Patch::new(cx);
        let softmax = patch.insert(LogSoftmax { axis: -1 }, [Some(x.into())]);
        patch.redefine(old, softmax);
        Ok(patch)
    }
}

/// `z − log Σ exp(z)` with `z = x − max(x)`.
fn shifted(cx: &Cx<'_>, z: ValueId, log: ValueId) -> Option<(ValueId, usize)> {
    let sum = made_by::<ReduceSum>(cx, made_by::<Log>(cx, log)?.input()).filter(|sum| sum.keepdims)?;
    let [axis] = *reduced_axes(cx, sum.data(), sum.axes(), sum.noop_with_empty_axes)?.as_slice() else { return None };
    let exp = made_by::<Exp>(cx, sum.data()).filter(|exp| exp.input() == z)?;
    Some((below_maximum(cx, exp.input(), axis)?, axis))
}
