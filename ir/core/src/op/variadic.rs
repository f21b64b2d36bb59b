//! Operators: variadic.

use super::elements::{self, Arithmetic};
use super::elementwise::{aligned, broadcast};
use super::operator;
use crate::infer::{InferCx, InferError};

operator! {
    /// Largest of several tensors with broadcasting; NaN wins.
    Max {
        operands { data_0: many }
        results { max: one }
        attributes {  }
        regions {  }
        infer: |_: &Max, cx: &mut InferCx<'_>| extreme(cx, Arithmetic::Max);
    }
}

operator! {
    /// Mean of several tensors with broadcasting.
    Mean {
        operands { data_0: many }
        results { mean: one }
        attributes {  }
        regions {  }
        infer: broadcast;
    }
}

operator! {
    /// Smallest of several tensors with broadcasting; NaN wins.
    Min {
        operands { data_0: many }
        results { min: one }
        attributes {  }
        regions {  }
        infer: |_: &Min, cx: &mut InferCx<'_>| extreme(cx, Arithmetic::Min);
    }
}

operator! {
    /// Sum of several tensors with broadcasting.
    Sum {
        operands { data_0: many }
        results { sum: one }
        attributes {  }
        regions {  }
        infer: sum;
    }
}

fn extreme(cx: &mut InferCx<'_>, op: Arithmetic) -> Result<(), InferError> {
    broadcast(&(), cx)?;
    fold(cx, op);
    Ok(())
}

fn sum(_: &Sum, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    broadcast(&(), cx)?;
    // Of floats, the order in which they are added is open.
    if cx.operand_count() <= 2 {
        fold(cx, Arithmetic::Add);
    }
    Ok(())
}

/// Sets the result's elements by combining those of all operands, one after the other.
fn fold(cx: &mut InferCx<'_>, op: Arithmetic) {
    let Some(dtype) = cx.dtype(0) else { return };
    if !(0..cx.operand_count()).all(|slot| cx.may_know(slot)) {
        return;
    }
    let Some([mut total]) = aligned(cx, [0]) else { return };
    for slot in 1..cx.operand_count() {
        let Some([next]) = aligned(cx, [slot]) else { return };
        total = total.iter().zip(&next).map(|(a, b)| elements::arithmetic(op, dtype, a, b)).collect();
    }
    cx.set_contents(0, total);
}

#[cfg(test)]
mod tests {
    use super::super::rule_test::{given, infer, known};
    use super::*;

    #[test]
    fn all_operands_broadcast() {
        assert_eq!(infer(&Mean {}, given!["float[N,1]", "float[4]", "float[3,1,1]"]), "float[3,N,4]");
        assert_eq!(infer(&Sum {}, given!["float[N,4]"]), "float[N,4]");
        let message = "shapes [4] and [3] do not broadcast: 4 and 3 on axis 0";
        assert_eq!(infer(&Max {}, given!["float[4]", "float[3]"]), message);
    }

    #[test]
    fn elements_are_followed() {
        let (a, b) = ("int64[2] = N,7", "int64[2] = 0,3");
        assert_eq!(known(&Max {}, given![a, b], 1), "int64[2] = N,7");
        assert_eq!(known(&Min {}, given![a, b, "int64[] = 512"], 1), "int64[2] = 0,3");
        assert_eq!(known(&Min {}, given![a, "int64[] = 512"], 1), "int64[2] = min(512, N),7");
        assert_eq!(known(&Max {}, given![a, "int64[2]"], 1), "int64[2]");
        assert_eq!(known(&Sum {}, given!["float[] = 1.5", "float[] = 2.0"], 1), "float[] = 3.5");
        assert_eq!(known(&Sum {}, given!["float[] = 1.5", "float[] = 2.0", "float[] = 2.0"], 1), "float[]");
    }

    #[test]
    fn many_operands_take_linear_time() {
        let many = || (0..50_000).map(|_| super::super::rule_test::Given::from("float[N,8]"));
        assert_eq!(infer(&Sum {}, many()), "float[N,8]");
    }
}
