//! What is decided before anything is printed: the order of operators, what captured values are called inside regions,
//! and which constants of regions need no line because a graph around them has the same one under the same name.
//!
//! The parser finds captures and outer constants in the order of their first use; where a model has another order, or
//! other names, the text says so.

use edgesmith_ir::{
    Def, Graph, GraphId, Model, Name, Op, OpData, OpId, TensorId, ValueData, ValueExtra, ValueId, ValueType,
};
use rustc_hash::{FxHashMap, FxHashSet};

/// The decisions for one graph.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) order: Vec<OpId>,
    /// What the text calls captured inputs whose own name it does not use.
    pub(super) renamed: FxHashMap<ValueId, Name>,
    /// Constants without a line.
    pub(super) implicit: FxHashSet<ValueId>,
    /// The trailing inputs that are captures.
    pub(super) captures: usize,
    /// What captured values are outside.
    pub(super) outer_types: FxHashMap<ValueId, ValueType>,
    /// For captures that the text lists: what they are called outside.
    pub(super) listed: Option<Vec<Name>>,
}

/// The values of a graph around, by what the text calls them: a constant with its tensor, or something else.
struct Around {
    names: FxHashMap<Name, Option<TensorId>>,
    isolated: bool,
}

pub(super) struct Planner<'m> {
    pub(super) model: &'m Model,
    pub(super) plans: FxHashMap<GraphId, Plan>,
    around: Vec<Around>,
    /// Whether what is said of values is printed.
    notes: bool,
}

fn order_of(graph: &Graph) -> Vec<OpId> {
    // A graph with a cycle is no model, but may still be looked at.
    graph.topological().unwrap_or_else(|_| graph.ops().map(|(id, _)| id).collect())
}

/// Calls `visit` with every value that a graph reads, in the order of the text.
fn readings(graph: &Graph, order: &[OpId], visit: &mut dyn FnMut(ValueId)) {
    for op in order {
        graph.op(*op).operands().iter().flatten().for_each(|value| visit(*value));
    }
    graph.outputs().iter().for_each(|value| visit(*value));
}

impl<'m> Planner<'m> {
    pub(super) fn new(model: &'m Model, notes: bool) -> Self {
        Self { model, plans: FxHashMap::default(), around: Vec::new(), notes }
    }

    /// Plans a graph that nothing surrounds, and everything in it.
    pub(super) fn outermost(&mut self, id: GraphId) {
        let plan = Plan { order: order_of(self.model.graph(id)), ..Plan::default() };
        self.graph(id, plan, true);
    }

    fn graph(&mut self, id: GraphId, mut plan: Plan, isolated: bool) {
        let graph = self.model.graph(id);
        if !isolated {
            plan.implicit = self.implicit_constants(graph, &plan.order);
        }
        let with_regions: Vec<OpId> =
            plan.order.iter().copied().filter(|op| !graph.op(*op).regions().is_empty()).collect();
        if !with_regions.is_empty() {
            let names = graph.values().map(|(value, row)| {
                let name = plan.renamed.get(&value).unwrap_or(row.name()).clone();
                (name, graph.constant(value))
            });
            self.around.push(Around { names: names.collect(), isolated });
            for op in with_regions {
                self.regions(graph, graph.op(op), &plan.renamed);
            }
            self.around.pop();
        }
        self.plans.insert(id, plan);
    }

    /// Plans the regions of an operator.
    pub(super) fn regions(&mut self, graph: &Graph, data: &OpData, renamed: &FxHashMap<ValueId, Name>) {
        let is_call = matches!(data.op(), Op::Call(_));
        let captures: Vec<ValueId> = data.captures().iter().flatten().copied().collect();
        let outer: Vec<Name> =
            captures.iter().map(|value| renamed.get(value).unwrap_or(graph.value(*value).name()).clone()).collect();
        let regions: Vec<(GraphId, &Graph, Vec<OpId>)> = data
            .regions()
            .iter()
            .map(|id| {
                let region = self.model.graph(*id);
                (*id, region, order_of(region))
            })
            .collect();
        let distinct: FxHashSet<&Name> = outer.iter().collect();
        // Inside, the text can use the names from outside unless they mean something else there.
        let shared_names = distinct.len() == outer.len()
            && regions.iter().all(|(_, region, _)| {
                let own: FxHashSet<ValueId> = inputs_of_captures(region, captures.len()).iter().copied().collect();
                captures.is_empty()
                    || region.values().all(|(value, row)| own.contains(&value) || !distinct.contains(row.name()))
            });
        let implicit = shared_names
            && !is_call
            && regions.iter().all(|(_, region, _)| {
                inputs_of_captures(region, captures.len()).iter().zip(&outer).zip(&captures).all(
                    |((inner, name), value)| {
                        let row = region.value(*inner);
                        // A note needs an input that exists when the region has been read.
                        row.name() == name && row.ty() == graph.value(*value).ty() && !(self.notes && has_notes(row))
                    },
                )
            })
            && in_order_of_use(&regions, captures.len());
        for (id, region, order) in regions {
            let mut plan = Plan { order, captures: captures.len(), ..Plan::default() };
            let inputs = inputs_of_captures(region, captures.len());
            let types = captures.iter().map(|outer| graph.value(*outer).ty().clone());
            plan.outer_types = inputs.iter().copied().zip(types).collect();
            if shared_names {
                for (inner, name) in inputs_of_captures(region, captures.len()).iter().zip(&outer) {
                    if region.value(*inner).name() != name {
                        plan.renamed.insert(*inner, name.clone());
                    }
                }
            }
            if !implicit && !captures.is_empty() {
                plan.listed = Some(outer.clone());
            }
            self.graph(id, plan, is_call);
        }
    }

    /// The constants that the parser finds by itself: the longest tail of the list whose members are read, in the order
    /// in which they are first read, and which the nearest graph around with such a name has too.
    fn implicit_constants(&self, graph: &Graph, order: &[OpId]) -> FxHashSet<ValueId> {
        let constants: Vec<(ValueId, TensorId, &Name)> = graph
            .values()
            .filter_map(|(value, row)| match row.def() {
                Def::Constant(tensor) => Some((value, tensor, row.name())),
                _ => None,
            })
            .collect();
        if constants.is_empty() || self.around.is_empty() {
            return FxHashSet::default();
        }
        let mut first_read: FxHashMap<ValueId, usize> = FxHashMap::default();
        let mut at = 0;
        readings(graph, order, &mut |value| {
            first_read.entry(value).or_insert(at);
            at += 1;
        });
        let mut implicit = FxHashSet::default();
        let mut next = usize::MAX;
        for (value, tensor, name) in constants.into_iter().rev() {
            match first_read.get(&value) {
                Some(read) if *read < next && self.means_outside(name, tensor) => {
                    next = *read;
                    implicit.insert(value);
                }
                _ => break,
            }
        }
        implicit
    }

    fn means_outside(&self, name: &Name, tensor: TensorId) -> bool {
        for around in self.around.iter().rev() {
            if let Some(found) = around.names.get(name) {
                return *found == Some(tensor);
            }
            if around.isolated {
                return false;
            }
        }
        false
    }
}

/// The trailing inputs that are captures.
pub(super) fn inputs_of_captures(region: &Graph, count: usize) -> &[ValueId] {
    &region.inputs()[region.inputs().len().saturating_sub(count)..]
}

fn has_notes(value: &ValueData) -> bool {
    value.extra().is_some_and(|extra| *extra != ValueExtra::default())
}

/// Whether the captures stand in the order in which the regions first read them, and all are read.
fn in_order_of_use(regions: &[(GraphId, &Graph, Vec<OpId>)], count: usize) -> bool {
    let (mut found, mut in_order) = (0, true);
    for (_, region, order) in regions {
        let numbers: FxHashMap<ValueId, usize> = inputs_of_captures(region, count).iter().copied().zip(0..).collect();
        readings(region, order, &mut |value| {
            if let Some(number) = numbers.get(&value) {
                in_order &= *number <= found;
                found = found.max(number + 1);
            }
        });
    }
    in_order && found == count
}
