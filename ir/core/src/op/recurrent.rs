//! Operators: recurrent.

use super::checks;
use super::operator;
use crate::attribute::attribute_enum;
use crate::infer::{InferCx, InferError};
use crate::{Dim, F32, Shape};

attribute_enum! {
    /// The values of the attribute.
    RecurrentDirection { /// `forward`.
        Forward = "forward", /// `reverse`.
        Reverse = "reverse", /// `bidirectional`.
        Bidirectional = "bidirectional", }
}

operator! {
    /// Gated recurrent unit over a sequence; gates in the order z, r, h.
    GRU {
        operands { x: one, weight: one, recurrence: one, bias: maybe, sequence_lens: maybe, initial_h: maybe }
        results { y: maybe, y_h: maybe }
        attributes { activation_alpha: Vec<F32>, activation_beta: Vec<F32>, activations: Vec<String>, clip: Option<F32>, direction: RecurrentDirection [RecurrentDirection::Forward], hidden_size: Option<i64>, layout: bool [false], linear_before_reset: bool [false] }
        regions {  }
        infer: |op: &GRU, cx: &mut InferCx<'_>| Layer { gates: 3, direction: op.direction, hidden: op.hidden_size, batch_first: op.layout }.infer(cx);
        macs: |_: &GRU, cx: &InferCx<'_>| layer_macs(cx);
    }
}

operator! {
    /// Long short-term memory over a sequence; gates in the order i, o, f, c.
    LSTM {
        operands { x: one, weight: one, recurrence: one, bias: maybe, sequence_lens: maybe, initial_h: maybe, initial_c: maybe, peephole: maybe }
        results { y: maybe, y_h: maybe, y_c: maybe }
        attributes { activation_alpha: Vec<F32>, activation_beta: Vec<F32>, activations: Vec<String>, clip: Option<F32>, direction: RecurrentDirection [RecurrentDirection::Forward], hidden_size: Option<i64>, input_forget: bool [false], layout: bool [false] }
        regions {  }
        infer: |op: &LSTM, cx: &mut InferCx<'_>| {
            let layer = Layer { gates: 4, direction: op.direction, hidden: op.hidden_size, batch_first: op.layout };
            layer.infer(cx)?;
            let state = cx.result(1).map(|fact| fact.ty.clone()).unwrap_or_default();
            cx.set(2, state);
            Ok(())
        };
        macs: |_: &LSTM, cx: &InferCx<'_>| layer_macs(cx);
    }
}

operator! {
    /// Plain recurrent network over a sequence.
    RNN {
        operands { x: one, weight: one, recurrence: one, bias: maybe, sequence_lens: maybe, initial_h: maybe }
        results { y: maybe, y_h: maybe }
        attributes { activation_alpha: Vec<F32>, activation_beta: Vec<F32>, activations: Vec<String>, clip: Option<F32>, direction: RecurrentDirection [RecurrentDirection::Forward], hidden_size: Option<i64>, layout: bool [false] }
        regions {  }
        infer: |op: &RNN, cx: &mut InferCx<'_>| Layer { gates: 1, direction: op.direction, hidden: op.hidden_size, batch_first: op.layout }.infer(cx);
        macs: |_: &RNN, cx: &InferCx<'_>| layer_macs(cx);
    }
}

/// What the three layers differ in, as far as shapes go.
struct Layer {
    gates: i64,
    direction: RecurrentDirection,
    hidden: Option<i64>,
    batch_first: bool,
}

impl Layer {
    /// The first result has the hidden state at every step, the second that after the last.
    fn infer(&self, cx: &mut InferCx<'_>) -> Result<(), InferError> {
        let unknown = || smallvec::smallvec![Dim::Unknown; 3];
        let x = checks::dims_of_rank(cx, 0, 3, "x")?.unwrap_or_else(unknown);
        let weight = checks::dims_of_rank(cx, 1, 3, "W")?.unwrap_or_else(unknown);
        let recurrence = checks::dims_of_rank(cx, 2, 3, "R")?.unwrap_or_else(unknown);
        let directions = Dim::Known(match self.direction {
            RecurrentDirection::Forward | RecurrentDirection::Reverse => 1,
            RecurrentDirection::Bidirectional => 2,
        });
        for (dims, name) in [(&weight, "W"), (&recurrence, "R")] {
            cx.equal(&directions, &dims[0], &format!("the directions and the first dim of {name}"))?;
        }
        let hidden = self.hidden.map_or(Dim::Unknown, Dim::Known);
        let hidden = cx.equal(&hidden, &recurrence[2], "attribute 'hidden_size' and the last dim of R")?;
        let rows = hidden.mul(&Dim::Known(self.gates));
        for (dims, name) in [(&weight, "W"), (&recurrence, "R")] {
            cx.equal(&rows, &dims[1], &format!("{} times the hidden size and the second dim of {name}", self.gates))?;
        }
        cx.equal(&x[2], &weight[2], "the features of x and the last dim of W")?;
        if let Some(bias) = checks::dims_of_rank(cx, 3, 2, "B")? {
            let entries = rows.mul(&Dim::Known(2));
            cx.equal(&entries, &bias[1], "twice the gates times the hidden size and the second dim of B")?;
        }
        let (steps, batch) = if self.batch_first { (&x[1], &x[0]) } else { (&x[0], &x[1]) };
        let batch = checks::vector_of(cx, 4, batch, "sequence_lens")?;
        let steps = steps.clone();
        let (all, last) = if self.batch_first {
            ([batch.clone(), steps, directions.clone(), hidden.clone()], [batch, directions, hidden])
        } else {
            ([steps, directions.clone(), batch.clone(), hidden.clone()], [directions, batch, hidden])
        };
        for (slot, name) in [(5, "initial_h"), (6, "initial_c")] {
            if let Some(state) = checks::dims_of_rank(cx, slot, 3, name)? {
                for (axis, dim) in state.iter().enumerate() {
                    cx.equal(&last[axis], dim, &format!("axis {axis} of the state and of {name}"))?;
                }
            }
        }
        let dtype = cx.dtype(0);
        cx.set_tensor(0, dtype, Shape::of(all));
        cx.set_tensor(1, dtype, Shape::of(last));
        Ok(())
    }
}

/// For every step and sample, each weight and each recurrent weight once. Peepholes are elementwise and do not count.
fn layer_macs(cx: &InferCx<'_>) -> Dim {
    let places = match cx.dims(0) {
        Some([a, b, _]) => a.mul(b),
        _ => Dim::Unknown,
    };
    places.mul(&cx.shape(1).elements().add(&cx.shape(2).elements()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::rule_test::{given, infer, macs};

    fn lstm(direction: RecurrentDirection) -> LSTM {
        LSTM {
            activation_alpha: vec![],
            activation_beta: vec![],
            activations: vec![],
            clip: None,
            direction,
            hidden_size: Some(32),
            input_forget: false,
            layout: false,
        }
    }

    #[test]
    fn infers_lstm() {
        let forward = lstm(RecurrentDirection::Forward);
        let both = lstm(RecurrentDirection::Bidirectional);
        let batch_first = LSTM { layout: true, hidden_size: None, ..both.clone() };
        let x = "float[T,B,16]";
        for (op, x, w, r, b, want) in [
            (
                &forward,
                x,
                "float[1,128,16]",
                "float[1,128,32]",
                "float[1,256]",
                "float[T,1,B,32] float[1,B,32] float[1,B,32]",
            ),
            (&both, x, "float[2,128,16]", "float[2,128,32]", "-", "float[T,2,B,32] float[2,B,32] float[2,B,32]"),
            (
                &batch_first,
                "float[B,T,16]",
                "float[2,128,16]",
                "float[2,128,32]",
                "-",
                "float[B,T,2,32] float[B,2,32] float[B,2,32]",
            ),
            (&forward, "float[..]", "?", "?", "-", "float[?,1,?,32] float[1,?,32] float[1,?,32]"),
            (
                &forward,
                x,
                "float[2,128,16]",
                "float[1,128,32]",
                "-",
                "the directions and the first dim of W: 1 and 2 must be equal",
            ),
            (
                &forward,
                x,
                "float[1,128,16]",
                "float[1,128,33]",
                "-",
                "attribute 'hidden_size' and the last dim of R: 32 and 33 must be equal",
            ),
            (
                &forward,
                x,
                "float[1,96,16]",
                "float[1,128,32]",
                "-",
                "4 times the hidden size and the second dim of W: 128 and 96 must be equal",
            ),
            (
                &forward,
                x,
                "float[1,128,15]",
                "float[1,128,32]",
                "-",
                "the features of x and the last dim of W: 16 and 15 must be equal",
            ),
            (
                &forward,
                x,
                "float[1,128,16]",
                "float[1,128,32]",
                "float[1,128]",
                "twice the gates times the hidden size and the second dim of B: 256 and 128 must be equal",
            ),
            (&forward, "float[T,16]", "float[1,128,16]", "float[1,128,32]", "-", "x must have rank 3, not 2"),
        ] {
            assert_eq!(infer(op, given![x, w, r, b]), want);
        }
        let (w, r) = ("float[1,128,16]", "float[1,128,32]");
        assert_eq!(
            infer(&forward, given![x, w, r, "-", "int32[4]", "float[1,4,32]"]),
            "float[T,1,4,32] float[1,4,32] float[1,4,32]"
        );
        assert_eq!(
            infer(&forward, given![x, w, r, "-", "-", "float[2,B,32]"]),
            "axis 0 of the state and of initial_h: 1 and 2 must be equal"
        );
        assert_eq!(macs(&forward, given![x, w, r]), "6144*B*T");
    }

    #[test]
    fn infers_the_others() {
        let gru = GRU {
            activation_alpha: vec![],
            activation_beta: vec![],
            activations: vec![],
            clip: None,
            direction: RecurrentDirection::Reverse,
            hidden_size: Some(8),
            layout: false,
            linear_before_reset: true,
        };
        let operands = ["float[T,B,4]", "float[1,24,4]", "float[1,24,8]"];
        assert_eq!(infer(&gru, operands.map(Into::into)), "float[T,1,B,8] float[1,B,8]");
        assert_eq!(macs(&gru, operands.map(Into::into)), "288*B*T");
        let rnn = RNN {
            activation_alpha: vec![],
            activation_beta: vec![],
            activations: vec![],
            clip: None,
            direction: RecurrentDirection::Forward,
            hidden_size: Some(8),
            layout: false,
        };
        let operands = ["float[T,B,4]", "float[1,8,4]", "float[1,8,8]"];
        assert_eq!(infer(&rnn, operands.map(Into::into)), "float[T,1,B,8] float[1,B,8]");
        assert_eq!(macs(&rnn, operands.map(Into::into)), "96*B*T");
    }
}
