#![doc = include_str!("../README.md")]

mod approximate;
mod end_to_end;
mod loss;
mod manager;
mod measure;
mod pass;
mod pipeline;
mod registry;
mod report;
mod rules;
mod scope;
mod sections;
mod table;
mod trace;
mod weights;

pub use end_to_end::{CheckMode, EndToEnd};
pub use loss::{
    Attempt, Budget, BudgetOutcome, BudgetReport, Decibels, Figures, LayerLoss, LossReport, OutputLoss, Top1,
};
pub use manager::{PassFailure, RunOptions, run_pipeline};
pub use measure::Measuring;
pub use pass::{Event, Needs, Pass, PassCx, PassError, PassInfo, PassRecord, PassSpec};
pub use pipeline::{Emit, Pipeline, PipelineError, Spot, Step, nearest};
pub use registry::{Built, Entry, OptionError, Registry};
pub use report::{Amount, ExactPart, LocalChecks, Metrics, PartCost, PassReport, RunReport, Verdict};
pub use rules::{RuleOf, RuleOptions, Ruled};
pub use scope::{ScopePattern, layer_names, scope_of};
pub use sections::{Colour, DataSection, Extent, InputSection, Layout, Paths, PerChannel, StepBudget};
pub use table::{Cell, PassTable};
pub use trace::{Fate, Fates, Trace, TraceEvent, TraceOperator, TraceOrigin};
pub use weights::{Weight, WeightReader, replace_tensors, weights};
