//! The driver: a worklist over every graph of a model, rules indexed by the kind of their root.
//!
//! Every operator is offered to the rules once; whoever a patch touches is offered again. Work is linear in the number
//! of operators and patches. Order is deterministic: operators in topological order, rules in the order they were given.

use std::collections::VecDeque;

use edgesmith_ir::{Def, EntityId, GraphId, Model, Name, OpId, OpKind, OriginId, User, ValueId};
use indexmap::IndexMap;
use rustc_hash::FxHashMap;
use serde::Serialize;
use smallvec::SmallVec;

use crate::apply::{Applied, ApplyError, apply};
use crate::check::{LocalVerdict, check_patch};
use crate::names::Names;
use crate::{Cx, Fidelity, Match, Miss, Patch, Remark, RuleName, Severity};

/// A rule: looks at one operator, returns what to change.
pub trait Rewrite: Send + Sync {
    /// The name, kebab-case, verb first.
    const NAME: RuleName;
    /// One line for lists: what it does.
    const SUMMARY: &'static str;
    /// The kinds of operators that it is called for; empty: all.
    const ROOTS: &'static [OpKind];
    /// How faithful its patches are.
    const FIDELITY: Fidelity;
    /// The page of the manual, in Markdown; empty: there is none.
    const MANUAL: &'static str = "";
    /// Looks at the operator. Must not depend on anything but the model.
    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch>;
}

/// What is known of a rule without running it.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct RuleInfo {
    /// The name.
    pub name: RuleName,
    /// One line.
    pub summary: &'static str,
    /// How faithful its patches are.
    pub fidelity: Fidelity,
    /// The page of the manual, in Markdown; empty: there is none.
    #[serde(skip)]
    pub manual: &'static str,
}

impl RuleInfo {
    /// What a rule says of itself.
    pub const fn of<R: Rewrite>() -> Self {
        Self { name: R::NAME, summary: R::SUMMARY, fidelity: R::FIDELITY, manual: R::MANUAL }
    }
}

trait DynRewrite: Send + Sync {
    fn info(&self) -> RuleInfo;
    fn roots(&self) -> &'static [OpKind];
    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch>;
}

impl<R: Rewrite> DynRewrite for R {
    fn info(&self) -> RuleInfo {
        RuleInfo::of::<R>()
    }
    fn roots(&self) -> &'static [OpKind] {
        R::ROOTS
    }
    fn rewrite(&self, cx: &Cx<'_>, root: OpId) -> Match<Patch> {
        Rewrite::rewrite(self, cx, root)
    }
}

/// Rules in the order in which they are tried.
#[derive(Default)]
pub struct RuleSet {
    rules: Vec<Box<dyn DynRewrite>>,
}

impl RuleSet {
    /// No rules.
    pub fn new() -> Self {
        Self::default()
    }
    /// The same with one more rule, tried after the others.
    pub fn with(mut self, rule: impl Rewrite + 'static) -> Self {
        self.rules.push(Box::new(rule));
        self
    }
    /// The same without the rules that `keep` refuses.
    pub fn filtered(mut self, keep: impl Fn(RuleName) -> bool) -> Self {
        self.rules.retain(|rule| keep(rule.info().name));
        self
    }
    /// What the rules are.
    pub fn infos(&self) -> Vec<RuleInfo> {
        self.rules.iter().map(|rule| rule.info()).collect()
    }
}

/// How the driver runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct DriverOptions {
    /// At most so many patches, for bisection.
    pub fuel: Option<u64>,
    /// Whether every patch is evaluated before and after.
    pub check: bool,
}

/// One patch that was applied, for reports and `explain`.
#[derive(Clone, PartialEq, Debug)]
pub struct Firing {
    /// The rule.
    pub rule: RuleName,
    /// The operator that it was called for.
    pub site: Name,
    /// Where the operators that it replaced came from.
    pub from: SmallVec<[OriginId; 4]>,
    /// The origin of the operators that it made; `None` when it made none, as a fold to a constant.
    pub into: Option<OriginId>,
    /// What the local check found; `None` when it was off.
    pub verdict: Option<LocalVerdict>,
}

/// What a run did.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Every patch that was applied, in order.
    pub firings: Vec<Firing>,
    /// Refusals that still stand, and errors.
    pub remarks: Vec<Remark>,
    /// How often a rule was called. Grows linearly with operators and patches; tests hold it to that.
    pub calls: u64,
    /// Whether the run stopped because the fuel was spent.
    pub out_of_fuel: bool,
}

impl Outcome {
    /// How often each rule fired, in order of first firing.
    pub fn counts(&self) -> IndexMap<RuleName, u64> {
        let mut counts = IndexMap::new();
        for firing in &self.firings {
            *counts.entry(firing.rule).or_insert(0) += 1;
        }
        counts
    }
    /// Whether a local check failed.
    pub fn has_failed_checks(&self) -> bool {
        self.remarks.iter().any(|remark| remark.severity == Severity::Error)
    }
}

/// Why a run cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DriveError {
    /// Rules undo each other.
    #[error("rule '{rule}' fires again and again at '{site}': rules undo each other; switch one of them off")]
    Endless {
        /// The rule that fired last.
        rule: RuleName,
        /// Where.
        site: Name,
    },
    /// A graph has a cycle.
    #[error(transparent)]
    Cycle(#[from] edgesmith_ir::Cycle),
}

/// At most so many patches per operator of the model, on average.
const PATCHES_PER_OP: u64 = 32;

/// After so many bytes of new constants, those that have died since give back their memory.
const RELEASE_AFTER: u64 = 8 << 20;

/// Applies rules until none fires any more.
pub fn drive(model: &mut Model, rules: &RuleSet, options: &DriverOptions) -> Result<Outcome, DriveError> {
    let mut by_kind: FxHashMap<OpKind, Vec<usize>> = FxHashMap::default();
    for kind in OpKind::ALL {
        let of_kind = (0..rules.rules.len()).filter(|index| {
            let roots = rules.rules[*index].roots();
            roots.is_empty() || roots.contains(kind)
        });
        by_kind.insert(*kind, of_kind.collect());
    }
    let mut work = Worklist::default();
    for graph in model.open_graphs() {
        for op in model.graph(graph).topological()? {
            work.push(graph, op);
        }
    }
    let mut run = Run {
        rules,
        by_kind,
        options,
        names: Names::default(),
        outcome: Outcome::default(),
        refusals: IndexMap::new(),
        written: 0,
        bound: (work.queue.len() as u64 + 16) * PATCHES_PER_OP,
    };
    while let Some((graph, op)) = work.pop() {
        if !model.graph(graph).is_alive(op) {
            continue;
        }
        run.offer(model, graph, op, &mut work)?;
        if run.outcome.out_of_fuel {
            break;
        }
    }
    let Run { mut outcome, refusals, .. } = run;
    outcome.remarks.extend(
        refusals.into_iter().filter(|((graph, op, _), _)| model.graph(*graph).is_alive(*op)).map(|(_, remark)| remark),
    );
    Ok(outcome)
}

#[derive(Default)]
struct Worklist {
    queue: VecDeque<(GraphId, OpId)>,
    queued: FxHashMap<GraphId, Vec<bool>>,
}

impl Worklist {
    fn push(&mut self, graph: GraphId, op: OpId) {
        let flags = self.queued.entry(graph).or_default();
        if flags.len() <= op.index() {
            flags.resize(op.index() + 1, false);
        }
        if !std::mem::replace(&mut flags[op.index()], true) {
            self.queue.push_back((graph, op));
        }
    }
    fn pop(&mut self) -> Option<(GraphId, OpId)> {
        let (graph, op) = self.queue.pop_front()?;
        if let Some(flag) = self.queued.get_mut(&graph).and_then(|flags| flags.get_mut(op.index())) {
            *flag = false;
        }
        Some((graph, op))
    }
}

struct Run<'r> {
    rules: &'r RuleSet,
    by_kind: FxHashMap<OpKind, Vec<usize>>,
    options: &'r DriverOptions,
    names: Names,
    outcome: Outcome,
    refusals: IndexMap<(GraphId, OpId, RuleName), Remark>,
    /// Bytes of constants that patches added since memory was given back.
    written: u64,
    bound: u64,
}

impl Run<'_> {
    fn offer(&mut self, model: &mut Model, graph: GraphId, op: OpId, work: &mut Worklist) -> Result<(), DriveError> {
        let kind = model.graph(graph).op(op).op().kind();
        let candidates = self.by_kind.get(&kind).cloned().unwrap_or_default();
        for index in candidates {
            let rule = &self.rules.rules[index];
            let info = rule.info();
            if !model.graph(graph).is_alive(op) {
                return Ok(());
            }
            self.outcome.calls += 1;
            let patch = match rule.rewrite(&Cx::new(model, graph, op, info.name), op) {
                Ok(patch) => patch,
                Err(Miss::NoMatch | Miss::NoEffect) => continue,
                Err(Miss::Rejected(remark)) => {
                    let at = remark.at.unwrap_or((graph, op));
                    self.refusals.insert((at.0, at.1, info.name), *remark);
                    continue;
                }
            };
            if self.options.fuel.is_some_and(|fuel| self.outcome.firings.len() as u64 >= fuel) {
                self.outcome.out_of_fuel = true;
                return Ok(());
            }
            if self.fire(model, graph, op, &patch, info, work)? {
                // The operator may be gone or another now: it is on the list again if it is alive.
                if model.graph(graph).is_alive(op) {
                    work.push(graph, op);
                }
                return Ok(());
            }
        }
        Ok(())
    }

    fn fire(
        &mut self,
        model: &mut Model,
        graph: GraphId,
        op: OpId,
        patch: &Patch,
        info: RuleInfo,
        work: &mut Worklist,
    ) -> Result<bool, DriveError> {
        let site = model.op_label(graph, op);
        let verdict = self.options.check.then(|| check_patch(model, patch, info.fidelity));
        if let Some(LocalVerdict::Failed { detail }) = &verdict {
            let message = format!("the local check failed, so this change was not made: {detail}");
            let remark = Remark::about(model, graph, op, info.name, message)
                .with_severity(Severity::Error)
                .with_remedy("this is a fault of the rule; please report it, and switch the rule off meanwhile");
            self.outcome.remarks.push(remark);
            return Ok(false);
        }
        let readers_before = readers(model, graph, patch);
        let applied = match apply(model, patch, &mut self.names) {
            Ok(applied) => applied,
            Err(ApplyError::NoEffect) => return Ok(false),
            Err(error) => {
                let remark =
                    Remark::about(model, graph, op, info.name, format!("the patch cannot be applied: {error}"));
                self.refusals.insert((graph, op, info.name), remark);
                return Ok(false);
            }
        };
        let (from, into) = (applied.from.clone(), applied.into);
        self.outcome.firings.push(Firing { rule: info.name, site: site.clone(), from, into, verdict });
        if self.outcome.firings.len() as u64 > self.bound {
            return Err(DriveError::Endless { rule: info.name, site });
        }
        requeue(model, graph, &applied, readers_before, work);
        self.written += patch.constants.iter().map(|constant| constant.tensor.byte_len()).sum::<u64>();
        if self.written >= RELEASE_AFTER {
            model.release_dead_tensors();
            self.written = 0;
        }
        Ok(true)
    }
}

/// Who reads the redefined values now; after a forward they read another value and want to be offered again.
fn readers(model: &Model, graph: GraphId, patch: &Patch) -> Vec<OpId> {
    let graph = model.graph(graph);
    patch.redefinitions.iter().flat_map(|(old, _)| op_readers(graph, *old)).collect()
}

fn op_readers(graph: &edgesmith_ir::Graph, value: ValueId) -> impl Iterator<Item = OpId> {
    graph.value(value).uses().iter().filter_map(|u| match u.user {
        User::Op(op) => Some(op),
        User::Output => None,
    })
}

/// Readers beyond this many are not offered again one by one when a shared value changes: that would be quadratic for a
/// constant with 50,000 uses, and a rule that depends on the number of uses looks at few.
const MANY_READERS: usize = 16;

fn requeue(model: &Model, graph_id: GraphId, applied: &Applied, readers_before: Vec<OpId>, work: &mut Worklist) {
    let graph = model.graph(graph_id);
    let mut affected: Vec<OpId> = applied.created.clone();
    affected.extend(readers_before);
    for value in &applied.touched {
        affected.extend(graph.producer(*value));
        if graph.value(*value).uses().len() <= MANY_READERS {
            affected.extend(op_readers(graph, *value));
        }
    }
    for op in &applied.created {
        if !graph.is_alive(*op) {
            continue;
        }
        // Producers of what the new operators read, and their other readers, may match now that a use is gone or new.
        for value in graph.op(*op).operands().iter().flatten() {
            if let Def::Result { op, .. } = graph.value(*value).def() {
                affected.push(op);
            }
            if graph.value(*value).uses().len() <= MANY_READERS {
                affected.extend(op_readers(graph, *value));
            }
        }
        for value in graph.op(*op).results().iter().flatten() {
            if graph.value(*value).uses().len() <= MANY_READERS {
                affected.extend(op_readers(graph, *value));
            }
        }
        for region in graph.op(*op).regions() {
            for (op, _) in model.graph(*region).ops() {
                work.push(*region, op);
            }
        }
    }
    for op in affected {
        if graph.is_alive(op) {
            work.push(graph_id, op);
        }
    }
}
