//! Operators: gather.

use super::operator;
use crate::attribute::attribute_enum;

attribute_enum! {
    /// The values of the attribute.
    ScatterReduction { /// `none`.
        None = "none", /// `add`.
        Add = "add", /// `mul`.
        Mul = "mul", /// `max`.
        Max = "max", /// `min`.
        Min = "min", }
}

attribute_enum! {
    /// The values of the attribute.
    CacheMode { /// `linear`.
        Linear = "linear", /// `circular`.
        Circular = "circular", }
}

operator! {
    /// Slices of one axis selected by indices.
    Gather {
        operands { data: one, indices: one }
        results { output: one }
        attributes { axis: i64 [0] }
        regions {  }
    }
}

operator! {
    /// Elements of one axis selected by indices of the same rank.
    GatherElements {
        operands { data: one, indices: one }
        results { output: one }
        attributes { axis: i64 [0] }
        regions {  }
    }
}

operator! {
    /// Slices selected by index tuples.
    GatherND {
        operands { data: one, indices: one }
        results { output: one }
        attributes { batch_dims: i64 [0] }
        regions {  }
    }
}

operator! {
    /// Writes updates at indices along an axis.
    ScatterElements {
        operands { data: one, indices: one, updates: one }
        results { output: one }
        attributes { axis: i64 [0], reduction: ScatterReduction [ScatterReduction::None] }
        regions {  }
    }
}

operator! {
    /// Writes slices of updates at index tuples.
    ScatterND {
        operands { data: one, indices: one, updates: one }
        results { output: one }
        attributes { reduction: ScatterReduction [ScatterReduction::None] }
        regions {  }
    }
}

operator! {
    /// Writes into a key or value cache.
    TensorScatter {
        operands { past_cache: one, update: one, write_indices: maybe }
        results { present_cache: one }
        attributes { axis: i64 [-2], mode: CacheMode [CacheMode::Linear] }
        regions {  }
    }
}
