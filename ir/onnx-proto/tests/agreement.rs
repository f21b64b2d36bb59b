//! The scan and the decoder agree: what one accepts the other accepts, on many damaged models.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, reason = "a test")]

mod common;

use common::*;
use edgesmith_onnx_proto::*;

/// A small generator of numbers, seeded, so that a failure can be repeated.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

fn damage(numbers: &mut Numbers, bytes: &mut Vec<u8>) {
    for _ in 0..=numbers.below(3) {
        if bytes.is_empty() {
            return;
        }
        let at = numbers.below(bytes.len());
        match numbers.below(5) {
            0 => bytes[at] = numbers.below(256) as u8,
            1 => bytes[at] ^= 1 << numbers.below(8),
            2 => bytes.truncate(at),
            3 => bytes.insert(at, numbers.below(256) as u8),
            _ => drop(bytes.remove(at)),
        }
    }
}

#[test]
fn scan_and_decoder_accept_the_same_bytes() {
    let originals = [
        full_model().encode_to_vec(),
        full_tensor("w").encode_to_vec(),
        full_types().into_iter().flat_map(|r#type| r#type.encode_to_vec()).collect(),
    ];
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let (mut accepted, mut refused) = (0, 0);
    for round in 0..30_000 {
        let mut bytes = originals[round % originals.len()].clone();
        damage(&mut numbers, &mut bytes);
        let (scanned, decoded) = match round % originals.len() {
            0 => (scan(MessageKind::Model, &bytes), ModelProto::decode(&bytes[..]).map(drop)),
            1 => (scan(MessageKind::Tensor, &bytes), TensorProto::decode(&bytes[..]).map(drop)),
            _ => (scan(MessageKind::Type, &bytes), TypeProto::decode(&bytes[..]).map(drop)),
        };
        match (scanned, decoded) {
            (Ok(_), Ok(())) => accepted += 1,
            (Err(ProtoError::Malformed { .. }), Err(_)) => refused += 1,
            // The decoder skips groups, which the scan refuses.
            (Err(ProtoError::Malformed { fault: WireFault::Group, .. }), Ok(())) => {}
            (scanned, decoded) => panic!("round {round}: scan {scanned:?}, decoder {decoded:?}, {bytes:?}"),
        }
    }
    assert!(accepted > 1_000 && refused > 1_000, "{accepted} accepted, {refused} refused");
}
