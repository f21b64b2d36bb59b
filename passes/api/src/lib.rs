#![doc = include_str!("../README.md")]

mod end_to_end;
mod manager;
mod pass;
mod pipeline;
mod registry;
mod report;
mod rules;

pub use end_to_end::{CheckMode, EndToEnd};
pub use manager::{PassFailure, RunOptions, run_pipeline};
pub use pass::{Needs, Pass, PassCx, PassError, PassInfo, PassRecord, PassSpec};
pub use pipeline::{Emit, Pipeline, PipelineError, Spot, Step, nearest};
pub use registry::{Built, Entry, OptionError, Registry};
pub use report::{Amount, LocalChecks, Metrics, PassReport, RunReport, Verdict};
pub use rules::{RuleOf, RuleOptions, Ruled};
