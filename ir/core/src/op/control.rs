//! Operators: control.

use super::operator;

operator! {
    /// Runs one of two branches.
    If {
        operands { condition: one }
        results { outputs: many }
        attributes {  }
        regions { else_branch, then_branch }
    }
}

operator! {
    /// Repeats the body while a condition holds, up to a trip count.
    Loop {
        operands { trip_count: maybe, condition: maybe, initial: many }
        results { outputs: many }
        attributes {  }
        regions { body }
    }
}

operator! {
    /// Runs the body over slices of the scan inputs, carrying state.
    Scan {
        operands { initial_state_and_scan_inputs: many }
        results { final_state_and_scan_outputs: many }
        attributes { num_scan_inputs: i64 [required], scan_input_axes: Vec<i64>, scan_input_directions: Vec<i64>, scan_output_axes: Vec<i64>, scan_output_directions: Vec<i64> }
        regions { body }
    }
}
