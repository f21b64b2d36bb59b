//! Operators: movement.

use super::checks::{dims_of_contents, known_or_fresh};
use super::geometry::ceil_div;
use super::{checks, elementwise, operator, slicing};
use crate::attribute::attribute_enum;
use crate::infer::{InferCx, InferError};
use crate::{Contents, Dim, Dims, Item, Shape};

attribute_enum! {
    /// The values of the attribute.
    BlockOrder { /// `DCR`.
        DepthColumnRow = "DCR", /// `CRD`.
        ColumnRowDepth = "CRD", }
}

attribute_enum! {
    /// The values of the attribute.
    PadMode { /// `constant`.
        Constant = "constant", /// `reflect`.
        Reflect = "reflect", /// `edge`.
        Edge = "edge", /// `wrap`.
        Wrap = "wrap", }
}

operator! {
    /// Crops or pads around the centre to a given shape.
    CenterCropPad {
        operands { input_data: one, shape: one }
        results { output_data: one }
        attributes { axes: Vec<i64> }
        regions {  }
        infer: center_crop_pad;
    }
}

operator! {
    /// Sums columns of blocks back into an image.
    Col2Im {
        operands { input: one, image_shape: one, block_shape: one }
        results { output: one }
        attributes { dilations: Vec<i64>, pads: Vec<i64>, strides: Vec<i64> }
        regions {  }
        infer: col2im;
    }
}

operator! {
    /// Joins tensors along an axis.
    Concat {
        operands { inputs: many }
        results { concat_result: one }
        attributes { axis: i64 [required] }
        regions {  }
        infer: concat;
    }
}

operator! {
    /// Moves blocks of channels into the plane.
    DepthToSpace {
        operands { input: one }
        results { output: one }
        attributes { blocksize: i64 [required], mode: BlockOrder [BlockOrder::DepthColumnRow] }
        regions {  }
        infer: depth_to_space;
    }
}

operator! {
    /// A copy.
    Identity {
        operands { input: one }
        results { output: one }
        attributes {  }
        regions {  }
        infer: identity;
    }
}

operator! {
    /// One value at an index, another elsewhere, along a new axis.
    OneHot {
        operands { indices: one, depth: one, values: one }
        results { output: one }
        attributes { axis: i64 [-1] }
        regions {  }
        infer: one_hot;
    }
}

operator! {
    /// Pads (or crops, where negative) with a constant, by reflection, with the edge or by wrapping.
    Pad {
        operands { data: one, pads: one, constant_value: maybe, axes: maybe }
        results { output: one }
        attributes { mode: PadMode [PadMode::Constant] }
        regions {  }
        infer: pad;
    }
}

operator! {
    /// Reverses the first `length` elements of each sequence of a batch.
    ReverseSequence {
        operands { input: one, sequence_lens: one }
        results { y: one }
        attributes { batch_axis: i64 [1], time_axis: i64 [0] }
        regions {  }
        infer: reverse_sequence;
    }
}

operator! {
    /// A strided part of a tensor.
    Slice {
        operands { data: one, starts: one, ends: one, axes: maybe, steps: maybe }
        results { output: one }
        attributes {  }
        regions {  }
        infer: slice;
    }
}

operator! {
    /// Moves blocks of the plane into channels.
    SpaceToDepth {
        operands { input: one }
        results { output: one }
        attributes { blocksize: i64 [required], mode: BlockOrder [BlockOrder::DepthColumnRow] }
        regions {  }
        infer: space_to_depth;
    }
}

operator! {
    /// Parts along an axis.
    Split {
        operands { input: one, split: maybe }
        results { outputs: many }
        attributes { axis: i64 [0], num_outputs: Option<i64> }
        regions {  }
        infer: split;
    }
}

operator! {
    /// Permutes axes.
    Transpose {
        operands { data: one }
        results { transposed: one }
        attributes { perm: Vec<i64> }
        regions {  }
        infer: transpose;
    }
}

operator! {
    /// Upper or lower triangle of the last two axes.
    Trilu {
        operands { input: one, k: maybe }
        results { output: one }
        attributes { upper: bool [true] }
        regions {  }
        infer: trilu;
    }
}

/// The elements of the first operand, each axis reduced to the chosen indices, as those of the result.
fn pick_elements(cx: &mut InferCx<'_>, lists: &[Option<Vec<u64>>]) {
    if let (Some(extents), Some(contents)) = (cx.shape(0).extents(), cx.contents(0))
        && let Some(items) = elementwise::pick(contents.items(), &extents, lists)
    {
        cx.set_contents(0, items);
    }
}

fn center_crop_pad(op: &CenterCropPad, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    checks::dims_of_rank(cx, 1, 1, "the shape")?;
    let Some(mut dims) = checks::dims(cx, 0) else {
        checks::same_type(cx, 0, 0);
        return Ok(());
    };
    let rank = dims.len();
    let axes = if op.axes.is_empty() { (0..rank).collect() } else { InferCx::axes(&op.axes, rank)? };
    let target = dims_of_contents(cx, 1);
    if let Some(target) = &target
        && target.len() != axes.len()
    {
        return Err(InferError::new(format!("the shape has {} entries for {} axes", target.len(), axes.len())));
    }
    for (at, axis) in axes.iter().enumerate() {
        let wanted = target.as_ref().map_or(Dim::Unknown, |target| target[at].clone());
        dims[*axis] = known_or_fresh(cx, wanted, 0, *axis);
    }
    cx.set_tensor(0, cx.dtype(0), Shape::Ranked(dims));
    Ok(())
}

/// `[N, C * product of the block, L]` becomes `[N, C, image...]`.
fn col2im(_: &Col2Im, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let columns = checks::dims_of_rank(cx, 0, 3, "the input")?;
    let (image, block) = (dims_of_contents(cx, 1), dims_of_contents(cx, 2));
    let Some(spatial) = image.as_ref().or(block.as_ref()).map(Vec::len) else {
        cx.set_tensor(0, cx.dtype(0), Shape::Unranked);
        return Ok(());
    };
    let (batch, rows) = columns.map_or((Dim::Unknown, Dim::Unknown), |dims| (dims[0].clone(), dims[1].clone()));
    let block = block.map_or(Dim::Unknown, |block| checks::product(&block));
    if let (Dim::Known(rows), Dim::Known(block)) = (&rows, &block)
        && rows.checked_rem(*block) != Some(0)
    {
        return Err(InferError::new(format!("{rows} rows are no multiple of a block of {block}")));
    }
    let channels = if block.is_unknown() { None } else { rows.exact_div(&block) };
    let mut dims: Dims = smallvec::smallvec![batch, known_or_fresh(cx, channels.unwrap_or_default(), 0, 1)];
    for axis in 0..spatial {
        let extent = image.as_ref().and_then(|image| image.get(axis)).cloned().unwrap_or_default();
        dims.push(known_or_fresh(cx, extent, 0, axis + 2));
    }
    cx.set_tensor(0, cx.dtype(0), Shape::Ranked(dims));
    Ok(())
}

/// One pass over the operands: there may be many.
fn concat(op: &Concat, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let slots: Vec<usize> = (0..cx.operand_count()).filter(|slot| cx.has(*slot)).collect();
    let dtype = slots.iter().find_map(|slot| cx.dtype(*slot));
    let Some(mut dims) = slots.iter().find_map(|slot| checks::dims(cx, *slot)) else {
        cx.set_tensor(0, dtype, Shape::Unranked);
        return Ok(());
    };
    let axis = InferCx::axis(op.axis, dims.len())?;
    let mut lengths: Vec<Dim> = Vec::with_capacity(slots.len());
    for slot in &slots {
        let Some(own) = checks::dims(cx, *slot) else {
            lengths.push(Dim::Unknown);
            continue;
        };
        if own.len() != dims.len() {
            let (a, b) = (Shape::Ranked(dims), cx.shape(*slot));
            return Err(InferError::new(format!("operand {slot} of shape {b} cannot be joined to shape {a}")));
        }
        for (at, (dim, other)) in dims.iter_mut().zip(&own).enumerate() {
            if at == axis {
                lengths.push(other.clone());
            } else if dim != other {
                *dim = cx.equal(dim, other, "axis").map_err(|_| {
                    InferError::new(format!("axis {at} is {dim} in the first operand and {other} in operand {slot}"))
                })?;
            }
        }
    }
    dims[axis] = known_or_fresh(cx, Dim::sum(&lengths), 0, axis);
    let extents = Shape::Ranked(dims.clone()).extents();
    cx.set_tensor(0, dtype, Shape::Ranked(dims));
    let few =
        extents.as_ref().and_then(|extents| elementwise::element_count(extents)).is_some_and(|n| n <= Contents::LIMIT);
    if let (Some(extents), true) = (extents, few)
        && let Some(items) = joined(cx, &slots, &extents, axis)
    {
        cx.set_contents(0, items);
    }
    Ok(())
}

/// Elements of the operands joined along an axis. What is not known of one operand stays unknown in its place.
fn joined(cx: &InferCx<'_>, slots: &[usize], extents: &[u64], axis: usize) -> Option<Vec<Item>> {
    if !slots.iter().any(|slot| cx.may_know(*slot)) {
        return None;
    }
    let outer = elementwise::element_count(&extents[..axis])?;
    let inner = elementwise::element_count(&extents[axis + 1..])?;
    let mut parts = Vec::new();
    for slot in slots {
        let run = usize::try_from(*cx.shape(*slot).extents()?.get(axis)?).ok()? * inner;
        if run > 0 {
            let items = cx.contents(*slot).map_or_else(|| vec![Item::Unknown; outer * run], |c| c.items().to_vec());
            parts.push((items, run));
        }
    }
    let rows = (0..outer).flat_map(|row| parts.iter().map(move |(items, run)| items.get(row * run..(row + 1) * run)));
    Some(rows.collect::<Option<Vec<_>>>()?.concat())
}

fn blocks(size: i64) -> Result<(Dim, Dim), InferError> {
    match size.checked_mul(size).filter(|_| size > 0) {
        Some(square) => Ok((Dim::Known(size), Dim::Known(square))),
        None => Err(InferError::new(format!("a block size of {size}"))),
    }
}

/// A dim divided by a block size, which must divide it.
fn divided(cx: &InferCx<'_>, dim: &Dim, by: &Dim, axis: usize) -> Result<Dim, InferError> {
    match (dim, dim.exact_div(by)) {
        (Dim::Known(n), None) => Err(InferError::new(format!("axis {axis} of {n} is no multiple of {by}"))),
        (_, quotient) => Ok(known_or_fresh(cx, quotient.unwrap_or_default(), 0, axis)),
    }
}

fn depth_to_space(op: &DepthToSpace, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let (size, square) = blocks(op.blocksize)?;
    let shape = match checks::dims_of_rank(cx, 0, 4, "the input")? {
        None => Shape::of_rank(4),
        Some(dims) => {
            Shape::of([dims[0].clone(), divided(cx, &dims[1], &square, 1)?, dims[2].mul(&size), dims[3].mul(&size)])
        }
    };
    cx.set_tensor(0, cx.dtype(0), shape);
    Ok(())
}

fn space_to_depth(op: &SpaceToDepth, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let (size, square) = blocks(op.blocksize)?;
    let shape = match checks::dims_of_rank(cx, 0, 4, "the input")? {
        None => Shape::of_rank(4),
        Some(dims) => {
            let (height, width) = (divided(cx, &dims[2], &size, 2)?, divided(cx, &dims[3], &size, 3)?);
            Shape::of([dims[0].clone(), dims[1].mul(&square), height, width])
        }
    };
    cx.set_tensor(0, cx.dtype(0), shape);
    Ok(())
}

fn identity(_: &Identity, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    elementwise::map(cx, |_, item| item.clone());
    Ok(())
}

fn one_hot(op: &OneHot, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let dtype = cx.dtype(2);
    let Some(mut dims) = checks::dims(cx, 0) else {
        cx.set_tensor(0, dtype, Shape::Unranked);
        return Ok(());
    };
    let axis = InferCx::axis(op.axis, dims.len() + 1)?;
    let depth = cx.contents(1).and_then(|depth| depth.items().first().cloned());
    let depth = match depth {
        Some(Item::Float(x)) if (0.0..9e15).contains(&x) => Dim::Known(x as i64),
        Some(Item::Int(dim)) => dim,
        _ => Dim::Unknown,
    };
    if depth.known().is_some_and(|depth| depth < 0) {
        return Err(InferError::new(format!("a depth of {depth}")));
    }
    let depth = known_or_fresh(cx, depth, 0, axis);
    dims.insert(axis, depth);
    cx.set_tensor(0, dtype, Shape::Ranked(dims));
    Ok(())
}

fn pad(_: &Pad, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let dtype = cx.dtype(0);
    let Some(mut dims) = checks::dims(cx, 0) else {
        cx.set_tensor(0, dtype, Shape::Unranked);
        return Ok(());
    };
    let axes = if cx.has(3) {
        cx.ints(3).map(|axes| InferCx::axes(&axes, dims.len())).transpose()?
    } else {
        Some((0..dims.len()).collect())
    };
    let pads = dims_of_contents(cx, 1);
    if let (Some(axes), Some(pads)) = (&axes, &pads)
        && pads.len() != 2 * axes.len()
    {
        return Err(InferError::new(format!("{} pads for {} axes", pads.len(), axes.len())));
    }
    let mut padded = vec![axes.is_none(); dims.len()];
    for (at, axis) in axes.iter().flatten().enumerate() {
        let total = match &pads {
            Some(pads) => Dim::sum([&dims[*axis], &pads[at], &pads[at + pads.len() / 2]]),
            None => Dim::Unknown,
        };
        if let (Some(pads), Dim::Known(..0)) = (&pads, &total) {
            let (begin, end) = (&pads[at], &pads[at + pads.len() / 2]);
            return Err(InferError::new(format!(
                "pads {begin} and {end} take more than axis {axis} of {} has",
                dims[*axis]
            )));
        }
        dims[*axis] = total;
        padded[*axis] = true;
    }
    for (axis, padded) in padded.into_iter().enumerate() {
        if padded && axes.is_none() {
            dims[axis] = Dim::Unknown;
        }
        if padded {
            dims[axis] = known_or_fresh(cx, std::mem::take(&mut dims[axis]), 0, axis);
        }
    }
    cx.set_tensor(0, dtype, Shape::Ranked(dims));
    Ok(())
}

fn reverse_sequence(op: &ReverseSequence, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    checks::same_type(cx, 0, 0);
    if let Some(dims) = checks::dims(cx, 0) {
        let axes = InferCx::axes(&[op.batch_axis, op.time_axis], dims.len())?;
        checks::vector_of(cx, 1, &dims[axes[0]], "sequence_lens")?;
    }
    Ok(())
}

fn slice(_: &Slice, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let dtype = cx.dtype(0);
    let Some(mut dims) = checks::dims(cx, 0) else {
        cx.set_tensor(0, dtype, Shape::Unranked);
        return Ok(());
    };
    let (starts, ends) = (dims_of_contents(cx, 1), dims_of_contents(cx, 2));
    let count = starts.as_ref().or(ends.as_ref()).map(Vec::len);
    let axes = if cx.has(3) { cx.ints(3) } else { count.map(|count| (0..count as i64).collect()) };
    let steps = if cx.has(4) { dims_of_contents(cx, 4) } else { count.map(|count| vec![Dim::Known(1); count]) };
    let (Some(starts), Some(ends), Some(axes), Some(steps)) = (starts, ends, axes, steps) else {
        for (axis, dim) in dims.iter_mut().enumerate() {
            *dim = cx.fresh(0, axis);
        }
        cx.set_tensor(0, dtype, Shape::Ranked(dims));
        return Ok(());
    };
    if [starts.len(), ends.len(), steps.len()].iter().any(|length| *length != axes.len()) {
        return Err(InferError::new("starts, ends, axes and steps differ in length"));
    }
    let axes = InferCx::axes(&axes, dims.len())?;
    // The chosen indices of every axis, as long as they are numbers.
    let mut lists: Option<Vec<Option<Vec<u64>>>> = Some(vec![None; dims.len()]);
    for (at, axis) in axes.iter().enumerate() {
        let (start, end, extent) = (&starts[at], &ends[at], dims[*axis].clone());
        let length = match steps[at] {
            Dim::Known(0) => return Err(InferError::new("a step of zero")),
            Dim::Known(step) => slicing::length(&extent, start, end, step),
            _ => Dim::Unknown,
        };
        if let (Dim::Known(extent), Dim::Known(start), Dim::Known(end), Dim::Known(step)) =
            (extent, start, end, &steps[at])
        {
            let (first, length) = slicing::indices(extent, *start, *end, *step);
            if length <= Contents::LIMIT as u64
                && let Some(lists) = &mut lists
            {
                lists[*axis] = Some((0..length as i64).map(|index| (first + index * step) as u64).collect());
            } else {
                lists = None;
            }
        } else {
            lists = None;
        }
        dims[*axis] = known_or_fresh(cx, length, 0, *axis);
    }
    cx.set_tensor(0, dtype, Shape::Ranked(dims));
    if let Some(lists) = lists {
        pick_elements(cx, &lists);
    }
    Ok(())
}

/// Without a list of lengths the parts are equal, or the last ones smaller.
fn split(op: &Split, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let dtype = cx.dtype(0);
    let count = cx.result_count();
    let Some(dims) = checks::dims(cx, 0) else {
        (0..count).for_each(|slot| cx.set_tensor(slot, dtype, Shape::Unranked));
        return Ok(());
    };
    let axis = InferCx::axis(op.axis, dims.len())?;
    let extent = dims[axis].clone();
    let lengths: Vec<Dim> = if cx.has(1) {
        let lengths = dims_of_contents(cx, 1).unwrap_or_default();
        if let (Dim::Known(sum), Dim::Known(extent)) = (Dim::sum(&lengths), &extent)
            && !lengths.is_empty()
            && sum != *extent
        {
            return Err(InferError::new(format!("the parts add up to {sum}, the axis has {extent}")));
        }
        lengths
    } else {
        let parts = op.num_outputs.unwrap_or(count as i64);
        if parts < count as i64 {
            return Err(InferError::new(format!("{parts} parts for {count} results")));
        }
        (0..count as i64).map(|part| part_length(&extent, parts, part)).collect()
    };
    let mut start = Dim::Known(0);
    for slot in 0..count {
        let length = lengths.get(slot).cloned().unwrap_or_default();
        let mut own = dims.clone();
        own[axis] = known_or_fresh(cx, length.clone(), slot, axis);
        cx.set_tensor(slot, dtype, Shape::Ranked(own));
        if let (Dim::Known(from), Dim::Known(length)) = (&start, &length)
            && *length >= 0
            && *length <= Contents::LIMIT as i64
            && let (Some(extents), Some(contents)) = (cx.shape(0).extents(), cx.contents(0))
        {
            let mut lists = vec![None; dims.len()];
            lists[axis] = Some((*from..from + length).map(|index| index as u64).collect());
            if let Some(items) = elementwise::pick(contents.items(), &extents, &lists) {
                cx.set_contents(slot, items);
            }
        }
        start = start.add(&length);
    }
    Ok(())
}

fn part_length(extent: &Dim, parts: i64, part: i64) -> Dim {
    let length = match extent.exact_div(&Dim::Known(parts)) {
        Some(length) => return length,
        None if parts > 0 => ceil_div(extent, parts),
        None => return Dim::Unknown,
    };
    match (extent, &length) {
        (Dim::Known(extent), Dim::Known(length)) => {
            Dim::Known(extent.saturating_sub(part.saturating_mul(*length)).clamp(0, *length))
        }
        _ if part == 0 => length,
        _ => Dim::Unknown,
    }
}

fn transpose(op: &Transpose, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let dtype = cx.dtype(0);
    let Some(dims) = checks::dims(cx, 0) else {
        let shape = if op.perm.is_empty() { Shape::Unranked } else { Shape::of_rank(op.perm.len()) };
        cx.set_tensor(0, dtype, shape);
        return Ok(());
    };
    if !op.perm.is_empty() && op.perm.len() != dims.len() {
        return Err(InferError::new(format!("the permutation {:?} does not fit rank {}", op.perm, dims.len())));
    }
    let perm = if op.perm.is_empty() { (0..dims.len()).rev().collect() } else { InferCx::axes(&op.perm, dims.len())? };
    let permuted: Dims = perm.iter().map(|axis| dims[*axis].clone()).collect();
    cx.set_tensor(0, dtype, Shape::Ranked(permuted));
    if let (Some(extents), Some(contents)) = (cx.shape(0).extents(), cx.contents(0))
        // A file can declare a shape that does not fit the contents.
        && elementwise::element_count(&extents) == Some(contents.items().len())
    {
        let to: Vec<u64> = perm.iter().map(|axis| extents[*axis]).collect();
        let count = contents.items().len();
        let items = (0..count).map(|at| {
            // From the place in the result to that in the operand, axis by axis.
            let (mut rest, mut indices) = (at as u64, vec![0; perm.len()]);
            for (place, axis) in perm.iter().enumerate().rev() {
                indices[*axis] = rest % to[place];
                rest /= to[place];
            }
            let from = indices.iter().zip(&extents).fold(0, |from, (index, extent)| from * extent + index);
            contents.items().get(from as usize).cloned()
        });
        if let Some(items) = items.collect::<Option<Vec<_>>>() {
            cx.set_contents(0, items);
        }
    }
    Ok(())
}

fn trilu(_: &Trilu, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    checks::same_type(cx, 0, 0);
    match cx.shape(0).rank() {
        Some(rank @ 0..2) => Err(checks::wrong_rank("the input", "2 or more", rank)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::rule_test::{Given, given, infer, ints, known};
    use super::*;

    #[test]
    fn joins_add_up() {
        for (axis, a, b, expected) in [
            (1, "float[N,3]", "float[N,4]", "float[N,7]"),
            (-1, "float[N,S]", "float[N,T]", "float[N,S + T]"),
            (1, "float[?,3]", "float[8,?]", "float[8,`?r0.1`]"),
            (0, "float[..]", "float[2,3]", "float[`?r0.0`,3]"),
            (0, "float[..]", "float[..]", "float[..]"),
            (0, "int64[1] = N", "int64[2] = -1,64", "int64[3] = N,-1,64"),
            (0, "int64[1] = N", "int64[2]", "int64[3] = N,?,?"),
            (0, "int64[0] = ", "int64[1] = N", "int64[1] = N"),
            (1, "int64[2,1] = 1,2", "int64[2,2] = 3,4,5,6", "int64[2,3] = 1,3,4,2,5,6"),
            (1, "float[2,3]", "float[3,3]", "axis 0 is 2 in the first operand and 3 in operand 1"),
            (0, "float[2,3]", "float[3]", "operand 1 of shape [3] cannot be joined to shape [2,3]"),
            (2, "float[2,3]", "float[2,3]", "axis 2 is outside rank 2"),
        ] {
            assert_eq!(known(&Concat { axis }, given![a, b], 1), expected, "{a} {b}");
        }
    }

    #[test]
    fn contents_that_do_not_fit_a_declared_shape_are_not_moved() {
        // Found by fuzzing: the place of an element that does not exist.
        let operand = "int64[0,9223372036854775807,3] = 1,2,3";
        let transpose = Transpose { perm: [2, 1, 0].into() };
        assert_eq!(known(&transpose, given![operand], 1), "int64[3,9223372036854775807,0]");
    }

    #[test]
    fn many_joined_operands_take_linear_time() {
        let many = |text: &str| infer(&Concat { axis: 1 }, (0..50_000).map(|_| Given::from(text)));
        assert_eq!(many("float[N,2]"), "float[N,100000]");
        assert_eq!(many("float[N,S]"), "float[N,50000*S]");
        let each = (0..50_000).map(|index| Given::from(format!("float[N,S{index}]").as_str()));
        assert_eq!(infer(&Concat { axis: 1 }, each), "float[N,`?r0.1`]");
    }

    #[test]
    fn slices_are_clamped() {
        let slice = |operands: Vec<&str>| known(&Slice {}, operands.into_iter().map(Given::from), 1);
        let (max, one) = ("int64[1] = 9223372036854775807", "int64[1] = 1");
        for (operands, expected) in [
            (vec!["float[N,7]", one, max, one], "float[N,6]"),
            (vec!["float[1,512]", "int64[1] = 0", "int64[1] = S", one], "float[1,min(512, S)]"),
            (vec!["float[N,7]", "int64[1] = -1", max, one], "float[N,1]"),
            (vec!["float[N,7]", one, max], "float[max(0, N - 1),7]"),
            (vec!["float[N,7]", "int64[1]", max, one], "float[N,`?r0.1`]"),
            (vec!["float[N,7]", one, max, "int64[1]"], "float[`?r0.0`,`?r0.1`]"),
            (vec!["float[N,7]", one, max, one, "int64[1] = 2"], "float[N,3]"),
            (vec!["float[..]", one, max, one], "float[..]"),
            (vec!["int64[3] = N,C,H", one, max], "int64[2] = C,H"),
            (
                vec![
                    "int64[3] = N,C,H",
                    "int64[1] = -1",
                    "int64[1] = -9223372036854775808",
                    "int64[1] = 0",
                    "int64[1] = -1",
                ],
                "int64[3] = H,C,N",
            ),
            (vec!["int64[2,2] = 1,2,3,4", one, max, one], "int64[2,1] = 2,4"),
            (vec!["float[7]", one, "int64[2] = 1,2"], "starts, ends, axes and steps differ in length"),
            (vec!["float[7]", one, max, one], "axis 1 is outside rank 1"),
            (vec!["float[7]", one, max, "int64[1] = 0", "int64[1] = 0"], "a step of zero"),
        ] {
            assert_eq!(slice(operands.clone()), expected, "{operands:?}");
        }
    }

    #[test]
    fn splits_share_an_axis() {
        let split = |num_outputs| Split { axis: 0, num_outputs };
        assert_eq!(known(&split(Some(3)), given!["float[7,2]"], 3), "float[3,2]; float[3,2]; float[1,2]");
        assert_eq!(known(&split(Some(2)), given!["float[2*N]"], 2), "float[N]; float[N]");
        assert_eq!(known(&split(Some(2)), given!["float[N]"], 2), "float[floor((N + 1)/2)]; float[`?r1.0`]");
        assert_eq!(known(&split(None), given!["float[4]"], 2), "float[2]; float[2]");
        assert_eq!(known(&split(None), given!["float[4]", ints(&[1, 3])], 2), "float[1]; float[3]");
        assert_eq!(known(&split(None), given!["float[N]", "int64[2]"], 2), "float[`?r0.0`]; float[`?r1.0`]");
        assert_eq!(known(&split(None), given!["int64[2] = N,3", ints(&[1, 1])], 2), "int64[1] = N; int64[1] = 3");
        assert_eq!(known(&split(None), given!["float[..]"], 2), "float[..]; float[..]");
        assert_eq!(known(&split(None), given!["float[5]", ints(&[1, 3])], 2), "the parts add up to 4, the axis has 5");
        assert_eq!(known(&split(Some(1)), given!["float[5]"], 2), "1 parts for 2 results");
    }

    #[test]
    fn axes_are_permuted() {
        let transpose = |perm: &[i64]| Transpose { perm: perm.into() };
        assert_eq!(known(&transpose(&[]), given!["float[N,3,H]"], 1), "float[H,3,N]");
        assert_eq!(known(&transpose(&[0, 2, 1]), given!["float[N,3,H]"], 1), "float[N,H,3]");
        assert_eq!(known(&transpose(&[0, 2, 1]), given!["float[..]"], 1), "float[?,?,?]");
        assert_eq!(known(&transpose(&[]), given!["int64[2,3] = 1,2,3,4,5,6"], 1), "int64[3,2] = 1,4,2,5,3,6");
        assert_eq!(known(&transpose(&[0, 0]), given!["float[2,3]"], 1), "axis 0 is named twice");
        assert_eq!(known(&transpose(&[0]), given!["float[2,3]"], 1), "the permutation [0] does not fit rank 2");
    }

    #[test]
    fn pads_add_and_crop() {
        let pad = Pad { mode: PadMode::Constant };
        assert_eq!(infer(&pad, given!["float[N,8]", ints(&[0, 1, 0, 2])]), "float[N,11]");
        assert_eq!(infer(&pad, given!["float[N,8]", ints(&[-1, 2]), "-", ints(&[-1])]), "float[N,9]");
        assert_eq!(infer(&pad, given!["float[N,8]", "int64[4]"]), "float[`?r0.0`,`?r0.1`]");
        assert_eq!(infer(&pad, given!["float[N,8]", "int64[2]", "-", ints(&[1])]), "float[N,`?r0.1`]");
        assert_eq!(infer(&pad, given!["float[N,8]", "int64[2]", "-", "int64[1]"]), "float[`?r0.0`,`?r0.1`]");
        assert_eq!(infer(&pad, given!["float[..]", "int64[2]"]), "float[..]");
        assert_eq!(infer(&pad, given!["float[N,8]", ints(&[0, 1])]), "2 pads for 2 axes");
        assert_eq!(infer(&pad, given!["float[2]", ints(&[-1, -2])]), "pads -1 and -2 take more than axis 0 of 2 has");
    }

    #[test]
    fn blocks_move_between_depth_and_plane() {
        let deep = |blocksize| DepthToSpace { blocksize, mode: BlockOrder::DepthColumnRow };
        let wide = |blocksize| SpaceToDepth { blocksize, mode: BlockOrder::DepthColumnRow };
        assert_eq!(infer(&deep(2), given!["float[N,8,H,3]"]), "float[N,2,2*H,6]");
        assert_eq!(infer(&deep(2), given!["float[..]"]), "float[?,?,?,?]");
        assert_eq!(infer(&deep(2), given!["float[N,6,H,3]"]), "axis 1 of 6 is no multiple of 4");
        assert_eq!(infer(&deep(0), given!["float[N,6,H,3]"]), "a block size of 0");
        assert_eq!(infer(&wide(2), given!["float[N,2,2*H,6]"]), "float[N,8,H,3]");
        assert_eq!(infer(&wide(2), given!["float[N,2,H,6]"]), "float[N,8,`?r0.2`,3]");
        assert_eq!(infer(&wide(2), given!["float[N,2,H,5]"]), "axis 3 of 5 is no multiple of 2");
        assert_eq!(infer(&wide(2), given!["float[3]"]), "the input must have rank 4, not 1");
    }

    #[test]
    fn the_rest() {
        assert_eq!(known(&Identity {}, given!["int64[2] = N,3"], 1), "int64[2] = N,3");
        let hot = OneHot { axis: -1 };
        assert_eq!(infer(&hot, given!["int64[N,S]", "int64[] = 10", "float[2]"]), "float[N,S,10]");
        assert_eq!(infer(&OneHot { axis: 0 }, given!["int64[N]", "float[1] = 4.0", "float[2]"]), "float[4,N]");
        assert_eq!(infer(&hot, given!["int64[N]", "int64[]", "float[2]"]), "float[N,`?r0.1`]");
        assert_eq!(infer(&hot, given!["int64[N]", "int64[] = -1", "float[2]"]), "a depth of -1");
        let reverse = ReverseSequence { batch_axis: 1, time_axis: 0 };
        assert_eq!(infer(&reverse, given!["float[T,B,3]", "int64[B]"]), "float[T,B,3]");
        let message = "the elements of sequence_lens: 4 and 3 must be equal";
        assert_eq!(infer(&reverse, given!["float[T,4,3]", "int64[3]"]), message);
        assert_eq!(infer(&Trilu { upper: true }, given!["float[N,3,3]"]), "float[N,3,3]");
        assert_eq!(infer(&Trilu { upper: true }, given!["float[3]"]), "the input must have rank 2 or more, not 1");
        let center = |axes: &[i64]| CenterCropPad { axes: axes.into() };
        assert_eq!(infer(&center(&[]), given!["float[N,8]", ints(&[3, 4])]), "float[3,4]");
        assert_eq!(infer(&center(&[-1]), given!["float[N,8]", "int64[1] = M"]), "float[N,M]");
        assert_eq!(infer(&center(&[0]), given!["float[N,8]", "int64[K]"]), "float[`?r0.0`,8]");
        assert_eq!(infer(&center(&[0]), given!["float[N,8]", ints(&[1, 2])]), "the shape has 2 entries for 1 axes");
        let columns = Col2Im { dilations: vec![], pads: vec![], strides: vec![] };
        assert_eq!(infer(&columns, given!["float[N,27,L]", ints(&[8, 8]), ints(&[3, 3])]), "float[N,3,8,8]");
        assert_eq!(infer(&columns, given!["float[N,27,L]", "int64[2]", ints(&[3, 3])]), "float[N,3,`?r0.2`,`?r0.3`]");
        let message = "27 rows are no multiple of a block of 4";
        assert_eq!(infer(&columns, given!["float[N,27,L]", "int64[2]", ints(&[2, 2])]), message);
    }
}
