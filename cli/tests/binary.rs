//! The form in which the binary is handed out.

#![allow(clippy::unwrap_used, reason = "a test")]
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use std::process::Command;

/// Parts of the C library, and what the kernel and the loader bring themselves.
const C_LIBRARY: &[&str] = &["linux-vdso", "ld-linux", "libc.", "libm.", "libdl.", "librt.", "libpthread."];

#[test]
fn it_needs_nothing_but_the_c_library() {
    let output = Command::new("ldd").arg(env!("CARGO_BIN_EXE_edgesmith")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let names = text.lines().filter_map(|line| line.split_whitespace().next()?.rsplit('/').next());
    let names: Vec<&str> = names.collect();
    assert!(names.iter().any(|name| name.starts_with("libc.")), "{text}");
    let others: Vec<&&str> = names.iter().filter(|name| !C_LIBRARY.iter().any(|part| name.starts_with(part))).collect();
    assert!(others.is_empty(), "it needs {others:?}");
}
