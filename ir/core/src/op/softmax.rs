//! Operators: softmax.

use super::{checks, operator};
use crate::attribute::attribute_enum;
use crate::infer::{InferCx, InferError};

operator! {
    /// One at the first maximum along an axis, else zero.
    Hardmax {
        operands { input: one }
        results { output: one }
        attributes { axis: i64 [-1] }
        regions {  }
        infer: |op: &Hardmax, cx: &mut InferCx<'_>| along_axis(cx, op.axis);
    }
}

operator! {
    /// Logarithm of Softmax along an axis.
    LogSoftmax {
        operands { input: one }
        results { output: one }
        attributes { axis: i64 [-1] }
        regions {  }
        infer: |op: &LogSoftmax, cx: &mut InferCx<'_>| along_axis(cx, op.axis);
    }
}

operator! {
    /// Exponentials normalised to sum one along an axis.
    Softmax {
        operands { input: one }
        results { output: one }
        attributes { axis: i64 [-1] }
        regions {  }
        infer: |op: &Softmax, cx: &mut InferCx<'_>| along_axis(cx, op.axis);
    }
}

attribute_enum! {
    /// Which of the three operators a legacy form is.
    SoftmaxKind {
        /// `Softmax`.
        Softmax = "Softmax",
        /// `LogSoftmax`.
        LogSoftmax = "LogSoftmax",
        /// `Hardmax`.
        Hardmax = "Hardmax",
    }
}

operator! {
    /// Softmax, LogSoftmax or Hardmax as before opset 13: over all axes from `axis` on, taken together.
    LegacySoftmax {
        operands { input: one }
        results { output: one }
        attributes { kind: SoftmaxKind [required], axis: i64 [1] }
        regions {  }
        infer: along_rest;
    }
}

fn along_axis(cx: &mut InferCx<'_>, axis: i64) -> Result<(), InferError> {
    checks::same_type(cx, 0, 0);
    cx.shape(0).rank().map_or(Ok(()), |rank| InferCx::axis(axis, rank).map(|_| ()))
}

/// The axis may be the rank itself: then every element is a group of its own.
fn along_rest(op: &LegacySoftmax, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    match cx.shape(0).rank() {
        Some(rank) if op.axis == rank as i64 => {
            checks::same_type(cx, 0, 0);
            Ok(())
        }
        _ => along_axis(cx, op.axis),
    }
}

#[cfg(test)]
mod tests {
    use super::super::rule_test::{given, infer};
    use super::*;

    #[test]
    fn the_axis_lies_in_the_rank() {
        assert_eq!(infer(&Softmax { axis: -1 }, given!["float[N,10]"]), "float[N,10]");
        assert_eq!(infer(&LogSoftmax { axis: 5 }, given!["float[..]"]), "float[..]");
        assert_eq!(infer(&Hardmax { axis: 2 }, given!["float[N,10]"]), "axis 2 is outside rank 2");
        let legacy = |axis| LegacySoftmax { kind: SoftmaxKind::Softmax, axis };
        assert_eq!(infer(&legacy(2), given!["float[N,10]"]), "float[N,10]");
        assert_eq!(infer(&legacy(3), given!["float[N,10]"]), "axis 3 is outside rank 2");
    }
}
