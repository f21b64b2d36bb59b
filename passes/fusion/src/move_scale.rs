//! Moves scale and shift through operators that only move elements, and one factor through products of activations, into the
//! weight that the elements come from.

use edgesmith_ir::op::{BatchNormalization, Gather, MatMul, Slice, Split};
use edgesmith_ir::{Def, Op, OpId, OpKind, User, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName, Wire};

use crate::affine::{Affine, ByConstant};
use crate::channels::Channels;
use crate::target::Target;

/// c · q with q = transpose(reshape(x · W + b)) is transpose(reshape(x · (c · W) + c · b)); and c · (q · k) = (c · q) · k.
pub(crate) struct MoveScale;

/// At most so many operators lie between the scale and the weight.
const LONGEST: usize = 12;
/// A shape that more operators than these may lie before is taken to depend on the weight.
const MOST_BEFORE: usize = 64;

impl Rewrite for MoveScale {
    const NAME: RuleName = "move-scale";
    const SUMMARY: &'static str =
        "scale and shift through reshapes, transposes and splits into the weights before them";
    const ROOTS: &'static [OpKind] = &[OpKind::Mul, OpKind::Div, OpKind::Add, OpKind::Sub, OpKind::BatchNormalization];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../manual/move-scale.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        if let Ok(norm) = cx.op::<BatchNormalization>(root) {
            let route = Route::to(cx, norm.x())?;
            if !cx.single_use(norm.x()) || route.axis(cx)? != 1 {
                return Err(Miss::NoMatch);
            }
            // Behind a product without a bias an Add takes the place of the normalisation, and the reshapes around that meet.
            return route.patch(cx, &Affine::of_batch_norm(cx, norm)?, norm.y());
        }
        let by = ByConstant::of(cx, root)?;
        if !cx.same_dims(by.value, by.result) || !cx.single_use(by.value) {
            return Err(Miss::NoMatch);
        }
        let before = cx.graph().producer(by.value).ok_or(Miss::NoMatch)?;
        let Ok(factor) = by.factor() else {
            let route = Route::to(cx, by.value)?;
            let rank = cx.dims(by.value).ok_or(Miss::NoMatch)?.len();
            let affine = by.affine(rank, route.axis(cx)?, route.target.channels)?;
            if affine.shifts() && !route.target.takes_shift() {
                return Err(Miss::NoMatch);
            }
            return route.patch(cx, &affine, by.result);
        };
        if cx.graph().op(before).op().kind() != OpKind::MatMul {
            return Route::to(cx, by.value)?.scaled(cx, factor, by.result);
        }
        let product = cx.op::<MatMul>(before)?;
        for (slot, operand) in [product.a(), product.b()].into_iter().enumerate() {
            // The scale moves before the product where it surely vanishes there.
            if !cx.single_use(operand) || Route::to(cx, operand).and_then(|r| r.scaled(cx, factor, by.result)).is_err()
            {
                continue;
            }
            let mut patch = Patch::new(cx);
            let scale = cx.graph().op(root).op().clone();
            let scaled = patch.insert(scale, [Some(operand.into()), Some(by.constant.into())]);
            let mut operands = [Some(product.a().into()), Some(product.b().into())];
            operands[slot] = Some(scaled);
            let result = patch.insert_like(before, MatMul {}, operands);
            patch.redefine(by.result, result);
            return Ok(patch);
        }
        Err(Miss::NoMatch)
    }
}

/// The operators between a weight and a value, the first behind the weight first.
struct Route<'m> {
    target: Target<'m>,
    steps: Vec<Step>,
}

/// An operator on the way, and which of its results goes on.
struct Step {
    op: OpId,
    slot: usize,
    from: ValueId,
    to: ValueId,
    takes: Option<Part>,
}

/// What a step takes of its operand along an axis.
struct Part {
    axis: usize,
    start: i64,
    end: i64,
}

impl<'m> Route<'m> {
    /// The route to a value that one operand reads.
    fn to(cx: &Cx<'m>, value: ValueId) -> Match<Self> {
        let mut steps: Vec<Step> = Vec::new();
        let mut value = value;
        let mut parted = false;
        while steps.len() < LONGEST {
            let Def::Result { op, slot } = cx.graph().value(value).def() else { return Err(Miss::NoMatch) };
            let data = cx.graph().op(op);
            let takes = match data.op().kind() {
                OpKind::Reshape
                | OpKind::Transpose
                | OpKind::Squeeze
                | OpKind::Unsqueeze
                | OpKind::Flatten
                | OpKind::Identity => None,
                OpKind::Gather | OpKind::Split | OpKind::Slice if !parted => Some(part(cx, op, slot as usize)?),
                _ => break,
            };
            cx.look_at(op);
            let from = data.operand(0).ok_or(Miss::NoMatch)?;
            match &takes {
                None if !cx.single_use(from) => return Err(Miss::NoMatch),
                Some(part) => {
                    alone(cx, from, op, part)?;
                    parted = true;
                }
                None => {}
            }
            steps.push(Step { op, slot: slot as usize, from, to: value, takes });
            value = from;
        }
        steps.reverse();
        let target = match Target::producing(cx, value) {
            Err(Miss::Rejected(_)) | Ok(Target { kind: crate::target::Kind::ConvTranspose(_), .. }) => {
                return Err(Miss::NoMatch);
            }
            other => other?,
        };
        // With no step between, fold-affine does it.
        if steps.is_empty() {
            return Err(Miss::NoMatch);
        }
        let shared = crate::weights::is_shared(cx, target.weight, target.weight_tensor);
        // Other operands of the steps (shapes) must not depend on what changes.
        let others = steps.iter().flat_map(|step| cx.graph().op(step.op).operands().iter().skip(1).flatten());
        if shared || others.into_iter().any(|value| depends(cx, *value, target.op)) {
            return Err(Miss::NoMatch);
        }
        Ok(Self { target, steps })
    }

    /// Where the channels lie after so many steps.
    fn channels(&self, cx: &Cx<'_>, steps: usize) -> Match<Channels> {
        let mut channels = Channels::on(self.target.axis, self.target.channels);
        for step in &self.steps[..steps] {
            let (from, to) = (cx.dims(step.from).ok_or(Miss::NoMatch)?, cx.dims(step.to).ok_or(Miss::NoMatch)?);
            match cx.graph().op(step.op).op() {
                Op::Transpose(transpose) => channels.transpose(&transpose.perm, from.len()).ok_or(Miss::NoMatch)?,
                _ => channels.regroup(from, to).ok_or(Miss::NoMatch)?,
            }
        }
        Ok(channels)
    }

    /// The axis that holds all channels at the end of the route, if one does.
    fn axis(&self, cx: &Cx<'_>) -> Match<usize> {
        if self.steps.iter().any(|step| step.takes.is_some()) {
            return Err(Miss::NoMatch);
        }
        self.channels(cx, self.steps.len())?.axis().ok_or(Miss::NoMatch)
    }

    /// The patch that multiplies what comes to the end of the route by one number: all channels, or the part that is taken.
    fn scaled(&self, cx: &Cx<'_>, factor: f64, old: ValueId) -> Match<Patch> {
        let count = self.target.channels;
        let scale = match self.steps.iter().enumerate().find_map(|(at, step)| Some((at, step.takes.as_ref()?))) {
            None => vec![factor; count],
            Some((at, part)) => {
                let taken = self.channels(cx, at)?.taken(part.axis, part.start, part.end).ok_or(Miss::NoMatch)?;
                taken.iter().map(|taken| if *taken { factor } else { 1.0 }).collect()
            }
        };
        self.patch(cx, &Affine { scale, shift: vec![0.0; count] }, old)
    }

    /// The patch that maps the channels before the route and goes the same way to `old`.
    fn patch(&self, cx: &Cx<'_>, affine: &Affine, old: ValueId) -> Match<Patch> {
        let mut patch = Patch::new(cx);
        let mut wire = self.target.insert(cx, affine, &mut patch)?;
        for step in &self.steps {
            let data = cx.graph().op(step.op);
            let mut operands = vec![Some(wire)];
            operands.extend(data.operands().iter().skip(1).map(|operand| operand.map(Wire::from)));
            let at = patch.insert_many(step.op, data.op().clone(), operands, data.results().len());
            // The other parts come from the new weight too.
            if step.takes.is_some() {
                for other in others(cx, step) {
                    let data = cx.graph().op(other);
                    let mut operands = vec![Some(wire)];
                    operands.extend(data.operands().iter().skip(1).map(|operand| operand.map(Wire::from)));
                    let part = patch.insert_like(other, data.op().clone(), operands);
                    patch.redefine(data.result(0).ok_or(Miss::NoMatch)?, part);
                }
                for (slot, result) in data.results().iter().enumerate() {
                    if let Some(result) = result.filter(|_| slot != step.slot) {
                        patch.redefine(result, Wire::Result { op: at, slot });
                    }
                }
            }
            wire = Wire::Result { op: at, slot: step.slot };
        }
        patch.redefine(old, wire);
        Ok(patch)
    }
}

/// Whether a value depends on an operator, or may.
fn depends(cx: &Cx<'_>, value: ValueId, on: OpId) -> bool {
    let order = cx.graph().op(on).order();
    let mut stack: Vec<OpId> = cx.graph().producer(value).into_iter().collect();
    let mut seen: Vec<OpId> = Vec::new();
    while let Some(op) = stack.pop() {
        if op == on || seen.len() > MOST_BEFORE {
            return true;
        }
        // Order grows along paths, so what comes before does not depend on what comes after.
        if cx.graph().op(op).order() >= order && !seen.contains(&op) {
            seen.push(op);
            stack.extend(cx.graph().op(op).operands().iter().flatten().filter_map(|value| cx.graph().producer(*value)));
        }
    }
    false
}

/// The other operators that take parts of what a step takes one of.
fn others(cx: &Cx<'_>, step: &Step) -> Vec<OpId> {
    let readers = cx.graph().value(step.from).uses().iter().filter_map(|reader| match reader.user {
        User::Op(op) if op != step.op => Some(op),
        _ => None,
    });
    readers.collect()
}

/// The part that an operator takes of its operand.
fn part(cx: &Cx<'_>, op: OpId, slot: usize) -> Match<Part> {
    let axis_of = |axis: i64, rank: usize| {
        let axis = if axis < 0 { axis + rank as i64 } else { axis };
        usize::try_from(axis).ok().filter(|axis| *axis < rank).ok_or(Miss::NoMatch)
    };
    let operand = cx.graph().op(op).operand(0).ok_or(Miss::NoMatch)?;
    let dims = cx.dims(operand).ok_or(Miss::NoMatch)?;
    let extent = |axis: usize| dims[axis].known().ok_or(Miss::NoMatch);
    match cx.graph().op(op).op() {
        Op::Gather(gather) => {
            let view = cx.op::<Gather>(op)?;
            let axis = axis_of(gather.axis, dims.len())?;
            let indices = cx.constant(view.indices()).and_then(edgesmith_ir::Tensor::to_ints).ok_or(Miss::NoMatch)?;
            let [index] = indices.as_slice() else { return Err(Miss::NoMatch) };
            let start = if *index < 0 { index + extent(axis)? } else { *index };
            Ok(Part { axis, start, end: start + 1 })
        }
        Op::Split(split) => {
            let view = cx.op::<Split>(op)?;
            let axis = axis_of(split.axis, dims.len())?;
            let lengths: Vec<i64> = match view.split() {
                Some(lengths) => cx.ints(lengths).ok_or(Miss::NoMatch)?,
                None => {
                    let count = cx.graph().op(op).results().len() as i64;
                    let length = extent(axis)?.checked_div(count).ok_or(Miss::NoMatch)?;
                    if length * count != extent(axis)? {
                        return Err(Miss::NoMatch);
                    }
                    vec![length; count as usize]
                }
            };
            let start = lengths.get(..slot).ok_or(Miss::NoMatch)?.iter().sum();
            Ok(Part { axis, start, end: start + lengths.get(slot).ok_or(Miss::NoMatch)? })
        }
        Op::Slice(_) => {
            let view = cx.op::<Slice>(op)?;
            let one = |value: Option<ValueId>| match value.and_then(|value| cx.ints(value))?.as_slice() {
                [only] => Some(*only),
                _ => None,
            };
            let (Some(start), Some(end), Some(axis)) =
                (one(Some(view.starts())), one(Some(view.ends())), one(view.axes()))
            else {
                return Err(Miss::NoMatch);
            };
            if view.steps().is_some_and(|steps| one(Some(steps)) != Some(1)) {
                return Err(Miss::NoMatch);
            }
            let axis = axis_of(axis, dims.len())?;
            let extent = extent(axis)?;
            let clamp = |at: i64| if at < 0 { at.saturating_add(extent).max(0) } else { at.min(extent) };
            Ok(Part { axis, start: clamp(start), end: clamp(end) })
        }
        _ => Err(Miss::NoMatch),
    }
}

/// Whether nobody but `op` reads the part of `value` that it takes.
fn alone(cx: &Cx<'_>, value: ValueId, op: OpId, part: &Part) -> Match<()> {
    let uses = cx.graph().value(value).uses();
    if uses.len() > 16 {
        return Err(Miss::NoMatch);
    }
    for reader in uses {
        let User::Op(other) = reader.user else { return Err(Miss::NoMatch) };
        if other == op && reader.slot == 0 {
            continue;
        }
        if !matches!(cx.graph().op(other).op().kind(), OpKind::Gather | OpKind::Slice) || reader.slot != 0 {
            return Err(Miss::NoMatch);
        }
        let theirs = self::part(cx, other, 0)?;
        let constant = |operand: &Option<ValueId>| operand.is_none_or(|operand| cx.constant(operand).is_some());
        if !cx.graph().op(other).operands().iter().skip(1).all(constant) {
            return Err(Miss::NoMatch);
        }
        if theirs.axis != part.axis || (theirs.start < part.end && part.start < theirs.end) {
            return Err(Miss::NoMatch);
        }
    }
    Ok(())
}
