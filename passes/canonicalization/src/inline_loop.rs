//! Runs a loop of at most one iteration where it stands.

use edgesmith_ir::op::Loop;
use edgesmith_ir::{OpId, OpKind, Tensor, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName, Wire};

/// A Loop whose trip count and condition say that it runs once or not at all.
pub(crate) struct InlineLoop;

/// The region's inputs before those that the loop carries: iteration and condition.
const BEFORE_CARRIED: usize = 2;

impl Rewrite for InlineLoop {
    const NAME: RuleName = "inline-loop";
    const SUMMARY: &'static str =
        "a Loop that runs once becomes its body, one that never runs becomes what it starts from";
    const ROOTS: &'static [OpKind] = &[OpKind::Loop];
    const FIDELITY: Fidelity = Fidelity::Exact;
    const MANUAL: &'static str = include_str!("../manual/inline-loop.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let repeat = cx.op::<Loop>(root)?;
        let data = repeat.data;
        let one = |value: ValueId| cx.ints(value).filter(|ints| ints.len() == 1).map(|ints| ints[0]);
        // An absent condition is true; an absent trip count has no end.
        let goes = repeat.condition().map_or(Some(true), |condition| one(condition).map(|goes| goes != 0));
        let count = repeat.trip_count().and_then(one);
        let initial: Vec<Wire> =
            repeat.initial().iter().map(|value| value.map(Wire::from)).collect::<Option<_>>().ok_or(Miss::NoMatch)?;
        // What each iteration makes is stacked along a new axis; of that nothing may be wanted.
        if data.results().iter().skip(initial.len()).any(Option::is_some) {
            return Err(Miss::NoMatch);
        }
        let mut patch = Patch::new(cx);
        match (goes, count) {
            (Some(false), _) => start(&mut patch, data.results(), &initial),
            (_, Some(count)) if count <= 0 => start(&mut patch, data.results(), &initial),
            (Some(true), Some(1)) => {
                let captures = data.captures().iter().map(|value| value.map(Wire::from));
                let captures: Vec<Wire> = captures.collect::<Option<_>>().ok_or(Miss::NoMatch)?;
                let mut inputs = Vec::with_capacity(BEFORE_CARRIED + initial.len() + captures.len());
                inputs.push(patch.constant(Tensor::scalar(0_i64)));
                inputs.push(patch.constant(Tensor::from_bools([].as_slice(), &[true]).map_err(|_| Miss::NoMatch)?));
                inputs.extend(initial);
                inputs.extend(captures);
                let region = *data.regions().first().ok_or(Miss::NoMatch)?;
                // The condition for the next iteration, then what the results are.
                let mut outputs = vec![None];
                outputs.extend_from_slice(data.results());
                outputs.resize(cx.model().graph(region).outputs().len(), None);
                patch.inline_region(root, 0, inputs, outputs);
            }
            _ => return Err(Miss::NoMatch),
        }
        Ok(patch)
    }
}

fn start(patch: &mut Patch, results: &[Option<ValueId>], initial: &[Wire]) {
    for (result, wire) in results.iter().zip(initial) {
        if let Some(result) = result {
            patch.redefine(*result, *wire);
        }
    }
}
