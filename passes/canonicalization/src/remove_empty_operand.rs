//! Removes operands that are there only because their place had to be filled.

use edgesmith_ir::op::Resize;
use edgesmith_ir::{OpId, OpKind};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName, Wire};

/// A Resize that is told its sizes has an empty list of scales, and mostly an empty region, which stand for nothing.
pub(crate) struct RemoveEmptyOperand;

impl Rewrite for RemoveEmptyOperand {
    const NAME: RuleName = "remove-empty-operand";
    const SUMMARY: &'static str = "an empty region, or an empty list of scales or sizes, of a Resize";
    const ROOTS: &'static [OpKind] = &[OpKind::Resize];
    const FIDELITY: Fidelity = Fidelity::Exact;
    const MANUAL: &'static str = include_str!("../manual/remove-empty-operand.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let resize = cx.op::<Resize>(root)?;
        let operands = resize.data.operands();
        let kept: Vec<Option<Wire>> = operands
            .iter()
            .map(|value| value.filter(|value| !cx.constant(*value).is_some_and(edgesmith_ir::Tensor::is_empty)))
            .map(|value| value.map(Wire::from))
            .collect();
        if operands.iter().zip(&kept).all(|(old, new)| old.is_some() == new.is_some()) {
            return Err(Miss::NoMatch);
        }
        let mut patch = Patch::new(cx);
        let result = patch.insert((*resize).clone(), kept);
        patch.redefine(resize.y(), result);
        Ok(patch)
    }
}
