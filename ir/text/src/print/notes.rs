//! Pragmas of graphs, values, tensors and operators.

use edgesmith_ir::{Def, Graph, GraphId, Name, OpData, OpId, TensorId, TensorRole, ValueId, ValueType};

use super::Printer;
use super::graph::Place;
use super::plan::inputs_of_captures;
use super::types::is_sayable;
use crate::build::default_origin;

/// The fields of a pragma; the line is opened with the first.
struct Fields {
    subject: String,
    count: usize,
}

impl Printer<'_> {
    /// `["key": "value", ...]`.
    pub(super) fn pairs(&mut self, pairs: &[(Name, Name)]) {
        self.w.push("[");
        for (index, (key, value)) in pairs.iter().enumerate() {
            if index > 0 {
                self.w.push(", ");
            }
            self.w.string(key.as_bytes());
            self.w.push(": ");
            self.w.string(value.as_bytes());
        }
        self.w.push("]");
    }

    fn field(&mut self, fields: &mut Fields, key: &str) {
        if fields.count == 0 {
            self.w.open_pragma();
            self.w.push(&fields.subject);
        } else {
            self.w.push(", ");
        }
        fields.count += 1;
        self.w.push(key);
    }
    fn text_field(&mut self, fields: &mut Fields, key: &str, text: &[u8]) {
        if !text.is_empty() {
            self.field(fields, key);
            self.w.push(" = ");
            self.w.string(text);
        }
    }
    fn pairs_field(&mut self, fields: &mut Fields, key: &str, pairs: &[(Name, Name)]) {
        if !pairs.is_empty() {
            self.field(fields, key);
            self.w.push(" = ");
            self.pairs(pairs);
        }
    }
    fn type_field(&mut self, fields: &mut Fields, key: &str, ty: &ValueType) {
        self.field(fields, key);
        self.w.push(" = ");
        self.w.ty(ty);
    }
    fn end(&mut self, fields: &Fields) {
        if fields.count > 0 {
            self.w.close_pragma();
        }
    }

    /// Fields of a value or tensor; the name is written when the line is opened.
    fn fields_of(&mut self, subject: &str, id: GraphId, value: ValueId) -> Fields {
        // The name goes through the writer's quoting, which depends on being inside a pragma.
        let name = self.name_of(id, value);
        let mut w = super::writer::Writer::default();
        w.open_pragma();
        let start = w.out.len();
        w.name(&name);
        Fields { subject: format!("{subject} {} ", &w.out[start..]), count: 0 }
    }

    /// What is said of a graph, its inputs and its constants.
    pub(super) fn graph_notes(&mut self, id: GraphId, graph: &Graph, place: Place<'_>, real_name: Option<&Name>) {
        let notes = self.options.notes;
        if let Place::Function(_, function) = place {
            let mut fields = Fields { subject: "function ".into(), count: 0 };
            for (flag, is_set) in [("typed", function.typed), ("sealed", function.sealed)] {
                if is_set {
                    self.field(&mut fields, flag);
                }
            }
            if notes {
                self.pairs_field(&mut fields, "metadata", &function.metadata);
            }
            self.end(&fields);
        }
        let mut fields = Fields { subject: "graph ".into(), count: 0 };
        if let Some(name) = real_name {
            self.field(&mut fields, "name");
            self.w.push(" = ");
            self.w.string(name.as_bytes());
        }
        if notes {
            self.text_field(&mut fields, "doc", graph.doc.as_bytes());
            self.pairs_field(&mut fields, "metadata", &graph.metadata);
            if graph.is_pristine() {
                self.field(&mut fields, "pristine");
            }
        }
        self.end(&fields);
        self.captures(id, graph);
        self.undeclared(id, graph);
        for (value, row) in graph.values() {
            if !matches!(row.def(), Def::Result { .. }) {
                self.value_notes(id, graph, value, place);
            }
            if let Def::Constant(tensor) | Def::Input { default: Some(tensor) } = row.def()
                && !self.plans.get(&id).is_some_and(|plan| plan.implicit.contains(&value))
            {
                self.tensor_notes(id, value, tensor);
            }
        }
    }

    /// The captures, where the parser would not find them so.
    fn captures(&mut self, id: GraphId, graph: &Graph) {
        let Some(plan) = self.plans.get_mut(&id) else { return };
        let Some(outer) = plan.listed.take() else { return };
        let inner: Vec<ValueId> = inputs_of_captures(graph, plan.captures).to_vec();
        self.w.open_pragma();
        self.w.push("captures (");
        for (index, (outer, inner)) in outer.iter().zip(inner).enumerate() {
            if index > 0 {
                self.w.push(", ");
            }
            self.w.name(outer);
            let text = self.name_of(id, inner);
            if text != *outer {
                self.w.push(" as ");
                self.w.name(&text);
            }
            let label = graph.value(inner).name();
            if *label != text {
                self.w.push(" label ");
                self.w.name(label);
            }
        }
        self.w.push(")");
        self.w.close_pragma();
    }

    /// Inputs whose type is not one that the source declared.
    fn undeclared(&mut self, id: GraphId, graph: &Graph) {
        if !self.options.notes {
            return;
        }
        let captures = self.plans.get(&id).map_or(0, |plan| plan.captures);
        let formals = &graph.inputs()[..graph.inputs().len().saturating_sub(captures)];
        let mut fields = Fields { subject: "undeclared ".into(), count: 0 };
        for value in formals {
            let declared = graph.value(*value).extra().is_some_and(|extra| extra.declared.is_some());
            if !declared && self.listed_input(graph, *value).is_some() {
                self.field(&mut fields, "");
                self.value_name(id, Some(*value));
            }
        }
        self.end(&fields);
    }

    /// What is said of the results of an operator.
    pub(super) fn result_notes(&mut self, id: GraphId, graph: &Graph, op: OpId) {
        for value in graph.op(op).results().iter().flatten() {
            self.value_notes(id, graph, *value, Place::Entry);
        }
    }

    fn value_notes(&mut self, id: GraphId, graph: &Graph, value: ValueId, place: Place<'_>) {
        let row = graph.value(value);
        let mut fields = self.fields_of("value", id, value);
        if let Def::Input { .. } = row.def()
            && let Some(ty) = self.input_type_note(id, graph, value, place)
        {
            self.type_field(&mut fields, "type", &ty);
        }
        if let (Some(extra), true) = (row.extra(), self.options.notes) {
            if let Some(declared) = &extra.declared {
                let is_capture = matches!(row.def(), Def::Input { .. }) && self.is_capture(id, graph, value);
                if !is_sayable(declared) || (is_capture && !row.is_output()) {
                    self.type_field(&mut fields, "declared", declared);
                }
            }
            self.text_field(&mut fields, "doc", extra.doc.as_bytes());
            self.pairs_field(&mut fields, "metadata", &extra.metadata);
            self.pairs_field(&mut fields, "quantization", &extra.quantization);
            if !extra.denotations.is_empty() {
                let pairs: Vec<(Name, Name)> = extra
                    .denotations
                    .iter()
                    .map(|(axis, name)| (axis.map(|axis| axis.to_string()).unwrap_or_default().into(), name.clone()))
                    .collect();
                self.pairs_field(&mut fields, "denotations", &pairs);
            }
            if extra.pinned {
                self.field(&mut fields, "pinned");
            }
        }
        self.end(&fields);
    }

    fn is_capture(&self, id: GraphId, graph: &Graph, value: ValueId) -> bool {
        let captures = self.plans.get(&id).map_or(0, |plan| plan.captures);
        inputs_of_captures(graph, captures).contains(&value)
    }

    /// The type of an input, where the list of inputs does not give it.
    fn input_type_note(&self, id: GraphId, graph: &Graph, value: ValueId, place: Place<'_>) -> Option<ValueType> {
        let ty = graph.value(value).ty();
        if self.is_capture(id, graph, value) {
            let outer = self.plans.get(&id).and_then(|plan| plan.outer_types.get(&value));
            return outer.is_none_or(|outer| outer != ty).then(|| ty.clone());
        }
        let in_region = matches!(place, Place::Region { untyped: false } | Place::Body);
        match self.listed_input(graph, value) {
            Some(listed) if listed == *ty => None,
            None if *ty == ValueType::Unknown => (in_region && !self.is_complete()).then(|| ty.clone()),
            _ => Some(ty.clone()),
        }
    }

    fn tensor_notes(&mut self, id: GraphId, value: ValueId, tensor: TensorId) {
        let mut fields = self.fields_of("tensor", id, value);
        if let Some((holders, number)) = self.holders.get_mut(&tensor)
            && *holders > 1
        {
            // Whatever holder the parser meets first makes the tensor, so each says the same.
            let number = *number.get_or_insert_with(|| {
                self.shared += 1;
                self.shared - 1
            });
            self.field(&mut fields, &format!("id = {number}"));
        }
        let model = self.model;
        let entry = model.tensor_entry(tensor);
        if self.options.notes {
            let role = match entry.role {
                TensorRole::Parameter => "role = parameter",
                TensorRole::Buffer => "role = buffer",
                TensorRole::Literal => "role = literal",
                _ => "",
            };
            if !role.is_empty() {
                self.field(&mut fields, role);
            }
            self.text_field(&mut fields, "doc", entry.doc.as_bytes());
            self.pairs_field(&mut fields, "metadata", &entry.metadata);
        }
        self.end(&fields);
    }

    /// What is said of an operator.
    pub(super) fn op_notes(&mut self, id: GraphId, op: OpId, data: &OpData, untyped: bool) {
        let mut fields = Fields { subject: String::new(), count: 0 };
        if let Some(marker) = self.marker(data.op(), untyped) {
            self.field(&mut fields, marker);
        }
        let model = self.model;
        if self.options.origins {
            let label = model.op_label(id, op);
            let usual = *model.origin(data.origin()) == default_origin(&label, data.op());
            if !usual || self.origins.is_shared(data.origin()) {
                self.origins.prepare(model, data.origin());
                self.field(&mut fields, "origin = ");
                let origins = std::mem::take(&mut self.origins);
                origins.write(&mut self.w, model, data.origin());
                self.origins = origins;
            }
        }
        if let (Some(extra), true) = (data.extra(), self.options.notes) {
            self.text_field(&mut fields, "doc", extra.doc.as_bytes());
            self.pairs_field(&mut fields, "metadata", &extra.metadata);
            self.text_field(&mut fields, "opaque", &extra.opaque);
        }
        self.end(&fields);
        if data.regions().is_empty() && !data.captures().is_empty() {
            self.w.open_pragma();
            self.w.push("captures (");
            for (index, value) in data.captures().iter().enumerate() {
                if index > 0 {
                    self.w.push(", ");
                }
                self.value_name(id, *value);
            }
            self.w.push(")");
            self.w.close_pragma();
        }
    }
}
