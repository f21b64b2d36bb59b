//! What a text says, before names are looked up.

use std::borrow::Cow;

use edgesmith_ir::{Dim, ValueType};

use crate::error::Span;

/// Something with its place.
#[derive(Clone, Debug)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

/// A name.
pub(crate) type Label<'a> = At<Cow<'a, str>>;
/// Keys and values.
pub(crate) type Pairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

#[derive(Debug, Default)]
pub(crate) struct ModelAst<'a> {
    pub(crate) header: Option<Header<'a>>,
    pub(crate) pragmas: Vec<Pragma<'a>>,
    /// The main graph first.
    pub(crate) entries: Vec<EntryAst<'a>>,
    pub(crate) functions: Vec<FunctionAst<'a>>,
}

/// One entry, with its name where the text gives it.
#[derive(Debug)]
pub(crate) struct EntryAst<'a> {
    pub(crate) name: Option<Label<'a>>,
    pub(crate) body: EntryBody<'a>,
}

#[derive(Debug)]
pub(crate) enum EntryBody<'a> {
    Graph(GraphAst<'a>),
    /// The graph of an earlier entry.
    Alias(Label<'a>),
}

#[derive(Debug, Default)]
pub(crate) struct Header<'a> {
    pub(crate) ir_version: i64,
    pub(crate) opsets: Vec<(Cow<'a, str>, i64)>,
    pub(crate) producer_name: Cow<'a, str>,
    pub(crate) producer_version: Cow<'a, str>,
    pub(crate) domain: Cow<'a, str>,
    pub(crate) model_version: i64,
    pub(crate) doc: Cow<'a, str>,
    pub(crate) properties: Pairs<'a>,
    pub(crate) overload: Cow<'a, str>,
}

#[derive(Debug)]
pub(crate) struct GraphAst<'a> {
    pub(crate) name: Label<'a>,
    pub(crate) inputs: Vec<ValueAst<'a>>,
    pub(crate) outputs: Vec<ValueAst<'a>>,
    /// Initializers (with data) and types of interior values (without).
    pub(crate) infos: Vec<ValueAst<'a>>,
    pub(crate) ops: Vec<OpAst<'a>>,
    pub(crate) pragmas: Vec<Pragma<'a>>,
}

#[derive(Debug)]
pub(crate) struct ValueAst<'a> {
    pub(crate) ty: Option<ValueType>,
    pub(crate) name: Label<'a>,
    pub(crate) data: Option<DataAst<'a>>,
}

#[derive(Debug)]
pub(crate) struct FunctionAst<'a> {
    pub(crate) header: Header<'a>,
    pub(crate) attributes: Vec<Label<'a>>,
    pub(crate) defaults: Vec<AttributeAst<'a>>,
    pub(crate) graph: GraphAst<'a>,
}

#[derive(Debug)]
pub(crate) struct OpAst<'a> {
    pub(crate) name: Option<Label<'a>>,
    pub(crate) results: Vec<Label<'a>>,
    pub(crate) domain: Cow<'a, str>,
    pub(crate) operator: Cow<'a, str>,
    pub(crate) overload: Cow<'a, str>,
    pub(crate) attributes: Vec<AttributeAst<'a>>,
    pub(crate) operands: Vec<Label<'a>>,
    /// Regions that no attribute holds.
    pub(crate) regions: Vec<GraphAst<'a>>,
    pub(crate) types: Option<At<Vec<ValueType>>>,
    pub(crate) pragmas: Vec<Pragma<'a>>,
    pub(crate) span: Span,
}

#[derive(Debug)]
pub(crate) struct AttributeAst<'a> {
    pub(crate) name: Label<'a>,
    /// ONNX's `AttributeType`, 0 when the text does not say.
    pub(crate) kind: i32,
    pub(crate) value: At<AttributeValueAst<'a>>,
}

#[derive(Debug)]
pub(crate) enum AttributeValueAst<'a> {
    Int(i64),
    /// By its bits.
    Float(u32),
    Text(Cow<'a, [u8]>),
    Tensor(ValueType, DataAst<'a>),
    Type(ValueType),
    Graph(Box<GraphAst<'a>>),
    Reference(Cow<'a, str>),
    List(Vec<At<AttributeValueAst<'a>>>),
}

/// The data of a tensor.
#[derive(Debug)]
pub(crate) struct DataAst<'a> {
    pub(crate) source: DataSource<'a>,
    pub(crate) span: Span,
}

#[derive(Debug)]
pub(crate) enum DataSource<'a> {
    Elements(Vec<At<ElementAst<'a>>>),
    Keys(Pairs<'a>),
}

#[derive(Debug)]
pub(crate) enum ElementAst<'a> {
    Number(&'a str),
    Text(Cow<'a, [u8]>),
}

/// A comment that starts with `#:`.
#[derive(Debug)]
pub(crate) struct Pragma<'a> {
    pub(crate) subject: Subject<'a>,
    pub(crate) fields: Vec<Field<'a>>,
    pub(crate) span: Span,
}

/// What a pragma speaks of.
#[derive(Debug)]
pub(crate) enum Subject<'a> {
    /// The operator before it.
    Op,
    Model,
    Complete,
    Graph,
    Function,
    Entry(Label<'a>),
    Alias(Label<'a>, Label<'a>),
    Symbol(Label<'a>),
    Equal(Dim, Dim),
    /// A row of the table of origins.
    Let(u32, OriginAst<'a>),
    Value(Label<'a>),
    Tensor(Label<'a>),
    Captures(Vec<CaptureAst<'a>>),
    Undeclared(Vec<Label<'a>>),
}

#[derive(Debug)]
pub(crate) struct CaptureAst<'a> {
    /// The value outside.
    pub(crate) outer: Label<'a>,
    /// What the text inside calls it, where that differs.
    pub(crate) inner: Option<Label<'a>>,
    /// The name of the region's input, where that differs from what the text calls it.
    pub(crate) label: Option<Label<'a>>,
}

#[derive(Debug)]
pub(crate) struct Field<'a> {
    pub(crate) key: At<&'a str>,
    pub(crate) value: FieldValue<'a>,
}

#[derive(Debug)]
pub(crate) enum FieldValue<'a> {
    Flag,
    Int(i64),
    Text(Cow<'a, [u8]>),
    Word(&'a str),
    Pairs(Pairs<'a>),
    Type(ValueType),
    Origin(OriginAst<'a>),
}

#[derive(Debug)]
pub(crate) enum OriginAst<'a> {
    /// A row of the table.
    Row(At<u32>),
    Source {
        node: Cow<'a, str>,
        operator: Cow<'a, str>,
        scope: Option<Cow<'a, str>>,
    },
    Derived {
        rule: Cow<'a, str>,
        from: Vec<OriginAst<'a>>,
    },
}
