//! Catch-up against a fake Twenty, over HTTP.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]
#![allow(clippy::duration_suboptimal_units, reason = "seconds are what the numbers mean")]

mod changes;
mod destroyed;
mod dry_run;
mod handler;
mod logs;
mod manners;
#[cfg(feature = "metrics")]
mod metrics;
mod postgres;
mod storm;
mod support;
