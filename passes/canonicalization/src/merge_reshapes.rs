//! Makes one reshape of a chain of operators that only regroup elements.

use edgesmith_ir::op::Reshape;
use edgesmith_ir::{Dim, Op, OpId, OpKind, Tensor, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

/// `Reshape(Reshape(x))`, and Flatten, Squeeze and Unsqueeze in place of either: the last shape decides.
pub(crate) struct MergeReshapes;

pub(crate) const REGROUPING: &[OpKind] = &[OpKind::Reshape, OpKind::Flatten, OpKind::Squeeze, OpKind::Unsqueeze];

impl Rewrite for MergeReshapes {
    const NAME: RuleName = "merge-reshapes";
    const SUMMARY: &'static str = "chains of Reshape, Flatten, Squeeze and Unsqueeze become one Reshape";
    const ROOTS: &'static [OpKind] =
        &[OpKind::Reshape, OpKind::Flatten, OpKind::Squeeze, OpKind::Unsqueeze, OpKind::Transpose];
    const FIDELITY: Fidelity = Fidelity::Exact;
    const MANUAL: &'static str = include_str!("../manual/merge-reshapes.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let outer = cx.graph().op(root);
        let (Some(middle), Some(output)) = (outer.operand(0), outer.result(0)) else { return Err(Miss::NoMatch) };
        let inner = cx.graph().producer(middle).ok_or(Miss::NoMatch)?;
        let inner_data = cx.graph().op(inner);
        // Of two transposes one is made elsewhere.
        let reshapes = [root, inner].iter().any(|op| REGROUPING.contains(&cx.graph().op(*op).op().kind()));
        if !reshapes || !cx.single_use(middle) || !regroups(cx, root) || !regroups(cx, inner) {
            return Err(Miss::NoMatch);
        }
        let input = inner_data.operand(0).ok_or(Miss::NoMatch)?;
        cx.look_at(inner);
        let spec = spec_of(cx, input, output, infers(cx, root)).ok_or(Miss::NoMatch)?;
        let mut patch = Patch::new(cx);
        let shape = patch.constant(Tensor::from_ints(&spec));
        let result = patch.insert(Op::from(Reshape { allowzero: false }), [Some(input.into()), Some(shape)]);
        patch.redefine(output, result);
        Ok(patch)
    }
}

/// Whether an operator gives the elements back in their order, as a transpose does that moves axes of one element only.
fn regroups(cx: &Cx<'_>, op: OpId) -> bool {
    let data = cx.graph().op(op);
    let Op::Transpose(transpose) = data.op() else { return REGROUPING.contains(&data.op().kind()) };
    let Some(dims) = data.operand(0).and_then(|input| cx.dims(input)) else { return false };
    let reversed: Vec<i64> = (0..dims.len() as i64).rev().collect();
    let perm = if transpose.perm.is_empty() { &reversed } else { &transpose.perm };
    let long =
        perm.iter().filter(|axis| usize::try_from(**axis).ok().and_then(|a| dims.get(a)).is_none_or(|d| !d.is(1)));
    long.is_sorted()
}

/// Whether an operator is a Reshape that asks for a dim to be inferred, so that it fails itself where another dim is zero.
pub(crate) fn infers(cx: &Cx<'_>, op: OpId) -> bool {
    let data = cx.graph().op(op);
    let shape = data.operand(1).filter(|_| data.op().kind() == OpKind::Reshape);
    shape.and_then(|shape| cx.contents(shape)).is_some_and(|c| c.items().iter().any(|item| item.int() == Some(-1)))
}

/// Reshape's second operand from the one value to the other; see [`spec`].
pub(crate) fn spec_of(cx: &Cx<'_>, input: ValueId, output: ValueId, may_fail: bool) -> Option<Vec<i64>> {
    spec(cx, cx.dims(input)?, cx.dims(output)?, may_fail)
}

/// Reshape's second operand for these dims: numbers, 0 where the dim is that of the input at the same place, and at most
/// one -1. `None` when that cannot say it, or when -1 would have no answer for an empty tensor; `may_fail` says that there
/// was none before either.
pub(crate) fn spec(cx: &Cx<'_>, from: &[Dim], to: &[Dim], may_fail: bool) -> Option<Vec<i64>> {
    let mut spec = Vec::with_capacity(to.len());
    let (mut inferred, mut may_be_zero) = (false, false);
    for (axis, dim) in to.iter().enumerate() {
        spec.push(match dim {
            // A zero would be read as "copy".
            Dim::Known(0) => return None,
            Dim::Known(n) => *n,
            _ if from.get(axis).is_some_and(|d| d.same(dim)) => {
                may_be_zero |= cx.may_be_zero(dim);
                0
            }
            _ if !inferred => {
                inferred = true;
                -1
            }
            _ => return None,
        });
    }
    (may_fail || !inferred || !may_be_zero).then_some(spec)
}
