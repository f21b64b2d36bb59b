//! The numerical harness can fail: one weight, one attribute, one sign of a zero.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use edgesmith_ir::{Model, Tensor};
use edgesmith_ir_text::{NoWeights, parse_model};
use edgesmith_rewrite::Fidelity;
use edgesmith_test_kit::{Objection, assert_equivalent, equivalence};

fn network() -> Model {
    read(
        r#"g (float[N,1,6,6] x) => (y)
        <float[4,1,3,3] w = ["init": "uniform(seed=1, lo=-1, hi=1)"], float[64,3] v = ["init": "normal(seed=2)"]>
        { c = Conv (x, w)
          r = Relu (c)
          f = Flatten (r)
          y = Gemm (f, v) }"#,
    )
}

#[track_caller]
fn read(text: &str) -> Model {
    parse_model(text, &NoWeights).unwrap()
}

/// The model with one element of one weight moved by a factor.
fn perturbed(model: &Model, name: &str, element: usize, factor: f32) -> Model {
    let mut model = model.clone();
    let graph = model.main().unwrap();
    let value = model.graph(graph).values().find(|(_, row)| row.name().as_str() == name).unwrap().0;
    let tensor = model.constant_of(graph, value).unwrap();
    let mut elements = tensor.view::<f32>().unwrap().into_owned();
    elements[element] *= factor;
    let changed = Tensor::from_slice(tensor.shape(), &elements).unwrap();
    let id = model.add_tensor(changed);
    model.graph_mut(graph).redefine_constant(value, id);
    model
}

#[test]
fn a_model_is_equivalent_to_itself() {
    let found = assert_equivalent(&network(), &network(), Fidelity::Exact);
    assert!(found.runs >= 5, "{} runs", found.runs);
    assert!(found.outputs["y"].exact);
}

#[test]
fn one_perturbed_weight_is_seen() {
    let model = network();
    for (name, elements) in [("w", 36), ("v", 192)] {
        for element in (0..elements).step_by(5) {
            for (factor, fidelity) in [(2.0, Fidelity::ROUNDING), (1.01, Fidelity::Exact)] {
                let changed = perturbed(&model, name, element, factor);
                let objection = equivalence(&model, &changed, fidelity);
                assert!(
                    matches!(objection, Err(Objection::Differs { .. })),
                    "{name}[{element}] times {factor} is not seen: {objection:?}"
                );
            }
        }
    }
}

#[test]
fn rounding_is_allowed_where_it_is_declared() {
    let model = network();
    let changed = perturbed(&model, "v", 0, 1.000_001);
    assert_equivalent(&model, &changed, Fidelity::ROUNDING);
    let loss = equivalence(&model, &perturbed(&model, "v", 0, 2.0), Fidelity::Approximate).unwrap();
    assert!(loss.outputs["y"].relative > 1e-3);
}

#[test]
fn the_sign_of_a_zero_is_a_bit() {
    let before = read("g (float[N] x) => (y) <float c = {0.0}> { y = Add (x, c) }");
    let after = read("g (float[N] x) => (y) { y = Identity (x) }");
    assert!(matches!(equivalence(&before, &after, Fidelity::Exact), Err(Objection::Differs { .. })));
    assert_equivalent(&before, &after, Fidelity::ROUNDING);
}

#[test]
fn an_empty_batch_is_an_input() {
    let before = read("g (float[N,H,4] x) => (y) { y = Flatten (x) }");
    let after = read("g (float[N,H,4] x) => (y) <int64[2] s = {0, -1}> { y = Reshape (x, s) }");
    let Err(Objection::Differs { inputs, .. }) = equivalence(&before, &after, Fidelity::Exact) else { panic!() };
    assert_eq!(inputs, "ordinary inputs, symbolic dims at 0");
}

#[test]
fn another_name_or_shape_of_an_output_is_seen() {
    let before = read("g (float[2,2] x) => (y) { y = Relu (x) }");
    for after in [
        "g (float[2,2] x) => (z) { z = Relu (x) }",
        "g (float[2,2] x) => (y) { r = Relu (x)\n y = Flatten <axis = 0> (r) }",
    ] {
        assert!(matches!(equivalence(&before, &read(after), Fidelity::Approximate), Err(Objection::Differs { .. })));
    }
}

#[test]
fn what_cannot_run_is_not_called_equivalent() {
    let random = read("g (float[2] x) => (y) { r = RandomNormalLike (x)\n y = Add (x, r) }");
    assert!(matches!(equivalence(&random, &random, Fidelity::Exact), Err(Objection::NotRun(_))));
}
