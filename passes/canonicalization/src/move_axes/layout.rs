//! Other forms of a value that hold its elements as well.

use edgesmith_ir::op::{Squeeze, Transpose, Unsqueeze};
use edgesmith_ir::{Dim, Tensor};
use edgesmith_rewrite::{Patch, Wire};

use crate::merge_transposes::inverse;

/// The axes of a value in another order, or with axes of one index between them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Layout {
    /// For each axis of the other form the axis of now; none for a new one.
    axes: Vec<Option<usize>>,
    /// Where each axis of now is in the other form.
    places: Vec<usize>,
}

impl Layout {
    /// Axis `perm[i]` becomes axis `i`.
    pub(crate) fn permuted(perm: &[usize]) -> Self {
        Self { axes: perm.iter().copied().map(Some).collect(), places: inverse(perm) }
    }

    /// The form in which these axes, in ascending order, are new.
    pub(crate) fn widened(rank: usize, new: &[usize]) -> Self {
        let places: Vec<usize> = (0..rank + new.len()).filter(|axis| !new.contains(axis)).collect();
        let mut axes = vec![None; rank + new.len()];
        for (axis, place) in places.iter().enumerate() {
            axes[*place] = Some(axis);
        }
        Self { axes, places }
    }

    /// The form of now.
    pub(crate) fn unchanged(rank: usize) -> Self {
        Self::widened(rank, &[])
    }

    /// The number of axes now.
    pub(crate) fn rank(&self) -> usize {
        self.places.len()
    }

    /// Where an axis of now is in the other form.
    pub(crate) fn place(&self, axis: usize) -> usize {
        self.places[axis]
    }

    /// The axes of now in the order of the other form; `None` where it has axes of its own.
    pub(crate) fn order(&self) -> Option<Vec<usize>> {
        self.axes.iter().copied().collect()
    }

    /// One entry for each axis, in the other form; a new axis gets `unit`.
    pub(crate) fn arranged<T: Clone>(&self, entries: &[T], unit: &T) -> Vec<T> {
        self.axes.iter().map(|axis| axis.map_or_else(|| unit.clone(), |axis| entries[axis].clone())).collect()
    }

    /// Whether the last axes, so many of them, are the last of the other form too.
    pub(crate) fn keeps_last(&self, count: usize) -> bool {
        (1..=count).all(|back| self.axes[self.axes.len() - back] == Some(self.rank() - back))
    }

    /// Whether the elements of a value stay in their order, because only axes of one index move past others.
    pub(crate) fn keeps_elements(&self, dims: &[Dim]) -> bool {
        self.axes.iter().flatten().filter(|axis| !dims[**axis].is(1)).is_sorted()
    }

    /// What brings a value of now into the other form.
    pub(super) fn there(&self, patch: &mut Patch, value: Wire) -> Wire {
        match self.order() {
            Some(perm) => transpose(patch, &perm, value),
            None => {
                let axes = patch.constant(self.new_axes());
                patch.insert(Unsqueeze {}, [Some(value), Some(axes)])
            }
        }
    }

    /// What brings a value of the other form into that of now.
    pub(super) fn back(&self, patch: &mut Patch, value: Wire) -> Wire {
        if self.order().is_some() {
            return transpose(patch, &self.places, value);
        }
        let axes = patch.constant(self.new_axes());
        patch.insert(Squeeze {}, [Some(value), Some(axes)])
    }

    fn new_axes(&self) -> Tensor {
        let new = (0..self.axes.len()).filter(|axis| self.axes[*axis].is_none());
        Tensor::from_ints(&new.map(|axis| axis as i64).collect::<Vec<_>>())
    }
}

fn transpose(patch: &mut Patch, perm: &[usize], value: Wire) -> Wire {
    patch.insert(Transpose { perm: perm.iter().map(|axis| *axis as i64).collect() }, [Some(value)])
}

/// The axes of one index that the wide form has and the narrow one lacks, where nothing else tells them apart.
pub(super) fn added_axes(narrow: &[Dim], wide: &[Dim]) -> Option<Vec<usize>> {
    let (mut rest, mut added) = (narrow, Vec::new());
    for (axis, dim) in wide.iter().enumerate() {
        match rest.split_first() {
            Some((first, others)) if first.same(dim) => rest = others,
            _ if dim.is(1) => added.push(axis),
            _ => return None,
        }
    }
    (rest.is_empty() && !added.is_empty()).then_some(added)
}
