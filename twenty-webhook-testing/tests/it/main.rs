//! Tests that the kit sends what Twenty sends and loses what Twenty loses.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod api;
mod deliveries;
mod faults;
mod requests;
mod samples;
mod support;
