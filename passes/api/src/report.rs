//! What a run did, as data: the tables that people see and the JSON that tools read are made from it.

use edgesmith_ir::{Cost, Dim, Model, Name, OpKind};
use edgesmith_rewrite::{Fidelity, Firing, LocalVerdict, Outcome, Remark};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Serialize;

use crate::Trace;
use crate::loss::{BudgetReport, LossReport};
use crate::table::PassTable;

/// What a part of a model costs: all operators of one kind, or of one scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PartCost {
    /// Operators.
    pub operators: u64,
    /// Multiply-accumulates of one run.
    pub macs: Amount,
    /// The same with every symbolic dim at 1: what tables show.
    pub macs_at_one: Option<i64>,
    /// Elements of weights read; what two parts share counts in both.
    pub parameters: u64,
    /// Bytes of constants read, counted likewise.
    pub weight_bytes: u64,
    /// Bytes of results, with every symbolic dim at 1.
    pub activation_bytes_at_one: Option<i64>,
}

impl PartCost {
    fn of(cost: &Cost) -> Self {
        Self {
            operators: cost.operators,
            macs: Amount(cost.macs.clone()),
            macs_at_one: at_one(&cost.macs),
            parameters: cost.parameters,
            weight_bytes: cost.weight_bytes,
            activation_bytes_at_one: at_one(&cost.activation_bytes),
        }
    }
}

/// A size with every symbol at 1.
fn at_one(dim: &Dim) -> Option<i64> {
    dim.substitute(&|_| Some(Dim::Known(1))).known()
}

/// Sizes of a model at one point of the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Metrics {
    /// Operators, those of regions included.
    pub operators: u64,
    /// Operators by name, most frequent first.
    #[schemars(with = "std::collections::BTreeMap<String, u64>")]
    pub by_kind: IndexMap<String, u64>,
    /// Operators that the IR has a type for.
    pub typed: u64,
    /// Multiply-accumulates of one run; an expression where dims are symbolic.
    pub macs: Amount,
    /// The same with every symbolic dim at 1: what tables show.
    pub macs_at_one: Option<i64>,
    /// Elements of constants.
    pub parameters: u64,
    /// Bytes of constants.
    pub weight_bytes: u64,
    /// The most bytes of activations alive at once.
    pub peak_activation_bytes: Amount,
    /// The same with every symbolic dim at 1.
    pub peak_activation_bytes_at_one: Option<i64>,
    /// Cost by name of the operator, the most frequent first.
    #[schemars(with = "std::collections::BTreeMap<String, PartCost>")]
    pub cost_by_kind: IndexMap<String, PartCost>,
    /// Cost by scope of the source, in order of first appearance; what has none is under the empty name.
    #[schemars(with = "std::collections::BTreeMap<String, PartCost>")]
    pub cost_by_scope: IndexMap<String, PartCost>,
}

/// A number, or an expression over symbolic dims, or not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amount(pub Dim);

impl Serialize for Amount {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Dim::Known(n) => serializer.serialize_i64(*n),
            Dim::Unknown => serializer.serialize_none(),
            Dim::Expr(_) => serializer.collect_str(&self.0),
        }
    }
}

impl JsonSchema for Amount {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Amount".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "a number, an expression over symbolic dims, or null where it is not known",
            "type": ["integer", "string", "null"]
        })
    }
}

impl Metrics {
    /// Measures a model.
    pub fn of(model: &Model) -> Self {
        let cost = model.cost();
        let parts = |parts: &IndexMap<Name, Cost>| -> IndexMap<String, PartCost> {
            parts.iter().map(|(name, cost)| (name.to_string(), PartCost::of(cost))).collect()
        };
        let mut cost_by_kind = parts(&cost.by_kind);
        cost_by_kind.sort_by(|a, x, b, y| y.operators.cmp(&x.operators).then_with(|| a.cmp(b)));
        let typed = model
            .live_graphs()
            .into_iter()
            .flat_map(|id| model.graph(id).ops().map(|(_, data)| data.op().kind()).collect::<Vec<_>>())
            .filter(|kind| *kind != OpKind::Custom)
            .count() as u64;
        Self {
            operators: cost.total.operators,
            by_kind: cost_by_kind.iter().map(|(name, cost)| (name.clone(), cost.operators)).collect(),
            typed,
            macs_at_one: at_one(&cost.total.macs),
            macs: Amount(cost.total.macs),
            parameters: cost.total.parameters,
            weight_bytes: cost.total.weight_bytes,
            peak_activation_bytes_at_one: at_one(&cost.peak_activation_bytes),
            peak_activation_bytes: Amount(cost.peak_activation_bytes),
            cost_by_scope: parts(&cost.by_scope),
            cost_by_kind,
        }
    }
}

/// How the local checks of a pass went.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct LocalChecks {
    /// Patches that were evaluated before and after and agreed.
    pub checked: u64,
    /// The largest difference among them, relative to the largest magnitude.
    pub largest_difference: f64,
    /// Patches that could not be evaluated, by reason.
    #[schemars(with = "std::collections::BTreeMap<String, u64>")]
    pub not_checked: IndexMap<String, u64>,
    /// Patches that differed and were dropped.
    pub failed: u64,
}

impl LocalChecks {
    /// Counts the checks of a driver's outcome.
    pub fn of(outcome: &Outcome) -> Self {
        let mut checks = Self {
            failed: outcome.remarks.iter().filter(|r| r.severity == edgesmith_rewrite::Severity::Error).count() as u64,
            ..Self::default()
        };
        outcome.firings.iter().for_each(|firing| checks.add(firing));
        checks
    }

    /// Those of every rule that fired, in order of first firing.
    pub fn by_rule(outcome: &Outcome) -> IndexMap<String, Self> {
        let mut rules: IndexMap<&str, Self> = IndexMap::new();
        for firing in &outcome.firings {
            rules.entry(firing.rule).or_default().add(firing);
        }
        rules.into_iter().map(|(rule, checks)| (rule.to_owned(), checks)).collect()
    }

    fn add(&mut self, firing: &Firing) {
        match &firing.verdict {
            Some(LocalVerdict::Checked { difference }) => {
                self.checked += 1;
                self.largest_difference = self.largest_difference.max(*difference);
            }
            Some(LocalVerdict::NotChecked { reason }) => {
                *self.not_checked.entry(reason.clone()).or_insert(0) += 1;
            }
            Some(LocalVerdict::Failed { .. }) => self.failed += 1,
            None => *self.not_checked.entry("local checks are off".into()).or_insert(0) += 1,
        }
    }
}

/// What one pass did.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PassReport {
    /// The pass.
    pub name: String,
    /// Its options in full.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub options: toml::Table,
    /// Whether the model changed.
    pub changed: bool,
    /// Seconds, checks included.
    pub seconds: f64,
    /// How often each rule fired.
    #[schemars(with = "std::collections::BTreeMap<String, u64>")]
    pub rules: IndexMap<String, u64>,
    /// How often a rule was called: the work of the pass, counted.
    pub calls: u64,
    /// Other counts, such as operators removed as dead.
    #[schemars(with = "std::collections::BTreeMap<String, u64>")]
    pub counts: IndexMap<String, u64>,
    /// Refusals, assumptions, failures.
    pub remarks: Vec<Remark>,
    /// Local checks.
    pub local_checks: LocalChecks,
    /// The same by rule.
    #[schemars(with = "std::collections::BTreeMap<String, LocalChecks>")]
    pub rule_checks: IndexMap<String, LocalChecks>,
    /// Operators after it.
    pub operators: u64,
    /// Why the pass was dropped, when it was.
    pub dropped: Option<String>,
    /// What the pass lost, where it is approximate or has a budget and changed something.
    pub loss: Option<LossReport>,
    /// The budget and what became of it, where there is one.
    pub budget: Option<BudgetReport>,
    /// Figures that only the pass knows.
    pub tables: Vec<PassTable>,
}

/// What passes that lose nothing did in a run in which others did: a loss between source and result tells nothing about
/// whether these are right, so it is said how they were checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ExactPart {
    /// The passes, each once.
    pub passes: Vec<String>,
    /// Changes that were checked where they were made.
    pub checked: u64,
    /// Changes that were not.
    pub unchecked: u64,
}

impl ExactPart {
    /// Of the passes that changed something; `approximate` tells of each whether it loses something.
    pub(crate) fn of(passes: &[PassReport], approximate: &[bool]) -> Option<Self> {
        let mut part = Self { passes: Vec::new(), checked: 0, unchecked: 0 };
        for (pass, _) in passes.iter().zip(approximate).filter(|(pass, approximate)| pass.changed && !**approximate) {
            if !part.passes.contains(&pass.name) {
                part.passes.push(pass.name.clone());
            }
            part.checked += pass.local_checks.checked;
            part.unchecked += pass.local_checks.not_checked.values().sum::<u64>();
        }
        (!part.passes.is_empty()).then_some(part)
    }
}

impl std::fmt::Display for ExactPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all = self.checked + self.unchecked;
        let passes = self.passes.join(", ");
        match self.checked {
            0 => write!(f, "; {passes} not checked"),
            checked => write!(f, "; {passes} checked locally only, {checked} of {all} changes"),
        }
    }
}

/// Whether the result computes what the source computes, and how that is known.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// Nothing changed, so there is nothing to check.
    Unchanged,
    /// The whole model ran before and after, and agreed.
    Checked {
        /// The largest difference relative to the largest magnitude of its output; 0 means every bit is equal.
        largest_difference: f64,
        /// On so many inputs.
        inputs: usize,
        /// Run by this engine.
        engine: String,
    },
    /// Every change was checked where it was made, the whole was not run.
    LocallyOnly {
        /// Why the whole was not run.
        reason: String,
        /// Changes that were checked.
        checked: u64,
        /// Changes that could not be.
        unchecked: u64,
    },
    /// Not checked.
    NotChecked {
        /// Why.
        reason: String,
    },
    /// Something was lost on purpose, and this is how much.
    Measured {
        /// Source against result.
        loss: LossReport,
        /// The share of passes that lose nothing, where they changed something.
        exact_part: Option<ExactPart>,
    },
    /// Something was lost on purpose, and nobody knows how much.
    NotMeasured {
        /// Why.
        reason: String,
        /// The share of passes that lose nothing, where they changed something.
        exact_part: Option<ExactPart>,
    },
    /// The two sides differ: the output is withheld.
    Differs {
        /// Where and by how much.
        detail: String,
    },
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Verdict::Unchanged => f.write_str("unchanged (no pass changed anything)"),
            Verdict::Checked { largest_difference, inputs, engine } => {
                let plural = if *inputs == 1 { "input" } else { "inputs" };
                if *largest_difference == 0.0 {
                    write!(f, "checked (bit-equal on {inputs} {plural}, {engine})")
                } else {
                    write!(f, "checked (largest difference {largest_difference:.1e}, on {inputs} {plural}, {engine})")
                }
            }
            Verdict::LocallyOnly { reason, checked, unchecked } => {
                write!(f, "checked locally only, {checked} of {} changes ({reason})", checked + unchecked)
            }
            Verdict::NotChecked { reason } => write!(f, "not checked ({reason})"),
            Verdict::Measured { loss, exact_part } => {
                write!(f, "measured: {} ({})", loss.summary(), loss.engine.as_deref().unwrap_or("top-1 only"))?;
                exact_part.iter().try_for_each(|part| part.fmt(f))
            }
            Verdict::NotMeasured { reason, exact_part } => {
                write!(f, "not measured ({reason})")?;
                exact_part.iter().try_for_each(|part| part.fmt(f))
            }
            Verdict::Differs { detail } => write!(f, "DIFFERS: {detail}"),
        }
    }
}

/// What a run did.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RunReport {
    /// Sizes before.
    pub before: Metrics,
    /// Sizes after.
    pub after: Metrics,
    /// Each pass.
    pub passes: Vec<PassReport>,
    /// The weakest fidelity of what fired.
    pub fidelity: Fidelity,
    /// What became of every operator.
    pub trace: Trace,
    /// The verdict.
    #[serde(flatten)]
    pub verdict: Verdict,
}
