//! LayerNormalization from its formula.

use edgesmith_ir::op::{Add, Div, LayerNormalization, Mul, Sub};
use edgesmith_ir::{F32, OpId, OpKind, Tensor, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName, Wire};

use super::moments::{Normalised, Tail, filled, mean_of, normalised, scaled, tail, variance_of};
use super::pattern::{
    either, inverse_root_of, is_single_or_half, made_by, plus_constant, result, root_of, same_rank, saves, since,
};

/// `(x − mean) / √(variance + ε) · scale + bias`, mean and variance over the last axes; also as
/// `x · k + (bias − mean · k)` with `k = scale / √(variance + ε)`.
pub(crate) struct RaiseLayerNormalization;

impl Rewrite for RaiseLayerNormalization {
    const NAME: RuleName = "raise-layer-normalization";
    const SUMMARY: &'static str = "normalisation over the last axes into LayerNormalization";
    const ROOTS: &'static [OpKind] = &[OpKind::Div, OpKind::Mul, OpKind::Add];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../../manual/raise-layer-normalization.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        since(cx, 17)?;
        let found = if cx.op::<Add>(root).is_ok() { folded(cx, root) } else { plain(cx, root) };
        let Found { x, first, epsilon, tail } = found.ok_or(Miss::NoMatch)?;
        is_single_or_half(cx, x)?;
        same_rank(cx, tail.end, x)?;
        let leaves: Vec<ValueId> = [Some(x), tail.scale.as_ref().map(|s| s.value), tail.bias.as_ref().map(|b| b.value)]
            .into_iter()
            .flatten()
            .collect();
        saves(cx, tail.end, &leaves, 1)?;
        let dims = cx.dims(x).ok_or(Miss::NoMatch)?;
        let mut patch = Patch::new(cx);
        let scale = match &tail.scale {
            Some(scale) => scale.wire(&mut patch),
            None => {
                let extents: Option<Vec<u64>> = dims[first..].iter().map(edgesmith_ir::Dim::extent).collect();
                let one = extents.filter(|extents| extents.len() == 1);
                match one.and_then(|extents| filled(cx, &mut patch, x, extents[0], 1.0)) {
                    Some(ones) => ones,
                    None => {
                        return cx.reject(root, "it has no scale of its own, and a new one would make the file larger");
                    }
                }
            }
        };
        let bias = tail.bias.as_ref().map(|bias| bias.wire(&mut patch));
        let axis = first as i64 - dims.len() as i64;
        let op = LayerNormalization { axis, epsilon: F32(epsilon), stash_type: 1 };
        let raised = patch.insert(op, [Some(x.into()), Some(scale), bias]);
        patch.redefine(tail.end, raised);
        Ok(patch)
    }
}

/// A scale or bias with the shape of the last axes.
struct Weight {
    value: ValueId,
    /// The constant without axes in front, where it has some.
    reshaped: Option<Tensor>,
}

impl Weight {
    /// The value, if it has exactly the dims of the axes of x from `first` on, but for ones in front.
    fn of(cx: &Cx<'_>, x: ValueId, first: usize, value: ValueId) -> Option<Self> {
        let (dims, own) = (cx.dims(x)?, cx.dims(value)?);
        let wanted = dims.get(first..)?;
        let more = own.len().checked_sub(wanted.len())?;
        let fits = own.len() <= dims.len()
            && own[..more].iter().all(|dim| dim.is(1))
            && own[more..].iter().zip(wanted).all(|(a, b)| a.same(b));
        if !fits || cx.dtype(value) != cx.dtype(x) {
            return None;
        }
        let reshaped = match more {
            0 => None,
            _ => {
                let tensor = cx.constant(value)?;
                Some(tensor.reshaped(&tensor.shape()[more..]).ok()?)
            }
        };
        Some(Self { value, reshaped })
    }

    fn wire(&self, patch: &mut Patch) -> Wire {
        match &self.reshaped {
            Some(tensor) => patch.constant_like(self.value, tensor.clone()),
            None => self.value.into(),
        }
    }
}

struct Found {
    x: ValueId,
    /// The first of the axes that are normalised.
    first: usize,
    epsilon: f32,
    tail: Tail<Weight>,
}

/// The first of these axes, if they are the last ones.
fn first_of(cx: &Cx<'_>, x: ValueId, axes: &[usize]) -> Option<usize> {
    let (rank, first) = (cx.dims(x)?.len(), *axes.first()?);
    axes.iter().copied().eq(first..rank).then_some(first)
}

/// Whether a scale with the shape of the last axes is multiplied behind a normalisation over them.
pub(super) fn is_scaled(cx: &Cx<'_>, core: &Normalised, end: ValueId) -> bool {
    let weight = |first: usize| scaled(cx, end, |value| Weight::of(cx, core.x, first, value));
    first_of(cx, core.x, &core.axes).and_then(weight).is_some()
}

/// `(x − mean) / √(variance + ε)` and on from there.
fn plain(cx: &Cx<'_>, root: OpId) -> Option<Found> {
    let core = normalised(cx, root)?;
    let first = first_of(cx, core.x, &core.axes)?;
    let end = cx.graph().op(root).result(0)?;
    let tail = tail(cx, end, |value| Weight::of(cx, core.x, first, value));
    Some(Found { x: core.x, first, epsilon: core.epsilon, tail })
}

/// `x · k + (bias − mean · k)` with `k = scale / √(variance + ε)`.
fn folded(cx: &Cx<'_>, root: OpId) -> Option<Found> {
    let add = cx.op::<Add>(root).ok()?;
    let end = result(cx, root).ok()?;
    either(add.a(), add.b()).into_iter().find_map(|(scaled, shift)| {
        let (scaled, shift) = (made_by::<Mul>(cx, scaled)?, made_by::<Sub>(cx, shift)?);
        let moved = made_by::<Mul>(cx, shift.b())?;
        either(scaled.a(), scaled.b()).into_iter().find_map(|(x, factor)| {
            let mean = either(moved.a(), moved.b()).into_iter().find_map(|(mean, k)| (k == factor).then_some(mean))?;
            let (of, axes) = mean_of(cx, mean)?;
            let (variance, scale) = factor_of(cx, factor)?;
            let (variance, epsilon) = plus_constant(cx, variance)?;
            if of != x || epsilon < 0.0 || !variance_of(cx, variance, x, &axes)? {
                return None;
            }
            let first = first_of(cx, x, &axes)?;
            let weight = |value| Weight::of(cx, x, first, value);
            let scale = match scale {
                Some(scale) => Some(weight(scale)?),
                None => None,
            };
            let tail = Tail { scale, bias: Some(weight(shift.a())?), end };
            Some(Found { x, first, epsilon: epsilon as f32, tail })
        })
    })
}

/// Radicand and scale of `scale / √v`, `scale · (1 / √v)`, `1 / √v`.
fn factor_of(cx: &Cx<'_>, factor: ValueId) -> Option<(ValueId, Option<ValueId>)> {
    if let Some(radicand) = inverse_root_of(cx, factor) {
        return Some((radicand, None));
    }
    if let Some(div) = made_by::<Div>(cx, factor) {
        return Some((root_of(cx, div.b())?, Some(div.a())));
    }
    let mul = made_by::<Mul>(cx, factor)?;
    either(mul.a(), mul.b()).into_iter().find_map(|(scale, inverse)| Some((inverse_root_of(cx, inverse)?, Some(scale))))
}
