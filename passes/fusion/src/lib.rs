#![doc = include_str!("../README.md")]

mod affine;
mod fold_affine;
mod fold_batch_norm;
mod fold_pad;
mod target;

use edgesmith_ir::Model;
use edgesmith_pass::{Needs, Pass, PassCx, PassError, PassInfo, PassSpec, Registry};
use edgesmith_rewrite::{Fidelity, RuleInfo, RuleSet, drive};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Registers the pass.
pub fn register(registry: &mut Registry) {
    registry.pass::<Fusion>();
}

/// Options of the pass.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Options {
    /// Rules that do not run.
    pub skip: Vec<String>,
}

/// The pass.
pub struct Fusion {
    options: Options,
}

impl Fusion {
    fn rule_set(&self) -> RuleSet {
        RuleSet::new()
            .with(fold_batch_norm::FoldBatchNorm)
            .with(fold_affine::FoldAffine)
            .with(fold_pad::FoldPad)
            .filtered(|name| !self.options.skip.iter().any(|skipped| skipped == name))
    }
}

impl PassSpec for Fusion {
    const INFO: PassInfo = PassInfo {
        name: "fusion",
        summary: "folds normalisation, scale and shift into the weights before them",
        fidelity: Fidelity::ROUNDING,
        needs: Needs { calibration: false, static_shapes: false },
        docs: include_str!("../README.md"),
    };
    type Options = Options;

    fn new(options: Options) -> Self {
        Self { options }
    }
}

impl Pass for Fusion {
    fn rules(&self) -> Vec<RuleInfo> {
        self.rule_set().infos()
    }

    fn run(&self, model: &mut Model, cx: &mut PassCx<'_>) -> Result<(), PassError> {
        let outcome = drive(model, &self.rule_set(), &cx.driver)?;
        cx.add(outcome);
        Ok(())
    }
}
