#![doc = include_str!("../README.md")]

mod apply;
mod body;
mod check;
mod cx;
mod driver;
mod names;
mod patch;
mod remark;
mod restructure;

pub use apply::{Applied, ApplyError, apply};
pub use check::{LocalVerdict, check_patch};
pub use cx::Cx;
pub use driver::{DriveError, DriverOptions, Firing, Outcome, Rewrite, RuleInfo, RuleSet, drive};
pub use names::Names;
pub use patch::{Patch, PatchConstant, PatchOp, Wire};
pub use remark::{Fidelity, Match, Miss, Remark, RuleName, Severity};
pub use restructure::{Interface, RestructureError, restructure};
