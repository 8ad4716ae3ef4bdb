//! Tests with real files, real processes and a real Postgres, and their failures.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]
#![allow(clippy::similar_names, reason = "a handler and what it handled")]

mod actix;
mod admin;
mod ages;
mod catch_up;
mod child;
#[cfg(feature = "dashboard")]
mod dashboard;
mod disk;
mod jobs;
mod kill;
mod logs;
mod memory;
#[cfg(feature = "metrics")]
mod metrics;
mod operations;
mod order;
mod order_model;
mod outcomes;
#[cfg(feature = "postgres")]
mod pgbouncer;
#[cfg(feature = "postgres")]
mod postgres;
mod router;
mod support;
mod tenants;
mod transaction;
mod workers;
