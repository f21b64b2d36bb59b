//! Pipelines that ship inside the binary.

use edgesmith_pass::Registry;

/// The presets by name.
pub(crate) const PRESETS: &[(&str, &str)] =
    &[("none", include_str!("../presets/none.toml")), ("lossless", include_str!("../presets/lossless.toml"))];

/// A registry of everything built in.
pub fn built_in() -> Registry {
    let mut registry = Registry::new();
    edgesmith_pass_canonicalization::register(&mut registry);
    edgesmith_pass_denormals::register(&mut registry);
    edgesmith_pass_fusion::register(&mut registry);
    edgesmith_pass_sparsity::register(&mut registry);
    for (name, text) in PRESETS {
        registry.preset(name, text);
    }
    registry
}
