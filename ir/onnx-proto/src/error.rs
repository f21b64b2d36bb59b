//! Why bytes were refused.

use crate::wire::WireFault;
use crate::wire_table::Nesting;

/// Why a serialised message was refused. Offsets count bytes from its beginning.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtoError {
    /// The bytes are no protocol buffer, or not one of this message.
    #[error("{fault} in {path} at byte {offset}; the file is damaged, incomplete, or not of this format")]
    Malformed {
        /// Where the fault is.
        offset: u64,
        /// The message or field that it is in.
        path: String,
        /// What is wrong.
        fault: WireFault,
    },
    /// Graphs, types or values are nested deeper than decoding can follow.
    #[error("{nested} are nested more than {limit} deep in {path} at byte {offset}; flatten the model")]
    TooDeep {
        /// Where the limit is passed.
        offset: u64,
        /// The message that is too deep, with its middle left out where long.
        path: String,
        /// What is nested, in the plural.
        nested: &'static str,
        /// How deep it may be nested.
        limit: u32,
    },
    /// Decoding would need far more memory than the bytes take, as in a file made to exhaust it.
    #[error(
        "decoding {size} bytes would need more than {bound} bytes of memory, reached in {path} at byte {offset}; \
         the file consists of empty messages for the most part"
    )]
    TooLarge {
        /// Where the bound is passed.
        offset: u64,
        /// The message or field that passes it.
        path: String,
        /// Size of the serialised message.
        size: u64,
        /// Memory that decoding it may need.
        bound: u64,
    },
    /// The decoder refused what the scan accepted: a fault of this crate.
    #[error(
        "the decoder refused a message that the scan accepted: {0}; this is a fault of edgesmith, please report it"
    )]
    Decode(#[from] prost::DecodeError),
}

impl ProtoError {
    /// A stable code for the kind of error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "edgesmith::onnx::malformed",
            Self::TooDeep { .. } => "edgesmith::onnx::too-deep",
            Self::TooLarge { .. } => "edgesmith::onnx::too-large",
            Self::Decode(_) => "edgesmith::onnx::decode",
        }
    }
}

impl Nesting {
    /// What is nested, in the plural, for messages.
    pub(crate) const fn plural(self) -> &'static str {
        match self {
            Self::Graph => "graphs",
            Self::Type => "types",
            Self::Data => "sequences, maps and optionals",
        }
    }
}
