//! Operators: cumulative.

use super::{checks, operator};
use crate::infer::{InferCx, InferError};

operator! {
    /// Running product along an axis.
    CumProd {
        operands { x: one, axis: one }
        results { y: one }
        attributes { exclusive: bool [false], reverse: bool [false] }
        regions {  }
        infer: along_axis;
    }
}

operator! {
    /// Running sum along an axis.
    CumSum {
        operands { x: one, axis: one }
        results { y: one }
        attributes { exclusive: bool [false], reverse: bool [false] }
        regions {  }
        infer: along_axis;
    }
}

fn along_axis<K>(_: &K, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    checks::same_type(cx, 0, 0);
    if let (Some(rank), Some(axis)) = (cx.shape(0).rank(), cx.int(1)) {
        InferCx::axis(axis, rank)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::rule_test::{given, infer};
    use super::*;

    #[test]
    fn results_are_typed_like_the_operand() {
        let sum = CumSum { exclusive: false, reverse: false };
        let product = CumProd { exclusive: true, reverse: false };
        assert_eq!(infer(&sum, given!["int64[N,S]", "int64[] = 1"]), "int64[N,S]");
        assert_eq!(infer(&sum, given!["int64[N,S]", "int64[]"]), "int64[N,S]");
        assert_eq!(infer(&product, given!["float[..]", "int64[] = 7"]), "float[..]");
        assert_eq!(infer(&product, given!["float[N]", "int32[1] = 1"]), "axis 1 is outside rank 1");
    }
}
