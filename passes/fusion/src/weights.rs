//! Arithmetic on weights: in f64, rounded once, and refused where the element type cannot hold what comes of it.

use edgesmith_ir::{DType, Extents, Tensor, ValueId};
use edgesmith_rewrite::{Cx, Match, Miss};

/// A weight that several operators share is copied by folding; below this many bytes nobody minds.
const SHARED_WEIGHT_BYTES: u64 = 1024;

/// A product of weights that takes more multiplications is not computed: an optimiser that keeps its user waiting for
/// seconds should be asked to.
pub(crate) const MOST_WORK: usize = 1 << 28;

/// Whether giving one reader of a constant a changed copy would store it twice.
pub(crate) fn is_shared(cx: &Cx<'_>, value: ValueId, tensor: &Tensor) -> bool {
    cx.graph().value(value).uses().len() > 1 && tensor.byte_len() > SHARED_WEIGHT_BYTES
}

/// A constant of floats.
pub(crate) fn float_constant<'m>(cx: &Cx<'m>, value: ValueId) -> Option<&'m Tensor> {
    cx.constant(value).filter(|tensor| tensor.dtype().is_float())
}

/// The extents of a constant as sizes of memory.
pub(crate) fn sizes(tensor: &Tensor) -> Match<Vec<usize>> {
    tensor.shape().iter().map(|n| usize::try_from(*n).map_err(|_| Miss::NoMatch)).collect()
}

/// Rounds computed elements once to an element type. Refuses where one is infinite or not a number, and where the largest
/// error is beyond rounding, as where f16 underflows.
pub(crate) fn rounded(
    cx: &Cx<'_>,
    dtype: DType,
    shape: impl Into<Extents>,
    elements: &[f64],
    what: &str,
) -> Match<Tensor> {
    let tensor = Tensor::from_f64(dtype, shape, elements).ok_or(Miss::NoMatch)?;
    let mut loss = Loss::default();
    for (exact, rounded) in elements.iter().zip(tensor.to_f64().ok_or(Miss::NoMatch)?) {
        loss.note(*exact, rounded);
    }
    loss.accept(cx, dtype, what)?;
    Ok(tensor)
}

/// The tensor with run `j` of `inner` elements times `factors[j % factors.len()]`.
pub(crate) fn scaled(cx: &Cx<'_>, tensor: &Tensor, inner: usize, factors: &[f64], what: &str) -> Match<Tensor> {
    let dtype = tensor.dtype();
    let runs = || factors.iter().copied().cycle();
    // The one type that large weights come in is not widened as a whole.
    if dtype == DType::F32 {
        let elements = tensor.view::<f32>().map_err(|_| Miss::NoMatch)?;
        let mut loss = Loss::default();
        let mut scaled = Vec::with_capacity(elements.len());
        for (run, factor) in elements.chunks(inner.max(1)).zip(runs()) {
            scaled.extend(run.iter().map(|w| {
                let exact = f64::from(*w) * factor;
                let rounded = exact as f32;
                loss.note(exact, f64::from(rounded));
                rounded
            }));
        }
        loss.accept(cx, dtype, what)?;
        return Tensor::from_vec(tensor.shape(), scaled).map_err(|_| Miss::NoMatch);
    }
    let mut elements = tensor.to_f64().ok_or(Miss::NoMatch)?;
    for (run, factor) in elements.chunks_mut(inner.max(1)).zip(runs()) {
        run.iter_mut().for_each(|w| *w *= factor);
    }
    rounded(cx, dtype, tensor.shape(), &elements, what)
}

/// What rounding took.
#[derive(Default)]
struct Loss {
    worst: f64,
    largest: f64,
    is_infinite: bool,
}

impl Loss {
    fn note(&mut self, exact: f64, rounded: f64) {
        self.is_infinite |= !rounded.is_finite();
        self.worst = self.worst.max((exact - rounded).abs());
        self.largest = self.largest.max(exact.abs());
    }

    fn accept(&self, cx: &Cx<'_>, dtype: DType, what: &str) -> Match<()> {
        // Twice the unit roundoff: ordinary rounding stays below, loss of digits near zero does not.
        let allowed = match dtype {
            DType::F16 => f64::powi(2.0, -10),
            DType::BF16 => f64::powi(2.0, -7),
            _ => f64::powi(2.0, -23),
        };
        if self.is_infinite {
            return cx.reject(cx.root(), format!("the folded {what} does not fit {dtype}"));
        }
        if self.worst > self.largest * allowed {
            return cx.reject(cx.root(), format!("the folded {what} is too small for {dtype}"));
        }
        Ok(())
    }
}

/// Constants of one type joined along an axis; they have the same extents but there.
pub(crate) fn joined(tensors: &[&Tensor], axis: usize) -> Match<Tensor> {
    let first = tensors.first().ok_or(Miss::NoMatch)?;
    let mut shape = Extents::from(first.shape());
    let mut parts = Vec::with_capacity(tensors.len());
    let mut length = 0;
    for tensor in tensors {
        let alike = tensor.dtype() == first.dtype()
            && tensor.rank() == first.rank()
            && (0..first.rank()).all(|at| at == axis || tensor.shape()[at] == first.shape()[at]);
        if !alike || axis >= tensor.rank() || tensor.is_empty() {
            return Err(Miss::NoMatch);
        }
        length += tensor.shape()[axis];
        let bytes = tensor.dense_bytes().map_err(|_| Miss::NoMatch)?;
        let outer = tensor.shape()[..axis].iter().product::<u64>().max(1) as usize;
        parts.push((bytes.len() / outer, bytes));
    }
    shape[axis] = length;
    let outer = shape[..axis].iter().product::<u64>() as usize;
    let mut bytes = Vec::with_capacity(parts.iter().map(|(_, bytes)| bytes.len()).sum());
    for row in 0..outer {
        for (run, part) in &parts {
            bytes.extend_from_slice(&part[row * run..(row + 1) * run]);
        }
    }
    Tensor::dense(first.dtype(), shape, bytes.into()).map_err(|_| Miss::NoMatch)
}
