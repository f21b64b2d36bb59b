//! Tokens. ONNX's own, and three kinds of comments that only this parser reads (see the crate's documentation):
//! `#|` opens the rest of its line to this parser, `#:` starts a pragma that ends with its line, and a comment that reads
//! as a list of types belongs to the operator before it.

use std::borrow::Cow;

use edgesmith_ir::DType;

use crate::error::{Fallible, Fault, Span};

/// One token.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Token<'a> {
    /// A plain identifier.
    Word(&'a str),
    /// A string, escapes undone.
    Text(Cow<'a, [u8]>),
    /// An integer, perhaps hexadecimal.
    Int(&'a str),
    /// A number with a point or an exponent, or a signed `inf` or `nan`.
    Float(&'a str),
    /// One character.
    Mark(char),
    /// `=>`.
    Arrow,
    /// `->`.
    ThinArrow,
    /// `#:`.
    Pragma,
    /// The end of a pragma.
    PragmaEnd,
    /// The end of the text.
    End,
}

impl Token<'_> {
    /// For messages.
    pub(crate) fn describe(&self) -> String {
        match self {
            Token::Word(word) => format!("'{word}'"),
            Token::Text(_) => "a string".into(),
            Token::Int(number) | Token::Float(number) => format!("'{number}'"),
            Token::Mark(mark) => format!("'{mark}'"),
            Token::Arrow => "'=>'".into(),
            Token::ThinArrow => "'->'".into(),
            Token::Pragma => "a pragma ('#:')".into(),
            Token::PragmaEnd => "the end of the pragma".into(),
            Token::End => "the end of the text".into(),
        }
    }
}

pub(crate) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    end: usize,
    /// Whether the rest of the line is for this parser only, where strings have more escapes and end with the line.
    hidden: bool,
    pragma: bool,
    /// The last comment that may be a list of types.
    pub(crate) types: Option<Span>,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0, end: text.len(), hidden: false, pragma: false, types: None }
    }
    /// Over a comment; spans stay those of the whole.
    pub(crate) fn of_comment(text: &'a str, part: Span) -> Self {
        Self { text, at: part.start, end: part.end, hidden: true, pragma: false, types: None }
    }

    fn byte(&self) -> Option<u8> {
        self.byte_at(self.at)
    }
    fn byte_at(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(..self.end)?.get(at).copied()
    }
    fn skip_while(&mut self, accept: impl Fn(u8) -> bool) {
        while self.byte().is_some_and(&accept) {
            self.at += 1;
        }
    }

    /// Skips white space and comments; true when a pragma starts or ends here.
    fn skip(&mut self) -> Option<Token<'a>> {
        loop {
            match self.byte() {
                Some(b'\n') => {
                    self.hidden = false;
                    if std::mem::take(&mut self.pragma) {
                        return Some(Token::PragmaEnd);
                    }
                    self.at += 1;
                }
                Some(b' ' | b'\t' | b'\r' | b'\x0b' | b'\x0c') => self.at += 1,
                Some(b'#') => match self.byte_at(self.at + 1) {
                    Some(b'|') => {
                        self.hidden = true;
                        self.at += 2;
                    }
                    Some(b':') if !self.pragma => {
                        self.at += 2;
                        self.pragma = true;
                        return Some(Token::Pragma);
                    }
                    _ => {
                        let start = self.at + 1;
                        self.skip_while(|byte| byte != b'\n');
                        let span = Span { start, end: self.at };
                        if !self.pragma && is_type_list(&self.text[start..self.at]) {
                            self.types = Some(span);
                        }
                    }
                },
                Some(_) => return None,
                None => return std::mem::take(&mut self.pragma).then_some(Token::PragmaEnd),
            }
        }
    }

    /// The next token with its place.
    pub(crate) fn next(&mut self) -> Fallible<(Token<'a>, Span)> {
        let skipped = self.skip();
        let start = self.at;
        let token = match (skipped, self.byte()) {
            (Some(Token::Pragma), _) => return Ok((Token::Pragma, Span { start: start - 2, end: start })),
            (Some(token), _) => token,
            (None, None) => Token::End,
            (None, Some(b'"')) => self.string()?,
            (None, Some(b'a'..=b'z' | b'A'..=b'Z' | b'_')) => {
                self.skip_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
                Token::Word(&self.text[start..self.at])
            }
            (None, Some(b'0'..=b'9')) => self.number(start),
            (None, Some(b'-')) => {
                self.at += 1;
                match self.byte() {
                    Some(b'0'..=b'9') => self.number(start),
                    Some(b'>') => {
                        self.at += 1;
                        Token::ThinArrow
                    }
                    Some(b'a'..=b'z' | b'A'..=b'Z') => {
                        self.skip_while(|byte| byte.is_ascii_alphabetic());
                        Token::Float(&self.text[start..self.at])
                    }
                    _ => Token::Mark('-'),
                }
            }
            (None, Some(b'=')) if self.byte_at(start + 1) == Some(b'>') => {
                self.at += 2;
                Token::Arrow
            }
            (None, Some(_)) => {
                let mark = self.text[start..].chars().next().unwrap_or('\0');
                self.at += mark.len_utf8();
                Token::Mark(mark)
            }
        };
        Ok((token, Span { start, end: self.at }))
    }

    fn number(&mut self, start: usize) -> Token<'a> {
        if self.byte() == Some(b'0') && self.byte_at(self.at + 1) == Some(b'x') {
            self.at += 2;
            self.skip_while(|byte| byte.is_ascii_hexdigit());
            return Token::Int(&self.text[start..self.at]);
        }
        let mut float = false;
        self.skip_while(|byte| byte.is_ascii_digit());
        if self.byte() == Some(b'.') {
            float = true;
            self.at += 1;
            self.skip_while(|byte| byte.is_ascii_digit());
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            float = true;
            self.at += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.skip_while(|byte| byte.is_ascii_digit());
        }
        let text = &self.text[start..self.at];
        if float { Token::Float(text) } else { Token::Int(text) }
    }

    fn string(&mut self) -> Fallible<Token<'a>> {
        let open = self.at;
        let extended = self.hidden || self.pragma;
        self.at += 1;
        let start = self.at;
        self.skip_while(|byte| byte != b'"' && byte != b'\\' && !(extended && byte == b'\n'));
        let unfinished = |at: usize| {
            Fault::expecting(Span { start: open, end: at }, "the string is not closed", "'\"' before the end")
        };
        if self.byte() == Some(b'"') {
            let bytes = &self.text.as_bytes()[start..self.at];
            self.at += 1;
            return Ok(Token::Text(Cow::Borrowed(bytes)));
        }
        let mut bytes = self.text.as_bytes()[start..self.at].to_vec();
        loop {
            match self.byte() {
                None => return Err(unfinished(self.at)),
                Some(b'\n') if extended => return Err(unfinished(self.at)),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Token::Text(Cow::Owned(bytes)));
                }
                Some(b'\\') => {
                    let Some(escaped) = self.byte_at(self.at + 1) else { return Err(unfinished(self.at)) };
                    self.at += 2;
                    match escaped {
                        b'n' if extended => bytes.push(b'\n'),
                        b'r' if extended => bytes.push(b'\r'),
                        b'x' if extended => bytes.push(self.hex_byte()?),
                        b'\n' if extended => return Err(unfinished(self.at)),
                        other => bytes.push(other),
                    }
                }
                Some(byte) => {
                    bytes.push(byte);
                    self.at += 1;
                }
            }
        }
    }

    fn hex_byte(&mut self) -> Fallible<u8> {
        let digit = |at| self.byte_at(at).and_then(|byte| (byte as char).to_digit(16));
        match (digit(self.at), digit(self.at + 1)) {
            (Some(high), Some(low)) => {
                self.at += 2;
                Ok((high * 16 + low) as u8)
            }
            _ => Err(Fault::expecting(
                Span { start: self.at - 2, end: self.at },
                "'\\x' is no byte",
                "two hexadecimal digits",
            )),
        }
    }
}

/// Whether a word starts a type in a list of values.
pub(crate) fn is_type_word(word: &str) -> bool {
    matches!(word, "seq" | "map" | "optional" | "sparse_tensor" | "opaque") || DType::from_text(word).is_some()
}

/// Whether a comment looks like a list of types: `float[N,3], int64` but not `float weights follow`.
fn is_type_list(comment: &str) -> bool {
    let comment = comment.trim();
    if let Some(rest) = comment.strip_prefix('?') {
        return rest.is_empty() || rest.trim_start().starts_with(',');
    }
    let length = comment.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
    let (word, rest) = comment.split_at(length);
    is_type_word(word) && (rest.is_empty() || rest.trim_start().starts_with(['[', '(', ',']))
}
