//! Operators: normalization.

use super::operator;
use crate::F32;

operator! {
    /// `(x - mean) / sqrt(variance + epsilon) * scale + bias` per channel.
    BatchNormalization {
        operands { x: one, scale: one, bias: one, mean: one, variance: one }
        results { y: one, running_mean: maybe, running_variance: maybe }
        attributes { epsilon: F32 [F32(1e-05)], momentum: F32 [F32(0.9)], training_mode: bool [false] }
        regions {  }
    }
}

operator! {
    /// Normalisation over groups of channels, then scale and bias per channel.
    GroupNormalization {
        operands { x: one, scale: one, bias: one }
        results { y: one }
        attributes { epsilon: F32 [F32(1e-05)], num_groups: i64 [required], stash_type: i64 [1] }
        regions {  }
    }
}

operator! {
    /// Normalisation over the spatial axes per sample and channel.
    InstanceNormalization {
        operands { x: one, scale: one, bias: one }
        results { output: one }
        attributes { epsilon: F32 [F32(1e-05)] }
        regions {  }
    }
}

operator! {
    /// Local response normalisation across channels.
    LRN {
        operands { x: one }
        results { y: one }
        attributes { alpha: F32 [F32(0.0001)], beta: F32 [F32(0.75)], bias: F32 [F32(1.0)], size: i64 [required] }
        regions {  }
    }
}

operator! {
    /// Normalisation over the axes from `axis` on, then scale and bias.
    LayerNormalization {
        operands { x: one, scale: one, bias: maybe }
        results { y: one, mean: maybe, inv_std_dev: maybe }
        attributes { axis: i64 [-1], epsilon: F32 [F32(1e-05)], stash_type: i64 [1] }
        regions {  }
    }
}

operator! {
    /// Divides by the Lp norm along an axis.
    LpNormalization {
        operands { input: one }
        results { output: one }
        attributes { axis: i64 [-1], p: i64 [2] }
        regions {  }
    }
}

operator! {
    /// `(x - mean) / deviation` over the given axes.
    MeanVarianceNormalization {
        operands { x: one }
        results { y: one }
        attributes { axes: Vec<i64> }
        regions {  }
    }
}

operator! {
    /// `x / sqrt(mean(x^2) + epsilon) * scale` over the axes from `axis` on.
    RMSNormalization {
        operands { x: one, scale: one }
        results { y: one }
        attributes { axis: i64 [-1], epsilon: F32 [F32(1e-05)], stash_type: i64 [1] }
        regions {  }
    }
}
