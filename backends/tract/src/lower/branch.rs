//! An operator of our own for tract: one of two bodies, chosen at run time.
//!
//! tract's own `IfThenElse` plans its body anew in every run.

use tract_core::internal::*;

use crate::plan::TractPlan;

/// Runs the first body where the condition (operand 0) holds, else the second, on the other operands.
#[derive(Debug, Clone)]
pub(crate) struct Branch {
    then: Arc<TractPlan>,
    otherwise: Arc<TractPlan>,
    facts: TVec<TypedFact>,
}

impl Branch {
    /// Errors: the branches give different types or shapes.
    pub(crate) fn new(then: &Arc<TractPlan>, otherwise: &Arc<TractPlan>) -> TractResult<Self> {
        let facts = |plan: &TractPlan| -> TractResult<TVec<TypedFact>> {
            let model = plan.model();
            model.outputs.iter().map(|outlet| Ok(model.outlet_fact(*outlet)?.without_value())).collect()
        };
        let (facts, others) = (facts(then)?, facts(otherwise)?);
        for (a, b) in facts.iter().zip(&others) {
            ensure!(
                a.datum_type == b.datum_type && a.shape == b.shape,
                "the branches give {a:?} and {b:?}; only equal types and shapes run, unless the condition is constant"
            );
        }
        Ok(Self { then: Arc::clone(then), otherwise: Arc::clone(otherwise), facts })
    }
}

impl PartialEq for Branch {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.then, &other.then) && Arc::ptr_eq(&self.otherwise, &other.otherwise)
    }
}
impl Eq for Branch {}

impl Op for Branch {
    fn name(&self) -> StaticName {
        "Branch".into()
    }
    op_as_typed_op!();
}

impl EvalOp for Branch {
    op_out_of_plan!();

    fn eval(&self, _context: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let mut inputs = inputs;
        let condition = inputs.remove(0).cast_to_scalar::<bool>()?;
        if condition { self.then.run(inputs) } else { self.otherwise.run(inputs) }
    }
}

impl TypedOp for Branch {
    fn output_facts(&self, _inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(self.facts.clone())
    }
    as_op!();
}
