//! What a rule may look at.

use std::cell::RefCell;

use edgesmith_ir::{
    CompositeOperator, CompositeView, Contents, DType, Dim, Graph, GraphId, Model, OpId, Operator, Tensor, ValueId,
    ValueType, View,
};
use smallvec::SmallVec;

use crate::{Match, Miss, Remark, RuleName};

/// A rule's view of the model at one operator. It remembers which operators the rule looked at, so that the local check
/// evaluates them too.
pub struct Cx<'m> {
    model: &'m Model,
    graph_id: GraphId,
    rule: RuleName,
    root: OpId,
    looked_at: RefCell<SmallVec<[OpId; 8]>>,
}

impl<'m> Cx<'m> {
    /// A view for one rule at one operator.
    pub fn new(model: &'m Model, graph_id: GraphId, root: OpId, rule: RuleName) -> Self {
        Self { model, graph_id, rule, root, looked_at: RefCell::new(smallvec::smallvec![root]) }
    }
    /// The model.
    pub fn model(&self) -> &'m Model {
        self.model
    }
    /// The graph that the operator is in.
    pub fn graph(&self) -> &'m Graph {
        self.model.graph(self.graph_id)
    }
    /// Its id.
    pub fn graph_id(&self) -> GraphId {
        self.graph_id
    }
    /// The operator that the rule was called for.
    pub fn root(&self) -> OpId {
        self.root
    }
    /// The rule that looks.
    pub fn rule(&self) -> RuleName {
        self.rule
    }
    /// The version of ai.onnx that the model is written in; 0 when it says none.
    pub fn opset(&self) -> i64 {
        self.model.opset("").unwrap_or(0)
    }

    /// Notes that the rule's conclusion depends on this operator. The typed accessors do it by themselves.
    pub fn look_at(&self, op: OpId) {
        let mut looked_at = self.looked_at.borrow_mut();
        if !looked_at.contains(&op) {
            looked_at.push(op);
        }
    }
    pub(crate) fn looked_at(&self) -> SmallVec<[OpId; 8]> {
        self.looked_at.borrow().clone()
    }

    /// The operator as this kind.
    pub fn op<K: Operator>(&self, op: OpId) -> Match<View<'m, K>> {
        let view = self.graph().view::<K>(op).ok_or(Miss::NoMatch)?;
        self.look_at(op);
        Ok(view)
    }
    /// The operator as this one from outside; a rule for it has [`OpKind::Call`](edgesmith_ir::OpKind::Call) among its
    /// roots.
    pub fn composite<T: CompositeOperator>(&self, op: OpId) -> Match<T::View<'m>> {
        let view = CompositeView::<T>::of(self.model, self.graph(), op).ok_or(Miss::NoMatch)?;
        self.look_at(op);
        Ok(view.into())
    }
    /// The producer of a value as this operator from outside.
    pub fn producer_composite<T: CompositeOperator>(&self, value: ValueId) -> Match<T::View<'m>> {
        self.composite::<T>(self.graph().producer(value).ok_or(Miss::NoMatch)?)
    }
    /// The producer of a value as this kind.
    pub fn producer<K: Operator>(&self, value: ValueId) -> Match<View<'m, K>> {
        self.op(self.graph().producer(value).ok_or(Miss::NoMatch)?)
    }
    /// Whether exactly one operand reads the value and no output of the graph is it.
    pub fn single_use(&self, value: ValueId) -> bool {
        self.graph().single_use(value)
    }
    /// The type of a value.
    pub fn ty(&self, value: ValueId) -> &'m ValueType {
        self.graph().value(value).ty()
    }
    /// The element type of a value.
    pub fn dtype(&self, value: ValueId) -> Option<DType> {
        self.ty(value).dtype()
    }
    /// The dims of a value of known rank.
    pub fn dims(&self, value: ValueId) -> Option<&'m [Dim]> {
        self.ty(value).dims()
    }
    /// Whether two values surely have the same dims, for every value of their symbols.
    pub fn same_dims(&self, a: ValueId, b: ValueId) -> bool {
        match (self.dims(a), self.dims(b)) {
            (Some(a), Some(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b)),
            _ => false,
        }
    }
    /// Whether a dim may be zero at run time, as far as the facts about its symbols tell.
    pub fn may_be_zero(&self, dim: &Dim) -> bool {
        dim.lower_bound(&|name| self.model.symbols.facts(name).min).is_none_or(|least| least < 1)
    }
    /// The constant that a value is.
    pub fn constant(&self, value: ValueId) -> Option<&'m Tensor> {
        self.model.constant_of(self.graph_id, value)
    }
    /// What is known of the elements of a value.
    pub fn contents(&self, value: ValueId) -> Option<Contents> {
        match self.constant(value) {
            Some(tensor) => Contents::of_tensor(tensor),
            None => self.graph().value(value).contents().cloned(),
        }
    }
    /// The elements of an integer value, if every one is known to be a number.
    pub fn ints(&self, value: ValueId) -> Option<Vec<i64>> {
        match self.constant(value) {
            Some(tensor) => tensor.to_ints(),
            None => self.graph().value(value).contents()?.ints(),
        }
    }
    /// A refusal that reaches the user: the pattern is at `op`, and this is why the rule does not fire.
    pub fn reject<T>(&self, op: OpId, why: impl Into<String>) -> Match<T> {
        Err(Miss::Rejected(Box::new(Remark::about(self.model, self.graph_id, op, self.rule, why))))
    }
    /// A refusal with what would make the rule fire.
    pub fn reject_unless<T>(&self, op: OpId, why: impl Into<String>, remedy: impl Into<String>) -> Match<T> {
        Err(Miss::Rejected(Box::new(Remark::about(self.model, self.graph_id, op, self.rule, why).with_remedy(remedy))))
    }
}
