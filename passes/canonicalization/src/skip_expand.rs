//! Lets an elementwise operator broadcast by itself, instead of an Expand before it.

use edgesmith_ir::op::{ConstantOfShape, Expand};
use edgesmith_ir::{Dim, OpData, OpId, OpKind, Tensor, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName, Wire};

/// `x op Expand(w)` is `x op w` where broadcasting reaches the same dims.
pub(crate) struct SkipExpand;

impl Rewrite for SkipExpand {
    const NAME: RuleName = "skip-expand";
    const SUMMARY: &'static str =
        "an elementwise operator broadcasts what an Expand or a ConstantOfShape before it repeats";
    const ROOTS: &'static [OpKind] = &[
        OpKind::Add,
        OpKind::And,
        OpKind::BitwiseAnd,
        OpKind::BitwiseOr,
        OpKind::BitwiseXor,
        OpKind::Div,
        OpKind::Equal,
        OpKind::Greater,
        OpKind::GreaterOrEqual,
        OpKind::Less,
        OpKind::LessOrEqual,
        OpKind::Max,
        OpKind::Min,
        OpKind::Mod,
        OpKind::Mul,
        OpKind::Or,
        OpKind::Pow,
        OpKind::Sub,
        OpKind::Where,
        OpKind::Xor,
        OpKind::Expand,
    ];
    const FIDELITY: Fidelity = Fidelity::Exact;
    const MANUAL: &'static str = include_str!("../manual/skip-expand.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let data = cx.graph().op(root);
        let output = data.result(0).ok_or(Miss::NoMatch)?;
        let is_expand = data.op().kind() == OpKind::Expand;
        // Of an Expand the second operand is a shape, which says by itself what comes out.
        let broadcast = if is_expand { &data.operands()[..1] } else { data.operands() };
        for (slot, operand) in broadcast.iter().enumerate() {
            let Some(operand) = operand else { continue };
            let stand_in = if let Ok(expand) = cx.producer::<Expand>(*operand) {
                // The outer shape of two Expands must reach as far as the inner one did.
                let enough = match is_expand {
                    true => told_by_shape(cx, data, output),
                    false => reaches(cx, data, slot, Some(expand.input()), output),
                };
                if !enough {
                    continue;
                }
                StandIn::Value(expand.input())
            } else if let Ok(filled) = cx.producer::<ConstantOfShape>(*operand) {
                let Some(scalar) = fill_of(&filled) else { continue };
                if is_expand || !reaches(cx, data, slot, None, output) {
                    continue;
                }
                StandIn::Number(scalar)
            } else {
                continue;
            };
            let mut patch = Patch::new(cx);
            let stand_in = match stand_in {
                StandIn::Value(value) => Wire::from(value),
                StandIn::Number(scalar) => patch.constant(scalar),
            };
            let operands = data
                .operands()
                .iter()
                .enumerate()
                .map(|(index, value)| if index == slot { Some(stand_in) } else { value.map(Into::into) });
            let result = patch.insert(data.op().clone(), operands);
            patch.redefine(output, result);
            return Ok(patch);
        }
        Err(Miss::NoMatch)
    }
}

/// What is read in place of the repeated elements.
enum StandIn {
    Value(ValueId),
    Number(Tensor),
}

/// Whether the operands, with `value` (or a scalar) in this slot, surely broadcast to the dims of the output.
fn reaches(cx: &Cx<'_>, data: &OpData, slot: usize, value: Option<ValueId>, output: ValueId) -> bool {
    let Some(wanted) = cx.dims(output) else { return false };
    let mut operands = Vec::with_capacity(data.operands().len());
    for (index, operand) in data.operands().iter().enumerate() {
        let Some(operand) = operand else { continue };
        let standing = if index == slot { value } else { Some(*operand) };
        let Some(dims) = standing.map_or(Some([].as_slice()), |value| cx.dims(value)) else { return false };
        operands.push(dims);
    }
    wanted.iter().enumerate().all(|(axis, dim)| {
        let at = |dims: &[Dim]| (axis + dims.len()).checked_sub(wanted.len()).map(|index| dims[index].clone());
        operands.iter().any(|dims| at(dims).map_or_else(|| dim.is(1), |found| found.same(dim)))
    })
}

/// The number that a ConstantOfShape repeats, as a scalar; zero where none is named.
fn fill_of(filled: &ConstantOfShape) -> Option<Tensor> {
    match &filled.value {
        Some(value) => value.reshaped(Vec::new()).ok(),
        None => Some(Tensor::scalar(0.0_f32)),
    }
}

/// Whether the shape operand of an Expand names every dim of its result.
fn told_by_shape(cx: &Cx<'_>, data: &OpData, output: ValueId) -> bool {
    let (Some(dims), Some(shape)) = (cx.dims(output), data.operand(1).and_then(|shape| cx.contents(shape))) else {
        return false;
    };
    let shape = shape.dims();
    shape.len() == dims.len() && shape.iter().zip(dims).all(|(a, b)| a.same(b))
}
