//! Paths for reports: from an offset back to the messages that lead there.
//!
//! The scan keeps no paths, because almost no message is ever reported. When one is, this walks down to it once more.

use std::fmt::Write as _;

use crate::wire::Cursor;
use crate::wire_table::{Count, FIELD_NUMBERS, Field, FieldValue, MessageKind};

/// Length from which the middle of a path is left out.
const LONGEST_PATH: usize = 400;

/// The path to the field whose key stands at `offset`, or to the message around it when that message does not know the
/// field, as in `ModelProto.graph.node[3].name`. Where the bytes are malformed before the offset, the path ends there.
pub(crate) fn path_to(root: MessageKind, bytes: &[u8], offset: usize) -> String {
    let mut path = String::from(root.name());
    walk(root, bytes, offset, &mut path);
    shorten(path)
}

fn walk(root: MessageKind, bytes: &[u8], offset: usize, path: &mut String) {
    let mut cursor = Cursor::new(bytes);
    let mut layout = root.layout();
    let mut end = bytes.len();
    let mut counts = Counts::default();
    while cursor.position < end {
        let start = cursor.position;
        let Ok((number, wire_type)) = cursor.key(end) else { return };
        let field = layout.field(number);
        if start == offset {
            if let Some(field) = field {
                push(path, field, counts.of(field));
            }
            return;
        }
        let Ok(payload) = cursor.payload(wire_type, end) else { return };
        if cursor.position > offset {
            let Some(field) = field else { return };
            push(path, field, counts.of(field));
            let FieldValue::Message(kind) = field.value else { return };
            layout = kind.layout();
            end = cursor.position;
            cursor.position -= payload.len();
            counts = Counts::default();
        } else if let Some(field) = field {
            counts.add(field);
        }
    }
}

/// How often each field of a message has been passed.
#[derive(Default)]
struct Counts([u64; FIELD_NUMBERS]);

impl Counts {
    fn of(&self, field: &Field) -> u64 {
        self.0.get(field.number as usize).copied().unwrap_or_default()
    }

    fn add(&mut self, field: &Field) {
        if let Some(count) = self.0.get_mut(field.number as usize) {
            *count += 1;
        }
    }
}

fn push(path: &mut String, field: &Field, index: u64) {
    path.push('.');
    path.push_str(field.name);
    if field.count == Count::Many {
        // Writing into a string cannot fail.
        let _ = write!(path, "[{index}]");
    }
}

/// Leaves out the middle of a long path, whole steps at a time.
fn shorten(path: String) -> String {
    if path.len() <= LONGEST_PATH {
        return path;
    }
    let head = path.get(..LONGEST_PATH / 2).and_then(|head| head.rfind('.'));
    let tail_from = path.len() - LONGEST_PATH / 2;
    let tail = path.get(tail_from..).and_then(|tail| tail.find('.')).map(|dot| tail_from + dot);
    match (head.and_then(|head| path.get(..head)), tail.and_then(|tail| path.get(tail..))) {
        (Some(head), Some(tail)) => format!("{head}.…{tail}"),
        _ => path,
    }
}
