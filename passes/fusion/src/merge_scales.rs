//! Makes one multiplication by a number of two.

use edgesmith_ir::op::Mul;
use edgesmith_ir::{OpId, OpKind};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

use crate::affine::ByConstant;
use crate::fold_scale_forward::ends_an_idiom;
use crate::weights::rounded;

/// `(x · a) · b` is `x · (a · b)`, for numbers a and b; divisions by numbers likewise.
pub(crate) struct MergeScales;

/// The last factors of GELU and of hard swish.
const LAST_OF_IDIOMS: [f64; 2] = [0.5, 1.0 / 6.0];

impl Rewrite for MergeScales {
    const NAME: RuleName = "merge-scales";
    const SUMMARY: &'static str = "two multiplications or divisions by numbers in a row become one";
    const ROOTS: &'static [OpKind] = &[OpKind::Mul, OpKind::Div];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../manual/merge-scales.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let outer = ByConstant::of(cx, root)?;
        let inner = ByConstant::of(cx, cx.graph().producer(outer.value).ok_or(Miss::NoMatch)?)?;
        let (first, second) = (inner.factor()?, outer.factor()?);
        // A number of a higher rank than what it multiplies would raise the rank of the result.
        if !cx.single_use(outer.value) || !cx.same_dims(inner.value, outer.result) {
            return Err(Miss::NoMatch);
        }
        let is_last = LAST_OF_IDIOMS.iter().any(|last| (first - last).abs() < 1e-3);
        if is_last && ends_an_idiom(cx, inner.value) {
            return Err(Miss::NoMatch);
        }
        let factor = rounded(cx, outer.tensor.dtype(), [].as_slice(), &[first * second], "factor")?;
        let mut patch = Patch::new(cx);
        let factor = patch.constant_like(outer.constant, factor);
        let result = patch.insert(Mul {}, [Some(inner.value.into()), Some(factor)]);
        patch.redefine(outer.result, result);
        Ok(patch)
    }
}
