//! LSTM, GRU and RNN: one loop over time in f64, with the cell of each operator inside; results are rounded once.

mod activation;

use activation::{Activation, activations};
use edgesmith_ir::op::{GRU, LSTM, RNN, RecurrentDirection};
use edgesmith_ir::{DType, F32, Tensor};

use super::dense::{answer, invalid, rounded};
use super::gemm::{Matrix, multiply_add};
use super::map::transpose;
use super::{EvalCx, EvalError, Evaluated};

/// Sizes, and the operands that all three operators have.
struct Layer {
    dtype: DType,
    time: usize,
    batch: usize,
    input: usize,
    hidden: usize,
    directions: usize,
    gates: usize,
    /// The batch leads inputs, states and results.
    batch_first: bool,
    direction: RecurrentDirection,
    /// `[time, batch, input]`.
    x: Vec<f64>,
    weight: Vec<f64>,
    recurrence: Vec<f64>,
    bias: Option<Vec<f64>>,
    lengths: Vec<usize>,
    clip: f64,
}

/// What the loop carries and leaves.
struct Run {
    /// `[time, directions, batch, hidden]`.
    y: Vec<f64>,
    /// `[directions, batch, hidden]`, at the end the last hidden state.
    h: Vec<f64>,
    /// `[directions, batch, hidden]`, at the end the last cell state.
    c: Vec<f64>,
}

/// One direction at work.
struct Lane<'a> {
    layer: &'a Layer,
    /// Which one of the layer's directions.
    direction: usize,
    /// `[hidden, gates * hidden]`.
    recurrence: Vec<f64>,
    /// Biases of the recurrent product, `[gates * hidden]`.
    recurrent_bias: Vec<f64>,
    functions: Vec<Activation>,
}

impl Lane<'_> {
    /// Adds products of states and the recurrence weights of gates `from..to` to those gates of every sample.
    fn add_recurrent(&self, states: &[f64], gates: &mut [f64], from: usize, to: usize) {
        let Layer { batch, hidden, gates: all, .. } = *self.layer;
        let width = all * hidden;
        let weight = Matrix::strided(&self.recurrence[from * hidden..], hidden, (to - from) * hidden, width);
        multiply_add(Matrix::new(states, batch, hidden), weight, &mut gates[from * hidden..], width);
    }
    /// Adds the biases of the recurrent product of gates `from..to`.
    fn add_bias(&self, gates: &mut [f64], from: usize, to: usize) {
        let Layer { hidden, gates: all, .. } = *self.layer;
        for row in gates.chunks_mut(all * hidden) {
            for unit in from * hidden..to * hidden {
                row[unit] += self.recurrent_bias[unit];
            }
        }
    }
    /// An activation of a sum, which is clipped first.
    fn activate(&self, function: usize, x: f64) -> f64 {
        let clip = self.layer.clip;
        self.functions[function].apply(if x.is_nan() { x } else { x.clamp(-clip, clip) })
    }
}

/// The attributes that all three operators have.
struct Common<'a> {
    activations: &'a [String],
    alphas: &'a [F32],
    betas: &'a [F32],
    clip: Option<F32>,
    direction: RecurrentDirection,
    hidden_size: Option<i64>,
    layout: bool,
}

macro_rules! common {
    ($op:expr) => {
        Common {
            activations: &$op.activations,
            alphas: &$op.activation_alpha,
            betas: &$op.activation_beta,
            clip: $op.clip,
            direction: $op.direction,
            hidden_size: $op.hidden_size,
            layout: $op.layout,
        }
    };
}

impl Layer {
    fn of(common: &Common<'_>, cx: &EvalCx<'_>, gates: usize) -> Result<Self, EvalError> {
        let (x, weight, recurrence) = (cx.floats(0)?, cx.floats(1)?, cx.floats(2)?);
        let misfit = || {
            invalid(format!(
                "shapes {:?}, {:?} and {:?} do not fit {gates} gates",
                x.shape, weight.shape, recurrence.shape
            ))
        };
        let ([first, second, input], [directions, rows, columns], [r_directions, r_rows, hidden]) =
            (&x.shape[..], &weight.shape[..], &recurrence.shape[..])
        else {
            return Err(misfit());
        };
        let wanted = if common.direction == RecurrentDirection::Bidirectional { 2 } else { 1 };
        let fits = columns == input
            && *rows == gates * hidden
            && rows == r_rows
            && (*directions, *r_directions) == (wanted, wanted)
            && common.hidden_size.is_none_or(|size| size == *hidden as i64);
        if !fits {
            return Err(misfit());
        }
        let (time, batch) = if common.layout { (*second, *first) } else { (*first, *second) };
        let bias = cx.maybe_floats(3)?.map(|bias| bias.data);
        if bias.as_ref().is_some_and(|bias| bias.len() != wanted * 2 * gates * hidden) {
            return Err(invalid("the bias has another size"));
        }
        let lengths = match cx.maybe_ints(4)? {
            None => vec![time; batch],
            Some(lengths) => {
                let lengths: Vec<usize> =
                    lengths.iter().filter_map(|n| usize::try_from(*n).ok().filter(|n| *n <= time)).collect();
                if lengths.len() != batch {
                    return Err(invalid(format!("sequence_lens must be {batch} numbers up to {time}")));
                }
                lengths
            }
        };
        Ok(Self {
            dtype: x.dtype,
            time,
            batch,
            input: *input,
            hidden: *hidden,
            directions: wanted,
            gates,
            batch_first: common.layout,
            direction: common.direction,
            x: if common.layout { transpose(&x.data, &x.shape, &[1, 0, 2]) } else { x.data },
            weight: weight.data,
            recurrence: recurrence.data,
            bias,
            lengths,
            clip: common.clip.map_or(f64::INFINITY, |clip| f64::from(clip.0)),
        })
    }

    /// The state in an operand as `[directions, batch, hidden]`; zeros where absent.
    fn state(&self, cx: &EvalCx<'_>, slot: usize) -> Result<Vec<f64>, EvalError> {
        let Some(state) = cx.maybe_floats(slot)? else {
            return Ok(vec![0.0; self.directions * self.batch * self.hidden]);
        };
        let (a, b) = if self.batch_first { (self.batch, self.directions) } else { (self.directions, self.batch) };
        if state.shape != [a, b, self.hidden] {
            return Err(invalid(format!("operand {slot} has shape {:?}, not {:?}", state.shape, [a, b, self.hidden])));
        }
        Ok(if self.batch_first { transpose(&state.data, &state.shape, &[1, 0, 2]) } else { state.data })
    }

    fn lane(&self, direction: usize, functions: Vec<Activation>) -> Lane<'_> {
        let width = self.gates * self.hidden;
        let recurrence = &self.recurrence[direction * width * self.hidden..][..width * self.hidden];
        let recurrent_bias = match &self.bias {
            Some(bias) => bias[(2 * direction + 1) * width..][..width].to_vec(),
            None => vec![0.0; width],
        };
        Lane {
            layer: self,
            direction,
            recurrence: transpose(recurrence, &[width, self.hidden], &[1, 0]),
            recurrent_bias,
            functions,
        }
    }

    /// The gates' products with the input, and their biases: `[time, batch, gates * hidden]`.
    fn input_gates(&self, direction: usize) -> Vec<f64> {
        let width = self.gates * self.hidden;
        let mut gates = vec![0.0; self.time * self.batch * width];
        if let Some(bias) = &self.bias {
            let bias = &bias[2 * direction * width..][..width];
            gates.chunks_mut(width.max(1)).for_each(|row| row.copy_from_slice(bias));
        }
        let weight = Matrix::new(&self.weight[direction * width * self.input..], width, self.input).transposed();
        multiply_add(Matrix::new(&self.x, self.time * self.batch, self.input), weight, &mut gates, width);
        gates
    }

    /// Runs `cell(lane, gates, h, new h, c)` over time: gates hold the products with the input, states are
    /// `[batch, hidden]`; the new hidden state is written beside the old one, the cell state in place.
    fn run(
        &self,
        functions: Vec<Vec<Activation>>,
        (mut h, mut c): (Vec<f64>, Vec<f64>),
        cell: impl Fn(&Lane<'_>, &mut [f64], &[f64], &mut [f64], &mut [f64]),
    ) -> Run {
        let (width, size) = (self.gates * self.hidden, self.batch * self.hidden);
        let mut y = vec![0.0; self.time * self.directions * size];
        for (direction, functions) in functions.into_iter().enumerate() {
            let lane = self.lane(direction, functions);
            let gates = self.input_gates(direction);
            let backward = direction == 1 || self.direction == RecurrentDirection::Reverse;
            let (h, c) = (&mut h[direction * size..][..size], &mut c[direction * size..][..size]);
            let mut step_gates = vec![0.0; self.batch * width];
            let (mut new_h, mut new_c) = (h.to_vec(), c.to_vec());
            for step in 0..self.time {
                // The moment that each sample is at: a backward lane reads only the valid part, from its end.
                let moment = |n: usize| if backward { self.lengths[n] - 1 - step } else { step };
                let running = |n: usize| step < self.lengths[n];
                for (n, row) in step_gates.chunks_mut(width.max(1)).enumerate() {
                    if running(n) {
                        row.copy_from_slice(&gates[(moment(n) * self.batch + n) * width..][..width]);
                    }
                }
                new_c.copy_from_slice(c);
                cell(&lane, &mut step_gates, h, &mut new_h, &mut new_c);
                for n in (0..self.batch).filter(|n| running(*n)) {
                    let own = n * self.hidden..(n + 1) * self.hidden;
                    h[own.clone()].copy_from_slice(&new_h[own.clone()]);
                    c[own.clone()].copy_from_slice(&new_c[own.clone()]);
                    let line = (moment(n) * self.directions + direction) * self.batch + n;
                    y[line * self.hidden..][..self.hidden].copy_from_slice(&new_h[own]);
                }
            }
        }
        // A sample without a step has no last state: the text is silent, ONNX Runtime gives zeros.
        for n in (0..self.batch).filter(|n| self.time > 0 && self.lengths[*n] == 0) {
            for direction in 0..self.directions {
                let own = direction * size + n * self.hidden;
                h[own..own + self.hidden].fill(0.0);
                c[own..own + self.hidden].fill(0.0);
            }
        }
        Run { y, h, c }
    }

    fn answer(&self, cx: &EvalCx<'_>, run: &Run) -> Evaluated {
        let (t, d, n, h) = (self.time, self.directions, self.batch, self.hidden);
        cx.allow_all(&[(self.dtype, &[t, d, n, h]), (self.dtype, &[d, n, h]), (self.dtype, &[d, n, h])])?;
        let state = |data: &[f64]| -> Result<Option<Tensor>, EvalError> {
            Ok(Some(if self.batch_first {
                rounded(self.dtype, &[n, d, h], &transpose(data, &[d, n, h], &[1, 0, 2]))?
            } else {
                rounded(self.dtype, &[d, n, h], data)?
            }))
        };
        let y = if self.batch_first {
            rounded(self.dtype, &[n, t, d, h], &transpose(&run.y, &[t, d, n, h], &[2, 0, 1, 3]))?
        } else {
            rounded(self.dtype, &[t, d, n, h], &run.y)?
        };
        answer([Some(y), state(&run.h)?, state(&run.c)?])
    }
}

/// Long short-term memory; gates i, o, f, c.
pub(super) fn lstm(op: &LSTM, cx: &EvalCx<'_>) -> Evaluated {
    let common = common!(op);
    let layer = Layer::of(&common, cx, 4)?;
    let defaults = [Activation::Sigmoid, Activation::Tanh, Activation::Tanh];
    let functions = activations(common.activations, (common.alphas, common.betas), &defaults, layer.directions)?;
    let hidden = layer.hidden;
    let peephole = cx.maybe_floats(7)?.map_or_else(|| vec![0.0; layer.directions * 3 * hidden], |p| p.data);
    if peephole.len() != layer.directions * 3 * hidden {
        return Err(invalid("the peephole weights have another size"));
    }
    let states = (layer.state(cx, 5)?, layer.state(cx, 6)?);
    let run = layer.run(functions, states, |lane, gates, h, new_h, c| {
        lane.add_recurrent(h, gates, 0, 4);
        lane.add_bias(gates, 0, 4);
        let peephole = &peephole[lane.direction * 3 * hidden..][..3 * hidden];
        for (n, gates) in gates.chunks(4 * hidden.max(1)).enumerate() {
            for unit in 0..hidden {
                let gate = |index: usize| gates[index * hidden + unit];
                let peep = |index: usize| peephole[index * hidden + unit];
                let place = n * hidden + unit;
                let before = c[place];
                let input = lane.activate(0, gate(0) + peep(0) * before);
                let forget = match op.input_forget {
                    true => 1.0 - input,
                    false => lane.activate(0, gate(2) + peep(2) * before),
                };
                c[place] = forget * before + input * lane.activate(1, gate(3));
                let output = lane.activate(0, gate(1) + peep(1) * c[place]);
                new_h[place] = output * lane.functions[2].apply(c[place]);
            }
        }
    });
    layer.answer(cx, &run)
}

/// Gated recurrent unit; gates z, r, h.
pub(super) fn gru(op: &GRU, cx: &EvalCx<'_>) -> Evaluated {
    let common = common!(op);
    let layer = Layer::of(&common, cx, 3)?;
    let defaults = [Activation::Sigmoid, Activation::Tanh];
    let functions = activations(common.activations, (common.alphas, common.betas), &defaults, layer.directions)?;
    let hidden = layer.hidden;
    let states = (layer.state(cx, 5)?, vec![0.0; layer.directions * layer.batch * hidden]);
    let run = layer.run(functions, states, |lane, gates, h, new_h, _| {
        let width = 3 * hidden.max(1);
        lane.add_recurrent(h, gates, 0, 2);
        lane.add_bias(gates, 0, 2);
        let reset = |gates: &[f64], n: usize, unit: usize| lane.activate(0, gates[n * width + hidden + unit]);
        if op.linear_before_reset {
            let mut linear = vec![0.0; gates.len()];
            lane.add_recurrent(h, &mut linear, 2, 3);
            lane.add_bias(&mut linear, 2, 3);
            for n in 0..layer.batch {
                for unit in 0..hidden {
                    let place = n * width + 2 * hidden + unit;
                    gates[place] += reset(gates, n, unit) * linear[place];
                }
            }
        } else {
            let places = (0..layer.batch).flat_map(|n| (0..hidden).map(move |unit| (n, unit)));
            let kept: Vec<f64> = places.map(|(n, unit)| reset(gates, n, unit) * h[n * hidden + unit]).collect();
            lane.add_recurrent(&kept, gates, 2, 3);
            lane.add_bias(gates, 2, 3);
        }
        for (n, gates) in gates.chunks(width).enumerate() {
            for unit in 0..hidden {
                let place = n * hidden + unit;
                let update = lane.activate(0, gates[unit]);
                new_h[place] = (1.0 - update) * lane.activate(1, gates[2 * hidden + unit]) + update * h[place];
            }
        }
    });
    layer.answer(cx, &run)
}

/// Plain recurrent network.
pub(super) fn rnn(op: &RNN, cx: &EvalCx<'_>) -> Evaluated {
    let common = common!(op);
    let layer = Layer::of(&common, cx, 1)?;
    let functions =
        activations(common.activations, (common.alphas, common.betas), &[Activation::Tanh], layer.directions)?;
    let states = (layer.state(cx, 5)?, vec![0.0; layer.directions * layer.batch * layer.hidden]);
    let run = layer.run(functions, states, |lane, gates, h, new_h, _| {
        lane.add_recurrent(h, gates, 0, 1);
        lane.add_bias(gates, 0, 1);
        for (new, sum) in new_h.iter_mut().zip(gates.iter()) {
            *new = lane.activate(0, *sum);
        }
    });
    layer.answer(cx, &run)
}
