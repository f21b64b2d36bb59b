//! Operators: conv.

use super::geometry::{TransposedAxis, WindowAxis};
use super::operator;
use super::{checks, checks::vector_of};
use crate::attribute::attribute_enum;
use crate::infer::{InferCx, InferError};
use crate::{Dim, Dims, Shape};

attribute_enum! {
    /// The values of the attribute.
    AutoPad { /// `NOTSET`.
        NotSet = "NOTSET", /// `SAME_UPPER`.
        SameUpper = "SAME_UPPER", /// `SAME_LOWER`.
        SameLower = "SAME_LOWER", /// `VALID`.
        Valid = "VALID", }
}

operator! {
    /// Convolution (cross-correlation) over the spatial axes, with groups, dilations and strides.
    Conv {
        operands { x: one, weight: one, bias: maybe }
        results { y: one }
        attributes { auto_pad: AutoPad [AutoPad::NotSet], dilations: Vec<i64>, group: i64 [1], kernel_shape: Vec<i64>, pads: Vec<i64>, strides: Vec<i64> }
        regions {  }
        infer: |op: &Conv, cx: &mut InferCx<'_>| {
            let shape = convolution(cx, &Operands { x: 0, weight: 1, bias: 2 }, op.group, &op.kernel_shape, |rank| op.window_axes(rank))?;
            cx.set_tensor(0, cx.dtype(0), shape);
            Ok(())
        };
        macs: |_: &Conv, cx: &InferCx<'_>| convolution_macs(cx, 1);
    }
}

operator! {
    /// Transposed convolution.
    ConvTranspose {
        operands { x: one, weight: one, bias: maybe }
        results { y: one }
        attributes { auto_pad: AutoPad [AutoPad::NotSet], dilations: Vec<i64>, group: i64 [1], kernel_shape: Vec<i64>, output_padding: Vec<i64>, output_shape: Vec<i64>, pads: Vec<i64>, strides: Vec<i64> }
        regions {  }
        infer: transposed_convolution;
        macs: |_: &ConvTranspose, cx: &InferCx<'_>| match cx.dims(1) {
            // Every input element meets its row of the weight.
            Some([_, per_element @ ..]) => cx.shape(0).elements().mul(&checks::product(per_element)),
            _ => Dim::Unknown,
        };
    }
}

operator! {
    /// Convolution at learned offsets from the regular grid.
    DeformConv {
        operands { x: one, weight: one, offset: one, bias: maybe, mask: maybe }
        results { y: one }
        attributes { dilations: Vec<i64>, group: i64 [1], kernel_shape: Vec<i64>, offset_group: i64 [1], pads: Vec<i64>, strides: Vec<i64> }
        regions {  }
        infer: deformed_convolution;
        macs: |_: &DeformConv, cx: &InferCx<'_>| convolution_macs(cx, 1);
    }
}

/// The slots of a convolution's operands; a bias that is absent may have any slot.
pub(super) struct Operands {
    pub(super) x: usize,
    pub(super) weight: usize,
    pub(super) bias: usize,
}

/// Multiply-accumulates of a convolution whose result is the first: each output element takes one per element of a
/// filter.
pub(super) fn convolution_macs(cx: &InferCx<'_>, weight: usize) -> Dim {
    match cx.dims(weight) {
        Some([_, filter @ ..]) => checks::result_elements(cx, 0).mul(&checks::product(filter)),
        _ => Dim::Unknown,
    }
}

/// The shape that a convolution yields: `[N, M, windows...]`.
pub(super) fn convolution(
    cx: &mut InferCx<'_>,
    slots: &Operands,
    group: i64,
    kernel_shape: &[i64],
    axes: impl Fn(usize) -> Result<Vec<WindowAxis>, InferError>,
) -> Result<Shape, InferError> {
    let Some(sides) = Sides::of(cx, slots, group, kernel_shape)? else { return Ok(Shape::Unranked) };
    let axes: Vec<WindowAxis> = axes(sides.kernel.len())?;
    cx.equal(
        &sides.channels,
        &sides.weight[1].mul(&Dim::Known(group)),
        "the channels of x and group times those of W",
    )?;
    if let Dim::Known(filters) = sides.weight[0]
        && filters % group != 0
    {
        return Err(InferError::new(format!("the {filters} filters of W cannot be divided into {group} groups")));
    }
    let filters = vector_of(cx, slots.bias, &sides.weight[0], "the bias")?;
    let mut dims = Dims::from_iter([sides.batch.clone(), filters]);
    for (axis, window) in axes.iter().enumerate() {
        dims.push(window.output(&sides.spatial[axis], &sides.kernel[axis]).map_err(|error| on_axis(axis, &error))?);
    }
    Ok(Shape::Ranked(dims))
}

fn transposed_convolution(op: &ConvTranspose, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let slots = Operands { x: 0, weight: 1, bias: 2 };
    let Some(sides) = Sides::of(cx, &slots, op.group, &op.kernel_shape)? else {
        cx.set_tensor(0, cx.dtype(0), Shape::Unranked);
        return Ok(());
    };
    let axes: Vec<TransposedAxis> = op.window_axes(sides.kernel.len())?;
    let channels = cx.equal(&sides.channels, &sides.weight[0], "the channels of x and those of W")?;
    if let Dim::Known(channels) = channels
        && channels % op.group != 0
    {
        return Err(InferError::new(format!("{channels} channels cannot be divided into {} groups", op.group)));
    }
    let filters = vector_of(cx, slots.bias, &sides.weight[1].mul(&Dim::Known(op.group)), "the bias")?;
    let mut dims = Dims::from_iter([sides.batch.clone(), filters]);
    for (axis, window) in axes.iter().enumerate() {
        dims.push(window.output(&sides.spatial[axis], &sides.kernel[axis]).map_err(|error| on_axis(axis, &error))?);
    }
    cx.set_tensor(0, cx.dtype(0), Shape::Ranked(dims));
    Ok(())
}

fn deformed_convolution(op: &DeformConv, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let slots = Operands { x: 0, weight: 1, bias: 3 };
    let shape = convolution(cx, &slots, op.group, &op.kernel_shape, |rank| op.window_axes(rank))?;
    if op.offset_group < 1 {
        return Err(InferError::new(format!("attribute 'offset_group' is {}; it must be at least 1", op.offset_group)));
    }
    let dtype = cx.dtype(0);
    let Some(dims) = shape.dims() else {
        cx.set_tensor(0, dtype, shape);
        return Ok(());
    };
    let mut dims = Dims::from(dims);
    // Offsets and mask lie on the grid of the output.
    let kernel = checks::dims(cx, 1).map_or(Dim::Unknown, |weight| checks::product(&weight[2..]));
    let taps = kernel.mul(&Dim::Known(op.offset_group));
    let spatial = Dim::from(dims.len() - 2);
    for (slot, name, channels) in [(2, "offset", taps.mul(&spatial)), (4, "mask", taps)] {
        if let Some(grid) = checks::dims_of_rank(cx, slot, dims.len(), name)? {
            cx.equal(&grid[1], &channels, &format!("the channels of {name} and those that the kernel needs"))?;
            for axis in (0..dims.len()).filter(|axis| *axis != 1) {
                dims[axis] = cx.equal(&dims[axis], &grid[axis], &format!("axis {axis} of the output and of {name}"))?;
            }
        }
    }
    cx.set_tensor(0, dtype, Shape::Ranked(dims));
    Ok(())
}

/// What a convolution knows of its operands; unknown dims where the rank of one is unknown.
struct Sides {
    batch: Dim,
    channels: Dim,
    spatial: Dims,
    weight: Dims,
    kernel: Dims,
}

impl Sides {
    /// `None` when nothing tells the number of spatial axes.
    fn of(
        cx: &mut InferCx<'_>,
        slots: &Operands,
        group: i64,
        kernel_shape: &[i64],
    ) -> Result<Option<Self>, InferError> {
        if group < 1 {
            return Err(InferError::new(format!("attribute 'group' is {group}; it must be at least 1")));
        }
        let (x, weight) = (checks::dims(cx, slots.x), checks::dims(cx, slots.weight));
        let rank = match (&x, &weight, kernel_shape.len()) {
            (Some(dims), _, _) | (None, Some(dims), _) => dims.len(),
            (None, None, 0) => return Ok(None),
            (None, None, spatial) => spatial + 2,
        };
        if rank < 2 {
            return Err(checks::wrong_rank("x", "3 or more", rank));
        }
        let unknown: Dims = smallvec::smallvec![Dim::Unknown; rank];
        let (x, weight) = (x.unwrap_or_else(|| unknown.clone()), weight.unwrap_or(unknown));
        if weight.len() != rank {
            return Err(InferError::new(format!("x has rank {rank}, but W has rank {}", weight.len())));
        }
        let mut kernel = Dims::from(&weight[2..]);
        if !kernel_shape.is_empty() {
            if kernel_shape.len() != rank - 2 {
                return Err(InferError::new(format!(
                    "attribute 'kernel_shape' has {} entries for {} spatial axes",
                    kernel_shape.len(),
                    rank - 2
                )));
            }
            for (axis, (extent, taps)) in kernel_shape.iter().zip(&mut kernel).enumerate() {
                let what = format!("attribute 'kernel_shape' and the shape of W on spatial axis {axis}");
                *taps = cx.equal(&Dim::Known(*extent), taps, &what)?;
            }
        }
        if let Some(axis) = kernel.iter().position(|taps| taps.known().is_some_and(|taps| taps < 1)) {
            return Err(InferError::new(format!("the kernel has {} taps on spatial axis {axis}", kernel[axis])));
        }
        let [batch, channels, spatial @ ..] = x.as_slice() else { return Ok(None) };
        Ok(Some(Self {
            batch: batch.clone(),
            channels: channels.clone(),
            spatial: spatial.into(),
            weight: weight.clone(),
            kernel,
        }))
    }
}

/// The error of one spatial axis, saying which.
pub(super) fn on_axis(axis: usize, error: &InferError) -> InferError {
    InferError::new(format!("spatial axis {axis}: {}", error.message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::rule_test::{given, infer, macs};

    fn conv() -> Conv {
        Conv {
            auto_pad: AutoPad::NotSet,
            dilations: vec![],
            group: 1,
            kernel_shape: vec![],
            pads: vec![],
            strides: vec![],
        }
    }
    fn transposed() -> ConvTranspose {
        ConvTranspose {
            auto_pad: AutoPad::NotSet,
            dilations: vec![],
            group: 1,
            kernel_shape: vec![],
            output_padding: vec![],
            output_shape: vec![],
            pads: vec![],
            strides: vec![],
        }
    }

    #[test]
    fn infers_convolutions() {
        let padded = Conv { pads: vec![1, 1, 1, 1], ..conv() };
        let strided = Conv { strides: vec![2, 2], ..padded.clone() };
        let same = Conv { auto_pad: AutoPad::SameUpper, strides: vec![2, 2], ..conv() };
        for (op, x, weight, want) in [
            (&conv(), "float[N,3,32,32]", "float[8,3,3,5]", "float[N,8,30,28]"),
            (&conv(), "float16[N,3,32]", "float16[8,3,3]", "float16[N,8,30]"),
            (&padded, "float[N,3,H,W]", "float[8,3,3,3]", "float[N,8,H,W]"),
            (&strided, "float[N,3,H,33]", "float[8,3,3,3]", "float[N,8,floor((H + 1)/2),17]"),
            (&same, "float[1,3,H,33]", "float[8,3,?,?]", "float[1,8,floor((H + 1)/2),17]"),
            (&strided, "float[..]", "float[8,3,3,3]", "float[?,8,?,?]"),
            (&strided, "float[N,3,32,32]", "?", "float[N,?,?,?]"),
            (&conv(), "float[..]", "float[..]", "float[..]"),
            (&conv(), "?", "float[8,3,3,3]", "?"),
        ] {
            assert_eq!(infer(op, given![x, weight]), want, "{op:?} {x} {weight}");
        }
        let kernel = Conv { kernel_shape: vec![3, 3], ..conv() };
        assert_eq!(infer(&kernel, given!["float[1,3,8,8]", "?", "float[16]"]), "float[1,16,6,6]");
        let dilated = Conv { dilations: vec![2], ..conv() };
        assert_eq!(infer(&dilated, given!["float[1,3,8]", "float[4,3,3]"]), "float[1,4,4]");
    }

    #[test]
    fn refuses_convolutions() {
        let grouped = Conv { group: 2, ..conv() };
        let kernel = Conv { kernel_shape: vec![5], ..conv() };
        for (op, x, weight, bias, want) in [
            (
                &conv(),
                "float[1,4,8]",
                "float[8,3,3]",
                "-",
                "the channels of x and group times those of W: 4 and 3 must be equal",
            ),
            (&grouped, "float[1,6,8]", "float[9,3,3]", "-", "the 9 filters of W cannot be divided into 2 groups"),
            (
                &Conv { group: 0, ..conv() },
                "float[1,6,8]",
                "float[9,3,3]",
                "-",
                "attribute 'group' is 0; it must be at least 1",
            ),
            (
                &kernel,
                "float[1,3,8]",
                "float[8,3,3]",
                "-",
                "attribute 'kernel_shape' and the shape of W on spatial axis 0: 5 and 3 must be equal",
            ),
            (&conv(), "float[1,3,8]", "float[8,3,3]", "float[7]", "the elements of the bias: 8 and 7 must be equal"),
            (&conv(), "float[1,3,8]", "float[8,3,3,3]", "-", "x has rank 3, but W has rank 4"),
            (
                &conv(),
                "float[1,3,2]",
                "float[8,3,3]",
                "-",
                "spatial axis 0: a window of 3 elements does not fit the padded input of 2",
            ),
        ] {
            assert_eq!(infer(op, given![x, weight, bias]), want, "{op:?} {x} {weight}");
        }
    }

    #[test]
    fn counts_products_of_convolutions() {
        let grouped = Conv { group: 4, ..conv() };
        assert_eq!(macs(&conv(), given!["float[N,3,8,8]", "float[16,3,3,3]"]), "15552*N");
        // Depthwise: one filter plane per channel.
        assert_eq!(macs(&grouped, given!["float[1,4,8,8]", "float[4,1,3,3]"]), "1296");
        assert_eq!(macs(&conv(), given!["float[1,3,H,8]", "?"]), "?");
        let up = ConvTranspose { strides: vec![2], group: 2, ..transposed() };
        assert_eq!(macs(&up, given!["float[N,4,10]", "float[4,3,2]"]), "240*N");
    }

    #[test]
    fn infers_transposed_convolutions() {
        let up =
            ConvTranspose { strides: vec![2, 2], pads: vec![1, 1, 1, 1], output_padding: vec![1, 1], ..transposed() };
        let fixed = ConvTranspose { strides: vec![2, 2], output_shape: vec![15, 16], ..transposed() };
        let same = ConvTranspose { auto_pad: AutoPad::SameLower, strides: vec![2, 3], ..transposed() };
        let grouped = ConvTranspose { group: 2, ..up.clone() };
        for (op, x, weight, want) in [
            (&transposed(), "float[1,4,5,5]", "float[4,6,3,3]", "float[1,6,7,7]"),
            (&up, "float[N,4,H,5]", "float[4,6,3,3]", "float[N,6,2*H,10]"),
            (&grouped, "float[N,4,H,5]", "float[4,6,3,3]", "float[N,12,2*H,10]"),
            (&fixed, "float[N,4,H,?]", "float[4,6,3,3]", "float[N,6,15,16]"),
            (&same, "float[N,4,H,5]", "float[..]", "float[N,?,2*H,15]"),
            (&grouped, "float[1,3,5,5]", "float[3,6,3,3]", "3 channels cannot be divided into 2 groups"),
            (&up, "float[1,3,5,5]", "float[4,6,3,3]", "the channels of x and those of W: 3 and 4 must be equal"),
        ] {
            assert_eq!(infer(op, given![x, weight]), want, "{op:?} {x} {weight}");
        }
    }

    #[test]
    fn infers_deformed_convolutions() {
        let op = DeformConv {
            dilations: vec![],
            group: 1,
            kernel_shape: vec![],
            offset_group: 2,
            pads: vec![],
            strides: vec![],
        };
        let (x, weight) = ("float[N,2,5,5]", "float[3,2,2,2]");
        assert_eq!(infer(&op, given![x, weight, "float[N,16,4,4]", "float[3]", "float[N,8,4,4]"]), "float[N,3,4,4]");
        assert_eq!(
            infer(&op, given![x, weight, "float[N,8,4,4]"]),
            "the channels of offset and those that the kernel needs: 8 and 16 must be equal"
        );
        assert_eq!(macs(&op, given![x, weight, "float[N,16,4,4]"]), "384*N");
    }
}
