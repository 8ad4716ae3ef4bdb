//! Drives the real binary.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

#[cfg(feature = "catch-up")]
mod catch_up;
#[cfg(feature = "catch-up")]
mod completions;
#[cfg(feature = "inbox")]
mod doctor;
mod errors;
mod explain;
mod forward;
#[cfg(feature = "inbox")]
mod inbox;
mod listen;
mod load;
#[cfg(feature = "catch-up")]
mod postgres;
mod receivers;
mod register;
mod registered;
mod sample;
mod saved;
mod send;
mod sign;
mod story;
mod support;
mod terminal;
mod tls;
mod tunnel;
mod twenty;
mod ui;
