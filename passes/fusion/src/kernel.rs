//! The kernel of a convolution in f64, with what places it: padding, strides, dilations, groups.

use edgesmith_ir::op::{AutoPad, Conv};
use edgesmith_ir::{OpId, Tensor, ValueId};
use edgesmith_rewrite::{Cx, Match, Miss};

use crate::weights::{float_constant, is_shared, sizes};

/// A convolution with constant weight and bias. Element `[o, i, taps...]` multiplies input channel `i` of the group of `o`.
#[derive(Clone)]
pub(crate) struct Kernel {
    pub(crate) elements: Vec<f64>,
    pub(crate) bias: Vec<f64>,
    pub(crate) outputs: usize,
    /// Input channels of one group.
    pub(crate) inputs: usize,
    pub(crate) groups: usize,
    /// Taps of each spatial axis.
    pub(crate) taps: Vec<usize>,
    pub(crate) begins: Vec<i64>,
    pub(crate) ends: Vec<i64>,
    pub(crate) strides: Vec<i64>,
    pub(crate) dilations: Vec<i64>,
}

/// A convolution of the graph, not yet read whole.
pub(crate) struct Convolution<'m> {
    pub(crate) op: OpId,
    pub(crate) attributes: Conv,
    pub(crate) input: ValueId,
    pub(crate) weight: ValueId,
    pub(crate) weight_tensor: &'m Tensor,
    pub(crate) bias: Option<(ValueId, &'m Tensor)>,
    pub(crate) result: ValueId,
}

impl<'m> Convolution<'m> {
    /// The producer of a value as one, with padding in numbers and constants of its own.
    pub(crate) fn producing(cx: &Cx<'m>, value: ValueId) -> Match<Self> {
        let conv = cx.producer::<Conv>(value)?;
        let weight_tensor = float_constant(cx, conv.weight()).ok_or(Miss::NoMatch)?;
        let bias = match conv.bias() {
            None => None,
            Some(value) => Some((value, float_constant(cx, value).ok_or(Miss::NoMatch)?)),
        };
        if !matches!(conv.auto_pad, AutoPad::NotSet | AutoPad::Valid) || weight_tensor.rank() < 3 {
            return Err(Miss::NoMatch);
        }
        Ok(Self {
            op: conv.id,
            attributes: (*conv).clone(),
            input: conv.x(),
            weight: conv.weight(),
            weight_tensor,
            bias,
            result: conv.y(),
        })
    }

    /// Whether its weight has another reader, so that a changed copy would be stored beside it.
    pub(crate) fn is_shared(&self, cx: &Cx<'_>) -> bool {
        is_shared(cx, self.weight, self.weight_tensor)
    }

    /// The kernel without its elements, to look at first.
    pub(crate) fn outline(&self) -> Match<Kernel> {
        let shape = sizes(self.weight_tensor)?;
        let spatial = shape.len() - 2;
        let list = |given: &[i64], otherwise: i64| {
            if given.is_empty() { vec![otherwise; spatial] } else { given.to_vec() }
        };
        let pads = if self.attributes.auto_pad == AutoPad::Valid { &[] } else { self.attributes.pads.as_slice() };
        if !(pads.is_empty() || pads.len() == 2 * spatial) || pads.iter().any(|pad| *pad < 0) {
            return Err(Miss::NoMatch);
        }
        let (begins, ends) = if pads.is_empty() { (&[][..], &[][..]) } else { pads.split_at(spatial) };
        let kernel = Kernel {
            elements: Vec::new(),
            bias: Vec::new(),
            outputs: shape[0],
            inputs: shape[1],
            groups: usize::try_from(self.attributes.group).map_err(|_| Miss::NoMatch)?,
            taps: shape[2..].to_vec(),
            begins: list(begins, 0),
            ends: list(ends, 0),
            strides: list(&self.attributes.strides, 1),
            dilations: list(&self.attributes.dilations, 1),
        };
        let is_whole = kernel.strides.len() == spatial && kernel.dilations.len() == spatial;
        // Nothing here is computed for operators that have no elements.
        let is_empty = kernel.outputs == 0 || kernel.inputs == 0 || kernel.groups == 0 || kernel.taps.contains(&0);
        if is_whole && !is_empty && kernel.outputs.is_multiple_of(kernel.groups) {
            Ok(kernel)
        } else {
            Err(Miss::NoMatch)
        }
    }

    /// The whole kernel.
    pub(crate) fn kernel(&self) -> Match<Kernel> {
        let outline = self.outline()?;
        let bias = match self.bias {
            None => vec![0.0; outline.outputs],
            Some((_, tensor)) => tensor.to_f64().filter(|bias| bias.len() == outline.outputs).ok_or(Miss::NoMatch)?,
        };
        Ok(Kernel { elements: self.weight_tensor.to_f64().ok_or(Miss::NoMatch)?, bias, ..outline })
    }
}

impl Kernel {
    /// Taps of all spatial axes together.
    pub(crate) fn taps_in_all(&self) -> usize {
        self.taps.iter().product()
    }
    /// Multiplications for one element of every output channel.
    pub(crate) fn work(&self) -> usize {
        self.outputs * self.inputs * self.taps_in_all()
    }
    /// How much the plane shrinks along each axis before strides count.
    pub(crate) fn slack(&self, axis: usize) -> i64 {
        self.begins[axis] + self.ends[axis] - self.dilations[axis] * (self.taps[axis] as i64 - 1)
    }
    /// Whether every axis has one tap and no padding.
    pub(crate) fn is_pointwise(&self) -> bool {
        self.taps.iter().all(|taps| *taps == 1) && self.begins.iter().chain(&self.ends).all(|pad| *pad == 0)
    }
    /// The shape of the weight.
    pub(crate) fn shape(&self) -> Vec<u64> {
        [self.outputs, self.inputs].iter().chain(&self.taps).map(|n| *n as u64).collect()
    }
    /// The attributes of a convolution with this kernel.
    pub(crate) fn attributes(&self, like: &Conv) -> Conv {
        let pads: Vec<i64> = self.begins.iter().chain(&self.ends).copied().collect();
        let unless_all = |list: &[i64], usual: i64| {
            if list.iter().all(|x| *x == usual) { Vec::new() } else { list.to_vec() }
        };
        let kernel_shape =
            if like.kernel_shape.is_empty() { Vec::new() } else { self.taps.iter().map(|n| *n as i64).collect() };
        Conv {
            auto_pad: AutoPad::NotSet,
            dilations: unless_all(&self.dilations, 1),
            group: self.groups as i64,
            kernel_shape,
            pads: unless_all(&pads, 0),
            strides: unless_all(&self.strides, 1),
        }
    }
}
