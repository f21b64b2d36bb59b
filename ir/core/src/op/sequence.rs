//! Operators: sequence.

use super::operator;
use crate::{DType, ValueType};

operator! {
    /// Joins or stacks the tensors of a sequence.
    ConcatFromSequence {
        operands { input_sequence: one }
        results { concat_result: one }
        attributes { axis: i64 [required], new_axis: bool [false] }
        regions {  }
    }
}

operator! {
    /// Wraps a value, or makes an empty optional.
    Optional {
        operands { input: maybe }
        results { output: one }
        attributes { element_type ("type"): Option<ValueType> }
        regions {  }
    }
}

operator! {
    /// The value inside an optional.
    OptionalGetElement {
        operands { input: one }
        results { output: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Whether an optional holds a value.
    OptionalHasElement {
        operands { input: maybe }
        results { output: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// The element of a sequence at a position.
    SequenceAt {
        operands { input_sequence: one, position: one }
        results { tensor: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// A sequence of the operands.
    SequenceConstruct {
        operands { inputs: many }
        results { output_sequence: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// An empty sequence.
    SequenceEmpty {
        operands {  }
        results { output: one }
        attributes { dtype: Option<DType> }
        regions {  }
    }
}

operator! {
    /// A sequence without one element.
    SequenceErase {
        operands { input_sequence: one, position: maybe }
        results { output_sequence: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// A sequence with one element more.
    SequenceInsert {
        operands { input_sequence: one, tensor: one, position: maybe }
        results { output_sequence: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// The number of elements of a sequence.
    SequenceLength {
        operands { input_sequence: one }
        results { length: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Parts along an axis, as a sequence.
    SplitToSequence {
        operands { input: one, split: maybe }
        results { output_sequence: one }
        attributes { axis: i64 [0], keepdims: bool [true] }
        regions {  }
    }
}
