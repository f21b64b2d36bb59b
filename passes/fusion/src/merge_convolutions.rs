//! Makes one convolution of two in a row, where that costs no more.

use edgesmith_ir::{OpId, OpKind};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

use crate::kernel::{Convolution, Kernel};
use crate::weights::{MOST_WORK, rounded};

/// B ∗ (A ∗ x + a) + b = (B · A) ∗ x + (B · a + b), where one of the two has one tap.
pub(crate) struct MergeConvolutions;

impl Rewrite for MergeConvolutions {
    const NAME: RuleName = "merge-convolutions";
    const SUMMARY: &'static str = "a convolution before or behind a 1x1 convolution becomes one, where that saves work";
    const ROOTS: &'static [OpKind] = &[OpKind::Conv];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../manual/merge-convolutions.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let result = cx.graph().op(root).result(0).ok_or(Miss::NoMatch)?;
        let middle = cx.graph().op(root).operand(0).ok_or(Miss::NoMatch)?;
        if cx.graph().producer(middle).is_none_or(|op| cx.graph().op(op).op().kind() != OpKind::Conv)
            || !cx.single_use(middle)
        {
            return Err(Miss::NoMatch);
        }
        let (first, second) = (Convolution::producing(cx, middle)?, Convolution::producing(cx, result)?);
        let (a, b) = (first.outline()?, second.outline()?);
        let merged = outline(&a, &b).ok_or(Miss::NoMatch)?;
        if merged.work().saturating_mul(b.inputs) > MOST_WORK {
            return cx.reject(root, "the product of its weight and the one before it is too large to compute here");
        }
        // What A adds does not reach the zeros that B pads with.
        let pads = b.begins.iter().chain(&b.ends).any(|pad| *pad != 0);
        if pads && first.bias.is_some_and(|(_, bias)| bias.to_f64().is_none_or(|b| b.iter().any(|b| *b != 0.0))) {
            return cx
                .reject(root, "it pads with zeros, which the bias of the convolution before it would have to reach");
        }
        if first.is_shared(cx) || second.is_shared(cx) {
            return cx.reject(root, "a weight of the two convolutions is shared; merging would store it twice");
        }
        let merged = product(&first.kernel()?, &second.kernel()?, merged);
        let dtype = second.weight_tensor.dtype();
        let weight = rounded(cx, dtype, merged.shape().as_slice(), &merged.elements, "weight")?;
        let like = second.bias.or(first.bias).map(|(value, _)| value);
        let bias = if like.is_some() {
            Some(rounded(cx, dtype, [merged.outputs as u64].as_slice(), &merged.bias, "bias")?)
        } else {
            None
        };
        let mut patch = Patch::new(cx);
        let weight = patch.constant_like(second.weight, weight);
        let bias = bias.map(|bias| match like {
            Some(like) => patch.constant_like(like, bias),
            None => patch.constant(bias),
        });
        let conv = merged.attributes(&second.attributes);
        let merged = patch.insert(conv, [Some(first.input.into()), Some(weight), bias]);
        patch.redefine(result, merged);
        Ok(patch)
    }
}

/// What one convolution for both would be; `None` where there is none, or it would cost more.
fn outline(a: &Kernel, b: &Kernel) -> Option<Kernel> {
    let spatial = a.taps.len();
    // In the same groups, each group of B reads the results of one group of A.
    if b.taps.len() != spatial || a.groups != b.groups || a.outputs != b.inputs * b.groups {
        return None;
    }
    let mut merged = Kernel { outputs: b.outputs, ..a.clone() };
    let (a_is_point, b_is_point) = (a.is_pointwise(), b.is_pointwise());
    for axis in 0..spatial {
        if b_is_point {
            merged.strides[axis] = a.strides[axis].checked_mul(b.strides[axis])?;
        } else if a_is_point && a.strides[axis] == 1 {
            merged.taps[axis] = b.taps[axis];
            merged.begins[axis] = b.begins[axis];
            merged.ends[axis] = b.ends[axis];
            merged.strides[axis] = b.strides[axis];
            merged.dilations[axis] = b.dilations[axis];
        } else {
            return None;
        }
    }
    // A runs on the plane that it makes, which is that of B times B's strides.
    let times: i64 = if b_is_point { b.strides.iter().product() } else { 1 };
    let before = a.work().checked_mul(usize::try_from(times).ok()?)?.checked_add(b.work())?;
    let stored = |kernel: &Kernel| kernel.outputs * kernel.inputs * kernel.taps_in_all();
    (merged.work() <= before && stored(&merged) <= stored(a) + stored(b)).then_some(merged)
}

/// The elements of both, multiplied over the channels between them.
fn product(a: &Kernel, b: &Kernel, mut merged: Kernel) -> Kernel {
    let (a_taps, b_taps) = (a.taps_in_all(), b.taps_in_all());
    let taps = a_taps * b_taps;
    let (a_outputs, b_outputs) = (a.outputs / a.groups, b.outputs / b.groups);
    merged.elements = vec![0.0; merged.outputs * merged.inputs * taps];
    merged.bias.clone_from(&b.bias);
    for output in 0..b.outputs {
        let group = output / b_outputs;
        for middle in 0..b.inputs {
            let from = group * a_outputs + middle;
            for b_tap in 0..b_taps {
                let factor = b.elements[(output * b.inputs + middle) * b_taps + b_tap];
                merged.bias[output] += factor * a.bias[from];
                for input in 0..a.inputs {
                    let to = (output * a.inputs + input) * taps;
                    let of = (from * a.inputs + input) * a_taps;
                    // One of the two has one tap, so the places of the taps are those of the other.
                    for a_tap in 0..a_taps {
                        merged.elements[to + b_tap * a_taps + a_tap] += factor * a.elements[of + a_tap];
                    }
                }
            }
        }
    }
    merged
}
