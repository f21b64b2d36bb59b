//! Operators: variadic.

use super::operator;

operator! {
    /// Largest of several tensors with broadcasting; NaN wins.
    Max {
        operands { data_0: many }
        results { max: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Mean of several tensors with broadcasting.
    Mean {
        operands { data_0: many }
        results { mean: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Smallest of several tensors with broadcasting; NaN wins.
    Min {
        operands { data_0: many }
        results { min: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Sum of several tensors with broadcasting.
    Sum {
        operands { data_0: many }
        results { sum: one }
        attributes {  }
        regions {  }
    }
}
