//! Sliding windows of convolutions and poolings: padding from `auto_pad`, and output sizes with and without `ceil_mode`.

use super::{begin_end_pads, ceil_div, per_axis_at_least};
use crate::Dim;
use crate::infer::InferError;
use crate::op::{AutoPad, AveragePool, Conv, ConvInteger, DeformConv, LpPool, MaxPool, QLinearConv};

/// The attributes that place windows, as an operator has them: empty lists mean defaults.
#[derive(Clone, Copy, Debug)]
pub struct WindowAttributes<'a> {
    /// How padding is chosen; `pads` counts only for `NotSet`.
    pub auto_pad: AutoPad,
    /// Begins of all axes, then ends.
    pub pads: &'a [i64],
    /// One entry per spatial axis.
    pub strides: &'a [i64],
    /// One entry per spatial axis.
    pub dilations: &'a [i64],
    /// Whether a last, incomplete window counts.
    pub ceil_mode: bool,
}

/// How one axis is padded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Padding {
    /// By these numbers at the beginning and end; a negative one crops.
    Explicit {
        /// Before the first element.
        begin: i64,
        /// After the last element.
        end: i64,
    },
    /// So that the output is `ceil(input / stride)`; an odd element goes to the end.
    SameUpper,
    /// So that the output is `ceil(input / stride)`; an odd element goes to the beginning.
    SameLower,
}

/// The windows of one spatial axis, before sizes are known. Made by [`window_axes`], which checks the attributes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WindowAxis {
    /// Elements between the starts of windows, at least 1.
    pub stride: i64,
    /// Elements between the taps of a window, at least 1.
    pub dilation: i64,
    /// Padding.
    pub padding: Padding,
    /// Whether a last, incomplete window counts.
    pub ceil_mode: bool,
}

/// The windows of one spatial axis in numbers: window `o`, tap `k` reads input element
/// `o * stride + k * dilation - begin` where that is inside `0..input`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// Elements of the input.
    pub input: i64,
    /// Taps of a window.
    pub kernel: i64,
    /// Elements between the starts of windows.
    pub stride: i64,
    /// Elements between taps.
    pub dilation: i64,
    /// Padding before the input.
    pub begin: i64,
    /// Padding after the input, without the overhang that `ceil_mode` adds.
    pub end: i64,
    /// Windows.
    pub output: i64,
}

/// The axes that attributes describe. Errors: lists of a wrong length, strides or dilations below 1.
pub fn window_axes(rank: usize, attributes: &WindowAttributes<'_>) -> Result<Vec<WindowAxis>, InferError> {
    let strides = per_axis_at_least(attributes.strides, rank, 1, "strides", 1)?;
    let dilations = per_axis_at_least(attributes.dilations, rank, 1, "dilations", 1)?;
    let pads = match attributes.auto_pad {
        AutoPad::NotSet => begin_end_pads(attributes.pads, rank)?,
        _ => vec![(0, 0); rank],
    };
    Ok((0..rank)
        .map(|axis| WindowAxis {
            stride: strides[axis],
            dilation: dilations[axis],
            padding: match attributes.auto_pad {
                AutoPad::SameUpper => Padding::SameUpper,
                AutoPad::SameLower => Padding::SameLower,
                AutoPad::NotSet | AutoPad::Valid => Padding::Explicit { begin: pads[axis].0, end: pads[axis].1 },
            },
            // By the text, ceil((n - extent + 1) / stride) windows under VALID: the same as without `ceil_mode`.
            ceil_mode: attributes.ceil_mode && attributes.auto_pad == AutoPad::NotSet,
        })
        .collect())
}

impl WindowAxis {
    /// The number of windows over `input` elements with `kernel` taps.
    /// Errors: the kernel is certainly larger than the padded input.
    pub fn output(&self, input: &Dim, kernel: &Dim) -> Result<Dim, InferError> {
        if let (Dim::Known(n), Dim::Known(k)) = (input, kernel) {
            return self.place(*n, *k).map(|window| Dim::Known(window.output));
        }
        let Padding::Explicit { begin, end } = self.padding else { return Ok(ceil_div(input, self.stride)) };
        let extent = kernel.sub(&Dim::Known(1)).mul(&Dim::Known(self.dilation)).add(&Dim::Known(1));
        let padded = input.add(&Dim::Known(begin)).add(&Dim::Known(end));
        let room = padded.sub(&extent);
        if !self.ceil_mode {
            return Ok(room.floor_div(&Dim::Known(self.stride)).add(&Dim::Known(1)));
        }
        let all = ceil_div(&room, self.stride).add(&Dim::Known(1));
        // A window that starts in the right padding does not count. While the right padding is smaller than the extent
        // at most one does, so what remains is the number of starts before it.
        let Dim::Known(extent) = extent else { return Ok(Dim::Unknown) };
        if end.saturating_add(self.stride) <= extent {
            Ok(all)
        } else if end < extent {
            Ok(all.min_with(&ceil_div(&input.add(&Dim::Known(begin)), self.stride)))
        } else {
            Ok(Dim::Unknown)
        }
    }

    /// The windows in numbers. Errors: the kernel is larger than the padded input, or the sizes overflow.
    pub fn place(&self, input: i64, kernel: i64) -> Result<Window, InferError> {
        // Attributes come from files: 128 bits hold every sum and product of them.
        let (n, k, stride, dilation) =
            (i128::from(input), i128::from(kernel), i128::from(self.stride), i128::from(self.dilation));
        let extent = (k - 1) * dilation + 1;
        let (begin, end, output) = match self.padding {
            Padding::Explicit { begin, end } => {
                let (begin, end) = (i128::from(begin), i128::from(end));
                let room = n + begin + end - extent;
                // By the text there would be no window or less; ONNX Runtime rounds toward zero and reads beyond the end
                // in poolings, and refuses convolutions. Nothing to agree with.
                if room < 0 && n > 0 {
                    return Err(InferError::new(format!(
                        "a window of {extent} elements does not fit the padded input of {}",
                        n + begin + end
                    )));
                }
                let mut output = room.div_euclid(stride) + 1;
                if self.ceil_mode {
                    output = (room + stride - 1).div_euclid(stride) + 1;
                    if (output - 1) * stride >= n + begin {
                        output -= 1;
                    }
                }
                (begin, end, output.max(0))
            }
            Padding::SameUpper | Padding::SameLower => {
                let output = (n + stride - 1).div_euclid(stride);
                let total = ((output - 1) * stride + extent - n).max(0);
                let smaller = total / 2;
                match self.padding {
                    Padding::SameUpper => (smaller, total - smaller, output),
                    _ => (total - smaller, smaller, output),
                }
            }
        };
        let narrow = |x: i128| i64::try_from(x).map_err(|_| InferError::new("the sizes of the windows overflow"));
        Ok(Window {
            input,
            kernel,
            stride: self.stride,
            dilation: self.dilation,
            begin: narrow(begin)?,
            end: narrow(end)?,
            output: narrow(output)?,
        })
    }
}

macro_rules! windowed {
    ($($op:ident { auto_pad: $auto_pad:expr, ceil_mode: $ceil:expr };)*) => { $(
        impl $op {
            /// The windows of `rank` spatial axes.
            pub fn window_axes(&self, rank: usize) -> Result<Vec<WindowAxis>, InferError> {
                let (auto_pad, ceil_mode): (fn(&Self) -> AutoPad, fn(&Self) -> bool) = ($auto_pad, $ceil);
                window_axes(rank, &WindowAttributes {
                    auto_pad: auto_pad(self),
                    pads: &self.pads,
                    strides: &self.strides,
                    dilations: &self.dilations,
                    ceil_mode: ceil_mode(self),
                })
            }
            /// The windows in numbers, for the spatial extents of the input and of the kernel.
            pub fn windows(&self, input: &[i64], kernel: &[i64]) -> Result<Vec<Window>, InferError> {
                place_all(&self.window_axes(input.len())?, input, kernel)
            }
        }
    )* };
}

windowed! {
    Conv { auto_pad: |op| op.auto_pad, ceil_mode: |_| false };
    ConvInteger { auto_pad: |op| op.auto_pad, ceil_mode: |_| false };
    QLinearConv { auto_pad: |op| op.auto_pad, ceil_mode: |_| false };
    DeformConv { auto_pad: |_| AutoPad::NotSet, ceil_mode: |_| false };
    MaxPool { auto_pad: |op| op.auto_pad, ceil_mode: |op| op.ceil_mode };
    AveragePool { auto_pad: |op| op.auto_pad, ceil_mode: |op| op.ceil_mode };
    LpPool { auto_pad: |op| op.auto_pad, ceil_mode: |op| op.ceil_mode };
}

fn place_all(axes: &[WindowAxis], input: &[i64], kernel: &[i64]) -> Result<Vec<Window>, InferError> {
    if kernel.len() != axes.len() {
        return Err(InferError::new(format!("the kernel has {} axes, the input {}", kernel.len(), axes.len())));
    }
    axes.iter().zip(input.iter().zip(kernel)).map(|(axis, (n, k))| axis.place(*n, *k)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(auto_pad: AutoPad, pads: [i64; 2], stride: i64, dilation: i64, ceil_mode: bool) -> WindowAxis {
        let attributes =
            WindowAttributes { auto_pad, pads: &pads, strides: &[stride], dilations: &[dilation], ceil_mode };
        window_axes(1, &attributes).unwrap()[0]
    }

    #[test]
    fn places_windows() {
        use AutoPad::{NotSet, SameLower, SameUpper, Valid};
        // auto_pad, pads, stride, dilation, ceil, input, kernel → begin, end, output
        let cases = [
            (NotSet, [0, 0], 1, 1, false, 5, 3, (0, 0, 3)),
            (NotSet, [1, 1], 2, 1, false, 5, 3, (1, 1, 3)),
            (NotSet, [0, 0], 2, 1, true, 6, 3, (0, 0, 3)),
            // The last window would start in the right padding.
            (NotSet, [0, 1], 2, 1, true, 2, 1, (0, 1, 1)),
            (NotSet, [1, 1], 2, 1, true, 4, 3, (1, 1, 3)),
            (NotSet, [-1, 0], 1, 1, false, 5, 2, (-1, 0, 3)),
            (Valid, [7, 7], 2, 1, false, 5, 2, (0, 0, 2)),
            (Valid, [0, 0], 2, 1, true, 5, 2, (0, 0, 2)),
            (SameUpper, [0, 0], 2, 1, false, 5, 2, (0, 1, 3)),
            (SameLower, [0, 0], 2, 1, false, 5, 2, (1, 0, 3)),
            (SameUpper, [0, 0], 2, 2, false, 7, 3, (2, 2, 4)),
            (SameUpper, [0, 0], 3, 1, false, 6, 1, (0, 0, 2)),
            (NotSet, [0, 0], 1, 1, false, 0, 3, (0, 0, 0)),
        ];
        for (auto_pad, pads, stride, dilation, ceil, input, kernel, want) in cases {
            let window = axis(auto_pad, pads, stride, dilation, ceil).place(input, kernel).unwrap();
            assert_eq!((window.begin, window.end, window.output), want, "{auto_pad:?} {pads:?} n {input} k {kernel}");
        }
    }

    /// The symbolic size, bound to a number, is the number that `place` gives.
    #[test]
    fn symbols_agree_with_numbers() {
        let mut compared = 0;
        for auto_pad in [AutoPad::NotSet, AutoPad::SameUpper, AutoPad::SameLower, AutoPad::Valid] {
            for (begin, end, stride, dilation, kernel) in itertools(&[0, 1, 2], &[1, 2, 3]) {
                for ceil_mode in [false, true] {
                    let axis = axis(auto_pad, [begin, end], stride, dilation, ceil_mode);
                    let symbolic = axis.output(&Dim::symbol("H"), &Dim::Known(kernel)).unwrap();
                    for n in 1..9 {
                        let Ok(window) = axis.place(n, kernel) else { continue };
                        let bound = symbolic.substitute(&|_| Some(Dim::Known(n)));
                        if !bound.is_unknown() {
                            assert_eq!(bound, Dim::Known(window.output), "{axis:?} n {n} k {kernel}: {symbolic}");
                            compared += 1;
                        }
                    }
                }
            }
        }
        assert!(compared > 10_000, "{compared}");
    }

    fn itertools(pads: &[i64], steps: &[i64]) -> Vec<(i64, i64, i64, i64, i64)> {
        let mut all = Vec::new();
        for begin in pads {
            for end in pads {
                for stride in steps {
                    for dilation in steps {
                        all.extend(steps.iter().map(|kernel| (*begin, *end, *stride, *dilation, *kernel)));
                    }
                }
            }
        }
        all
    }

    #[test]
    fn symbols_have_short_forms() {
        let height = Dim::symbol("H");
        let text = |axis: WindowAxis, k: i64| axis.output(&height, &Dim::Known(k)).unwrap().to_string();
        assert_eq!(text(axis(AutoPad::NotSet, [1, 1], 1, 1, false), 3), "H");
        assert_eq!(text(axis(AutoPad::NotSet, [1, 1], 2, 1, false), 3), "floor((H + 1)/2)");
        assert_eq!(text(axis(AutoPad::SameUpper, [0, 0], 2, 1, false), 3), "floor((H + 1)/2)");
        assert_eq!(text(axis(AutoPad::NotSet, [0, 0], 2, 1, true), 2), "floor((H + 1)/2)");
        assert_eq!(text(axis(AutoPad::NotSet, [0, 0], 2, 1, false), 2), "floor(H/2)");
    }

    #[test]
    fn attributes_are_checked() {
        let error = |pads: &[i64], strides: &[i64], dilations: &[i64]| {
            let auto_pad = AutoPad::NotSet;
            window_axes(2, &WindowAttributes { auto_pad, pads, strides, dilations, ceil_mode: false })
                .unwrap_err()
                .message
        };
        assert_eq!(error(&[1, 1], &[], &[]), "attribute 'pads' has 2 entries; 2 spatial axes need 4");
        assert_eq!(error(&[], &[1, 0], &[]), "attribute 'strides' is 0 on spatial axis 1; it must be at least 1");
        assert_eq!(error(&[], &[], &[1]), "attribute 'dilations' has 1 entries for 2 spatial axes");
        let message = axis(AutoPad::NotSet, [0, 0], 1, 2, false).place(4, 3).unwrap_err().message;
        assert_eq!(message, "a window of 5 elements does not fit the padded input of 4");
        assert!(axis(AutoPad::NotSet, [i64::MAX, i64::MAX], 1, 1, false).place(4, 3).is_err());
    }
}
