//! What tract 0.23.9 is known to compute wrongly, or to panic on, one small model each: the engine gives what the
//! reference evaluator gives, or refuses and names the operator. It is never wrong, and it never panics.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, reason = "a test")]

mod common;

use common::{floats, values};
use edgesmith_backend_tract::TractEngine;
use edgesmith_exec::compare::close;
use edgesmith_exec::{Effort, Engine, EngineError, ReferenceEngine, Request, Values};
use edgesmith_ir::{Model, Tensor};
use edgesmith_ir_text::{NoWeights, parse_model};

const INF: f32 = f32::INFINITY;
const NAN: f32 = f32::NAN;

/// The operator set of all texts.
const HEADER: &str = r#"<ir_version: 10, opset_import: ["" : 23]> "#;

fn ints(shape: &[u64], data: &[i64]) -> Tensor {
    Tensor::from_slice(shape, data).unwrap()
}

/// Numbers between -1 and 1 that repeat nowhere near.
fn noise(shape: &[u64]) -> Tensor {
    let count: u64 = shape.iter().product();
    let data: Vec<f32> = (0..count).map(|k| ((k as f32 + 1.0) * 12.9898).sin()).collect();
    floats(shape, &data)
}

/// The answers of two runs of one session, which must not depend on each other.
fn answers(engine: &dyn Engine, model: &Model, inputs: &Values, effort: Effort) -> Result<Values, EngineError> {
    let request = Request { effort, ..Request::default() };
    let mut session = engine.prepare(model, &request)?.session()?;
    let first = session.run(inputs)?;
    let second = session.run(inputs)?;
    for (name, value) in &first {
        close(value, &second[name], 0.0, 0.0)
            .unwrap_or_else(|found| panic!("the second run differs: '{name}': {found}"));
    }
    Ok(first)
}

/// Every way to run the model gives what the evaluator gives, or an error that names one of its operators. With the
/// evaluator's help nothing is refused that can be computed.
#[track_caller]
fn right_or_refused(text: &str, inputs: &[(&str, Tensor)]) {
    for effort in [Effort::Once, Effort::Many] {
        check(text, inputs, effort);
    }
}

#[track_caller]
fn check(text: &str, inputs: &[(&str, Tensor)], effort: Effort) {
    let model = parse_model(&format!("{HEADER}{text}"), &NoWeights).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let inputs = values(inputs);
    let want = answers(&ReferenceEngine::default(), &model, &inputs, Effort::Once);
    let kinds: Vec<&str> = model.main_graph().unwrap().ops().map(|(_, data)| data.op().kind().name()).collect();
    for (who, engine) in [("alone", TractEngine::alone()), ("with the evaluator", TractEngine::default())] {
        let context = format!("{who}, {effort:?}: {text}");
        match (&want, answers(&engine, &model, &inputs, effort)) {
            (Ok(want), Ok(got)) => {
                for (name, value) in want {
                    close(value, &got[name], 1e-5, 1e-6).unwrap_or_else(|found| panic!("{context}\n'{name}': {found}"));
                }
            }
            (Err(error), Ok(_)) => panic!("{context}\nan answer where the evaluator says: {error}"),
            (want, Err(error)) => {
                let message = error.to_string();
                assert!(kinds.iter().any(|kind| message.contains(kind)), "{context}\nnames no operator: {message}");
                assert!(!engine.evaluator || want.is_err(), "{context}\nthe evaluator can: {message}");
            }
        }
    }
}

#[test]
fn recurrent_layers_in_every_direction_and_more_than_once() {
    let x = noise(&[5, 2, 3]);
    for (kind, gates, results) in [("LSTM", 4, "y, h, c"), ("GRU", 3, "y, h"), ("RNN", 1, "y, h")] {
        for (direction, count) in [("forward", 1), ("reverse", 1), ("bidirectional", 2)] {
            let text = format!(
                r#"g (float[5,2,3] x) => ({results})
                <float[{count},{rows},3] w = ["init": "uniform(seed=1, lo=-1, hi=1)"],
                 float[{count},{rows},4] r = ["init": "uniform(seed=2, lo=-1, hi=1)"],
                 float[{count},{both}] b = ["init": "uniform(seed=3, lo=-1, hi=1)"]>
                {{ {results} = {kind} <hidden_size = 4, direction = "{direction}"> (x, w, r, b) }}"#,
                rows = gates * 4,
                both = gates * 8,
            );
            right_or_refused(&text, &[("x", x.clone())]);
        }
    }
}

#[test]
fn recurrent_layers_of_sequences_that_end_early() {
    let text = r#"g (float[5,2,3] x, int32[2] lengths) => (y, h)
        <float[1,12,3] w = ["init": "uniform(seed=1, lo=-1, hi=1)"],
         float[1,12,4] r = ["init": "uniform(seed=2, lo=-1, hi=1)"]>
        { y, h = GRU <hidden_size = 4, direction = "reverse"> (x, w, r, "", lengths) }"#;
    let lengths = Tensor::from_slice([2_u64].as_slice(), &[5_i32, 2]).unwrap();
    right_or_refused(text, &[("x", noise(&[5, 2, 3])), ("lengths", lengths)]);
}

#[test]
fn states_of_a_scan_start_anew() {
    let text = r#"g (float[N] start, float[T,N] steps) => (last, all) {
        last, all = Scan <num_scan_inputs = 1, body = step (carried, float[N] item) => (out, copy) {
            out = Add (carried, item)
            copy = Identity (out)
        }> (start, steps)
    }"#;
    right_or_refused(text, &[("start", noise(&[3])), ("steps", noise(&[4, 3]))]);
}

#[test]
fn large_integers_stay_whole() {
    let large = ints(&[3], &[1 << 40, -(1 << 40), i64::MAX]);
    right_or_refused(
        "g (int64[3] x, int64[3] y) => (z) { z = Add (x, y) }",
        &[("x", large.clone()), ("y", ints(&[3], &[1, 1, 0]))],
    );
    right_or_refused("g (int64[3] x) => (y) { y = Cast <to = 11> (x) }", &[("x", large.clone())]);
    right_or_refused("g (int64[3] x) => (y) { y = Cast <to = 6> (x) }", &[("x", large.clone())]);
    right_or_refused(
        "g (int64[3] x) => (y) { f = Cast <to = 11> (x)\n y = Cast <to = 7> (f) }",
        &[("x", ints(&[3], &[1 << 40, -(1 << 52), 7]))],
    );
    right_or_refused("g (float[2] x) => (y) { y = Cast <to = 7> (x) }", &[("x", floats(&[2], &[1e10, -3e12]))]);
    right_or_refused(
        "g (int64[3] x) => (y) { s = Shape (x)\n y = Mul (s, x) }",
        &[("x", ints(&[3], &[1 << 40, 5, -(1 << 41)]))],
    );
}

#[test]
fn tails_of_log_softmax_and_softplus() {
    right_or_refused(
        "g (float[2,2] x) => (y) { y = LogSoftmax <axis = -1> (x) }",
        &[("x", floats(&[2, 2], &[0.0, 90.0, -500.0, 500.0]))],
    );
    right_or_refused(
        "g (float[6] x) => (y) { y = Softplus (x) }",
        &[("x", floats(&[6], &[-100.0, -20.0, -17.5, 0.0, 88.5, 100.0]))],
    );
}

#[test]
fn einsum_with_an_ellipsis_and_to_a_scalar() {
    let (a, b) = (noise(&[2, 3, 4]), noise(&[4, 5]));
    for equation in ["...ij,jk->...ik", "...ij,jk", "bij,jk->ik"] {
        let text =
            format!(r#"g (float[2,3,4] a, float[4,5] b) => (y) {{ y = Einsum <equation = "{equation}"> (a, b) }}"#);
        right_or_refused(&text, &[("a", a.clone()), ("b", b.clone())]);
    }
    for equation in ["ij->", "ij->j", "ij->ji", "ij", "ji"] {
        let text = format!(r#"g (float[4,5] b) => (y) {{ y = Einsum <equation = "{equation}"> (b) }}"#);
        right_or_refused(&text, &[("b", b.clone())]);
    }
    for equation in ["ii->i", "ii->", "ii"] {
        let text = format!(r#"g (float[4,4] b) => (y) {{ y = Einsum <equation = "{equation}"> (b) }}"#);
        right_or_refused(&text, &[("b", noise(&[4, 4]))]);
    }
}

#[test]
fn quantization_at_ties_and_beyond_the_range() {
    // Halves of a step, and what a product with the inverse of the scale gets wrong.
    let mut x: Vec<f32> = (-2000..2000).map(|k| k as f32 * 0.05).collect();
    x.extend([1e9, -1e9, INF, -INF, 12.75, 12.65, 25.35]);
    let count = x.len();
    for (scale, zero) in
        [("0.1", "uint8 z = {0}"), ("0.1", "int8 z = {-3}"), ("0.3", "uint8 z = {128}"), ("0.7", "int16 z = {5}")]
    {
        let text =
            format!("g (float[{count}] x) => (y) <float s = {{{scale}}}, {zero}> {{ y = QuantizeLinear (x, s, z) }}");
        right_or_refused(&text, &[("x", floats(&[count as u64], &x))]);
    }
    let text = format!("g (float[{count}] x) => (y, s, z) {{ y, s, z = DynamicQuantizeLinear (x) }}");
    let finite: Vec<f32> = x.iter().map(|x| if x.abs() < 1e3 { *x } else { 1.0 }).collect();
    right_or_refused(&text, &[("x", floats(&[count as u64], &finite))]);
}

#[test]
fn grid_samples_of_every_mode() {
    let grid: Vec<f32> = (0..36).map(|k| ((k as f32) * 0.37).sin() * 1.6).collect();
    for mode in ["linear", "nearest", "cubic"] {
        for padding in ["zeros", "border", "reflection"] {
            for align in [0, 1] {
                let text = format!(
                    r#"g (float[1,2,5,4] x, float[1,6,3,2] grid) => (y) {{
                      y = GridSample <mode = "{mode}", padding_mode = "{padding}", align_corners = {align}> (x, grid)
                    }}"#
                );
                right_or_refused(&text, &[("x", noise(&[1, 2, 5, 4])), ("grid", floats(&[1, 6, 3, 2], &grid))]);
            }
        }
    }
}

#[test]
fn slices_with_a_negative_step() {
    let x = noise(&[4]);
    for (start, end, step) in [(-10, -20, -1), (10, -10, -1), (3, i64::MIN, -2), (-1, 0, -1), (-9, 9, 1), (0, 3, -1)] {
        let constant = format!(
            "g (float[4] x) => (y) <int64[1] a = {{{start}}}, int64[1] b = {{{end}}}, int64[1] ax = {{0}}, int64[1] s = {{{step}}}>
             {{ y = Slice (x, a, b, ax, s) }}"
        );
        right_or_refused(&constant, &[("x", x.clone())]);
        let open = format!(
            "g (float[4] x, int64[1] a, int64[1] b) => (y) <int64[1] ax = {{0}}, int64[1] s = {{{step}}}> {{ y = Slice (x, a, b, ax, s) }}"
        );
        right_or_refused(&open, &[("x", x.clone()), ("a", ints(&[1], &[start])), ("b", ints(&[1], &[end]))]);
    }
}

/// Prepared for many runs, the engine is fast and knows no NaN here; see the README.
#[test]
fn not_a_number_stays_one_in_checks() {
    let x = floats(&[2, 4], &[NAN, -1.0, 2.0, 0.5, 3.0, NAN, INF, -INF]);
    for call in [
        "Relu (x)",
        "Celu <alpha = 2.0> (x)",
        "HardSigmoid (x)",
        "HardSwish (x)",
        "Sigmoid (x)",
        "Tanh (x)",
        "Elu (x)",
        "Selu (x)",
        "LeakyRelu (x)",
        "Softplus (x)",
        "Softsign (x)",
        "Mish (x)",
        "Swish (x)",
        "Gelu (x)",
        "ThresholdedRelu (x)",
        "Shrink (x)",
        "Clip (x, low, high)",
        "Clip (x, low)",
        "Sign (x)",
        "Abs (x)",
        "Round (x)",
        "Erf (x)",
        "Exp (x)",
        "Max (x, low)",
        "Min (x, low)",
        "Max (low, x)",
        "ReduceMax <keepdims = 0> (x)",
        "ReduceMin <keepdims = 0> (x)",
        "IsNaN (x)",
        "IsInf (x)",
    ] {
        let text = format!("g (float[2,4] x) => (y) <float low = {{-0.75}}, float high = {{0.75}}> {{ y = {call} }}");
        check(&text, &[("x", x.clone())], Effort::Once);
    }
}

#[test]
fn extrema_keep_what_is_not_a_number() {
    let (a, b) = (floats(&[4], &[NAN, 1.0, NAN, -INF]), floats(&[4], &[0.0, NAN, NAN, INF]));
    for kind in ["Max", "Min"] {
        let text = format!("g (float[4] a, float[4] b) => (y) {{ y = {kind} (a, b) }}");
        right_or_refused(&text, &[("a", a.clone()), ("b", b.clone())]);
    }
}

#[test]
fn pools_of_nothing_finite() {
    let x = floats(&[1, 1, 8], &[-INF, -INF, NAN, 1.0, 2.0, NAN, INF, -INF]);
    for call in [
        "MaxPool <kernel_shape = [2], strides = [2]> (x)",
        "MaxPool <kernel_shape = [3], pads = [2, 2]> (x)",
        "GlobalMaxPool (x)",
    ] {
        let text = format!("g (float[1,1,8] x) => (y) {{ y = {call} }}");
        check(&text, &[("x", x.clone())], Effort::Once);
        let nothing = floats(&[1, 1, 8], &[-INF; 8]);
        check(&text, &[("x", nothing)], Effort::Once);
    }
}

#[test]
fn softmax_of_infinities() {
    let x = floats(&[4, 2], &[INF, 0.0, -INF, 0.0, -INF, -INF, INF, INF]);
    for kind in ["Softmax", "LogSoftmax"] {
        let text = format!("g (float[4,2] x) => (y) {{ y = {kind} <axis = -1> (x) }}");
        right_or_refused(&text, &[("x", x.clone())]);
    }
}

#[test]
fn attention_with_masks_and_a_cache() {
    let (q, k) = (noise(&[1, 2, 3, 4]), noise(&[1, 2, 5, 4]));
    let mask = [false, false, false, false, false, true, false, true, true, false, true, true, true, true, true];
    let mask = Tensor::from_bools([3_u64, 5].as_slice(), &mask).unwrap();
    right_or_refused(
        "g (float[1,2,3,4] q, float[1,2,5,4] k, bool[3,5] mask) => (y) { y = Attention (q, k, k, mask) }",
        &[("q", q.clone()), ("k", k.clone()), ("mask", mask)],
    );
    let mask = floats(&[3, 5], &[vec![-INF; 5], vec![0.0, -INF, 1.0, 0.5, -INF], vec![0.0; 5]].concat());
    right_or_refused(
        "g (float[1,2,3,4] q, float[1,2,5,4] k, float[3,5] mask) => (y) { y = Attention (q, k, k, mask) }",
        &[("q", q.clone()), ("k", k.clone()), ("mask", mask)],
    );
    for causal in [0, 1] {
        let text = format!(
            r#"g (float[1,2,3,4] q, float[1,2,5,4] past) => (y, pk, pv) {{
              y, pk, pv = Attention <is_causal = {causal}> (q, q, q, "", past, past)
            }}"#
        );
        right_or_refused(&text, &[("q", q.clone()), ("past", k.clone())]);
    }
}

#[test]
fn ranges_of_floats_do_not_drift() {
    let scalar: [u64; 0] = [];
    let number = |x: f32| Tensor::from_slice(scalar.as_slice(), &[x]).unwrap();
    right_or_refused(
        "g (float[20001] x) => (y) <float a = {0.0}, float b = {2000.05}, float d = {0.1}> { r = Range (a, b, d)\n y = Sub (r, x) }",
        &[("x", floats(&[20001], &vec![0.0; 20001]))],
    );
    right_or_refused(
        "g (float a, float b, float d) => (y) { y = Range (a, b, d) }",
        &[("a", number(0.0)), ("b", number(1000.0)), ("d", number(0.1))],
    );
}

#[test]
fn indices_from_the_end_and_out_of_range() {
    let x = noise(&[3, 2]);
    for index in [0, -1, -3, 3, -4, i64::MIN] {
        let one = ints(&[1], &[index]);
        right_or_refused(
            "g (float[3,2] x, int64[1] i) => (y) { y = Gather <axis = 0> (x, i) }",
            &[("x", x.clone()), ("i", one.clone())],
        );
        right_or_refused(
            "g (float[3,2] x, int64[1] i) => (y) { y = GatherND (x, i) }",
            &[("x", x.clone()), ("i", one.clone())],
        );
        let at = ints(&[1, 1], &[index]);
        right_or_refused(
            "g (float[3,2] x, int64[1,1] i) => (y) { y = GatherElements <axis = 0> (x, i) }",
            &[("x", x.clone()), ("i", at.clone())],
        );
        right_or_refused(
            "g (float[3,2] x, int64[1,1] i, float[1,2] u) => (y) { y = ScatterND (x, i, u) }",
            &[("x", x.clone()), ("i", at.clone()), ("u", noise(&[1, 2]))],
        );
        right_or_refused(
            "g (float[3,2] x, int64[1,1] i, float[1,1] u) => (y) { y = ScatterElements <axis = 0> (x, i, u) }",
            &[("x", x.clone()), ("i", at.clone()), ("u", noise(&[1, 1]))],
        );
        let constant = format!("g (float[3,2] x) => (y) <int64[1] i = {{{index}}}> {{ y = Gather <axis = 0> (x, i) }}");
        right_or_refused(&constant, &[("x", x.clone())]);
    }
}

#[test]
fn integers_divided_by_zero_and_out_of_their_range() {
    let narrow = |data: &[i32]| Tensor::from_slice([data.len() as u64].as_slice(), data).unwrap();
    for kind in ["Div", "Mod"] {
        let text = format!("g (int32[2] a, int32[2] b) => (y) {{ y = {kind} (a, b) }}");
        right_or_refused(&text, &[("a", narrow(&[7, -7])), ("b", narrow(&[2, 0]))]);
        right_or_refused(&text, &[("a", narrow(&[i32::MIN, -7])), ("b", narrow(&[-1, 2]))]);
        let text = format!("g (int64[2] a, int64[2] b) => (y) {{ y = {kind} (a, b) }}");
        right_or_refused(&text, &[("a", ints(&[2], &[i64::MIN, -7])), ("b", ints(&[2], &[-1, 3]))]);
    }
    right_or_refused(
        "g (int64[1] a, int64[1] b) => (y) { y = Add (a, b) }",
        &[("a", ints(&[1], &[i64::MAX])), ("b", ints(&[1], &[1]))],
    );
    right_or_refused(
        "g (int32[3] a, int32[3] b) => (y) { y = Pow (a, b) }",
        &[("a", narrow(&[3, -2, 7])), ("b", narrow(&[4, 3, 40]))],
    );
    right_or_refused(
        "g (int32[6] a, int32[6] b) => (y) { y = Pow (a, b) }",
        &[("a", narrow(&[1, -1, -1, 2, -3, 5])), ("b", narrow(&[-1, -2, -3, -1, 3, 0]))],
    );
    right_or_refused("g (int64[2] a) => (y) <int64[2] b = {3, 62}> { y = Pow (a, b) }", &[("a", ints(&[2], &[-5, 2]))]);
    right_or_refused("g (int32[1] a) => (y) { y = Abs (a) }", &[("a", narrow(&[i32::MIN]))]);
    right_or_refused("g (int32[1] a) => (y) { y = Neg (a) }", &[("a", narrow(&[i32::MIN]))]);
    for amount in [0_u8, 1, 7, 8, 9, 255] {
        for direction in ["LEFT", "RIGHT"] {
            let text =
                format!(r#"g (uint8[1] a, uint8[1] b) => (y) {{ y = BitShift <direction = "{direction}"> (a, b) }}"#);
            let byte = |x: u8| Tensor::from_slice([1_u64].as_slice(), &[x]).unwrap();
            right_or_refused(&text, &[("a", byte(0b1011_0101)), ("b", byte(amount))]);
        }
    }
}

#[test]
fn padding_that_crops_or_wraps() {
    let x = noise(&[2, 4]);
    for mode in ["constant", "edge", "reflect", "wrap"] {
        for pads in ["{0, 1, 0, 2}", "{0, -1, 0, 2}", "{0, -1, 1, -2}", "{0, 3, 0, 3}", "{0, -4, 0, 0}"] {
            let text =
                format!(r#"g (float[2,4] x) => (y) <int64[4] p = {pads}> {{ y = Pad <mode = "{mode}"> (x, p) }}"#);
            right_or_refused(&text, &[("x", x.clone())]);
        }
    }
}

#[test]
fn windows_that_few_engines_agree_on() {
    let x = noise(&[1, 2, 7, 6]);
    for call in [
        r#"MaxPool <kernel_shape = [3, 2], auto_pad = "SAME_UPPER", dilations = [2, 2]> (x)"#,
        r#"MaxPool <kernel_shape = [3, 3], auto_pad = "SAME_LOWER", strides = [2, 2], dilations = [1, 2]> (x)"#,
        "MaxPool <kernel_shape = [3, 3], strides = [2, 2], ceil_mode = 1, pads = [1, 1, 1, 1]> (x)",
        "AveragePool <kernel_shape = [3, 3], strides = [2, 2], ceil_mode = 1, pads = [1, 1, 1, 1], count_include_pad = 1> (x)",
        r#"AveragePool <kernel_shape = [2, 3], auto_pad = "SAME_LOWER", dilations = [2, 1]> (x)"#,
        "LpPool <kernel_shape = [3, 2], p = 3, strides = [2, 1]> (x)",
        r#"LpPool <kernel_shape = [3, 2], auto_pad = "SAME_UPPER"> (x)"#,
        r#"ConvTranspose <auto_pad = "SAME_UPPER", strides = [2, 2]> (x, w)"#,
        r#"ConvTranspose <auto_pad = "SAME_LOWER", strides = [3, 2]> (x, w)"#,
        "ConvTranspose <strides = [2, 2], output_shape = [14, 13]> (x, w)",
        "ConvTranspose <strides = [2, 3], output_padding = [1, 2], dilations = [2, 1]> (x, w)",
    ] {
        let text = format!(
            r#"g (float[1,2,7,6] x) => (y) <float[2,3,3,2] w = ["init": "uniform(seed=4, lo=-1, hi=1)"]> {{ y = {call} }}"#
        );
        right_or_refused(&text, &[("x", x.clone())]);
    }
    for mode in ["nearest", "linear", "cubic"] {
        for transform in ["half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric"] {
            for nearest in ["round_prefer_floor", "ceil", "floor", "round_prefer_ceil"] {
                if mode != "nearest" && nearest != "floor" {
                    continue;
                }
                let text = format!(
                    r#"g (float[1,2,7,6] x) => (y) <float[4] s = {{1.0, 1.0, 1.7, 0.6}}> {{
                      y = Resize <mode = "{mode}", coordinate_transformation_mode = "{transform}", nearest_mode = "{nearest}"> (x, "", s)
                    }}"#
                );
                right_or_refused(&text, &[("x", x.clone())]);
            }
        }
    }
}

#[test]
fn branches_of_different_rank() {
    let text = r#"g (bool c, float[2,3] x) => (y) {
        y = If (c) <then_branch = a () => (p) { p = ReduceSum <keepdims = 0> (x) }, else_branch = b () => (q) { q = Identity (x) }>
    }"#;
    for condition in [true, false] {
        let scalar: [u64; 0] = [];
        let condition = Tensor::from_bools(scalar.as_slice(), &[condition]).unwrap();
        right_or_refused(text, &[("c", condition), ("x", noise(&[2, 3]))]);
    }
}
