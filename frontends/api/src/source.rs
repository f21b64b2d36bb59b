//! Model files: opened read-only and mapped.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::files::ExternalFiles;
use crate::format::Format;
use crate::map::map;

/// A model file. Its bytes stay mapped as long as anything holds a slice of them.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    bytes: Bytes,
    external: ExternalFiles,
}

/// Why a source cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// There is no such file.
    #[error("there is no file '{}'", .0.display())]
    Missing(PathBuf),
    /// A folder that is no model.
    #[error("'{}' is a folder; give the model file in it", .0.display())]
    Folder(PathBuf),
    /// A folder that some other tool calls a model.
    #[error("'{}' is {found}, which cannot be read; {}", .path.display(), .found.remedy())]
    FolderFormat {
        /// The folder.
        path: PathBuf,
        /// What it is.
        found: Format,
    },
    /// Neither a file nor a folder.
    #[error("'{}' is not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// Nothing in it.
    #[error("'{}' is empty; it may not have been downloaded or written to its end", .0.display())]
    Empty(PathBuf),
    /// The operating system refused.
    #[error("'{}' cannot be read: {error}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
}

impl SourceError {
    /// A stable code for the kind of error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) => "edgesmith::source::missing",
            Self::Folder(_) | Self::FolderFormat { .. } => "edgesmith::source::folder",
            Self::NotAFile(_) => "edgesmith::source::not-a-file",
            Self::Empty(_) => "edgesmith::source::empty",
            Self::Io { .. } => "edgesmith::source::io",
        }
    }
}

impl Source {
    /// Opens and maps a file. What is in it is the frontend's business; [`Format::detect`] tells what it looks like.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, SourceError> {
        let path = path.into();
        let io = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => SourceError::Missing(path.clone()),
            _ => SourceError::Io { path: path.clone(), error },
        };
        // Looked at before it is opened, because opening a pipe would wait for its other end.
        let metadata = fs::metadata(&path).map_err(io)?;
        if metadata.is_dir() {
            return Err(match Format::detect_folder(&path) {
                Some(found) => SourceError::FolderFormat { path, found },
                None => SourceError::Folder(path),
            });
        }
        if !metadata.is_file() {
            return Err(SourceError::NotAFile(path));
        }
        let bytes = map(&File::open(&path).map_err(io)?).map_err(io)?;
        if bytes.is_empty() {
            return Err(SourceError::Empty(path));
        }
        let external = ExternalFiles::new(path.parent().unwrap_or_else(|| Path::new(".")));
        Ok(Self { path, bytes, external })
    }
    /// The path as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }
    /// The content, mapped; cloning and slicing share the map.
    pub fn bytes(&self) -> Bytes {
        self.bytes.clone()
    }
    /// The files beside it.
    pub fn external(&self) -> &ExternalFiles {
        &self.external
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_mapped_and_shared() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.onnx");
        fs::write(&path, b"0123456789").unwrap();
        let source = Source::open(&path).unwrap();
        assert_eq!(&*source.bytes(), b"0123456789");
        assert_eq!(source.bytes().slice(3..).as_ptr(), source.bytes()[3..].as_ptr());
        assert_eq!(source.external().folder(), folder.path());
        let kept = source.bytes().slice(4..6);
        drop(source);
        assert_eq!(&*kept, b"45");
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let message = |path: &Path| Source::open(path).unwrap_err().to_string();
        assert!(message(&folder.path().join("none")).contains("there is no file"));
        assert!(message(folder.path()).contains("is a folder"));
        let empty = folder.path().join("empty.onnx");
        fs::write(&empty, b"").unwrap();
        assert!(message(&empty).contains("is empty"));
        let package = folder.path().join("m.mlpackage");
        fs::create_dir(&package).unwrap();
        fs::write(package.join("Manifest.json"), b"{}").unwrap();
        assert!(message(&package).contains("Core ML"), "{}", message(&package));
    }

    #[cfg(unix)]
    #[test]
    fn a_device_is_refused_without_waiting() {
        assert!(Source::open("/dev/null").unwrap_err().to_string().contains("not a regular file"));
    }
}
