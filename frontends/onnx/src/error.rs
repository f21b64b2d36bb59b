//! Why a model was refused.

use std::fmt;

use edgesmith_frontend::{ExternalError, Format, shown};
use edgesmith_ir::{AttributeError, DType, Name, OpInferError, TensorError, VerifyError};
use edgesmith_onnx_proto::ProtoError;

/// Why a model was refused: a few lines with the place and the cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The bytes are no ONNX model that can be decoded.
    #[error("this is no ONNX model that can be read: {0}")]
    Malformed(#[from] ProtoError),
    /// The bytes are something else.
    #[error("this is {0}, not an ONNX model; {hint}", hint = .0.remedy())]
    Foreign(Format),
    /// Something about the model as a whole.
    #[error("{0}")]
    Model(String),
    /// An operator set that is too old or too new.
    #[error("{0}")]
    Opset(String),
    /// Operators that the model's operator set does not have.
    #[error("{}", unknown_operators(.0))]
    UnknownOperators(Vec<UnknownOperator>),
    /// A node that cannot be read.
    #[error("{operator} '{}': {fault}", shown(.node))]
    Node {
        /// Its name, or that of its first output.
        node: Name,
        /// What the file calls the operator.
        operator: Name,
        /// What is wrong.
        fault: NodeFault,
    },
    /// A tensor that cannot be read.
    #[error("tensor '{}': {fault}", shown(.tensor))]
    Tensor {
        /// Its name.
        tensor: Name,
        /// What is wrong.
        fault: TensorFault,
    },
    /// A value that cannot be.
    #[error("value '{}': {fault}", shown(.value))]
    Value {
        /// Its name.
        value: Name,
        /// What is wrong.
        fault: String,
    },
    /// Nodes that wait for each other.
    #[error("nodes wait for each other: {0}; a graph must not have cycles")]
    Cycle(String),
    /// A function of the model that cannot be read.
    #[error("function '{}': {fault}", shown(.function))]
    Function {
        /// Its name.
        function: Name,
        /// What is wrong.
        fault: String,
    },
    /// Operators whose operands cannot be what they are.
    #[error("{}", infer_errors(.0))]
    Types(Vec<OpInferError>),
    /// Values whose declared element type is not what the operators make.
    #[error("{}", lines("value", .0))]
    Declared(Vec<String>),
    /// Reading the model would take far more memory than the file.
    #[error("{0}")]
    Limit(String),
    /// The import made a model that breaks an invariant: a fault of edgesmith.
    #[error("the import made a broken model ({}); this is a fault of edgesmith, please report it", first(.0))]
    Broken(Vec<VerifyError>),
}

impl ImportError {
    /// A stable code for the kind of error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(error) => error.code(),
            Self::Foreign(_) => "edgesmith::onnx::other-format",
            Self::Model(_) => "edgesmith::onnx::invalid-model",
            Self::Opset(_) => "edgesmith::onnx::unsupported-opset",
            Self::UnknownOperators(_) => "edgesmith::onnx::unsupported-op",
            Self::Node { .. } => "edgesmith::onnx::invalid-node",
            Self::Tensor { .. } => "edgesmith::onnx::invalid-tensor",
            Self::Value { .. } => "edgesmith::onnx::invalid-value",
            Self::Cycle(_) => "edgesmith::onnx::cycle",
            Self::Function { .. } => "edgesmith::onnx::invalid-function",
            Self::Types(_) => "edgesmith::onnx::impossible-types",
            Self::Declared(_) => "edgesmith::onnx::contradicted-types",
            Self::Limit(_) => "edgesmith::onnx::too-large",
            Self::Broken(_) => "edgesmith::onnx::broken-import",
        }
    }
}

/// An operator that the operator set does not have, with how often it occurs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownOperator {
    /// The operator.
    pub operator: Name,
    /// The version of the operator set.
    pub opset: i64,
    /// Why it is not there, and what to do.
    pub reason: String,
    /// The first node that has it.
    pub node: Name,
    /// How many nodes have it.
    pub count: usize,
}

/// What is wrong with a node.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeFault {
    /// An attribute that the operator cannot have, or a value that it cannot take.
    #[error("{0}")]
    Attribute(#[from] AttributeError),
    /// The number of inputs or outputs.
    #[error("{found} {what} are given, but opset {opset} takes {allowed}")]
    Count {
        /// Inputs or outputs.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// The version of the operator set.
        opset: i64,
        /// How many there may be.
        allowed: String,
    },
    /// A required input is absent.
    #[error("the required input '{formal}' (number {slot}) is missing")]
    MissingInput {
        /// Its name in the specification.
        formal: &'static str,
        /// Its position.
        slot: usize,
    },
    /// A tensor in an attribute.
    #[error("attribute '{}': {fault}", shown(.attribute))]
    Tensor {
        /// The attribute.
        attribute: Name,
        /// What is wrong.
        fault: TensorFault,
    },
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// What is wrong with a tensor.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TensorFault {
    /// No such element type.
    #[error("{0} is no element type")]
    DType(i32),
    /// A negative extent.
    #[error("its extent {extent} on axis {axis} is negative")]
    Negative {
        /// The axis.
        axis: usize,
        /// The extent.
        extent: i64,
    },
    /// The data do not fit dtype and shape.
    #[error("{0}")]
    Data(#[from] TensorError),
    /// Data in a field that tensors of this type do not use.
    #[error("its data are in {found}, but {dtype} belongs in {wanted}")]
    Field {
        /// Element type.
        dtype: DType,
        /// The field that has data.
        found: &'static str,
        /// Where they belong.
        wanted: &'static str,
    },
    /// Data in several fields.
    #[error("its data are in both {0} and {1}")]
    Ambiguous(&'static str, &'static str),
    /// One part of a tensor.
    #[error("it is only a segment of a tensor, which nothing supports")]
    Segment,
    /// External data whose description is wrong.
    #[error("its external data: {0}")]
    External(String),
    /// External data that cannot be had.
    #[error("its external data in '{}': {error}", shown(.location))]
    File {
        /// The location that the file gives.
        location: String,
        /// What is wrong.
        error: ExternalError,
    },
    /// A sparse tensor whose parts do not fit.
    #[error("as a sparse tensor: {0}")]
    Sparse(String),
}

/// So many problems of one kind are listed.
const LISTED: usize = 5;

fn unknown_operators(operators: &[UnknownOperator]) -> String {
    lines(
        "operator",
        &operators
            .iter()
            .map(|op| {
                let UnknownOperator { operator, reason, node, count, .. } = op;
                let (operator, node) = (shown(operator), shown(node));
                match count {
                    1 => format!("{operator} (node '{node}'): {reason}"),
                    _ => format!("{operator} (node '{node}' and {} more): {reason}", count - 1),
                }
            })
            .collect::<Vec<_>>(),
    )
}

fn infer_errors(errors: &[OpInferError]) -> String {
    lines("node", &errors.iter().map(|e| format!("{} '{}': {}", e.kind, shown(&e.name), e.error)).collect::<Vec<_>>())
}

fn lines(what: &str, all: &[String]) -> String {
    if let [only] = all {
        return only.clone();
    }
    let more = match all.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!("\n  and {more} more {what}s"),
    };
    format!("{} problems:\n  {}{more}", all.len(), all[..all.len().min(LISTED)].join("\n  "))
}

fn first<T: fmt::Display>(all: &[T]) -> String {
    all.first().map(ToString::to_string).unwrap_or_default()
}
