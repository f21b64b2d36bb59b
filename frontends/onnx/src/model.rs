//! The model: what surrounds the graph, and the walk over everything.

use bytes::Bytes;
use edgesmith_frontend::{Diagnostics, ExternalData, Format, Subject};
use edgesmith_ir::op::{FunctionKey, Hardmax, LegacySoftmax, LogSoftmax, Softmax, SoftmaxKind};
use edgesmith_ir::{Metadata, Model, Name, OpInferError};
use edgesmith_onnx_proto::{Message, ModelProto, ProtoError, ScanReport, StringStringEntryProto, decode_model};
use indexmap::IndexMap;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::attribute::References;
use crate::error::{ImportError, UnknownOperator};
use crate::function::FunctionSource;
use crate::graph::{Body, Frame, Scope};
use crate::limits::Limits;
use crate::names::Names;
use crate::plan::{plan_graph, undefined};
use crate::{Import, ImportOptions, opset};

/// The newest version of the file format that is known.
const NEWEST_IR: i64 = 14;

/// Everything that reading a model carries along.
pub(crate) struct Importer<'a> {
    pub model: Model,
    pub names: Names,
    pub limits: Limits,
    pub diagnostics: Diagnostics,
    pub options: &'a ImportOptions,
    pub external: &'a dyn ExternalData,
    pub ir_version: i64,
    /// The graphs that are being built, outermost first.
    pub scopes: Vec<Scope>,
    pub functions: IndexMap<FunctionKey, FunctionSource>,
    /// Symbols on the inputs of the model.
    pub input_symbols: FxHashSet<Name>,
    /// Whether there is a softmax of old that may turn out to be a new one.
    pub legacy_softmax: bool,
    /// Operators that the operator sets lack, by operator and version.
    pub unknown: IndexMap<(Name, i64), UnknownOperator>,
    /// Operators without a possible type.
    pub type_errors: Vec<OpInferError>,
    /// Values whose declared element type is wrong.
    pub declared_errors: Vec<String>,
}

/// Reads a model; see [`crate::import`].
pub(crate) fn import(
    bytes: Bytes,
    external: &dyn ExternalData,
    options: &ImportOptions,
) -> Result<Import, ImportError> {
    let (proto, report) = decode(&bytes)?;
    let mut importer = Importer {
        model: Model::new(),
        names: Names::default(),
        limits: Limits::for_file(bytes.len()),
        diagnostics: Diagnostics::default(),
        options,
        external,
        ir_version: proto.ir_version.unwrap_or_default(),
        scopes: Vec::new(),
        functions: IndexMap::new(),
        input_symbols: FxHashSet::default(),
        legacy_softmax: false,
        unknown: IndexMap::new(),
        type_errors: Vec::new(),
        declared_errors: Vec::new(),
    };
    importer.report_unknown_fields(&report);
    importer.run(proto)?;
    let Importer { model, diagnostics, .. } = importer;
    model.verify().map_err(ImportError::Broken)?;
    Ok(Import { model, diagnostics })
}

fn decode(bytes: &Bytes) -> Result<(ModelProto, ScanReport), ImportError> {
    let foreign = || Format::detect(bytes).map(ImportError::Foreign);
    match decode_model(bytes.clone()) {
        Ok((proto, report)) if proto.graph.is_some() => Ok((proto, report)),
        Ok(_) => Err(foreign().unwrap_or_else(|| {
            ImportError::Model("the file has no graph; it may be cut off, or be some other protocol buffer".into())
        })),
        Err(error @ ProtoError::Malformed { .. }) => Err(foreign().unwrap_or(ImportError::Malformed(error))),
        Err(error) => Err(error.into()),
    }
}

impl Importer<'_> {
    fn report_unknown_fields(&mut self, report: &ScanReport) {
        for field in &report.unknown_fields {
            self.diagnostics.warning(
                "edgesmith::onnx::unknown-field",
                || Subject::Model,
                || format!("{field} is not known and will be missing from the output"),
            );
        }
    }

    fn run(&mut self, mut proto: ModelProto) -> Result<(), ImportError> {
        let Some(ir_version) = proto.ir_version else {
            return Err(ImportError::Model("the file does not say its IR version; it may be damaged".into()));
        };
        if ir_version < 3 {
            return Err(ImportError::Model(format!(
                "the file has IR version {ir_version}, which has no operator sets; convert it to version 3 or newer"
            )));
        }
        if ir_version > NEWEST_IR {
            self.diagnostics.warning(
                "edgesmith::onnx::newer-ir",
                || Subject::Model,
                || format!("the file has IR version {ir_version}, newer than {NEWEST_IR}, the newest that is known"),
            );
        }
        self.model.opsets = opset::imports(&proto.opset_import, &mut self.names, self.options, &mut self.diagnostics)?;
        self.model.metadata = metadata(&mut proto, ir_version);
        let functions = std::mem::take(&mut proto.functions);
        let graph = proto.graph.take().unwrap_or_default();
        let plan = plan_graph(&graph, &mut self.names, &mut self.limits)?;
        if let Some(name) = plan.free.first() {
            return Err(undefined(&graph.node, name));
        }
        self.note_input_symbols(&graph)?;
        #[expect(clippy::iter_over_hash_type, reason = "put into a set again")]
        for name in &plan.defined {
            self.names.reserve(name);
        }
        self.read_functions(functions)?;
        let opsets = self.model.opsets.clone();
        let frame = Frame { opsets: &opsets, references: References::Absent, function: None, raw: false };
        let name = if graph.name.is_empty() { Name::from("main") } else { Name::from(graph.name.as_str()) };
        let formals = crate::function::open(graph.input.len());
        let main = self.build_outermost(Body::from(graph), &plan, formals, &frame)?;
        if !self.unknown.is_empty() {
            return Err(ImportError::UnknownOperators(std::mem::take(&mut self.unknown).into_values().collect()));
        }
        self.model.entries.insert(name, main);
        self.build_functions()?;
        self.settle_softmax();
        self.recognise();
        self.check_declared();
        self.pin_bindings(&proto);
        if !self.options.lenient {
            if !self.type_errors.is_empty() {
                return Err(ImportError::Types(std::mem::take(&mut self.type_errors)));
            }
            if !self.declared_errors.is_empty() {
                return Err(ImportError::Declared(std::mem::take(&mut self.declared_errors)));
            }
        }
        for error in std::mem::take(&mut self.type_errors) {
            self.diagnostics.warning(
                "edgesmith::onnx::impossible-types",
                || Subject::Node { name: error.name.clone(), operator: error.kind.as_str().into() },
                || error.error.to_string(),
            );
        }
        for error in std::mem::take(&mut self.declared_errors) {
            self.diagnostics.warning("edgesmith::onnx::contradicted-types", || Subject::Model, || error);
        }
        let graphs: Vec<_> = self.model.graphs().map(|(id, _)| id).collect();
        for id in graphs {
            self.model.graph_mut(id).mark_pristine();
        }
        Ok(())
    }

    fn note_input_symbols(&mut self, graph: &edgesmith_onnx_proto::GraphProto) -> Result<(), ImportError> {
        for input in &graph.input {
            if let Some(ty) = &input.r#type {
                let ty = crate::types::value_type(ty)
                    .map_err(|fault| ImportError::Value { value: input.name.as_str().into(), fault })?;
                crate::types::note_symbols(&ty, &mut self.input_symbols);
            }
        }
        Ok(())
    }

    /// In a subgraph the rank of a value is often known only when the operator around it is. A softmax of old over the last
    /// axis is a new one.
    fn settle_softmax(&mut self) {
        if !self.legacy_softmax {
            return;
        }
        for id in self.model.live_graphs() {
            let graph = self.model.graph(id);
            let last = graph.ops().filter_map(|(op, data)| {
                let legacy = data.op().cast::<LegacySoftmax>()?;
                let rank = graph.value(data.operand(0)?).ty().rank()? as i64;
                (legacy.axis == rank - 1).then_some((op, legacy.clone()))
            });
            for (op, LegacySoftmax { kind, axis }) in last.collect::<Vec<_>>() {
                let modern = match kind {
                    SoftmaxKind::Softmax => Softmax { axis }.into(),
                    SoftmaxKind::LogSoftmax => LogSoftmax { axis }.into(),
                    SoftmaxKind::Hardmax => Hardmax { axis }.into(),
                };
                self.model.graph_mut(id).set_op(op, modern);
            }
        }
    }

    /// Gives operators from outside their types and meaning.
    fn recognise(&mut self) {
        for refused in self.options.operators.recognise(&mut self.model) {
            self.diagnostics.warning(
                "edgesmith::onnx::operator-not-recognised",
                || Subject::Node { name: refused.site, operator: refused.operator },
                || format!("it bears the name of a registered operator but is carried as it is: {}", refused.reason),
            );
        }
    }

    /// Compares what the file says of values with what the operators make of them.
    fn check_declared(&mut self) {
        for id in self.model.live_graphs() {
            let graph = self.model.graph(id);
            for (_, value) in graph.values() {
                let Some(declared) = value.extra().and_then(|extra| extra.declared.as_ref()) else { continue };
                let Some(fatal) = crate::types::contradiction(value.ty(), declared) else { continue };
                let message = || format!("it is declared as {declared}, but its operator makes {}", value.ty());
                if fatal && !matches!(value.def(), edgesmith_ir::Def::Input { .. }) {
                    let name = edgesmith_frontend::shown(value.name());
                    self.declared_errors.push(format!("value '{name}': {}", message()));
                } else {
                    self.diagnostics.warning(
                        "edgesmith::onnx::wrong-declared-type",
                        || Subject::Value(value.name().clone()),
                        || format!("{}; what is declared is ignored", message()),
                    );
                }
            }
        }
    }

    /// Training information names initializers: they stay although inference may not read them.
    fn pin_bindings(&mut self, proto: &ModelProto) {
        let bound: FxHashSet<&str> = proto
            .training_info
            .iter()
            .flat_map(|info| info.initialization_binding.iter().chain(&info.update_binding))
            .map(|entry| entry.key.as_str())
            .collect();
        let Some(main) = self.model.main().filter(|_| !bound.is_empty()) else { return };
        let graph = self.model.graph_mut(main);
        let values: Vec<_> =
            graph.values().filter(|(_, value)| bound.contains(value.name().as_str())).map(|(id, _)| id).collect();
        for value in values {
            graph.value_extra_mut(value).pinned = true;
        }
    }
}

fn metadata(proto: &mut ModelProto, ir_version: i64) -> Metadata {
    let opaque = ModelProto {
        training_info: proto.training_info.clone(),
        configuration: std::mem::take(&mut proto.configuration),
        ..ModelProto::default()
    };
    Metadata {
        ir_version,
        producer_name: proto.producer_name.as_str().into(),
        producer_version: proto.producer_version.as_str().into(),
        domain: proto.domain.as_str().into(),
        model_version: proto.model_version,
        doc: proto.doc_string.as_str().into(),
        properties: proto.metadata_props.iter().map(|e| (e.key.as_str().into(), e.value.as_str().into())).collect(),
        external_data: false,
        opaque: opaque.encode_to_vec().into(),
    }
}

/// Key-value notes with shared texts.
pub(crate) fn notes(entries: &[StringStringEntryProto], names: &mut Names) -> Vec<(Name, Name)> {
    entries.iter().map(|entry| (names.intern(&entry.key), names.intern(&entry.value))).collect()
}

/// Entries by the name that they are about; the first of several counts.
pub(crate) fn by_name<T>(entries: impl IntoIterator<Item = (String, T)>) -> FxHashMap<String, T> {
    let mut map = FxHashMap::default();
    for (name, entry) in entries {
        map.entry(name).or_insert(entry);
    }
    map
}
