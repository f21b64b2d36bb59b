//! Benchmarks and the metrics snapshot.
