//! A part of a model, cut out at named values.
//!
//! The part computes what the model computes between the values given to it and those asked of it. Constants, functions, opsets
//! and notes travel along; the types of the values at the cut become the part's interface.

use edgesmith_ir::id::EntityId;
use edgesmith_ir::op::{Arity, FunctionKey};
use edgesmith_ir::{Def, Dim, Graph, Model, Name, Op, OpId, ValueId, ValueType};
use indexmap::IndexSet;
use rustc_hash::{FxHashMap, FxHashSet};

/// A part of a model.
#[derive(Clone, Debug)]
pub struct Extracted {
    /// The part.
    pub model: Model,
    /// What its user should know: inputs that are not needed, what could not travel.
    pub remarks: Vec<String>,
}

/// Why a part cannot be cut out.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExtractError {
    /// There is no main graph.
    #[error("the model has no graph")]
    NoGraph,
    /// No value has that name.
    #[error("the model has no value '{name}'{}", .nearest.as_ref().map(|help| format!("; {help}")).unwrap_or_default())]
    Unknown {
        /// The name.
        name: Name,
        /// A name that comes close.
        nearest: Option<String>,
    },
    /// The value stands in a branch, a loop or a function.
    #[error("'{name}' is a value of an inner graph; a cut goes through values of the main graph only")]
    Inner {
        /// The name.
        name: Name,
    },
    /// A constant is to become an input.
    #[error("'{name}' is a constant and cannot be an input; constants travel with the part")]
    Constant {
        /// The name.
        name: Name,
    },
    /// A value is listed twice on one side.
    #[error("'{name}' is listed twice among the {side}s")]
    Twice {
        /// `input` or `output`.
        side: &'static str,
        /// The name.
        name: Name,
    },
    /// What is asked for depends on more than what is given.
    #[error("the outputs also need {}", .needed.iter().map(|(name, ty)| format!("'{name}' ({ty})")).collect::<Vec<_>>().join(", "))]
    Missing {
        /// Inputs of the model that are not listed, in its order.
        needed: Vec<(Name, ValueType)>,
    },
    /// An input must have a type, and this value has none.
    #[error("the type of '{name}' is not known, and an input must have one")]
    Untyped {
        /// The name.
        name: Name,
    },
    /// A fault of edgesmith.
    #[error("the part is broken, a fault of edgesmith: {0}")]
    Broken(String),
}

/// Cuts out what computes `outputs` from `inputs`. Without inputs it starts at those of the model that it needs; without
/// outputs it ends at all of the model's.
pub fn extract(model: &Model, inputs: &[Name], outputs: &[Name]) -> Result<Extracted, ExtractError> {
    let mut model = model.clone();
    let main = model.main().ok_or(ExtractError::NoGraph)?;
    let given = resolve(&model, "input", inputs)?;
    let wanted =
        if outputs.is_empty() { model.graph(main).outputs().to_vec() } else { resolve(&model, "output", outputs)? };
    let graph = model.graph(main);
    if let Some(constant) = given.iter().find(|value| graph.constant(**value).is_some()) {
        return Err(ExtractError::Constant { name: graph.value(*constant).name().clone() });
    }
    let reached = Reached::from(graph, &wanted, &given);
    let mut ports = given;
    let (mut needed, mut missing) = (Vec::new(), Vec::new());
    for input in graph.inputs().iter().filter(|input| reached.values[input.index()] && !ports.contains(input)) {
        let row = graph.value(*input);
        if inputs.is_empty() || matches!(row.def(), Def::Input { default: Some(_) }) {
            needed.push(*input);
        } else {
            missing.push((row.name().clone(), row.ty().clone()));
        }
    }
    if !missing.is_empty() {
        return Err(ExtractError::Missing { needed: missing });
    }
    let mut remarks: Vec<String> = ports
        .iter()
        .filter(|value| !reached.values[value.index()])
        .map(|value| {
            format!("input '{}' is not needed for these outputs; it stays in the interface", graph.value(*value).name())
        })
        .collect();
    ports.extend(needed);
    let unranked =
        ports.iter().filter(|value| graph.value(**value).ty().as_tensor().is_some_and(|ty| ty.shape.rank().is_none()));
    remarks.extend(unranked.map(|value| {
        format!("the rank of '{}' is not known, so the part's interface leaves it open", graph.value(*value).name())
    }));
    let pinned = count_pinned(graph);
    cut(model.graph_mut(main), &ports, &wanted, &reached)?;
    if count_pinned(model.graph(main)) < pinned && !model.metadata.opaque.is_empty() {
        model.metadata.opaque = bytes::Bytes::new();
        remarks.push("training information names values that the part lacks, so it was left out".to_owned());
    }
    drop_functions(&mut model);
    let broken = |error: &dyn std::fmt::Display| ExtractError::Broken(error.to_string());
    model.compact().map_err(|error| broken(&error))?;
    model.infer_afresh();
    model.verify().map_err(|errors| errors.first().map_or_else(|| broken(&""), |error| broken(error)))?;
    Ok(Extracted { model, remarks })
}

/// The values of these names in the main graph.
fn resolve(model: &Model, side: &'static str, names: &[Name]) -> Result<Vec<ValueId>, ExtractError> {
    let graph = model.main_graph().ok_or(ExtractError::NoGraph)?;
    let known: FxHashMap<&Name, ValueId> = graph.values().map(|(id, row)| (row.name(), id)).collect();
    let mut found = IndexSet::new();
    for name in names {
        let Some(value) = known.get(name) else {
            let inner = model.live_graphs().iter().any(|id| model.graph(*id).value_by_name(name).is_some());
            let name = name.clone();
            if inner {
                return Err(ExtractError::Inner { name });
            }
            let nearest = edgesmith_pass::nearest(&name, graph.values().map(|(_, row)| row.name().as_str()));
            return Err(ExtractError::Unknown { name, nearest });
        };
        if !found.insert(*value) {
            return Err(ExtractError::Twice { side, name: name.clone() });
        }
    }
    Ok(found.into_iter().collect())
}

/// What the outputs depend on, as far as the inputs do not cut it off.
struct Reached {
    values: Vec<bool>,
    ops: Vec<bool>,
}

impl Reached {
    fn from(graph: &Graph, wanted: &[ValueId], given: &[ValueId]) -> Self {
        let mut reached = Self { values: vec![false; graph.value_rows()], ops: vec![false; graph.op_rows()] };
        let mut ends = vec![false; graph.value_rows()];
        given.iter().for_each(|value| ends[value.index()] = true);
        let mut waiting: Vec<ValueId> = wanted.to_vec();
        while let Some(value) = waiting.pop() {
            if std::mem::replace(&mut reached.values[value.index()], true) || ends[value.index()] {
                continue;
            }
            let Some(op) = graph.producer(value) else { continue };
            if !std::mem::replace(&mut reached.ops[op.index()], true) {
                waiting.extend(graph.op(op).operands().iter().flatten());
            }
        }
        reached
    }
}

fn count_pinned(graph: &Graph) -> usize {
    graph.values().filter(|(_, row)| row.is_pinned()).count()
}

/// Makes the values inputs, in this order, and the only ones; likewise the outputs; erases what is left over.
fn cut(graph: &mut Graph, ports: &[ValueId], wanted: &[ValueId], reached: &Reached) -> Result<(), ExtractError> {
    let mut names: FxHashSet<Name> = graph.values().map(|(_, row)| row.name().clone()).collect();
    for index in (0..graph.outputs().len()).rev() {
        graph.remove_output(index);
    }
    let mut outputs = wanted.to_vec();
    for old in ports {
        let row = graph.value(*old);
        let (name, extra) = (row.name().clone(), row.extra().cloned());
        let declared = extra.as_ref().and_then(|extra| extra.declared.clone());
        let ty = match (row.ty(), declared) {
            (ValueType::Unknown, Some(declared)) => declared,
            (ty, _) => ty.clone(),
        };
        if ty == ValueType::Unknown {
            return Err(ExtractError::Untyped { name });
        }
        let default = match row.def() {
            Def::Input { default } => default,
            _ => None,
        };
        let fresh = fresh_name(&name, &mut names);
        graph.set_value_name(*old, fresh);
        let new = graph.add_input(name.clone(), open_dims(&name, &ty), default);
        if let Some(extra) = extra {
            *graph.value_extra_mut(new) = extra;
        }
        graph.replace_uses(*old, new);
        outputs.iter_mut().filter(|value| *value == old).for_each(|value| *value = new);
    }
    for value in &outputs {
        let row = graph.value(*value);
        // A declared type of a constant would say that it stands among the inputs.
        let open = row.extra().is_none_or(|extra| extra.declared.is_none()) && *row.ty() != ValueType::Unknown;
        if open && !matches!(row.def(), Def::Constant(_)) {
            let ty = row.ty().clone();
            graph.value_extra_mut(*value).declared = Some(ty);
        }
        graph.add_output(*value);
    }
    let mut given = vec![false; graph.value_rows()];
    ports.iter().for_each(|value| given[value.index()] = true);
    let order = graph.topological().map_err(|error| ExtractError::Broken(error.to_string()))?;
    for op in order.into_iter().rev() {
        if reached.ops[op.index()] {
            drop_unread(graph, op, &given);
        } else {
            graph.erase_op(op);
        }
    }
    for index in (0..graph.inputs().len() - ports.len()).rev() {
        graph.remove_input(index);
    }
    // What annotations of the values that are left name stays.
    let named: IndexSet<Name> = graph
        .values()
        .filter_map(|(_, row)| row.extra())
        .flat_map(|extra| extra.quantization.iter().map(|(_, name)| name.clone()))
        .collect();
    let unread = graph.values().filter(|(_, row)| matches!(row.def(), Def::Constant(_)) && row.uses().is_empty());
    let unread: Vec<ValueId> = unread.filter(|(_, row)| !named.contains(row.name())).map(|(id, _)| id).collect();
    unread.into_iter().for_each(|value| graph.erase_constant(value));
    Ok(())
}

/// A result that became an input and that its operator, needed for another one, may do without.
fn drop_unread(graph: &mut Graph, op: OpId, given: &[bool]) {
    let signature = graph.op(op).op().kind().signature().results;
    for (slot, formal) in signature.iter().enumerate() {
        let Some(value) = graph.op(op).result(slot).filter(|value| given[value.index()]) else { continue };
        if formal.arity == Arity::Maybe && graph.value(value).uses().is_empty() {
            graph.drop_result(op, slot);
        }
    }
}

/// Dims that nobody knows get symbols of their own, as a frontend does for inputs.
fn open_dims(name: &Name, ty: &ValueType) -> ValueType {
    let mut axis = 0;
    ty.map_dims(&mut |dim| {
        let own = if dim.is_unknown() { Dim::symbol(format!("?{name}.{axis}")) } else { dim.clone() };
        axis += 1;
        own
    })
}

/// A name that nothing has yet: the name with a number.
pub(crate) fn fresh_name(name: &str, taken: &mut FxHashSet<Name>) -> Name {
    let mut number = 1_u64;
    loop {
        let fresh = Name::from(format!("{name}_{number}"));
        if taken.insert(fresh.clone()) {
            return fresh;
        }
        number += 1;
    }
}

/// Drops the functions that nothing calls any more.
fn drop_functions(model: &mut Model) {
    let mut called: IndexSet<FunctionKey> = IndexSet::new();
    let mut graphs = model.live_graphs();
    let mut listed = vec![false; model.graphs().count()];
    graphs.iter().for_each(|id| listed[id.index()] = true);
    let mut at = 0;
    while at < graphs.len() {
        for (_, data) in model.graph(graphs[at]).ops() {
            let mut next = data.regions().to_vec();
            let key = match data.op() {
                Op::Call(call) => Some(call.function.clone()),
                Op::Custom(op) => Some(FunctionKey {
                    domain: op.domain.clone(),
                    name: op.name.clone(),
                    overload: op.overload.clone(),
                }),
                _ => None,
            };
            if let Some(key) = key
                && let Some(function) = model.functions.get(&key)
            {
                called.insert(key);
                next.extend(function.body);
            }
            graphs.extend(next.into_iter().filter(|id| !std::mem::replace(&mut listed[id.index()], true)));
        }
        at += 1;
    }
    model.functions.retain(|key, _| called.contains(key));
}
