//! Building the decomposition of an outside operator: known operators, typed as they are added.

use smallvec::SmallVec;

use crate::{DType, Fact, Graph, GraphId, InferError, Model, Name, NewOp, Op, OriginId, Tensor, ValueId, ValueType};

use super::CompositeOperator;

/// How values inside are called, with a number; no formal may be called so.
const VALUE: &str = "inner_";

/// Why an operator has no decomposition here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DecompositionError(String);

impl DecompositionError {
    /// With this reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl From<InferError> for DecompositionError {
    fn from(error: InferError) -> Self {
        Self(error.to_string())
    }
}

impl From<crate::TensorError> for DecompositionError {
    fn from(error: crate::TensorError) -> Self {
        Self(error.to_string())
    }
}

/// The body of an outside operator while it is built.
pub struct Decomposition<'m> {
    model: &'m mut Model,
    graph: GraphId,
    operands: Vec<Option<ValueId>>,
    origin: OriginId,
    made: usize,
}

impl Decomposition<'_> {
    /// An operand that the operator must have.
    pub fn operand(&self, slot: usize) -> Result<ValueId, DecompositionError> {
        self.maybe(slot).ok_or_else(|| DecompositionError(format!("operand {slot} is missing")))
    }
    /// An operand that may be absent.
    pub fn maybe(&self, slot: usize) -> Option<ValueId> {
        self.operands.get(slot).copied().flatten()
    }
    /// The type of a value.
    pub fn ty(&self, value: ValueId) -> &ValueType {
        self.model.graph(self.graph).value(value).ty()
    }
    /// The element type of a value; an error where it is not known.
    pub fn dtype(&self, value: ValueId) -> Result<DType, DecompositionError> {
        self.ty(value).dtype().ok_or_else(|| DecompositionError("the element type of an operand is not known".into()))
    }
    /// The rank of a value; an error where it is not known.
    pub fn rank(&self, value: ValueId) -> Result<usize, DecompositionError> {
        self.ty(value).rank().ok_or_else(|| DecompositionError("the rank of an operand is not known".into()))
    }
    /// A constant.
    pub fn constant(&mut self, tensor: Tensor) -> ValueId {
        let name = self.fresh();
        self.model.add_constant(self.graph, name, tensor)
    }
    /// A constant without axes, of the element type of a value.
    pub fn scalar_like(&mut self, value: ValueId, number: f64) -> Result<ValueId, DecompositionError> {
        let dtype = self.dtype(value)?;
        let tensor = Tensor::from_f64(dtype, [].as_slice(), &[number]);
        let tensor = tensor.ok_or_else(|| DecompositionError(format!("{number} cannot be written as {dtype}")))?;
        Ok(self.constant(tensor))
    }
    /// Adds an operator with one result.
    pub fn insert(
        &mut self,
        op: impl Into<Op>,
        operands: impl IntoIterator<Item = ValueId>,
    ) -> Result<ValueId, DecompositionError> {
        let results = self.insert_many(op, operands.into_iter().map(Some), 1)?;
        results.first().copied().ok_or_else(|| DecompositionError("an operator has no result".into()))
    }
    /// Adds an operator with absent operands, or several results.
    pub fn insert_many(
        &mut self,
        op: impl Into<Op>,
        operands: impl IntoIterator<Item = Option<ValueId>>,
        results: usize,
    ) -> Result<Vec<ValueId>, DecompositionError> {
        let op = op.into();
        if !op.kind().signature().regions.is_empty() || matches!(op, Op::Call(_) | Op::Custom(_)) {
            return Err(DecompositionError(format!("a decomposition cannot hold {}", op.name())));
        }
        let results = (0..results).map(|_| Some(self.fresh())).collect();
        let new = NewOp {
            op,
            operands: operands.into_iter().collect(),
            captures: 0,
            regions: SmallVec::new(),
            results,
            name: Name::default(),
            origin: self.origin,
        };
        let id = self.model.graph_mut(self.graph).add_op(new);
        self.model.infer_op(self.graph, id)?;
        Ok(self.model.graph(self.graph).op(id).results().iter().flatten().copied().collect())
    }
    /// Adds what another outside operator decomposes into; returns its results.
    pub fn composite<T: CompositeOperator>(
        &mut self,
        op: &T,
        operands: impl IntoIterator<Item = Option<ValueId>>,
    ) -> Result<Vec<ValueId>, DecompositionError> {
        let outer = std::mem::replace(&mut self.operands, operands.into_iter().collect());
        let results = op.decompose(self);
        self.operands = outer;
        results
    }

    fn fresh(&mut self) -> Name {
        self.made += 1;
        Name::from(format!("{VALUE}{}", self.made))
    }
}

/// Builds the body of a call: an input for every operand that is present, an output for every result.
pub(super) fn build<T: CompositeOperator>(
    model: &mut Model,
    op: &T,
    operands: &[Option<Fact>],
    origin: OriginId,
) -> Result<GraphId, DecompositionError> {
    let mut graph = Graph::new(T::NAME);
    let mut inputs = Vec::with_capacity(operands.len());
    for (formal, fact) in T::OPERANDS.iter().zip(operands) {
        inputs.push(fact.as_ref().map(|fact| graph.add_input(formal.name, fact.ty.clone(), None)));
    }
    let graph = model.add_graph(graph);
    let mut body = Decomposition { model, graph, operands: inputs, origin, made: 0 };
    let outputs = op.decompose(&mut body)?;
    if outputs.len() != T::RESULTS.len() {
        let message = format!("the decomposition has {} results, the operator {}", outputs.len(), T::RESULTS.len());
        return Err(DecompositionError(message));
    }
    for value in outputs {
        model.graph_mut(graph).add_output(value);
    }
    Ok(graph)
}
