//! Drives the real binary.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod completions;
mod errors;
mod explain;
mod forward;
mod inbox;
mod listen;
mod load;
mod receivers;
mod sample;
mod saved;
mod send;
mod sign;
mod support;
mod terminal;
