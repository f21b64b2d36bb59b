//! All commands of edgesmith, with one more pass.

fn main() -> std::process::ExitCode {
    edgesmith::main_with(edgesmith_pass_template::register)
}
