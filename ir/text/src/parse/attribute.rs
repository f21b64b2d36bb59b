//! The grammar of attributes.

use std::borrow::Cow;

use super::Parser;
use crate::ast::{At, AttributeAst, AttributeValueAst, Label};
use crate::error::{Fallible, Fault};
use crate::lexer::{Token, is_type_word};

/// ONNX's names of attribute kinds, at their numbers.
pub(crate) const KINDS: [&str; 15] = [
    "undefined",
    "float",
    "int",
    "string",
    "tensor",
    "graph",
    "floats",
    "ints",
    "strings",
    "tensors",
    "graphs",
    "sparse_tensor",
    "sparse_tensors",
    "type_proto",
    "type_protos",
];

impl<'a> Parser<'a> {
    /// `<name = value, ...>`, or nothing.
    pub(super) fn attributes(&mut self) -> Fallible<Vec<AttributeAst<'a>>> {
        let mut attributes = Vec::new();
        if !self.take_mark('<')? {
            return Ok(attributes);
        }
        loop {
            let name = self.name("the name of an attribute")?;
            attributes.push(self.attribute_value(name)?);
            if !self.take_mark(',')? {
                self.expect_mark('>')?;
                return Ok(attributes);
            }
        }
    }

    /// `: kind = value`; the kind may be left out.
    pub(super) fn attribute_value(&mut self, name: Label<'a>) -> Fallible<AttributeAst<'a>> {
        let mut kind = 0;
        if self.take_mark(':')? {
            kind = if matches!(self.peek()?, Token::Int(_)) {
                i32::try_from(self.int()?).unwrap_or(0)
            } else {
                let word = self.word("the kind of an attribute")?;
                let index = KINDS.iter().position(|known| *known == word);
                index.map(|index| index as i32).ok_or_else(|| {
                    let known = format!("one of {}", KINDS[1..].join(", "));
                    Fault::expecting(self.last, format!("'{word}' is no kind of attribute"), known)
                })?
            };
        }
        self.expect_mark('=')?;
        let value = if self.take_mark('[')? {
            let start = self.last;
            let mut list = Vec::new();
            if !self.take_mark(']')? {
                loop {
                    list.push(self.single_value()?);
                    if !self.take_mark(',')? {
                        self.expect_mark(']')?;
                        break;
                    }
                }
            }
            At { value: AttributeValueAst::List(list), span: start.to(self.last) }
        } else {
            self.single_value()?
        };
        Ok(AttributeAst { name, kind, value })
    }

    fn single_value(&mut self) -> Fallible<At<AttributeValueAst<'a>>> {
        self.peek()?;
        let start = self.peeked.as_ref().map_or(self.last, |(_, span)| *span);
        let value = match self.peek()? {
            Token::Word(word) if is_type_word(word) => self.tensor_or_type()?,
            Token::Mark('?') => self.tensor_or_type()?,
            Token::Word(word) => {
                let word = *word;
                match special_float(word) {
                    Some(bits) => {
                        self.next()?;
                        AttributeValueAst::Float(bits)
                    }
                    None if word == "bits" => self.float_bits()?,
                    None => AttributeValueAst::Graph(Box::new(self.graph(true)?)),
                }
            }
            Token::Mark('@') => {
                self.next()?;
                AttributeValueAst::Reference(self.name("the name of an attribute")?.value)
            }
            Token::Int(_) => AttributeValueAst::Int(self.int()?),
            Token::Float(_) => match self.next()? {
                Token::Float(text) => AttributeValueAst::Float(
                    float_bits_of(text)
                        .ok_or_else(|| Fault::expecting(self.last, format!("'{text}' does not fit"), "a float"))?,
                ),
                _ => return self.unexpected("a float"),
            },
            Token::Text(_) => match self.next()? {
                Token::Text(bytes) => AttributeValueAst::Text(bytes),
                _ => return self.unexpected("a string"),
            },
            _ => return self.unexpected("the value of an attribute"),
        };
        Ok(At { value, span: start.to(self.last) })
    }

    /// A type, or a tensor of that type when data follow.
    fn tensor_or_type(&mut self) -> Fallible<AttributeValueAst<'a>> {
        let ty = self.value_type()?;
        if matches!(self.peek()?, Token::Word(_)) {
            // ONNX allows a name here; nothing has a use for it.
            self.next()?;
        }
        let equals = self.take_mark('=')?;
        if equals || matches!(self.peek()?, Token::Mark('{')) {
            return Ok(AttributeValueAst::Tensor(ty, self.data()?));
        }
        Ok(AttributeValueAst::Type(ty))
    }

    /// `bits(0x7fc00001)`: a float that no number spells; or a graph of that name.
    fn float_bits(&mut self) -> Fallible<AttributeValueAst<'a>> {
        let word = self.word("bits")?;
        let name = At { value: Cow::Borrowed(word), span: self.last };
        self.expect_mark('(')?;
        let Token::Int(digits) = *self.peek()? else {
            // Both start with a parenthesis; the graph's is taken already.
            return Ok(AttributeValueAst::Graph(Box::new(self.graph_after_parenthesis(name)?)));
        };
        self.next()?;
        let bits = digits.strip_prefix("0x").and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let Some(bits) = bits else {
            return Err(Fault::expecting(self.last, format!("'{digits}' is no float"), "0x and eight digits"));
        };
        self.expect_mark(')')?;
        Ok(AttributeValueAst::Float(bits))
    }
}

/// The bits of `inf` and `nan`, in any case, perhaps negative.
fn special_float(text: &str) -> Option<u32> {
    let (sign, word) = match text.strip_prefix('-') {
        Some(word) => (0x8000_0000, word),
        None => (0, text),
    };
    let magnitude: u32 = match word.to_ascii_lowercase().as_str() {
        "inf" | "infinity" => 0x7f80_0000,
        "nan" => 0x7fc0_0000,
        _ => return None,
    };
    Some(sign | magnitude)
}

/// The bits of a literal; nothing when it is too large for a float.
pub(crate) fn float_bits_of(text: &str) -> Option<u32> {
    special_float(text).or_else(|| text.parse::<f32>().ok().filter(|value| value.is_finite()).map(f32::to_bits))
}
