//! Operators: softmax.

use super::operator;
use crate::attribute::attribute_enum;

operator! {
    /// One at the first maximum along an axis, else zero.
    Hardmax {
        operands { input: one }
        results { output: one }
        attributes { axis: i64 [-1] }
        regions {  }
    }
}

operator! {
    /// Logarithm of Softmax along an axis.
    LogSoftmax {
        operands { input: one }
        results { output: one }
        attributes { axis: i64 [-1] }
        regions {  }
    }
}

operator! {
    /// Exponentials normalised to sum one along an axis.
    Softmax {
        operands { input: one }
        results { output: one }
        attributes { axis: i64 [-1] }
        regions {  }
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
    }
}
