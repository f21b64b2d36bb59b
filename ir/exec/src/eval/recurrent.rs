//! Evaluation: recurrent.

use super::{EvalCx, Evaluated};
use edgesmith_ir::op::{GRU, LSTM, RNN};

pub(super) fn gru(op: &GRU, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn lstm(op: &LSTM, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn rnn(op: &RNN, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}
