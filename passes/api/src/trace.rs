//! The trace of a run: what became of every operator of the source, and where every operator of the result came from.

use std::collections::BTreeSet;

use edgesmith_ir::{EntityId, Model, Name, Origin, OriginId, Renumbering};
use indexmap::IndexSet;
use rustc_hash::FxHashSet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::pass::Event;

/// What became of what, over a whole run. Origins are numbered once for the run: compaction renumbers a model's own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Trace {
    /// Provenances; everything below refers to them by position.
    pub origins: Vec<TraceOrigin>,
    /// What happened, in order.
    pub events: Vec<TraceEvent>,
    /// Operators of the result.
    pub result: Vec<TraceOperator>,
}

/// A provenance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum TraceOrigin {
    /// A node of the source.
    Source {
        /// Its name; where the file gives none, the name of its first output.
        #[schemars(with = "String")]
        node: Name,
        /// Its operator as the file calls it.
        #[schemars(with = "String")]
        operator: Name,
        /// The module of the exporter that it belongs to.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        #[schemars(with = "Option<String>")]
        scope: Option<Name>,
    },
    /// Made by a rule from other operators.
    Derived {
        /// The rule.
        #[schemars(with = "String")]
        rule: Name,
        /// What the rule replaced.
        from: Vec<u32>,
    },
}

/// Operators that became others, or nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TraceEvent {
    /// Position of the pass in the run.
    pub pass: usize,
    /// The rule or step of the pass.
    #[schemars(with = "String")]
    pub rule: Name,
    /// The operator that it was about.
    #[schemars(with = "String")]
    pub site: Name,
    /// Where the operators that went came from.
    pub from: Vec<u32>,
    /// The origin of what stands in their place; absent when no operator does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub into: Option<u32>,
}

/// An operator of the result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TraceOperator {
    /// Its name; where it has none, that of its first result.
    #[schemars(with = "String")]
    pub name: Name,
    /// What it is.
    #[schemars(with = "String")]
    pub operator: Name,
    /// Its results' names.
    #[schemars(with = "Vec<String>")]
    pub results: Vec<Name>,
    /// Where it came from.
    pub origin: u32,
}

/// Keeps the trace while passes run.
pub(crate) struct Tracer {
    /// The run's number of each origin of the model as it is now, by index.
    numbers: Vec<u32>,
    trace: Trace,
}

impl Tracer {
    pub(crate) fn new(source: &Model) -> Self {
        let mut tracer = Self { numbers: Vec::new(), trace: Trace::default() };
        tracer.learn(source);
        tracer
    }

    /// Numbers the origins that are new in the model.
    fn learn(&mut self, model: &Model) {
        for (id, origin) in model.origins() {
            if id.index() < self.numbers.len() {
                continue;
            }
            self.trace.origins.push(match origin {
                Origin::Source { node, operator, scope } => {
                    TraceOrigin::Source { node: node.clone(), operator: operator.clone(), scope: scope.clone() }
                }
                Origin::Derived { rule, from } => TraceOrigin::Derived {
                    rule: rule.clone(),
                    from: from.iter().filter_map(|id| self.numbers.get(id.index()).copied()).collect(),
                },
                _ => TraceOrigin::Derived { rule: Name::default(), from: Vec::new() },
            });
            self.numbers.push(self.trace.origins.len() as u32 - 1);
        }
    }

    /// A point to go back to.
    pub(crate) fn mark(&self) -> Mark {
        Mark { numbers: self.numbers.clone(), origins: self.trace.origins.len(), events: self.trace.events.len() }
    }

    /// Forgets what came after, with a model that was given up.
    pub(crate) fn rewind(&mut self, mark: &Mark) {
        self.numbers.clone_from(&mark.numbers);
        self.trace.origins.truncate(mark.origins);
        self.trace.events.truncate(mark.events);
    }

    /// Takes in what a pass did, before the model is compacted.
    pub(crate) fn record(&mut self, pass: usize, model: &Model, events: &[Event]) {
        self.learn(model);
        let number = |id: &OriginId| self.numbers.get(id.index()).copied();
        for event in events {
            self.trace.events.push(TraceEvent {
                pass,
                rule: event.rule.into(),
                site: event.site.clone(),
                from: event.from.iter().filter_map(number).collect(),
                into: event.into.as_ref().and_then(number),
            });
        }
    }

    /// Follows a compaction.
    pub(crate) fn compacted(&mut self, renumbering: &Renumbering) {
        let mut numbers = vec![0; renumbering.origins.len()];
        for (index, number) in self.numbers.iter().enumerate() {
            if let Some(new) = renumbering.origins.get(&OriginId::from_index(index))
                && let Some(slot) = numbers.get_mut(new.index())
            {
                *slot = *number;
            }
        }
        self.numbers = numbers;
    }

    pub(crate) fn finish(mut self, result: &Model) -> Trace {
        self.learn(result);
        for graph_id in result.live_graphs() {
            let graph = result.graph(graph_id);
            for (op, data) in graph.ops() {
                let results = data.results().iter().flatten().map(|value| graph.value(*value).name().clone());
                self.trace.result.push(TraceOperator {
                    name: result.op_label(graph_id, op),
                    operator: data.op().name().into(),
                    results: results.collect(),
                    origin: self.numbers.get(data.origin().index()).copied().unwrap_or_default(),
                });
            }
        }
        self.trace
    }
}

/// A point that a [`Tracer`] can go back to.
pub(crate) struct Mark {
    numbers: Vec<u32>,
    origins: usize,
    events: usize,
}

/// What became of one operator of the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Fate {
    /// The node's name in the source.
    #[schemars(with = "String")]
    pub node: Name,
    /// Its operator.
    #[schemars(with = "String")]
    pub operator: Name,
    /// Positions in [`Trace::events`] of what happened to it, in order.
    pub events: Vec<usize>,
    /// Positions in [`Trace::result`] of the operators that it lives on in.
    pub result: Vec<usize>,
}

impl Trace {
    /// A provenance and all that it goes back to, each once, the latest first.
    fn ancestry(&self, origin: u32) -> Vec<u32> {
        let (mut stack, mut seen, mut found) = (vec![origin], FxHashSet::default(), Vec::new());
        while let Some(top) = stack.pop() {
            if seen.insert(top) {
                found.push(top);
                if let Some(TraceOrigin::Derived { from, .. }) = self.origins.get(top as usize) {
                    stack.extend(from);
                }
            }
        }
        // An origin is made after those it derives from.
        found.sort_unstable_by(|a, b| b.cmp(a));
        found
    }

    /// The source nodes that a provenance goes back to, in the order of the source.
    pub fn sources(&self, origin: u32) -> Vec<u32> {
        let is_source = |number: &u32| matches!(self.origins.get(*number as usize), Some(TraceOrigin::Source { .. }));
        self.ancestry(origin).into_iter().rev().filter(is_source).collect()
    }

    /// The rules that made what has this provenance, each once, the last one first.
    pub fn rules(&self, origin: u32) -> IndexSet<Name> {
        let origins = self.ancestry(origin).into_iter().filter_map(|number| self.origins.get(number as usize));
        origins
            .filter_map(|origin| match origin {
                TraceOrigin::Derived { rule, .. } => Some(rule.clone()),
                TraceOrigin::Source { .. } => None,
            })
            .collect()
    }

    /// Prepares questions about fates: one walk over the trace, after which a fate takes as long as it is.
    pub fn fates(&self) -> Fates<'_> {
        let count = self.origins.len();
        let mut fates = Fates {
            trace: self,
            derived: vec![Vec::new(); count],
            events: vec![Vec::new(); count],
            result: vec![Vec::new(); count],
        };
        for (number, origin) in self.origins.iter().enumerate() {
            if let TraceOrigin::Derived { from, .. } = origin {
                from.iter().for_each(|from| note(&mut fates.derived, *from, number as u32));
            }
        }
        for (at, event) in self.events.iter().enumerate() {
            event.from.iter().for_each(|from| note(&mut fates.events, *from, at));
        }
        for (at, op) in self.result.iter().enumerate() {
            note(&mut fates.result, op.origin, at);
        }
        fates
    }
}

/// A trace from a file may name origins that it does not have.
fn note<T>(lists: &mut [Vec<T>], at: u32, what: T) {
    if let Some(list) = lists.get_mut(at as usize) {
        list.push(what);
    }
}

/// A trace that is ready for questions about source nodes.
#[derive(Clone, Debug)]
pub struct Fates<'a> {
    trace: &'a Trace,
    /// By origin, the origins that derive from it.
    derived: Vec<Vec<u32>>,
    /// By origin, the events that happened to it.
    events: Vec<Vec<usize>>,
    /// By origin, the operators of the result that have it.
    result: Vec<Vec<usize>>,
}

impl Fates<'_> {
    /// What became of the source node of that number.
    pub fn of(&self, source: u32) -> Option<Fate> {
        let Some(TraceOrigin::Source { node, operator, .. }) = self.trace.origins.get(source as usize) else {
            return None;
        };
        let (mut stack, mut holds) = (vec![source], FxHashSet::from_iter([source]));
        let (mut events, mut result) = (BTreeSet::new(), BTreeSet::new());
        while let Some(origin) = stack.pop() {
            let at = origin as usize;
            events.extend(&self.events[at]);
            result.extend(&self.result[at]);
            stack.extend(self.derived[at].iter().filter(|derived| holds.insert(**derived)));
        }
        // An operator that was merged into an equal one lives on in that one, though not by provenance.
        for into in events.iter().filter_map(|at: &usize| self.trace.events[*at].into) {
            if !holds.contains(&into) {
                result.extend(self.result.get(into as usize).into_iter().flatten());
            }
        }
        let (events, result) = (events.into_iter().collect(), result.into_iter().collect());
        Some(Fate { node: node.clone(), operator: operator.clone(), events, result })
    }
}
