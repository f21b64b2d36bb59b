//! The `edgesmith` binary: the built-in passes and nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    edgesmith::main_with(|_| {})
}
