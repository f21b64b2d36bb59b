//! From a model to text.

mod attribute;
mod graph;
mod model;
mod notes;
mod origin;
mod plan;
mod tensor;
mod types;
mod writer;

use edgesmith_ir::{GraphId, Model, Name, OpId, Tensor, TensorId, ValueId};
use indexmap::IndexMap;
use rustc_hash::FxHashMap;

use origin::Origins;
use plan::{Plan, Planner};
use writer::Writer;

/// How much is printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrintOptions {
    /// What the model carries beside what it computes: documentation, metadata, declared types, roles of tensors, what
    /// is known of symbols together. Without them a text is easier to read.
    pub notes: bool,
    /// Where operators came from, where that is more than their own name.
    pub origins: bool,
    /// The digits of a hash that are printed, 4 to 64.
    pub hash_digits: usize,
    /// Tensors of at most so many elements are printed by their elements.
    pub inline_elements: u64,
}

impl Default for PrintOptions {
    /// Everything, so that reading the text gives the model back.
    fn default() -> Self {
        Self { notes: true, origins: true, hash_digits: 64, inline_elements: 8 }
    }
}

impl PrintOptions {
    /// What a reader wants to see: operators, types, short hashes.
    pub fn brief() -> Self {
        Self { notes: false, origins: false, hash_digits: 8, inline_elements: 8 }
    }
}

/// A printed model.
#[derive(Clone, Debug, Default)]
pub struct Printed {
    /// The text.
    pub text: String,
    /// The tensors that the text names, by the hashes that it prints. They share the model's memory.
    pub weights: IndexMap<String, Tensor>,
}

/// Prints a model.
pub fn print_model(model: &Model, options: &PrintOptions) -> Printed {
    let mut planner = Planner::new(model, options.notes);
    for id in model.entries.values().copied().chain(model.functions.values().filter_map(|function| function.body)) {
        planner.outermost(id);
    }
    let mut printer = Printer::new(model, options.clone(), planner.plans);
    printer.model();
    Printed { text: printer.w.out, weights: printer.weights }
}

/// Prints one operator with its regions, as diagnostics show it. Costs the size of the operator alone.
pub fn print_op(model: &Model, graph: GraphId, op: OpId) -> String {
    let mut planner = Planner::new(model, false);
    planner.regions(model.graph(graph), model.graph(graph).op(op), &FxHashMap::default());
    let mut printer = Printer::new(model, PrintOptions::brief(), planner.plans);
    // Only now, so that nothing is counted over the whole graph.
    printer.plans.insert(graph, Plan::default());
    printer.op(graph, op, false);
    printer.w.out
}

struct Printer<'m> {
    model: &'m Model,
    options: PrintOptions,
    w: Writer,
    plans: FxHashMap<GraphId, Plan>,
    weights: IndexMap<String, Tensor>,
    /// Keys of tensors that were printed by their hash.
    keys: FxHashMap<TensorId, String>,
    /// How many printed values hold a tensor; a number for those of several, once printed.
    holders: FxHashMap<TensorId, (u32, Option<u32>)>,
    shared: u32,
    origins: Origins,
}

impl<'m> Printer<'m> {
    fn new(model: &'m Model, options: PrintOptions, plans: FxHashMap<GraphId, Plan>) -> Self {
        let origins = if options.origins {
            let printed = model.graphs().filter(|(id, _)| plans.contains_key(id));
            Origins::new(model, printed.flat_map(|(_, graph)| graph.ops().map(|(_, data)| data.origin())))
        } else {
            Origins::default()
        };
        let mut holders: FxHashMap<TensorId, (u32, Option<u32>)> = FxHashMap::default();
        for (id, graph) in model.graphs() {
            let Some(plan) = plans.get(&id) else { continue };
            for (value, row) in graph.values() {
                if !plan.implicit.contains(&value)
                    && let edgesmith_ir::Def::Constant(tensor) | edgesmith_ir::Def::Input { default: Some(tensor) } =
                        row.def()
                {
                    holders.entry(tensor).or_insert((0, None)).0 += 1;
                }
            }
        }
        Self {
            model,
            options,
            w: Writer::default(),
            plans,
            weights: IndexMap::new(),
            keys: FxHashMap::default(),
            holders,
            shared: 0,
            origins,
        }
    }

    /// Whether the text is all that there is, so that nothing is left to infer.
    fn is_complete(&self) -> bool {
        self.options.notes && self.options.origins
    }

    /// What the text calls a value.
    fn name_of(&self, graph: GraphId, value: ValueId) -> Name {
        let renamed = self.plans.get(&graph).and_then(|plan| plan.renamed.get(&value));
        renamed.unwrap_or(self.model.graph(graph).value(value).name()).clone()
    }

    fn value_name(&mut self, graph: GraphId, value: Option<ValueId>) {
        match value {
            Some(value) => {
                let name = self.name_of(graph, value);
                self.w.name(&name);
            }
            None => self.w.push("\"\""),
        }
    }
}
