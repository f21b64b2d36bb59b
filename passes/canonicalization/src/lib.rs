#![doc = include_str!("../README.md")]

mod common_subexpressions;
mod dead_code;
mod duplicate_constants;
mod fold_constants;
mod fold_known_contents;
mod inline_if;
mod merge_casts;
mod merge_reshapes;
mod merge_slices;
mod merge_transposes;
mod remove_neutral_operand;
mod remove_no_op;
mod remove_zero_bias;
mod resolve_cast_like;
mod resolve_reshape;

use edgesmith_ir::Model;
use edgesmith_pass::{Needs, Pass, PassCx, PassError, PassInfo, PassSpec, Registry};
use edgesmith_rewrite::{Fidelity, RuleInfo, RuleSet, drive};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Registers the pass.
pub fn register(registry: &mut Registry) {
    registry.pass::<Canonicalization>();
}

/// Options of the pass.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Options {
    /// Rules that do not run; also `merge-duplicate-constants`, `merge-common-subexpressions` and `remove-dead-code`.
    pub skip: Vec<String>,
}

/// The pass.
pub struct Canonicalization {
    options: Options,
}

/// Rules and whole-graph steps feed each other; more rounds than this were never seen to be needed.
const MAX_ROUNDS: usize = 8;

impl Canonicalization {
    fn runs(&self, name: &str) -> bool {
        !self.options.skip.iter().any(|skipped| skipped == name)
    }

    fn rule_set(&self) -> RuleSet {
        RuleSet::new()
            .with(fold_known_contents::FoldKnownContents)
            .with(fold_constants::FoldConstants)
            .with(fold_constants::FoldRoundedConstants)
            .with(inline_if::InlineIf)
            .with(resolve_cast_like::ResolveCastLike)
            .with(remove_no_op::RemoveNoOp)
            .with(merge_casts::MergeCasts)
            .with(merge_reshapes::MergeReshapes)
            .with(merge_slices::MergeSlices)
            .with(merge_transposes::MergeTransposes)
            .with(resolve_reshape::ResolveReshape)
            .with(remove_neutral_operand::RemoveNeutralOperand)
            .with(remove_neutral_operand::RemoveZeroAddend)
            .with(remove_zero_bias::RemoveZeroBias)
            .filtered(|name| self.runs(name))
    }
}

impl PassSpec for Canonicalization {
    const INFO: PassInfo = PassInfo {
        name: "canonicalization",
        summary: "folds constants and shapes, removes what does nothing, keeps equal things once",
        fidelity: Fidelity::ROUNDING,
        needs: Needs { calibration: false, static_shapes: false },
        docs: include_str!("../README.md"),
    };
    type Options = Options;

    fn new(options: Options) -> Self {
        Self { options }
    }
}

impl Pass for Canonicalization {
    fn rules(&self) -> Vec<RuleInfo> {
        self.rule_set().infos()
    }

    fn run(&self, model: &mut Model, cx: &mut PassCx<'_>) -> Result<(), PassError> {
        let rules = self.rule_set();
        for _ in 0..MAX_ROUNDS {
            let outcome = drive(model, &rules, &cx.driver)?;
            let mut changed = !outcome.firings.is_empty();
            cx.add(outcome);
            let mut step = |name: &str, run: fn(&mut Model) -> u64, model: &mut Model| {
                if self.runs(name) {
                    let count = run(model);
                    cx.count(name, count);
                    changed |= count > 0;
                }
            };
            step("merge-duplicate-constants", duplicate_constants::merge, model);
            step("merge-common-subexpressions", common_subexpressions::merge, model);
            step("remove-dead-code", dead_code::remove, model);
            if !changed {
                break;
            }
        }
        Ok(())
    }
}
