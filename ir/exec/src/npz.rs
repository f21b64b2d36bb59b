//! Arrays of numpy from bytes and into bytes: `.npy` and `.npz`. No file is opened here.
//!
//! Archives are zip files. Headers are read here: the crates at hand trust the length that a header declares, follow
//! nesting without a bound or multiply extents unchecked.
//!
//! Numbers and booleans of 1 to 8 bytes and complex numbers are read in both byte orders and both memory orders; what is
//! written is little-endian and row-major. numpy has no bfloat16 and nothing narrower than a byte.

use std::io::{Cursor, Read, Write};

use bytes::Bytes;
use edgesmith_ir::{DType, Extents, Name, Tensor, element_count};
use indexmap::IndexMap;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::eval::transposed;

mod rows;

pub use rows::{RowReader, Rows, open_rows};

/// Why bytes are no array, or a tensor cannot be written as one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NpzError {
    /// The bytes are damaged, or of another format.
    #[error("not a numpy array: {0}")]
    Malformed(String),
    /// The element type has no counterpart.
    #[error("elements of type {0} cannot be exchanged with numpy; cast them first")]
    Unsupported(String),
    /// The arrays are larger than the caller allows.
    #[error("the arrays need more than the {limit} bytes allowed")]
    TooLarge {
        /// Bytes allowed.
        limit: u64,
    },
    /// An array of an archive is at fault.
    #[error("array '{name}': {error}")]
    Array {
        /// The array.
        name: String,
        /// What is wrong with it.
        error: Box<NpzError>,
    },
}

/// Headers longer than this are refused, as numpy itself does.
const MAX_HEADER: usize = 10_000;
const MAGIC: &[u8] = b"\x93NUMPY";

/// Whether the bytes begin like an archive (`.npz`).
pub fn is_npz(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
}

/// The arrays of an archive by name, in its order; one array stored alone (`.npy`) gets the name `arr_0`, as numpy gives
/// it. `limit` bounds the bytes of all arrays together.
pub fn decode(bytes: &Bytes, limit: u64) -> Result<IndexMap<Name, Tensor>, NpzError> {
    if is_npz(bytes) {
        return decode_npz(bytes, limit);
    }
    Ok([(Name::from("arr_0"), decode_npy(bytes, limit)?)].into_iter().collect())
}

/// One array. Where byte order and memory order allow it, the tensor shares the bytes.
pub fn decode_npy(bytes: &Bytes, limit: u64) -> Result<Tensor, NpzError> {
    let (header, start) = Header::read(bytes)?;
    let length = header.byte_len(limit)?;
    let end = start.checked_add(length as usize).filter(|end| *end <= bytes.len());
    let Some(end) = end else {
        return Err(NpzError::Malformed(format!(
            "{length} bytes of elements are declared, {} follow",
            bytes.len() - start
        )));
    };
    header.tensor(bytes.slice(start..end))
}

/// The arrays of an archive by name, in its order. Members that are no arrays are passed over.
pub fn decode_npz(bytes: &[u8], limit: u64) -> Result<IndexMap<Name, Tensor>, NpzError> {
    let malformed = |error: &dyn std::fmt::Display| NpzError::Malformed(error.to_string());
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| malformed(&error))?;
    let mut arrays = IndexMap::new();
    let mut left = limit;
    for index in 0..archive.len() {
        let mut member = archive.by_index(index).map_err(|error| malformed(&error))?;
        let file = member.name().map_err(|error| malformed(&error))?.into_owned();
        let Some(name) = file.strip_suffix(".npy").map(str::to_owned) else { continue };
        let tensor = read_member(&mut member, left)
            .map_err(
                |error| if matches!(error, NpzError::TooLarge { .. }) { NpzError::TooLarge { limit } } else { error },
            )
            .map_err(|error| NpzError::Array { name: name.clone(), error: Box::new(error) })?;
        left = left.saturating_sub(tensor.byte_len());
        arrays.insert(Name::from(name), tensor);
    }
    Ok(arrays)
}

/// Memory is taken as data arrive, never by what a header promises.
fn read_member(member: &mut impl Read, limit: u64) -> Result<Tensor, NpzError> {
    let mut take = |length: u64| -> Result<Vec<u8>, NpzError> {
        let mut bytes = Vec::new();
        member.by_ref().take(length).read_to_end(&mut bytes).map_err(|error| NpzError::Malformed(error.to_string()))?;
        Ok(bytes)
    };
    let mut head = take(12)?;
    let (_, start) = Header::span(&head)?;
    head.append(&mut take(start.saturating_sub(12) as u64)?);
    let (header, start) = Header::read(&head)?;
    let length = header.byte_len(limit)?;
    // A version 1 header may end before the twelve bytes do.
    let mut data = head.split_off(start.min(head.len()));
    data.append(&mut take(length.saturating_sub(data.len() as u64))?);
    if (data.len() as u64) < length {
        return Err(NpzError::Malformed(format!("{length} bytes of elements are declared, {} follow", data.len())));
    }
    data.truncate(length as usize);
    header.tensor(data.into())
}

/// What the header of an array says.
struct Header {
    dtype: DType,
    big_endian: bool,
    column_major: bool,
    shape: Extents,
}

impl Header {
    /// Where the header's text and the elements begin.
    fn span(bytes: &[u8]) -> Result<(usize, usize), NpzError> {
        let short = || NpzError::Malformed("the header is cut off".to_owned());
        if !bytes.starts_with(MAGIC) {
            return Err(NpzError::Malformed("the magic bytes of .npy are missing".to_owned()));
        }
        let (text, length) = match bytes.get(6).ok_or_else(short)? {
            1 => (10, bytes.get(8..10).map(|b| usize::from(u16::from_le_bytes([b[0], b[1]])))),
            2 | 3 => (12, bytes.get(8..12).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize)),
            version => return Err(NpzError::Malformed(format!("version {version} of the format is not known"))),
        };
        let length = length.ok_or_else(short)?;
        if length > MAX_HEADER {
            return Err(NpzError::Malformed(format!("a header of {length} bytes")));
        }
        Ok((text, text + length))
    }

    /// The header, and where the elements begin.
    fn read(bytes: &[u8]) -> Result<(Self, usize), NpzError> {
        let (text, start) = Self::span(bytes)?;
        let text = bytes.get(text..start).and_then(|text| std::str::from_utf8(text).ok());
        let text = text.ok_or_else(|| NpzError::Malformed("the header is cut off or no text".to_owned()))?;
        Ok((Self::parse(text)?, start))
    }

    /// A dictionary literal of Python: `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
    fn parse(text: &str) -> Result<Self, NpzError> {
        let field = |name: &str| {
            let quoted = [format!("'{name}'"), format!("\"{name}\"")];
            let after = quoted.iter().find_map(|key| text.split_once(key.as_str()))?.1;
            Some(after.trim_start().strip_prefix(':')?.trim_start())
        };
        let missing = |name: &str| NpzError::Malformed(format!("the header does not say '{name}'"));
        let descr = field("descr").ok_or_else(|| missing("descr"))?;
        let quote = descr.chars().next().filter(|c| matches!(c, '\'' | '"'));
        let Some(descr) = quote.and_then(|quote| descr[1..].split(quote).next()) else {
            return Err(NpzError::Unsupported("records".to_owned()));
        };
        let order = field("fortran_order").ok_or_else(|| missing("fortran_order"))?;
        let column_major = order.starts_with("True");
        if !column_major && !order.starts_with("False") {
            return Err(missing("fortran_order"));
        }
        let shape = field("shape").and_then(|shape| shape.strip_prefix('(')?.split_once(')')).map(|(shape, _)| shape);
        let shape = shape.ok_or_else(|| missing("shape"))?;
        let parts = shape.split(',').map(str::trim).filter(|part| !part.is_empty());
        // Python 2 wrote long integers with an L.
        let shape: Result<Extents, _> = parts.map(|part| part.trim_end_matches('L').parse::<u64>()).collect();
        let shape = shape.map_err(|error| NpzError::Malformed(format!("the shape: {error}")))?;
        let (dtype, big_endian) = parse_dtype(descr).ok_or_else(|| NpzError::Unsupported(format!("'{descr}'")))?;
        Ok(Self { dtype, big_endian, column_major, shape })
    }

    /// The bytes of the elements.
    fn byte_len(&self, limit: u64) -> Result<u64, NpzError> {
        let count = element_count(&self.shape).map_err(|error| NpzError::Malformed(error.to_string()))?;
        match self.dtype.byte_len(count) {
            Some(bytes) if bytes <= limit && usize::try_from(bytes).is_ok() => Ok(bytes),
            _ => Err(NpzError::TooLarge { limit }),
        }
    }

    fn tensor(self, bytes: Bytes) -> Result<Tensor, NpzError> {
        let malformed = |error: &dyn std::fmt::Display| NpzError::Malformed(error.to_string());
        let mut bytes = bytes;
        // Complex numbers are two numbers, each of which is turned.
        let width = match self.dtype {
            DType::Complex64 => 4,
            DType::Complex128 => 8,
            dtype => dtype.whole_bytes().unwrap_or(1),
        };
        if self.big_endian && width > 1 {
            let mut turned = bytes.to_vec();
            turned.chunks_exact_mut(width).for_each(<[u8]>::reverse);
            bytes = turned.into();
        }
        if self.dtype == DType::Bool && bytes.iter().any(|byte| *byte > 1) {
            bytes = bytes.iter().map(|byte| u8::from(*byte != 0)).collect::<Vec<u8>>().into();
        }
        if !self.column_major || self.shape.len() < 2 {
            return Tensor::dense(self.dtype, self.shape, bytes).map_err(|error| malformed(&error));
        }
        let backward: Extents = self.shape.iter().rev().copied().collect();
        let stored = Tensor::dense(self.dtype, backward, bytes).map_err(|error| malformed(&error))?;
        let reversed: Vec<usize> = (0..self.shape.len()).rev().collect();
        transposed(&stored, &reversed).map_err(|error| malformed(&error))
    }
}

/// numpy's type strings: byte order, kind, bytes.
fn parse_dtype(descr: &str) -> Option<(DType, bool)> {
    let (order, kind) = match descr.chars().next()? {
        order @ ('<' | '>' | '|' | '=') => (order, &descr[1..]),
        _ => ('<', descr),
    };
    let dtype = match kind {
        "f2" => DType::F16,
        "f4" => DType::F32,
        "f8" => DType::F64,
        "i1" => DType::I8,
        "i2" => DType::I16,
        "i4" => DType::I32,
        "i8" => DType::I64,
        "u1" => DType::U8,
        "u2" => DType::U16,
        "u4" => DType::U32,
        "u8" => DType::U64,
        "b1" | "?" => DType::Bool,
        "c8" => DType::Complex64,
        "c16" => DType::Complex128,
        _ => return None,
    };
    Some((dtype, order == '>'))
}

fn descr(dtype: DType) -> Result<&'static str, NpzError> {
    Ok(match dtype {
        DType::F16 => "<f2",
        DType::F32 => "<f4",
        DType::F64 => "<f8",
        DType::I8 => "|i1",
        DType::I16 => "<i2",
        DType::I32 => "<i4",
        DType::I64 => "<i8",
        DType::U8 => "|u1",
        DType::U16 => "<u2",
        DType::U32 => "<u4",
        DType::U64 => "<u8",
        DType::Bool => "|b1",
        DType::Complex64 => "<c8",
        DType::Complex128 => "<c16",
        other => return Err(NpzError::Unsupported(other.to_string())),
    })
}

/// A tensor as the bytes of a `.npy` file.
pub fn encode_npy(tensor: &Tensor) -> Result<Vec<u8>, NpzError> {
    let descr = descr(tensor.dtype())?;
    let data = tensor.dense_bytes().map_err(|error| NpzError::Unsupported(error.to_string()))?;
    let extents: Vec<String> = tensor.shape().iter().map(|extent| format!("{extent},")).collect();
    // `(3,)` is a tuple of one, `()` of none.
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({}), }}", extents.join(" "));
    // Padded with blanks and a line feed so that the elements begin at a multiple of 64.
    let length = (10 + text.len() + 1).next_multiple_of(64) - 10;
    let Ok(declared) = u16::try_from(length) else {
        return Err(NpzError::Unsupported(format!("rank {}", tensor.rank())));
    };
    let mut bytes = Vec::with_capacity(10 + length + data.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&[1, 0]);
    bytes.extend_from_slice(&declared.to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
    bytes.resize(10 + length - 1, b' ');
    bytes.push(b'\n');
    bytes.extend_from_slice(&data);
    Ok(bytes)
}

/// Tensors as the bytes of a `.npz` file, in the order given; the same tensors always give the same bytes.
pub fn encode_npz<'a>(arrays: impl IntoIterator<Item = (&'a str, &'a Tensor)>) -> Result<Vec<u8>, NpzError> {
    let failed = |error: &dyn std::fmt::Display| NpzError::Malformed(error.to_string());
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, tensor) in arrays {
        let bytes =
            encode_npy(tensor).map_err(|error| NpzError::Array { name: name.to_owned(), error: Box::new(error) })?;
        // Without a time of writing; members near 4 GiB need the larger form.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(bytes.len() > 0xFFFF_0000);
        writer.start_file(format!("{name}.npy"), options).map_err(|error| failed(&error))?;
        writer.write_all(&bytes).map_err(|error| failed(&error))?;
    }
    Ok(writer.finish().map_err(|error| failed(&error))?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A version 1 file with this header and these bytes.
    fn npy(header: &str, data: &[u8]) -> Bytes {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&[1, 0]);
        bytes.extend_from_slice(&(header.len() as u16).to_le_bytes());
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(data);
        bytes.into()
    }

    #[test]
    fn every_type_survives_writing_and_reading() {
        let shape: Extents = [2, 3].into_iter().collect();
        let mut written: Vec<(String, Tensor)> = Vec::new();
        for dtype in DType::ALL.iter().filter(|dtype| descr(**dtype).is_ok()) {
            let length = dtype.byte_len(6).unwrap();
            let bytes: Vec<u8> =
                (0..length).map(|k| if *dtype == DType::Bool { k as u8 & 1 } else { k as u8 }).collect();
            written.push((dtype.to_string(), Tensor::dense(*dtype, shape.clone(), bytes.into()).unwrap()));
        }
        written.push(("scalar".into(), Tensor::scalar(7_i64)));
        written.push(("none".into(), Tensor::from_slice::<f32>([0, 4].as_slice(), &[]).unwrap()));
        assert_eq!(written.len(), 16);
        let arrays = || written.iter().map(|(name, tensor)| (name.as_str(), tensor));
        let bytes: Bytes = encode_npz(arrays()).unwrap().into();
        assert_eq!(bytes, encode_npz(arrays()).unwrap());
        let read = decode(&bytes, 1 << 20).unwrap();
        assert!(read.iter().map(|(name, tensor)| (name.as_str(), tensor)).eq(arrays()));
        let single = encode_npy(&written[0].1).unwrap();
        assert_eq!((single.len() - 24) % 64, 0, "elements begin at a multiple of 64");
        assert_eq!(decode(&single.into(), 1 << 20).unwrap()["arr_0"], written[0].1);
    }

    #[test]
    fn orders_of_bytes_and_axes_are_turned() {
        let column_major =
            npy("{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3), }\n", &[1, 0, 4, 0, 2, 0, 5, 0, 3, 0, 6, 0]);
        let tensor = decode_npy(&column_major, 100).unwrap();
        assert_eq!((tensor.shape(), tensor.to_ints().unwrap()), ([2, 3].as_slice(), vec![1, 2, 3, 4, 5, 6]));
        let big_endian = npy("{'shape': (2,), 'fortran_order': False, 'descr': '>u4'}", &[0, 0, 1, 0, 0, 0, 0, 9]);
        assert_eq!(decode_npy(&big_endian, 100).unwrap().to_ints().unwrap(), [256, 9]);
        let odd_bools = npy("{'descr': '|b1', 'fortran_order': False, 'shape': (2L,)}", &[7, 0]);
        assert_eq!(decode_npy(&odd_bools, 100).unwrap(), Tensor::from_bools([2].as_slice(), &[true, false]).unwrap());
    }

    #[test]
    fn damage_is_an_error() {
        let good = |shape: &str| format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}");
        let malformed = |bytes: Bytes| matches!(decode(&bytes, 1 << 20), Err(NpzError::Malformed(_)));
        assert!(malformed(Bytes::from_static(b"")));
        assert!(malformed(Bytes::from_static(b"PK\x03\x04 but no more")));
        assert!(malformed(npy(&good("(2,)"), &[0; 7])));
        assert!(malformed(npy(&good("(2"), &[0; 8])));
        assert!(malformed(npy(&good("(-2,)"), &[0; 8])));
        assert!(malformed(npy(&good("(4294967296, 4294967296)"), &[0; 8])));
        assert!(malformed(npy("{'descr': '<f4'}", &[0; 8])));
        assert!(matches!(decode(&npy(&good("(9999999,)"), &[0; 8]), 1 << 20), Err(NpzError::TooLarge { .. })));
        let objects = npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", &[0; 8]);
        assert!(matches!(decode(&objects, 100), Err(NpzError::Unsupported(_))));
        let records = npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", &[0; 8]);
        assert!(matches!(decode(&records, 100), Err(NpzError::Unsupported(_))));
        // Every cut of a whole file.
        let whole = npy(&good("(2,)"), &[0; 8]);
        assert!(decode(&whole, 100).is_ok());
        assert!((0..whole.len()).all(|end| decode(&whole.slice(..end), 100).is_err()));
    }

    #[test]
    fn an_archive_takes_no_more_than_it_may() {
        let tensor = Tensor::from_slice([4].as_slice(), &[1.0_f32; 4]).unwrap();
        let bytes: Bytes = encode_npz([("a", &tensor), ("b", &tensor)]).unwrap().into();
        assert!(decode(&bytes, 32).is_ok());
        let Err(NpzError::Array { name, error }) = decode(&bytes, 31) else { panic!("too large") };
        assert_eq!((name.as_str(), *error), ("b", NpzError::TooLarge { limit: 31 }));
        assert!((0..bytes.len()).all(|end| decode(&bytes.slice(..end), 100).is_err()));
        let bfloat = Tensor::from_slice([1].as_slice(), &[half::bf16::ONE]).unwrap();
        assert_eq!(encode_npy(&bfloat), Err(NpzError::Unsupported("bfloat16".into())));
    }
}
