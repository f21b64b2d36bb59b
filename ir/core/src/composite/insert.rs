//! Putting an outside operator into a model: its call, the body of the call, and the function that a file gets.

use std::sync::Arc;

use smallvec::SmallVec;

use super::decomposition::build;
use super::{CompositeOperator, DecompositionError, key_of};
use crate::id::EntityId;
use crate::model::tensor_type;
use crate::op::{Arity, Call, FunctionKey};
use crate::{Attribute, Def, Fact, Function, Graph, GraphId, Model, Name, NewOp, Op, OpId, OriginId, ValueId};

/// An outside operator of any type, kept until somebody puts it into a model.
#[derive(Clone)]
pub struct AnyComposite {
    call: Call,
    build: Arc<Build>,
}

type Build = dyn Fn(&mut Model, &[Option<Fact>], usize, OriginId) -> Result<(FunctionKey, GraphId), DecompositionError>
    + Send
    + Sync;

impl std::fmt::Debug for AnyComposite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AnyComposite").field("call", &self.call).finish_non_exhaustive()
    }
}

impl AnyComposite {
    /// This operator.
    pub fn of<T: CompositeOperator>(op: &T) -> Self {
        let attributes = op.encode().into_iter().map(|(name, value)| (name.into(), value)).collect();
        let op = op.clone();
        let build = move |model: &mut Model, operands: &[Option<Fact>], results: usize, origin: OriginId| {
            model.composite_body(&op, operands, results, origin)
        };
        Self { call: Call { function: key_of::<T>(), attributes }, build: Arc::new(build) }
    }
    /// Its name.
    pub fn name(&self) -> &str {
        &self.call.function.name
    }
    /// The operator without a body, for lists.
    pub fn op(&self) -> Op {
        Op::Call(Box::new(self.call.clone()))
    }
    /// The operator for these operands, and its region, which the caller gives to it; the function that a file needs is
    /// added to the model.
    ///
    /// # Errors
    ///
    /// [`DecompositionError`], when it cannot be decomposed on these operands.
    pub fn call(
        &self,
        model: &mut Model,
        operands: &[Option<Fact>],
        results: usize,
        origin: OriginId,
    ) -> Result<(Op, GraphId), DecompositionError> {
        let (function, body) = (self.build)(model, operands, results, origin)?;
        Ok((Op::Call(Box::new(Call { function, ..self.call.clone() })), body))
    }
}

/// An outside operator that a pass adds to a graph.
#[derive(Clone, Debug)]
pub struct NewComposite<'a, T> {
    /// The operator.
    pub op: &'a T,
    /// Its operands.
    pub operands: SmallVec<[Option<ValueId>; 4]>,
    /// The names of its results, which are new values.
    pub results: SmallVec<[Option<Name>; 1]>,
    /// The name of the operator.
    pub name: Name,
    /// Where it came from.
    pub origin: OriginId,
}

impl Model {
    /// Adds an outside operator to a graph, with its types inferred.
    ///
    /// # Errors
    ///
    /// [`DecompositionError`], when it cannot be decomposed on these operands.
    pub fn add_composite<T: CompositeOperator>(
        &mut self,
        graph: GraphId,
        new: NewComposite<'_, T>,
    ) -> Result<OpId, DecompositionError> {
        let NewComposite { op, operands, results, name, origin } = new;
        let facts: Vec<Option<Fact>> = operands.iter().map(|v| v.map(|v| self.fact(graph, v))).collect();
        let (call, body) = AnyComposite::of(op).call(self, &facts, results.len(), origin)?;
        let regions = SmallVec::from_slice(&[body]);
        let new = NewOp { op: call, operands, captures: 0, regions, results, name, origin };
        let id = self.graph_mut(graph).add_op(new);
        self.infer_op(graph, id)?;
        Ok(id)
    }

    /// The body of a call of an outside operator, and the function that says the same to whoever reads the file.
    pub(super) fn composite_body<T: CompositeOperator>(
        &mut self,
        op: &T,
        operands: &[Option<Fact>],
        results: usize,
        origin: OriginId,
    ) -> Result<(FunctionKey, GraphId), DecompositionError> {
        let missing = T::OPERANDS
            .iter()
            .enumerate()
            .find(|(slot, formal)| formal.arity == Arity::One && operands.get(*slot).is_none_or(Option::is_none));
        if let Some((_, formal)) = missing {
            return Err(DecompositionError::new(format!("operand '{}' is missing", formal.name)));
        }
        if operands.len() > T::OPERANDS.len() || results > T::RESULTS.len() {
            return Err(DecompositionError::new(format!(
                "it has {} operands and {results} results, and at most {} and {} are known",
                operands.len(),
                T::OPERANDS.len(),
                T::RESULTS.len()
            )));
        }
        let body = build(self, op, operands, origin)?;
        let key = self.composite_function(op, body, operands);
        // The function gives every result, the call only those that it lists.
        for index in (results..T::RESULTS.len()).rev() {
            self.graph_mut(body).remove_output(index);
        }
        self.graph_mut(body).mark_pristine();
        Ok((key, body))
    }

    /// The function with this body: one that is there, else a new one. The first decomposition of an operator has the
    /// plain name, others an overload that says what is in them, so that equal ones meet whatever the order.
    fn composite_function<T: CompositeOperator>(
        &mut self,
        op: &T,
        body: GraphId,
        operands: &[Option<Fact>],
    ) -> FunctionKey {
        let print = fingerprint(self, self.graph(body));
        let mut key = key_of::<T>();
        if let Some(first) = self.functions.get(&key) {
            let known = first.body.filter(|_| first.typed).map(|id| fingerprint(self, self.graph(id)));
            if known == Some(print) {
                return key;
            }
            key.overload = print.to_hex()[..16].into();
            if self.functions.contains_key(&key) {
                return key;
            }
        }
        let graph = self.as_function::<T>(body, operands);
        let body = Some(self.add_graph(graph));
        let attributes = op.encode().into_iter().map(|(name, _)| name.into()).collect();
        let function = Function { body, attributes, typed: true, sealed: true, ..Function::default() };
        self.functions.insert(key.clone(), function);
        self.opsets.entry(T::DOMAIN.into()).or_insert(T::VERSION);
        key
    }

    /// A body as that of a function: with an input for every formal, and nothing that only one call knows.
    fn as_function<T: CompositeOperator>(&self, body: GraphId, operands: &[Option<Fact>]) -> Graph {
        let body = self.graph(body);
        let mut graph = Graph::new(body.name.clone());
        let mut values: Vec<Option<ValueId>> = vec![None; body.value_rows()];
        let mut present = body.inputs().iter();
        for (slot, formal) in T::OPERANDS.iter().enumerate() {
            let input = graph.add_input(formal.name, crate::ValueType::Unknown, None);
            if operands.get(slot).is_some_and(Option::is_some)
                && let Some(value) = present.next()
            {
                values[value.index()] = Some(input);
            }
        }
        for (value, row) in body.values() {
            if let Def::Constant(tensor) = row.def() {
                let ty = tensor_type(self.tensor(tensor));
                values[value.index()] = Some(graph.add_constant(row.name().clone(), ty, tensor));
            }
        }
        for (_, data) in body.ops() {
            let id = graph.add_op(NewOp {
                op: data.op().clone(),
                operands: data.operands().iter().map(|value| value.and_then(|value| values[value.index()])).collect(),
                captures: 0,
                regions: SmallVec::new(),
                results: data.results().iter().map(|v| v.map(|v| body.value(v).name().clone())).collect(),
                name: data.name().clone(),
                origin: data.origin(),
            });
            for (slot, value) in data.results().iter().enumerate() {
                if let Some(value) = value {
                    values[value.index()] = graph.op(id).result(slot);
                }
            }
        }
        for output in body.outputs() {
            if let Some(value) = values[output.index()] {
                graph.add_output(value);
            }
        }
        graph
    }
}

/// What a body computes, as a hash: operators, attributes, constants, and how they are wired. Names of formals count,
/// names of other values and types do not.
fn fingerprint(model: &Model, graph: &Graph) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    let mut text = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    let mut places: Vec<u64> = vec![0; graph.value_rows()];
    let mut made = 0_u64;
    // What a value is: a formal by name, a constant by content, a result by its number.
    let say = |value: ValueId, places: &[u64]| match graph.value(value).def() {
        Def::Input { .. } => format!("input {}", graph.value(value).name()),
        Def::Constant(tensor) => format!("constant {}", model.tensor(tensor).content_hash().to_hex()),
        _ => format!("result {}", places[value.index()]),
    };
    for (_, data) in graph.ops() {
        text(data.op().name());
        for (name, value) in data.op().encode() {
            text(name);
            text(&attribute_text(&value));
        }
        for operand in data.operands() {
            text(&operand.map_or_else(|| "absent".to_owned(), |value| say(value, &places)));
        }
        for value in data.results().iter().flatten() {
            made += 1;
            places[value.index()] = made;
        }
        text(&format!("{} results", data.results().len()));
    }
    for output in graph.outputs() {
        text(&say(*output, &places));
    }
    hasher.finalize()
}

fn attribute_text(attribute: &Attribute) -> String {
    match attribute {
        Attribute::Tensor(tensor) => tensor.content_hash().to_hex().to_string(),
        plain => format!("{plain:?}"),
    }
}
