//! Operators that a crate outside registers: read, typed, run, costed, printed, matched, written as functions, read again.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use bytes::Bytes;
use edgesmith_backend_tract::TractEngine;
use edgesmith_exec::{Engine, ReferenceEngine};
use edgesmith_frontend::NoExternalData;
use edgesmith_frontend_onnx::{Import, ImportOptions};
use edgesmith_ir::op::{Abs, Add, FunctionKey, Max, Mul, Sign, Sub};
use edgesmith_ir::{
    Decomposition, DecompositionError, F32, Model, Op, OpId, OpKind, Operators, Tensor, ValueId, ValueType,
    composite_operator,
};
use edgesmith_ir_text::{NoWeights, PrintOptions, parse_model, print_model};
use edgesmith_pass::{CheckMode, Registry, replace_tensors, weights};
use edgesmith_rewrite::{
    Cx, DriverOptions, Fidelity, LocalVerdict, Match, Patch, Rewrite, RuleName, RuleSet, Wire, drive,
};

composite_operator! {
    /// y = sign(x) · max(|x| − threshold, 0) + bias.
    SoftThreshold, view SoftThresholdView, "com.acme" version 2 "pulls every element towards zero" {
        operands { x: one, bias: maybe }
        results { y: one, magnitude: maybe }
        attributes { threshold: F32 [F32(0.5)], note: String [String::new()] }
        decompose: soft_threshold;
    }
}

fn soft_threshold(op: &SoftThreshold, body: &mut Decomposition<'_>) -> Result<Vec<ValueId>, DecompositionError> {
    let x = body.operand(0)?;
    let magnitude = body.insert(Abs {}, [x])?;
    let threshold = body.scalar_like(x, f64::from(op.threshold.0))?;
    let zero = body.scalar_like(x, 0.0)?;
    let rest = body.insert(Sub {}, [magnitude, threshold])?;
    let rest = body.insert(Max {}, [rest, zero])?;
    let sign = body.insert(Sign {}, [x])?;
    let y = body.insert(Mul {}, [sign, rest])?;
    let y = match body.maybe(1) {
        Some(bias) => body.insert(Add {}, [y, bias])?,
        None => y,
    };
    Ok(vec![y, magnitude])
}

fn registry() -> Registry {
    let mut registry = Registry::new();
    edgesmith_pass_canonicalization::register(&mut registry);
    edgesmith_pass_fusion::register(&mut registry);
    registry.operator::<SoftThreshold>();
    registry
}

fn import(bytes: Vec<u8>, operators: &Operators) -> Import {
    let options = ImportOptions { operators: operators.clone(), ..ImportOptions::default() };
    let read = edgesmith_frontend_onnx::import(Bytes::from(bytes), &NoExternalData, &options);
    read.unwrap_or_else(|error| panic!("{error}"))
}

/// A file with operators of the domain and no function that says what they mean.
fn file(text: &str) -> Vec<u8> {
    let model = parse_model(text, &NoWeights).unwrap_or_else(|error| panic!("{error}"));
    assert!(model.functions.is_empty());
    common::export(&model)
}

/// The same operator with other attributes, with a bias, in half precision, and inside a branch.
const FOUR: &str = r#"
<ir_version: 8, opset_import: ["" : 17, "com.acme" : 2]>
main (float[2,4] x, bool c) => (float[2,4] y, float[2,4] d, float16[2,4] h)
<float[4] bias = {1.0, 2.0, 3.0, 4.0}>
{
  a = com.acme.SoftThreshold (x)
  b, m = com.acme.SoftThreshold <threshold = 0.25> (a, bias)
  z = Add (b, m)
  d = com.acme.SoftThreshold <note = "the same again"> (z, "")
  y = If <then_branch = t () => (p) { p = com.acme.SoftThreshold <threshold = 0.125> (z) },
          else_branch = e () => (q) { q = Neg (z) }> (c)
  half = Cast <to = 10> (x)
  h = com.acme.SoftThreshold (half)
}"#;

const ONE: &str = r#"
<ir_version: 8, opset_import: ["" : 17, "com.acme" : 2]>
main (float[N,4] x) => (float[N,4] y)
{
  a = Relu (x)
  b = com.acme.SoftThreshold <threshold = 0.25> (a)
  y = Neg (b)
}"#;

fn calls(model: &Model) -> Vec<FunctionKey> {
    let mut keys = Vec::new();
    for id in model.live_graphs() {
        for (_, data) in model.graph(id).ops() {
            assert!(!matches!(data.op(), Op::Custom(_)), "{}", data.op().name());
            if let Op::Call(call) = data.op() {
                keys.push(call.function.clone());
            }
        }
    }
    keys
}

fn sample() -> Tensor {
    Tensor::from_slice([2_u64, 4].as_slice(), &[-1.0_f32, -0.5, -0.25, 0.0, 0.1, 0.25, 0.5, 2.0]).unwrap()
}

fn expected(threshold: f32) -> Vec<f32> {
    // ONE takes the positive part first and the negative of it last.
    let x = sample();
    x.view::<f32>().unwrap().iter().map(|x| -(x.max(0.0) - threshold).max(0.0)).collect()
}

#[test]
fn an_unknown_operator_becomes_typed_costed_and_runs() {
    let unknown = import(file(ONE), &Operators::new()).model;
    assert!(unknown.main_graph().unwrap().ops().any(|(_, data)| matches!(data.op(), Op::Custom(_))));
    let model = import(file(ONE), registry().operators()).model;
    assert_eq!(calls(&model).len(), 1);
    let graph = model.main_graph().unwrap();
    for (_, value) in graph.values() {
        assert_eq!(value.ty().to_string(), "float[N,4]", "{}", value.name());
    }
    let cost = model.cost();
    assert!(cost.by_kind.keys().any(|kind| kind == "SoftThreshold"), "{:?}", cost.by_kind.keys());
    for engine in [&ReferenceEngine::default() as &dyn Engine, &TractEngine::default()] {
        let outputs = common::outputs(engine, &model, &sample());
        let y = outputs["y"].as_tensor().unwrap();
        assert_eq!(y.view::<f32>().unwrap().as_ref(), expected(0.25), "{}", engine.name());
    }
}

#[test]
fn calls_share_a_function_only_where_it_says_the_same() {
    let model = import(file(FOUR), registry().operators()).model;
    let keys = calls(&model);
    assert_eq!(keys.len(), 5, "{keys:?}");
    // a and d are one function whatever the note says; the threshold, the bias and the element type make others.
    let distinct: std::collections::BTreeSet<_> = keys.iter().collect();
    assert_eq!(distinct.len(), 4, "{keys:?}");
    assert_eq!(model.functions.len(), 4);
    assert_eq!(model.opset("com.acme"), Some(2));
    for (_, value) in model.main_graph().unwrap().values() {
        assert_ne!(*value.ty(), ValueType::Unknown, "{}", value.name());
    }
}

#[test]
fn written_files_hold_functions_and_read_back_as_the_operator() {
    let registry = registry();
    for text in [ONE, FOUR] {
        let model = import(file(text), registry.operators()).model;
        let bytes = common::export(&model);
        // Without registration the file is whole: functions say what the operators mean.
        let plain = import(bytes.clone(), &Operators::new()).model;
        assert_eq!(calls(&plain), calls(&model));
        assert!(plain.functions.values().all(|function| !function.sealed && function.opsets[""] == 17));
        let known = import(bytes.clone(), registry.operators()).model;
        assert_eq!(calls(&known), calls(&model));
        assert!(known.functions.values().all(|function| function.sealed));
        assert_eq!(views(&known), views(&model));
        assert!(common::export(&known) == common::export(&plain), "knowing the operator changes nothing in the file");
    }
}

/// The thresholds that a rule would see in the main graph.
fn views(model: &Model) -> Vec<(F32, bool, usize)> {
    let main = model.main().unwrap();
    let ops = model.graph(main).ops();
    ops.filter_map(|(op, _)| {
        let cx = Cx::new(model, main, op, "test");
        let view = cx.composite::<SoftThreshold>(op).ok()?;
        Some((view.threshold, view.bias().is_some(), model.graph(main).value(view.x()).uses().len()))
    })
    .collect()
}

#[test]
fn the_text_holds_everything() {
    for text in [ONE, FOUR] {
        let model = import(file(text), registry().operators()).model;
        let printed = print_model(&model, &PrintOptions::default());
        let read = parse_model(&printed.text, &printed.weights).unwrap_or_else(|e| panic!("{e}\n{}", printed.text));
        assert_eq!(print_model(&read, &PrintOptions::default()).text, printed.text);
        assert_eq!(common::export(&read), common::export(&model));
    }
}

#[test]
fn the_shipped_pipeline_leaves_the_operator_what_it_is() {
    let registry = registry();
    let mut model = import(file(FOUR), registry.operators()).model;
    let before = calls(&model);
    let report = common::run(&mut model, &common::lossless(), CheckMode::Local, &[]);
    assert!(report.passes.iter().all(|pass| pass.dropped.is_none()));
    let mut after = calls(&model);
    let mut sorted = before.clone();
    sorted.sort();
    after.sort();
    assert_eq!(after, sorted);
    let written = import(common::export(&model), &Operators::new()).model;
    assert_eq!(calls(&written).len(), before.len(), "written as calls, not as their bodies");
}

/// A threshold of a threshold is one of the sum: sign and zero stay.
struct MergeThresholds;

impl Rewrite for MergeThresholds {
    const NAME: RuleName = "merge-thresholds";
    const SUMMARY: &'static str = "two thresholds in a row become one";
    const ROOTS: &'static [OpKind] = &[OpKind::Call];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let outer = cx.composite::<SoftThreshold>(root)?;
        let inner = cx.producer_composite::<SoftThreshold>(outer.x())?;
        if outer.bias().is_some() || inner.bias().is_some() || outer.result(1).is_some() || inner.result(1).is_some() {
            return cx.reject(root, "a bias or a magnitude stands between");
        }
        let sum = F32(outer.threshold.0 + inner.threshold.0);
        let mut patch = Patch::new(cx);
        let merged = SoftThreshold { threshold: sum, note: String::new() };
        let merged = patch.insert_composite(&merged, [Some(inner.x().into())], 1);
        patch.redefine(outer.y(), Wire::Result { op: merged, slot: 0 });
        Ok(patch)
    }
}

#[test]
fn rules_match_it_by_its_type_and_put_it_in() {
    let text = ONE.replace("y = Neg (b)", "b2 = com.acme.SoftThreshold (b)\n  y = Neg (b2)");
    let mut model = import(file(&text), registry().operators()).model;
    let rules = RuleSet::new().with(MergeThresholds);
    let outcome = drive(&mut model, &rules, &DriverOptions { fuel: None, check: true }).unwrap();
    assert_eq!(outcome.firings.len(), 1, "{:?}", outcome.remarks);
    assert!(matches!(outcome.firings[0].verdict, Some(LocalVerdict::Checked { .. })), "{:?}", outcome.firings);
    model.verify().unwrap();
    model.compact().unwrap();
    assert_eq!(views(&model), [(F32(0.75), false, 1)]);
    let written = import(common::export(&model), registry().operators()).model;
    assert_eq!(views(&written), [(F32(0.75), false, 1)]);
    let outputs = common::outputs(&ReferenceEngine::default(), &written, &sample());
    assert_eq!(outputs["y"].as_tensor().unwrap().view::<f32>().unwrap().as_ref(), expected(0.75));
}

#[test]
fn what_bears_the_name_but_is_another_is_carried_and_told() {
    let cases = [
        (ONE.replace("threshold = 0.25", "threshold = 1"), "attribute 'threshold' must be a float"),
        (ONE.replace("threshold = 0.25", "hardness = 1"), "there is no attribute 'hardness'"),
        (ONE.replace("> (a)", "> (a, a, a)"), "3 operands"),
        (ONE.replace("> (a)", "> (\"\", a)"), "operand 'x' is missing"),
        (ONE.replace("\"com.acme\" : 2", "\"com.acme\" : 1"), "version 1"),
    ];
    for (text, reason) in cases {
        let read = import(file(&text), registry().operators());
        let told: Vec<String> = read.diagnostics.iter().map(|d| d.message.clone()).collect();
        assert!(told.iter().any(|message| message.contains(reason)), "{told:?}");
        let graph = read.model.main_graph().unwrap();
        assert!(graph.ops().any(|(_, data)| matches!(data.op(), Op::Custom(_))));
    }
}

/// The body of a sealed function says what its operator means; what its calls read is no weight to edit.
#[test]
fn weights_inside_outside_operators_are_left_alone() {
    let text = r#"
<ir_version: 8, opset_import: ["" : 17, "my" : 1]>
main (float[2,2] x) => (float[2,2] y)
<float[2,2] w = {1.0, 2.0, 3.0, 4.0}>
{
  a = MatMul (x, w)
  y = my.Mix (a)
}
<domain: "my", opset_import: ["" : 17]>
Mix (p) => (q)
{
  v = Constant <value = float[2,2] {5.0, 6.0, 7.0, 8.0}> ()
  q = MatMul (p, v)
}"#;
    let mut model = import(file_with_functions(text), &Operators::new()).model;
    let open = weights(&model);
    assert_eq!(open.len(), 2);
    model.functions.values_mut().for_each(|function| function.sealed = true);
    let found = weights(&model);
    assert_eq!(found.iter().map(|weight| weight.tensor).collect::<Vec<_>>(), [open[0].tensor]);
    // Also where somebody asks for it: the body keeps its constant.
    let zeros = || Tensor::from_slice([2_u64, 2].as_slice(), &[0.0_f32; 4]).unwrap();
    replace_tensors(&mut model, open.iter().map(|weight| (weight.tensor, zeros())).collect());
    model.functions.values_mut().for_each(|function| function.sealed = false);
    let now = weights(&model);
    assert!(now[0].tensor != open[0].tensor && now[1].tensor == open[1].tensor);
}

fn file_with_functions(text: &str) -> Vec<u8> {
    common::export(&parse_model(text, &NoWeights).unwrap_or_else(|error| panic!("{error}")))
}
