//! What is certain of a dim whatever the sizes are: bounds, signs, and whether two dims are equal.

use crate::Name;
use crate::dim::{Dim, DimAtom, DimEq, Product};

/// Bounds of a value: least and greatest, where there are any.
type Bounds = (Option<i64>, Option<i64>);

/// So many simpler dims are tried to see the sign of one.
const ATTEMPTS: u32 = 48;

impl Dim {
    /// Compares two dims, taking every symbol to be a size of at least zero.
    pub fn compare(&self, other: &Dim) -> DimEq {
        match (self, other) {
            (Dim::Unknown, _) | (_, Dim::Unknown) => DimEq::Unknown,
            (a, b) if a == b => DimEq::Equal,
            (Dim::Known(_), Dim::Known(_)) => DimEq::Different,
            (a, b) => match a.sub(b) {
                Dim::Known(0) => DimEq::Equal,
                Dim::Known(_) => DimEq::Different,
                difference if difference.is_positive() || difference.neg().is_positive() => DimEq::Different,
                _ => DimEq::Unknown,
            },
        }
    }

    fn is_positive(&self) -> bool {
        self.sub(&Dim::Known(1)).is_size()
    }

    /// Whether the dim is at least zero for all sizes, as a size must be.
    pub fn is_size(&self) -> bool {
        self.is_at_least_zero(&mut { ATTEMPTS })
    }

    /// Bounds first; then one atom that they treat badly is replaced by something simpler that is no larger in its place.
    fn is_at_least_zero(&self, attempts: &mut u32) -> bool {
        if self.lower_bound(&|_| 0).is_some_and(|least| least >= 0) {
            return true;
        }
        let (Dim::Expr(expr), Some(left)) = (self, attempts.checked_sub(1)) else { return false };
        *attempts = left;
        expr.terms.iter().any(|(product, coefficient)| {
            let [(atom, 1)] = product.as_slice() else { return false };
            let factor = Dim::Known(*coefficient);
            let rest = || self.sub(&Dim::atom(atom.clone()).mul(&factor));
            let mut holds = |dim: Dim| dim.is_at_least_zero(attempts);
            let with = |dim: &Dim| rest().add(&dim.mul(&factor));
            match (atom, *coefficient > 0) {
                (DimAtom::Min(a, b), false) | (DimAtom::Max(a, b), true) => holds(with(a)) || holds(with(b)),
                (DimAtom::Min(a, b), true) | (DimAtom::Max(a, b), false) => holds(with(a)) && holds(with(b)),
                // The remainder of what is not negative is no larger.
                (DimAtom::Mod(a, b), false) => holds(a.clone()) && holds(b.clone()) && holds(with(a)),
                // floor(a/b) lies between (a - b + 1)/b and a/b.
                (DimAtom::FloorDiv(a, b @ Dim::Known(1..)), _) => {
                    let nearest = if *coefficient > 0 { a.sub(b).add(&Dim::Known(1)) } else { a.clone() };
                    holds(rest().mul(b).add(&nearest.mul(&factor)))
                }
                _ => false,
            }
        })
    }

    /// A lower bound, taking `lower(symbol)` as the least value of each symbol; `None` when there is none.
    pub fn lower_bound(&self, lower: &dyn Fn(&Name) -> i64) -> Option<i64> {
        self.bounds(lower).0
    }

    fn bounds(&self, lower: &dyn Fn(&Name) -> i64) -> Bounds {
        let Dim::Expr(expr) = self else { return (self.known(), self.known()) };
        let (mut least, mut greatest) = (Some(0_i64), Some(0_i64));
        for (product, coefficient) in &expr.terms {
            let (low, high) = product_bounds(product, lower);
            let scaled = |bound: Option<i64>| bound.and_then(|bound| bound.checked_mul(*coefficient));
            let (low, high) = if *coefficient < 0 { (scaled(high), scaled(low)) } else { (scaled(low), scaled(high)) };
            let sum = |a: Option<i64>, b: Option<i64>| a.zip(b).and_then(|(a, b)| a.checked_add(b));
            (least, greatest) = (sum(least, low), sum(greatest, high));
        }
        (least, greatest)
    }
}

fn product_bounds(product: &Product, lower: &dyn Fn(&Name) -> i64) -> Bounds {
    let (mut least, mut greatest) = (Some(1_i64), Some(1_i64));
    for (atom, power) in product {
        let (low, high) = atom_bounds(atom, lower);
        // Signs would make the product's bounds depend on all four corners; sizes have none.
        let alone = product.len() == 1 && *power == 1;
        if !alone && low.is_none_or(|low| low < 0) {
            return (None, None);
        }
        let times = |total: Option<i64>, bound: Option<i64>| total?.checked_mul(bound?.checked_pow(*power)?);
        (least, greatest) = (times(least, low), times(greatest, high));
    }
    (least, greatest)
}

fn atom_bounds(atom: &DimAtom, lower: &dyn Fn(&Name) -> i64) -> Bounds {
    /// The more certain of two bounds, as `pick` says; one alone is none.
    fn both(a: Option<i64>, b: Option<i64>, pick: fn(i64, i64) -> i64) -> Option<i64> {
        a.zip(b).map(|(a, b)| pick(a, b))
    }
    /// As [`both`], but one alone is one.
    fn either(a: Option<i64>, b: Option<i64>, pick: fn(i64, i64) -> i64) -> Option<i64> {
        both(a, b, pick).or(a).or(b)
    }
    match atom {
        DimAtom::Symbol(name) => (Some(lower(name)), None),
        DimAtom::Min(a, b) => {
            let (a, b) = (a.bounds(lower), b.bounds(lower));
            (both(a.0, b.0, i64::min), either(a.1, b.1, i64::min))
        }
        DimAtom::Max(a, b) => {
            let (a, b) = (a.bounds(lower), b.bounds(lower));
            (either(a.0, b.0, i64::max), both(a.1, b.1, i64::max))
        }
        DimAtom::FloorDiv(a, Dim::Known(b)) if *b > 0 => {
            let (low, high) = a.bounds(lower);
            (low.map(|low| low.div_euclid(*b)), high.map(|high| high.div_euclid(*b)))
        }
        // By something that is at least one, or the quotient would mean nothing.
        DimAtom::FloorDiv(a, b) => match (a.bounds(lower), b.bounds(lower).0) {
            ((Some(0..), high), Some(0..)) => (Some(0), high),
            _ => (None, None),
        },
        DimAtom::Mod(a, b) => match (a.bounds(lower), b.bounds(lower)) {
            ((low, high), (Some(0..), divisor)) => {
                let high = high.filter(|_| low.is_some_and(|low| low >= 0));
                (Some(0), either(high, divisor.map(|divisor| divisor.max(1) - 1), i64::min))
            }
            _ => (None, None),
        },
    }
}
