//! Attributes of nodes, and the kinds that an attribute's value can have.

use bytes::Bytes;

use super::{GraphProto, SparseTensorProto, TensorProto, TypeProto};

/// One attribute: a name and one value field.
///
/// Which field holds the value is said by [`r#type`](Self::type). Old writers left it out, and some writers leave out a
/// value field that holds zero, so scalars keep their presence; see [`declared_type`](Self::declared_type) and
/// [`apparent_type`](Self::apparent_type). The large values are boxed: most attributes hold a number or a list of numbers.
#[derive(Clone, PartialEq, prost::Message)]
pub struct AttributeProto {
    /// Name of the attribute.
    #[prost(string, tag = "1")]
    pub name: String,
    /// A float.
    #[prost(float, optional, tag = "2")]
    pub f: Option<f32>,
    /// An integer.
    #[prost(int64, optional, tag = "3")]
    pub i: Option<i64>,
    /// A string, in no promised encoding.
    #[prost(bytes = "bytes", optional, tag = "4")]
    pub s: Option<Bytes>,
    /// A tensor.
    #[prost(message, optional, boxed, tag = "5")]
    pub t: Option<Box<TensorProto>>,
    /// A graph.
    #[prost(message, optional, boxed, tag = "6")]
    pub g: Option<Box<GraphProto>>,
    /// Floats.
    #[prost(float, repeated, packed = "false", tag = "7")]
    pub floats: Vec<f32>,
    /// Integers.
    #[prost(int64, repeated, packed = "false", tag = "8")]
    pub ints: Vec<i64>,
    /// Strings.
    #[prost(bytes = "bytes", repeated, tag = "9")]
    pub strings: Vec<Bytes>,
    /// Tensors.
    #[prost(message, repeated, tag = "10")]
    pub tensors: Vec<TensorProto>,
    /// Graphs.
    #[prost(message, repeated, tag = "11")]
    pub graphs: Vec<GraphProto>,
    /// Description for people.
    #[prost(string, tag = "13")]
    pub doc_string: String,
    /// A type.
    #[prost(message, optional, boxed, tag = "14")]
    pub tp: Option<Box<TypeProto>>,
    /// Types.
    #[prost(message, repeated, tag = "15")]
    pub type_protos: Vec<TypeProto>,
    /// Number of the [`AttributeType`]; absent in files of IR version 1.
    #[prost(int32, optional, tag = "20")]
    pub r#type: Option<i32>,
    /// Inside a function: the attribute of the calling node whose value this one takes. Empty elsewhere.
    #[prost(string, tag = "21")]
    pub ref_attr_name: String,
    /// A sparse tensor.
    #[prost(message, optional, boxed, tag = "22")]
    pub sparse_tensor: Option<Box<SparseTensorProto>>,
    /// Sparse tensors.
    #[prost(message, repeated, tag = "23")]
    pub sparse_tensors: Vec<SparseTensorProto>,
}

impl AttributeProto {
    /// The type that the attribute says it has. `None` when it says none, `undefined`, or a number that is not known.
    pub fn declared_type(&self) -> Option<AttributeType> {
        self.r#type.and_then(AttributeType::from_number)
    }

    /// The type that follows from the value fields. `None` unless exactly one of them is set, so an empty list, which
    /// leaves no trace in the file, has no apparent type.
    pub fn apparent_type(&self) -> Option<AttributeType> {
        let set = [
            (self.f.is_some(), AttributeType::Float),
            (self.i.is_some(), AttributeType::Int),
            (self.s.is_some(), AttributeType::String),
            (self.t.is_some(), AttributeType::Tensor),
            (self.g.is_some(), AttributeType::Graph),
            (!self.floats.is_empty(), AttributeType::Floats),
            (!self.ints.is_empty(), AttributeType::Ints),
            (!self.strings.is_empty(), AttributeType::Strings),
            (!self.tensors.is_empty(), AttributeType::Tensors),
            (!self.graphs.is_empty(), AttributeType::Graphs),
            (self.sparse_tensor.is_some(), AttributeType::SparseTensor),
            (!self.sparse_tensors.is_empty(), AttributeType::SparseTensors),
            (self.tp.is_some(), AttributeType::TypeProto),
            (!self.type_protos.is_empty(), AttributeType::TypeProtos),
        ];
        let mut present = set.iter().filter(|(is_set, _)| *is_set).map(|(_, kind)| *kind);
        let first = present.next()?;
        present.next().is_none().then_some(first)
    }
}

/// What an attribute's value is. The numbers are those of the file format; they are not field numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i32)]
#[non_exhaustive]
pub enum AttributeType {
    /// A float, in field `f`.
    Float = 1,
    /// An integer, in field `i`.
    Int = 2,
    /// A string, in field `s`.
    String = 3,
    /// A tensor, in field `t`.
    Tensor = 4,
    /// A graph, in field `g`.
    Graph = 5,
    /// Floats, in field `floats`.
    Floats = 6,
    /// Integers, in field `ints`.
    Ints = 7,
    /// Strings, in field `strings`.
    Strings = 8,
    /// Tensors, in field `tensors`.
    Tensors = 9,
    /// Graphs, in field `graphs`.
    Graphs = 10,
    /// A sparse tensor, in field `sparse_tensor`.
    SparseTensor = 11,
    /// Sparse tensors, in field `sparse_tensors`.
    SparseTensors = 12,
    /// A type, in field `tp`.
    TypeProto = 13,
    /// Types, in field `type_protos`.
    TypeProtos = 14,
}

impl AttributeType {
    /// The number that stands for "no type given"; it is no value of this enumeration.
    pub const UNDEFINED: i32 = 0;

    /// Every type, by number.
    pub const ALL: [Self; 14] = [
        Self::Float,
        Self::Int,
        Self::String,
        Self::Tensor,
        Self::Graph,
        Self::Floats,
        Self::Ints,
        Self::Strings,
        Self::Tensors,
        Self::Graphs,
        Self::SparseTensor,
        Self::SparseTensors,
        Self::TypeProto,
        Self::TypeProtos,
    ];

    /// The type with this number in the file format. `None` for 0, which is "undefined", and for unknown numbers.
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    /// The number in the file format.
    pub const fn number(self) -> i32 {
        self as i32
    }

    /// The name that ONNX gives the type, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Float => "float",
            Self::Int => "int",
            Self::String => "string",
            Self::Tensor => "tensor",
            Self::Graph => "graph",
            Self::Floats => "floats",
            Self::Ints => "ints",
            Self::Strings => "strings",
            Self::Tensors => "tensors",
            Self::Graphs => "graphs",
            Self::SparseTensor => "sparse_tensor",
            Self::SparseTensors => "sparse_tensors",
            Self::TypeProto => "type_proto",
            Self::TypeProtos => "type_protos",
        }
    }

    /// The type with this lower-case ONNX name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl std::fmt::Display for AttributeType {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_found_by_number_and_name() {
        for (index, kind) in AttributeType::ALL.into_iter().enumerate() {
            assert_eq!(kind.number() as usize, index + 1);
            assert_eq!(AttributeType::from_number(kind.number()), Some(kind));
            assert_eq!(AttributeType::from_name(kind.name()), Some(kind));
        }
        assert_eq!(AttributeType::from_number(AttributeType::UNDEFINED), None);
        assert_eq!(AttributeType::from_number(15), None);
    }

    #[test]
    fn the_apparent_type_is_that_of_the_only_value() {
        let number = AttributeProto { i: Some(0), ..AttributeProto::default() };
        assert_eq!(number.apparent_type(), Some(AttributeType::Int));
        assert_eq!(number.declared_type(), None);

        let both = AttributeProto { f: Some(1.0), ..number };
        assert_eq!(both.apparent_type(), None);
        assert_eq!(AttributeProto::default().apparent_type(), None);

        let declared = AttributeProto { r#type: Some(7), ..AttributeProto::default() };
        assert_eq!(declared.declared_type(), Some(AttributeType::Ints));
        let undefined = AttributeProto { r#type: Some(0), ..AttributeProto::default() };
        assert_eq!(undefined.declared_type(), None);
    }
}
