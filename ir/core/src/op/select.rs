//! Operators: select.

use super::elements::{self, Arithmetic};
use super::elementwise::{self, aligned};
use super::{checks, operator};
use crate::Item;
use crate::infer::{InferCx, InferError};

operator! {
    /// `min(max(x, min), max)`; an absent bound does not bound.
    Clip {
        operands { input: one, min: maybe, max: maybe }
        results { output: one }
        attributes {  }
        regions {  }
        infer: clip;
    }
}

operator! {
    /// Elements of one of two tensors by a condition, with broadcasting.
    Where {
        operands { condition: one, x: one, y: one }
        results { output: one }
        attributes {  }
        regions {  }
        infer: choose;
    }
}

/// Bounds are scalars; one element in a vector is tolerated, as runtimes do.
fn clip(_: &Clip, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    checks::same_type(cx, 0, 0);
    for (slot, name) in [(1, "min"), (2, "max")] {
        if let Some(extents) = cx.shape(slot).extents()
            && extents.iter().any(|extent| *extent != 1)
        {
            return Err(InferError::new(format!("{name} must be a scalar, not of shape {}", cx.shape(slot))));
        }
    }
    let (Some(dtype), true) = (cx.dtype(0), (0..3).all(|slot| !cx.has(slot) || cx.may_know(slot))) else {
        return Ok(());
    };
    let Some(contents) = cx.contents(0) else { return Ok(()) };
    let mut items = contents.items().to_vec();
    for (slot, op) in [(1, Arithmetic::Max), (2, Arithmetic::Min)] {
        if cx.has(slot) {
            let bound = cx.contents(slot).and_then(|bound| bound.items().first().cloned()).unwrap_or_default();
            items = items.iter().map(|item| elements::arithmetic(op, dtype, item, &bound)).collect();
        }
    }
    cx.set_contents(0, items);
    Ok(())
}

fn choose(_: &Where, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let (_, shape) = elementwise::broadcast_all(cx)?;
    let dtype = cx.dtype(1).or_else(|| cx.dtype(2));
    cx.set_tensor(0, dtype, shape);
    if let Some([condition, x, y]) = aligned(cx, [0, 1, 2]) {
        let items = condition.iter().zip(x.iter().zip(&y)).map(|(condition, (x, y))| match condition.int() {
            Some(0) => y.clone(),
            Some(_) => x.clone(),
            None if x == y => x.clone(),
            None => Item::Unknown,
        });
        cx.set_contents(0, items.collect());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::rule_test::{given, infer, known};
    use super::*;

    #[test]
    fn bounds_are_scalars() {
        assert_eq!(infer(&Clip {}, given!["float[N,3]", "float[]", "-"]), "float[N,3]");
        assert_eq!(infer(&Clip {}, given!["float[N,3]", "-", "float[1]"]), "float[N,3]");
        assert_eq!(infer(&Clip {}, given!["float[N]", "float[3]"]), "min must be a scalar, not of shape [3]");
        let sizes = "int64[2] = N,9";
        assert_eq!(known(&Clip {}, given![sizes, "int64[] = 0", "int64[] = 4"], 1), "int64[2] = min(4, N),4");
        assert_eq!(known(&Clip {}, given![sizes, "-", "int64[] = ?,4"], 1), "int64[2]");
    }

    #[test]
    fn a_known_condition_chooses() {
        assert_eq!(infer(&Where {}, given!["bool[N,1]", "float[3]", "?"]), "float[..]");
        assert_eq!(infer(&Where {}, given!["bool[N,1]", "float[3]", "float[]"]), "float[N,3]");
        let (x, y) = ("int64[3] = 1,2,N", "int64[3] = 4,5,N");
        assert_eq!(known(&Where {}, given!["bool[3] = 1,0,?", x, y], 1), "int64[3] = 1,5,N");
        assert_eq!(known(&Where {}, given!["bool[] = ?,1", x, y], 1), "int64[3]");
    }
}
