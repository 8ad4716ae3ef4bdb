//! Drives the real binary.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod completions;
mod doctor;
mod errors;
mod explain;
mod forward;
mod inbox;
mod listen;
mod load;
mod receivers;
mod register;
mod sample;
mod saved;
mod send;
mod sign;
mod support;
mod terminal;
mod twenty;
