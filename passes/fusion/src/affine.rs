//! What is applied per channel: `y = scale[c] · x + shift[c]`.

use edgesmith_ir::op::BatchNormalization;
use edgesmith_ir::{OpId, OpKind, Tensor, ValueId, View};
use edgesmith_rewrite::{Cx, Match, Miss};

use crate::weights::float_constant;

/// A scale and a shift for every channel.
pub(crate) struct Affine {
    pub(crate) scale: Vec<f64>,
    pub(crate) shift: Vec<f64>,
}

impl Affine {
    /// An inference-mode BatchNormalization: `scale = s / √(variance + ε)`, `shift = b − mean · scale`.
    pub(crate) fn of_batch_norm(cx: &Cx<'_>, norm: View<'_, BatchNormalization>) -> Match<Self> {
        if norm.training_mode || norm.data.results().iter().skip(1).any(Option::is_some) {
            return cx.reject_unless(norm.id, "it is in training mode", "export the model in evaluation mode");
        }
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

    /// Whether anything is added.
    pub(crate) fn shifts(&self) -> bool {
        self.shift.iter().any(|shift| *shift != 0.0)
    }
    /// Whether anything is multiplied.
    pub(crate) fn scales(&self) -> bool {
        self.scale.iter().any(|scale| *scale != 1.0)
    }
}

/// Multiplication, division, addition or subtraction of a value and a constant of floats.
pub(crate) struct ByConstant<'m> {
    kind: OpKind,
    /// The operand that is not constant.
    pub(crate) value: ValueId,
    /// The one that is.
    pub(crate) constant: ValueId,
    pub(crate) tensor: &'m Tensor,
    constant_first: bool,
    pub(crate) result: ValueId,
}

impl<'m> ByConstant<'m> {
    /// The operator as one; exactly one side is constant, or folding would have done it.
    pub(crate) fn of(cx: &Cx<'m>, op: OpId) -> Match<Self> {
        let data = cx.graph().op(op);
        let kind = data.op().kind();
        if !matches!(kind, OpKind::Mul | OpKind::Div | OpKind::Add | OpKind::Sub) {
            return Err(Miss::NoMatch);
        }
        let (Some(a), Some(b), Some(result)) = (data.operand(0), data.operand(1), data.result(0)) else {
            return Err(Miss::NoMatch);
        };
        let (value, constant, constant_first) = match (cx.constant(a), cx.constant(b)) {
            (None, Some(_)) => (a, b, false),
            (Some(_), None) => (b, a, true),
            _ => return Err(Miss::NoMatch),
        };
        let tensor = float_constant(cx, constant).ok_or(Miss::NoMatch)?;
        cx.look_at(op);
        Ok(Self { kind, value, constant, tensor, constant_first, result })
    }

    /// The affine map, for a value of `rank` axes with its channels on `axis`.
    pub(crate) fn affine(&self, rank: usize, axis: usize, channels: usize) -> Match<Affine> {
        let c = per_channel(self.tensor, rank, axis, channels).ok_or(Miss::NoMatch)?;
        let (scale, shift) = match (self.kind, self.constant_first) {
            (OpKind::Mul, _) => (c, vec![0.0; channels]),
            (OpKind::Div, false) if c.iter().all(|x| *x != 0.0) => {
                (c.iter().map(|x| 1.0 / x).collect(), vec![0.0; channels])
            }
            (OpKind::Add, _) => (vec![1.0; channels], c),
            (OpKind::Sub, false) => (vec![1.0; channels], c.iter().map(|x| -x).collect()),
            (OpKind::Sub, true) => (vec![-1.0; channels], c),
            _ => return Err(Miss::NoMatch),
        };
        Ok(Affine { scale, shift })
    }

    /// The one factor that a multiplication or division is by.
    pub(crate) fn factor(&self) -> Match<f64> {
        if self.tensor.len() != 1 || !matches!(self.kind, OpKind::Mul | OpKind::Div) {
            return Err(Miss::NoMatch);
        }
        Ok(self.affine(self.tensor.rank().max(1), 0, 1)?.scale[0])
    }
}

/// A constant operand as one number per channel of a tensor of `rank` with channels on `axis`: a scalar, or extents of
/// one everywhere but on that axis. `None` when it is neither.
pub(crate) fn per_channel(tensor: &Tensor, rank: usize, axis: usize, channels: usize) -> Option<Vec<f64>> {
    // A constant of a higher rank would raise the rank of the result.
    if tensor.rank() > rank || (tensor.len() != 1 && tensor.len() != channels as u64) {
        return None;
    }
    let values = tensor.to_f64()?;
    if values.len() == 1 {
        return Some(vec![values[0]; channels]);
    }
    let axis = axis.checked_sub(rank - tensor.rank())?;
    let alone = tensor.shape().iter().enumerate().all(|(index, extent)| index == axis || *extent == 1);
    (alone && values.len() == channels).then_some(values)
}
