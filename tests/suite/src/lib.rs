//! Cross-crate tests on real models.
