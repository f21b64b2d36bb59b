//! Constant data: shared, immutable, and where possible still inside the memory-mapped file.
//!
//! Data are little-endian and densely packed as in ONNX's `raw_data`. Nothing here opens a file; a mapped tensor is a
//! `Bytes` slice that a frontend made.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::DType;

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
    /// One element that stands for all of them (sub-byte types: one byte that holds the pattern repeated).
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

    /// A tensor whose elements all equal the one in `element`.
    pub fn splat(dtype: DType, shape: impl Into<Extents>, element: Bytes) -> Result<Self, TensorError> {
        let shape = shape.into();
        byte_len(dtype, &shape)?;
        let expected = dtype.byte_len(1).ok_or(TensorError::NotDense)?;
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

    /// The elements of an integer or bool tensor as int64; `None` for other types and for uint64 beyond int64.
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
            _ => None,
        }
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
            DType::F16 => Self::from_vec(shape, elements.iter().map(|x| half::f16::from_f64(*x)).collect()).ok(),
            DType::BF16 => Self::from_vec(shape, elements.iter().map(|x| half::bf16::from_f64(*x)).collect()).ok(),
            _ => None,
        }
    }

    /// Whether both have the same dtype, shape and elements, bit by bit.
    pub fn same_content(&self, other: &Tensor) -> bool {
        if self.dtype != other.dtype || self.shape != other.shape {
            return false;
        }
        match (&self.data, &other.data) {
            (TensorData::Dense(a), TensorData::Dense(b)) => (a.as_ptr() == b.as_ptr() && a.len() == b.len()) || a == b,
            (TensorData::Splat(a), TensorData::Splat(b)) => a == b || self.is_empty(),
            (TensorData::Strings(a), TensorData::Strings(b)) => a == b,
            (TensorData::Sparse(a), TensorData::Sparse(b)) => {
                a.values.same_content(&b.values) && a.indices.same_content(&b.indices)
            }
            (TensorData::Dense(bytes), TensorData::Splat(element))
            | (TensorData::Splat(element), TensorData::Dense(bytes)) => {
                bytes.chunks(element.len().max(1)).all(|chunk| *chunk == element[..chunk.len()])
            }
            _ => false,
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
                hasher.update(bytes);
            }
            TensorData::Splat(element) => {
                let (mut left, block) = (self.byte_len(), element.repeat(4096 / element.len().max(1) + 1));
                while left > 0 {
                    let take = (block.len() as u64).min(left) as usize;
                    hasher.update(&block[..take]);
                    left -= take as u64;
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
        // The head of the data keeps hashing cheap; equality decides.
        if let TensorData::Dense(bytes) | TensorData::Splat(bytes) = &self.data {
            bytes[..bytes.len().min(8)].hash(state);
        }
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
