//! The one place that maps files into memory.

use std::fs::File;
use std::io;

use bytes::Bytes;

/// The content of a file without reading it; pages come in when they are touched. An empty file is empty bytes.
#[expect(unsafe_code, reason = "mapping a file is unsafe by nature; see the safety comment")]
pub(crate) fn map(file: &File) -> io::Result<Bytes> {
    if file.metadata()?.len() == 0 {
        return Ok(Bytes::new());
    }
    // SAFETY: the map is read-only and private to this process, and lives as long as the `Bytes` that owns it. Rust's rule
    // that shared bytes do not change rests on nobody writing to the file meanwhile, which no program can rule out for the
    // files of its user; edgesmith itself never writes to a file in place: outputs are new files, renamed into place, which
    // leaves the mapped one as it is. All parsing treats the bytes as untrusted, so changed bytes could give wrong numbers
    // but not break memory; a file that is cut short while it is mapped ends the process with a signal.
    let map = unsafe { memmap2::MmapOptions::new().map(file)? };
    Ok(Bytes::from_owner(map))
}
