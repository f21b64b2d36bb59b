//! Element types: every one that ONNX has; a subset of them is computed with.

macro_rules! dtypes {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $bits:literal, $text:literal;)*) => {
        /// The element type of a tensor. The discriminant is ONNX's number (`TensorProto.DataType`).
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[non_exhaustive]
        pub enum DType { $($(#[$doc])* $variant = $number,)* }
        impl DType {
            /// Every element type.
            pub const ALL: &'static [DType] = &[$(DType::$variant,)*];
            /// The element type with ONNX's number.
            pub fn from_onnx(number: i32) -> Option<Self> {
                match number { $($number => Some(DType::$variant),)* _ => None }
            }
            /// The width of one element in bits; 0 for strings.
            pub fn bits(self) -> u32 {
                match self { $(DType::$variant => $bits,)* }
            }
            /// The name in ONNX's textual syntax.
            pub fn text(self) -> &'static str {
                match self { $(DType::$variant => $text,)* }
            }
            /// The element type with that name in ONNX's textual syntax.
            pub fn from_text(text: &str) -> Option<Self> {
                match text { $($text => Some(DType::$variant),)* _ => None }
            }
        }
    };
}

dtypes! {
    /// IEEE binary32.
    F32 = 1, 32, "float";
    /// Unsigned, 8 bits.
    U8 = 2, 8, "uint8";
    /// Signed, 8 bits.
    I8 = 3, 8, "int8";
    /// Unsigned, 16 bits.
    U16 = 4, 16, "uint16";
    /// Signed, 16 bits.
    I16 = 5, 16, "int16";
    /// Signed, 32 bits.
    I32 = 6, 32, "int32";
    /// Signed, 64 bits.
    I64 = 7, 64, "int64";
    /// UTF-8 text or bytes; not computed with.
    String = 8, 0, "string";
    /// One byte, 0 or 1.
    Bool = 9, 8, "bool";
    /// IEEE binary16.
    F16 = 10, 16, "float16";
    /// IEEE binary64.
    F64 = 11, 64, "double";
    /// Unsigned, 32 bits.
    U32 = 12, 32, "uint32";
    /// Unsigned, 64 bits.
    U64 = 13, 64, "uint64";
    /// Two binary32.
    Complex64 = 14, 64, "complex64";
    /// Two binary64.
    Complex128 = 15, 128, "complex128";
    /// The upper half of a binary32.
    BF16 = 16, 16, "bfloat16";
    /// 8-bit float, 4 exponent bits, no infinity.
    F8E4M3FN = 17, 8, "float8e4m3fn";
    /// 8-bit float, 4 exponent bits, no infinity, no negative zero.
    F8E4M3FNUZ = 18, 8, "float8e4m3fnuz";
    /// 8-bit float, 5 exponent bits.
    F8E5M2 = 19, 8, "float8e5m2";
    /// 8-bit float, 5 exponent bits, no infinity, no negative zero.
    F8E5M2FNUZ = 20, 8, "float8e5m2fnuz";
    /// Unsigned, 4 bits, two to a byte, low nibble first.
    U4 = 21, 4, "uint4";
    /// Signed, 4 bits, two to a byte, low nibble first.
    I4 = 22, 4, "int4";
    /// 4-bit float.
    F4E2M1 = 23, 4, "float4e2m1";
    /// 8-bit power of two.
    F8E8M0 = 24, 8, "float8e8m0";
    /// Unsigned, 2 bits, four to a byte.
    U2 = 25, 2, "uint2";
    /// Signed, 2 bits, four to a byte.
    I2 = 26, 2, "int2";
    /// 6-bit float, 3 mantissa bits; four to three bytes.
    F6E2M3 = 27, 6, "float6e2m3";
    /// 6-bit float, 2 mantissa bits; four to three bytes.
    F6E3M2 = 28, 6, "float6e3m2";
}

impl DType {
    /// ONNX's number of the element type.
    pub fn onnx(self) -> i32 {
        self as i32
    }
    /// The bytes that `count` densely packed elements take; `None` for strings and on overflow.
    pub fn byte_len(self, count: u64) -> Option<u64> {
        match self.bits() {
            0 => None,
            bits => count.checked_mul(u64::from(bits))?.checked_add(7).map(|bits| bits / 8),
        }
    }
    /// Bytes of one element when it occupies whole bytes.
    pub fn whole_bytes(self) -> Option<usize> {
        let bits = self.bits() as usize;
        (bits != 0 && bits.is_multiple_of(8)).then_some(bits / 8)
    }
    /// Whether the reference evaluator computes with this type.
    pub fn is_computed(self) -> bool {
        self.is_float() || self.is_integer() || self == DType::Bool
    }
    /// binary16, bfloat16, binary32 or binary64.
    pub fn is_float(self) -> bool {
        matches!(self, DType::F16 | DType::BF16 | DType::F32 | DType::F64)
    }
    /// A signed or unsigned integer of 8 to 64 bits.
    pub fn is_integer(self) -> bool {
        self.is_signed_integer() || self.is_unsigned_integer()
    }
    /// A signed integer of 8 to 64 bits.
    pub fn is_signed_integer(self) -> bool {
        matches!(self, DType::I8 | DType::I16 | DType::I32 | DType::I64)
    }
    /// An unsigned integer of 8 to 64 bits.
    pub fn is_unsigned_integer(self) -> bool {
        matches!(self, DType::U8 | DType::U16 | DType::U32 | DType::U64)
    }
}

impl std::fmt::Display for DType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.text())
    }
}
impl serde::Serialize for DType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_lead_back() {
        for (index, dtype) in DType::ALL.iter().enumerate() {
            assert_eq!(dtype.onnx(), index as i32 + 1);
            assert_eq!(DType::from_onnx(dtype.onnx()), Some(*dtype));
            assert_eq!(DType::from_text(dtype.text()), Some(*dtype));
        }
        assert_eq!((DType::from_onnx(0), DType::from_onnx(29), DType::from_text("f32")), (None, None, None));
    }

    #[test]
    fn lengths_in_bytes() {
        for (dtype, count, want) in [
            (DType::F32, 3, Some(12)),
            (DType::U4, 3, Some(2)),
            (DType::I2, 5, Some(2)),
            (DType::F6E2M3, 4, Some(3)),
            (DType::F6E2M3, 5, Some(4)),
            (DType::Complex128, 1, Some(16)),
            (DType::String, 1, None),
            (DType::F64, u64::MAX / 8, None),
            (DType::U4, 0, Some(0)),
        ] {
            assert_eq!(dtype.byte_len(count), want, "{dtype} {count}");
        }
        assert_eq!(
            (DType::Bool.whole_bytes(), DType::U4.whole_bytes(), DType::String.whole_bytes()),
            (Some(1), None, None)
        );
    }

    #[test]
    fn classes_do_not_overlap() {
        for dtype in DType::ALL {
            let classes =
                [dtype.is_float(), dtype.is_signed_integer(), dtype.is_unsigned_integer(), *dtype == DType::Bool];
            let count = classes.iter().filter(|class| **class).count();
            assert_eq!(count, usize::from(dtype.is_computed()), "{dtype}");
        }
    }
}
