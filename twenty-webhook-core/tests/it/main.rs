//! The core, through its public API. The workspace's `tests` has the tests that all receivers must pass.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod api;
mod decoding;
#[cfg(feature = "diagnose")]
mod diagnose;
mod events;
mod forms;
mod objects;
mod patterns;
mod properties;
mod real;
mod records;
mod router;
mod router_model;
mod secret;
mod tolerance;
mod vectors;
mod verification;
