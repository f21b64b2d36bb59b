//! What is wrong with a text, and where.

use std::ops::Range;

/// A place in the text, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The place as a range.
    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }
    pub(crate) fn to(self, other: Span) -> Span {
        Span { start: self.start, end: other.end.max(self.end) }
    }
}

/// Why a text is no model.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line}, column {column}: {message}{}", self.hint())]
pub struct TextError {
    /// Where.
    pub span: Span,
    /// The line of the first byte, from 1.
    pub line: usize,
    /// The column of the first byte in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What would be right there, where that can be said.
    pub expected: Option<String>,
}

impl TextError {
    fn hint(&self) -> String {
        self.expected.as_ref().map(|expected| format!("; expected {expected}")).unwrap_or_default()
    }
}

/// A problem that does not know its line yet. Boxed, because results of nearly every function carry one.
#[derive(Clone, Debug)]
pub(crate) struct Fault(Box<Problem>);

#[derive(Clone, Debug)]
struct Problem {
    span: Span,
    message: String,
    expected: Option<String>,
}

pub(crate) type Fallible<T> = Result<T, Fault>;

impl Fault {
    pub(crate) fn new(span: Span, message: impl Into<String>) -> Self {
        Self(Box::new(Problem { span, message: message.into(), expected: None }))
    }
    pub(crate) fn expecting(span: Span, message: impl Into<String>, expected: impl Into<String>) -> Self {
        Self(Box::new(Problem { span, message: message.into(), expected: Some(expected.into()) }))
    }
    pub(crate) fn locate(self, text: &str) -> TextError {
        let Problem { span, message, expected } = *self.0;
        let mut start = span.start.min(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let before = &text[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        TextError {
            span,
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message,
            expected,
        }
    }
}
