//! Operators: recurrent.

use super::operator;
use crate::F32;
use crate::attribute::attribute_enum;

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
    }
}

operator! {
    /// Long short-term memory over a sequence; gates in the order i, o, f, c.
    LSTM {
        operands { x: one, weight: one, recurrence: one, bias: maybe, sequence_lens: maybe, initial_h: maybe, initial_c: maybe, peephole: maybe }
        results { y: maybe, y_h: maybe, y_c: maybe }
        attributes { activation_alpha: Vec<F32>, activation_beta: Vec<F32>, activations: Vec<String>, clip: Option<F32>, direction: RecurrentDirection [RecurrentDirection::Forward], hidden_size: Option<i64>, input_forget: bool [false], layout: bool [false] }
        regions {  }
    }
}

operator! {
    /// Plain recurrent network over a sequence.
    RNN {
        operands { x: one, weight: one, recurrence: one, bias: maybe, sequence_lens: maybe, initial_h: maybe }
        results { y: maybe, y_h: maybe }
        attributes { activation_alpha: Vec<F32>, activation_beta: Vec<F32>, activations: Vec<String>, clip: Option<F32>, direction: RecurrentDirection [RecurrentDirection::Forward], hidden_size: Option<i64>, layout: bool [false] }
        regions {  }
    }
}
