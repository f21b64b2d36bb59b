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
}
