//! What an approximate pass lost, as data: layer by layer, end to end, in accuracy; and what its budget made of it.

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

/// A ratio of powers in decibels: 10·log10(signal / noise). Written as a number, or as `"inf"` (no noise) or `"-inf"`
/// (only noise).
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
pub struct Decibels(pub f64);

impl Serialize for Decibels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_finite() { serializer.serialize_f64(self.0) } else { serializer.collect_str(&self.0) }
    }
}

impl JsonSchema for Decibels {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Decibels".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "decibels; \"inf\" where nothing differs, \"-inf\" where nothing is left",
            "anyOf": [{ "type": "number" }, { "enum": ["inf", "-inf"] }]
        })
    }
}

impl std::fmt::Display for Decibels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 == f64::INFINITY {
            f.write_str("equal")
        } else if self.0 == f64::NEG_INFINITY {
            f.write_str("lost")
        } else {
            write!(f, "{:.2} dB", self.0)
        }
    }
}

/// How far values are from their reference, over all elements of all samples together.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, JsonSchema)]
pub struct Figures {
    /// 10·log10(Σ reference² / Σ (reference − found)²).
    pub sqnr: Decibels,
    /// Σ reference·found / √(Σ reference² · Σ found²); 0 where an element is no number any more.
    pub cosine: f64,
    /// Elements compared.
    pub elements: u64,
}

/// What became of one operator whose weights changed.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
pub struct LayerLoss {
    /// The operator, by the name of its node.
    pub layer: String,
    /// What it is: `Conv`.
    pub kind: String,
    /// Its place among the modules of the source, where known.
    pub scope: Option<String>,
    /// Its result with the new weights, given the inputs that it had in the model before: what this layer loses by itself.
    pub isolated: Option<Figures>,
    /// Its result in the model after against that in the model before: with what earlier layers lost.
    pub accumulated: Option<Figures>,
}

/// What became of one output of the model.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
pub struct OutputLoss {
    /// The output.
    pub output: String,
    /// How far it is from what the model before gives.
    #[serde(flatten)]
    pub figures: Figures,
}

/// Accuracy before and after, on labelled data.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, JsonSchema)]
pub struct Top1 {
    /// Samples.
    pub samples: u64,
    /// Samples whose class the model before tells.
    pub before: u64,
    /// Samples whose class the model after tells.
    pub after: u64,
    /// Right before, wrong after.
    pub lost: u64,
    /// Wrong before, right after.
    pub won: u64,
    /// Samples for which both give the same class.
    pub agree: u64,
}

impl Top1 {
    /// What was lost, in percentage points; negative when the model became better.
    pub fn drop(&self) -> f64 {
        (self.before as f64 - self.after as f64) * 100.0 / self.samples.max(1) as f64
    }
    /// Accuracy before and after in percent.
    pub fn percent(&self) -> (f64, f64) {
        let of = |n: u64| n as f64 * 100.0 / self.samples.max(1) as f64;
        (of(self.before), of(self.after))
    }
}

/// What a pass, or a run, lost.
#[derive(Clone, PartialEq, Debug, Default, Serialize, JsonSchema)]
pub struct LossReport {
    /// What it was measured on; absent when nothing was.
    pub data: Option<String>,
    /// Samples of calibration data.
    pub samples: u64,
    /// The engine that ran the models.
    pub engine: Option<String>,
    /// Operators whose weights changed, the worst (by their isolated SQNR) first.
    pub layers: Vec<LayerLoss>,
    /// Every output.
    pub outputs: Vec<OutputLoss>,
    /// Accuracy, where labelled data were given.
    pub top1: Option<Top1>,
    /// What was not measured, and why.
    pub not_measured: Vec<String>,
}

impl LossReport {
    /// The worst cosine over the outputs.
    pub fn cosine(&self) -> Option<f64> {
        self.outputs.iter().map(|output| output.figures.cosine).min_by(f64::total_cmp)
    }
    /// The worst SQNR over the outputs, in decibels.
    pub fn sqnr(&self) -> Option<f64> {
        self.outputs.iter().map(|output| output.figures.sqnr.0).min_by(f64::total_cmp)
    }
    /// Whether anything was measured.
    pub fn is_measured(&self) -> bool {
        !self.outputs.is_empty() || self.top1.is_some()
    }
    /// The worst figures in a few words, for a cell of a table: `cosine 0.99871, top-1 99.33 % → 98.89 %`.
    pub fn brief(&self) -> String {
        let cosine = self.cosine().map(|cosine| format!("cosine {cosine:.5}"));
        let top1 = self.top1.as_ref().map(|top1| {
            let (before, after) = top1.percent();
            format!("top-1 {before:.2} % → {after:.2} %")
        });
        cosine.into_iter().chain(top1).collect::<Vec<_>>().join(", ")
    }
    /// The figures in one line: `logits cosine 0.99871, 25.80 dB on 256 samples; top-1 99.33 % → 98.89 % on 450`.
    pub fn summary(&self) -> String {
        let mut parts: Vec<String> = Vec::new();
        if let Some(worst) = self.outputs.iter().min_by(|a, b| a.figures.sqnr.0.total_cmp(&b.figures.sqnr.0)) {
            let more = match self.outputs.len() {
                1 => String::new(),
                n => format!(" (the worst of {n} outputs)"),
            };
            parts.push(format!(
                "{} cosine {:.5}, SQNR {}{more} on {} samples",
                worst.output, worst.figures.cosine, worst.figures.sqnr, self.samples
            ));
        }
        if let Some(top1) = &self.top1 {
            let (before, after) = top1.percent();
            parts.push(format!(
                "top-1 {before:.2} % → {after:.2} % on {} samples ({} lost, {} won)",
                top1.samples, top1.lost, top1.won
            ));
        }
        parts.join("; ")
    }
}

/// What a pass may lose, end to end, against the model as the pass found it.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Budget {
    /// The least cosine of every output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cosine: Option<f64>,
    /// The least SQNR of every output, in decibels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sqnr: Option<f64>,
    /// The most that top-1 may drop, in percentage points.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top1_drop: Option<f64>,
}

impl Budget {
    /// What of the budget is broken, in words; nothing when all of it is kept. What could not be measured counts as broken.
    pub fn broken_by(&self, loss: &LossReport) -> Vec<String> {
        let mut broken = Vec::new();
        let mut least = |what: &str, limit: Option<f64>, found: Option<f64>| match (limit, found) {
            (Some(limit), Some(found)) if found < limit => broken.push(format!("{what} {found:.5} is below {limit}")),
            (Some(_), None) => broken.push(format!("{what} could not be measured")),
            _ => {}
        };
        least("cosine", self.cosine, loss.cosine());
        least("SQNR", self.sqnr, loss.sqnr());
        match (self.top1_drop, &loss.top1) {
            (Some(limit), Some(top1)) if top1.drop() > limit => {
                broken.push(format!("top-1 drops by {:.2} points, more than {limit}", top1.drop()));
            }
            (Some(_), None) => broken.push("top-1 could not be measured".into()),
            _ => {}
        }
        broken
    }
}

/// One try to stay within a budget.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
pub struct Attempt {
    /// What the pass was set to, in its own words.
    pub setting: String,
    /// The worst cosine over the outputs.
    pub cosine: Option<f64>,
    /// The worst SQNR over the outputs.
    pub sqnr: Option<Decibels>,
    /// By how many percentage points top-1 dropped.
    pub top1_drop: Option<f64>,
    /// What broke the budget; empty when it was kept.
    pub broken: Vec<String>,
}

/// What became of a pass with a budget.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BudgetOutcome {
    /// It stayed within it at the first try.
    Kept,
    /// It stayed within it after it was made gentler.
    Eased,
    /// No form of it stayed within it: the model is as it was before the pass.
    RolledBack,
    /// It changed nothing, so there was nothing to measure.
    Unchanged,
}

/// A budget and what became of it.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
pub struct BudgetReport {
    /// The budget.
    pub limits: Budget,
    /// What became of the pass.
    pub outcome: BudgetOutcome,
    /// The tries in order.
    pub attempts: Vec<Attempt>,
}
