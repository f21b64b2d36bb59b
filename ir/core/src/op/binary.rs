//! Operators: binary.

use super::elements::{Arithmetic, Comparison, Logic};
use super::elementwise::{arithmetic, broadcast, comparison, logic};
use super::operator;
use crate::attribute::attribute_enum;
use crate::infer::{InferCx, InferError};

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
        infer: |_: &Add, cx: &mut InferCx<'_>| arithmetic(cx, Arithmetic::Add);
    }
}

operator! {
    /// Logical conjunction with broadcasting.
    And {
        operands { a: one, b: one }
        results { c: one }
        attributes {  }
        regions {  }
        infer: |_: &And, cx: &mut InferCx<'_>| logic(cx, Logic::And);
    }
}

operator! {
    /// Bits of integers moved left or right.
    BitShift {
        operands { x: one, y: one }
        results { z: one }
        attributes { direction: ShiftDirection [required] }
        regions {  }
        infer: broadcast;
    }
}

operator! {
    /// Bitwise conjunction.
    BitwiseAnd {
        operands { a: one, b: one }
        results { c: one }
        attributes {  }
        regions {  }
        infer: broadcast;
    }
}

operator! {
    /// Bitwise disjunction.
    BitwiseOr {
        operands { a: one, b: one }
        results { c: one }
        attributes {  }
        regions {  }
        infer: broadcast;
    }
}

operator! {
    /// Bitwise exclusive disjunction.
    BitwiseXor {
        operands { a: one, b: one }
        results { c: one }
        attributes {  }
        regions {  }
        infer: broadcast;
    }
}

operator! {
    /// Quotient with broadcasting; integers truncate toward zero.
    Div {
        operands { a: one, b: one }
        results { c: one }
        attributes {  }
        regions {  }
        infer: |_: &Div, cx: &mut InferCx<'_>| arithmetic(cx, Arithmetic::Div);
    }
}

operator! {
    /// Whether elements are equal, with broadcasting.
    Equal {
        operands { a: one, b: one }
        results { c: one }
        attributes {  }
        regions {  }
        infer: |_: &Equal, cx: &mut InferCx<'_>| comparison(cx, Comparison::Equal);
    }
}

operator! {
    /// Whether the first is greater, with broadcasting.
    Greater {
        operands { a: one, b: one }
        results { c: one }
        attributes {  }
        regions {  }
        infer: |_: &Greater, cx: &mut InferCx<'_>| comparison(cx, Comparison::Greater);
    }
}

operator! {
    /// Whether the first is greater or equal, with broadcasting.
    GreaterOrEqual {
        operands { a: one, b: one }
        results { c: one }
        attributes {  }
        regions {  }
        infer: |_: &GreaterOrEqual, cx: &mut InferCx<'_>| comparison(cx, Comparison::GreaterOrEqual);
    }
}

operator! {
    /// Whether the first is less, with broadcasting.
    Less {
        operands { a: one, b: one }
        results { c: one }
        attributes {  }
        regions {  }
        infer: |_: &Less, cx: &mut InferCx<'_>| comparison(cx, Comparison::Less);
    }
}

operator! {
    /// Whether the first is less or equal, with broadcasting.
    LessOrEqual {
        operands { a: one, b: one }
        results { c: one }
        attributes {  }
        regions {  }
        infer: |_: &LessOrEqual, cx: &mut InferCx<'_>| comparison(cx, Comparison::LessOrEqual);
    }
}

operator! {
    /// Remainder; the sign is the divisor's, with `fmod` the dividend's.
    Mod {
        operands { a: one, b: one }
        results { c: one }
        attributes { fmod: bool [false] }
        regions {  }
        infer: |op: &Mod, cx: &mut InferCx<'_>| {
            arithmetic(cx, if op.fmod { Arithmetic::Remainder } else { Arithmetic::Modulo })
        };
    }
}

operator! {
    /// Product of two tensors with broadcasting; integers wrap.
    Mul {
        operands { a: one, b: one }
        results { c: one }
        attributes {  }
        regions {  }
        infer: |_: &Mul, cx: &mut InferCx<'_>| arithmetic(cx, Arithmetic::Mul);
    }
}

operator! {
    /// Logical disjunction with broadcasting.
    Or {
        operands { a: one, b: one }
        results { c: one }
        attributes {  }
        regions {  }
        infer: |_: &Or, cx: &mut InferCx<'_>| logic(cx, Logic::Or);
    }
}

operator! {
    /// Power with broadcasting; the result has the type of the base.
    Pow {
        operands { x: one, y: one }
        results { z: one }
        attributes {  }
        regions {  }
        infer: power;
    }
}

operator! {
    /// Difference of two tensors with broadcasting; integers wrap.
    Sub {
        operands { a: one, b: one }
        results { c: one }
        attributes {  }
        regions {  }
        infer: |_: &Sub, cx: &mut InferCx<'_>| arithmetic(cx, Arithmetic::Sub);
    }
}

operator! {
    /// Logical exclusive disjunction with broadcasting.
    Xor {
        operands { a: one, b: one }
        results { c: one }
        attributes {  }
        regions {  }
        infer: |_: &Xor, cx: &mut InferCx<'_>| logic(cx, Logic::Xor);
    }
}

/// The exponent may be of another type; only integer powers of integers are followed.
fn power(_: &Pow, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let integers = [0, 1].iter().all(|slot| cx.dtype(*slot).is_some_and(crate::DType::is_integer));
    if integers {
        arithmetic(cx, Arithmetic::Power)?;
    } else {
        broadcast(&(), cx)?;
    }
    // Without the base's type nothing is known of the result's.
    let shape = cx.result(0).map(|fact| fact.ty.shape().clone()).unwrap_or_default();
    match cx.dtype(0) {
        Some(dtype) => cx.set_tensor(0, Some(dtype), shape),
        None => cx.set(0, crate::ValueType::Unknown),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::rule_test::{given, infer, known};
    use super::*;

    #[test]
    fn shapes_broadcast_both_ways() {
        for (a, b, expected) in [
            ("float[2,3]", "float[2,3]", "float[2,3]"),
            ("float[N,1,W]", "float[H,1]", "float[N,H,W]"),
            ("float[N,8]", "float[N,8]", "float[N,8]"),
            ("float[N]", "float[M]", "float[?]"),
            ("float[N]", "float[8]", "float[8]"),
            ("float[N]", "float[N + 1]", "float[?]"),
            ("float[?]", "float[8]", "float[8]"),
            ("float[?]", "float[1]", "float[?]"),
            ("float[0]", "float[1]", "float[0]"),
            ("float[]", "float[3]", "float[3]"),
            ("float[..]", "float[3]", "float[..]"),
            ("?", "float[3]", "float[..]"),
            ("float[2,3]", "float[2]", "shapes [2,3] and [2] do not broadcast: 3 and 2 on axis 1"),
        ] {
            assert_eq!(infer(&Add {}, given![a, b]), expected, "{a} {b}");
        }
    }

    #[test]
    fn comparisons_are_bool() {
        assert_eq!(infer(&Equal {}, given!["int64[N]", "int64[1]"]), "bool[N]");
        assert_eq!(infer(&Less {}, given!["?", "?"]), "bool[..]");
        assert_eq!(infer(&And {}, given!["bool[2]", "bool[]"]), "bool[2]");
    }

    #[test]
    fn the_base_gives_the_type_of_a_power() {
        assert_eq!(infer(&Pow {}, given!["float[N]", "int64[]"]), "float[N]");
        assert_eq!(infer(&Pow {}, given!["?", "int64[]"]), "?");
        assert_eq!(known(&Pow {}, given!["int64[] = 3", "int32[] = 2"], 1), "int64[] = 9");
        assert_eq!(known(&Pow {}, given!["int64[] = 3", "float[] = 2.0"], 1), "int64[]");
    }

    #[test]
    fn elements_are_followed() {
        let pair = "int64[2] = N,-1";
        assert_eq!(known(&Add {}, given![pair, "int64[] = 1"], 1), "int64[2] = N + 1,0");
        assert_eq!(known(&Mul {}, given!["int64[1] = 2", pair], 1), "int64[2] = 2*N,-2");
        assert_eq!(known(&Sub {}, given![pair, pair], 1), "int64[2] = 0,0");
        assert_eq!(known(&Div {}, given![pair, "int64[] = 2"], 1), "int64[2] = floor(N/2),0");
        assert_eq!(known(&Mod { fmod: false }, given![pair, "int64[] = 3"], 1), "int64[2] = mod(N, 3),2");
        assert_eq!(known(&Mod { fmod: true }, given![pair, "int64[] = 3"], 1), "int64[2] = mod(N, 3),-1");
        assert_eq!(known(&Equal {}, given![pair, "int64[] = -1"], 1), "bool[2] = 0,1");
        assert_eq!(known(&Equal {}, given![pair, "int64[] = 1"], 1), "bool[2] = ?,0");
        assert_eq!(known(&GreaterOrEqual {}, given![pair, "int64[] = 0"], 1), "bool[2] = 1,0");
        assert_eq!(known(&Xor {}, given!["bool[1] = 1", "bool[2] = 1,?"], 1), "bool[2] = 0,?");
        assert_eq!(known(&Add {}, given![pair, "int64[2]"], 1), "int64[2]");
        assert_eq!(known(&Add {}, given![pair, "int64[1000,1] = 1"], 1), "int64[1000,2]");
        assert_eq!(known(&Mul {}, given!["float[1] = 1.5", "float[2] = 2.0,4.0"], 1), "float[2] = 3.0,6.0");
    }
}
