//! Links GCC's unwinder into the binary, so that it needs nothing but the C library.
//!
//! On Linux with the GNU C library Rust's standard library asks the linker for `libgcc_s`, a shared library. The same code is in
//! the archive `libgcc_eh`, which every GCC brings. A linker script of that name, found before the shared library, sends the
//! linker there. Where the archive is missing nothing changes.

#![allow(clippy::print_stdout, reason = "it speaks to cargo")]

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = |key: &str| std::env::var(format!("CARGO_CFG_TARGET_{key}")).unwrap_or_default();
    let native = std::env::var("HOST") == std::env::var("TARGET");
    if target("OS") != "linux" || target("ENV") != "gnu" || !native || !has_archive() {
        return;
    }
    let Some(folder) = std::env::var_os("OUT_DIR") else { return };
    if std::fs::write(Path::new(&folder).join("libgcc_s.so"), "INPUT ( -lgcc_eh -lgcc )\n").is_ok() {
        println!("cargo::rustc-link-search=native={}", folder.display());
    }
}

/// Whether the compiler that links knows the archive: it answers with a path, else with the bare name.
fn has_archive() -> bool {
    let answer = Command::new("cc").arg("-print-file-name=libgcc_eh.a").output();
    answer.is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_absolute())
}
