//! What the shipped pipeline leaves alone is what it would leave alone in a file that was read anew.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use edgesmith_ir::Model;
use edgesmith_ir_text::{NoWeights, parse_model};
use edgesmith_pass::CheckMode;

fn optimised(mut model: Model) -> Model {
    common::run(&mut model, &common::lossless(), CheckMode::Off, &[]);
    model
}

/// A loop widens what it carries, so that inference cannot tell the width; it runs once. Far behind it a reshape says what is there
/// anyway.
fn far_from_its_cause(length: usize) -> String {
    let chain: String = (0..length).map(|k| format!("c{} = Exp (c{k})\n", k + 1)).collect();
    format!(
        "g (float[N,4] x) => (y) <int64 once = {{1}}, int64[2] shape = {{0, 8}}>
        {{
          c0 = Loop <body = body (int64 i, bool go, float[N,M] state) => (go_on, wider) {{
            go_on = Identity (go)
            wider = Concat <axis = 1> (state, x)
          }}> (once, \"\", x)
          {chain}
          same = Reshape (c{length}, shape)
          y = Exp (same)
        }}"
    )
}

#[test]
fn sizes_that_one_change_made_known_reach_every_reader() {
    // A patch tells those near it what it found out; the chains are longer than that.
    for length in [10, 300, 700] {
        let model = optimised(parse_model(&far_from_its_cause(length), &NoWeights).unwrap());
        let main = *model.entries.values().next().unwrap();
        let left: Vec<_> = model.graph(main).ops().map(|(_, data)| data.op().name().to_string()).collect();
        assert!(!left.iter().any(|kind| kind == "Reshape"), "of {length}: {left:?}");
    }
}

#[test]
fn transposes_between_islands_go_with_one_of_them() {
    let chain: String = (0..60)
        .map(|k| format!("a{k} = Transpose <perm = [1, 0]> (x{k})\nx{} = {} (a{k})\n", k + 1, ["Exp", "Sin"][k % 2]))
        .collect();
    let text = format!("g (float[2,3] x0) => (x60) {{ {chain} }}");
    let model = optimised(parse_model(&text, &NoWeights).unwrap());
    let main = *model.entries.values().next().unwrap();
    assert_eq!(model.graph(main).ops().count(), 60, "every pair of transposes cancels");
}
