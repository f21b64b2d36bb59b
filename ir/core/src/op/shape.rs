//! Operators: shape.

use super::checks::{MAX_RANK, dims_of_contents, known_or_fresh};
use super::elements::{self, Arithmetic};
use super::geometry::ceil_div;
use super::{checks, elementwise, operator};
use crate::infer::{InferCx, InferError};
use crate::{Contents, DType, Dim, DimEq, Dims, Item, Tensor};
// The operator `Shape` has the name to itself in this file.
use crate::types::Shape as TensorShape;

operator! {
    /// A tensor of the given shape, filled with one value.
    ConstantOfShape {
        operands { input: one }
        results { output: one }
        attributes { value: Option<Tensor> }
        regions {  }
        infer: constant_of_shape;
    }
}

operator! {
    /// Broadcasts to a shape (both ways).
    Expand {
        operands { input: one, shape: one }
        results { output: one }
        attributes {  }
        regions {  }
        infer: expand;
    }
}

operator! {
    /// Ones on a diagonal of a matrix shaped like the operand.
    EyeLike {
        operands { input: one }
        results { output: one }
        attributes { dtype: Option<DType>, k: i64 [0] }
        regions {  }
        infer: eye_like;
    }
}

operator! {
    /// A matrix: the axes before `axis` and those from it on.
    Flatten {
        operands { input: one }
        results { output: one }
        attributes { axis: i64 [1] }
        regions {  }
        infer: flatten;
    }
}

operator! {
    /// Numbers from start to limit by delta.
    Range {
        operands { start: one, limit: one, delta: one }
        results { output: one }
        attributes { stash_type: i64 [1] }
        regions {  }
        infer: range;
    }
}

operator! {
    /// The same elements under another shape; 0 copies a dim, -1 infers one.
    Reshape {
        operands { data: one, shape: one }
        results { reshaped: one }
        attributes { allowzero: bool [false] }
        regions {  }
        infer: reshape;
    }
}

operator! {
    /// The extents of a tensor, or a slice of them.
    Shape {
        operands { data: one }
        results { shape: one }
        attributes { end: Option<i64>, start: i64 [0] }
        regions {  }
        infer: shape_of;
    }
}

operator! {
    /// The number of elements.
    Size {
        operands { data: one }
        results { size: one }
        attributes {  }
        regions {  }
        infer: size;
    }
}

operator! {
    /// Drops axes of extent one.
    Squeeze {
        operands { data: one, axes: maybe }
        results { squeezed: one }
        attributes {  }
        regions {  }
        infer: squeeze;
    }
}

operator! {
    /// Repeats along every axis.
    Tile {
        operands { input: one, repeats: one }
        results { output: one }
        attributes {  }
        regions {  }
        infer: tile;
    }
}

operator! {
    /// Inserts axes of extent one.
    Unsqueeze {
        operands { data: one, axes: one }
        results { expanded: one }
        attributes {  }
        regions {  }
        infer: unsqueeze;
    }
}

/// A shape of these dims; those that are unknown, or negative and thus no sizes, become symbols of the result.
fn sized(cx: &InferCx<'_>, dims: impl IntoIterator<Item = Dim>) -> TensorShape {
    let dims = dims.into_iter().enumerate();
    TensorShape::Ranked(dims.map(|(axis, dim)| known_or_fresh(cx, dim, 0, axis)).collect())
}

/// The result holds the elements of the first operand in the same order.
fn same_elements(cx: &mut InferCx<'_>) {
    if let Some(contents) = cx.contents(0) {
        cx.set_contents(0, contents.items().to_vec());
    }
}

fn constant_of_shape(op: &ConstantOfShape, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    checks::dims_of_rank(cx, 0, 1, "the shape")?;
    let dtype = op.value.as_ref().map_or(DType::F32, Tensor::dtype);
    let Some(dims) = dims_of_contents(cx, 0) else {
        cx.set_tensor(0, Some(dtype), TensorShape::Unranked);
        return Ok(());
    };
    if let Some(negative) = dims.iter().filter_map(Dim::known).find(|n| *n < 0) {
        return Err(InferError::new(format!("the shape holds {negative}, which is no size")));
    }
    let shape = sized(cx, dims);
    let count = shape.extents().and_then(|extents| elementwise::element_count(&extents));
    cx.set_tensor(0, Some(dtype), shape);
    let element = match &op.value {
        None => Some(Item::Float(0.0)),
        Some(value) => Contents::of_tensor(value).and_then(|contents| contents.items().first().cloned()),
    };
    if let (Some(count), Some(element)) = (count.filter(|count| *count <= Contents::LIMIT), element) {
        cx.set_contents(0, vec![element; count]);
    }
    Ok(())
}

/// The shape of the broadcast with a shape that need not be known.
fn expand(_: &Expand, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    checks::dims_of_rank(cx, 1, 1, "the shape")?;
    let Some(target) = dims_of_contents(cx, 1) else {
        cx.set_tensor(0, cx.dtype(0), TensorShape::Unranked);
        return Ok(());
    };
    // Negative numbers are no sizes; what a runtime makes of them is open.
    let target = TensorShape::of(
        target.into_iter().map(|dim| if dim.known().is_some_and(|n| n < 0) { Dim::Unknown } else { dim }),
    );
    let own = cx.shape(0).clone();
    let shape = match cx.broadcast(&own, &target)?.dims() {
        Some(dims) => sized(cx, dims.to_vec()),
        None => TensorShape::Unranked,
    };
    cx.set_tensor(0, cx.dtype(0), shape);
    if let Some([items]) = elementwise::aligned(cx, [0]) {
        cx.set_contents(0, items);
    }
    Ok(())
}

fn eye_like(op: &EyeLike, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    checks::dims_of_rank(cx, 0, 2, "the operand")?;
    elementwise::with_dtype(cx, op.dtype.or_else(|| cx.dtype(0)));
    Ok(())
}

fn flatten(op: &Flatten, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let shape = match cx.dims(0) {
        None => TensorShape::of_rank(2),
        Some(dims) => {
            let rank = dims.len();
            let axis = if op.axis == rank as i64 { rank } else { InferCx::axis(op.axis, rank)? };
            let (rows, columns) = (checks::product(&dims[..axis]), checks::product(&dims[axis..]));
            sized(cx, [rows, columns])
        }
    };
    cx.set_tensor(0, cx.dtype(0), shape);
    same_elements(cx);
    Ok(())
}

/// The length is computed in f64 also for narrower floats; that of integers exactly.
fn range(_: &Range, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let item = |slot| {
        let contents = cx.contents(slot)?;
        contents.items().first().cloned()
    };
    let dtype = (0..3).find_map(|slot| cx.dtype(slot));
    let (start, limit, delta) = (item(0), item(1), item(2));
    let length = match (&start, &limit, &delta) {
        (_, _, Some(Item::Int(Dim::Known(0)))) => return Err(InferError::new("delta must not be zero")),
        (Some(Item::Float(start)), Some(Item::Float(limit)), Some(Item::Float(delta))) => {
            let length = ((limit - start) / delta).ceil().max(0.0);
            if length < 9e15 { Dim::Known(length as i64) } else { Dim::Unknown }
        }
        (Some(Item::Int(start)), Some(Item::Int(limit)), Some(Item::Int(Dim::Known(delta)))) => {
            let (way, step) =
                if *delta > 0 { (limit.sub(start), *delta) } else { (start.sub(limit), delta.saturating_neg()) };
            ceil_div(&way, step).max_with(&Dim::Known(0))
        }
        _ => Dim::Unknown,
    };
    let count = length.extent().and_then(|n| usize::try_from(n).ok()).filter(|n| *n <= Contents::LIMIT);
    let shape = sized(cx, [length]);
    cx.set_tensor(0, dtype, shape);
    // How each element of a float range is rounded is left to the evaluator.
    if let (Some(count), Some(start @ Item::Int(_)), Some(delta), Some(dtype)) = (count, start, delta, dtype) {
        let steps = (0..count as i64).map(|index| {
            let way = elements::arithmetic(Arithmetic::Mul, dtype, &delta, &Item::Int(Dim::Known(index)));
            elements::arithmetic(Arithmetic::Add, dtype, &start, &way)
        });
        let steps = steps.collect();
        cx.set_contents(0, steps);
    }
    Ok(())
}

/// An expression among the sizes counts as a size of at least one: that it is -1 or 0 for some sizes, and so would mean
/// "infer" or "copy", is not what its author computed it for. One that no sizes keep from being negative stays unknown.
fn reshape(op: &Reshape, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    checks::dims_of_rank(cx, 1, 1, "the shape")?;
    let dtype = cx.dtype(0);
    let Some(target) = dims_of_contents(cx, 1) else {
        cx.set_tensor(0, dtype, TensorShape::Unranked);
        return Ok(());
    };
    let own = checks::dims(cx, 0);
    let mut dims: Dims = Dims::new();
    let mut inferred = None;
    for (axis, dim) in target.iter().enumerate() {
        dims.push(match dim {
            Dim::Known(0) if !op.allowzero => match &own {
                Some(own) => own.get(axis).cloned().ok_or_else(|| {
                    InferError::new(format!("the shape copies axis {axis}, which rank {} does not have", own.len()))
                })?,
                None => Dim::Unknown,
            },
            Dim::Known(-1) if inferred.is_some() => return Err(InferError::new("the shape holds -1 twice")),
            Dim::Known(-1) => {
                inferred = Some(axis);
                Dim::Unknown
            }
            Dim::Known(n) if *n < 0 => return Err(InferError::new(format!("the shape holds {n}, which is no size"))),
            Dim::Expr(_) if dim.lower_bound(&|_| 1).is_none_or(|least| least < 0) => Dim::Unknown,
            dim => dim.clone(),
        });
    }
    if let Some(own) = &own {
        // One dim left unknown is what the others leave of the elements, whether the shape says -1 or something unreadable.
        let unknown: Vec<usize> = (0..dims.len()).filter(|axis| dims[*axis].is_unknown()).collect();
        if let [axis] = unknown[..] {
            let others: Vec<Dim> =
                (0..dims.len()).filter(|other| *other != axis).map(|other| dims[other].clone()).collect();
            match quotient(own, &others) {
                Quotient::Is(dim) => dims[axis] = dim,
                Quotient::Open => {}
                Quotient::Impossible => return Err(no_reshape(own, &target)),
            }
        } else if unknown.is_empty() {
            let (elements, wanted) = (checks::product(own), checks::product(&dims));
            if elements.compare(&wanted) == DimEq::Different {
                return Err(no_reshape(own, &target));
            }
        }
    }
    let shape = sized(cx, dims);
    cx.set_tensor(0, dtype, shape);
    same_elements(cx);
    Ok(())
}

fn no_reshape(own: &[Dim], target: &[Dim]) -> InferError {
    let (own, target) = (TensorShape::Ranked(own.into()), TensorShape::Ranked(target.into()));
    InferError::new(format!("{own} cannot become {target}"))
}

enum Quotient {
    Is(Dim),
    Open,
    Impossible,
}

/// The product of `dims` divided by that of `divisors`, where the division is exact whatever the symbols are.
fn quotient(dims: &[Dim], divisors: &[Dim]) -> Quotient {
    let mut left: Vec<&Dim> = Vec::new();
    let mut right: Vec<&Dim> = divisors.iter().collect();
    // Equal factors cancel first: a product of sums would not show them any more.
    for dim in dims {
        match right.iter().position(|divisor| !divisor.is(0) && divisor.same(dim)) {
            Some(at) => {
                right.swap_remove(at);
            }
            None => left.push(dim),
        }
    }
    let product = |dims: &[&Dim]| dims.iter().fold(Dim::Known(1), |product, dim| product.mul(dim));
    let (left, right) = (product(&left), product(&right));
    match (&left, &right) {
        (_, Dim::Known(0)) => Quotient::Open,
        (Dim::Known(a), Dim::Known(b)) if a % b != 0 => Quotient::Impossible,
        _ => left.exact_div(&right).filter(|dim| !dim.is_unknown()).map_or(Quotient::Open, Quotient::Is),
    }
}

fn shape_of(op: &Shape, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let Some(dims) = checks::dims(cx, 0) else {
        cx.set_tensor(0, Some(DType::I64), TensorShape::of_rank(1));
        return Ok(());
    };
    let rank = dims.len() as i64;
    let bound = |at: i64| if at < 0 { at.saturating_add(rank) } else { at }.clamp(0, rank) as usize;
    let (start, end) = (bound(op.start), bound(op.end.unwrap_or(rank)));
    let items: Vec<Item> = dims[start..end.max(start)].iter().cloned().map(Item::from).collect();
    cx.set_tensor(0, Some(DType::I64), TensorShape::of([items.len()]));
    cx.set_contents(0, items);
    Ok(())
}

fn size(_: &Size, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let elements = cx.shape(0).elements();
    cx.set_tensor(0, Some(DType::I64), TensorShape::scalar());
    cx.set_contents(0, vec![elements.into()]);
    Ok(())
}

/// An empty list of axes counts as an absent one. Without axes a symbolic dim may be one and vanish.
fn squeeze(_: &Squeeze, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let dtype = cx.dtype(0);
    let axes = if cx.has(1) { cx.ints(1).map(Some) } else { Some(None) };
    let shape = match (checks::dims(cx, 0), axes) {
        (None, _) => TensorShape::Unranked,
        (Some(dims), Some(axes)) => match axes.filter(|axes| !axes.is_empty()) {
            Some(axes) => {
                let axes = InferCx::axes(&axes, dims.len())?;
                for axis in &axes {
                    if dims[*axis].compare(&Dim::Known(1)) == DimEq::Different {
                        return Err(InferError::new(format!("axis {axis} of {} is not one wide", cx.shape(0))));
                    }
                }
                TensorShape::Ranked(
                    dims.iter()
                        .enumerate()
                        .filter(|(axis, _)| !axes.contains(axis))
                        .map(|(_, dim)| dim.clone())
                        .collect(),
                )
            }
            None if dims.iter().all(|dim| dim.compare(&Dim::Known(1)) != DimEq::Unknown) => {
                TensorShape::Ranked(dims.into_iter().filter(|dim| !dim.is(1)).collect())
            }
            None => TensorShape::Unranked,
        },
        (Some(dims), None) => match cx.dims(1) {
            Some([Dim::Known(count)]) if *count > 0 => {
                let rank = usize::try_from(*count).ok().and_then(|count| dims.len().checked_sub(count));
                TensorShape::of_rank(
                    rank.ok_or_else(|| InferError::new(format!("{count} axes for rank {}", dims.len())))?,
                )
            }
            _ => TensorShape::Unranked,
        },
    };
    cx.set_tensor(0, dtype, shape);
    same_elements(cx);
    Ok(())
}

fn unsqueeze(_: &Unsqueeze, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let dtype = cx.dtype(0);
    let shape = match (checks::dims(cx, 0), cx.ints(1)) {
        (None, _) => TensorShape::Unranked,
        (Some(dims), Some(axes)) => {
            let axes = InferCx::axes(&axes, dims.len() + axes.len())?;
            let mut own = dims.iter();
            let rank = dims.len() + axes.len();
            let dim = |axis| if axes.contains(&axis) { Some(Dim::Known(1)) } else { own.next().cloned() };
            TensorShape::Ranked((0..rank).filter_map(dim).collect())
        }
        (Some(dims), None) => match cx.dims(1) {
            Some([Dim::Known(count)]) if *count >= 0 && (*count as usize) <= MAX_RANK => {
                TensorShape::of_rank(dims.len() + *count as usize)
            }
            _ => TensorShape::Unranked,
        },
    };
    cx.set_tensor(0, dtype, shape);
    same_elements(cx);
    Ok(())
}

fn tile(_: &Tile, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    checks::dims_of_rank(cx, 1, 1, "repeats")?;
    let repeats = dims_of_contents(cx, 1);
    let dims = checks::dims(cx, 0);
    let (Some(dims), Some(repeats)) = (&dims, &repeats) else {
        let rank = dims.map(|dims| dims.len()).or(repeats.map(|repeats| repeats.len()));
        cx.set_tensor(0, cx.dtype(0), rank.map_or(TensorShape::Unranked, TensorShape::of_rank));
        return Ok(());
    };
    if dims.len() != repeats.len() {
        return Err(InferError::new(format!("{} repeats for rank {}", repeats.len(), dims.len())));
    }
    if let Some(negative) = repeats.iter().filter_map(Dim::known).find(|n| *n < 0) {
        return Err(InferError::new(format!("a repeat of {negative}")));
    }
    let shape = sized(cx, dims.iter().zip(repeats).map(|(dim, times)| dim.mul(times)));
    let (from, to) = (cx.shape(0).extents(), shape.extents());
    cx.set_tensor(0, cx.dtype(0), shape);
    if let (Some(from), Some(to)) = (from, to)
        && elementwise::element_count(&to).is_some_and(|count| count <= Contents::LIMIT)
        && let Some(contents) = cx.contents(0)
    {
        let lists: Vec<_> =
            from.iter().zip(&to).map(|(from, to)| Some((0..*to).map(|at| at % from).collect())).collect();
        if let Some(items) = elementwise::pick(contents.items(), &from, &lists) {
            cx.set_contents(0, items);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::rule_test::{given, infer, ints, known};
    use super::*;

    #[test]
    fn filled_tensors() {
        let float = ConstantOfShape { value: None };
        let one = ConstantOfShape { value: Some(Tensor::from_ints(&[1])) };
        assert_eq!(known(&one, given![ints(&[2])], 1), "int64[2] = 1,1");
        assert_eq!(known(&float, given!["int64[2] = N,3"], 1), "float[N,3]");
        assert_eq!(known(&float, given!["int64[0] = "], 1), "float[] = 0.0");
        assert_eq!(known(&float, given!["int64[2]"], 1), "float[`?r0.0`,`?r0.1`]");
        assert_eq!(known(&float, given!["int64[K]"], 1), "float[..]");
        assert_eq!(known(&float, given![ints(&[100_000, 1000])], 1), "float[100000,1000]");
        assert_eq!(infer(&float, given![ints(&[-1])]), "the shape holds -1, which is no size");
        assert_eq!(infer(&EyeLike { dtype: None, k: 0 }, given!["int32[N,N]"]), "int32[N,N]");
        assert_eq!(infer(&EyeLike { dtype: Some(DType::F32), k: 0 }, given!["?"]), "float[..]");
        assert_eq!(infer(&EyeLike { dtype: None, k: 0 }, given!["float[3]"]), "the operand must have rank 2, not 1");
    }

    #[test]
    fn expand_broadcasts_both_ways() {
        for (x, shape, expected) in [
            ("float[1,512]", "int64[2] = N,1", "float[N,512]"),
            ("float[3,1]", "int64[1] = M", "float[3,M]"),
            ("float[1]", "int64[1] = -1", "float[`?r0.0`]"),
            ("float[N]", "int64[2]", "float[`?r0.0`,`?r0.1`]"),
            ("float[8]", "int64[1] = N", "float[8]"),
            ("float[..]", "int64[1] = 3", "float[..]"),
            ("float[3]", "int64[K]", "float[..]"),
            ("int64[1] = N", "int64[1] = 3", "int64[3] = N,N,N"),
            ("float[3]", "int64[1] = 4", "shapes [3] and [4] do not broadcast: 3 and 4 on axis 0"),
        ] {
            assert_eq!(known(&Expand {}, given![x, shape], 1), expected, "{x} {shape}");
        }
    }

    #[test]
    fn flatten_multiplies_both_sides() {
        let flat = |axis| Flatten { axis };
        assert_eq!(infer(&flat(1), given!["float[N,3,H]"]), "float[N,3*H]");
        assert_eq!(infer(&flat(0), given!["float[N,3]"]), "float[1,3*N]");
        assert_eq!(infer(&flat(-1), given!["float[2,3,4]"]), "float[6,4]");
        assert_eq!(infer(&flat(2), given!["float[N,?]"]), "float[`?r0.0`,1]");
        assert_eq!(infer(&flat(1), given!["float[..]"]), "float[?,?]");
        assert_eq!(infer(&flat(4), given!["float[2,3,4]"]), "axis 4 is outside rank 3");
        assert_eq!(known(&flat(0), given!["int64[2] = N,3"], 1), "int64[1,2] = N,3");
    }

    #[test]
    fn ranges_have_a_length() {
        let range = Range { stash_type: 1 };
        let (zero, one) = ("int64[] = 0", "int64[] = 1");
        assert_eq!(known(&range, given![zero, "int64[] = 3", one], 1), "int64[3] = 0,1,2");
        assert_eq!(known(&range, given![zero, "int64[] = N", one], 1), "int64[N]");
        assert_eq!(known(&range, given![one, "int64[] = N + 1", "int64[] = 2"], 1), "int64[floor((N + 1)/2)]");
        assert_eq!(known(&range, given!["int64[] = N", zero, "int64[] = -1"], 1), "int64[N]");
        assert_eq!(known(&range, given!["int64[] = 3", zero, one], 1), "int64[0] = ");
        assert_eq!(known(&range, given!["int64[] = N", "int64[] = N + 2", one], 1), "int64[2] = N,N + 1");
        let tenths = |x: f32| Tensor::scalar(x);
        // In f64, as the text has it: with f32 there would be three.
        assert_eq!(known(&range, given![tenths(0.0), tenths(0.3), tenths(0.1)], 1), "float[4]");
        assert_eq!(known(&range, given!["?", "int64[]", one], 1), "int64[`?r0.0`]");
        assert_eq!(infer(&range, given![zero, one, zero]), "delta must not be zero");
    }

    #[test]
    fn reshapes_copy_and_infer() {
        let reshape = Reshape { allowzero: false };
        for (x, shape, expected) in [
            ("float[N,3,4]", "int64[2] = 0,-1", "float[N,12]"),
            ("float[N,3,4]", "int64[2] = N,-1", "float[N,12]"),
            ("float[N,3,4]", "int64[2] = -1,12", "float[N,12]"),
            ("float[N,S,768]", "int64[4] = 0,0,12,64", "float[N,S,12,64]"),
            ("float[N,S + 1,768]", "int64[4] = N,-1,12,64", "float[N,S + 1,12,64]"),
            ("float[N,12,S,7]", "int64[3] = 0,-1,768", "float[N,`?r0.1`,768]"),
            ("float[N,S,12,64]", "int64[3] = 0,-1,768", "float[N,S,768]"),
            ("float[N,S,12,64]", "int64[3] = N,S,-1", "float[N,S,768]"),
            ("float[N,S,12,64]", "int64[3] = N,?,768", "float[N,S,768]"),
            ("float[N,S]", "int64[1] = -1", "float[N*S]"),
            ("float[N,7]", "int64[2] = -1,2", "float[`?r0.0`,2]"),
            ("float[..]", "int64[2] = 0,4", "float[`?r0.0`,4]"),
            ("float[..]", "int64[3]", "float[`?r0.0`,`?r0.1`,`?r0.2`]"),
            ("float[2,6]", "int64[K]", "float[..]"),
            ("float[1]", "int64[0] = ", "float[]"),
            ("float[0,3]", "int64[2] = 0,-1", "float[0,`?r0.1`]"),
            ("float[6]", "int64[2] = N - 8,6", "float[1,6]"),
            ("float[N,6]", "int64[2] = M - 8,6", "float[N,6]"),
            ("float[N,6]", "int64[2] = M - 8,-1", "float[`?r0.0`,`?r0.1`]"),
            ("float[6]", "int64[2] = -1,4", "[6] cannot become [-1,4]"),
            ("float[6]", "int64[2] = 2,4", "[6] cannot become [2,4]"),
            ("float[6]", "int64[2] = -1,-1", "the shape holds -1 twice"),
            ("float[6]", "int64[1] = -2", "the shape holds -2, which is no size"),
            ("float[6]", "int64[2] = 6,0", "the shape copies axis 1, which rank 1 does not have"),
        ] {
            assert_eq!(known(&reshape, given![x, shape], 1), expected, "{x} {shape}");
        }
        let zeros = Reshape { allowzero: true };
        assert_eq!(known(&zeros, given!["float[0,3]", "int64[2] = 3,0"], 1), "float[3,0]");
        assert_eq!(known(&reshape, given!["int64[2] = N,-1", "int64[1] = -1"], 1), "int64[2] = N,-1");
    }

    #[test]
    fn shapes_are_contents() {
        let shape = |start, end| Shape { start, end };
        assert_eq!(known(&shape(0, None), given!["float[N,3,?]"], 1), "int64[3] = N,3,?");
        assert_eq!(known(&shape(-2, None), given!["float[N,3,H]"], 1), "int64[2] = 3,H");
        assert_eq!(known(&shape(0, Some(-1)), given!["float[N,3,H]"], 1), "int64[2] = N,3");
        assert_eq!(known(&shape(2, Some(1)), given!["float[N,3,H]"], 1), "int64[0] = ");
        assert_eq!(known(&shape(i64::MIN, Some(i64::MAX)), given!["float[N]"], 1), "int64[1] = N");
        assert_eq!(known(&shape(0, None), given!["float[..]"], 1), "int64[?]");
        assert_eq!(known(&Size {}, given!["float[N,3]"], 1), "int64[] = 3*N");
        assert_eq!(known(&Size {}, given!["float[]"], 1), "int64[] = 1");
        assert_eq!(known(&Size {}, given!["float[..]"], 1), "int64[]");
    }

    #[test]
    fn squeeze_and_unsqueeze() {
        for (x, axes, expected) in [
            ("float[N,1,3]", "int64[1] = 1", "float[N,3]"),
            ("float[N,1,3]", "int64[1] = -2", "float[N,3]"),
            ("float[N,H,3]", "int64[1] = 0", "float[H,3]"),
            ("float[2,1,3,1]", "-", "float[2,3]"),
            ("float[2,1,3,1]", "int64[0] = ", "float[2,3]"),
            ("float[N,1]", "-", "float[..]"),
            ("float[N + 2,1]", "-", "float[N + 2]"),
            ("float[N,1,3]", "int64[2]", "float[?]"),
            ("float[N,1,3]", "int64[K]", "float[..]"),
            ("int64[1] = N", "int64[1] = 0", "int64[] = N"),
            ("float[N,4]", "int64[1] = 1", "axis 1 of [N,4] is not one wide"),
            ("float[N,1]", "int64[2] = 1,-1", "axis -1 is named twice"),
            ("float[N,1]", "int64[1] = 2", "axis 2 is outside rank 2"),
            ("float[N,1]", "int64[3]", "3 axes for rank 2"),
        ] {
            assert_eq!(known(&Squeeze {}, given![x, axes], 1), expected, "{x} {axes}");
        }
        for (x, axes, expected) in [
            ("float[N,3]", "int64[2] = 3,0", "float[1,N,3,1]"),
            ("float[N,3]", "int64[1] = -1", "float[N,3,1]"),
            ("int64[] = N", "int64[1] = 0", "int64[1] = N"),
            ("float[N,3]", "int64[2]", "float[?,?,?,?]"),
            ("float[..]", "int64[1] = 0", "float[..]"),
            ("float[N,3]", "int64[2] = 0,0", "axis 0 is named twice"),
            ("float[N,3]", "int64[1] = 3", "axis 3 is outside rank 3"),
        ] {
            assert_eq!(known(&Unsqueeze {}, given![x, axes], 1), expected, "{x} {axes}");
        }
    }

    #[test]
    fn tiles_multiply() {
        for (x, repeats, expected) in [
            ("float[N,3]", "int64[2] = 2,M", "float[2*N,3*M]"),
            ("float[N,3]", "int64[2]", "float[`?r0.0`,`?r0.1`]"),
            ("float[..]", "int64[2]", "float[?,?]"),
            ("int64[1] = N", "int64[1] = 3", "int64[3] = N,N,N"),
            ("int64[2,1] = 1,2", "int64[2] = 1,2", "int64[2,2] = 1,1,2,2"),
            ("int64[2] = 1,2", "int64[1] = 0", "int64[0] = "),
            ("float[N,3]", "int64[1] = 2", "1 repeats for rank 2"),
            ("float[3]", "int64[1] = -2", "a repeat of -2"),
        ] {
            assert_eq!(known(&Tile {}, given![x, repeats], 1), expected, "{x} {repeats}");
        }
    }
}
