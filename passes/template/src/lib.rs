#![doc = include_str!("../README.md")]

mod replace_division;

use edgesmith_ir::Model;
use edgesmith_pass::{Needs, Pass, PassCx, PassError, PassInfo, PassSpec, Registry};
use edgesmith_rewrite::{Fidelity, RuleInfo, RuleSet, drive};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use replace_division::ReplaceDivision;

/// Registers everything that this crate adds.
pub fn register(registry: &mut Registry) {
    registry.pass::<PassTemplate>();
}

/// Options of the pass, as a pipeline has them; an unknown one is an error at its line and column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Options {
    /// Also divisors that are no powers of two: the product then differs from the quotient in the last bit.
    pub rounding: bool,
    /// Divisors with more elements than this stay as they are, mapped in the source file.
    pub most_elements: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { rounding: false, most_elements: 65_536 }
    }
}

/// The pass.
pub struct PassTemplate {
    options: Options,
}

impl PassTemplate {
    fn rule_set(&self) -> RuleSet {
        let Options { rounding, most_elements } = self.options;
        RuleSet::new().with(ReplaceDivision { rounding, most_elements })
    }
}

impl PassSpec for PassTemplate {
    const INFO: PassInfo = PassInfo {
        name: "pass-template",
        summary: "divisions by constants become products",
        fidelity: Fidelity::ROUNDING,
        needs: Needs { calibration: false, static_shapes: false },
        docs: include_str!("../README.md"),
    };
    type Options = Options;

    fn new(options: Options) -> Self {
        Self { options }
    }
}

impl Pass for PassTemplate {
    fn rules(&self) -> Vec<RuleInfo> {
        self.rule_set().infos()
    }

    fn run(&self, model: &mut Model, cx: &mut PassCx<'_>) -> Result<(), PassError> {
        let outcome = drive(model, &self.rule_set(), &cx.driver)?;
        cx.add(outcome);
        Ok(())
    }
}
