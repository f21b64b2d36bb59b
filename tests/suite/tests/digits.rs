//! The shipped pipeline on the trained models of the repository: smaller, and the same predictions on labelled images.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use edgesmith_backend_tract::TractEngine;
use edgesmith_exec::ReferenceEngine;
use edgesmith_exec::seeded::Seeds;
use edgesmith_ir::OpKind;
use edgesmith_pass::{CheckMode, Verdict};

/// Images that the reference evaluator sees.
const FEW: usize = 50;
/// Nothing of these is left in a network of convolutions.
const GONE: [OpKind; 6] =
    [OpKind::BatchNormalization, OpKind::CastLike, OpKind::Expand, OpKind::Shape, OpKind::Identity, OpKind::Dropout];

/// Everything that is promised of one model.
fn holds(name: &str) {
    let source = common::model(name);

    // Checked where it was made, and as a whole on seeded inputs of two batches.
    let seeds = |seed, extent| Seeds { seed, extent, ..Seeds::default() }.inputs(&source, None).unwrap();
    let inputs = [seeds(1, 2), seeds(2, 3)];
    let mut result = source.clone();
    let report = common::run(&mut result, &common::lossless(), CheckMode::Full, &inputs);
    result.verify().unwrap();
    assert!(!report.has_failed_checks(), "{:?}", report.passes);
    let checked: u64 = report.passes.iter().map(|pass| pass.local_checks.checked).sum();
    let unchecked: Vec<_> = report.passes.iter().map(|pass| &pass.local_checks.not_checked).collect();
    let fired = report.passes.iter().any(|pass| !pass.rules.is_empty());
    assert!(!fired || checked > 0, "nothing was checked locally: {unchecked:?}");
    assert!(
        match &report.verdict {
            Verdict::Checked { largest_difference, inputs: 2, .. } => *largest_difference < 1e-4,
            // The newer exporter leaves nothing to fold in the small networks.
            Verdict::Unchanged => !fired,
            _ => false,
        },
        "{}",
        report.verdict
    );
    assert!(report.after.operators <= report.before.operators);

    // What was written is what was made.
    let bytes = common::export(&result);
    let written = common::import(bytes.clone());
    assert_eq!(common::interface(&written), common::interface(&source));
    let kinds = common::kinds(&written);
    if !name.contains("vit") {
        assert!(GONE.iter().all(|kind| !kinds.contains(kind)), "{kinds:?}");
    }

    // The same predictions, and good ones.
    let (images, labels) = common::digits();
    let few = common::first(&images, FEW);
    let reference = ReferenceEngine::default();
    let expected = common::predictions(&reference, &source, &few);
    assert_eq!(common::predictions(&reference, &written, &few), expected);
    let tract = TractEngine::default();
    let before = common::predictions(&tract, &source, &images);
    let after = common::predictions(&tract, &written, &images);
    assert_eq!(after.len(), labels.len());
    assert_eq!(after, before);
    assert_eq!(after[..FEW], expected, "the engines disagree");
    let right = after.iter().zip(&labels).filter(|(found, label)| found == label).count();
    assert!(right as f64 >= 0.97 * labels.len() as f64, "{right} of {}", labels.len());

    // Once is enough, and every run writes the same bytes.
    let mut again = source.clone();
    let local = common::run(&mut again, &common::lossless(), CheckMode::Local, &[]);
    assert!(!fired || matches!(local.verdict, Verdict::LocallyOnly { .. }), "{}", local.verdict);
    assert_eq!(common::export(&again), bytes, "two runs differ");
    let once_more = common::run(&mut again, &common::lossless(), CheckMode::Off, &[]);
    assert_eq!(once_more.verdict, Verdict::Unchanged, "{:?}", once_more.passes);
    assert_eq!(common::export(&again), bytes);
}

#[test]
fn mobilenet_from_dynamo() {
    holds("digits_mobilenet__dynamo_op20");
}
#[test]
fn mobilenet_from_torchscript() {
    holds("digits_mobilenet__legacy_op17");
}
#[test]
fn resnet_from_dynamo() {
    holds("digits_resnet__dynamo_op20");
}
#[test]
fn resnet_from_torchscript() {
    holds("digits_resnet__legacy_op17");
}
#[test]
fn vision_transformer_from_dynamo() {
    holds("digits_vit__dynamo_op20");
}
#[test]
fn vision_transformer_from_torchscript() {
    holds("digits_vit__legacy_op17");
}

/// The measure can fail: a model with one weight changed predicts something else.
#[test]
fn a_changed_weight_shows() {
    let source = common::model("digits_resnet__legacy_op17");
    let mut broken = source.clone();
    let (id, entry) =
        broken.tensors().max_by_key(|(_, entry)| entry.tensor.len()).map(|(id, e)| (id, e.clone())).unwrap();
    let negated: Vec<f32> = entry.tensor.view::<f32>().unwrap().iter().map(|x| -x).collect();
    let shape = entry.tensor.shape().to_vec();
    broken.tensor_entry_mut(id).tensor = edgesmith_ir::Tensor::from_slice(shape.as_slice(), &negated).unwrap();
    let images = common::first(&common::digits().0, FEW);
    let reference = ReferenceEngine::default();
    assert_ne!(common::predictions(&reference, &broken, &images), common::predictions(&reference, &source, &images));
}
