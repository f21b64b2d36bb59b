//! Symbolic dimensions: polynomials over symbols, in one normal form.
//!
//! A [`Dim`] is a number, an expression, or unknown. Expressions are sums of integer-scaled products of atoms; an atom
//! is a symbol or an opaque function (`floor(a/b)`, `mod`, `min`, `max`) of normal forms. Because there is one normal
//! form, equal expressions are equal as data. Arithmetic is checked: on overflow the result is unknown, never wrong.
//! Expressions that grow beyond any use are unknown, too, so that whatever is done with one costs little.
//!
//! Dims stand for themselves (no table to thread through); what is assumed of a symbol (minimum, maximum, divisor)
//! lives in [`Symbols`](crate::Symbols).

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
    pub(crate) terms: Vec<(Product, i64)>,
    /// The number of terms and atoms, those inside atoms included.
    pub(crate) size: u32,
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

impl Dim {
    /// The dim of a symbol.
    pub fn symbol(name: impl Into<Name>) -> Self {
        Self::atom(DimAtom::Symbol(name.into()))
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

    /// Whether the two are certainly equal.
    pub fn same(&self, other: &Dim) -> bool {
        self.compare(other) == DimEq::Equal
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
