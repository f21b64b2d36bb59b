//! Evaluation: signal.

use super::{EvalCx, Evaluated};
use edgesmith_ir::op::{BlackmanWindow, DFT, HammingWindow, HannWindow, MelWeightMatrix, STFT};

pub(super) fn blackman_window(op: &BlackmanWindow, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn dft(op: &DFT, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn hamming_window(op: &HammingWindow, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn hann_window(op: &HannWindow, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn mel_weight_matrix(op: &MelWeightMatrix, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}

pub(super) fn stft(op: &STFT, cx: &EvalCx<'_>) -> Evaluated {
    let _ = op;
    cx.unsupported("the operator")
}
