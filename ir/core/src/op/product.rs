//! Operators: product.

use super::operator;
use crate::F32;

operator! {
    /// Determinant of the last two axes.
    Det {
        operands { x: one }
        results { y: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Sum of products named by index letters.
    Einsum {
        operands { inputs: many }
        results { output: one }
        attributes { equation: String [required] }
        regions {  }
    }
}

operator! {
    /// `alpha * A' * B' + beta * C` of matrices.
    Gemm {
        operands { a: one, b: one, c: maybe }
        results { y: one }
        attributes { alpha: F32 [F32(1.0)], beta: F32 [F32(1.0)], transpose_a ("transA"): bool [false], transpose_b ("transB"): bool [false] }
        regions {  }
    }
}

operator! {
    /// Matrix product as in numpy, with broadcast batch axes.
    MatMul {
        operands { a: one, b: one }
        results { y: one }
        attributes {  }
        regions {  }
    }
}
