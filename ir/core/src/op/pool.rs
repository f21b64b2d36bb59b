//! Operators: pool.

use super::AutoPad;
use super::operator;

operator! {
    /// Mean over windows of the spatial axes.
    AveragePool {
        operands { x: one }
        results { y: one }
        attributes { auto_pad: AutoPad [AutoPad::NotSet], ceil_mode: bool [false], count_include_pad: bool [false], dilations: Vec<i64>, kernel_shape: Vec<i64> [required], pads: Vec<i64>, strides: Vec<i64> }
        regions {  }
    }
}

operator! {
    /// Mean over all spatial axes.
    GlobalAveragePool {
        operands { x: one }
        results { y: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Lp norm over all spatial axes.
    GlobalLpPool {
        operands { x: one }
        results { y: one }
        attributes { p: i64 [2] }
        regions {  }
    }
}

operator! {
    /// Maximum over all spatial axes.
    GlobalMaxPool {
        operands { x: one }
        results { y: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Lp norm over windows of the spatial axes.
    LpPool {
        operands { x: one }
        results { y: one }
        attributes { auto_pad: AutoPad [AutoPad::NotSet], ceil_mode: bool [false], dilations: Vec<i64>, kernel_shape: Vec<i64> [required], p: i64 [2], pads: Vec<i64>, strides: Vec<i64> }
        regions {  }
    }
}

operator! {
    /// Maximum over windows of the spatial axes.
    MaxPool {
        operands { x: one }
        results { y: one, indices: maybe }
        attributes { auto_pad: AutoPad [AutoPad::NotSet], ceil_mode: bool [false], dilations: Vec<i64>, kernel_shape: Vec<i64> [required], pads: Vec<i64>, storage_order: bool [false], strides: Vec<i64> }
        regions {  }
    }
}

operator! {
    /// Puts values back to where MaxPool took them from.
    MaxUnpool {
        operands { x: one, i: one, output_shape: maybe }
        results { output: one }
        attributes { kernel_shape: Vec<i64> [required], pads: Vec<i64>, strides: Vec<i64> }
        regions {  }
    }
}
