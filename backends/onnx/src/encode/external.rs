//! The file beside the model that holds the weights.

use std::io::{self, Write};

use edgesmith_backend::{Content, Names};
use edgesmith_ir::{Tensor, TensorData};

use super::rope::write_tensor;

/// Tensors below this many bytes stay in the model: shapes and axes, which every tool wants to see at once.
const LEAST: u64 = 1024;
/// Tensors from this size on begin on a page, so that a runtime can map each by itself.
const PAGE_FROM: u64 = 32 * 1024;
const PAGE: u64 = 4096;
const LINE: u64 = 64;

/// The tensors of a data file and where they lie.
#[derive(Debug)]
pub(crate) struct External {
    /// The place of the data file among the parts of the artefact.
    pub part: usize,
    /// The length of its name.
    pub name_bytes: u64,
    tensors: Vec<(u64, Tensor)>,
    bytes: u64,
}

impl External {
    pub fn new(part: usize, name_bytes: u64) -> Self {
        Self { part, name_bytes, tensors: Vec::new(), bytes: 0 }
    }
    /// Whether a tensor is worth being outside.
    pub fn takes(tensor: &Tensor) -> bool {
        matches!(tensor.data(), TensorData::Dense(_) | TensorData::Splat(_)) && tensor.byte_len() >= LEAST
    }
    /// Adds a tensor and says where it begins.
    pub fn push(&mut self, tensor: &Tensor) -> u64 {
        let length = tensor.byte_len();
        let offset = self.bytes.next_multiple_of(if length >= PAGE_FROM { PAGE } else { LINE });
        self.tensors.push((offset, tensor.clone()));
        self.bytes = offset + length;
        offset
    }
    /// The length of the file.
    pub fn len(&self) -> u64 {
        self.bytes
    }
}

impl Content for External {
    fn write(&self, _names: &Names, out: &mut dyn Write) -> io::Result<()> {
        let mut at = 0;
        for (offset, tensor) in &self.tensors {
            out.write_all(&vec![0; (offset - at) as usize])?;
            write_tensor(tensor, out)?;
            at = offset + tensor.byte_len();
        }
        Ok(())
    }
}
