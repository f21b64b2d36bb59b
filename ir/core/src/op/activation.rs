//! Operators: activation.

use super::operator;
use crate::F32;
use crate::attribute::attribute_enum;

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
    }
}

operator! {
    /// `x` where positive, else `alpha * (exp(x) - 1)`.
    Elu {
        operands { x: one }
        results { y: one }
        attributes { alpha: F32 [F32(1.0)] }
        regions {  }
    }
}

operator! {
    /// `x * Phi(x)`, exact or by the tanh approximation.
    Gelu {
        operands { x: one }
        results { y: one }
        attributes { approximate: GeluApproximation [GeluApproximation::None] }
        regions {  }
    }
}

operator! {
    /// `max(0, min(1, alpha * x + beta))`.
    HardSigmoid {
        operands { x: one }
        results { y: one }
        attributes { alpha: F32 [F32(0.2)], beta: F32 [F32(0.5)] }
        regions {  }
    }
}

operator! {
    /// `x * max(0, min(1, x / 6 + 0.5))`.
    HardSwish {
        operands { x: one }
        results { y: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// `x` where not negative, else `alpha * x`.
    LeakyRelu {
        operands { x: one }
        results { y: one }
        attributes { alpha: F32 [F32(0.01)] }
        regions {  }
    }
}

operator! {
    /// `x * tanh(softplus(x))`.
    Mish {
        operands { x: one }
        results { y: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// `x` where not negative, else `slope * x`; the slope broadcasts to x.
    PRelu {
        operands { x: one, slope: one }
        results { y: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// `max(0, x)`.
    Relu {
        operands { x: one }
        results { y: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Scaled exponential linear unit.
    Selu {
        operands { x: one }
        results { y: one }
        attributes { alpha: F32 [F32(1.6732632)], gamma: F32 [F32(1.050701)] }
        regions {  }
    }
}

operator! {
    /// Shrinks toward zero by `bias` outside `[-lambd, lambd]`, zero inside.
    Shrink {
        operands { input: one }
        results { output: one }
        attributes { bias: F32 [F32(0.0)], lambd: F32 [F32(0.5)] }
        regions {  }
    }
}

operator! {
    /// `1 / (1 + exp(-x))`.
    Sigmoid {
        operands { x: one }
        results { y: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// `log(1 + exp(x))`, without overflow.
    Softplus {
        operands { x: one }
        results { y: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// `x / (1 + abs(x))`.
    Softsign {
        operands { input: one }
        results { output: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// `x * sigmoid(alpha * x)`.
    Swish {
        operands { x: one }
        results { y: one }
        attributes { alpha: F32 [F32(1.0)] }
        regions {  }
    }
}

operator! {
    /// `x` where greater than alpha, else 0.
    ThresholdedRelu {
        operands { x: one }
        results { y: one }
        attributes { alpha: F32 [F32(1.0)] }
        regions {  }
    }
}
