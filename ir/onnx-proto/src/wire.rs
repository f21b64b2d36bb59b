//! Reading the wire format: varints, keys, and the faults that bytes can have.
//!
//! This module knows nothing about messages; it moves a cursor over bytes.

use std::fmt;

/// How the value of a field is laid out on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WireType {
    /// A number of 1 to 10 bytes.
    Varint,
    /// 8 bytes.
    Fixed64,
    /// A length and that many bytes.
    LengthDelimited,
    /// 4 bytes.
    Fixed32,
}

impl fmt::Display for WireType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Varint => "varint",
            Self::Fixed64 => "64-bit",
            Self::LengthDelimited => "length-delimited",
            Self::Fixed32 => "32-bit",
        })
    }
}

/// What is wrong with malformed bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireFault {
    /// The data, or the message around it, end within a varint.
    #[error("a varint is cut off")]
    TruncatedVarint,
    /// A varint of more than 64 bits.
    #[error("a varint is larger than 64 bits")]
    VarintOverflow,
    /// The data, or the message around it, end within a value.
    #[error("a value of {needed} bytes is cut off after {left}")]
    TruncatedValue {
        /// Bytes that the value claims to have.
        needed: u64,
        /// Bytes that are left.
        left: u64,
    },
    /// A field number of 0 or above the largest that the format allows.
    #[error("the field key {key} is not valid")]
    FieldNumber {
        /// The key as it was read: the field number times 8, plus the wire type.
        key: u64,
    },
    /// A wire type that does not exist.
    #[error("wire type {number} does not exist")]
    UnknownWireType {
        /// Number of the wire type.
        number: u8,
    },
    /// A group, which ONNX never uses.
    #[error("a group was found, which ONNX files never have")]
    Group,
    /// A known field with a wire type that it cannot have.
    #[error("the field is {found} where {expected} is required")]
    WrongWireType {
        /// The wire type that the field has.
        expected: WireType,
        /// The wire type that was found.
        found: WireType,
    },
    /// A packed list of numbers of fixed width whose length is no multiple of that width.
    #[error("a packed list of {length} bytes is no multiple of {width} bytes")]
    RaggedPacked {
        /// Length of the list in bytes.
        length: u64,
        /// Bytes per number.
        width: u64,
    },
    /// A string that is not UTF-8.
    #[error("a string is not valid UTF-8")]
    NotUtf8,
}

/// A fault and where it was found.
#[derive(Debug)]
pub(crate) struct FaultAt {
    pub offset: usize,
    pub fault: WireFault,
}

/// A position in a buffer.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    /// Offset of the next byte to read.
    pub position: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// Reads a varint that must end before `end`.
    #[inline]
    pub fn varint(&mut self, end: usize) -> Result<u64, FaultAt> {
        let start = self.position;
        let within = self.bytes.get(start..end).unwrap_or_default();
        match within.first() {
            Some(&byte) if byte < 0x80 => {
                self.position += 1;
                Ok(u64::from(byte))
            }
            _ => self.long_varint(within),
        }
    }

    fn long_varint(&mut self, within: &[u8]) -> Result<u64, FaultAt> {
        let offset = self.position;
        let mut value = 0_u64;
        for (index, &byte) in within.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            // The tenth byte has room for one bit only.
            if index == 9 && byte > 1 {
                return Err(FaultAt { offset, fault: WireFault::VarintOverflow });
            }
            if byte < 0x80 {
                self.position += index + 1;
                return Ok(value);
            }
        }
        Err(FaultAt { offset, fault: WireFault::TruncatedVarint })
    }

    /// Reads the key of a field: its number and wire type.
    #[inline]
    pub fn key(&mut self, end: usize) -> Result<(u32, WireType), FaultAt> {
        let offset = self.position;
        let fault = |fault| Err(FaultAt { offset, fault });
        let key = self.varint(end)?;
        let Ok(short) = u32::try_from(key) else { return fault(WireFault::FieldNumber { key }) };
        let wire_type = match short & 7 {
            0 => WireType::Varint,
            1 => WireType::Fixed64,
            2 => WireType::LengthDelimited,
            3 | 4 => return fault(WireFault::Group),
            5 => WireType::Fixed32,
            number => return fault(WireFault::UnknownWireType { number: number as u8 }),
        };
        match short >> 3 {
            0 => fault(WireFault::FieldNumber { key }),
            number => Ok((number, wire_type)),
        }
    }

    /// Takes the next `length` bytes, which must end at or before `end`.
    #[inline]
    pub fn take(&mut self, length: u64, end: usize) -> Result<&'a [u8], FaultAt> {
        let left = end.saturating_sub(self.position) as u64;
        let taken = usize::try_from(length)
            .ok()
            .filter(|_| length <= left)
            .and_then(|length| self.bytes.get(self.position..self.position + length));
        let Some(taken) = taken else {
            return Err(FaultAt { offset: self.position, fault: WireFault::TruncatedValue { needed: length, left } });
        };
        self.position += taken.len();
        Ok(taken)
    }

    /// Takes the value of a field with this wire type: for a length-delimited one what follows the length.
    #[inline]
    pub fn payload(&mut self, wire_type: WireType, end: usize) -> Result<&'a [u8], FaultAt> {
        match wire_type {
            WireType::Varint => {
                let start = self.position;
                self.varint(end)?;
                Ok(self.bytes.get(start..self.position).unwrap_or_default())
            }
            WireType::Fixed64 => self.take(8, end),
            WireType::Fixed32 => self.take(4, end),
            WireType::LengthDelimited => {
                let length = self.varint(end)?;
                self.take(length, end)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn varint(bytes: &[u8]) -> Result<(u64, usize), WireFault> {
        let mut cursor = Cursor::new(bytes);
        let value = cursor.varint(bytes.len()).map_err(|at| at.fault)?;
        Ok((value, cursor.position))
    }

    #[test]
    fn varints_are_read_up_to_64_bits() {
        assert_eq!(varint(&[0x05, 0xff]), Ok((5, 1)));
        assert_eq!(varint(&[0x80, 0x01]), Ok((128, 2)));
        let mut largest = [0xff; 10];
        largest[9] = 1;
        assert_eq!(varint(&largest), Ok((u64::MAX, 10)));
        largest[9] = 2;
        assert_eq!(varint(&largest), Err(WireFault::VarintOverflow));
        assert_eq!(varint(&[0x80; 11]), Err(WireFault::VarintOverflow));
        assert_eq!(varint(&[0x80; 9]), Err(WireFault::TruncatedVarint));
        assert_eq!(varint(&[]), Err(WireFault::TruncatedVarint));
    }

    #[test]
    fn a_varint_may_not_leave_its_message() {
        let mut cursor = Cursor::new(&[0x80, 0x01]);
        assert_eq!(cursor.varint(1).map_err(|at| at.fault), Err(WireFault::TruncatedVarint));
    }

    #[test]
    fn keys_are_checked() {
        let key = |bytes: &[u8]| Cursor::new(bytes).key(bytes.len()).map_err(|at| at.fault);
        assert_eq!(key(&[0x0a]), Ok((1, WireType::LengthDelimited)));
        assert_eq!(key(&[0x02]), Err(WireFault::FieldNumber { key: 2 }));
        assert_eq!(key(&[0x0b]), Err(WireFault::Group));
        assert_eq!(key(&[0x0c]), Err(WireFault::Group));
        assert_eq!(key(&[0x0e]), Err(WireFault::UnknownWireType { number: 6 }));
        assert_eq!(key(&[0x80, 0x80, 0x80, 0x80, 0x10]), Err(WireFault::FieldNumber { key: 1 << 32 }));
    }

    #[test]
    fn a_length_past_the_end_is_refused() {
        let mut cursor = Cursor::new(&[1, 2, 3]);
        let fault = cursor.take(4, 3).map_err(|at| at.fault);
        assert_eq!(fault, Err(WireFault::TruncatedValue { needed: 4, left: 3 }));
        let fault = cursor.take(u64::MAX, 3).map_err(|at| at.fault);
        assert_eq!(fault, Err(WireFault::TruncatedValue { needed: u64::MAX, left: 3 }));
        assert_eq!(cursor.take(3, 3).map_err(|at| at.fault), Ok(&[1_u8, 2, 3][..]));
    }
}
