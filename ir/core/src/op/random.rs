//! Operators: random.

use super::operator;
use crate::{DType, F32};

operator! {
    /// Random zeros and ones with the given probabilities. Never folded.
    Bernoulli {
        operands { input: one }
        results { output: one }
        attributes { dtype: Option<DType>, seed: Option<F32> }
        regions {  }
    }
}

operator! {
    /// In inference a copy (and a mask of true); in training mode random.
    Dropout {
        operands { data: one, ratio: maybe, training_mode: maybe }
        results { output: one, mask: maybe }
        attributes { seed: Option<i64> }
        regions {  }
    }
}

operator! {
    /// Random class indices. Never folded.
    Multinomial {
        operands { input: one }
        results { output: one }
        attributes { dtype: DType [DType::I32], sample_size: i64 [1], seed: Option<F32> }
        regions {  }
    }
}

operator! {
    /// Normal random numbers of a shape. Never folded.
    RandomNormal {
        operands {  }
        results { output: one }
        attributes { dtype: DType [DType::F32], mean: F32 [F32(0.0)], scale: F32 [F32(1.0)], seed: Option<F32>, shape: Vec<i64> [required] }
        regions {  }
    }
}

operator! {
    /// Normal random numbers of the operand's shape. Never folded.
    RandomNormalLike {
        operands { input: one }
        results { output: one }
        attributes { dtype: Option<DType>, mean: F32 [F32(0.0)], scale: F32 [F32(1.0)], seed: Option<F32> }
        regions {  }
    }
}

operator! {
    /// Uniform random numbers of a shape. Never folded.
    RandomUniform {
        operands {  }
        results { output: one }
        attributes { dtype: DType [DType::F32], high: F32 [F32(1.0)], low: F32 [F32(0.0)], seed: Option<F32>, shape: Vec<i64> [required] }
        regions {  }
    }
}

operator! {
    /// Uniform random numbers of the operand's shape. Never folded.
    RandomUniformLike {
        operands { input: one }
        results { output: one }
        attributes { dtype: Option<DType>, high: F32 [F32(1.0)], low: F32 [F32(0.0)], seed: Option<F32> }
        regions {  }
    }
}
