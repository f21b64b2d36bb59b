//! The edgesmith binary.
fn main() {}
