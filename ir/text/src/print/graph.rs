//! Graphs and operators.

use edgesmith_ir::op::FunctionKey;
use edgesmith_ir::{
    Def, Function, Graph, GraphId, Op, OpData, OpId, TensorData, TensorId, ValueId, ValueType, tensor_type,
};

use super::Printer;
use super::types::is_sayable;
use super::writer::{List, is_identifier, is_path};
use crate::domain::{printed_name, typed_kind};

/// Where a graph stands.
#[derive(Clone, Copy)]
pub(super) enum Place<'m> {
    Entry,
    Function(&'m FunctionKey, &'m Function),
    /// In an attribute; whether operators are typed there.
    Region {
        untyped: bool,
    },
    /// After a call: its name may be quoted.
    Body,
}

impl Place<'_> {
    pub(super) fn is_untyped(self) -> bool {
        matches!(self, Place::Function(..) | Place::Region { untyped: true })
    }
}

/// A line between a signature and the operators.
enum Info {
    Data(ValueId, TensorId),
    Declared(ValueId, ValueType),
}

/// Whether a graph in an attribute may have this name in ONNX's syntax.
fn is_plain_graph_name(name: &str) -> bool {
    let special = ["inf", "infinity", "nan", "bits"];
    is_identifier(name) && !crate::lexer::is_type_word(name) && !special.contains(&name.to_ascii_lowercase().as_str())
}

impl Printer<'_> {
    pub(super) fn graph(&mut self, id: GraphId, place: Place<'_>) {
        let model = self.model;
        let graph = model.graph(id);
        let mut real_name = None;
        match place {
            Place::Entry | Place::Body => self.w.name(&graph.name),
            Place::Region { .. } if is_plain_graph_name(&graph.name) => self.w.push(&graph.name),
            Place::Region { .. } => {
                self.w.push("graph");
                real_name = Some(&graph.name);
            }
            Place::Function(key, function) => {
                self.w.name(&key.name);
                if graph.name != key.name {
                    real_name = Some(&graph.name);
                }
                self.function_attributes(function);
            }
        }
        self.w.push(" (");
        let inputs = self.inputs(id, graph, place);
        self.w.push(") => (");
        for (index, value) in graph.outputs().iter().enumerate() {
            if index > 0 {
                self.w.push(", ");
            }
            self.typed_name(id, *value, self.listed_output(graph, *value));
        }
        self.w.push(")");
        let start = self.w.out.len();
        self.graph_notes(id, graph, place, real_name);
        self.infos(id, graph, place, inputs);
        if self.w.out.len() > start {
            self.w.newline();
            self.w.push("{");
        } else {
            self.w.push(" {");
        }
        self.w.indent += 1;
        let order = self.plans.get_mut(&id).map(|plan| std::mem::take(&mut plan.order)).unwrap_or_default();
        for op in order {
            self.w.newline();
            self.op(id, op, place.is_untyped());
            self.result_notes(id, graph, op);
        }
        self.w.indent -= 1;
        self.w.newline();
        self.w.push("}");
    }

    fn typed_name(&mut self, graph: GraphId, value: ValueId, ty: Option<ValueType>) {
        if let Some(ty) = ty {
            self.w.ty(&ty);
            self.w.push(" ");
        }
        self.value_name(graph, Some(value));
    }

    /// The type that the list of inputs gives: the declared one, else the present one.
    pub(super) fn listed_input(&self, graph: &Graph, value: ValueId) -> Option<ValueType> {
        let row = graph.value(value);
        let declared = row.extra().and_then(|extra| extra.declared.as_ref()).filter(|_| self.options.notes);
        declared.into_iter().chain([row.ty()]).find(|ty| is_sayable(ty)).cloned()
    }

    /// The type that the list of outputs gives: the declared one; without notes the present one.
    pub(super) fn listed_output(&self, graph: &Graph, value: ValueId) -> Option<ValueType> {
        let row = graph.value(value);
        let ty = if self.options.notes { row.extra()?.declared.as_ref()? } else { row.ty() };
        Some(ty.clone()).filter(is_sayable)
    }

    /// The inputs that no operator around captures; back come those whose default has to stand elsewhere.
    fn inputs(&mut self, id: GraphId, graph: &Graph, place: Place<'_>) -> Vec<Info> {
        let mut elsewhere = Vec::new();
        let captures = self.plans.get(&id).map_or(0, |plan| plan.captures);
        let formals = graph.inputs().len().saturating_sub(captures);
        for (index, value) in graph.inputs()[..formals].iter().enumerate() {
            if index > 0 {
                self.w.push(", ");
            }
            let listed = self.listed_input(graph, *value);
            let default = match graph.value(*value).def() {
                Def::Input { default } => default,
                _ => None,
            };
            self.typed_name(id, *value, listed.clone());
            let Some(tensor) = default else { continue };
            let data = self.model.tensor(tensor);
            let fits = listed == Some(tensor_type(data)) && !matches!(data.data(), TensorData::Sparse(_));
            if fits && !matches!(place, Place::Function(..)) {
                self.data(data, Some(tensor), true);
            } else {
                elsewhere.push(Info::Data(*value, tensor));
            }
        }
        elsewhere
    }

    /// Initializers, and declared types of interior values.
    fn infos(&mut self, id: GraphId, graph: &Graph, place: Place<'_>, mut infos: Vec<Info>) {
        for (value, row) in graph.values() {
            if let Def::Constant(tensor) = row.def()
                && !self.plans.get(&id).is_some_and(|plan| plan.implicit.contains(&value))
            {
                infos.push(Info::Data(value, tensor));
            }
        }
        if self.options.notes {
            for (value, row) in graph.values() {
                let declared = row.extra().and_then(|extra| extra.declared.clone()).filter(is_sayable);
                if let Some(ty) = declared
                    && !matches!(row.def(), Def::Input { .. })
                    && !row.is_output()
                {
                    infos.push(Info::Declared(value, ty));
                }
            }
        }
        if infos.is_empty() {
            return;
        }
        let hides = |printer: &Self, info: &Info| match info {
            Info::Data(_, tensor) => {
                // ONNX has no initializers in functions, and no syntax for sparse ones.
                matches!(place, Place::Function(..))
                    || matches!(printer.model.tensor(*tensor).data(), TensorData::Sparse(_))
            }
            Info::Declared(..) => false,
        };
        let all_hidden = infos.iter().all(|info| hides(self, info));
        if all_hidden {
            self.w.hide();
            self.w.push("<");
        } else {
            self.w.newline();
            self.w.push("<");
        }
        self.w.indent += 1;
        let mut list = List::new(true);
        for info in infos {
            let hidden = !all_hidden && hides(self, &info);
            list.item(&mut self.w, hidden);
            match info {
                Info::Data(value, tensor) => {
                    let data = self.model.tensor(tensor);
                    self.typed_name(id, value, Some(tensor_type(data)));
                    self.data(data, Some(tensor), true);
                }
                Info::Declared(value, ty) => self.typed_name(id, value, Some(ty)),
            }
        }
        list.end(&mut self.w);
        self.w.indent -= 1;
        self.w.newline();
        self.w.push(">");
        if all_hidden {
            self.w.unhide();
        }
    }

    // ---- operators ----

    /// One operator, without its line's start.
    pub(super) fn op(&mut self, id: GraphId, op: OpId, untyped: bool) {
        let graph = self.model.graph(id);
        let data = graph.op(op);
        let (domain, operator, overload) = printed_name(data.op());
        let plain_domain = domain.is_empty() || is_path(domain);
        let hidden = !plain_domain || !is_identifier(operator) || !(overload.is_empty() || is_identifier(overload));
        if hidden {
            self.w.hide();
        }
        if !data.name().is_empty() {
            self.w.push("[");
            self.w.name(data.name());
            self.w.push("] ");
        }
        self.results(id, data);
        self.w.push("= ");
        if plain_domain {
            self.w.push(domain);
        } else {
            self.w.string(domain.as_bytes());
        }
        if !domain.is_empty() {
            self.w.push(".");
        }
        if is_identifier(operator) {
            self.w.push(operator);
        } else {
            self.w.string(operator.as_bytes());
        }
        if !overload.is_empty() {
            self.w.push(":");
            self.w.name(overload);
        }
        let left_over = self.attributes(id, op, data, untyped);
        self.w.push(" (");
        for (index, value) in data.formals().iter().enumerate() {
            if index > 0 {
                self.w.push(", ");
            }
            self.value_name(id, *value);
        }
        self.w.push(")");
        if left_over {
            self.left_over_regions(data, untyped);
        }
        self.type_comment(graph, data, untyped);
        if hidden {
            self.w.unhide();
        }
        self.op_notes(id, op, data, untyped);
    }

    fn results(&mut self, id: GraphId, data: &OpData) {
        let wanted = data.results().iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        for (index, value) in data.results()[..wanted].iter().enumerate() {
            if index > 0 {
                self.w.push(", ");
            }
            self.value_name(id, *value);
        }
        if wanted > 0 {
            self.w.push(" ");
        }
    }

    /// Regions that no attribute holds, such as the body of a call.
    fn left_over_regions(&mut self, data: &OpData, untyped: bool) {
        for region in data.regions() {
            self.w.hide();
            self.w.push("-> ");
            let place = if untyped { Place::Region { untyped: true } } else { Place::Body };
            self.graph(*region, place);
            self.w.unhide();
        }
    }

    /// The types of the results, where the text does not say them elsewhere.
    fn type_comment(&mut self, graph: &Graph, data: &OpData, untyped: bool) {
        let results: Vec<ValueId> = data.results().iter().flatten().copied().collect();
        let mut needed = false;
        for value in &results {
            let row = graph.value(*value);
            let listed = if row.is_output() {
                self.listed_output(graph, *value)
            } else if self.options.notes {
                row.extra().and_then(|extra| extra.declared.clone()).filter(is_sayable)
            } else {
                None
            };
            needed |= match (row.ty(), listed) {
                (ValueType::Unknown, None) => {
                    // Inference would fill this.
                    !self.is_complete() && !untyped && !matches!(data.op(), Op::Custom(_))
                }
                (ty, Some(listed)) if *ty == listed => !row.is_output(),
                _ => true,
            };
        }
        if needed {
            self.w.open_comment();
            for (index, value) in results.iter().enumerate() {
                if index > 0 {
                    self.w.push(", ");
                }
                self.w.ty(graph.value(*value).ty());
            }
            self.w.close_pragma();
        }
    }

    /// The word that makes the parser read an operator as what it is, where the name alone would not.
    pub(super) fn marker(&self, op: &Op, untyped: bool) -> Option<&'static str> {
        let (domain, operator, overload) = printed_name(op);
        let kind = typed_kind(domain, operator).filter(|_| overload.is_empty());
        match op {
            Op::Custom(custom) => {
                let key = FunctionKey {
                    domain: custom.domain.clone(),
                    name: custom.name.clone(),
                    overload: custom.overload.clone(),
                };
                (!untyped && (kind.is_some() || self.model.functions.contains_key(&key))).then_some("custom")
            }
            Op::Call(call) => {
                let known = kind.is_none() && self.model.functions.contains_key(&call.function);
                (untyped || !known).then_some("call")
            }
            _ => untyped.then_some("typed"),
        }
    }
}
