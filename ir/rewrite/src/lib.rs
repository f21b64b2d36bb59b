#![doc = include_str!("../README.md")]

mod apply;
mod cx;
mod names;
mod patch;
mod remark;

pub use apply::{Applied, ApplyError, apply};
pub use cx::Cx;
pub use names::Names;
pub use patch::{Patch, PatchConstant, PatchOp, Wire};
pub use remark::{Fidelity, Match, Miss, Remark, RuleName, Severity};
