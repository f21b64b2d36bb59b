//! Extents, strides and broadcasting.

use edgesmith_ir::{Extents, Tensor};
use smallvec::SmallVec;

use super::EvalError;

/// Extents or strides, in elements.
pub(crate) type Dims = SmallVec<[usize; 6]>;

/// The extents of a tensor. Its elements are in memory (or a limit has been asked before), so they fit.
pub(crate) fn dims(tensor: &Tensor) -> Dims {
    tensor.shape().iter().map(|extent| usize::try_from(*extent).unwrap_or(usize::MAX)).collect()
}

/// The extents as a tensor takes them.
pub(crate) fn extents(dims: &[usize]) -> Extents {
    dims.iter().map(|extent| *extent as u64).collect()
}

/// The number of elements; `None` when it overflows, be it only among the extents that are not zero.
pub(crate) fn count(dims: &[usize]) -> Option<usize> {
    let product = dims.iter().filter(|extent| **extent != 0).try_fold(1_usize, |n, extent| n.checked_mul(*extent))?;
    Some(if dims.contains(&0) { 0 } else { product })
}

/// Row-major strides.
pub(crate) fn strides(dims: &[usize]) -> Dims {
    let mut strides = Dims::from_elem(1, dims.len());
    for axis in (0..dims.len().saturating_sub(1)).rev() {
        strides[axis] = strides[axis + 1].wrapping_mul(dims[axis + 1].max(1));
    }
    strides
}

/// The product of the extents before `axis`, that of `axis`, and the product of those after it.
pub(crate) fn around(dims: &[usize], axis: usize) -> (usize, usize, usize) {
    (dims[..axis].iter().product(), dims[axis], dims[axis + 1..].iter().product())
}

/// The shape that all of these broadcast to, both ways as in numpy.
pub(crate) fn broadcast(shapes: &[&[usize]]) -> Result<Dims, EvalError> {
    let rank = shapes.iter().map(|shape| shape.len()).max().unwrap_or(0);
    let mut out = Dims::from_elem(1, rank);
    for shape in shapes {
        for (slot, extent) in out[rank - shape.len()..].iter_mut().zip(shape.iter()) {
            if *slot == 1 {
                *slot = *extent;
            } else if *extent != 1 && *extent != *slot {
                return Err(EvalError::Invalid(format!("the shapes {shapes:?} do not broadcast")));
            }
        }
    }
    Ok(out)
}

/// The strides with which a tensor of `dims` is read as one of shape `out`, to which it broadcasts.
pub(crate) fn broadcast_strides(dims: &[usize], out: &[usize]) -> Dims {
    let own = strides(dims);
    let lead = out.len() - dims.len();
    (0..out.len()).map(|axis| if axis < lead || dims[axis - lead] == 1 { 0 } else { own[axis - lead] }).collect()
}

/// Nested loops over a shape that several tensors are read (or written) under, each with strides of its own; axes that
/// can be walked as one are merged, so that the innermost run is as long as possible.
pub(crate) struct Loops<const K: usize> {
    extents: Dims,
    strides: [Dims; K],
    empty: bool,
}

impl<const K: usize> Loops<K> {
    /// Loops over `dims`; each list of strides has one entry per axis.
    pub(crate) fn new(dims: &[usize], strides: [&[usize]; K]) -> Self {
        let mut extents = Dims::new();
        let mut merged: [Dims; K] = std::array::from_fn(|_| Dims::new());
        for (axis, extent) in dims.iter().enumerate() {
            if *extent == 1 {
                continue;
            }
            let joins = extents.last().is_some()
                && (0..K).all(|k| merged[k].last().copied() == strides[k][axis].checked_mul(*extent));
            if joins {
                if let Some(last) = extents.last_mut() {
                    *last *= *extent;
                }
            } else {
                extents.push(*extent);
            }
            for k in 0..K {
                if joins {
                    merged[k].pop();
                }
                merged[k].push(strides[k][axis]);
            }
        }
        if extents.is_empty() {
            extents.push(1);
            for list in &mut merged {
                list.push(0);
            }
        }
        Self { empty: dims.contains(&0), extents, strides: merged }
    }

    /// Calls `body(offsets, strides, length)` for every innermost run, in row-major order.
    pub(crate) fn run(&self, mut body: impl FnMut([usize; K], [usize; K], usize)) {
        self.walk(&mut body);
    }

    /// Compiled once for every number of tensors, not once for every body.
    fn walk(&self, body: &mut dyn FnMut([usize; K], [usize; K], usize)) {
        if self.empty {
            return;
        }
        let outer = self.extents.len() - 1;
        let length = self.extents[outer];
        let inner: [usize; K] = std::array::from_fn(|k| self.strides[k][outer]);
        let mut offsets = [0_usize; K];
        let mut index = Dims::from_elem(0, outer);
        loop {
            body(offsets, inner, length);
            let mut axis = outer;
            loop {
                if axis == 0 {
                    return;
                }
                axis -= 1;
                index[axis] += 1;
                if index[axis] < self.extents[axis] {
                    for (offset, strides) in offsets.iter_mut().zip(&self.strides) {
                        *offset += strides[axis];
                    }
                    break;
                }
                index[axis] = 0;
                for (offset, strides) in offsets.iter_mut().zip(&self.strides) {
                    *offset -= strides[axis] * (self.extents[axis] - 1);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcasting_follows_numpy() {
        assert_eq!(broadcast(&[&[3, 1], &[4]]).unwrap().as_slice(), [3, 4]);
        assert_eq!(broadcast(&[&[1], &[0]]).unwrap().as_slice(), [0]);
        assert_eq!(broadcast(&[&[], &[2, 1], &[5]]).unwrap().as_slice(), [2, 5]);
        assert!(broadcast(&[&[3], &[2]]).is_err());
        assert!(broadcast(&[&[2], &[0]]).is_err());
        assert_eq!(broadcast_strides(&[3, 1], &[2, 3, 4]).as_slice(), [0, 1, 0]);
    }

    #[test]
    fn loops_merge_what_is_contiguous_and_visit_in_order() {
        let dims = [2, 3, 4];
        let whole = strides(&dims);
        let mut runs = Vec::new();
        Loops::new(&dims, [&whole]).run(|[at], [step], length| runs.push((at, step, length)));
        assert_eq!(runs, [(0, 1, 24)]);
        runs.clear();
        // Transposed reading of a [4, 3] matrix.
        Loops::new(&[3, 4], [&[1, 3]]).run(|[at], [step], length| runs.push((at, step, length)));
        assert_eq!(runs, [(0, 3, 4), (1, 3, 4), (2, 3, 4)]);
        runs.clear();
        Loops::new(&[3, 0], [&[1, 3]]).run(|[at], [step], length| runs.push((at, step, length)));
        assert!(runs.is_empty());
        Loops::new(&[], [&[]]).run(|[at], [step], length| runs.push((at, step, length)));
        assert_eq!(runs, [(0, 0, 1)]);
    }
}
