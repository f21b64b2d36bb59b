//! What a scan found out about a message that it accepted.

use std::fmt;

use crate::wire::WireType;

/// What a scan found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScanReport {
    /// Fields that the messages do not know, which decoding drops: one entry per message kind and field number, in the
    /// order of their first occurrence, [`MAX_UNKNOWN_FIELDS`](crate::MAX_UNKNOWN_FIELDS) entries at most.
    pub unknown_fields: Vec<UnknownField>,
    /// All occurrences of unknown fields, also those without an entry.
    pub unknown_total: u64,
    /// Messages, the root included.
    pub messages: u64,
    /// How deep graphs are nested; 1 when no graph holds another.
    pub graph_depth: u32,
    /// Upper estimate of the memory that decoding takes, in bytes. Slices of the source buffer count nothing.
    pub decoded_bytes: u64,
}

/// A field that its message does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownField {
    /// Name of the kind of message.
    pub message: &'static str,
    /// Number of the field.
    pub number: u32,
    /// Path to the message of the first occurrence.
    pub path: String,
    /// Offset of the first occurrence.
    pub offset: u64,
    /// Wire type of the first occurrence.
    pub wire_type: WireType,
    /// Length of the value of the first occurrence, in bytes.
    pub length: u64,
    /// How often messages of this kind hold a field of this number.
    pub occurrences: u64,
}

impl fmt::Display for UnknownField {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { message, number, path, wire_type, length, occurrences, .. } = self;
        let unit = if *length == 1 { "byte" } else { "bytes" };
        write!(formatter, "{path}: field {number} ({wire_type}, {length} {unit})")?;
        match occurrences {
            0 | 1 => Ok(()),
            _ => write!(formatter, ", and {} more in messages of kind {message}", occurrences - 1),
        }
    }
}
