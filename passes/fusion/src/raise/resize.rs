//! Resize from repeated pixels.

use edgesmith_ir::op::{
    AspectPolicy, CoordinateTransform, Expand, NearestMode, Reshape, Resize, ResizeMode, Tile, Unsqueeze,
};
use edgesmith_ir::{Dim, F32, OpId, OpKind, Tensor, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

use super::pattern::{is_single_or_half, saves, since};

/// `[N, C, H, W]` as `[N, C, H, 1, W, 1]`, the ones repeated, and joined to `[N, C, s·H, s·W]`.
pub(crate) struct RaiseResize;

impl Rewrite for RaiseResize {
    const NAME: RuleName = "raise-resize";
    const SUMMARY: &'static str = "pixels repeated by Expand or Tile into a nearest Resize";
    const ROOTS: &'static [OpKind] = &[OpKind::Reshape];
    const FIDELITY: Fidelity = Fidelity::Exact;
    const MANUAL: &'static str = include_str!("../../manual/raise-resize.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        since(cx, 11)?;
        let join = cx.op::<Reshape>(root)?;
        let repeated = join.data();
        let (single, count) = if let Ok(expand) = cx.producer::<Expand>(repeated) {
            (expand.input(), expand.shape())
        } else {
            let tile = cx.producer::<Tile>(repeated)?;
            (tile.input(), tile.repeats())
        };
        let (x, named) = if let Ok(reshape) = cx.producer::<Reshape>(single) {
            (reshape.data(), reshape.shape())
        } else {
            let unsqueeze = cx.producer::<Unsqueeze>(single)?;
            (unsqueeze.data(), unsqueeze.axes())
        };
        is_single_or_half(cx, x)?;
        let (Some(dims), Some(cut), Some(full), Some(after)) =
            (cx.dims(x), cx.dims(single), cx.dims(repeated), cx.dims(join.reshaped()))
        else {
            return Err(Miss::NoMatch);
        };
        let scales = repeats(dims, cut, full).ok_or(Miss::NoMatch)?;
        let grows = after.len() == dims.len()
            && after
                .iter()
                .zip(dims)
                .zip(&scales)
                .all(|((after, dim), scale)| dim.mul(&Dim::Known(*scale)).same(after));
        let spatial = dims.len() > 2 && scales[..2] == [1, 1] && scales.iter().any(|scale| *scale > 1);
        if !grows || !spatial {
            return Err(Miss::NoMatch);
        }
        let leaves: [ValueId; 4] = [x, named, count, join.shape()];
        saves(cx, join.reshaped(), &leaves, 1)?;
        let floats: Vec<f32> = scales.iter().map(|scale| *scale as f32).collect();
        let mut patch = Patch::new(cx);
        let scales = Tensor::from_slice([floats.len() as u64].as_slice(), &floats).map_err(|_| Miss::NoMatch)?;
        let scales = patch.constant(scales);
        let op = Resize {
            antialias: false,
            axes: Vec::new(),
            coordinate_transformation_mode: CoordinateTransform::Asymmetric,
            cubic_coeff_a: F32(-0.75),
            exclude_outside: false,
            extrapolation_value: F32(0.0),
            keep_aspect_ratio_policy: AspectPolicy::Stretch,
            mode: ResizeMode::Nearest,
            nearest_mode: NearestMode::Floor,
        };
        let resized = patch.insert(op, [Some(x.into()), None, Some(scales)]);
        patch.redefine(join.reshaped(), resized);
        Ok(patch)
    }
}

/// How often the elements along each axis are repeated: every axis is as it was, and perhaps followed by a new one of
/// extent one that is repeated.
fn repeats(dims: &[Dim], cut: &[Dim], full: &[Dim]) -> Option<Vec<i64>> {
    if cut.len() != full.len() {
        return None;
    }
    let mut new = cut.len().checked_sub(dims.len()).filter(|new| *new > 0)?;
    let mut axes = cut.iter().zip(full).peekable();
    let mut found = Vec::with_capacity(dims.len());
    for dim in dims {
        let (before, after) = axes.next()?;
        if !before.same(dim) || !after.same(dim) {
            return None;
        }
        let repeated = axes.peek().filter(|(one, _)| new > 0 && one.is(1)).and_then(|(_, count)| count.known());
        match repeated.filter(|count| *count > 1) {
            Some(count) => {
                found.push(count);
                axes.next();
                new -= 1;
            }
            None => found.push(1),
        }
    }
    axes.next().is_none().then_some(found)
}
