//! The manager: what is done once for every pass. Snapshot, run with panics caught, verify, compact, measure, report; roll
//! back on failure and say how to reproduce it; check the whole at the end.

use std::panic::{AssertUnwindSafe, catch_unwind};

use edgesmith_exec::Engine;
use edgesmith_ir::{Model, VerifyError};
use edgesmith_rewrite::{DriverOptions, Fidelity, RuleInfo, Severity};

use crate::approximate::{self, Predictions, Tries};
use crate::end_to_end::{CheckMode, EndToEnd};
use crate::loss::{BudgetReport, LossReport};
use crate::measure::Measuring;
use crate::pass::{Pass, PassCx, PassRecord};
use crate::pipeline::{Pipeline, Step};
use crate::report::{ExactPart, LocalChecks, Metrics, PassReport, RunReport, Verdict};
use crate::trace::{Mark, Tracer};

/// How a pipeline runs.
pub struct RunOptions<'a> {
    /// How much is checked.
    pub check: CheckMode,
    /// At most so many patches in the whole run, for bisection.
    pub fuel: Option<u64>,
    /// Drop a pass that fails and go on, instead of ending the run.
    pub keep_going: bool,
    /// An engine for passes that want one.
    pub engine: Option<&'a dyn Engine>,
    /// What losses are measured with; passes see its data.
    pub measuring: Measuring<'a>,
    /// Seconds since any fixed point; passes and manager have no clock of their own.
    pub clock: &'a dyn Fn() -> f64,
    /// Told before each pass: its index, its name, how many there are.
    pub progress: &'a dyn Fn(usize, &str, usize),
}

/// A pass that failed, with what is needed to see it fail again.
#[derive(Debug, thiserror::Error)]
#[error("pass '{pass}' failed: {message}")]
pub struct PassFailure {
    /// The pass.
    pub pass: String,
    /// What happened.
    pub message: String,
    /// Whether it is a fault of edgesmith (a panic, a broken model) rather than of the model or the options.
    pub internal: bool,
    /// The rest of the pipeline, from the failing pass on, as TOML.
    pub pipeline: String,
    /// The model as it was before the pass.
    pub model: Box<Model>,
}

/// Runs a pipeline. On success the model is the result; on failure it is as it was before the failing pass.
pub fn run_pipeline<'a>(
    model: &mut Model,
    pipeline: &Pipeline,
    options: &RunOptions<'_>,
    end_to_end: &dyn Fn(&Model) -> Option<EndToEnd<'a>>,
) -> Result<RunReport, PassFailure> {
    let approximate: Vec<bool> =
        pipeline.steps.iter().map(|step| step.info.fidelity == Fidelity::Approximate).collect();
    // What the result is compared with, where anything is.
    let is_compared = approximate.contains(&true) || matches!(options.check, CheckMode::Auto | CheckMode::Full);
    let source = is_compared.then(|| model.clone());
    let before = Metrics::of(model);
    let mut passes = Vec::new();
    let mut fuel = options.fuel;
    let mut fidelity = Fidelity::Exact;
    let mut changed = false;
    let mut predictions = Predictions::unknown();
    let mut tracer = Tracer::new(model);
    for (index, step) in pipeline.steps.iter().enumerate() {
        (options.progress)(index, step.info.name, pipeline.steps.len());
        let start = (options.clock)();
        let snapshot = model.clone();
        let mark = tracer.mark();
        let Ran { record, failure, loss, budget } =
            run_step(model, &snapshot, step, fuel, options, &mut predictions, (index, &mark, &mut tracer));
        let (dropped, internal) = match failure {
            None => (None, false),
            Some((message, internal)) => (Some(message), internal),
        };
        if let Some(message) = &dropped {
            *model = snapshot.clone();
            tracer.rewind(&mark);
            if !options.keep_going {
                return Err(PassFailure {
                    pass: step.info.name.to_owned(),
                    message: message.clone(),
                    internal,
                    pipeline: pipeline.effective_from(index),
                    model: Box::new(snapshot),
                });
            }
        } else {
            // An approximate pass that was rolled back, or found nothing, lost nothing.
            let approximate = step.info.fidelity == Fidelity::Approximate;
            if !approximate || differs(&snapshot, model) {
                fidelity = fidelity.weaker(fidelity_of(&record, &step.pass.rules(), step.info.fidelity));
            }
        }
        let this_changed = dropped.is_none() && differs(&snapshot, model);
        changed |= this_changed;
        if this_changed && loss.is_none() {
            predictions = Predictions::unknown();
        }
        if let Some(fuel) = &mut fuel {
            *fuel = fuel.saturating_sub(record.outcome.firings.len() as u64);
        }
        let mut report = report_of(step, model, record, dropped, this_changed, (options.clock)() - start);
        (report.loss, report.budget) = (loss, budget);
        passes.push(report);
    }
    let verdict = match (&source, options.check) {
        _ if !changed => Verdict::Unchanged,
        (Some(source), _) if fidelity == Fidelity::Approximate => {
            let exact_part = ExactPart::of(&passes, &approximate);
            approximate::verdict(&options.measuring, source, model, &passes, &mut predictions, exact_part)
        }
        (Some(source), CheckMode::Auto | CheckMode::Full) => match end_to_end(source) {
            None => locally_only(&passes, "there is no engine"),
            Some(check) => check.check(source, model, fidelity).unwrap_or_else(|reason| locally_only(&passes, &reason)),
        },
        (_, CheckMode::Local) => locally_only(&passes, "as asked for"),
        (None, _) | (_, CheckMode::Off) => Verdict::NotChecked { reason: "checks are off".into() },
    };
    Ok(RunReport { before, after: Metrics::of(model), passes, fidelity, trace: tracer.finish(model), verdict })
}

/// What came of one step. After a failure the model is whatever the pass left.
struct Ran {
    record: PassRecord,
    failure: Option<(String, bool)>,
    loss: Option<LossReport>,
    budget: Option<BudgetReport>,
}

/// Runs a pass; where it may lose something, measures that, and while its budget is broken runs a gentler form of it on the
/// model as it was.
fn run_step(
    model: &mut Model,
    snapshot: &Model,
    step: &Step,
    fuel: Option<u64>,
    options: &RunOptions<'_>,
    predictions: &mut Predictions,
    (index, mark, tracer): (usize, &Mark, &mut Tracer),
) -> Ran {
    let limits = step.budget.as_ref().map(|budget| budget.limits);
    let mut tries = limits.map(Tries::new);
    let mut eased: Option<Box<dyn Pass>> = None;
    loop {
        let pass = eased.as_deref().unwrap_or(step.pass.as_ref());
        let mut record = PassRecord::default();
        let failure = run_pass(model, pass, fuel, options, &mut record, (index, &mut *tracer));
        let measured = limits.is_some() || step.info.fidelity == Fidelity::Approximate;
        if failure.is_some() || !measured || !differs(snapshot, model) {
            let budget = tries.filter(|_| failure.is_none()).map(|tries| tries.finish(false));
            return Ran { record, failure, loss: None, budget };
        }
        let tried = approximate::measure(&options.measuring, snapshot, model, predictions, limits.as_ref());
        if let Some(tries) = &mut tries {
            tries.add(pass.setting(), &tried);
        }
        let kept = tried.broken.is_empty();
        if !kept {
            *model = snapshot.clone();
            tracer.rewind(mark);
            if let Some(gentler) = pass.ease() {
                eased = Some(gentler);
                continue;
            }
            // Nothing of it is in the model, so nothing of its work belongs into the report.
            record = PassRecord { remarks: record.remarks, ..PassRecord::default() };
        } else {
            predictions.replace(tried.after);
        }
        let budget = tries.map(|tries| tries.finish(kept));
        return Ran { record, failure: None, loss: kept.then_some(tried.loss), budget };
    }
}

fn run_pass(
    model: &mut Model,
    pass: &dyn Pass,
    fuel: Option<u64>,
    options: &RunOptions<'_>,
    record: &mut PassRecord,
    (index, tracer): (usize, &mut Tracer),
) -> Option<(String, bool)> {
    let mut cx = PassCx {
        driver: DriverOptions { fuel, check: options.check != CheckMode::Off },
        engine: options.engine,
        calibration: options.measuring.calibration,
        labelled: options.measuring.labelled,
        record,
    };
    match catch_unwind(AssertUnwindSafe(|| pass.run(model, &mut cx))) {
        Err(panic) => return Some((format!("it panicked: {}", panic_message(panic.as_ref())), true)),
        Ok(Err(error)) => return Some((error.to_string(), false)),
        Ok(Ok(())) => {}
    }
    if let Err(errors) = model.verify() {
        return Some((format!("it left a broken model: {}", summary(&errors)), true));
    }
    tracer.record(index, model, &record.events);
    match model.compact() {
        Ok(renumbering) => {
            tracer.compacted(&renumbering);
            None
        }
        Err(cycle) => Some((format!("it left a broken model: {cycle}"), true)),
    }
}

fn summary(errors: &[VerifyError]) -> String {
    let mut text: Vec<String> = errors.iter().take(3).map(ToString::to_string).collect();
    if errors.len() > 3 {
        text.push(format!("and {} more", errors.len() - 3));
    }
    text.join("; ")
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default()
}

/// The weakest fidelity of the rules that fired; the pass's own when it changed things that are not rules.
fn fidelity_of(record: &PassRecord, rules: &[RuleInfo], own: Fidelity) -> Fidelity {
    if own == Fidelity::Approximate {
        return own;
    }
    let fired = record.outcome.counts();
    rules
        .iter()
        .filter(|rule| fired.contains_key(rule.name))
        .fold(Fidelity::Exact, |weakest, rule| weakest.weaker(rule.fidelity))
}

/// Whether anything was written: every write raises a graph's epoch, and compaction keeps it.
fn differs(old: &Model, new: &Model) -> bool {
    let epochs =
        |model: &Model| -> Vec<u64> { model.live_graphs().into_iter().map(|id| model.graph(id).epoch()).collect() };
    epochs(old) != epochs(new)
}

fn report_of(
    step: &Step,
    model: &Model,
    record: PassRecord,
    dropped: Option<String>,
    changed: bool,
    seconds: f64,
) -> PassReport {
    let rules = record.outcome.counts().into_iter().map(|(rule, count)| (rule.to_owned(), count)).collect();
    let (local_checks, rule_checks) = (LocalChecks::of(&record.outcome), LocalChecks::by_rule(&record.outcome));
    let calls = record.outcome.calls;
    let mut remarks = record.outcome.remarks;
    remarks.extend(record.remarks);
    remarks.sort_by_key(|remark| std::cmp::Reverse(remark.severity));
    PassReport {
        name: step.info.name.to_owned(),
        options: step.options.clone(),
        changed,
        seconds,
        rules,
        calls,
        counts: record.counts,
        remarks,
        local_checks,
        rule_checks,
        tables: record.tables,
        loss: None,
        budget: None,
        operators: model.live_graphs().into_iter().map(|id| model.graph(id).ops().count() as u64).sum(),
        dropped,
    }
}

fn locally_only(passes: &[PassReport], reason: &str) -> Verdict {
    let checked = passes.iter().map(|pass| pass.local_checks.checked).sum();
    let unchecked: u64 = passes.iter().flat_map(|pass| pass.local_checks.not_checked.values()).sum();
    Verdict::LocallyOnly { reason: reason.to_owned(), checked, unchecked }
}

impl RunReport {
    /// Whether some change was dropped because its local check failed.
    pub fn has_failed_checks(&self) -> bool {
        self.passes.iter().any(|pass| pass.remarks.iter().any(|remark| remark.severity == Severity::Error))
    }
}
