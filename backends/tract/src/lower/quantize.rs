//! An operator of our own for tract: quantisation by division.
//!
//! tract's optimiser turns every division into a product with the reciprocal, which moves values near ties to the other
//! side. One pass over the data instead of six is a welcome side effect.

use tract_core::internal::*;
use tract_ndarray::{ArrayViewD, Zip};

/// `saturate(round(x / scale) + zero)`, ties to even. Operands: x, the scale and the zero point, all f32, the latter two
/// of x's rank with dims of x or 1.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Quantize {
    /// The integer type of the result.
    pub(crate) to: DatumType,
}

impl Op for Quantize {
    fn name(&self) -> StaticName {
        "Quantize".into()
    }
    op_as_typed_op!();
}

impl EvalOp for Quantize {
    op_out_of_plan!();

    fn eval(&self, _context: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let (x, scale, zero) = args_3!(inputs);
        let (x, scale) = (x.to_plain_array_view::<f32>()?, scale.to_plain_array_view::<f32>()?);
        let zero = zero.to_plain_array_view::<f32>()?;
        let y = match self.to {
            DatumType::U8 => quantize(&x, &scale, &zero, 0.0, 255.0, |y| y as u8)?,
            DatumType::I8 => quantize(&x, &scale, &zero, -128.0, 127.0, |y| y as i8)?,
            DatumType::U16 => quantize(&x, &scale, &zero, 0.0, 65535.0, |y| y as u16)?,
            DatumType::I16 => quantize(&x, &scale, &zero, -32768.0, 32767.0, |y| y as i16)?,
            other => bail!("no quantisation to {other:?}"),
        };
        Ok(tvec!(y.into_tvalue()))
    }
}

fn quantize<T: Datum + Copy>(
    x: &ArrayViewD<'_, f32>,
    scale: &ArrayViewD<'_, f32>,
    zero: &ArrayViewD<'_, f32>,
    low: f32,
    high: f32,
    narrow: impl Fn(f32) -> T,
) -> TractResult<Tensor> {
    let one = |x: f32, scale: f32, zero: f32| narrow(((x / scale).round_ties_even() + zero).clamp(low, high));
    if let (1, 1) = (scale.len(), zero.len()) {
        let first = |view: &ArrayViewD<'_, f32>| view.iter().next().copied().unwrap_or(1.0);
        let (scale, zero) = (first(scale), first(zero));
        return Ok(x.mapv(|x| one(x, scale, zero)).into_tensor());
    }
    let fits = |view: &ArrayViewD<'_, f32>| view.broadcast(x.shape()).is_some();
    ensure!(
        fits(scale) && fits(zero),
        "scales {:?} and zero points {:?} for {:?}",
        scale.shape(),
        zero.shape(),
        x.shape()
    );
    let y = Zip::from(x).and_broadcast(scale).and_broadcast(zero).map_collect(|x, scale, zero| one(*x, *scale, *zero));
    Ok(y.into_tensor())
}

impl TypedOp for Quantize {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        ensure!(inputs.iter().all(|fact| fact.datum_type == DatumType::F32), "quantisation of {inputs:?}");
        Ok(tvec!(self.to.fact(&*inputs[0].shape.to_tvec())))
    }
    as_op!();
}
