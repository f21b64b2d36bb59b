//! Every family of operators on the traps of the specification: small cases with expected values worked out by hand.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod dispatch;
mod elementwise;
mod gather;
mod kit;
mod movement;
mod recorded;
mod reduce;
mod search;
mod sequence;
mod shape;
