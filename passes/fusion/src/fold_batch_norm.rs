//! Folds an inference-mode BatchNormalization into the operator before it.

use edgesmith_ir::op::BatchNormalization;
use edgesmith_ir::{Def, OpId, OpKind, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

use crate::affine::Affine;
use crate::target::Target;

/// y = (conv(x, w) + b − mean) · scale / √(variance + ε) + bias, so w and b absorb the affine map per output channel.
pub(crate) struct FoldBatchNorm;

impl Rewrite for FoldBatchNorm {
    const NAME: RuleName = "fold-batch-norm";
    const SUMMARY: &'static str = "BatchNormalization into the convolution or matrix product before it";
    const ROOTS: &'static [OpKind] = &[OpKind::BatchNormalization];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../manual/fold-batch-norm.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let norm = cx.op::<BatchNormalization>(root)?;
        let target = match Target::producing(cx, norm.x()) {
            Err(Miss::NoMatch) => return cx.reject(root, nothing_before(cx, norm.x())),
            other => other?,
        };
        // Its channels are on axis 1; those of a product of more than two axes are on the last.
        if target.axis != 1 {
            return cx.reject(root, "the matrix product before it has its channels on another axis");
        }
        target.usable(cx)?;
        let affine = Affine::of_batch_norm(cx, norm)?;
        target.fold(cx, &affine, norm.y())
    }
}

/// Why there is nothing to fold into, in terms of what stands there instead.
fn nothing_before(cx: &Cx<'_>, value: ValueId) -> String {
    let (graph, model) = (cx.graph(), cx.model());
    let name = graph.value(value).name();
    let instead = match graph.value(value).def() {
        Def::Result { op, .. } => {
            format!(
                "it reads '{name}', which {} '{}' makes",
                graph.op(op).op().name(),
                model.op_label(cx.graph_id(), op)
            )
        }
        Def::Constant(_) | Def::Erased => format!("it reads the constant '{name}'"),
        Def::Input { .. } if model.entries.values().any(|entry| *entry == cx.graph_id()) => {
            format!("it reads the input '{name}' of the graph")
        }
        Def::Input { .. } => {
            format!("it reads '{name}', which enters the body of a loop, branch or function from outside")
        }
    };
    format!("no convolution or matrix product stands before it; {instead}")
}
