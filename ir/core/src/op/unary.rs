//! Operators: unary.

use super::elements::{self, Function};
use super::elementwise::{self, function, same_as_first};
use super::operator;
use crate::DType;
use crate::infer::{InferCx, InferError};

operator! {
    /// Absolute value, element by element; the minimum of a signed integer stays as it is.
    Abs {
        operands { x: one }
        results { y: one }
        attributes {  }
        regions {  }
        infer: |_: &Abs, cx: &mut InferCx<'_>| function(cx, Function::Abs);
    }
}

operator! {
    /// Arc cosine.
    Acos {
        operands { input: one }
        results { output: one }
        attributes {  }
        regions {  }
        infer: same_as_first;
    }
}

operator! {
    /// Inverse hyperbolic cosine.
    Acosh {
        operands { input: one }
        results { output: one }
        attributes {  }
        regions {  }
        infer: same_as_first;
    }
}

operator! {
    /// Arc sine.
    Asin {
        operands { input: one }
        results { output: one }
        attributes {  }
        regions {  }
        infer: same_as_first;
    }
}

operator! {
    /// Inverse hyperbolic sine.
    Asinh {
        operands { input: one }
        results { output: one }
        attributes {  }
        regions {  }
        infer: same_as_first;
    }
}

operator! {
    /// Arc tangent.
    Atan {
        operands { input: one }
        results { output: one }
        attributes {  }
        regions {  }
        infer: same_as_first;
    }
}

operator! {
    /// Inverse hyperbolic tangent.
    Atanh {
        operands { input: one }
        results { output: one }
        attributes {  }
        regions {  }
        infer: same_as_first;
    }
}

operator! {
    /// Bitwise complement.
    BitwiseNot {
        operands { x: one }
        results { y: one }
        attributes {  }
        regions {  }
        infer: same_as_first;
    }
}

operator! {
    /// Rounding up to an integer.
    Ceil {
        operands { x: one }
        results { y: one }
        attributes {  }
        regions {  }
        infer: |_: &Ceil, cx: &mut InferCx<'_>| function(cx, Function::Ceil);
    }
}

operator! {
    /// Cosine.
    Cos {
        operands { input: one }
        results { output: one }
        attributes {  }
        regions {  }
        infer: same_as_first;
    }
}

operator! {
    /// Hyperbolic cosine.
    Cosh {
        operands { input: one }
        results { output: one }
        attributes {  }
        regions {  }
        infer: same_as_first;
    }
}

operator! {
    /// Gauss error function.
    Erf {
        operands { input: one }
        results { output: one }
        attributes {  }
        regions {  }
        infer: same_as_first;
    }
}

operator! {
    /// Exponential.
    Exp {
        operands { input: one }
        results { output: one }
        attributes {  }
        regions {  }
        infer: same_as_first;
    }
}

operator! {
    /// Rounding down to an integer.
    Floor {
        operands { x: one }
        results { y: one }
        attributes {  }
        regions {  }
        infer: |_: &Floor, cx: &mut InferCx<'_>| function(cx, Function::Floor);
    }
}

operator! {
    /// Whether elements are infinite.
    IsInf {
        operands { x: one }
        results { y: one }
        attributes { detect_negative: bool [true], detect_positive: bool [true] }
        regions {  }
        infer: truth;
    }
}

operator! {
    /// Whether elements are not a number.
    IsNaN {
        operands { x: one }
        results { y: one }
        attributes {  }
        regions {  }
        infer: truth;
    }
}

operator! {
    /// Natural logarithm.
    Log {
        operands { input: one }
        results { output: one }
        attributes {  }
        regions {  }
        infer: same_as_first;
    }
}

operator! {
    /// Negation.
    Neg {
        operands { x: one }
        results { y: one }
        attributes {  }
        regions {  }
        infer: |_: &Neg, cx: &mut InferCx<'_>| function(cx, Function::Neg);
    }
}

operator! {
    /// Logical negation.
    Not {
        operands { x: one }
        results { y: one }
        attributes {  }
        regions {  }
        infer: negation;
    }
}

operator! {
    /// `1 / x`.
    Reciprocal {
        operands { x: one }
        results { y: one }
        attributes {  }
        regions {  }
        infer: |_: &Reciprocal, cx: &mut InferCx<'_>| function(cx, Function::Reciprocal);
    }
}

operator! {
    /// Rounding to the nearest integer, ties to even.
    Round {
        operands { x: one }
        results { y: one }
        attributes {  }
        regions {  }
        infer: |_: &Round, cx: &mut InferCx<'_>| function(cx, Function::Round);
    }
}

operator! {
    /// -1, 0 or 1.
    Sign {
        operands { input: one }
        results { output: one }
        attributes {  }
        regions {  }
        infer: |_: &Sign, cx: &mut InferCx<'_>| function(cx, Function::Sign);
    }
}

operator! {
    /// Sine.
    Sin {
        operands { input: one }
        results { output: one }
        attributes {  }
        regions {  }
        infer: same_as_first;
    }
}

operator! {
    /// Hyperbolic sine.
    Sinh {
        operands { input: one }
        results { output: one }
        attributes {  }
        regions {  }
        infer: same_as_first;
    }
}

operator! {
    /// Square root.
    Sqrt {
        operands { x: one }
        results { y: one }
        attributes {  }
        regions {  }
        infer: |_: &Sqrt, cx: &mut InferCx<'_>| function(cx, Function::Sqrt);
    }
}

operator! {
    /// Tangent.
    Tan {
        operands { input: one }
        results { output: one }
        attributes {  }
        regions {  }
        infer: same_as_first;
    }
}

operator! {
    /// Hyperbolic tangent.
    Tanh {
        operands { input: one }
        results { output: one }
        attributes {  }
        regions {  }
        infer: same_as_first;
    }
}

fn truth<K>(_: &K, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    elementwise::with_dtype(cx, Some(DType::Bool));
    Ok(())
}

fn negation(_: &Not, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    elementwise::map(cx, |_, item| elements::not(item));
    elementwise::with_dtype(cx, Some(DType::Bool));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::rule_test::{given, known};
    use super::*;

    #[test]
    fn results_are_typed_like_the_operand() {
        assert_eq!(known(&Exp {}, given!["float16[N,3]"], 1), "float16[N,3]");
        assert_eq!(known(&Cos {}, given!["?"], 1), "?");
        assert_eq!(known(&BitwiseNot {}, given!["uint8[..]"], 1), "uint8[..]");
        assert_eq!(known(&IsNaN {}, given!["float[2]"], 1), "bool[2]");
        let infinite = IsInf { detect_negative: true, detect_positive: false };
        assert_eq!(known(&infinite, given!["?"], 1), "bool[..]");
        assert_eq!(known(&Tanh {}, given!["float[1] = 0.5"], 1), "float[1]");
    }

    #[test]
    fn exact_functions_follow_elements() {
        assert_eq!(known(&Neg {}, given!["int64[2] = N,-3"], 1), "int64[2] = -N,3");
        assert_eq!(known(&Abs {}, given!["int32[2] = N - 1,-3"], 1), "int32[2] = ?,3");
        assert_eq!(known(&Floor {}, given!["float[2] = 1.5,-1.5"], 1), "float[2] = 1.0,-2.0");
        assert_eq!(known(&Ceil {}, given!["float[] = 1.5"], 1), "float[] = 2.0");
        assert_eq!(known(&Round {}, given!["double[] = 2.5"], 1), "double[] = 2.0");
        assert_eq!(known(&Sqrt {}, given!["float[] = 64.0"], 1), "float[] = 8.0");
        assert_eq!(known(&Reciprocal {}, given!["float[] = 4.0"], 1), "float[] = 0.25");
        assert_eq!(known(&Sign {}, given!["int64[2] = -4,0"], 1), "int64[2] = -1,0");
        assert_eq!(known(&Not {}, given!["bool[3] = 1,0,?"], 1), "bool[3] = 0,1,?");
    }
}
