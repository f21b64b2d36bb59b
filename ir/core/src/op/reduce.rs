//! Operators: reduce.

use super::operator;

operator! {
    /// Sum of absolute values over axes.
    ReduceL1 {
        operands { data: one, axes: maybe }
        results { reduced: one }
        attributes { keepdims: bool [true], noop_with_empty_axes: bool [false] }
        regions {  }
    }
}

operator! {
    /// Root of the sum of squares over axes.
    ReduceL2 {
        operands { data: one, axes: maybe }
        results { reduced: one }
        attributes { keepdims: bool [true], noop_with_empty_axes: bool [false] }
        regions {  }
    }
}

operator! {
    /// Logarithm of the sum over axes.
    ReduceLogSum {
        operands { data: one, axes: maybe }
        results { reduced: one }
        attributes { keepdims: bool [true], noop_with_empty_axes: bool [false] }
        regions {  }
    }
}

operator! {
    /// Logarithm of the sum of exponentials over axes.
    ReduceLogSumExp {
        operands { data: one, axes: maybe }
        results { reduced: one }
        attributes { keepdims: bool [true], noop_with_empty_axes: bool [false] }
        regions {  }
    }
}

operator! {
    /// Maximum over axes.
    ReduceMax {
        operands { data: one, axes: maybe }
        results { reduced: one }
        attributes { keepdims: bool [true], noop_with_empty_axes: bool [false] }
        regions {  }
    }
}

operator! {
    /// Mean over axes.
    ReduceMean {
        operands { data: one, axes: maybe }
        results { reduced: one }
        attributes { keepdims: bool [true], noop_with_empty_axes: bool [false] }
        regions {  }
    }
}

operator! {
    /// Minimum over axes.
    ReduceMin {
        operands { data: one, axes: maybe }
        results { reduced: one }
        attributes { keepdims: bool [true], noop_with_empty_axes: bool [false] }
        regions {  }
    }
}

operator! {
    /// Product over axes.
    ReduceProd {
        operands { data: one, axes: maybe }
        results { reduced: one }
        attributes { keepdims: bool [true], noop_with_empty_axes: bool [false] }
        regions {  }
    }
}

operator! {
    /// Sum over axes.
    ReduceSum {
        operands { data: one, axes: maybe }
        results { reduced: one }
        attributes { keepdims: bool [true], noop_with_empty_axes: bool [false] }
        regions {  }
    }
}

operator! {
    /// Sum of squares over axes.
    ReduceSumSquare {
        operands { data: one, axes: maybe }
        results { reduced: one }
        attributes { keepdims: bool [true], noop_with_empty_axes: bool [false] }
        regions {  }
    }
}
