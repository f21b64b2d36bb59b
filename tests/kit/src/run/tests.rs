//! Every check of a case can fail: passes that are wrong in one way each.

use std::sync::atomic::{AtomicU32, Ordering};

use edgesmith_ir::op::{Neg, Operator, Relu};
use edgesmith_ir::{Model, OpKind, Tensor};
use edgesmith_pass::{Needs, Pass, PassCx, PassError, PassInfo, PassSpec, Registry};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleInfo, RuleName, RuleSet, drive};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::*;
use crate::case::cases;

/// What the demonstration pass does to a model.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Deed {
    #[default]
    Nothing,
    /// Relu becomes Neg, unchecked.
    Wrong,
    /// Every run doubles a constant and halves another.
    Restless,
    /// A new constant in every run.
    Dice,
    /// Every constant is rounded to halves.
    Coarse,
    Refuse,
    Panic,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Options {
    deed: Deed,
}

struct Demonstration<const APPROXIMATE: bool>(Options);

impl<const APPROXIMATE: bool> PassSpec for Demonstration<APPROXIMATE> {
    const INFO: PassInfo = PassInfo {
        name: "demonstration",
        summary: "does one thing wrong",
        fidelity: if APPROXIMATE { Fidelity::Approximate } else { Fidelity::Exact },
        needs: Needs { calibration: false, static_shapes: false },
        docs: "",
    };
    type Options = Options;
    fn new(options: Options) -> Self {
        Self(options)
    }
}

static DRAWN: AtomicU32 = AtomicU32::new(1);

impl<const APPROXIMATE: bool> Pass for Demonstration<APPROXIMATE> {
    fn rules(&self) -> Vec<RuleInfo> {
        RuleSet::new().with(ReluToNeg).infos()
    }
    fn run(&self, model: &mut Model, cx: &mut PassCx<'_>) -> Result<(), PassError> {
        let edit = |model: &mut Model, change: &dyn Fn(f32) -> f32| {
            let graph = model.main().unwrap();
            let constants: Vec<_> = model.graph(graph).values().map(|(id, _)| id).collect();
            for value in constants {
                let Some(tensor) = model.constant_of(graph, value) else { continue };
                let changed: Vec<f32> = tensor.view::<f32>().unwrap().iter().map(|x| change(*x)).collect();
                let id = model.add_tensor(Tensor::from_slice(tensor.shape(), &changed).unwrap());
                model.graph_mut(graph).redefine_constant(value, id);
            }
        };
        match self.0.deed {
            Deed::Nothing => {}
            Deed::Wrong => {
                let options = edgesmith_rewrite::DriverOptions { check: false, ..cx.driver };
                let outcome = drive(model, &RuleSet::new().with(ReluToNeg), &options)?;
                cx.add(outcome);
            }
            Deed::Restless => edit(model, &|x| -x),
            Deed::Dice => {
                let drawn = DRAWN.fetch_add(1, Ordering::Relaxed) as f32;
                edit(model, &|_| drawn);
            }
            Deed::Coarse => edit(model, &|x| (x * 2.0).round() / 2.0),
            Deed::Refuse => return Err(PassError::Refused("it does not want to".into())),
            Deed::Panic => panic!("on purpose"),
        }
        Ok(())
    }
}

struct ReluToNeg;

impl Rewrite for ReluToNeg {
    const NAME: RuleName = "relu-to-neg";
    const SUMMARY: &'static str = "wrong";
    const ROOTS: &'static [OpKind] = &[Relu::KIND];
    const FIDELITY: Fidelity = Fidelity::Exact;
    fn rewrite(&self, cx: &Cx<'_>, root: edgesmith_ir::OpId) -> Match<Patch> {
        let relu = cx.op::<Relu>(root).map_err(|_| Miss::NoMatch)?;
        let mut patch = Patch::new(cx);
        let result = patch.insert(Neg {}, [Some(relu.x().into())]);
        patch.redefine(relu.y(), result);
        Ok(patch)
    }
}

/// c appears twice with opposite effect, so that changing its sign changes nothing.
const EVEN: &str = "g (float[N] x) => (y) <float c = {2.0}> { a = Mul (x, c)\n y = Mul (a, c) }";

fn ran<const APPROXIMATE: bool>(deed: &str, model: &str) -> Result<Outcomes, String> {
    let mut registry = Registry::new();
    registry.pass::<Demonstration<APPROXIMATE>>();
    let page = format!("# Case\n```toml\ndeed = \"{deed}\"\n```\n```ir\n{model}\n```\n");
    run(&cases(&page).unwrap()[0], &registry).map(|ran| ran.outcomes)
}

#[track_caller]
fn fails(deed: &str, model: &str, with: &str) {
    let message = ran::<false>(deed, model).unwrap_err();
    assert!(message.contains(with), "{message}");
}

#[test]
fn nothing_comes_of_nothing() {
    assert_eq!(ran::<false>("nothing", EVEN).unwrap(), Outcomes::default());
}

#[test]
fn a_wrong_rewrite_is_seen_by_its_numbers() {
    fails("wrong", "g (float[N] x) => (y) { y = Relu (x) }", "the result computes something else: on ordinary inputs");
    // Without the operator there is nothing to do.
    assert_eq!(ran::<false>("wrong", EVEN).unwrap(), Outcomes::default());
}

#[test]
fn a_pass_must_come_to_rest() {
    fails("restless", EVEN, "the pass run once more changes the model");
}

#[test]
fn two_runs_must_agree() {
    fails("dice", EVEN, "two runs make two models");
}

#[test]
fn an_approximate_pass_reports_its_loss() {
    let model = "g (float[N] x) => (y) <float c = {2.1}> { y = Mul (x, c) }";
    fails("coarse", model, "the result computes something else");
    let [after, _, loss, ..] = ran::<true>("coarse", model).unwrap();
    assert!(after.unwrap().contains("float c = {2.0}"));
    let loss = loss.unwrap();
    assert!(loss.starts_with("y: 4.8e-2 of the largest magnitude, 26.4 dB"), "{loss}");
}

#[test]
fn refusals_are_outcomes_and_panics_are_not() {
    let [.., error] = ran::<false>("refuse", EVEN).unwrap();
    assert_eq!(error.unwrap(), "it does not want to\n");
    let [.., error] = ran::<false>("nothin", EVEN).unwrap();
    assert!(error.unwrap().starts_with("in the options of 'demonstration': unknown variant `nothin`"));
    fails("panic", EVEN, "it panicked: on purpose");
}

#[test]
fn models_that_are_wrong_are_not_run() {
    fails("nothing", "g (float[N] x) => (y) { y = Relu (z) }", "the model before cannot be read: line 1");
    fails("nothing", "g (float[2] x, float[3] z) => (y) { y = Add (x, z) }", "the model before is not well typed");
}

#[test]
fn what_the_page_says_is_compared() {
    let page = "# Case\n```ir\ng (float[N] x) => (y) { y = Relu (x) }\n```\n```remarks\nr\n```\n";
    let case = &cases(page).unwrap()[0];
    let found: Outcomes = [Some("m\n".into()), Some("r\n".into()), None, None, None];
    let text = disagreement(case, &found).unwrap();
    assert_eq!(text, "the model must stay as it is (there is no second block of 'ir'), but becomes:\n  + m\n");
    assert_eq!(disagreement(case, &[None, Some("r\n".into()), None, None, None]), None);
}
