//! What every file must be like.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, reason = "a test")]

use std::path::Path;

use edgesmith_test_tidy::{root, rust_files};

/// No file is longer.
const LONGEST: usize = 800;

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

#[test]
fn every_module_says_what_it_is() {
    let silent: Vec<String> = rust_files()
        .iter()
        .filter(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            !text.lines().take(4).any(|line| line.starts_with("//!") || line.starts_with("#![doc"))
        })
        .map(|path| shown(path))
        .collect();
    assert!(silent.is_empty(), "these files do not open with //!:\n{}", silent.join("\n"));
}

#[test]
fn no_file_is_too_long() {
    let long: Vec<String> = rust_files()
        .iter()
        .map(|path| (std::fs::read_to_string(path).unwrap().lines().count(), path))
        .filter(|(lines, _)| *lines > LONGEST)
        .map(|(lines, path)| format!("{} has {lines} lines", shown(path)))
        .collect();
    assert!(long.is_empty(), "split these files:\n{}", long.join("\n"));
}

#[test]
fn nothing_is_left_undone() {
    // Put together here so that this file does not find itself.
    let marks =
        [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("#[ign", "ore"), concat!("#[should_", "panic")];
    let mut found = Vec::new();
    for path in rust_files() {
        for (number, line) in std::fs::read_to_string(&path).unwrap().lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark)) {
                found.push(format!("{}:{}: {}", shown(&path), number + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "stubs and skipped tests:\n{}", found.join("\n"));
}

#[test]
fn every_crate_has_a_readme() {
    let missing: Vec<String> = rust_files()
        .iter()
        .filter(|path| path.ends_with("src/lib.rs"))
        .filter_map(|path| path.parent()?.parent())
        .filter(|folder| !folder.join("README.md").exists())
        .map(shown)
        .collect();
    assert!(missing.is_empty(), "these crates have no README.md:\n{}", missing.join("\n"));
}
