//! From a graph of the IR to a tract model, one operator at a time.
//!
//! Every operator is lowered alone, in a part whose sources carry what is known of its operands, and spliced into the
//! whole. What is known before the run (shape arithmetic, constants) never becomes an operator: types and contents that
//! the IR inferred and the reference evaluator settle it. Results of other operators are compared with the inferred
//! types; where tract sees another type or shape the operator is refused, because one of the two is wrong.

mod borrowed;
mod branch;
mod control;
mod fold;
#[cfg(feature = "wide")]
mod hybrid;
mod indices;
pub(crate) mod native;
pub(crate) mod part;
#[cfg(feature = "wide")]
mod proto;
mod quantize;
mod structure;
pub(crate) mod wire;

use edgesmith_exec::{Effort, Obstacle};
use edgesmith_ir::id::EntityId;
use edgesmith_ir::op::Cast;
use edgesmith_ir::{Dim, GraphId, Model, Name, Op, OpId, ValueId, ValueType};
use tract_core::internal::*;

use crate::check;
use crate::guard::guarded_result;
use crate::splice::{add_constant, splice};
use crate::tensor::datum_type;
use borrowed::Borrowed;
use part::Part;
use wire::{Known, Wire};

/// Whether tract-onnx builds an operator of this name.
#[cfg(all(test, feature = "wide"))]
pub(crate) fn has_builder(name: &str) -> bool {
    hybrid::has_builder(name)
}

/// Why a graph cannot be lowered.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Operators that no route covers, all that were met.
    Unsupported(Vec<Obstacle>),
    /// The model is at fault: an operator's operands do not fit it.
    Invalid { label: String, message: String },
}

/// Why one operator cannot be lowered.
pub(crate) enum Problem {
    /// No route covers it.
    Unsupported(String),
    /// Its operands do not fit it.
    Invalid(String),
    /// Something inside one of its regions.
    Inner(Failure),
}

impl From<TractError> for Problem {
    fn from(error: TractError) -> Self {
        Problem::Unsupported(crate::guard::one_line(&format!("{error:#}")))
    }
}
impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Problem::Inner(failure)
    }
}

/// The values of one graph while it is lowered, by id.
pub(crate) struct Frame {
    wires: Vec<Option<Wire>>,
    /// Whether types and contents that the IR inferred hold here. Inside a loop body they describe every round at once.
    exact: bool,
}

impl Frame {
    /// What a value has become.
    pub(crate) fn get(&self, value: ValueId) -> Option<&Wire> {
        self.wires[value.index()].as_ref()
    }
}

/// A tract model that grows operator by operator.
pub(crate) struct Lowering<'m> {
    pub(crate) model: &'m Model,
    pub(crate) big: TypedModel,
    /// The operator of the outermost graph that is being lowered: every node is named after it.
    top: Option<OpId>,
    /// Numbers the splices, which makes names unique.
    splices: usize,
    /// Operators lowered so far, unrolled rounds included.
    steps: usize,
    /// How many regions deep.
    depth: usize,
    options: LoweringOptions,
}

/// How to lower.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LoweringOptions {
    /// How much bodies are optimised.
    pub(crate) effort: Effort,
    /// Whether the reference evaluator may run what tract cannot.
    pub(crate) evaluator: bool,
}

/// Rounds of unrolled loops count in; more operators than this are no longer a model that anybody wants unrolled.
const MAX_STEPS: usize = 1_000_000;

impl<'m> Lowering<'m> {
    /// An empty tract model in a scope of symbols.
    pub(crate) fn new(model: &'m Model, symbols: &SymbolScope, options: LoweringOptions) -> Self {
        let big = TypedModel { symbols: symbols.clone(), ..TypedModel::default() };
        Self { model, big, top: None, splices: 0, steps: 0, depth: 0, options }
    }

    /// Lowering of a body, which becomes a tract model of its own.
    pub(crate) fn inner(&self) -> Self {
        let mut inner = Self::new(self.model, &self.big.symbols, self.options);
        inner.top = self.top;
        inner.depth = self.depth + 1;
        inner
    }

    /// Lowers what the wanted values of a graph need, given what its inputs are.
    pub(crate) fn graph(
        &mut self,
        id: GraphId,
        inputs: Vec<Wire>,
        wanted: &[ValueId],
        exact: bool,
    ) -> Result<Frame, Failure> {
        let graph = self.model.graph(id);
        let mut frame = Frame { wires: vec![None; graph.value_rows()], exact };
        for (value, wire) in graph.inputs().iter().zip(inputs) {
            frame.wires[value.index()] = Some(wire);
        }
        let order = graph
            .topological()
            .map_err(|cycle| Failure::Invalid { label: graph.name.to_string(), message: cycle.to_string() })?;
        let needed = needed(graph, &order, wanted);
        for (value, row) in graph.values() {
            if let edgesmith_ir::Def::Constant(tensor) = row.def()
                && (!row.uses().is_empty() || wanted.contains(&value))
            {
                frame.wires[value.index()] = Some(Wire::constant(self.model.tensor(tensor).clone()));
            }
        }
        let mut obstacles = Vec::new();
        for op in order {
            if !needed[op.index()] {
                continue;
            }
            if self.depth == 0 {
                self.top = Some(op);
            }
            match self.operator(id, op, &mut frame) {
                Ok(()) => {}
                Err(Problem::Unsupported(reason)) => {
                    obstacles.push(Obstacle { graph: id, op, label: label(self.model, id, op), reason });
                }
                Err(Problem::Invalid(message)) => {
                    return Err(Failure::Invalid { label: label(self.model, id, op), message });
                }
                Err(Problem::Inner(Failure::Unsupported(more))) => obstacles.extend(more),
                Err(Problem::Inner(failure)) => return Err(failure),
            }
        }
        if obstacles.is_empty() { Ok(frame) } else { Err(Failure::Unsupported(obstacles)) }
    }

    /// Lowers one operator. Where an operand is missing because its producer failed, nothing happens: that failure is
    /// reported already.
    fn operator(&mut self, graph: GraphId, id: OpId, frame: &mut Frame) -> Result<(), Problem> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Err(Problem::Unsupported(
                "the model has too many operators once its loops are unrolled".to_owned(),
            ));
        }
        let data = self.model.graph(graph).op(id);
        let mut operands = Vec::with_capacity(data.operands().len());
        for operand in data.operands() {
            match operand {
                Some(value) => match frame.get(*value) {
                    Some(wire) => operands.push(Some(wire.clone())),
                    None => return Ok(()),
                },
                None => operands.push(None),
            }
        }
        let results: Vec<Option<ValueId>> = data.results().to_vec();
        let wires = self.results(graph, id, data.op(), &operands, &results, frame.exact)?;
        for (value, wire) in results.iter().zip(wires) {
            if let (Some(value), Some(wire)) = (value, wire) {
                let wire = match wire {
                    Wire::Outlet(outlet) => {
                        let ty =
                            if frame.exact { self.model.graph(graph).value(*value).ty() } else { &ValueType::Unknown };
                        Wire::Outlet(self.settle(outlet, ty)?)
                    }
                    other => other,
                };
                frame.wires[value.index()] = Some(wire);
            }
        }
        Ok(())
    }

    fn results(
        &mut self,
        graph: GraphId,
        id: OpId,
        op: &Op,
        operands: &[Option<Wire>],
        results: &[Option<ValueId>],
        exact: bool,
    ) -> Result<Vec<Option<Wire>>, Problem> {
        if exact && let Some(known) = fold::from_contents(self.model.graph(graph), results) {
            return Ok(known);
        }
        let wanted: Vec<bool> = results.iter().map(Option::is_some).collect();
        if let Some(wires) = self.structural(graph, id, op, operands, &wanted, exact)? {
            return Ok(wires);
        }
        if let Some(folded) = fold::evaluate(self.model, graph, id, operands, &wanted)? {
            return Ok(folded);
        }
        let like = self.explicit_cast(graph, id);
        let op = like.as_ref().unwrap_or(op);
        let Some(row) = check::row(op.kind()) else {
            return Err(Problem::Unsupported(format!("this engine does not know {}", op.name())));
        };
        let outlets = self.outlets(operands)?;
        let facts = self.facts(&outlets)?;
        let mut refusal = None;
        if let Some(lower) = row.native {
            match guarded_result(|| {
                let mut part = Part::new(&facts, &wanted, &self.big.symbols)?;
                part.exact = self.options.effort == Effort::Once;
                lower(op, &mut part)?.map(|results| part.finish(&results)).transpose()
            }) {
                Ok(Some(part)) => return self.adopt(part, &outlets, &wanted),
                Ok(None) => {}
                Err(message) => refusal = Some(message),
            }
        }
        #[cfg(feature = "wide")]
        if let Some(opset) = row.hybrid {
            match guarded_result(|| hybrid::lower(op, opset, &facts, &wanted, &self.big.symbols)) {
                Ok(part) => return self.adopt(part, &outlets, &wanted),
                Err(message) => refusal = Some(message),
            }
        }
        let refusal = refusal.unwrap_or_else(|| row.remedy.to_owned());
        if !self.options.evaluator || row.structural {
            return Err(Problem::Unsupported(refusal));
        }
        let part = guarded_result(|| self.borrow(graph, id, &facts, &wanted))
            .map_err(|message| Problem::Unsupported(format!("{refusal}; nor can the evaluator: {message}")))?;
        self.adopt(part, &outlets, &wanted)
    }

    /// The operator as one that the reference evaluator runs.
    fn borrow(
        &self,
        graph: GraphId,
        id: OpId,
        facts: &[Option<TypedFact>],
        wanted: &[bool],
    ) -> TractResult<TypedModel> {
        let g = self.model.graph(graph);
        let data = g.op(id);
        let types = |values: &[Option<ValueId>]| -> Vec<Option<ValueType>> {
            values.iter().map(|value| value.map(|value| g.value(value).ty().clone())).collect()
        };
        let borrowed = Borrowed::new(data.op(), &types(data.operands()), &types(data.results()), &self.big.symbols)?;
        let mut part = Part::new(facts, wanted, &self.big.symbols)?;
        let operands = part.present();
        let mut made = part.ops(borrowed, &operands)?.into_iter();
        // Results that nobody wants are not made; any outlet stands in for them.
        let results: Vec<Option<OutletId>> =
            wanted.iter().map(|wanted| if *wanted { made.next() } else { None }).collect();
        let outputs: Vec<OutletId> = results.into_iter().flatten().collect();
        part.model.select_output_outlets(&outputs)?;
        Ok(part.model)
    }

    /// A CastLike as the Cast that it is, so that a conversion to half precision rounds.
    fn explicit_cast(&self, graph: GraphId, id: OpId) -> Option<Op> {
        let g = self.model.graph(graph);
        let data = g.op(id);
        let Op::CastLike(like) = data.op() else { return None };
        let to = g.value(data.operand(1)?).ty().dtype()?;
        Some(Op::Cast(Cast { round_mode: like.round_mode.clone(), saturate: like.saturate, to }))
    }

    /// Lowers a few operators by hand on given wires.
    pub(crate) fn build(
        &mut self,
        operands: &[Wire],
        make: impl FnOnce(&mut Part) -> TractResult<TVec<OutletId>>,
    ) -> Result<Vec<Wire>, Problem> {
        let operands: Vec<Option<Wire>> = operands.iter().cloned().map(Some).collect();
        let outlets = self.outlets(&operands)?;
        let facts = self.facts(&outlets)?;
        let part = guarded_result(|| {
            let mut part = Part::new(&facts, &[], &self.big.symbols)?;
            let results = make(&mut part)?;
            part.model.select_output_outlets(&results)?;
            Ok(part.model)
        })
        .map_err(Problem::Unsupported)?;
        let count = part.outputs.len();
        let wires = self.adopt(part, &outlets, &vec![true; count])?;
        Ok(wires.into_iter().flatten().collect())
    }

    fn adopt(
        &mut self,
        part: TypedModel,
        operands: &[Option<OutletId>],
        wanted: &[bool],
    ) -> Result<Vec<Option<Wire>>, Problem> {
        let inputs: Vec<OutletId> = operands.iter().flatten().copied().collect();
        let prefix = self.prefix();
        let mut outlets = splice(&mut self.big, part, &inputs, &prefix)?.into_iter();
        Ok(wanted.iter().map(|wanted| if *wanted { outlets.next().map(Wire::Outlet) } else { None }).collect())
    }

    /// A fresh prefix for names: the operator of the outermost graph, and a running number.
    pub(crate) fn prefix(&mut self) -> String {
        self.splices += 1;
        match self.top {
            Some(op) => format!("{op}.{}/", self.splices),
            None => format!("in.{}/", self.splices),
        }
    }

    /// The outlet of a wire; a constant is added to the model when it is first read.
    pub(crate) fn outlet(&mut self, wire: &Wire) -> Result<OutletId, Problem> {
        match wire {
            Wire::Outlet(outlet) => Ok(*outlet),
            Wire::Constant(known) => Ok(self.constant(known)?),
            Wire::Sequence(_) => Err(Problem::Unsupported("it reads a sequence; tract has tensors only".to_owned())),
            Wire::Optional(Some(inner)) => self.outlet(inner),
            Wire::Optional(None) => Err(Problem::Unsupported("it reads an optional that is empty".to_owned())),
        }
    }

    fn constant(&mut self, known: &Known) -> TractResult<OutletId> {
        if let Some(outlet) = known.outlet.get() {
            return Ok(*outlet);
        }
        let name = format!("{}k", self.prefix());
        let outlet = add_constant(&mut self.big, name, known.copy()?)?;
        Ok(*known.outlet.get_or_init(|| outlet))
    }

    fn outlets(&mut self, operands: &[Option<Wire>]) -> Result<Vec<Option<OutletId>>, Problem> {
        operands.iter().map(|wire| wire.as_ref().map(|wire| self.outlet(wire)).transpose()).collect()
    }

    fn facts(&self, outlets: &[Option<OutletId>]) -> TractResult<Vec<Option<TypedFact>>> {
        outlets.iter().map(|outlet| outlet.map(|outlet| self.big.outlet_fact(outlet).cloned()).transpose()).collect()
    }

    /// Checks a result against the type that the IR inferred, and turns tract's own shape type into int64.
    fn settle(&mut self, outlet: OutletId, ty: &ValueType) -> Result<OutletId, Problem> {
        let mut outlet = outlet;
        if self.big.outlet_fact(outlet)?.datum_type == TDim::datum_type() {
            let wires = self.build(&[Wire::Outlet(outlet)], |p| {
                let x = p.input(0)?;
                Ok(tvec!(p.cast(x, i64::datum_type())?))
            })?;
            if let Some(Wire::Outlet(cast)) = wires.first() {
                outlet = *cast;
            }
        }
        let fact = self.big.outlet_fact(outlet)?;
        let Some(expected) = ty.as_tensor() else { return Ok(outlet) };
        let Some(datum) = datum_type(expected.dtype) else {
            return Err(Problem::Unsupported(format!("tract has no element type {}", expected.dtype)));
        };
        if datum != fact.datum_type {
            return Err(Problem::Unsupported(format!(
                "tract makes it of type {:?} where {} is inferred",
                fact.datum_type, expected.dtype
            )));
        }
        let Some(dims) = expected.shape.dims() else { return Ok(outlet) };
        let agree = dims.len() == fact.rank()
            && dims.iter().zip(fact.shape.iter()).all(|(ours, theirs)| match (ours, theirs) {
                (Dim::Known(a), TDim::Val(b)) => a == b,
                _ => true,
            });
        if !agree {
            return Err(Problem::Unsupported(format!(
                "tract makes it of shape {:?} where {} is inferred",
                fact.shape, expected.shape
            )));
        }
        Ok(outlet)
    }
}

/// Which operators the wanted values need.
fn needed(graph: &edgesmith_ir::Graph, order: &[OpId], wanted: &[ValueId]) -> Vec<bool> {
    let mut needed = vec![false; graph.op_rows()];
    for op in wanted.iter().filter_map(|value| graph.producer(*value)) {
        needed[op.index()] = true;
    }
    for op in order.iter().rev() {
        if needed[op.index()] {
            for producer in graph.op(*op).operands().iter().flatten().filter_map(|value| graph.producer(*value)) {
                needed[producer.index()] = true;
            }
        }
    }
    needed
}

/// The kind and name of an operator, for messages.
pub(crate) fn label(model: &Model, graph: GraphId, op: OpId) -> String {
    let name: Name = model.op_label(graph, op);
    format!("{} '{name}'", model.graph(graph).op(op).op().name())
}
