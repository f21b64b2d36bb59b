//! From [`ast`](crate::ast) to a model: names are looked up, captures found, attributes decoded, tensors made.

mod attribute;
mod graph;
mod operator;
mod origin;
mod pragma;
mod scope;
mod tensor;

use edgesmith_ir::op::FunctionKey;
use edgesmith_ir::{
    Attribute, Function, GraphId, Metadata, Model, Name, OriginId, SymbolFacts, TensorId, ValueId, ValueType,
};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::ast::{EntryBody, FieldValue, FunctionAst, ModelAst, Pairs, Pragma, Subject};
use crate::error::{Fallible, Fault, Span};
use crate::weights::WeightSource;
pub(crate) use operator::default_origin;
use scope::{Frame, Scope};

/// The name of the first entry when a text gives none.
pub(crate) const MAIN_ENTRY: &str = "main";
/// The version of ai.onnx when a text has no header.
pub(crate) const DEFAULT_OPSET: i64 = 21;

pub(crate) struct Builder<'w> {
    model: Model,
    weights: &'w dyn WeightSource,
    functions: FxHashSet<FunctionKey>,
    /// The table of origins.
    rows: FxHashMap<u32, OriginId>,
    /// Tensors that several values share, by their number in the text.
    shared: FxHashMap<i64, TensorId>,
    /// From the outermost graph to the one being built.
    frames: Vec<Frame>,
    /// Types that the text gives: inference does not change them.
    explicit: Vec<(GraphId, ValueId, ValueType)>,
    pristine: Vec<GraphId>,
}

pub(crate) fn build(ast: &ModelAst<'_>, weights: &dyn WeightSource) -> Fallible<Model> {
    let mut builder = Builder {
        model: Model::new(),
        weights,
        functions: FxHashSet::default(),
        rows: FxHashMap::default(),
        shared: FxHashMap::default(),
        frames: Vec::new(),
        explicit: Vec::new(),
        pristine: Vec::new(),
    };
    builder.header(ast)?;
    for function in &ast.functions {
        let key = function_key(function);
        if !builder.functions.insert(key) {
            let message = format!("the function '{}' is defined twice", function.graph.name.value);
            return Err(Fault::new(function.graph.name.span, message));
        }
    }
    let complete = builder.model_pragmas(&ast.pragmas)?;
    builder.entries(ast)?;
    for function in &ast.functions {
        builder.function(function)?;
    }
    builder.finish(complete)
}

fn function_key(function: &FunctionAst<'_>) -> FunctionKey {
    FunctionKey {
        domain: Name::from(&*function.header.domain),
        name: Name::from(&*function.graph.name.value),
        overload: Name::from(&*function.header.overload),
    }
}

fn names(pairs: &Pairs<'_>) -> Vec<(Name, Name)> {
    pairs.iter().map(|(key, value)| (Name::from(&**key), Name::from(&**value))).collect()
}

impl Builder<'_> {
    fn header(&mut self, ast: &ModelAst<'_>) -> Fallible<()> {
        let Some(header) = &ast.header else {
            self.model.opsets.insert(Name::default(), DEFAULT_OPSET);
            return Ok(());
        };
        self.model.opsets = header.opsets.iter().map(|(domain, version)| (Name::from(&**domain), *version)).collect();
        if !header.overload.is_empty() {
            return Err(Fault::new(Span::default(), "only a function has an overload"));
        }
        self.model.metadata = Metadata {
            ir_version: header.ir_version,
            producer_name: Name::from(&*header.producer_name),
            producer_version: Name::from(&*header.producer_version),
            domain: Name::from(&*header.domain),
            model_version: header.model_version,
            doc: Name::from(&*header.doc),
            properties: names(&header.properties),
            external_data: false,
            opaque: bytes::Bytes::new(),
        };
        Ok(())
    }

    /// Reads what is said of the model; true when the text says that it is complete.
    fn model_pragmas(&mut self, pragmas: &[Pragma<'_>]) -> Fallible<bool> {
        let mut complete = false;
        for pragma in pragmas {
            match &pragma.subject {
                Subject::Complete => complete = true,
                Subject::Equal(left, right) => self.model.symbols.equal.push((left.clone(), right.clone())),
                Subject::Let(row, origin) => {
                    let id = self.origin(origin)?;
                    if self.rows.insert(*row, id).is_some() {
                        return Err(Fault::new(pragma.span, format!("the origin @{row} is given twice")));
                    }
                }
                Subject::Symbol(name) => {
                    let mut facts = SymbolFacts::default();
                    for field in &pragma.fields {
                        match (field.key.value, &field.value) {
                            ("min", FieldValue::Int(min)) => facts.min = *min,
                            ("max", FieldValue::Int(max)) => facts.max = Some(*max),
                            ("divisor", FieldValue::Int(divisor)) => facts.divisor = *divisor,
                            _ => return Err(pragma::bad_field(field, "min, max or divisor with an integer")),
                        }
                    }
                    self.model.symbols.assume(Name::from(&*name.value), facts);
                }
                Subject::Model => {
                    for field in &pragma.fields {
                        match (field.key.value, &field.value) {
                            ("external_data", FieldValue::Flag) => self.model.metadata.external_data = true,
                            ("opaque", FieldValue::Text(bytes)) => {
                                self.model.metadata.opaque = bytes::Bytes::copy_from_slice(bytes);
                            }
                            _ => return Err(pragma::bad_field(field, "external_data, or opaque with a string")),
                        }
                    }
                }
                _ => {
                    return Err(Fault::expecting(
                        pragma.span,
                        "this pragma does not belong here",
                        "model, complete, symbol, equal, let, entry or alias outside of graphs",
                    ));
                }
            }
        }
        Ok(complete)
    }

    fn entries(&mut self, ast: &ModelAst<'_>) -> Fallible<()> {
        for entry in &ast.entries {
            let span = entry.name.as_ref().map(|name| name.span).unwrap_or_default();
            let name = entry.name.as_ref().map_or(Name::from(MAIN_ENTRY), |name| Name::from(&*name.value));
            let id = match &entry.body {
                EntryBody::Graph(graph) => {
                    self.open(graph, Scope::Outermost, false, None)?;
                    self.close(graph)?
                }
                EntryBody::Alias(of) => match self.model.entries.get(&*of.value) {
                    Some(id) => *id,
                    None => return Err(Fault::new(of.span, format!("there is no entry '{}' above", of.value))),
                },
            };
            if self.model.entries.insert(name.clone(), id).is_some() {
                return Err(Fault::new(span, format!("two entries are called '{name}'")));
            }
        }
        Ok(())
    }

    fn function(&mut self, ast: &FunctionAst<'_>) -> Fallible<()> {
        self.open(&ast.graph, Scope::Outermost, true, None)?;
        let mut function = Function {
            body: None,
            attributes: ast.attributes.iter().map(|name| Name::from(&*name.value)).collect(),
            defaults: Vec::new(),
            opsets: ast.header.opsets.iter().map(|(domain, version)| (Name::from(&**domain), *version)).collect(),
            doc: Name::from(&*ast.header.doc),
            ..Function::default()
        };
        for attribute in &ast.defaults {
            let value: Attribute = self.plain_attribute(attribute)?;
            function.defaults.push((Name::from(&*attribute.name.value), value));
        }
        for pragma in &ast.graph.pragmas {
            if matches!(pragma.subject, Subject::Function) {
                for field in &pragma.fields {
                    match (field.key.value, &field.value) {
                        ("metadata", FieldValue::Pairs(pairs)) => function.metadata = names(pairs),
                        ("typed", FieldValue::Flag) => function.typed = true,
                        ("sealed", FieldValue::Flag) => function.sealed = true,
                        _ => return Err(pragma::bad_field(field, "typed, sealed, or metadata with a list")),
                    }
                }
            }
        }
        function.body = Some(self.close(&ast.graph)?);
        self.model.functions.insert(function_key(ast), function);
        Ok(())
    }

    /// Verifies, infers what the text leaves open, and gives everything its final number.
    fn finish(mut self, complete: bool) -> Fallible<Model> {
        if let Err(errors) = self.model.verify() {
            let message = errors.first().map(ToString::to_string).unwrap_or_default();
            return Err(Fault::new(Span::default(), message));
        }
        for id in std::mem::take(&mut self.pristine) {
            self.model.graph_mut(id).mark_pristine();
        }
        let mut keep = std::mem::take(&mut self.explicit);
        let equal = complete.then(|| self.model.symbols.equal.clone());
        if complete {
            keep.clear();
            for (id, graph) in self.model.graphs() {
                keep.extend(graph.values().map(|(value, row)| (id, value, row.ty().clone())));
            }
        }
        self.model.infer();
        for (graph, value, ty) in keep {
            if *self.model.graph(graph).value(value).ty() != ty {
                self.model.graph_mut(graph).set_type(value, ty);
            }
        }
        if let Some(equal) = equal {
            self.model.symbols.equal = equal;
        }
        match self.model.compact() {
            Ok(_) => Ok(self.model),
            Err(cycle) => Err(Fault::new(Span::default(), cycle.to_string())),
        }
    }
}
