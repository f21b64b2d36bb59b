//! Operators: attention.

use super::checks;
use super::geometry::{AttentionOperands, AttentionSizes};
use super::operator;
use crate::infer::{InferCx, InferError};
use crate::{Dim, F32, Shape};

operator! {
    /// Scaled dot-product attention over packed or separate heads, with optional mask and key/value cache.
    Attention {
        operands { q: one, k: one, v: one, attn_mask: maybe, past_key: maybe, past_value: maybe, nonpad_kv_seqlen: maybe }
        results { y: one, present_key: maybe, present_value: maybe, qk_matmul_output: maybe }
        attributes { is_causal: bool [false], kv_num_heads: Option<i64>, left_window_size: i64 [-1], q_num_heads: Option<i64>, qk_matmul_output_mode: i64 [0], right_window_size: i64 [-1], scale: Option<F32>, softcap: F32 [F32(0.0)], softmax_precision: Option<i64> }
        regions {  }
        infer: attention;
        macs: attention_macs;
    }
}

operator! {
    /// Rotary position embedding of queries or keys.
    RotaryEmbedding {
        operands { x: one, cos_cache: one, sin_cache: one, position_ids: maybe }
        results { y: one }
        attributes { interleaved: bool [false], num_heads: Option<i64>, rotary_embedding_dim: i64 [0] }
        regions {  }
        infer: rotary_embedding;
    }
}

/// The sizes, and the dims that must turn out equal.
fn sizes(op: &Attention, cx: &InferCx<'_>) -> Result<(AttentionSizes, Vec<(Dim, Dim)>), InferError> {
    let operands = AttentionOperands {
        q: cx.dims(0),
        k: cx.dims(1),
        v: cx.dims(2),
        past_key: cx.dims(4),
        past_value: cx.dims(5),
        has_past: cx.has(4),
    };
    let mut noted = Vec::new();
    let sizes = op.sizes_noting(&operands, &mut |a, b| noted.push((a.clone(), b.clone())))?;
    Ok((sizes, noted))
}

fn attention(op: &Attention, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    if cx.has(4) != cx.has(5) {
        return Err(InferError::new("past_key and past_value must be given together"));
    }
    let (mut sizes, noted) = sizes(op, cx)?;
    for (a, b) in noted {
        cx.equal(&a, &b, "dims of q, k and v")?;
    }
    sizes.batch = checks::vector_of(cx, 6, &sizes.batch, "nonpad_kv_seqlen")?;
    check_mask(cx, &sizes)?;
    let (dtype, value) = (cx.dtype(0), cx.dtype(2));
    // Without a rank of any operand it is open whether heads are packed.
    let ranked = (0..3).any(|slot| cx.dims(slot).is_some());
    cx.set_tensor(0, dtype, if ranked { Shape::Ranked(sizes.output()) } else { Shape::Unranked });
    cx.set_tensor(1, cx.dtype(1), Shape::Ranked(sizes.present_key()));
    cx.set_tensor(2, value, Shape::Ranked(sizes.present_value()));
    cx.set_tensor(3, dtype, Shape::Ranked(sizes.scores()));
    Ok(())
}

/// The mask broadcasts to the scores; its last axis may be shorter than they are.
fn check_mask(cx: &InferCx<'_>, sizes: &AttentionSizes) -> Result<(), InferError> {
    let Some([leading @ .., _]) = cx.dims(3) else { return Ok(()) };
    let scores = sizes.scores();
    let target = &scores[..3];
    let fits = leading.len() <= 3
        && leading.iter().rev().zip(target.iter().rev()).all(|(from, to)| match (from.known(), to.known()) {
            (Some(from), Some(to)) => from == 1 || from == to,
            _ => true,
        });
    if fits {
        return Ok(());
    }
    Err(InferError::new(format!(
        "the mask of shape {} does not broadcast to the scores of shape {}",
        cx.shape(3),
        Shape::Ranked(scores)
    )))
}

/// The products of queries with keys, and of their weights with values.
fn attention_macs(op: &Attention, cx: &InferCx<'_>) -> Dim {
    let Ok((sizes, _)) = sizes(op, cx) else { return Dim::Unknown };
    checks::product(&sizes.scores()).mul(&sizes.head_size.add(&sizes.v_head_size))
}

fn rotary_embedding(op: &RotaryEmbedding, cx: &mut InferCx<'_>) -> Result<(), InferError> {
    let features = match cx.dims(0) {
        None => Dim::Unknown,
        Some([_, _, _, features]) => features.clone(),
        Some([_, _, hidden]) => match op.num_heads.filter(|heads| *heads > 0) {
            Some(heads) => match hidden.exact_div(&Dim::Known(heads)) {
                None if hidden.known().is_some() => {
                    return Err(InferError::new(format!(
                        "the {hidden} features of x cannot be divided into {heads} heads"
                    )));
                }
                features => features.unwrap_or_default(),
            },
            None => return Err(InferError::new("x of rank 3 needs a positive attribute 'num_heads'")),
        },
        Some(dims) => return Err(checks::wrong_rank("x", "3 or 4", dims.len())),
    };
    let rotated = if op.rotary_embedding_dim > 0 { Dim::Known(op.rotary_embedding_dim) } else { features.clone() };
    if let (Dim::Known(rotated), Dim::Known(features)) = (&rotated, &features)
        && rotated > features
    {
        return Err(InferError::new(format!(
            "attribute 'rotary_embedding_dim' is {rotated}, but a head has {features} features"
        )));
    }
    // The caches hold one angle per pair of features, for each position id or for each place of x.
    for (slot, name) in [(1, "cos_cache"), (2, "sin_cache")] {
        let rank = if cx.has(3) { 2 } else { 3 };
        if let Some(cache) = checks::dims_of_rank(cx, slot, rank, name)? {
            cx.equal(
                &cache[rank - 1].mul(&Dim::Known(2)),
                &rotated,
                &format!("twice the angles of {name} and the features that turn"),
            )?;
        }
    }
    checks::same_type(cx, 0, 0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::rule_test::{given, infer, macs};

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

    #[test]
    fn infers_attention() {
        let packed = attention(Some(8), Some(2));
        let (q, kv) = ("float[B,T,512]", "float[B,S,128]");
        let want = "float[B,T,512] float[B,2,S,64] float[B,2,S,64] float[B,8,T,S]";
        assert_eq!(infer(&packed, given![q, kv, kv]), want);
        assert_eq!(macs(&packed, given![q, kv, kv]), "1024*B*S*T");
        let separate = attention(None, None);
        let (q, kv, past) = ("float[B,8,1,64]", "float[B,8,1,64]", "float[B,8,P,64]");
        let want = "float[B,8,1,64] float[B,8,P + 1,64] float[B,8,P + 1,64] float[B,8,1,P + 1]";
        assert_eq!(infer(&separate, given![q, kv, kv, "bool[1,7]", past, past]), want);
        assert_eq!(infer(&separate, given!["float[..]", "?", "?"]), "float[..] ? ? float[?,?,?,?]");
        assert_eq!(infer(&separate, given![q, kv, kv, "-", past]), "past_key and past_value must be given together");
        assert_eq!(
            infer(&separate, given![q, kv, kv, "bool[3,7]"]),
            "the mask of shape [3,7] does not broadcast to the scores of shape [B,8,1,1]"
        );
        assert_eq!(
            infer(&packed, given!["float[B,T,500]", "?", "?"]),
            "the 500 features of q cannot be divided into 8 heads"
        );
    }

    #[test]
    fn infers_rotary_embedding() {
        let op = RotaryEmbedding { interleaved: false, num_heads: None, rotary_embedding_dim: 0 };
        let packed = RotaryEmbedding { num_heads: Some(8), ..op.clone() };
        let part = RotaryEmbedding { rotary_embedding_dim: 32, ..op.clone() };
        let (x, cache, ids) = ("float[B,8,T,64]", "float[4096,32]", "int64[B,T]");
        assert_eq!(infer(&op, given![x, cache, cache, ids]), x);
        assert_eq!(infer(&op, given![x, "float[B,T,32]", "float[B,T,32]"]), x);
        assert_eq!(infer(&part, given![x, "float[B,T,16]", "float[B,T,16]"]), x);
        assert_eq!(infer(&packed, given!["float[B,T,512]", cache, cache, ids]), "float[B,T,512]");
        for (op, x, cache, want) in [
            (&op, "float[B,T,512]", cache, "x of rank 3 needs a positive attribute 'num_heads'"),
            (&packed, "float[B,T,510]", cache, "the 510 features of x cannot be divided into 8 heads"),
            (
                &op,
                x,
                "float[4096,64]",
                "twice the angles of cos_cache and the features that turn: 128 and 64 must be equal",
            ),
            (&op, x, "float[1,4096,32]", "cos_cache must have rank 2, not 3"),
            (&part, "float[B,8,T,16]", cache, "attribute 'rotary_embedding_dim' is 32, but a head has 16 features"),
        ] {
            assert_eq!(infer(op, given![x, cache, cache, ids]), want);
        }
    }
}
