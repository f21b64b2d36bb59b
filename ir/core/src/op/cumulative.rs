//! Operators: cumulative.

use super::operator;

operator! {
    /// Running product along an axis.
    CumProd {
        operands { x: one, axis: one }
        results { y: one }
        attributes { exclusive: bool [false], reverse: bool [false] }
        regions {  }
    }
}

operator! {
    /// Running sum along an axis.
    CumSum {
        operands { x: one, axis: one }
        results { y: one }
        attributes { exclusive: bool [false], reverse: bool [false] }
        regions {  }
    }
}
