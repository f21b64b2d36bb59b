//! What a backend is, and what it says when it cannot write a model.

use edgesmith_ir::{GraphId, Model, Name, OpId};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Artefact;

/// A backend with its options, ready to lower models.
pub trait Backend: Send + Sync {
    /// Its card.
    fn info(&self) -> BackendInfo;
    /// Everything that stands in the way of lowering the model, at once; empty when nothing does.
    fn check(&self, model: &Model) -> Vec<Unsupported>;
    /// Lowers a verified model. Fails with what [`check`](Self::check) lists.
    fn lower(&self, model: &Model, cx: &LowerCx<'_>) -> Result<Artefact, LowerError>;
}

/// How a backend is described and made from options.
pub trait BackendSpec: Backend + Sized + 'static {
    /// What it is.
    const INFO: BackendInfo;
    /// Its options; unknown keys must be refused (`#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]`).
    type Options: DeserializeOwned + Serialize + JsonSchema + Default;
    /// The backend with these options.
    fn new(options: Self::Options) -> Self;
}

/// A backend's card.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct BackendInfo {
    /// The name on the command line and in pipelines, kebab-case.
    pub name: &'static str,
    /// One line.
    pub summary: &'static str,
    /// The usual extension of the main file, without a dot.
    pub extension: &'static str,
}

/// What a backend is told beside the model.
#[derive(Clone, Copy, Debug)]
pub struct LowerCx<'a> {
    /// The name of the main file without its extension; files beside it are named after it.
    pub stem: &'a str,
}

impl Default for LowerCx<'_> {
    fn default() -> Self {
        Self { stem: "model" }
    }
}

/// One thing that a backend cannot write.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize)]
pub struct Unsupported {
    /// The operator or value: its name, or that of the operator's first result.
    pub site: Name,
    /// The operator's kind; empty for a value or the model.
    pub operator: String,
    /// What is the case. Lower case, no full stop.
    pub reason: String,
    /// What would change it, if anything would.
    pub remedy: Option<String>,
    /// Where in the model; ids mean nothing after it changed.
    #[serde(skip)]
    pub at: Option<(GraphId, OpId)>,
}

impl std::fmt::Display for Unsupported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.operator.is_empty(), self.site.is_empty()) {
            (false, false) => write!(f, "{} '{}': ", self.operator, self.site)?,
            (false, true) => write!(f, "{}: ", self.operator)?,
            (true, false) => write!(f, "'{}': ", self.site)?,
            (true, true) => {}
        }
        f.write_str(&self.reason)?;
        match &self.remedy {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

/// Why a model was not lowered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LowerError {
    /// The backend cannot write parts of the model.
    #[error("{}", list(.0))]
    Unsupported(Vec<Unsupported>),
    /// The model is not what the verifier guarantees.
    #[error("the model is not valid ({0}); this is a fault of edgesmith")]
    Invalid(String),
}

/// As many as fit a message; the caller has the rest.
const SHOWN: usize = 8;

fn list(all: &[Unsupported]) -> String {
    let mut lines: Vec<String> = all.iter().take(SHOWN).map(ToString::to_string).collect();
    if all.len() > SHOWN {
        lines.push(format!("and {} more", all.len() - SHOWN));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn obstacles_read_as_sentences() {
        let one = Unsupported {
            site: "a".into(),
            operator: "Gelu".into(),
            reason: "there is none".into(),
            remedy: Some("decompose it".into()),
            at: None,
        };
        assert_eq!(one.to_string(), "Gelu 'a': there is none; decompose it");
        let model = Unsupported { site: Name::default(), operator: String::new(), remedy: None, ..one.clone() };
        assert_eq!(model.to_string(), "there is none");
        let many = LowerError::Unsupported(vec![one; 10]).to_string();
        assert_eq!((many.lines().count(), many.lines().last()), (9, Some("and 2 more")));
    }
}
