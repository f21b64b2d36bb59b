#![doc = include_str!("../README.md")]

mod bind;
mod check;
mod engine;
mod guard;
mod lower;
mod plan;
mod prepare;
mod profile;
mod splice;
mod tensor;

pub use check::{Route, route};
pub use engine::TractEngine;
