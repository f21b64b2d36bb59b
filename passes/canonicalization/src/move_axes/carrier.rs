//! Operators that do the same to an operand in another layout, so that the change of layout may as well be done behind them.

use edgesmith_ir::op::{
    ArgMax, ArgMin, Concat, DequantizeLinear, Hardmax, LogSoftmax, QuantizeLinear, Resize, ResizeMode, Softmax, Split,
};
use edgesmith_ir::{InferCx, Op, OpData, OpId, Tensor, ValueId};
use edgesmith_rewrite::Cx;
use smallvec::SmallVec;

use super::layout::Layout;
use crate::merge_reduction_axes::Forms;

/// What becomes of an operand when the results come in another layout.
pub(crate) enum Carried {
    /// Nothing: it is absent, or says the same of both layouts.
    Kept(Option<ValueId>),
    /// It comes in the same layout.
    Moved(ValueId),
    /// A constant of fewer axes: like this it has all of them, and comes in the same layout.
    Filled(ValueId, Tensor),
    /// A constant of one entry an axis, or of axes, stands like this now.
    Written(Tensor),
}

/// An operator that makes its results in another layout.
pub(crate) struct Carrier {
    pub op: Op,
    pub operands: SmallVec<[Carried; 4]>,
}

/// A constant of so many bytes may be kept in two layouts.
const SMALL: u64 = 1 << 10;

/// The number of axes of the results of an operator.
pub(crate) fn rank_of(cx: &Cx<'_>, op: OpId) -> Option<usize> {
    cx.graph().op(op).results().iter().flatten().next().and_then(|result| cx.dims(*result)).map(<[_]>::len)
}

impl Carrier {
    /// The operator whose results are those of `root` in another layout; `None` where there is none.
    pub(crate) fn of(cx: &Cx<'_>, root: OpId, layout: &Layout) -> Option<Self> {
        let data = cx.graph().op(root);
        let arranged = Arranged { cx, data, layout };
        if data.op().is_elementwise() {
            return arranged.elementwise();
        }
        if data.op().broadcasts() {
            let operands = data.operands().iter().map(|value| arranged.broadcast((*value)?)).collect::<Option<_>>()?;
            return arranged.some_moved(operands);
        }
        match data.op() {
            Op::Concat(Concat { axis }) => {
                let operands = data.operands().iter().map(|value| arranged.moved((*value)?)).collect::<Option<_>>()?;
                Some(Self { op: Concat { axis: arranged.axis(*axis)? }.into(), operands })
            }
            Op::Split(split) => arranged.first(Split { axis: arranged.axis(split.axis)?, ..split.clone() }),
            Op::Softmax(softmax) => arranged.first(Softmax { axis: arranged.axis(softmax.axis)? }),
            Op::LogSoftmax(softmax) => arranged.first(LogSoftmax { axis: arranged.axis(softmax.axis)? }),
            Op::Hardmax(hardmax) => arranged.first(Hardmax { axis: arranged.axis(hardmax.axis)? }),
            Op::ArgMax(search) if search.keepdims => {
                arranged.first(ArgMax { axis: arranged.axis(search.axis)?, ..search.clone() })
            }
            Op::ArgMin(search) if search.keepdims => {
                arranged.first(ArgMin { axis: arranged.axis(search.axis)?, ..search.clone() })
            }
            Op::QuantizeLinear(quantize) if quantize.block_size == 0 => {
                let axis = if arranged.is_per_axis()? { arranged.axis(quantize.axis)? } else { quantize.axis };
                arranged.first(QuantizeLinear { axis, ..quantize.clone() })
            }
            Op::DequantizeLinear(dequantize) if dequantize.block_size == 0 => {
                let axis = if arranged.is_per_axis()? { arranged.axis(dequantize.axis)? } else { dequantize.axis };
                arranged.first(DequantizeLinear { axis, ..dequantize.clone() })
            }
            Op::MatMul(_) => arranged.product(),
            Op::Tile(_) => arranged.by_axis(1, 1),
            Op::Pad(_) if data.operand(3).is_some() => arranged.axes(3),
            Op::Pad(_) => arranged.by_axis(1, 0),
            Op::Slice(_) => arranged.slice(),
            Op::Resize(resize) => arranged.resize(resize),
            op => {
                let keeps = Forms::of(op).is_some_and(|forms| forms.keeping == *op);
                if keeps { arranged.axes(1) } else { None }
            }
        }
    }
}

/// The operator, and the layout that its results are to come in.
struct Arranged<'c, 'm> {
    cx: &'c Cx<'m>,
    data: &'m OpData,
    layout: &'c Layout,
}

impl Arranged<'_, '_> {
    fn rank(&self) -> usize {
        self.layout.rank()
    }

    fn axis(&self, axis: i64) -> Option<i64> {
        InferCx::axis(axis, self.rank()).ok().map(|axis| self.layout.place(axis) as i64)
    }

    /// An operand that has every axis of the result.
    fn moved(&self, value: ValueId) -> Option<Carried> {
        (self.cx.dims(value)?.len() == self.rank() && self.may_move(value)).then_some(Carried::Moved(value))
    }

    /// Whether a value can be had in another layout without being kept in both, where it is a large constant.
    fn may_move(&self, value: ValueId) -> bool {
        self.cx.constant(value).is_none_or(|tensor| tensor.byte_len() <= SMALL || self.cx.single_use(value))
    }

    /// An operand that is repeated along the axes that it lacks.
    fn broadcast(&self, value: ValueId) -> Option<Carried> {
        let dims = self.cx.dims(value)?;
        let ones = dims.iter().all(|dim| dim.is(1)) && dims.len() <= self.rank();
        let lacks_what_changes = dims.len() < self.rank() || self.cx.constant(value).is_some();
        if ones || lacks_what_changes && dims.len() <= self.rank() && self.layout.keeps_last(dims.len()) {
            return Some(Carried::Kept(Some(value)));
        }
        if dims.len() >= self.rank() {
            return self.moved(value);
        }
        let tensor = self.cx.constant(value).filter(|_| self.may_move(value))?;
        let mut shape = vec![1; self.rank() - dims.len()];
        shape.extend_from_slice(tensor.shape());
        Some(Carried::Filled(value, tensor.reshaped(shape).ok()?))
    }

    /// Where no operand comes in the other layout, nothing makes the result come in it.
    fn some_moved(&self, operands: SmallVec<[Carried; 4]>) -> Option<Carrier> {
        let moved = operands.iter().any(|operand| matches!(operand, Carried::Moved(_) | Carried::Filled(..)));
        moved.then(|| Carrier { op: self.data.op().clone(), operands })
    }

    /// The first operand is moved, the others stay.
    fn first(&self, op: impl Into<Op>) -> Option<Carrier> {
        let mut operands: SmallVec<[Carried; 4]> = self.data.operands().iter().copied().map(Carried::Kept).collect();
        *operands.first_mut()? = self.moved(self.data.operand(0)?)?;
        Some(Carrier { op: op.into(), operands })
    }

    /// What stands beside the first operand are bounds and parameters, of one element each.
    fn elementwise(&self) -> Option<Carrier> {
        let one = |value: &ValueId| self.cx.dims(*value).is_some_and(|dims| dims.iter().all(|dim| dim.is(1)));
        if !self.data.operands().iter().skip(1).flatten().all(one) {
            return None;
        }
        self.first(self.data.op().clone())
    }

    /// The matrices are the last two axes; the others are broadcast. Products of two matrices alone are left to become Gemm.
    fn product(&self) -> Option<Carrier> {
        let (a, b) = (self.data.operand(0)?, self.data.operand(1)?);
        let ranks = [self.cx.dims(a)?.len(), self.cx.dims(b)?.len()];
        if self.rank() < 3 || ranks.iter().any(|rank| *rank < 2) || !self.layout.keeps_last(2) {
            return None;
        }
        let factor = |value: ValueId, rank: usize| {
            if rank == self.rank() { self.moved(value) } else { self.broadcast(value) }
        };
        self.some_moved([factor(a, ranks[0])?, factor(b, ranks[1])?].into_iter().collect())
    }

    /// Whether the scale of a quantisation has an element for each index along an axis.
    fn is_per_axis(&self) -> Option<bool> {
        Some(!self.cx.dims(self.data.operand(1)?)?.iter().all(|dim| dim.is(1)))
    }

    fn written(&self, slot: usize, ints: &[i64]) -> Option<Carrier> {
        let mut carrier = self.first(self.data.op().clone())?;
        while carrier.operands.len() <= slot {
            carrier.operands.push(Carried::Kept(None));
        }
        carrier.operands[slot] = Carried::Written(Tensor::from_ints(ints));
        Some(carrier)
    }

    /// The operand in this slot has one entry an axis, or several runs of such entries; `unit` leaves an axis as it is.
    fn by_axis(&self, slot: usize, unit: i64) -> Option<Carrier> {
        let entries = self.cx.ints(self.data.operand(slot)?)?;
        if entries.len() % self.rank() != 0 {
            return None;
        }
        let runs = entries.chunks(self.rank());
        self.written(slot, &runs.flat_map(|run| self.layout.arranged(run, &unit)).collect::<Vec<_>>())
    }

    /// The operand in this slot lists axes; without it all of them are meant.
    fn axes(&self, slot: usize) -> Option<Carrier> {
        match self.data.operand(slot) {
            None => self.first(self.data.op().clone()),
            Some(axes) => {
                let axes = self.cx.ints(axes)?;
                self.written(slot, &axes.iter().map(|axis| self.axis(*axis)).collect::<Option<Vec<_>>>()?)
            }
        }
    }

    fn slice(&self) -> Option<Carrier> {
        if self.data.operand(3).is_some() {
            return self.axes(3);
        }
        let [count] = self.cx.dims(self.data.operand(1)?)? else { return None };
        let count = count.known()?;
        self.written(3, &(0..count).map(|axis| self.axis(axis)).collect::<Option<Vec<_>>>()?)
    }

    fn resize(&self, resize: &Resize) -> Option<Carrier> {
        // Engines interpolate along the last axes only, and not for every number of axes.
        let order = self.layout.order()?;
        if self.data.operand(1).is_some_and(|roi| self.cx.constant(roi).is_none_or(|roi| !roi.is_empty())) {
            return None;
        }
        let (from, to) = (self.cx.dims(self.data.operand(0)?)?, self.cx.dims(self.data.result(0)?)?);
        let trailing = |place: usize| place + 2 >= order.len();
        let stays = |place: usize| from[order[place]].same(&to[order[place]]);
        if resize.mode != ResizeMode::Nearest && !(0..order.len()).all(|place| trailing(place) || stays(place)) {
            return None;
        }
        if !resize.axes.is_empty() {
            let axes = resize.axes.iter().map(|axis| self.axis(*axis)).collect::<Option<_>>()?;
            return self.first(Resize { axes, ..resize.clone() });
        }
        match (self.data.operand(2), self.data.operand(3)) {
            (None, Some(_)) => self.by_axis(3, 1),
            (Some(scales), None) => {
                let scales = self.cx.constant(scales)?.to_f64().filter(|scales| scales.len() == order.len())?;
                let moved: Vec<f32> = order.iter().map(|axis| scales[*axis] as f32).collect();
                let mut carrier = self.first(resize.clone())?;
                carrier.operands[2] =
                    Carried::Written(Tensor::from_slice([moved.len() as u64].as_slice(), &moved).ok()?);
                Some(carrier)
            }
            _ => None,
        }
    }
}
