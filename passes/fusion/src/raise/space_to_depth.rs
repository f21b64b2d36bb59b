//! SpaceToDepth from Reshape, Transpose, Reshape, and from strided slices side by side.

use edgesmith_ir::op::{BlockOrder, Concat, Conv, Slice, SpaceToDepth};
use edgesmith_ir::{Dim, OpId, OpKind, Tensor, ValueId, View};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

use super::depth_to_space::{Blocks, blocks};
use super::pattern::{is_single_or_half, read_by, saves, since};

/// Pixels of a block stacked as channels. Where the channels stand in another order than SpaceToDepth has them, and a
/// convolution is all that reads them, the order goes into its weight.
pub(crate) struct RaiseSpaceToDepth;

impl Rewrite for RaiseSpaceToDepth {
    const NAME: RuleName = "raise-space-to-depth";
    const SUMMARY: &'static str =
        "blocks of pixels stacked as channels, by Reshape and Transpose or by slices, into SpaceToDepth";
    const ROOTS: &'static [OpKind] = &[OpKind::Reshape, OpKind::Concat];
    // The order in which a convolution adds up its channels changes with the order of the channels.
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../../manual/raise-space-to-depth.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        since(cx, 1)?;
        let Stack { x, size, order, result, leaves } =
            if cx.op::<Concat>(root).is_ok() { slices(cx, root)? } else { reshaped(cx, root)? };
        let op = SpaceToDepth { blocksize: size, mode: BlockOrder::DepthColumnRow };
        if order.iter().enumerate().all(|(channel, standard)| channel == *standard) {
            saves(cx, result, &leaves, 1)?;
            let mut patch = Patch::new(cx);
            let raised = patch.insert(op, [Some(x.into())]);
            patch.redefine(result, raised);
            return Ok(patch);
        }
        let Some(conv) = read_by::<Conv>(cx, result).filter(|conv| conv.group == 1 && conv.x() == result) else {
            return cx.reject(
                root,
                "its channels stand in another order, and no plain convolution behind it could take that in",
            );
        };
        let Some(weight) = reordered(cx, conv, &order) else {
            return cx.reject(
                root,
                "its channels stand in another order, and the weight behind it is shared or not constant",
            );
        };
        saves(cx, result, &leaves, 1)?;
        let mut patch = Patch::new(cx);
        let raised = patch.insert(op, [Some(x.into())]);
        let weight = patch.constant_like(conv.weight(), weight);
        let operands = [Some(raised), Some(weight), conv.bias().map(Into::into)];
        let convolved = patch.insert_like(conv.id, (*conv).clone(), operands);
        patch.redefine(conv.y(), convolved);
        Ok(patch)
    }
}

/// Pixels stacked as channels.
struct Stack {
    x: ValueId,
    size: i64,
    /// Where each channel stands in SpaceToDepth's order: by row in the block, column in the block, channel.
    order: Vec<usize>,
    result: ValueId,
    leaves: Vec<ValueId>,
}

/// `[N, C, H, b, W, b]`, transposed and joined.
fn reshaped(cx: &Cx<'_>, root: OpId) -> Match<Stack> {
    let Blocks { x, split, perm, result, shapes } = blocks(cx, root)?;
    let (Some(dims), Some(after)) = (cx.dims(x), cx.dims(result)) else { return Err(Miss::NoMatch) };
    let size = split[3].known().filter(|size| *size > 1 && split[5].is(*size)).ok_or(Miss::NoMatch)?;
    let area = size * size;
    let (Some(channels), Ok(blocks)) = (dims[1].extent(), usize::try_from(area)) else { return Err(Miss::NoMatch) };
    let channels = channels as usize;
    let order: Vec<usize> = match perm {
        [0, 3, 5, 1, 2, 4] => (0..channels * blocks).collect(),
        // By channel first.
        [0, 1, 3, 5, 2, 4] => (0..channels * blocks).map(|at| at % blocks * channels + at / blocks).collect(),
        _ => return Err(Miss::NoMatch),
    };
    let grown = Dim::Known(size);
    let fits = split[0].same(&dims[0])
        && split[1].same(&dims[1])
        && split[2].mul(&grown).same(&dims[2])
        && split[4].mul(&grown).same(&dims[3])
        && after[0].same(&dims[0])
        && after[1].same(&dims[1].mul(&Dim::Known(area)))
        && after[2].same(&split[2])
        && after[3].same(&split[4]);
    if !fits {
        return Err(Miss::NoMatch);
    }
    Ok(Stack { x, size, order, result, leaves: vec![x, shapes[0], shapes[1]] })
}

/// Every second pixel from every start, side by side.
fn slices(cx: &Cx<'_>, root: OpId) -> Match<Stack> {
    let concat = cx.op::<Concat>(root)?;
    let parts: Option<Vec<ValueId>> = concat.inputs().iter().copied().collect();
    let parts = parts.filter(|parts| matches!(parts.len(), 4 | 9 | 16)).ok_or(Miss::NoMatch)?;
    let size = [2, 3, 4].into_iter().find(|size| size * size == parts.len()).ok_or(Miss::NoMatch)?;
    if !matches!(concat.axis, 1 | -3) {
        return Err(Miss::NoMatch);
    }
    let first = strided(cx, parts[0]).ok_or(Miss::NoMatch)?;
    let x = first.x;
    is_single_or_half(cx, x)?;
    let dims = cx.dims(x).filter(|dims| dims.len() == 4).ok_or(Miss::NoMatch)?;
    let channels = dims[1].extent().ok_or(Miss::NoMatch)? as usize;
    let grown = Dim::from(size);
    let mut offsets = Vec::with_capacity(parts.len());
    for part in parts {
        let Strided { x: of, starts, steps } = strided(cx, part).ok_or(Miss::NoMatch)?;
        let own = cx.dims(part).filter(|own| own.len() == 4).ok_or(Miss::NoMatch)?;
        // With as many elements as blocks, a slice that starts inside of a block and steps over one ends at the end.
        let whole = own[..2].iter().zip(dims).all(|(a, b)| a.same(b))
            && own[2..].iter().zip(&dims[2..]).all(|(a, b)| a.mul(&grown).same(b));
        let inside = starts.iter().all(|start| (0..size as i64).contains(start));
        if of != x || !whole || !inside || steps.iter().any(|step| *step != size as i64) {
            return Err(Miss::NoMatch);
        }
        offsets.push(starts[0] as usize * size + starts[1] as usize);
    }
    let distinct = (0..offsets.len()).all(|block| offsets.contains(&block));
    if !distinct {
        return Err(Miss::NoMatch);
    }
    let order = offsets.iter().flat_map(|block| (0..channels).map(move |channel| block * channels + channel)).collect();
    Ok(Stack { x, size: size as i64, order, result: concat.concat_result(), leaves: vec![x] })
}

/// Elements of the plane from a start on, with a step.
struct Strided {
    x: ValueId,
    starts: [i64; 2],
    steps: [i64; 2],
}

/// A value as one or two slices of the plane.
fn strided(cx: &Cx<'_>, value: ValueId) -> Option<Strided> {
    let mut found = Strided { x: value, starts: [0; 2], steps: [1; 2] };
    while found.steps.contains(&1) {
        let slice = cx.producer::<Slice>(found.x).ok()?;
        let (starts, axes) = (cx.ints(slice.starts())?, cx.ints(slice.axes()?)?);
        let steps = cx.ints(slice.steps()?)?;
        if starts.len() != axes.len() || steps.len() != axes.len() || axes.len() > 2 {
            return None;
        }
        for ((start, axis), step) in starts.iter().zip(&axes).zip(&steps) {
            let plane = match axis {
                2 | -2 => 0,
                3 | -1 => 1,
                _ => return None,
            };
            if found.steps[plane] != 1 || *step < 2 {
                return None;
            }
            (found.starts[plane], found.steps[plane]) = (*start, *step);
        }
        found.x = slice.data();
    }
    Some(found)
}

/// The weight of a convolution for channels in SpaceToDepth's order.
fn reordered(cx: &Cx<'_>, conv: View<'_, Conv>, order: &[usize]) -> Option<Tensor> {
    let weight = cx.constant(conv.weight()).filter(|_| cx.graph().value(conv.weight()).uses().len() == 1)?;
    let &[outputs, inputs, ref kernel @ ..] = weight.shape() else { return None };
    let area = usize::try_from(kernel.iter().product::<u64>()).ok()?;
    if inputs as usize != order.len() {
        return None;
    }
    let old = weight.to_f64()?;
    let mut new = vec![0.0; old.len()];
    for output in 0..outputs as usize {
        for (from, to) in order.iter().enumerate() {
            let (from, to) = ((output * order.len() + from) * area, (output * order.len() + to) * area);
            new[to..to + area].copy_from_slice(&old[from..from + area]);
        }
    }
    Tensor::from_f64(weight.dtype(), weight.shape(), &new)
}
