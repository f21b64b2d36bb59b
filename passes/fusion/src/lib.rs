//! Exact fusions of operators.
