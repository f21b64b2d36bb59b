//! Which elements are cut: the smallest by magnitude, of equals the first by index.
//!
//! Magnitudes are compared as the bits of |x| in f64, whose order is that of the numbers (and NaN above all, so that it
//! stays). The k-th smallest is found digit by digit, in four walks over the elements and without sorting them: of one
//! tensor, or of all tensors together without ever holding them together.

use edgesmith_ir::{DType, Tensor};
use rayon::prelude::*;

/// The magnitudes of a float tensor, as numbers of the same order.
pub(crate) fn keys(tensor: &Tensor) -> Option<Vec<u64>> {
    fn of(x: f64) -> u64 {
        x.abs().to_bits()
    }
    Some(match tensor.dtype() {
        DType::F32 => tensor.view::<f32>().ok()?.iter().map(|x| of(f64::from(*x))).collect(),
        DType::F64 => tensor.view::<f64>().ok()?.iter().map(|x| of(*x)).collect(),
        DType::F16 => tensor.view::<half::f16>().ok()?.iter().map(|x| of(x.to_f64())).collect(),
        DType::BF16 => tensor.view::<half::bf16>().ok()?.iter().map(|x| of(x.to_f64())).collect(),
        _ => return None,
    })
}

/// Where a share of the elements ends: all below `key` are cut, and the first `ties` of those equal to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Threshold {
    key: u64,
    ties: u64,
}

const DIGITS: [u32; 4] = [48, 32, 16, 0];

impl Threshold {
    /// The threshold that cuts the `count` smallest elements of several tensors taken together.
    pub(crate) fn of(tensors: &[&Tensor], count: u64) -> Self {
        let (mut prefix, mut left) = (0_u64, count);
        for shift in DIGITS {
            let digits: Vec<Vec<u64>> = tensors
                .par_iter()
                .map(|tensor| {
                    let mut counts = vec![0_u64; 1 << 16];
                    for key in keys(tensor).unwrap_or_default() {
                        if shift == 48 || key >> (shift + 16) == prefix >> (shift + 16) {
                            counts[(key >> shift & 0xffff) as usize] += 1;
                        }
                    }
                    counts
                })
                .collect();
            let mut digit = 0;
            for value in 0..1 << 16 {
                let here: u64 = digits.iter().map(|counts| counts[value]).sum();
                digit = value as u64;
                if left <= here {
                    break;
                }
                left -= here;
            }
            prefix |= digit << shift;
        }
        Self { key: prefix, ties: left }
    }

    /// Which elements of a tensor are cut. Of tensors taken together the ties of earlier ones come first, so what is left of
    /// them goes on to the next.
    pub(crate) fn cut(&mut self, keys: &[u64]) -> Vec<bool> {
        keys.iter()
            .map(|key| {
                let tie = *key == self.key && self.ties > 0;
                self.ties -= u64::from(tie);
                *key < self.key || tie
            })
            .collect()
    }
}

/// How many of so many elements a share is: to the nearest, halves up.
pub(crate) fn count_of(share: f64, elements: u64) -> u64 {
    ((share * elements as f64 + 0.5).floor() as u64).min(elements)
}

/// Which elements N:M cuts: of every `group` consecutive ones along `axis` all but the `keep` largest. The axis is divided
/// into `parts` that no group crosses; a last group that is shorter than `group` stays whole.
pub(crate) fn cut_pattern(keys: &[u64], shape: &[u64], axis: usize, parts: u64, keep: u32, group: u32) -> Vec<bool> {
    let mut cut = vec![false; keys.len()];
    let extent = shape.get(axis).copied().unwrap_or(1) as usize;
    let inner = shape.iter().skip(axis + 1).product::<u64>() as usize;
    let part = extent / (parts.max(1) as usize);
    let (keep, group) = (keep as usize, group as usize);
    if part < group || inner == 0 {
        return cut;
    }
    let mut order: Vec<usize> = Vec::with_capacity(group);
    for outer in 0..keys.len() / (extent * inner) {
        for start in (0..extent / part).flat_map(|p| (0..part / group).map(move |g| p * part + g * group)) {
            for column in 0..inner {
                let at = |member: usize| (outer * extent + start + member) * inner + column;
                order.clear();
                order.extend(0..group);
                order.sort_by_key(|member| keys[at(*member)]);
                for member in &order[..group - keep] {
                    cut[at(*member)] = true;
                }
            }
        }
    }
    cut
}

/// The tensor with zeros where it is cut.
pub(crate) fn applied(tensor: &Tensor, cut: &[bool]) -> Option<Tensor> {
    let width = tensor.dtype().whole_bytes()?;
    let mut bytes = tensor.dense_bytes().ok()?.to_vec();
    for (element, _) in bytes.chunks_exact_mut(width).zip(cut).filter(|(_, cut)| **cut) {
        element.fill(0);
    }
    Tensor::dense(tensor.dtype(), tensor.shape(), bytes.into()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(elements: &[f32]) -> Tensor {
        Tensor::from_slice([elements.len() as u64].as_slice(), elements).unwrap()
    }

    /// What a sort says: by magnitude, then by index.
    fn sorted(tensors: &[&Tensor], count: usize) -> Vec<bool> {
        let keys: Vec<u64> = tensors.iter().flat_map(|tensor| keys(tensor).unwrap()).collect();
        let mut order: Vec<usize> = (0..keys.len()).collect();
        order.sort_by_key(|at| keys[*at]);
        let mut cut = vec![false; keys.len()];
        order[..count].iter().for_each(|at| cut[*at] = true);
        cut
    }

    #[test]
    fn the_threshold_is_what_a_sort_finds() {
        let mut state = 7_u64;
        let mut random = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            // Few different numbers, so that there are many ties.
            ((state >> 60) as f32 - 8.0) / 4.0
        };
        for length in [1_usize, 2, 17, 256] {
            let (a, b) = (0..length).map(|_| (random(), random())).collect::<(Vec<f32>, Vec<f32>)>();
            let (a, b) = (tensor(&a), tensor(&b));
            for count in 0..=2 * length {
                let mut threshold = Threshold::of(&[&a, &b], count as u64);
                let mut cut = threshold.cut(&keys(&a).unwrap());
                cut.extend(threshold.cut(&keys(&b).unwrap()));
                assert_eq!(cut, sorted(&[&a, &b], count), "{count} of {length}");
            }
        }
    }

    #[test]
    fn odd_numbers_have_their_place() {
        let odd = tensor(&[f32::NAN, -0.0, f32::INFINITY, 1e-45, 0.0]);
        let cut = |count| Threshold::of(&[&odd], count).cut(&keys(&odd).unwrap());
        assert_eq!(cut(2), [false, true, false, false, true], "both zeros first");
        assert_eq!(cut(3), [false, true, false, true, true], "then the smallest number");
        assert_eq!(cut(4), [false, true, true, true, true], "what is no number stays longest");
    }

    #[test]
    fn shares_are_counted_to_the_nearest() {
        assert_eq!((count_of(0.5, 9), count_of(0.5, 8), count_of(0.29, 100), count_of(0.0, 5)), (5, 4, 29, 0));
    }

    #[test]
    fn a_pattern_follows_the_axis() {
        let w = |rows: u64, columns: u64, x: &[f32]| Tensor::from_slice([rows, columns].as_slice(), x).unwrap();
        let across = w(1, 6, &[4.0, -3.0, 2.0, 1.0, 0.5, 0.1]);
        let cut = |t: &Tensor, axis, parts| cut_pattern(&keys(t).unwrap(), t.shape(), axis, parts, 2, 4);
        assert_eq!(cut(&across, 1, 1), [false, false, true, true, false, false], "the last two are no whole group");
        let down = w(4, 2, &[1.0, 8.0, 2.0, 7.0, 3.0, 6.0, 4.0, 5.0]);
        assert_eq!(cut(&down, 0, 1), [true, false, true, false, false, true, false, true]);
        assert_eq!(cut(&down, 0, 2), [false; 8], "no group reaches over the border of two parts");
        let ties = w(1, 4, &[1.0, 1.0, -1.0, 1.0]);
        assert_eq!(cut(&ties, 1, 1), [true, true, false, false], "of equals the first go");
    }
}
