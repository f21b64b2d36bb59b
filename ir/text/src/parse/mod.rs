//! From tokens to [`ast`](crate::ast): ONNX's grammar with the pragmas of this crate. Nothing is looked up here.

mod attribute;
mod pragma;
mod types;

use std::borrow::Cow;

pub(crate) use attribute::{KINDS, float_bits_of};

use crate::ast::{
    At, DataAst, DataSource, ElementAst, EntryAst, EntryBody, FunctionAst, GraphAst, Header, Label, ModelAst, OpAst,
    Pairs,
};
use crate::ast::{Subject, ValueAst};
use crate::error::{Fallible, Fault, Span};
use crate::lexer::{Lexer, Token, is_type_word};

/// Graphs, types and origins nest at most so deep.
pub(crate) const MAX_DEPTH: u32 = 100;

pub(crate) fn parse(text: &str) -> Fallible<ModelAst<'_>> {
    Parser::new(text, Lexer::new(text)).model()
}

pub(crate) struct Parser<'a> {
    text: &'a str,
    lexer: Lexer<'a>,
    peeked: Option<(Token<'a>, Span)>,
    /// The place of the last token that was taken.
    last: Span,
    depth: u32,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, lexer: Lexer<'a>) -> Self {
        Self { text, lexer, peeked: None, last: Span::default(), depth: 0 }
    }

    // ---- tokens ----

    fn peek(&mut self) -> Fallible<&Token<'a>> {
        if self.peeked.is_none() {
            self.peeked = Some(self.lexer.next()?);
        }
        Ok(self.peeked.as_ref().map_or(&Token::End, |(token, _)| token))
    }
    fn next(&mut self) -> Fallible<Token<'a>> {
        let (token, span) = match self.peeked.take() {
            Some(next) => next,
            None => self.lexer.next()?,
        };
        self.last = span;
        Ok(token)
    }
    /// Takes a token if it is next.
    fn take(&mut self, token: &Token<'_>) -> Fallible<bool> {
        let found = self.peek()? == token;
        if found {
            self.next()?;
        }
        Ok(found)
    }
    fn take_mark(&mut self, mark: char) -> Fallible<bool> {
        self.take(&Token::Mark(mark))
    }
    fn unexpected<T>(&mut self, expected: impl Into<String>) -> Fallible<T> {
        let found = self.next()?;
        Err(Fault::expecting(self.last, format!("found {}", found.describe()), expected))
    }
    fn expect(&mut self, token: &Token<'_>) -> Fallible<()> {
        if self.take(token)? { Ok(()) } else { self.unexpected(token.describe()) }
    }
    fn expect_mark(&mut self, mark: char) -> Fallible<()> {
        self.expect(&Token::Mark(mark))
    }
    fn enter(&mut self, what: &str) -> Fallible<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Fault::expecting(self.last, format!("{what} are nested too deep"), "at most 100 levels"));
        }
        Ok(())
    }

    // ---- words and literals ----

    fn utf8(&self, bytes: Cow<'a, [u8]>) -> Fallible<Cow<'a, str>> {
        let text = match bytes {
            Cow::Borrowed(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
        };
        text.ok_or_else(|| Fault::expecting(self.last, "the string is no UTF-8", "text"))
    }
    /// A string.
    fn string(&mut self) -> Fallible<Cow<'a, str>> {
        match self.peek()? {
            Token::Text(_) => match self.next()? {
                Token::Text(bytes) => self.utf8(bytes),
                _ => Ok(Cow::Borrowed("")),
            },
            _ => self.unexpected("a string"),
        }
    }
    fn word(&mut self, what: &str) -> Fallible<&'a str> {
        match *self.peek()? {
            Token::Word(word) => {
                self.next()?;
                Ok(word)
            }
            _ => self.unexpected(what),
        }
    }
    /// An identifier, perhaps quoted.
    fn name(&mut self, what: &str) -> Fallible<Label<'a>> {
        let value = match self.peek()? {
            Token::Word(_) => Cow::Borrowed(self.word(what)?),
            Token::Text(_) => self.string()?,
            _ => return self.unexpected(what),
        };
        Ok(At { value, span: self.last })
    }
    fn int(&mut self) -> Fallible<i64> {
        match *self.peek()? {
            Token::Int(digits) => {
                self.next()?;
                self.int_of(digits)
            }
            _ => self.unexpected("an integer"),
        }
    }
    fn int_of(&self, digits: &str) -> Fallible<i64> {
        digits
            .parse()
            .map_err(|_| Fault::expecting(self.last, format!("'{digits}' does not fit"), "an integer of 64 bits"))
    }
    /// `"key": "value", ...` up to a closing bracket, which is taken.
    fn pairs(&mut self) -> Fallible<Pairs<'a>> {
        let mut pairs = Pairs::new();
        if self.take_mark(']')? {
            return Ok(pairs);
        }
        loop {
            let key = self.string()?;
            self.expect_mark(':')?;
            pairs.push((key, self.string()?));
            if !self.take_mark(',')? {
                self.expect_mark(']')?;
                return Ok(pairs);
            }
        }
    }

    // ---- model ----

    fn model(&mut self) -> Fallible<ModelAst<'a>> {
        let mut model = ModelAst::default();
        let mut entry: Option<Label<'a>> = None;
        loop {
            match self.peek()? {
                Token::End => break,
                Token::Pragma => {
                    let pragma = self.pragma()?;
                    match pragma.subject {
                        Subject::Entry(name) => entry = Some(name),
                        Subject::Alias(name, of) => {
                            model.entries.push(EntryAst { name: Some(name), body: EntryBody::Alias(of) });
                        }
                        _ => model.pragmas.push(pragma),
                    }
                }
                Token::Mark('<') if model.entries.is_empty() && model.header.is_none() => {
                    model.header = Some(self.header()?);
                }
                _ if model.entries.is_empty() || entry.is_some() => {
                    let graph = self.graph(false)?;
                    model.entries.push(EntryAst { name: entry.take(), body: EntryBody::Graph(graph) });
                }
                _ => {
                    let function = self.function()?;
                    model.functions.push(function);
                }
            }
        }
        match entry {
            Some(name) => Err(Fault::expecting(name.span, "no graph follows the entry", "a graph")),
            None => Ok(model),
        }
    }

    fn header(&mut self) -> Fallible<Header<'a>> {
        let mut header = Header::default();
        self.expect_mark('<')?;
        loop {
            let key = self.word("a key of the header")?;
            let at = self.last;
            self.expect_mark(':')?;
            match key {
                "ir_version" => header.ir_version = self.int()?,
                "opset_import" => header.opsets = self.opsets()?,
                "producer_name" => header.producer_name = self.string()?,
                "producer_version" => header.producer_version = self.string()?,
                "domain" => header.domain = self.string()?,
                "model_version" => header.model_version = self.int()?,
                "doc_string" => header.doc = self.string()?,
                "overload" => header.overload = self.string()?,
                "metadata_props" => {
                    self.expect_mark('[')?;
                    header.properties = self.pairs()?;
                }
                _ => {
                    return Err(Fault::expecting(
                        at,
                        format!("the header has no '{key}'"),
                        "ir_version, opset_import, producer_name, producer_version, domain, model_version, doc_string, metadata_props or overload",
                    ));
                }
            }
            if !self.take_mark(',')? {
                self.expect_mark('>')?;
                return Ok(header);
            }
        }
    }

    fn opsets(&mut self) -> Fallible<Vec<(Cow<'a, str>, i64)>> {
        let mut opsets = Vec::new();
        self.expect_mark('[')?;
        if self.take_mark(']')? {
            return Ok(opsets);
        }
        loop {
            let domain = self.string()?;
            self.expect_mark(':')?;
            opsets.push((domain, self.int()?));
            if !self.take_mark(',')? {
                self.expect_mark(']')?;
                return Ok(opsets);
            }
        }
    }

    fn function(&mut self) -> Fallible<FunctionAst<'a>> {
        let header = if *self.peek()? == Token::Mark('<') { self.header()? } else { Header::default() };
        let name = self.name("the name of a function")?;
        let (mut attributes, mut defaults) = (Vec::new(), Vec::new());
        if self.take_mark('<')? {
            loop {
                let attribute = self.name("the name of an attribute")?;
                if matches!(self.peek()?, Token::Mark(':' | '=')) {
                    defaults.push(self.attribute_value(attribute)?);
                } else {
                    attributes.push(attribute);
                }
                if !self.take_mark(',')? {
                    self.expect_mark('>')?;
                    break;
                }
            }
        }
        let graph = self.graph_after_name(name)?;
        Ok(FunctionAst { header, attributes, defaults, graph })
    }

    // ---- graphs ----

    fn graph(&mut self, plain_name: bool) -> Fallible<GraphAst<'a>> {
        let name = if plain_name {
            let value = Cow::Borrowed(self.word("the name of a graph")?);
            At { value, span: self.last }
        } else {
            self.name("the name of a graph")?
        };
        self.graph_after_name(name)
    }

    fn graph_after_name(&mut self, name: Label<'a>) -> Fallible<GraphAst<'a>> {
        self.expect_mark('(')?;
        self.graph_after_parenthesis(name)
    }

    fn graph_after_parenthesis(&mut self, name: Label<'a>) -> Fallible<GraphAst<'a>> {
        self.enter("graphs")?;
        let mut graph = GraphAst { name, inputs: vec![], outputs: vec![], infos: vec![], ops: vec![], pragmas: vec![] };
        graph.inputs = self.values(')')?;
        self.expect(&Token::Arrow)?;
        self.expect_mark('(')?;
        graph.outputs = self.values(')')?;
        if let Some(output) = graph.outputs.iter().find(|output| output.data.is_some()) {
            return Err(Fault::expecting(output.name.span, "an output has no data", "',' or ')'"));
        }
        self.graph_pragmas(&mut graph)?;
        while self.take_mark('<')? {
            graph.infos.append(&mut self.values('>')?);
            self.graph_pragmas(&mut graph)?;
        }
        self.expect_mark('{')?;
        self.graph_pragmas(&mut graph)?;
        while !self.take_mark('}')? {
            let mut op = self.op()?;
            while *self.peek()? == Token::Pragma {
                let pragma = self.pragma()?;
                let of_op = match pragma.subject {
                    Subject::Op => true,
                    Subject::Captures(_) => op.regions.is_empty(),
                    _ => false,
                };
                if of_op { op.pragmas.push(pragma) } else { graph.pragmas.push(pragma) }
            }
            graph.ops.push(op);
        }
        self.depth -= 1;
        Ok(graph)
    }

    fn graph_pragmas(&mut self, graph: &mut GraphAst<'a>) -> Fallible<()> {
        while *self.peek()? == Token::Pragma {
            let pragma = self.pragma()?;
            graph.pragmas.push(pragma);
        }
        Ok(())
    }

    /// Typed names, perhaps with data, up to a closing mark, which is taken.
    fn values(&mut self, close: char) -> Fallible<Vec<ValueAst<'a>>> {
        let mut values = Vec::new();
        if self.take_mark(close)? {
            return Ok(values);
        }
        loop {
            let typed = matches!(self.peek()?, Token::Word(word) if is_type_word(word));
            let ty = if typed { Some(self.value_type()?) } else { None };
            let name = self.name("a name or a type")?;
            let data = if self.take_mark('=')? { Some(self.data()?) } else { None };
            values.push(ValueAst { ty, name, data });
            if !self.take_mark(',')? {
                self.expect_mark(close)?;
                return Ok(values);
            }
        }
    }

    /// `{elements}` or `["key": "value"]`.
    fn data(&mut self) -> Fallible<DataAst<'a>> {
        if self.take_mark('[')? {
            let start = self.last;
            let source = DataSource::Keys(self.pairs()?);
            return Ok(DataAst { source, span: start.to(self.last) });
        }
        if !self.take_mark('{')? {
            return self.unexpected("'{' or '['");
        }
        let start = self.last;
        let mut elements = Vec::new();
        if !self.take_mark('}')? {
            loop {
                let value = match self.next()? {
                    Token::Int(number) | Token::Float(number) => ElementAst::Number(number),
                    Token::Word(word) if matches!(word, "inf" | "nan") => ElementAst::Number(word),
                    Token::Text(text) => ElementAst::Text(text),
                    found => {
                        return Err(Fault::expecting(self.last, format!("found {}", found.describe()), "an element"));
                    }
                };
                elements.push(At { value, span: self.last });
                if !self.take_mark(',')? {
                    self.expect_mark('}')?;
                    break;
                }
            }
        }
        Ok(DataAst { source: DataSource::Elements(elements), span: start.to(self.last) })
    }

    // ---- operators ----

    fn op(&mut self) -> Fallible<OpAst<'a>> {
        self.peek()?;
        let start = self.peeked.as_ref().map_or(self.last, |(_, span)| *span);
        self.lexer.types = None;
        let mut name = None;
        if self.take_mark('[')? {
            let label = if *self.peek()? == Token::Mark(']') {
                At { value: Cow::Borrowed(""), span: self.last }
            } else {
                self.name("the name of an operator")?
            };
            name = Some(label);
            self.expect_mark(']')?;
        }
        let results = self.labels('=', "the name of a result or '='")?;
        let (domain, operator) = self.operator_name()?;
        let overload = if self.take_mark(':')? { self.name("an overload")?.value } else { Cow::Borrowed("") };
        let mut attributes = self.attributes()?;
        self.expect_mark('(')?;
        let operands = self.labels(')', "the name of an operand or ')'")?;
        if attributes.is_empty() {
            attributes = self.attributes()?;
        }
        let mut span = start.to(self.last);
        let mut regions = Vec::new();
        while self.take(&Token::ThinArrow)? {
            regions.push(self.graph(false)?);
            span = start.to(self.last);
        }
        self.peek()?;
        let types = self.lexer.types.take().map(|span| self.type_list(span)).transpose()?;
        Ok(OpAst {
            name,
            results,
            domain,
            operator,
            overload,
            attributes,
            operands,
            regions,
            types,
            pragmas: vec![],
            span,
        })
    }

    /// Names between commas up to a closing mark, which is taken; nothing before a comma is an absent one.
    fn labels(&mut self, close: char, what: &str) -> Fallible<Vec<Label<'a>>> {
        let mut labels = Vec::new();
        loop {
            if self.take_mark(close)? {
                return Ok(labels);
            }
            if *self.peek()? == Token::Mark(',') {
                labels.push(At { value: Cow::Borrowed(""), span: self.last });
            } else {
                labels.push(self.name(what)?);
            }
            if !self.take_mark(',')? {
                self.expect_mark(close)?;
                return Ok(labels);
            }
        }
    }

    /// `domain.path.Operator`; the parts may be quoted where this parser alone reads.
    fn operator_name(&mut self) -> Fallible<(Cow<'a, str>, Cow<'a, str>)> {
        let mut operator = self.name("the name of an operator")?.value;
        let mut domain: Cow<'a, str> = Cow::Borrowed("");
        let mut first = true;
        while self.take_mark('.')? {
            let next = self.name("the rest of the name of an operator")?.value;
            let part = std::mem::replace(&mut operator, next);
            domain = if std::mem::take(&mut first) { part } else { Cow::Owned(format!("{domain}.{part}")) };
        }
        Ok((domain, operator))
    }
}
