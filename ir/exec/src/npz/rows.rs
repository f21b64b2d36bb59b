//! Arrays read row by row: what is stored plainly is sliced out of the (mapped) file, what is compressed is unpacked as far
//! as it is asked for. Either way only the rows at hand are in memory.

use std::io::{Cursor, Read};

use bytes::{Buf, Bytes};
use edgesmith_ir::{DType, Extents, Name, Tensor};
use flate2::read::DeflateDecoder;
use indexmap::IndexMap;
use zip::{CompressionMethod, ZipArchive};

use super::{Header, NpzError, is_npz};

/// An array whose rows, along its first axis, are read one after the other.
#[derive(Clone, Debug)]
pub struct Rows {
    dtype: DType,
    big_endian: bool,
    shape: Extents,
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    /// The elements.
    Plain(Bytes),
    /// The compressed member, and where in the unpacked one the elements begin.
    Deflated(Bytes, usize),
}

/// The arrays of an archive by name, in its order; one array stored alone (`.npy`) gets the name `arr_0`.
pub fn open_rows(bytes: &Bytes) -> Result<IndexMap<Name, Rows>, NpzError> {
    if !is_npz(bytes) {
        return Ok([(Name::from("arr_0"), Rows::of_npy(bytes.clone())?)].into_iter().collect());
    }
    let malformed = |error: &dyn std::fmt::Display| NpzError::Malformed(error.to_string());
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| malformed(&error))?;
    let mut arrays = IndexMap::new();
    for index in 0..archive.len() {
        let member = archive.by_index_raw(index).map_err(|error| malformed(&error))?;
        let file = member.name().map_err(|error| malformed(&error))?.into_owned();
        let Some(name) = file.strip_suffix(".npy").map(str::to_owned) else { continue };
        let rows = (|| {
            let start = member.data_start().and_then(|start| usize::try_from(start).ok());
            let length = usize::try_from(member.compressed_size()).ok();
            let range = start.zip(length).and_then(|(start, length)| Some(start..start.checked_add(length)?));
            let data = range.filter(|range| range.end <= bytes.len()).map(|range| bytes.slice(range));
            let data = data.ok_or_else(|| NpzError::Malformed("the member lies outside of the archive".into()))?;
            match member.compression() {
                CompressionMethod::Stored => Rows::of_npy(data),
                CompressionMethod::Deflated => Rows::of_deflated(data),
                other => Err(NpzError::Unsupported(format!("packed with {other}"))),
            }
        })()
        .map_err(|error| NpzError::Array { name: name.clone(), error: Box::new(error) })?;
        arrays.insert(Name::from(name), rows);
    }
    Ok(arrays)
}

impl Rows {
    fn of_npy(bytes: Bytes) -> Result<Self, NpzError> {
        let (header, start) = Header::read(&bytes)?;
        let length = header.byte_len(u64::MAX)? as usize;
        let found = bytes.len() - start;
        if found < length {
            return Err(NpzError::Malformed(format!("{length} bytes of elements are declared, {found} follow")));
        }
        Self::new(header, Source::Plain(bytes.slice(start..start + length)))
    }

    fn of_deflated(bytes: Bytes) -> Result<Self, NpzError> {
        let mut decoder = DeflateDecoder::new(bytes.clone().reader());
        let mut head = Vec::new();
        read_up_to(&mut decoder, 12, &mut head)?;
        let (_, start) = Header::span(&head)?;
        read_up_to(&mut decoder, start.saturating_sub(12), &mut head)?;
        let (header, start) = Header::read(&head)?;
        header.byte_len(u64::MAX)?;
        Self::new(header, Source::Deflated(bytes, start))
    }

    fn new(header: Header, source: Source) -> Result<Self, NpzError> {
        if header.shape.is_empty() {
            return Err(NpzError::Malformed("a single number has no rows".into()));
        }
        if header.column_major && header.shape.len() > 1 {
            let advice = "stored column by column; save it again with numpy.ascontiguousarray";
            return Err(NpzError::Unsupported(advice.into()));
        }
        Ok(Self { dtype: header.dtype, big_endian: header.big_endian, shape: header.shape, source })
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }
    /// The extents, rows first.
    pub fn shape(&self) -> &[u64] {
        &self.shape
    }
    /// The number of rows.
    pub fn len(&self) -> u64 {
        self.shape[0]
    }
    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Starts reading at the first row.
    pub fn reader(&self) -> Result<RowReader, NpzError> {
        let row = self.shape[1..].iter().product();
        let row_bytes = self.dtype.byte_len(row).and_then(|bytes| usize::try_from(bytes).ok());
        let row_bytes = row_bytes.ok_or_else(|| NpzError::Unsupported("rows of that size".into()))?;
        let source = match &self.source {
            Source::Plain(bytes) => Open::Plain(bytes.clone()),
            Source::Deflated(bytes, start) => {
                let mut decoder = Box::new(DeflateDecoder::new(bytes.clone().reader()));
                read_up_to(&mut decoder, *start, &mut Vec::new())?;
                Open::Deflated(decoder)
            }
        };
        Ok(RowReader { of: self.clone(), row_bytes, left: self.len(), source })
    }
}

/// Reads rows in order.
#[derive(Debug)]
pub struct RowReader {
    of: Rows,
    row_bytes: usize,
    left: u64,
    source: Open,
}

#[derive(Debug)]
enum Open {
    Plain(Bytes),
    Deflated(Box<DeflateDecoder<bytes::buf::Reader<Bytes>>>),
}

impl RowReader {
    /// The next rows, as many as are left of `count`; `None` behind the last. Rows that are stored plainly share the
    /// file's bytes.
    pub fn take(&mut self, count: u64) -> Result<Option<Tensor>, NpzError> {
        let count = count.min(self.left);
        if count == 0 {
            return Ok(None);
        }
        self.left -= count;
        let length = count as usize * self.row_bytes;
        let bytes = match &mut self.source {
            Open::Plain(bytes) => bytes.split_to(length),
            Open::Deflated(decoder) => {
                let mut data = Vec::new();
                read_up_to(decoder, length, &mut data)?;
                data.into()
            }
        };
        let mut shape = self.of.shape.clone();
        shape[0] = count;
        Header { dtype: self.of.dtype, big_endian: self.of.big_endian, column_major: false, shape }
            .tensor(bytes)
            .map(Some)
    }
}

/// Exactly so many bytes more. Memory is taken as data arrive.
fn read_up_to(from: &mut impl Read, length: usize, into: &mut Vec<u8>) -> Result<(), NpzError> {
    let found = from.take(length as u64).read_to_end(into).map_err(|error| NpzError::Malformed(error.to_string()))?;
    if found < length {
        return Err(NpzError::Malformed("the array is cut off".into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::npz::{encode_npy, encode_npz};

    fn counted(rows: u64) -> Tensor {
        Tensor::from_vec([rows, 2, 3].as_slice(), (0..rows * 6).map(|x| x as f32).collect()).unwrap()
    }

    fn deflated(tensor: &Tensor) -> Bytes {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        writer.start_file("x.npy", options).unwrap();
        writer.write_all(&encode_npy(tensor).unwrap()).unwrap();
        writer.finish().unwrap().into_inner().into()
    }

    fn all(rows: &Rows, step: u64) -> Vec<f64> {
        let mut reader = rows.reader().unwrap();
        let mut elements = Vec::new();
        while let Some(tensor) = reader.take(step).unwrap() {
            assert_eq!(&tensor.shape()[1..], [2, 3]);
            elements.extend(tensor.to_f64().unwrap());
        }
        elements
    }

    #[test]
    fn rows_are_the_array_however_it_is_stored() {
        let tensor = counted(7);
        let whole = tensor.to_f64().unwrap();
        let plain: Bytes = encode_npz([("x", &tensor)]).unwrap().into();
        let single: Bytes = encode_npy(&tensor).unwrap().into();
        for (bytes, name) in [(plain, "x"), (deflated(&tensor), "x"), (single, "arr_0")] {
            let rows = &open_rows(&bytes).unwrap()[name];
            assert_eq!((rows.len(), rows.dtype()), (7, DType::F32));
            for step in [1, 3, 7, 100] {
                assert_eq!(all(rows, step), whole, "{name} by {step}, and again from the start");
            }
        }
    }

    #[test]
    fn plain_rows_share_the_file() {
        let bytes: Bytes = encode_npz([("x", &counted(4))]).unwrap().into();
        let row = open_rows(&bytes).unwrap()["x"].reader().unwrap().take(1).unwrap().unwrap();
        let range = bytes.as_ptr_range();
        assert!(range.contains(&row.dense_bytes().unwrap().as_ptr()));
    }

    #[test]
    fn damage_is_an_error_and_no_panic() {
        let bytes = deflated(&counted(50));
        for end in 0..bytes.len() {
            let Ok(arrays) = open_rows(&bytes.slice(..end)) else { continue };
            assert!(arrays.is_empty(), "cut at {end}");
        }
        let mut broken = bytes.to_vec();
        for at in 60..90 {
            broken[at] ^= 0x5a;
        }
        let read = open_rows(&broken.into()).and_then(|arrays| {
            let mut reader = arrays["x"].reader()?;
            while reader.take(9)?.is_some() {}
            Ok(())
        });
        assert!(read.is_err());
        assert!(open_rows(&encode_npy(&Tensor::scalar(1.0_f32)).unwrap().into()).is_err());
    }
}
