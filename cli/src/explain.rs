//! What became of an operator, where it came from, and why a rule left it alone: answers from the trace of a run.

use std::collections::{BTreeMap, BTreeSet};

use edgesmith_ir::Name;
use edgesmith_pass::{Fates, RunReport, Trace, TraceOrigin, nearest};
use edgesmith_rewrite::Remark;
use indexmap::IndexSet;
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
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
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

    /// The operators of these names, of the source and of the result, in the order of the names; a value's name stands for
    /// the operator that makes it. `producers` has the source operators of values. An unknown name is an error with the
    /// nearest known one. One walk over the record, whatever the number of names.
    pub fn explain(&self, names: &[String], producers: &BTreeMap<String, Name>) -> Result<Vec<Explanation>, Failure> {
        let index = Index::of(self);
        let mut answers: Vec<Explanation> = Vec::new();
        for name in names {
            let told = answers.len();
            let by_value = producers.get(name).map(Name::as_str).filter(|node| node != name);
            let mut sources: Vec<u32> =
                [Some(name.as_str()), by_value].into_iter().flatten().flat_map(|name| index.sources(name)).collect();
            sources.sort_unstable();
            answers.extend(sources.into_iter().filter_map(|number| index.source(number)));
            for at in index.results.get(name.as_str()).into_iter().flatten() {
                // What nothing touched was told as a source already.
                let origin = self.trace.origins.get(self.trace.result[*at].origin as usize);
                if !matches!(origin, Some(TraceOrigin::Source { .. })) || answers.len() == told {
                    answers.push(index.result(*at));
                }
            }
            if answers.len() == told {
                return Err(self.unknown(name));
            }
        }
        Ok(answers)
    }

    fn unknown(&self, name: &str) -> Failure {
        let sources = self.trace.origins.iter().filter_map(|origin| match origin {
            TraceOrigin::Source { node, .. } => Some(node.as_str()),
            TraceOrigin::Derived { .. } => None,
        });
        let known: Vec<&str> = sources.chain(self.trace.result.iter().map(|op| op.name.as_str())).collect();
        let failure = Failure::usage(format!("neither the source nor the result has an operator '{name}'"));
        failure
            .with_help(nearest(name, &known).unwrap_or_else(|| "edgesmith inspect MODEL --by op lists them".to_owned()))
    }

    fn pass(&self, index: usize) -> String {
        self.passes.get(index).map(|pass| pass.name.clone()).unwrap_or_default()
    }
}

/// A record by names.
struct Index<'a> {
    record: &'a Record,
    fates: Fates<'a>,
    /// Source nodes by name.
    sources: BTreeMap<&'a str, Vec<u32>>,
    /// Operators of the result by their name and those of their results.
    results: BTreeMap<&'a str, Vec<usize>>,
    /// What rules said, by the operator: pass and remark by number.
    remarks: BTreeMap<&'a str, Vec<(usize, usize)>>,
}

impl<'a> Index<'a> {
    fn of(record: &'a Record) -> Self {
        let mut index = Self {
            record,
            fates: record.trace.fates(),
            sources: BTreeMap::new(),
            results: BTreeMap::new(),
            remarks: BTreeMap::new(),
        };
        for (number, origin) in record.trace.origins.iter().enumerate() {
            if let TraceOrigin::Source { node, .. } = origin {
                index.sources.entry(node.as_str()).or_default().push(number as u32);
            }
        }
        for (at, op) in record.trace.result.iter().enumerate() {
            for name in std::iter::once(&op.name).chain(&op.results) {
                let list = index.results.entry(name.as_str()).or_default();
                if list.last() != Some(&at) {
                    list.push(at);
                }
            }
        }
        for (number, pass) in record.passes.iter().enumerate() {
            for (at, remark) in pass.remarks.iter().enumerate() {
                index.remarks.entry(remark.site.as_str()).or_default().push((number, at));
            }
        }
        index
    }

    fn sources(&self, name: &str) -> Vec<u32> {
        self.sources.get(name).cloned().unwrap_or_default()
    }

    fn source(&self, number: u32) -> Option<Explanation> {
        let trace = &self.record.trace;
        let fate = self.fates.of(number)?;
        let scope = match trace.origins.get(number as usize) {
            Some(TraceOrigin::Source { scope, .. }) => scope.as_ref().map(ToString::to_string),
            _ => None,
        };
        let steps = fate.events.iter().filter_map(|at| trace.events.get(*at));
        let steps: Vec<StepOf> = steps
            .map(|event| StepOf {
                pass: self.record.pass(event.pass),
                rule: event.rule.to_string(),
                site: event.site.to_string(),
                made_operator: event.into.is_some(),
            })
            .collect();
        let alive: Vec<_> = fate.result.iter().filter_map(|at| trace.result.get(*at)).collect();
        let mut names: Vec<&str> = alive.iter().map(|op| op.name.as_str()).collect();
        names.push(&fate.node);
        let refusals = self.refusals(&names);
        let lives_in =
            alive.iter().map(|op| Survivor { node: op.name.to_string(), operator: op.operator.to_string() }).collect();
        let (node, operator) = (fate.node.to_string(), fate.operator.to_string());
        Some(Explanation::Source { node, operator, scope, steps, lives_in, refusals })
    }

    fn result(&self, at: usize) -> Explanation {
        let trace = &self.record.trace;
        let op = &trace.result[at];
        let sources =
            trace.sources(op.origin).into_iter().filter_map(|number| match trace.origins.get(number as usize) {
                Some(TraceOrigin::Source { node, operator, .. }) => {
                    Some(Survivor { node: node.to_string(), operator: operator.to_string() })
                }
                _ => None,
            });
        Explanation::Result {
            node: op.name.to_string(),
            operator: op.operator.to_string(),
            rules: trace.rules(op.origin).iter().map(ToString::to_string).collect(),
            sources: sources.collect(),
            refusals: self.refusals(&[&op.name]),
        }
    }

    /// What rules said about operators of these names, each once: a pass that runs twice says it twice.
    fn refusals(&self, names: &[&str]) -> Vec<Refusal> {
        // In the order in which it was said.
        let said: BTreeSet<(usize, usize)> =
            names.iter().filter_map(|name| self.remarks.get(name)).flatten().copied().collect();
        let mut found: IndexSet<Refusal> = IndexSet::new();
        for (pass, at) in said {
            let pass = &self.record.passes[pass];
            let remark = &pass.remarks[at];
            found.insert(Refusal {
                pass: pass.name.clone(),
                rule: remark.rule.clone(),
                reason: remark.message.clone(),
                remedy: remark.remedy.clone(),
            });
        }
        found.into_iter().collect()
    }
}
