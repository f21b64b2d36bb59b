//! Folds multiplication, division, addition and subtraction by constants per channel into the operator before them.

use edgesmith_ir::{OpId, OpKind, User};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

use crate::affine::ByConstant;
use crate::target::Target;

/// conv(x, w) + b, times and plus constants per output channel: w and b absorb both.
pub(crate) struct FoldAffine;

impl Rewrite for FoldAffine {
    const NAME: RuleName = "fold-affine";
    const SUMMARY: &'static str =
        "Mul, Div, Add or Sub of constants per channel into the convolution or matrix product before them";
    const ROOTS: &'static [OpKind] = &[OpKind::Mul, OpKind::Div, OpKind::Add, OpKind::Sub];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../manual/fold-affine.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let by = ByConstant::of(cx, root)?;
        let target = Target::producing(cx, by.value)?;
        let affine = by.affine(target.rank, target.axis, target.channels)?;
        // A MatMul has no bias: an Add behind it stays an Add.
        if affine.shifts() && !target.takes_shift() {
            return Err(Miss::NoMatch);
        }
        if is_gated(cx, &by) {
            return Err(Miss::NoMatch);
        }
        target.usable(cx)?;
        target.fold(cx, &affine, by.result)
    }
}

/// Whether the value is multiplied with something too, as by a function of itself (GELU, SiLU, hard swish): then what is
/// done to it here is the beginning of that function, and nothing went unfused.
fn is_gated(cx: &Cx<'_>, by: &ByConstant<'_>) -> bool {
    let uses = cx.graph().value(by.value).uses();
    let multiplies = |op: OpId| op != cx.root() && cx.graph().op(op).op().kind() == OpKind::Mul;
    (2..=16).contains(&uses.len()) && uses.iter().any(|reader| matches!(reader.user, User::Op(op) if multiplies(op)))
}
