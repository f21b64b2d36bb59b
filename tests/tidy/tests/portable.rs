//! The crates that are to be built for the web use no files, threads, clocks, sockets or processes of their own.
//!
//! CONTRIBUTING.md says how to build them for `wasm32-unknown-unknown`; that target compiles calls into these modules too,
//! and they then fail when they run, so the sources are read here.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, reason = "a test")]

use edgesmith_test_tidy::{root, rust_files};

/// The folders whose libraries are kept free.
const PORTABLE: &[&str] = &["ir/", "passes/", "frontends/onnx/", "backends/onnx/"];

/// Parts of them that are something else: a file, and why.
const EXCEPT: &[(&str, &str)] =
    &[("passes/template/src/main.rs", "the binary of a pass author's crate; it hands an exit code to its process")];

/// Modules of the standard library that ask the system for something.
const FORBIDDEN: &[&str] = &["fs", "thread", "time", "net", "process", "env", "os"];

/// Every first component behind `std::` on a line of code, groups in braces included.
fn std_modules(code: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("std::") {
        // Not the tail of another name, as in `my_std::`.
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let behind = &code[at + "std::".len()..];
        let word = |text: &str| text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
        match behind.strip_prefix('{') {
            None => found.push(&behind[..word(behind)]),
            Some(group) => {
                let (mut depth, mut start) = (0, true);
                for (index, c) in group.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => start = true,
                        c if start && !c.is_whitespace() => {
                            found.push(&group[index..index + word(&group[index..])]);
                            start = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    found
}

/// The code of a file without comments and without the unit tests at its end, statements on one line each.
fn code_of(text: &str) -> String {
    let library = text.split("#[cfg(test)]").next().unwrap_or(text);
    let lines = library.lines().map(|line| line.split("//").next().unwrap_or(line));
    lines.collect::<Vec<_>>().join(" ")
}

#[test]
fn groups_and_paths_are_seen() {
    assert_eq!(std_modules("use std::fs::File; let x = std::time::Instant::now();"), ["fs", "time"]);
    assert_eq!(std_modules("use std::{fmt, collections::{BTreeMap, env}, thread};"), ["fmt", "collections", "thread"]);
    assert_eq!(std_modules("use my_std::fs; ::std::net::TcpStream"), ["net"]);
    assert_eq!(code_of("use std::{ // files\n  fs,\n};\n#[cfg(test)]\nmod t { std::env }"), "use std::{    fs, };");
}

#[test]
fn portable_crates_ask_the_system_for_nothing() {
    let (mut found, mut used, mut read) = (Vec::new(), Vec::new(), 0);
    for path in rust_files() {
        let name = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
        if !PORTABLE.iter().any(|folder| name.starts_with(folder)) || !name.contains("/src/") {
            continue;
        }
        read += 1;
        let code = code_of(&std::fs::read_to_string(&path).unwrap());
        let bad: Vec<&str> = std_modules(&code).into_iter().filter(|module| FORBIDDEN.contains(module)).collect();
        match EXCEPT.iter().find(|(file, _)| *file == name) {
            Some((file, _)) if !bad.is_empty() => used.push(*file),
            Some(_) => {}
            None => found.extend(bad.into_iter().map(|module| format!("{name} uses std::{module}"))),
        }
    }
    assert!(read > 100, "only {read} files were read");
    assert!(found.is_empty(), "files, threads or clocks where there must be none:\n{}", found.join("\n"));
    let idle: Vec<_> = EXCEPT.iter().filter(|(file, _)| !used.contains(file)).collect();
    assert!(idle.is_empty(), "exceptions that nothing needs any more: {idle:?}");
}
