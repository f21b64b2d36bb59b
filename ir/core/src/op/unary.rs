//! Operators: unary.

use super::operator;

operator! {
    /// Absolute value, element by element; the minimum of a signed integer stays as it is.
    Abs {
        operands { x: one }
        results { y: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Arc cosine.
    Acos {
        operands { input: one }
        results { output: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Inverse hyperbolic cosine.
    Acosh {
        operands { input: one }
        results { output: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Arc sine.
    Asin {
        operands { input: one }
        results { output: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Inverse hyperbolic sine.
    Asinh {
        operands { input: one }
        results { output: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Arc tangent.
    Atan {
        operands { input: one }
        results { output: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Inverse hyperbolic tangent.
    Atanh {
        operands { input: one }
        results { output: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Bitwise complement.
    BitwiseNot {
        operands { x: one }
        results { y: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Rounding up to an integer.
    Ceil {
        operands { x: one }
        results { y: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Cosine.
    Cos {
        operands { input: one }
        results { output: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Hyperbolic cosine.
    Cosh {
        operands { input: one }
        results { output: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Gauss error function.
    Erf {
        operands { input: one }
        results { output: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Exponential.
    Exp {
        operands { input: one }
        results { output: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Rounding down to an integer.
    Floor {
        operands { x: one }
        results { y: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Whether elements are infinite.
    IsInf {
        operands { x: one }
        results { y: one }
        attributes { detect_negative: bool [true], detect_positive: bool [true] }
        regions {  }
    }
}

operator! {
    /// Whether elements are not a number.
    IsNaN {
        operands { x: one }
        results { y: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Natural logarithm.
    Log {
        operands { input: one }
        results { output: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Negation.
    Neg {
        operands { x: one }
        results { y: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Logical negation.
    Not {
        operands { x: one }
        results { y: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// `1 / x`.
    Reciprocal {
        operands { x: one }
        results { y: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Rounding to the nearest integer, ties to even.
    Round {
        operands { x: one }
        results { y: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// -1, 0 or 1.
    Sign {
        operands { input: one }
        results { output: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Sine.
    Sin {
        operands { input: one }
        results { output: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Hyperbolic sine.
    Sinh {
        operands { input: one }
        results { output: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Square root.
    Sqrt {
        operands { x: one }
        results { y: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Tangent.
    Tan {
        operands { input: one }
        results { output: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Hyperbolic tangent.
    Tanh {
        operands { input: one }
        results { output: one }
        attributes {  }
        regions {  }
    }
}
