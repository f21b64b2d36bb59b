#![doc = include_str!("../README.md")]

mod common_subexpressions;
mod dead_code;
mod duplicate_constants;
mod fold_constant_groups;
mod fold_constants;
mod fold_known_contents;
mod fold_within_savings;
mod inline_function;
mod inline_if;
mod inline_loop;
mod merge_casts;
mod merge_concats;
mod merge_reduction_axes;
mod merge_reshapes;
mod merge_sibling_slices;
mod merge_slices;
mod merge_transposes;
mod move_axes;
mod move_reshapes;
mod plain_initializers;
mod remove_empty_operand;
mod remove_neutral_condition;
mod remove_neutral_operand;
mod remove_no_op;
mod remove_zero_bias;
mod remove_zero_state;
mod repeated_in_regions;
mod resolve_cast_like;
mod resolve_reshape;
mod resolve_sequence;
mod shorten_shape;
mod skip_expand;
mod transposed_constants;
mod uniform;

use edgesmith_ir::Model;
use edgesmith_pass::{Event, Needs, Pass, PassCx, PassError, PassInfo, PassSpec, Registry, RuleOptions, Ruled};
use edgesmith_rewrite::{Fidelity, RuleInfo, RuleSet, drive};
use fold_within_savings::FoldWithinSavings;
use move_axes::{MoveTransposes, MoveUnitAxes};

/// Registers the pass.
pub fn register(registry: &mut Registry) {
    registry.pass::<Canonicalization>();
}

/// Options of the pass: which rules and steps run.
pub type Options = RuleOptions<Canonicalization>;

/// The pass.
pub struct Canonicalization {
    options: Options,
}

/// Rules and whole-graph steps feed each other; more rounds than this were never seen to be needed.
const MAX_ROUNDS: usize = 16;

/// A step over the whole graph; tells what became of operators and returns how much it changed.
type Step = fn(&mut Model, &mut dyn FnMut(Event)) -> u64;

/// Looks at the whole model, once nothing smaller is left to do, and gives a rule for what is worth doing; it may make the file so
/// many bytes larger.
type Choice = fn(&Model, u64) -> Option<RuleSet>;

const DUPLICATES: RuleInfo = RuleInfo {
    name: "merge-duplicate-constants",
    summary: "constants of equal type, shape and bytes become one",
    fidelity: Fidelity::Exact,
    manual: include_str!("../manual/merge-duplicate-constants.md"),
};
const TRANSPOSED: RuleInfo = RuleInfo {
    name: "merge-transposed-constants",
    summary: "a weight that is there plain and transposed is kept once; products read it by their flags",
    fidelity: Fidelity::ROUNDING,
    manual: include_str!("../manual/merge-transposed-constants.md"),
};
const SUBEXPRESSIONS: RuleInfo = RuleInfo {
    name: "merge-common-subexpressions",
    summary: "operators of equal attributes on equal operands become one",
    fidelity: Fidelity::Exact,
    manual: include_str!("../manual/merge-common-subexpressions.md"),
};
const DEAD_CODE: RuleInfo = RuleInfo {
    name: "remove-dead-code",
    summary: "operators, optional results, constants and captures that nobody reads",
    fidelity: Fidelity::Exact,
    manual: include_str!("../manual/remove-dead-code.md"),
};

const PLAIN_INITIALIZERS: RuleInfo = RuleInfo {
    name: "plain-initializers",
    summary: "initializers that are inputs too, where they are the weights of the model, are no inputs any more",
    fidelity: Fidelity::Exact,
    manual: include_str!("../manual/plain-initializers.md"),
};
const UNIT_AXES: RuleInfo = RuleInfo::of::<MoveUnitAxes>();
const TRANSPOSES: RuleInfo = RuleInfo::of::<MoveTransposes>();
const WITHIN_SAVINGS: RuleInfo = RuleInfo::of::<FoldWithinSavings>();

impl Ruled for Canonicalization {
    const STEPS: &'static [RuleInfo] =
        &[PLAIN_INITIALIZERS, DUPLICATES, TRANSPOSED, SUBEXPRESSIONS, DEAD_CODE, UNIT_AXES, TRANSPOSES, WITHIN_SAVINGS];

    fn all_rules() -> RuleSet {
        RuleSet::new()
            .with(fold_known_contents::FoldKnownContents)
            .with(fold_constants::FoldConstants)
            .with(fold_constants::FoldRoundedConstants)
            .with(fold_constant_groups::FoldConstantGroups)
            .with(inline_if::InlineIf)
            .with(inline_loop::InlineLoop)
            .with(inline_function::InlineFunction)
            .with(resolve_cast_like::ResolveCastLike)
            .with(remove_no_op::RemoveNoOp)
            .with(merge_casts::MergeCasts)
            .with(merge_concats::MergeConcats)
            .with(merge_concats::MergeSplitIntoConcat)
            .with(merge_reshapes::MergeReshapes)
            .with(merge_slices::MergeSlices)
            .with(merge_sibling_slices::MergeSiblingSlices)
            .with(merge_transposes::MergeTransposes)
            .with(merge_transposes::MergeReshapeIntoTranspose)
            .with(move_reshapes::MoveReshapes)
            .with(move_axes::FoldTransposeIntoReduction)
            .with(resolve_reshape::ResolveReshape)
            .with(resolve_sequence::ResolveSequence)
            .with(merge_reduction_axes::MergeReductionAxes)
            .with(merge_reduction_axes::MergeGlobalPoolAxes)
            .with(skip_expand::SkipExpand)
            .with(shorten_shape::ShortenShape)
            .with(remove_empty_operand::RemoveEmptyOperand)
            .with(remove_neutral_condition::RemoveNeutralCondition)
            .with(remove_neutral_operand::RemoveNeutralOperand)
            .with(remove_neutral_operand::RemoveZeroAddend)
            .with(remove_zero_bias::RemoveZeroBias)
            .with(remove_zero_state::RemoveZeroState)
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
        self.options.catalogue()
    }

    fn run(&self, model: &mut Model, cx: &mut PassCx<'_>) -> Result<(), PassError> {
        let rules = self.options.rule_set();
        let steps: [(RuleInfo, Step); 4] = [
            (DUPLICATES, |model, _| duplicate_constants::merge(model)),
            (TRANSPOSED, transposed_constants::merge),
            (SUBEXPRESSIONS, common_subexpressions::merge),
            (DEAD_CODE, dead_code::remove),
        ];
        let choices: [(RuleInfo, Choice); 3] = [
            (UNIT_AXES, |model, _| Some(RuleSet::new().with(MoveUnitAxes::choose(model)?))),
            (TRANSPOSES, |model, _| Some(RuleSet::new().with(MoveTransposes::choose(model)?))),
            (WITHIN_SAVINGS, |model, room| Some(RuleSet::new().with(fold_within_savings::choose(model, room)?))),
        ];
        if self.options.runs(PLAIN_INITIALIZERS.name) {
            let count = plain_initializers::make(model, &mut |remark| cx.remark(remark));
            cx.count(PLAIN_INITIALIZERS.name, count);
        }
        let before = fold_within_savings::size_of(model);
        let mut afresh = false;
        for _ in 0..MAX_ROUNDS {
            let outcome = drive(model, &rules, &cx.driver)?;
            let mut changed = !outcome.firings.is_empty();
            cx.add(outcome);
            for (info, step) in steps {
                if self.options.runs(info.name) {
                    let count = step(model, &mut |event| cx.event(event));
                    cx.count(info.name, count);
                    changed |= count > 0;
                }
            }
            if !changed {
                let room = before.saturating_sub(fold_within_savings::size_of(model));
                for (info, choose) in choices {
                    if !changed
                        && self.options.runs(info.name)
                        && let Some(chosen) = choose(model, room)
                    {
                        let outcome = drive(model, &chosen, &cx.driver)?;
                        changed = !outcome.firings.is_empty();
                        cx.add(outcome);
                    }
                }
            }
            if !changed {
                // A patch infers what is near it. What the operators that are left say as a whole comes last, as it would for
                // whoever reads the file.
                if afresh {
                    break;
                }
                afresh = true;
                model.infer_afresh();
            }
        }
        Ok(())
    }
}
