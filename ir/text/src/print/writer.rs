//! Output: lines, indentation, quoting, and lines that only this crate's parser reads.

use std::fmt::Write as _;

use crate::lexer::is_type_word;

#[derive(Default)]
pub(super) struct Writer {
    pub(super) out: String,
    pub(super) indent: usize,
    /// How many hidden parts are open; inside, every line starts with `#|`.
    hidden: u32,
    /// The indentation where the outermost of them was opened.
    margin: usize,
    /// Whether a pragma is open, where strings must stay on their line.
    pragma: bool,
    /// Whether the line has ended with a comment, so that whatever comes next starts a new one.
    must_break: bool,
}

impl Writer {
    pub(super) fn push(&mut self, text: &str) {
        if self.must_break {
            self.newline();
            self.out.push_str(text.trim_start_matches(' '));
        } else {
            self.out.push_str(text);
        }
    }
    pub(super) fn newline(&mut self) {
        self.must_break = false;
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        let margin = if self.hidden > 0 { self.margin.min(self.indent) } else { self.indent };
        for _ in 0..margin {
            self.out.push_str("  ");
        }
        if self.hidden > 0 {
            self.out.push_str("#| ");
            for _ in margin..self.indent {
                self.out.push_str("  ");
            }
        }
    }
    /// Starts a line unless the present one is still empty.
    fn fresh_line(&mut self) {
        let line_start = self.out.rfind('\n').map_or(0, |at| at + 1);
        if !self.must_break && self.out[line_start..].bytes().all(|byte| byte == b' ') {
            self.out.truncate(line_start.saturating_sub(1));
        }
        self.newline();
    }
    /// Starts a part that ONNX's parser skips.
    pub(super) fn hide(&mut self) {
        self.hidden += 1;
        if self.hidden == 1 {
            self.margin = self.indent;
            self.fresh_line();
        } else {
            self.newline();
        }
    }
    pub(super) fn unhide(&mut self) {
        self.hidden -= 1;
        if self.hidden == 0 {
            self.must_break = true;
        }
    }
    /// Starts a pragma on a line of its own.
    pub(super) fn open_pragma(&mut self) {
        self.fresh_line();
        self.out.push_str("#: ");
        self.pragma = true;
    }
    pub(super) fn close_pragma(&mut self) {
        self.pragma = false;
        self.must_break = true;
    }
    /// Starts a comment at the end of the line.
    pub(super) fn open_comment(&mut self) {
        self.push("  # ");
        self.pragma = true;
    }

    /// A string in quotes. In a hidden line or a pragma control characters and other bytes are escaped; elsewhere ONNX
    /// knows no escape but the backslash before a character, and the bytes are UTF-8.
    pub(super) fn string(&mut self, bytes: &[u8]) {
        self.push("\"");
        if self.hidden > 0 || self.pragma {
            for chunk in bytes.utf8_chunks() {
                for c in chunk.valid().chars() {
                    match c {
                        '\n' => self.out.push_str("\\n"),
                        '\r' => self.out.push_str("\\r"),
                        '"' | '\\' => {
                            self.out.push('\\');
                            self.out.push(c);
                        }
                        '\0'..='\x1f' | '\x7f' => {
                            let _ = write!(self.out, "\\x{:02x}", c as u32);
                        }
                        c => self.out.push(c),
                    }
                }
                for byte in chunk.invalid() {
                    let _ = write!(self.out, "\\x{byte:02x}");
                }
            }
        } else {
            for c in String::from_utf8_lossy(bytes).chars() {
                if matches!(c, '"' | '\\') {
                    self.out.push('\\');
                }
                self.out.push(c);
            }
        }
        self.out.push('"');
    }
    /// A name: plain where it is an identifier that means nothing else, else in quotes.
    pub(super) fn name(&mut self, name: &str) {
        if is_identifier(name) && !is_type_word(name) { self.push(name) } else { self.string(name.as_bytes()) }
    }
}

pub(super) fn is_identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Identifiers joined by dots.
pub(super) fn is_path(path: &str) -> bool {
    path.split('.').all(is_identifier)
}

/// Commas between items of which some are hidden: this parser sees one between any two items, ONNX's between any two
/// that it sees.
#[derive(Default)]
pub(super) struct List {
    count: usize,
    seen_visible: bool,
    in_hidden: bool,
    lines: bool,
}

impl List {
    /// A list on one line, or with every item on a line of its own.
    pub(super) fn new(lines: bool) -> Self {
        Self { lines, ..Self::default() }
    }
    pub(super) fn item(&mut self, w: &mut Writer, hidden: bool) {
        let mut comma = self.count > 0;
        if self.in_hidden {
            if !self.seen_visible {
                w.push(",");
                comma = false;
            }
            w.unhide();
            self.in_hidden = false;
        }
        if hidden {
            w.hide();
            self.in_hidden = true;
            if comma {
                w.push(", ");
            }
        } else {
            if comma {
                w.push(",");
            }
            if self.lines {
                w.newline();
            } else if comma {
                w.push(" ");
            }
            self.seen_visible = true;
        }
        self.count += 1;
    }
    pub(super) fn end(&mut self, w: &mut Writer) {
        if std::mem::take(&mut self.in_hidden) {
            w.unhide();
        }
    }
}
