//! How far two values are apart.

use edgesmith_ir::{DType, Name, Tensor, TensorData};
use half::{bf16, f16};
use indexmap::IndexMap;

use crate::{Value, Values};

/// What a comparison found.
#[derive(Clone, PartialEq, Debug)]
pub enum Comparison {
    /// Kind, element type or shape differ.
    Unlike(String),
    /// The elements were compared.
    Compared(Difference),
}

/// How far the elements of two values are apart. NaN equals NaN, whatever its bits (except for `exact`); NaN against a
/// number, or an infinity against anything else, is infinitely far.
#[derive(Clone, PartialEq, Debug)]
pub struct Difference {
    /// Elements compared.
    pub elements: u64,
    /// Whether all bits are equal.
    pub exact: bool,
    /// The largest |reference − found|.
    pub absolute: f64,
    /// The largest |reference − found| over the largest finite magnitude of the reference; 0 when nothing differs.
    pub relative: f64,
    /// The largest |reference − found| / max(|reference|, 1e-3 of the largest magnitude): relative element by element,
    /// without small elements drowning the rest.
    pub elementwise: f64,
    /// Signal to noise in decibels, 10·log10(Σ reference² / Σ (reference − found)²) over finite pairs; infinite when they
    /// are equal, minus infinity when an element is infinitely far.
    pub sqnr: f64,
    /// The largest number of representable values between a pair (integers: the difference); `u64::MAX` for infinitely far.
    pub ulps: u64,
    /// Elements that differ.
    pub differing: u64,
    /// The pair with the largest absolute difference, the first of equals.
    pub worst: Option<Worst>,
}

/// One pair of elements.
#[derive(Clone, PartialEq, Debug)]
pub struct Worst {
    /// Its index along every axis.
    pub index: Vec<u64>,
    /// The reference.
    pub reference: f64,
    /// What was found instead.
    pub found: f64,
}

/// Compares two values.
pub fn compare(reference: &Value, found: &Value) -> Comparison {
    match (reference, found) {
        (Value::Tensor(a), Value::Tensor(b)) => compare_tensors(a, b),
        (Value::Sequence(a), Value::Sequence(b)) => {
            if a.len() != b.len() {
                return Comparison::Unlike(format!("a sequence of {} against one of {}", a.len(), b.len()));
            }
            let mut all = Difference::none();
            for (k, (a, b)) in a.iter().zip(b).enumerate() {
                match compare(a, b) {
                    Comparison::Unlike(message) => return Comparison::Unlike(format!("element {k}: {message}")),
                    Comparison::Compared(one) => all.join(one),
                }
            }
            Comparison::Compared(all)
        }
        (Value::Optional(None), Value::Optional(None)) => Comparison::Compared(Difference::none()),
        (Value::Optional(Some(a)), Value::Optional(Some(b))) => compare(a, b),
        _ => Comparison::Unlike(format!("{} against {}", reference.ty(), found.ty())),
    }
}

/// Compares values by name; a name that only one side has is unlike.
pub fn compare_all(reference: &Values, found: &Values) -> IndexMap<Name, Comparison> {
    let mut all = IndexMap::new();
    for (name, value) in reference {
        let one =
            found.get(name).map_or_else(|| Comparison::Unlike("is missing".into()), |other| compare(value, other));
        all.insert(name.clone(), one);
    }
    for name in found.keys().filter(|name| !reference.contains_key(*name)) {
        all.insert(name.clone(), Comparison::Unlike("is not in the reference".into()));
    }
    all
}

/// Whether |reference − found| ≤ absolute + relative·|reference| for every element (NaN and equal infinities agree); the
/// first element where it is not, in words.
pub fn close(reference: &Value, found: &Value, relative: f64, absolute: f64) -> Result<(), String> {
    match (reference, found) {
        (Value::Tensor(a), Value::Tensor(b)) => {
            let pairs = Pairs::new(a, b)?;
            let bad = |at: &usize| {
                let distance = pairs.distance(*at);
                distance != 0.0 && (distance.is_infinite() || distance > absolute + relative * pairs.at(*at).0.abs())
            };
            let Some(at) = (0..pairs.len()).find(bad) else { return Ok(()) };
            let (x, y) = pairs.at(at);
            Err(format!("element {:?} is {y:?}, not {x:?}", index_of(at, a.shape())))
        }
        (Value::Sequence(a), Value::Sequence(b)) if a.len() == b.len() => a
            .iter()
            .zip(b)
            .enumerate()
            .try_for_each(|(k, (a, b))| close(a, b, relative, absolute).map_err(|e| format!("item {k}: {e}"))),
        (Value::Optional(Some(a)), Value::Optional(Some(b))) => close(a, b, relative, absolute),
        (a, b) if a == b => Ok(()),
        _ => Err(format!("{} is needed, not {}", reference.ty(), found.ty())),
    }
}

impl Difference {
    fn none() -> Self {
        Self {
            elements: 0,
            exact: true,
            absolute: 0.0,
            relative: 0.0,
            elementwise: 0.0,
            sqnr: f64::INFINITY,
            ulps: 0,
            differing: 0,
            worst: None,
        }
    }
    /// The worse of both in every figure.
    fn join(&mut self, other: Self) {
        if other.worst.is_some() && (self.worst.is_none() || other.absolute > self.absolute) {
            self.worst = other.worst;
        }
        self.elements += other.elements;
        self.exact &= other.exact;
        self.absolute = self.absolute.max(other.absolute);
        self.relative = self.relative.max(other.relative);
        self.elementwise = self.elementwise.max(other.elementwise);
        self.sqnr = self.sqnr.min(other.sqnr);
        self.ulps = self.ulps.max(other.ulps);
        self.differing += other.differing;
    }
}

/// Two tensors of one type, element by element.
enum Pairs {
    /// Floats widened, and their dtype for counting representable values.
    Floats(DType, Vec<f64>, Vec<f64>),
    Integers(Vec<i128>, Vec<i128>),
    /// Strings, or elements that are not computed with: equal or not.
    Opaque(Vec<bool>),
}

impl Pairs {
    fn new(a: &Tensor, b: &Tensor) -> Result<Self, String> {
        if a.dtype() != b.dtype() || a.shape() != b.shape() {
            return Err(format!("{}{:?} is needed, not {}{:?}", a.dtype(), a.shape(), b.dtype(), b.shape()));
        }
        if let (true, Some(x), Some(y)) = (a.dtype().is_float(), a.to_f64(), b.to_f64()) {
            return Ok(Self::Floats(a.dtype(), x, y));
        }
        if a.dtype() == DType::U64 {
            let wide = |t: &Tensor| t.view::<u64>().map(|v| v.iter().map(|x| i128::from(*x)).collect::<Vec<i128>>());
            if let (Ok(x), Ok(y)) = (wide(a), wide(b)) {
                return Ok(Self::Integers(x, y));
            }
        }
        let wide = |t: &Tensor| t.to_ints().map(|ints| ints.into_iter().map(i128::from).collect::<Vec<i128>>());
        if let (Some(x), Some(y)) = (wide(a), wide(b)) {
            return Ok(Self::Integers(x, y));
        }
        if let (TensorData::Strings(x), TensorData::Strings(y)) = (a.data(), b.data()) {
            return Ok(Self::Opaque(x.iter().zip(y.iter()).map(|(x, y)| x == y).collect()));
        }
        match (a.dense_bytes(), b.dense_bytes(), a.dtype().whole_bytes()) {
            (Ok(x), Ok(y), Some(width)) => {
                Ok(Self::Opaque(x.chunks(width).zip(y.chunks(width)).map(|(x, y)| x == y).collect()))
            }
            // Packed elements are not taken apart: all of them count as equal or as different.
            (Ok(x), Ok(y), None) => Ok(Self::Opaque(vec![x == y; usize::try_from(a.len()).unwrap_or(0)])),
            _ => Err("sparse tensors are not compared".to_owned()),
        }
    }
    fn len(&self) -> usize {
        match self {
            Self::Floats(_, x, _) => x.len(),
            Self::Integers(x, _) => x.len(),
            Self::Opaque(equal) => equal.len(),
        }
    }
    fn at(&self, k: usize) -> (f64, f64) {
        match self {
            Self::Floats(_, x, y) => (x[k], y[k]),
            Self::Integers(x, y) => (x[k] as f64, y[k] as f64),
            Self::Opaque(equal) => (0.0, if equal[k] { 0.0 } else { f64::NAN }),
        }
    }
    fn distance(&self, k: usize) -> f64 {
        match self {
            Self::Floats(_, x, y) if x[k] == y[k] || (x[k].is_nan() && y[k].is_nan()) => 0.0,
            Self::Floats(_, x, y) if x[k].is_finite() && y[k].is_finite() => (x[k] - y[k]).abs(),
            Self::Integers(x, y) => (x[k] - y[k]).unsigned_abs() as f64,
            Self::Opaque(equal) if equal[k] => 0.0,
            Self::Floats(..) | Self::Opaque(_) => f64::INFINITY,
        }
    }
    fn ulps(&self, k: usize) -> u64 {
        match self {
            Self::Integers(x, y) => u64::try_from((x[k] - y[k]).unsigned_abs()).unwrap_or(u64::MAX),
            Self::Floats(dtype, x, y) if x[k].is_finite() && y[k].is_finite() => {
                u64::try_from((place(*dtype, x[k]) - place(*dtype, y[k])).unsigned_abs()).unwrap_or(u64::MAX)
            }
            _ if self.distance(k) == 0.0 => 0,
            _ => u64::MAX,
        }
    }
}

/// The number of representable values between zero and `x`, with its sign.
fn place(dtype: DType, x: f64) -> i128 {
    let magnitude = match dtype {
        DType::F16 => i128::from(f16::from_f64(x.abs()).to_bits()),
        DType::BF16 => i128::from(bf16::from_f64(x.abs()).to_bits()),
        DType::F32 => i128::from((x.abs() as f32).to_bits()),
        _ => i128::from(x.abs().to_bits()),
    };
    if x.is_sign_negative() { -magnitude } else { magnitude }
}

fn compare_tensors(a: &Tensor, b: &Tensor) -> Comparison {
    let pairs = match Pairs::new(a, b) {
        Ok(pairs) => pairs,
        Err(message) => return Comparison::Unlike(message),
    };
    let mut result = Difference { elements: pairs.len() as u64, exact: a.same_content(b), ..Difference::none() };
    let scale = (0..pairs.len()).map(|k| pairs.at(k).0.abs()).filter(|x| x.is_finite()).fold(0.0_f64, f64::max);
    let (mut signal, mut noise) = (0.0_f64, 0.0_f64);
    let mut worst = None;
    for k in 0..pairs.len() {
        let distance = pairs.distance(k);
        let (x, y) = pairs.at(k);
        if x.is_finite() {
            signal += x * x;
        }
        if distance == 0.0 {
            continue;
        }
        noise += distance * distance;
        result.differing += 1;
        result.ulps = result.ulps.max(pairs.ulps(k));
        result.elementwise = result.elementwise.max(quotient(distance, x.abs().max(scale * 1e-3)));
        if worst.is_none() || distance > result.absolute {
            result.absolute = distance;
            worst = Some((k, x, y));
        }
    }
    if result.differing > 0 {
        result.relative = quotient(result.absolute, scale);
        result.sqnr = if noise.is_finite() { 10.0 * libm::log10(signal / noise) } else { f64::NEG_INFINITY };
    }
    result.worst = worst.map(|(k, reference, found)| Worst { index: index_of(k, a.shape()), reference, found });
    Comparison::Compared(result)
}

/// A difference against a magnitude; against nothing it is infinite.
fn quotient(distance: f64, magnitude: f64) -> f64 {
    if magnitude > 0.0 && magnitude.is_finite() { distance / magnitude } else { f64::INFINITY }
}

fn index_of(at: usize, shape: &[u64]) -> Vec<u64> {
    let mut rest = at as u64;
    let mut index: Vec<u64> = shape
        .iter()
        .rev()
        .map(|extent| {
            let here = rest % extent.max(&1);
            rest /= extent.max(&1);
            here
        })
        .collect();
    index.reverse();
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floats(shape: &[u64], x: &[f32]) -> Value {
        Tensor::from_slice(shape, x).unwrap().into()
    }
    fn difference(a: &Value, b: &Value) -> Difference {
        match compare(a, b) {
            Comparison::Compared(difference) => difference,
            Comparison::Unlike(message) => panic!("{message}"),
        }
    }

    #[test]
    fn figures_of_floats() {
        let a = floats(&[2, 2], &[1.0, -4.0, 0.0, f32::NAN]);
        let b = floats(&[2, 2], &[1.0, -4.5, 0.25, f32::NAN]);
        let d = difference(&a, &b);
        assert_eq!((d.elements, d.differing, d.exact), (4, 2, false));
        assert_eq!((d.absolute, d.relative), (0.5, 0.125));
        assert_eq!(d.elementwise, 0.25 / 0.004);
        assert_eq!(d.worst, Some(Worst { index: vec![0, 1], reference: -4.0, found: -4.5 }));
        assert!((d.sqnr - 10.0 * (17.0_f64 / 0.3125).log10()).abs() < 1e-12);
        let same = difference(&a, &a);
        assert!(same.exact && same.sqnr == f64::INFINITY && same.worst.is_none());
    }

    #[test]
    fn ulps_cross_zero_and_one_step_is_one() {
        let next = f32::from_bits(1.0_f32.to_bits() + 1);
        assert_eq!(difference(&floats(&[1], &[1.0]), &floats(&[1], &[next])).ulps, 1);
        let tiny = f32::from_bits(1);
        assert_eq!(difference(&floats(&[1], &[tiny]), &floats(&[1], &[-tiny])).ulps, 2);
        let zeros = difference(&floats(&[1], &[0.0]), &floats(&[1], &[-0.0]));
        assert_eq!((zeros.ulps, zeros.differing, zeros.exact), (0, 0, false));
    }

    #[test]
    fn infinities_and_nan_are_infinitely_far() {
        for (x, y) in [(f32::NAN, 1.0), (1.0, f32::NAN), (f32::INFINITY, f32::NEG_INFINITY), (1.0, f32::INFINITY)] {
            let d = difference(&floats(&[1], &[x]), &floats(&[1], &[y]));
            assert_eq!((d.absolute, d.sqnr, d.ulps), (f64::INFINITY, f64::NEG_INFINITY, u64::MAX), "{x} {y}");
            assert!(close(&floats(&[1], &[x]), &floats(&[1], &[y]), 1.0, 1e9).is_err(), "{x} {y}");
        }
        let inf = floats(&[1], &[f32::INFINITY]);
        assert_eq!(difference(&inf, &inf).absolute, 0.0);
    }

    #[test]
    fn integers_are_compared_exactly() {
        let a: Value = Tensor::from_slice([1_u64].as_slice(), &[i64::MAX]).unwrap().into();
        let b: Value = Tensor::from_slice([1_u64].as_slice(), &[i64::MAX - 1]).unwrap().into();
        assert_eq!(difference(&a, &b).absolute, 1.0);
        assert!(close(&a, &b, 0.0, 0.5).is_err());
        assert!(close(&a, &b, 0.0, 1.0).is_ok());
    }

    #[test]
    fn other_types_and_shapes_are_unlike() {
        let a = floats(&[2], &[1.0, 2.0]);
        assert!(matches!(compare(&a, &floats(&[1, 2], &[1.0, 2.0])), Comparison::Unlike(_)));
        assert!(matches!(compare(&a, &Value::Sequence(vec![a.clone()])), Comparison::Unlike(_)));
        let mut both = Values::new();
        both.insert("y".into(), a);
        let other = compare_all(&both, &Values::new());
        assert_eq!(other["y"], Comparison::Unlike("is missing".into()));
    }
}
