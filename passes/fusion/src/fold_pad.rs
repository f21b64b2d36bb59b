//! Folds zero padding of the spatial axes into the convolution behind it.

use edgesmith_ir::op::{AutoPad, Conv, Pad, PadMode};
use edgesmith_ir::{OpId, OpKind, Tensor};
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
        let pad = cx.producer::<Pad>(conv.x())?;
        let rank = cx.dims(pad.data()).ok_or(Miss::NoMatch)?.len();
        if pad.mode != PadMode::Constant || rank < 3 {
            return Err(Miss::NoMatch);
        }
        let is_zero = |tensor: &Tensor| tensor.to_f64().is_some_and(|v| v.iter().all(|x| *x == 0.0));
        if pad.constant_value().is_some_and(|value| !cx.constant(value).is_some_and(is_zero)) {
            return cx.reject(root, "the padding before it is not known to be zero");
        }
        if !matches!(conv.auto_pad, AutoPad::NotSet | AutoPad::Valid) {
            return cx.reject(root, "its own padding depends on the size of its input");
        }
        let added = cx.ints(pad.pads()).ok_or(Miss::NoMatch)?;
        let axes: Vec<usize> = match pad.axes() {
            None => (0..rank).collect(),
            Some(axes) => {
                let axes = cx.ints(axes).ok_or(Miss::NoMatch)?;
                axes.iter()
                    .map(|axis| {
                        usize::try_from(if *axis < 0 { axis + rank as i64 } else { *axis }).map_err(|_| Miss::NoMatch)
                    })
                    .collect::<Match<_>>()?
            }
        };
        let spatial = rank - 2;
        if added.len() != 2 * axes.len() || !(conv.pads.is_empty() || conv.pads.len() == 2 * spatial) {
            return Err(Miss::NoMatch);
        }
        let mut pads = if conv.pads.is_empty() { vec![0; 2 * spatial] } else { conv.pads.clone() };
        for (index, axis) in axes.iter().enumerate() {
            let (begin, end) = (added[index], added[axes.len() + index]);
            if (begin, end) == (0, 0) {
                continue;
            }
            // Negative padding crops, which a convolution cannot; padded channels would need weights.
            if *axis < 2 || *axis >= rank || begin < 0 || end < 0 {
                return cx.reject(root, "the padding before it crops, or pads the batch or the channels");
            }
            pads[axis - 2] += begin;
            pads[spatial + axis - 2] += end;
        }
        let mut patch = Patch::new(cx);
        let operands = [Some(pad.data().into()), Some(conv.weight().into()), conv.bias().map(Into::into)];
        let result = patch.insert(Conv { auto_pad: AutoPad::NotSet, pads, ..(*conv).clone() }, operands);
        patch.redefine(conv.y(), result);
        Ok(patch)
    }
}
