//! Arithmetic on known elements, as the operators compute it: integers of their width, floats rounded to their type,
//! symbols where a size is not known.
//!
//! Every function gives [`Item::Unknown`] where the text leaves the result open (division by zero, a cast out of range)
//! or where a symbol leaves it undecided. Symbols are sizes: at least zero, and small enough for 32 bits, in which some
//! exporters compute shapes.

use half::{bf16, f16};

use crate::{DType, Dim, DimEq, Item};

/// A number held in an integer type, which drops the higher bits; unknown when int64 cannot say it.
pub(super) fn integer(dtype: DType, n: i128) -> Item {
    let wrapped = match dtype {
        DType::I64 => i128::from(n as i64),
        DType::I32 => i128::from(n as i32),
        DType::I16 => i128::from(n as i16),
        DType::I8 => i128::from(n as i8),
        DType::U64 => i128::from(n as u64),
        DType::U32 => i128::from(n as u32),
        DType::U16 => i128::from(n as u16),
        DType::U8 => i128::from(n as u8),
        _ => return Item::Unknown,
    };
    i64::try_from(wrapped).map_or(Item::Unknown, |n| Item::Int(Dim::Known(n)))
}

/// An expression held in an integer type; unknown where it might not fit.
pub(super) fn expression(dtype: DType, dim: Dim) -> Item {
    match (dtype, &dim) {
        (_, Dim::Known(n)) => integer(dtype, i128::from(*n)),
        (DType::I32 | DType::I64, _) => dim.into(),
        (DType::U32 | DType::U64, _) if dim.is_size() => dim.into(),
        _ => Item::Unknown,
    }
}

/// A number rounded to a float type. No element is ever known to be NaN: it would not equal itself.
pub(super) fn float(dtype: DType, x: f64) -> Item {
    let rounded = match dtype {
        DType::F64 => x,
        DType::F32 => f64::from(x as f32),
        DType::F16 => f16::from_f64(x).to_f64(),
        DType::BF16 => bf16::from_f64(x).to_f64(),
        _ => return Item::Unknown,
    };
    if rounded.is_nan() { Item::Unknown } else { Item::Float(rounded) }
}

/// A truth value.
pub(super) fn truth(yes: bool) -> Item {
    Item::Int(Dim::Known(i64::from(yes)))
}

/// Operators with two operands of one type whose elements are followed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Arithmetic {
    Add,
    Sub,
    Mul,
    Div,
    Modulo,
    Remainder,
    Power,
    Min,
    Max,
}

/// One element of the result of an operator. `exact` inputs of float types are values of the type, so that one rounding
/// of the f64 result is the operator's own: f64 has more than twice the digits of the narrower types.
pub(super) fn arithmetic(op: Arithmetic, dtype: DType, a: &Item, b: &Item) -> Item {
    match (a, b) {
        (Item::Float(a), Item::Float(b)) => float_arithmetic(op, dtype, *a, *b),
        (Item::Float(_), _) | (_, Item::Float(_)) => Item::Unknown,
        _ if !dtype.is_integer() => Item::Unknown,
        (Item::Int(Dim::Known(a)), Item::Int(Dim::Known(b))) => known_arithmetic(op, dtype, *a, *b),
        _ => symbolic_arithmetic(op, dtype, &a.dim(), &b.dim()),
    }
}

fn float_arithmetic(op: Arithmetic, dtype: DType, a: f64, b: f64) -> Item {
    let result = match op {
        Arithmetic::Add => a + b,
        Arithmetic::Sub => a - b,
        Arithmetic::Mul => a * b,
        Arithmetic::Div => a / b,
        Arithmetic::Min => a.min(b),
        Arithmetic::Max => a.max(b),
        // Which of the libraries' last bits is the right one is open.
        Arithmetic::Power | Arithmetic::Modulo | Arithmetic::Remainder => return Item::Unknown,
    };
    float(dtype, result)
}

fn known_arithmetic(op: Arithmetic, dtype: DType, a: i64, b: i64) -> Item {
    let (a, b) = (i128::from(a), i128::from(b));
    let result = match op {
        Arithmetic::Add => Some(a + b),
        Arithmetic::Sub => Some(a - b),
        Arithmetic::Mul => Some(a * b),
        Arithmetic::Div => a.checked_div(b),
        Arithmetic::Modulo => a.checked_rem(b).map(|r| if r != 0 && (r < 0) != (b < 0) { r + b } else { r }),
        Arithmetic::Remainder => a.checked_rem(b),
        Arithmetic::Power => u32::try_from(b).ok().and_then(|b| a.checked_pow(b)),
        Arithmetic::Min => Some(a.min(b)),
        Arithmetic::Max => Some(a.max(b)),
    };
    // What an integer becomes that leaves the range of its type is open, so only what fits counts.
    let fitting = result.filter(|n| integer(dtype, *n).int().map(i128::from) == Some(*n));
    fitting.map_or(Item::Unknown, |n| integer(dtype, n))
}

fn symbolic_arithmetic(op: Arithmetic, dtype: DType, a: &Dim, b: &Dim) -> Item {
    let result = match op {
        Arithmetic::Add => a.add(b),
        Arithmetic::Sub => a.sub(b),
        Arithmetic::Mul => a.mul(b),
        // Truncation is the floor where neither is negative.
        Arithmetic::Div => match a.exact_div(b) {
            Some(quotient) => quotient,
            None if a.is_size() && b.is_size() => a.floor_div(b),
            None => Dim::Unknown,
        },
        Arithmetic::Modulo => a.modulo(b),
        Arithmetic::Remainder if a.is_size() && b.is_size() => a.modulo(b),
        Arithmetic::Power if b.is(1) => a.clone(),
        Arithmetic::Power if b.is(2) => a.mul(a),
        Arithmetic::Power | Arithmetic::Remainder => Dim::Unknown,
        Arithmetic::Min => a.min_with(b),
        Arithmetic::Max => a.max_with(b),
    };
    expression(dtype, result)
}

/// Comparisons whose outcome is followed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Whether a comparison holds; unknown where sizes decide.
pub(super) fn comparison(op: Comparison, a: &Item, b: &Item) -> Item {
    match (op, a, b) {
        (Comparison::Greater, ..) => comparison(Comparison::Less, b, a),
        (Comparison::GreaterOrEqual, ..) => comparison(Comparison::LessOrEqual, b, a),
        (Comparison::Equal, Item::Float(a), Item::Float(b)) => truth(a == b),
        (Comparison::Less, Item::Float(a), Item::Float(b)) => truth(a < b),
        (Comparison::LessOrEqual, Item::Float(a), Item::Float(b)) => truth(a <= b),
        (Comparison::Equal, Item::Int(a), Item::Int(b)) => match a.compare(b) {
            DimEq::Equal => truth(true),
            DimEq::Different => truth(false),
            DimEq::Unknown => Item::Unknown,
        },
        (Comparison::Less, Item::Int(a), Item::Int(b)) => less(a, b),
        (Comparison::LessOrEqual, Item::Int(a), Item::Int(b)) => not(&less(b, a)),
        _ => Item::Unknown,
    }
}

fn less(a: &Dim, b: &Dim) -> Item {
    if let (Dim::Known(a), Dim::Known(b)) = (a, b) {
        return truth(a < b);
    }
    if a.sub(b).is_size() {
        truth(false)
    } else if b.sub(a).sub(&Dim::Known(1)).is_size() {
        truth(true)
    } else {
        Item::Unknown
    }
}

/// The opposite of a truth value.
pub(super) fn not(item: &Item) -> Item {
    item.int().map_or(Item::Unknown, |n| truth(n == 0))
}

/// Logical operators.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Logic {
    And,
    Or,
    Xor,
}

/// A logical operator; one known side may decide.
pub(super) fn logic(op: Logic, a: &Item, b: &Item) -> Item {
    let (a, b) = (a.int().map(|n| n != 0), b.int().map(|n| n != 0));
    let result = match (op, a, b) {
        (Logic::And, Some(false), _) | (Logic::And, _, Some(false)) => Some(false),
        (Logic::And, a, b) => a.zip(b).map(|_| true),
        (Logic::Or, Some(true), _) | (Logic::Or, _, Some(true)) => Some(true),
        (Logic::Or, a, b) => a.zip(b).map(|_| false),
        (Logic::Xor, a, b) => a.zip(b).map(|(a, b)| a != b),
    };
    result.map_or(Item::Unknown, truth)
}

/// An element converted from one type to another; unknown where the text leaves the result open.
pub(super) fn cast(item: &Item, from: DType, to: DType) -> Item {
    if from == to {
        return item.clone();
    }
    match item {
        Item::Unknown => Item::Unknown,
        Item::Int(dim) if to == DType::Bool => match dim.compare(&Dim::Known(0)) {
            DimEq::Equal => truth(false),
            DimEq::Different => truth(true),
            DimEq::Unknown => Item::Unknown,
        },
        Item::Int(Dim::Known(n)) if to.is_integer() => integer(to, i128::from(*n)),
        Item::Int(dim) if to.is_integer() => expression(to, dim.clone()),
        Item::Int(Dim::Known(n)) => match to {
            DType::F32 => Item::Float(f64::from(*n as f32)),
            // Beyond, rounding to f64 first would be a second rounding.
            _ if n.unsigned_abs() <= 1 << 53 || to == DType::F64 => float(to, *n as f64),
            _ => Item::Unknown,
        },
        Item::Int(_) => Item::Unknown,
        Item::Float(x) if to == DType::Bool => truth(*x != 0.0),
        Item::Float(x) if to.is_integer() => {
            let n = x.trunc();
            // 2^63 itself is out of range, and i128 holds everything below.
            let fits = n.abs() < 9.3e18 && integer(to, n as i128).int().map(i128::from) == Some(n as i128);
            if fits { integer(to, n as i128) } else { Item::Unknown }
        }
        Item::Float(x) => float(to, *x),
    }
}

/// Functions of one element that are followed: exact in every type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Function {
    Abs,
    Neg,
    Sign,
    Floor,
    Ceil,
    Round,
    Sqrt,
    Reciprocal,
}

/// One element of the result of a function.
pub(super) fn function(op: Function, dtype: DType, item: &Item) -> Item {
    match item {
        Item::Unknown => Item::Unknown,
        Item::Float(x) => float(
            dtype,
            match op {
                Function::Abs => x.abs(),
                Function::Neg => -x,
                Function::Sign if *x == 0.0 => *x,
                Function::Sign => x.signum(),
                Function::Floor => x.floor(),
                Function::Ceil => x.ceil(),
                Function::Round => x.round_ties_even(),
                Function::Sqrt => x.sqrt(),
                Function::Reciprocal => 1.0 / x,
            },
        ),
        Item::Int(Dim::Known(n)) => match op {
            Function::Abs => integer(dtype, i128::from(*n).abs()),
            Function::Neg => integer(dtype, -i128::from(*n)),
            Function::Sign => integer(dtype, i128::from(n.signum())),
            _ => Item::Unknown,
        },
        Item::Int(dim) => match op {
            Function::Abs if dim.is_size() => item.clone(),
            Function::Neg => expression(dtype, dim.neg()),
            _ => Item::Unknown,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int(n: i64) -> Item {
        Item::Int(Dim::Known(n))
    }
    fn n() -> Item {
        Item::Int(Dim::symbol("N"))
    }
    fn text(item: &Item) -> String {
        match item {
            Item::Unknown => "?".to_owned(),
            Item::Int(dim) => dim.to_string(),
            Item::Float(x) => format!("{x:?}"),
        }
    }

    #[test]
    fn integers_that_overflow_stay_unknown() {
        use Arithmetic::{Add, Div, Max, Min, Modulo, Mul, Power, Remainder, Sub};
        for (op, dtype, a, b, expected) in [
            (Add, DType::I32, i64::from(i32::MAX), 1, "?"),
            (Add, DType::I64, i64::MAX, 1, "?"),
            (Add, DType::U8, 200, 55, "255"),
            (Add, DType::U8, 200, 100, "?"),
            (Sub, DType::U32, 0, 1, "?"),
            (Sub, DType::U64, 0, 1, "?"),
            (Mul, DType::I8, 100, 2, "?"),
            (Mul, DType::I64, i64::MAX, i64::MAX, "?"),
            (Div, DType::I64, -7, 2, "-3"),
            (Div, DType::I64, 7, 0, "?"),
            (Div, DType::I32, i64::from(i32::MIN), -1, "?"),
            (Div, DType::I64, i64::MIN, -1, "?"),
            (Modulo, DType::I64, -7, 3, "2"),
            (Modulo, DType::I64, 7, -3, "-2"),
            (Remainder, DType::I64, -7, 3, "-1"),
            (Modulo, DType::I64, 7, 0, "?"),
            (Power, DType::I32, 10, 3, "1000"),
            (Power, DType::I32, 10, 10, "?"),
            (Power, DType::I64, 2, -1, "?"),
            (Min, DType::I64, -7, 3, "-7"),
            (Max, DType::I64, -7, 3, "3"),
        ] {
            assert_eq!(text(&arithmetic(op, dtype, &int(a), &int(b))), expected, "{op:?} {a} {b}");
        }
    }

    #[test]
    fn symbols_follow_where_truncation_is_floor() {
        use Arithmetic::{Add, Div, Modulo, Mul, Remainder, Sub};
        let two_n = arithmetic(Mul, DType::I64, &n(), &int(2));
        assert_eq!(text(&two_n), "2*N");
        assert_eq!(text(&arithmetic(Div, DType::I64, &two_n, &int(2))), "N");
        assert_eq!(text(&arithmetic(Div, DType::I64, &two_n, &int(-2))), "-N");
        assert_eq!(text(&arithmetic(Div, DType::I64, &n(), &int(2))), "floor(N/2)");
        let negative = arithmetic(Sub, DType::I64, &n(), &int(3));
        assert_eq!(text(&arithmetic(Div, DType::I64, &negative, &int(2))), "?");
        assert_eq!(text(&arithmetic(Modulo, DType::I64, &n(), &int(2))), "mod(N, 2)");
        assert_eq!(text(&arithmetic(Remainder, DType::I64, &negative, &int(2))), "?");
        assert_eq!(text(&arithmetic(Add, DType::I16, &n(), &int(2))), "?");
        assert_eq!(text(&arithmetic(Add, DType::I32, &n(), &int(2))), "N + 2");
        assert_eq!(text(&arithmetic(Sub, DType::U32, &n(), &int(2))), "?");
        assert_eq!(text(&arithmetic(Mul, DType::I64, &Item::Unknown, &int(0))), "0");
        assert_eq!(text(&arithmetic(Add, DType::I64, &Item::Float(1.0), &int(0))), "?");
    }

    #[test]
    fn floats_round_once_to_their_type() {
        use Arithmetic::{Add, Div, Mul, Power};
        let third = arithmetic(Div, DType::F32, &Item::Float(1.0), &Item::Float(3.0));
        assert_eq!(third, Item::Float(f64::from(1.0_f32 / 3.0)));
        let tenth = Item::Float(f64::from(0.1_f32));
        assert_eq!(arithmetic(Mul, DType::F32, &tenth, &tenth), Item::Float(f64::from(0.1_f32 * 0.1_f32)));
        assert_eq!(arithmetic(Add, DType::F16, &Item::Float(2048.0), &Item::Float(1.0)), Item::Float(2048.0));
        assert_eq!(arithmetic(Div, DType::F32, &Item::Float(0.0), &Item::Float(0.0)), Item::Unknown);
        assert_eq!(arithmetic(Div, DType::F32, &Item::Float(1.0), &Item::Float(0.0)), Item::Float(f64::INFINITY));
        assert_eq!(arithmetic(Power, DType::F32, &Item::Float(2.0), &Item::Float(2.0)), Item::Unknown);
    }

    #[test]
    fn comparisons_decide_only_what_every_size_agrees_on() {
        use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual};
        let more = Item::Int(Dim::symbol("N").add(&Dim::Known(1)));
        for (op, a, b, expected) in [
            (Equal, n(), int(-1), "0"),
            (Equal, n(), int(0), "?"),
            (Equal, n(), int(1), "?"),
            (Equal, n(), n(), "1"),
            (Equal, n(), more.clone(), "0"),
            (Equal, Item::Unknown, Item::Unknown, "?"),
            (Less, n(), more.clone(), "1"),
            (Less, n(), int(0), "0"),
            (Less, n(), int(1), "?"),
            (LessOrEqual, int(0), n(), "1"),
            (LessOrEqual, n(), n(), "1"),
            (Greater, more.clone(), n(), "1"),
            (Greater, n(), n(), "0"),
            (GreaterOrEqual, n(), int(0), "1"),
            (GreaterOrEqual, n(), int(1), "?"),
            (Equal, Item::Float(0.0), Item::Float(-0.0), "1"),
            (Less, Item::Float(1.0), Item::Float(2.0), "1"),
            (Less, Item::Float(1.0), int(2), "?"),
        ] {
            assert_eq!(text(&comparison(op, &a, &b)), expected, "{op:?} {} {}", text(&a), text(&b));
        }
    }

    #[test]
    fn logic_is_decided_by_one_side_where_it_can() {
        for (op, a, b, expected) in [
            (Logic::And, Item::Unknown, int(0), "0"),
            (Logic::And, Item::Unknown, int(1), "?"),
            (Logic::And, int(1), int(1), "1"),
            (Logic::Or, int(1), Item::Unknown, "1"),
            (Logic::Or, int(0), Item::Unknown, "?"),
            (Logic::Or, int(0), int(0), "0"),
            (Logic::Xor, int(1), int(1), "0"),
            (Logic::Xor, int(1), Item::Unknown, "?"),
        ] {
            assert_eq!(text(&logic(op, &a, &b)), expected, "{op:?}");
        }
        assert_eq!(text(&not(&int(1))), "0");
        assert_eq!(text(&not(&Item::Unknown)), "?");
    }

    #[test]
    fn casts_do_not_guess() {
        use DType::{BF16, Bool, F16, F32, F64, I8, I16, I32, I64, U8, U32, U64};
        for (item, from, to, expected) in [
            (int(200), I64, I8, "-56"),
            (int(-1), I64, U32, "4294967295"),
            (int(-1), I64, U64, "?"),
            (n(), I64, I32, "N"),
            (n(), I64, I16, "?"),
            (n(), I64, F32, "?"),
            (n(), I64, Bool, "?"),
            (Item::Int(Dim::symbol("N").add(&Dim::Known(1))), I64, Bool, "1"),
            (int(16_777_217), I64, F32, "16777216.0"),
            (int(70_000), I64, F16, "inf"),
            (int((1 << 60) + 1), I64, BF16, "?"),
            (int((1 << 60) + 1), I64, F64, "1.152921504606847e18"),
            (Item::Float(2.7), F32, I64, "2"),
            (Item::Float(-2.7), F32, I32, "-2"),
            (Item::Float(300.7), F32, U8, "?"),
            (Item::Float(-1.0), F32, U8, "?"),
            (Item::Float(9.3e18), F64, I64, "?"),
            (Item::Float(9_223_372_036_854_775_808.0), F64, I64, "?"),
            (Item::Float(-9_223_372_036_854_775_808.0), F64, I64, "-9223372036854775808"),
            (Item::Float(f64::INFINITY), F32, I64, "?"),
            (Item::Float(0.5), F32, Bool, "1"),
            (Item::Float(0.0), F32, Bool, "0"),
            (Item::Float(0.1), F64, F32, "0.10000000149011612"),
            (Item::Float(65520.0), F32, F16, "inf"),
            (Item::Float(1.0), F32, DType::F8E5M2, "?"),
            (int(1), I64, DType::String, "?"),
        ] {
            assert_eq!(text(&cast(&item, from, to)), expected, "{} {from} {to}", text(&item));
        }
    }

    #[test]
    fn functions_of_one_element() {
        use Function::{Abs, Ceil, Floor, Neg, Reciprocal, Round, Sign, Sqrt};
        for (op, dtype, item, expected) in [
            (Abs, DType::I8, int(-128), "-128"),
            (Abs, DType::I64, int(-5), "5"),
            (Abs, DType::I64, n(), "N"),
            (Neg, DType::I64, n(), "-N"),
            (Neg, DType::I64, int(i64::MIN), "-9223372036854775808"),
            (Sign, DType::I64, int(-5), "-1"),
            (Sign, DType::F32, Item::Float(-0.0), "-0.0"),
            (Floor, DType::F32, Item::Float(-1.5), "-2.0"),
            (Ceil, DType::F32, Item::Float(-0.5), "-0.0"),
            (Round, DType::F32, Item::Float(2.5), "2.0"),
            (Sqrt, DType::F32, Item::Float(-1.0), "?"),
            (Sqrt, DType::F32, Item::Float(2.0), "1.4142135381698608"),
            (Reciprocal, DType::F32, Item::Float(3.0), "0.3333333432674408"),
            (Sqrt, DType::I64, n(), "?"),
        ] {
            assert_eq!(text(&function(op, dtype, &item)), expected, "{op:?} {}", text(&item));
        }
    }
}
