//! Attributes as ONNX has them: the form in which operators are read, printed and written, and in which unknown
//! operators keep theirs.

use bytes::Bytes;

use crate::{DType, Name, Tensor, ValueType};

/// An f32 that compares and hashes by its bits, so that operators can be map keys and NaN equals itself.
#[derive(Clone, Copy, Default)]
pub struct F32(pub f32);

impl PartialEq for F32 {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}
impl Eq for F32 {}
impl std::hash::Hash for F32 {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}
impl std::fmt::Debug for F32 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&self.0, f)
    }
}
impl From<f32> for F32 {
    fn from(x: f32) -> Self {
        Self(x)
    }
}

/// One attribute value.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Attribute {
    /// One float.
    Float(F32),
    /// One integer.
    Int(i64),
    /// Text or bytes.
    String(Bytes),
    /// A tensor (dense or strings).
    Tensor(Tensor),
    /// A sparse tensor.
    SparseTensor(Tensor),
    /// A subgraph: the index of a region of the operator.
    Graph(usize),
    /// A type.
    Type(ValueType),
    /// Several floats.
    Floats(Vec<F32>),
    /// Several integers.
    Ints(Vec<i64>),
    /// Several strings.
    Strings(Vec<Bytes>),
    /// Several tensors.
    Tensors(Vec<Tensor>),
    /// Several sparse tensors.
    SparseTensors(Vec<Tensor>),
    /// Several subgraphs: indices of regions.
    Graphs(Vec<usize>),
    /// Several types.
    Types(Vec<ValueType>),
    /// Inside a function body: the attribute of that name of the calling operator. The number is ONNX's `AttributeType`.
    Reference(Name, i32),
}

impl Attribute {
    /// ONNX's `AttributeType` number of the value.
    pub fn onnx_type(&self) -> i32 {
        match self {
            Attribute::Float(_) => 1,
            Attribute::Int(_) => 2,
            Attribute::String(_) => 3,
            Attribute::Tensor(_) => 4,
            Attribute::Graph(_) => 5,
            Attribute::Floats(_) => 6,
            Attribute::Ints(_) => 7,
            Attribute::Strings(_) => 8,
            Attribute::Tensors(_) => 9,
            Attribute::Graphs(_) => 10,
            Attribute::SparseTensor(_) => 11,
            Attribute::SparseTensors(_) => 12,
            Attribute::Type(_) => 13,
            Attribute::Types(_) => 14,
            Attribute::Reference(_, number) => *number,
        }
    }
    /// The name of the kind, for messages.
    pub fn kind(&self) -> &'static str {
        [
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
            "type",
            "types",
        ]
        .get(usize::try_from(self.onnx_type()).unwrap_or(0))
        .copied()
        .unwrap_or("undefined")
    }
}

/// Why the attributes of an operator cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttributeError {
    /// A required attribute is absent.
    #[error("attribute '{0}' is missing")]
    Missing(&'static str),
    /// An attribute has the wrong kind.
    #[error("attribute '{name}' must be {wanted}, not {found}")]
    Kind {
        /// Name of the attribute.
        name: Name,
        /// What it must be.
        wanted: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A value outside the enumeration of the specification.
    #[error("attribute '{name}' cannot be '{value}'; it is one of {allowed}")]
    Value {
        /// Name of the attribute.
        name: Name,
        /// The value found.
        value: String,
        /// The values allowed.
        allowed: String,
    },
    /// The operator has no such attribute.
    #[error("there is no attribute '{0}'")]
    Unknown(Name),
}

/// Attributes on their way into a typed operator; what is not taken is an error.
#[derive(Debug, Default)]
pub struct AttributeReader {
    attributes: Vec<(Name, Attribute)>,
}

impl AttributeReader {
    /// A reader of these attributes.
    pub fn new(attributes: Vec<(Name, Attribute)>) -> Self {
        Self { attributes }
    }
    /// Takes the raw attribute out.
    pub fn take_raw(&mut self, name: &str) -> Option<Attribute> {
        let index = self.attributes.iter().position(|(key, _)| key == name)?;
        Some(self.attributes.swap_remove(index).1)
    }
    /// Takes an attribute out, if present.
    pub fn take<T: AttributeValue>(&mut self, name: &'static str) -> Result<Option<T>, AttributeError> {
        self.take_raw(name).map(|attribute| T::from_attribute(name, attribute)).transpose()
    }
    /// Fails when something is left. Names that start with `__` are private notes of other tools and are dropped.
    pub fn finish(self) -> Result<(), AttributeError> {
        match self.attributes.into_iter().find(|(name, _)| !name.starts_with("__")) {
            Some((name, _)) => Err(AttributeError::Unknown(name)),
            None => Ok(()),
        }
    }
}

/// A Rust type that an attribute can be read into.
pub trait AttributeValue: Sized + PartialEq {
    /// Reads the attribute.
    fn from_attribute(name: &'static str, attribute: Attribute) -> Result<Self, AttributeError>;
    /// The attribute, or `None` when absence says the same.
    fn to_attribute(&self) -> Option<Attribute>;
}

fn wrong_kind<T>(name: &'static str, wanted: &'static str, found: &Attribute) -> Result<T, AttributeError> {
    Err(AttributeError::Kind { name: name.into(), wanted, found: found.kind() })
}

impl AttributeValue for i64 {
    fn from_attribute(name: &'static str, attribute: Attribute) -> Result<Self, AttributeError> {
        match attribute {
            Attribute::Int(x) => Ok(x),
            other => wrong_kind(name, "an int", &other),
        }
    }
    fn to_attribute(&self) -> Option<Attribute> {
        Some(Attribute::Int(*self))
    }
}
impl AttributeValue for bool {
    fn from_attribute(name: &'static str, attribute: Attribute) -> Result<Self, AttributeError> {
        i64::from_attribute(name, attribute).map(|x| x != 0)
    }
    fn to_attribute(&self) -> Option<Attribute> {
        Some(Attribute::Int(i64::from(*self)))
    }
}
impl AttributeValue for F32 {
    fn from_attribute(name: &'static str, attribute: Attribute) -> Result<Self, AttributeError> {
        match attribute {
            Attribute::Float(x) => Ok(x),
            other => wrong_kind(name, "a float", &other),
        }
    }
    fn to_attribute(&self) -> Option<Attribute> {
        Some(Attribute::Float(*self))
    }
}
impl AttributeValue for String {
    fn from_attribute(name: &'static str, attribute: Attribute) -> Result<Self, AttributeError> {
        match attribute {
            Attribute::String(bytes) => String::from_utf8(bytes.to_vec()).map_err(|error| AttributeError::Value {
                name: name.into(),
                value: String::from_utf8_lossy(error.as_bytes()).into_owned(),
                allowed: "UTF-8 text".into(),
            }),
            other => wrong_kind(name, "a string", &other),
        }
    }
    fn to_attribute(&self) -> Option<Attribute> {
        Some(Attribute::String(Bytes::copy_from_slice(self.as_bytes())))
    }
}
impl AttributeValue for DType {
    fn from_attribute(name: &'static str, attribute: Attribute) -> Result<Self, AttributeError> {
        let number = i64::from_attribute(name, attribute)?;
        i32::try_from(number).ok().and_then(DType::from_onnx).ok_or_else(|| AttributeError::Value {
            name: name.into(),
            value: number.to_string(),
            allowed: "the element types, 1 to 28".into(),
        })
    }
    fn to_attribute(&self) -> Option<Attribute> {
        Some(Attribute::Int(i64::from(self.onnx())))
    }
}
impl AttributeValue for Tensor {
    fn from_attribute(name: &'static str, attribute: Attribute) -> Result<Self, AttributeError> {
        match attribute {
            Attribute::Tensor(x) => Ok(x),
            other => wrong_kind(name, "a tensor", &other),
        }
    }
    fn to_attribute(&self) -> Option<Attribute> {
        Some(Attribute::Tensor(self.clone()))
    }
}
impl AttributeValue for ValueType {
    fn from_attribute(name: &'static str, attribute: Attribute) -> Result<Self, AttributeError> {
        match attribute {
            Attribute::Type(x) => Ok(x),
            other => wrong_kind(name, "a type", &other),
        }
    }
    fn to_attribute(&self) -> Option<Attribute> {
        Some(Attribute::Type(self.clone()))
    }
}
impl<T: AttributeValue> AttributeValue for Option<T> {
    fn from_attribute(name: &'static str, attribute: Attribute) -> Result<Self, AttributeError> {
        T::from_attribute(name, attribute).map(Some)
    }
    fn to_attribute(&self) -> Option<Attribute> {
        self.as_ref().and_then(AttributeValue::to_attribute)
    }
}
impl AttributeValue for Vec<i64> {
    fn from_attribute(name: &'static str, attribute: Attribute) -> Result<Self, AttributeError> {
        match attribute {
            Attribute::Ints(x) => Ok(x),
            other => wrong_kind(name, "ints", &other),
        }
    }
    fn to_attribute(&self) -> Option<Attribute> {
        Some(Attribute::Ints(self.clone()))
    }
}
impl AttributeValue for Vec<F32> {
    fn from_attribute(name: &'static str, attribute: Attribute) -> Result<Self, AttributeError> {
        match attribute {
            Attribute::Floats(x) => Ok(x),
            other => wrong_kind(name, "floats", &other),
        }
    }
    fn to_attribute(&self) -> Option<Attribute> {
        Some(Attribute::Floats(self.clone()))
    }
}
impl AttributeValue for Vec<String> {
    fn from_attribute(name: &'static str, attribute: Attribute) -> Result<Self, AttributeError> {
        match attribute {
            Attribute::Strings(strings) => {
                strings.into_iter().map(|s| String::from_attribute(name, Attribute::String(s))).collect()
            }
            other => wrong_kind(name, "strings", &other),
        }
    }
    fn to_attribute(&self) -> Option<Attribute> {
        Some(Attribute::Strings(self.iter().map(|s| Bytes::copy_from_slice(s.as_bytes())).collect()))
    }
}

/// Declares an enumeration that ONNX spells as a string attribute.
macro_rules! attribute_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }
        impl $name {
            /// The text in the file.
            pub fn text(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }
        }
        impl $crate::attribute::AttributeValue for $name {
            fn from_attribute(name: &'static str, attribute: $crate::Attribute) -> Result<Self, $crate::AttributeError> {
                let text = <String as $crate::attribute::AttributeValue>::from_attribute(name, attribute)?;
                match text.as_str() {
                    $($text => Ok($name::$variant),)*
                    _ => Err($crate::AttributeError::Value { name: name.into(), value: text, allowed: [$($text),*].join(", ") }),
                }
            }
            fn to_attribute(&self) -> Option<$crate::Attribute> {
                Some($crate::Attribute::String(bytes::Bytes::from_static(self.text().as_bytes())))
            }
        }
    };
}
pub(crate) use attribute_enum;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::{AutoPad, Conv, Gemm, HannWindow, LSTM, LeakyRelu};
    use crate::{Op, OpKind, Operator};

    fn text(text: &str) -> Attribute {
        Attribute::String(Bytes::copy_from_slice(text.as_bytes()))
    }
    fn decode(kind: OpKind, attributes: Vec<(&str, Attribute)>) -> Result<Op, String> {
        let attributes = attributes.into_iter().map(|(name, value)| (Name::from(name), value)).collect();
        kind.decode(attributes).unwrap().map_err(|error| error.to_string())
    }

    #[test]
    fn operators_are_read_and_written() {
        let attributes = vec![
            ("auto_pad", text("SAME_UPPER")),
            ("group", Attribute::Int(2)),
            ("strides", Attribute::Ints(vec![2, 2])),
        ];
        let op = decode(OpKind::Conv, attributes.clone()).unwrap();
        let conv = Conv::cast(&op).unwrap();
        assert_eq!((conv.auto_pad, conv.group, conv.strides.as_slice()), (AutoPad::SameUpper, 2, &[2, 2][..]));
        assert_eq!((conv.pads.len(), conv.kernel_shape.len()), (0, 0));
        assert_eq!(op.encode(), attributes);
        // What equals its default is not written; names may differ from fields.
        let op =
            decode(OpKind::Gemm, vec![("transB", Attribute::Int(1)), ("alpha", Attribute::Float(F32(1.0)))]).unwrap();
        assert!(Gemm::cast(&op).unwrap().transpose_b);
        assert_eq!(op.encode(), [("transB", Attribute::Int(1))]);
        let op = decode(OpKind::HannWindow, vec![("output_datatype", Attribute::Int(11))]).unwrap();
        assert_eq!(HannWindow::cast(&op).unwrap().output_datatype, DType::F64);
        let op = decode(
            OpKind::LSTM,
            vec![
                ("activations", Attribute::Strings(vec![Bytes::from_static(b"Tanh")])),
                ("clip", Attribute::Float(F32(2.0))),
                ("hidden_size", Attribute::Int(0)),
            ],
        )
        .unwrap();
        let lstm = LSTM::cast(&op).unwrap();
        assert_eq!(
            (lstm.activations.clone(), lstm.clip, lstm.hidden_size),
            (vec!["Tanh".to_owned()], Some(F32(2.0)), Some(0))
        );
        assert_eq!(op.encode().len(), 3);
    }

    #[test]
    fn every_kind_reads_what_it_writes() {
        let mut read = 0;
        for kind in OpKind::ALL {
            // Operators with required attributes refuse an empty list; the others take every default.
            let Some(Ok(op)) = kind.decode(Vec::new()) else { continue };
            assert_eq!(op.kind(), *kind);
            assert_eq!(op.encode(), [], "{kind}");
            read += 1;
        }
        assert!(read > 150, "{read}");
    }

    #[test]
    fn wrong_attributes_are_named() {
        for (kind, name, value, want) in [
            (OpKind::Conv, "group", text("2"), "attribute 'group' must be an int, not string"),
            (OpKind::Conv, "pads", Attribute::Int(1), "attribute 'pads' must be ints, not int"),
            (OpKind::LeakyRelu, "alpha", Attribute::Int(1), "attribute 'alpha' must be a float, not int"),
            (
                OpKind::Conv,
                "auto_pad",
                text("SAME"),
                "attribute 'auto_pad' cannot be 'SAME'; it is one of NOTSET, SAME_UPPER, SAME_LOWER, VALID",
            ),
            (
                OpKind::HannWindow,
                "output_datatype",
                Attribute::Int(77),
                "attribute 'output_datatype' cannot be '77'; it is one of the element types, 1 to 28",
            ),
            (OpKind::Relu, "alpha", Attribute::Int(1), "there is no attribute 'alpha'"),
            (
                OpKind::Einsum,
                "equation",
                Attribute::String(Bytes::from_static(&[0xff])),
                "attribute 'equation' cannot be '\u{fffd}'; it is one of UTF-8 text",
            ),
        ] {
            assert_eq!(decode(kind, vec![(name, value)]).unwrap_err(), want);
        }
        assert_eq!(decode(OpKind::Einsum, vec![]).unwrap_err(), "attribute 'equation' is missing");
        assert!(decode(OpKind::Relu, vec![("__private", Attribute::Int(1))]).is_ok());
        let twice = vec![("alpha", Attribute::Float(F32(1.0))), ("alpha", Attribute::Float(F32(2.0)))];
        assert_eq!(decode(OpKind::LeakyRelu, twice).unwrap_err(), "there is no attribute 'alpha'");
    }

    #[test]
    fn floats_are_keys() {
        assert_eq!(F32(f32::NAN), F32(f32::NAN));
        assert_ne!(F32(0.0), F32(-0.0));
        assert_ne!(Op::from(LeakyRelu { alpha: F32(0.1) }), Op::from(LeakyRelu { alpha: F32(0.2) }));
    }
}
