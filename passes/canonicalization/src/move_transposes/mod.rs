//! Moves transposes to where they meet others and go.

mod carrier;
mod plan;
mod reduction;

use edgesmith_ir::op::Transpose;
use edgesmith_ir::{GraphId, Model, OpId, OpKind};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName, Wire};
use rustc_hash::FxHashMap;

use carrier::{Carried, Carrier, inverse};
pub(crate) use reduction::FoldTransposeIntoReduction;

/// `f(Transpose(x))` becomes `Transpose(f(x))`, or the other way round, for operators chosen so that fewer transposes are left
/// once those that meet have cancelled each other.
pub(crate) struct MoveTransposes {
    /// The order that the axes of the results are to come in.
    chosen: FxHashMap<(GraphId, OpId), Vec<usize>>,
}

impl MoveTransposes {
    /// The rule for what is worth moving; `None` when nothing is.
    pub(crate) fn choose(model: &Model) -> Option<Self> {
        let mut chosen = FxHashMap::default();
        for graph in model.open_graphs() {
            plan::choose(model, graph, &mut chosen);
        }
        (!chosen.is_empty()).then_some(Self { chosen })
    }
}

impl Rewrite for MoveTransposes {
    const NAME: RuleName = "move-transposes";
    const SUMMARY: &'static str =
        "islands of elementwise and similar operators work in the layout around them, without transposes in between";
    const ROOTS: &'static [OpKind] = &[];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../../manual/move-transposes.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let perm = self.chosen.get(&(cx.graph_id(), root)).ok_or(Miss::NoMatch)?;
        let Carrier { op, operands } = Carrier::of(cx, root, perm).ok_or(Miss::NoMatch)?;
        let (there, back) = (transpose(perm), transpose(&inverse(perm)));
        let mut patch = Patch::new(cx);
        let mut wires: Vec<Option<Wire>> = Vec::with_capacity(operands.len());
        for operand in operands {
            wires.push(match operand {
                Carried::Kept(value) => value.map(Wire::from),
                Carried::Moved(value) => Some(patch.insert(there.clone(), [Some(value.into())])),
                Carried::Widened(value, tensor) => {
                    let wide = patch.constant_like(value, tensor);
                    Some(patch.insert(there.clone(), [Some(wide)]))
                }
                Carried::Written(tensor) => Some(patch.constant(tensor)),
            });
        }
        let results = cx.graph().op(root).results();
        let moved = patch.insert_many(root, op, wires, results.len());
        for (slot, result) in results.iter().enumerate() {
            let Some(result) = result else { continue };
            let restored = patch.insert(back.clone(), [Some(Wire::Result { op: moved, slot })]);
            patch.redefine(*result, restored);
        }
        Ok(patch)
    }
}

fn transpose(perm: &[usize]) -> Transpose {
    Transpose { perm: perm.iter().map(|axis| *axis as i64).collect() }
}
