//! Properties of dims: arithmetic agrees with numbers, answers hold for every size, normal forms read back.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, reason = "a test")]

use std::collections::BTreeMap;

use edgesmith_ir::{Dim, DimEq, Name};
use proptest::prelude::*;

/// An expression as it was written, before any normal form.
#[derive(Clone, Debug)]
enum Tree {
    Number(i64),
    Symbol(usize),
    Add(Box<Tree>, Box<Tree>),
    Sub(Box<Tree>, Box<Tree>),
    Mul(Box<Tree>, Box<Tree>),
    Floor(Box<Tree>, Box<Tree>),
    Ceil(Box<Tree>, i64),
    Mod(Box<Tree>, Box<Tree>),
    Min(Box<Tree>, Box<Tree>),
    Max(Box<Tree>, Box<Tree>),
}

const SYMBOLS: [&str; 3] = ["H", "N", "W"];

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![(-9..10_i64).prop_map(Tree::Number), (0..SYMBOLS.len()).prop_map(Tree::Symbol)];
    leaf.prop_recursive(5, 24, 2, |inner| {
        let two = || (inner.clone().prop_map(Box::new), inner.clone().prop_map(Box::new));
        let by = || {
            (
                inner.clone().prop_map(Box::new),
                prop_oneof![3 => (1..7_i64).prop_map(Tree::Number), 1 => inner.clone()].prop_map(Box::new),
            )
        };
        prop_oneof![
            two().prop_map(|(a, b)| Tree::Add(a, b)),
            two().prop_map(|(a, b)| Tree::Sub(a, b)),
            two().prop_map(|(a, b)| Tree::Mul(a, b)),
            by().prop_map(|(a, b)| Tree::Floor(a, b)),
            (inner.clone().prop_map(Box::new), 1..7_i64).prop_map(|(a, b)| Tree::Ceil(a, b)),
            by().prop_map(|(a, b)| Tree::Mod(a, b)),
            two().prop_map(|(a, b)| Tree::Min(a, b)),
            two().prop_map(|(a, b)| Tree::Max(a, b)),
        ]
    })
}

fn dim(tree: &Tree) -> Dim {
    match tree {
        Tree::Number(n) => Dim::Known(*n),
        Tree::Symbol(index) => Dim::symbol(SYMBOLS[*index]),
        Tree::Add(a, b) => dim(a).add(&dim(b)),
        Tree::Sub(a, b) => dim(a).sub(&dim(b)),
        Tree::Mul(a, b) => dim(a).mul(&dim(b)),
        Tree::Floor(a, b) => dim(a).floor_div(&dim(b)),
        Tree::Ceil(a, b) => dim(a).ceil_div(&Dim::Known(*b)),
        Tree::Mod(a, b) => dim(a).modulo(&dim(b)),
        Tree::Min(a, b) => dim(a).min_with(&dim(b)),
        Tree::Max(a, b) => dim(a).max_with(&dim(b)),
    }
}

fn floor(a: i128, b: i128) -> Option<i128> {
    let quotient = a.checked_div(b)?;
    Some(if a % b != 0 && (a < 0) != (b < 0) { quotient - 1 } else { quotient })
}

/// The value for sizes, in plain arithmetic; `None` where a divisor is zero.
fn value(tree: &Tree, sizes: &[i64]) -> Option<i128> {
    Some(match tree {
        Tree::Number(n) => i128::from(*n),
        Tree::Symbol(index) => i128::from(sizes[*index]),
        Tree::Add(a, b) => value(a, sizes)? + value(b, sizes)?,
        Tree::Sub(a, b) => value(a, sizes)? - value(b, sizes)?,
        Tree::Mul(a, b) => value(a, sizes)?.checked_mul(value(b, sizes)?)?,
        Tree::Floor(a, b) => floor(value(a, sizes)?, value(b, sizes)?)?,
        Tree::Ceil(a, b) => -floor(-value(a, sizes)?, i128::from(*b))?,
        Tree::Mod(a, b) => {
            let (a, b) = (value(a, sizes)?, value(b, sizes)?);
            a - floor(a, b)? * b
        }
        Tree::Min(a, b) => value(a, sizes)?.min(value(b, sizes)?),
        Tree::Max(a, b) => value(a, sizes)?.max(value(b, sizes)?),
    })
}

fn at(dim: &Dim, sizes: &[i64]) -> Dim {
    let bound: BTreeMap<&str, i64> = SYMBOLS.iter().copied().zip(sizes.iter().copied()).collect();
    dim.substitute(&|name: &Name| bound.get(name.as_str()).map(|n| Dim::Known(*n)))
}

fn sizes() -> impl Strategy<Value = Vec<i64>> {
    proptest::collection::vec(prop_oneof![3 => 0..12_i64, 1 => 0..5000_i64], SYMBOLS.len())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn expressions_agree_with_numbers(tree in tree(), sizes in sizes()) {
        let dim = dim(&tree);
        if let (Some(expected), found) = (value(&tree, &sizes), at(&dim, &sizes))
            && let Ok(expected) = i64::try_from(expected)
        {
            prop_assert!(found == Dim::Known(expected) || found.is_unknown(), "{dim}: {found}, not {expected}");
        }
    }

    #[test]
    fn answers_hold_for_every_size(a in tree(), b in tree(), sizes in sizes()) {
        let (left, right) = (dim(&a), dim(&b));
        if let (Some(x), Some(y)) = (value(&a, &sizes), value(&b, &sizes)) {
            match left.compare(&right) {
                DimEq::Equal => prop_assert_eq!(x, y, "{} = {}", left, right),
                DimEq::Different => prop_assert_ne!(x, y, "{} differs from {}", left, right),
                DimEq::Unknown => {}
            }
            prop_assert!(!left.is_size() || x >= 0, "{} is {}", left, x);
            if let Some(least) = left.lower_bound(&|_| 0) {
                prop_assert!(x >= i128::from(least), "{} is {}, its bound {}", left, x, least);
            }
        }
        prop_assert_eq!(left.compare(&right), right.compare(&left));
    }

    #[test]
    fn products_divide_exactly(a in tree(), b in tree()) {
        let (left, right) = (dim(&a), dim(&b));
        let product = left.mul(&right);
        if !product.is_unknown() && !right.is(0) && !right.is_unknown() {
            prop_assert_eq!(product.exact_div(&right), Some(left), "{} / {}", product, right);
        }
    }

    #[test]
    fn quotients_are_exact(a in tree(), b in tree(), sizes in sizes()) {
        let (left, right) = (dim(&a), dim(&b));
        if let (Some(quotient), Some(x), Some(y)) = (left.exact_div(&right), value(&a, &sizes), value(&b, &sizes))
            && let Dim::Known(q) = at(&quotient, &sizes)
        {
            prop_assert_eq!(i128::from(q) * y, x, "{} / {} = {}", left, right, quotient);
        }
    }

    #[test]
    fn the_printed_form_reads_back(tree in tree()) {
        let dim = dim(&tree);
        let text = dim.to_string();
        prop_assert_eq!(Dim::parse(&text).ok(), Some(dim), "{}", text);
    }

    #[test]
    fn rules_of_arithmetic(a in tree(), b in tree(), c in tree()) {
        let (a, b, c) = (dim(&a), dim(&b), dim(&c));
        prop_assert_eq!(a.add(&b), b.add(&a));
        prop_assert_eq!(a.mul(&b), b.mul(&a));
        prop_assert_eq!(a.min_with(&b), b.min_with(&a));
        prop_assert_eq!(a.max_with(&b), b.max_with(&a));
        let known = |dims: &[&Dim]| dims.iter().all(|dim| !dim.is_unknown());
        let (left, right) = (a.add(&b).add(&c), a.add(&b.add(&c)));
        prop_assert!(left == right || !known(&[&left, &right]));
        let (left, right) = (a.mul(&b.add(&c)), a.mul(&b).add(&a.mul(&c)));
        prop_assert!(left == right || !known(&[&left, &right]), "{} {}", left, right);
        let sum = Dim::sum([&a, &b, &c]);
        let one_by_one = a.add(&b).add(&c);
        prop_assert!(sum == one_by_one || !known(&[&sum, &one_by_one]));
        if known(&[&a]) {
            prop_assert_eq!(a.sub(&a), Dim::Known(0));
        }
    }
}

#[track_caller]
fn parsed(text: &str) -> Dim {
    Dim::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn sizes_computed_in_different_ways_are_equal() {
    for (a, b) in [
        ("ceil(N/2)", "floor((N + 1)/2)"),
        ("floor((N - 1)/2) + 1", "floor((N + 1)/2)"),
        ("floor(floor(N/2)/2)", "floor(N/4)"),
        ("floor((floor((N - 1)/2) + 1 - 1)/2) + 1", "floor((N + 3)/4)"),
        ("floor(2*N/4)", "floor(N/2)"),
        ("floor((2*N + 1)/4)", "floor(N/2)"),
        ("floor(3*N/2)", "N + floor(N/2)"),
        ("floor(N/-2)", "-ceil(N/2)"),
        ("mod(5*N + 7, 4)", "mod(N + 3, 4)"),
        ("max(0, N)", "N"),
        ("min(N, N + M)", "N"),
        ("min(floor(N/2), N)", "floor(N/2)"),
        ("max(0, N - floor(N/2))", "N - floor(N/2)"),
        ("min(N, max(0, N - 1))", "max(0, N - 1)"),
        ("max(0, N - min(N, 512))", "N - min(N, 512)"),
        ("max(mod(N, 4), 4)", "4"),
    ] {
        assert_eq!(parsed(a), parsed(b), "{a} and {b}");
    }
}

#[test]
fn only_certain_differences_count() {
    use DimEq::{Different, Equal, Unknown};
    for (a, b, expected) in [
        ("N", "-1", Different),
        ("N", "0", Unknown),
        ("N", "1", Unknown),
        ("N", "M", Unknown),
        ("N + 1", "N", Different),
        ("N + M + 1", "N", Different),
        ("2*N", "N", Unknown),
        ("2*N + 1", "N", Different),
        ("min(N, 4)", "5", Different),
        ("mod(N, 4)", "4", Different),
        ("floor(N/2)", "N + 1", Different),
        ("N*M", "M*N", Equal),
        ("?", "?", Unknown),
        ("?", "3", Unknown),
    ] {
        assert_eq!(parsed(a).compare(&parsed(b)), expected, "{a} and {b}");
        assert_eq!(parsed(b).compare(&parsed(a)), expected, "{b} and {a}");
    }
}

#[test]
fn overflow_is_unknown_and_never_wrong() {
    let (max, min) = (Dim::Known(i64::MAX), Dim::Known(i64::MIN));
    let n = Dim::symbol("N");
    assert!(max.add(&Dim::Known(1)).is_unknown());
    assert!(min.neg().is_unknown());
    assert!(min.floor_div(&Dim::Known(-1)).is_unknown());
    assert_eq!(min.exact_div(&Dim::Known(-1)), None);
    assert_eq!(min.modulo(&Dim::Known(-1)), Dim::Known(0));
    assert!(n.mul(&max).add(&n).is_unknown());
    assert_eq!(n.mul(&min).exact_div(&Dim::Known(-1)), None);
    assert_eq!(
        n.mul(&min).floor_div(&Dim::Known(-1)).to_string(),
        "floor(-9223372036854775808*N/-1)".replace("-9223372036854775808*N", "(-9223372036854775808*N)")
    );
    let huge = n.add(&max).floor_div(&max).floor_div(&max);
    assert_eq!(Dim::parse(&huge.to_string()), Ok(huge));
}

#[test]
fn expressions_stay_small() {
    let n = Dim::symbol("N");
    // Each of these would double with every step.
    let (mut squared, mut nested, mut least) = (n.clone(), n.clone(), n.clone());
    let m = Dim::symbol("M");
    for _ in 0..100_000 {
        squared = squared.mul(&squared);
        nested = nested.floor_div(&nested.add(&m).add(&Dim::Known(1)));
        least = least.mul(&m).min_with(&least.mul(&n).add(&m));
        assert!(nested.to_string().len() < 20_000);
        assert!(least.to_string().len() < 20_000);
    }
    assert!(squared.is_unknown());
    let mut deep = n.clone();
    for _ in 0..100_000 {
        deep = deep.add(&m).floor_div(&m);
    }
    assert!(deep.is_unknown());
    let wide = (0..1000).fold(Dim::Known(0), |sum, index| sum.add(&Dim::symbol(format!("s{index}"))));
    assert!(wide.is_unknown());
    let symbols: Vec<Dim> = (0..50_000).map(|index| Dim::symbol(format!("s{index}"))).collect();
    assert!(Dim::sum(&symbols).is_unknown());
    assert_eq!(Dim::sum(std::iter::repeat_n(&n, 50_000)).to_string(), "50000*N");
}
