//! Operators: reduce.

use super::elements::{self, Arithmetic};
use super::{checks, elementwise, operator};
use crate::infer::{InferCx, InferError};
use crate::{Contents, DType, Dim, Item, Shape};

operator! {
    /// Sum of absolute values over axes.
    ReduceL1 {
        operands { data: one, axes: maybe }
        results { reduced: one }
        attributes { keepdims: bool [true], noop_with_empty_axes: bool [false] }
        regions {  }
        infer: |op: &ReduceL1, cx: &mut InferCx<'_>| reduce(cx, op.keepdims, op.noop_with_empty_axes, None);
    }
}

operator! {
    /// Root of the sum of squares over axes.
    ReduceL2 {
        operands { data: one, axes: maybe }
        results { reduced: one }
        attributes { keepdims: bool [true], noop_with_empty_axes: bool [false] }
        regions {  }
        infer: |op: &ReduceL2, cx: &mut InferCx<'_>| reduce(cx, op.keepdims, op.noop_with_empty_axes, None);
    }
}

operator! {
    /// Logarithm of the sum over axes.
    ReduceLogSum {
        operands { data: one, axes: maybe }
        results { reduced: one }
        attributes { keepdims: bool [true], noop_with_empty_axes: bool [false] }
        regions {  }
        infer: |op: &ReduceLogSum, cx: &mut InferCx<'_>| reduce(cx, op.keepdims, op.noop_with_empty_axes, None);
    }
}

operator! {
    /// Logarithm of the sum of exponentials over axes.
    ReduceLogSumExp {
        operands { data: one, axes: maybe }
        results { reduced: one }
        attributes { keepdims: bool [true], noop_with_empty_axes: bool [false] }
        regions {  }
        infer: |op: &ReduceLogSumExp, cx: &mut InferCx<'_>| reduce(cx, op.keepdims, op.noop_with_empty_axes, None);
    }
}

operator! {
    /// Maximum over axes.
    ReduceMax {
        operands { data: one, axes: maybe }
        results { reduced: one }
        attributes { keepdims: bool [true], noop_with_empty_axes: bool [false] }
        regions {  }
        infer: |op: &ReduceMax, cx: &mut InferCx<'_>| reduce(cx, op.keepdims, op.noop_with_empty_axes, Some(Arithmetic::Max));
    }
}

operator! {
    /// Mean over axes.
    ReduceMean {
        operands { data: one, axes: maybe }
        results { reduced: one }
        attributes { keepdims: bool [true], noop_with_empty_axes: bool [false] }
        regions {  }
        infer: |op: &ReduceMean, cx: &mut InferCx<'_>| reduce(cx, op.keepdims, op.noop_with_empty_axes, None);
    }
}

operator! {
    /// Minimum over axes.
    ReduceMin {
        operands { data: one, axes: maybe }
        results { reduced: one }
        attributes { keepdims: bool [true], noop_with_empty_axes: bool [false] }
        regions {  }
        infer: |op: &ReduceMin, cx: &mut InferCx<'_>| reduce(cx, op.keepdims, op.noop_with_empty_axes, Some(Arithmetic::Min));
    }
}

operator! {
    /// Product over axes.
    ReduceProd {
        operands { data: one, axes: maybe }
        results { reduced: one }
        attributes { keepdims: bool [true], noop_with_empty_axes: bool [false] }
        regions {  }
        infer: |op: &ReduceProd, cx: &mut InferCx<'_>| reduce(cx, op.keepdims, op.noop_with_empty_axes, Some(Arithmetic::Mul));
    }
}

operator! {
    /// Sum over axes.
    ReduceSum {
        operands { data: one, axes: maybe }
        results { reduced: one }
        attributes { keepdims: bool [true], noop_with_empty_axes: bool [false] }
        regions {  }
        infer: |op: &ReduceSum, cx: &mut InferCx<'_>| reduce(cx, op.keepdims, op.noop_with_empty_axes, Some(Arithmetic::Add));
    }
}

operator! {
    /// Sum of squares over axes.
    ReduceSumSquare {
        operands { data: one, axes: maybe }
        results { reduced: one }
        attributes { keepdims: bool [true], noop_with_empty_axes: bool [false] }
        regions {  }
        infer: |op: &ReduceSumSquare, cx: &mut InferCx<'_>| reduce(cx, op.keepdims, op.noop_with_empty_axes, None);
    }
}

/// The rule of all reductions. `follow` says how elements are combined where that is exact.
fn reduce(cx: &mut InferCx<'_>, keepdims: bool, noop: bool, follow: Option<Arithmetic>) -> Result<(), InferError> {
    let dtype = cx.dtype(0);
    let axes = if cx.has(1) { cx.ints(1) } else { Some(Vec::new()) };
    let Some(dims) = checks::dims(cx, 0) else {
        cx.set_tensor(0, dtype, Shape::Unranked);
        return Ok(());
    };
    let Some(axes) = axes else {
        cx.set_tensor(0, dtype, unknown_axes(cx, &dims, keepdims));
        return Ok(());
    };
    // An empty list means all axes, or none.
    let axes = match (axes.is_empty(), noop) {
        (true, true) => smallvec::SmallVec::new(),
        (true, false) => (0..dims.len()).collect(),
        (false, _) => InferCx::axes(&axes, dims.len())?,
    };
    let mut reduced = vec![false; dims.len()];
    axes.iter().for_each(|axis| reduced[*axis] = true);
    let kept = dims.iter().zip(&reduced).filter_map(|(dim, reduced)| match (reduced, keepdims) {
        (false, _) => Some(dim.clone()),
        (true, true) => Some(Dim::Known(1)),
        (true, false) => None,
    });
    let shape = Shape::Ranked(kept.collect());
    cx.set_tensor(0, dtype, shape);
    if let (Some(dtype), Some(op)) = (dtype, follow)
        && let (Some(extents), Some(contents)) = (cx.shape(0).extents(), cx.contents(0))
    {
        // The order in which floats are added is open; the extremes of floats do not depend on it.
        let exact = dtype.is_integer() || matches!(op, Arithmetic::Min | Arithmetic::Max);
        if let Some(items) = exact.then(|| fold(op, dtype, contents.items(), &extents, &reduced)).flatten() {
            cx.set_contents(0, items);
        }
    }
    Ok(())
}

/// Without the axes the rank is known where they stay, or where their number is known.
fn unknown_axes(cx: &InferCx<'_>, dims: &[Dim], keepdims: bool) -> Shape {
    if keepdims {
        return Shape::of(dims.iter().map(|dim| if dim.is(1) { Dim::Known(1) } else { Dim::Unknown }));
    }
    match cx.dims(1) {
        Some([Dim::Known(count)]) if *count > 0 => {
            let rank = usize::try_from(*count).ok().and_then(|count| dims.len().checked_sub(count));
            rank.map_or(Shape::Unranked, Shape::of_rank)
        }
        _ => Shape::Unranked,
    }
}

fn fold(op: Arithmetic, dtype: DType, items: &[Item], extents: &[u64], reduced: &[bool]) -> Option<Vec<Item>> {
    let kept: Vec<u64> = extents.iter().zip(reduced).filter(|(_, reduced)| !**reduced).map(|(n, _)| *n).collect();
    let count = elementwise::element_count(&kept).filter(|count| *count <= Contents::LIMIT)?;
    // Of nothing, a sum is 0 and a product 1; the extremes of a type are left to the evaluator.
    let empty = match op {
        Arithmetic::Add => Item::Int(Dim::Known(0)),
        Arithmetic::Mul => Item::Int(Dim::Known(1)),
        _ => Item::Unknown,
    };
    let mut totals: Vec<Option<Item>> = vec![None; count];
    for (at, item) in items.iter().enumerate() {
        let (mut rest, mut place, mut step) = (at as u64, 0, 1);
        for (extent, reduced) in extents.iter().zip(reduced).rev() {
            if !reduced {
                place += rest % extent * step;
                step *= extent;
            }
            rest /= extent;
        }
        let total = totals.get_mut(place as usize)?;
        *total = Some(match total.take() {
            None => item.clone(),
            Some(total) => elements::arithmetic(op, dtype, &total, item),
        });
    }
    Some(totals.into_iter().map(|total| total.unwrap_or_else(|| empty.clone())).collect())
}

#[cfg(test)]
mod tests {
    use super::super::rule_test::{given, ints, known};
    use super::*;

    #[test]
    fn axes_vanish_or_become_one() {
        for (keepdims, noop, data, axes, expected) in [
            (true, false, "float[N,3,H]", "int64[1] = 1", "float[N,1,H]"),
            (false, false, "float[N,3,H]", "int64[2] = 1,-1", "float[N]"),
            (true, false, "float[N,3]", "-", "float[1,1]"),
            (false, false, "float[N,3]", "int64[0] = ", "float[]"),
            (false, true, "float[N,3]", "int64[0] = ", "float[N,3]"),
            (false, true, "float[N,3]", "-", "float[N,3]"),
            (true, false, "float[N,1]", "int64[1]", "float[?,1]"),
            (false, false, "float[N,3]", "int64[1]", "float[?]"),
            (false, false, "float[N,3]", "int64[K]", "float[..]"),
            (true, false, "float[..]", "int64[1] = 1", "float[..]"),
            (true, false, "float[]", "-", "float[]"),
            (true, false, "float[N,3]", "int64[1] = 2", "axis 2 is outside rank 2"),
            (true, false, "float[N,3]", "int64[2] = 1,-1", "axis -1 is named twice"),
        ] {
            let op = ReduceMean { keepdims, noop_with_empty_axes: noop };
            assert_eq!(known(&op, given![data, axes], 1), expected, "{data} {axes}");
        }
        let op = ReduceL2 { keepdims: true, noop_with_empty_axes: false };
        assert_eq!(known(&op, given!["float16[N,3]", ints(&[0])], 1), "float16[1,3]");
        let op = ReduceLogSumExp { keepdims: false, noop_with_empty_axes: false };
        assert_eq!(known(&op, given!["double[N,3]", ints(&[0])], 1), "double[3]");
    }

    #[test]
    fn elements_are_followed() {
        let (keepdims, noop_with_empty_axes) = (false, false);
        let sizes = "int64[2,2] = N,2,3,4";
        let product = ReduceProd { keepdims, noop_with_empty_axes };
        assert_eq!(known(&product, given![sizes], 1), "int64[] = 24*N");
        assert_eq!(known(&product, given![sizes, ints(&[0])], 1), "int64[2] = 3*N,8");
        assert_eq!(known(&product, given!["int64[0] = "], 1), "int64[] = 1");
        let sum = ReduceSum { keepdims: true, noop_with_empty_axes };
        assert_eq!(known(&sum, given![sizes, ints(&[1])], 1), "int64[2,1] = N + 2,7");
        assert_eq!(known(&sum, given!["float[2] = 1.0,2.0"], 1), "float[1]");
        let largest = ReduceMax { keepdims, noop_with_empty_axes };
        assert_eq!(known(&largest, given!["float[2] = 1.0,2.0"], 1), "float[] = 2.0");
        assert_eq!(known(&largest, given!["int64[0] = "], 1), "int64[]");
        let least = ReduceMin { keepdims, noop_with_empty_axes };
        assert_eq!(known(&least, given!["int64[2] = N,4"], 1), "int64[] = min(4, N)");
        assert_eq!(known(&least, given!["int64[0,2] = ", ints(&[0])], 1), "int64[2]");
    }
}
