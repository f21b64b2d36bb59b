//! Softplus from its guarded formulas.

use edgesmith_ir::op::{Abs, Add, Exp, Greater, GreaterOrEqual, Log, Neg, Softplus, Where};
use edgesmith_ir::{DType, OpId, OpKind, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

use super::pattern::{
    either, is_single_or_half, log_one_plus_exp_of, made_by, plus_constant, positive_part_of, result, same_rank, saves,
    scalar,
};

/// `max(x, 0) + log(1 + exp(−|x|))`, and a softplus beside which x itself stands where x is large.
pub(crate) struct RaiseSoftplus;

/// From here on `softplus(x) − x = log(1 + exp(−x)) < 4e-7`, less than half an ulp of x in f32.
const THRESHOLD: f64 = 15.0;

impl Rewrite for RaiseSoftplus {
    const NAME: RuleName = "raise-softplus";
    const SUMMARY: &'static str = "the guarded formulas of Softplus into Softplus";
    const ROOTS: &'static [OpKind] = &[OpKind::Add, OpKind::Where, OpKind::Log];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../../manual/raise-softplus.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let old = result(cx, root)?;
        let found = if let Ok(add) = cx.op::<Add>(root) {
            either(add.a(), add.b()).into_iter().find_map(|(part, log)| stable(cx, part, log))
        } else if let Ok(choice) = cx.op::<Where>(root) {
            guarded(cx, choice.condition(), choice.x(), choice.y())
        } else {
            // Part of a pattern that copes, or a remark for the user: the two differ where the exponential overflows.
            let x = log_one_plus_exp_of(cx, old).ok_or(Miss::NoMatch)?;
            is_single_or_half(cx, x)?;
            return cx.reject_unless(
                root,
                "log(1 + exp(x)) is infinite where the exponential overflows, and Softplus is not",
                "write it as a Softplus in the source",
            );
        };
        let x = found.ok_or(Miss::NoMatch)?;
        is_single_or_half(cx, x)?;
        same_rank(cx, old, x)?;
        saves(cx, old, &[x], 1)?;
        let mut patch = Patch::new(cx);
        let softplus = patch.insert(Softplus {}, [Some(x.into())]);
        patch.redefine(old, softplus);
        Ok(patch)
    }
}

/// `x` of `max(x, 0) + log(1 + exp(−|x|))`.
fn stable(cx: &Cx<'_>, part: ValueId, log: ValueId) -> Option<ValueId> {
    let x = positive_part_of(cx, part)?;
    let (exp, one) = plus_constant(cx, made_by::<Log>(cx, log)?.input())?;
    let negative = made_by::<Neg>(cx, made_by::<Exp>(cx, exp)?.input())?;
    (one == 1.0 && made_by::<Abs>(cx, negative.x())?.x() == x).then_some(x)
}

/// `x` of `x > threshold ? x : softplus(x)`.
fn guarded(cx: &Cx<'_>, condition: ValueId, large: ValueId, other: ValueId) -> Option<ValueId> {
    let (compared, threshold) = match (made_by::<Greater>(cx, condition), made_by::<GreaterOrEqual>(cx, condition)) {
        (Some(greater), _) => (greater.a(), greater.b()),
        (_, Some(greater)) => (greater.a(), greater.b()),
        _ => return None,
    };
    let x = match made_by::<Softplus>(cx, other) {
        Some(softplus) => softplus.x(),
        None => log_one_plus_exp_of(cx, other)?,
    };
    // An exponential must not overflow below the threshold.
    let most = match (made_by::<Softplus>(cx, other), cx.dtype(x)) {
        (Some(_), _) => f64::INFINITY,
        (None, Some(DType::F32)) => 80.0,
        _ => return None,
    };
    let threshold = scalar(cx, threshold)?;
    (x == large && x == compared && (THRESHOLD..=most).contains(&threshold)).then_some(x)
}
