//! Blessing writes pages in a folder; unblessed pages fail; a rule without a page fails.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use edgesmith_ir::op::Identity;
use edgesmith_ir::{Model, OpId, OpKind};
use edgesmith_pass::{Needs, Pass, PassCx, PassError, PassInfo, PassSpec, Registry, RuleOptions, Ruled};
use edgesmith_rewrite::{Cx, Fidelity, Match, Patch, Rewrite, RuleInfo, RuleName, RuleSet, drive};
use edgesmith_test_kit::trials;
use libtest_mimic::{Arguments, Conclusion};

const BLESSED: &str = "# forward\n\n## Fires\n\n```ir\ng (float[N] x) => (y) {\n  a = Identity (x)\n  y = Relu (a)\n}\n```\n\n```ir\ng (float[N] x) => (float[N] y) {\n  y = Relu (x)\n}\n```\n\n## Does not\n\n```ir\ng (float[N] x) => (y) {\n  y = Relu (x)\n}\n```\n";

struct Forward;

impl Rewrite for Forward {
    const NAME: RuleName = "forward";
    const SUMMARY: &'static str = "readers of an Identity read what it reads";
    const ROOTS: &'static [OpKind] = &[OpKind::Identity];
    const FIDELITY: Fidelity = Fidelity::Exact;
    const MANUAL: &'static str = BLESSED;

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let identity = cx.op::<Identity>(root)?;
        let mut patch = Patch::new(cx);
        patch.redefine(identity.output(), identity.input());
        Ok(patch)
    }
}

struct Forwarding(RuleOptions<Forwarding>);

impl Ruled for Forwarding {
    fn all_rules() -> RuleSet {
        RuleSet::new().with(Forward)
    }
}

impl PassSpec for Forwarding {
    const INFO: PassInfo = PassInfo {
        name: "forwarding",
        summary: "forwards",
        fidelity: Fidelity::Exact,
        needs: Needs { calibration: false, static_shapes: false },
        docs: "",
    };
    type Options = RuleOptions<Forwarding>;
    fn new(options: Self::Options) -> Self {
        Self(options)
    }
}

impl Pass for Forwarding {
    fn rules(&self) -> Vec<RuleInfo> {
        self.0.catalogue()
    }
    fn run(&self, model: &mut Model, cx: &mut PassCx<'_>) -> Result<(), PassError> {
        let outcome = drive(model, &self.0.rule_set(), &cx.driver)?;
        cx.add(outcome);
        Ok(())
    }
}

fn register(registry: &mut Registry) {
    registry.pass::<Forwarding>();
}

/// Passed and failed tests of a folder with this page.
fn run(page: &str, name: &str, bless: bool) -> (Conclusion, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(name);
    std::fs::write(&file, page).unwrap();
    // Tests that are meant to fail are no news.
    let log = folder.path().join("log").to_string_lossy().into_owned();
    let arguments = Arguments { test_threads: Some(1), logfile: Some(log), ..Arguments::default() };
    let conclusion = libtest_mimic::run(&arguments, trials(folder.path(), register, bless));
    (conclusion, std::fs::read_to_string(file).unwrap())
}

#[test]
fn a_blessed_page_passes_and_stays() {
    let (conclusion, page) = run(BLESSED, "forward.md", false);
    assert_eq!((conclusion.num_passed, conclusion.num_failed), (3, 0));
    assert_eq!(page, BLESSED);
    assert_eq!(run(BLESSED, "forward.md", true).1, BLESSED);
}

#[test]
fn blessing_adds_what_came_and_corrects_what_was_said() {
    let without = BLESSED.replace("```ir\ng (float[N] x) => (float[N] y) {\n  y = Relu (x)\n}\n```\n\n", "");
    assert_ne!(without, BLESSED);
    // Unblessed, the case fails, and the page is not the one in the binary.
    assert_eq!(run(&without, "forward.md", false).0.num_failed, 2);
    let (conclusion, page) = run(&without, "forward.md", true);
    assert_eq!((conclusion.num_failed, page.as_str()), (0, BLESSED));
    let wrong = BLESSED.replace("=> (float[N] y)", "=> (float[M] y)");
    assert_eq!(run(&wrong, "forward.md", false).0.num_failed, 2);
    assert_eq!(run(&wrong, "forward.md", true).1, BLESSED);
}

#[test]
fn a_rule_needs_a_page_of_its_name() {
    assert_eq!(run(BLESSED, "forwards.md", false).0.num_failed, 1);
}

#[test]
fn unknown_rules_in_options_are_errors_with_the_nearest_name() {
    let page = BLESSED.replace("## Does not\n", "## Does not\n\n```toml\nskip = [\"foward\"]\n```\n");
    let (_, page) = run(&page, "forward.md", true);
    assert!(
        page.contains(
            "```error\nin the options of 'forwarding': there is no rule 'foward'; did you mean 'forward'?\n```"
        ),
        "{page}"
    );
}
