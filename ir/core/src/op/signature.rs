//! The shape of an operator: its formal operands, results and regions.

/// How often a formal occurs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arity {
    /// Exactly once.
    One,
    /// Once or not at all.
    Maybe,
    /// Any number of times; always the last formal.
    Many,
}

/// One formal operand or result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Formal {
    /// The name, in this crate's words.
    pub name: &'static str,
    /// How often it occurs.
    pub arity: Arity,
}

/// Formal operands, results and regions of an operator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signature {
    /// Operands in order.
    pub operands: &'static [Formal],
    /// Results in order.
    pub results: &'static [Formal],
    /// ONNX names of the subgraph attributes, in the order of the regions.
    pub regions: &'static [&'static str],
}

impl Signature {
    /// Takes and gives anything.
    pub const ANY: Signature = Signature {
        operands: &[Formal { name: "inputs", arity: Arity::Many }],
        results: &[Formal { name: "outputs", arity: Arity::Many }],
        regions: &[],
    };

    /// Whether the last operand is variadic.
    pub fn is_variadic(&self) -> bool {
        self.operands.last().is_some_and(|formal| formal.arity == Arity::Many)
    }
}
