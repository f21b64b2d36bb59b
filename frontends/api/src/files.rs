//! External data from the folder of a model, and from nowhere else.
//!
//! A model file is untrusted, and so is what it says about where its weights lie. A location is accepted when every part
//! of it is a plain name (`a/../b` stays inside and is taken as `b`), no part is a symbolic link, and the file is a regular
//! one with a single hard link: anything else could be a file that the user never meant to hand over.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use crate::external::{ExternalData, ExternalError};
use crate::map::map;

/// The folder of a model, from which external data are mapped, every file once.
#[derive(Debug)]
pub struct ExternalFiles {
    folder: PathBuf,
    mapped: Mutex<BTreeMap<PathBuf, Bytes>>,
}

impl ExternalFiles {
    /// The files of this folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), mapped: Mutex::default() }
    }
    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl ExternalData for ExternalFiles {
    fn file(&self, location: &str) -> Result<Bytes, ExternalError> {
        let relative = inside(location)?;
        let mut mapped = self.mapped.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = mapped.get(&relative) {
            return Ok(bytes.clone());
        }
        let bytes = open(&self.folder, &relative)?;
        mapped.insert(relative, bytes.clone());
        Ok(bytes)
    }
}

/// The location as a path of plain names below the folder.
fn inside(location: &str) -> Result<PathBuf, ExternalError> {
    if location.is_empty() {
        return Err(ExternalError::Empty);
    }
    if location.contains('\0') {
        return Err(ExternalError::Path);
    }
    // Absolute on any system, not only on this one: `/x`, `\x`, `C:\x`.
    let drive = location.as_bytes().get(1) == Some(&b':') && location.as_bytes()[0].is_ascii_alphabetic();
    if location.starts_with(['/', '\\']) || drive {
        return Err(ExternalError::Absolute);
    }
    let mut relative = PathBuf::new();
    for part in Path::new(location).components() {
        match part {
            Component::Normal(name) => relative.push(name),
            Component::CurDir => {}
            Component::ParentDir if relative.pop() => {}
            Component::ParentDir => return Err(ExternalError::Escapes),
            Component::RootDir | Component::Prefix(_) => return Err(ExternalError::Absolute),
        }
    }
    if relative.as_os_str().is_empty() { Err(ExternalError::Escapes) } else { Ok(relative) }
}

fn open(folder: &Path, relative: &Path) -> Result<Bytes, ExternalError> {
    let name = || relative.display().to_string();
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => ExternalError::Missing(name()),
        _ => ExternalError::Io { path: name(), error },
    };
    let mut path = if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_path_buf() };
    let mut seen = None;
    for part in relative {
        path.push(part);
        let metadata = fs::symlink_metadata(&path).map_err(failed)?;
        if metadata.file_type().is_symlink() {
            return Err(ExternalError::SymbolicLink(name()));
        }
        seen = Some(metadata);
    }
    // Looked at before it is opened, because opening a pipe would wait for its other end.
    let Some(seen) = seen.filter(fs::Metadata::is_file) else { return Err(ExternalError::NotAFile(name())) };
    let file = File::open(&path).map_err(failed)?;
    let opened = file.metadata().map_err(failed)?;
    check_links(&seen, &opened, name)?;
    map(&file).map_err(failed)
}

/// That the opened file is the one that was looked at, and has no other name.
#[cfg(unix)]
fn check_links(seen: &fs::Metadata, opened: &fs::Metadata, name: impl Fn() -> String) -> Result<(), ExternalError> {
    use std::os::unix::fs::MetadataExt;
    if (seen.dev(), seen.ino()) != (opened.dev(), opened.ino()) || !opened.is_file() {
        return Err(ExternalError::SymbolicLink(name()));
    }
    if opened.nlink() > 1 {
        return Err(ExternalError::HardLink(name()));
    }
    Ok(())
}

/// Where the number of links is not to be had, the file type decides.
#[cfg(not(unix))]
fn check_links(_: &fs::Metadata, opened: &fs::Metadata, name: impl Fn() -> String) -> Result<(), ExternalError> {
    if opened.is_file() { Ok(()) } else { Err(ExternalError::NotAFile(name())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("model/sub")).unwrap();
        fs::write(folder.path().join("model/w.bin"), b"weights").unwrap();
        fs::write(folder.path().join("model/sub/v.bin"), b"more").unwrap();
        fs::write(folder.path().join("secret"), b"secret").unwrap();
        folder
    }

    fn ask(folder: &Path, location: &str) -> Result<Bytes, String> {
        ExternalFiles::new(folder.join("model")).file(location).map_err(|error| error.to_string())
    }

    #[test]
    fn files_of_the_folder_are_mapped_once() {
        let folder = folder();
        let files = ExternalFiles::new(folder.path().join("model"));
        let (first, second) = (files.file("w.bin").unwrap(), files.file("./w.bin").unwrap());
        assert_eq!(&*first, b"weights");
        assert_eq!(first.as_ptr(), second.as_ptr());
        assert_eq!(&*files.file("sub/v.bin").unwrap(), b"more");
        assert_eq!(&*files.file("sub/../w.bin").unwrap(), b"weights");
    }

    #[test]
    fn nothing_outside_the_folder_is_read() {
        let folder = folder();
        let outside = folder.path().join("secret");
        for location in ["../secret", "sub/../../secret", "..", ".", "sub/../..", ""] {
            let error = ask(folder.path(), location).unwrap_err();
            assert!(error.contains("out of the folder") || error.contains("empty"), "{location}: {error}");
        }
        for location in [outside.to_str().unwrap(), "/etc/passwd", "\\\\host\\share", "C:\\w.bin", "c:w.bin"] {
            let error = ask(folder.path(), location).unwrap_err();
            assert!(error.contains("absolute"), "{location}: {error}");
        }
        assert!(ask(folder.path(), "w.bin\0").unwrap_err().contains("no path"));
        assert!(ask(folder.path(), "x.bin").unwrap_err().contains("no file 'x.bin'"));
        assert!(ask(folder.path(), "sub").unwrap_err().contains("not a regular file"));
    }

    #[cfg(unix)]
    #[test]
    fn links_are_refused() {
        use std::os::unix::fs::symlink;
        let folder = folder();
        let model = folder.path().join("model");
        symlink("../secret", model.join("soft")).unwrap();
        symlink("w.bin", model.join("near")).unwrap();
        symlink("..", model.join("up")).unwrap();
        fs::hard_link(folder.path().join("secret"), model.join("hard")).unwrap();
        for location in ["soft", "near", "up/secret"] {
            assert!(ask(folder.path(), location).unwrap_err().contains("symbolic link"), "{location}");
        }
        assert!(ask(folder.path(), "hard").unwrap_err().contains("hard links"));
    }
}
