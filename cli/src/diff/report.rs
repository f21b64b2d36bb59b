//! What a comparison of two models says: data for programs and for printing.

use schemars::JsonSchema;
use serde::Serialize;

/// How two models differ. Lists are in the order of the first model, what only the second has in its own.
#[derive(Clone, PartialEq, Debug, Default, Serialize, JsonSchema)]
pub struct ModelDiff {
    /// Whether nothing at all differs.
    pub same: bool,
    /// What the files say about themselves: IR version, opsets, producer, notes.
    pub header: Vec<Change>,
    /// Inputs and outputs.
    pub interface: Vec<InterfaceChange>,
    /// Operators.
    pub operators: OperatorDiff,
    /// Values between operators that only have another name.
    pub renamed_values: Vec<Renamed>,
    /// Constants: weights, biases, and literals of the program.
    pub weights: WeightDiff,
    /// Functions of the model that only one of them has.
    pub functions: Vec<Change>,
    /// Operators by kind, where their number differs.
    pub by_kind: Vec<Count>,
    /// Scopes of the source whose cost differs.
    pub by_scope: Vec<ScopeChange>,
    /// Cost of the whole model.
    pub cost: CostChange,
}

/// One statement that differs; absent on the side that does not make it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct Change {
    /// What it is about.
    pub what: String,
    /// What the first model says.
    pub before: Option<String>,
    /// What the second says.
    pub after: Option<String>,
}

/// One input or output that differs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct InterfaceChange {
    /// `input` or `output`.
    pub side: &'static str,
    /// Its name and type in the first model; absent when added.
    pub before: Option<Port>,
    /// Its name and type in the second model; absent when removed.
    pub after: Option<Port>,
}

/// An input or output.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// Its place among the inputs or outputs, from 0.
    pub position: usize,
    /// Its type, as `float[batch,3,224,224]`.
    #[serde(rename = "type")]
    pub ty: String,
    /// Whether callers may leave it out.
    pub has_default: bool,
}

/// How the operators differ.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, JsonSchema)]
pub struct OperatorDiff {
    /// How many operators have a counterpart.
    pub matched: u64,
    /// Operators that only the first model has.
    pub removed: Vec<Operator>,
    /// Operators that only the second model has.
    pub added: Vec<Operator>,
    /// Operators of both with other attributes, operands or notes.
    pub changed: Vec<OperatorChange>,
    /// Operators that only have another name.
    pub renamed: Vec<Renamed>,
    /// Outputs of a graph that come from another value.
    pub rewired_outputs: Vec<Change>,
}

/// One operator.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct Operator {
    /// Its kind, with the domain where that is not ONNX's own.
    pub kind: String,
    /// Its name, or that of its first result.
    pub name: String,
    /// The module of the source that it belongs to; empty where the file does not tell.
    pub scope: String,
    /// The inner graph that it stands in; empty for the main graph.
    pub graph: String,
}

/// One operator that is not the same.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct OperatorChange {
    /// The operator, as the first model has it.
    #[serde(flatten)]
    pub operator: Operator,
    /// What differs: attributes by name, operands as `operand NAME`.
    pub changes: Vec<Change>,
}

/// One thing under two names.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct Renamed {
    /// Its name in the first model.
    pub before: String,
    /// Its name in the second model.
    pub after: String,
}

/// How the constants differ.
#[derive(Clone, PartialEq, Debug, Default, Serialize, JsonSchema)]
pub struct WeightDiff {
    /// How many pairs have the same type and bytes.
    pub equal: u64,
    /// Pairs that do not.
    pub changed: Vec<WeightChange>,
    /// Constants that only the first model has.
    pub removed: Vec<Weight>,
    /// Constants that only the second model has.
    pub added: Vec<Weight>,
    /// Same bytes, another name.
    pub renamed: Vec<Renamed>,
}

/// One constant.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct Weight {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub ty: String,
    /// Its bytes.
    pub bytes: u64,
}

/// A constant that differs, and how much.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
pub struct WeightChange {
    /// Its name in the first model.
    pub name: String,
    /// Its name in the second model.
    pub name_after: String,
    /// Its type in the first model.
    #[serde(rename = "type")]
    pub ty: String,
    /// Why the elements cannot be compared: another type or shape.
    pub unlike: Option<String>,
    /// Elements.
    pub elements: u64,
    /// Elements that differ.
    pub differing: u64,
    /// The largest absolute difference.
    pub largest_absolute: f64,
    /// The same over the largest magnitude of the first.
    pub largest_relative: f64,
    /// Signal to noise in decibels; absent where it is not finite.
    pub sqnr_db: Option<f64>,
}

/// How many there are on both sides.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct Count {
    /// Of what.
    pub kind: String,
    /// In the first model.
    pub before: u64,
    /// In the second model.
    pub after: u64,
}

/// A scope of the source whose cost differs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct ScopeChange {
    /// The scope; empty for operators without one.
    pub scope: String,
    /// In the first model; absent where it has no such scope.
    pub before: Option<Cost>,
    /// In the second model.
    pub after: Option<Cost>,
}

/// What something costs. Amounts that depend on symbolic dims are expressions.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, JsonSchema)]
pub struct Cost {
    /// Operators.
    pub operators: u64,
    /// Multiply-accumulates.
    pub macs: String,
    /// Elements of weights.
    pub parameters: u64,
    /// Bytes of constants.
    pub weight_bytes: u64,
}

/// Cost of both models.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, JsonSchema)]
pub struct CostChange {
    /// The first model's.
    pub before: Cost,
    /// The second model's.
    pub after: Cost,
    /// Most bytes of activations alive at once, of the first.
    pub peak_activation_bytes_before: String,
    /// The same of the second.
    pub peak_activation_bytes_after: String,
}
