//! Folds padding of the spatial axes into the convolution or pool behind it.

use edgesmith_ir::op::{AutoPad, AveragePool, Conv, MaxPool, Pad, PadMode};
use edgesmith_ir::{Op, OpId, OpKind, Tensor, ValueId, View};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

/// A convolution reads zeros beyond its padded borders, so zero padding before it is more of its own.
pub(crate) struct FoldPad;

impl Rewrite for FoldPad {
    const NAME: RuleName = "fold-pad";
    const SUMMARY: &'static str = "zero padding into the convolution behind it";
    const ROOTS: &'static [OpKind] = &[OpKind::Conv];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../manual/fold-pad.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let conv = cx.op::<Conv>(root)?;
        let pad = constant_pad(cx, conv.x())?;
        if !value_is(cx, pad, |value| value == 0.0) {
            return cx.reject(root, "the padding before it is not known to be zero");
        }
        let pads = joint_pads(cx, pad, conv.auto_pad, &conv.pads)?;
        let mut patch = Patch::new(cx);
        let operands = [Some(pad.data().into()), Some(conv.weight().into()), conv.bias().map(Into::into)];
        let result = patch.insert(Conv { auto_pad: AutoPad::NotSet, pads, ..(*conv).clone() }, operands);
        patch.redefine(conv.y(), result);
        Ok(patch)
    }
}

/// A maximum ignores what is below everything, a mean can count zeros: padding before a pool becomes its own.
pub(crate) struct FoldPadIntoPool;

impl Rewrite for FoldPadIntoPool {
    const NAME: RuleName = "fold-pad-into-pool";
    const SUMMARY: &'static str = "padding into the MaxPool or AveragePool behind it";
    const ROOTS: &'static [OpKind] = &[OpKind::MaxPool, OpKind::AveragePool];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../manual/fold-pad-into-pool.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let (pad, pool, y): (_, Op, _) = if let Ok(pool) = cx.op::<MaxPool>(root) {
            let pad = constant_pad(cx, pool.x())?;
            // Positions would count the padding.
            if pool.indices().is_some() {
                return Err(Miss::NoMatch);
            }
            if !value_is(cx, pad, |value| value == f64::NEG_INFINITY) {
                return cx.reject(root, "the padding before it is not known to be minus infinity");
            }
            let pads = joint_pads(cx, pad, pool.auto_pad, &pool.pads)?;
            let rounds_up = rounds_up(pool.ceil_mode, &pool.strides);
            keeps_windows(cx, &pads, &pool.kernel_shape, &pool.dilations, rounds_up)?;
            (pad, MaxPool { auto_pad: AutoPad::NotSet, pads, ..(*pool).clone() }.into(), pool.y())
        } else {
            let pool = cx.op::<AveragePool>(root)?;
            let pad = constant_pad(cx, pool.x())?;
            if !value_is(cx, pad, |value| value == 0.0) {
                return cx.reject(root, "the padding before it is not known to be zero");
            }
            let pads_itself = pool.pads.iter().any(|pad| *pad != 0);
            if pads_itself && !pool.count_include_pad {
                return cx.reject(root, "it counts the zeros before it, but not those of its own padding");
            }
            let pads = joint_pads(cx, pad, pool.auto_pad, &pool.pads)?;
            let rounds_up = rounds_up(pool.ceil_mode, &pool.strides);
            keeps_windows(cx, &pads, &pool.kernel_shape, &pool.dilations, rounds_up)?;
            let counting = AveragePool { auto_pad: AutoPad::NotSet, pads, count_include_pad: true, ..(*pool).clone() };
            (pad, counting.into(), pool.y())
        };
        let mut patch = Patch::new(cx);
        let result = patch.insert(pool, [Some(pad.data().into())]);
        patch.redefine(y, result);
        Ok(patch)
    }
}

/// The Pad with a constant that makes a value with spatial axes.
fn constant_pad<'m>(cx: &Cx<'m>, value: ValueId) -> Match<View<'m, Pad>> {
    let pad = cx.producer::<Pad>(value)?;
    let rank = cx.dims(pad.data()).ok_or(Miss::NoMatch)?.len();
    if pad.mode == PadMode::Constant && rank >= 3 { Ok(pad) } else { Err(Miss::NoMatch) }
}

/// Whether what is padded with is known and as asked for; it is zero where it is not given.
fn value_is(cx: &Cx<'_>, pad: View<'_, Pad>, wanted: impl Fn(f64) -> bool) -> bool {
    match pad.constant_value() {
        None => wanted(0.0),
        Some(value) => {
            cx.constant(value).and_then(Tensor::to_f64).is_some_and(|values| values.iter().all(|x| wanted(*x)))
        }
    }
}

/// The padding of both, in the order of the attribute.
fn joint_pads(cx: &Cx<'_>, pad: View<'_, Pad>, auto_pad: AutoPad, own: &[i64]) -> Match<Vec<i64>> {
    let rank = cx.dims(pad.data()).ok_or(Miss::NoMatch)?.len();
    if !matches!(auto_pad, AutoPad::NotSet | AutoPad::Valid) {
        return cx.reject(cx.root(), "its own padding depends on the size of its input");
    }
    let added = cx.ints(pad.pads()).ok_or(Miss::NoMatch)?;
    let axes: Vec<usize> = match pad.axes() {
        None => (0..rank).collect(),
        Some(axes) => {
            let axes = cx.ints(axes).ok_or(Miss::NoMatch)?;
            let from_front = |axis: &i64| {
                usize::try_from(if *axis < 0 { axis + rank as i64 } else { *axis }).map_err(|_| Miss::NoMatch)
            };
            axes.iter().map(from_front).collect::<Match<_>>()?
        }
    };
    let spatial = rank - 2;
    // VALID is no padding, whatever the attribute beside it says.
    let own = if auto_pad == AutoPad::Valid { &[] } else { own };
    if added.len() != 2 * axes.len() || !(own.is_empty() || own.len() == 2 * spatial) {
        return Err(Miss::NoMatch);
    }
    let mut pads = if own.is_empty() { vec![0; 2 * spatial] } else { own.to_vec() };
    for (index, axis) in axes.iter().enumerate() {
        let (begin, end) = (added[index], added[axes.len() + index]);
        if (begin, end) == (0, 0) {
            continue;
        }
        // Negative padding crops, which the operator behind cannot; padded channels would need weights.
        if *axis < 2 || *axis >= rank || begin < 0 || end < 0 {
            return cx.reject(cx.root(), "the padding before it crops, or pads the batch or the channels");
        }
        pads[axis - 2] += begin;
        pads[spatial + axis - 2] += end;
    }
    Ok(pads)
}

/// Whether rounding up can add a window: with a stride of one there is nothing to round.
fn rounds_up(ceil_mode: bool, strides: &[i64]) -> bool {
    ceil_mode && strides.iter().any(|stride| *stride != 1)
}

/// Runtimes want padding to be smaller than the window; and a window that holds nothing but padding, as dilation or
/// rounding up may make one, has no elements to speak of.
fn keeps_windows(cx: &Cx<'_>, pads: &[i64], kernel: &[i64], dilations: &[i64], rounds_up: bool) -> Match<()> {
    let spatial = kernel.len();
    let fits = pads.len() == 2 * spatial && pads.iter().enumerate().all(|(at, pad)| *pad < kernel[at % spatial]);
    if !fits || rounds_up || dilations.iter().any(|dilation| *dilation != 1) {
        return cx.reject(cx.root(), "with the padding before it, a window could hold nothing else");
    }
    Ok(())
}
