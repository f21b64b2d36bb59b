//! Text files that a user names: pipelines and reports.

use std::io::ErrorKind;
use std::path::Path;

use edgesmith_frontend::Format;

/// Reads a text file, or says why it cannot be one.
pub(crate) fn read_text(path: &Path) -> Result<String, String> {
    let bytes = std::fs::read(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => "there is no such file".to_owned(),
        ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => error.to_string(),
    })?;
    if let Some(found) = Format::detect(&bytes).filter(|found| *found != Format::Text) {
        return Err(format!("it is {found}"));
    }
    let text = String::from_utf8(bytes).map_err(|_| "it holds no text".to_owned())?;
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    let strange = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if text.contains(strange) { Err("it holds no text".to_owned()) } else { Ok(text) }
}
