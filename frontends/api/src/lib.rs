#![doc = include_str!("../README.md")]

mod diagnostic;
mod external;
mod format;

#[cfg(feature = "files")]
mod files;
#[cfg(feature = "files")]
mod map;
#[cfg(feature = "files")]
mod source;

pub use diagnostic::{Diagnostic, Diagnostics, Severity, Subject, shown};
pub use external::{ExternalData, ExternalError, NoExternalData};
pub use format::Format;

#[cfg(feature = "files")]
pub use files::ExternalFiles;
#[cfg(feature = "files")]
pub use source::{Source, SourceError};
