//! The element types of tensors by their numbers in the file format, and sets of them.

use std::fmt;

/// Makes the enumeration, its list and its names from one table, so that they cannot disagree.
macro_rules! data_types {
    ($($(#[$documentation:meta])* $variant:ident = $number:literal $name:literal,)*) => {
        /// Element type of a tensor. The numbers are those of the file format; the names those of ONNX type strings.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i32)]
        #[non_exhaustive]
        pub enum DataType {
            $($(#[$documentation])* $variant = $number,)*
        }

        impl DataType {
            /// Every type, by number.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The type with this number in the file format. `None` for 0, which is "undefined", and for unknown numbers.
            pub const fn from_number(number: i32) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The name in ONNX type strings: `float` for 32 bits, `float16`, `int4`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

data_types! {
    /// IEEE 754, 32 bits.
    Float = 1 "float",
    /// Unsigned, 8 bits.
    Uint8 = 2 "uint8",
    /// Signed, 8 bits.
    Int8 = 3 "int8",
    /// Unsigned, 16 bits.
    Uint16 = 4 "uint16",
    /// Signed, 16 bits.
    Int16 = 5 "int16",
    /// Signed, 32 bits.
    Int32 = 6 "int32",
    /// Signed, 64 bits.
    Int64 = 7 "int64",
    /// Strings of bytes, meant to be UTF-8.
    String = 8 "string",
    /// Truth values, one byte each.
    Bool = 9 "bool",
    /// IEEE 754, 16 bits.
    Float16 = 10 "float16",
    /// IEEE 754, 64 bits.
    Double = 11 "double",
    /// Unsigned, 32 bits.
    Uint32 = 12 "uint32",
    /// Unsigned, 64 bits.
    Uint64 = 13 "uint64",
    /// Two floats.
    Complex64 = 14 "complex64",
    /// Two doubles.
    Complex128 = 15 "complex128",
    /// The upper half of a 32-bit float.
    Bfloat16 = 16 "bfloat16",
    /// 8 bits: 4 of exponent, 3 of mantissa, no infinity.
    Float8E4m3fn = 17 "float8e4m3fn",
    /// 8 bits: as `float8e4m3fn` without a negative zero.
    Float8E4m3fnuz = 18 "float8e4m3fnuz",
    /// 8 bits: 5 of exponent, 2 of mantissa.
    Float8E5m2 = 19 "float8e5m2",
    /// 8 bits: as `float8e5m2` without infinities and negative zero.
    Float8E5m2fnuz = 20 "float8e5m2fnuz",
    /// Unsigned, 4 bits, two in a byte.
    Uint4 = 21 "uint4",
    /// Signed, 4 bits, two in a byte.
    Int4 = 22 "int4",
    /// 4 bits: 2 of exponent, 1 of mantissa, two in a byte.
    Float4E2m1 = 23 "float4e2m1",
    /// 8 bits: a power of two and nothing else.
    Float8E8m0 = 24 "float8e8m0",
    /// Unsigned, 2 bits, four in a byte.
    Uint2 = 25 "uint2",
    /// Signed, 2 bits, four in a byte.
    Int2 = 26 "int2",
    /// 6 bits: 2 of exponent, 3 of mantissa, four in three bytes.
    Float6E2m3 = 27 "float6e2m3",
    /// 6 bits: 3 of exponent, 2 of mantissa, four in three bytes.
    Float6E3m2 = 28 "float6e3m2",
}

impl DataType {
    /// The number that stands for "no type given"; it is no value of this enumeration.
    pub const UNDEFINED: i32 = 0;

    /// The number in the file format.
    pub const fn number(self) -> i32 {
        self as i32
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A set of data types: one bit per number.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct DataTypeSet(u64);

impl DataTypeSet {
    /// The set without members.
    pub const EMPTY: Self = Self(0);

    /// The set with one member more.
    #[must_use]
    pub const fn with(self, data_type: DataType) -> Self {
        Self(self.0 | 1 << data_type as u32)
    }

    /// Whether the type is a member.
    pub const fn contains(self, data_type: DataType) -> bool {
        self.0 & 1 << data_type as u32 != 0
    }

    /// Whether every member of the other set is one of this.
    pub const fn contains_all(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// Whether there is no member.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The number of members.
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// The members by number.
    pub fn iter(self) -> impl Iterator<Item = DataType> {
        DataType::ALL.iter().copied().filter(move |data_type| self.contains(*data_type))
    }
}

impl FromIterator<DataType> for DataTypeSet {
    fn from_iter<I: IntoIterator<Item = DataType>>(data_types: I) -> Self {
        data_types.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl fmt::Debug for DataTypeSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_found_by_number() {
        for (index, data_type) in DataType::ALL.iter().enumerate() {
            assert_eq!(data_type.number() as usize, index + 1);
            assert_eq!(DataType::from_number(data_type.number()), Some(*data_type));
        }
        assert_eq!(DataType::from_number(DataType::UNDEFINED), None);
        assert_eq!(DataType::from_number(29), None);
        assert_eq!(DataType::Float6E3m2.to_string(), "float6e3m2");
    }

    #[test]
    fn sets_hold_what_was_put_in() {
        let set: DataTypeSet = [DataType::Float, DataType::Float6E3m2].into_iter().collect();
        assert!(set.contains(DataType::Float) && set.contains(DataType::Float6E3m2));
        assert!(!set.contains(DataType::Double));
        assert_eq!(set.len(), 2);
        assert_eq!(set.iter().collect::<Vec<_>>(), [DataType::Float, DataType::Float6E3m2]);
        assert!(set.contains_all(DataTypeSet::EMPTY.with(DataType::Float)));
        assert!(!set.contains_all(DataTypeSet::EMPTY.with(DataType::Int8)));
        assert!(DataTypeSet::EMPTY.is_empty());
    }
}
