//! One Clip or Relu from several bounds in a row.

use edgesmith_ir::op::{Clip, Max, Min, Relu};
use edgesmith_ir::{DType, OpId, OpKind, Tensor, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName, Wire};

use super::pattern::{either, result, same_rank, saves, scalar, since};

/// Clip, Relu, Min and Max by constants are all `min(max(x, least), most)`, and so is one after the other.
pub(crate) struct RaiseClip;

impl Rewrite for RaiseClip {
    const NAME: RuleName = "raise-clip";
    const SUMMARY: &'static str = "Min, Max, Relu and Clip by constants in a row into one Clip or Relu";
    const ROOTS: &'static [OpKind] = &[OpKind::Clip, OpKind::Relu, OpKind::Min, OpKind::Max];
    // Numbers are the same; the sign of a zero at a bound of zero is open.
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../../manual/raise-clip.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        since(cx, 6)?;
        let old = result(cx, root)?;
        let Some(dtype) = cx.dtype(old).filter(|dtype| matches!(dtype, DType::F32 | DType::F16 | DType::F64)) else {
            return Err(Miss::NoMatch);
        };
        let mut bounds = Bounds::of(cx, root).ok_or(Miss::NoMatch)?;
        while let Some(before) =
            cx.graph().producer(bounds.x).filter(|_| cx.single_use(bounds.x)).and_then(|op| Bounds::of(cx, op))
        {
            bounds = bounds.after(&before);
        }
        let (x, least, most) = (bounds.x, bounds.least, bounds.most);
        // Before opset 11 the bounds were f32 attributes.
        let fits = |bound: f64| dtype != DType::F64 || f64::from(bound as f32) == bound;
        if since(cx, 11).is_err() && !(fits(least) && fits(most)) {
            return Err(Miss::NoMatch);
        }
        same_rank(cx, old, x)?;
        saves(cx, old, &[x], 1)?;
        let mut patch = Patch::new(cx);
        let clipped = if (least, most) == (0.0, f64::INFINITY) {
            patch.insert(Relu {}, [Some(x.into())])
        } else {
            let mut bound = |bound: f64| -> Match<Option<Wire>> {
                if bound.is_infinite() {
                    return Ok(None);
                }
                let known = bounds.seen.iter().find(|value| is_scalar(cx, **value, dtype, bound));
                if let Some(known) = known {
                    return Ok(Some((*known).into()));
                }
                let tensor = Tensor::from_f64(dtype, [].as_slice(), &[bound]).ok_or(Miss::NoMatch)?;
                Ok(Some(patch.constant(tensor)))
            };
            let operands = [Some(x.into()), bound(least)?, bound(most)?];
            patch.insert(Clip {}, operands)
        };
        patch.redefine(old, clipped);
        Ok(patch)
    }
}

/// A constant that Clip takes for this bound.
fn is_scalar(cx: &Cx<'_>, value: ValueId, dtype: DType, bound: f64) -> bool {
    cx.constant(value).is_some_and(|tensor| tensor.rank() == 0 && tensor.dtype() == dtype)
        && scalar(cx, value) == Some(bound)
}

/// `min(max(x, least), most)`.
struct Bounds {
    x: ValueId,
    least: f64,
    most: f64,
    /// The constants that it was read from.
    seen: Vec<ValueId>,
}

impl Bounds {
    fn of(cx: &Cx<'_>, op: OpId) -> Option<Self> {
        let (below, above) = (f64::NEG_INFINITY, f64::INFINITY);
        if let Ok(relu) = cx.op::<Relu>(op) {
            return Some(Self { x: relu.x(), least: 0.0, most: above, seen: Vec::new() });
        }
        let number = |value: ValueId| scalar(cx, value).filter(|bound| !bound.is_nan());
        if let Ok(clip) = cx.op::<Clip>(op) {
            let least = clip.min().map_or(Some(below), number)?;
            let most = clip.max().map_or(Some(above), number)?;
            return Some(Self {
                x: clip.input(),
                least,
                most,
                seen: clip.min().into_iter().chain(clip.max()).collect(),
            });
        }
        let of_two = |operands: &[Option<ValueId>]| {
            let [Some(a), Some(b)] = *operands else { return None };
            either(a, b).into_iter().find_map(|(x, bound)| Some((x, bound, number(bound)?)))
        };
        if let Ok(max) = cx.op::<Max>(op) {
            let (x, bound, least) = of_two(max.data_0())?;
            return Some(Self { x, least, most: above, seen: vec![bound] });
        }
        let (x, bound, most) = of_two(cx.op::<Min>(op).ok()?.data_0())?;
        Some(Self { x, least: below, most, seen: vec![bound] })
    }

    /// These bounds behind others.
    fn after(mut self, before: &Bounds) -> Self {
        let clip = |bound: f64| bound.max(self.least).min(self.most);
        let (least, most) = (clip(before.least), clip(before.most));
        self.seen.extend(&before.seen);
        Self { x: before.x, least, most, seen: self.seen }
    }
}
