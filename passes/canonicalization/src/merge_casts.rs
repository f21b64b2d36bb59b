//! Drops the first of two casts where it loses nothing.

use edgesmith_ir::op::Cast;
use edgesmith_ir::{DType, OpId, OpKind};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName};

/// `Cast(Cast(x))` where every element of x's type is one of the type between them.
pub(crate) struct MergeCasts;

impl Rewrite for MergeCasts {
    const NAME: RuleName = "merge-casts";
    const SUMMARY: &'static str = "two casts of which the first only widens";
    const ROOTS: &'static [OpKind] = &[OpKind::Cast];
    const FIDELITY: Fidelity = Fidelity::Exact;
    const MANUAL: &'static str = include_str!("../manual/merge-casts.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let outer = cx.op::<Cast>(root)?;
        let inner = cx.producer::<Cast>(outer.input())?;
        let from = cx.dtype(inner.input()).ok_or(Miss::NoMatch)?;
        if !widens(from, inner.to) || (from != inner.to && sees_type(from, inner.to, outer.to)) {
            return Err(Miss::NoMatch);
        }
        let mut patch = Patch::new(cx);
        let result = patch.insert((*outer).clone(), [Some(inner.input().into())]);
        patch.redefine(outer.output(), result);
        Ok(patch)
    }
}

/// Whether a cast gives something else for equal numbers of two types.
fn sees_type(from: DType, between: DType, to: DType) -> bool {
    // Text shows the type ("3" and "3.0"); numbers out of range wrap as integers and are undefined as floats.
    to == DType::String || (from.is_integer() && between.is_float() && to.is_integer() && !widens(from, to))
}

/// Whether every number of one type is exactly a number of the other.
fn widens(from: DType, to: DType) -> bool {
    let mantissa = |dtype: DType| match dtype {
        DType::F16 => 11,
        DType::BF16 => 8,
        DType::F32 => 24,
        DType::F64 => 53,
        _ => 0,
    };
    match (from, to) {
        _ if from == to => true,
        (DType::F16 | DType::BF16, DType::F32) | (DType::F16 | DType::BF16 | DType::F32, DType::F64) => true,
        // The one float type without a zero.
        (DType::Bool, DType::F8E8M0) => false,
        (DType::Bool, _) => to.is_integer() || to.is_float(),
        _ if from.is_integer() && to.is_float() => {
            from.bits() <= mantissa(to) && !(to == DType::F16 && from.bits() > 8)
        }
        _ if from.is_unsigned_integer() && to.is_integer() => from.bits() < to.bits(),
        _ if from.is_signed_integer() && to.is_signed_integer() => from.bits() < to.bits(),
        _ => false,
    }
}
