//! Encoded messages with the weights left out: a rope of small bytes, and places where tensors go.
//!
//! A protobuf message is prefixed with its length, so everything inside must be measured before the first byte goes out.
//! A rope measures while it grows and copies only small things; tensors are written straight from where they are.

use std::io::{self, Write};

use edgesmith_backend::Names;
use edgesmith_ir::{DType, Tensor, TensorData};
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};

/// An encoded message.
#[derive(Debug, Default)]
pub(crate) struct Rope {
    bytes: Vec<u8>,
    /// What goes in before which byte, in order.
    inserts: Vec<(usize, Insert)>,
    /// The length of everything that is inserted.
    inserted: u64,
}

#[derive(Debug)]
enum Insert {
    Tensor(Tensor),
    /// The file name of a part of the artefact.
    NameOfPart {
        part: usize,
        bytes: u64,
    },
}

/// Tensors up to this size are copied into the rope.
const SMALL: u64 = 4096;

impl Rope {
    /// The length when written.
    pub fn len(&self) -> u64 {
        self.bytes.len() as u64 + self.inserted
    }

    /// A field with a number.
    pub fn int(&mut self, tag: u32, value: i64) {
        encode_key(tag, WireType::Varint, &mut self.bytes);
        encode_varint(value as u64, &mut self.bytes);
    }
    /// A field with a text.
    pub fn text(&mut self, tag: u32, text: &str) {
        self.head(tag, text.len() as u64);
        self.bytes.extend_from_slice(text.as_bytes());
    }
    /// A field with a text, unless it is empty.
    pub fn text_if_any(&mut self, tag: u32, text: &str) {
        if !text.is_empty() {
            self.text(tag, text);
        }
    }
    /// A field with a message.
    pub fn message(&mut self, tag: u32, message: &impl Message) {
        self.head(tag, message.encoded_len() as u64);
        self.fields(message);
    }
    /// The fields of a message, as fields of this one.
    pub fn fields(&mut self, message: &impl Message) {
        self.raw(&message.encode_to_vec());
    }
    /// Encoded fields.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }
    /// A field with a message that is a rope itself.
    pub fn nested(&mut self, tag: u32, inner: Rope) {
        self.head(tag, inner.len());
        let offset = self.bytes.len();
        self.bytes.extend_from_slice(&inner.bytes);
        self.inserts.extend(inner.inserts.into_iter().map(|(at, insert)| (at + offset, insert)));
        self.inserted += inner.inserted;
    }
    /// A field with the packed elements of a dense tensor.
    pub fn tensor(&mut self, tag: u32, tensor: &Tensor) {
        let length = tensor.byte_len();
        self.head(tag, length);
        if length <= SMALL
            && let Ok(bytes) = tensor.dense_bytes()
        {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(&bytes);
            mask_padding(tensor, &mut self.bytes[start..]);
            return;
        }
        self.insert(Insert::Tensor(tensor.clone()), length);
    }
    /// A field with the file name, of this many bytes, of a part of the artefact.
    pub fn name_of_part(&mut self, tag: u32, part: usize, bytes: u64) {
        self.head(tag, bytes);
        self.insert(Insert::NameOfPart { part, bytes }, bytes);
    }

    fn head(&mut self, tag: u32, length: u64) {
        encode_key(tag, WireType::LengthDelimited, &mut self.bytes);
        encode_varint(length, &mut self.bytes);
    }
    fn insert(&mut self, insert: Insert, length: u64) {
        self.inserts.push((self.bytes.len(), insert));
        self.inserted += length;
    }

    /// Writes everything.
    pub fn write(&self, names: &Names, out: &mut dyn Write) -> io::Result<()> {
        let mut from = 0;
        for (at, insert) in &self.inserts {
            out.write_all(&self.bytes[from..*at])?;
            from = *at;
            match insert {
                Insert::Tensor(tensor) => write_tensor(tensor, out)?,
                Insert::NameOfPart { part, bytes } => {
                    let name = names.of(*part);
                    if name.len() as u64 != *bytes {
                        return Err(io::Error::other(format!("the file name '{name}' is not {bytes} bytes long")));
                    }
                    out.write_all(name.as_bytes())?;
                }
            }
        }
        out.write_all(&self.bytes[from..])
    }
}

/// The length of a length-delimited field with contents of this length.
#[cfg(test)]
pub(crate) fn field_len(tag: u32, length: u64) -> u64 {
    (prost::encoding::key_len(tag) + prost::encoding::encoded_len_varint(length)) as u64 + length
}

/// Writes the packed elements of a dense tensor; one that repeats an element is never spelled out in memory.
pub(crate) fn write_tensor(tensor: &Tensor, out: &mut dyn Write) -> io::Result<()> {
    match tensor.data() {
        TensorData::Dense(bytes) => out.write_all(bytes),
        TensorData::Splat(element) => {
            let mut left = tensor.byte_len();
            let block = element.repeat((1 << 16) / element.len().max(1));
            while left > block.len() as u64 {
                out.write_all(&block)?;
                left -= block.len() as u64;
            }
            let mut last = block[..left as usize].to_vec();
            mask_padding(tensor, &mut last);
            out.write_all(&last)
        }
        _ => match tensor.dense_bytes() {
            Ok(bytes) => out.write_all(&bytes),
            Err(error) => Err(io::Error::other(error)),
        },
    }
}

/// Sets the bits after the last element of a repeated sub-byte element to zero. `bytes` ends where the tensor does.
fn mask_padding(tensor: &Tensor, bytes: &mut [u8]) {
    let per_byte = match tensor.dtype() {
        DType::U4 | DType::I4 | DType::F4E2M1 => 2,
        DType::U2 | DType::I2 => 4,
        _ => return,
    };
    let rest = tensor.len() % per_byte;
    if let (TensorData::Splat(_), Some(last), true) = (tensor.data(), bytes.last_mut(), rest != 0) {
        *last &= (1_u8 << (rest * 8 / per_byte)) - 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgesmith_onnx_proto::{StringStringEntryProto, TensorProto};

    fn written(rope: &Rope) -> Vec<u8> {
        let mut out = Vec::new();
        rope.write(&Names::default(), &mut out).unwrap();
        assert_eq!(out.len() as u64, rope.len());
        out
    }

    #[test]
    fn a_rope_is_what_prost_would_write() {
        let entry = StringStringEntryProto { key: "k".into(), value: "v".repeat(300) };
        let mut inner = Rope::default();
        inner.text(1, "k");
        inner.text(2, &entry.value);
        let mut rope = Rope::default();
        rope.nested(14, inner);
        let mut twin = Rope::default();
        twin.message(14, &entry);
        assert_eq!(written(&rope), written(&twin));
        assert_eq!(rope.len(), field_len(14, entry.encoded_len() as u64));
    }

    #[test]
    fn large_tensors_go_in_at_their_places() {
        let weights: Vec<f32> = (0..2000_u16).map(f32::from).collect();
        let large = Tensor::from_slice([2000].as_slice(), &weights).unwrap();
        let mut tensor = Rope::default();
        tensor.int(1, 2000);
        tensor.int(2, 1);
        tensor.tensor(9, &large);
        tensor.text(12, "after");
        let decoded = TensorProto::decode(&written(&tensor)[..]).unwrap();
        assert_eq!(decoded.raw_data.as_deref(), Some(&large.dense_bytes().unwrap()[..]));
        assert_eq!((decoded.dims, decoded.doc_string.as_str()), (vec![2000], "after"));
    }

    #[test]
    fn repeated_elements_are_spelled_out_with_clean_padding() {
        let halves = Tensor::splat(DType::I4, [200_001].as_slice(), vec![0x77].into()).unwrap();
        let mut out = Vec::new();
        write_tensor(&halves, &mut out).unwrap();
        assert_eq!((out.len(), out[0], out[100_000]), (100_001, 0x77, 0x07));
        let ones = Tensor::splat(DType::F32, [50_000].as_slice(), vec![0, 0, 0x80, 0x3f].into()).unwrap();
        let mut out = Vec::new();
        write_tensor(&ones, &mut out).unwrap();
        assert_eq!(out.len(), 200_000);
        assert!(out.chunks(4).all(|element| element == [0, 0, 0x80, 0x3f]));
    }
}
