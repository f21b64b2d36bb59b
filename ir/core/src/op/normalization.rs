//! Operators: normalization.

use super::checks::{self, broadcasts_to, dtype_of_number, same_type, vector_of};
use super::operator;
use crate::infer::{InferCx, InferError};
use crate::{Dim, F32, Shape};

operator! {
    /// `(x - mean) / sqrt(variance + epsilon) * scale + bias` per channel.
    BatchNormalization {
        operands { x: one, scale: one, bias: one, mean: one, variance: one }
        results { y: one, running_mean: maybe, running_variance: maybe }
        attributes { epsilon: F32 [F32(1e-05)], momentum: F32 [F32(0.9)], training_mode: bool [false] }
        regions {  }
        infer: batch_normalization;
    }
}

operator! {
    /// Normalisation over groups of channels, then scale and bias per channel.
    GroupNormalization {
        operands { x: one, scale: one, bias: one }
        results { y: one }
        attributes { epsilon: F32 [F32(1e-05)], num_groups: i64 [required], stash_type: i64 [1] }
        regions {  }
        infer: group_normalization;
    }
}

operator! {
    /// Normalisation over the spatial axes per sample and channel.
    InstanceNormalization {
        operands { x: one, scale: one, bias: one }
        results { output: one }
        attributes { epsilon: F32 [F32(1e-05)] }
        regions {  }
        infer: |_: &InstanceNormalization, cx: &mut InferCx<'_>| per_channel(cx, &[(1, "scale"), (2, "bias")]).map(|_| ());
    }
}

operator! {
    /// Local response normalisation across channels.
    LRN {
        operands { x: one }
        results { y: one }
        attributes { alpha: F32 [F32(0.0001)], beta: F32 [F32(0.75)], bias: F32 [F32(1.0)], size: i64 [required] }
        regions {  }
        infer: local_response;
    }
}

operator! {
    /// Normalisation over the axes from `axis` on, then scale and bias.
    LayerNormalization {
        operands { x: one, scale: one, bias: maybe }
        results { y: one, mean: maybe, inv_std_dev: maybe }
        attributes { axis: i64 [-1], epsilon: F32 [F32(1e-05)], stash_type: i64 [1] }
        regions {  }
        infer: layer_normalization;
    }
}

operator! {
    /// Divides by the Lp norm along an axis.
    LpNormalization {
        operands { input: one }
        results { output: one }
        attributes { axis: i64 [-1], p: i64 [2] }
        regions {  }
        infer: lp_normalization;
    }
}

operator! {
    /// `(x - mean) / deviation` over the given axes.
    MeanVarianceNormalization {
        operands { x: one }
        results { y: one }
        attributes { axes: Vec<i64> [vec![0, 2, 3]] }
        regions {  }
        infer: mean_variance;
    }
}

operator! {
    /// `x / sqrt(mean(x^2) + epsilon) * scale` over the axes from `axis` on.
    RMSNormalization {
        operands { x: one, scale: one }
        results { y: one }
        attributes { axis: i64 [-1], epsilon: F32 [F32(1e-05)], stash_type: i64 [1] }
        regions {  }
        infer: |op: &RMSNormalization, cx: &mut InferCx<'_>| {
            over_trailing_axes(cx, op.axis, &[(1, "scale")])?;
            same_type(cx, 0, 0);
            Ok(())
        };
    }
}

/// The result is like x, and the operands at `slots` are vectors with an element per channel. Returns the channels.
fn per_channel(cx: &mut InferCx<'_>, slots: &[(usize, &str)]) -> Result<Dim, InferError> {
    let mut channels = match cx.dims(0) {
        None => Dim::Unknown,
        Some([_, channels, ..]) => channels.clone(),
        // A batch of single values has one channel.
        Some([_]) => Dim::Known(1),
        Some([]) => return Err(checks::wrong_rank("x", "2 or more", 0)),
    };
    for (slot, name) in slots {
        channels = vector_of(cx, *slot, &channels, name)?;
    }
    let shape = match checks::dims(cx, 0) {
        Some(mut dims) if dims.len() > 1 => {
            dims[1] = channels.clone();
            Shape::Ranked(dims)
        }
        _ => cx.shape(0).clone(),
    };
    cx.set_tensor(0, cx.dtype(0), shape);
    Ok(channels)
}

fn batch_normalization(op: &BatchNormalization, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let channels = per_channel(cx, &[(1, "scale"), (2, "bias"), (3, "the mean"), (4, "the variance")])?;
    for slot in [1, 2] {
        if cx.wants(slot) && op.training_mode {
            cx.set_tensor(slot, cx.dtype(slot + 2), Shape::of([channels.clone()]));
        }
    }
    Ok(())
}

fn group_normalization(op: &GroupNormalization, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    if op.num_groups < 1 {
        return Err(InferError::new(format!("attribute 'num_groups' is {}; it must be at least 1", op.num_groups)));
    }
    dtype_of_number(op.stash_type, "stash_type")?;
    match per_channel(cx, &[(1, "scale"), (2, "bias")])? {
        Dim::Known(channels) if channels % op.num_groups != 0 => {
            Err(InferError::new(format!("{channels} channels cannot be divided into {} groups", op.num_groups)))
        }
        _ => Ok(()),
    }
}

fn local_response(op: &LRN, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    if op.size < 1 {
        return Err(InferError::new(format!("attribute 'size' is {}; it must be at least 1", op.size)));
    }
    if let Some(rank) = cx.shape(0).rank().filter(|rank| *rank < 2) {
        return Err(checks::wrong_rank("x", "2 or more", rank));
    }
    same_type(cx, 0, 0);
    Ok(())
}

/// The operands at `slots` broadcast to x. Returns the first normalised axis where the rank is known.
fn over_trailing_axes(cx: &InferCx<'_>, axis: i64, slots: &[(usize, &str)]) -> Result<Option<usize>, InferError> {
    let Some(dims) = cx.dims(0) else { return Ok(None) };
    let first = InferCx::axis(axis, dims.len())?;
    for (slot, name) in slots {
        broadcasts_to(cx, *slot, dims, name)?;
    }
    Ok(Some(first))
}

fn layer_normalization(op: &LayerNormalization, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let first = over_trailing_axes(cx, op.axis, &[(1, "scale"), (2, "bias")])?;
    let stash = dtype_of_number(op.stash_type, "stash_type")?;
    same_type(cx, 0, 0);
    let statistics = match (checks::dims(cx, 0), first) {
        (Some(mut dims), Some(first)) => {
            dims[first..].fill(Dim::Known(1));
            Shape::Ranked(dims)
        }
        _ => Shape::Unranked,
    };
    cx.set_tensor(1, Some(stash), statistics.clone());
    cx.set_tensor(2, Some(stash), statistics);
    Ok(())
}

fn lp_normalization(op: &LpNormalization, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    if let Some(rank) = cx.shape(0).rank() {
        InferCx::axis(op.axis, rank)?;
    }
    if op.p != 1 && op.p != 2 {
        return Err(InferError::new(format!("attribute 'p' is {}; it must be 1 or 2", op.p)));
    }
    same_type(cx, 0, 0);
    Ok(())
}

fn mean_variance(op: &MeanVarianceNormalization, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    if let Some(rank) = cx.shape(0).rank() {
        op.axes.iter().try_for_each(|axis| InferCx::axis(*axis, rank).map(|_| ()))?;
    }
    same_type(cx, 0, 0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::rule_test::{given, infer};

    #[test]
    fn infers_batch_normalization() {
        let op = BatchNormalization { epsilon: F32(1e-5), momentum: F32(0.9), training_mode: false };
        let c = "float[8]";
        assert_eq!(infer(&op, given!["float16[N,8,H,W]", c, c, c, c]), "float16[N,8,H,W] ? ?");
        assert_eq!(infer(&op, given!["float[N,?,H,W]", c, c, c, c]), "float[N,8,H,W] ? ?");
        assert_eq!(infer(&op, given!["float[..]", c, c, c, c]), "float[..] ? ?");
        assert_eq!(
            infer(&op, given!["float[N,4]", "float[4]", c, c, c]),
            "the elements of bias: 4 and 8 must be equal"
        );
        assert_eq!(infer(&op, given!["float[N,4]", "float[1,4]", c, c, c]), "scale must have rank 1, not 2");
        let training = BatchNormalization { training_mode: true, ..op };
        let stats = "double[8]";
        let want = "float[N,8,H,W] double[8] double[8]";
        assert_eq!(infer(&training, given!["float[N,8,H,W]", c, c, stats, stats]), want);
    }

    #[test]
    fn infers_group_and_instance_normalization() {
        let op = GroupNormalization { epsilon: F32(1e-5), num_groups: 4, stash_type: 1 };
        assert_eq!(infer(&op, given!["float[N,8,H]", "float[8]", "float[8]"]), "float[N,8,H]");
        assert_eq!(
            infer(&op, given!["float[N,6,H]", "float[6]", "float[6]"]),
            "6 channels cannot be divided into 4 groups"
        );
        let none = GroupNormalization { num_groups: 0, ..op };
        assert_eq!(
            infer(&none, given!["float[N,6,H]", "float[6]", "float[6]"]),
            "attribute 'num_groups' is 0; it must be at least 1"
        );
        let op = InstanceNormalization { epsilon: F32(1e-5) };
        assert_eq!(infer(&op, given!["float[N,?,H]", "float[6]", "float[6]"]), "float[N,6,H]");
        assert_eq!(
            infer(&op, given!["float[N,8,H]", "float[6]", "float[6]"]),
            "the elements of scale: 8 and 6 must be equal"
        );
    }

    #[test]
    fn infers_layer_normalization() {
        let op = LayerNormalization { axis: -1, epsilon: F32(1e-5), stash_type: 1 };
        for (x, scale, want) in [
            ("float16[B,T,64]", "float16[64]", "float16[B,T,64] float[B,T,1] float[B,T,1]"),
            ("float[..]", "float[64]", "float[..] float[..] float[..]"),
            ("float[B,T,64]", "float[32]", "scale of shape [32] does not broadcast to [B,T,64]"),
            ("float[64]", "float[1,64]", "scale of shape [1,64] does not broadcast to [64]"),
            ("float[]", "float[]", "axis -1 is outside rank 0"),
        ] {
            assert_eq!(infer(&op, given![x, scale]), want);
        }
        let op = LayerNormalization { axis: 1, stash_type: 11, ..op };
        let want = "float[B,3,64] double[B,1,1] double[B,1,1]";
        assert_eq!(infer(&op, given!["float[B,3,64]", "float[3,64]", "float[3,64]"]), want);
        let op = LayerNormalization { stash_type: 99, ..op };
        assert_eq!(
            infer(&op, given!["float[B,3]", "float[3]"]),
            "attribute 'stash_type' is 99, which is no element type"
        );
        let op = RMSNormalization { axis: -1, epsilon: F32(1e-5), stash_type: 1 };
        assert_eq!(infer(&op, given!["float[B,T,64]", "float[64]"]), "float[B,T,64]");
        assert_eq!(
            infer(&op, given!["float[B,T,64]", "float[63]"]),
            "scale of shape [63] does not broadcast to [B,T,64]"
        );
    }

    #[test]
    fn infers_the_others() {
        let op = LRN { alpha: F32(1e-4), beta: F32(0.75), bias: F32(1.0), size: 5 };
        assert_eq!(infer(&op, given!["float[N,C,H,W]"]), "float[N,C,H,W]");
        assert_eq!(infer(&op, given!["float[N]"]), "x must have rank 2 or more, not 1");
        let op = LpNormalization { axis: 2, p: 2 };
        assert_eq!(infer(&op, given!["float[N,C,H]"]), "float[N,C,H]");
        assert_eq!(infer(&op, given!["float[N,C]"]), "axis 2 is outside rank 2");
        let op = LpNormalization { axis: -1, p: 3 };
        assert_eq!(infer(&op, given!["float[N,C]"]), "attribute 'p' is 3; it must be 1 or 2");
        let op = MeanVarianceNormalization { axes: vec![0, 2, 3] };
        assert_eq!(infer(&op, given!["float[N,C,H,W]"]), "float[N,C,H,W]");
        assert_eq!(infer(&op, given!["float[N,C]"]), "axis 2 is outside rank 2");
    }
}
