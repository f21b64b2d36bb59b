//! Inference of types and contents: the frame that every operator's rule fills, and the walk over a model.
//!
//! A rule sees facts of its operands and sets facts of its results. What a file declares of inner values is not believed
//! (files that were edited keep stale declarations), but for results of unknown operators, which only the file can know. Sizes that depend on data are symbols named after the value
//! (`?name.axis`), so inferring twice gives the same.

use smallvec::SmallVec;

use crate::contents::{Contents, Item};
use crate::op::Loop;
use crate::{DType, Def, Dim, DimEq, GraphId, Model, Name, Op, OpData, OpId, Shape, Tensor, ValueId, ValueType};

/// What is known of a value.
#[derive(Clone, Debug, Default)]
pub struct Fact {
    /// Its type.
    pub ty: ValueType,
    /// Its elements.
    pub contents: Option<Contents>,
    /// The constant that it is.
    pub tensor: Option<Tensor>,
}

impl Fact {
    /// A fact of a type alone.
    pub fn of_type(ty: ValueType) -> Self {
        Self { ty, contents: None, tensor: None }
    }
    /// What is known of the elements, of a constant too.
    pub fn known_contents(&self) -> Option<Contents> {
        self.contents.clone().or_else(|| Contents::of_tensor(self.tensor.as_ref()?))
    }
}

/// Why an operator can have no type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InferError {
    /// What is wrong, naming operands and dims.
    pub message: String,
}

impl InferError {
    /// An error with this message.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

/// Infers a region: its index, facts of its inputs (captures excluded), and back come facts of its outputs.
pub type RegionInference<'a> = dyn FnMut(usize, &[Fact]) -> Result<Vec<Fact>, InferError> + 'a;

/// The frame of one operator's rule.
pub struct InferCx<'a> {
    operands: SmallVec<[Option<Fact>; 4]>,
    results: SmallVec<[Fact; 1]>,
    result_names: SmallVec<[Option<Name>; 1]>,
    equal: Vec<(Dim, Dim)>,
    place: Place,
    regions: Option<&'a mut RegionInference<'a>>,
}

impl<'a> InferCx<'a> {
    /// A frame with facts of the operands (captures excluded) and names of the results.
    pub fn new(operands: SmallVec<[Option<Fact>; 4]>, result_names: SmallVec<[Option<Name>; 1]>) -> Self {
        let results = result_names.iter().map(|_| Fact::default()).collect();
        Self { operands, results, result_names, equal: Vec::new(), place: Place::default(), regions: None }
    }
    /// A frame of an operator that stands there.
    pub fn at(mut self, place: Place) -> Self {
        self.place = place;
        self
    }
    /// A frame that can infer regions.
    pub fn with_regions(mut self, regions: &'a mut RegionInference<'a>) -> Self {
        self.regions = Some(regions);
        self
    }

    // ---- operands ----

    /// The number of operand slots.
    pub fn operand_count(&self) -> usize {
        self.operands.len()
    }
    /// Whether the operand is present.
    pub fn has(&self, slot: usize) -> bool {
        self.operands.get(slot).is_some_and(Option::is_some)
    }
    /// What is known of an operand.
    pub fn fact(&self, slot: usize) -> Option<&Fact> {
        self.operands.get(slot)?.as_ref()
    }
    /// The type of an operand; unknown when absent.
    pub fn ty(&self, slot: usize) -> &ValueType {
        const UNKNOWN: &ValueType = &ValueType::Unknown;
        self.fact(slot).map_or(UNKNOWN, |fact| &fact.ty)
    }
    /// The element type of an operand.
    pub fn dtype(&self, slot: usize) -> Option<DType> {
        self.ty(slot).dtype()
    }
    /// The shape of an operand.
    pub fn shape(&self, slot: usize) -> &Shape {
        self.ty(slot).shape()
    }
    /// The dims of an operand of known rank.
    pub fn dims(&self, slot: usize) -> Option<&[Dim]> {
        self.ty(slot).dims()
    }
    /// The constant that an operand is.
    pub fn tensor(&self, slot: usize) -> Option<&Tensor> {
        self.fact(slot)?.tensor.as_ref()
    }
    /// What is known of the elements of an operand.
    pub fn contents(&self, slot: usize) -> Option<Contents> {
        self.fact(slot)?.known_contents()
    }
    /// Whether [`Self::contents`] may give something; costs nothing.
    pub fn may_know(&self, slot: usize) -> bool {
        self.fact(slot).is_some_and(|fact| {
            fact.contents.is_some() || fact.tensor.as_ref().is_some_and(|tensor| tensor.len() <= Contents::LIMIT as u64)
        })
    }
    /// The elements of an integer operand, if every one is a number. Works for constants of any size.
    pub fn ints(&self, slot: usize) -> Option<Vec<i64>> {
        let fact = self.fact(slot)?;
        match &fact.tensor {
            Some(tensor) => tensor.to_ints(),
            None => fact.contents.as_ref()?.ints(),
        }
    }
    /// The single element of an integer operand.
    pub fn int(&self, slot: usize) -> Option<i64> {
        match self.ints(slot)?.as_slice() {
            [n] => Some(*n),
            _ => None,
        }
    }

    // ---- results ----

    /// The number of result slots.
    pub fn result_count(&self) -> usize {
        self.results.len()
    }
    /// Whether somebody wants the result.
    pub fn wants(&self, slot: usize) -> bool {
        self.result_names.get(slot).is_some_and(Option::is_some)
    }
    /// Sets the type of a result; slots beyond the list are ignored.
    pub fn set(&mut self, slot: usize, ty: ValueType) {
        if let Some(fact) = self.results.get_mut(slot) {
            fact.ty = ty;
        }
    }
    /// Sets a tensor type of a result; unknown when the element type is.
    pub fn set_tensor(&mut self, slot: usize, dtype: Option<DType>, shape: Shape) {
        if let Some(dtype) = dtype {
            self.set(slot, ValueType::tensor(dtype, shape));
        }
    }
    /// Sets what is known of the elements of a result.
    pub fn set_contents(&mut self, slot: usize, items: Vec<Item>) {
        if let Some(fact) = self.results.get_mut(slot) {
            fact.contents = Contents::new(items);
        }
    }
    /// Sets everything known of a result.
    pub fn set_fact(&mut self, slot: usize, new: Fact) {
        if let Some(fact) = self.results.get_mut(slot) {
            *fact = new;
        }
    }
    /// What was set for a result.
    pub fn result(&self, slot: usize) -> Option<&Fact> {
        self.results.get(slot)
    }
    /// A size that depends on data: a symbol of its own for this result and axis.
    pub fn fresh(&self, slot: usize, axis: usize) -> Dim {
        match self.result_names.get(slot) {
            Some(Some(name)) => Dim::symbol(format!("{FRESH}{}{name}.{axis}", self.place.scope)),
            _ => Dim::Unknown,
        }
    }

    /// Gives every dim of a result that no rule can tell a symbol of its own, so that what is computed from its size is
    /// known to agree with it.
    fn name_unknown_dims(&mut self) {
        for slot in 0..self.results.len() {
            let Some(dims) = self.results[slot].ty.dims() else { continue };
            if !dims.iter().any(Dim::is_unknown) {
                continue;
            }
            let named: crate::Dims = dims
                .iter()
                .enumerate()
                .map(|(axis, dim)| if dim.is_unknown() { self.fresh(slot, axis) } else { dim.clone() })
                .collect();
            if let ValueType::Tensor(ty) = &mut self.results[slot].ty {
                ty.shape = Shape::Ranked(named);
            }
        }
    }

    // ---- rules that many operators share ----

    /// The dim that two dims which must be equal have; an error when they cannot be.
    pub fn equal(&mut self, a: &Dim, b: &Dim, what: &str) -> Result<Dim, InferError> {
        match (a.compare(b), a, b) {
            (DimEq::Different, _, _) => Err(InferError::new(format!("{what}: {a} and {b} must be equal"))),
            (DimEq::Equal, ..) => Ok(a.clone()),
            (DimEq::Unknown, Dim::Unknown, other) | (DimEq::Unknown, other, Dim::Unknown) => Ok(other.clone()),
            (DimEq::Unknown, ..) => {
                self.equal.push((a.clone(), b.clone()));
                Ok(if matches!(b, Dim::Known(_)) { b.clone() } else { a.clone() })
            }
        }
    }
    /// The common shape of two shapes under broadcasting (numpy's rule, both ways).
    pub fn broadcast(&mut self, a: &Shape, b: &Shape) -> Result<Shape, InferError> {
        let (Some(x), Some(y)) = (a.dims(), b.dims()) else { return Ok(Shape::Unranked) };
        let rank = x.len().max(y.len());
        let mut dims = crate::Dims::new();
        for axis in 0..rank {
            let at =
                |dims: &[Dim]| (axis + dims.len()).checked_sub(rank).map_or(Dim::Known(1), |index| dims[index].clone());
            let (p, q) = (at(x), at(y));
            dims.push(match (&p, &q) {
                (Dim::Known(1), d) | (d, Dim::Known(1)) => d.clone(),
                (p, q) if p.same(q) => p.clone(),
                (Dim::Known(m), Dim::Known(n)) => {
                    return Err(InferError::new(format!(
                        "shapes {a} and {b} do not broadcast: {m} and {n} on axis {axis}"
                    )));
                }
                // The other is this number or one; either way the result has it.
                (Dim::Known(_), other) | (other, Dim::Known(_)) => {
                    let known = if matches!(p, Dim::Known(_)) { &p } else { &q };
                    if !other.is_unknown() {
                        self.equal.push((known.clone(), other.clone()));
                    }
                    known.clone()
                }
                _ => Dim::Unknown,
            });
        }
        Ok(Shape::Ranked(dims))
    }
    /// An axis made non-negative; an error when it is outside the rank.
    pub fn axis(axis: i64, rank: usize) -> Result<usize, InferError> {
        let bound = rank as i64;
        let at = if axis < 0 { axis + bound } else { axis };
        usize::try_from(at)
            .ok()
            .filter(|at| *at < rank)
            .ok_or_else(|| InferError::new(format!("axis {axis} is outside rank {rank}")))
    }
    /// Axes made non-negative; an error when one is outside the rank or named twice.
    pub fn axes(axes: &[i64], rank: usize) -> Result<SmallVec<[usize; 4]>, InferError> {
        let mut found: SmallVec<[usize; 4]> = SmallVec::with_capacity(axes.len());
        for axis in axes {
            let at = Self::axis(*axis, rank)?;
            if found.contains(&at) {
                return Err(InferError::new(format!("axis {axis} is named twice")));
            }
            found.push(at);
        }
        Ok(found)
    }
    /// The results are those of the region, run on the operands that are present. Without a region nothing is known.
    pub fn results_from_region(&mut self, region: usize) -> Result<(), InferError> {
        if self.regions.is_none() {
            return Ok(());
        }
        let inputs: Vec<Fact> = self.operands.iter().flatten().cloned().collect();
        for (slot, fact) in self.infer_region(region, &inputs)?.into_iter().enumerate() {
            self.set_fact(slot, fact);
        }
        Ok(())
    }
    /// How many regions the operator stands in.
    pub fn depth(&self) -> u32 {
        self.place.depth
    }
    /// Whether the dim names a size that belongs to one run of a region of this operator, and may differ in the next.
    pub fn is_of_region(&self, dim: &Dim) -> bool {
        let Some(scope) = self.place.below(&self.result_names, None) else { return !dim.is_unknown() };
        let mut inside = false;
        dim.visit_symbols(&mut |name| {
            inside |= name.strip_prefix(FRESH).is_some_and(|name| name.starts_with(scope.scope.as_str()));
        });
        inside
    }
    /// Infers a region with facts of its inputs, captures excluded.
    pub fn infer_region(&mut self, region: usize, inputs: &[Fact]) -> Result<Vec<Fact>, InferError> {
        match &mut self.regions {
            Some(infer) => infer(region, inputs),
            None => Err(InferError::new("this operator has no region")),
        }
    }
}

/// Where a graph stands: symbols that inference makes up in it carry its scope, because names of values are unique in
/// their graph only, and every call of a function has a body of its own.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Place {
    /// Empty for the main graph.
    scope: Name,
    /// The number of graphs around it.
    depth: u32,
}

impl Place {
    /// The place of an entry of the model: of all but the first, under its name.
    fn of_entry(index: usize, name: &Name) -> Self {
        let scope = if index == 0 { Name::default() } else { format!("{name}{FRESH}").into() };
        Self { scope, depth: 0 }
    }
    /// The place of a region of an operator with these results; of the operator's regions altogether when none is named.
    fn below(&self, results: &[Option<Name>], region: Option<usize>) -> Option<Self> {
        let owner = results.iter().flatten().next()?;
        let region = region.map(|region| format!("{region}{FRESH}")).unwrap_or_default();
        Some(Self { scope: format!("{}{owner}{FRESH}{region}", self.scope).into(), depth: self.depth + 1 })
    }
}

/// The first character of symbols that inference makes up.
pub const FRESH: char = '?';

/// Whether inference made the symbol up (rather than a file or a user).
pub fn is_fresh_symbol(name: &str) -> bool {
    name.starts_with(FRESH)
}

/// The name of the value, in its own graph, that a made-up symbol was named after.
pub fn named_after(symbol: &str) -> Option<&str> {
    let (scoped, _axis) = symbol.strip_prefix(FRESH)?.rsplit_once('.')?;
    Some(scoped.rsplit(FRESH).next().unwrap_or(scoped))
}

/// Something that inference found odd but not wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InferConflict {
    /// The graph.
    pub graph: GraphId,
    /// The value.
    pub value: ValueId,
    /// What the operator's rule says.
    pub inferred: ValueType,
    /// What the file says.
    pub declared: ValueType,
}

/// An operator that can have no type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} '{name}': {error}")]
pub struct OpInferError {
    /// The graph.
    pub graph: GraphId,
    /// The operator.
    pub op: OpId,
    /// Its kind.
    pub kind: String,
    /// Its name, or that of its first result.
    pub name: Name,
    /// What is wrong.
    pub error: InferError,
}

/// What a walk over a model found.
#[derive(Clone, Debug, Default)]
pub struct InferReport {
    /// Declared types that the rules contradict; the rules won.
    pub conflicts: Vec<InferConflict>,
    /// Operators that can have no type.
    pub errors: Vec<OpInferError>,
}

impl Model {
    /// Infers every graph of the model from its inputs and constants. Errors do not stop the walk: the results of an
    /// operator without a type stay as they were.
    pub fn infer(&mut self) -> InferReport {
        let mut report = InferReport::default();
        let entries: Vec<(GraphId, Place)> =
            self.entries.iter().enumerate().map(|(index, (name, id))| (*id, Place::of_entry(index, name))).collect();
        for (graph, place) in entries {
            self.graph_mut(graph).set_place(place);
            self.infer_graph(graph, &mut report);
        }
        report
    }

    /// Forgets every type but those of inputs and constants (and of results of unknown operators, which only the file
    /// can know), then infers.
    pub fn infer_afresh(&mut self) -> InferReport {
        for id in self.live_graphs() {
            let is_entry = self.entries.values().any(|entry| *entry == id);
            if !is_entry {
                for input in self.graph(id).inputs().to_vec() {
                    self.forget_type(id, input);
                }
            }
            self.forget_results(id);
        }
        self.infer()
    }

    /// Forgets the types of everything that a rule can infer.
    fn forget_results(&mut self, id: GraphId) {
        let graph = self.graph(id);
        let opaque = |op: &OpData| match op.op() {
            Op::Custom(_) => true,
            Op::Call(_) => op.regions().is_empty(),
            _ => false,
        };
        let inferable = graph.ops().filter(|(_, data)| !opaque(data));
        let stale: Vec<ValueId> = inferable.flat_map(|(_, data)| data.results().iter().flatten().copied()).collect();
        for value in stale {
            self.forget_type(id, value);
        }
    }

    /// Back to what the file declares.
    fn forget_type(&mut self, id: GraphId, value: ValueId) {
        let graph = self.graph_mut(id);
        let declared = graph.value(value).extra().and_then(|extra| extra.declared.clone());
        graph.set_contents(value, None);
        graph.set_type(value, declared.unwrap_or_default());
    }

    fn infer_graph(&mut self, graph: GraphId, report: &mut InferReport) {
        let Ok(order) = self.graph(graph).topological() else { return };
        for op in order {
            if let Err(error) = self.infer_op_into(graph, op, report) {
                let data = self.graph(graph).op(op);
                let error =
                    OpInferError { graph, op, kind: data.op().name().into(), name: self.op_label(graph, op), error };
                report.errors.push(error);
            }
        }
    }

    /// The name of an operator, or of its first result when it has none.
    pub fn op_label(&self, graph: GraphId, op: OpId) -> Name {
        let graph = self.graph(graph);
        let data = graph.op(op);
        if !data.name().is_empty() {
            return data.name().clone();
        }
        data.results().iter().flatten().next().map(|value| graph.value(*value).name().clone()).unwrap_or_default()
    }

    /// What is known of a value, as operators read it: a sparse constant is a tensor like any other.
    pub fn fact(&self, graph: GraphId, value: ValueId) -> Fact {
        let row = self.graph(graph).value(value);
        let tensor = match row.def() {
            Def::Constant(tensor) => Some(self.tensor(tensor).clone()),
            _ => None,
        };
        let ty = match (row.ty(), &tensor) {
            (ValueType::SparseTensor(ty), Some(_)) => ValueType::Tensor(ty.clone()),
            (ty, _) => ty.clone(),
        };
        Fact { ty, contents: row.contents().cloned(), tensor }
    }

    /// Infers the results of one operator (and its regions). Returns the results whose facts changed.
    pub fn infer_op(&mut self, graph: GraphId, op: OpId) -> Result<Vec<ValueId>, InferError> {
        self.infer_op_into(graph, op, &mut InferReport::default())
    }

    fn infer_op_into(
        &mut self,
        graph: GraphId,
        op: OpId,
        report: &mut InferReport,
    ) -> Result<Vec<ValueId>, InferError> {
        let data = self.graph(graph).op(op);
        let (kind, regions) = (data.op().clone(), data.regions().to_vec());
        let operands = data.formals().iter().map(|v| v.map(|v| self.fact(graph, v))).collect();
        let names: SmallVec<[Option<Name>; 1]> =
            data.results().iter().map(|v| v.map(|v| self.graph(graph).value(v).name().clone())).collect();
        let place = self.graph(graph).place().clone();
        if regions.is_empty() {
            let mut cx = InferCx::new(operands, names).at(place);
            kind.infer(&mut cx)?;
            cx.name_unknown_dims();
            let InferCx { results, equal, .. } = cx;
            self.note_equal(equal);
            return Ok(self.store(graph, op, results, report));
        }
        let captures: Vec<Fact> =
            data.captures().iter().map(|v| v.map(|v| self.fact(graph, v)).unwrap_or_default()).collect();
        let places: Vec<Place> =
            (0..regions.len()).map(|region| place.below(&names, Some(region)).unwrap_or_default()).collect();
        // What a region's last inference found; earlier ones assumed types that did not hold.
        let mut conflicts: Vec<Vec<InferConflict>> = vec![Vec::new(); regions.len()];
        let mut infer_region = |region: usize, inputs: &[Fact]| -> Result<Vec<Fact>, InferError> {
            let id = *regions.get(region).ok_or_else(|| InferError::new("the region is missing"))?;
            self.graph_mut(id).set_place(places[region].clone());
            self.forget_results(id);
            let formals: Vec<ValueId> = self.graph(id).inputs().to_vec();
            for (at, (value, fact)) in formals.iter().zip(inputs.iter().chain(&captures)).enumerate() {
                let declared = self.graph(id).value(*value).extra().and_then(|extra| extra.declared.clone());
                let ty = match declared {
                    Some(declared) if matches!(kind, Op::Loop(_)) && at < Loop::HEAD => {
                        as_declared(&fact.ty, &declared)
                    }
                    Some(declared) => merge(&fact.ty, &declared).0,
                    None => fact.ty.clone(),
                };
                self.graph_mut(id).set_type(*value, ty);
                self.graph_mut(id).set_contents(*value, fact.known_contents());
            }
            let mut inner = InferReport::default();
            self.infer_graph(id, &mut inner);
            conflicts[region] = inner.conflicts;
            match inner.errors.first() {
                Some(error) => Err(InferError::new(format!("in its body: {error}"))),
                None => Ok(self.graph(id).outputs().iter().map(|v| self.fact(id, *v)).collect()),
            }
        };
        let mut cx = InferCx::new(operands, names).at(place).with_regions(&mut infer_region);
        let outcome = kind.infer(&mut cx);
        cx.name_unknown_dims();
        let InferCx { results, equal, .. } = cx;
        report.conflicts.extend(conflicts.into_iter().flatten());
        outcome?;
        self.note_equal(equal);
        Ok(self.store(graph, op, results, report))
    }

    fn note_equal(&mut self, pairs: Vec<(Dim, Dim)>) {
        // Facts for reports and checks; bounded so that a long chain of the same fact costs nothing.
        for pair in pairs {
            if self.symbols.equal.len() < 256 && !self.symbols.equal.contains(&pair) {
                self.symbols.equal.push(pair);
            }
        }
    }

    fn store(
        &mut self,
        graph: GraphId,
        op: OpId,
        facts: SmallVec<[Fact; 1]>,
        report: &mut InferReport,
    ) -> Vec<ValueId> {
        let mut changed = Vec::new();
        let results: SmallVec<[Option<ValueId>; 1]> = self.graph(graph).op(op).results().into();
        for (value, fact) in results.into_iter().zip(facts) {
            let Some(value) = value else { continue };
            let row = self.graph(graph).value(value);
            let (ty, conflict) = merge(&fact.ty, row.ty());
            if conflict {
                let declared = row.ty().clone();
                report.conflicts.push(InferConflict { graph, value, inferred: fact.ty.clone(), declared });
            }
            let contents = fact.known_contents();
            if ty != *row.ty() || contents.as_ref() != row.contents() {
                let graph = self.graph_mut(graph);
                graph.set_type(value, ty);
                graph.set_contents(value, contents);
                changed.push(value);
            }
        }
        changed
    }

    /// Multiply-accumulates of one operator, regions excluded.
    pub fn op_macs(&self, graph: GraphId, op: OpId) -> Dim {
        let g = self.graph(graph);
        let data = g.op(op);
        let operands = data.formals().iter().map(|v| v.map(|v| self.fact(graph, v))).collect();
        let names = data.results().iter().map(|v| v.map(|v| g.value(v).name().clone())).collect();
        let mut cx = InferCx::new(operands, names);
        for (slot, value) in data.results().iter().enumerate() {
            if let Some(value) = value {
                cx.set_fact(slot, self.fact(graph, *value));
            }
        }
        data.op().macs(&cx)
    }
}

/// Facts of the results of an operator without regions that stands in no graph yet.
pub fn infer_results(
    op: &Op,
    operands: SmallVec<[Option<Fact>; 4]>,
    result_names: SmallVec<[Option<Name>; 1]>,
) -> Result<SmallVec<[Fact; 1]>, InferError> {
    let mut cx = InferCx::new(operands, result_names);
    op.infer(&mut cx)?;
    Ok(cx.results)
}

/// Multiply-accumulates of an operator that stands in no graph, from facts of its operands and results.
pub fn macs_of(op: &Op, operands: SmallVec<[Option<Fact>; 4]>, results: SmallVec<[Fact; 1]>) -> Dim {
    let mut cx = InferCx::new(operands, results.iter().map(|_| None).collect());
    cx.results = results;
    op.macs(&cx)
}

/// What a Loop makes itself has one element. Engines hand it over in the shape that the body declares: as a scalar or as a list of
/// one.
fn as_declared(inferred: &ValueType, declared: &ValueType) -> ValueType {
    match (inferred, declared) {
        (ValueType::Tensor(made), ValueType::Tensor(taken)) if taken.shape.rank() == Some(1) => {
            ValueType::tensor(made.dtype, Shape::of([Dim::Known(1)]))
        }
        _ => merge(inferred, declared).0,
    }
}

/// The inferred type, with gaps filled from what was known before; and whether the two contradict each other.
fn merge(inferred: &ValueType, known: &ValueType) -> (ValueType, bool) {
    match (inferred, known) {
        (ValueType::Unknown, known) => (known.clone(), false),
        (inferred, ValueType::Unknown) => (inferred.clone(), false),
        (ValueType::Tensor(a), ValueType::Tensor(b)) => {
            let (shape, conflict) = merge_shapes(&a.shape, &b.shape);
            (ValueType::tensor(a.dtype, shape), conflict || a.dtype != b.dtype)
        }
        (ValueType::Sequence(a), ValueType::Sequence(b)) => {
            let (inner, conflict) = merge(a, b);
            (ValueType::Sequence(Box::new(inner)), conflict)
        }
        (ValueType::Optional(a), ValueType::Optional(b)) => {
            let (inner, conflict) = merge(a, b);
            (ValueType::Optional(Box::new(inner)), conflict)
        }
        (a, b) => (a.clone(), a != b),
    }
}

fn merge_shapes(inferred: &Shape, known: &Shape) -> (Shape, bool) {
    let (Shape::Ranked(a), Shape::Ranked(b)) = (inferred, known) else {
        return (if inferred.rank().is_some() { inferred.clone() } else { known.clone() }, false);
    };
    if a.len() != b.len() {
        return (inferred.clone(), true);
    }
    let mut conflict = false;
    let dims = a.iter().zip(b).map(|(inferred, known)| {
        conflict |= inferred.compare(known) == DimEq::Different;
        let made_up = inferred.as_symbol().is_some_and(|name| is_fresh_symbol(name));
        if (inferred.is_unknown() || made_up) && !known.is_unknown() { known.clone() } else { inferred.clone() }
    });
    (Shape::Ranked(dims.collect()), conflict)
}
