//! Operators from outside: typed structs of other crates, each with a decomposition into known operators.
//!
//! [`Op`](crate::Op) is a closed set. An outside operator needs no place in it: in a model it is a [`Call`] of a function
//! whose body is its decomposition, and its struct is read from the call's attributes whenever somebody asks
//! ([`CompositeView`]). Inference, evaluation, cost, the textual form and the ONNX function in a written file follow from
//! what calls do. What this module must not know: files and formats; a frontend hands over the operators that it carries,
//! [`Operators::recognise`] types those that are registered.
//!
//! The function is [sealed](crate::Function::sealed): rules leave the bodies of its calls alone, because an operator that
//! a runtime has a kernel for must stay that operator. A pass that wants to look inside inlines the call.

mod decomposition;
mod insert;
mod macros;
mod recognise;

pub use decomposition::{Decomposition, DecompositionError};
pub use insert::{AnyComposite, NewComposite};
pub use recognise::{OperatorInfo, Operators, Unrecognised};

use crate::op::{Arity, Call, Formal, FunctionKey};
use crate::{Attribute, AttributeError, AttributeReader, Graph, Model, Op, OpData, OpId, ValueId};

/// An operator that an outside crate adds: a struct of its attributes, and what it means in known operators.
///
/// [`composite_operator!`](crate::composite_operator) writes everything but the decomposition.
pub trait CompositeOperator: Sized + Clone + std::fmt::Debug + Send + Sync + 'static {
    /// The domain, as `com.example`; ai.onnx is not for outside operators.
    const DOMAIN: &'static str;
    /// The name in the domain.
    const NAME: &'static str;
    /// The version of the domain's operator set from which on the operator has this form.
    const VERSION: i64;
    /// One line for lists.
    const SUMMARY: &'static str;
    /// Operands in order; none is variadic, because functions of ONNX have none.
    const OPERANDS: &'static [Formal];
    /// Results in order. A model need not list the last ones.
    const RESULTS: &'static [Formal];
    /// What rules see: the attributes, and operands and results by name.
    type View<'m>: From<CompositeView<'m, Self>>;

    /// Reads the attributes; what is left over makes the operator another one.
    fn decode(attributes: &mut AttributeReader) -> Result<Self, AttributeError>;
    /// The attributes that differ from their defaults.
    fn encode(&self) -> Vec<(&'static str, Attribute)>;
    /// Builds what the operator computes. Returns its results, in order. May look at the types of the operands: calls
    /// whose decompositions differ become overloads of one function.
    fn decompose(&self, body: &mut Decomposition<'_>) -> Result<Vec<ValueId>, DecompositionError>;
}

/// An outside operator in a graph, with its attributes read.
#[derive(Clone, Debug)]
pub struct CompositeView<'m, T> {
    /// The operator's id.
    pub id: OpId,
    /// The operator's row.
    pub data: &'m OpData,
    op: T,
}

impl<T> std::ops::Deref for CompositeView<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.op
    }
}

impl<'m, T: CompositeOperator> CompositeView<'m, T> {
    /// The operator as this one: a call of a function of its domain and name, whose attributes and operands fit.
    pub fn of(model: &Model, graph: &'m Graph, id: OpId) -> Option<Self> {
        let data = graph.op(id);
        let Op::Call(call) = data.op() else { return None };
        if call.function.name != T::NAME || call.function.domain != T::DOMAIN || !fits::<T>(data) {
            return None;
        }
        let op = read::<T>(call.attributes.clone(), &defaults(model, call)).ok()?;
        Some(Self { id, data, op })
    }
    /// The attributes.
    pub fn op(&self) -> &T {
        &self.op
    }
    /// The value of a slot among the operands, if present.
    pub fn operand(&self, slot: usize) -> Option<ValueId> {
        self.data.formals().get(slot).copied().flatten()
    }
    /// The value of a slot among the results, if somebody wants it.
    pub fn result(&self, slot: usize) -> Option<ValueId> {
        self.data.result(slot)
    }
    #[doc(hidden)]
    #[expect(clippy::panic, reason = "a view is made only of operators that have what is required")]
    pub fn required(&self, value: Option<ValueId>, what: &str) -> ValueId {
        match value {
            Some(value) => value,
            None => panic!("{} lacks {what}", self.id),
        }
    }
}

/// Whether an operator has the operands and results that the outside operator must have, and no more.
fn fits<T: CompositeOperator>(data: &OpData) -> bool {
    let whole = |formals: &[Formal], values: &[Option<ValueId>]| {
        values.len() <= formals.len()
            && formals
                .iter()
                .enumerate()
                .all(|(slot, formal)| formal.arity != Arity::One || values.get(slot).is_some_and(Option::is_some))
    };
    whole(T::OPERANDS, data.formals()) && data.captures().is_empty() && whole(T::RESULTS, data.results())
}

/// Defaults that the function itself gives.
fn defaults(model: &Model, call: &Call) -> Vec<(crate::Name, Attribute)> {
    model.functions.get(&call.function).map(|function| function.defaults.clone()).unwrap_or_default()
}

fn read<T: CompositeOperator>(
    mut attributes: Vec<(crate::Name, Attribute)>,
    defaults: &[(crate::Name, Attribute)],
) -> Result<T, AttributeError> {
    for (name, value) in defaults {
        if attributes.iter().all(|(given, _)| given != name) {
            attributes.push((name.clone(), value.clone()));
        }
    }
    let mut reader = AttributeReader::new(attributes);
    let op = T::decode(&mut reader)?;
    reader.finish()?;
    Ok(op)
}

/// The function of the operator's first decomposition; others have an overload.
fn key_of<T: CompositeOperator>() -> FunctionKey {
    FunctionKey { domain: T::DOMAIN.into(), name: T::NAME.into(), overload: crate::Name::default() }
}
