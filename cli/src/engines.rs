//! The engines that this binary has.

use edgesmith_exec::{Engine, ReferenceEngine};

use crate::Failure;

/// The engine of that name.
pub fn engine(name: &str) -> Result<Box<dyn Engine>, Failure> {
    match name {
        "reference" => Ok(Box::new(ReferenceEngine::default())),
        #[cfg(feature = "tract")]
        "tract" => Ok(Box::new(edgesmith_backend_tract::TractEngine::default())),
        #[cfg(not(feature = "tract"))]
        "tract" => Err(Failure::usage("this binary was built without tract")
            .with_help("use --engine reference, or build with the feature 'tract'")),
        other => {
            Err(Failure::usage(format!("there is no engine '{other}'")).with_help("the engines are: tract, reference"))
        }
    }
}

/// The engine for runs where none is asked for: the fastest there is.
pub fn default_engine_name() -> &'static str {
    if cfg!(feature = "tract") { "tract" } else { "reference" }
}
