//! Operators: activation.

use super::elementwise::same_as_first;
use super::{checks, operator};
use crate::F32;
use crate::attribute::attribute_enum;
use crate::infer::{InferCx, InferError};

attribute_enum! {
    /// The values of the attribute.
    GeluApproximation { /// `none`.
        None = "none", /// `tanh`.
        Tanh = "tanh", }
}

operator! {
    /// `max(0, x) + min(0, alpha * (exp(x / alpha) - 1))`.
    Celu {
        operands { x: one }
        results { y: one }
        attributes { alpha: F32 [F32(1.0)] }
        regions {  }
        infer: same_as_first;
    }
}

operator! {
    /// `x` where positive, else `alpha * (exp(x) - 1)`.
    Elu {
        operands { x: one }
        results { y: one }
        attributes { alpha: F32 [F32(1.0)] }
        regions {  }
        infer: same_as_first;
    }
}

operator! {
    /// `x * Phi(x)`, exact or by the tanh approximation.
    Gelu {
        operands { x: one }
        results { y: one }
        attributes { approximate: GeluApproximation [GeluApproximation::None] }
        regions {  }
        infer: same_as_first;
    }
}

operator! {
    /// `max(0, min(1, alpha * x + beta))`.
    HardSigmoid {
        operands { x: one }
        results { y: one }
        attributes { alpha: F32 [F32(0.2)], beta: F32 [F32(0.5)] }
        regions {  }
        infer: same_as_first;
    }
}

operator! {
    /// `x * max(0, min(1, x / 6 + 0.5))`.
    HardSwish {
        operands { x: one }
        results { y: one }
        attributes {  }
        regions {  }
        infer: same_as_first;
    }
}

operator! {
    /// `x` where not negative, else `alpha * x`.
    LeakyRelu {
        operands { x: one }
        results { y: one }
        attributes { alpha: F32 [F32(0.01)] }
        regions {  }
        infer: same_as_first;
    }
}

operator! {
    /// `x * tanh(softplus(x))`.
    Mish {
        operands { x: one }
        results { y: one }
        attributes {  }
        regions {  }
        infer: same_as_first;
    }
}

operator! {
    /// `x` where not negative, else `slope * x`; the slope broadcasts to x.
    PRelu {
        operands { x: one, slope: one }
        results { y: one }
        attributes {  }
        regions {  }
        infer: parametric;
    }
}

operator! {
    /// `max(0, x)`.
    Relu {
        operands { x: one }
        results { y: one }
        attributes {  }
        regions {  }
        infer: same_as_first;
    }
}

operator! {
    /// Scaled exponential linear unit.
    Selu {
        operands { x: one }
        results { y: one }
        attributes { alpha: F32 [F32(1.673_263_2)], gamma: F32 [F32(1.050_701)] }
        regions {  }
        infer: same_as_first;
    }
}

operator! {
    /// Shrinks toward zero by `bias` outside `[-lambd, lambd]`, zero inside.
    Shrink {
        operands { input: one }
        results { output: one }
        attributes { bias: F32 [F32(0.0)], lambd: F32 [F32(0.5)] }
        regions {  }
        infer: same_as_first;
    }
}

operator! {
    /// `1 / (1 + exp(-x))`.
    Sigmoid {
        operands { x: one }
        results { y: one }
        attributes {  }
        regions {  }
        infer: same_as_first;
    }
}

operator! {
    /// `log(1 + exp(x))`, without overflow.
    Softplus {
        operands { x: one }
        results { y: one }
        attributes {  }
        regions {  }
        infer: same_as_first;
    }
}

operator! {
    /// `x / (1 + abs(x))`.
    Softsign {
        operands { input: one }
        results { output: one }
        attributes {  }
        regions {  }
        infer: same_as_first;
    }
}

operator! {
    /// `x * sigmoid(alpha * x)`.
    Swish {
        operands { x: one }
        results { y: one }
        attributes { alpha: F32 [F32(1.0)] }
        regions {  }
        infer: same_as_first;
    }
}

operator! {
    /// `x` where greater than alpha, else 0.
    ThresholdedRelu {
        operands { x: one }
        results { y: one }
        attributes { alpha: F32 [F32(1.0)] }
        regions {  }
        infer: same_as_first;
    }
}

/// The slope broadcasts to x, never the other way.
fn parametric(_: &PRelu, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    checks::same_type(cx, 0, 0);
    match checks::dims(cx, 0) {
        Some(dims) => checks::broadcasts_to(cx, 1, &dims, "slope"),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::rule_test::{given, infer};
    use super::*;

    #[test]
    fn results_are_typed_like_the_operand() {
        assert_eq!(infer(&Relu {}, given!["float[N,?,8]"]), "float[N,?,8]");
        assert_eq!(infer(&Gelu { approximate: GeluApproximation::Tanh }, given!["float16[..]"]), "float16[..]");
        assert_eq!(infer(&Celu { alpha: F32(1.0) }, given!["?"]), "?");
    }

    #[test]
    fn the_slope_broadcasts_to_x_only() {
        assert_eq!(infer(&PRelu {}, given!["float[N,3,H,W]", "float[3,1,1]"]), "float[N,3,H,W]");
        assert_eq!(infer(&PRelu {}, given!["float[..]", "float[3]"]), "float[..]");
        let message = "slope of shape [2,4] does not broadcast to [4]";
        assert_eq!(infer(&PRelu {}, given!["float[4]", "float[2,4]"]), message);
    }
}
