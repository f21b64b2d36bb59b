//! Test kit for pass authors: Markdown cases and the numerical harness.
