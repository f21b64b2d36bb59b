//! Moves a reshape past a transpose, where it becomes one with what is on the other side.

use std::ops::Range;

use edgesmith_ir::op::{Reshape, Transpose};
use edgesmith_ir::{Dim, OpId, OpKind, Tensor, ValueId};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName, Wire};

use crate::merge_reshapes::{REGROUPING, infers, spec};
use crate::merge_transposes::{inverse, permutation};

/// `Reshape(Transpose(Reshape(x)))` and `Transpose(Reshape(Transpose(x)))`, where a reshape keeps together what the transpose moves.
pub(crate) struct MoveReshapes;

impl Rewrite for MoveReshapes {
    const NAME: RuleName = "move-reshapes";
    const SUMMARY: &'static str =
        "of a Transpose between two Reshapes, or the other way round, one Reshape and one Transpose are left";
    const ROOTS: &'static [OpKind] =
        &[OpKind::Reshape, OpKind::Flatten, OpKind::Squeeze, OpKind::Unsqueeze, OpKind::Transpose];
    const FIDELITY: Fidelity = Fidelity::Exact;
    const MANUAL: &'static str = include_str!("../manual/move-reshapes.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let last = Step::of(cx, root)?;
        let middle = Step::before(cx, &last)?;
        let first = Step::before(cx, &middle)?;
        let may_fail = [first.op, middle.op, last.op].iter().any(|op| infers(cx, *op));
        // What is left: the dims between the two operators, and which comes first.
        let ways = match (&first.order, &middle.order, &last.order) {
            (None, Some(perm), None) => [
                reshape_first(middle.to, last.to, perm).map(|(between, perm)| Left { between, perm, reshapes: true }),
                transpose_first(first.from, middle.from, perm).map(|perm| Left::transposing(first.from, perm)),
            ],
            (Some(first_perm), None, Some(last_perm)) => [
                reshape_first(first.to, middle.to, first_perm).map(|(between, perm)| Left {
                    between,
                    perm: last_perm.iter().map(|axis| perm[*axis]).collect(),
                    reshapes: true,
                }),
                transpose_first(middle.from, middle.to, last_perm)
                    .map(|perm| Left::transposing(first.from, perm.iter().map(|axis| first_perm[*axis]).collect())),
            ],
            _ => return Err(Miss::NoMatch),
        };
        let mut ways = ways.into_iter().flatten();
        ways.find_map(|left| left.patch(cx, &first, &last, may_fail)).ok_or(Miss::NoMatch)
    }
}

/// A transpose or reshape of the chain.
struct Step<'m> {
    op: OpId,
    input: ValueId,
    output: ValueId,
    from: &'m [Dim],
    to: &'m [Dim],
    /// The permutation of a transpose.
    order: Option<Vec<usize>>,
}

impl<'m> Step<'m> {
    fn of(cx: &Cx<'m>, op: OpId) -> Match<Self> {
        let data = cx.graph().op(op);
        let (Some(input), Some(output)) = (data.operand(0), data.result(0)) else { return Err(Miss::NoMatch) };
        let (Some(from), Some(to)) = (cx.dims(input), cx.dims(output)) else { return Err(Miss::NoMatch) };
        let order = match cx.op::<Transpose>(op) {
            Ok(transpose) => Some(permutation(&transpose, from.len())?),
            Err(_) if REGROUPING.contains(&data.op().kind()) => None,
            Err(miss) => return Err(miss),
        };
        Ok(Self { op, input, output, from, to, order })
    }

    /// The one before, which nothing else reads.
    fn before(cx: &Cx<'m>, next: &Self) -> Match<Self> {
        let op = cx.graph().producer(next.input).filter(|_| cx.single_use(next.input)).ok_or(Miss::NoMatch)?;
        cx.look_at(op);
        Self::of(cx, op)
    }
}

/// A reshape and a transpose.
struct Left {
    /// The dims between the two.
    between: Vec<Dim>,
    perm: Vec<usize>,
    /// Whether the reshape comes first.
    reshapes: bool,
}

impl Left {
    fn transposing(from: &[Dim], perm: Vec<usize>) -> Self {
        Self { between: perm.iter().map(|axis| from[*axis].clone()).collect(), perm, reshapes: false }
    }

    fn patch(self, cx: &Cx<'_>, first: &Step<'_>, last: &Step<'_>, may_fail: bool) -> Option<Patch> {
        let (from, to) = if self.reshapes { (first.from, &*self.between) } else { (&*self.between, last.to) };
        let shape = Tensor::from_ints(&spec(cx, from, to, may_fail)?);
        let transpose = Transpose { perm: self.perm.iter().map(|axis| *axis as i64).collect() };
        let mut patch = Patch::new(cx);
        let reshape = |patch: &mut Patch, x: Wire| {
            let shape = patch.constant(shape);
            patch.insert(Reshape { allowzero: false }, [Some(x), Some(shape)])
        };
        let x = Wire::from(first.input);
        let result = if self.reshapes {
            let regrouped = reshape(&mut patch, x);
            patch.insert(transpose, [Some(regrouped)])
        } else {
            let moved = patch.insert(transpose, [Some(x)]);
            reshape(&mut patch, moved)
        };
        patch.redefine(last.output, result);
        Some(patch)
    }
}

/// A transpose into `from` and a reshape from there to `to`, the other way round: the dims between the two, and the permutation. What
/// the reshape joins must be side by side, in this order, before the transpose.
fn reshape_first(from: &[Dim], to: &[Dim], perm: &[usize]) -> Option<(Vec<Dim>, Vec<usize>)> {
    // For each run of axes that move together: the first one before the transpose, and what the reshape makes of them.
    let mut runs: Vec<(usize, Range<usize>)> = Vec::new();
    let mut new_from = 0;
    for (old, new) in Dim::groups(from, to)? {
        // New axes of one index go with what is behind them.
        if let Some(start) = old.clone().next() {
            if !old.clone().all(|axis| perm[axis] == perm[start] + axis - start) {
                return None;
            }
            runs.push((perm[start], new_from..new.end));
            new_from = new.end;
        }
    }
    runs.last_mut()?.1.end = to.len();
    let mut order: Vec<usize> = (0..runs.len()).collect();
    order.sort_unstable_by_key(|run| runs[*run].0);
    let (mut between, mut starts) = (Vec::with_capacity(to.len()), vec![0; runs.len()]);
    for run in order {
        starts[run] = between.len();
        between.extend_from_slice(&to[runs[run].1.clone()]);
    }
    let perm = runs.iter().zip(&starts).flat_map(|((_, new), start)| (0..new.len()).map(move |axis| start + axis));
    let perm = perm.collect();
    Some((between, perm))
}

/// A reshape from `from` to `to` and a transpose from there, the other way round: the permutation.
fn transpose_first(from: &[Dim], to: &[Dim], perm: &[usize]) -> Option<Vec<usize>> {
    let (_, perm) = reshape_first(to, from, &inverse(perm))?;
    Some(inverse(&perm))
}
