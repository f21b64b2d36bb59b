//! A division by a constant becomes a product with its reciprocal, which most targets compute many times faster.

use edgesmith_ir::op::{Div, Mul};
use edgesmith_ir::{DType, OpId, OpKind, Tensor};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

/// `x / c = x · (1 / c)`. Where every element of `c` is a power of two, both are the same number correctly rounded, so
/// every bit is equal; else `1 / c` is rounded once more.
pub(crate) struct ReplaceDivision {
    /// Whether divisors that are no powers of two count.
    pub rounding: bool,
    /// Larger divisors stay.
    pub most_elements: u64,
}

impl Rewrite for ReplaceDivision {
    const NAME: RuleName = "replace-division";
    const SUMMARY: &'static str = "a division by a constant becomes a product with its reciprocal";
    const ROOTS: &'static [OpKind] = &[OpKind::Div];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../manual/replace-division.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let division = cx.op::<Div>(root)?;
        if !cx.dtype(division.c()).is_some_and(DType::is_float) {
            // Integers are divided with a remainder: another operation, and no news to the user.
            return Err(Miss::NoMatch);
        }
        let Some(divisor) = cx.constant(division.b()) else {
            return cx.reject(root, "its divisor is not constant");
        };
        if divisor.len() > self.most_elements {
            let why = format!("its divisor has {} elements", divisor.len());
            return cx.reject_unless(root, why, "raise most-elements");
        }
        let elements = divisor.to_f64().ok_or(Miss::NoMatch)?;
        if !self.rounding && !elements.iter().all(|element| is_power_of_two(*element)) {
            return cx.reject_unless(root, "its divisor is no power of two", "set rounding = true");
        }
        let Some(reciprocal) = reciprocal(divisor, &elements) else {
            return cx.reject(root, "the reciprocal of its divisor is no ordinary number of its element type");
        };
        let mut patch = Patch::new(cx);
        let factor = patch.constant_like(division.b(), reciprocal);
        let product = patch.insert(Mul {}, [Some(division.a().into()), Some(factor)]);
        patch.redefine(division.c(), product);
        Ok(patch)
    }
}

fn is_power_of_two(number: f64) -> bool {
    // All bits of the mantissa are zero.
    number.is_normal() && number.to_bits().trailing_zeros() >= f64::MANTISSA_DIGITS - 1
}

/// One over every element, unless the element type holds one of them badly: zero, infinity, or with bits missing.
fn reciprocal(divisor: &Tensor, elements: &[f64]) -> Option<Tensor> {
    let wanted: Vec<f64> = elements.iter().map(|element| 1.0 / element).collect();
    let tensor = Tensor::from_f64(divisor.dtype(), divisor.shape(), &wanted)?;
    let held = tensor.to_f64()?;
    // Half a unit in the last place of the coarsest type that networks use, bfloat16.
    let close = |(held, wanted): (&f64, &f64)| held.is_normal() && (held / wanted - 1.0).abs() <= 1.0 / 256.0;
    held.iter().zip(&wanted).all(close).then_some(tensor)
}
