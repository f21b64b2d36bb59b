//! Wrong rules are caught: a sign, an axis, an epsilon. Each fault stands beside the same rule without it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use common::Builder;
use edgesmith_exec::seeded::Seeds;
use edgesmith_ir::op::{Add, BatchNormalization, Mul, Operator, Relu, Softmax, Sub, Transpose};
use edgesmith_ir::{DType, Dim, F32, Model, OpId, OpKind, Shape, Tensor, ValueType};
use edgesmith_pass::{CheckMode, Needs, Pass, PassCx, PassError, PassInfo, Pipeline, Step, Verdict};
use edgesmith_rewrite::{
    Cx, DriverOptions, Fidelity, LocalVerdict, Match, Miss, Patch, Rewrite, RuleInfo, RuleName, RuleSet, Severity,
    drive,
};

/// What is wrong with a rule.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    Nothing,
    Sign,
    Axis,
    Epsilon,
}

const RIGHT: u8 = Fault::Nothing as u8;
const SIGN: u8 = Fault::Sign as u8;
const AXIS: u8 = Fault::Axis as u8;
const EPSILON: u8 = Fault::Epsilon as u8;

/// `x − c` is `x + (−c)`.
struct SubToAdd<const FAULT: u8>;

impl<const FAULT: u8> Rewrite for SubToAdd<FAULT> {
    const NAME: RuleName = "test-sub-to-add";
    const SUMMARY: &'static str = "subtracting a constant becomes adding its negation";
    const ROOTS: &'static [OpKind] = &[OpKind::Sub];
    const FIDELITY: Fidelity = Fidelity::Exact;

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let sub = cx.op::<Sub>(root)?;
        let constant = cx.constant(sub.b()).ok_or(Miss::NoMatch)?;
        let sign = if FAULT == SIGN { 1.0 } else { -1.0 };
        let negated: Vec<f32> = constant.view::<f32>().map_err(|_| Miss::NoMatch)?.iter().map(|x| sign * x).collect();
        let mut patch = Patch::new(cx);
        let negated = patch.constant(Tensor::from_slice(constant.shape(), &negated).unwrap());
        let sum = patch.insert(Add {}, [Some(sub.a().into()), Some(negated)]);
        patch.redefine(sub.c(), sum);
        Ok(patch)
    }
}

/// Two transposes are one; the fault composes the permutations the wrong way round.
struct MergeTransposes<const FAULT: u8>;

impl<const FAULT: u8> Rewrite for MergeTransposes<FAULT> {
    const NAME: RuleName = "test-merge-transposes";
    const SUMMARY: &'static str = "two transposes in a row become one";
    const ROOTS: &'static [OpKind] = &[OpKind::Transpose];
    const FIDELITY: Fidelity = Fidelity::Exact;

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let outer = cx.op::<Transpose>(root)?;
        let inner = cx.producer::<Transpose>(outer.data())?;
        let (mut first, mut second) = (&inner.perm, &outer.perm);
        if FAULT == AXIS {
            std::mem::swap(&mut first, &mut second);
        }
        let perm = second.iter().map(|axis| first[*axis as usize]).collect();
        let mut patch = Patch::new(cx);
        let result = patch.insert(Transpose { perm }, [Some(inner.data().into())]);
        patch.redefine(outer.transposed(), result);
        Ok(patch)
    }
}

/// A softmax over a middle axis by way of transposes; the fault takes the last axis at once.
struct SoftmaxToLastAxis<const FAULT: u8>;

impl<const FAULT: u8> Rewrite for SoftmaxToLastAxis<FAULT> {
    const NAME: RuleName = "test-softmax-to-last-axis";
    const SUMMARY: &'static str = "a softmax over axis 1 of three becomes one over the last axis";
    const ROOTS: &'static [OpKind] = &[OpKind::Softmax];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let softmax = cx.op::<Softmax>(root)?;
        if softmax.axis != 1 {
            return Err(Miss::NoMatch);
        }
        let mut patch = Patch::new(cx);
        let result = if FAULT == AXIS {
            patch.insert(Softmax { axis: 2 }, [Some(softmax.input().into())])
        } else {
            let swapped = patch.insert(Transpose { perm: vec![0, 2, 1] }, [Some(softmax.input().into())]);
            let last = patch.insert(Softmax { axis: 2 }, [Some(swapped)]);
            patch.insert(Transpose { perm: vec![0, 2, 1] }, [Some(last)])
        };
        patch.redefine(softmax.output(), result);
        Ok(patch)
    }
}

/// A normalisation with constant statistics is a scale and a shift per channel; the faults forget ε or turn the sign of
/// the mean.
struct NormToAffine<const FAULT: u8>;

impl<const FAULT: u8> Rewrite for NormToAffine<FAULT> {
    const NAME: RuleName = "test-norm-to-affine";
    const SUMMARY: &'static str = "a BatchNormalization becomes a product and a sum";
    const ROOTS: &'static [OpKind] = &[OpKind::BatchNormalization];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let norm = cx.op::<BatchNormalization>(root)?;
        let read = |value| cx.constant(value).and_then(Tensor::to_f64).ok_or(Miss::NoMatch);
        let (s, b, mean, variance) =
            (read(norm.scale())?, read(norm.bias())?, read(norm.mean())?, read(norm.variance())?);
        let rank = cx.dims(norm.x()).ok_or(Miss::NoMatch)?.len();
        let epsilon = if FAULT == EPSILON { 0.0 } else { f64::from(norm.epsilon.0) };
        let sign = if FAULT == SIGN { 1.0 } else { -1.0 };
        let scale: Vec<f64> = s.iter().zip(&variance).map(|(s, v)| s / (v + epsilon).sqrt()).collect();
        let shift: Vec<f64> = (0..s.len()).map(|c| b[c] + sign * mean[c] * scale[c]).collect();
        let mut shape = vec![1_u64; rank - 1];
        shape[0] = s.len() as u64;
        let tensor = |x: &[f64]| Tensor::from_f64(DType::F32, shape.as_slice(), x).unwrap();
        let mut patch = Patch::new(cx);
        let (scale, shift) = (patch.constant(tensor(&scale)), patch.constant(tensor(&shift)));
        let product = patch.insert(Mul {}, [Some(norm.x().into()), Some(scale)]);
        let sum = patch.insert(Add {}, [Some(product), Some(shift)]);
        patch.redefine(norm.y(), sum);
        Ok(patch)
    }
}

fn float(dims: &[i64]) -> ValueType {
    ValueType::tensor(DType::F32, Shape::of(dims.iter().map(|n| Dim::Known(*n))))
}

fn subtraction() -> Model {
    let mut b = Builder::new();
    let x = b.input("x", float(&[2, 3]));
    let c = b.constant(&[3], &[0.5, -1.0, 2.0]);
    let h = b.op(Relu {}, &[x]);
    let y = b.op(Sub {}, &[h, c]);
    b.finish(&[y])
}

/// Equal extents, so that types do not give a wrong permutation away.
fn transposes() -> Model {
    let mut b = Builder::new();
    let x = b.input("x", float(&[3, 3, 3]));
    let h = b.op(Transpose { perm: vec![1, 2, 0] }, &[x]);
    let y = b.op(Transpose { perm: vec![0, 2, 1] }, &[h]);
    b.finish(&[y])
}

fn softmax() -> Model {
    let mut b = Builder::new();
    let x = b.input("x", float(&[2, 4, 4]));
    let y = b.op(Softmax { axis: 1 }, &[x]);
    b.finish(&[y])
}

/// A variance as trained networks have it.
fn normalization() -> Model {
    let mut b = Builder::new();
    let x = b.input("x", float(&[1, 2, 3, 3]));
    let (scale, bias) = (b.constant(&[2], &[1.0, 0.5]), b.constant(&[2], &[0.1, -0.2]));
    let (mean, variance) = (b.constant(&[2], &[0.3, -0.4]), b.constant(&[2], &[0.02, 0.05]));
    let op = BatchNormalization { epsilon: F32(1e-5), momentum: F32(0.9), training_mode: false };
    let y = b.op(op, &[x, scale, bias, mean, variance]);
    b.finish(&[y])
}

/// The pass that applies one rule.
struct TestPass(fn() -> RuleSet);

impl Pass for TestPass {
    fn rules(&self) -> Vec<RuleInfo> {
        (self.0)().infos()
    }
    fn run(&self, model: &mut Model, cx: &mut PassCx<'_>) -> Result<(), PassError> {
        let outcome = drive(model, &(self.0)(), &cx.driver)?;
        cx.add(outcome);
        Ok(())
    }
}

fn pipeline(rules: fn() -> RuleSet) -> Pipeline {
    let info =
        PassInfo { name: "test", summary: "one rule", fidelity: Fidelity::ROUNDING, needs: Needs::default(), docs: "" };
    Pipeline {
        steps: vec![Step {
            info,
            pass: Box::new(TestPass(rules)),
            options: toml::Table::new(),
            budget: None,
            spot: None,
        }],
        ..Pipeline::default()
    }
}

fn sites(model: &Model, kind: OpKind) -> Vec<String> {
    let id = model.main().unwrap();
    let of_kind = model.graph(id).ops().filter(|(_, data)| data.op().kind() == kind);
    of_kind.map(|(op, _)| model.op_label(id, op).to_string()).collect()
}

/// Rejected where it stands; unchecked, the whole model gives it away.
#[track_caller]
fn is_caught(source: &Model, wrong: fn() -> RuleSet, root: OpKind, rejected: &[String]) {
    let rule = wrong().infos()[0];

    let mut model = source.clone();
    let report = common::run(&mut model, &pipeline(wrong), CheckMode::Local, &[]);
    assert!(report.has_failed_checks());
    let errors: Vec<_> = report.passes[0].remarks.iter().filter(|remark| remark.severity == Severity::Error).collect();
    let found: Vec<String> = errors.iter().map(|remark| remark.site.to_string()).collect();
    assert_eq!(found, rejected);
    assert!(errors.iter().all(|remark| remark.rule == rule.name && remark.message.contains("local check failed")));
    assert_eq!(report.passes[0].local_checks.failed, rejected.len() as u64);
    assert_eq!(report.passes[0].rules.get(rule.name), None, "a change was made");
    assert_eq!(report.verdict, Verdict::Unchanged);
    assert_eq!(sites(&model, root), sites(source, root));

    let mut model = source.clone();
    let outcome = drive(&mut model, &wrong(), &DriverOptions { fuel: None, check: false }).unwrap();
    assert!(!outcome.firings.is_empty());
    model.verify().unwrap();
    let inputs = Seeds { extent: 2, ..Seeds::default() }.inputs(source, None).unwrap();
    let verdict = common::end_to_end(&[inputs]).check(source, &model, rule.fidelity).unwrap();
    assert!(matches!(verdict, Verdict::Differs { .. }), "{verdict}");
}

/// The same rule without the fault passes both checks.
#[track_caller]
fn is_accepted(source: &Model, right: fn() -> RuleSet, root: OpKind) {
    let rule = right().infos()[0];
    let count = sites(source, root).len();
    let mut model = source.clone();
    let outcome = drive(&mut model, &right(), &DriverOptions { fuel: None, check: true }).unwrap();
    assert!(!outcome.has_failed_checks(), "{:?}", outcome.remarks);
    assert!(outcome.firings.iter().all(|f| matches!(f.verdict, Some(LocalVerdict::Checked { .. }))));
    assert!(!outcome.firings.is_empty() && sites(&model, root).len() < count.max(2));

    let mut model = source.clone();
    let inputs = Seeds { extent: 2, ..Seeds::default() }.inputs(source, None).unwrap();
    let report = common::run(&mut model, &pipeline(right), CheckMode::Full, &[inputs]);
    assert!(matches!(report.verdict, Verdict::Checked { inputs: 1, .. }), "{} {}", rule.name, report.verdict);
}

#[test]
fn a_sign() {
    let model = subtraction();
    is_caught(&model, || RuleSet::new().with(SubToAdd::<SIGN>), Sub::KIND, &sites(&model, Sub::KIND));
    is_accepted(&model, || RuleSet::new().with(SubToAdd::<RIGHT>), Sub::KIND);
}

#[test]
fn an_axis_of_a_permutation() {
    let model = transposes();
    let outer = &sites(&model, Transpose::KIND)[1..];
    is_caught(&model, || RuleSet::new().with(MergeTransposes::<AXIS>), Transpose::KIND, outer);
    is_accepted(&model, || RuleSet::new().with(MergeTransposes::<RIGHT>), Transpose::KIND);
}

#[test]
fn an_axis_of_an_operator() {
    let model = softmax();
    let site = sites(&model, Softmax::KIND);
    is_caught(&model, || RuleSet::new().with(SoftmaxToLastAxis::<AXIS>), Softmax::KIND, &site);
    is_accepted(&model, || RuleSet::new().with(SoftmaxToLastAxis::<RIGHT>), Softmax::KIND);
}

#[test]
fn an_epsilon() {
    let model = normalization();
    let site = sites(&model, BatchNormalization::KIND);
    is_caught(&model, || RuleSet::new().with(NormToAffine::<EPSILON>), BatchNormalization::KIND, &site);
    is_accepted(&model, || RuleSet::new().with(NormToAffine::<RIGHT>), BatchNormalization::KIND);
}

/// In a trained network, every one of the places is named.
#[test]
fn a_sign_in_a_trained_network() {
    let model = common::model("digits_mobilenet__legacy_op17");
    let norms = sites(&model, BatchNormalization::KIND);
    assert!(norms.len() > 10);
    is_caught(&model, || RuleSet::new().with(NormToAffine::<SIGN>), BatchNormalization::KIND, &norms);
    let mut model = model;
    let right = RuleSet::new().with(NormToAffine::<RIGHT>);
    let outcome = drive(&mut model, &right, &DriverOptions { fuel: None, check: true }).unwrap();
    assert!(!outcome.has_failed_checks(), "{:?}", outcome.remarks);
    assert_eq!(outcome.firings.len(), norms.len());
    assert_eq!(sites(&model, BatchNormalization::KIND), Vec::<String>::new());
}
