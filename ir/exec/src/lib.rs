#![doc = include_str!("../README.md")]

mod calibration;
pub mod compare;
pub mod engine;
pub mod eval;
pub mod npz;
mod reference;
pub mod seeded;
mod value;

pub use calibration::{Batch, Batches, Calibration, CalibrationError, InMemory, Labelled};
pub use engine::{Effort, Engine, EngineError, Obstacle, OpTime, Prepared, Request, Session, Values};
pub use eval::{EvalError, EvalOptions, evaluate_op};
pub use reference::ReferenceEngine;
pub use value::Value;
