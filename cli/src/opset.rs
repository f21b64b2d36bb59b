//! The opset that a model is optimised for, where the user asks for one.

use edgesmith_ir::{Model, Op};

/// An operator whose windows opset 22 was the first to describe in full: what it means depends on the opset of its source.
const WINDOWS: i64 = 22;

/// Lets rules count on this version of ai.onnx. A model that holds operators or functions as its file has them is tied to the
/// file's version, and stays; writing it converts what it can, or says why it cannot.
pub(crate) fn aim_at(model: &mut Model, opset: i64) {
    let own = model.opset("").unwrap_or(opset);
    let carried = model.live_graphs().into_iter().any(|graph| {
        let mut ops = model.graph(graph).ops();
        ops.any(|(_, data)| matches!(data.op(), Op::Custom(custom) if custom.domain.is_empty()))
    });
    let as_in_the_file = model.functions.values().any(|function| !function.typed);
    if !carried && !as_in_the_file && (own < WINDOWS || opset >= WINDOWS) {
        model.opsets.insert("".into(), opset);
    }
}
