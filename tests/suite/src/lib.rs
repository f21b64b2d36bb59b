//! Cross-crate tests on real models.

pub mod node_tests;
