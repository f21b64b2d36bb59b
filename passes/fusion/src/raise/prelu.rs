//! PRelu from its formulas.

use edgesmith_ir::op::PRelu;
use edgesmith_ir::{OpId, OpKind, Tensor};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName, Wire};

use super::leaky_relu::{Leak, leak};
use super::pattern::{is_single_or_half, result, saves, since};

/// The formulas of LeakyRelu with a tensor of slopes that broadcasts to x.
pub(crate) struct RaisePRelu;

impl Rewrite for RaisePRelu {
    const NAME: RuleName = "raise-prelu";
    const SUMMARY: &'static str = "the formulas of a rectifier with several slopes into PRelu";
    const ROOTS: &'static [OpKind] = &[OpKind::Add, OpKind::Sub, OpKind::Where];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../../manual/raise-prelu.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        // Slopes broadcast to x from here on.
        since(cx, 7)?;
        let old = result(cx, root)?;
        let Leak { x, sign, slope: Some(slope) } = leak(cx, root).ok_or(Miss::NoMatch)? else {
            return Err(Miss::NoMatch);
        };
        is_single_or_half(cx, x)?;
        if !cx.same_dims(old, x) || cx.dtype(slope) != cx.dtype(x) {
            return Err(Miss::NoMatch);
        }
        let constant = cx.constant(slope);
        saves(cx, old, &[x, slope], 1)?;
        let mut patch = Patch::new(cx);
        let slope: Wire = match constant.filter(|_| sign != 1.0) {
            None => slope.into(),
            Some(tensor) => {
                let values: Vec<f64> = tensor.to_f64().ok_or(Miss::NoMatch)?.into_iter().map(|a| a * sign).collect();
                let signed = Tensor::from_f64(tensor.dtype(), tensor.shape(), &values).ok_or(Miss::NoMatch)?;
                patch.constant_like(slope, signed)
            }
        };
        let rectified = patch.insert(PRelu {}, [Some(x.into()), Some(slope)]);
        patch.redefine(old, rectified);
        Ok(patch)
    }
}
