//! Operators: signal.

use super::checks;
use super::operator;
use crate::infer::{InferCx, InferError};
use crate::{DType, Dim, Shape};

operator! {
    /// Blackman window of a given length.
    BlackmanWindow {
        operands { size: one }
        results { output: one }
        attributes { output_datatype: DType [DType::F32], periodic: bool [true] }
        regions {  }
        infer: |op: &BlackmanWindow, cx: &mut InferCx<'_>| window(cx, op.output_datatype);
    }
}

operator! {
    /// Discrete Fourier transform along an axis.
    DFT {
        operands { input: one, dft_length: maybe, axis: maybe }
        results { output: one }
        attributes { inverse: bool [false], onesided: bool [false] }
        regions {  }
        infer: fourier;
    }
}

operator! {
    /// Hamming window of a given length.
    HammingWindow {
        operands { size: one }
        results { output: one }
        attributes { output_datatype: DType [DType::F32], periodic: bool [true] }
        regions {  }
        infer: |op: &HammingWindow, cx: &mut InferCx<'_>| window(cx, op.output_datatype);
    }
}

operator! {
    /// Hann window of a given length.
    HannWindow {
        operands { size: one }
        results { output: one }
        attributes { output_datatype: DType [DType::F32], periodic: bool [true] }
        regions {  }
        infer: |op: &HannWindow, cx: &mut InferCx<'_>| window(cx, op.output_datatype);
    }
}

operator! {
    /// Matrix that maps a spectrum to mel bands.
    MelWeightMatrix {
        operands { num_mel_bins: one, dft_length: one, sample_rate: one, lower_edge_hertz: one, upper_edge_hertz: one }
        results { output: one }
        attributes { output_datatype: DType [DType::F32] }
        regions {  }
        infer: mel_weights;
    }
}

operator! {
    /// Short-time Fourier transform.
    STFT {
        operands { signal: one, frame_step: one, window: maybe, frame_length: maybe }
        results { output: one }
        attributes { onesided: bool [true] }
        regions {  }
        infer: short_time_fourier;
    }
}

/// The number that a scalar operand holds; unknown when it is not known.
fn scalar(cx: &InferCx<'_>, slot: usize, name: &str) -> Result<Dim, InferError> {
    let size = match cx.contents(slot).as_ref().map(crate::Contents::items) {
        None => return Ok(Dim::Unknown),
        Some([item]) => item.dim(),
        Some(items) => return Err(InferError::new(format!("{name} must have one element, not {}", items.len()))),
    };
    match size {
        Dim::Known(n) if n < 0 => Err(InferError::new(format!("{name} is {n}; it must not be negative"))),
        size => Ok(size),
    }
}

/// A size that data decide where it is not known.
fn or_fresh(cx: &InferCx<'_>, size: Dim, axis: usize) -> Dim {
    if size.is_unknown() { cx.fresh(0, axis) } else { size }
}

/// The bins of a spectrum without the half that mirrors the other.
fn one_sided(length: &Dim) -> Dim {
    length.floor_div(&Dim::Known(2)).add(&Dim::Known(1))
}

fn window(cx: &mut InferCx<'_>, dtype: DType) -> Result<(), InferError> {
    let size = scalar(cx, 0, "size")?;
    cx.set_tensor(0, Some(dtype), Shape::of([or_fresh(cx, size, 0)]));
    Ok(())
}

fn mel_weights(op: &MelWeightMatrix, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let bands = or_fresh(cx, scalar(cx, 0, "num_mel_bins")?, 1);
    let bins = or_fresh(cx, one_sided(&scalar(cx, 1, "dft_length")?), 0);
    cx.set_tensor(0, Some(op.output_datatype), Shape::of([bins, bands]));
    Ok(())
}

/// Real or complex: the last axis holds one part or two.
fn check_parts(parts: &Dim, name: &str) -> Result<(), InferError> {
    match parts {
        Dim::Known(n) if *n != 1 && *n != 2 => {
            Err(InferError::new(format!("the last axis of {name} must have 1 or 2 elements, not {n}")))
        }
        _ => Ok(()),
    }
}

fn fourier(op: &DFT, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let Some(mut dims) = checks::dims(cx, 0) else {
        cx.set_tensor(0, cx.dtype(0), Shape::Unranked);
        return Ok(());
    };
    let rank = dims.len();
    if rank < 2 {
        return Err(checks::wrong_rank("the input", "2 or more", rank));
    }
    check_parts(&dims[rank - 1], "the input")?;
    let given = if cx.has(1) { Some(scalar(cx, 1, "dft_length")?) } else { None };
    dims[rank - 1] = Dim::Known(if op.inverse && op.onesided { 1 } else { 2 });
    let axis = if cx.has(2) { cx.int(2) } else { Some(-2) };
    let Some(axis) = axis else {
        // Any axis but the last may be the one that changes.
        let same_length = given.is_none() && !op.onesided;
        for axis in (0..rank - 1).filter(|_| !same_length) {
            dims[axis] = cx.fresh(0, axis);
        }
        cx.set_tensor(0, cx.dtype(0), Shape::Ranked(dims));
        return Ok(());
    };
    let axis = InferCx::axis(axis, rank)?;
    if axis == rank - 1 {
        return Err(InferError::new("the axis must not be the last, which holds the parts of complex numbers"));
    }
    let length = match given {
        Some(length) => length,
        None if op.inverse && op.onesided => dims[axis].sub(&Dim::Known(1)).mul(&Dim::Known(2)),
        None => dims[axis].clone(),
    };
    let length = if op.onesided && !op.inverse { one_sided(&length) } else { length };
    dims[axis] = if cx.has(1) { or_fresh(cx, length, axis) } else { length };
    cx.set_tensor(0, cx.dtype(0), Shape::Ranked(dims));
    Ok(())
}

fn short_time_fourier(op: &STFT, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let signal = checks::dims(cx, 0).unwrap_or_else(|| smallvec::smallvec![Dim::Unknown; 3]);
    match signal.as_slice() {
        [_, _, parts] => check_parts(parts, "the signal")?,
        // Engines take a real signal without the axis of its parts, and exporters write such.
        [_, _] => {}
        _ => return Err(checks::wrong_rank("the signal", "3", signal.len())),
    }
    let step = scalar(cx, 1, "frame_step")?;
    if step.is(0) {
        return Err(InferError::new("frame_step is 0; it must be positive"));
    }
    let window = checks::dims_of_rank(cx, 2, 1, "the window")?;
    let frame = match (cx.has(2), cx.has(3)) {
        (false, false) => signal[1].clone(),
        (_, true) => {
            let length = scalar(cx, 3, "frame_length")?;
            match &window {
                Some(window) => cx.equal(&length, &window[0], "frame_length and the elements of the window")?,
                None => length,
            }
        }
        (true, false) => window.map_or(Dim::Unknown, |dims| dims[0].clone()),
    };
    if let (Dim::Known(length), Dim::Known(frame)) = (&signal[1], &frame)
        && frame > length
    {
        return Err(InferError::new(format!("a frame of {frame} elements does not fit the signal of {length}")));
    }
    let frames = signal[1].sub(&frame).floor_div(&step).add(&Dim::Known(1));
    let bins = if op.onesided { one_sided(&frame) } else { frame };
    let shape = Shape::of([signal[0].clone(), or_fresh(cx, frames, 1), or_fresh(cx, bins, 2), Dim::Known(2)]);
    cx.set_tensor(0, cx.dtype(0), shape);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::rule_test::{given, infer, ints};

    #[test]
    fn infers_windows() {
        let dtype = DType::F64;
        for (size, want) in [
            (ints(&[16]), "double[16]"),
            ("int64[]".into(), "double[`?r0.0`]"),
            (ints(&[-1]), "size is -1; it must not be negative"),
            (ints(&[1, 2]), "size must have one element, not 2"),
        ] {
            let found = infer(&HannWindow { output_datatype: dtype, periodic: true }, [size]);
            assert_eq!(found, want);
        }
        assert_eq!(infer(&HammingWindow { output_datatype: dtype, periodic: true }, [ints(&[8])]), "double[8]");
        assert_eq!(infer(&BlackmanWindow { output_datatype: dtype, periodic: true }, [ints(&[8])]), "double[8]");
        let mel = MelWeightMatrix { output_datatype: DType::F32 };
        assert_eq!(infer(&mel, [ints(&[40]), ints(&[257])]), "float[129,40]");
        assert_eq!(infer(&mel, given!["int64[]", "int64[]"]), "float[`?r0.0`,`?r0.1`]");
    }

    #[test]
    fn infers_fourier() {
        let op = |inverse, onesided| DFT { inverse, onesided };
        for (op, x, length, axis, want) in [
            (op(false, false), "float[B,16,1]", "-".into(), "-".into(), "float[B,16,2]"),
            (op(false, true), "float[B,T,1]", "-".into(), "-".into(), "float[B,floor(T/2) + 1,2]"),
            (op(false, true), "float[B,T,1]", ints(&[32]), "-".into(), "float[B,17,2]"),
            (op(false, false), "float[B,T,5,2]", ints(&[32]), ints(&[1]), "float[B,32,5,2]"),
            (op(true, true), "float[B,9,2]", "-".into(), "-".into(), "float[B,16,1]"),
            (op(true, true), "float[B,9,2]", ints(&[15]), "-".into(), "float[B,15,1]"),
            (op(false, false), "float[B,16,1]", "-".into(), "int64[]".into(), "float[B,16,2]"),
            (op(false, true), "float[B,16,1]", "-".into(), "int64[]".into(), "float[`?r0.0`,`?r0.1`,2]"),
            (op(false, false), "float[B,16,1]", "int64[]".into(), "-".into(), "float[B,`?r0.1`,2]"),
            (
                op(false, false),
                "float[B,16,1]",
                "-".into(),
                ints(&[2]),
                "the axis must not be the last, which holds the parts of complex numbers",
            ),
            (
                op(false, false),
                "float[B,16,3]",
                "-".into(),
                "-".into(),
                "the last axis of the input must have 1 or 2 elements, not 3",
            ),
            (op(false, false), "float[..]", "-".into(), "-".into(), "float[..]"),
        ] {
            assert_eq!(infer(&op, [x.into(), length, axis]), want, "{op:?} {x}");
        }
    }

    #[test]
    fn infers_short_time_fourier() {
        let op = STFT { onesided: true };
        let full = STFT { onesided: false };
        for (op, x, step, window, frame, want) in [
            (&op, "float[B,128,1]", ints(&[8]), "float[16]".into(), "-".into(), "float[B,15,9,2]"),
            (&full, "float[B,128,2]", ints(&[8]), "-".into(), ints(&[16]), "float[B,15,16,2]"),
            (&op, "float[B,128,1]", ints(&[8]), "-".into(), "-".into(), "float[B,1,65,2]"),
            (&op, "float[B,128]", ints(&[8]), "float[16]".into(), "-".into(), "float[B,15,9,2]"),
            (&op, "float[128]", ints(&[8]), "float[16]".into(), "-".into(), "the signal must have rank 3, not 1"),
            (&op, "float[B,T,1]", ints(&[8]), "float[16]".into(), "-".into(), "float[B,floor(T/8) - 1,9,2]"),
            (&op, "float[B,128,1]", "int64[]".into(), "float[16]".into(), "-".into(), "float[B,`?r0.1`,9,2]"),
            (&op, "float[B,128,1]", ints(&[0]), "float[16]".into(), "-".into(), "frame_step is 0; it must be positive"),
            (
                &op,
                "float[B,8,1]",
                ints(&[1]),
                "float[16]".into(),
                "-".into(),
                "a frame of 16 elements does not fit the signal of 8",
            ),
            (
                &op,
                "float[B,128,1]",
                ints(&[8]),
                "float[16]".into(),
                ints(&[15]),
                "frame_length and the elements of the window: 15 and 16 must be equal",
            ),
        ] {
            assert_eq!(infer(op, [x.into(), step, window, frame]), want);
        }
    }
}
