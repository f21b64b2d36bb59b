//! The report of `optimize` as a file: JSON for tools, or one self-contained HTML page for people, made from the same data.

mod page;

use std::path::Path;

use edgesmith_pass::RunReport;
use edgesmith_rewrite::Remark;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{Failure, InterfaceChange, LatencyReport};

/// What one pipeline did to a model, and the files it was read from and written to.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct OptimizeReport {
    /// The version of edgesmith.
    pub edgesmith: &'static str,
    /// The pipeline: a preset's name, or the name of its file without folder and extension.
    pub pipeline: String,
    /// The model that was read.
    pub input: String,
    /// The model that was written; absent when it was withheld.
    pub output: Option<String>,
    /// Bytes of the model that was read, with the files of its weights.
    pub input_bytes: u64,
    /// Bytes of the model that was written, with the files of its weights; 0 when it was withheld.
    pub output_bytes: u64,
    /// What of inputs and outputs was declared to change.
    pub interface: Vec<InterfaceChange>,
    /// What was odd about the model that was read.
    pub input_remarks: Vec<String>,
    /// What writing the file had to change: opset, IR version, names.
    pub output_remarks: Vec<Remark>,
    /// The verdict as a sentence.
    pub verdict_text: String,
    /// Latency before and after, where it was asked for and could be measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<LatencyReport>,
    /// Why latency was not measured although it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_not_measured: Option<String>,
    /// What was done.
    #[serde(flatten)]
    pub run: RunReport,
}

/// What a report in JSON holds.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum ReportFile {
    /// Of one pipeline.
    One(Box<OptimizeReport>),
    /// Of several, in the order in which they ran.
    Several(Vec<OptimizeReport>),
}

/// The form of a report, which its file's extension decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReportFormat {
    /// For tools. One pipeline gives an object, several give a list of such objects.
    Json,
    /// For people: one page that needs nothing else, neither files nor network.
    Html,
}

impl ReportFormat {
    /// The form that a path asks for by its extension.
    pub fn of(path: &Path) -> Result<Self, Failure> {
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        match extension.as_deref() {
            Some("json") => Ok(Self::Json),
            Some("html" | "htm") => Ok(Self::Html),
            _ => Err(Failure::usage(format!(
                "{}: the extension does not say what kind of report is meant",
                path.display()
            ))
            .with_help("end the name in .json or .html")),
        }
    }

    /// Writes reports down in this form, one for each pipeline that ran.
    pub fn text(self, reports: &[OptimizeReport]) -> Result<String, Failure> {
        let json = match (self, reports) {
            (Self::Json, [report]) => serde_json::to_string_pretty(report),
            (Self::Json, reports) => serde_json::to_string_pretty(reports),
            (Self::Html, reports) => serde_json::to_string(reports),
        };
        let json = json.map_err(|error| Failure::internal(format!("the report cannot be written: {error}")))?;
        Ok(match self {
            Self::Json => json,
            Self::Html => page::page(&json),
        })
    }
}
