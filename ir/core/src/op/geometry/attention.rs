//! How Attention divides its operands into batch, heads, positions and features.

use crate::infer::InferError;
use crate::op::Attention;
use crate::{Dim, DimEq, Dims};

/// The sizes of an Attention. Numbers where the operands' dims are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AttentionSizes {
    /// Samples.
    pub batch: Dim,
    /// Heads of the queries.
    pub q_heads: Dim,
    /// Heads of keys and values; query head `h` uses number `h / (q_heads / kv_heads)`.
    pub kv_heads: Dim,
    /// Positions of the queries.
    pub q_len: Dim,
    /// Positions of the keys and values that come in, cache excluded.
    pub kv_len: Dim,
    /// Positions in the cache that comes in; 0 without one.
    pub past_len: Dim,
    /// Features of a query and a key per head.
    pub head_size: Dim,
    /// Features of a value per head.
    pub v_head_size: Dim,
    /// Whether heads lie side by side in the last axis (`[batch, positions, heads * features]`) rather than in an axis
    /// of their own (`[batch, heads, positions, features]`).
    pub packed: bool,
}

/// The dims of the operands that an Attention divides; `None` where the rank is not known (of the cache also where
/// there is none).
#[derive(Clone, Copy, Debug)]
pub struct AttentionOperands<'a> {
    /// Queries.
    pub q: Option<&'a [Dim]>,
    /// Keys.
    pub k: Option<&'a [Dim]>,
    /// Values.
    pub v: Option<&'a [Dim]>,
    /// Keys of earlier positions.
    pub past_key: Option<&'a [Dim]>,
    /// Values of earlier positions.
    pub past_value: Option<&'a [Dim]>,
    /// Whether there is a cache.
    pub has_past: bool,
}

impl AttentionSizes {
    /// Positions that a query can attend to.
    pub fn total_len(&self) -> Dim {
        self.past_len.add(&self.kv_len)
    }
    /// The shape of the first result.
    pub fn output(&self) -> Dims {
        if self.packed {
            return Dims::from_iter([self.batch.clone(), self.q_len.clone(), self.q_heads.mul(&self.v_head_size)]);
        }
        self.per_head(&self.q_heads, &self.q_len, &self.v_head_size)
    }
    /// The shape of the cache of keys that comes out.
    pub fn present_key(&self) -> Dims {
        self.per_head(&self.kv_heads, &self.total_len(), &self.head_size)
    }
    /// The shape of the cache of values that comes out.
    pub fn present_value(&self) -> Dims {
        self.per_head(&self.kv_heads, &self.total_len(), &self.v_head_size)
    }
    /// The shape of the scores.
    pub fn scores(&self) -> Dims {
        self.per_head(&self.q_heads, &self.q_len, &self.total_len())
    }
    fn per_head(&self, heads: &Dim, positions: &Dim, features: &Dim) -> Dims {
        Dims::from_iter([self.batch.clone(), heads.clone(), positions.clone(), features.clone()])
    }
}

/// One of queries, keys, values: `[batch, heads, positions, features]`.
fn per_head(name: &str, dims: &[Dim], heads: Option<i64>, attribute: &str) -> Result<[Dim; 4], InferError> {
    match dims {
        [batch, heads, positions, features] => Ok([batch.clone(), heads.clone(), positions.clone(), features.clone()]),
        [batch, positions, hidden] => {
            let Some(heads) = heads.filter(|heads| *heads > 0) else {
                return Err(InferError::new(format!("{name} of rank 3 needs a positive attribute '{attribute}'")));
            };
            let features = hidden.exact_div(&Dim::Known(heads));
            if features.is_none() && hidden.known().is_some() {
                return Err(InferError::new(format!(
                    "the {hidden} features of {name} cannot be divided into {heads} heads"
                )));
            }
            Ok([batch.clone(), Dim::Known(heads), positions.clone(), features.unwrap_or_default()])
        }
        _ => Err(InferError::new(format!("{name} must have rank 3 or 4, not {}", dims.len()))),
    }
}

impl Attention {
    /// The sizes, from the dims of the operands. Errors: ranks, heads or dims that do not fit each other.
    pub fn sizes(&self, operands: &AttentionOperands<'_>) -> Result<AttentionSizes, InferError> {
        self.sizes_noting(operands, &mut |_, _| {})
    }

    /// As [`Attention::sizes`]; `note` is told of the dims that must turn out equal.
    pub(in crate::op) fn sizes_noting(
        &self,
        operands: &AttentionOperands<'_>,
        note: &mut dyn FnMut(&Dim, &Dim),
    ) -> Result<AttentionSizes, InferError> {
        let mut equal = |a: &Dim, b: &Dim, what: &str| match (a.compare(b), a, b) {
            (DimEq::Different, ..) => Err(InferError::new(format!("{what}: {a} and {b} must be equal"))),
            (_, Dim::Unknown, other) | (_, other, Dim::Unknown) => Ok(other.clone()),
            (DimEq::Equal, ..) => Ok(a.clone()),
            (DimEq::Unknown, ..) => {
                note(a, b);
                Ok(if matches!(b, Dim::Known(_)) { b.clone() } else { a.clone() })
            }
        };
        let ranks: Vec<usize> = [operands.q, operands.k, operands.v].iter().flatten().map(|dims| dims.len()).collect();
        if ranks.windows(2).any(|pair| pair[0] != pair[1]) {
            return Err(InferError::new(format!("q, k and v must have the same rank, not {ranks:?}")));
        }
        let unknown = || [const { Dim::Unknown }; 4];
        let split = |name: &str, dims: Option<&[Dim]>, heads: Option<i64>, attribute: &str| match dims {
            Some(dims) => per_head(name, dims, heads, attribute),
            None => Ok(unknown()),
        };
        let q = split("q", operands.q, self.q_num_heads, "q_num_heads")?;
        let k = split("k", operands.k, self.kv_num_heads, "kv_num_heads")?;
        let v = split("v", operands.v, self.kv_num_heads, "kv_num_heads")?;
        let batch = equal(&q[0], &k[0], "the batches of q and k")?;
        let mut sizes = AttentionSizes {
            batch: equal(&batch, &v[0], "the batches of q and v")?,
            q_heads: q[1].clone(),
            kv_heads: equal(&k[1], &v[1], "the heads of k and v")?,
            q_len: q[2].clone(),
            kv_len: equal(&k[2], &v[2], "the positions of k and v")?,
            past_len: if operands.has_past { Dim::Unknown } else { Dim::Known(0) },
            head_size: equal(&q[3], &k[3], "the features of q and k per head")?,
            v_head_size: v[3].clone(),
            packed: ranks.first() == Some(&3),
        };
        for (past, name) in [(operands.past_key, "past_key"), (operands.past_value, "past_value")] {
            let Some(dims) = past else { continue };
            let [batch, heads, positions, features] = dims else {
                return Err(InferError::new(format!("{name} must have rank 4, not {}", dims.len())));
            };
            sizes.batch = equal(&sizes.batch, batch, &format!("the batches of q and {name}"))?;
            sizes.kv_heads = equal(&sizes.kv_heads, heads, &format!("the heads of k and {name}"))?;
            sizes.past_len = equal(&sizes.past_len, positions, "the positions of past_key and past_value")?;
            let own = if name == "past_key" { &mut sizes.head_size } else { &mut sizes.v_head_size };
            *own = equal(own, features, &format!("the features of {name} and of what comes in"))?;
        }
        match (&sizes.q_heads, &sizes.kv_heads) {
            (Dim::Known(q), Dim::Known(kv)) if *kv < 1 || q % kv != 0 => {
                Err(InferError::new(format!("{q} heads of q cannot share {kv} heads of k and v")))
            }
            _ => Ok(sizes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::F32;

    fn attention(q_num_heads: Option<i64>, kv_num_heads: Option<i64>) -> Attention {
        Attention {
            is_causal: false,
            kv_num_heads,
            left_window_size: -1,
            q_num_heads,
            qk_matmul_output_mode: 0,
            right_window_size: -1,
            scale: None,
            softcap: F32(0.0),
            softmax_precision: None,
        }
    }
    fn numbers(dims: &[i64]) -> Vec<Dim> {
        dims.iter().map(|n| Dim::Known(*n)).collect()
    }
    fn sizes(op: &Attention, q: &[i64], k: &[i64], v: &[i64], past: &[i64]) -> Result<AttentionSizes, String> {
        let (q, k, v, past) = (numbers(q), numbers(k), numbers(v), numbers(past));
        let past = (!past.is_empty()).then_some(past.as_slice());
        let operands = AttentionOperands {
            q: Some(&q),
            k: Some(&k),
            v: Some(&v),
            past_key: past,
            past_value: None,
            has_past: past.is_some(),
        };
        op.sizes(&operands).map_err(|error| error.message)
    }

    #[test]
    fn divides_packed_and_separate_heads() {
        let packed = sizes(&attention(Some(4), Some(2)), &[2, 5, 32], &[2, 7, 16], &[2, 7, 20], &[]).unwrap();
        assert_eq!((packed.head_size.clone(), packed.v_head_size.clone()), (Dim::Known(8), Dim::Known(10)));
        assert_eq!(packed.output().to_vec(), numbers(&[2, 5, 40]));
        assert_eq!(packed.scores().to_vec(), numbers(&[2, 4, 5, 7]));
        let cached = sizes(&attention(None, None), &[2, 4, 1, 8], &[2, 2, 1, 8], &[2, 2, 1, 8], &[2, 2, 6, 8]).unwrap();
        assert_eq!(cached.output().to_vec(), numbers(&[2, 4, 1, 8]));
        assert_eq!(cached.present_key().to_vec(), numbers(&[2, 2, 7, 8]));
        assert_eq!(cached.present_value().to_vec(), numbers(&[2, 2, 7, 8]));
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let op = attention(Some(4), Some(3));
        let k = &[2, 7, 24];
        for (op, q, k, v, want) in [
            (&attention(None, None), &[2, 5, 32][..], k, k, "q of rank 3 needs a positive attribute 'q_num_heads'"),
            (&op, &[2, 5, 33], k, k, "the 33 features of q cannot be divided into 4 heads"),
            (&op, &[2, 5, 32], k, k, "4 heads of q cannot share 3 heads of k and v"),
            (&op, &[2, 5, 36], k, k, "the features of q and k per head: 9 and 8 must be equal"),
            (&op, &[3, 5, 32], k, k, "the batches of q and k: 3 and 2 must be equal"),
            (&op, &[3, 5], k, k, "q, k and v must have the same rank, not [2, 3, 3]"),
        ] {
            assert_eq!(sizes(op, q, k, v, &[]).unwrap_err(), want);
        }
    }
}
