//! Reading dimensions: our own printed form, and the spellings that exporters put into `dim_param`.
//!
//! [`Dim::parse`] reads the printed form back into the same normal form, and understands what sympy prints (torch
//! exports, ONNX Runtime's shape inference): `2*s31 + 1`, `s0//2`, `s0**2`, `floor(H/2 - 1/2) + 1`, `Max(1, u0)`.
//! Fractions are allowed inside `floor` and `ceiling` only. [`Dim::from_param`] never fails: what is no expression is
//! one symbol with that label.

use crate::Dim;

/// Why a text is no dimension.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{expected} expected at byte {at} of the dimension")]
pub struct DimParseError {
    /// The byte offset in the text.
    pub at: usize,
    /// What would have been right there.
    pub expected: &'static str,
}

/// Parentheses and functions nest at most so deep.
const MAX_DEPTH: u32 = 256;
/// The largest exponent that is multiplied out.
const MAX_POWER: i64 = 64;

impl Dim {
    /// Reads `?`, a number, or an expression.
    pub fn parse(text: &str) -> Result<Dim, DimParseError> {
        if text.trim() == "?" {
            return Ok(Dim::Unknown);
        }
        let mut parser = Parser { text, at: 0, depth: 0 };
        let value = parser.sum()?;
        parser.skip_spaces();
        if parser.at < text.len() {
            return Err(parser.expected("an operator or the end"));
        }
        let value = parser.whole(value)?;
        if value.is_unknown() { Err(parser.expected("an expression of moderate size")) } else { Ok(value) }
    }

    /// What a `dim_param` stands for: an expression where the text reads as one and names a symbol, unknown when it is
    /// empty, else one symbol with the whole text as its label (`p2o.DynamicDimension.0`). A minus without spaces counts
    /// as part of a label, because `batch-size` is a name.
    pub fn from_param(text: &str) -> Dim {
        if text.is_empty() {
            return Dim::Unknown;
        }
        let plain = crate::is_plain_symbol(text);
        match Self::parse(text) {
            Ok(dim @ Dim::Expr(_)) if !plain && !has_tight_minus(text) => dim,
            _ => Dim::symbol(text),
        }
    }

    /// The text that [`Dim::from_param`] reads back as this dim; `None` for numbers and unknown dims, which a file
    /// writes otherwise.
    pub fn to_param(&self) -> Option<String> {
        match self {
            Dim::Expr(_) => Some(match self.as_symbol() {
                Some(name) if !name.is_empty() && Self::from_param(name) == *self => name.to_string(),
                _ => self.to_string(),
            }),
            Dim::Known(_) | Dim::Unknown => None,
        }
    }
}

/// Whether a minus stands between two word characters, as in `batch-size`.
fn has_tight_minus(text: &str) -> bool {
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let mut quoted = false;
    text.as_bytes().windows(3).any(|window| {
        quoted ^= window[0] == b'`';
        !quoted && window[1] == b'-' && word(&window[0]) && word(&window[2])
    })
}

/// A fraction on its way into a floor.
#[derive(Clone)]
struct Ratio {
    numerator: Dim,
    denominator: Dim,
}

impl From<Dim> for Ratio {
    fn from(numerator: Dim) -> Self {
        Self { numerator, denominator: Dim::Known(1) }
    }
}

impl Ratio {
    fn add(&self, other: &Ratio) -> Ratio {
        if self.denominator == other.denominator {
            let numerator = self.numerator.add(&other.numerator);
            return Ratio { numerator, denominator: self.denominator.clone() };
        }
        // One denominator is often a multiple of the other; that keeps the fraction small.
        let (small, large) = match (&self.denominator, &other.denominator) {
            (Dim::Known(a), Dim::Known(b)) if a.abs() > b.abs() => (other, self),
            _ => (self, other),
        };
        match large.denominator.exact_div(&small.denominator) {
            Some(factor) => Ratio {
                numerator: large.numerator.add(&small.numerator.mul(&factor)),
                denominator: large.denominator.clone(),
            },
            None => Ratio {
                numerator: small.numerator.mul(&large.denominator).add(&large.numerator.mul(&small.denominator)),
                denominator: small.denominator.mul(&large.denominator),
            },
        }
    }
    fn neg(&self) -> Ratio {
        Ratio { numerator: self.numerator.neg(), denominator: self.denominator.clone() }
    }
    fn mul(&self, other: &Ratio) -> Ratio {
        Ratio { numerator: self.numerator.mul(&other.numerator), denominator: self.denominator.mul(&other.denominator) }
    }
    fn div(&self, other: &Ratio) -> Ratio {
        Ratio { numerator: self.numerator.mul(&other.denominator), denominator: self.denominator.mul(&other.numerator) }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: u32,
}

impl Parser<'_> {
    fn expected(&self, expected: &'static str) -> DimParseError {
        DimParseError { at: self.at, expected }
    }
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }
    fn skip_spaces(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start_matches(' ').len();
    }
    /// Takes a token if it is next.
    fn take(&mut self, token: &str) -> bool {
        self.skip_spaces();
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }
    fn take_while(&mut self, accept: impl Fn(u8) -> bool) -> &str {
        let start = self.at;
        while self.text.as_bytes().get(self.at).is_some_and(|byte| accept(*byte)) {
            self.at += 1;
        }
        &self.text[start..self.at]
    }
    /// An integer expression: a fraction must divide exactly.
    fn whole(&self, value: Ratio) -> Result<Dim, DimParseError> {
        value.numerator.exact_div(&value.denominator).map_or_else(
            || {
                if value.numerator.is_unknown() {
                    Ok(Dim::Unknown)
                } else {
                    Err(self.expected("a whole number rather than a fraction"))
                }
            },
            Ok,
        )
    }

    fn sum(&mut self) -> Result<Ratio, DimParseError> {
        let mut total = self.term(false)?;
        loop {
            if self.take("+") {
                total = total.add(&self.term(false)?);
            } else if self.take("-") {
                self.skip_spaces();
                // The least number has no positive counterpart: its sign belongs to the literal.
                let least = self.rest().starts_with("9223372036854775808");
                let term = self.term(least)?;
                total = total.add(&if least { term } else { term.neg() });
            } else {
                return Ok(total);
            }
        }
    }

    fn term(&mut self, negative_literal: bool) -> Result<Ratio, DimParseError> {
        let mut product = if negative_literal { self.number(true)?.into() } else { self.factor()? };
        loop {
            self.skip_spaces();
            if self.rest().starts_with("**") {
                return Err(self.expected("an operator"));
            }
            if self.take("*") {
                product = product.mul(&self.factor()?);
            } else if negative_literal {
                return Ok(product);
            } else if self.take("//") {
                let divisor = self.factor()?;
                let quotient = product.div(&divisor);
                product = self.floor(&quotient)?.into();
            } else if self.take("/") {
                let divisor = self.factor()?;
                if divisor.numerator.is(0) {
                    return Err(self.expected("a divisor other than zero"));
                }
                product = product.div(&divisor);
            } else if self.take("%") {
                let divisor = self.factor()?;
                product = self.whole(product)?.modulo(&self.whole(divisor)?).into();
            } else {
                return Ok(product);
            }
        }
    }

    fn factor(&mut self) -> Result<Ratio, DimParseError> {
        self.skip_spaces();
        if self.take("-") {
            self.skip_spaces();
            if self.rest().starts_with(|c: char| c.is_ascii_digit()) {
                let literal = self.number(true)?;
                return if self.take("**") { Err(self.expected("parentheses")) } else { Ok(literal.into()) };
            }
            self.nest()?;
            let value = self.factor()?.neg();
            self.depth -= 1;
            return Ok(value);
        }
        let base = self.primary()?;
        if !self.take("**") {
            return Ok(base);
        }
        self.skip_spaces();
        let power = self.number(false)?.known().filter(|power| *power <= MAX_POWER);
        let Some(power) = power else { return Err(self.expected("a small exponent")) };
        let mut value = Ratio::from(Dim::Known(1));
        for _ in 0..power {
            value = value.mul(&base);
        }
        Ok(value)
    }

    fn nest(&mut self) -> Result<(), DimParseError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(self.expected("less nesting")) } else { Ok(()) }
    }

    fn number(&mut self, negative: bool) -> Result<Dim, DimParseError> {
        let start = self.at;
        let digits = self.take_while(|byte| byte.is_ascii_digit());
        let value = digits.parse::<i128>().ok().map(|n| if negative { -n } else { n });
        let fits = value.and_then(|n| i64::try_from(n).ok());
        // `2N` and `1.5` are labels, not numbers.
        let ends = !self.rest().starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '.');
        let Some(n) = fits.filter(|_| ends) else {
            self.at = start;
            return Err(self.expected("an integer"));
        };
        Ok(Dim::Known(n))
    }

    fn primary(&mut self) -> Result<Ratio, DimParseError> {
        self.skip_spaces();
        match self.text.as_bytes().get(self.at) {
            Some(b'0'..=b'9') => Ok(self.number(false)?.into()),
            Some(b'(') => {
                self.at += 1;
                self.nest()?;
                let value = self.sum()?;
                self.depth -= 1;
                if self.take(")") { Ok(value) } else { Err(self.expected("')'")) }
            }
            Some(b'`') => self.quoted_symbol(),
            Some(b'a'..=b'z' | b'A'..=b'Z' | b'_') => {
                let start = self.at;
                self.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
                let word = &self.text[start..self.at];
                if self.rest().starts_with('(') {
                    self.at += 1;
                    self.nest()?;
                    let value = self.function(word)?;
                    self.depth -= 1;
                    Ok(value)
                } else {
                    Ok(Dim::symbol(word).into())
                }
            }
            _ => Err(self.expected("a number, a symbol or '('")),
        }
    }

    /// A label in backquotes; a backquote inside is doubled.
    fn quoted_symbol(&mut self) -> Result<Ratio, DimParseError> {
        let mut name = String::new();
        loop {
            self.at += 1;
            let Some(end) = self.rest().find('`') else { return Err(self.expected("a closing backquote")) };
            name.push_str(&self.text[self.at..self.at + end]);
            self.at += end + 1;
            if !self.rest().starts_with('`') {
                return Ok(Dim::symbol(name).into());
            }
            name.push('`');
        }
    }

    fn function(&mut self, name: &str) -> Result<Ratio, DimParseError> {
        let at = self.at;
        let mut arguments = vec![self.sum()?];
        while self.take(",") {
            arguments.push(self.sum()?);
        }
        if !self.take(")") {
            return Err(self.expected("')'"));
        }
        match (name, arguments.as_slice()) {
            ("floor", [x]) => Ok(self.floor(x)?.into()),
            ("ceil" | "ceiling", [x]) => Ok(self.floor(&x.neg())?.neg().into()),
            ("FloorDiv" | "CleanDiv", [a, b]) => Ok(self.floor(&a.div(b))?.into()),
            ("CeilDiv", [a, b]) => Ok(self.floor(&a.neg().div(b))?.neg().into()),
            ("IntTrueDiv", [a, b]) => Ok(a.div(b)),
            ("mod" | "Mod" | "PythonMod", [a, b]) => Ok(self.whole(a.clone())?.modulo(&self.whole(b.clone())?).into()),
            ("min" | "Min" | "max" | "Max", [first, rest @ ..]) => {
                let smaller = matches!(name, "min" | "Min");
                let mut extreme = self.whole(first.clone())?;
                for argument in rest {
                    let other = self.whole(argument.clone())?;
                    extreme = if smaller { extreme.min_with(&other) } else { extreme.max_with(&other) };
                }
                Ok(extreme.into())
            }
            _ => Err(DimParseError { at, expected: "floor, ceiling, mod, min or max with the right arguments" }),
        }
    }

    fn floor(&self, value: &Ratio) -> Result<Dim, DimParseError> {
        if value.denominator.is(0) {
            return Err(self.expected("a divisor other than zero"));
        }
        Ok(value.numerator.floor_div(&value.denominator))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n() -> Dim {
        Dim::symbol("N")
    }

    #[track_caller]
    fn back(dim: &Dim) {
        assert_eq!(Dim::parse(&dim.to_string()).as_ref(), Ok(dim), "{dim}");
        if let Some(param) = dim.to_param() {
            assert_eq!(Dim::from_param(&param), *dim, "{param}");
        }
    }

    #[test]
    fn the_printed_form_reads_back() {
        let (n, h) = (n(), Dim::symbol("H"));
        let two_n = n.mul(&2_i64.into());
        let odd = two_n.add(&3_i64.into());
        for dim in [
            Dim::Unknown,
            Dim::Known(i64::MIN),
            Dim::Known(7),
            n.clone(),
            odd.clone(),
            odd.neg(),
            n.add(&Dim::Known(i64::MIN)),
            n.mul(&Dim::Known(i64::MIN)).add(&h),
            h.add(&n.mul(&Dim::Known(i64::MIN))),
            odd.floor_div(&4_i64.into()),
            two_n.floor_div(&4_i64.into()),
            n.floor_div(&Dim::Known(-2)),
            Dim::Known(-7).floor_div(&n),
            n.mul(&h).floor_div(&odd),
            odd.ceil_div(&h).modulo(&5_i64.into()).mul(&n).mul(&n),
            n.min_with(&h).max_with(&odd),
            Dim::symbol("?nonzero.0").add(&1_i64.into()),
            Dim::symbol("a`b``"),
            Dim::symbol("max").mul(&Dim::symbol("p2o.D.0")),
            Dim::symbol("2*N"),
            Dim::symbol("3"),
            Dim::symbol("batch-size").sub(&n),
            Dim::symbol(""),
        ] {
            back(&dim);
        }
    }

    #[test]
    fn deep_quotients_read_back() {
        let mut dim = n();
        for divisor in 0..60_i64 {
            dim = dim.add(&1_i64.into()).floor_div(&(2 + divisor % 2).into());
        }
        back(&dim);
    }

    #[test]
    fn spellings_of_exporters() {
        let s = Dim::symbol("s0");
        let two = Dim::Known(2);
        for (text, dim) in [
            ("s0 + 1", s.add(&1_i64.into())),
            ("2*s0", s.mul(&two)),
            ("s0*2", s.mul(&two)),
            ("floor(s0/2)", s.floor_div(&two)),
            ("(s0//2)", s.floor_div(&two)),
            ("((s0 - 1)//2) + 1", s.add(&1_i64.into()).floor_div(&two)),
            ("floor(s0/2 - 1/2) + 1", s.add(&1_i64.into()).floor_div(&two)),
            ("ceiling(s0/2)", s.ceil_div(&two)),
            ("CeilDiv(s0, 2)", s.ceil_div(&two)),
            ("Max(1, s0)", s.max_with(&1_i64.into())),
            ("Min(8, s0, 3*s1)", s.min_with(&8_i64.into()).min_with(&Dim::symbol("s1").mul(&3_i64.into()))),
            ("s0**2", s.mul(&s)),
            ("Mod(s0, 3)", s.modulo(&3_i64.into())),
            ("s0 % 3", s.modulo(&3_i64.into())),
            ("2*(s0 + 3) - s0", s.add(&6_i64.into())),
            ("(2*s0)/2 + 1", s.add(&1_i64.into())),
            ("-s0 + 4", Dim::Known(4).sub(&s)),
        ] {
            assert_eq!(Dim::parse(text), Ok(dim.clone()), "{text}");
            assert_eq!(Dim::from_param(text), dim, "{text}");
        }
    }

    #[test]
    fn labels_stay_labels() {
        for text in [
            "p2o.DynamicDimension.0",
            "batch-size",
            "seq-1",
            "N/2",
            "2N",
            "?",
            "-1",
            "3",
            "None",
            "foo bar",
            "round(N)",
            "N +",
            "0*N",
            "größe",
            "N**2.5",
            "N//0",
            "N/0",
            "`N",
            "floor",
            "1.5*N",
        ] {
            assert_eq!(Dim::from_param(text), Dim::symbol(text), "{text}");
            assert_eq!(Dim::symbol(text).to_param().as_deref(), Some(text));
        }
        assert_eq!(Dim::from_param(""), Dim::Unknown);
    }

    #[test]
    fn errors_say_where() {
        for (text, at) in [("N + ", 4), ("(N", 2), ("N M", 2), ("99999999999999999999", 0), ("min(N", 5), ("", 0)] {
            assert_eq!(Dim::parse(text).map_err(|error| error.at), Err(at), "{text}");
        }
        let deep = "(".repeat(100_000);
        assert!(Dim::parse(&deep).is_err());
        let minus = "-".repeat(100_000);
        assert!(Dim::parse(&minus).is_err());
    }
}
