//! Tensors and element types on their way between the IR and tract.
//!
//! tract has no bfloat16 and only an emulated binary16 on most processors, so both become f32 inside the engine and are
//! rounded again where a value leaves it. Types of fewer than 8 bits, 8-bit floats and strings have no counterpart.

use edgesmith_ir::{DType, Extents, Tensor as IrTensor};
use tract_core::internal::*;

/// The element type that the engine computes a value of `dtype` in; `None` where it cannot hold it.
pub(crate) fn datum_type(dtype: DType) -> Option<DatumType> {
    Some(match dtype {
        DType::F16 | DType::BF16 | DType::F32 => DatumType::F32,
        DType::F64 => DatumType::F64,
        DType::I8 => DatumType::I8,
        DType::I16 => DatumType::I16,
        DType::I32 => DatumType::I32,
        DType::I64 => DatumType::I64,
        DType::U8 => DatumType::U8,
        DType::U16 => DatumType::U16,
        DType::U32 => DatumType::U32,
        DType::U64 => DatumType::U64,
        DType::Bool => DatumType::Bool,
        _ => return None,
    })
}

/// The IR's element type of a tract tensor.
pub(crate) fn dtype(datum_type: DatumType) -> Option<DType> {
    Some(match datum_type {
        DatumType::F32 => DType::F32,
        DatumType::F64 => DType::F64,
        DatumType::I8 => DType::I8,
        DatumType::I16 => DType::I16,
        DatumType::I32 => DType::I32,
        DatumType::I64 => DType::I64,
        DatumType::U8 => DType::U8,
        DatumType::U16 => DType::U16,
        DatumType::U32 => DType::U32,
        DatumType::U64 => DType::U64,
        DatumType::Bool => DType::Bool,
        _ => return None,
    })
}

/// Extents as tract counts them.
pub(crate) fn extents(shape: &[u64]) -> TractResult<TVec<usize>> {
    shape.iter().map(|n| usize::try_from(*n).map_err(|_| format_err!("extent {n} does not fit this machine"))).collect()
}

/// A copy of the tensor in the engine's element type.
pub(crate) fn to_tract(tensor: &IrTensor) -> TractResult<Arc<Tensor>> {
    let shape = extents(tensor.shape())?;
    macro_rules! copy {
        ($t:ty) => {
            Tensor::from_shape(&shape, &tensor.view::<$t>()?)?
        };
    }
    let made = match tensor.dtype() {
        DType::F32 => copy!(f32),
        DType::F64 => copy!(f64),
        DType::I8 => copy!(i8),
        DType::I16 => copy!(i16),
        DType::I32 => copy!(i32),
        DType::I64 => copy!(i64),
        DType::U8 => copy!(u8),
        DType::U16 => copy!(u16),
        DType::U32 => copy!(u32),
        DType::U64 => copy!(u64),
        DType::F16 => {
            let wide: Vec<f32> = tensor.view::<half::f16>()?.iter().map(|x| x.to_f32()).collect();
            Tensor::from_shape(&shape, &wide)?
        }
        DType::BF16 => {
            let wide: Vec<f32> = tensor.view::<half::bf16>()?.iter().map(|x| x.to_f32()).collect();
            Tensor::from_shape(&shape, &wide)?
        }
        DType::Bool => {
            let bits: Vec<bool> = tensor.dense_bytes()?.iter().map(|byte| *byte != 0).collect();
            Tensor::from_shape(&shape, &bits)?
        }
        other => bail!("tract has no element type {other}; cast it to one of 8 bits or more first"),
    };
    Ok(made.into_arc_tensor())
}

/// A copy of the tensor as the IR wants it: of the element type `wanted`, which may be a narrower float.
pub(crate) fn from_tract(tensor: &Tensor, wanted: Option<DType>) -> TractResult<IrTensor> {
    let plain =
        if tensor.datum_type() == TDim::datum_type() { tensor.cast_to::<i64>()? } else { Cow::Borrowed(tensor) };
    let shape: Extents = plain.shape().iter().map(|n| *n as u64).collect();
    let found = dtype(plain.datum_type()).with_context(|| format!("tract returned {:?}", plain.datum_type()))?;
    let ram = plain.try_as_plain_ram()?;
    macro_rules! copy {
        ($t:ty) => {
            IrTensor::from_slice(shape, ram.as_slice::<$t>()?)?
        };
    }
    Ok(match (found, wanted) {
        (DType::F32, Some(DType::F16)) => {
            IrTensor::from_vec(shape, ram.as_slice::<f32>()?.iter().map(|x| half::f16::from_f32(*x)).collect())?
        }
        (DType::F32, Some(DType::BF16)) => {
            IrTensor::from_vec(shape, ram.as_slice::<f32>()?.iter().map(|x| half::bf16::from_f32(*x)).collect())?
        }
        (found, Some(wanted)) if found != wanted => bail!("tract returned {found} where {wanted} is expected"),
        (DType::F32, _) => copy!(f32),
        (DType::F64, _) => copy!(f64),
        (DType::I8, _) => copy!(i8),
        (DType::I16, _) => copy!(i16),
        (DType::I32, _) => copy!(i32),
        (DType::I64, _) => copy!(i64),
        (DType::U8, _) => copy!(u8),
        (DType::U16, _) => copy!(u16),
        (DType::U32, _) => copy!(u32),
        (DType::U64, _) => copy!(u64),
        (DType::Bool, _) => IrTensor::from_bools(shape, ram.as_slice::<bool>()?)?,
        (other, _) => bail!("no conversion of {other}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_the_engine_holds_survives_the_round_trip() {
        for dtype in DType::ALL {
            let Some(datum) = datum_type(*dtype) else { continue };
            let bytes = dtype.whole_bytes().unwrap();
            let data: Vec<u8> = match dtype {
                DType::Bool => vec![0, 1, 1, 0],
                DType::F16 => {
                    [1.5_f32, -2.0, 0.0, 3.25].iter().flat_map(|x| half::f16::from_f32(*x).to_le_bytes()).collect()
                }
                DType::BF16 => {
                    [1.5_f32, -2.0, 0.0, 3.0].iter().flat_map(|x| half::bf16::from_f32(*x).to_le_bytes()).collect()
                }
                DType::F32 => [1.5_f32, -2.0, 0.0, 3.25].iter().flat_map(|x| x.to_le_bytes()).collect(),
                DType::F64 => [1.5_f64, -2.0, 0.0, 3.25].iter().flat_map(|x| x.to_le_bytes()).collect(),
                _ => (1..=4 * bytes as u8).collect(),
            };
            let tensor = IrTensor::dense(*dtype, [2_u64, 2].as_slice(), data.into()).unwrap();
            let there = to_tract(&tensor).unwrap();
            assert_eq!((there.datum_type(), there.shape()), (datum, [2_usize, 2].as_slice()));
            assert_eq!(from_tract(&there, Some(*dtype)).unwrap(), tensor, "{dtype}");
        }
    }

    #[test]
    fn types_without_a_counterpart_are_refused() {
        let strings = IrTensor::strings([1_u64].as_slice(), vec!["a".into()]).unwrap();
        assert!(to_tract(&strings).is_err());
        let four_bits = IrTensor::dense(DType::U4, [2_u64].as_slice(), vec![0x21].into()).unwrap();
        assert!(to_tract(&four_bits).is_err());
    }
}
