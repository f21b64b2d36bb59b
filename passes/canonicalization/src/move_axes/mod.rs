//! Moves changes of layout, transposes and axes of one index, to where they meet others and go.

mod carrier;
mod islands;
mod layout;
mod neighbours;
mod plan;
mod reduction;

use edgesmith_ir::{GraphId, Model, OpId, OpKind};
use edgesmith_rewrite::{Cx, Fidelity, Match, Miss, Patch, Rewrite, RuleName, Wire};
use rustc_hash::FxHashMap;

use carrier::{Carried, Carrier};
use layout::Layout;
use neighbours::Kind;
pub(crate) use reduction::FoldTransposeIntoReduction;

/// The operators to move, and the layout that their results are to come in.
#[derive(Default)]
struct Chosen(FxHashMap<(GraphId, OpId), Layout>);

impl Chosen {
    /// What is worth moving to layouts of one kind; `None` when nothing is.
    fn choose(model: &Model, kind: Kind) -> Option<Self> {
        let mut chosen = FxHashMap::default();
        for graph in model.open_graphs() {
            plan::choose(model, graph, kind, &mut chosen);
        }
        (!chosen.is_empty()).then_some(Self(chosen))
    }

    /// The operator in the other layout, between what leads there and back.
    fn patch(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        let layout = self.0.get(&(cx.graph_id(), root)).ok_or(Miss::NoMatch)?;
        let Carrier { op, operands } = Carrier::of(cx, root, layout).ok_or(Miss::NoMatch)?;
        let mut patch = Patch::new(cx);
        let mut wires: Vec<Option<Wire>> = Vec::with_capacity(operands.len());
        for operand in operands {
            wires.push(match operand {
                Carried::Kept(value) => value.map(Wire::from),
                Carried::Moved(value) => Some(layout.there(&mut patch, value.into())),
                Carried::Filled(value, tensor) => {
                    let filled = patch.constant_like(value, tensor);
                    Some(layout.there(&mut patch, filled))
                }
                Carried::Written(tensor) => Some(patch.constant(tensor)),
            });
        }
        let results = cx.graph().op(root).results();
        let moved = patch.insert_many(root, op, wires, results.len());
        for (slot, result) in results.iter().enumerate() {
            let Some(result) = result else { continue };
            let restored = layout.back(&mut patch, Wire::Result { op: moved, slot });
            patch.redefine(*result, restored);
        }
        Ok(patch)
    }
}

/// `f(Transpose(x))` becomes `Transpose(f(x))`, or the other way round, for operators chosen so that fewer transposes are left
/// once those that meet have cancelled each other.
pub(crate) struct MoveTransposes(Chosen);

impl MoveTransposes {
    /// The rule for what is worth moving; `None` when nothing is.
    pub(crate) fn choose(model: &Model) -> Option<Self> {
        Chosen::choose(model, Kind::Permuted).map(Self)
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
        self.0.patch(cx, root)
    }
}

/// `f(Squeeze(x))` becomes `Squeeze(f(x))` for operators chosen so that fewer operators are left that only add or drop axes of one
/// index, once those that meet have become one.
pub(crate) struct MoveUnitAxes(Chosen);

impl MoveUnitAxes {
    /// The rule for what is worth moving; `None` when nothing is.
    pub(crate) fn choose(model: &Model) -> Option<Self> {
        Chosen::choose(model, Kind::Widened).map(Self)
    }
}

impl Rewrite for MoveUnitAxes {
    const NAME: RuleName = "move-unit-axes";
    const SUMMARY: &'static str =
        "islands of elementwise and similar operators work with the axes of one index that values around them have";
    const ROOTS: &'static [OpKind] = &[];
    const FIDELITY: Fidelity = Fidelity::ROUNDING;
    const MANUAL: &'static str = include_str!("../../manual/move-unit-axes.md");

    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        self.0.patch(cx, root)
    }
}
