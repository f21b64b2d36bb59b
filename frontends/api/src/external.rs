//! Weights outside the model file, as a frontend asks for them.

use bytes::Bytes;

/// Answers where a model's external data lie.
pub trait ExternalData {
    /// The content of the file at `location`, a path relative to the folder of the model with `/` between its parts.
    /// Implementations let nothing outside that folder be read, and read or map a file once however often it is asked for.
    fn file(&self, location: &str) -> Result<Bytes, ExternalError>;
}

/// Why external data cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExternalError {
    /// The location is empty.
    #[error("the location is empty; it must name a file beside the model")]
    Empty,
    /// The location is an absolute path.
    #[error("the location is an absolute path; it must lie in the folder of the model")]
    Absolute,
    /// The location leads out of the folder of the model.
    #[error("the location leads out of the folder of the model")]
    Escapes,
    /// The location cannot be a path here.
    #[error("the location is no path of this system")]
    Path,
    /// There is no such file.
    #[error("there is no file '{0}'; put it beside the model")]
    Missing(String),
    /// A part of the path is a symbolic link.
    #[error("'{0}' is a symbolic link, which could lead anywhere; replace it by the file itself")]
    SymbolicLink(String),
    /// The file has further hard links.
    #[error("'{0}' has several hard links, so it may be some other file; replace it by a copy")]
    HardLink(String),
    /// Not a regular file.
    #[error("'{0}' is not a regular file")]
    NotAFile(String),
    /// The operating system refused.
    #[error("'{path}' cannot be read: {error}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// External data were not expected.
    #[error("the model came without a folder, so its external data cannot be read; open it by its path")]
    Unavailable,
}

/// Has no files: for models that came as bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoExternalData;

impl ExternalData for NoExternalData {
    fn file(&self, _: &str) -> Result<Bytes, ExternalError> {
        Err(ExternalError::Unavailable)
    }
}
