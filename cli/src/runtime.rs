//! Which ONNX Runtime a file needs. Measured on the CPU wheels: the IR version and the operator set each have a floor, and
//! a few operators came to the CPU later than their operator set.

use edgesmith_ir::{Model, OpKind};

/// (greatest IR version, greatest ai.onnx opset, release), oldest first.
const CEILINGS: &[(i64, i64, &str)] = &[
    (9, 19, "1.16"),
    (9, 20, "1.17"),
    (10, 21, "1.18"),
    (10, 22, "1.21"),
    (11, 23, "1.23"),
    (13, 25, "1.24"),
    (13, 26, "1.25"),
];

/// (operator, from which opset on, release): kernels that came later than the row of the opset says.
const LATE_KERNELS: &[(OpKind, i64, &str)] = &[
    (OpKind::Gelu, 20, "1.17"),
    (OpKind::GroupNormalization, 21, "1.18"),
    (OpKind::Conv, 22, "1.21"),
    (OpKind::Dropout, 22, "1.21"),
    (OpKind::GridSample, 22, "1.21"),
    (OpKind::Attention, 23, "1.23"),
    (OpKind::RMSNormalization, 23, "1.23"),
    (OpKind::Attention, 24, "1.24"),
    (OpKind::Swish, 24, "1.24"),
];

/// The oldest release that loads the file, as far as is known; `None` when no known release does.
pub(crate) fn oldest_onnx_runtime(model: &Model) -> Option<&'static str> {
    let opset = model.opset("").unwrap_or(0);
    let ir = model.metadata.ir_version;
    let row = CEILINGS.iter().position(|(max_ir, max_opset, _)| ir <= *max_ir && opset <= *max_opset)?;
    let mut release = CEILINGS[row].2;
    for graph in model.live_graphs() {
        for (_, data) in model.graph(graph).ops() {
            for (kind, from, late) in LATE_KERNELS {
                if data.op().kind() == *kind && opset >= *from && minor(late) > minor(release) {
                    release = late;
                }
            }
        }
    }
    Some(release)
}

fn minor(release: &str) -> u32 {
    release.split('.').nth(1).and_then(|minor| minor.parse().ok()).unwrap_or(0)
}
