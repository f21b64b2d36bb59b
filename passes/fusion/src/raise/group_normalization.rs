//! GroupNormalization from an InstanceNormalization of groups.

use edgesmith_ir::op::{GroupNormalization, InstanceNormalization, Reshape};
use edgesmith_ir::{Dim, OpId, OpKind, Tensor, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

use super::moments::{channels, per_channel, tail};
use super::pattern::{is_single_or_half, saves, since};

/// Reshaped to `[N, groups, …]`, normalised per group, reshaped back, scaled and shifted per channel.
pub(crate) struct RaiseGroupNormalization;

impl Rewrite for RaiseGroupNormalization {
    const NAME: RuleName = "raise-group-normalization";
    const SUMMARY: &'static str = "InstanceNormalization of reshaped groups into GroupNormalization";
    const ROOTS: &'static [OpKind] = &[OpKind::Reshape];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../../manual/raise-group-normalization.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        // The form with one scale per channel.
        since(cx, 21)?;
        let back = cx.op::<Reshape>(root)?;
        let norm = cx.producer::<InstanceNormalization>(back.data())?;
        let to_groups = cx.producer::<Reshape>(norm.x())?;
        let x = to_groups.data();
        is_single_or_half(cx, x)?;
        let (Some(dims), Some(grouped), Some(count)) = (cx.dims(x), cx.dims(norm.x()), channels(cx, x)) else {
            return Err(Miss::NoMatch);
        };
        let groups = grouped.get(1).and_then(Dim::extent).filter(|groups| *groups > 0 && count % groups == 0);
        let Some(groups) = groups else { return Err(Miss::NoMatch) };
        if dims.len() < 3 || !grouped[0].same(&dims[0]) || !cx.same_dims(back.reshaped(), x) {
            return Err(Miss::NoMatch);
        }
        let (Some(inner_scale), Some(inner_bias)) = (numbers(cx, norm.scale()), numbers(cx, norm.bias())) else {
            return cx.reject(root, "the scale or bias of its groups is not constant");
        };
        let vector = |value| Some((value, per_channel(cx, value, dims.len(), count)?));
        let tail = tail(cx, back.reshaped(), vector);
        saves(cx, tail.end, &[x, to_groups.shape(), back.shape()], 1)?;

        // What is scaled and shifted per group goes into scale and shift per channel.
        let read = |constant: &Option<(ValueId, Tensor)>, neutral: f64| match constant {
            Some((_, tensor)) => tensor.to_f64(),
            None => Some(vec![neutral; count as usize]),
        };
        let (Some(outer_scale), Some(outer_bias)) = (read(&tail.scale, 1.0), read(&tail.bias, 0.0)) else {
            return Err(Miss::NoMatch);
        };
        let per_group = (count / groups) as usize;
        let channel = |c: usize| {
            let (a, b) = (inner_scale[c / per_group], inner_bias[c / per_group]);
            (a * outer_scale[c], b * outer_scale[c] + outer_bias[c])
        };
        let (scale, bias): (Vec<f64>, Vec<f64>) = (0..count as usize).map(channel).unzip();
        let dtype = cx.dtype(x).ok_or(Miss::NoMatch)?;
        let mut patch = Patch::new(cx);
        let mut operands = vec![Some(x.into())];
        for (values, from) in [(scale, &tail.scale), (bias, &tail.bias)] {
            let tensor = Tensor::from_f64(dtype, [count].as_slice(), &values).ok_or(Miss::NoMatch)?;
            operands.push(Some(match from {
                Some((value, _)) => patch.constant_like(*value, tensor),
                None => patch.constant(tensor),
            }));
        }
        let op = GroupNormalization { epsilon: norm.epsilon, num_groups: groups as i64, stash_type: 1 };
        let raised = patch.insert(op, operands);
        patch.redefine(tail.end, raised);
        Ok(patch)
    }
}

fn numbers(cx: &Cx<'_>, value: ValueId) -> Option<Vec<f64>> {
    cx.constant(value)?.to_f64()
}
