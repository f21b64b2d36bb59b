#![doc = include_str!("../README.md")]

mod affine;
mod channels;
mod fold_affine;
mod fold_batch_norm;
mod fold_gemm_scale;
mod fold_pad;
mod fold_scale_forward;
mod fold_transpose;
mod kernel;
mod merge_branches;
mod merge_convolutions;
mod merge_joined_products;
mod merge_matmul_add;
mod merge_parallel_products;
mod merge_products;
mod merge_scales;
mod move_scale;
mod raise;
mod sink;
mod target;
mod weights;

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
        let folding = RuleSet::new()
            .with(fold_batch_norm::FoldBatchNorm)
            .with(fold_affine::FoldAffine)
            .with(fold_pad::FoldPad)
            .with(fold_pad::FoldPadIntoPool)
            .with(merge_branches::MergeBranches)
            .with(merge_convolutions::MergeConvolutions)
            .with(merge_products::MergeProducts)
            .with(merge_joined_products::MergeJoinedProducts)
            .with(merge_parallel_products::MergeParallelProducts)
            .with(fold_scale_forward::FoldScaleForward)
            .with(merge_scales::MergeScales)
            .with(move_scale::MoveScale)
            .with(fold_transpose::FoldTranspose)
            .with(merge_matmul_add::MergeMatmulAdd)
            .with(fold_gemm_scale::FoldGemmScale);
        raise::with_rules(folding)
    }
}

impl PassSpec for Fusion {
    const INFO: PassInfo = PassInfo {
        name: "fusion",
        summary: "folds what is linear into weights, merges products and convolutions",
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
