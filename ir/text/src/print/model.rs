//! The model around its graphs: header, symbols, entries, functions.

use edgesmith_ir::op::FunctionKey;
use edgesmith_ir::{Function, Metadata, Name, SymbolFacts};
use indexmap::IndexMap;

use super::Printer;
use super::graph::Place;
use super::writer::List;
use crate::build::{DEFAULT_OPSET, MAIN_ENTRY};

impl Printer<'_> {
    pub(super) fn model(&mut self) {
        self.header();
        self.model_pragmas();
        let mut printed: IndexMap<edgesmith_ir::GraphId, Name> = IndexMap::new();
        for (name, id) in &self.model.entries {
            if let Some(first) = printed.get(id) {
                self.w.open_pragma();
                self.w.push("alias ");
                self.w.name(name);
                self.w.push(" = ");
                self.w.name(first);
                self.w.close_pragma();
                continue;
            }
            let is_first = printed.is_empty();
            if !is_first || name != MAIN_ENTRY {
                self.w.open_pragma();
                self.w.push("entry ");
                self.w.name(name);
                self.w.close_pragma();
            }
            if !is_first {
                // ONNX has one graph in a model; this crate's parser alone reads the others.
                self.w.hide();
            } else if !self.w.out.is_empty() {
                self.w.newline();
            }
            self.graph(*id, Place::Entry);
            if !is_first {
                self.w.unhide();
            }
            printed.insert(*id, name.clone());
        }
        for (key, function) in &self.model.functions {
            self.function(key, function);
        }
        if self.options.origins {
            let origins = std::mem::take(&mut self.origins);
            origins.write_rows(&mut self.w, self.model);
        }
        self.w.out.push('\n');
    }

    fn header(&mut self) {
        let model = self.model;
        let notes = self.options.notes;
        let written = Metadata { external_data: false, opaque: bytes::Bytes::new(), ..model.metadata.clone() };
        let usual_opsets =
            model.opsets.len() == 1 && model.opsets.get("").is_some_and(|version| *version == DEFAULT_OPSET);
        if usual_opsets && (!notes || written == Metadata::default()) {
            return;
        }
        let mut list = List::default();
        self.w.push("<");
        if notes && model.metadata.ir_version != 0 {
            list.item(&mut self.w, false);
            self.w.push(&format!("ir_version: {}", model.metadata.ir_version));
        }
        list.item(&mut self.w, false);
        self.opsets(&model.opsets);
        if notes {
            let texts = [
                ("producer_name", &model.metadata.producer_name),
                ("producer_version", &model.metadata.producer_version),
                ("domain", &model.metadata.domain),
            ];
            for (key, text) in texts {
                self.header_text(&mut list, key, text);
            }
            if model.metadata.model_version != 0 {
                list.item(&mut self.w, false);
                self.w.push(&format!("model_version: {}", model.metadata.model_version));
            }
            self.header_text(&mut list, "doc_string", &model.metadata.doc);
            if !model.metadata.properties.is_empty() {
                list.item(&mut self.w, false);
                self.w.push("metadata_props: ");
                self.pairs(&model.metadata.properties);
            }
        }
        self.w.push(">");
    }

    fn header_text(&mut self, list: &mut List, key: &str, text: &Name) {
        if !text.is_empty() {
            list.item(&mut self.w, false);
            self.w.push(key);
            self.w.push(": ");
            self.w.string(text.as_bytes());
        }
    }

    fn opsets(&mut self, opsets: &IndexMap<Name, i64>) {
        self.w.push("opset_import: [");
        for (index, (domain, version)) in opsets.iter().enumerate() {
            if index > 0 {
                self.w.push(", ");
            }
            self.w.string(domain.as_bytes());
            self.w.push(&format!(" : {version}"));
        }
        self.w.push("]");
    }

    fn model_pragmas(&mut self) {
        let model = self.model;
        if self.is_complete() {
            self.w.open_pragma();
            self.w.push("complete");
            self.w.close_pragma();
        }
        if self.options.notes && (model.metadata.external_data || !model.metadata.opaque.is_empty()) {
            self.w.open_pragma();
            self.w.push("model ");
            if model.metadata.external_data {
                self.w.push("external_data");
            }
            if !model.metadata.opaque.is_empty() {
                self.w.push(if model.metadata.external_data { ", opaque = " } else { "opaque = " });
                self.w.string(&model.metadata.opaque);
            }
            self.w.close_pragma();
        }
        for (name, facts) in model.symbols.iter() {
            self.symbol(name, facts);
        }
        if self.options.notes {
            for (left, right) in &model.symbols.equal {
                self.w.open_pragma();
                self.w.push("equal ");
                self.w.dim(left);
                self.w.push(" = ");
                self.w.dim(right);
                self.w.close_pragma();
            }
        }
    }

    fn symbol(&mut self, name: &Name, facts: &SymbolFacts) {
        self.w.open_pragma();
        self.w.push("symbol ");
        self.w.name(name);
        self.w.push(&format!(" min = {}", facts.min));
        if let Some(max) = facts.max {
            self.w.push(&format!(", max = {max}"));
        }
        if facts.divisor != 1 {
            self.w.push(&format!(", divisor = {}", facts.divisor));
        }
        self.w.close_pragma();
    }

    fn function(&mut self, key: &FunctionKey, function: &Function) {
        let Some(body) = function.body else { return };
        self.w.newline();
        let mut list = List::default();
        self.w.push("<");
        list.item(&mut self.w, false);
        self.w.push("domain: ");
        self.w.string(key.domain.as_bytes());
        self.header_text(&mut list, "overload", &key.overload);
        list.item(&mut self.w, false);
        self.opsets(&function.opsets);
        if self.options.notes {
            self.header_text(&mut list, "doc_string", &function.doc);
        }
        self.w.push(">");
        self.w.newline();
        self.graph(body, Place::Function(key, function));
    }
}
