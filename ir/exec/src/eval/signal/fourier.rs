//! The discrete Fourier transform in f64: mixed radix by the prime factors of the length, the plain sum for a prime.

/// A complex number: real and imaginary part.
pub(super) type Complex = (f64, f64);

/// Transforms of one length.
pub(super) struct Transform {
    length: usize,
    /// `exp(-2 pi i k / length)`, or its conjugate for the inverse.
    roots: Vec<Complex>,
    inverse: bool,
}

fn product(a: Complex, b: Complex) -> Complex {
    (a.0 * b.0 - a.1 * b.1, a.0 * b.1 + a.1 * b.0)
}

fn smallest_factor(n: usize) -> usize {
    (2..).take_while(|p| p * p <= n).find(|p| n.is_multiple_of(*p)).unwrap_or(n)
}

impl Transform {
    pub(super) fn new(length: usize, inverse: bool) -> Self {
        let sign = if inverse { 1.0 } else { -1.0 };
        let roots = (0..length)
            .map(|k| {
                let angle = std::f64::consts::TAU * k as f64 / length as f64;
                (libm::cos(angle), sign * libm::sin(angle))
            })
            .collect();
        Self { length, roots, inverse }
    }

    /// The transform of `length` numbers; the inverse divides by the length.
    pub(super) fn run(&self, x: &[Complex]) -> Vec<Complex> {
        let mut out = self.part(x, 0, 1, self.length);
        if self.inverse {
            let count = self.length as f64;
            out.iter_mut().for_each(|x| *x = (x.0 / count, x.1 / count));
        }
        out
    }

    /// The transform of `count` numbers that begin at `start`, `stride` apart. The depth is the number of prime factors.
    fn part(&self, x: &[Complex], start: usize, stride: usize, count: usize) -> Vec<Complex> {
        if count <= 1 {
            return x[start..].iter().take(count).copied().collect();
        }
        let radix = smallest_factor(count);
        let rest = count / radix;
        let parts: Vec<Vec<Complex>> =
            (0..radix).map(|r| self.part(x, start + r * stride, stride * radix, rest)).collect();
        // Roots of unity of this count are every (length / count)-th of the table.
        let spacing = self.length / count;
        (0..count)
            .map(|k| {
                parts.iter().enumerate().fold((0.0, 0.0), |sum, (r, part)| {
                    let term = product(part[k % rest], self.roots[r * k % count * spacing]);
                    (sum.0 + term.0, sum.1 + term.1)
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_equals_the_plain_sum_and_inverts() {
        for length in 1..40 {
            let x: Vec<Complex> = (0..length).map(|i| ((i * i % 7) as f64 - 3.0, (i % 5) as f64)).collect();
            let forward = Transform::new(length, false).run(&x);
            for (k, found) in forward.iter().enumerate() {
                let plain = x.iter().enumerate().fold((0.0, 0.0), |sum, (i, value)| {
                    let angle = -std::f64::consts::TAU * (i * k % length) as f64 / length as f64;
                    let term = product(*value, (angle.cos(), angle.sin()));
                    (sum.0 + term.0, sum.1 + term.1)
                });
                assert!((found.0 - plain.0).abs() < 1e-11 && (found.1 - plain.1).abs() < 1e-11, "{length} {k}");
            }
            for (found, wanted) in Transform::new(length, true).run(&forward).iter().zip(&x) {
                assert!((found.0 - wanted.0).abs() < 1e-12 && (found.1 - wanted.1).abs() < 1e-12, "{length}");
            }
        }
    }
}
