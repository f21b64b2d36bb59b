//! Optimising a lowered model, in pieces.
//!
//! Two findings about tract shape this file (both measured on 0.23.9). `ChangeAxes` of its declutter set breaks LSTMs
//! with a batch and buys no speed, so it is left out. And applying one patch costs time in the number of nodes of the
//! model that is patched, so the optimiser is quadratic: models are cut into pieces of about [`PIECE`] operators where
//! few values cross, each piece is optimised alone, and the results are spliced together.

use rustc_hash::{FxHashMap, FxHashSet};
use tract_core::internal::*;
use tract_core::ops::gru_seq::GruSeq;
use tract_core::ops::konst::Const;
use tract_core::ops::logic::IfThenElse;
use tract_core::ops::scan::Scan;
use tract_core::ops::source::TypedSource;
use tract_core::optim::Optimizer;

use crate::guard::guarded_result;
use crate::splice::{add_constant, splice};

/// Operators of one piece. Between 100 and 200 neither speed of preparation nor speed of the result changes.
pub(crate) const PIECE: usize = 150;

/// Makes every run start from the initial states, as ONNX has it: tract carries the hidden state of its loops over to
/// the next run otherwise. To be called before [`prepare`], which turns the loops into other operators.
pub(crate) fn forget_between_runs(model: &mut TypedModel) {
    for node in model.nodes_mut() {
        if let Some(scan) = node.op_as_mut::<Scan>() {
            scan.reset_every_turn = true;
            forget_between_runs(&mut scan.body);
        }
        if let Some(gru) = node.op_as_mut::<GruSeq>() {
            gru.reset_every_turn = true;
        }
        if let Some(branches) = node.op_as_mut::<IfThenElse>() {
            forget_between_runs(&mut branches.then_body);
            forget_between_runs(&mut branches.else_body);
        }
    }
}

/// Declutter without `ChangeAxes`, then code generation.
fn optimize(model: &mut TypedModel) -> TractResult<()> {
    let mut declutter = Optimizer::declutter();
    declutter.passes.retain(|pass| !format!("{pass:?}").starts_with("ChangeAxes"));
    declutter.optimize(model)?;
    model.optimize()
}

/// Optimises a model for many runs. The error of a piece names the operators at its ends.
pub(crate) fn prepare(model: TypedModel, piece: usize) -> Result<TypedModel, String> {
    let order: Vec<usize> = match guarded_result(|| model.eval_order()) {
        Ok(order) => order.into_iter().filter(|node| is_work(&model, *node)).collect(),
        Err(message) => return Err(message),
    };
    if order.len() <= piece * 3 / 2 {
        let mut model = model;
        return guarded_result(move || optimize(&mut model).map(|()| model));
    }
    let cuts = cuts(&model, &order, piece);
    Pieces::new(&model, &order).join(&cuts)
}

fn is_work(model: &TypedModel, node: usize) -> bool {
    let node = &model.nodes[node];
    !node.op_is::<Const>() && !node.op_is::<TypedSource>()
}

/// Positions in `order` to cut at, both ends included: each where the fewest values cross, near a multiple of `piece`.
fn cuts(model: &TypedModel, order: &[usize], piece: usize) -> Vec<usize> {
    let mut position = vec![usize::MAX; model.nodes.len()];
    for (at, node) in order.iter().enumerate() {
        position[*node] = at;
    }
    let outputs: FxHashSet<OutletId> = model.outputs.iter().copied().collect();
    // Values made before a position and read at it or later, as a running sum of differences.
    let mut difference = vec![0_i64; order.len() + 2];
    for (at, node) in order.iter().enumerate() {
        for (slot, outlet) in model.nodes[*node].outputs.iter().enumerate() {
            let readers = outlet.successors.iter().map(|reader| position[reader.node]).filter(|p| *p != usize::MAX);
            let last =
                if outputs.contains(&OutletId::new(*node, slot)) { order.len() } else { readers.max().unwrap_or(at) };
            if last > at {
                difference[at + 1] += 1;
                difference[last + 1] -= 1;
            }
        }
    }
    let mut live = 0;
    let crossing: Vec<i64> = difference
        .into_iter()
        .map(|step| {
            live += step;
            live
        })
        .collect();
    let mut cuts = vec![0];
    let mut at = 0;
    while order.len() - at > piece * 3 / 2 {
        let ideal = at + piece;
        let next = (at + piece / 2..at + piece * 3 / 2).min_by_key(|cut| (crossing[*cut], cut.abs_diff(ideal)));
        at = next.unwrap_or(ideal);
        cuts.push(at);
    }
    cuts.push(order.len());
    cuts
}

struct Pieces<'m> {
    model: &'m TypedModel,
    order: &'m [usize],
    position: Vec<usize>,
    outputs: FxHashSet<OutletId>,
    big: TypedModel,
    placed: FxHashMap<OutletId, OutletId>,
}

impl<'m> Pieces<'m> {
    fn new(model: &'m TypedModel, order: &'m [usize]) -> Self {
        let mut position = vec![usize::MAX; model.nodes.len()];
        for (at, node) in order.iter().enumerate() {
            position[*node] = at;
        }
        let big = TypedModel {
            symbols: model.symbols.clone(),
            properties: model.properties.clone(),
            ..TypedModel::default()
        };
        let outputs = model.outputs.iter().copied().collect();
        Self { model, order, position, outputs, big, placed: FxHashMap::default() }
    }

    fn join(mut self, cuts: &[usize]) -> Result<TypedModel, String> {
        guarded_result(|| {
            for input in &self.model.inputs {
                let name = self.model.node(input.node).name.clone();
                let outlet = self.big.add_source(name, self.model.outlet_fact(*input)?.clone())?;
                self.placed.insert(*input, outlet);
            }
            for (number, ends) in cuts.windows(2).enumerate() {
                self.piece(number, ends[0], ends[1]).with_context(|| {
                    let name = |at: usize| self.order.get(at).map_or("", |node| &self.model.nodes[*node].name);
                    format!("optimising from {} to {}", name(ends[0]), name(ends[1] - 1))
                })?;
            }
            let mut outputs = Vec::with_capacity(self.model.outputs.len());
            for outlet in &self.model.outputs {
                if let Some(placed) = self.placed.get(outlet) {
                    outputs.push(*placed);
                    continue;
                }
                let constant = self.model.outlet_fact(*outlet)?.konst.clone().context("an output has no producer")?;
                let name = format!("output{}", outputs.len());
                outputs.push(add_constant(&mut self.big, name, constant)?);
            }
            self.big.select_output_outlets(&outputs)?;
            Ok(self.big)
        })
    }

    /// Optimises the operators at positions `from..to` as a model of their own.
    fn piece(&mut self, number: usize, from: usize, to: usize) -> TractResult<()> {
        let mut part = TypedModel { symbols: self.model.symbols.clone(), ..TypedModel::default() };
        let mut local: FxHashMap<OutletId, OutletId> = FxHashMap::default();
        let mut inputs = Vec::new();
        for id in &self.order[from..to] {
            let node = self.model.node(*id);
            let mut operands: TVec<OutletId> = tvec!();
            for input in &node.inputs {
                if let Some(known) = local.get(input) {
                    operands.push(*known);
                    continue;
                }
                let producer = self.model.node(input.node);
                let outlet = if producer.op_is::<Const>() {
                    let facts = producer.outputs.iter().map(|outlet| outlet.fact.clone()).collect();
                    part.add_node(producer.name.clone(), producer.op.clone(), facts)?.into()
                } else {
                    let outer = self.placed.get(input).context("a piece reads a later one")?;
                    inputs.push(*outer);
                    let name = format!("{}:{}", producer.name, input.slot);
                    part.add_source(name, self.model.outlet_fact(*input)?.clone())?
                };
                local.insert(*input, outlet);
                operands.push(outlet);
            }
            let facts = node.outputs.iter().map(|outlet| outlet.fact.clone()).collect();
            let new = part.add_node(node.name.clone(), node.op.clone(), facts)?;
            for (slot, operand) in operands.iter().enumerate() {
                part.add_edge(*operand, InletId::new(new, slot))?;
            }
            for slot in 0..node.outputs.len() {
                local.insert(OutletId::new(*id, slot), OutletId::new(new, slot));
            }
        }
        let mut outputs = Vec::new();
        for id in &self.order[from..to] {
            for (slot, outlet) in self.model.node(*id).outputs.iter().enumerate() {
                let here = OutletId::new(*id, slot);
                let later = |reader: &InletId| {
                    let at = self.position[reader.node];
                    at != usize::MAX && at >= to
                };
                if self.outputs.contains(&here) || outlet.successors.iter().any(later) {
                    outputs.push(here);
                }
            }
        }
        let wanted: Vec<OutletId> = outputs.iter().map(|outlet| local[outlet]).collect();
        part.select_output_outlets(&wanted)?;
        optimize(&mut part)?;
        let new = splice(&mut self.big, part, &inputs, &format!("p{number}/"))?;
        self.placed.extend(outputs.into_iter().zip(new));
        Ok(())
    }
}
