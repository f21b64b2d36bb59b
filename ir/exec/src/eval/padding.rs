//! Evaluation of Pad, CenterCropPad and Col2Im.

use edgesmith_ir::Tensor;
use edgesmith_ir::op::{CenterCropPad, Col2Im, Pad, PadMode};

use super::cx::one;
use super::layout::{Dims, Loops, count, dims, strides};
use super::movement::{picked, unmovable};
use super::number::{Cell, Number, by_dtype};
use super::{EvalCx, EvalError, Evaluated};

/// Elements added before and after each axis; negative ones are taken away.
type Pads = Vec<(i64, i64)>;

/// Cropping comes before padding. A reflection that is longer than the axis allows goes back and forth.
pub(super) fn pad(op: &Pad, cx: &EvalCx<'_>) -> Evaluated {
    let x = cx.tensor(0)?;
    let shape = dims(x);
    let given = cx.ints(1)?;
    let axes: Dims = match cx.maybe_ints(3)? {
        Some(axes) => cx.axes(&axes, shape.len())?,
        None => (0..shape.len()).collect(),
    };
    if given.len() != 2 * axes.len() {
        return Err(cx.error(format!("{} pads for {} axes", given.len(), axes.len())));
    }
    let mut pads: Pads = vec![(0, 0); shape.len()];
    for (at, axis) in axes.iter().enumerate() {
        pads[*axis] = (given[at], given[at + axes.len()]);
    }
    let value = cx.maybe_tensor(2)?;
    match op.mode {
        PadMode::Constant => constant(x, &pads, value, cx),
        mode => mirrored(x, &pads, mode, cx),
    }
}

/// The extents after padding, and which elements `[start, start + length)` of each axis stay.
fn cropped(shape: &[usize], pads: &Pads, cx: &EvalCx<'_>) -> Result<(Dims, Vec<(usize, usize)>), EvalError> {
    let mut out = Dims::new();
    let mut kept = Vec::with_capacity(shape.len());
    for (extent, (begin, end)) in shape.iter().zip(pads) {
        let total = *extent as i128 + i128::from(*begin) + i128::from(*end);
        let left = *extent as i128 + i128::from((*begin).min(0)) + i128::from((*end).min(0));
        let (Ok(total), true) = (usize::try_from(total), left >= 0) else {
            return Err(cx.error(format!("pads ({begin}, {end}) take more than an axis of {extent} has")));
        };
        out.push(total);
        kept.push((begin.min(&0).unsigned_abs() as usize, left as usize));
    }
    Ok((out, kept))
}

fn constant(x: &Tensor, pads: &Pads, value: Option<&Tensor>, cx: &EvalCx<'_>) -> Evaluated {
    let shape = dims(x);
    let (out, kept) = cropped(&shape, pads, cx)?;
    let total = cx.allow(x.dtype(), &out)?;
    by_dtype!(x.dtype(), T: cell => {
        let fill = match value {
            None => T::default(),
            Some(value) if value.dtype() != x.dtype() => return Err(cx.error("the constant is of another type")),
            Some(value) => match T::cells(value)?.as_ref() {
                [one] => one.clone(),
                many => return Err(cx.error(format!("the constant has {} elements, not one", many.len()))),
            },
        };
        let source = T::cells(x)?;
        let mut result = vec![fill; total];
        let (from, to) = (strides(&shape), strides(&out));
        let first: usize = kept.iter().zip(&from).map(|((start, _), step)| start * step).sum();
        let place: usize = pads.iter().zip(&to).map(|((begin, _), step)| (*begin).max(0) as usize * step).sum();
        let lengths: Dims = kept.iter().map(|(_, length)| *length).collect();
        // Runs are contiguous in both, except the innermost one of a tensor that is one axis wide.
        Loops::new(&lengths, [&from, &to]).run(|[i, j], [s, t], length| {
            if (s, t) == (1, 1) {
                result[place + j..place + j + length].clone_from_slice(&source[first + i..first + i + length]);
            } else {
                for k in 0..length {
                    result[place + j + k * t] = source[first + i + k * s].clone();
                }
            }
        });
        one(<T as Cell>::tensor(x.dtype(), &out, result)?)
    }, else Err(unmovable(x.dtype())))
}

fn mirrored(x: &Tensor, pads: &Pads, mode: PadMode, cx: &EvalCx<'_>) -> Evaluated {
    let shape = dims(x);
    let (out, kept) = cropped(&shape, pads, cx)?;
    cx.allow(x.dtype(), &out)?;
    let mut lists = Vec::with_capacity(shape.len());
    for (axis, (start, length)) in kept.into_iter().enumerate() {
        let (begin, end) = pads[axis];
        if (begin, end) == (0, 0) {
            lists.push(None);
            continue;
        }
        if length == 0 && out[axis] > 0 {
            return Err(cx.error("an axis without elements cannot be continued"));
        }
        let n = length as i64;
        if mode == PadMode::Reflect && begin.max(end) >= n.max(1) {
            cx.open("a reflection longer than the axis")?;
        }
        let indices = (0..out[axis] as i64).map(|at| {
            let at = at - begin.max(0);
            let within = match mode {
                PadMode::Edge => at.clamp(0, n - 1),
                PadMode::Wrap => at.rem_euclid(n),
                _ if n == 1 => 0,
                _ => {
                    let phase = at.rem_euclid(2 * (n - 1));
                    phase.min(2 * (n - 1) - phase)
                }
            };
            start + within as usize
        });
        lists.push(Some(indices.collect()));
    }
    one(picked(x, &lists)?)
}

/// A crop starts at half of what is too much, padding with half of what is missing (rounded down).
pub(super) fn center_crop_pad(op: &CenterCropPad, cx: &EvalCx<'_>) -> Evaluated {
    let x = cx.tensor(0)?;
    let shape = dims(x);
    let wanted = cx.ints(1)?;
    let axes: Dims = if op.axes.is_empty() { (0..shape.len()).collect() } else { cx.axes(&op.axes, shape.len())? };
    if wanted.len() != axes.len() {
        return Err(cx.error(format!("a shape of {} extents for {} axes", wanted.len(), axes.len())));
    }
    let mut pads: Pads = vec![(0, 0); shape.len()];
    for (axis, target) in axes.into_iter().zip(wanted) {
        if target < 0 {
            return Err(cx.error(format!("an extent of {target}")));
        }
        let more = target - shape[axis] as i64;
        let begin = if more < 0 { -(-more / 2) } else { more / 2 };
        pads[axis] = (begin, more - begin);
    }
    constant(x, &pads, None, cx)
}

/// Overlapping elements are added in the element type, in the order of the columns.
pub(super) fn col2im(op: &Col2Im, cx: &EvalCx<'_>) -> Evaluated {
    let x = cx.tensor(0)?;
    let sizes = |ints: Vec<i64>| ints.into_iter().map(|n| usize::try_from(n).ok()).collect::<Option<Vec<usize>>>();
    let bad = || cx.error("image, block, strides, dilations and pads do not fit each other");
    let (image, block) = (sizes(cx.ints(1)?).ok_or_else(bad)?, sizes(cx.ints(2)?).ok_or_else(bad)?);
    let rank = image.len();
    let list = |given: &Vec<i64>, default: usize, length: usize| {
        if given.is_empty() { Some(vec![default; length]) } else { sizes(given.clone()).filter(|l| l.len() == length) }
    };
    let steps = list(&op.strides, 1, rank).filter(|steps| !steps.contains(&0)).ok_or_else(bad)?;
    let spread = list(&op.dilations, 1, rank).ok_or_else(bad)?;
    let pads = list(&op.pads, 0, 2 * rank).ok_or_else(bad)?;
    let places: Option<Dims> = (0..rank)
        .map(|k| {
            let room =
                (image[k] + pads[k] + pads[k + rank]).checked_sub(spread[k] * (block.get(k)?.checked_sub(1)?) + 1)?;
            Some(room / steps[k] + 1)
        })
        .collect();
    let places = places.filter(|_| block.len() == rank).ok_or_else(bad)?;
    let (cells, columns) = (block.iter().product::<usize>(), count(&places).ok_or_else(bad)?);
    let shape = dims(x);
    let [n, rows, width] = shape[..] else { return Err(cx.error("a tensor of rank 3 is needed")) };
    if width != columns || cells == 0 || rows % cells != 0 {
        return Err(bad());
    }
    let mut out: Dims = Dims::from_slice(&[n, rows / cells]);
    out.extend_from_slice(&image);
    let total = cx.allow(x.dtype(), &out)?;
    let plane: usize = image.iter().product();
    let (image_strides, block_strides, place_strides) = (strides(&image), strides(&block), strides(&places));
    by_dtype!(x.dtype(), T: number => {
        let source = T::read(x)?;
        let mut result = vec![T::ZERO; total];
        for (at, value) in source.iter().enumerate() {
            let (place, row) = (at % columns, at / columns);
            let (cell, channel) = (row % cells, row / cells);
            let offset: Option<usize> = (0..rank).map(|k| {
                let position = place / place_strides[k] % places[k] * steps[k] + cell / block_strides[k] % block[k] * spread[k];
                position.checked_sub(pads[k]).filter(|p| *p < image[k]).map(|p| p * image_strides[k])
            }).sum();
            if let Some(offset) = offset {
                let slot = &mut result[channel * plane + offset];
                *slot = slot.plus(*value).settled(x.dtype());
            }
        }
        one(T::write(x.dtype(), &out, result)?)
    }, else Err(cx.wrong_dtype(x.dtype())))
}
