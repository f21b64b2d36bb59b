//! What lowering gives: files that write themselves.

use std::io::{self, Write};

use edgesmith_rewrite::Remark;

use crate::Manifest;

/// What a backend made of a model: the parts in the order in which they must be written, the main one last.
#[derive(Debug)]
pub struct Artefact {
    /// The files.
    pub parts: Vec<Part>,
    /// The account of it. File names are filled in when the artefact is published.
    pub manifest: Manifest,
    /// What the user should know: opsets raised, values renamed.
    pub remarks: Vec<Remark>,
}

/// One file of an artefact.
#[derive(Debug)]
pub struct Part {
    /// How the file is called.
    pub name: PartName,
    /// What it holds, in a word or two.
    pub role: &'static str,
    /// Its size in bytes; what is written must have exactly this length.
    pub bytes: u64,
    /// Its contents.
    pub content: Box<dyn Content>,
}

/// How a part's file is called.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PartName {
    /// As the user said.
    Main,
    /// `STEM.HASH.EXTENSION`, where the hash is that of the contents (16 hexadecimal digits), so that different contents never share a name.
    Hashed {
        /// The first part of the name.
        stem: String,
        /// The last part, without a dot.
        extension: &'static str,
    },
}

impl PartName {
    /// The length of the final file name in bytes; 0 for the main part.
    pub fn len(&self) -> usize {
        match self {
            PartName::Main => 0,
            PartName::Hashed { stem, extension } => stem.len() + HASH_DIGITS + extension.len() + 2,
        }
    }
    /// Whether the name is not known before publishing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The final file name; `None` for the main part.
    pub(crate) fn resolve(&self, hash: &blake3::Hash) -> Option<String> {
        match self {
            PartName::Main => None,
            PartName::Hashed { stem, extension } => {
                let digits = hash.to_hex();
                Some(format!("{stem}.{}.{extension}", &digits[..HASH_DIGITS]))
            }
        }
    }
}

const HASH_DIGITS: usize = 16;

/// The final names of the parts written before.
#[derive(Clone, Debug, Default)]
pub struct Names(Vec<String>);

impl Names {
    /// The file name of a part by its place in [`Artefact::parts`]; empty for one that is not written yet.
    pub fn of(&self, part: usize) -> &str {
        self.0.get(part).map_or("", String::as_str)
    }
    pub(crate) fn push(&mut self, name: String) {
        self.0.push(name);
    }
}

/// Contents that write themselves.
pub trait Content: Send + Sync + std::fmt::Debug {
    /// Writes everything. `names` has the final names of the parts before this one.
    fn write(&self, names: &Names, out: &mut dyn Write) -> io::Result<()>;
}

impl Artefact {
    /// Writes every part into memory: pairs of file name and contents, the main part under `main`.
    pub fn to_memory(&self, main: &str) -> io::Result<Vec<(String, Vec<u8>)>> {
        let mut names = Names::default();
        let mut files = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            let mut out = Measured::new(Vec::new(), &part.name);
            part.content.write(&names, &mut out)?;
            let (bytes, name) = out.finish(part.bytes)?;
            let name = name.unwrap_or_else(|| main.to_owned());
            names.push(name.clone());
            files.push((name, bytes));
        }
        Ok(files)
    }
}

/// Counts and, where the name needs it, hashes what goes through.
pub(crate) struct Measured<'a, W> {
    inner: W,
    name: &'a PartName,
    hasher: Option<blake3::Hasher>,
    bytes: u64,
}

/// Hashed and written in turn in pieces that stay in the cache between the two.
const PIECE: usize = 1 << 18;

impl<'a, W: Write> Measured<'a, W> {
    pub fn new(inner: W, name: &'a PartName) -> Self {
        let hasher = matches!(name, PartName::Hashed { .. }).then(blake3::Hasher::new);
        Self { inner, name, hasher, bytes: 0 }
    }
    /// The writer back, and the final name; an error when the length is not as announced.
    pub fn finish(self, announced: u64) -> io::Result<(W, Option<String>)> {
        if self.bytes != announced {
            let message =
                format!("{} bytes were announced, but {} written; this is a fault of edgesmith", announced, self.bytes);
            return Err(io::Error::other(message));
        }
        let name = self.hasher.and_then(|hasher| self.name.resolve(&hasher.finalize()));
        Ok((self.inner, name))
    }
}

impl<W: Write> Write for Measured<'_, W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let piece = if self.hasher.is_some() { &buf[..buf.len().min(PIECE)] } else { buf };
        let written = self.inner.write(piece)?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&piece[..written]);
        }
        self.bytes += written as u64;
        Ok(written)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
