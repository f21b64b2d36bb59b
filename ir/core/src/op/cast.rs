//! Operators: cast.

use super::operator;
use crate::DType;

operator! {
    /// The same bits read as another element type of the same width.
    BitCast {
        operands { input: one }
        results { output: one }
        attributes { to: DType [required] }
        regions {  }
    }
}

operator! {
    /// Conversion to another element type.
    Cast {
        operands { input: one }
        results { output: one }
        attributes { round_mode: String [String::from("up")], saturate: bool [true], to: DType [required] }
        regions {  }
    }
}

operator! {
    /// Conversion to the element type of the second operand.
    CastLike {
        operands { input: one, target_type: one }
        results { output: one }
        attributes { round_mode: String [String::from("up")], saturate: bool [true] }
        regions {  }
    }
}
