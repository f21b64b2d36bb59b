//! What rules and passes tell the user: why something was not done, what was assumed, what went wrong.

use edgesmith_ir::{DType, GraphId, Model, Name, OpId};
use schemars::JsonSchema;
use serde::Serialize;

/// The name of a rule: kebab-case, verb first (`fold-batch-norm`).
pub type RuleName = &'static str;

/// How much a remark matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Good to know: why a rule refused, what was assumed.
    Remark,
    /// Something the user may want to change.
    Warning,
    /// Something is wrong; the change it is about was not made.
    Error,
}

/// One thing to tell the user.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, JsonSchema)]
pub struct Remark {
    /// How much it matters.
    pub severity: Severity,
    /// The rule or pass that speaks.
    #[schemars(with = "String")]
    pub rule: Name,
    /// The operator or value that it is about: the name of its node in the source, where it has one.
    #[schemars(with = "String")]
    pub site: Name,
    /// What is the case. Lower case, no full stop.
    pub message: String,
    /// What would change it, if anything would.
    pub remedy: Option<String>,
    /// The graph and operator, while the rewrite runs; ids mean nothing afterwards.
    #[serde(skip)]
    pub at: Option<(GraphId, OpId)>,
}

impl Remark {
    /// A remark about an operator.
    pub fn about(model: &Model, graph: GraphId, op: OpId, rule: RuleName, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Remark,
            rule: rule.into(),
            site: model.op_label(graph, op),
            message: message.into(),
            remedy: None,
            at: Some((graph, op)),
        }
    }
    /// A remark about the model or about a value.
    pub fn general(rule: impl Into<Name>, site: impl Into<Name>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Remark,
            rule: rule.into(),
            site: site.into(),
            message: message.into(),
            remedy: None,
            at: None,
        }
    }
    /// The same with another severity.
    pub fn with_severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }
    /// The same with a remedy.
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

impl std::fmt::Display for Remark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at '{}': {}", self.rule, self.site, self.message)?;
        match &self.remedy {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

/// The outcome of looking: a patch, or why there is none.
pub type Match<T> = Result<T, Miss>;

/// Why a rule made no patch.
#[derive(Clone, PartialEq, Debug)]
pub enum Miss {
    /// The pattern is not there. Silent.
    NoMatch,
    /// The pattern is there but the patch would change nothing. Silent.
    NoEffect,
    /// The pattern is there but the rule must not fire. Reaches the user.
    Rejected(Box<Remark>),
}

/// How faithful a change is.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fidelity {
    /// Every bit of every output is the same.
    Exact,
    /// The same up to rounding: the largest difference, relative to the largest magnitude of the value, stays within the
    /// tolerance.
    Rounding {
        /// For f32 (wider types are held to it too); f16 and bf16 are held to their own precision.
        tolerance: f64,
    },
    /// The numbers change; what is lost is measured and reported.
    Approximate,
}

impl Fidelity {
    /// The rounding of a few f32 operations.
    pub const ROUNDING: Fidelity = Fidelity::Rounding { tolerance: 1e-5 };

    /// The largest difference, relative to the largest magnitude of a value with these elements, that is allowed; 0 where
    /// nothing may differ. Integers and bools do not round; f16 and bf16 are held to their own precision.
    pub fn allowance(self, dtype: Option<DType>) -> f64 {
        match (self, dtype) {
            (Fidelity::Approximate, _) => f64::INFINITY,
            (_, Some(dtype)) if !dtype.is_float() => 0.0,
            (Fidelity::Rounding { tolerance }, Some(DType::F16)) => tolerance.max(4e-3),
            (Fidelity::Rounding { tolerance }, Some(DType::BF16)) => tolerance.max(3e-2),
            (Fidelity::Rounding { tolerance }, _) => tolerance,
            (Fidelity::Exact, _) => 0.0,
        }
    }

    /// The weaker of two.
    pub fn weaker(self, other: Fidelity) -> Fidelity {
        match (self, other) {
            (Fidelity::Approximate, _) | (_, Fidelity::Approximate) => Fidelity::Approximate,
            (Fidelity::Rounding { tolerance: a }, Fidelity::Rounding { tolerance: b }) => {
                Fidelity::Rounding { tolerance: a.max(b) }
            }
            (Fidelity::Exact, weaker) | (weaker, Fidelity::Exact) => weaker,
        }
    }
}
