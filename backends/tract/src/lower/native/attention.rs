//! Attention and rotary embeddings, composed of products, a softmax and masks.
//!
//! tract-onnx has builders for both; theirs gives NaN where a query may see no key, and a wrong offset of the causal mask
//! under a cache. Here a row without keys gives zeros, as the specification has it.

use edgesmith_ir::Op;
use edgesmith_ir::op::{Attention, RotaryEmbedding};
use tract_core::internal::*;
use tract_core::ops::binary::TypedBinOp;
use tract_core::ops::einsum::EinSum;
use tract_core::ops::nn::Reducer;
use tract_core::ops::{logic, math};

use super::super::indices::CheckedIndices;
use super::super::part::{Native, Part, one};

/// Attention and RotaryEmbedding.
pub(crate) fn lower(op: &Op, p: &mut Part) -> Native {
    let x = p.input(0)?;
    if !p.datum(x)?.is_float() {
        return Ok(None);
    }
    match op {
        Op::Attention(op) => attention(op, p),
        Op::RotaryEmbedding(op) => one(rotary(op, p, x)?),
        _ => Ok(None),
    }
}

/// `[batch, heads, positions, features]`, from heads side by side in the last axis.
fn per_head(p: &mut Part, x: OutletId, heads: Option<i64>) -> TractResult<OutletId> {
    let shape = p.shape(x)?;
    match *shape.as_slice() {
        [_, _, _, _] => Ok(x),
        [batch, positions, hidden] => {
            let heads = usize::try_from(heads.context("packed heads without their number")?)?;
            ensure!(heads > 0 && hidden.is_multiple_of(heads), "{hidden} features in {heads} heads");
            let split = p.reshape(x, &[batch, positions, heads, hidden / heads])?;
            p.transpose(split, &[0, 2, 1, 3])
        }
        _ => bail!("rank {} where 3 or 4 is needed", shape.len()),
    }
}

fn contract(p: &mut Part, expression: &str, a: OutletId, b: OutletId) -> TractResult<OutletId> {
    let datum = p.datum(a)?;
    p.op(EinSum::new(expression.parse()?, datum), &[a, b])
}

/// The extents that everything here needs.
struct Sizes {
    batch: usize,
    heads: usize,
    shared: usize,
    queries: usize,
    keys: usize,
    past: usize,
}

fn attention(op: &Attention, p: &mut Part) -> Native {
    let (q, k, v) = (p.input(0)?, p.input(1)?, p.input(2)?);
    let packed = p.rank(q)? == 3;
    let q = per_head(p, q, op.q_num_heads)?;
    let mut k = per_head(p, k, op.kv_num_heads)?;
    let mut v = per_head(p, v, op.kv_num_heads)?;
    let mut past = 0;
    if let (Some(past_key), Some(past_value)) = (p.maybe(4), p.maybe(5)) {
        past = p.shape(past_key)?[2];
        k = p.concat(&[past_key, k], 2)?;
        v = p.concat(&[past_value, v], 2)?;
    }
    let (q_shape, k_shape, v_shape) = (p.shape(q)?, p.shape(k)?, p.shape(v)?);
    ensure!(k_shape[1] > 0 && q_shape[1].is_multiple_of(k_shape[1]), "{} heads share {}", q_shape[1], k_shape[1]);
    let sizes = Sizes {
        batch: q_shape[0],
        heads: q_shape[1],
        shared: q_shape[1] / k_shape[1],
        queries: q_shape[2],
        keys: k_shape[2],
        past,
    };
    let scale = op.scale.map_or(1.0 / (q_shape[3] as f64).sqrt(), |scale| scale.0.into());
    let scaled = p.with(math::mul(), q, scale)?;
    // Query heads that share a key head stand in an axis of their own.
    let grouped = p.reshape(scaled, &[sizes.batch, k_shape[1], sizes.shared, sizes.queries, q_shape[3]])?;
    let product = contract(p, "bhgqd,bhkd->bhgqk", grouped, k)?;
    let product = p.reshape(product, &[sizes.batch, sizes.heads, sizes.queries, sizes.keys])?;
    let capped = if op.softcap.0 > 0.0 {
        let inner = p.with(math::div(), product, op.softcap.0.into())?;
        let bounded = p.op(math::tanh(), &[inner])?;
        p.with(math::mul(), bounded, op.softcap.0.into())?
    } else {
        product
    };
    let added = additive_mask(p, &sizes, capped)?;
    let hidden = hidden_keys(op, p, &sizes)?;
    let masked = added.is_some() || hidden.is_some();
    let mut biased = match added {
        Some(mask) => p.binary(math::add(), capped, mask)?,
        None => capped,
    };
    if let Some(hidden) = hidden {
        let nothing = p.scalar_like(f64::NEG_INFINITY, biased)?;
        biased = p.select(hidden, nothing, biased)?;
    }
    let weights = if masked { masked_softmax(p, biased)? } else { softmax(p, biased)? };
    let by_group = p.reshape(weights, &[sizes.batch, k_shape[1], sizes.shared, sizes.queries, sizes.keys])?;
    let y = contract(p, "bhgqk,bhkv->bhgqv", by_group, v)?;
    let y = p.reshape(y, &[sizes.batch, sizes.heads, sizes.queries, v_shape[3]])?;
    let y = if packed {
        let moved = p.transpose(y, &[0, 2, 1, 3])?;
        p.reshape(moved, &[sizes.batch, sizes.queries, sizes.heads * v_shape[3]])?
    } else {
        y
    };
    let scores = match op.qk_matmul_output_mode {
        0 => product,
        1 => capped,
        2 => biased,
        3 => weights,
        other => bail!("qk_matmul_output_mode {other}"),
    };
    Ok(Some(tvec!(y, k, v, scores)))
}

/// The mask as numbers to add, padded for the keys that it does not speak of.
fn additive_mask(p: &mut Part, sizes: &Sizes, like: OutletId) -> TractResult<Option<OutletId>> {
    let Some(mask) = p.maybe(3) else { return Ok(None) };
    let datum = p.datum(like)?;
    let mask = if p.datum(mask)? == DatumType::Bool {
        let rank = p.rank(mask)?;
        let (zero, nothing) = (p.scalar(0.0, datum, rank)?, p.scalar(f64::NEG_INFINITY, datum, rank)?);
        p.select(mask, zero, nothing)?
    } else {
        p.cast(mask, datum)?
    };
    let rank = p.rank(mask)?;
    ensure!((1..=4).contains(&rank), "a mask of rank {rank}");
    let last = p.shape(mask)?[rank - 1];
    if last >= sizes.keys || (last == 1 && sizes.keys == 1) {
        return Ok(Some(mask));
    }
    let mut pads = vec![(0, 0); rank];
    pads[rank - 1] = (0, (sizes.keys - last) as i64);
    let nothing = tensor0(f64::NEG_INFINITY).cast_to_dt(datum)?.into_owned();
    super::movement::pad_with(p, mask, &pads, nothing).map(Some)
}

/// Keys that a query must not see, by position: `[batch or 1, 1, queries, keys]`; `None` where all may be seen.
fn hidden_keys(op: &Attention, p: &mut Part, sizes: &Sizes) -> TractResult<Option<OutletId>> {
    let (left, right) = (op.left_window_size, op.right_window_size);
    ensure!(left >= -1 && right >= -1, "windows of {left} and {right}");
    let by_distance = op.is_causal || left >= 0 || right >= 0;
    let Some(lengths) = p.maybe(6) else {
        if !by_distance {
            return Ok(None);
        }
        let mut hidden = Vec::with_capacity(sizes.queries * sizes.keys);
        for query in 0..sizes.queries as i64 {
            for key in 0..sizes.keys as i64 {
                let distance = query + sizes.past as i64 - key;
                hidden.push(
                    (op.is_causal && distance < 0)
                        || (left >= 0 && distance > left)
                        || (right >= 0 && -distance > right),
                );
            }
        }
        let hidden = Tensor::from_shape(&[1, 1, sizes.queries, sizes.keys], &hidden)?;
        return p.constant(hidden).map(Some);
    };
    // How many keys are no padding differs from sample to sample.
    let lengths = p.cast(lengths, DatumType::I64)?;
    let lengths = p.along(lengths, 0, 4)?;
    let keys = p.int_constant(&[1, 1, 1, sizes.keys], &(0..sizes.keys as i64).collect::<Vec<_>>())?;
    let mut hidden = p.op(TypedBinOp(logic::comp_gte(), None), &[keys, lengths])?;
    if by_distance {
        let queries = p.int_constant(&[1, 1, sizes.queries, 1], &(0..sizes.queries as i64).collect::<Vec<_>>())?;
        let offset = if sizes.past > 0 {
            p.scalar(sizes.past as f64, DatumType::I64, 4)?
        } else {
            p.with(math::sub(), lengths, sizes.queries as f64)?
        };
        let place = p.op(math::add(), &[queries, offset])?;
        let distance = p.op(math::sub(), &[place, keys])?;
        let mut rules = Vec::new();
        if op.is_causal {
            rules.push(p.with(TypedBinOp(logic::comp_lt(), None), distance, 0.0)?);
        }
        if left >= 0 {
            rules.push(p.with(TypedBinOp(logic::comp_gt(), None), distance, left as f64)?);
        }
        if right >= 0 {
            rules.push(p.with(TypedBinOp(logic::comp_lt(), None), distance, -right as f64)?);
        }
        for rule in rules {
            hidden = p.binary(logic::or(), hidden, rule)?;
        }
    }
    Ok(Some(hidden))
}

fn softmax(p: &mut Part, x: OutletId) -> TractResult<OutletId> {
    let axis = p.rank(x)? - 1;
    super::reduce::softmax_along(p, x, axis)
}

/// Softmax over the last axis; a row of minus infinity alone becomes zeros.
fn masked_softmax(p: &mut Part, x: OutletId) -> TractResult<OutletId> {
    let axis = p.rank(x)? - 1;
    let nothing = p.with(TypedBinOp(logic::comp_eq(), None), x, f64::NEG_INFINITY)?;
    let dead = p.reduce(nothing, &[axis], Reducer::All)?;
    let zero = p.scalar_like(0.0, x)?;
    let safe = p.select(dead, zero, x)?;
    let weights = softmax(p, safe)?;
    p.select(dead, zero, weights)
}

fn rotary(op: &RotaryEmbedding, p: &mut Part, x: OutletId) -> TractResult<OutletId> {
    let shape = p.shape(x)?;
    // Packed heads stay side by side: only the place of the axis of positions differs.
    let (whole, positions_axis) = match *shape.as_slice() {
        [_, _, _, _] => (x, 2),
        [batch, positions, hidden] => {
            let heads = usize::try_from(op.num_heads.context("packed heads without their number")?)?;
            ensure!(heads > 0 && hidden.is_multiple_of(heads), "{hidden} features in {heads} heads");
            (p.reshape(x, &[batch, positions, heads, hidden / heads])?, 1)
        }
        _ => bail!("rank {} where 3 or 4 is needed", shape.len()),
    };
    let size = p.shape(whole)?[3];
    let rotated = match usize::try_from(op.rotary_embedding_dim)? {
        0 => size,
        rotated => rotated,
    };
    ensure!(rotated <= size && rotated.is_multiple_of(2), "{rotated} of {size} features are rotated");
    let half = rotated / 2;
    let heads_axis = 3 - positions_axis;
    let cos = angles(p, 1, heads_axis)?;
    let sin = angles(p, 2, heads_axis)?;
    let turning = p.slice(whole, 3, 0, rotated)?;
    let turned_shape = p.shape(turning)?;
    let (a, b) = if op.interleaved {
        let mut pairs: Vec<usize> = turned_shape.to_vec();
        pairs[3] = half;
        pairs.push(2);
        let pairs = p.reshape(turning, &pairs)?;
        let mut side = |at: usize| {
            let side = p.slice(pairs, 4, at, at + 1)?;
            p.drop_axes(side, &[4])
        };
        (side(0)?, side(1)?)
    } else {
        (p.slice(turning, 3, 0, half)?, p.slice(turning, 3, half, rotated)?)
    };
    let product = |p: &mut Part, x: OutletId, y: OutletId| p.binary(math::mul(), x, y);
    let (a_cos, b_sin) = (product(p, a, cos)?, product(p, b, sin)?);
    let (a_sin, b_cos) = (product(p, a, sin)?, product(p, b, cos)?);
    let first = p.op(math::sub(), &[a_cos, b_sin])?;
    let second = p.op(math::add(), &[a_sin, b_cos])?;
    let turned = if op.interleaved {
        let first = p.op(AxisOp::Add(4), &[first])?;
        let second = p.op(AxisOp::Add(4), &[second])?;
        let pairs = p.concat(&[first, second], 4)?;
        p.reshape(pairs, &turned_shape)?
    } else {
        p.concat(&[first, second], 3)?
    };
    let y = if rotated == size {
        turned
    } else {
        let rest = p.slice(whole, 3, rotated, size)?;
        p.concat(&[turned, rest], 3)?
    };
    p.reshape(y, &shape)
}

/// Cosines or sines for every sample and position, `[batch, positions, half]` with an axis for the heads.
fn angles(p: &mut Part, slot: usize, heads_axis: usize) -> TractResult<OutletId> {
    let mut cache = p.input(slot)?;
    if let Some(positions) = p.maybe(3) {
        let lines = p.shape(cache)?[0] as i64;
        let positions = p.cast(positions, DatumType::I64)?;
        let positions = p.op(CheckedIndices { bounds: vec![lines] }, &[positions])?;
        cache = p.op(tract_core::ops::array::Gather::new(0), &[cache, positions])?;
    }
    ensure!(p.rank(cache)? == 3, "a cache of rank {} without positions", p.rank(cache)?);
    p.op(AxisOp::Add(heads_axis), &[cache])
}
