//! Tests that run against every receiver.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod adapters;
mod all_receivers;
mod budget;
mod fuzz_corpus;
mod guide;
mod http2;
mod levels;
mod links;
mod logs;
mod methods;
mod outcomes;
mod peers;
mod receivers;
mod replays;
mod router;
mod samples;
mod serving;
#[cfg(target_os = "linux")]
mod sockets;
mod stacked;

mod tenants;
mod third_adapter;
mod twenty;
mod unsigned_parts;
mod vectors;
