//! Runs a loop of few iterations where it stands.

use edgesmith_ir::op::{Concat, Loop, Unsqueeze};
use edgesmith_ir::{Def, Graph, Op, OpId, OpKind, Tensor, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName, Wire};
use rustc_hash::{FxHashMap, FxHashSet};

/// A Loop whose trip count and condition are known, where its iterations one after the other are no more operators.
pub(crate) struct InlineLoop;

/// A loop of more iterations stays one.
const MOST_ITERATIONS: i64 = 64;
/// What folds to a constant of more bytes may stay to be computed.
const SMALL: u64 = 1 << 10;

impl Rewrite for InlineLoop {
    const NAME: RuleName = "inline-loop";
    const SUMMARY: &'static str =
        "a Loop of few iterations becomes these, one after the other; one that never runs becomes what it starts from";
    const ROOTS: &'static [OpKind] = &[OpKind::Loop];
    const FIDELITY: Fidelity = Fidelity::Exact;
    const MANUAL: &'static str = include_str!("../manual/inline-loop.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let repeat = Repeat::of(cx, root)?;
        match repeat.count {
            0 => repeat.not_at_all(cx),
            1 if repeat.stacked().is_empty() => repeat.once(cx),
            _ => repeat.unrolled(cx),
        }
    }
}

/// A loop that surely runs so many times.
struct Repeat<'m> {
    root: OpId,
    count: i64,
    /// What it carries from iteration to iteration, at first.
    initial: Vec<ValueId>,
    captures: Vec<ValueId>,
    results: &'m [Option<ValueId>],
    body: &'m Graph,
}

impl<'m> Repeat<'m> {
    fn of(cx: &Cx<'m>, root: OpId) -> Match<Self> {
        let repeat = cx.op::<Loop>(root)?;
        let data = repeat.data;
        let one = |value: ValueId| cx.ints(value).filter(|ints| ints.len() == 1).map(|ints| ints[0]);
        let all = |values: &[Option<ValueId>]| values.iter().copied().collect::<Option<Vec<_>>>().ok_or(Miss::NoMatch);
        // An absent condition is true; an absent trip count has no end.
        let goes = repeat.condition().map_or(Some(true), |condition| one(condition).map(|goes| goes != 0));
        let limit = repeat.trip_count().and_then(one);
        let count = match (goes, limit) {
            (Some(false), _) => 0,
            (_, Some(limit)) if limit <= 0 => 0,
            (Some(true), Some(limit)) if limit <= MOST_ITERATIONS => limit,
            _ => return Err(Miss::NoMatch),
        };
        let region = *data.regions().first().ok_or(Miss::NoMatch)?;
        let body = cx.model().graph(region);
        let (initial, captures) = (all(repeat.initial())?, all(data.captures())?);
        Ok(Self { root, count, initial, captures, results: data.results(), body })
    }

    /// The results that stack what the iterations make along a new axis, with their slots.
    fn stacked(&self) -> Vec<(usize, ValueId)> {
        let results = self.results.iter().enumerate().skip(self.initial.len());
        results.filter_map(|(slot, result)| Some((slot, (*result)?))).collect()
    }

    /// What the loop hands its body itself.
    fn head(&self, patch: &mut Patch, at: i64) -> Match<[Wire; Loop::HEAD]> {
        let head = Loop::head(self.body, at).map_err(|_| Miss::NoMatch)?;
        Ok(head.map(|tensor| patch.constant(tensor)))
    }

    fn not_at_all(&self, cx: &Cx<'_>) -> Match<Patch> {
        if !self.stacked().is_empty() {
            return Err(Miss::NoMatch);
        }
        let mut patch = Patch::new(cx);
        for (result, value) in self.results.iter().zip(&self.initial) {
            if let Some(result) = result {
                patch.redefine(*result, *value);
            }
        }
        Ok(patch)
    }

    fn once(&self, cx: &Cx<'_>) -> Match<Patch> {
        let mut patch = Patch::new(cx);
        let mut inputs = self.head(&mut patch, 0)?.to_vec();
        inputs.extend(self.initial.iter().chain(&self.captures).map(|value| Wire::from(*value)));
        // The condition for the next iteration, then what the results are.
        let mut outputs = vec![None];
        outputs.extend_from_slice(self.results);
        outputs.resize(self.body.outputs().len(), None);
        patch.inline_region(self.root, 0, inputs, outputs);
        Ok(patch)
    }

    fn unrolled(&self, cx: &Cx<'_>) -> Match<Patch> {
        let order = self.body.topological().map_err(|_| Miss::NoMatch)?;
        let copies = |op: &OpId| {
            let data = self.body.op(*op);
            data.regions().is_empty() && !data.op().is_random()
        };
        if !self.goes_on() || !order.iter().all(copies) || !self.pays(cx, &order) {
            return Err(Miss::NoMatch);
        }
        let mut patch = Patch::new(cx);
        let mut constants: FxHashMap<ValueId, Wire> = FxHashMap::default();
        for (value, row) in self.body.values() {
            if let Def::Constant(tensor) = row.def() {
                constants.insert(value, patch.constant(cx.model().tensor(tensor).clone()));
            }
        }
        let mut carried: Vec<Wire> = self.initial.iter().map(|value| Wire::from(*value)).collect();
        let mut made: Vec<Vec<Wire>> = vec![Vec::new(); self.results.len()];
        let axis = patch.constant(Tensor::from_ints(&[0]));
        for at in 0..self.count {
            let mut wires = constants.clone();
            let captures = self.captures.iter().map(|value| Wire::from(*value));
            let inputs = self.head(&mut patch, at)?.into_iter().chain(carried).chain(captures);
            wires.extend(self.body.inputs().iter().copied().zip(inputs));
            for op in &order {
                let data = self.body.op(*op);
                let operands = data.operands().iter().map(|value| value.and_then(|value| wires.get(&value).copied()));
                let copy =
                    patch.insert_many(self.root, data.op().clone(), operands.collect::<Vec<_>>(), data.results().len());
                let results = data.results().iter().enumerate();
                wires.extend(results.filter_map(|(slot, value)| Some(((*value)?, Wire::Result { op: copy, slot }))));
            }
            let outputs: Option<Vec<Wire>> = self.body.outputs()[1..].iter().map(|v| wires.get(v).copied()).collect();
            let outputs = outputs.ok_or(Miss::NoMatch)?;
            for (slot, _) in self.stacked() {
                let slice = *outputs.get(slot).ok_or(Miss::NoMatch)?;
                made[slot].push(patch.insert(Unsqueeze {}, [Some(slice), Some(axis)]));
            }
            carried = outputs.into_iter().take(self.initial.len()).collect();
        }
        for (result, wire) in self.results.iter().zip(carried) {
            if let Some(result) = result {
                patch.redefine(*result, wire);
            }
        }
        for (slot, result) in self.stacked() {
            let stack = patch.insert(Concat { axis: 0 }, made[slot].iter().copied().map(Some).collect::<Vec<_>>());
            patch.redefine(result, stack);
        }
        Ok(patch)
    }

    /// Whether no iteration ends the loop: the condition that it gives on is the one it got, or true.
    fn goes_on(&self) -> bool {
        let Some(mut value) = self.body.outputs().first().copied() else { return false };
        while let Def::Result { op, .. } = self.body.value(value).def() {
            let data = self.body.op(op);
            match (data.op(), data.operand(0)) {
                (Op::Identity(_), Some(from)) => value = from,
                _ => break,
            }
        }
        let is_true = || self.body.value(value).contents().and_then(edgesmith_ir::Contents::ints) == Some(vec![1]);
        self.body.inputs().get(1) == Some(&value) || is_true()
    }

    /// Whether the iterations are no more operators than the loop, once those that run on constants are folded.
    fn pays(&self, cx: &Cx<'_>, order: &[OpId]) -> bool {
        let inputs = self.body.inputs();
        let unknown = |value: &ValueId| cx.contents(*value).is_none();
        let from_outside = self.initial.iter().chain(&self.captures).zip(&inputs[Loop::HEAD.min(inputs.len())..]);
        let mut varying: FxHashSet<ValueId> =
            from_outside.filter(|(value, _)| unknown(value)).map(|(_, input)| *input).collect();
        let varies = |op: OpId, varying: &FxHashSet<ValueId>| {
            let data = self.body.op(op);
            let large = |value: &ValueId| {
                let ty = self.body.value(*value).ty().as_tensor();
                let bytes = ty.and_then(|ty| ty.dtype.byte_len(ty.shape.elements().extent()?));
                bytes.is_none_or(|bytes| bytes > SMALL)
            };
            data.operands().iter().flatten().any(|value| varying.contains(value))
                || data.results().iter().flatten().any(large)
        };
        // What an iteration makes vary varies in the next.
        let mut count = usize::MAX;
        while count != varying.len() {
            count = varying.len();
            for op in order {
                if varies(*op, &varying) {
                    varying.extend(self.body.op(*op).results().iter().flatten());
                }
            }
            let given_on =
                self.body.outputs().iter().skip(1).zip(inputs.iter().skip(Loop::HEAD)).take(self.initial.len());
            let new: Vec<ValueId> =
                given_on.filter(|(made, _)| varying.contains(made)).map(|(_, input)| *input).collect();
            varying.extend(new);
        }
        let each = order.iter().filter(|op| varies(**op, &varying)).count() + self.stacked().len();
        each * self.count as usize + self.stacked().len() <= 1 + order.len()
    }
}
