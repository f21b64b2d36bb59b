//! Losses against figures worked out by hand, weights by kind of operator, budgets.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use edgesmith_exec::{InMemory, Labelled, ReferenceEngine, Value, Values};
use edgesmith_ir::{Model, Name, Tensor};
use edgesmith_ir_text::{NoWeights, parse_model};
use edgesmith_pass::{Budget, Decibels, Measuring, replace_tensors, weights};

fn model(text: &str) -> Model {
    parse_model(text, &NoWeights).unwrap()
}

fn data(rows: &[[f32; 2]]) -> InMemory {
    InMemory::new(rows.iter().map(|row| {
        let tensor = Tensor::from_slice([1, 2].as_slice(), row).unwrap();
        Values::from_iter([(Name::from("x"), Value::Tensor(tensor))])
    }))
}

const TWO_LAYERS: &str = "g (float[N,2] x) => (y)
<float[2,2] a = {1.0, 0.0, 0.0, 1.0}, float[2,2] b = {1.0, 0.0, 0.0, 1.0}>
{
  h = MatMul (x, a)
  y = MatMul (h, b)
}";

/// The model with other weights: half of the first layer, one column of the second.
fn edited(a: [f32; 4], b: [f32; 4]) -> (Model, Model) {
    let before = model(TWO_LAYERS);
    let mut after = before.clone();
    let tensors = weights(&after);
    let tensor = |x: [f32; 4]| Tensor::from_slice([2, 2].as_slice(), &x).unwrap();
    replace_tensors(&mut after, vec![(tensors[0].tensor, tensor(a)), (tensors[1].tensor, tensor(b))]);
    (before, after)
}

#[test]
fn a_layer_is_measured_alone_and_in_the_model() {
    let (before, after) = edited([0.5, 0.0, 0.0, 0.5], [1.0, 0.0, 0.0, 0.0]);
    let (engine, samples) = (ReferenceEngine::default(), data(&[[3.0, 4.0], [6.0, 8.0]]));
    let measuring = Measuring { engines: vec![&engine], calibration: Some(&samples), labelled: None };
    let loss = measuring.loss(&before, &after, true);
    assert_eq!((loss.samples, loss.not_measured.len()), (2, 0), "{:?}", loss.not_measured);
    let names: Vec<&str> = loss.layers.iter().map(|layer| layer.layer.as_str()).collect();
    assert_eq!(names, ["y", "h"], "the worst first");
    let near = |found: f64, wanted: f64| assert!((found - wanted).abs() < 1e-9, "{found} is not {wanted}");
    let figures = |k: usize| (loss.layers[k].isolated.unwrap(), loss.layers[k].accumulated.unwrap());
    // h: everything halved. Noise is a quarter of the power, the direction stays.
    let (alone, together) = figures(1);
    near(alone.sqnr.0, 10.0 * 4.0_f64.log10());
    near(alone.cosine, 1.0);
    assert_eq!(alone, together, "nothing was lost before it");
    // y: (3, 4) becomes (3, 0) alone, (1.5, 0) after the halving.
    let (alone, together) = figures(0);
    near(alone.sqnr.0, 10.0 * (25.0_f64 / 16.0).log10());
    near(alone.cosine, 0.6);
    near(together.sqnr.0, 10.0 * (25.0_f64 / 18.25).log10());
    near(together.cosine, 0.6);
    assert_eq!(loss.outputs[0].figures, together);
}

#[test]
fn what_becomes_no_number_is_lost() {
    let (before, after) = edited([f32::NAN, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 1.0]);
    let (engine, samples) = (ReferenceEngine::default(), data(&[[3.0, 4.0]]));
    let measuring = Measuring { engines: vec![&engine], calibration: Some(&samples), labelled: None };
    let figures = measuring.loss(&before, &after, false).outputs[0].figures;
    assert_eq!((figures.sqnr, figures.cosine), (Decibels(f64::NEG_INFINITY), 0.0));
    let same = measuring.loss(&before, &before.clone(), true);
    assert_eq!((same.outputs[0].figures.sqnr, same.layers.len()), (Decibels(f64::INFINITY), 0));
    assert_eq!(serde_json::to_value(figures.sqnr).unwrap(), "-inf");
}

#[test]
fn accuracy_counts_what_is_lost_and_won() {
    let (before, after) = edited([1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 1.0, 0.0]);
    let samples = data(&[[1.0, 0.0], [0.0, 1.0], [2.0, 1.0]]);
    let labelled = Labelled { data: std::sync::Arc::new(samples), labels: [0, 0, 0].into() };
    let engine = ReferenceEngine::default();
    let measuring = Measuring { engines: vec![&engine], calibration: None, labelled: Some(&labelled) };
    let (was, is) = (measuring.predictions(&before), measuring.predictions(&after));
    assert_eq!(was, Some(Ok(vec![0, 1, 0])));
    let mut loss = measuring.loss(&before, &after, true);
    measuring.add_top1(&mut loss, was.as_ref(), is.as_ref());
    let top1 = loss.top1.unwrap();
    assert_eq!((top1.before, top1.after, top1.lost, top1.won, top1.agree), (2, 1, 2, 1, 0));
    assert!((top1.drop() - 100.0 / 3.0).abs() < 1e-9);
    assert!(loss.not_measured[0].contains("--calibration"), "{:?}", loss.not_measured);
    let budget = |limit| Budget { top1_drop: Some(limit), ..Budget::default() };
    assert!(budget(33.4).broken_by(&loss).is_empty());
    assert_eq!(budget(33.0).broken_by(&loss).len(), 1);
    // What could not be measured does not count as kept.
    assert_eq!(Budget { cosine: Some(0.1), ..Budget::default() }.broken_by(&loss).len(), 1);
}

#[test]
fn weights_of_a_region_are_said_to_be_unmeasured() {
    let text = "g (bool c, float[1,2] x) => (y)
<float[2,2] a = {1.0, 0.0, 0.0, 1.0}, float[2,2] b = {3.0, 0.0, 0.0, 1.0}>
{
  y = If (c) <then_branch = t () => (p) { p = MatMul (x, a) }, else_branch = e () => (q) { q = MatMul (x, b) }>
}";
    let before = model(text);
    let mut after = before.clone();
    let found = weights(&after);
    assert_eq!(found.len(), 2, "weights inside of regions are weights");
    let zero = Tensor::from_slice([2, 2].as_slice(), &[0.0_f32; 4]).unwrap();
    // The one of the branch that runs.
    let run = found.iter().find(|weight| before.tensor(weight.tensor).view::<f32>().unwrap()[0] == 1.0).unwrap();
    replace_tensors(&mut after, vec![(run.tensor, zero)]);
    let mut values = data(&[[3.0, 4.0]]).batches;
    values[0].values.insert("c".into(), Value::Tensor(Tensor::from_bools([].as_slice(), &[true]).unwrap()));
    let (engine, samples) = (ReferenceEngine::default(), InMemory { batches: values });
    let measuring = Measuring { engines: vec![&engine], calibration: Some(&samples), labelled: None };
    let loss = measuring.loss(&before, &after, true);
    assert!(loss.layers.is_empty());
    assert!(loss.not_measured.iter().any(|what| what.contains("cannot be tapped")), "{:?}", loss.not_measured);
    assert_eq!(loss.outputs[0].figures.cosine, 0.0);
}

#[test]
fn the_axis_of_the_inputs_follows_the_operator() {
    let axis = |text: &str| -> Vec<(usize, usize, u64)> {
        let weights = weights(&model(text));
        weights.iter().flat_map(|w| w.readers.iter().map(|r| (r.slot, r.inputs, r.groups))).collect()
    };
    let gemm = |attributes: &str, operands: &str| {
        axis(&format!(
            "g (float[4,4] x) => (y) <float[4,4] w = {{1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0, 4.0}}> {{ y = Gemm {attributes} ({operands}) }}"
        ))
    };
    assert_eq!(gemm("", "x, w"), [(1, 0, 1)]);
    assert_eq!(gemm("<transB = 1>", "x, w"), [(1, 1, 1)]);
    assert_eq!(gemm("", "w, x"), [(0, 1, 1)]);
    assert_eq!(gemm("<transA = 1>", "w, x"), [(0, 0, 1)]);
    assert_eq!(gemm("", "w, w"), [], "a product of two constants has no weight");
    let transposed = axis(
        "g (float[1,4,3,3] x) => (y) <float[4,1,1,1] w = {1.0, 2.0, 3.0, 4.0}> { y = ConvTranspose <group = 2> (x, w) }",
    );
    assert_eq!(transposed, [(1, 0, 2)]);
}
