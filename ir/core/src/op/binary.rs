//! Operators: binary.

use super::operator;
use crate::attribute::attribute_enum;

attribute_enum! {
    /// The values of the attribute.
    ShiftDirection { /// `LEFT`.
        Left = "LEFT", /// `RIGHT`.
        Right = "RIGHT", }
}

operator! {
    /// Sum of two tensors with broadcasting; integers wrap.
    Add {
        operands { a: one, b: one }
        results { c: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Logical conjunction with broadcasting.
    And {
        operands { a: one, b: one }
        results { c: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Bits of integers moved left or right.
    BitShift {
        operands { x: one, y: one }
        results { z: one }
        attributes { direction: ShiftDirection [required] }
        regions {  }
    }
}

operator! {
    /// Bitwise conjunction.
    BitwiseAnd {
        operands { a: one, b: one }
        results { c: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Bitwise disjunction.
    BitwiseOr {
        operands { a: one, b: one }
        results { c: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Bitwise exclusive disjunction.
    BitwiseXor {
        operands { a: one, b: one }
        results { c: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Quotient with broadcasting; integers truncate toward zero.
    Div {
        operands { a: one, b: one }
        results { c: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Whether elements are equal, with broadcasting.
    Equal {
        operands { a: one, b: one }
        results { c: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Whether the first is greater, with broadcasting.
    Greater {
        operands { a: one, b: one }
        results { c: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Whether the first is greater or equal, with broadcasting.
    GreaterOrEqual {
        operands { a: one, b: one }
        results { c: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Whether the first is less, with broadcasting.
    Less {
        operands { a: one, b: one }
        results { c: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Whether the first is less or equal, with broadcasting.
    LessOrEqual {
        operands { a: one, b: one }
        results { c: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Remainder; the sign is the divisor's, with `fmod` the dividend's.
    Mod {
        operands { a: one, b: one }
        results { c: one }
        attributes { fmod: bool [false] }
        regions {  }
    }
}

operator! {
    /// Product of two tensors with broadcasting; integers wrap.
    Mul {
        operands { a: one, b: one }
        results { c: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Logical disjunction with broadcasting.
    Or {
        operands { a: one, b: one }
        results { c: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Power with broadcasting; the result has the type of the base.
    Pow {
        operands { x: one, y: one }
        results { z: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Difference of two tensors with broadcasting; integers wrap.
    Sub {
        operands { a: one, b: one }
        results { c: one }
        attributes {  }
        regions {  }
    }
}

operator! {
    /// Logical exclusive disjunction with broadcasting.
    Xor {
        operands { a: one, b: one }
        results { c: one }
        attributes {  }
        regions {  }
    }
}
