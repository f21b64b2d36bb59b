//! Edits of a model's interface that a user declares: new names and element types of inputs and outputs.
//!
//! They are made before any pass runs. What checks and reports call the source is the model with the new interface, and the
//! changes are reported as such.

use std::str::FromStr;

use edgesmith_ir::op::Cast;
use edgesmith_ir::{DType, Def, Graph, GraphId, Model, Name, NewOp, Origin, TensorType, ValueId, ValueType};
use edgesmith_pass::nearest;
use edgesmith_rewrite::{Interface, restructure};
use schemars::JsonSchema;
use serde::Serialize;

use crate::Failure;

/// A new name for an input or output: `old=new`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rename {
    /// The name that it has.
    pub old: Name,
    /// The name that it gets.
    pub new: Name,
}

impl FromStr for Rename {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((old, new)) if !old.is_empty() && !new.is_empty() => Ok(Self { old: old.into(), new: new.into() }),
            _ => Err("write OLD=NEW, as in input.1=image".into()),
        }
    }
}

/// An element type for inputs and outputs that hold floats: `f16` for all of them, `image=uint8` for one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IoType {
    /// The input or output; all of them when absent.
    pub name: Option<Name>,
    /// The element type outside. uint8 is for inputs only: the numbers 0 to 255 become the same numbers as floats, without
    /// scaling, so a model that wants 0 to 1 must divide by itself.
    pub dtype: DType,
}

impl FromStr for IoType {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, dtype) = match text.rsplit_once('=') {
            Some((name, dtype)) => (Some(Name::from(name)), dtype),
            None => (None, text),
        };
        let dtype = match dtype {
            "f16" | "float16" => DType::F16,
            "uint8" | "u8" => DType::U8,
            other => return Err(format!("'{other}' is no type for inputs and outputs; write f16 or uint8")),
        };
        Ok(Self { name, dtype })
    }
}

/// Which side of a model.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// What it takes.
    Input,
    /// What it gives.
    Output,
}

/// One declared change of the interface.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct InterfaceChange {
    /// Input or output.
    pub side: Side,
    /// Name and type in the file that was read.
    pub before: String,
    /// Name and type in the result.
    pub after: String,
    /// What whoever feeds or reads it must know.
    pub note: Option<String>,
}

impl std::fmt::Display for InterfaceChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let side = match self.side {
            Side::Input => "input",
            Side::Output => "output",
        };
        write!(f, "{side} {} → {}", self.before, self.after)?;
        self.note.iter().try_for_each(|note| write!(f, " ({note})"))
    }
}

/// Makes the edits, types first: they go by the old names. On an error the model must not be used.
pub fn edit_interface(
    model: &mut Model,
    renames: &[Rename],
    types: &[IoType],
) -> Result<Vec<InterfaceChange>, Failure> {
    if renames.is_empty() && types.is_empty() {
        return Ok(Vec::new());
    }
    let before = signature(model);
    let broken = |error: edgesmith_rewrite::RestructureError| Failure::internal(error.to_string());
    restructure(model, Interface::Free, |model| edit(model, renames, types)).map_err(broken)??;
    let changes = before.into_iter().zip(signature(model)).filter(|(old, new)| old != new);
    Ok(changes
        .map(|((side, old), (_, new))| {
            let note = (new.1.dtype() == Some(DType::U8) && old.1.dtype() != Some(DType::U8))
                .then(|| "the numbers 0 to 255 as they are, without scaling".to_owned());
            let shown = |(name, ty): (Name, ValueType)| format!("{name}: {ty}");
            InterfaceChange { side, before: shown(old), after: shown(new), note }
        })
        .collect())
}

fn signature(model: &Model) -> Vec<(Side, (Name, ValueType))> {
    let Some(graph) = model.main_graph() else { return Vec::new() };
    let row = |side: Side, value: &ValueId| {
        let row = graph.value(*value);
        (side, (row.name().clone(), row.ty().clone()))
    };
    let inputs = graph.inputs().iter().map(|value| row(Side::Input, value));
    inputs.chain(graph.outputs().iter().map(|value| row(Side::Output, value))).collect()
}

fn edit(model: &mut Model, renames: &[Rename], types: &[IoType]) -> Result<(), Failure> {
    let main = model.main().ok_or_else(|| Failure::model("the model has no graph"))?;
    for wanted in types {
        if let Some(name) = &wanted.name {
            find(model.graph(main), name)?;
        }
        let named = |graph: &Graph, value: ValueId| wanted.name.as_ref().is_none_or(|n| n == graph.value(value).name());
        for value in model.graph(main).inputs().to_vec() {
            if named(model.graph(main), value) {
                cast_input(model, main, value, wanted)?;
            }
        }
        for index in 0..model.graph(main).outputs().len() {
            let value = model.graph(main).outputs()[index];
            if named(model.graph(main), value) && !model.graph(main).inputs().contains(&value) {
                cast_output(model, main, index, wanted)?;
            }
        }
    }
    for rename in renames {
        let value = find(model.graph(main), &rename.old)?;
        if model.graphs().any(|(_, graph)| graph.value_by_name(&rename.new).is_some()) {
            return Err(Failure::usage(format!("the model has a value '{}' already", rename.new))
                .with_help(format!("choose another name for '{}'", rename.old)));
        }
        model.graph_mut(main).set_value_name(value, rename.new.clone());
    }
    Ok(())
}

fn find(graph: &Graph, name: &Name) -> Result<ValueId, Failure> {
    let all = || graph.inputs().iter().chain(graph.outputs());
    all().copied().find(|value| graph.value(*value).name() == name).ok_or_else(|| {
        let known: Vec<&str> = all().map(|value| graph.value(*value).name().as_str()).collect();
        let help = nearest(name, &known).unwrap_or_else(|| format!("they are: {}", known.join(", ")));
        Failure::usage(format!("the model has no input or output '{name}'")).with_help(help)
    })
}

/// The float type of a value that is to become another one; `None` where there is nothing to do.
fn float(graph: &Graph, value: ValueId, wanted: &IoType) -> Result<Option<TensorType>, Failure> {
    let row = graph.value(value);
    let floats = [DType::F32, DType::F64, DType::F16, DType::BF16];
    let ty = row.ty().as_tensor().filter(|ty| floats.contains(&ty.dtype));
    match ty {
        Some(ty) if ty.dtype == wanted.dtype => Ok(None),
        Some(ty) => Ok(Some(ty.clone())),
        None if wanted.name.is_none() => Ok(None),
        None => Err(Failure::usage(format!("'{}' is {} and holds no floats", row.name(), row.ty()))
            .with_help("--io-type changes inputs and outputs of floats")),
    }
}

/// A name that no value has.
fn fresh(model: &Model, base: &str) -> Name {
    let taken = |name: &str| model.graphs().any(|(_, graph)| graph.value_by_name(name).is_some());
    let mut name = base.to_owned();
    let mut number = 1;
    while taken(&name) {
        number += 1;
        name = format!("{base}_{number}");
    }
    name.into()
}

fn cast(model: &mut Model, to: DType, operand: ValueId, result: Name) -> NewOp {
    let origin = model.add_origin(Origin::Derived { rule: "io-type".into(), from: [].into_iter().collect() });
    NewOp {
        op: Cast { to, saturate: true, round_mode: "up".into() }.into(),
        operands: [Some(operand)].into_iter().collect(),
        captures: 0,
        regions: [].into_iter().collect(),
        name: Name::default(),
        results: [Some(result)].into_iter().collect(),
        origin,
    }
}

/// The input takes the new type, and whoever read it reads a Cast back to the old one.
fn cast_input(model: &mut Model, main: GraphId, value: ValueId, wanted: &IoType) -> Result<(), Failure> {
    let graph = model.graph(main);
    // An input with a default is a weight as old files hold them.
    if matches!(graph.value(value).def(), Def::Input { default: Some(_) }) && wanted.name.is_none() {
        return Ok(());
    }
    let Some(ty) = float(graph, value, wanted)? else { return Ok(()) };
    if graph.value(value).is_output() || matches!(graph.value(value).def(), Def::Input { default: Some(_) }) {
        let name = graph.value(value).name();
        return Err(Failure::usage(format!(
            "the type of input '{name}' cannot be changed: it is an output too, or has a default"
        )));
    }
    let inner = fresh(model, &format!("{}_{}", graph.value(value).name(), ty.dtype));
    let new = cast(model, ty.dtype, value, inner);
    let graph = model.graph_mut(main);
    graph.set_type(value, ValueType::Tensor(TensorType { dtype: wanted.dtype, ..ty.clone() }));
    graph.set_contents(value, None);
    // Before every reader: order keys grow along paths.
    let op = graph.add_op_at(new, 0);
    if let Some(result) = graph.op(op).result(0) {
        graph.set_type(result, ValueType::Tensor(ty));
        graph.replace_uses(value, result);
        graph.set_operand(op, 0, Some(value));
    }
    Ok(())
}

/// A Cast to the new type takes the output's name and place.
fn cast_output(model: &mut Model, main: GraphId, index: usize, wanted: &IoType) -> Result<(), Failure> {
    let graph = model.graph(main);
    let value = graph.outputs()[index];
    if wanted.dtype == DType::U8 {
        let name = graph.value(value).name();
        return match wanted.name {
            None => Ok(()),
            Some(_) => {
                Err(Failure::usage(format!("output '{name}' cannot be uint8: a Cast would cut off its fractions"))
                    .with_help("uint8 is for inputs; outputs may be f16"))
            }
        };
    }
    let Some(ty) = float(graph, value, wanted)? else { return Ok(()) };
    let name = graph.value(value).name().clone();
    let inner = fresh(model, &format!("{name}_{}", ty.dtype));
    let new = cast(model, wanted.dtype, value, name);
    let graph = model.graph_mut(main);
    graph.set_value_name(value, inner);
    let op = graph.add_op(new);
    if let Some(result) = graph.op(op).result(0) {
        graph.set_type(result, ValueType::Tensor(TensorType { dtype: wanted.dtype, ..ty }));
        graph.set_output(index, result);
    }
    Ok(())
}
