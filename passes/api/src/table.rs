//! Tables of a pass's own: figures that only it knows, shown by every form of the report without knowing the pass.

use schemars::JsonSchema;
use serde::Serialize;

/// A table for the report.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
pub struct PassTable {
    /// What it shows.
    pub title: String,
    /// The heads of the columns.
    pub columns: Vec<String>,
    /// The rows, each as long as the heads.
    pub rows: Vec<Vec<Cell>>,
    /// What to know when reading it.
    pub notes: Vec<String>,
}

/// One cell, typed so that every form of the report can align and sort it.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Cell {
    /// Words.
    Text(String),
    /// A count.
    Count(u64),
    /// A share, 0 to 1.
    Share(f64),
    /// A number of bytes; negative when something grew.
    Bytes(i64),
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Cell::Text(text.to_owned())
    }
}
