//! What an affine map can be folded into: convolutions and matrix products with a constant weight.

use edgesmith_ir::op::{Conv, ConvTranspose, Gemm};
use edgesmith_ir::{F32, Op, OpId, Tensor, ValueId};
use edgesmith_rewrite::{Cx, Match, Miss, Patch, Wire};

use crate::affine::Affine;

/// An operator with output channels on axis 1 of its result, a constant weight and perhaps a constant bias.
pub(crate) struct Target<'m> {
    op: OpId,
    kind: Kind,
    input: ValueId,
    weight: ValueId,
    weight_tensor: &'m Tensor,
    bias: Option<(ValueId, &'m Tensor)>,
    pub(crate) channels: usize,
    pub(crate) rank: usize,
}

enum Kind {
    Conv(Conv),
    ConvTranspose(ConvTranspose),
    Gemm(Gemm),
}

/// A weight that several operators share is copied by folding; below this many bytes nobody minds.
const SHARED_WEIGHT_BYTES: u64 = 1024;

impl<'m> Target<'m> {
    /// The producer of a value as a target; refuses with a remark when it is one but must not change.
    pub(crate) fn producing(cx: &Cx<'m>, value: ValueId) -> Match<Self> {
        let op = cx.graph().producer(value).ok_or(Miss::NoMatch)?;
        let (kind, input, weight, bias) = if let Ok(conv) = cx.op::<Conv>(op) {
            (Kind::Conv((*conv).clone()), conv.x(), conv.weight(), conv.bias())
        } else if let Ok(conv) = cx.op::<ConvTranspose>(op) {
            (Kind::ConvTranspose((*conv).clone()), conv.x(), conv.weight(), conv.bias())
        } else if let Ok(gemm) = cx.op::<Gemm>(op) {
            (Kind::Gemm((*gemm).clone()), gemm.a(), gemm.b(), gemm.c())
        } else {
            return Err(Miss::NoMatch);
        };
        if !cx.single_use(value) {
            return cx.reject_unless(
                cx.root(),
                format!("the result of '{}' is also read elsewhere", cx.model().op_label(cx.graph_id(), op)),
                "folding would compute it twice",
            );
        }
        let label = || cx.model().op_label(cx.graph_id(), op);
        let Some(weight_tensor) = cx.constant(weight).filter(|tensor| tensor.dtype().is_float()) else {
            return cx.reject(cx.root(), format!("the weight of '{}' is not constant", label()));
        };
        if cx.graph().value(weight).uses().len() > 1 && weight_tensor.byte_len() > SHARED_WEIGHT_BYTES {
            return cx
                .reject(cx.root(), format!("the weight of '{}' is shared; folding would store it twice", label()));
        }
        let bias = match bias {
            None => None,
            Some(value) => match cx.constant(value) {
                Some(tensor) => Some((value, tensor)),
                None => return cx.reject(cx.root(), format!("the bias of '{}' is not constant", label())),
            },
        };
        let shape = weight_tensor.shape();
        let extent = |axis: usize| shape.get(axis).and_then(|n| usize::try_from(*n).ok()).ok_or(Miss::NoMatch);
        let (channels, rank) = match &kind {
            Kind::Conv(_) => (extent(0)?, shape.len()),
            Kind::ConvTranspose(conv) => {
                (extent(1)? * usize::try_from(conv.group).map_err(|_| Miss::NoMatch)?, shape.len())
            }
            Kind::Gemm(gemm) => (extent(usize::from(!gemm.transpose_b))?, 2),
        };
        Ok(Self { op, kind, input, weight, weight_tensor, bias, channels, rank })
    }

    /// The channel that each element of the weight contributes to.
    fn channel_of(&self, element: usize) -> usize {
        let shape = self.weight_tensor.shape();
        let inner = |from: usize| shape[from..].iter().product::<u64>() as usize;
        match &self.kind {
            Kind::Conv(_) => element / inner(1),
            // [inputs, outputs per group, ...]: the group is that of the input channel.
            Kind::ConvTranspose(conv) => {
                let per_group = shape[1] as usize;
                let inputs_per_group = (shape[0] as usize / conv.group.max(1) as usize).max(1);
                let (input, output) = (element / inner(1), element / inner(2) % per_group);
                input / inputs_per_group * per_group + output
            }
            Kind::Gemm(gemm) if gemm.transpose_b => element / inner(1),
            Kind::Gemm(_) => element % shape[1] as usize,
        }
    }

    /// The bias as one number per channel, with Gemm's beta applied.
    fn bias_values(&self, cx: &Cx<'_>) -> Match<Vec<f64>> {
        let Some((_, tensor)) = self.bias else { return Ok(vec![0.0; self.channels]) };
        let values = match &self.kind {
            Kind::Gemm(gemm) => crate::affine::per_channel(tensor, 2, self.channels)
                .map(|values| values.into_iter().map(|b| b * f64::from(gemm.beta.0)).collect()),
            _ => tensor.to_f64().filter(|values| values.len() == self.channels),
        };
        match values {
            Some(values) => Ok(values),
            None => cx.reject(cx.root(), "the bias is not one number per output channel"),
        }
    }

    /// The patch that folds an affine map of this operator's result into it and redefines `old`.
    pub(crate) fn fold(&self, cx: &Cx<'_>, affine: &Affine, old: ValueId) -> Match<Patch> {
        if affine.scale.len() != self.channels || affine.shift.len() != self.channels {
            return Err(Miss::NoMatch);
        }
        let bias = self.bias_values(cx)?;
        let scaled = affine.scale.iter().any(|s| *s != 1.0);
        let dtype = self.weight_tensor.dtype();
        let new_bias: Vec<f64> = (0..self.channels).map(|c| bias[c] * affine.scale[c] + affine.shift[c]).collect();
        let mut patch = Patch::new(cx);
        let weight: Wire = if scaled {
            let Some(mut weight) = self.weight_tensor.to_f64() else { return Err(Miss::NoMatch) };
            for (element, w) in weight.iter_mut().enumerate() {
                *w *= affine.scale[self.channel_of(element)];
            }
            let folded = Tensor::from_f64(dtype, self.weight_tensor.shape(), &weight).ok_or(Miss::NoMatch)?;
            if !all_finite(&folded) {
                return cx.reject(cx.root(), format!("the folded weight does not fit {dtype}"));
            }
            patch.constant_like(self.weight, folded)
        } else {
            self.weight.into()
        };
        let shifted = new_bias.iter().any(|b| *b != 0.0) || self.bias.is_some();
        let bias = if shifted {
            let folded = Tensor::from_f64(dtype, [self.channels as u64].as_slice(), &new_bias).ok_or(Miss::NoMatch)?;
            if !all_finite(&folded) {
                return cx.reject(cx.root(), format!("the folded bias does not fit {dtype}"));
            }
            Some(match self.bias {
                Some((value, _)) => patch.constant_like(value, folded),
                None => patch.constant(folded),
            })
        } else {
            None
        };
        let op: Op = match &self.kind {
            Kind::Conv(conv) => conv.clone().into(),
            Kind::ConvTranspose(conv) => conv.clone().into(),
            Kind::Gemm(gemm) => Gemm { beta: F32(1.0), ..gemm.clone() }.into(),
        };
        let result = patch.insert_like(self.op, op, [Some(self.input.into()), Some(weight), bias]);
        patch.redefine(old, result);
        Ok(patch)
    }
}

fn all_finite(tensor: &Tensor) -> bool {
    tensor.to_f64().is_some_and(|values| values.iter().all(|x| x.is_finite()))
}
