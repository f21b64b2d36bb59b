//! `edgesmith inspect`: what is in a model.

use edgesmith_ir::{Cost, CostReport, Model, OpKind, ValueId};
use edgesmith_pass::{Amount, Registry};
use indexmap::IndexMap;
use serde::Serialize;

use super::{import_options, say};
use crate::args::{By, InspectArgs};
use crate::model_file::{ModelFile, bind_dims};
use crate::render::{at_one, bytes, count, is_symbolic, table};
use crate::runtime::oldest_onnx_runtime;
use crate::{Failure, VERSION};

pub(super) fn run(args: &InspectArgs, registry: &Registry) -> Result<(), Failure> {
    let mut file = ModelFile::read(&args.model, &import_options(&args.read, registry))?;
    bind_dims(&mut file.model, &args.dims)?;
    let card = Card::of(&file);
    if args.json {
        let json = card.json(&file, args.by);
        let text = serde_json::to_string_pretty(&json).map_err(|error| Failure::internal(error.to_string()))?;
        say(&text);
    } else {
        card.print(&file, args.by);
    }
    Ok(())
}

struct Card {
    cost: CostReport,
    typed: u64,
    /// Operators without a type, by domain and name.
    custom: IndexMap<String, IndexMap<String, u64>>,
}

impl Card {
    fn of(file: &ModelFile) -> Self {
        let (mut typed, mut custom) = (0, IndexMap::<String, IndexMap<String, u64>>::new());
        for graph in file.model.live_graphs() {
            for (_, data) in file.model.graph(graph).ops() {
                if data.op().kind() == OpKind::Custom {
                    let domain = if data.op().domain().is_empty() { "ai.onnx" } else { data.op().domain() };
                    *custom.entry(domain.to_owned()).or_default().entry(data.op().name().to_owned()).or_insert(0) += 1;
                } else {
                    typed += 1;
                }
            }
        }
        Self { cost: file.model.cost(), typed, custom }
    }

    fn print(&self, file: &ModelFile, by: Option<By>) {
        let model = &file.model;
        let opsets: Vec<String> = model
            .opsets
            .iter()
            .map(|(domain, version)| format!("{} {version}", if domain.is_empty() { "ai.onnx" } else { domain }))
            .collect();
        let producer = format!("{} {}", model.metadata.producer_name, model.metadata.producer_version);
        say(&format!(
            "{} ({}), {}",
            file.path.display(),
            bytes(file.bytes),
            if producer.trim().is_empty() { "unknown producer" } else { producer.trim() }
        ));
        say(&format!("IR version {}, opset {}", model.metadata.ir_version, opsets.join(", ")));
        match oldest_onnx_runtime(model) {
            Some(release) => say(&format!("needs ONNX Runtime {release} or newer")),
            None => say("no known release of ONNX Runtime reads this IR version and opset"),
        }
        let total = &self.cost.total;
        say(&format!("understood: {} of {} operators typed", self.typed, total.operators));
        for (domain, names) in &self.custom {
            let list: Vec<String> = names.iter().map(|(name, n)| format!("{name} × {n}")).collect();
            say(&format!("  carried as they are, from {domain}: {}", list.join(", ")));
        }
        if let Some(graph) = model.main_graph() {
            for (what, values) in [("input", graph.inputs()), ("output", graph.outputs())] {
                for value in values {
                    let row = graph.value(*value);
                    say(&format!("{what:<7}{}: {}", row.name(), row.ty()));
                }
            }
        }
        say("");
        say(&table(&["operator", "count", "MACs", "parameters", "weights", "activations"], self.rows(model, by)));
        say("");
        let symbolic = is_symbolic(&total.macs) || is_symbolic(&self.cost.peak_activation_bytes);
        say(&table(
            &[],
            vec![
                vec!["MACs".into(), at_one(&total.macs, count)],
                vec!["FLOPs".into(), at_one(&total.flops(), count)],
                vec!["parameters".into(), count(total.parameters)],
                vec!["weights".into(), bytes(total.weight_bytes)],
                vec!["activations".into(), at_one(&total.activation_bytes, bytes)],
                vec!["peak activations".into(), at_one(&self.cost.peak_activation_bytes, bytes)],
            ],
        ));
        if symbolic {
            say("(sizes with every symbolic dim at 1; --dim NAME=N gives them numbers)");
        }
        for diagnostic in &file.diagnostics {
            say(&format!("remark: {diagnostic}"));
        }
    }

    fn rows(&self, model: &Model, by: Option<By>) -> Vec<Vec<String>> {
        let row = |name: String, cost: &Cost| {
            vec![
                name,
                count(cost.operators),
                at_one(&cost.macs, count),
                count(cost.parameters),
                bytes(cost.weight_bytes),
                at_one(&cost.activation_bytes, bytes),
            ]
        };
        match by {
            None => {
                let mut kinds: Vec<_> = self.cost.by_kind.iter().collect();
                kinds.sort_by(|a, b| b.1.operators.cmp(&a.1.operators).then_with(|| a.0.cmp(b.0)));
                kinds.into_iter().map(|(name, cost)| row(name.to_string(), cost)).collect()
            }
            Some(By::Scope) => self.cost.by_scope.iter().map(|(name, cost)| row(scope_name(name), cost)).collect(),
            Some(By::Op) => self
                .cost
                .by_op
                .iter()
                .map(|(graph, op, cost)| {
                    row(format!("{} {}", model.graph(*graph).op(*op).op().name(), model.op_label(*graph, *op)), cost)
                })
                .collect(),
        }
    }

    fn json<'a>(&'a self, file: &'a ModelFile, by: Option<By>) -> Json<'a> {
        let model = &file.model;
        let value = |id: &ValueId| {
            let row = model.main_graph().map(|graph| graph.value(*id));
            row.map(|row| JsonValue { name: row.name().to_string(), ty: row.ty().to_string() })
        };
        let (inputs, outputs) = model.main_graph().map_or((Vec::new(), Vec::new()), |graph| {
            (graph.inputs().iter().filter_map(value).collect(), graph.outputs().iter().filter_map(value).collect())
        });
        let breakdown = match by {
            None => None,
            Some(By::Scope) => {
                Some(self.cost.by_scope.iter().map(|(name, cost)| JsonCost::of(scope_name(name), None, cost)).collect())
            }
            Some(By::Op) => Some(
                self.cost
                    .by_op
                    .iter()
                    .map(|(graph, op, cost)| {
                        let kind = model.graph(*graph).op(*op).op().name().to_owned();
                        JsonCost::of(model.op_label(*graph, *op).to_string(), Some(kind), cost)
                    })
                    .collect(),
            ),
        };
        Json {
            edgesmith: VERSION,
            file: file.path.display().to_string(),
            bytes: file.bytes,
            ir_version: model.metadata.ir_version,
            opsets: model
                .opsets
                .iter()
                .map(|(d, v)| (if d.is_empty() { "ai.onnx".to_owned() } else { d.to_string() }, *v))
                .collect(),
            producer: model.metadata.producer_name.to_string(),
            oldest_onnx_runtime: oldest_onnx_runtime(model),
            inputs,
            outputs,
            operators: self.cost.total.operators,
            by_kind: self.cost.by_kind.iter().map(|(name, cost)| (name.to_string(), cost.operators)).collect(),
            typed: self.typed,
            custom: &self.custom,
            macs: Amount(self.cost.total.macs.clone()),
            flops: Amount(self.cost.total.flops()),
            parameters: self.cost.total.parameters,
            weight_bytes: self.cost.total.weight_bytes,
            activation_bytes: Amount(self.cost.total.activation_bytes.clone()),
            peak_activation_bytes: Amount(self.cost.peak_activation_bytes.clone()),
            breakdown,
            remarks: file.diagnostics.iter().map(ToString::to_string).collect(),
        }
    }
}

fn scope_name(scope: &str) -> String {
    if scope.is_empty() { "(no scope)".to_owned() } else { scope.to_owned() }
}

#[derive(Serialize)]
struct Json<'a> {
    edgesmith: &'static str,
    file: String,
    bytes: u64,
    ir_version: i64,
    opsets: IndexMap<String, i64>,
    producer: String,
    oldest_onnx_runtime: Option<&'static str>,
    inputs: Vec<JsonValue>,
    outputs: Vec<JsonValue>,
    operators: u64,
    by_kind: IndexMap<String, u64>,
    typed: u64,
    custom: &'a IndexMap<String, IndexMap<String, u64>>,
    macs: Amount,
    flops: Amount,
    parameters: u64,
    weight_bytes: u64,
    activation_bytes: Amount,
    peak_activation_bytes: Amount,
    #[serde(skip_serializing_if = "Option::is_none")]
    breakdown: Option<Vec<JsonCost>>,
    remarks: Vec<String>,
}

#[derive(Serialize)]
struct JsonValue {
    name: String,
    #[serde(rename = "type")]
    ty: String,
}

#[derive(Serialize)]
struct JsonCost {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    operators: u64,
    macs: Amount,
    parameters: u64,
    weight_bytes: u64,
    activation_bytes: Amount,
}

impl JsonCost {
    fn of(name: String, kind: Option<String>, cost: &Cost) -> Self {
        Self {
            name,
            kind,
            operators: cost.operators,
            macs: Amount(cost.macs.clone()),
            parameters: cost.parameters,
            weight_bytes: cost.weight_bytes,
            activation_bytes: Amount(cost.activation_bytes.clone()),
        }
    }
}
