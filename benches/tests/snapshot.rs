//! The figures of every technique on every shipped model are those of the committed snapshot.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use edgesmith_benches::{compile, differences, model_paths, snapshot};

#[test]
fn the_figures_are_the_committed_ones() {
    let paths = model_paths().unwrap();
    assert_eq!(paths.len(), 6, "{paths:?}");
    let rows: Vec<_> = paths.iter().flat_map(|path| compile(path).unwrap()).map(|compiled| compiled.row).collect();
    let found = snapshot(&rows);
    let place = concat!(env!("CARGO_MANIFEST_DIR"), "/metrics.snap");
    if std::env::var_os("EDGESMITH_BLESS").is_some() {
        std::fs::write(place, &found).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(place).unwrap_or_default();
    let differences = differences(&committed, &found);
    assert!(
        differences.is_empty(),
        "the figures changed; EDGESMITH_BLESS=1 writes them into benches/metrics.snap for review:\n{}",
        differences.join("\n")
    );
}
