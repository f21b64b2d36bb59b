//! Tensors: from elements in the text, from a description, or from the weights beside the text.

use bytes::Bytes;
use edgesmith_ir::{DType, Extents, Tensor, ValueType, element_count, tensor_type};

use super::Builder;
use crate::ast::{At, DataAst, DataSource, ElementAst};
use crate::error::{Fallible, Fault};
use crate::init::synthesize;
use crate::parse::float_bits_of;

impl Builder<'_> {
    /// The tensor of a type whose dims are numbers.
    pub(super) fn tensor(&mut self, ty: &ValueType, data: &DataAst<'_>) -> Fallible<Tensor> {
        let (ValueType::Tensor(tensor) | ValueType::SparseTensor(tensor)) = ty else {
            return Err(Fault::new(data.span, format!("{ty} has no data")));
        };
        let Some(extents) = tensor.shape.extents() else {
            return Err(Fault::expecting(
                data.span,
                format!("{ty} has no data"),
                "a type whose dimensions are numbers",
            ));
        };
        match &data.source {
            DataSource::Elements(elements) => {
                if matches!(ty, ValueType::SparseTensor(_)) {
                    return Err(Fault::expecting(data.span, "a sparse tensor has no elements here", "[\"hash\": ...]"));
                }
                let count = element_count(&extents).map_err(|error| Fault::new(data.span, error.to_string()))?;
                if count != elements.len() as u64 {
                    return Err(Fault::expecting(
                        data.span,
                        format!("{} elements", elements.len()),
                        format!("{count} for {ty}"),
                    ));
                }
                from_elements(tensor.dtype, extents, elements, data)
            }
            DataSource::Keys(keys) => match keys.as_slice() {
                [(key, hash)] if key == "hash" => {
                    let Some(found) = self.weights.weight(hash) else {
                        return Err(Fault::new(data.span, format!("there are no weights with the hash '{hash}'")));
                    };
                    if tensor_type(&found) != *ty {
                        let message = format!("the weights '{hash}' are {}, not {ty}", tensor_type(&found));
                        return Err(Fault::new(data.span, message));
                    }
                    Ok(found)
                }
                [(key, description)] if key == "init" && matches!(ty, ValueType::Tensor(_)) => {
                    synthesize(description, tensor.dtype, &extents).map_err(|message| Fault::new(data.span, message))
                }
                _ => {
                    Err(Fault::expecting(data.span, "the data are not understood", "the one key \"hash\" or \"init\""))
                }
            },
        }
    }
}

fn from_elements(
    dtype: DType,
    shape: Extents,
    elements: &[At<ElementAst<'_>>],
    data: &DataAst<'_>,
) -> Fallible<Tensor> {
    let fail = |error: edgesmith_ir::TensorError| Fault::new(data.span, error.to_string());
    if dtype == DType::String {
        let mut strings = Vec::with_capacity(elements.len());
        for element in elements {
            match &element.value {
                ElementAst::Text(text) => strings.push(Bytes::copy_from_slice(text)),
                ElementAst::Number(_) => return Err(Fault::expecting(element.span, "found a number", "a string")),
            }
        }
        return Tensor::strings(shape, strings).map_err(fail);
    }
    let mut bytes = Vec::new();
    let mut packed: u32 = 0;
    for (index, element) in elements.iter().enumerate() {
        let ElementAst::Number(text) = &element.value else {
            return Err(Fault::expecting(element.span, "found a string", format!("an element of {dtype}")));
        };
        let made = append(dtype, text, &mut bytes, &mut packed, index);
        made.ok_or_else(|| Fault::new(element.span, format!("'{text}' is no element of {dtype}")))?;
    }
    if matches!(dtype.bits(), 2 | 4) && !elements.len().is_multiple_of(8 / dtype.bits() as usize) {
        bytes.push(packed as u8);
    }
    Tensor::dense(dtype, shape, bytes.into()).map_err(fail)
}

/// Appends one element. Floats of 16 bits and fewer are given by their bits, as ONNX's own parser has it.
fn append(dtype: DType, text: &str, bytes: &mut Vec<u8>, packed: &mut u32, index: usize) -> Option<()> {
    macro_rules! int {
        ($t:ty) => {
            bytes.extend_from_slice(&text.parse::<$t>().ok()?.to_le_bytes())
        };
    }
    match dtype {
        DType::F32 => bytes.extend_from_slice(&float_bits_of(text)?.to_le_bytes()),
        DType::F64 => {
            let value: f64 = text.parse().ok()?;
            // Only a literal infinity is one; `1e999` is a mistake.
            if value.is_infinite() && !text.trim_start_matches('-').eq_ignore_ascii_case("inf") {
                return None;
            }
            let bits = match text {
                "nan" => 0x7ff8_0000_0000_0000,
                "-nan" => 0xfff8_0000_0000_0000,
                _ => value.to_bits(),
            };
            bytes.extend_from_slice(&bits.to_le_bytes());
        }
        DType::I64 => int!(i64),
        DType::I32 => int!(i32),
        DType::I16 => int!(i16),
        DType::I8 => int!(i8),
        DType::U64 => int!(u64),
        DType::U32 => int!(u32),
        DType::U16 | DType::F16 | DType::BF16 => int!(u16),
        DType::Bool => bytes.push(text.parse::<u8>().ok().filter(|bit| *bit <= 1)?),
        DType::U8 | DType::F8E4M3FN | DType::F8E4M3FNUZ | DType::F8E5M2 | DType::F8E5M2FNUZ | DType::F8E8M0 => {
            int!(u8);
        }
        DType::I4 | DType::U4 | DType::I2 | DType::U2 => {
            let bits = dtype.bits();
            let value: i64 = text.parse().ok()?;
            let range = match dtype {
                DType::I4 => -8..8,
                DType::U4 => 0..16,
                DType::I2 => -2..2,
                _ => 0..4,
            };
            if !range.contains(&value) {
                return None;
            }
            let per_byte = 8 / bits as usize;
            let mask = (1_u32 << bits) - 1;
            *packed |= (value as u32 & mask) << (bits as usize * (index % per_byte));
            if index % per_byte == per_byte - 1 {
                bytes.push(std::mem::take(packed) as u8);
            }
        }
        _ => return None,
    }
    Some(())
}
