//! Tensors of the file as tensors of the IR: raw data stay where they are, everything else is packed little-endian.

use bytes::Bytes;
use edgesmith_frontend::ExternalData;
use edgesmith_ir::{DType, Extents, Tensor, element_count};
use edgesmith_onnx_proto::{DataLocation, SparseTensorProto, TensorProto};

use crate::error::TensorFault;

/// Reads a tensor; its typed data are taken out of the message.
pub(crate) fn dense(proto: &mut TensorProto, external: &dyn ExternalData) -> Result<Tensor, TensorFault> {
    let number = proto.data_type.unwrap_or_default();
    let dtype = DType::from_onnx(number).ok_or(TensorFault::DType(number))?;
    let shape = extents(&proto.dims)?;
    if proto.segment.is_some() {
        return Err(TensorFault::Segment);
    }
    if proto.data_location == Some(DataLocation::External.number()) {
        return outside(proto, dtype, shape, external);
    }
    let field = data_field(proto)?;
    if dtype == DType::String {
        if let Some(found) = field.filter(|field| *field != "string_data") {
            return Err(TensorFault::Field { dtype, found, wanted: "string_data" });
        }
        return Ok(Tensor::strings(shape, std::mem::take(&mut proto.string_data))?);
    }
    let bytes = match (field, proto.raw_data.take()) {
        (Some("raw_data"), Some(raw)) => raw,
        (None, _) => Bytes::new(),
        (Some(found), _) => typed(proto, dtype, &shape, found)?,
    };
    let bytes = if dtype == DType::Bool { truth(bytes) } else { bytes };
    Ok(Tensor::dense(dtype, shape, bytes)?)
}

/// Reads a sparse tensor.
pub(crate) fn sparse(proto: &mut SparseTensorProto, external: &dyn ExternalData) -> Result<Tensor, TensorFault> {
    let wrong = |what: &str| Err(TensorFault::Sparse(what.to_owned()));
    let (Some(values), Some(indices)) = (&mut proto.values, &mut proto.indices) else {
        return wrong("values or indices are missing");
    };
    let (values, indices) = (dense(values, external)?, dense(indices, external)?);
    let shape = extents(&proto.dims)?;
    let elements = element_count(&shape)?;
    if shape.is_empty() || elements == 0 {
        return wrong("every extent must be positive, and there must be one");
    }
    if values.rank() != 1 {
        return wrong("values must have rank 1");
    }
    if indices.dtype() != DType::I64 {
        return wrong("indices must be int64");
    }
    let per_element = match *indices.shape() {
        [n] if n == values.len() => 1,
        [n, rank] if n == values.len() && rank == shape.len() as u64 => shape.len(),
        _ => return wrong("indices must have the shape [n] or [n, rank], n being the number of values"),
    };
    let all = indices.view::<i64>()?;
    let mut last = None;
    for row in all.chunks(per_element) {
        let linear = if per_element == 1 {
            u64::try_from(row[0]).ok().filter(|index| *index < elements)
        } else {
            row.iter().zip(&shape).try_fold(0_u64, |linear, (index, extent)| {
                let index = u64::try_from(*index).ok().filter(|index| index < extent)?;
                Some(linear * extent + index)
            })
        };
        let Some(linear) = linear else { return wrong("an index is outside the shape") };
        if last.is_some_and(|last| linear <= last) {
            return wrong("indices must ascend");
        }
        last = Some(linear);
    }
    Ok(Tensor::sparse(shape, values, indices)?)
}

fn extents(dims: &[i64]) -> Result<Extents, TensorFault> {
    dims.iter()
        .enumerate()
        .map(|(axis, extent)| u64::try_from(*extent).map_err(|_| TensorFault::Negative { axis, extent: *extent }))
        .collect()
}

/// The one field that holds data.
fn data_field(proto: &TensorProto) -> Result<Option<&'static str>, TensorFault> {
    let fields = [
        ("raw_data", proto.raw_data.as_ref().is_some_and(|raw| !raw.is_empty())),
        ("float_data", !proto.float_data.is_empty()),
        ("int32_data", !proto.int32_data.is_empty()),
        ("string_data", !proto.string_data.is_empty()),
        ("int64_data", !proto.int64_data.is_empty()),
        ("double_data", !proto.double_data.is_empty()),
        ("uint64_data", !proto.uint64_data.is_empty()),
    ];
    let mut used = fields.iter().filter(|(_, used)| *used).map(|(name, _)| *name);
    match (used.next(), used.next()) {
        (Some(first), Some(second)) => Err(TensorFault::Ambiguous(first, second)),
        (field, _) => Ok(field),
    }
}

/// Typed data as packed little-endian bytes.
fn typed(proto: &mut TensorProto, dtype: DType, shape: &[u64], found: &'static str) -> Result<Bytes, TensorFault> {
    let wanted = match dtype {
        DType::F32 | DType::Complex64 => "float_data",
        DType::F64 | DType::Complex128 => "double_data",
        DType::I64 => "int64_data",
        DType::U32 | DType::U64 => "uint64_data",
        _ => "int32_data",
    };
    if found != wanted {
        return Err(TensorFault::Field { dtype, found, wanted });
    }
    let ints = || proto.int32_data.iter();
    Ok(match dtype {
        DType::F32 | DType::Complex64 => owned(std::mem::take(&mut proto.float_data))?,
        DType::F64 | DType::Complex128 => owned(std::mem::take(&mut proto.double_data))?,
        DType::I64 => owned(std::mem::take(&mut proto.int64_data))?,
        DType::U64 => owned(std::mem::take(&mut proto.uint64_data))?,
        DType::I32 => owned(std::mem::take(&mut proto.int32_data))?,
        DType::U32 => owned(proto.uint64_data.iter().map(|x| *x as u32).collect::<Vec<_>>())?,
        DType::I16 | DType::U16 | DType::F16 | DType::BF16 => owned(ints().map(|x| *x as u16).collect::<Vec<_>>())?,
        DType::F6E2M3 | DType::F6E3M2 => six_bits(&proto.int32_data),
        DType::Bool => ints().map(|x| u8::from(*x != 0)).collect::<Vec<_>>().into(),
        // Bytes, or several elements to a byte: one byte an entry.
        _ => {
            let expected = dtype.byte_len(element_count(shape)?).unwrap_or_default();
            let entries = proto.int32_data.len() as u64;
            if entries != expected {
                let data = edgesmith_ir::TensorError::Length { dtype, shape: shape.into(), expected, found: entries };
                return Err(data.into());
            }
            ints().map(|x| *x as u8).collect::<Vec<_>>().into()
        }
    })
}

fn owned<T: edgesmith_ir::Element>(elements: Vec<T>) -> Result<Bytes, TensorFault> {
    Ok(Tensor::from_vec([elements.len() as u64].as_slice(), elements)?.dense_bytes()?)
}

/// 6-bit elements, one an entry, as a stream with the least significant bits first.
fn six_bits(entries: &[i32]) -> Bytes {
    let mut bytes = Vec::with_capacity(entries.len() * 6 / 8 + 1);
    for four in entries.chunks(4) {
        let word = four.iter().rev().fold(0_u32, |word, entry| word << 6 | (*entry as u32 & 63));
        bytes.extend_from_slice(&word.to_le_bytes()[..(four.len() * 6).div_ceil(8)]);
    }
    bytes.into()
}

/// Every byte as 0 or 1; only what deviates is copied.
fn truth(bytes: Bytes) -> Bytes {
    if bytes.iter().all(|byte| *byte <= 1) {
        return bytes;
    }
    bytes.iter().map(|byte| u8::from(*byte != 0)).collect::<Vec<_>>().into()
}

/// Data in another file.
fn outside(
    proto: &TensorProto,
    dtype: DType,
    shape: Extents,
    external: &dyn ExternalData,
) -> Result<Tensor, TensorFault> {
    let wrong = |what: String| TensorFault::External(what);
    if let Some(field) = data_field(proto)? {
        return Err(wrong(format!("{field} has data as well")));
    }
    let mut location = None;
    let (mut offset, mut length) = (0_u64, None);
    for entry in &proto.external_data {
        let number = || entry.value.parse::<u64>().map_err(|_| wrong(format!("{} is no number", entry.key)));
        match entry.key.as_str() {
            "location" => location = Some(entry.value.as_str()),
            "offset" => offset = number()?,
            "length" => length = Some(number()?),
            _ => {}
        }
    }
    let location = location.ok_or_else(|| wrong("there is no location".into()))?;
    let needed = dtype
        .byte_len(element_count(&shape)?)
        .ok_or_else(|| wrong(format!("{dtype} of this shape cannot be stored in a file")))?;
    if length.is_some_and(|length| length != needed) {
        let length = length.unwrap_or_default();
        return Err(wrong(format!("length is {length}, but {dtype} of shape {shape:?} needs {needed} bytes")));
    }
    let file = external.file(location).map_err(|error| TensorFault::File { location: location.to_owned(), error })?;
    let available = file.len() as u64;
    let end = offset.checked_add(needed).filter(|end| *end <= available).ok_or_else(|| {
        wrong(format!("bytes {offset} to {offset} + {needed} are wanted, but '{location}' has {available}"))
    })?;
    let bytes = file.slice(offset as usize..end as usize);
    let bytes = if dtype == DType::Bool { truth(bytes) } else { bytes };
    Ok(Tensor::dense(dtype, shape, bytes)?)
}

/// Packs typed data into `raw_data`, so that copies of the message share them.
pub(crate) fn share(proto: &mut TensorProto, external: &dyn ExternalData) -> Result<(), TensorFault> {
    let typed = !(proto.float_data.is_empty()
        && proto.int32_data.is_empty()
        && proto.int64_data.is_empty()
        && proto.double_data.is_empty()
        && proto.uint64_data.is_empty());
    if typed {
        let tensor = dense(proto, external)?;
        proto.int32_data = Vec::new();
        proto.uint64_data = Vec::new();
        proto.raw_data = Some(tensor.dense_bytes()?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use edgesmith_frontend::NoExternalData;

    use super::*;

    fn read(proto: TensorProto) -> Result<Tensor, String> {
        let mut proto = proto;
        dense(&mut proto, &NoExternalData).map_err(|fault| fault.to_string())
    }

    fn of(dtype: DType, dims: &[i64]) -> TensorProto {
        TensorProto { dims: dims.to_vec(), data_type: Some(dtype.onnx()), ..TensorProto::default() }
    }

    #[test]
    fn raw_data_are_not_copied() {
        let raw = Bytes::from(vec![1, 2, 3, 4, 5, 6, 7, 8]);
        let tensor = read(TensorProto { raw_data: Some(raw.clone()), ..of(DType::F32, &[2]) }).unwrap();
        assert_eq!(tensor.dense_bytes().unwrap().as_ptr(), raw.as_ptr());
    }

    #[test]
    fn typed_fields_are_packed() {
        let ints = |dtype, dims: &[i64], data: &[i32]| {
            read(TensorProto { int32_data: data.to_vec(), ..of(dtype, dims) })
                .map(|t| t.dense_bytes().unwrap().to_vec())
        };
        assert_eq!(ints(DType::I8, &[2], &[-1, 5]).unwrap(), [255, 5]);
        assert_eq!(ints(DType::F16, &[2], &[0x3c00, 0xffff]).unwrap(), [0, 0x3c, 0xff, 0xff]);
        assert_eq!(ints(DType::Bool, &[3], &[0, 7, 1]).unwrap(), [0, 1, 1]);
        assert_eq!(ints(DType::U4, &[3], &[0x21, 0x03]).unwrap(), [0x21, 0x03]);
        assert_eq!(ints(DType::F6E2M3, &[5], &[1, 2, 3, 4, 5]).unwrap(), [0x81, 0x30, 0x10, 0x05]);
        assert!(ints(DType::U4, &[3], &[1, 2, 3]).unwrap_err().contains("needs 2 bytes"));
        let complex = TensorProto { float_data: vec![1.0, 2.0], ..of(DType::Complex64, &[]) };
        assert_eq!(read(complex).unwrap().dense_bytes().unwrap().len(), 8);
        let u32s = TensorProto { uint64_data: vec![7, 8], ..of(DType::U32, &[2]) };
        assert_eq!(read(u32s).unwrap().to_ints().unwrap(), [7, 8]);
    }

    #[test]
    fn bool_bytes_become_zero_or_one() {
        let tensor = read(TensorProto { raw_data: Some(Bytes::from_static(&[0, 9])), ..of(DType::Bool, &[2]) });
        assert_eq!(&*tensor.unwrap().dense_bytes().unwrap(), [0, 1]);
    }

    #[test]
    fn wrong_tensors_say_why() {
        let raw = |n: usize| Some(Bytes::from(vec![0; n]));
        let cases = [
            (TensorProto { raw_data: raw(4), ..of(DType::F32, &[2]) }, "needs 8 bytes"),
            (TensorProto { raw_data: raw(12), ..of(DType::F32, &[2]) }, "needs 8 bytes"),
            (of(DType::F32, &[2]), "needs 8 bytes"),
            (TensorProto { raw_data: raw(4), ..of(DType::F32, &[0]) }, "needs 0 bytes"),
            (of(DType::F32, &[-1]), "negative"),
            (of(DType::F32, &[1 << 40, 1 << 40]), "overflows"),
            (of(DType::F32, &[i64::MAX, i64::MAX, 0]), "overflows"),
            (TensorProto { data_type: Some(99), ..TensorProto::default() }, "99 is no element type"),
            (TensorProto { data_type: None, ..TensorProto::default() }, "0 is no element type"),
            (TensorProto { raw_data: raw(4), float_data: vec![1.0], ..of(DType::F32, &[]) }, "both raw_data and"),
            (TensorProto { int64_data: vec![1], ..of(DType::F32, &[]) }, "belongs in float_data"),
            (TensorProto { raw_data: raw(1), ..of(DType::String, &[]) }, "belongs in string_data"),
            (
                TensorProto { segment: Some(edgesmith_onnx_proto::TensorSegment::default()), ..of(DType::F32, &[]) },
                "segment",
            ),
            (TensorProto { data_location: Some(1), ..of(DType::F32, &[]) }, "no location"),
        ];
        for (proto, expected) in cases {
            let error = read(proto).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        assert_eq!(read(of(DType::F32, &[0])).unwrap().len(), 0);
        assert_eq!(read(TensorProto { raw_data: raw(0), ..of(DType::F32, &[3, 0]) }).unwrap().len(), 0);
    }

    #[test]
    fn sparse_indices_must_fit() {
        let part = |dims: &[i64], values: Vec<i64>| TensorProto { int64_data: values, ..of(DType::I64, dims) };
        let sparse_of = |dims: &[i64], indices: TensorProto| {
            let values = part(&[2], vec![5, 6]);
            let mut proto = SparseTensorProto { values: Some(values), indices: Some(indices), dims: dims.to_vec() };
            sparse(&mut proto, &NoExternalData).map_err(|fault| fault.to_string())
        };
        assert!(sparse_of(&[3, 3], part(&[2], vec![0, 8])).is_ok());
        assert!(sparse_of(&[3, 3], part(&[2, 2], vec![0, 1, 2, 2])).is_ok());
        for (dims, indices, expected) in [
            (&[3, 3][..], part(&[2], vec![0, 9]), "outside"),
            (&[3, 3], part(&[2], vec![4, 4]), "ascend"),
            (&[3, 3], part(&[2, 2], vec![0, 3, 2, 2]), "outside"),
            (&[3, 3], part(&[1], vec![4]), "shape"),
            (&[3, 0], part(&[2], vec![0, 1]), "positive"),
        ] {
            assert!(sparse_of(dims, indices).unwrap_err().contains(expected));
        }
    }
}
