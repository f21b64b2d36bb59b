//! What each operator of `ai.onnx` looks like at each version: inputs, outputs, attributes, and the types that they may have.
//!
//! The schemas answer what an importer must check and an exporter must ask before it writes an older operator set: may this
//! operator hold bfloat16 there, was this input an attribute then, since when does the operator exist. They do not say what
//! operators mean, and they cover neither `ai.onnx.ml` nor any other domain.
//!
//! Every version is here from the one in force at opset 7 on. The table is text, written by `tools/make_schema_table.py`
//! and read once, on first use.

mod table;
mod types;

use std::sync::LazyLock;

pub use types::TypeSet;

use crate::{AttributeType, DataType};
use table::Table;

/// One version of an operator.
#[derive(Debug, PartialEq)]
#[non_exhaustive]
pub struct Schema {
    /// Name of the operator.
    pub name: &'static str,
    /// The opset that brought this version.
    pub since_version: i64,
    /// Whether the operator may no longer be used from this version on.
    pub deprecated: bool,
    /// Least number of inputs, absent ones in the middle included.
    pub min_inputs: usize,
    /// Largest number of inputs; `None` when there is no limit.
    pub max_inputs: Option<usize>,
    /// Least number of outputs.
    pub min_outputs: usize,
    /// Largest number of outputs; `None` when there is no limit.
    pub max_outputs: Option<usize>,
    /// Formal inputs; only the last may be variadic.
    pub inputs: Vec<Formal>,
    /// Formal outputs; only the last may be variadic.
    pub outputs: Vec<Formal>,
    /// Attributes, ordered by name.
    pub attributes: Vec<AttributeSchema>,
}

/// A formal input or output of an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Formal {
    /// Name in the specification.
    pub name: &'static str,
    /// How many arguments it stands for.
    pub kind: FormalKind,
    /// Whether the arguments of a variadic one must all have one type. True for the other kinds.
    pub homogeneous: bool,
    /// The type variable, such as `T`: formals of one variable have one type. `None` where the type is fixed.
    pub type_variable: Option<&'static str>,
    /// The types that it may have.
    pub types: TypeSet,
}

/// How many arguments a formal input or output stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FormalKind {
    /// One, which must be there.
    Single,
    /// One, which may be absent.
    Optional,
    /// Any number; the schema says the least.
    Variadic,
}

/// An attribute of an operator.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct AttributeSchema {
    /// Name.
    pub name: &'static str,
    /// Type.
    pub kind: AttributeType,
    /// Whether it must be given.
    pub required: bool,
    /// Value that an absent one stands for. `None` when an absent one has a meaning of its own.
    pub default: Option<AttributeDefault>,
}

/// Default value of an attribute.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum AttributeDefault {
    /// A float.
    Float(f32),
    /// An integer.
    Int(i64),
    /// A string.
    String(&'static str),
    /// Floats.
    Floats(Vec<f32>),
    /// Integers.
    Ints(Vec<i64>),
    /// Strings.
    Strings(Vec<&'static str>),
}

/// The table, or an empty one if the embedded text were damaged, which a test rules out.
static TABLE: LazyLock<Table> = LazyLock::new(|| Table::parse(include_str!("schema_table.txt")).unwrap_or_default());

/// The schema in force at an opset: the newest version that is not newer than it.
///
/// `None` when the operator does not exist there, or below opset 7 when its version then is not the one of opset 7. A
/// deprecated operator still has a schema. An opset above [`latest`] is read with the newest schema known.
///
/// ```
/// use edgesmith_onnx_proto::schema::schema;
///
/// let clip = schema("Clip", 12).ok_or("Clip exists at opset 12")?;
/// assert_eq!((clip.since_version, clip.inputs.len()), (12, 3));
/// assert!(schema("Gelu", 19).is_none());
/// # Ok::<(), &str>(())
/// ```
pub fn schema(op_type: &str, opset: i64) -> Option<&'static Schema> {
    let versions = versions(op_type);
    let newer = versions.partition_point(|schema| schema.since_version <= opset);
    versions.get(newer.checked_sub(1)?)
}

/// All versions of an operator that the table holds, oldest first; empty for an unknown operator.
pub fn versions(op_type: &str) -> &'static [Schema] {
    TABLE.versions(op_type)
}

/// The newest opset that the table knows.
pub fn latest() -> i64 {
    TABLE.latest
}

/// The opset from which on the operator exists. Anything up to 7 means that every supported opset has it: the table
/// does not hold the versions before the one in force at 7.
pub fn first_appearance(op_type: &str) -> Option<i64> {
    versions(op_type).first().map(|schema| schema.since_version)
}

/// The names of all operators, ordered by name.
pub fn operators() -> impl Iterator<Item = &'static str> {
    TABLE.operators.iter().map(|operator| operator.name)
}

impl Schema {
    /// The formal input that the argument at this position belongs to; a variadic one takes all from its own on.
    pub fn input(&self, position: usize) -> Option<&Formal> {
        formal(&self.inputs, position)
    }

    /// The formal output that the result at this position belongs to; a variadic one takes all from its own on.
    pub fn output(&self, position: usize) -> Option<&Formal> {
        formal(&self.outputs, position)
    }

    /// The attribute with this name.
    pub fn attribute(&self, name: &str) -> Option<&AttributeSchema> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }

    /// Whether the input at this position may be a tensor of this data type.
    pub fn input_allows(&self, position: usize, data_type: DataType) -> bool {
        self.input(position).is_some_and(|formal| formal.types.tensors.contains(data_type))
    }

    /// Whether the output at this position may be a tensor of this data type.
    pub fn output_allows(&self, position: usize, data_type: DataType) -> bool {
        self.output(position).is_some_and(|formal| formal.types.tensors.contains(data_type))
    }
}

fn formal(formals: &[Formal], position: usize) -> Option<&Formal> {
    formals.get(position).or_else(|| formals.last().filter(|last| last.kind == FormalKind::Variadic))
}
