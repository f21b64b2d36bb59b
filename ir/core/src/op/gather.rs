//! Operators: gather.

use super::{checks, elementwise, operator};
use crate::attribute::attribute_enum;
use crate::infer::{InferCx, InferError};
use crate::{Contents, Dims, Item, Shape};

attribute_enum! {
    /// The values of the attribute.
    ScatterReduction { /// `none`.
        None = "none", /// `add`.
        Add = "add", /// `mul`.
        Mul = "mul", /// `max`.
        Max = "max", /// `min`.
        Min = "min", }
}

attribute_enum! {
    /// The values of the attribute.
    CacheMode { /// `linear`.
        Linear = "linear", /// `circular`.
        Circular = "circular", }
}

operator! {
    /// Slices of one axis selected by indices.
    Gather {
        operands { data: one, indices: one }
        results { output: one }
        attributes { axis: i64 [0] }
        regions {  }
        infer: gather;
    }
}

operator! {
    /// Elements of one axis selected by indices of the same rank.
    GatherElements {
        operands { data: one, indices: one }
        results { output: one }
        attributes { axis: i64 [0] }
        regions {  }
        infer: gather_elements;
    }
}

operator! {
    /// Slices selected by index tuples.
    GatherND {
        operands { data: one, indices: one }
        results { output: one }
        attributes { batch_dims: i64 [0] }
        regions {  }
        infer: gather_nd;
    }
}

operator! {
    /// Writes updates at indices along an axis.
    ScatterElements {
        operands { data: one, indices: one, updates: one }
        results { output: one }
        attributes { axis: i64 [0], reduction: ScatterReduction [ScatterReduction::None] }
        regions {  }
        infer: scatter_elements;
    }
}

operator! {
    /// Writes slices of updates at index tuples.
    ScatterND {
        operands { data: one, indices: one, updates: one }
        results { output: one }
        attributes { reduction: ScatterReduction [ScatterReduction::None] }
        regions {  }
        infer: scatter_nd;
    }
}

operator! {
    /// Writes into a key or value cache.
    TensorScatter {
        operands { past_cache: one, update: one, write_indices: maybe }
        results { present_cache: one }
        attributes { axis: i64 [-2], mode: CacheMode [CacheMode::Linear] }
        regions {  }
        infer: cache;
    }
}

/// An index that is out of bounds, as far as that is known, is for whoever runs the model to find.
fn gather(op: &Gather, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let dtype = cx.dtype(0);
    let axis = cx.shape(0).rank().map(|rank| InferCx::axis(op.axis, rank)).transpose()?;
    let (Some(data), Some(indices), Some(axis)) = (cx.dims(0), cx.dims(1), axis) else {
        cx.set_tensor(0, dtype, Shape::Unranked);
        return Ok(());
    };
    let dims: Dims = data[..axis].iter().chain(indices).chain(&data[axis + 1..]).cloned().collect();
    cx.set_tensor(0, dtype, Shape::Ranked(dims));
    if cx.may_know(0)
        && let (Some(extents), Some(data), Some(indices)) = (cx.shape(0).extents(), cx.contents(0), cx.contents(1))
        && let Some(items) = gathered(data.items(), &extents, indices.items(), axis)
    {
        cx.set_contents(0, items);
    }
    Ok(())
}

fn gathered(data: &[Item], extents: &[u64], indices: &[Item], axis: usize) -> Option<Vec<Item>> {
    let outer = elementwise::element_count(&extents[..axis])?;
    let inner = elementwise::element_count(&extents[axis + 1..])?;
    let count = outer.checked_mul(indices.len())?.checked_mul(inner)?;
    if count > Contents::LIMIT {
        return None;
    }
    let extent = i64::try_from(extents[axis]).ok()?;
    let mut items = Vec::with_capacity(count);
    for row in 0..outer {
        for index in indices {
            let at = index.int().map(|at| if at < 0 { at.saturating_add(extent) } else { at });
            match at.filter(|at| (0..extent).contains(at)) {
                Some(at) => {
                    let from = (row * extents[axis] as usize + at as usize) * inner;
                    items.extend_from_slice(data.get(from..from + inner)?);
                }
                None => items.resize(items.len() + inner, Item::Unknown),
            }
        }
    }
    Some(items)
}

fn gather_elements(op: &GatherElements, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    same_ranks(cx, op.axis, &[(1, "indices")])?;
    let shape = match (cx.shape(1), cx.shape(0).rank()) {
        (Shape::Unranked, Some(rank)) => Shape::of_rank(rank),
        (shape, _) => shape.clone(),
    };
    cx.set_tensor(0, cx.dtype(0), shape);
    Ok(())
}

/// Operands of the rank of the first, and an axis inside it.
fn same_ranks(cx: &InferCx<'_>, axis: i64, others: &[(usize, &str)]) -> Result<(), InferError> {
    let Some(rank) = cx.shape(0).rank() else { return Ok(()) };
    InferCx::axis(axis, rank)?;
    match others.iter().find_map(|(slot, name)| Some((cx.shape(*slot).rank().filter(|own| *own != rank)?, name))) {
        Some((own, name)) => Err(checks::wrong_rank(name, &rank.to_string(), own)),
        None => Ok(()),
    }
}

/// The length of an index tuple: the last dim of the indices.
fn tuple_length(cx: &InferCx<'_>, batch: usize) -> Result<Option<usize>, InferError> {
    let length = match cx.dims(1) {
        Some([.., last]) => last.extent().and_then(|n| usize::try_from(n).ok()),
        Some([]) => return Err(checks::wrong_rank("indices", "1 or more", 0)),
        None => None,
    };
    match (length, cx.shape(0).rank()) {
        (Some(length), Some(rank)) if length + batch > rank => {
            Err(InferError::new(format!("indices of {length} axes and {batch} batch axes for rank {rank}")))
        }
        _ => Ok(length),
    }
}

fn gather_nd(op: &GatherND, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let dtype = cx.dtype(0);
    let batch = usize::try_from(op.batch_dims)
        .map_err(|_| InferError::new(format!("attribute 'batch_dims' is {}", op.batch_dims)))?;
    let length = tuple_length(cx, batch)?;
    let (Some(data), Some(indices), Some(length)) = (checks::dims(cx, 0), checks::dims(cx, 1), length) else {
        cx.set_tensor(0, dtype, Shape::Unranked);
        return Ok(());
    };
    if batch >= indices.len() {
        return Err(InferError::new(format!("{batch} batch axes for indices of rank {}", indices.len())));
    }
    let mut dims: Dims = indices[..indices.len() - 1].into();
    for axis in 0..batch {
        dims[axis] = cx.equal(&data[axis], &indices[axis], "the batches of data and indices")?;
    }
    dims.extend(data[batch + length..].iter().cloned());
    cx.set_tensor(0, dtype, Shape::Ranked(dims));
    Ok(())
}

fn scatter_elements(op: &ScatterElements, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    checks::same_type(cx, 0, 0);
    same_ranks(cx, op.axis, &[(1, "indices"), (2, "updates")])
}

fn scatter_nd(_: &ScatterND, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    checks::same_type(cx, 0, 0);
    let length = tuple_length(cx, 0)?;
    if let (Some(rank), Some(indices), Some(length)) = (cx.shape(0).rank(), cx.shape(1).rank(), length)
        && let Some(updates) = cx.shape(2).rank()
        && updates != indices - 1 + rank - length
    {
        return Err(checks::wrong_rank("updates", &(indices - 1 + rank - length).to_string(), updates));
    }
    Ok(())
}

fn cache(op: &TensorScatter, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    checks::same_type(cx, 0, 0);
    same_ranks(cx, op.axis, &[(1, "update")])
}

#[cfg(test)]
mod tests {
    use super::super::rule_test::{given, infer, ints, known};
    use super::*;

    #[test]
    fn indices_replace_the_axis() {
        let gather = |axis| Gather { axis };
        for (axis, data, indices, expected) in [
            (0, "float[V,64]", "int64[N,S]", "float[N,S,64]"),
            (1, "float[N,3,H]", "int64[]", "float[N,H]"),
            (-1, "float[N,3]", "int64[K]", "float[N,K]"),
            (0, "float[..]", "int64[]", "float[..]"),
            (0, "float[3]", "int64[..]", "float[..]"),
            (0, "int64[2] = N,3", "int64[] = 0", "int64[] = N"),
            (0, "int64[2] = N,3", "int64[2] = -1,-2", "int64[2] = 3,N"),
            (0, "int64[2] = N,3", "int64[2] = 5,0", "int64[2] = ?,N"),
            (0, "int64[2] = N,3", "int64[2] = ?,0", "int64[2] = ?,N"),
            (1, "int64[2,2] = 1,2,3,4", "int64[1] = 1", "int64[2,1] = 2,4"),
            (0, "int64[2,2] = 1,2,3,4", "int64[] = 1", "int64[2] = 3,4"),
            (2, "float[N,3]", "int64[]", "axis 2 is outside rank 2"),
        ] {
            assert_eq!(known(&gather(axis), given![data, indices], 1), expected, "{data} {indices}");
        }
        assert_eq!(infer(&gather(0), given!["float[]", "int64[]"]), "axis 0 is outside rank 0");
    }

    #[test]
    fn elements_and_tuples() {
        let elements = GatherElements { axis: 1 };
        assert_eq!(infer(&elements, given!["float[N,3]", "int64[N,K]"]), "float[N,K]");
        assert_eq!(infer(&elements, given!["float[N,3]", "int64[..]"]), "float[?,?]");
        assert_eq!(infer(&elements, given!["float[N,3]", "int64[N]"]), "indices must have rank 2, not 1");
        let tuples = |batch_dims| GatherND { batch_dims };
        assert_eq!(infer(&tuples(0), given!["float[A,B,C]", "int64[N,2]"]), "float[N,C]");
        assert_eq!(infer(&tuples(1), given!["float[A,B,C]", "int64[A,1]"]), "float[A,C]");
        assert_eq!(infer(&tuples(1), given!["float[?,B,C]", "int64[4,N,2]"]), "float[4,N]");
        assert_eq!(infer(&tuples(0), given!["float[A,B,C]", "int64[N,K]"]), "float[..]");
        let message = "indices of 3 axes and 0 batch axes for rank 2";
        assert_eq!(infer(&tuples(0), given!["float[A,B]", "int64[N,3]"]), message);
        assert_eq!(infer(&tuples(1), given!["float[A,B]", "int64[1]"]), "1 batch axes for indices of rank 1");
        assert_eq!(infer(&tuples(0), given!["float[A]", "int64[]"]), "indices must have rank 1 or more, not 0");
    }

    #[test]
    fn scatters_keep_the_type() {
        let reduction = ScatterReduction::None;
        let elements = ScatterElements { axis: 0, reduction };
        assert_eq!(known(&elements, given!["int64[2] = 1,2", ints(&[0]), ints(&[5])], 1), "int64[2]");
        assert_eq!(infer(&elements, given!["float[2]", "int64[1]", "float[]"]), "updates must have rank 1, not 0");
        let tuples = ScatterND { reduction };
        assert_eq!(infer(&tuples, given!["float[A,B]", "int64[N,1]", "float[N,B]"]), "float[A,B]");
        let message = "updates must have rank 2, not 1";
        assert_eq!(infer(&tuples, given!["float[A,B]", "int64[N,1]", "float[N]"]), message);
        let cache = TensorScatter { axis: -2, mode: CacheMode::Linear };
        assert_eq!(infer(&cache, given!["float[B,H,S,D]", "float[B,H,1,D]", "-"]), "float[B,H,S,D]");
        assert_eq!(infer(&cache, given!["float[S]", "float[1]"]), "axis -2 is outside rank 1");
    }
}
