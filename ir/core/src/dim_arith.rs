//! Arithmetic of dims: everything that makes a new normal form.
//!
//! Divisions by a number are brought to one form, so that sizes that convolutions, poolings and slices compute in
//! different ways compare as equal: whole multiples stand outside the floor, numerator and divisor have no common
//! factor, the first coefficient inside is positive, and a floor of a floor is one floor.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::Name;
use crate::dim::{Dim, DimAtom, DimExpr, Product};

/// Expressions have at most so many terms.
const MAX_TERMS: usize = 64;
/// Expressions have at most so many terms and atoms, those inside atoms included. This bounds their depth as well.
const MAX_SIZE: u32 = 512;
/// The highest power of an atom.
const MAX_POWER: u32 = 64;

impl DimAtom {
    fn size(&self) -> u32 {
        match self {
            DimAtom::Symbol(_) => 1,
            DimAtom::FloorDiv(a, b) | DimAtom::Mod(a, b) | DimAtom::Min(a, b) | DimAtom::Max(a, b) => {
                1 + a.size().saturating_add(b.size())
            }
        }
    }
}

impl Dim {
    fn size(&self) -> u32 {
        match self {
            Dim::Expr(expr) => expr.size,
            Dim::Unknown | Dim::Known(_) => 1,
        }
    }

    /// The expression of one atom; unknown when that is too large.
    pub(crate) fn atom(atom: DimAtom) -> Self {
        Self::from_sorted(vec![(vec![(atom, 1)], 1)])
    }

    /// The terms of a dim that is not unknown.
    pub(crate) fn terms(&self) -> Option<Vec<(Product, i64)>> {
        match self {
            Dim::Unknown => None,
            Dim::Known(0) => Some(Vec::new()),
            Dim::Known(n) => Some(vec![(Vec::new(), *n)]),
            Dim::Expr(expr) => Some(expr.terms.clone()),
        }
    }

    /// The sum of terms in any order.
    fn from_terms(terms: impl IntoIterator<Item = (Product, i64)>) -> Self {
        let mut sum: BTreeMap<Product, i64> = BTreeMap::new();
        for (product, coefficient) in terms {
            if sum.len() > MAX_TERMS || !add_term(&mut sum, product, coefficient) {
                return Dim::Unknown;
            }
        }
        Self::from_sorted(sum.into_iter().filter(|(_, coefficient)| *coefficient != 0).collect())
    }

    fn from_sorted(terms: Vec<(Product, i64)>) -> Self {
        match terms.as_slice() {
            [] => return Dim::Known(0),
            [(product, n)] if product.is_empty() => return Dim::Known(*n),
            _ => {}
        }
        let atoms = terms.iter().flat_map(|(product, _)| product);
        let size = atoms.fold(terms.len() as u32, |size, (atom, _)| size.saturating_add(atom.size()));
        if terms.len() > MAX_TERMS || size > MAX_SIZE {
            return Dim::Unknown;
        }
        Dim::Expr(Arc::new(DimExpr { terms, size }))
    }

    /// The sum.
    pub fn add(&self, other: &Dim) -> Dim {
        match (self, other) {
            (Dim::Known(a), Dim::Known(b)) => return a.checked_add(*b).map_or(Dim::Unknown, Dim::Known),
            (Dim::Known(0), dim) | (dim, Dim::Known(0)) => return dim.clone(),
            _ => {}
        }
        match (self.terms(), other.terms()) {
            (Some(a), Some(b)) => Self::from_terms(a.into_iter().chain(b)),
            _ => Dim::Unknown,
        }
    }

    /// The sum of many, in time linear in their number.
    pub fn sum<'a>(dims: impl IntoIterator<Item = &'a Dim>) -> Dim {
        let (mut known, mut terms) = (0_i64, BTreeMap::new());
        for dim in dims {
            match dim {
                Dim::Unknown => return Dim::Unknown,
                Dim::Known(n) => match known.checked_add(*n) {
                    Some(total) => known = total,
                    None => return Dim::Unknown,
                },
                Dim::Expr(expr) => {
                    for (product, coefficient) in &expr.terms {
                        if terms.len() > MAX_TERMS || !add_term(&mut terms, product.clone(), *coefficient) {
                            return Dim::Unknown;
                        }
                    }
                }
            }
        }
        Self::from_terms(terms).add(&Dim::Known(known))
    }

    /// The negation.
    pub fn neg(&self) -> Dim {
        self.mul(&Dim::Known(-1))
    }

    /// The difference.
    pub fn sub(&self, other: &Dim) -> Dim {
        self.add(&other.neg())
    }

    /// The product. Zero times unknown is zero.
    pub fn mul(&self, other: &Dim) -> Dim {
        match (self, other) {
            (Dim::Known(0), _) | (_, Dim::Known(0)) => return Dim::Known(0),
            (Dim::Known(1), d) | (d, Dim::Known(1)) => return d.clone(),
            (Dim::Known(a), Dim::Known(b)) => return a.checked_mul(*b).map_or(Dim::Unknown, Dim::Known),
            _ => {}
        }
        let (Some(a), Some(b)) = (self.terms(), other.terms()) else { return Dim::Unknown };
        if a.len() * b.len() > 256 {
            return Dim::Unknown;
        }
        let mut terms = Vec::with_capacity(a.len() * b.len());
        for (left, x) in &a {
            for (right, y) in &b {
                match (multiply_products(left, right), x.checked_mul(*y)) {
                    (Some(product), Some(coefficient)) => terms.push((product, coefficient)),
                    _ => return Dim::Unknown,
                }
            }
        }
        Self::from_terms(terms)
    }

    /// `self / divisor` when the division is exact as an identity of polynomials.
    pub fn exact_div(&self, divisor: &Dim) -> Option<Dim> {
        match (self, divisor) {
            (Dim::Unknown, _) | (_, Dim::Unknown | Dim::Known(0)) => return None,
            (_, Dim::Known(1)) => return Some(self.clone()),
            (Dim::Known(a), Dim::Known(b)) => {
                return (a.checked_rem(*b)? == 0).then(|| a.checked_div(*b).map(Dim::Known))?;
            }
            (a, b) if a == b => return Some(Dim::Known(1)),
            _ => {}
        }
        let denominator = divisor.terms()?;
        let lead = leading(&denominator)?;
        // Long division by the leading term; each step takes one term off for good.
        let (mut rest, mut quotient) = (self.clone(), Vec::new());
        while !rest.is(0) {
            let terms = rest.terms()?;
            let (product, coefficient) = leading(&terms)?;
            if quotient.len() > MAX_TERMS || coefficient.checked_rem(lead.1)? != 0 {
                return None;
            }
            let term = (divide_products(product, &lead.0)?, coefficient.checked_div(lead.1)?);
            let step = Self::from_sorted(vec![term.clone()]);
            rest = rest.sub(&step.mul(divisor));
            quotient.push(term);
        }
        Some(Self::from_terms(quotient)).filter(|quotient| !quotient.is_unknown())
    }

    /// `floor(self / divisor)`.
    pub fn floor_div(&self, divisor: &Dim) -> Dim {
        match (self, divisor) {
            (Dim::Unknown, _) | (_, Dim::Unknown | Dim::Known(0)) => return Dim::Unknown,
            (Dim::Known(a), Dim::Known(b)) => {
                let (quotient, rest) = (a.checked_div(*b), a.checked_rem(*b));
                let down = i64::from(rest.is_some_and(|rest| rest != 0 && (rest < 0) != (*b < 0)));
                return quotient.map_or(Dim::Unknown, |quotient| Dim::Known(quotient - down));
            }
            _ => {}
        }
        if let Some(quotient) = self.exact_div(divisor) {
            return quotient;
        }
        let normal = match divisor {
            Dim::Known(b) if *b > 0 => self.floor_by_number(*b),
            Dim::Known(b) => b.checked_neg().and_then(|b| self.neg().floor_by_number(b)),
            _ => None,
        };
        normal.unwrap_or_else(|| Self::atom(DimAtom::FloorDiv(self.clone(), divisor.clone())))
    }

    /// The floor of a quotient by a positive number in its normal form; `None` on overflow.
    fn floor_by_number(&self, divisor: i64) -> Option<Dim> {
        let (mut whole, mut rest, mut constant) = (Vec::new(), Vec::new(), 0_i64);
        for (product, coefficient) in self.terms()? {
            let (quotient, left) = if product.is_empty() {
                constant = coefficient.rem_euclid(divisor);
                (coefficient.div_euclid(divisor), 0)
            } else {
                (coefficient / divisor, coefficient % divisor)
            };
            if left != 0 {
                rest.push((product.clone(), left));
            }
            whole.push((product, quotient));
        }
        let whole = Self::from_terms(whole);
        let factor = rest.iter().fold(divisor, |factor, (_, coefficient)| gcd(factor, *coefficient));
        let (divisor, mut constant) = (divisor / factor, constant / factor);
        let Some((_, first)) = rest.first() else { return Some(whole).filter(|dim| !dim.is_unknown()) };
        // floor(-x/b) = -floor((x + b - 1)/b)
        let sign = first.signum();
        if sign < 0 {
            constant = divisor - 1 - constant;
        }
        let scaled = rest.into_iter().map(|(product, coefficient)| (product, sign * coefficient / factor));
        let inner = Self::from_terms(scaled);
        let floor = inner.floor_of_floor(constant, divisor);
        let floor = floor
            .unwrap_or_else(|| Self::atom(DimAtom::FloorDiv(inner.add(&Dim::Known(constant)), Dim::Known(divisor))));
        Some(whole.add(&floor.mul(&Dim::Known(sign)))).filter(|dim| !dim.is_unknown())
    }

    /// `floor((floor(x/a) + c)/b) = floor((x + a*c)/(a*b))`, if `self` is one floor by a positive number.
    fn floor_of_floor(&self, constant: i64, divisor: i64) -> Option<Dim> {
        let Dim::Expr(expr) = self else { return None };
        let [(product, 1)] = expr.terms.as_slice() else { return None };
        let [(DimAtom::FloorDiv(x, Dim::Known(a)), 1)] = product.as_slice() else { return None };
        if *a <= 0 {
            return None;
        }
        let shifted = x.add(&Dim::Known(a.checked_mul(constant)?));
        shifted.floor_by_number(a.checked_mul(divisor)?)
    }

    /// `ceil(self / divisor)`.
    pub fn ceil_div(&self, divisor: &Dim) -> Dim {
        self.neg().floor_div(divisor).neg()
    }

    /// The remainder with the sign of the divisor (Python's `%`).
    pub fn modulo(&self, divisor: &Dim) -> Dim {
        match (self, divisor) {
            (Dim::Unknown, _) | (_, Dim::Unknown | Dim::Known(0)) => Dim::Unknown,
            (Dim::Known(a), Dim::Known(b)) => {
                let r = a.checked_rem(*b).unwrap_or(0);
                Dim::Known(if r != 0 && (r < 0) != (*b < 0) { r + b } else { r })
            }
            _ if self.exact_div(divisor).is_some() => Dim::Known(0),
            (_, Dim::Known(b)) if *b > 0 => {
                // Multiples of the divisor do not count.
                let terms = self.terms().unwrap_or_default();
                let reduced = Self::from_terms(terms.into_iter().map(|(product, n)| (product, n.rem_euclid(*b))));
                match reduced {
                    Dim::Known(_) => reduced,
                    _ => Self::atom(DimAtom::Mod(reduced, divisor.clone())),
                }
            }
            _ => Self::atom(DimAtom::Mod(self.clone(), divisor.clone())),
        }
    }

    /// The smaller of two.
    pub fn min_with(&self, other: &Dim) -> Dim {
        self.extreme(other, true)
    }

    /// The larger of two.
    pub fn max_with(&self, other: &Dim) -> Dim {
        self.extreme(other, false)
    }

    fn extreme(&self, other: &Dim, smaller: bool) -> Dim {
        if self.is_unknown() || other.is_unknown() {
            return Dim::Unknown;
        }
        // In one order, so that the answer is the same both ways where each is seen to be no smaller than the other.
        let (a, b) = if self <= other { (self, other) } else { (other, self) };
        let difference = a.sub(b);
        if difference.is_size() {
            return if smaller { b.clone() } else { a.clone() };
        }
        if difference.neg().is_size() {
            return if smaller { a.clone() } else { b.clone() };
        }
        Self::atom(if smaller { DimAtom::Min(a.clone(), b.clone()) } else { DimAtom::Max(a.clone(), b.clone()) })
    }

    /// Replaces symbols: `lookup` returns what a symbol stands for, or `None` to keep it.
    pub fn substitute(&self, lookup: &dyn Fn(&Name) -> Option<Dim>) -> Dim {
        let Dim::Expr(expr) = self else { return self.clone() };
        let mut sum = Dim::Known(0);
        for (product, coefficient) in &expr.terms {
            let mut term = Dim::Known(*coefficient);
            for (atom, power) in product {
                let base = match atom {
                    DimAtom::Symbol(name) => lookup(name).unwrap_or_else(|| Dim::symbol(name)),
                    DimAtom::FloorDiv(a, b) => a.substitute(lookup).floor_div(&b.substitute(lookup)),
                    DimAtom::Mod(a, b) => a.substitute(lookup).modulo(&b.substitute(lookup)),
                    DimAtom::Min(a, b) => a.substitute(lookup).min_with(&b.substitute(lookup)),
                    DimAtom::Max(a, b) => a.substitute(lookup).max_with(&b.substitute(lookup)),
                };
                for _ in 0..*power {
                    term = term.mul(&base);
                }
            }
            sum = sum.add(&term);
        }
        sum
    }
}

/// Adds to the coefficient of a product; false on overflow.
fn add_term(terms: &mut BTreeMap<Product, i64>, product: Product, coefficient: i64) -> bool {
    let total = terms.entry(product).or_insert(0);
    match total.checked_add(coefficient) {
        Some(sum) => *total = sum,
        None => return false,
    }
    true
}

fn multiply_products(left: &Product, right: &Product) -> Option<Product> {
    let mut powers: BTreeMap<DimAtom, u32> = left.iter().cloned().collect();
    for (atom, power) in right {
        let total = powers.entry(atom.clone()).or_insert(0);
        *total = total.checked_add(*power).filter(|total| *total <= MAX_POWER)?;
    }
    Some(powers.into_iter().collect())
}

fn divide_products(numerator: &Product, denominator: &Product) -> Option<Product> {
    let mut powers: BTreeMap<DimAtom, u32> = numerator.iter().cloned().collect();
    for (atom, power) in denominator {
        let slot = powers.get_mut(atom)?;
        *slot = slot.checked_sub(*power)?;
    }
    Some(powers.into_iter().filter(|(_, power)| *power > 0).collect())
}

/// The leading term in lexicographic order of powers, which multiplication keeps.
fn leading(terms: &[(Product, i64)]) -> Option<&(Product, i64)> {
    terms.iter().max_by(|(a, _), (b, _)| compare_powers(a, b))
}

fn compare_powers(a: &Product, b: &Product) -> Ordering {
    for (left, right) in a.iter().zip(b) {
        // An atom that only one has comes first there: that one has the higher power of it.
        match left.0.cmp(&right.0).reverse().then(left.1.cmp(&right.1)) {
            Ordering::Equal => {}
            order => return order,
        }
    }
    a.len().cmp(&b.len())
}

fn gcd(a: i64, b: i64) -> i64 {
    let (mut a, mut b) = (a.unsigned_abs(), b.unsigned_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a as i64
}
