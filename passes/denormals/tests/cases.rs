//! The pages of the manual, as tests.

fn main() {
    edgesmith_test_kit::cases(env!("CARGO_MANIFEST_DIR"), "manual", edgesmith_pass_denormals::register)
}
