//! An operator of our own for tract: indices that are checked before anything reads by them.

use tract_core::internal::*;

/// Indices made non-negative; an error at run time where one is out of range.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct CheckedIndices {
    /// One bound for all elements, or one for each element of the last axis.
    pub(crate) bounds: Vec<i64>,
}

impl Op for CheckedIndices {
    fn name(&self) -> StaticName {
        "CheckedIndices".into()
    }
    op_as_typed_op!();
}

impl EvalOp for CheckedIndices {
    op_out_of_plan!();

    fn eval(&self, _context: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let mut indices = args_1!(inputs).into_tensor();
        let mut ram = indices.try_as_plain_ram_mut()?;
        let columns = self.bounds.len();
        for (at, index) in ram.as_slice_mut::<i64>()?.iter_mut().enumerate() {
            let bound = self.bounds[at % columns];
            let place = if *index < 0 { *index + bound } else { *index };
            ensure!((0..bound).contains(&place), "the index {index} is out of range of {bound} elements");
            *index = place;
        }
        Ok(tvec!(indices.into_tvalue()))
    }
}

impl TypedOp for CheckedIndices {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        ensure!(inputs[0].datum_type == i64::datum_type(), "indices of type {:?}", inputs[0].datum_type);
        Ok(tvec!(inputs[0].without_value()))
    }
    as_op!();
}
