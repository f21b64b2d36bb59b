//! What became of an operator, where it came from, and why a rule left it alone: answers from the trace of a run.

use edgesmith_pass::{RunReport, Trace, TraceOrigin, nearest};
use edgesmith_rewrite::Remark;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Failure;

/// What answers are read from: a run just made, or a report written by `optimize --report`.
#[derive(Clone, Debug, Deserialize)]
pub struct Record {
    passes: Vec<RecordedPass>,
    trace: Trace,
}

#[derive(Clone, Debug, Deserialize)]
struct RecordedPass {
    name: String,
    remarks: Vec<RecordedRemark>,
}

#[derive(Clone, Debug, Deserialize)]
struct RecordedRemark {
    rule: String,
    site: String,
    message: String,
    remedy: Option<String>,
}

/// The answer about one operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "of", rename_all = "kebab-case")]
pub enum Explanation {
    /// An operator of the source.
    Source {
        /// Its name; where the file gives none, that of its first output.
        node: String,
        /// What it is.
        operator: String,
        /// The exporter's module.
        scope: Option<String>,
        /// What happened to it, in order.
        steps: Vec<StepOf>,
        /// The operators of the result that it lives on in.
        lives_in: Vec<Survivor>,
        /// Why rules left it, or what it became, alone.
        refusals: Vec<Refusal>,
    },
    /// An operator of the result.
    Result {
        /// Its name; where it has none, that of its first result.
        node: String,
        /// What it is.
        operator: String,
        /// The rules that made it, the last first; empty: it is the source's own.
        rules: Vec<String>,
        /// The operators of the source that it stands for.
        sources: Vec<Survivor>,
        /// Why rules left it alone.
        refusals: Vec<Refusal>,
    },
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StepOf {
    /// The pass.
    pub pass: String,
    /// The rule or step.
    pub rule: String,
    /// The operator at which the rule fired.
    pub site: String,
    /// Whether an operator came of it; else a constant, another value, or nothing stands in its place.
    pub made_operator: bool,
}

/// An operator by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Survivor {
    /// Its name.
    pub node: String,
    /// What it is.
    pub operator: String,
}

/// A rule that matched and did not fire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Refusal {
    /// The pass.
    pub pass: String,
    /// The rule.
    pub rule: String,
    /// Why.
    pub reason: String,
    /// What would make it fire, where something would.
    pub remedy: Option<String>,
}

impl Record {
    /// Of a run.
    pub fn of(report: RunReport) -> Self {
        let remark = |remark: Remark| RecordedRemark {
            rule: remark.rule.to_string(),
            site: remark.site.to_string(),
            message: remark.message,
            remedy: remark.remedy,
        };
        let passes = report
            .passes
            .into_iter()
            .map(|pass| RecordedPass { name: pass.name, remarks: pass.remarks.into_iter().map(remark).collect() });
        Self { passes: passes.collect(), trace: report.trace }
    }

    /// Of a report in JSON.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The operators of that name, of the source and of the result; a value's name stands for the operator that makes it.
    /// `producer` finds the source operator of a value. An unknown name is an error with the nearest known one.
    pub fn explain(&self, name: &str, producer: &dyn Fn(&str) -> Option<String>) -> Result<Vec<Explanation>, Failure> {
        let by_value = producer(name);
        let mut answers: Vec<Explanation> = Vec::new();
        for (number, origin) in self.trace.origins.iter().enumerate() {
            if let TraceOrigin::Source { node, scope, .. } = origin
                && (node == name || by_value.as_deref() == Some(&**node))
            {
                answers.extend(self.source(number as u32, scope.as_ref().map(ToString::to_string)));
            }
        }
        for (at, op) in self.trace.result.iter().enumerate() {
            // What nothing touched was told as a source already.
            let own = matches!(self.trace.origins.get(op.origin as usize), Some(TraceOrigin::Source { .. }));
            if (op.name == name || op.results.iter().any(|result| result == name)) && (!own || answers.is_empty()) {
                answers.push(self.result(at));
            }
        }
        if answers.is_empty() {
            let sources = self.trace.origins.iter().filter_map(|origin| match origin {
                TraceOrigin::Source { node, .. } => Some(node.as_str()),
                TraceOrigin::Derived { .. } => None,
            });
            let known: Vec<&str> = sources.chain(self.trace.result.iter().map(|op| op.name.as_str())).collect();
            let failure = Failure::usage(format!("neither the source nor the result has an operator '{name}'"));
            return Err(failure.with_help(
                nearest(name, &known).unwrap_or_else(|| "edgesmith inspect MODEL --by op lists them".to_owned()),
            ));
        }
        Ok(answers)
    }

    fn source(&self, number: u32, scope: Option<String>) -> Option<Explanation> {
        let fate = self.trace.fate(number)?;
        let steps = fate.events.iter().filter_map(|at| self.trace.events.get(*at));
        let steps: Vec<StepOf> = steps
            .map(|event| StepOf {
                pass: self.pass(event.pass),
                rule: event.rule.to_string(),
                site: event.site.to_string(),
                made_operator: event.into.is_some(),
            })
            .collect();
        let alive: Vec<_> = fate.result.iter().filter_map(|at| self.trace.result.get(*at)).collect();
        let mut names: Vec<&str> = alive.iter().map(|op| op.name.as_str()).collect();
        names.push(&fate.node);
        let refusals = self.refusals(&names);
        let lives_in =
            alive.iter().map(|op| Survivor { node: op.name.to_string(), operator: op.operator.to_string() }).collect();
        let (node, operator) = (fate.node.to_string(), fate.operator.to_string());
        Some(Explanation::Source { node, operator, scope, steps, lives_in, refusals })
    }

    fn result(&self, at: usize) -> Explanation {
        let op = &self.trace.result[at];
        let sources = self.trace.sources(op.origin).into_iter().filter_map(|number| {
            match self.trace.origins.get(number as usize) {
                Some(TraceOrigin::Source { node, operator, .. }) => {
                    Some(Survivor { node: node.to_string(), operator: operator.to_string() })
                }
                _ => None,
            }
        });
        Explanation::Result {
            node: op.name.to_string(),
            operator: op.operator.to_string(),
            rules: self.trace.rules(op.origin).iter().map(ToString::to_string).collect(),
            sources: sources.collect(),
            refusals: self.refusals(&[&op.name]),
        }
    }

    fn pass(&self, index: usize) -> String {
        self.passes.get(index).map(|pass| pass.name.clone()).unwrap_or_default()
    }

    /// What rules said about operators of these names, each once: a pass that runs twice says it twice.
    fn refusals(&self, names: &[&str]) -> Vec<Refusal> {
        let mut found: Vec<Refusal> = Vec::new();
        for pass in &self.passes {
            for remark in pass.remarks.iter().filter(|remark| names.contains(&remark.site.as_str())) {
                let refusal = Refusal {
                    pass: pass.name.clone(),
                    rule: remark.rule.clone(),
                    reason: remark.message.clone(),
                    remedy: remark.remedy.clone(),
                };
                if !found.contains(&refusal) {
                    found.push(refusal);
                }
            }
        }
        found
    }
}
