#![doc = include_str!("../README.md")]

mod bench;
mod data;
pub mod diff;
mod engines;
mod explain;
pub mod extract;
mod failure;
mod inputs;
mod interface;
pub mod merge;
mod model_file;
mod new_pass;
mod optimize;
mod pipelines;
mod presets;
mod report;
mod schema;
mod text_file;
mod through_text;
pub mod verify;

#[cfg(feature = "cli")]
mod args;
#[cfg(feature = "cli")]
mod commands;
#[cfg(feature = "cli")]
mod loss_text;
#[cfg(feature = "cli")]
mod main_with;
#[cfg(feature = "cli")]
mod opset;
#[cfg(feature = "cli")]
mod progress;
#[cfg(feature = "cli")]
mod render;
#[cfg(feature = "cli")]
mod runtime;

pub use bench::{
    BenchOptions, BenchReport, Candidate, Clock, Latency, LatencyReport, Measured, MeasuredInput, Profile, Share, Span,
    TimedOperator, bench, chrome_trace,
};
pub use data::{open_calibration, open_labelled};
pub use engines::{default_engine_name, engine};
pub use explain::{Explanation, Record, Refusal, StepOf, Survivor};
pub use failure::{Failure, Fault, SourceText};
pub use inputs::{end_to_end_inputs, fit_inputs, read_npz};
pub use interface::{InterfaceChange, IoType, Rename, Side, edit_interface};
pub use model_file::{DimBinding, ModelFile, bind_dims, symbols, write_onnx};
pub use new_pass::{EdgesmithSource, new_pass};
pub use optimize::{OptimizeError, OptimizeOptions, optimize};
pub use pipelines::{check_pipeline, pipeline_failure, read_pipeline};
pub use presets::built_in;
pub use report::{OptimizeReport, ReportFile, ReportFormat};
pub use schema::{OptionCard, option_cards, pipeline_schema, written_schema};
pub use through_text::through_text;

#[cfg(feature = "cli")]
pub use main_with::main_with;

/// The version of this crate.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
