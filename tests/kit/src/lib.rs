#![doc = include_str!("../README.md")]

mod case;
mod diff;
mod equivalence;
mod markdown;
mod onnx;
mod pages;
mod run;

pub use equivalence::{Equivalence, Objection, assert_equivalent, equivalence};
pub use pages::{Page, cases, trials};
