//! Softmax and its kin, whose meaning changed with opset 13.

use edgesmith_ir::op::{LegacySoftmax, Op};
use edgesmith_ir::{Attribute, DType, Shape, ValueType};

use super::{Lowering, Outcome, Refusal};
use crate::node::{Node, Text};

impl Lowering<'_, '_> {
    /// The newest form before 13: the same over the last axis only.
    pub(super) fn softmax(&mut self) -> Outcome {
        let axis = match self.node.attribute("axis") {
            Some(Attribute::Int(axis)) => *axis,
            _ => -1,
        };
        let rank = self.rank(self.node.input(0)).map(|rank| rank as i64);
        let last = axis == -1 || rank.is_some_and(|rank| axis == rank - 1);
        if !last {
            return Err(Refusal::until(
                13,
                "it runs over an axis that is not the last one, and before opset 13 it took all axes from there on",
            ));
        }
        // -1 is read everywhere, but the text allows it from 11 on.
        let axis = if self.opset < 11 { rank.map_or(axis, |rank| rank - 1) } else { axis };
        self.node.set("axis", Attribute::Int(axis));
        Ok(())
    }

    /// The form from before 13. Later: flattened, over the last axis, and back into shape.
    pub(super) fn legacy_softmax(&mut self, op: &Op) {
        let Some(LegacySoftmax { kind, axis }) = op.cast::<LegacySoftmax>() else { return };
        self.node.operator = Text::Borrowed(kind.text());
        self.node.unset("kind");
        if self.opset < 13 {
            // The default of that time is the default of the IR's form too.
            self.node.set("axis", Attribute::Int(*axis));
            return;
        }
        let (Some(input), Some(output)) = (self.node.input(0), self.node.output(0)) else { return };
        let dtype = self.slots.ty(input).dtype();
        let flat = dtype.map_or(ValueType::Unknown, |dtype| ValueType::tensor(dtype, Shape::of_rank(2)));
        let base = self.base();
        let flattened = self.slots.add_value(format!("{base}_flat"), flat.clone());
        let normalised = self.slots.add_value(format!("{base}_rows"), flat);
        let shape_type = ValueType::tensor(DType::I64, Shape::of_rank(1));
        let shape = self.slots.add_value(format!("{base}_shape"), shape_type);
        let mut flatten = Node::of("Flatten", &[input], flattened);
        if *axis != 1 {
            flatten.set("axis", Attribute::Int(*axis));
        }
        self.before.push(flatten);
        self.before.push(Node::of("Shape", &[input], shape));
        self.after.push(Node::of("Reshape", &[normalised, shape], output));
        self.node.unset("axis");
        self.node.inputs = smallvec::smallvec![Some(flattened)];
        self.node.outputs = smallvec::smallvec![Some(normalised)];
    }
}
