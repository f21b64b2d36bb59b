//! The grammar of types.

use edgesmith_ir::{DType, Dim, Dims, Name, Shape, TensorType, ValueType};

use super::Parser;
use crate::ast::At;
use crate::error::{Fallible, Fault, Span};
use crate::lexer::{Lexer, Token};

impl Parser<'_> {
    /// A type; `?` is one of which nothing is known.
    pub(super) fn value_type(&mut self) -> Fallible<ValueType> {
        if self.take_mark('?')? {
            return Ok(ValueType::Unknown);
        }
        let word = self.word("a type")?;
        let at = self.last;
        if let Some(dtype) = DType::from_text(word) {
            return Ok(ValueType::Tensor(TensorType { dtype, shape: self.shape()? }));
        }
        self.enter("types")?;
        self.expect_mark('(')?;
        let ty = match word {
            "seq" => ValueType::Sequence(Box::new(self.value_type()?)),
            "optional" => ValueType::Optional(Box::new(self.value_type()?)),
            "map" => {
                let key = self.dtype()?;
                self.expect_mark(',')?;
                ValueType::Map(key, Box::new(self.value_type()?))
            }
            "sparse_tensor" => {
                let dtype = self.dtype()?;
                ValueType::SparseTensor(TensorType { dtype, shape: self.shape()? })
            }
            "opaque" => self.opaque()?,
            _ => {
                return Err(Fault::expecting(
                    at,
                    format!("'{word}' is no type"),
                    "an element type, seq, optional, map, sparse_tensor or opaque",
                ));
            }
        };
        self.depth -= 1;
        self.expect_mark(')')?;
        Ok(ty)
    }

    fn dtype(&mut self) -> Fallible<DType> {
        let word = self.word("an element type")?;
        DType::from_text(word)
            .ok_or_else(|| Fault::expecting(self.last, format!("'{word}' is no element type"), "as float or int64"))
    }

    /// Nothing: a scalar. `[]`: any rank. Else dims.
    fn shape(&mut self) -> Fallible<Shape> {
        if !self.take_mark('[')? {
            return Ok(Shape::scalar());
        }
        if self.take_mark(']')? {
            return Ok(Shape::Unranked);
        }
        let mut dims = Dims::new();
        loop {
            dims.push(match self.peek()? {
                Token::Mark('?') => {
                    self.next()?;
                    Dim::Unknown
                }
                Token::Word(_) => Dim::symbol(self.word("a dimension")?),
                Token::Text(_) => Dim::from_param(&self.string()?),
                Token::Int(_) => Dim::Known(self.int()?),
                _ => return self.unexpected("a dimension: a number, a symbol, an expression in quotes or '?'"),
            });
            if !self.take_mark(',')? {
                self.expect_mark(']')?;
                return Ok(Shape::Ranked(dims));
            }
        }
    }

    /// The rest of `opaque(name)` or `opaque(domain, name)`; a path with dots alone is a name.
    fn opaque(&mut self) -> Fallible<ValueType> {
        if *self.peek()? == Token::Mark(')') {
            return Ok(ValueType::Opaque(Name::default(), Name::default()));
        }
        let mut path = self.name("a domain or a name")?.value.into_owned();
        while self.take_mark('.')? {
            path.push('.');
            path.push_str(&self.name("the rest of a domain")?.value);
        }
        if self.take_mark(',')? {
            let name = self.name("a name")?.value;
            return Ok(ValueType::Opaque(path.into(), Name::from(&*name)));
        }
        Ok(ValueType::Opaque(Name::default(), path.into()))
    }

    /// The types in a comment.
    pub(super) fn type_list(&mut self, span: Span) -> Fallible<At<Vec<ValueType>>> {
        let mut parser = Parser::new(self.text, Lexer::of_comment(self.text, span));
        let mut types = vec![parser.value_type()?];
        while parser.take_mark(',')? {
            types.push(parser.value_type()?);
        }
        if *parser.peek()? == Token::End { Ok(At { value: types, span }) } else { parser.unexpected("',' or the end") }
    }
}
