//! Gives a Reshape whose shape is computed at run time a constant one: 0 for a dim that stays, -1 for the one left.

use edgesmith_ir::op::Reshape;
use edgesmith_ir::{OpId, OpKind, Tensor};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

use crate::merge_reshapes::{infers, spec_of};

/// `Reshape(x, Concat(batch, 64))` is `Reshape(x, [0, 64])` or `[-1, 64]`: the shape arithmetic behind it dies.
pub(crate) struct ResolveReshape;

impl Rewrite for ResolveReshape {
    const NAME: RuleName = "resolve-reshape";
    const SUMMARY: &'static str = "a Reshape to computed sizes gets a constant shape with 0 and -1";
    const ROOTS: &'static [OpKind] = &[OpKind::Reshape];
    const FIDELITY: Fidelity = Fidelity::Exact;
    const MANUAL: &'static str = include_str!("../manual/resolve-reshape.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let reshape = cx.op::<Reshape>(root)?;
        if cx.constant(reshape.shape()).is_some() {
            return Err(Miss::NoMatch);
        }
        let Some(spec) = spec_of(cx, reshape.data(), reshape.reshaped(), infers(cx, root)) else {
            let why = "its shape is computed at run time, and no constant shape says the same for every size";
            return cx.reject(root, why);
        };
        let mut patch = Patch::new(cx);
        let shape = patch.constant(Tensor::from_ints(&spec));
        let result = patch.insert(Reshape { allowzero: false }, [Some(reshape.data().into()), Some(shape)]);
        patch.redefine(reshape.reshaped(), result);
        Ok(patch)
    }
}
