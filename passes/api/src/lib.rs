//! Passes, registry, pipelines in TOML, the manager and its report.
