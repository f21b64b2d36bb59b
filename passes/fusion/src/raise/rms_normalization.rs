//! RMSNormalization from its formula.

use edgesmith_ir::op::RMSNormalization;
use edgesmith_ir::{F32, OpId, OpKind, Tensor, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName, Wire};

use super::moments::{mean_of, quotient_by_root, scaled};
use super::pattern::{is_single_or_half, plus_constant, result, same_rank, saves, since, square_of};

/// `x / √(mean(x²) + ε) · scale`, the mean over the last axis.
pub(crate) struct RaiseRmsNormalization;

impl Rewrite for RaiseRmsNormalization {
    const NAME: RuleName = "raise-rms-normalization";
    const SUMMARY: &'static str = "division by the root of the mean square into RMSNormalization";
    const ROOTS: &'static [OpKind] = &[OpKind::Div, OpKind::Mul];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../../manual/raise-rms-normalization.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        since(cx, 23)?;
        let from = result(cx, root)?;
        let (x, radicand) = quotient_by_root(cx, root).ok_or(Miss::NoMatch)?;
        let (mean, epsilon) = plus_constant(cx, radicand).ok_or(Miss::NoMatch)?;
        let (squares, axes) = mean_of(cx, mean).ok_or(Miss::NoMatch)?;
        let dims = cx.dims(x).ok_or(Miss::NoMatch)?;
        let last = dims.len().checked_sub(1).ok_or(Miss::NoMatch)?;
        if square_of(cx, squares) != Some(x) || axes != [last] || epsilon < 0.0 {
            return Err(Miss::NoMatch);
        }
        is_single_or_half(cx, x)?;
        // Only the scale: what is added behind it is not part of it.
        let vector = |value| -> Option<(ValueId, Option<Tensor>)> {
            let own = cx.dims(value).filter(|own| cx.dtype(value) == cx.dtype(x) && own.len() <= dims.len())?;
            let (extent, ones) = own.split_last()?;
            if !extent.same(&dims[last]) || !ones.iter().all(|dim| dim.is(1)) {
                return None;
            }
            if ones.is_empty() {
                return Some((value, None));
            }
            let tensor = cx.constant(value)?;
            Some((value, Some(tensor.reshaped(&tensor.shape()[ones.len()..]).ok()?)))
        };
        let Some(((scale, reshaped), end)) = scaled(cx, from, vector) else {
            return cx
                .reject(root, "no scale of the last axis is multiplied behind it, and RMSNormalization needs one");
        };
        same_rank(cx, end, x)?;
        saves(cx, end, &[x, scale], 1)?;
        let mut patch = Patch::new(cx);
        let scale: Wire = match reshaped {
            Some(tensor) => patch.constant_like(scale, tensor),
            None => scale.into(),
        };
        let op = RMSNormalization { axis: -1, epsilon: F32(epsilon as f32), stash_type: 1 };
        let raised = patch.insert(op, [Some(x.into()), Some(scale)]);
        patch.redefine(end, raised);
        Ok(patch)
    }
}
