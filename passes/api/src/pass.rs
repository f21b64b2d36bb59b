//! What a pass is.

use edgesmith_exec::{Calibration, Engine, Labelled};
use edgesmith_ir::{Model, Name, OriginId};
use edgesmith_rewrite::{DriverOptions, Fidelity, Outcome, Remark, RuleInfo, RuleName};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use smallvec::SmallVec;

use crate::table::PassTable;

/// A pass, ready to run: changes a model in place. The manager snapshots, verifies, compacts, checks and reports.
pub trait Pass: Send + Sync {
    /// Changes the model.
    fn run(&self, model: &mut Model, cx: &mut PassCx<'_>) -> Result<(), PassError>;
    /// A gentler form of the pass, for a budget that this one broke; `None` when there is none. The manager runs it on the
    /// model as it was before, and asks that form for the next.
    fn ease(&self) -> Option<Box<dyn Pass>> {
        None
    }
    /// How this form of the pass differs from others, in a few words: `50 %`. For the list of tries under a budget.
    fn setting(&self) -> String {
        "as given".into()
    }
    /// The rules that the pass applies, for lists.
    fn rules(&self) -> Vec<RuleInfo> {
        Vec::new()
    }
}

/// How a pass is described and made from options.
pub trait PassSpec: Pass + Sized + 'static {
    /// What it is.
    const INFO: PassInfo;
    /// Its options; unknown keys must be refused (`#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]`).
    type Options: DeserializeOwned + Serialize + JsonSchema + Default;
    /// The pass with these options.
    fn new(options: Self::Options) -> Self;
}

/// A pass's card.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct PassInfo {
    /// The name in pipelines: the noun of the technique, kebab-case.
    pub name: &'static str,
    /// One line.
    pub summary: &'static str,
    /// How faithful the result is.
    #[serde(skip)]
    pub fidelity: Fidelity,
    /// What the pass cannot do without.
    pub needs: Needs,
    /// The manual.
    #[serde(skip)]
    pub docs: &'static str,
}

/// What a pass cannot do without.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Needs {
    /// Data to calibrate on.
    pub calibration: bool,
    /// Every dim of the main graph's inputs is a number.
    pub static_shapes: bool,
}

/// What a pass sees beside the model.
pub struct PassCx<'a> {
    /// How drivers run inside this pass.
    pub driver: DriverOptions,
    /// An engine, where one is there.
    pub engine: Option<&'a dyn Engine>,
    /// Data to calibrate on, where some were given; always there for passes that say they need it.
    pub calibration: Option<&'a dyn Calibration>,
    /// Labelled data, where some were given. Choosing by them and then measuring on them flatters: passes leave them to the
    /// manager unless their user says otherwise.
    pub labelled: Option<&'a Labelled>,
    pub(crate) record: &'a mut PassRecord,
}

/// What a pass leaves behind for the report.
#[derive(Clone, Debug, Default)]
pub struct PassRecord {
    /// What drivers did, added up.
    pub outcome: Outcome,
    /// Counts that are not rules: operators removed as dead, initializers merged.
    pub counts: indexmap::IndexMap<String, u64>,
    /// Remarks of the pass itself.
    pub remarks: Vec<Remark>,
    /// Tables of the pass itself.
    pub tables: Vec<PassTable>,
    /// What became of operators, in order: of those that drivers rewrote and of those that the pass removed itself.
    pub events: Vec<Event>,
}

/// Operators that became others, or nothing: the material of `edgesmith explain`.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The rule or step.
    pub rule: RuleName,
    /// The operator that it was about.
    pub site: Name,
    /// Where the operators that went came from.
    pub from: SmallVec<[OriginId; 4]>,
    /// The origin of what stands in their place; `None` when no operator does.
    pub into: Option<OriginId>,
}

impl PassCx<'_> {
    /// Adds what a driver did to the report.
    pub fn add(&mut self, outcome: Outcome) {
        let record = &mut self.record.outcome;
        // Fuel is for the whole run: what one driver spent is gone for the next.
        if let Some(fuel) = &mut self.driver.fuel {
            *fuel = fuel.saturating_sub(outcome.firings.len() as u64);
        }
        self.record.events.extend(outcome.firings.iter().map(|firing| Event {
            rule: firing.rule,
            site: firing.site.clone(),
            from: firing.from.clone(),
            into: firing.into,
        }));
        record.firings.extend(outcome.firings);
        for remark in outcome.remarks {
            if !record.remarks.contains(&remark) {
                record.remarks.push(remark);
            }
        }
        record.calls += outcome.calls;
        record.out_of_fuel |= outcome.out_of_fuel;
    }
    /// Adds to a count that the report shows beside the rules.
    pub fn count(&mut self, what: &str, by: u64) {
        if by > 0 {
            *self.record.counts.entry(what.to_owned()).or_insert(0) += by;
        }
    }
    /// Adds a table that the report shows.
    pub fn table(&mut self, table: PassTable) {
        self.record.tables.push(table);
    }
    /// Says what became of an operator that the pass removed or replaced without a driver.
    pub fn event(&mut self, event: Event) {
        self.record.events.push(event);
    }
    /// Adds a remark.
    pub fn remark(&mut self, remark: Remark) {
        self.record.remarks.push(remark);
    }
}

/// Why a pass failed. The model is rolled back.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PassError {
    /// The pass cannot do its work on this model.
    #[error("{0}")]
    Refused(String),
    /// Rules do not come to an end.
    #[error(transparent)]
    Drive(#[from] edgesmith_rewrite::DriveError),
    /// A restructured model does not hold.
    #[error(transparent)]
    Restructure(#[from] edgesmith_rewrite::RestructureError),
}
