//! Operators: select.

use super::operator;

operator! {
    /// `min(max(x, min), max)`; an absent bound does not bound.
    Clip {
        operands { input: one, min: maybe, max: maybe }
        results { output: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Elements of one of two tensors by a condition, with broadcasting.
    Where {
        operands { condition: one, x: one, y: one }
        results { output: one }
        attributes {  }
        regions {  }
    }
}
