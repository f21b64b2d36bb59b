//! What an affine map of its result can be folded into: convolutions and matrix products with a constant weight.

use edgesmith_ir::op::{Add, Conv, ConvTranspose, Gemm, MatMul};
use edgesmith_ir::{F32, OpId, OpKind, Tensor, ValueId};
use edgesmith_rewrite::{Cx, Match, Miss, Patch, Wire};

use crate::affine::{Affine, ByConstant, per_channel};
use crate::weights::{float_constant, is_shared, rounded, scaled, sizes};

/// An operator with a constant weight and perhaps a constant bias. The bias of a MatMul is an Add behind it, which belongs
/// to the target.
pub(crate) struct Target<'m> {
    pub(crate) op: OpId,
    pub(crate) kind: Kind,
    pub(crate) input: ValueId,
    pub(crate) weight: ValueId,
    pub(crate) weight_tensor: &'m Tensor,
    pub(crate) bias: Option<(ValueId, &'m Tensor)>,
    /// The Add that holds the bias of a MatMul, and what it reads of it.
    pub(crate) add: Option<(OpId, ValueId)>,
    /// The result, bias included.
    pub(crate) value: ValueId,
    /// Output channels.
    pub(crate) channels: usize,
    /// Rank of the result.
    pub(crate) rank: usize,
    /// The axis of the result that the channels are on.
    pub(crate) axis: usize,
}

pub(crate) enum Kind {
    Conv(Conv),
    ConvTranspose(ConvTranspose),
    Gemm(Gemm),
    MatMul,
}

impl<'m> Target<'m> {
    /// The producer of a value as a target. A MatMul whose weight is not constant is a product of activations, which is
    /// none; a convolution or a Gemm says so.
    pub(crate) fn producing(cx: &Cx<'m>, value: ValueId) -> Match<Self> {
        let op = cx.graph().producer(value).ok_or(Miss::NoMatch)?;
        let (kind, input, weight, bias) = match cx.graph().op(op).op().kind() {
            OpKind::Conv => {
                let conv = cx.op::<Conv>(op)?;
                (Kind::Conv((*conv).clone()), conv.x(), conv.weight(), conv.bias())
            }
            OpKind::ConvTranspose => {
                let conv = cx.op::<ConvTranspose>(op)?;
                (Kind::ConvTranspose((*conv).clone()), conv.x(), conv.weight(), conv.bias())
            }
            OpKind::Gemm => {
                let gemm = cx.op::<Gemm>(op)?;
                (Kind::Gemm((*gemm).clone()), gemm.a(), gemm.b(), gemm.c())
            }
            OpKind::MatMul => return Self::product(cx, op, value),
            OpKind::Add => return Self::product_and_bias(cx, op),
            _ => return Err(Miss::NoMatch),
        };
        let label = || cx.model().op_label(cx.graph_id(), op);
        let Some(weight_tensor) = float_constant(cx, weight) else {
            return cx.reject(cx.root(), format!("the weight of '{}' is not constant", label()));
        };
        let bias = match bias {
            None => None,
            Some(value) => match cx.constant(value) {
                Some(tensor) => Some((value, tensor)),
                None => return cx.reject(cx.root(), format!("the bias of '{}' is not constant", label())),
            },
        };
        let shape = sizes(weight_tensor)?;
        let extent = |axis: usize| shape.get(axis).copied().ok_or(Miss::NoMatch);
        let (channels, rank) = match &kind {
            Kind::ConvTranspose(conv) => {
                (extent(1)? * usize::try_from(conv.group).map_err(|_| Miss::NoMatch)?, shape.len())
            }
            Kind::Gemm(gemm) => (extent(usize::from(!gemm.transpose_b))?, 2),
            _ => (extent(0)?, shape.len()),
        };
        Ok(Self { op, kind, input, weight, weight_tensor, bias, add: None, value, channels, rank, axis: 1 })
    }

    /// A MatMul by a constant matrix, or a stack of them.
    fn product(cx: &Cx<'m>, op: OpId, value: ValueId) -> Match<Self> {
        let product = cx.op::<MatMul>(op)?;
        let weight_tensor = float_constant(cx, product.b()).filter(|w| w.rank() >= 2).ok_or(Miss::NoMatch)?;
        let rank = cx.dims(value).ok_or(Miss::NoMatch)?.len();
        let channels = sizes(weight_tensor)?[weight_tensor.rank() - 1];
        if cx.constant(product.a()).is_some() || rank == 0 {
            return Err(Miss::NoMatch);
        }
        Ok(Self {
            op,
            kind: Kind::MatMul,
            input: product.a(),
            weight: product.b(),
            weight_tensor,
            bias: None,
            add: None,
            value,
            channels,
            rank,
            axis: rank - 1,
        })
    }

    /// A MatMul by a constant and the Add of a constant per channel behind it.
    fn product_and_bias(cx: &Cx<'m>, add: OpId) -> Match<Self> {
        let by = ByConstant::of(cx, add)?;
        let op = cx.graph().producer(by.value).ok_or(Miss::NoMatch)?;
        let target = Self::product(cx, op, by.value)?;
        per_channel(by.tensor, target.rank, target.axis, target.channels).ok_or(Miss::NoMatch)?;
        if !cx.single_use(by.value) {
            return Err(Miss::NoMatch);
        }
        Ok(Self { bias: Some((by.constant, by.tensor)), add: Some((add, by.value)), value: by.result, ..target })
    }

    /// Refuses, with a remark, where the target must not change.
    pub(crate) fn usable(&self, cx: &Cx<'_>) -> Match<()> {
        let label = || cx.model().op_label(cx.graph_id(), self.op);
        if !cx.single_use(self.value) {
            return cx.reject_unless(
                cx.root(),
                format!("the result of '{}' is also read elsewhere", label()),
                "folding would compute it twice",
            );
        }
        if is_shared(cx, self.weight, self.weight_tensor) {
            return cx
                .reject(cx.root(), format!("the weight of '{}' is shared; folding would store it twice", label()));
        }
        Ok(())
    }

    /// Whether a shift costs no operator of its own.
    pub(crate) fn takes_shift(&self) -> bool {
        self.add.is_some() || !matches!(self.kind, Kind::MatMul)
    }

    /// The scale of each run of so many elements of the weight, repeated as often as the weight has runs.
    fn by_run(&self, scale: &[f64]) -> Match<(usize, Vec<f64>)> {
        let shape = sizes(self.weight_tensor)?;
        let inner = |from: usize| shape[from..].iter().product::<usize>();
        Ok(match &self.kind {
            Kind::Conv(_) => (inner(1), scale.to_vec()),
            // [inputs, outputs per group, ...]: the group is that of the input channel.
            Kind::ConvTranspose(conv) => {
                let inputs_per_group = (shape[0] / conv.group.max(1) as usize).max(1);
                let of_input = |input: usize| {
                    let group = input / inputs_per_group;
                    scale[group * shape[1]..(group + 1) * shape[1]].iter().copied()
                };
                (inner(2), (0..shape[0]).flat_map(of_input).collect())
            }
            Kind::Gemm(gemm) if gemm.transpose_b => (inner(1), scale.to_vec()),
            Kind::Gemm(_) | Kind::MatMul => (1, scale.to_vec()),
        })
    }

    /// The bias as one number per channel, with Gemm's beta applied.
    pub(crate) fn bias_values(&self, cx: &Cx<'_>) -> Match<Vec<f64>> {
        let Some((_, tensor)) = self.bias else { return Ok(vec![0.0; self.channels]) };
        let values = match &self.kind {
            Kind::Gemm(gemm) => per_channel(tensor, 2, 1, self.channels)
                .map(|values| values.into_iter().map(|b| b * f64::from(gemm.beta.0)).collect()),
            Kind::MatMul => per_channel(tensor, self.rank, self.axis, self.channels),
            _ => tensor.to_f64().filter(|values| values.len() == self.channels),
        };
        match values {
            Some(values) => Ok(values),
            None => cx.reject(cx.root(), "the bias is not one number per output channel"),
        }
    }

    /// Inserts this operator with an affine map of its result folded in.
    pub(crate) fn insert(&self, cx: &Cx<'_>, affine: &Affine, patch: &mut Patch) -> Match<Wire> {
        if affine.scale.len() != self.channels || affine.shift.len() != self.channels {
            return Err(Miss::NoMatch);
        }
        let bias = self.bias_values(cx)?;
        let new_bias: Vec<f64> = (0..self.channels).map(|c| bias[c] * affine.scale[c] + affine.shift[c]).collect();
        let weight: Wire = if affine.scales() {
            let (inner, factors) = self.by_run(&affine.scale)?;
            let folded = scaled(cx, self.weight_tensor, inner, &factors, "weight")?;
            patch.constant_like(self.weight, folded)
        } else {
            self.weight.into()
        };
        let shifted = new_bias.iter().any(|b| *b != 0.0) || self.bias.is_some();
        let bias = if shifted {
            let dtype = self.weight_tensor.dtype();
            let folded = rounded(cx, dtype, [self.channels as u64].as_slice(), &new_bias, "bias")?;
            Some(match self.bias {
                Some((value, _)) => patch.constant_like(value, folded),
                None => patch.constant(folded),
            })
        } else {
            None
        };
        Ok(self.insert_with(patch, weight, bias))
    }

    /// Inserts this operator with another weight and a bias per channel, Gemm's beta not applied.
    pub(crate) fn insert_with(&self, patch: &mut Patch, weight: Wire, bias: Option<Wire>) -> Wire {
        let operands = [Some(self.input.into()), Some(weight), bias];
        match &self.kind {
            Kind::Conv(conv) => patch.insert_like(self.op, conv.clone(), operands),
            Kind::ConvTranspose(conv) => patch.insert_like(self.op, conv.clone(), operands),
            Kind::Gemm(gemm) => patch.insert_like(self.op, Gemm { beta: F32(1.0), ..gemm.clone() }, operands),
            Kind::MatMul => {
                let product = patch.insert_like(self.op, MatMul {}, [Some(self.input.into()), Some(weight)]);
                match (bias, self.add) {
                    (None, _) => product,
                    (bias, Some((add, _))) => patch.insert_like(add, Add {}, [Some(product), bias]),
                    (bias, None) => patch.insert(Add {}, [Some(product), bias]),
                }
            }
        }
    }

    /// The patch that folds an affine map of this operator's result into it and redefines `old`.
    pub(crate) fn fold(&self, cx: &Cx<'_>, affine: &Affine, old: ValueId) -> Match<Patch> {
        let mut patch = Patch::new(cx);
        let result = self.insert(cx, affine, &mut patch)?;
        patch.redefine(old, result);
        Ok(patch)
    }
}
