//! What an affine map of its input can be folded into: convolutions and matrix products with a constant weight.

use edgesmith_ir::op::{Add, AutoPad, Conv, ConvTranspose, Gemm, MatMul};
use edgesmith_ir::{F32, OpId, OpKind, Tensor, User, ValueId};
use edgesmith_rewrite::{Cx, Match, Miss, Patch, Wire};

use crate::affine::{Affine, ByConstant, per_channel};
use crate::weights::{float_constant, rounded, scaled, sizes};

/// An operator that multiplies its input by a constant weight.
pub(crate) struct Sink<'m> {
    kind: Kind,
    pub(crate) input: ValueId,
    pub(crate) weight: ValueId,
    pub(crate) weight_tensor: &'m Tensor,
    bias: Option<ValueId>,
    result: ValueId,
    /// Input channels.
    pub(crate) channels: usize,
    /// Rank of the input.
    pub(crate) rank: usize,
    /// The axis of the input that the channels are on.
    pub(crate) axis: usize,
}

enum Kind {
    Conv(Conv),
    ConvTranspose(ConvTranspose),
    Gemm(Gemm),
    MatMul,
}

impl<'m> Sink<'m> {
    /// The operator as one.
    pub(crate) fn of(cx: &Cx<'m>, op: OpId) -> Match<Self> {
        let (kind, input, weight, bias, result) = match cx.graph().op(op).op().kind() {
            OpKind::Conv => {
                let conv = cx.op::<Conv>(op)?;
                (Kind::Conv((*conv).clone()), conv.x(), conv.weight(), conv.bias(), conv.y())
            }
            OpKind::ConvTranspose => {
                let conv = cx.op::<ConvTranspose>(op)?;
                (Kind::ConvTranspose((*conv).clone()), conv.x(), conv.weight(), conv.bias(), conv.y())
            }
            OpKind::Gemm => {
                let gemm = cx.op::<Gemm>(op)?;
                (Kind::Gemm((*gemm).clone()), gemm.a(), gemm.b(), gemm.c(), gemm.y())
            }
            OpKind::MatMul => {
                let product = cx.op::<MatMul>(op)?;
                (Kind::MatMul, product.a(), product.b(), None, product.y())
            }
            _ => return Err(Miss::NoMatch),
        };
        let weight_tensor = float_constant(cx, weight).filter(|w| w.rank() >= 2).ok_or(Miss::NoMatch)?;
        let rank = cx.dims(input).ok_or(Miss::NoMatch)?.len();
        let shape = sizes(weight_tensor)?;
        let (channels, axis) = match &kind {
            Kind::Conv(conv) => (shape[1] * usize::try_from(conv.group).map_err(|_| Miss::NoMatch)?, 1),
            Kind::ConvTranspose(_) => (shape[0], 1),
            Kind::Gemm(gemm) => (shape[usize::from(gemm.transpose_b)], usize::from(!gemm.transpose_a)),
            Kind::MatMul => (shape[shape.len() - 2], rank.checked_sub(1).ok_or(Miss::NoMatch)?),
        };
        Ok(Self { kind, input, weight, weight_tensor, bias, result, channels, rank, axis })
    }

    /// Whether the operator reads zeros beyond the borders of its input, which a shift of the input does not reach.
    pub(crate) fn pads(&self) -> bool {
        match &self.kind {
            Kind::Conv(conv) => {
                !matches!(conv.auto_pad, AutoPad::NotSet | AutoPad::Valid)
                    || (conv.auto_pad == AutoPad::NotSet && conv.pads.iter().any(|pad| *pad != 0))
            }
            _ => false,
        }
    }

    /// The scale of each run of so many elements of the weight, repeated as often as the weight has runs.
    fn by_run(&self, scale: &[f64]) -> Match<(usize, Vec<f64>)> {
        let shape = sizes(self.weight_tensor)?;
        let inner = |from: usize| shape[from..].iter().product::<usize>();
        Ok(match &self.kind {
            // [outputs, inputs per group, ...]: the group is that of the output channel.
            Kind::Conv(conv) => {
                let outputs_per_group = (shape[0] / conv.group.max(1) as usize).max(1);
                let of_output = |output: usize| {
                    let group = output / outputs_per_group;
                    scale[group * shape[1]..(group + 1) * shape[1]].iter().copied()
                };
                (inner(2), (0..shape[0]).flat_map(of_output).collect())
            }
            Kind::ConvTranspose(_) => (inner(1), scale.to_vec()),
            Kind::Gemm(gemm) if gemm.transpose_b => (1, scale.to_vec()),
            Kind::Gemm(_) | Kind::MatMul => (shape[shape.len() - 1], scale.to_vec()),
        })
    }

    /// What a shift of the input adds to each output channel, factors of Gemm not applied.
    fn sums(&self, shift: &[f64]) -> Match<Vec<f64>> {
        let shape = sizes(self.weight_tensor)?;
        let weight = self.weight_tensor.to_f64().ok_or(Miss::NoMatch)?;
        let dot = |row: &[f64], shift: &[f64]| row.iter().zip(shift).map(|(w, s)| w * s).sum();
        match &self.kind {
            Kind::Conv(conv) => {
                let (outputs_per_group, taps) =
                    ((shape[0] / conv.group.max(1) as usize).max(1), shape[2..].iter().product::<usize>().max(1));
                let filters = weight.chunks(shape[1] * taps).enumerate();
                let sum = |(output, filter): (usize, &[f64])| {
                    let inputs = &shift[output / outputs_per_group * shape[1]..];
                    filter.chunks(taps).zip(inputs).map(|(taps, s)| taps.iter().sum::<f64>() * s).sum()
                };
                Ok(filters.map(sum).collect())
            }
            Kind::Gemm(gemm) if gemm.transpose_b => Ok(weight.chunks(shape[1]).map(|row| dot(row, shift)).collect()),
            Kind::Gemm(_) | Kind::MatMul if shape.len() == 2 => {
                let mut sums = vec![0.0; shape[1]];
                for (row, s) in weight.chunks(shape[1].max(1)).zip(shift) {
                    sums.iter_mut().zip(row).for_each(|(sum, w)| *sum += w * s);
                }
                Ok(sums)
            }
            _ => Err(Miss::NoMatch),
        }
    }

    /// The patch that lets the operator read `source`, an affine map of which is its input now.
    pub(crate) fn fold(&self, cx: &Cx<'_>, source: ValueId, affine: &Affine) -> Match<Patch> {
        if affine.scale.len() != self.channels || affine.shift.len() != self.channels {
            return Err(Miss::NoMatch);
        }
        let bias = if affine.shifts() { Some(self.shifted_bias(cx, &affine.shift)?) } else { None };
        let mut patch = Patch::new(cx);
        let weight: Wire = if affine.scales() {
            let (inner, factors) = self.by_run(&affine.scale)?;
            patch.constant_like(self.weight, scaled(cx, self.weight_tensor, inner, &factors, "weight")?)
        } else {
            self.weight.into()
        };
        let new_bias = match &bias {
            None => self.bias.map(Wire::from),
            Some(shifted) => {
                let dtype = self.weight_tensor.dtype();
                let folded = rounded(cx, dtype, [shifted.values.len() as u64].as_slice(), &shifted.values, "bias")?;
                Some(match shifted.like {
                    Some(value) => patch.constant_like(value, folded),
                    None => patch.constant(folded),
                })
            }
        };
        let operands = [Some(source.into()), Some(weight), new_bias];
        let mut old = self.result;
        let result = match &self.kind {
            Kind::Conv(conv) => patch.insert(conv.clone(), operands),
            Kind::ConvTranspose(conv) => patch.insert(conv.clone(), operands),
            Kind::Gemm(gemm) => {
                let beta = if bias.is_some() { F32(1.0) } else { gemm.beta };
                patch.insert(Gemm { beta, ..gemm.clone() }, operands)
            }
            Kind::MatMul => {
                let product = patch.insert(MatMul {}, operands[..2].iter().copied());
                match &bias {
                    Some(ShiftedBias { add: Some((add, sum)), .. }) => {
                        old = *sum;
                        patch.insert_like(*add, Add {}, [Some(product), new_bias])
                    }
                    _ => product,
                }
            }
        };
        patch.redefine(old, result);
        Ok(patch)
    }

    /// The bias with a shift of the input in it.
    fn shifted_bias(&self, cx: &Cx<'_>, shift: &[f64]) -> Match<ShiftedBias> {
        let sums = self.sums(shift)?;
        let count = sums.len();
        let plus = |bias: Vec<f64>, factor: f64, sums: Vec<f64>| -> Vec<f64> {
            bias.iter().zip(&sums).map(|(b, sum)| b + factor * sum).collect()
        };
        match &self.kind {
            Kind::Conv(_) | Kind::Gemm(_) => {
                let tensor = self.bias.map(|bias| cx.constant(bias).ok_or(Miss::NoMatch)).transpose()?;
                let (alpha, beta) = match &self.kind {
                    Kind::Gemm(gemm) => (f64::from(gemm.alpha.0), f64::from(gemm.beta.0)),
                    _ => (1.0, 1.0),
                };
                let bias = match tensor {
                    None => vec![0.0; count],
                    // A convolution's bias is a vector of its channels, as is the last axis of a Gemm's.
                    Some(tensor) => {
                        let values = per_channel(tensor, 2, 1, count).ok_or(Miss::NoMatch)?;
                        values.into_iter().map(|b| b * beta).collect()
                    }
                };
                Ok(ShiftedBias { values: plus(bias, alpha, sums), like: self.bias, add: None })
            }
            // The Add behind a MatMul takes the shift; without one there would be as many operators as before.
            Kind::MatMul => {
                let [only] = cx.graph().value(self.result).uses() else { return Err(Miss::NoMatch) };
                let User::Op(add) = only.user else { return Err(Miss::NoMatch) };
                if cx.graph().op(add).op().kind() != OpKind::Add {
                    return Err(Miss::NoMatch);
                }
                let by = ByConstant::of(cx, add)?;
                let rank = cx.dims(self.result).ok_or(Miss::NoMatch)?.len();
                let axis = rank.checked_sub(1).ok_or(Miss::NoMatch)?;
                let bias = per_channel(by.tensor, rank, axis, count).ok_or(Miss::NoMatch)?;
                Ok(ShiftedBias { values: plus(bias, 1.0, sums), like: Some(by.constant), add: Some((add, by.result)) })
            }
            Kind::ConvTranspose(_) => Err(Miss::NoMatch),
        }
    }
}

/// A bias per output channel, the constant it replaces, and for a MatMul the Add that holds it with its result.
struct ShiftedBias {
    values: Vec<f64>,
    like: Option<ValueId>,
    add: Option<(OpId, ValueId)>,
}
