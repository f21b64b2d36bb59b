//! Synthetic weights: tensors made from a short description, the same on every platform.
//!
//! - `zeros`, `ones`, `splat(1.5)`: one element for all; `splat(0x3c00)` gives its bits.
//! - `iota`, `iota(start=2, step=3)`: `start + step * i`.
//! - `uniform(seed=1, lo=-0.1, hi=0.1)`: floats in `[lo, hi)`, integers in `lo..=hi`, both ends 0 and 1 by default.
//! - `normal(seed=1, mean=0, std=1)`: the sum of twelve uniforms less six, scaled: close to a normal distribution, and
//!   free of functions that differ between platforms.
//!
//! Element `i` of a seed is made alone, by SplitMix64 (Steele, Lea and Flood, 2014) run from `seed` mixed with `i`, in
//! f64, and rounded once to the element type; booleans are "not below one half", integers are rounded down.

use bytes::Bytes;
use edgesmith_ir::{DType, Tensor};

/// Above so many elements a description is refused.
const LIMIT: u64 = 1 << 26;

/// Makes the tensor that `description` describes.
pub(crate) fn synthesize(description: &str, dtype: DType, shape: &[u64]) -> Result<Tensor, String> {
    let (name, arguments) = split(description)?;
    let mut arguments = Arguments { rest: arguments };
    let count = edgesmith_ir::element_count(shape).map_err(|error| error.to_string())?;
    let tensor = match name {
        "zeros" | "ones" => splat(if name == "zeros" { "0" } else { "1" }, dtype, shape)?,
        "splat" => {
            let text = arguments.positional().ok_or("splat needs its element, as splat(1.5)")?;
            splat(text, dtype, shape)?
        }
        "iota" => {
            let (start, step) = (arguments.number("start", 0.0)?, arguments.number("step", 1.0)?);
            generate(dtype, shape, count, |i| start + step * i as f64)?
        }
        "uniform" => {
            let seed = arguments.seed()?;
            let (lo, hi) = (arguments.number("lo", 0.0)?, arguments.number("hi", 1.0)?);
            // Integers reach the upper end too.
            let width = if dtype.is_float() { hi - lo } else { hi - lo + 1.0 };
            if dtype == DType::Bool {
                generate(dtype, shape, count, |i| lo + (hi - lo) * unit(seed, i, 0))?
            } else {
                generate(dtype, shape, count, |i| lo + width * unit(seed, i, 0))?
            }
        }
        "normal" => {
            let seed = arguments.seed()?;
            let (mean, std) = (arguments.number("mean", 0.0)?, arguments.number("std", 1.0)?);
            generate(dtype, shape, count, |i| {
                let sum = (0..12).fold(0.0, |sum, draw| sum + unit(seed, i, draw));
                mean + std * (sum - 6.0)
            })?
        }
        _ => return Err(format!("'{name}' is none of zeros, ones, splat, iota, uniform, normal")),
    };
    match arguments.rest.first() {
        Some((Some(key), _)) => Err(format!("{name} has no '{key}'")),
        Some((None, value)) => Err(format!("{name} has no place for '{value}'")),
        None => Ok(tensor),
    }
}

type Argument<'a> = (Option<&'a str>, &'a str);

fn split(description: &str) -> Result<(&str, Vec<Argument<'_>>), String> {
    let description = description.trim();
    let Some((name, rest)) = description.split_once('(') else { return Ok((description, Vec::new())) };
    let inner = rest.strip_suffix(')').ok_or("the description lacks its closing parenthesis")?;
    let arguments = inner.split(',').map(str::trim).filter(|argument| !argument.is_empty());
    let arguments = arguments.map(|argument| match argument.split_once('=') {
        Some((key, value)) => (Some(key.trim()), value.trim()),
        None => (None, argument),
    });
    Ok((name.trim(), arguments.collect()))
}

struct Arguments<'a> {
    rest: Vec<Argument<'a>>,
}

impl<'a> Arguments<'a> {
    fn positional(&mut self) -> Option<&'a str> {
        let index = self.rest.iter().position(|(key, _)| key.is_none())?;
        Some(self.rest.remove(index).1)
    }
    fn named(&mut self, name: &str) -> Option<&'a str> {
        let index = self.rest.iter().position(|(key, _)| *key == Some(name))?;
        Some(self.rest.remove(index).1)
    }
    fn number(&mut self, name: &str, default: f64) -> Result<f64, String> {
        let Some(text) = self.named(name) else { return Ok(default) };
        text.parse::<f64>().ok().filter(|x| x.is_finite()).ok_or_else(|| format!("'{text}' is no number"))
    }
    fn seed(&mut self) -> Result<u64, String> {
        let text = self.named("seed").ok_or("a seed is needed, as seed=1")?;
        text.parse().map_err(|_| format!("'{text}' is no seed"))
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The number of one draw for element `i`, in `[0, 1)`.
fn unit(seed: u64, i: u64, draw: u64) -> f64 {
    const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
    let state = mix(seed.wrapping_add(GAMMA)).wrapping_add(i.wrapping_mul(GAMMA));
    let bits = mix(mix(state).wrapping_add(draw.wrapping_add(1).wrapping_mul(GAMMA)));
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

fn generate(dtype: DType, shape: &[u64], count: u64, element: impl Fn(u64) -> f64) -> Result<Tensor, String> {
    if count > LIMIT {
        return Err(format!("{count} elements are too many to make, at most {LIMIT} are allowed"));
    }
    let shape: edgesmith_ir::Extents = shape.into();
    macro_rules! ints {
        ($t:ty) => {
            Tensor::from_vec(shape, (0..count).map(|i| element(i).floor() as $t).collect::<Vec<$t>>())
        };
    }
    let tensor = match dtype {
        DType::F32 | DType::F64 | DType::F16 | DType::BF16 => {
            let elements: Vec<f64> = (0..count).map(element).collect();
            return Tensor::from_f64(dtype, shape, &elements).ok_or_else(|| "the shape does not fit".into());
        }
        DType::I8 => ints!(i8),
        DType::I16 => ints!(i16),
        DType::I32 => ints!(i32),
        DType::I64 => ints!(i64),
        DType::U8 => ints!(u8),
        DType::U16 => ints!(u16),
        DType::U32 => ints!(u32),
        DType::U64 => ints!(u64),
        DType::Bool => Tensor::from_bools(shape, &(0..count).map(|i| element(i) >= 0.5).collect::<Vec<_>>()),
        _ => return Err(format!("{dtype} can only be given as zeros or a splat")),
    };
    tensor.map_err(|error| error.to_string())
}

fn splat(text: &str, dtype: DType, shape: &[u64]) -> Result<Tensor, String> {
    let element = splat_element(text, dtype).ok_or_else(|| format!("'{text}' is no {dtype}"))?;
    Tensor::splat(dtype, shape, element).map_err(|error| error.to_string())
}

fn splat_element(text: &str, dtype: DType) -> Option<Bytes> {
    let width = match dtype.bits() {
        // Four elements fill three bytes: a splat holds those.
        6 => 3,
        _ => usize::try_from(dtype.byte_len(1)?).ok()?,
    };
    if let Some(digits) = text.strip_prefix("0x") {
        let bits = u128::from_str_radix(digits, 16).ok()?;
        let bytes = bits.to_le_bytes();
        return bytes[width..].iter().all(|byte| *byte == 0).then(|| Bytes::copy_from_slice(&bytes[..width]));
    }
    if text == "0" {
        return Some(Bytes::from(vec![0; width]));
    }
    macro_rules! le {
        ($t:ty) => {
            text.parse::<$t>().ok().map(|x| Bytes::copy_from_slice(&x.to_le_bytes()))
        };
    }
    match dtype {
        DType::F32 => le!(f32),
        DType::F64 => le!(f64),
        DType::F16 => half(text, |x| half::f16::from_f32(x).to_le_bytes()),
        DType::BF16 => half(text, |x| half::bf16::from_f32(x).to_le_bytes()),
        DType::I8 => le!(i8),
        DType::I16 => le!(i16),
        DType::I32 => le!(i32),
        DType::I64 => le!(i64),
        DType::U8 => le!(u8),
        DType::U16 => le!(u16),
        DType::U32 => le!(u32),
        DType::U64 => le!(u64),
        DType::Bool => (text == "1").then(|| Bytes::from_static(&[1])),
        _ => None,
    }
}

fn half(text: &str, bytes: impl Fn(f32) -> [u8; 2]) -> Option<Bytes> {
    text.parse::<f32>().ok().map(|x| Bytes::copy_from_slice(&bytes(x)))
}

/// The description of a splat, by its value where that is exact, else by its bits.
pub(crate) fn describe_splat(dtype: DType, element: &[u8]) -> String {
    let bits = element.iter().rev().fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
    let text = match (dtype, element) {
        (DType::F32, [a, b, c, d]) => format!("{:?}", f32::from_le_bytes([*a, *b, *c, *d])),
        (DType::F16, [a, b]) => format!("{:?}", half::f16::from_le_bytes([*a, *b]).to_f32()),
        (DType::BF16, [a, b]) => format!("{:?}", half::bf16::from_le_bytes([*a, *b]).to_f32()),
        (DType::F64, _) => format!("{:?}", f64::from_bits(bits as u64)),
        (DType::I8, _) => (bits as i8).to_string(),
        (DType::I16, _) => (bits as i16).to_string(),
        (DType::I32, _) => (bits as i32).to_string(),
        (DType::I64, _) => (bits as i64).to_string(),
        (DType::U8 | DType::U16 | DType::U32 | DType::U64 | DType::Bool, _) => bits.to_string(),
        _ => String::new(),
    };
    // NaNs differ in bits that no digits show, and a bool may be neither 0 nor 1.
    if splat_element(&text, dtype).is_some_and(|back| back == element) {
        format!("splat({text})")
    } else {
        format!("splat({bits:#x})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floats(description: &str, count: u64) -> Vec<f32> {
        synthesize(description, DType::F32, &[count]).unwrap().view::<f32>().unwrap().into_owned()
    }

    #[test]
    fn sequences_are_pinned() {
        assert_eq!(floats("iota(start=1, step=0.5)", 3), [1.0, 1.5, 2.0]);
        assert_eq!(floats("splat(-0.0)", 2).map_bits(), [0x8000_0000; 2]);
        assert_eq!(floats("uniform(seed=1, lo=-1, hi=1)", 4), PINNED_UNIFORM);
        assert_eq!(floats("normal(seed=7, std=0.5)", 4), PINNED_NORMAL);
        let dice = synthesize("uniform(seed=3, lo=1, hi=6)", DType::I64, &[8]).unwrap().to_ints().unwrap();
        assert_eq!(dice, PINNED_DICE);
    }

    const PINNED_UNIFORM: [f32; 4] = [-0.134_510_14, 0.387_024_28, 0.241_086_21, -0.515_071_8];
    const PINNED_NORMAL: [f32; 4] = [0.597_570_6, 0.170_456_81, -0.508_546_35, -1.087_682_1];
    const PINNED_DICE: [i64; 8] = [4, 2, 5, 6, 5, 2, 6, 6];

    trait MapBits {
        fn map_bits(&self) -> Vec<u32>;
    }
    impl MapBits for Vec<f32> {
        fn map_bits(&self) -> Vec<u32> {
            self.iter().map(|x| x.to_bits()).collect()
        }
    }

    #[test]
    fn distributions_have_their_moments() {
        let draws = floats("normal(seed=11)", 20_000);
        let mean = draws.iter().map(|x| f64::from(*x)).sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
        let draws = floats("uniform(seed=5, lo=2, hi=4)", 20_000);
        let mean = draws.iter().map(|x| f64::from(*x)).sum::<f64>() / draws.len() as f64;
        assert!((mean - 3.0).abs() < 0.02 && draws.iter().all(|x| (2.0..=4.0).contains(x)), "{mean}");
        // Neighbouring seeds share nothing.
        let other = floats("uniform(seed=6, lo=2, hi=4)", 20_000);
        assert!(draws.iter().zip(&other).filter(|(a, b)| a == b).count() < 20);
    }

    #[test]
    fn integers_reach_both_ends() {
        let dice = synthesize("uniform(seed=1, lo=1, hi=6)", DType::I32, &[600]).unwrap().to_ints().unwrap();
        for face in 1..=6 {
            assert!((60..140).contains(&dice.iter().filter(|n| **n == face).count()), "{face}");
        }
    }

    #[test]
    fn splats_read_back() {
        for (dtype, bytes) in [
            (DType::F32, 1.1_f32.to_le_bytes().to_vec()),
            (DType::F32, 0x7fc0_0001_u32.to_le_bytes().to_vec()),
            (DType::F64, (-0.0_f64).to_le_bytes().to_vec()),
            (DType::F16, 0x3c01_u16.to_le_bytes().to_vec()),
            (DType::BF16, 0xff80_u16.to_le_bytes().to_vec()),
            (DType::I64, i64::MIN.to_le_bytes().to_vec()),
            (DType::Bool, vec![2]),
            (DType::I4, vec![0x77]),
            (DType::F8E4M3FN, vec![0x80]),
            (DType::F6E2M3, vec![0x41, 0x10, 0x04]),
            (DType::Complex128, (1..17).collect()),
        ] {
            let text = describe_splat(dtype, &bytes);
            let tensor = synthesize(&text, dtype, &[3]).unwrap();
            assert_eq!(tensor, Tensor::splat(dtype, [3_u64].as_slice(), bytes.into()).unwrap(), "{text}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (description, message) in [
            ("unifrom(seed=1)", "'unifrom' is none of zeros, ones, splat, iota, uniform, normal"),
            ("uniform(lo=1)", "a seed is needed, as seed=1"),
            ("uniform(seed=1, low=1)", "uniform has no 'low'"),
            ("splat(x)", "'x' is no float"),
            ("splat(1", "the description lacks its closing parenthesis"),
            ("iota(start=1e999)", "'1e999' is no number"),
        ] {
            assert_eq!(synthesize(description, DType::F32, &[2]).unwrap_err(), message);
        }
        assert!(synthesize("iota", DType::F32, &[1 << 40]).is_err());
        assert!(synthesize("zeros", DType::F32, &[1 << 40]).is_ok());
    }
}
