//! What passes want to know of an operator without asking for its type.

use super::{Op, OpKind};

impl Op {
    /// Whether two runs on the same operands may differ: such an operator is never folded, merged or repeated.
    /// Regions are not looked into.
    pub fn is_random(&self) -> bool {
        match self.kind() {
            OpKind::Bernoulli
            | OpKind::Multinomial
            | OpKind::RandomNormal
            | OpKind::RandomNormalLike
            | OpKind::RandomUniform
            | OpKind::RandomUniformLike
            // Dropout in training mode; whether the mode is a constant false is for the caller to see.
            | OpKind::Dropout => true,
            OpKind::Custom | OpKind::Call => true,
            _ => false,
        }
    }

    /// Whether swapping the two operands changes nothing, not even the bits of the result.
    pub fn is_commutative(&self) -> bool {
        matches!(
            self.kind(),
            OpKind::Add
                | OpKind::Mul
                | OpKind::And
                | OpKind::Or
                | OpKind::Xor
                | OpKind::Equal
                | OpKind::BitwiseAnd
                | OpKind::BitwiseOr
                | OpKind::BitwiseXor
        )
    }

    /// Whether every element of the result is made of the one element of the first operand in its place, and of nothing else
    /// but parameters.
    pub fn is_elementwise(&self) -> bool {
        matches!(
            self.kind(),
            OpKind::Abs
                | OpKind::Acos
                | OpKind::Acosh
                | OpKind::Asin
                | OpKind::Asinh
                | OpKind::Atan
                | OpKind::Atanh
                | OpKind::BitwiseNot
                | OpKind::Cast
                | OpKind::Ceil
                | OpKind::Celu
                | OpKind::Clip
                | OpKind::Cos
                | OpKind::Cosh
                | OpKind::Elu
                | OpKind::Erf
                | OpKind::Exp
                | OpKind::Floor
                | OpKind::Gelu
                | OpKind::HardSigmoid
                | OpKind::HardSwish
                | OpKind::Identity
                | OpKind::IsInf
                | OpKind::IsNaN
                | OpKind::LeakyRelu
                | OpKind::Log
                | OpKind::Mish
                | OpKind::Neg
                | OpKind::Not
                | OpKind::Reciprocal
                | OpKind::Relu
                | OpKind::Round
                | OpKind::Selu
                | OpKind::Shrink
                | OpKind::Sigmoid
                | OpKind::Sign
                | OpKind::Sin
                | OpKind::Sinh
                | OpKind::Softplus
                | OpKind::Softsign
                | OpKind::Sqrt
                | OpKind::Swish
                | OpKind::Tan
                | OpKind::Tanh
                | OpKind::ThresholdedRelu
        )
    }

    /// Whether every element of the result is made of the elements in its place of operands that are broadcast to each other.
    pub fn broadcasts(&self) -> bool {
        matches!(
            self.kind(),
            OpKind::Add
                | OpKind::And
                | OpKind::BitShift
                | OpKind::BitwiseAnd
                | OpKind::BitwiseOr
                | OpKind::BitwiseXor
                | OpKind::Div
                | OpKind::Equal
                | OpKind::Greater
                | OpKind::GreaterOrEqual
                | OpKind::Less
                | OpKind::LessOrEqual
                | OpKind::Max
                | OpKind::Mean
                | OpKind::Min
                | OpKind::Mod
                | OpKind::Mul
                | OpKind::Or
                | OpKind::PRelu
                | OpKind::Pow
                | OpKind::Sub
                | OpKind::Sum
                | OpKind::Where
                | OpKind::Xor
        )
    }
}
