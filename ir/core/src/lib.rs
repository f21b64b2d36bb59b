#![doc = include_str!("../README.md")]

pub mod attribute;
mod compact;
pub mod contents;
mod cost;
mod dim;
mod dim_parse;
mod dtype;
mod graph;
pub mod id;
pub mod infer;
mod model;
mod name;
pub mod op;
mod origin;
mod rounding;
mod tensor;
mod types;
mod verify;

pub use attribute::{Attribute, AttributeError, AttributeReader, AttributeValue, F32};
pub use compact::Renumbering;
pub use contents::{Contents, Item};
pub use cost::{Cost, CostReport};
pub use dim::{Dim, DimAtom, DimEq, DimExpr, Product, is_plain_symbol};
pub use dim_parse::DimParseError;
pub use dtype::DType;
pub use graph::{Cycle, Def, Graph, NewOp, OpData, OpExtra, Side, Use, User, ValueData, ValueExtra, View};
pub use id::{Arena, EntityId, GraphId, OpId, OriginId, TensorId, ValueId};
pub use infer::{Fact, InferConflict, InferCx, InferError, InferReport, OpInferError};
pub use model::{Function, Metadata, Model, SymbolFacts, Symbols, TensorEntry, TensorRole, tensor_type};
pub use name::Name;
pub use op::{Op, OpKind, Operator};
pub use origin::{Origin, scope_of_name};
pub use rounding::{round_to_bf16, round_to_f16};
pub use tensor::{Element, Extents, SparseData, Tensor, TensorData, TensorError, element_count};
pub use types::{Dims, Shape, TensorType, ValueType};
pub use verify::VerifyError;
