//! Operators: pool.

use super::AutoPad;
use super::checks::{self, same_type};
use super::conv::on_axis;
use super::geometry::WindowAxis;
use super::operator;
use crate::infer::{InferCx, InferError};
use crate::{DType, Dim, Dims, Shape};

operator! {
    /// Mean over windows of the spatial axes.
    AveragePool {
        operands { x: one }
        results { y: one }
        attributes { auto_pad: AutoPad [AutoPad::NotSet], ceil_mode: bool [false], count_include_pad: bool [false], dilations: Vec<i64>, kernel_shape: Vec<i64> [required], pads: Vec<i64>, strides: Vec<i64> }
        regions {  }
        infer: |op: &AveragePool, cx: &mut InferCx<'_>| pool(cx, &op.kernel_shape, |rank| op.window_axes(rank));
    }
}

operator! {
    /// Mean over all spatial axes.
    GlobalAveragePool {
        operands { x: one }
        results { y: one }
        attributes {  }
        regions {  }
        infer: |_: &GlobalAveragePool, cx: &mut InferCx<'_>| global_pool(cx);
    }
}

operator! {
    /// Lp norm over all spatial axes.
    GlobalLpPool {
        operands { x: one }
        results { y: one }
        attributes { p: i64 [2] }
        regions {  }
        infer: |_: &GlobalLpPool, cx: &mut InferCx<'_>| global_pool(cx);
    }
}

operator! {
    /// Maximum over all spatial axes.
    GlobalMaxPool {
        operands { x: one }
        results { y: one }
        attributes {  }
        regions {  }
        infer: |_: &GlobalMaxPool, cx: &mut InferCx<'_>| global_pool(cx);
    }
}

operator! {
    /// Lp norm over windows of the spatial axes.
    LpPool {
        operands { x: one }
        results { y: one }
        attributes { auto_pad: AutoPad [AutoPad::NotSet], ceil_mode: bool [false], dilations: Vec<i64>, kernel_shape: Vec<i64> [required], p: i64 [2], pads: Vec<i64>, strides: Vec<i64> }
        regions {  }
        infer: |op: &LpPool, cx: &mut InferCx<'_>| pool(cx, &op.kernel_shape, |rank| op.window_axes(rank));
    }
}

operator! {
    /// Maximum over windows of the spatial axes.
    MaxPool {
        operands { x: one }
        results { y: one, indices: maybe }
        attributes { auto_pad: AutoPad [AutoPad::NotSet], ceil_mode: bool [false], dilations: Vec<i64>, kernel_shape: Vec<i64> [required], pads: Vec<i64>, storage_order: bool [false], strides: Vec<i64> }
        regions {  }
        infer: |op: &MaxPool, cx: &mut InferCx<'_>| {
            pool(cx, &op.kernel_shape, |rank| op.window_axes(rank))?;
            let shape = cx.result(0).map(|fact| fact.ty.shape().clone()).unwrap_or_default();
            cx.set_tensor(1, Some(DType::I64), shape);
            Ok(())
        };
    }
}

operator! {
    /// Puts values back to where MaxPool took them from.
    MaxUnpool {
        operands { x: one, i: one, output_shape: maybe }
        results { output: one }
        attributes { kernel_shape: Vec<i64> [required], pads: Vec<i64>, strides: Vec<i64> }
        regions {  }
        infer: max_unpool;
    }
}

fn pool(
    cx: &mut InferCx<'_>,
    kernel: &[i64],
    axes: impl Fn(usize) -> Result<Vec<WindowAxis>, InferError>,
) -> Result<(), InferError> {
    let x = pooled_dims(cx, kernel)?;
    let mut dims = Dims::from(&x[..2]);
    for (axis, (window, taps)) in axes(kernel.len())?.iter().zip(kernel).enumerate() {
        dims.push(window.output(&x[axis + 2], &Dim::Known(*taps)).map_err(|error| on_axis(axis, &error))?);
    }
    cx.set_tensor(0, cx.dtype(0), Shape::Ranked(dims));
    Ok(())
}

/// The dims of the input: batch, channels, and as many spatial axes as the kernel has.
fn pooled_dims(cx: &InferCx<'_>, kernel: &[i64]) -> Result<Dims, InferError> {
    if let Some(axis) = kernel.iter().position(|taps| *taps < 1) {
        return Err(InferError::new(format!(
            "attribute 'kernel_shape' is {} on spatial axis {axis}; it must be at least 1",
            kernel[axis]
        )));
    }
    match checks::dims(cx, 0) {
        None => Ok(smallvec::smallvec![Dim::Unknown; kernel.len() + 2]),
        Some(dims) if dims.len() == kernel.len() + 2 => Ok(dims),
        Some(dims) => Err(InferError::new(format!(
            "attribute 'kernel_shape' has {} entries, but x has rank {}",
            kernel.len(),
            dims.len()
        ))),
    }
}

fn global_pool(cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let Some(mut dims) = checks::dims(cx, 0) else {
        same_type(cx, 0, 0);
        return Ok(());
    };
    if dims.len() < 2 {
        return Err(checks::wrong_rank("x", "2 or more", dims.len()));
    }
    dims[2..].fill(Dim::Known(1));
    cx.set_tensor(0, cx.dtype(0), Shape::Ranked(dims));
    Ok(())
}

fn max_unpool(op: &MaxUnpool, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let mut dims = pooled_dims(cx, &op.kernel_shape)?;
    let axes = op.window_axes()?;
    if let Some(indices) = checks::dims_of_rank(cx, 1, dims.len(), "the indices")? {
        for (axis, index) in indices.iter().enumerate() {
            dims[axis] = cx.equal(&dims[axis], index, &format!("axis {axis} of x and of the indices"))?;
        }
    }
    if cx.has(2) {
        let count = Dim::from(dims.len());
        checks::vector_of(cx, 2, &count, "output_shape")?;
        let contents = cx.contents(2).map(|contents| contents.dims());
        let rank = dims.len();
        dims = (0..rank)
            .map(|axis| match contents.as_ref().and_then(|dims| dims.get(axis)) {
                Some(dim) if !dim.is_unknown() => dim.clone(),
                _ => cx.fresh(0, axis),
            })
            .collect();
    } else {
        for (axis, window) in axes.iter().enumerate() {
            let taps = Dim::Known(op.kernel_shape[axis]);
            dims[axis + 2] = window.output(&dims[axis + 2], &taps).map_err(|error| on_axis(axis, &error))?;
        }
    }
    cx.set_tensor(0, cx.dtype(0), Shape::Ranked(dims));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::rule_test::{given, infer, ints};

    fn max_pool() -> MaxPool {
        MaxPool {
            auto_pad: AutoPad::NotSet,
            ceil_mode: false,
            dilations: vec![],
            kernel_shape: vec![2, 2],
            pads: vec![],
            storage_order: false,
            strides: vec![2, 2],
        }
    }

    #[test]
    fn infers_pools() {
        let ceil = MaxPool { ceil_mode: true, ..max_pool() };
        let same = MaxPool { auto_pad: AutoPad::SameUpper, ..max_pool() };
        let stem = MaxPool { kernel_shape: vec![3, 3], pads: vec![1, 1, 1, 1], ..max_pool() };
        for (op, x, want) in [
            (&max_pool(), "float[N,8,H,7]", "float[N,8,floor(H/2),3] int64[N,8,floor(H/2),3]"),
            (&ceil, "uint8[N,8,H,7]", "uint8[N,8,floor((H + 1)/2),4] int64[N,8,floor((H + 1)/2),4]"),
            (&same, "float[1,8,H,7]", "float[1,8,floor((H + 1)/2),4] int64[1,8,floor((H + 1)/2),4]"),
            (&stem, "float[1,64,112,112]", "float[1,64,56,56] int64[1,64,56,56]"),
            (&stem, "float[..]", "float[?,?,?,?] int64[?,?,?,?]"),
            (&stem, "float[1,64,112]", "attribute 'kernel_shape' has 2 entries, but x has rank 3"),
            (
                &MaxPool { kernel_shape: vec![0], ..max_pool() },
                "float[1,1,1]",
                "attribute 'kernel_shape' is 0 on spatial axis 0; it must be at least 1",
            ),
            (
                &max_pool(),
                "float[1,64,1,8]",
                "spatial axis 0: a window of 2 elements does not fit the padded input of 1",
            ),
        ] {
            assert_eq!(infer(op, given![x]), want, "{op:?} {x}");
        }
        let average = AveragePool {
            auto_pad: AutoPad::NotSet,
            ceil_mode: false,
            count_include_pad: false,
            dilations: vec![2],
            kernel_shape: vec![2],
            pads: vec![],
            strides: vec![],
        };
        assert_eq!(infer(&average, given!["float[1,2,8]"]), "float[1,2,6]");
        let norm = LpPool {
            auto_pad: AutoPad::NotSet,
            ceil_mode: false,
            dilations: vec![],
            kernel_shape: vec![3],
            p: 2,
            pads: vec![],
            strides: vec![],
        };
        assert_eq!(infer(&norm, given!["float[1,2,8]"]), "float[1,2,6]");
    }

    #[test]
    fn infers_global_pools() {
        for (x, want) in [
            ("float[N,C,H,W]", "float[N,C,1,1]"),
            ("float[N,8]", "float[N,8]"),
            ("float[..]", "float[..]"),
            ("float[8]", "x must have rank 2 or more, not 1"),
        ] {
            assert_eq!(infer(&GlobalAveragePool {}, given![x]), want);
            assert_eq!(infer(&GlobalMaxPool {}, given![x]), want);
            assert_eq!(infer(&GlobalLpPool { p: 2 }, given![x]), want);
        }
    }

    #[test]
    fn infers_unpooling() {
        let op = MaxUnpool { kernel_shape: vec![2, 2], pads: vec![], strides: vec![2, 2] };
        let (x, i) = ("float[1,1,H,2]", "int64[1,1,H,2]");
        assert_eq!(infer(&op, given![x, i]), "float[1,1,2*H,4]");
        assert_eq!(infer(&op, given![x, i, ints(&[1, 1, 5, 5])]), "float[1,1,5,5]");
        assert_eq!(infer(&op, given![x, i, "int64[4]"]), "float[`?r0.0`,`?r0.1`,`?r0.2`,`?r0.3`]");
        assert_eq!(infer(&op, given![x, i, "int64[2]"]), "the elements of output_shape: 4 and 2 must be equal");
    }
}
