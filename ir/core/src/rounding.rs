//! Rounding binary64 to the 16-bit floats, once and to the nearest even.
//!
//! `half` is not used for this: with F16C it goes through binary32 and rounds twice, without it drops the low half of the
//! mantissa, and so the answer depends on the processor. Going through binary32 is sound when that step rounds to odd
//! (S. Boldo, G. Melquiond, "Emulation of a FMA and Correctly Rounded Sums: Proved Algorithms Using Rounding to Odd",
//! IEEE Transactions on Computers 57(4), 2008): the last bit then remembers that something was lost.

use half::{bf16, f16};

/// The nearest binary16.
pub fn round_to_f16(x: f64) -> f16 {
    f16::from_f32(round_to_odd(x))
}

/// The nearest bfloat16.
pub fn round_to_bf16(x: f64) -> bf16 {
    bf16::from_f32(round_to_odd(x))
}

/// The binary32 that equals x, else of the two around x the one whose last bit is 1.
fn round_to_odd(x: f64) -> f32 {
    let near = x as f32;
    let bits = near.to_bits();
    if x.is_nan() || f64::from(near) == x || bits & 1 == 1 {
        return near;
    }
    // Magnitudes are ordered as their bits; infinity stands above the largest number, which is odd.
    f32::from_bits(if f64::from(near).abs() < x.abs() { bits + 1 } else { bits - 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All finite halves, their neighbours' midpoints, and points just beside those.
    #[test]
    fn rounds_once_to_the_nearest_even() {
        for bits in 0..0x7bff_u16 {
            let (low, high) = (f16::from_bits(bits), f16::from_bits(bits + 1));
            let middle = f64::midpoint(low.to_f64(), high.to_f64());
            let even = if bits & 1 == 0 { low } else { high };
            assert_eq!(round_to_f16(middle), even);
            // Steps that binary32 cannot see.
            assert_eq!(round_to_f16(middle.next_down()), low, "{bits}");
            assert_eq!(round_to_f16(middle.next_up()), high, "{bits}");
            assert_eq!(round_to_f16(-middle.next_up()), -high, "{bits}");
        }
        for bits in 0..0x7f7f_u16 {
            let (low, high) = (bf16::from_bits(bits), bf16::from_bits(bits + 1));
            let middle = f64::midpoint(low.to_f64(), high.to_f64());
            assert_eq!(round_to_bf16(middle), if bits & 1 == 0 { low } else { high });
            assert_eq!(round_to_bf16(middle.next_down()), low, "{bits}");
            assert_eq!(round_to_bf16(middle.next_up()), high, "{bits}");
        }
    }

    #[test]
    fn keeps_what_is_not_finite() {
        assert!(round_to_f16(f64::NAN).is_nan());
        assert_eq!(round_to_f16(f64::INFINITY), f16::INFINITY);
        assert_eq!(round_to_f16(65519.999), f16::MAX);
        assert_eq!(round_to_f16(65520.0), f16::INFINITY);
        assert_eq!(round_to_bf16(f64::MAX), bf16::INFINITY);
        assert_eq!(round_to_bf16(f64::NEG_INFINITY), bf16::NEG_INFINITY);
        assert_eq!(round_to_f16(-0.0).to_bits(), 0x8000);
        assert_eq!(round_to_f16(1e-300).to_bits(), 0);
        assert_eq!(round_to_bf16(-1e-300).to_bits(), 0x8000);
    }
}
