//! The ONNX project's own node tests: one small model for every form of every operator, with inputs and the outputs that
//! the specification wants.
//!
//! They are not in this repository. `EDGESMITH_NODE_TESTS` names a folder of them, one folder a case with `model.onnx`
//! and `test_data_set_0/{input,output}_*.pb`, as the `onnx` package writes them
//! (`onnx.backend.test.case.node.collect_testcases`). Without it, the tests that use them say so and pass.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use edgesmith_exec::{Value, Values};
use edgesmith_frontend::NoExternalData;
use edgesmith_frontend_onnx::{ImportOptions, import, read_tensor};
use edgesmith_ir::{Def, Model, Name, ValueId, ValueType, tensor_type};
use edgesmith_onnx_proto::{Message, OptionalProto, SequenceProto, TensorProto};

/// One case.
#[derive(Debug)]
pub struct Case {
    /// The name of its folder.
    pub name: String,
    /// The model.
    pub model: Model,
    /// Values of all inputs.
    pub inputs: Values,
    /// What must come out.
    pub outputs: Values,
}

/// The folder with the cases, if the environment names one.
pub fn folder() -> Option<PathBuf> {
    std::env::var_os("EDGESMITH_NODE_TESTS").map(PathBuf::from)
}

/// Names of the cases in a folder, sorted; `EDGESMITH_NODE_TEST_LIST` (a file with one name a line) restricts them.
pub fn names(folder: &Path) -> std::io::Result<Vec<String>> {
    let chosen: Option<BTreeSet<String>> = match std::env::var_os("EDGESMITH_NODE_TEST_LIST") {
        Some(list) => Some(std::fs::read_to_string(list)?.lines().map(|line| line.trim().to_owned()).collect()),
        None => None,
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if chosen.as_ref().is_none_or(|chosen| chosen.contains(&name)) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Reads a case. The error says what of it cannot be read.
pub fn read(folder: &Path, name: &str) -> Result<Case, String> {
    let folder = folder.join(name);
    let bytes = std::fs::read(folder.join("model.onnx")).map_err(|e| format!("model.onnx: {e}"))?;
    let imported = import(Bytes::from(bytes), &NoExternalData, &ImportOptions::default()).map_err(|e| e.to_string())?;
    let model = imported.model;
    let graph = model.main_graph().ok_or("the model has no graph")?;
    let data = folder.join("test_data_set_0");
    let values = |kind: &str, ids: &[ValueId]| -> Result<Values, String> {
        let mut values = Values::new();
        for (index, id) in ids.iter().enumerate() {
            let path = data.join(format!("{kind}_{index}.pb"));
            if path.exists() {
                let bytes = std::fs::read(&path).map_err(|e| e.to_string())?;
                let row = graph.value(*id);
                values.insert(row.name().clone(), value(&bytes, row.ty()).map_err(|e| format!("{kind}_{index}: {e}"))?);
            }
        }
        Ok(values)
    };
    let inputs = values("input", graph.inputs())?;
    let outputs = values("output", graph.outputs())?;
    Ok(Case { name: name.to_owned(), inputs, outputs, model })
}

/// Reads a value; its kind is that of the declared type, for the messages look alike.
fn value(bytes: &[u8], ty: &ValueType) -> Result<Value, String> {
    match ty {
        ValueType::Sequence(_) => sequence(SequenceProto::decode(bytes).map_err(|e| e.to_string())?),
        ValueType::Optional(_) => optional(OptionalProto::decode(bytes).map_err(|e| e.to_string())?),
        _ => tensor(&mut TensorProto::decode(bytes).map_err(|e| e.to_string())?),
    }
}

fn tensor(proto: &mut TensorProto) -> Result<Value, String> {
    read_tensor(proto).map(Value::Tensor).map_err(|e| e.to_string())
}

fn sequence(proto: SequenceProto) -> Result<Value, String> {
    let mut items: Vec<Value> = Vec::new();
    for mut item in proto.tensor_values {
        items.push(tensor(&mut item)?);
    }
    for item in proto.sequence_values {
        items.push(sequence(item)?);
    }
    for item in proto.optional_values {
        items.push(optional(item)?);
    }
    Ok(Value::Sequence(items))
}

fn optional(proto: OptionalProto) -> Result<Value, String> {
    let inner = match (proto.tensor_value, proto.sequence_value) {
        (Some(mut inner), _) => Some(tensor(&mut inner)?),
        (None, Some(inner)) => Some(sequence(*inner)?),
        (None, None) => None,
    };
    Ok(Value::Optional(inner.map(Box::new)))
}

impl Case {
    /// The same case with every tensor input but the first built into the model, types inferred afresh: the form in
    /// which shapes, axes and scales stand in real models.
    pub fn with_constants(&self) -> Case {
        let mut model = self.model.clone();
        let mut inputs = Values::new();
        if let Some(id) = model.main() {
            let ids: Vec<ValueId> = model.graph(id).inputs().to_vec();
            for (index, value) in ids.into_iter().enumerate() {
                let name: Name = model.graph(id).value(value).name().clone();
                match self.inputs.get(&name) {
                    Some(Value::Tensor(tensor)) if index > 0 => {
                        let ty = tensor_type(tensor);
                        let tensor = model.add_tensor(tensor.clone());
                        model.graph_mut(id).input_to_constant(value, tensor);
                        model.graph_mut(id).set_type(value, ty);
                    }
                    Some(other) => {
                        inputs.insert(name, other.clone());
                    }
                    None => {}
                }
            }
            model.infer_afresh();
        }
        Case { name: self.name.clone(), model, inputs, outputs: self.outputs.clone() }
    }

    /// Whether the model has an input that [`with_constants`](Self::with_constants) would build in.
    pub fn has_more_inputs(&self) -> bool {
        let Some(graph) = self.model.main_graph() else { return false };
        graph.inputs().iter().skip(1).any(|value| matches!(graph.value(*value).def(), Def::Input { .. }))
    }
}
