//! The grammar of pragmas: `#: subject name key = value, key = value`, one line each.

use super::{MAX_DEPTH, Parser};
use crate::ast::{At, CaptureAst, Field, FieldValue, Label, OriginAst, Pragma, Subject};
use crate::error::{Fallible, Fault};
use crate::lexer::{Token, is_type_word};
use edgesmith_ir::Dim;

impl<'a> Parser<'a> {
    /// A whole pragma, from its mark to the end of its line.
    pub(super) fn pragma(&mut self) -> Fallible<Pragma<'a>> {
        self.expect(&Token::Pragma)?;
        let start = self.last;
        let word = self.word("the subject of a pragma")?;
        let at = self.last;
        let mut first_key = None;
        let subject = match word {
            "model" => Subject::Model,
            "complete" => Subject::Complete,
            "graph" => Subject::Graph,
            "function" => Subject::Function,
            "entry" => Subject::Entry(self.name("the name of an entry")?),
            "alias" => {
                let name = self.name("the name of an entry")?;
                self.expect_mark('=')?;
                Subject::Alias(name, self.name("the name of an entry")?)
            }
            "symbol" => Subject::Symbol(self.name("a symbol")?),
            "value" => Subject::Value(self.name("the name of a value")?),
            "tensor" => Subject::Tensor(self.name("the name of a value")?),
            "equal" => {
                let left = self.dim()?;
                self.expect_mark('=')?;
                Subject::Equal(left, self.dim()?)
            }
            "let" => {
                let row = self.row()?;
                self.expect_mark('=')?;
                Subject::Let(row.value, self.origin()?)
            }
            "captures" => Subject::Captures(self.captures()?),
            "undeclared" => {
                let mut names = vec![self.name("the name of a value")?];
                while self.take_mark(',')? {
                    names.push(self.name("the name of a value")?);
                }
                Subject::Undeclared(names)
            }
            "origin" | "doc" | "metadata" | "opaque" | "custom" | "typed" | "call" => {
                first_key = Some(At { value: word, span: at });
                Subject::Op
            }
            _ => {
                return Err(Fault::expecting(
                    at,
                    format!("no pragma starts with '{word}'"),
                    "model, complete, symbol, equal, let, entry, alias, graph, function, value, tensor, captures, undeclared, origin, doc, metadata, opaque, custom, typed or call",
                ));
            }
        };
        let mut fields = Vec::new();
        while *self.peek()? != Token::PragmaEnd {
            let key = if let Some(key) = first_key.take() {
                key
            } else {
                if !fields.is_empty() {
                    self.expect_mark(',')?;
                }
                let value = self.word("a key")?;
                At { value, span: self.last }
            };
            let value = if self.take_mark('=')? { self.field_value()? } else { FieldValue::Flag };
            fields.push(Field { key, value });
        }
        if let Some(key) = first_key {
            fields.push(Field { key, value: FieldValue::Flag });
        }
        let span = start.to(self.last);
        self.expect(&Token::PragmaEnd)?;
        Ok(Pragma { subject, fields, span })
    }

    fn field_value(&mut self) -> Fallible<FieldValue<'a>> {
        match self.peek()? {
            Token::Int(_) => Ok(FieldValue::Int(self.int()?)),
            Token::Text(_) => match self.next()? {
                Token::Text(bytes) => Ok(FieldValue::Text(bytes)),
                _ => self.unexpected("a string"),
            },
            Token::Mark('[') => {
                self.next()?;
                Ok(FieldValue::Pairs(self.pairs()?))
            }
            Token::Mark('?') => Ok(FieldValue::Type(self.value_type()?)),
            Token::Mark('@') | Token::Word("source" | "derived") => Ok(FieldValue::Origin(self.origin()?)),
            Token::Word(word) if is_type_word(word) => Ok(FieldValue::Type(self.value_type()?)),
            Token::Word(_) => Ok(FieldValue::Word(self.word("a value")?)),
            _ => self.unexpected("a value"),
        }
    }

    fn dim(&mut self) -> Fallible<Dim> {
        if let Token::Int(_) = self.peek()? {
            return Ok(Dim::Known(self.int()?));
        }
        let text = self.string()?;
        Dim::parse(&text).map_err(|error| Fault::new(self.last, error.to_string()))
    }

    fn captures(&mut self) -> Fallible<Vec<CaptureAst<'a>>> {
        self.expect_mark('(')?;
        let mut captures = Vec::new();
        if self.take_mark(')')? {
            return Ok(captures);
        }
        loop {
            let outer = self.name("the name of a value")?;
            let inner = self.name_after("as")?;
            let label = self.name_after("label")?;
            captures.push(CaptureAst { outer, inner, label });
            if !self.take_mark(',')? {
                self.expect_mark(')')?;
                return Ok(captures);
            }
        }
    }

    fn name_after(&mut self, word: &str) -> Fallible<Option<Label<'a>>> {
        if self.take(&Token::Word(word))? { self.name("the name of a value").map(Some) } else { Ok(None) }
    }

    /// `@12`.
    fn row(&mut self) -> Fallible<At<u32>> {
        self.expect_mark('@')?;
        let number = self.int()?;
        let value = u32::try_from(number)
            .map_err(|_| Fault::expecting(self.last, format!("'{number}' is no row"), "a small number"))?;
        Ok(At { value, span: self.last })
    }

    fn origin(&mut self) -> Fallible<OriginAst<'a>> {
        if *self.peek()? == Token::Mark('@') {
            return Ok(OriginAst::Row(self.row()?));
        }
        let word = self.word("source, derived or '@'")?;
        let at = self.last;
        self.expect_mark('(')?;
        match word {
            "source" => {
                let node = self.string()?;
                self.expect_mark(',')?;
                let operator = self.string()?;
                let scope = if self.take_mark(',')? { Some(self.string()?) } else { None };
                self.expect_mark(')')?;
                Ok(OriginAst::Source { node, operator, scope })
            }
            "derived" => {
                self.depth += 1;
                if self.depth > MAX_DEPTH * 2 {
                    return Err(Fault::expecting(at, "origins are nested too deep", "rows of the table ('#: let')"));
                }
                let rule = self.string()?;
                let mut from = Vec::new();
                while self.take_mark(',')? {
                    from.push(self.origin()?);
                }
                self.depth -= 1;
                self.expect_mark(')')?;
                Ok(OriginAst::Derived { rule, from })
            }
            _ => Err(Fault::expecting(at, format!("'{word}' is no origin"), "source, derived or '@'")),
        }
    }
}
