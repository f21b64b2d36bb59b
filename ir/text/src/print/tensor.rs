//! Data of tensors: small ones by their elements, splats by their element, the others by the hash of their content.

use bytes::Bytes;
use edgesmith_ir::{DType, Tensor, TensorData, TensorId};

use super::Printer;
use crate::init::describe_splat;

/// Elements that the text can hold exactly.
pub(super) enum Inline {
    Numbers(Vec<String>),
    Strings(Vec<Bytes>),
}

/// The elements, if there are at most `limit` and their text means the same bits.
fn inline(tensor: &Tensor, limit: u64) -> Option<Inline> {
    if tensor.len() > limit {
        return None;
    }
    if let TensorData::Strings(strings) = tensor.data() {
        let readable = strings.iter().all(|string| std::str::from_utf8(string).is_ok());
        return readable.then(|| Inline::Strings(strings.to_vec()));
    }
    let bytes = tensor.dense_bytes().ok()?;
    if tensor.is_empty() {
        return Some(Inline::Numbers(Vec::new()));
    }
    let float = |text: String, is_nan: bool, canonical: bool| {
        if is_nan { canonical.then(|| "nan".to_owned()) } else { Some(text) }
    };
    let numbers: Option<Vec<String>> = match tensor.dtype() {
        DType::F32 => tensor
            .view::<f32>()
            .ok()?
            .iter()
            .map(|x| float(format!("{x:?}"), x.is_nan(), x.to_bits() == 0x7fc0_0000))
            .collect(),
        DType::F64 => {
            let canonical = 0x7ff8_0000_0000_0000;
            tensor
                .view::<f64>()
                .ok()?
                .iter()
                .map(|x| float(format!("{x:?}"), x.is_nan(), x.to_bits() == canonical))
                .collect()
        }
        DType::F16 | DType::BF16 => {
            Some(bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]).to_string()).collect())
        }
        DType::Bool => bytes.iter().map(|byte| (*byte <= 1).then(|| byte.to_string())).collect(),
        DType::F8E4M3FN | DType::F8E4M3FNUZ | DType::F8E5M2 | DType::F8E5M2FNUZ | DType::F8E8M0 => {
            Some(bytes.iter().map(ToString::to_string).collect())
        }
        DType::U64 => Some(tensor.view::<u64>().ok()?.iter().map(ToString::to_string).collect()),
        DType::I4 | DType::U4 | DType::I2 | DType::U2 => return packed(tensor, &bytes),
        dtype if dtype.is_integer() => Some(tensor.to_ints()?.iter().map(ToString::to_string).collect()),
        _ => None,
    };
    numbers.map(Inline::Numbers)
}

/// Elements of two or four bits, unless the padding after them holds something.
fn packed(tensor: &Tensor, bytes: &[u8]) -> Option<Inline> {
    let bits = tensor.dtype().bits();
    let (per_byte, mask) = (8 / bits as usize, (1_u8 << bits) - 1);
    let signed = matches!(tensor.dtype(), DType::I4 | DType::I2);
    let all: Vec<u8> =
        bytes.iter().flat_map(|byte| (0..per_byte).map(move |at| (byte >> (bits as usize * at)) & mask)).collect();
    let count = usize::try_from(tensor.len()).ok()?;
    if all.iter().skip(count).any(|pad| *pad != 0) {
        return None;
    }
    let value = |raw: &u8| {
        let raw = i32::from(*raw);
        if signed && raw >> (bits - 1) == 1 { raw - (1 << bits) } else { raw }
    };
    Some(Inline::Numbers(all.iter().take(count).map(|raw| value(raw).to_string()).collect()))
}

impl Printer<'_> {
    /// The data after a type: `{...}` or `["key": "value"]`. `equals` stands before keys, and before elements when
    /// `always`.
    pub(super) fn data(&mut self, tensor: &Tensor, id: Option<TensorId>, always: bool) {
        let Some(elements) = inline(tensor, self.options.inline_elements) else {
            let (key, value) = match tensor.data() {
                TensorData::Splat(element) => ("init", describe_splat(tensor.dtype(), element)),
                _ => ("hash", self.weight_key(tensor, id)),
            };
            self.w.push(&format!(" = [\"{key}\": \"{value}\"]"));
            return;
        };
        self.w.push(if always { " = {" } else { " {" });
        match elements {
            Inline::Numbers(numbers) => self.w.push(&numbers.join(", ")),
            Inline::Strings(strings) => {
                for (index, string) in strings.iter().enumerate() {
                    if index > 0 {
                        self.w.push(", ");
                    }
                    self.w.string(string);
                }
            }
        }
        self.w.push("}");
    }

    /// Stores a tensor beside the text and returns its key.
    fn weight_key(&mut self, tensor: &Tensor, id: Option<TensorId>) -> String {
        if let Some(key) = id.and_then(|id| self.keys.get(&id)) {
            return key.clone();
        }
        let full = tensor.content_hash().to_hex().to_string();
        let mut key = full[..self.options.hash_digits.clamp(4, full.len())].to_owned();
        // Two tensors may share a short key; the later one then has its whole hash.
        if self.weights.get(&key).is_some_and(|stored| stored != tensor) {
            key = full;
        }
        if let Some(id) = id {
            self.keys.insert(id, key.clone());
        }
        self.weights.entry(key.clone()).or_insert_with(|| tensor.clone());
        key
    }
}
