//! What is known of all elements of a value, however many the run makes of them.

use edgesmith_ir::op::ConstantOfShape;
use edgesmith_ir::{Op, Tensor, ValueId};
use edgesmith_rewrite::Cx;

/// So many operators are followed back at most.
const FAR: usize = 64;

/// Whether `holds` of every element of a value: of the numbers of constants, through operators that move, repeat or join them.
pub(crate) fn every_element(cx: &Cx<'_>, value: ValueId, holds: fn(f64) -> bool) -> bool {
    let all = |tensor: &Tensor| tensor.to_f64().is_some_and(|elements| elements.into_iter().all(holds));
    let (mut open, mut left) = (vec![value], FAR);
    while let Some(value) = open.pop() {
        if let Some(tensor) = cx.constant(value) {
            if all(tensor) {
                continue;
            }
            return false;
        }
        let Some(producer) = cx.graph().producer(value).filter(|_| left > 0) else { return false };
        left -= 1;
        cx.look_at(producer);
        let data = cx.graph().op(producer);
        match data.op() {
            Op::ConstantOfShape(ConstantOfShape { value: None }) if holds(0.0) => {}
            Op::ConstantOfShape(ConstantOfShape { value: Some(fill) }) if all(fill) => {}
            Op::Concat(_) => open.extend(data.operands().iter().flatten()),
            Op::Expand(_)
            | Op::Flatten(_)
            | Op::Gather(_)
            | Op::Identity(_)
            | Op::Reshape(_)
            | Op::Slice(_)
            | Op::Split(_)
            | Op::Squeeze(_)
            | Op::Tile(_)
            | Op::Transpose(_)
            | Op::Unsqueeze(_) => open.extend(data.operand(0)),
            _ => return false,
        }
    }
    true
}
