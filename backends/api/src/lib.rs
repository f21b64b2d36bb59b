#![doc = include_str!("../README.md")]

mod artefact;
mod backend;
mod manifest;
#[cfg(feature = "publish")]
mod publish;

pub use artefact::{Artefact, Content, Names, Part, PartName};
pub use backend::{Backend, BackendInfo, BackendSpec, LowerCx, LowerError, Unsupported};
pub use manifest::{Manifest, ManifestFile};
#[cfg(feature = "publish")]
pub use publish::{Existing, PublishError, Published, publish};
