//! The core of the normalisations: `(x − mean) / √(variance + ε)` over some axes, and what scales and shifts it.

use edgesmith_ir::op::{Add, Div, Mul, ReduceMean, Sub};
use edgesmith_ir::{Dim, OpId, Tensor, ValueId};
use edgesmith_rewrite::{Cx, Patch, Wire};

use super::pattern::{either, inverse_root_of, made_by, plus_constant, read_by, reduced_axes, root_of, square_of};

/// A new constant that a normalisation needs and the source does not have may take so many bytes: the file must not grow.
const NEW_CONSTANT_BYTES: u64 = 1024;

/// `(x − mean) / √(variance + ε)`.
pub(super) struct Normalised {
    pub x: ValueId,
    /// The axes of mean and variance, ascending.
    pub axes: Vec<usize>,
    pub epsilon: f32,
}

/// The core with this operator as its last one.
pub(super) fn normalised(cx: &Cx<'_>, root: OpId) -> Option<Normalised> {
    let (centred, variance) = quotient_by_root(cx, root)?;
    let (variance, epsilon) = plus_constant(cx, variance)?;
    let (x, mean) = difference(cx, centred)?;
    let axes = mean_of(cx, mean).filter(|(of, _)| *of == x)?.1;
    (variance_of(cx, variance, x, &axes)? && epsilon >= 0.0).then_some(Normalised { x, axes, epsilon: epsilon as f32 })
}

/// Numerator and radicand of `a / √v`, `a · (1 / √v)`.
pub(super) fn quotient_by_root(cx: &Cx<'_>, root: OpId) -> Option<(ValueId, ValueId)> {
    if let Ok(div) = cx.op::<Div>(root) {
        return Some((div.a(), root_of(cx, div.b())?));
    }
    let mul = cx.op::<Mul>(root).ok()?;
    either(mul.a(), mul.b()).into_iter().find_map(|(a, inverse)| Some((a, inverse_root_of(cx, inverse)?)))
}

/// What is averaged, and the axes; they stay with extent one.
pub(super) fn mean_of(cx: &Cx<'_>, value: ValueId) -> Option<(ValueId, Vec<usize>)> {
    let mean = made_by::<ReduceMean>(cx, value).filter(|mean| mean.keepdims)?;
    Some((mean.data(), reduced_axes(cx, mean.data(), mean.axes(), mean.noop_with_empty_axes)?))
}

fn difference(cx: &Cx<'_>, value: ValueId) -> Option<(ValueId, ValueId)> {
    made_by::<Sub>(cx, value).map(|sub| (sub.a(), sub.b()))
}

/// Whether a value is the mean of `(x − mean)²` over the axes.
pub(super) fn variance_of(cx: &Cx<'_>, value: ValueId, x: ValueId, axes: &[usize]) -> Option<bool> {
    let (squares, over) = mean_of(cx, value)?;
    let (of, mean) = difference(cx, square_of(cx, squares)?)?;
    let (averaged, averaged_over) = mean_of(cx, mean)?;
    Some(of == x && averaged == x && over == axes && averaged_over == axes)
}

/// What comes behind a normalisation: a scale, a shift, and the value that both end in.
pub(super) struct Tail<T> {
    pub scale: Option<T>,
    pub bias: Option<T>,
    pub end: ValueId,
}

/// Follows a value through a product and a sum that are its only readers, as far as `accept` takes the other operands.
pub(super) fn tail<T>(cx: &Cx<'_>, from: ValueId, accept: impl Fn(ValueId) -> Option<T>) -> Tail<T> {
    let (scale, from) = scaled(cx, from, &accept).map_or((None, from), |(scale, end)| (Some(scale), end));
    let shifted =
        read_by::<Add>(cx, from).and_then(|add| Some((beside(add.a(), add.b(), from).and_then(&accept)?, add.c())));
    let (bias, end) = shifted.map_or((None, from), |(bias, end)| (Some(bias), end));
    Tail { scale, bias, end }
}

/// What a value is multiplied by, if a product is its only reader and `accept` takes the other operand; and the product.
pub(super) fn scaled<T>(cx: &Cx<'_>, from: ValueId, accept: impl Fn(ValueId) -> Option<T>) -> Option<(T, ValueId)> {
    let mul = read_by::<Mul>(cx, from)?;
    Some((beside(mul.a(), mul.b(), from).and_then(accept)?, mul.c()))
}

/// The operand beside another; none where both are the same.
fn beside(a: ValueId, b: ValueId, value: ValueId) -> Option<ValueId> {
    either(a, b).into_iter().find_map(|(this, other)| (this == value && other != value).then_some(other))
}

/// A constant with one element per channel of a tensor of `rank` with channels on axis 1, as a vector.
pub(super) fn per_channel(cx: &Cx<'_>, value: ValueId, rank: usize, channels: u64) -> Option<Tensor> {
    let tensor = cx.constant(value).filter(|tensor| tensor.rank() <= rank)?;
    let axis = 1_usize.checked_sub(rank - tensor.rank())?;
    let alone = tensor.shape().iter().enumerate().all(|(at, extent)| *extent == if at == axis { channels } else { 1 });
    alone.then(|| tensor.reshaped([channels].as_slice()).ok()).flatten()
}

/// The extent of the channels on axis 1.
pub(super) fn channels(cx: &Cx<'_>, x: ValueId) -> Option<u64> {
    cx.dims(x)?.get(1).and_then(Dim::extent)
}

/// A vector of one number, where it is small enough to come new into the file.
pub(super) fn filled(cx: &Cx<'_>, patch: &mut Patch, like: ValueId, count: u64, number: f64) -> Option<Wire> {
    let dtype = cx.dtype(like)?;
    if dtype.byte_len(count)? > NEW_CONSTANT_BYTES {
        return None;
    }
    let numbers = vec![number; usize::try_from(count).ok()?];
    Some(patch.constant(Tensor::from_f64(dtype, [count].as_slice(), &numbers)?))
}
