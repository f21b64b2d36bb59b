//! What is applied per channel: `y = scale[c] · x + shift[c]`.

use edgesmith_ir::Tensor;
use edgesmith_ir::op::BatchNormalization;
use edgesmith_ir::{ValueId, View};
use edgesmith_rewrite::{Cx, Match, Miss};

/// A scale and a shift for every channel.
pub(crate) struct Affine {
    pub(crate) scale: Vec<f64>,
    pub(crate) shift: Vec<f64>,
}

impl Affine {
    /// An inference-mode BatchNormalization: `scale = s / √(variance + ε)`, `shift = b − mean · scale`.
    pub(crate) fn of_batch_norm(cx: &Cx<'_>, norm: View<'_, BatchNormalization>) -> Match<Self> {
        let read = |value: ValueId| cx.constant(value).and_then(Tensor::to_f64);
        let (Some(s), Some(b), Some(mean), Some(variance)) =
            (read(norm.scale()), read(norm.bias()), read(norm.mean()), read(norm.variance()))
        else {
            return cx.reject(norm.id, "its scale, bias or statistics are not constant");
        };
        let count = s.len();
        if b.len() != count || mean.len() != count || variance.len() != count {
            return Err(Miss::NoMatch);
        }
        let epsilon = f64::from(norm.epsilon.0);
        let scale: Vec<f64> = s.iter().zip(&variance).map(|(s, v)| s / (v + epsilon).sqrt()).collect();
        let shift = (0..count).map(|c| b[c] - mean[c] * scale[c]).collect();
        Ok(Self { scale, shift })
    }
}

/// A constant operand as one number per channel of a tensor of `rank` with channels on axis 1: a scalar, or extents of
/// one everywhere but on that axis. `None` when it is neither.
pub(crate) fn per_channel(tensor: &Tensor, rank: usize, channels: usize) -> Option<Vec<f64>> {
    // A constant of a higher rank would raise the rank of the result.
    if tensor.rank() > rank {
        return None;
    }
    let values = tensor.to_f64()?;
    if values.len() == 1 {
        return Some(vec![values[0]; channels]);
    }
    let axis = 1_usize.checked_sub(rank - tensor.rank())?;
    let alone = tensor.shape().iter().enumerate().all(|(index, extent)| index == axis || *extent == 1);
    (alone && values.len() == channels).then_some(values)
}
