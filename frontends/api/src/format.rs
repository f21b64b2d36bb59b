//! Recognising files by their first bytes, so that a wrong one gets an answer that helps.

use std::fmt;

/// A format that is not ONNX but is often handed over as if it were, or that another frontend reads.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Format {
    /// A program exported by `torch.export`.
    TorchExport,
    /// A program of `torch.jit`.
    TorchScript,
    /// Weights saved by `torch.save`.
    TorchCheckpoint,
    /// A Python pickle, as old `torch.save` wrote.
    Pickle,
    /// A TensorFlow Lite (LiteRT) model.
    TfLite,
    /// A TensorFlow SavedModel folder.
    SavedModel,
    /// A Core ML package.
    CoreMl,
    /// A model of ONNX Runtime's own format.
    OrtModel,
    /// A safetensors file.
    SafeTensors,
    /// A Keras model of version 3.
    Keras,
    /// An HDF5 file, as Keras wrote.
    Hdf5,
    /// A GGUF file.
    Gguf,
    /// NumPy arrays.
    NumPy,
    /// A zip archive of another kind.
    Zip,
    /// Something compressed.
    Gzip,
    /// The pointer that git-lfs leaves where a file was not downloaded.
    GitLfsPointer,
    /// A web page.
    Html,
    /// An OpenVINO model or other XML.
    Xml,
    /// ONNX in its textual syntax.
    OnnxText,
    /// Other text.
    Text,
}

impl Format {
    /// What a file's bytes look like; `None` when nothing is recognised, as with ONNX, which has no mark.
    pub fn detect(bytes: &[u8]) -> Option<Self> {
        let at = |offset: usize, mark: &[u8]| bytes.get(offset..).is_some_and(|rest| rest.starts_with(mark));
        if at(0, b"PK\x03\x04") {
            return Some(Self::of_zip(bytes));
        }
        let marks: [(usize, &[u8], Self); 11] = [
            (4, b"TFL3", Self::TfLite),
            (4, b"ORTM", Self::OrtModel),
            (0, b"\x89HDF\r\n\x1a\n", Self::Hdf5),
            (0, b"GGUF", Self::Gguf),
            (0, b"\x93NUMPY", Self::NumPy),
            (0, b"\x1f\x8b\x08", Self::Gzip),
            (0, b"\x80\x02", Self::Pickle),
            (0, b"\x80\x03", Self::Pickle),
            (0, b"\x80\x04", Self::Pickle),
            (0, b"version https://git-lfs", Self::GitLfsPointer),
            (0, b"<?xml", Self::Xml),
        ];
        if let Some((.., found)) = marks.iter().find(|(offset, mark, _)| at(*offset, mark)) {
            return Some(*found);
        }
        // safetensors: the length of a JSON header, then the header.
        let header = bytes.first_chunk::<8>().filter(|_| at(8, b"{\"")).map(|length| u64::from_le_bytes(*length));
        if header.is_some_and(|length| length <= bytes.len() as u64) {
            return Some(Self::SafeTensors);
        }
        Self::of_text(bytes)
    }

    fn of_text(bytes: &[u8]) -> Option<Self> {
        let head = &bytes[..bytes.len().min(512)];
        let text = match std::str::from_utf8(head) {
            Ok(text) => text,
            // The cut may go through a character.
            Err(error) if error.error_len().is_none() => std::str::from_utf8(&head[..error.valid_up_to()]).ok()?,
            Err(_) => return None,
        };
        // Protobuf has control characters from its first byte on.
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            return None;
        }
        if text.trim().is_empty() {
            return None;
        }
        let start = text.trim_start_matches('\u{feff}').trim_start().to_ascii_lowercase();
        if start.starts_with("<!doctype html") || start.starts_with("<html") {
            return Some(Self::Html);
        }
        let onnx = start.starts_with('<') && start.contains("ir_version") || start.starts_with("ir_version");
        Some(if onnx { Self::OnnxText } else { Self::Text })
    }

    /// What a zip archive holds, by the names of its first entries (and, for entries whose length is not in the local
    /// header, by the central directory at the end).
    fn of_zip(bytes: &[u8]) -> Self {
        // Names stand uncompressed both before the entries and in the directory at the end.
        let head = &bytes[..bytes.len().min(4096)];
        let tail = &bytes[bytes.len().saturating_sub(65_536)..];
        let has = |needle: &[u8]| [head, tail].iter().any(|part| part.windows(needle.len()).any(|w| w == needle));
        if has(b"/archive_format") || has(b"models/model.json") || has(b"serialized_exported_program.json") {
            Self::TorchExport
        } else if has(b"constants.pkl") {
            Self::TorchScript
        } else if has(b"data.pkl") {
            Self::TorchCheckpoint
        } else if has(b"model.weights.h5") {
            Self::Keras
        } else if has(b".npy") {
            Self::NumPy
        } else if has(b".mlmodel") {
            Self::CoreMl
        } else {
            Self::Zip
        }
    }

    /// What a folder is, by what lies in it.
    #[cfg(feature = "files")]
    pub(crate) fn detect_folder(path: &std::path::Path) -> Option<Self> {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if extension == "mlpackage" || extension == "mlmodelc" {
            return Some(Self::CoreMl);
        }
        path.join("saved_model.pb").is_file().then_some(Self::SavedModel)
    }

    /// What to do with such a file.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::TorchExport => "export the model with torch.onnx.export",
            Self::TorchScript | Self::TorchCheckpoint | Self::Pickle => {
                "load the model in PyTorch and export it with torch.onnx.export"
            }
            Self::TfLite | Self::SavedModel | Self::Keras | Self::Hdf5 => "convert the model with tf2onnx",
            Self::CoreMl => "start from the model that it was converted from",
            Self::OrtModel => "start from the .onnx file that it was made from",
            Self::SafeTensors | Self::Gguf | Self::NumPy => {
                "this holds weights without a graph; export the whole model to ONNX"
            }
            Self::Zip | Self::Gzip => "unpack it first",
            Self::GitLfsPointer => "fetch the file itself with git lfs pull",
            Self::Html => "download the file itself, not the page about it",
            Self::Xml | Self::OnnxText | Self::Text => "give the binary .onnx file",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TorchExport => "a PyTorch program (torch.export, .pt2)",
            Self::TorchScript => "a TorchScript program",
            Self::TorchCheckpoint => "a PyTorch checkpoint",
            Self::Pickle => "a Python pickle",
            Self::TfLite => "a TensorFlow Lite model",
            Self::SavedModel => "a TensorFlow SavedModel",
            Self::CoreMl => "a Core ML model",
            Self::OrtModel => "a model in ONNX Runtime's own format (.ort)",
            Self::SafeTensors => "a safetensors file",
            Self::Keras => "a Keras model",
            Self::Hdf5 => "an HDF5 file (Keras?)",
            Self::Gguf => "a GGUF file",
            Self::NumPy => "a file of NumPy arrays",
            Self::Zip => "a zip archive",
            Self::Gzip => "a gzip file",
            Self::GitLfsPointer => "the pointer that git-lfs leaves in place of a file",
            Self::Html => "a web page",
            Self::Xml => "an XML file",
            Self::OnnxText => "ONNX in its textual syntax",
            Self::Text => "a text file",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_their_first_bytes() {
        let zip = |names: &[&str]| -> Vec<u8> {
            names.iter().flat_map(|name| [b"PK\x03\x04\0\0".as_slice(), name.as_bytes()].concat()).collect()
        };
        let cases: Vec<(Vec<u8>, Option<Format>)> = vec![
            (zip(&["m/archive_format", "m/models/model.json"]), Some(Format::TorchExport)),
            (zip(&["m/data.pkl", "m/code/x.py", "m/constants.pkl"]), Some(Format::TorchScript)),
            (zip(&["m/data.pkl"]), Some(Format::TorchCheckpoint)),
            (zip(&["metadata.json", "model.weights.h5"]), Some(Format::Keras)),
            (zip(&["x.npy"]), Some(Format::NumPy)),
            (zip(&["a.txt"]), Some(Format::Zip)),
            (b"\x1c\0\0\0TFL3\x14\0".to_vec(), Some(Format::TfLite)),
            (b"\x1c\0\0\0ORTM\x14\0".to_vec(), Some(Format::OrtModel)),
            (b"\x89HDF\r\n\x1a\n\0\0".to_vec(), Some(Format::Hdf5)),
            (b"\x02\0\0\0\0\0\0\0{\"".to_vec(), Some(Format::SafeTensors)),
            (b"version https://git-lfs.github.com/spec/v1\noid".to_vec(), Some(Format::GitLfsPointer)),
            (b"\n<!DOCTYPE html><html>".to_vec(), Some(Format::Html)),
            (b"<ir_version: 8, opset_import: [\"\": 17]>".to_vec(), Some(Format::OnnxText)),
            ("grüße".as_bytes().to_vec(), Some(Format::Text)),
            (b"\x08\x08\x12\x07pytorch".to_vec(), None),
            (b"\xff\xfe\0".to_vec(), None),
            (Vec::new(), None),
        ];
        for (bytes, expected) in cases {
            assert_eq!(Format::detect(&bytes), expected, "{bytes:?}");
        }
        let cut = "é".repeat(300);
        assert_eq!(Format::detect(&cut.as_bytes()[..511]), Some(Format::Text));
    }
}
