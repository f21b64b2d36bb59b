//! Constant data: shared, immutable, and where possible still inside the memory-mapped file.
//!
//! Data are little-endian and densely packed as in ONNX's `raw_data`. Nothing here opens a file; a mapped tensor is a
//! `Bytes` slice that a frontend made.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::{DType, round_to_bf16, round_to_f16};

/// The extents of a tensor.
pub type Extents = SmallVec<[u64; 4]>;

/// A constant tensor. Cloning shares the bytes.
#[derive(Clone, Debug)]
pub struct Tensor {
    dtype: DType,
    shape: Extents,
    data: TensorData,
}

/// How the elements are held.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TensorData {
    /// All elements, densely packed, perhaps misaligned.
    Dense(Bytes),
    /// One element that stands for all of them. Of sub-byte types: the fewest whole bytes that hold it repeated, which
    /// is one byte, and three for those of 6 bits.
    Splat(Bytes),
    /// Strings, one per element.
    Strings(Arc<[Bytes]>),
    /// Non-zero elements: `values` of shape `[n]`, `indices` of shape `[n]` (linear) or `[n, rank]`.
    Sparse(Arc<SparseData>),
}

/// The parts of a sparse tensor.
#[derive(Clone, Debug)]
pub struct SparseData {
    /// The elements that are stored, shape `[n]`.
    pub values: Tensor,
    /// Where they are, int64, `[n]` or `[n, rank]`, ascending.
    pub indices: Tensor,
}

/// Why a tensor cannot be made or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TensorError {
    /// The element count or byte count does not fit 64 bits.
    #[error("the shape {0:?} overflows")]
    Overflow(Extents),
    /// The data have another length than dtype and shape say.
    #[error("{dtype} of shape {shape:?} needs {expected} bytes, but there are {found}")]
    Length {
        /// Element type.
        dtype: DType,
        /// Shape.
        shape: Extents,
        /// Bytes (strings: elements) that the shape asks for.
        expected: u64,
        /// Bytes (strings: elements) found.
        found: u64,
    },
    /// The data are of another element type than asked for.
    #[error("the tensor holds {found}, not {wanted}")]
    DType {
        /// The type asked for.
        wanted: DType,
        /// The type of the tensor.
        found: DType,
    },
    /// Strings or sparse data where dense numbers are needed.
    #[error("the tensor is not dense")]
    NotDense,
}

/// A Rust type that stands for one element of a dtype.
pub trait Element: bytemuck::Pod + PartialEq + Send + Sync {
    /// The element type.
    const DTYPE: DType;
}
macro_rules! elements { ($($t:ty = $d:ident),*) => { $(impl Element for $t { const DTYPE: DType = DType::$d; })* } }
elements!(
    f32 = F32,
    f64 = F64,
    half::f16 = F16,
    half::bf16 = BF16,
    i8 = I8,
    i16 = I16,
    i32 = I32,
    i64 = I64,
    u8 = U8,
    u16 = U16,
    u32 = U32,
    u64 = U64
);

impl Tensor {
    /// Dense elements in `bytes`, little-endian and packed.
    pub fn dense(dtype: DType, shape: impl Into<Extents>, bytes: Bytes) -> Result<Self, TensorError> {
        let shape = shape.into();
        let expected = byte_len(dtype, &shape)?;
        if expected != bytes.len() as u64 {
            return Err(TensorError::Length { dtype, shape, expected, found: bytes.len() as u64 });
        }
        Ok(Self { dtype, shape, data: TensorData::Dense(bytes) })
    }

    /// A tensor whose elements all equal the one in `element`; see [`TensorData::Splat`] for sub-byte types.
    pub fn splat(dtype: DType, shape: impl Into<Extents>, element: Bytes) -> Result<Self, TensorError> {
        let shape = shape.into();
        byte_len(dtype, &shape)?;
        let expected = match dtype.bits() {
            6 => 3,
            _ => dtype.byte_len(1).ok_or(TensorError::NotDense)?,
        };
        if expected != element.len() as u64 {
            return Err(TensorError::Length { dtype, shape, expected, found: element.len() as u64 });
        }
        Ok(Self { dtype, shape, data: TensorData::Splat(element) })
    }

    /// A tensor of strings.
    pub fn strings(shape: impl Into<Extents>, strings: Vec<Bytes>) -> Result<Self, TensorError> {
        let shape = shape.into();
        let expected = element_count(&shape)?;
        if expected != strings.len() as u64 {
            return Err(TensorError::Length { dtype: DType::String, shape, expected, found: strings.len() as u64 });
        }
        Ok(Self { dtype: DType::String, shape, data: TensorData::Strings(strings.into()) })
    }

    /// A sparse tensor of a dense `shape`.
    pub fn sparse(shape: impl Into<Extents>, values: Tensor, indices: Tensor) -> Result<Self, TensorError> {
        let shape = shape.into();
        element_count(&shape)?;
        Ok(Self { dtype: values.dtype, shape, data: TensorData::Sparse(Arc::new(SparseData { values, indices })) })
    }

    /// Dense elements copied from a slice.
    pub fn from_slice<T: Element>(shape: impl Into<Extents>, elements: &[T]) -> Result<Self, TensorError> {
        Self::dense(T::DTYPE, shape, Bytes::copy_from_slice(bytemuck::cast_slice(elements)))
    }

    /// Dense elements taken from a vector without a copy.
    pub fn from_vec<T: Element>(shape: impl Into<Extents>, elements: Vec<T>) -> Result<Self, TensorError> {
        Self::dense(T::DTYPE, shape, Bytes::from_owner(OwnedElements(elements)))
    }

    /// A vector of int64, as shapes and axes are passed.
    pub fn from_ints(ints: &[i64]) -> Self {
        let bytes = Bytes::copy_from_slice(bytemuck::cast_slice(ints));
        Self { dtype: DType::I64, shape: smallvec::smallvec![ints.len() as u64], data: TensorData::Dense(bytes) }
    }

    /// A scalar.
    pub fn scalar<T: Element>(element: T) -> Self {
        let bytes = Bytes::copy_from_slice(bytemuck::bytes_of(&element));
        Self { dtype: T::DTYPE, shape: Extents::new(), data: TensorData::Dense(bytes) }
    }

    /// Booleans, one byte each.
    pub fn from_bools(shape: impl Into<Extents>, elements: &[bool]) -> Result<Self, TensorError> {
        Self::dense(DType::Bool, shape, elements.iter().map(|b| u8::from(*b)).collect::<Vec<u8>>().into())
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }
    /// The extents.
    pub fn shape(&self) -> &[u64] {
        &self.shape
    }
    /// The rank.
    pub fn rank(&self) -> usize {
        self.shape.len()
    }
    /// The number of elements.
    pub fn len(&self) -> u64 {
        self.shape.iter().product()
    }
    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// How the elements are held.
    pub fn data(&self) -> &TensorData {
        &self.data
    }
    /// The bytes that a file needs for the elements: densely packed, for strings their lengths, for sparse data its parts.
    pub fn byte_len(&self) -> u64 {
        match &self.data {
            TensorData::Dense(bytes) => bytes.len() as u64,
            TensorData::Splat(_) => self.dtype.byte_len(self.len()).unwrap_or(u64::MAX),
            TensorData::Strings(strings) => strings.iter().map(|s| s.len() as u64).sum(),
            TensorData::Sparse(sparse) => sparse.values.byte_len() + sparse.indices.byte_len(),
        }
    }

    /// The same elements under another shape of the same count.
    pub fn reshaped(&self, shape: impl Into<Extents>) -> Result<Self, TensorError> {
        let shape = shape.into();
        let count = element_count(&shape)?;
        if count != self.len() || matches!(self.data, TensorData::Sparse(_)) {
            return Err(TensorError::Length { dtype: self.dtype, shape, expected: count, found: self.len() });
        }
        Ok(Self { dtype: self.dtype, shape, data: self.data.clone() })
    }

    /// All elements as packed little-endian bytes; a splat is expanded.
    pub fn dense_bytes(&self) -> Result<Bytes, TensorError> {
        match &self.data {
            TensorData::Dense(bytes) => Ok(bytes.clone()),
            TensorData::Splat(element) => {
                let total = usize::try_from(self.byte_len()).map_err(|_| TensorError::Overflow(self.shape.clone()))?;
                let mut bytes = Vec::with_capacity(total);
                while bytes.len() < total {
                    bytes.extend_from_slice(element);
                }
                bytes.truncate(total);
                if let Some(last) = bytes.last_mut() {
                    *last &= self.last_byte_mask();
                }
                Ok(bytes.into())
            }
            TensorData::Strings(_) | TensorData::Sparse(_) => Err(TensorError::NotDense),
        }
    }

    /// The elements as a slice; borrowed when the bytes happen to be aligned, else copied.
    pub fn view<T: Element>(&self) -> Result<Cow<'_, [T]>, TensorError> {
        if self.dtype != T::DTYPE {
            return Err(TensorError::DType { wanted: T::DTYPE, found: self.dtype });
        }
        match &self.data {
            TensorData::Dense(bytes) => Ok(cast_or_copy(bytes)),
            TensorData::Splat(element) => {
                let element: T = bytemuck::pod_read_unaligned(element);
                let count = usize::try_from(self.len()).map_err(|_| TensorError::Overflow(self.shape.clone()))?;
                Ok(Cow::Owned(vec![element; count]))
            }
            TensorData::Strings(_) | TensorData::Sparse(_) => Err(TensorError::NotDense),
        }
    }

    /// The elements of an integer (2 to 64 bits) or bool tensor as int64; `None` for other types and for uint64 beyond
    /// int64.
    pub fn to_ints(&self) -> Option<Vec<i64>> {
        macro_rules! ints {
            ($t:ty) => {
                self.view::<$t>().ok()?.iter().map(|x| i64::try_from(*x).ok()).collect()
            };
        }
        match self.dtype {
            DType::I64 => self.view::<i64>().ok().map(Cow::into_owned),
            DType::I32 => ints!(i32),
            DType::I16 => ints!(i16),
            DType::I8 => ints!(i8),
            DType::U8 => ints!(u8),
            DType::U16 => ints!(u16),
            DType::U32 => ints!(u32),
            DType::U64 => ints!(u64),
            DType::Bool => self.dense_bytes().ok().map(|bytes| bytes.iter().map(|b| i64::from(*b != 0)).collect()),
            DType::U2 | DType::U4 => self.unpack(false),
            DType::I2 | DType::I4 => self.unpack(true),
            _ => None,
        }
    }

    /// The elements of a tensor of 2 or 4 bits, which lie from the low bits of a byte to the high ones.
    fn unpack(&self, signed: bool) -> Option<Vec<i64>> {
        let (bytes, bits) = (self.dense_bytes().ok()?, self.dtype.bits() as usize);
        let count = usize::try_from(self.len()).ok()?;
        let (per_byte, sign) = (8 / bits, 1_i64 << (bits - 1));
        let element = |index: usize| {
            let raw = i64::from(bytes[index / per_byte] >> (index % per_byte * bits)) & (2 * sign - 1);
            if signed { (raw ^ sign) - sign } else { raw }
        };
        Some((0..count).map(element).collect())
    }

    /// The bits of the last byte that belong to elements.
    fn last_byte_mask(&self) -> u8 {
        let used = (self.len() % 8 * u64::from(self.dtype.bits())) % 8;
        if used == 0 { u8::MAX } else { (1 << used) - 1 }
    }

    /// The first bytes of the dense form, as `take` long as it is, without what the last byte has beyond the elements.
    fn head(&self, take: usize) -> SmallVec<[u8; 8]> {
        let total = self.dtype.byte_len(self.len()).unwrap_or(0);
        let take = take.min(usize::try_from(total).unwrap_or(usize::MAX));
        let mut head: SmallVec<[u8; 8]> = match &self.data {
            TensorData::Dense(bytes) => bytes.iter().copied().take(take).collect(),
            TensorData::Splat(element) => element.iter().copied().cycle().take(take).collect(),
            TensorData::Strings(_) | TensorData::Sparse(_) => SmallVec::new(),
        };
        if head.len() as u64 == total
            && let Some(last) = head.last_mut()
        {
            *last &= self.last_byte_mask();
        }
        head
    }

    /// The elements of a numeric or bool tensor widened to f64 (64-bit integers beyond 2^53 are rounded).
    pub fn to_f64(&self) -> Option<Vec<f64>> {
        match self.dtype {
            DType::F32 => Some(self.view::<f32>().ok()?.iter().map(|x| f64::from(*x)).collect()),
            DType::F64 => self.view::<f64>().ok().map(Cow::into_owned),
            DType::F16 => Some(self.view::<half::f16>().ok()?.iter().map(|x| x.to_f64()).collect()),
            DType::BF16 => Some(self.view::<half::bf16>().ok()?.iter().map(|x| x.to_f64()).collect()),
            DType::U64 => Some(self.view::<u64>().ok()?.iter().map(|x| *x as f64).collect()),
            _ => Some(self.to_ints()?.into_iter().map(|x| x as f64).collect()),
        }
    }

    /// Rounds f64 elements once to a float dtype. `None` for any other dtype or a wrong count.
    pub fn from_f64(dtype: DType, shape: impl Into<Extents>, elements: &[f64]) -> Option<Self> {
        let shape = shape.into();
        match dtype {
            DType::F32 => Self::from_vec(shape, elements.iter().map(|x| *x as f32).collect()).ok(),
            DType::F64 => Self::from_slice(shape, elements).ok(),
            DType::F16 => Self::from_vec(shape, elements.iter().map(|x| round_to_f16(*x)).collect()).ok(),
            DType::BF16 => Self::from_vec(shape, elements.iter().map(|x| round_to_bf16(*x)).collect()).ok(),
            _ => None,
        }
    }

    /// Whether both have the same dtype, shape and elements, bit by bit.
    pub fn same_content(&self, other: &Tensor) -> bool {
        if self.dtype != other.dtype || self.shape != other.shape {
            return false;
        }
        match (&self.data, &other.data) {
            (TensorData::Dense(a), TensorData::Dense(b)) => {
                (a.as_ptr() == b.as_ptr() && a.len() == b.len()) || self.same_bytes(a, b)
            }
            (TensorData::Splat(a), TensorData::Splat(b)) => a == b || self.is_empty(),
            (TensorData::Strings(a), TensorData::Strings(b)) => a == b,
            (TensorData::Sparse(a), TensorData::Sparse(b)) => {
                a.values.same_content(&b.values) && a.indices.same_content(&b.indices)
            }
            (TensorData::Dense(bytes), TensorData::Splat(element))
            | (TensorData::Splat(element), TensorData::Dense(bytes)) => {
                let Some((last, rest)) = bytes.split_last() else { return true };
                let len = element.len().max(1);
                rest.chunks(len).all(|chunk| *chunk == element[..chunk.len()])
                    && (last ^ element[rest.len() % len]) & self.last_byte_mask() == 0
            }
            _ => false,
        }
    }

    /// Whether two dense forms of this dtype and shape have the same elements.
    fn same_bytes(&self, a: &[u8], b: &[u8]) -> bool {
        match (a.split_last(), b.split_last()) {
            (Some((x, a)), Some((y, b))) => a == b && (x ^ y) & self.last_byte_mask() == 0,
            _ => a.len() == b.len(),
        }
    }

    /// A hash of dtype, shape and elements; a splat hashes as its dense form does.
    pub fn content_hash(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.dtype.onnx().to_le_bytes());
        hasher.update(&(self.shape.len() as u64).to_le_bytes());
        for extent in &self.shape {
            hasher.update(&extent.to_le_bytes());
        }
        match &self.data {
            TensorData::Dense(bytes) => {
                if let Some((last, rest)) = bytes.split_last() {
                    hasher.update(rest);
                    hasher.update(&[last & self.last_byte_mask()]);
                }
            }
            TensorData::Splat(element) => {
                let (mut left, block) = (self.byte_len(), element.repeat(4096 / element.len().max(1) + 1));
                while left > block.len() as u64 {
                    hasher.update(&block);
                    left -= block.len() as u64;
                }
                if let Some((last, rest)) = block[..left as usize].split_last() {
                    hasher.update(rest);
                    hasher.update(&[last & self.last_byte_mask()]);
                }
            }
            TensorData::Strings(strings) => {
                for string in strings.iter() {
                    hasher.update(&(string.len() as u64).to_le_bytes());
                    hasher.update(string);
                }
            }
            TensorData::Sparse(sparse) => {
                hasher.update(b"sparse");
                hasher.update(sparse.values.content_hash().as_bytes());
                hasher.update(sparse.indices.content_hash().as_bytes());
            }
        }
        hasher.finalize()
    }
}

impl PartialEq for Tensor {
    fn eq(&self, other: &Self) -> bool {
        self.same_content(other)
    }
}
impl Eq for Tensor {}
impl std::hash::Hash for Tensor {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.dtype.hash(state);
        self.shape.hash(state);
        // The head of the data keeps hashing cheap; equality decides. A splat must hash as the dense form it equals.
        self.head(8).hash(state);
    }
}

/// The product of the extents, checked.
pub fn element_count(shape: &[u64]) -> Result<u64, TensorError> {
    // A zero anywhere makes the product zero, but the others must not hide an overflow from later arithmetic.
    let product =
        shape.iter().filter(|extent| **extent != 0).try_fold(1_u64, |product, extent| product.checked_mul(*extent));
    match product {
        None => Err(TensorError::Overflow(shape.into())),
        Some(_) if shape.contains(&0) => Ok(0),
        Some(product) => Ok(product),
    }
}

fn byte_len(dtype: DType, shape: &[u64]) -> Result<u64, TensorError> {
    let count = element_count(shape)?;
    dtype
        .byte_len(count)
        .ok_or_else(|| if dtype.bits() == 0 { TensorError::NotDense } else { TensorError::Overflow(shape.into()) })
}

fn cast_or_copy<T: Element>(bytes: &[u8]) -> Cow<'_, [T]> {
    match bytemuck::try_cast_slice(bytes) {
        Ok(slice) => Cow::Borrowed(slice),
        Err(_) => Cow::Owned(bytemuck::allocation::pod_collect_to_vec(bytes)),
    }
}

struct OwnedElements<T>(Vec<T>);
impl<T: Element> AsRef<[u8]> for OwnedElements<T> {
    fn as_ref(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, BuildHasherDefault};

    use super::*;

    fn shape(extents: &[u64]) -> Extents {
        extents.into()
    }
    fn bytes(bytes: &[u8]) -> Bytes {
        Bytes::copy_from_slice(bytes)
    }
    fn hash(tensor: &Tensor) -> u64 {
        BuildHasherDefault::<rustc_hash::FxHasher>::default().hash_one(tensor)
    }

    #[test]
    fn lengths_are_checked() {
        let short = Tensor::dense(DType::F32, shape(&[2, 2]), bytes(&[0; 15])).unwrap_err();
        assert_eq!(short.to_string(), "float of shape [2, 2] needs 16 bytes, but there are 15");
        assert!(Tensor::dense(DType::U4, shape(&[3]), bytes(&[0; 2])).is_ok());
        assert!(Tensor::dense(DType::F6E2M3, shape(&[5]), bytes(&[0; 4])).is_ok());
        assert!(Tensor::splat(DType::F32, shape(&[1 << 40]), bytes(&[0; 4])).is_ok());
        let huge = Tensor::splat(DType::F32, shape(&[1 << 62, 4]), bytes(&[0; 4])).unwrap_err();
        assert_eq!(huge, TensorError::Overflow(shape(&[1 << 62, 4])));
        assert_eq!(Tensor::dense(DType::String, shape(&[1]), bytes(&[])).unwrap_err(), TensorError::NotDense);
        assert!(Tensor::strings(shape(&[2]), vec![bytes(b"a")]).is_err());
        // A zero extent does not hide that the others overflow.
        assert!(element_count(&[0, u64::MAX, 2]).is_err());
        assert_eq!(element_count(&[0, 7]), Ok(0));
    }

    #[test]
    fn a_splat_equals_its_dense_form() {
        let cases = [
            (DType::F32, shape(&[3]), bytes(&1.5_f32.to_le_bytes())),
            (DType::F64, shape(&[2000]), bytes(&1.5_f64.to_le_bytes())),
            (DType::U8, shape(&[5]), bytes(&[7])),
            (DType::U4, shape(&[3]), bytes(&[0x77])),
            (DType::I2, shape(&[5]), bytes(&[0b0101_0101])),
            (DType::F6E2M3, shape(&[5]), bytes(&[0x41, 0x10, 0x04])),
            (DType::F32, shape(&[0]), bytes(&1.5_f32.to_le_bytes())),
        ];
        for (dtype, shape, element) in cases {
            let splat = Tensor::splat(dtype, shape.clone(), element).unwrap();
            let data = splat.dense_bytes().unwrap();
            assert_eq!(data.len() as u64, splat.byte_len());
            let dense = Tensor::dense(dtype, shape.clone(), data.clone()).unwrap();
            assert_eq!(splat, dense, "{dtype}");
            assert_eq!(dense, splat, "{dtype}");
            assert_eq!(splat.content_hash(), dense.content_hash(), "{dtype}");
            assert_eq!(hash(&splat), hash(&dense), "{dtype}");
            if let Some(last) = data.len().checked_sub(1) {
                let mut other = data.to_vec();
                other[last] ^= 1;
                let other = Tensor::dense(dtype, shape, other.into()).unwrap();
                assert_ne!(splat, other, "{dtype}");
                assert_ne!(splat.content_hash(), other.content_hash(), "{dtype}");
            }
        }
    }

    #[test]
    fn bits_beyond_the_elements_do_not_count() {
        let clean = Tensor::dense(DType::U4, shape(&[3]), bytes(&[0x21, 0x03])).unwrap();
        let dirty = Tensor::dense(DType::U4, shape(&[3]), bytes(&[0x21, 0xf3])).unwrap();
        assert_eq!(clean, dirty);
        assert_eq!(clean.content_hash(), dirty.content_hash());
        assert_eq!(hash(&clean), hash(&dirty));
    }

    #[test]
    fn reads_integers() {
        let of = |dtype, count, data: &[u8]| Tensor::dense(dtype, shape(&[count]), bytes(data)).unwrap().to_ints();
        assert_eq!(of(DType::U4, 3, &[0x21, 0xff]), Some(vec![1, 2, 15]));
        assert_eq!(of(DType::I4, 3, &[0x8f, 0x07]), Some(vec![-1, -8, 7]));
        assert_eq!(of(DType::U2, 4, &[0b11_10_01_00]), Some(vec![0, 1, 2, 3]));
        assert_eq!(of(DType::I2, 5, &[0b11_10_01_00, 0b10]), Some(vec![0, 1, -2, -1, -2]));
        assert_eq!(of(DType::Bool, 2, &[0, 2]), Some(vec![0, 1]));
        assert_eq!(of(DType::U64, 1, &u64::MAX.to_le_bytes()), None);
        assert_eq!(of(DType::F32, 1, &[0; 4]), None);
        assert_eq!(Tensor::from_ints(&[-1, 2]).to_ints(), Some(vec![-1, 2]));
        assert_eq!(
            Tensor::splat(DType::I32, shape(&[2]), bytes(&7_i32.to_le_bytes())).unwrap().to_f64(),
            Some(vec![7.0; 2])
        );
    }

    #[test]
    fn reads_misaligned_bytes() {
        let mut data = vec![0_u8];
        data.extend([1.0_f32, 2.0].iter().flat_map(|x| x.to_le_bytes()));
        let tensor = Tensor::dense(DType::F32, shape(&[2]), Bytes::from(data).slice(1..)).unwrap();
        assert_eq!(tensor.view::<f32>().unwrap().as_ref(), [1.0, 2.0]);
        assert!(matches!(tensor.view::<f64>(), Err(TensorError::DType { wanted: DType::F64, found: DType::F32 })));
    }

    #[test]
    fn floats_are_compared_by_their_bits() {
        let of = |x: f32| Tensor::scalar(x);
        assert_eq!(of(f32::NAN), of(f32::NAN));
        assert_ne!(of(0.0), of(-0.0));
        assert_ne!(of(1.0), of(1.0).reshaped(shape(&[1])).unwrap());
        assert!(of(1.0).reshaped(shape(&[2])).is_err());
    }

    #[test]
    fn sharing_copies_nothing() {
        let tensor = Tensor::from_vec(shape(&[2]), vec![1.0_f32, 2.0]).unwrap();
        let bytes = |tensor: &Tensor| tensor.dense_bytes().unwrap().as_ptr();
        assert_eq!(bytes(&tensor), bytes(&tensor.clone()));
        assert_eq!(bytes(&tensor), bytes(&tensor.reshaped(shape(&[2, 1])).unwrap()));
    }
}
