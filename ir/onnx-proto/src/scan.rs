//! The scan that goes before decoding: one pass over the wire format, without recursion and without copies.
//!
//! Decoding with prost recurses, allocates as the file says, and drops what it does not know. The scan makes that safe and
//! visible: what it accepts can be decoded on a small stack and in bounded memory, and what decoding will drop is reported.
//! It reads keys and lengths, and jumps over payloads that are no messages, so weights cost nothing.
//!
//! The bound on memory is strict: it counts what the structs, lists and strings take, at the moment when a growing list
//! exists twice. `wire_table` says what there is to know about the messages.

use crate::error::ProtoError;
use crate::locate::path_to;
use crate::report::{ScanReport, UnknownField};
use crate::wire::{Cursor, FaultAt, WireFault, WireType};
use crate::wire_table::{Count, FIELD_NUMBERS, Field, FieldValue, Layout, MessageKind, Nesting};

/// How deep graphs may be nested: the main graph counts 1, a branch of an `If` in it 2.
pub const MAX_GRAPH_NESTING: u32 = 100;
/// How deep types may be nested: a tensor counts 1, a sequence of tensors 2.
pub const MAX_TYPE_NESTING: u32 = 32;
/// How deep sequences, maps and optionals may be nested in test data.
pub const MAX_DATA_NESTING: u32 = 32;
/// How many kinds of unknown field a report lists.
pub const MAX_UNKNOWN_FIELDS: usize = 64;
/// Decoding may need this many bytes of memory for every byte of the file, beside [`DECODED_BYTES_FREE`].
pub const DECODED_BYTES_PER_BYTE: u64 = 64;
/// Decoding may always need this many bytes of memory, however small the file is.
pub const DECODED_BYTES_FREE: u64 = 64 << 20;

/// What the allocator itself may need for a piece of memory.
const ALLOCATION: u64 = 16;
/// What it takes to share the source buffer among the byte fields.
const SHARED_SOURCE: u64 = 32;
/// The room of the shortest list: what the standard library makes for the first of values of up to 1,024 bytes.
const LIST_START: u64 = 4;
/// The least that is allocated for a string.
const SHORTEST_STRING: u64 = 8;

/// Scans a serialised message of the given kind.
///
/// `Ok` promises that decoding the same bytes succeeds, in the memory that the report estimates.
///
/// # Errors
///
/// [`ProtoError::Malformed`], [`ProtoError::TooDeep`] or [`ProtoError::TooLarge`], with the place.
pub fn scan(root: MessageKind, bytes: &[u8]) -> Result<ScanReport, ProtoError> {
    let mut scanner = Scanner {
        root,
        bytes,
        cursor: Cursor::new(bytes),
        frames: Vec::with_capacity(16),
        depths: [0; 3],
        bound: DECODED_BYTES_PER_BYTE.saturating_mul(bytes.len() as u64).saturating_add(DECODED_BYTES_FREE),
        report: ScanReport { decoded_bytes: root.layout().decoded_size + SHARED_SOURCE, ..ScanReport::default() },
    };
    scanner.run()?;
    Ok(scanner.report)
}

struct Scanner<'a> {
    root: MessageKind,
    bytes: &'a [u8],
    cursor: Cursor<'a>,
    frames: Vec<Frame>,
    /// How many frames take part in each [`Nesting`].
    depths: [u32; 3],
    bound: u64,
    report: ScanReport,
}

/// A message that is being scanned.
struct Frame {
    layout: &'static Layout,
    end: usize,
    /// How many values each field has had.
    counts: [u64; FIELD_NUMBERS],
}

/// Why the scan stops, before the path is known.
enum Stop {
    Fault(FaultAt),
    TooDeep { nesting: Nesting, limit: u32 },
    TooLarge,
}

impl From<FaultAt> for Stop {
    fn from(fault: FaultAt) -> Self {
        Self::Fault(fault)
    }
}

impl<'a> Scanner<'a> {
    fn run(&mut self) -> Result<(), ProtoError> {
        let mut start = 0;
        let entered = self.enter(self.root.layout(), self.bytes.len(), 0);
        entered.map_err(|stop| self.error(start, stop))?;
        while let Some(frame) = self.frames.last() {
            if self.cursor.position < frame.end {
                start = self.cursor.position;
                let (layout, end) = (frame.layout, frame.end);
                let scanned = self.field(layout, end);
                scanned.map_err(|stop| self.error(start, stop))?;
            } else {
                self.leave();
            }
        }
        Ok(())
    }

    /// Enters a message whose fields have had `held` values each.
    fn enter(&mut self, layout: &'static Layout, end: usize, held: u64) -> Result<(), Stop> {
        if let Some(nesting) = layout.nesting {
            let limit = match nesting {
                Nesting::Graph => MAX_GRAPH_NESTING,
                Nesting::Type => MAX_TYPE_NESTING,
                Nesting::Data => MAX_DATA_NESTING,
            };
            let depth = &mut self.depths[nesting as usize];
            *depth += 1;
            if *depth > limit {
                return Err(Stop::TooDeep { nesting, limit });
            }
            if nesting == Nesting::Graph {
                self.report.graph_depth = self.report.graph_depth.max(*depth);
            }
        }
        self.report.messages += 1;
        self.frames.push(Frame { layout, end, counts: [held; FIELD_NUMBERS] });
        Ok(())
    }

    fn leave(&mut self) {
        let nesting = self.frames.pop().and_then(|frame| frame.layout.nesting);
        if let Some(nesting) = nesting {
            self.depths[nesting as usize] -= 1;
        }
    }

    /// Scans one field of the innermost message; of a message within, only its beginning.
    fn field(&mut self, layout: &'static Layout, end: usize) -> Result<(), Stop> {
        let start = self.cursor.position;
        let (number, wire_type) = self.cursor.key(end)?;
        let Some(field) = layout.field(number) else {
            let length = self.cursor.payload(wire_type, end)?.len() as u64;
            self.unknown(layout, number, start, wire_type, length);
            return Ok(());
        };
        match field.value {
            FieldValue::Varint32 => self.numbers(field, WireType::Varint, 4, wire_type, end),
            FieldValue::Varint64 => self.numbers(field, WireType::Varint, 8, wire_type, end),
            FieldValue::Fixed32 => self.numbers(field, WireType::Fixed32, 4, wire_type, end),
            FieldValue::Fixed64 => self.numbers(field, WireType::Fixed64, 8, wire_type, end),
            FieldValue::Text => {
                let text = self.delimited(wire_type, start, end)?;
                if let Err(error) = std::str::from_utf8(text) {
                    let offset = self.cursor.position - text.len() + error.valid_up_to();
                    return Err(FaultAt { offset, fault: WireFault::NotUtf8 }.into());
                }
                if !text.is_empty() {
                    self.spend((text.len() as u64).max(SHORTEST_STRING) + ALLOCATION)?;
                }
                self.spend_on_place(field, size_of::<String>() as u64, 1)?;
                Ok(())
            }
            FieldValue::Bytes => {
                self.delimited(wire_type, start, end)?;
                self.spend_on_place(field, size_of::<bytes::Bytes>() as u64, 1)?;
                Ok(())
            }
            FieldValue::Message(kind) => {
                let length = self.delimited(wire_type, start, end)?.len();
                let inner = kind.layout();
                let before = self.spend_on_place(field, inner.decoded_size, 1)?;
                // Pieces of one message are decoded into one, so that the lists in a later piece go on growing.
                let held = if field.count == Count::Many || before == 0 { 0 } else { LIST_START };
                let inner_end = self.cursor.position;
                self.cursor.position -= length;
                self.enter(inner, inner_end, held)
            }
        }
    }

    /// Takes a payload whose field must be length-delimited.
    fn delimited(&mut self, found: WireType, start: usize, end: usize) -> Result<&'a [u8], Stop> {
        require(WireType::LengthDelimited, found, start)?;
        Ok(self.cursor.payload(found, end)?)
    }

    /// Scans a number, or a packed list of them.
    fn numbers(
        &mut self,
        field: &Field,
        native: WireType,
        width: u64,
        found: WireType,
        end: usize,
    ) -> Result<(), Stop> {
        let start = self.cursor.position;
        if field.count != Count::Many || found != WireType::LengthDelimited {
            require(native, found, start)?;
            self.cursor.payload(found, end)?;
            self.spend_on_place(field, width, 1)?;
            return Ok(());
        }
        let length = self.cursor.payload(found, end)?.len();
        let count = match native {
            WireType::Varint => self.packed_varints(length)?,
            _ if (length as u64).is_multiple_of(width) => length as u64 / width,
            _ => {
                let fault = WireFault::RaggedPacked { length: length as u64, width };
                return Err(FaultAt { offset: start, fault }.into());
            }
        };
        self.spend_on_place(field, width, count)?;
        Ok(())
    }

    /// Counts the varints in the last `length` bytes before the cursor.
    fn packed_varints(&mut self, length: usize) -> Result<u64, Stop> {
        let end = self.cursor.position;
        self.cursor.position -= length;
        let mut count = 0;
        while self.cursor.position < end {
            self.cursor.varint(end)?;
            count += 1;
        }
        Ok(count)
    }

    /// Accounts for the place that values of a field take in the decoded message, beside what they own themselves. Returns
    /// how many values the field has had before.
    fn spend_on_place(&mut self, field: &Field, size: u64, count: u64) -> Result<u64, Stop> {
        let counts = self.frames.last_mut().map(|frame| &mut frame.counts);
        let Some(held) = counts.and_then(|counts| counts.get_mut(field.number as usize)) else { return Ok(0) };
        let before = *held;
        *held += count;
        let after = *held;
        match field.count {
            Count::One => {}
            Count::Boxed => self.spend(size + ALLOCATION)?,
            Count::Many => {
                let room = size.saturating_mul(list_room(after) - list_room(before));
                self.spend(room.saturating_add(if before == 0 { ALLOCATION } else { 0 }))?;
            }
        }
        Ok(before)
    }

    fn spend(&mut self, bytes: u64) -> Result<(), Stop> {
        let total = &mut self.report.decoded_bytes;
        *total = total.saturating_add(bytes);
        if *total > self.bound { Err(Stop::TooLarge) } else { Ok(()) }
    }

    fn unknown(&mut self, layout: &Layout, number: u32, start: usize, wire_type: WireType, length: u64) {
        self.report.unknown_total += 1;
        let (message, offset) = (layout.name, start as u64);
        let listed = &mut self.report.unknown_fields;
        if let Some(alike) = listed.iter_mut().find(|field| field.number == number && field.message == message) {
            alike.occurrences += 1;
        } else if listed.len() < MAX_UNKNOWN_FIELDS {
            let path = path_to(self.root, self.bytes, start);
            listed.push(UnknownField { message, number, path, offset, wire_type, length, occurrences: 1 });
        }
    }

    #[cold]
    fn error(&self, start: usize, stop: Stop) -> ProtoError {
        let path = path_to(self.root, self.bytes, start);
        let offset = start as u64;
        match stop {
            Stop::Fault(FaultAt { offset, fault }) => ProtoError::Malformed { offset: offset as u64, path, fault },
            Stop::TooDeep { nesting, limit } => ProtoError::TooDeep { offset, path, nested: nesting.plural(), limit },
            Stop::TooLarge => ProtoError::TooLarge { offset, path, size: self.bytes.len() as u64, bound: self.bound },
        }
    }
}

/// How many values' room a list takes at most that has grown to this length: room doubles, and while the values move, old
/// and new room exist side by side.
const fn list_room(length: u64) -> u64 {
    match length {
        0 => 0,
        1..=LIST_START => LIST_START,
        _ => 3 * (length - 1),
    }
}

fn require(expected: WireType, found: WireType, offset: usize) -> Result<(), FaultAt> {
    if expected == found {
        return Ok(());
    }
    Err(FaultAt { offset, fault: WireFault::WrongWireType { expected, found } })
}
