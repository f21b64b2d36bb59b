//! The small model in which one operator is lowered, with the few moves that every lowering shares.
//!
//! tract wants equal ranks and equal element types of the operands of a binary operator, axes as non-negative numbers,
//! and constants where ONNX has operands; this is where that is arranged.

use smallvec::SmallVec;
use tract_core::internal::*;
use tract_core::ops::binary::TypedBinOp;
use tract_core::ops::cast::cast;
use tract_core::ops::logic::{self, Iff};
use tract_core::ops::math;
use tract_core::ops::nn::{Reduce, Reducer};

use crate::splice::add_constant;

/// What a native lowering returns: an outlet for every result it makes, in order; `None` when it does not cover the case.
pub(crate) type Native = TractResult<Option<TVec<OutletId>>>;

/// One result.
#[expect(clippy::unnecessary_wraps, reason = "the shape of a native lowering's answer")]
pub(crate) fn one(outlet: OutletId) -> Native {
    Ok(Some(tvec!(outlet)))
}

/// A model with a source for every operand that is present.
pub(crate) struct Part {
    pub(crate) model: TypedModel,
    operands: SmallVec<[Option<OutletId>; 4]>,
    /// Whether each result is wanted.
    wanted: SmallVec<[bool; 1]>,
    count: usize,
    /// Whether a NaN must come through where tract's own operator loses it. Not for models that are made fast: the
    /// selections that it takes keep tract from fusing activations with the products before them.
    pub(crate) exact: bool,
}

impl Part {
    /// A part whose sources carry the whole facts, constant values included.
    pub(crate) fn new(facts: &[Option<TypedFact>], wanted: &[bool], symbols: &SymbolScope) -> TractResult<Self> {
        let mut model = TypedModel { symbols: symbols.clone(), ..TypedModel::default() };
        let operands = facts
            .iter()
            .enumerate()
            .map(|(slot, fact)| match fact {
                Some(fact) => model.add_source(format!("in{slot}"), fact.clone()).map(Some),
                None => Ok(None),
            })
            .collect::<TractResult<_>>()?;
        Ok(Self { model, operands, wanted: wanted.into(), count: 0, exact: false })
    }

    // ---- operands and results ----

    /// The operand at a slot, if present.
    pub(crate) fn maybe(&self, slot: usize) -> Option<OutletId> {
        self.operands.get(slot).copied().flatten()
    }
    /// The operand at a slot.
    pub(crate) fn input(&self, slot: usize) -> TractResult<OutletId> {
        self.maybe(slot).with_context(|| format!("operand {slot} is absent"))
    }
    /// All operands that are present.
    pub(crate) fn present(&self) -> Vec<OutletId> {
        self.operands.iter().flatten().copied().collect()
    }
    /// Whether somebody reads the result.
    pub(crate) fn wants(&self, slot: usize) -> bool {
        self.wanted.get(slot).copied().unwrap_or(false)
    }
    /// The number of result slots.
    pub(crate) fn results(&self) -> usize {
        self.wanted.len()
    }
    /// The elements of an integer operand that is constant.
    pub(crate) fn ints(&self, slot: usize) -> TractResult<Option<Vec<i64>>> {
        let Some(outlet) = self.maybe(slot) else { return Ok(None) };
        self.constant_ints(outlet)
    }
    /// The elements of an integer operand; an error that says so where it is not constant.
    pub(crate) fn need_ints(&self, slot: usize, what: &str) -> TractResult<Vec<i64>> {
        self.ints(slot)?.with_context(|| format!("its {what} is not known before the run"))
    }
    /// The elements of an integer outlet that is constant.
    pub(crate) fn constant_ints(&self, outlet: OutletId) -> TractResult<Option<Vec<i64>>> {
        let Some(tensor) = &self.fact(outlet)?.konst else { return Ok(None) };
        if tensor.datum_type() == TDim::datum_type() {
            let ram = tensor.try_as_plain_ram()?;
            return Ok(ram.as_slice::<TDim>()?.iter().map(|dim| dim.to_i64().ok()).collect());
        }
        let wide = tensor.cast_to::<i64>()?;
        Ok(Some(wide.try_as_plain_ram()?.as_slice::<i64>()?.to_vec()))
    }
    /// The elements of a float operand that is constant, widened.
    pub(crate) fn floats(&self, slot: usize) -> TractResult<Option<Vec<f64>>> {
        let Some(outlet) = self.maybe(slot) else { return Ok(None) };
        let Some(tensor) = &self.fact(outlet)?.konst else { return Ok(None) };
        let wide = tensor.cast_to::<f64>()?;
        Ok(Some(wide.try_as_plain_ram()?.as_slice::<f64>()?.to_vec()))
    }

    // ---- facts ----

    /// What tract knows of an outlet.
    pub(crate) fn fact(&self, outlet: OutletId) -> TractResult<&TypedFact> {
        self.model.outlet_fact(outlet)
    }
    /// The rank.
    pub(crate) fn rank(&self, outlet: OutletId) -> TractResult<usize> {
        Ok(self.fact(outlet)?.rank())
    }
    /// The element type.
    pub(crate) fn datum(&self, outlet: OutletId) -> TractResult<DatumType> {
        Ok(self.fact(outlet)?.datum_type)
    }
    /// The extents; an error where one is symbolic.
    pub(crate) fn shape(&self, outlet: OutletId) -> TractResult<TVec<usize>> {
        let fact = self.fact(outlet)?;
        let extents = fact.shape.as_concrete();
        extents.map(TVec::from_slice).with_context(|| format!("its shape {:?} is not known before the run", fact.shape))
    }
    /// The dims, perhaps symbolic.
    pub(crate) fn dims(&self, outlet: OutletId) -> TractResult<TVec<TDim>> {
        Ok(self.fact(outlet)?.shape.to_tvec())
    }

    // ---- wiring ----

    fn name(&mut self) -> String {
        self.count += 1;
        format!("n{}", self.count)
    }
    /// Adds an operator with one result.
    pub(crate) fn op(&mut self, op: impl Into<Box<dyn TypedOp>>, operands: &[OutletId]) -> TractResult<OutletId> {
        self.ops(op, operands)?.first().copied().context("an operator without results")
    }
    /// Adds an operator.
    pub(crate) fn ops(
        &mut self,
        op: impl Into<Box<dyn TypedOp>>,
        operands: &[OutletId],
    ) -> TractResult<TVec<OutletId>> {
        let name = self.name();
        self.model.wire_node(name, op, operands)
    }
    /// Adds a constant.
    pub(crate) fn constant(&mut self, tensor: Tensor) -> TractResult<OutletId> {
        let name = self.name();
        add_constant(&mut self.model, name, tensor.into_arc_tensor())
    }
    /// A constant vector of int64.
    pub(crate) fn int_constant(&mut self, shape: &[usize], ints: &[i64]) -> TractResult<OutletId> {
        let tensor = Tensor::from_shape(shape, ints)?;
        self.constant(tensor)
    }
    /// A scalar of this element type at a rank, its dims all one.
    pub(crate) fn scalar(&mut self, value: f64, datum: DatumType, rank: usize) -> TractResult<OutletId> {
        let tensor = tensor0(value).cast_to_dt(datum)?.into_owned().broadcast_into_rank(rank)?;
        self.constant(tensor)
    }
    /// A scalar that fits `like` in element type and rank.
    pub(crate) fn scalar_like(&mut self, value: f64, like: OutletId) -> TractResult<OutletId> {
        let (datum, rank) = (self.datum(like)?, self.rank(like)?);
        self.scalar(value, datum, rank)
    }
    /// A constant of floats in this element type.
    pub(crate) fn float_constant(
        &mut self,
        shape: &[usize],
        values: &[f64],
        datum: DatumType,
    ) -> TractResult<OutletId> {
        let tensor = Tensor::from_shape(shape, values)?.cast_to_dt(datum)?.into_owned();
        self.constant(tensor)
    }
    /// Converts to an element type, if it is another.
    pub(crate) fn cast(&mut self, outlet: OutletId, to: DatumType) -> TractResult<OutletId> {
        if self.datum(outlet)? == to { Ok(outlet) } else { self.op(cast(to), &[outlet]) }
    }
    /// Raises the rank by leading dims of one.
    pub(crate) fn to_rank(&mut self, mut outlet: OutletId, rank: usize) -> TractResult<OutletId> {
        while self.rank(outlet)? < rank {
            outlet = self.op(AxisOp::Add(0), &[outlet])?;
        }
        Ok(outlet)
    }
    /// Raises all to the greatest rank among them.
    pub(crate) fn even<const N: usize>(&mut self, outlets: [OutletId; N]) -> TractResult<[OutletId; N]> {
        let mut rank = 0;
        for outlet in outlets {
            rank = rank.max(self.rank(outlet)?);
        }
        let mut even = outlets;
        for outlet in &mut even {
            *outlet = self.to_rank(*outlet, rank)?;
        }
        Ok(even)
    }
    /// A binary operator with broadcasting.
    pub(crate) fn binary(&mut self, op: TypedBinOp, a: OutletId, b: OutletId) -> TractResult<OutletId> {
        let (x, y) = (self.datum(a)?, self.datum(b)?);
        ensure!(x == y, "operands of types {x:?} and {y:?}");
        let [a, b] = self.even([a, b])?;
        self.op(op, &[a, b])
    }
    /// A binary operator with a number as its second operand.
    pub(crate) fn with(&mut self, op: TypedBinOp, a: OutletId, value: f64) -> TractResult<OutletId> {
        let b = self.scalar_like(value, a)?;
        self.op(op, &[a, b])
    }
    /// Elements of `a` where the condition holds, else of `b`, with broadcasting.
    pub(crate) fn select(&mut self, condition: OutletId, a: OutletId, b: OutletId) -> TractResult<OutletId> {
        let operands = self.even([condition, a, b])?;
        self.op(Iff, &operands)
    }
    /// `y` with the NaN of `x` put back, in an exact part; of one shape both.
    pub(crate) fn put_back_nan(&mut self, x: OutletId, y: OutletId) -> TractResult<OutletId> {
        if !self.exact || !self.datum(x)?.is_float() {
            return Ok(y);
        }
        let number = self.op(TypedBinOp(logic::comp_eq(), None), &[x, x])?;
        self.select(number, y, x)
    }
    /// A chain of axis operators.
    pub(crate) fn axes(&mut self, outlet: OutletId, ops: impl IntoIterator<Item = AxisOp>) -> TractResult<OutletId> {
        ops.into_iter().try_fold(outlet, |outlet, op| self.op(op, &[outlet]))
    }
    /// The same elements under another shape.
    pub(crate) fn reshape(&mut self, outlet: OutletId, to: &[usize]) -> TractResult<OutletId> {
        let from = self.dims(outlet)?;
        let to: TVec<TDim> = to.iter().map(ToDim::to_dim).collect();
        if from == to {
            return Ok(outlet);
        }
        self.op(AxisOp::Reshape(0, from, to), &[outlet])
    }
    /// Permutes axes: axis `k` of the result is axis `permutation[k]`.
    pub(crate) fn transpose(&mut self, outlet: OutletId, permutation: &[usize]) -> TractResult<OutletId> {
        self.axes(outlet, perm_to_ops(permutation))
    }
    /// Elements `from..to` of an axis.
    pub(crate) fn slice(&mut self, outlet: OutletId, axis: usize, from: usize, to: usize) -> TractResult<OutletId> {
        let slice = tract_core::ops::array::Slice { axis, start: from.to_dim(), end: to.to_dim() };
        self.op(slice, &[outlet])
    }
    /// Selects slices of an axis by constant indices, all of them in range.
    pub(crate) fn pick(&mut self, outlet: OutletId, axis: usize, indices: &[i64]) -> TractResult<OutletId> {
        let indices = self.int_constant(&[indices.len()], indices)?;
        self.op(tract_core::ops::array::Gather::new(axis), &[outlet, indices])
    }
    /// Joins along an axis; one operand is returned as it is.
    pub(crate) fn concat(&mut self, outlets: &[OutletId], axis: usize) -> TractResult<OutletId> {
        match outlets {
            [only] => Ok(*only),
            _ => self.op(tract_core::ops::array::TypedConcat { axis }, outlets),
        }
    }
    /// Repeats dims of one up to a shape of the same rank.
    pub(crate) fn broadcast_to(&mut self, outlet: OutletId, shape: &[usize]) -> TractResult<OutletId> {
        let dims: TVec<TDim> = shape.iter().map(ToDim::to_dim).collect();
        if self.dims(outlet)? == dims {
            return Ok(outlet);
        }
        self.op(tract_core::ops::array::MultiBroadcastTo { shape: dims.into() }, &[outlet])
    }
    /// Reduces axes (any order, no repetition), keeping them with extent one.
    pub(crate) fn reduce(&mut self, outlet: OutletId, axes: &[usize], reducer: Reducer) -> TractResult<OutletId> {
        if axes.is_empty() {
            return Ok(outlet);
        }
        let mut axes: TVec<usize> = axes.into();
        axes.sort_unstable();
        self.op(Reduce::new(axes, reducer), &[outlet])
    }
    /// The mean over axes, keeping them with extent one.
    pub(crate) fn mean(&mut self, outlet: OutletId, axes: &[usize]) -> TractResult<OutletId> {
        let dims = self.dims(outlet)?;
        let count: TDim = axes.iter().map(|axis| dims[*axis].clone()).product();
        let sum = self.reduce(outlet, axes, Reducer::Sum)?;
        self.with(math::div(), sum, count.to_i64()? as f64)
    }
    /// Drops axes of extent one.
    pub(crate) fn drop_axes(&mut self, outlet: OutletId, axes: &[usize]) -> TractResult<OutletId> {
        let mut axes: TVec<usize> = axes.into();
        axes.sort_unstable();
        self.axes(outlet, axes.into_iter().rev().map(AxisOp::Rm))
    }
    /// A vector as a tensor of a rank that varies along one axis only.
    pub(crate) fn along(&mut self, vector: OutletId, axis: usize, rank: usize) -> TractResult<OutletId> {
        let after = rank.checked_sub(axis + 1).with_context(|| format!("axis {axis} is outside rank {rank}"))?;
        let ops = std::iter::repeat_n(AxisOp::Add(1), after).chain(std::iter::repeat_n(AxisOp::Add(0), axis));
        self.axes(vector, ops)
    }

    /// The finished part with the wanted results as outputs.
    pub(crate) fn finish(mut self, outlets: &[OutletId]) -> TractResult<TypedModel> {
        let mut outputs = Vec::new();
        for (slot, wanted) in self.wanted.iter().enumerate() {
            if *wanted {
                outputs.push(*outlets.get(slot).with_context(|| format!("result {slot} is not made"))?);
            }
        }
        self.model.select_output_outlets(&outputs)?;
        Ok(self.model)
    }
}

/// An axis made non-negative.
pub(crate) fn axis_of(axis: i64, rank: usize) -> TractResult<usize> {
    let at = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(at).ok().filter(|at| *at < rank).with_context(|| format!("axis {axis} is outside rank {rank}"))
}
