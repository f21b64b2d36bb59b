//! Operators: movement.

use super::operator;
use crate::attribute::attribute_enum;

attribute_enum! {
    /// The values of the attribute.
    BlockOrder { /// `DCR`.
        DepthColumnRow = "DCR", /// `CRD`.
        ColumnRowDepth = "CRD", }
}

attribute_enum! {
    /// The values of the attribute.
    PadMode { /// `constant`.
        Constant = "constant", /// `reflect`.
        Reflect = "reflect", /// `edge`.
        Edge = "edge", /// `wrap`.
        Wrap = "wrap", }
}

operator! {
    /// Crops or pads around the centre to a given shape.
    CenterCropPad {
        operands { input_data: one, shape: one }
        results { output_data: one }
        attributes { axes: Vec<i64> }
        regions {  }
    }
}

operator! {
    /// Sums columns of blocks back into an image.
    Col2Im {
        operands { input: one, image_shape: one, block_shape: one }
        results { output: one }
        attributes { dilations: Vec<i64>, pads: Vec<i64>, strides: Vec<i64> }
        regions {  }
    }
}

operator! {
    /// Joins tensors along an axis.
    Concat {
        operands { inputs: many }
        results { concat_result: one }
        attributes { axis: i64 [required] }
        regions {  }
    }
}

operator! {
    /// Moves blocks of channels into the plane.
    DepthToSpace {
        operands { input: one }
        results { output: one }
        attributes { blocksize: i64 [required], mode: BlockOrder [BlockOrder::DepthColumnRow] }
        regions {  }
    }
}

operator! {
    /// A copy.
    Identity {
        operands { input: one }
        results { output: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// One value at an index, another elsewhere, along a new axis.
    OneHot {
        operands { indices: one, depth: one, values: one }
        results { output: one }
        attributes { axis: i64 [-1] }
        regions {  }
    }
}

operator! {
    /// Pads (or crops, where negative) with a constant, by reflection, with the edge or by wrapping.
    Pad {
        operands { data: one, pads: one, constant_value: maybe, axes: maybe }
        results { output: one }
        attributes { mode: PadMode [PadMode::Constant] }
        regions {  }
    }
}

operator! {
    /// Reverses the first `length` elements of each sequence of a batch.
    ReverseSequence {
        operands { input: one, sequence_lens: one }
        results { y: one }
        attributes { batch_axis: i64 [1], time_axis: i64 [0] }
        regions {  }
    }
}

operator! {
    /// A strided part of a tensor.
    Slice {
        operands { data: one, starts: one, ends: one, axes: maybe, steps: maybe }
        results { output: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Moves blocks of the plane into channels.
    SpaceToDepth {
        operands { input: one }
        results { output: one }
        attributes { blocksize: i64 [required], mode: BlockOrder [BlockOrder::DepthColumnRow] }
        regions {  }
    }
}

operator! {
    /// Parts along an axis.
    Split {
        operands { input: one, split: maybe }
        results { outputs: many }
        attributes { axis: i64 [0], num_outputs: Option<i64> }
        regions {  }
    }
}

operator! {
    /// Permutes axes.
    Transpose {
        operands { data: one }
        results { transposed: one }
        attributes { perm: Vec<i64> }
        regions {  }
    }
}

operator! {
    /// Upper or lower triangle of the last two axes.
    Trilu {
        operands { input: one, k: maybe }
        results { output: one }
        attributes { upper: bool [true] }
        regions {  }
    }
}
