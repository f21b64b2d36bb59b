//! Symbolic dimensions: polynomials over symbols, in one normal form.
//!
//! A [`Dim`] is a number, an expression, or unknown. Expressions are sums of integer-scaled products of atoms; an atom
//! is a symbol or an opaque function (`floor(a/b)`, `mod`, `min`, `max`) of normal forms. Because there is one normal
//! form, equal expressions are equal as data. Arithmetic is checked: on overflow the result is unknown, never wrong.
//!
//! Dims stand for themselves (no table to thread through); what is assumed of a symbol (minimum, maximum, divisor)
//! lives in [`Symbols`](crate::Symbols).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::Name;

/// A dimension, or one element of a small integer tensor that describes shapes.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Dim {
    /// Nothing is known. Two unknown dims are never known to be equal.
    #[default]
    Unknown,
    /// A number; negative only as an element of contents (`-1` of a Reshape), never in a shape.
    Known(i64),
    /// A symbolic expression that is not a plain number.
    Expr(Arc<DimExpr>),
}

/// A sum of products in normal form: terms sorted, no zero coefficient, the constant term under the empty product.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DimExpr {
    terms: Vec<(Product, i64)>,
}

/// Atoms with their powers, sorted. Empty: the constant term.
pub type Product = Vec<(DimAtom, u32)>;

/// The indivisible parts of an expression.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DimAtom {
    /// A named size, as `N` or `batch`.
    Symbol(Name),
    /// `floor(a / b)`.
    FloorDiv(Dim, Dim),
    /// The remainder with the sign of the divisor.
    Mod(Dim, Dim),
    /// The smaller of two.
    Min(Dim, Dim),
    /// The larger of two.
    Max(Dim, Dim),
}

/// The answer to "are these two dims equal?".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DimEq {
    /// Equal for every value of the symbols.
    Equal,
    /// Different for every value of the symbols.
    Different,
    /// Not known.
    Unknown,
}

/// Polynomials have at most so many terms.
const MAX_TERMS: usize = 64;

impl Dim {
    /// The dim of a symbol.
    pub fn symbol(name: impl Into<Name>) -> Self {
        Self::atom(DimAtom::Symbol(name.into()))
    }

    fn atom(atom: DimAtom) -> Self {
        Dim::Expr(Arc::new(DimExpr { terms: vec![(vec![(atom, 1)], 1)] }))
    }

    /// The number, if it is one.
    pub fn known(&self) -> Option<i64> {
        match self {
            Dim::Known(n) => Some(*n),
            _ => None,
        }
    }

    /// The number as an extent of a shape, if it is one and not negative.
    pub fn extent(&self) -> Option<u64> {
        self.known().and_then(|n| u64::try_from(n).ok())
    }

    /// Whether it is this number.
    pub fn is(&self, n: i64) -> bool {
        *self == Dim::Known(n)
    }

    /// Whether nothing is known.
    pub fn is_unknown(&self) -> bool {
        *self == Dim::Unknown
    }

    /// The symbol, if the dim is exactly one symbol.
    pub fn as_symbol(&self) -> Option<&Name> {
        let Dim::Expr(expr) = self else { return None };
        match expr.terms.as_slice() {
            [(product, 1)] => match product.as_slice() {
                [(DimAtom::Symbol(name), 1)] => Some(name),
                _ => None,
            },
            _ => None,
        }
    }

    /// Compares two dims, taking every symbol to be a size of at least zero.
    pub fn compare(&self, other: &Dim) -> DimEq {
        match (self, other) {
            (Dim::Unknown, _) | (_, Dim::Unknown) => DimEq::Unknown,
            (a, b) if a == b => DimEq::Equal,
            (Dim::Known(_), Dim::Known(_)) => DimEq::Different,
            (a, b) => match a.sub(b) {
                Dim::Known(0) => DimEq::Equal,
                Dim::Known(_) => DimEq::Different,
                difference if difference.is_positive() || b.sub(a).is_positive() => DimEq::Different,
                _ => DimEq::Unknown,
            },
        }
    }

    /// Whether the dim is greater than zero for all sizes.
    fn is_positive(&self) -> bool {
        self.lower_bound(&|_| 0).is_some_and(|least| least > 0)
    }

    /// Whether the dim is at least zero for all sizes, as a size must be.
    pub fn is_size(&self) -> bool {
        self.lower_bound(&|_| 0).is_some_and(|least| least >= 0)
    }

    /// Whether the two are certainly equal.
    pub fn same(&self, other: &Dim) -> bool {
        self.compare(other) == DimEq::Equal
    }

    fn terms(&self) -> Option<Vec<(Product, i64)>> {
        match self {
            Dim::Unknown => None,
            Dim::Known(0) => Some(Vec::new()),
            Dim::Known(n) => Some(vec![(Vec::new(), *n)]),
            Dim::Expr(expr) => Some(expr.terms.clone()),
        }
    }

    fn from_terms(terms: impl IntoIterator<Item = (Product, i64)>) -> Self {
        let mut sum: BTreeMap<Product, i64> = BTreeMap::new();
        for (product, coefficient) in terms {
            let slot = sum.entry(product).or_insert(0);
            match slot.checked_add(coefficient) {
                Some(total) => *slot = total,
                None => return Dim::Unknown,
            }
        }
        let terms: Vec<_> = sum.into_iter().filter(|(_, coefficient)| *coefficient != 0).collect();
        match terms.as_slice() {
            [] => Dim::Known(0),
            [(product, n)] if product.is_empty() => Dim::Known(*n),
            // A polynomial this wide is no size that anybody can use; giving up keeps everything linear.
            _ if terms.len() > MAX_TERMS => Dim::Unknown,
            _ => Dim::Expr(Arc::new(DimExpr { terms })),
        }
    }

    /// The sum.
    pub fn add(&self, other: &Dim) -> Dim {
        if let (Dim::Known(a), Dim::Known(b)) = (self, other) {
            return a.checked_add(*b).map_or(Dim::Unknown, Dim::Known);
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
                        if terms.len() > MAX_TERMS {
                            return Dim::Unknown;
                        }
                        if !add_term(&mut terms, product, *coefficient) {
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
                let Some(coefficient) = x.checked_mul(*y) else { return Dim::Unknown };
                terms.push((multiply_products(left, right), coefficient));
            }
        }
        Self::from_terms(terms)
    }

    /// `self / divisor` when the division is exact as an identity of polynomials by a single product.
    pub fn exact_div(&self, divisor: &Dim) -> Option<Dim> {
        match (self, divisor) {
            (_, Dim::Known(1)) => return Some(self.clone()),
            (_, Dim::Known(0)) => return None,
            (Dim::Known(a), Dim::Known(b)) => return (a % b == 0).then(|| Dim::Known(a / b)),
            _ => {}
        }
        let numerator = self.terms()?;
        let denominator = divisor.terms()?;
        if self == divisor {
            return Some(Dim::Known(1));
        }
        let [(product, scale)] = denominator.as_slice() else { return None };
        let mut quotient = Vec::with_capacity(numerator.len());
        for (term, coefficient) in numerator {
            if coefficient % scale != 0 {
                return None;
            }
            quotient.push((divide_products(&term, product)?, coefficient / scale));
        }
        Some(Self::from_terms(quotient))
    }

    /// `floor(self / divisor)`.
    pub fn floor_div(&self, divisor: &Dim) -> Dim {
        match (self, divisor) {
            (Dim::Unknown, _) | (_, Dim::Unknown | Dim::Known(0)) => Dim::Unknown,
            (Dim::Known(a), Dim::Known(b)) => a.checked_div_euclid(*b).map_or(Dim::Unknown, |q| {
                if *b < 0 && a.rem_euclid(*b) != 0 { Dim::Known(q - 1) } else { Dim::Known(q) }
            }),
            _ => self.exact_div(divisor).unwrap_or_else(|| self.split_floor_div(divisor)),
        }
    }

    /// Takes the multiples of a positive numeric divisor out of the floor: `floor((2N + 3)/2) = N + floor(3/2)`.
    fn split_floor_div(&self, divisor: &Dim) -> Dim {
        if let (Dim::Known(b), Some(terms)) = (divisor, self.terms())
            && *b > 0
        {
            let (whole, mut rest) = (Vec::new(), Vec::new());
            let (mut whole, mut constant) = (whole, 0_i64);
            for (product, coefficient) in terms {
                if coefficient % b == 0 {
                    whole.push((product, coefficient / b));
                } else if product.is_empty() {
                    whole.push((Vec::new(), coefficient.div_euclid(*b)));
                    constant = coefficient.rem_euclid(*b);
                } else {
                    rest.push((product, coefficient));
                }
            }
            if rest.is_empty() {
                return Self::from_terms(whole);
            }
            rest.push((Vec::new(), constant));
            let inner = Self::atom(DimAtom::FloorDiv(Self::from_terms(rest), divisor.clone()));
            return Self::from_terms(whole).add(&inner);
        }
        Self::atom(DimAtom::FloorDiv(self.clone(), divisor.clone()))
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
        let difference = self.sub(other);
        if difference.is_size() {
            return if smaller { other.clone() } else { self.clone() };
        }
        if difference.neg().is_size() {
            return if smaller { self.clone() } else { other.clone() };
        }
        let (a, b) = if self <= other { (self, other) } else { (other, self) };
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

    /// Calls `visit` with every symbol of the expression.
    pub fn visit_symbols(&self, visit: &mut dyn FnMut(&Name)) {
        let Dim::Expr(expr) = self else { return };
        for (product, _) in &expr.terms {
            for (atom, _) in product {
                match atom {
                    DimAtom::Symbol(name) => visit(name),
                    DimAtom::FloorDiv(a, b) | DimAtom::Mod(a, b) | DimAtom::Min(a, b) | DimAtom::Max(a, b) => {
                        a.visit_symbols(visit);
                        b.visit_symbols(visit);
                    }
                }
            }
        }
    }

    /// A lower bound, taking `lower(symbol)` as the least value of each symbol; `None` when there is none.
    pub fn lower_bound(&self, lower: &dyn Fn(&Name) -> i64) -> Option<i64> {
        let Dim::Expr(expr) = self else { return self.known() };
        let mut total: i64 = 0;
        for (product, coefficient) in &expr.terms {
            let mut least: i64 = 1;
            for (atom, power) in product {
                let bound = match atom {
                    DimAtom::Symbol(name) => lower(name),
                    DimAtom::Min(a, b) => a.lower_bound(lower)?.min(b.lower_bound(lower)?),
                    DimAtom::Max(a, b) => match (a.lower_bound(lower), b.lower_bound(lower)) {
                        (Some(x), Some(y)) => x.max(y),
                        (Some(x), None) | (None, Some(x)) => x,
                        (None, None) => return None,
                    },
                    DimAtom::FloorDiv(a, Dim::Known(b)) if *b > 0 => a.lower_bound(lower)?.div_euclid(*b),
                    DimAtom::Mod(_, Dim::Known(b)) if *b > 0 => 0,
                    DimAtom::FloorDiv(..) | DimAtom::Mod(..) => return None,
                };
                if bound < 0 {
                    return None;
                }
                for _ in 0..*power {
                    least = least.checked_mul(bound)?;
                }
            }
            if !product.is_empty() && *coefficient < 0 {
                return None;
            }
            total = total.checked_add(least.checked_mul(*coefficient)?)?;
        }
        Some(total)
    }
}

/// Adds to the coefficient of a product; false on overflow.
fn add_term(terms: &mut BTreeMap<Product, i64>, product: &Product, coefficient: i64) -> bool {
    match terms.get_mut(product) {
        Some(total) => match total.checked_add(coefficient) {
            Some(sum) => *total = sum,
            None => return false,
        },
        None => {
            terms.insert(product.clone(), coefficient);
        }
    }
    true
}

fn multiply_products(left: &Product, right: &Product) -> Product {
    let mut powers: BTreeMap<DimAtom, u32> = left.iter().cloned().collect();
    for (atom, power) in right {
        *powers.entry(atom.clone()).or_insert(0) += power;
    }
    powers.into_iter().collect()
}

fn divide_products(numerator: &Product, denominator: &Product) -> Option<Product> {
    let mut powers: BTreeMap<DimAtom, u32> = numerator.iter().cloned().collect();
    for (atom, power) in denominator {
        let slot = powers.get_mut(atom)?;
        *slot = slot.checked_sub(*power)?;
    }
    Some(powers.into_iter().filter(|(_, power)| *power > 0).collect())
}

impl From<i64> for Dim {
    fn from(n: i64) -> Self {
        Dim::Known(n)
    }
}
impl From<u64> for Dim {
    fn from(n: u64) -> Self {
        i64::try_from(n).map_or(Dim::Unknown, Dim::Known)
    }
}
impl From<usize> for Dim {
    fn from(n: usize) -> Self {
        i64::try_from(n).map_or(Dim::Unknown, Dim::Known)
    }
}

impl fmt::Display for Dim {
    /// `?` when unknown, else a number or an expression such as `2*N + floor(H/16)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dim::Unknown => f.write_str("?"),
            Dim::Known(n) => write!(f, "{n}"),
            Dim::Expr(expr) => fmt::Display::fmt(expr, f),
        }
    }
}
impl fmt::Debug for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for DimExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The constant term sorts first but reads best last.
        let ordered =
            self.terms.iter().filter(|(p, _)| !p.is_empty()).chain(self.terms.iter().filter(|(p, _)| p.is_empty()));
        for (index, (product, coefficient)) in ordered.enumerate() {
            let magnitude = coefficient.unsigned_abs();
            match (index, *coefficient < 0) {
                (0, true) => f.write_str("-")?,
                (0, false) => {}
                (_, true) => f.write_str(" - ")?,
                (_, false) => f.write_str(" + ")?,
            }
            if product.is_empty() {
                write!(f, "{magnitude}")?;
                continue;
            }
            if magnitude != 1 {
                write!(f, "{magnitude}*")?;
            }
            let mut first = true;
            for (atom, power) in product {
                for _ in 0..*power {
                    if !first {
                        f.write_str("*")?;
                    }
                    first = false;
                    fmt::Display::fmt(atom, f)?;
                }
            }
        }
        Ok(())
    }
}
impl fmt::Debug for DimExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for DimAtom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let grouped = |dim: &Dim| match dim {
            Dim::Expr(_) if dim.as_symbol().is_none() => format!("({dim})"),
            _ => dim.to_string(),
        };
        match self {
            DimAtom::Symbol(name) if is_plain_symbol(name) => f.write_str(name),
            // A backquote inside is doubled, so that the text reads back.
            DimAtom::Symbol(name) => write!(f, "`{}`", name.replace('`', "``")),
            DimAtom::FloorDiv(a, b) => write!(f, "floor({}/{})", grouped(a), grouped(b)),
            DimAtom::Mod(a, b) => write!(f, "mod({a}, {b})"),
            DimAtom::Min(a, b) => write!(f, "min({a}, {b})"),
            DimAtom::Max(a, b) => write!(f, "max({a}, {b})"),
        }
    }
}
impl fmt::Debug for DimAtom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether a symbol can stand in an expression without quotes: a plain identifier, as in most exports.
pub fn is_plain_symbol(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !matches!(name, "floor" | "mod" | "min" | "max")
}
