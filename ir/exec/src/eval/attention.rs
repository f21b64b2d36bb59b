//! Attention and rotary position embeddings.
//!
//! For f32 and f64 everything between operands and results is f64. For f16 and bf16 each step of the specification's
//! function body is rounded, because scaling the queries and keys before their product is there for that.

use edgesmith_ir::DType;
use edgesmith_ir::op::{Attention, RotaryEmbedding};

use super::cx::one;
use super::dense::{Dense, answer, invalid, round_to, rounded};
use super::gemm::{Matrix, multiply_add};
use super::layout::broadcast_strides;
use super::{EvalCx, EvalError, Evaluated};

/// Queries, keys or values as `[batch, heads, length, size]`.
struct Heads {
    batch: usize,
    heads: usize,
    length: usize,
    size: usize,
    data: Vec<f64>,
}

impl Heads {
    /// Four axes as they are; three are `[batch, length, heads * size]`.
    fn of(x: Dense, heads: Option<i64>) -> Result<Self, EvalError> {
        match *x.shape.as_slice() {
            [batch, heads, length, size] => Ok(Self { batch, heads, length, size, data: x.data }),
            [batch, length, hidden] => {
                let heads = heads.and_then(|heads| usize::try_from(heads).ok()).filter(|n| *n > 0 && hidden % n == 0);
                let heads = heads.ok_or_else(|| invalid(format!("{hidden} features need a number of heads")))?;
                let size = hidden / heads;
                let mut data = Vec::with_capacity(x.data.len());
                for n in 0..batch {
                    for head in 0..heads {
                        for row in 0..length {
                            data.extend_from_slice(&x.data[((n * length + row) * heads + head) * size..][..size]);
                        }
                    }
                }
                Ok(Self { batch, heads, length, size, data })
            }
            _ => Err(invalid(format!("three or four axes are needed, not shape {:?}", x.shape))),
        }
    }
    fn shape(&self) -> [usize; 4] {
        [self.batch, self.heads, self.length, self.size]
    }
    fn head(&self, n: usize, head: usize) -> &[f64] {
        let size = self.length * self.size;
        &self.data[(n * self.heads + head) * size..][..size]
    }
    /// `self` after what is cached.
    fn after(self, past: Option<Dense>) -> Result<Self, EvalError> {
        let Some(past) = past else { return Ok(self) };
        let past = Heads::of(past, None)?;
        if (past.batch, past.heads, past.size) != (self.batch, self.heads, self.size) {
            return Err(invalid(format!("the cache {:?} does not fit {:?}", past.shape(), self.shape())));
        }
        let mut data = Vec::with_capacity(past.data.len() + self.data.len());
        for n in 0..self.batch {
            for head in 0..self.heads {
                data.extend_from_slice(past.head(n, head));
                data.extend_from_slice(self.head(n, head));
            }
        }
        Ok(Self { length: past.length + self.length, data, ..self })
    }
}

/// What is added to the scores: a mask, and minus infinity for keys that a query must not see.
struct Bias {
    mask: Option<(Dense, [usize; 4])>,
    causal: bool,
    left: Option<i64>,
    right: Option<i64>,
    /// For each sample, keys that precede the first query, and keys that are no padding.
    frontier: Vec<(i64, Option<i64>)>,
}

impl Bias {
    fn at(&self, (n, head, query, key): (usize, usize, usize, usize)) -> f64 {
        let (offset, valid) = self.frontier[n];
        // Positive for keys behind the query.
        let distance = query as i64 + offset - key as i64;
        let hidden = (self.causal && distance < 0)
            || self.left.is_some_and(|left| distance > left)
            || self.right.is_some_and(|right| -distance > right)
            || valid.is_some_and(|valid| key as i64 >= valid);
        let mask = match &self.mask {
            None => 0.0,
            // The mask may end before the keys do.
            Some((mask, _)) if key >= mask.shape[mask.rank() - 1] => f64::NEG_INFINITY,
            Some((mask, strides)) => {
                mask.data[n * strides[0] + head * strides[1] + query * strides[2] + key * strides[3]]
            }
        };
        if hidden { mask + f64::NEG_INFINITY } else { mask }
    }
}

fn mask(cx: &EvalCx<'_>, scores: [usize; 4]) -> Result<Option<(Dense, [usize; 4])>, EvalError> {
    let Some(tensor) = cx.maybe_tensor(3)? else { return Ok(None) };
    let mut mask = Dense::numbers(tensor)?;
    if tensor.dtype() == DType::Bool {
        mask.data.iter_mut().for_each(|x| *x = if *x == 0.0 { f64::NEG_INFINITY } else { 0.0 });
    }
    let mut target = scores;
    let fits = match mask.shape.last() {
        Some(keys) if *keys <= scores[3] && mask.rank() <= 4 => {
            target[3] = *keys;
            mask.shape.iter().rev().zip(target.iter().rev()).all(|(own, wanted)| *own == 1 || own == wanted)
        }
        _ => false,
    };
    if !fits {
        return Err(invalid(format!("a mask of shape {:?} does not fit scores of {scores:?}", mask.shape)));
    }
    let strides = broadcast_strides(&mask.shape, &target);
    let mut strides: [usize; 4] = std::array::from_fn(|axis| strides[axis]);
    if target[3] == 1 {
        strides[3] = 1;
    }
    Ok(Some((mask, strides)))
}

/// How intermediate results are rounded.
#[derive(Clone, Copy)]
struct Steps {
    dtype: DType,
    softmax: DType,
}

impl Steps {
    fn is_half(dtype: DType) -> bool {
        matches!(dtype, DType::F16 | DType::BF16)
    }
    /// After a step in the type of the operands.
    fn round(self, x: f64) -> f64 {
        if Self::is_half(self.dtype) { round_to(self.dtype, x) } else { x }
    }
    /// After a step in the type of the softmax.
    fn round_softmax(self, x: f64) -> f64 {
        if Self::is_half(self.softmax) || self.softmax != self.dtype { round_to(self.softmax, x) } else { x }
    }
}

/// Softmax of one row; a row of minus infinity alone becomes zeros.
fn softmax(row: &mut [f64], steps: Steps) {
    row.iter_mut().for_each(|x| *x = steps.round_softmax(*x));
    let max = row.iter().copied().fold(f64::NEG_INFINITY, |max, x| if x.is_nan() || x > max { x } else { max });
    if max == f64::NEG_INFINITY {
        row.fill(0.0);
        return;
    }
    row.iter_mut().for_each(|x| *x = steps.round_softmax(libm::exp(steps.round_softmax(*x - max))));
    let sum = steps.round_softmax(row.iter().sum());
    row.iter_mut().for_each(|x| *x = steps.round(steps.round_softmax(*x / sum)));
}

/// Which scores are a result.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Tap {
    Product,
    Capped,
    Biased,
    Weights,
}

fn window(size: i64) -> Result<Option<i64>, EvalError> {
    match size {
        -1 => Ok(None),
        0.. => Ok(Some(size)),
        _ => Err(invalid(format!("a window of {size}"))),
    }
}

/// Scaled dot-product attention. Several query heads may share a key and value head.
pub(super) fn attention(op: &Attention, cx: &EvalCx<'_>) -> Evaluated {
    let (q, k, v) = (cx.floats(0)?, cx.floats(1)?, cx.floats(2)?);
    let (dtype, value_dtype, packed) = (q.dtype, v.dtype, q.rank() == 3);
    let steps = Steps { dtype, softmax: softmax_type(op, dtype)? };
    let queries = Heads::of(q, op.q_num_heads)?;
    let past = cx.maybe_floats(4)?;
    let past_length = past.as_ref().and_then(|past| past.shape.get(2).copied()).unwrap_or(0);
    let keys = Heads::of(k, op.kv_num_heads)?.after(past)?;
    let values = Heads::of(v, op.kv_num_heads)?.after(cx.maybe_floats(5)?)?;
    let fits = keys.heads > 0
        && queries.heads % keys.heads == 0
        && queries.size == keys.size
        && (keys.batch, keys.heads, keys.length) == (values.batch, values.heads, values.length)
        && queries.batch == keys.batch;
    if !fits {
        let shapes = (queries.shape(), keys.shape(), values.shape());
        return Err(invalid(format!(
            "queries {:?}, keys {:?} and values {:?} do not fit",
            shapes.0, shapes.1, shapes.2
        )));
    }
    let scores_shape = [queries.batch, queries.heads, queries.length, keys.length];
    let bias = Bias {
        mask: mask(cx, scores_shape)?,
        causal: op.is_causal,
        left: window(op.left_window_size)?,
        right: window(op.right_window_size)?,
        frontier: frontier(cx, &queries, past_length)?,
    };
    let y_shape = if packed {
        vec![queries.batch, queries.length, queries.heads * values.size]
    } else {
        vec![queries.batch, queries.heads, queries.length, values.size]
    };
    let tap = match op.qk_matmul_output_mode {
        _ if !cx.wants(3) => None,
        0 => Some(Tap::Product),
        1 => Some(Tap::Capped),
        2 => Some(Tap::Biased),
        3 => Some(Tap::Weights),
        other => return Err(invalid(format!("qk_matmul_output_mode {other}"))),
    };
    cx.allow_all(&[(dtype, &y_shape), (dtype, &keys.shape()), (value_dtype, &values.shape())])?;
    let mut tapped = vec![0.0; if tap.is_some() { cx.allow(dtype, &scores_shape)? } else { 0 }];
    let scale = op.scale.map_or(1.0 / (queries.size as f64).sqrt(), |scale| f64::from(scale.0));
    let scaling = Scaling { factor: steps.round(scale.sqrt()), cap: f64::from(op.softcap.0), steps };
    let mut y = vec![0.0; y_shape.iter().product()];
    let shared = queries.heads / keys.heads;
    let (rows, columns, size) = (queries.length, keys.length, values.size);
    for block in 0..queries.batch * queries.heads {
        let (n, head) = (block / queries.heads, block % queries.heads);
        let scores =
            scaling.scores(&queries, &keys, (n, head, head / shared), |query, key| bias.at((n, head, query, key)));
        let (weights, out) = scores.finish(tap, steps);
        if let Some(out) = out {
            tapped[block * rows * columns..][..rows * columns].copy_from_slice(&out);
        }
        let mut product = vec![0.0; rows * size];
        let values = Matrix::new(values.head(n, head / shared), columns, size);
        multiply_add(Matrix::new(&weights, rows, columns), values, &mut product, size);
        for (row, values) in product.chunks(size.max(1)).enumerate() {
            let line = if packed { (n * rows + row) * queries.heads + head } else { block * rows + row };
            y[line * size..][..size].copy_from_slice(values);
        }
    }
    answer([
        Some(rounded(dtype, &y_shape, &y)?),
        cx.wants(1).then(|| rounded(dtype, &keys.shape(), &keys.data)).transpose()?,
        cx.wants(2).then(|| rounded(value_dtype, &values.shape(), &values.data)).transpose()?,
        tap.map(|_| rounded(dtype, &scores_shape, &tapped)).transpose()?,
    ])
}

fn softmax_type(op: &Attention, dtype: DType) -> Result<DType, EvalError> {
    let Some(number) = op.softmax_precision else { return Ok(dtype) };
    let found = i32::try_from(number).ok().and_then(DType::from_onnx).filter(|dtype| dtype.is_float());
    found.ok_or_else(|| invalid(format!("softmax_precision {number} is no float type")))
}

/// For each sample, the keys before the first query and, where padding is known, the keys that are none.
fn frontier(cx: &EvalCx<'_>, queries: &Heads, past: usize) -> Result<Vec<(i64, Option<i64>)>, EvalError> {
    let Some(valid) = cx.maybe_ints(6)? else { return Ok(vec![(past as i64, None); queries.batch]) };
    if valid.len() != queries.batch {
        return Err(invalid(format!("{} lengths of keys for a batch of {}", valid.len(), queries.batch)));
    }
    let offset = |valid: i64| if past > 0 { past as i64 } else { valid - queries.length as i64 };
    Ok(valid.into_iter().map(|valid| (offset(valid), Some(valid))).collect())
}

/// How scores are made from queries and keys.
struct Scaling {
    /// The square root of the scale, for either factor.
    factor: f64,
    /// The bound of the scores; 0 for none.
    cap: f64,
    steps: Steps,
}

/// The scores of one head through the stages before the softmax.
struct Scores {
    product: Vec<f64>,
    capped: Option<Vec<f64>>,
    biased: Vec<f64>,
    /// For each query, whether it may see any key.
    sees: Vec<bool>,
    columns: usize,
}

impl Scaling {
    fn scores(
        &self,
        queries: &Heads,
        keys: &Heads,
        (n, head, shared): (usize, usize, usize),
        bias: impl Fn(usize, usize) -> f64,
    ) -> Scores {
        let steps = self.steps;
        let scaled = |data: &[f64]| data.iter().map(|x| steps.round(x * self.factor)).collect::<Vec<f64>>();
        let (q, k) = (scaled(queries.head(n, head)), scaled(keys.head(n, shared)));
        let columns = keys.length;
        let mut product = vec![0.0; queries.length * columns];
        let keys = Matrix::new(&k, columns, queries.size).transposed();
        multiply_add(Matrix::new(&q, queries.length, queries.size), keys, &mut product, columns);
        product.iter_mut().for_each(|x| *x = steps.round(*x));
        let cap = |x: &f64| steps.round(steps.round(libm::tanh(steps.round(x / self.cap))) * self.cap);
        let capped: Option<Vec<f64>> = (self.cap > 0.0).then(|| product.iter().map(cap).collect());
        let mut biased = capped.clone().unwrap_or_else(|| product.clone());
        let mut sees = vec![false; queries.length];
        for (query, row) in biased.chunks_mut(columns.max(1)).enumerate() {
            for (key, score) in row.iter_mut().enumerate() {
                let bias = bias(query, key);
                sees[query] |= bias != f64::NEG_INFINITY;
                *score = steps.round(*score + bias);
            }
        }
        Scores { product, capped, biased, sees, columns }
    }
}

impl Scores {
    /// The weights of the values, and the scores of the stage that is a result.
    fn finish(self, tap: Option<Tap>, steps: Steps) -> (Vec<f64>, Option<Vec<f64>>) {
        let mut weights = self.biased.clone();
        for (row, sees) in weights.chunks_mut(self.columns.max(1)).zip(&self.sees) {
            if *sees {
                softmax(row, steps);
            } else {
                row.fill(0.0);
            }
        }
        let tapped = tap.map(|tap| match tap {
            Tap::Product => self.product,
            Tap::Capped => self.capped.unwrap_or(self.product),
            Tap::Biased => self.biased,
            Tap::Weights => weights.clone(),
        });
        (weights, tapped)
    }
}

/// Rotates pairs of features by angles that depend on the position.
pub(super) fn rotary_embedding(op: &RotaryEmbedding, cx: &EvalCx<'_>) -> Evaluated {
    let (mut x, cos, sin) = (cx.floats(0)?, cx.floats(1)?, cx.floats(2)?);
    cx.allow(x.dtype, &x.shape)?;
    let packed = x.rank() == 3;
    let (batch, heads, length, size) = match *x.shape.as_slice() {
        [batch, heads, length, size] => (batch, heads, length, size),
        [batch, length, hidden] => {
            let heads =
                op.num_heads.and_then(|heads| usize::try_from(heads).ok()).filter(|n| *n > 0 && hidden % n == 0);
            let heads = heads.ok_or_else(|| invalid(format!("{hidden} features need a number of heads")))?;
            (batch, heads, length, hidden / heads)
        }
        _ => return Err(invalid(format!("three or four axes are needed, not shape {:?}", x.shape))),
    };
    let rotated = match usize::try_from(op.rotary_embedding_dim) {
        Ok(0) => size,
        Ok(rotated) if rotated <= size => rotated,
        _ => return Err(invalid(format!("rotary_embedding_dim {} of {size}", op.rotary_embedding_dim))),
    };
    let half = rotated / 2;
    let positions = cx.maybe_ints(3)?;
    let lines = cos.data.len() / half.max(1);
    if cos.shape != sin.shape || cos.shape.last() != Some(&half) || rotated % 2 != 0 {
        return Err(invalid(format!("caches {:?} and {:?} for {rotated} features", cos.shape, sin.shape)));
    }
    let enough = positions.as_ref().map_or(lines, Vec::len) == batch * length;
    if !enough {
        return Err(invalid(format!("the positions do not fit a batch of {batch} by {length}")));
    }
    for place in 0..batch * length {
        let line = match &positions {
            None => place,
            Some(positions) => usize::try_from(positions[place])
                .ok()
                .filter(|line| *line < lines)
                .ok_or_else(|| invalid(format!("position {} is not among {lines}", positions[place])))?,
        };
        let (cos, sin) = (&cos.data[line * half..][..half], &sin.data[line * half..][..half]);
        let (n, row) = (place / length, place % length);
        for head in 0..heads {
            let start = if packed { (place * heads + head) * size } else { ((n * heads + head) * length + row) * size };
            let features = &mut x.data[start..start + rotated];
            for pair in 0..half {
                let (i, j) = if op.interleaved { (2 * pair, 2 * pair + 1) } else { (pair, pair + half) };
                let (a, b) = (features[i], features[j]);
                features[i] = a * cos[pair] - b * sin[pair];
                features[j] = a * sin[pair] + b * cos[pair];
            }
        }
    }
    one(rounded(x.dtype, &x.shape, &x.data)?)
}
