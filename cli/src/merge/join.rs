//! What of the first model feeds what of the second, and putting the second's operators behind the first's.

use edgesmith_ir::id::EntityId;
use edgesmith_ir::infer::is_fresh_symbol;
use edgesmith_ir::op::Identity;
use edgesmith_ir::{Def, Dim, DimEq, Graph, GraphId, Model, Name, NewOp, Op, Origin, TensorId, ValueId, ValueType};
use indexmap::IndexMap;
use rustc_hash::FxHashMap;

use super::names::Names;
use super::{MergeError, MergeOptions};

/// Where an input of the second model comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Source {
    /// A value of the first model.
    Value(ValueId),
    /// The caller, as before.
    Own,
}

/// What is joined.
pub(super) struct Plan {
    /// For every input of the second model.
    pub(super) inputs: Vec<Source>,
    /// Positions of the outputs of the first model that stay outputs.
    pub(super) kept: Vec<usize>,
}

impl Plan {
    pub(super) fn of(a: &Model, b: &Model, options: &MergeOptions) -> Result<Self, MergeError> {
        let ga = a.main_graph().ok_or(MergeError::NoGraph { which: "first" })?;
        let gb = b.main_graph().ok_or(MergeError::NoGraph { which: "second" })?;
        let names = |graph: &Graph, values: &[ValueId]| -> String {
            let list: Vec<String> = values.iter().map(|value| format!("'{}'", graph.value(*value).name())).collect();
            if list.is_empty() { "nothing".to_owned() } else { list.join(", ") }
        };
        let unknown = |which, what, name: &Name, graph: &Graph, values: &[ValueId]| MergeError::Unknown {
            which,
            what,
            name: name.clone(),
            known: format!("its {what}s are {}", names(graph, values)),
        };
        let values_a: FxHashMap<&Name, ValueId> = ga.values().map(|(id, row)| (row.name(), id)).collect();
        let mut inputs: Vec<Option<Source>> = vec![None; gb.inputs().len()];
        for (from, to) in &options.connect {
            let Some(value) = values_a.get(from) else {
                return Err(unknown("first", "output", from, ga, ga.outputs()));
            };
            let Some(index) = gb.inputs().iter().position(|input| gb.value(*input).name() == to) else {
                return Err(unknown("second", "input", to, gb, gb.inputs()));
            };
            if inputs[index].replace(Source::Value(*value)).is_some() {
                return Err(MergeError::Twice { name: to.clone() });
            }
        }
        for (index, input) in gb.inputs().iter().enumerate() {
            let row = gb.value(*input);
            let found = values_a.get(row.name()).copied();
            let open = matches!(row.def(), Def::Input { default: None });
            let source = found.filter(|value| {
                let other = ga.value(*value);
                // Old files list their weights among the inputs, as defaults: the same weight is one.
                let same = match (other.def(), row.def()) {
                    (Def::Input { default: Some(x) }, Def::Input { default: Some(y) }) => {
                        a.tensor(x).same_content(b.tensor(y))
                    }
                    _ => open && matches!(other.def(), Def::Input { default: None }),
                };
                other.is_output() || same
            });
            inputs[index].get_or_insert(source.map_or(Source::Own, Source::Value));
        }
        let inputs: Vec<Source> = inputs.into_iter().map(|source| source.unwrap_or(Source::Own)).collect();
        if inputs.iter().all(|source| *source == Source::Own) {
            let (outputs, inputs) = (names(ga, ga.outputs()), names(gb, gb.inputs()));
            return Err(MergeError::Apart { outputs, inputs });
        }
        for name in &options.keep {
            if !ga.outputs().iter().any(|output| ga.value(*output).name() == name) {
                return Err(unknown("first", "output", name, ga, ga.outputs()));
            }
        }
        let stays = |index: &usize| {
            let value = ga.outputs()[*index];
            !inputs.contains(&Source::Value(value)) || options.keep.contains(ga.value(value).name())
        };
        let kept = (0..ga.outputs().len()).filter(stays).collect();
        Ok(Self { inputs, kept })
    }

    /// Pairs of a value of the first model and the input that it feeds.
    fn pairs<'a>(&'a self, b: &'a Graph) -> impl Iterator<Item = (ValueId, ValueId)> + 'a {
        self.inputs.iter().zip(b.inputs()).filter_map(|(source, input)| match source {
            Source::Value(value) => Some((*value, *input)),
            Source::Own => None,
        })
    }

    /// What was joined, and which inputs both take, in names.
    pub(super) fn told(&self, a: &Model, b: &Model) -> (Vec<(Name, Name)>, Vec<Name>) {
        let (Some(ga), Some(gb)) = (a.main_graph(), b.main_graph()) else { return Default::default() };
        let (mut joined, mut shared) = (Vec::new(), Vec::new());
        for (from, to) in self.pairs(gb) {
            let (row_a, row_b) = (ga.value(from), gb.value(to));
            if matches!(row_a.def(), Def::Input { .. }) && row_a.name() == row_b.name() {
                if matches!(row_a.def(), Def::Input { default: None }) {
                    shared.push(row_a.name().clone());
                }
            } else {
                joined.push((row_a.name().clone(), row_b.name().clone()));
            }
        }
        (joined, shared)
    }
}

/// Makes the dims of joined values the same, by giving symbols of the second model (else of the first) what the other
/// side has there.
pub(super) fn bind_dims(
    a: &mut Model,
    b: &mut Model,
    plan: &Plan,
    remarks: &mut Vec<String>,
) -> Result<(), MergeError> {
    let (Some(ga), Some(gb)) = (a.main_graph(), b.main_graph()) else { return Ok(()) };
    let (mut of_a, mut of_b): (IndexMap<Name, Dim>, IndexMap<Name, Dim>) = Default::default();
    for (from, to) in plan.pairs(gb) {
        let (given, taken) = (ga.value(from).ty(), gb.value(to).ty());
        let types = || MergeError::Types {
            from: ga.value(from).name().clone(),
            to: gb.value(to).name().clone(),
            given: Box::new(given.clone()),
            taken: Box::new(taken.clone()),
        };
        let (Some(x), Some(y)) = (given.as_tensor(), taken.as_tensor()) else {
            let contradict = *given != ValueType::Unknown && *taken != ValueType::Unknown && !given.refines(taken);
            if contradict && !taken.refines(given) {
                return Err(types());
            }
            continue;
        };
        if x.dtype != y.dtype {
            return Err(types());
        }
        let (Some(x), Some(y)) = (x.shape.dims(), y.shape.dims()) else { continue };
        if x.len() != y.len() {
            return Err(types());
        }
        for (x, y) in x.iter().zip(y) {
            let bound_x = x.substitute(&|name| of_a.get(name).cloned());
            let bound_y = y.substitute(&|name| of_b.get(name).cloned());
            let bound_y = bound_y.substitute(&|name| of_a.get(name).cloned());
            match (x.as_symbol(), y.as_symbol()) {
                (_, Some(symbol)) if !bound_x.is_unknown() && !of_b.contains_key(symbol) => {
                    of_b.insert(symbol.clone(), bound_x);
                }
                (Some(symbol), _) if bound_y.known().is_some() && !of_a.contains_key(symbol) => {
                    // What inference made up for a size that it could not work out is not what the model promised.
                    if !is_fresh_symbol(symbol) {
                        remarks.push(format!(
                            "dim '{symbol}' of the first model is {bound_y}, because the second takes no other"
                        ));
                    }
                    of_a.insert(symbol.clone(), bound_y);
                }
                _ if bound_x.compare(&bound_y) == DimEq::Different => return Err(types()),
                _ => {}
            }
        }
    }
    // What a symbol of the second stands for may hold a symbol of the first that has a number by now.
    of_b.values_mut().for_each(|dim| *dim = dim.substitute(&|name| of_a.get(name).cloned()));
    a.bind_symbols(&|name| of_a.get(name).cloned());
    b.bind_symbols(&|name| of_b.get(name).cloned());
    Ok(())
}

/// Puts the operators of the second model behind those of the first, into its main graph.
pub(super) fn join(a: &mut Model, b: Model, plan: &Plan, names: &Names) -> Result<(), MergeError> {
    let (Some(main), Some(_)) = (a.main(), b.main()) else { return Err(MergeError::NoGraph { which: "second" }) };
    let rest = a.adopt(b);
    let Some(second) = rest.main() else { return Err(MergeError::NoGraph { which: "second" }) };
    merge_tables(a, &rest);
    let old = a.graph(second).clone();
    share_in_regions(a, main, second, names);
    let graph = a.graph_mut(main);
    if !old.name.is_empty() && old.name != graph.name {
        graph.name = Name::from(format!("{}_{}", graph.name, old.name).trim_matches('_'));
    }
    for (key, value) in &old.metadata {
        if !graph.metadata.iter().any(|(held, _)| held == key) {
            graph.metadata.push((key.clone(), value.clone()));
        }
    }
    for index in (0..graph.outputs().len()).rev().filter(|index| !plan.kept.contains(index)).collect::<Vec<_>>() {
        graph.remove_output(index);
    }
    let mut values: Vec<Option<ValueId>> = vec![None; old.value_rows()];
    for (source, input) in plan.inputs.iter().zip(old.inputs()) {
        let row = old.value(*input);
        values[input.index()] = Some(match (source, row.def()) {
            (Source::Value(value), _) => *value,
            (Source::Own, Def::Input { default }) => {
                let value = graph.add_input(row.name().clone(), row.ty().clone(), default);
                copy_notes(graph, value, &old, *input);
                value
            }
            (Source::Own, _) => continue,
        });
    }
    for (id, row) in old.values() {
        let Def::Constant(tensor) = row.def() else { continue };
        values[id.index()] = Some(match names.same.get(&id) {
            Some(same) => *same,
            None => {
                let value = graph.add_constant(row.name().clone(), row.ty().clone(), tensor);
                copy_notes(graph, value, &old, id);
                value
            }
        });
    }
    for op in old.topological().map_err(|error| MergeError::Broken(error.to_string()))? {
        let data = old.op(op);
        let new = graph.add_op(NewOp {
            op: data.op().clone(),
            operands: data.operands().iter().map(|value| value.and_then(|value| values[value.index()])).collect(),
            captures: data.captures().len(),
            regions: data.regions().iter().copied().collect(),
            results: data.results().iter().map(|value| value.map(|value| old.value(value).name().clone())).collect(),
            name: data.name().clone(),
            origin: data.origin(),
        });
        if let Some(extra) = data.extra() {
            *graph.op_extra_mut(new) = extra.clone();
        }
        for (slot, value) in data.results().iter().enumerate() {
            if let (Some(value), Some(copy)) = (value, graph.op(new).result(slot)) {
                graph.set_type(copy, old.value(*value).ty().clone());
                copy_notes(graph, copy, &old, *value);
                values[value.index()] = Some(copy);
            }
        }
    }
    outputs(a, main, &old, &values);
    Ok(())
}

/// The outputs of the second model. One that it only passes through keeps its name by a copy.
fn outputs(a: &mut Model, main: GraphId, old: &Graph, values: &[Option<ValueId>]) {
    for output in old.outputs() {
        let Some(value) = values[output.index()] else { continue };
        let name = old.value(*output).name().clone();
        let held = a.graph(main).value(value);
        let own = matches!(old.value(*output).def(), Def::Result { .. });
        if own || *held.name() == name {
            // What both give under one name is one output.
            if own || !held.is_output() {
                a.graph_mut(main).add_output(value);
            }
            continue;
        }
        let made = a.add_origin(Origin::Source { node: name.clone(), operator: "Identity".into(), scope: None });
        let graph = a.graph_mut(main);
        let copy = graph.add_op(NewOp {
            op: Op::Identity(Identity {}),
            operands: [Some(value)].into_iter().collect(),
            captures: 0,
            regions: Vec::new().into(),
            results: [Some(name)].into_iter().collect(),
            name: Name::default(),
            origin: made,
        });
        if let Some(copy) = graph.op(copy).result(0) {
            graph.add_output(copy);
        }
    }
}

fn copy_notes(graph: &mut Graph, to: ValueId, old: &Graph, from: ValueId) {
    if let Some(extra) = old.value(from).extra() {
        *graph.value_extra_mut(to) = extra.clone();
    }
}

/// Functions, assumptions about symbols.
fn merge_tables(a: &mut Model, rest: &Model) {
    for (key, function) in &rest.functions {
        if !a.functions.contains_key(key) {
            a.functions.insert(key.clone(), function.clone());
        }
    }
    let new: Vec<_> = rest.symbols.iter().map(|(name, facts)| (name.clone(), *facts)).collect();
    for (name, facts) in new {
        if !a.symbols.iter().any(|(held, _)| *held == name) {
            a.symbols.assume(name, facts);
        }
    }
    a.symbols.equal.extend(rest.symbols.equal.iter().cloned());
}

/// Inner graphs of the second model read the first model's tensor too where both have it.
fn share_in_regions(a: &mut Model, main: GraphId, second: GraphId, names: &Names) {
    let mut table: FxHashMap<TensorId, TensorId> = FxHashMap::default();
    for (id, _) in a.graph(second).values() {
        if let (Some(tensor), Some(same)) = (a.graph(second).constant(id), names.same.get(&id))
            && let Some(theirs) = a.graph(main).constant(*same)
        {
            table.insert(tensor, theirs);
        }
    }
    let mut waiting: Vec<GraphId> = a.graph(second).ops().flat_map(|(_, data)| data.regions().to_vec()).collect();
    while let Some(id) = waiting.pop() {
        waiting.extend(a.graph(id).ops().flat_map(|(_, data)| data.regions().to_vec()));
        let held: Vec<(ValueId, TensorId)> = a
            .graph(id)
            .values()
            .filter_map(|(value, _)| Some((value, *table.get(&a.graph(id).constant(value)?)?)))
            .collect();
        let graph = a.graph_mut(id);
        let pristine = graph.is_pristine();
        held.into_iter().for_each(|(value, tensor)| graph.redefine_constant(value, tensor));
        if pristine {
            graph.mark_pristine();
        }
    }
}
