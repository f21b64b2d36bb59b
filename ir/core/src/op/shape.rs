//! Operators: shape.

use super::operator;
use crate::{DType, Tensor};

operator! {
    /// A tensor of the given shape, filled with one value.
    ConstantOfShape {
        operands { input: one }
        results { output: one }
        attributes { value: Option<Tensor> }
        regions {  }
    }
}

operator! {
    /// Broadcasts to a shape (both ways).
    Expand {
        operands { input: one, shape: one }
        results { output: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Ones on a diagonal of a matrix shaped like the operand.
    EyeLike {
        operands { input: one }
        results { output: one }
        attributes { dtype: Option<DType>, k: i64 [0] }
        regions {  }
    }
}

operator! {
    /// A matrix: the axes before `axis` and those from it on.
    Flatten {
        operands { input: one }
        results { output: one }
        attributes { axis: i64 [1] }
        regions {  }
    }
}

operator! {
    /// Numbers from start to limit by delta.
    Range {
        operands { start: one, limit: one, delta: one }
        results { output: one }
        attributes { stash_type: i64 [1] }
        regions {  }
    }
}

operator! {
    /// The same elements under another shape; 0 copies a dim, -1 infers one.
    Reshape {
        operands { data: one, shape: one }
        results { reshaped: one }
        attributes { allowzero: bool [false] }
        regions {  }
    }
}

operator! {
    /// The extents of a tensor, or a slice of them.
    Shape {
        operands { data: one }
        results { shape: one }
        attributes { end: Option<i64>, start: i64 [0] }
        regions {  }
    }
}

operator! {
    /// The number of elements.
    Size {
        operands { data: one }
        results { size: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Drops axes of extent one.
    Squeeze {
        operands { data: one, axes: maybe }
        results { squeezed: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Repeats along every axis.
    Tile {
        operands { input: one, repeats: one }
        results { output: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Inserts axes of extent one.
    Unsqueeze {
        operands { data: one, axes: one }
        results { expanded: one }
        attributes {  }
        regions {  }
    }
}
