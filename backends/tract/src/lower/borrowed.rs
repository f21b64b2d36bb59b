//! An operator of our own for tract: one that the reference evaluator computes.
//!
//! For what tract lacks, or computes wrongly. Slow (plain loops), and no second opinion beside the evaluator, so an engine
//! can be asked to do without.

use edgesmith_exec::{EvalOptions, Value, evaluate_op};
use edgesmith_ir::{DType, Op as IrOp, ValueType};
use tract_core::internal::*;

use crate::guard::guarded;
use crate::tensor::{datum_type, from_tract, to_tract};

/// Bytes that the results of one operator may take.
const LIMIT: u64 = 1 << 32;

/// An operator, run by the evaluator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Borrowed {
    op: IrOp,
    /// For every operand slot whether it is present, and the element type that the IR knows it by.
    operands: Vec<Option<Option<DType>>>,
    wanted: Vec<bool>,
    facts: TVec<TypedFact>,
}

impl Borrowed {
    /// The operator with operands and results of these types. Errors: a result whose type or rank is not known; an
    /// unknown extent, unless the operator's results depend on data.
    pub(crate) fn new(
        op: &IrOp,
        operands: &[Option<ValueType>],
        results: &[Option<ValueType>],
        symbols: &SymbolScope,
    ) -> TractResult<Self> {
        ensure!(!op.is_random(), "it draws random numbers");
        let facts = results.iter().flatten().map(|ty| {
            let tensor = ty.as_tensor().context("a result that is no tensor")?;
            let datum =
                datum_type(tensor.dtype).with_context(|| format!("tract has no element type {}", tensor.dtype))?;
            let dims = tensor.shape.dims().context("a result of unknown rank")?;
            let dims = dims.iter().map(|dim| match dim.known() {
                Some(extent) => Ok(extent.to_dim()),
                None if depends_on_data(op) => Ok(symbols.new_with_prefix("borrowed").to_dim()),
                None => bail!("an extent of a result is not known before the run"),
            });
            Ok(datum.fact(dims.collect::<TractResult<TVec<TDim>>>()?))
        });
        Ok(Self {
            op: op.clone(),
            operands: operands.iter().map(|ty| ty.as_ref().map(ValueType::dtype)).collect(),
            wanted: results.iter().map(Option::is_some).collect(),
            facts: facts.collect::<TractResult<_>>()?,
        })
    }
}

/// Whether the sizes of the results follow from elements that only the run knows.
fn depends_on_data(op: &IrOp) -> bool {
    matches!(op, IrOp::Unique(_) | IrOp::NonZero(_) | IrOp::Compress(_) | IrOp::NonMaxSuppression(_))
}

impl Op for Borrowed {
    fn name(&self) -> StaticName {
        "Borrowed".into()
    }
    fn mints_runtime_symbols(&self) -> bool {
        depends_on_data(&self.op)
    }
    op_as_typed_op!();
}

impl EvalOp for Borrowed {
    op_out_of_plan!();

    fn eval(&self, _context: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let mut given = inputs.iter();
        let mut values = Vec::with_capacity(self.operands.len());
        for operand in &self.operands {
            values.push(match operand {
                Some(dtype) => {
                    let tensor = given.next().context("an operand is missing")?;
                    Some(Value::Tensor(from_tract(tensor, *dtype)?))
                }
                None => None,
            });
        }
        let results = guarded(|| evaluate_op(&self.op, &values, &self.wanted, &EvalOptions::running(LIMIT)))
            .map_err(|message| format_err!("{}: {message}", self.op.name()))?
            .map_err(|error| format_err!("{}: {error}", self.op.name()))?;
        let tensors = results.into_iter().flatten().map(|value| match value {
            Value::Tensor(tensor) => Ok(to_tract(&tensor)?.into_tvalue()),
            _ => bail!("{} gives no tensor", self.op.name()),
        });
        tensors.collect()
    }
}

impl TypedOp for Borrowed {
    fn output_facts(&self, _inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(self.facts.clone())
    }
    as_op!();
}
