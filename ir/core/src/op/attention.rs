//! Operators: attention.

use super::operator;
use crate::F32;

operator! {
    /// Scaled dot-product attention over packed or separate heads, with optional mask and key/value cache.
    Attention {
        operands { q: one, k: one, v: one, attn_mask: maybe, past_key: maybe, past_value: maybe, nonpad_kv_seqlen: maybe }
        results { y: one, present_key: maybe, present_value: maybe, qk_matmul_output: maybe }
        attributes { is_causal: bool [false], kv_num_heads: Option<i64>, left_window_size: i64 [-1], q_num_heads: Option<i64>, qk_matmul_output_mode: i64 [0], right_window_size: i64 [-1], scale: Option<F32>, softcap: F32 [F32(0.0)], softmax_precision: Option<i64> }
        regions {  }
    }
}

operator! {
    /// Rotary position embedding of queries or keys.
    RotaryEmbedding {
        operands { x: one, cos_cache: one, sin_cache: one, position_ids: maybe }
        results { y: one }
        attributes { interleaved: bool [false], num_heads: Option<i64>, rotary_embedding_dim: i64 [0] }
        regions {  }
    }
}
