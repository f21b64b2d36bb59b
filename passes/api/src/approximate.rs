//! What the manager does for passes that lose something: measure it, hold it to a budget, ease or roll back.

use edgesmith_ir::Model;

use crate::loss::{Attempt, Budget, BudgetOutcome, BudgetReport, Decibels, LossReport};
use crate::measure::Measuring;
use crate::report::{ExactPart, PassReport, Verdict};

/// Predictions of the model as it stands, kept while nothing changes it: each costs a run over all labelled data.
pub(crate) struct Predictions {
    kept: Option<Result<Vec<i64>, String>>,
    known: bool,
}

impl Predictions {
    pub(crate) fn unknown() -> Self {
        Self { kept: None, known: false }
    }
    pub(crate) fn of(&mut self, measuring: &Measuring<'_>, model: &Model) -> Option<Result<Vec<i64>, String>> {
        if !self.known {
            self.kept = measuring.predictions(model);
            self.known = true;
        }
        self.kept.clone()
    }
    pub(crate) fn replace(&mut self, predictions: Option<Result<Vec<i64>, String>>) {
        self.kept = predictions;
        self.known = true;
    }
}

/// What a try lost.
pub(crate) struct Tried {
    pub(crate) loss: LossReport,
    pub(crate) after: Option<Result<Vec<i64>, String>>,
    pub(crate) broken: Vec<String>,
}

/// Measures one try of a pass. With a budget, layers wait until it is kept: they do not decide.
pub(crate) fn measure(
    measuring: &Measuring<'_>,
    before: &Model,
    after: &Model,
    predictions: &mut Predictions,
    budget: Option<&Budget>,
) -> Tried {
    let was = predictions.of(measuring, before);
    let is = was.as_ref().and_then(|_| measuring.predictions(after));
    let mut loss = measuring.loss(before, after, budget.is_none());
    measuring.add_top1(&mut loss, was.as_ref(), is.as_ref());
    let broken = budget.map(|budget| budget.broken_by(&loss)).unwrap_or_default();
    if budget.is_some() && broken.is_empty() && measuring.calibration.is_some() {
        let top1 = loss.top1;
        let not_measured: Vec<String> =
            loss.not_measured.into_iter().filter(|what| what.starts_with("top-1")).collect();
        loss = measuring.loss(before, after, true);
        loss.top1 = top1;
        loss.not_measured.extend(not_measured);
    }
    Tried { loss, after: is, broken }
}

/// The record of the tries of one pass.
pub(crate) struct Tries {
    limits: Budget,
    attempts: Vec<Attempt>,
}

impl Tries {
    pub(crate) fn new(limits: Budget) -> Self {
        Self { limits, attempts: Vec::new() }
    }
    pub(crate) fn add(&mut self, setting: String, tried: &Tried) {
        self.attempts.push(Attempt {
            setting,
            cosine: tried.loss.cosine(),
            sqnr: tried.loss.sqnr().map(Decibels),
            top1_drop: tried.loss.top1.map(|top1| top1.drop()),
            broken: tried.broken.clone(),
        });
    }
    /// The report at the end; `kept` when the last try is in the model.
    pub(crate) fn finish(self, kept: bool) -> BudgetReport {
        let outcome = match (kept, self.attempts.len()) {
            (_, 0) => BudgetOutcome::Unchanged,
            (true, 1) => BudgetOutcome::Kept,
            (true, _) => BudgetOutcome::Eased,
            (false, _) => BudgetOutcome::RolledBack,
        };
        BudgetReport { limits: self.limits, outcome, attempts: self.attempts }
    }
}

/// The verdict of a run in which something was lost: source against result.
pub(crate) fn verdict(
    measuring: &Measuring<'_>,
    source: &Model,
    result: &Model,
    passes: &[PassReport],
    predictions: &mut Predictions,
    exact_part: Option<ExactPart>,
) -> Verdict {
    let mut changed = passes.iter().filter(|pass| pass.changed);
    // One pass made all of the loss: it was measured already.
    let loss = match (changed.next().and_then(|pass| pass.loss.clone()), changed.next()) {
        (Some(loss), None) => LossReport { layers: Vec::new(), ..loss },
        _ => {
            let was = measuring.predictions(source);
            let is = was.as_ref().and_then(|_| predictions.of(measuring, result));
            let mut loss = measuring.loss(source, result, false);
            measuring.add_top1(&mut loss, was.as_ref(), is.as_ref());
            loss
        }
    };
    if loss.is_measured() {
        Verdict::Measured { loss, exact_part }
    } else {
        Verdict::NotMeasured { reason: loss.not_measured.join("; "), exact_part }
    }
}
