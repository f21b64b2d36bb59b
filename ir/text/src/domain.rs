//! Which names mean typed operators.

use edgesmith_ir::{Op, OpKind};

/// The domain of typed operators that ONNX does not have.
pub(crate) const OWN_DOMAIN: &str = "edgesmith";

/// The typed operator of a name.
pub(crate) fn typed_kind(domain: &str, name: &str) -> Option<OpKind> {
    let kind = OpKind::from_name(name)?;
    (domain == domain_of(kind)).then_some(kind)
}

/// The domain under which a typed operator is printed.
pub(crate) fn domain_of(kind: OpKind) -> &'static str {
    match kind {
        OpKind::LegacySoftmax => OWN_DOMAIN,
        _ => "",
    }
}

/// Domain, name and overload under which an operator is printed.
pub(crate) fn printed_name(op: &Op) -> (&str, &str, &str) {
    match op {
        Op::Custom(op) => (&op.domain, &op.name, &op.overload),
        Op::Call(call) => (&call.function.domain, &call.function.name, &call.function.overload),
        _ => (domain_of(op.kind()), op.kind().name(), ""),
    }
}
