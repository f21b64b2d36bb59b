//! Windows of transposed convolutions: output sizes, and paddings derived from `output_shape`.

use super::{begin_end_pads, per_axis, per_axis_at_least};
use crate::Dim;
use crate::infer::InferError;
use crate::op::{AutoPad, ConvTranspose, MaxUnpool};

/// The attributes that place the windows of a transposed convolution: empty lists mean defaults.
#[derive(Clone, Copy, Debug)]
pub struct TransposedAttributes<'a> {
    /// How padding is chosen; `pads` counts only for `NotSet`.
    pub auto_pad: AutoPad,
    /// Begins of all axes, then ends. Ignored where there is an `output_shape`.
    pub pads: &'a [i64],
    /// One entry per spatial axis.
    pub strides: &'a [i64],
    /// One entry per spatial axis.
    pub dilations: &'a [i64],
    /// Elements that the output has in addition, at its end.
    pub output_padding: &'a [i64],
    /// The spatial extents of the output; extents of batch and channels before them are ignored.
    pub output_shape: &'a [i64],
}

/// How the size of one axis is chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sizing {
    /// What the windows cover, less these at the beginning and end.
    Pads(i64, i64),
    /// `input * stride`.
    Same,
    /// This many elements.
    Fixed(i64),
}

/// The windows of one spatial axis, before sizes are known. Made by [`transposed_axes`], which checks the attributes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TransposedAxis {
    stride: i64,
    dilation: i64,
    output_padding: i64,
    sizing: Sizing,
    /// Whether the odd element of a derived padding goes to the end.
    upper: bool,
}

/// The windows of one spatial axis in numbers: input element `i`, tap `k` adds to output element
/// `i * stride + k * dilation - begin` where that is inside `0..output`. Output elements that nothing adds to hold the
/// bias alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TransposedWindow {
    /// Elements of the input.
    pub input: i64,
    /// Taps of a window.
    pub kernel: i64,
    /// Elements between the starts of windows.
    pub stride: i64,
    /// Elements between taps.
    pub dilation: i64,
    /// Elements that the windows cover before the output begins.
    pub begin: i64,
    /// Elements that the windows cover after the output ends; negative where the output reaches further than they do.
    pub end: i64,
    /// Elements of the output.
    pub output: i64,
}

/// The axes that attributes describe. Errors: lists of a wrong length; strides or dilations below 1; negative extents.
pub fn transposed_axes(rank: usize, attributes: &TransposedAttributes<'_>) -> Result<Vec<TransposedAxis>, InferError> {
    let strides = per_axis_at_least(attributes.strides, rank, 1, "strides", 1)?;
    let dilations = per_axis_at_least(attributes.dilations, rank, 1, "dilations", 1)?;
    let output_padding = per_axis_at_least(attributes.output_padding, rank, 0, "output_padding", 0)?;
    let given = match attributes.output_shape {
        [] => None,
        [_, _, spatial @ ..] if spatial.len() == rank => Some(spatial),
        shape => {
            per_axis(shape, rank, 0, "output_shape")?;
            Some(shape)
        }
    };
    let pads = match attributes.auto_pad {
        AutoPad::NotSet if given.is_none() => begin_end_pads(attributes.pads, rank)?,
        _ => vec![(0, 0); rank],
    };
    (0..rank)
        .map(|axis| {
            let sizing = match (given, attributes.auto_pad) {
                (Some(shape), _) if shape[axis] < 0 => {
                    return Err(InferError::new(format!(
                        "attribute 'output_shape' is {} on spatial axis {axis}",
                        shape[axis]
                    )));
                }
                (Some(shape), _) => Sizing::Fixed(shape[axis]),
                (None, AutoPad::SameUpper | AutoPad::SameLower) => Sizing::Same,
                (None, _) => Sizing::Pads(pads[axis].0, pads[axis].1),
            };
            Ok(TransposedAxis {
                stride: strides[axis],
                dilation: dilations[axis],
                output_padding: output_padding[axis],
                sizing,
                upper: attributes.auto_pad == AutoPad::SameUpper,
            })
        })
        .collect()
}

impl TransposedAxis {
    /// The elements of the output. Errors: the padding certainly removes more than there is.
    pub fn output(&self, input: &Dim, kernel: &Dim) -> Result<Dim, InferError> {
        if let (Dim::Known(n), Dim::Known(k)) = (input, kernel) {
            return self.place(*n, *k).map(|window| Dim::Known(window.output));
        }
        Ok(match self.sizing {
            Sizing::Fixed(extent) => Dim::Known(extent),
            Sizing::Same => input.mul(&Dim::Known(self.stride)),
            Sizing::Pads(begin, end) => {
                let one = Dim::Known(1);
                let starts = input.sub(&one).mul(&Dim::Known(self.stride));
                let extent = kernel.sub(&one).mul(&Dim::Known(self.dilation)).add(&one);
                let pads = Dim::Known(begin).add(&Dim::Known(end));
                starts.add(&extent).add(&Dim::Known(self.output_padding)).sub(&pads)
            }
        })
    }

    /// The windows in numbers. Errors: the padding removes more than there is, or the sizes overflow.
    pub fn place(&self, input: i64, kernel: i64) -> Result<TransposedWindow, InferError> {
        // Attributes come from files: 128 bits hold every sum and product of them.
        let (n, k, stride, dilation) =
            (i128::from(input), i128::from(kernel), i128::from(self.stride), i128::from(self.dilation));
        let covered = stride * (n - 1) + (k - 1) * dilation + 1;
        let full = covered + i128::from(self.output_padding);
        let derived = |output: i128| {
            let total = (full - output).max(0);
            (if self.upper { total / 2 } else { total - total / 2 }, output)
        };
        let (begin, output) = match self.sizing {
            Sizing::Fixed(extent) => derived(i128::from(extent)),
            Sizing::Same => derived(n * stride),
            Sizing::Pads(begin, end) => (i128::from(begin), full - i128::from(begin) - i128::from(end)),
        };
        if output < 0 && n > 0 {
            return Err(InferError::new(format!("the pads remove {} of {full} elements", full - output)));
        }
        let output = output.max(0);
        let narrow = |x: i128| i64::try_from(x).map_err(|_| InferError::new("the sizes of the windows overflow"));
        Ok(TransposedWindow {
            input,
            kernel,
            stride: self.stride,
            dilation: self.dilation,
            begin: narrow(begin)?,
            end: narrow(covered - output - begin)?,
            output: narrow(output)?,
        })
    }
}

impl ConvTranspose {
    /// The windows of `rank` spatial axes.
    pub fn window_axes(&self, rank: usize) -> Result<Vec<TransposedAxis>, InferError> {
        transposed_axes(
            rank,
            &TransposedAttributes {
                auto_pad: self.auto_pad,
                pads: &self.pads,
                strides: &self.strides,
                dilations: &self.dilations,
                output_padding: &self.output_padding,
                output_shape: &self.output_shape,
            },
        )
    }
    /// The windows in numbers, for the spatial extents of the input and of the kernel.
    pub fn windows(&self, input: &[i64], kernel: &[i64]) -> Result<Vec<TransposedWindow>, InferError> {
        let axes = self.window_axes(input.len())?;
        if kernel.len() != axes.len() {
            return Err(InferError::new(format!("the kernel has {} axes, the input {}", kernel.len(), axes.len())));
        }
        axes.iter().zip(input.iter().zip(kernel)).map(|(axis, (n, k))| axis.place(*n, *k)).collect()
    }
}

impl MaxUnpool {
    /// The axes whose [`TransposedAxis::output`] is the size that the pooling started from, where no `output_shape`
    /// says otherwise.
    pub fn window_axes(&self) -> Result<Vec<TransposedAxis>, InferError> {
        transposed_axes(
            self.kernel_shape.len(),
            &TransposedAttributes {
                auto_pad: AutoPad::NotSet,
                pads: &self.pads,
                strides: &self.strides,
                dilations: &[],
                output_padding: &[],
                output_shape: &[],
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: TransposedAttributes<'static> = TransposedAttributes {
        auto_pad: AutoPad::NotSet,
        pads: &[],
        strides: &[],
        dilations: &[],
        output_padding: &[],
        output_shape: &[],
    };

    #[test]
    fn places_windows() {
        let cases = [
            (PLAIN, 3, 3, (0, 0, 5)),
            (TransposedAttributes { strides: &[2], pads: &[1, 1], ..PLAIN }, 3, 3, (1, 1, 5)),
            (TransposedAttributes { strides: &[2], pads: &[1, 1], output_padding: &[1], ..PLAIN }, 3, 3, (1, 0, 6)),
            (TransposedAttributes { dilations: &[2], ..PLAIN }, 3, 3, (0, 0, 7)),
            // The odd element of a derived padding goes to the beginning, except for SAME_UPPER.
            (TransposedAttributes { strides: &[2], output_shape: &[6], ..PLAIN }, 3, 3, (1, 0, 6)),
            (
                TransposedAttributes { strides: &[2], output_shape: &[6], auto_pad: AutoPad::SameUpper, ..PLAIN },
                3,
                3,
                (0, 1, 6),
            ),
            (TransposedAttributes { strides: &[2], output_shape: &[1, 9, 6], ..PLAIN }, 3, 3, (1, 0, 6)),
            // Further than the windows reach: the rest is bias.
            (TransposedAttributes { strides: &[3], auto_pad: AutoPad::SameUpper, ..PLAIN }, 2, 2, (0, -1, 6)),
            (TransposedAttributes { strides: &[2], auto_pad: AutoPad::SameLower, ..PLAIN }, 3, 3, (1, 0, 6)),
        ];
        for (attributes, input, kernel, want) in &cases {
            let axis = transposed_axes(1, attributes).unwrap()[0];
            let window = axis.place(*input, *kernel).unwrap();
            assert_eq!((window.begin, window.end, window.output), *want, "{attributes:?}");
            let symbolic = axis.output(&Dim::symbol("H"), &Dim::Known(*kernel)).unwrap();
            assert_eq!(symbolic.substitute(&|_| Some(Dim::Known(*input))), Dim::Known(want.2), "{attributes:?}");
        }
    }

    #[test]
    fn attributes_are_checked() {
        let error = |attributes| transposed_axes(1, &attributes).unwrap_err().message;
        assert_eq!(
            error(TransposedAttributes { output_padding: &[-1], ..PLAIN }),
            "attribute 'output_padding' is -1 on spatial axis 0; it must be at least 0"
        );
        assert_eq!(
            error(TransposedAttributes { output_shape: &[4, 4], ..PLAIN }),
            "attribute 'output_shape' has 2 entries for 1 spatial axes"
        );
        let axis = transposed_axes(1, &TransposedAttributes { pads: &[2, 2], ..PLAIN }).unwrap()[0];
        assert_eq!(axis.place(1, 3).unwrap_err().message, "the pads remove 4 of 3 elements");
    }
}
