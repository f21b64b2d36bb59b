//! Dependencies point down only.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, reason = "a test")]

use std::collections::BTreeMap;

use cargo_metadata::{DependencyKind, MetadataCommand};

/// What each layer may depend on, by folder. `*` stands for every crate of the layer.
const ARROWS: &[(&str, &[&str])] = &[
    ("ir/core", &[]),
    ("ir/onnx-proto", &[]),
    ("ir/text", &["ir/core"]),
    ("ir/exec", &["ir/core"]),
    ("ir/rewrite", &["ir/core", "ir/exec", "ir/text"]),
    ("passes/api", &["ir/*"]),
    // What an outside crate is: the pass, and a binary over the facade.
    ("passes/template", &["ir/*", "passes/api", "cli"]),
    ("passes/*", &["ir/*", "passes/api"]),
    ("frontends/api", &["ir/*"]),
    ("frontends/*", &["ir/*", "frontends/api"]),
    ("backends/api", &["ir/*"]),
    ("backends/*", &["ir/*", "backends/api"]),
    ("cli", &["*"]),
    ("tests/kit", &["ir/*", "passes/api", "frontends/api", "frontends/onnx", "backends/api", "backends/onnx"]),
    ("tests/*", &["*"]),
    ("benches", &["*"]),
];

fn matches(pattern: &str, folder: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => folder.starts_with(prefix),
        None => pattern == folder,
    }
}

#[test]
fn dependencies_point_down() {
    let metadata = MetadataCommand::new()
        .manifest_path(edgesmith_test_tidy::root().join("Cargo.toml"))
        .no_deps()
        .other_options(["--offline".to_owned()])
        .exec()
        .unwrap();
    let root = metadata.workspace_root.clone();
    let folder_of: BTreeMap<String, String> = metadata
        .packages
        .iter()
        .map(|package| {
            let folder = package.manifest_path.parent().unwrap().strip_prefix(&root).unwrap();
            (package.name.to_string(), folder.to_string())
        })
        .collect();
    let mut wrong = Vec::new();
    for package in &metadata.packages {
        let from = &folder_of[package.name.as_str()];
        let Some((_, allowed)) = ARROWS.iter().find(|(pattern, _)| matches(pattern, from)) else {
            wrong.push(format!("{from} is in no layer"));
            continue;
        };
        for dependency in
            package.dependencies.iter().filter(|dependency| dependency.kind != DependencyKind::Development)
        {
            let Some(to) = folder_of.get(dependency.name.as_str()) else { continue };
            if !allowed.iter().any(|pattern| matches(pattern, to)) {
                wrong.push(format!("{from} depends on {to}"));
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that point up or sideways:\n{}", wrong.join("\n"));
}
