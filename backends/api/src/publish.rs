//! Putting an artefact on the disk, whole or not at all.
//!
//! Every part is written into a temporary file in the target's folder first. Only when all are complete are they renamed,
//! the main file last, so that whoever sees the main file finds everything that it names. A file beside it that already
//! exists under its hashed name has the same contents and is left as it is.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use edgesmith_rewrite::Remark;
use tempfile::NamedTempFile;

use crate::artefact::Measured;
use crate::{Artefact, Manifest, Names};

/// What to do when the main file exists.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Existing {
    /// Refuse.
    #[default]
    Keep,
    /// Replace it.
    Replace,
}

/// What was published.
#[derive(Clone, Debug)]
pub struct Published {
    /// The main file.
    pub main: PathBuf,
    /// The files beside it.
    pub beside: Vec<PathBuf>,
    /// The manifest with the final names.
    pub manifest: Manifest,
    /// What the backend had to say.
    pub remarks: Vec<Remark>,
}

/// Why nothing was published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The main file is there already.
    #[error("{} exists already; choose another name or allow replacing it", .0.display())]
    Exists(PathBuf),
    /// The path names a folder, or no file at all.
    #[error("{} cannot be written to: it is no file name", .0.display())]
    NoFile(PathBuf),
    /// The folder of the main file is not there.
    #[error("the folder {} does not exist; make it or choose another", .0.display())]
    NoFolder(PathBuf),
    /// A file cannot be made or written.
    #[error("{} cannot be written ({source}); nothing was left behind", .path.display())]
    Io {
        /// The file, or the folder where it was to be made.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Writes an artefact to `path` and, where it has more parts, beside it.
pub fn publish(artefact: &Artefact, path: &Path, existing: Existing) -> Result<Published, PublishError> {
    let Some(file_name) = path.file_name() else { return Err(PublishError::NoFile(path.into())) };
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if path.is_dir() {
        return Err(PublishError::NoFile(path.into()));
    }
    if existing == Existing::Keep && path.exists() {
        return Err(PublishError::Exists(path.into()));
    }
    if !folder.is_dir() {
        return Err(PublishError::NoFolder(folder.into()));
    }
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| PublishError::Io { path, source }
    };

    let mut names = Names::default();
    let mut written: Vec<(NamedTempFile, Option<String>)> = Vec::with_capacity(artefact.parts.len());
    for part in &artefact.parts {
        let file = temporary(folder).map_err(failed(folder))?;
        let name = fill(&file, part, &names).map_err(failed(path))?;
        names.push(name.clone().unwrap_or_else(|| file_name.to_string_lossy().into_owned()));
        written.push((file, name));
    }

    let mut manifest = artefact.manifest.clone();
    for (index, entry) in manifest.files.iter_mut().enumerate() {
        names.of(index).clone_into(&mut entry.name);
    }
    let mut placed = Placed::default();
    for (file, name) in written {
        match name {
            Some(name) => placed.beside(file, folder.join(name))?,
            None => place_main(file, path, existing)?,
        }
    }
    let beside = placed.keep();
    Ok(Published { main: path.to_owned(), beside, manifest, remarks: artefact.remarks.clone() })
}

fn temporary(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".edgesmith-").suffix(".part");
    // Temporary files are private by default; a published one is as readable as any other new file.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

fn fill(file: &NamedTempFile, part: &crate::Part, names: &Names) -> io::Result<Option<String>> {
    let mut out = Measured::new(BufWriter::with_capacity(1 << 16, file.as_file()), &part.name);
    part.content.write(names, &mut out)?;
    out.flush()?;
    out.finish(part.bytes).map(|(_, name)| name)
}

/// Files under their final names; those that this run made go again unless [`Placed::keep`] is called.
#[derive(Default)]
struct Placed {
    beside: Vec<PathBuf>,
    made: Vec<PathBuf>,
}

impl Placed {
    fn beside(&mut self, file: NamedTempFile, path: PathBuf) -> Result<(), PublishError> {
        match file.persist_noclobber(&path) {
            Ok(_) => self.made.push(path.clone()),
            // The name holds the hash of the contents: what is there is what was to be written, unless somebody cut it.
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                let length = |path: &Path| fs::metadata(path).map(|data| data.len()).ok();
                if length(&path) != length(error.file.path()) {
                    error
                        .file
                        .persist(&path)
                        .map_err(|error| PublishError::Io { path: path.clone(), source: error.error })?;
                }
            }
            Err(error) => return Err(PublishError::Io { path, source: error.error }),
        }
        self.beside.push(path);
        Ok(())
    }

    fn keep(mut self) -> Vec<PathBuf> {
        self.made.clear();
        std::mem::take(&mut self.beside)
    }
}

/// Gives the main file its name; from then on the artefact is there.
fn place_main(file: NamedTempFile, path: &Path, existing: Existing) -> Result<(), PublishError> {
    let done = match existing {
        Existing::Replace => file.persist(path),
        Existing::Keep => file.persist_noclobber(path),
    };
    done.map(|_| ()).map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => PublishError::Exists(path.into()),
        _ => PublishError::Io { path: path.into(), source: error.error },
    })
}

impl Drop for Placed {
    fn drop(&mut self) {
        for path in &self.made {
            // Nothing more can be done about one that does not go.
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Content, ManifestFile, Part, PartName};

    #[derive(Debug)]
    enum Text {
        Plain(&'static str),
        NameOfFirst,
        Fails,
    }
    impl Content for Text {
        fn write(&self, names: &Names, out: &mut dyn Write) -> io::Result<()> {
            match self {
                Text::Plain(text) => out.write_all(text.as_bytes()),
                Text::NameOfFirst => out.write_all(names.of(0).as_bytes()),
                Text::Fails => {
                    out.write_all(b"ha")?;
                    Err(io::Error::other("no space"))
                }
            }
        }
    }

    fn artefact(data: &'static str, main: Text) -> Artefact {
        let name = PartName::Hashed { stem: "net".into(), extension: "data" };
        let length = name.len() as u64;
        let parts = vec![
            Part { name, role: "weights", bytes: data.len() as u64, content: Box::new(Text::Plain(data)) },
            Part { name: PartName::Main, role: "model", bytes: length, content: Box::new(main) },
        ];
        let manifest = Manifest { files: vec![ManifestFile::default(); 2], ..Manifest::default() };
        Artefact { parts, manifest, remarks: Vec::new() }
    }

    fn listing(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_main_file_names_the_data_by_hash() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("net.onnx");
        let done = publish(&artefact("abc", Text::NameOfFirst), &path, Existing::Keep).unwrap();
        let name = format!("net.{}.data", &blake3::hash(b"abc").to_hex()[..16]);
        assert_eq!(listing(folder.path()), [name.clone(), "net.onnx".into()]);
        assert_eq!(fs::read_to_string(&path).unwrap(), name);
        assert_eq!(done.manifest.files[0].name, name);
        let memory = artefact("abc", Text::NameOfFirst).to_memory("net.onnx").unwrap();
        assert_eq!(memory, [(name.clone(), b"abc".to_vec()), ("net.onnx".into(), name.into_bytes())]);
    }

    #[test]
    fn an_existing_file_is_only_replaced_when_allowed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("net.onnx");
        fs::write(&path, "old").unwrap();
        let refused = publish(&artefact("abc", Text::NameOfFirst), &path, Existing::Keep);
        assert!(matches!(refused, Err(PublishError::Exists(_))));
        assert_eq!(listing(folder.path()), ["net.onnx"]);
        publish(&artefact("abc", Text::NameOfFirst), &path, Existing::Replace).unwrap();
        assert_ne!(fs::read_to_string(&path).unwrap(), "old");
        // The same data again: the file beside is left as it is.
        publish(&artefact("abc", Text::NameOfFirst), &path, Existing::Replace).unwrap();
        assert_eq!(listing(folder.path()).len(), 2);
    }

    #[test]
    fn nothing_is_left_after_a_failure() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("net.onnx");
        let error = publish(&artefact("abc", Text::Fails), &path, Existing::Keep).unwrap_err();
        assert!(error.to_string().contains("no space"), "{error}");
        let wrong_length = publish(&artefact("abc", Text::Plain("x")), &path, Existing::Keep).unwrap_err();
        assert!(wrong_length.to_string().contains("announced"), "{wrong_length}");
        assert_eq!(listing(folder.path()), Vec::<String>::new());
    }

    #[test]
    fn impossible_targets_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let model = artefact("abc", Text::NameOfFirst);
        assert!(matches!(publish(&model, folder.path(), Existing::Replace), Err(PublishError::NoFile(_))));
        let path = folder.path().join("no/net.onnx");
        assert!(matches!(publish(&model, &path, Existing::Keep), Err(PublishError::NoFolder(_))));
    }
}
