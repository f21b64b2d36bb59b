//! Types in the text.

use edgesmith_ir::{Dim, Shape, ValueType};

use super::writer::{Writer, is_identifier, is_path};

/// Whether ONNX's syntax has the type.
pub(super) fn is_sayable(ty: &ValueType) -> bool {
    match ty {
        ValueType::Tensor(_) | ValueType::SparseTensor(_) => true,
        ValueType::Sequence(inner) | ValueType::Optional(inner) | ValueType::Map(_, inner) => is_sayable(inner),
        ValueType::Opaque(domain, name) if domain.is_empty() => name.is_empty() || is_path(name),
        ValueType::Opaque(domain, name) => is_path(domain) && is_identifier(name),
        _ => false,
    }
}

impl Writer {
    pub(super) fn ty(&mut self, ty: &ValueType) {
        match ty {
            ValueType::Tensor(tensor) => {
                self.push(tensor.dtype.text());
                self.shape(&tensor.shape);
            }
            ValueType::SparseTensor(tensor) => {
                self.push("sparse_tensor(");
                self.push(tensor.dtype.text());
                self.shape(&tensor.shape);
                self.push(")");
            }
            ValueType::Sequence(inner) => self.wrapped("seq(", inner),
            ValueType::Optional(inner) => self.wrapped("optional(", inner),
            ValueType::Map(key, inner) => {
                self.push("map(");
                self.push(key.text());
                self.wrapped(", ", inner);
            }
            ValueType::Opaque(domain, name) => {
                self.push("opaque(");
                if is_sayable(ty) {
                    if !domain.is_empty() {
                        self.push(domain);
                        self.push(", ");
                    }
                    self.push(name);
                } else {
                    self.string(domain.as_bytes());
                    self.push(", ");
                    self.string(name.as_bytes());
                }
                self.push(")");
            }
            _ => self.push("?"),
        }
    }

    fn wrapped(&mut self, open: &str, inner: &ValueType) {
        self.push(open);
        self.ty(inner);
        self.push(")");
    }

    /// Nothing for a scalar, `[]` for an unknown rank.
    fn shape(&mut self, shape: &Shape) {
        let Shape::Ranked(dims) = shape else {
            self.push("[]");
            return;
        };
        if dims.is_empty() {
            return;
        }
        self.push("[");
        for (index, dim) in dims.iter().enumerate() {
            if index > 0 {
                self.push(",");
            }
            match (dim, dim.to_param()) {
                (_, Some(param)) if is_identifier(&param) => self.push(&param),
                (_, Some(param)) => self.string(param.as_bytes()),
                (dim, None) => self.push(&dim.to_string()),
            }
        }
        self.push("]");
    }

    /// A dim by itself: a number or a string.
    pub(super) fn dim(&mut self, dim: &Dim) {
        match dim {
            Dim::Known(n) => self.push(&n.to_string()),
            dim => self.string(dim.to_string().as_bytes()),
        }
    }
}
