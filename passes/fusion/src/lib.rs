#![doc = include_str!("../README.md")]

mod affine;
mod fold_affine;
mod fold_batch_norm;
mod fold_pad;
mod target;

use edgesmith_ir::Model;
use edgesmith_pass::{Needs, Pass, PassCx, PassError, PassInfo, PassSpec, Registry, RuleOptions, Ruled};
use edgesmith_rewrite::{Fidelity, RuleInfo, RuleSet, drive};

/// Registers the pass.
pub fn register(registry: &mut Registry) {
    registry.pass::<Fusion>();
}

/// Options of the pass: which rules run.
pub type Options = RuleOptions<Fusion>;

/// The pass.
pub struct Fusion {
    options: Options,
}

impl Ruled for Fusion {
    fn all_rules() -> RuleSet {
        RuleSet::new().with(fold_batch_norm::FoldBatchNorm).with(fold_affine::FoldAffine).with(fold_pad::FoldPad)
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
        self.options.catalogue()
    }

    fn run(&self, model: &mut Model, cx: &mut PassCx<'_>) -> Result<(), PassError> {
        let outcome = drive(model, &self.options.rule_set(), &cx.driver)?;
        cx.add(outcome);
        Ok(())
    }
}
